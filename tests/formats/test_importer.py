"""Files become conversations: ours whole, others' as far as they go, hostile ones an error that says why."""

from __future__ import annotations

import itertools
import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from moa_tui.conversation import Conversation, path
from moa_tui.errors import FileError
from moa_tui.formats import importer
from moa_tui.formats.export import FORMATS, render
from moa_tui.formats.importer import Imported, read
from moa_tui.formats.json_writer import conversation_document
from tests.conversations import (
    HOSTILE_TEXTS,
    NOON,
    a_conversation,
    a_turn,
    conversation_of,
    conversations,
    texts,
    with_branches,
)

if TYPE_CHECKING:
    from pathlib import Path

    from moa_tui.conversation import Turn

# Each example writes the same file anew.
some = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def imported(folder: Path, content: str | bytes | object) -> Imported:
    file = folder / "file"
    if not isinstance(content, str | bytes):
        content = json.dumps(content)
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return read(file)


def pairs(conversation: Conversation) -> list[tuple[str, str]]:
    """The prompts and answers of the active branch."""
    turns = path(conversation.active) if conversation.active else ()
    return [(turn.prompt, turn.outcome.answer if turn.outcome else "") for turn in turns]


def tree(conversation: Conversation) -> dict[tuple[str, str], tuple[str, str] | None]:
    """Each turn's prompt and answer with those of the turn before it."""

    def said(turn: Any) -> tuple[str, str]:
        return turn.prompt, turn.outcome.answer

    return {said(turn): said(turn.parent) if turn.parent else None for turn in conversation.turns}


# ---- our own formats


@given(conversations())
@example(a_conversation(1, 12, 12))
@example(with_branches())
@some
def test_our_json_comes_back_to_the_byte(tmp_path: Path, conversation: Conversation) -> None:
    text = render([conversation], "json")
    (back,) = imported(tmp_path, text).conversations
    assert render([back], "json") == text


@pytest.mark.parametrize("format", ["messages", "jsonl", "sharegpt"])
@given(st.lists(st.tuples(texts(), texts().filter(str.strip)), min_size=1, max_size=3), st.none() | texts())
@example([(text, text) for text in HOSTILE_TEXTS], "Be short.")
@example([("long?", "Words and 漢字.\n" * 75_000)], None)
@some
def test_prompts_answers_and_system_prompt_come_back(
    tmp_path: Path, format: str, said: list[tuple[str, str]], system: str | None
) -> None:
    turns: list[Turn] = []
    for prompt, answer in said:
        turns.append(a_turn(prompt, answer, system=system, parent=turns[-1] if turns else None))
    text = render([Conversation(tuple(turns), turns[-1])], format)
    (back,) = imported(tmp_path, text).conversations

    # What UTF-8 cannot hold is all that these formats lose.
    def kept(text: str) -> str:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")

    assert pairs(back) == [(kept(prompt), kept(answer)) for prompt, answer in said]
    assert {turn.system for turn in back.turns} == {kept(system) if system and system.strip() else None}


@given(conversations())
@example(with_branches())
@example(a_conversation(1, 12, 12))
@some
def test_messages_of_any_conversation_come_back(tmp_path: Path, conversation: Conversation) -> None:
    messages = json.loads(render([conversation], "messages"))["messages"]
    spoken = [message["content"] for message in messages if message["role"] != "system"]
    if not spoken:
        with pytest.raises(FileError, match="no conversation"):
            imported(tmp_path, render([conversation], "messages"))
        return
    for format in ("messages", "jsonl", "sharegpt"):
        (back,) = imported(tmp_path, render([conversation], format)).conversations
        assert [text for pair in pairs(back) for text in pair] == spoken


def test_what_moa_tells_of_title_and_time_is_taken_and_the_rest_counted(tmp_path: Path) -> None:
    found = imported(tmp_path, render([with_branches()], "messages"))
    assert found.conversations[0].title == "Branches"
    assert found.conversations[0].created == NOON
    assert found.notes == (
        "12 proposer answers left out",
        "3 branch turns left out",
    )


def test_our_json_in_lines_is_read_too(tmp_path: Path) -> None:
    lines = [json.dumps(conversation_document(a_conversation(number))) for number in (1, 2)]
    found = imported(tmp_path, "\n".join(lines))
    assert [len(one.turns) for one in found.conversations] == [1, 2]
    assert found.notes == ()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32-le"])
