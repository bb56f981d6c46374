"""Files become conversations: ours whole, hostile ones an error that says why."""

from __future__ import annotations

import itertools
import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from moa_tui.conversation import Conversation
from moa_tui.errors import FileError
from moa_tui.formats import text_file
from moa_tui.formats.export import FORMATS, render
from moa_tui.formats.importer import read
from moa_tui.formats.json_writer import conversation_document
from tests.conversations import (
    HOSTILE_TEXTS,
    NOON,
    a_conversation,
    a_conversation_in_steps,
    a_turn,
    conversation_of,
    conversations,
    texts,
    with_branches,
)
from tests.formats.helpers import as_file, chatgpt, node, pairs

if TYPE_CHECKING:
    from pathlib import Path

    from moa_tui.conversation import Turn
    from tests.formats.conftest import Importing


# Each example writes the same file anew.
some = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


# moa-tui's own formats


@given(conversations())
@example(a_conversation(1, 12, 12))
@example(with_branches())
@example(a_conversation_in_steps())
@some
def test_our_json_comes_back_to_the_byte(imported: Importing, conversation: Conversation) -> None:
    text = render([conversation], "json")
    (back,) = imported(text).conversations
    assert render([back], "json") == text


def test_a_transcript_without_the_requests_of_a_call_is_of_an_earlier_version(imported: Importing) -> None:
    document = conversation_document(a_conversation_in_steps())
    calls = [call for layer in document["turns"][0]["outcome"]["layers"] for call in layer["calls"]]
    assert [len(call["steps"]) for call in calls] == [0, 0, 2]
    assert [len(step["messages"]) for step in calls[-1]["steps"]] == [2, 2]
    for call in calls:
        del call["steps"], call["unread"]
    (back,) = imported(document).conversations
    assert back.turns[0].outcome is not None
    assert {reply.steps for reply in back.turns[0].outcome.replies.values()} == {()}


def test_a_call_of_more_requests_than_any_makes_is_refused(imported: Importing) -> None:
    document = conversation_document(a_conversation_in_steps())
    call = document["turns"][0]["outcome"]["layers"][-1]["calls"][0]
    call["steps"] = call["steps"][:1] * 4_001
    with pytest.raises(FileError, match="4,001 requests, more than any call makes"):
        imported(document)


@pytest.mark.parametrize("format", ["messages", "jsonl", "sharegpt"])
@given(st.lists(st.tuples(texts(), texts().filter(str.strip)), min_size=1, max_size=3), st.none() | texts())
@example([(text, text) for text in HOSTILE_TEXTS], "Be short.")
@example([("long?", "Words and 漢字.\n" * 75_000)], None)
@some
def test_prompts_answers_and_system_prompt_come_back(
    imported: Importing, format: str, said: list[tuple[str, str]], system: str | None
) -> None:
    turns: list[Turn] = []
    for prompt, answer in said:
        turns.append(a_turn(prompt, answer, system=system, parent=turns[-1] if turns else None))
    text = render([Conversation(tuple(turns), turns[-1])], format)
    (back,) = imported(text).conversations

    # What UTF-8 cannot hold is all that these formats lose.
    assert pairs(back) == [(as_file(prompt), as_file(answer)) for prompt, answer in said]
    assert {turn.system for turn in back.turns} == {as_file(system) if system and system.strip() else None}


@given(conversations())
@example(with_branches())
@example(a_conversation(1, 12, 12))
@some
def test_messages_of_any_conversation_come_back(imported: Importing, conversation: Conversation) -> None:
    messages = json.loads(render([conversation], "messages"))["messages"]
    spoken = [message["content"] for message in messages if message["role"] != "system"]
    if not spoken:
        with pytest.raises(FileError, match="no conversation"):
            imported(render([conversation], "messages"))
        return
    for format in ("messages", "jsonl", "sharegpt"):
        (back,) = imported(render([conversation], format)).conversations
        assert [text for pair in pairs(back) for text in pair] == spoken


def test_what_moa_tells_of_title_and_time_is_taken_and_the_rest_counted(imported: Importing) -> None:
    result = imported(render([with_branches()], "messages"))
    assert result.conversations[0].title == "Branches"
    assert result.conversations[0].created == NOON
    assert result.notes == (
        "12 proposer answers left out",
        "3 branch turns left out",
    )


def test_our_json_in_lines_is_read_too(imported: Importing) -> None:
    lines = [json.dumps(conversation_document(a_conversation(number))) for number in (1, 2)]
    result = imported("\n".join(lines))
    assert [len(conversation.turns) for conversation in result.conversations] == [1, 2]
    assert result.notes == ()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32-le"])
