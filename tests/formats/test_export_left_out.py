"""What an answer left out, in each format that holds more than the answers."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from moa_tui.engine.values import CallId
from moa_tui.formats.export import render
from moa_tui.formats.json_reader import conversation_from
from tests.conversations import a_conversation

if TYPE_CHECKING:
    from moa_tui.conversation import Conversation

ANSWER = "Feed the starter once a week in the fridge."
POINT = "*Rye* flour wakes up a <b>sluggish</b> starter."


@pytest.fixture
def conversation() -> Conversation:
    """One turn of two proposers that make one point, which the answer does not have."""
    made = a_conversation(turns=1)
    (turn,) = made.turns
    assert turn.outcome is not None
    texts = {CallId(1, 1): f"{ANSWER} {POINT}", CallId(1, 2): f"- {POINT}", CallId(2, 1): ANSWER}
    replies = {call: replace(reply, text=texts[call]) for call, reply in turn.outcome.replies.items()}
    turn = replace(turn, outcome=replace(turn.outcome, answer=ANSWER, replies=replies))
    return replace(made, turns=(turn,), active=turn)


def test_markdown_folds_them_away_below_the_answer(conversation: Conversation) -> None:
    text = render([conversation], "markdown")
    listed = (
        "<details>\n<summary>left out: 1 point (agent-1 1)</summary>\n\n"
        "- \\*Rye\\* flour wakes up a \\<b\\>sluggish\\</b\\> starter. (L1.1 agent-1, L1.2 agent-2)\n\n"
        "</details>\n\n### Calls"
    )
    assert listed in text


def test_html_folds_them_away_below_the_answer(conversation: Conversation) -> None:
    text = render([conversation], "html")
    assert "<summary>left out: 1 point (agent-1 1)</summary>" in text
    assert (
        '<li dir="auto">*Rye* flour wakes up a &lt;b&gt;sluggish&lt;/b&gt; starter. '
        '<span class="place">L1.1 agent-1, L1.2 agent-2</span></li>'
    ) in text


@pytest.mark.parametrize("format", ["json", "messages"])
def test_json_has_them_with_their_calls_and_places(conversation: Conversation, format: str) -> None:
    document = json.loads(render([conversation], format))
    turn = document["turns"][0]["outcome"] if format == "json" else document["moa"]["turns"][0]
    (point,) = turn["left_out"]
    assert point["text"] == POINT
    assert [(call["layer"], call["index"], call["agent"]) for call in point["calls"]] == [
        (1, 1, "agent-1"),
        (1, 2, "agent-2"),
    ]
    calls = turn["layers"][0]["calls"] if format == "json" else turn["calls"]
    assert calls[0]["text"][point["start"] : point["end"]] == POINT


def test_an_import_reads_over_them(conversation: Conversation) -> None:
    document = json.loads(render([conversation], "json"))
    document["turns"][0]["outcome"]["left_out"] = "anything"
    again = conversation_from(document)
    assert json.loads(render([again], "json"))["turns"][0]["outcome"]["left_out"][0]["text"] == POINT


@pytest.mark.parametrize("format", ["markdown", "html"])
def test_where_nothing_was_left_out_there_is_no_list(conversation: Conversation, format: str) -> None:
    (turn,) = conversation.turns
    assert turn.outcome is not None
    replies = {call: replace(reply, text=ANSWER) for call, reply in turn.outcome.replies.items()}
    turn = replace(turn, outcome=replace(turn.outcome, replies=replies))
    assert "left out" not in render([replace(conversation, turns=(turn,), active=turn)], format)