def test_a_file_may_be_in_any_unicode_encoding(tmp_path: Path, encoding: str) -> None:
    text = render([conversation_of(("漢字 😀?", "ja"))], "messages")
    assert pairs(imported(tmp_path, text.encode(encoding)).conversations[0]) == [("漢字 😀?", "ja")]


# ---- OpenAI messages


def test_a_bare_list_of_messages_is_a_conversation(tmp_path: Path) -> None:
    found = imported(
        tmp_path,
        [
            {"role": "developer", "content": "Be short."},
            {"role": "user", "content": "One?"},
            {"role": "assistant", "content": "1"},
            {
                "role": "user",
                "content": [{"type": "text", "text": "Two"}, {"type": "text", "text": "or three?"}],
            },
            {"role": "assistant", "content": [{"type": "output_text", "text": "2"}]},
        ],
    )
    (conversation,) = found.conversations
    assert pairs(conversation) == [("One?", "1"), ("Two\nor three?", "2")]
    assert [turn.system for turn in conversation.turns] == ["Be short."] * 2
    assert found.notes == ()


def test_messages_of_one_side_in_a_row_are_one(tmp_path: Path) -> None:
    said = [("user", "a"), ("user", "b"), ("assistant", "c"), ("assistant", "d")]
    messages = [{"role": role, "content": text} for role, text in said]
    assert pairs(imported(tmp_path, messages).conversations[0]) == [("a\n\nb", "c\n\nd")]


def test_a_later_system_prompt_is_that_of_the_turns_after_it(tmp_path: Path) -> None:
    said = [
        ("system", "A"),
        ("system", "B"),
        ("user", "1"),
        ("assistant", "x"),
        ("system", "C"),
        ("user", "2"),
    ]
    messages = [{"role": role, "content": text} for role, text in said]
    (conversation,) = imported(tmp_path, messages).conversations
    assert [turn.system for turn in conversation.turns] == ["A\n\nB", "C"]


def test_a_question_without_an_answer_is_a_stopped_turn(tmp_path: Path) -> None:
    (conversation,) = imported(tmp_path, [{"role": "user", "content": "One?"}]).conversations
    (turn,) = conversation.turns
    assert turn.outcome is not None
    assert (turn.outcome.status, turn.outcome.answer, turn.outcome.replies) == ("stopped", "", {})


def test_an_answer_is_one_call_of_the_model_that_gave_it(tmp_path: Path) -> None:
    messages = [{"role": "user", "content": "One?"}, {"role": "assistant", "content": "1"}]
    (conversation,) = imported(
        tmp_path, {"model": "gpt-4o\x1b[2J\ud800 ", "messages": messages}
    ).conversations
    (turn,) = conversation.turns
    assert turn.recipe.name == "imported"
    assert [agent.model for agents in turn.recipe.lineup for agent in agents] == ["imported/gpt-4o[2J"]
    assert turn.outcome is not None
    (reply,) = turn.outcome.replies.values()
    assert (reply.agent, reply.status, reply.text, reply.cost) == ("gpt-4o[2J", "done", "1", None)
    assert (reply.usage.completion_tokens, reply.usage.estimated) == (0, True)


def test_what_is_no_text_is_counted(tmp_path: Path) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:"}}
    found = imported(
        tmp_path,
        [
            {"role": "assistant", "content": "Welcome!"},
            {"role": "user", "content": [image, {"type": "text", "text": "What is this?"}, image]},
            {"role": "assistant", "content": None, "tool_calls": [{}, {}]},
            {"role": "tool", "content": "42"},
            {"role": "assistant", "content": "42"},
            {"role": "user", "content": [{"type": "input_audio"}]},
            {"role": "narrator", "content": "x"},
            {"role": "assistant", "content": "A sound."},
            {"role": "system", "content": "unused"},
            7,
        ],
    )
    assert pairs(found.conversations[0]) == [("What is this?", "42"), ("", "A sound.")]
    assert set(found.notes) == {
        "1 unasked answer left out",
        "2 images left out",
        "2 tool calls left out",
        "1 tool message left out",
        "1 non-text part left out",
        "2 unknown messages left out",
        "1 unused system message left out",
    }