def test_a_file_may_be_in_any_unicode_encoding(imported: Importing, encoding: str) -> None:
    text = render([conversation_of(("漢字 😀?", "ja"))], "messages")
    assert pairs(imported(text.encode(encoding)).conversations[0]) == [("漢字 😀?", "ja")]


def test_jsonl_is_read_line_by_line_and_a_broken_one_is_named(imported: Importing) -> None:
    line = json.dumps({"messages": [{"role": "user", "content": "a\u2028b"}]}, ensure_ascii=False)
    assert len(imported(f"{line}\n\n{line}\r\n").conversations) == 2
    result = imported(f'{line}\n{{"messages": [\n{line}\n')
    assert [pairs(conversation) for conversation in result.conversations] == [[("a\u2028b", "")]] * 2
    assert result.notes == (
        "left out: line 2, column 1: it cannot be read (line 4, column 1: Expecting ',' delimiter)",
    )


def test_an_empty_conversation_is_left_out_and_said(imported: Importing) -> None:
    conversation = {"messages": [{"role": "user", "content": "a"}]}
    named = {"title": "Cats\n", "mapping": [1]}
    result = imported([conversation, {"messages": []}, {"other": 1}, 7, named])
    assert result.notes == (
        "1 empty conversation left out",
        "2 unknown records left out",
        'left out: the record "Cats" at line 1, column 87: there is no conversation in it',
    )


# Files that cannot be read


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "there is no conversation in it"),
        (" \n\ufeff\n", "there is no conversation in it"),
        ('{\n "a": 1,\n}', "line 3"),
        ('{"a":\n1} x', "line 2, column 4: "),
        ("[" * 200_000, "nested too deeply"),
        ('{"format": "moa-tui conversation", "a": NaN}', "holds NaN"),
        ('{"format": "moa-tui conversation", "a": 1e999}', "holds 1e999"),
        ('{"format": "moa-tui conversation", "a": ' + "9" * 5000 + "}", "holds 9999"),
        (b"\xff\xfe\x00", "not a text"),
        (b"\x80abc", "not a text in utf-8: byte 0"),
        ("[]", "no conversation in it; what can be read: moa-tui's JSON"),
        ('"text"', "no conversation"),
        ('{"format": "moa-tui conversation"}', "schema"),
    ],
    ids=itertools.count(),
)
def test_a_file_that_cannot_be_read_says_why_and_where(
    tmp_path: Path, imported: Importing, content: str | bytes, why: str
) -> None:
    with pytest.raises(FileError, match=why) as raised:
        imported(content)
    assert str(raised.value).startswith(f"{tmp_path / 'file'}: ")


def test_no_file_a_folder_and_an_impossible_name_are_said(tmp_path: Path) -> None:
    for place in (tmp_path / "none", tmp_path, tmp_path / "a\0b"):
        with pytest.raises(FileError):
            read(place)
    with pytest.raises(FileError, match=r"it is a folder; name the file in it, such as conversations\.json"):
        read(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_that_nobody_writes_to_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileError, match="no file"):
        read(tmp_path / "pipe")


def test_a_file_too_large_is_not_read(imported: Importing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_file, "LARGEST", 2**20)
    with pytest.raises(FileError, match="larger than 1 MB"):
        imported(" " * (2**20 + 1))


def changed(**changes: Any) -> dict[str, Any]:
    document = conversation_document(a_conversation(1))
    call = document["turns"][0]["outcome"]["layers"][0]["calls"][0]
    for key, value in changes.items():
        where = call if key in call else document["turns"][0] if key in ("recipe", "parent") else document
        where[key] = value
    return document


def nested(depth: int) -> dict[str, Any]:
    inner: dict[str, Any] = {}
    for _ in range(depth):
        inner = {"a": inner}
    agents = [{"model": "m", "extra": inner}]
    return {"name": "deep", "layers": [{"agents": agents}, {"agents": agents}]}


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (changed(layer=9), "a call L9.1, for which its recipe has no place"),
        (changed(layer=0), "has no place"),
        (changed(index=0), "has no place"),
        (changed(index=7), "numbers about L1.1, which is none of its calls"),
        (changed(id="a\x1b"), "cannot be an id"),
        (changed(id="a" * 1000), "cannot be an id"),
        (changed(forked_from="\ud800"), "cannot be an id"),
        (changed(created=1e14), "no time"),
        (changed(created=-1), "no time"),
        (changed(parent="nobody"), "parent"),
        (changed(recipe=nested(300)), "the recipe of turn .* could not be kept"),
        (changed(recipe=nested(900)), "the recipe of turn .* could not be kept"),
    ],
    ids=itertools.count(),
)
def test_our_json_that_contradicts_itself_is_refused(imported: Importing, document: object, why: str) -> None:
    with pytest.raises(FileError, match=why):
        imported(document)


