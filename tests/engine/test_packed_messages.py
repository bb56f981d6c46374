"""The messages of a call, held without the texts that are held elsewhere."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moa_tui.engine.packed_messages import PackedMessages, packed
from moa_tui.engine.run import run
from tests.fakes import FakeModels
from tests.helpers import recipe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from moa_tui.engine.values import Message, Reply

LONG = " ".join(f"Sentence {number} of an answer." for number in range(2_000))
MESSAGES: tuple[Message, ...] = (
    {"role": "system", "content": f"Read these:\n{LONG}\nand {LONG}{LONG[::-1]}."},
    {"role": "user", "content": "What is a moa?"},
)


def held(replies: Iterable[Reply]) -> int:
    """The characters of all distinct texts that the replies hold, their messages included."""
    texts: dict[int, str] = {}
    for reply in replies:
        texts[id(reply.text)] = reply.text
        rows = reply.messages._rows if isinstance(reply.messages, PackedMessages) else reply.messages
        for row in rows:
            pieces = row[1] if isinstance(row, tuple) else (row["content"],)
            texts.update((id(piece), piece) for piece in pieces)
    return sum(map(len, texts.values()))


def test_packed_messages_are_what_they_were() -> None:
    messages = packed(MESSAGES, [LONG, LONG[::-1], "What is a moa?", ""])
    assert isinstance(messages, PackedMessages)
    assert (len(messages), list(messages), tuple(messages)) == (2, list(MESSAGES), MESSAGES)
    assert (messages[0], messages[-1], messages[:1]) == (MESSAGES[0], MESSAGES[1], MESSAGES[:1])
    assert messages == MESSAGES
    assert messages != MESSAGES[:1]
    assert json.dumps(list(messages)) == json.dumps(list(MESSAGES))


def test_short_messages_stay_as_they_are() -> None:
    messages = MESSAGES[1:]
    assert packed(messages, ["What is a moa?"]) is messages


@given(st.lists(st.sampled_from(["ab", "ba", "aba", "x"]), max_size=12), st.lists(st.text("abx", min_size=1)))
def test_any_text_is_joined_again(words: list[str], texts: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("moa_tui.engine.packed_messages._SHORTEST_MESSAGE", 0)
        patch.setattr("moa_tui.engine.packed_messages._SHORTEST_TEXT", 1)
        messages: tuple[Message, ...] = ({"role": "user", "content": "".join(words)},)
        assert list(packed(messages, [*texts, ""])) == list(messages)


@pytest.mark.parametrize("placement", ["system", "user"])
async def test_a_run_holds_each_answer_once_however_many_read_it(placement: str) -> None:
    names = [f"m{number}" for number in range(24)]
    models = FakeModels(**{name: [[f"{name}: {LONG}"]] for name in names})
    layers = [{"agents": names[:8]}, {"agents": names[8:16]}, {"agents": names[16:]}, {"agents": ["judge"]}]
    tables = ({**layer, "placement": placement} if at else layer for at, layer in enumerate(layers))
    this = recipe(*tables, loop_guard=False)
    asked: list[Message] = [{"role": "user", "content": f"What is a moa? {LONG}"}]
    outcome = await run(this, asked, models, lambda _: None)
    assert outcome.status == "done"
    for call, reply in outcome.replies.items():
        assert tuple(reply.messages) == models.asked[reply.model][0], call
    answers = sum(len(reply.text) for reply in outcome.replies.values()) + len(asked[0]["content"])
    assert held(outcome.replies.values()) < 1.2 * answers