def test_jsonl_is_read_line_by_line_and_a_broken_one_is_named(tmp_path: Path) -> None:
    line = json.dumps({"messages": [{"role": "user", "content": "a\u2028b"}]}, ensure_ascii=False)
    assert len(imported(tmp_path, f"{line}\n\n{line}\r\n").conversations) == 2
    with pytest.raises(FileError, match=r"file: line 3, column \d+: "):
        imported(tmp_path, f'{line}\n{line}\n{{"messages": [\n')


def test_an_empty_conversation_is_left_out_and_said(tmp_path: Path) -> None:
    one = {"messages": [{"role": "user", "content": "a"}]}
    found = imported(tmp_path, [one, {"messages": []}, {"other": 1}, 7])
    assert found.notes == (
        "1 empty conversation left out",
        "2 unknown records left out",
    )


# ---- ChatGPT


def node(
    key: str,
    parent: str | None,
    role: str = "",
    text: object = "",
    children: tuple[str, ...] = (),
    **more: Any,
) -> dict[str, Any]:
    content = {"content_type": "text", "parts": text if isinstance(text, list) else [text]}
    message = {"author": {"role": role}, "content": content, "metadata": {}, **more} if role else None
    return {"id": key, "parent": parent, "children": list(children), "message": message}


def chatgpt(*nodes: dict[str, Any], current: str = "", **more: Any) -> dict[str, Any]:
    mapping = {one["id"]: one for one in nodes}
    return {"title": "A chat", "create_time": NOON, "mapping": mapping, "current_node": current, **more}


def test_a_chatgpt_export_keeps_branches_models_and_times(tmp_path: Path) -> None:
    found = imported(
        tmp_path,
        [
            chatgpt(
                node("root", None, children=("sys",)),
                node("sys", "root", "system", "", ("u1",)),
                node("u1", "sys", "user", "One?", ("a1", "a2"), create_time=NOON + 5),
                node("a1", "u1", "assistant", "First answer."),
                node("a2", "u1", "assistant", "Made", ("a2b",), metadata={"model_slug": "gpt-4o"}),
                node("a2b", "a2", "assistant", "again.", ("u2", "u3")),
                node("u2", "a2b", "user", "Two?", ("a3",)),
                node("a3", "u2", "assistant", "Second."),
                node("u3", "a2b", "user", "Two, put better?", ("a4",)),
                node("a4", "u3", "assistant", "Better."),
                current="a3",
            )
        ],
    )
    (conversation,) = found.conversations
    again = ("One?", "Made\n\nagain.")
    assert tree(conversation) == {
        ("One?", "First answer."): None,
        again: None,
        ("Two?", "Second."): again,
        ("Two, put better?", "Better."): again,
    }
    assert pairs(conversation) == [again, ("Two?", "Second.")]
    assert conversation.title == "A chat"
    assert conversation.created == NOON
    assert [turn.created for turn in conversation.turns] == [NOON + 5, NOON + 5, NOON, NOON]
    models = [turn.recipe.lineup[0][0].model for turn in conversation.turns]
    assert models == ["imported/unknown", "imported/gpt-4o", "imported/unknown", "imported/unknown"]
    assert found.notes == ()
    parents = [turn.parent for turn in conversation.turns if turn.parent]
    assert parents[0] is parents[1]


def test_what_chatgpt_did_between_question_and_answer_is_counted(tmp_path: Path) -> None:
    image = {"content_type": "image_asset_pointer", "asset_pointer": "file-service://x"}
    thoughts = {"content": {"content_type": "thoughts", "thoughts": []}}
    code = {"content": {"content_type": "code", "text": "search()"}, "recipient": "browser"}
    found = imported(
        tmp_path,
        chatgpt(
            node("u", None, "user", [image, "What is it?"], ("t",)),
            node("t", "u", "assistant", "", ("c",), **thoughts),
            node("c", "t", "assistant", "", ("r",), **code),
            node("r", "c", "tool", "found", ("a",)),
            node("a", "r", "assistant", "A cat."),
            node("lost", "lost", "user", "in a circle"),
            current="t",
        ),
    )
    assert pairs(found.conversations[0]) == [("What is it?", "A cat.")]
    assert set(found.notes) == {
        "1 image left out",
        "1 reasoning message left out",
        "1 tool call left out",
        "1 tool message left out",
        "1 unconnected message left out",
    }