def test_what_our_json_nests_less_deeply_can_be_written_again(imported: Importing) -> None:
    result = imported(changed(recipe=nested(150)))
    assert '"a": {' in render(result.conversations, "json")


_VALUES = st.none() | st.booleans() | st.integers() | st.floats() | texts(12)


_KEYS = st.sampled_from(
    [
        *(
            "role",
            "content",
            "messages",
            "mapping",
            "message",
            "author",
            "parts",
            "parent",
            "children",
            "a",
            "b",
        ),
        *(
            "conversations",
            "from",
            "value",
            "format",
            "type",
            "text",
            "moa",
            "turns",
            "calls",
            "current_node",
        ),
        *("title", "create_time", "created", "content_type", "metadata", "model_slug", "tool_calls"),
        *("id", "uuid", "parentId", "childrenIds", "chat", "history", "chat_messages", "sender", "chunks"),
        *("chunkedPrompt", "responses", "response", "conversation", "conversation_a", "conversation_b"),
        *("prompt", "chosen", "rejected", "conversationId", "messagesTree", "conv", "items", "contents"),
        *("attachments", "files", "output", "thoughts", "recipient", "weight", "fragments", "name", "input"),
        *(
            "conversation_id",
            "sessionId",
            "content_references",
            "matched_text",
            "citations",
            "models",
            "$date",
        ),
    ]
)


_KNOWN_VALUES = st.sampled_from(
    [
        "user",
        "assistant",
        "system",
        "text",
        "human",
        "gpt",
        "a",
        "b",
        "moa-tui conversation",
        "multimodal_text",
        "thinking",
        "tool_use",
        "canmore.create_textdoc",
        "\ue200cite\ue202turn0search1\ue201",
    ]
)


_JSON = st.recursive(
    _VALUES | _KNOWN_VALUES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=5),
    max_leaves=25,
)


def damaged(document: Any, draw: Any) -> Any:
    """A document with one value, anywhere in it, put in the place of another."""
    place: Any = None
    key: Any = None
    here = document
    while isinstance(here, dict | list) and here and (place is None or draw(st.integers(0, 5))):
        place = here
        key = draw(st.sampled_from(sorted(here) if isinstance(here, dict) else range(len(here))))
        here = here[key]
    if place is not None:
        place[key] = draw(_JSON)
    return document


def survives(imported: Importing, content: object) -> None:
    try:
        result = imported(content if isinstance(content, bytes) else json.dumps(content))
    except FileError:
        return
    for conversation in result.conversations:
        for format in FORMATS:
            render([conversation], format).encode()


@given(_JSON)
@settings(some, max_examples=80)
def test_no_json_does_more_harm_than_an_error(imported: Importing, document: object) -> None:
    survives(imported, document)
    survives(imported, {"messages": document})
    survives(imported, {"mapping": {"a": document, "b": {"parent": "a", "message": document}}})
    survives(imported, [{"chat_messages": [document, document]}, {"chat": document}, document])
    survives(imported, {"conversationId": "x", "messages": [{"id": "a", "children": [document]}]})


@given(st.data())
@settings(some, max_examples=80)
def test_no_damage_to_a_good_file_does_more_harm_than_an_error(
    imported: Importing, data: st.DataObject
) -> None:
    good = data.draw(st.sampled_from(["ours", "chatgpt", "messages"]))
    document: Any = conversation_document(replace(with_branches(), title="x"))
    if good == "messages":
        document = json.loads(render([with_branches()], "messages"))
    elif good == "chatgpt":
        document = chatgpt(
            node("r", None, children=("u",)),
            node("u", "r", "user", "One?", ("a", "b"), create_time=NOON),
            node("a", "u", "assistant", "1"),
            node("b", "u", "assistant", ["1", {"content_type": "image"}], ("c",)),
            node("c", "b", "user", "Two?"),
            current="c",
        )
    survives(imported, damaged(document, data.draw))


@given(st.binary(max_size=200))
@settings(some, max_examples=100)
def test_no_bytes_do_more_harm_than_an_error(imported: Importing, content: bytes) -> None:
    survives(imported, content)