def test_a_tree_that_runs_into_itself_ends(tmp_path: Path) -> None:
    document = chatgpt(
        node("u", None, "user", "One?", ("a", "a", "u")),
        node("a", "u", "assistant", "1", ("u", "b")),
        node("b", "a", "user", "Two?", ("a",)),
    )
    (conversation,) = imported(tmp_path, document).conversations
    assert pairs(conversation) == [("One?", "1"), ("Two?", "")]


def test_a_title_is_one_line_that_can_be_shown(tmp_path: Path) -> None:
    document = chatgpt(node("u", None, "user", "Hi"), title="a\x1b[2J\n\u202eb \x00" + "c" * 500)
    (conversation,) = imported(tmp_path, document).conversations
    assert conversation.title == "a[2J b " + "c" * 193


def test_a_very_long_chat_is_read_without_recursion(tmp_path: Path) -> None:
    nodes = []
    for number in range(5000):
        role = "assistant" if number % 2 else "user"
        parent = str(number - 1) if number else None
        nodes.append(node(str(number), parent, role, str(number), (str(number + 1),)))
    (conversation,) = imported(tmp_path, chatgpt(*nodes, current="4999")).conversations
    assert len(pairs(conversation)) == 2500


# ---- files that cannot be read


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "line 1, column 1: Expecting value"),
        ('{\n "a": 1,\n}', "line 3"),
        ('{"a":\n1} x', "line 2, column 4: "),
        ("[" * 200_000, "nested too deeply"),
        ('{"a": NaN}', "holds NaN"),
        ('{"a": 1e999}', "holds 1e999"),
        ('{"a": ' + "9" * 5000 + "}", "holds 9999"),
        (b"\xff\xfe\x00", "not a text"),
        (b"\x80abc", "not a text in utf-8: byte 0"),
        ("[]", "no conversation in it; what can be read: moa-tui's JSON"),
        ('"text"', "no conversation"),
        ('{"format": "moa-tui conversation"}', "schema"),
    ],
    ids=itertools.count(),
)
def test_a_file_that_cannot_be_read_says_why_and_where(
    tmp_path: Path, content: str | bytes, why: str
) -> None:
    with pytest.raises(FileError, match=why) as raised:
        imported(tmp_path, content)
    assert str(raised.value).startswith(f"{tmp_path / 'file'}: ")


def test_no_file_a_folder_and_an_impossible_name_are_said(tmp_path: Path) -> None:
    for place in (tmp_path / "none", tmp_path, tmp_path / "a\0b"):
        with pytest.raises(FileError):
            read(place)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_that_nobody_writes_to_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileError, match="no file"):
        read(tmp_path / "pipe")


def test_a_file_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "LARGEST", 2**20)
    with pytest.raises(FileError, match="larger than 1 MB"):
        imported(tmp_path, " " * (2**20 + 1))


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
        (changed(recipe=nested(900)), "nested too deeply"),
    ],
    ids=itertools.count(),
)
def test_our_json_that_contradicts_itself_is_refused(tmp_path: Path, document: object, why: str) -> None:
    with pytest.raises(FileError, match=why):
        imported(tmp_path, document)


def test_what_our_json_nests_less_deeply_can_be_written_again(tmp_path: Path) -> None:
    found = imported(tmp_path, changed(recipe=nested(150)))
    assert '"a": {' in render(found.conversations, "json")


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


def survives(folder: Path, content: object) -> None:
    try:
        found = imported(folder, content if isinstance(content, bytes) else json.dumps(content))
    except FileError:
        return
    for one in found.conversations:
        for format in FORMATS:
            render([one], format).encode()


@given(_JSON)
@settings(some, max_examples=80)
def test_no_json_does_more_harm_than_an_error(tmp_path: Path, document: object) -> None:
    survives(tmp_path, document)
    survives(tmp_path, {"messages": document})
    survives(tmp_path, {"mapping": {"a": document, "b": {"parent": "a", "message": document}}})


@given(st.data())
@settings(some, max_examples=80)
def test_no_damage_to_a_good_file_does_more_harm_than_an_error(tmp_path: Path, data: st.DataObject) -> None:
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
    survives(tmp_path, damaged(document, data.draw))


@given(st.binary(max_size=200))
@settings(some, max_examples=100)
def test_no_bytes_do_more_harm_than_an_error(tmp_path: Path, content: bytes) -> None:
    survives(tmp_path, content)
