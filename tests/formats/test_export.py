"""Conversations as Markdown and JSON files: nothing lost, nothing forged, nothing overwritten."""

from __future__ import annotations

import itertools
import json
import os
import re
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import yaml  # type: ignore[import-untyped]
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from moa_tui.conversation import Conversation
from moa_tui.errors import FileError, UsageError
from moa_tui.formats import export
from moa_tui.formats.export import FORMATS, file_name, render, write
from moa_tui.formats.export.markdown import contained
from moa_tui.formats.json_reader import conversation_from
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
    from collections.abc import Iterator
    from pathlib import Path

    from markdown_it.token import Token

some = settings(max_examples=12, deadline=None)
HUGE = conversation_of(("long?", "Words and 漢字.\n" * 75_000), created=NOON)
DEEP = a_conversation(turns=1, agents=12, layers=12)
HOSTILE = conversation_of(*((text, text) for text in HOSTILE_TEXTS), title="\x00\ud800 --- \n# x: [y]")


def as_file(text: str) -> str:
    """What is left of a text in a format that cannot escape half a surrogate pair."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


@pytest.mark.parametrize("format", FORMATS)
@given(conversations())
@example(HUGE)
@example(DEEP)
@example(HOSTILE)
@settings(max_examples=4, deadline=None)
def test_every_conversation_can_be_written_as_utf_8(format: str, conversation: Conversation) -> None:
    text = render([conversation], format)
    assert text.encode("utf-8")
    assert text.endswith("\n")


# ---- JSON


@given(conversations())
@example(HUGE)
@example(DEEP)
@example(HOSTILE)
@example(with_branches())
@some
def test_json_read_back_and_written_again_is_the_same_bytes(conversation: Conversation) -> None:
    once = render([conversation], "json").encode()
    assert render([conversation_from(json.loads(once))], "json").encode() == once


def test_json_keeps_lone_surrogates_and_any_control_character() -> None:
    prompt = "\ud800 \udc00\ud800 \x00\r\n\x1b \u2028"
    document = json.loads(render([conversation_of((prompt, "yes"))], "json"))
    assert document["turns"][0]["prompt"] == prompt


def test_json_is_for_people_too() -> None:
    text = render([conversation_of(("漢字 😀?", "ja"))], "json")
    assert '\n      "prompt": "漢字 😀?"' in text


# ---- messages, JSONL, ShareGPT


def test_messages_hold_the_active_branchs_prompts_and_final_answers_alone() -> None:
    document = json.loads(render([with_branches()], "messages"))
    assert document["messages"] == [
        {"role": "user", "content": "First question?"},
        {"role": "assistant", "content": "First answer."},
        {"role": "user", "content": "Second question, put better?"},
        {"role": "assistant", "content": "Yet another answer."},
        {"role": "user", "content": "Third question of the other branch?"},
        {"role": "assistant", "content": "The last answer."},
    ]


def test_under_moa_is_everything_that_messages_cannot_say() -> None:
    moa = json.loads(render([with_branches()], "messages"))["moa"]
    assert moa["title"] == "Branches"
    assert moa["created"] == NOON
    assert [turn["active"] for turn in moa["turns"]] == [True, True, True, False, False, False]
    turn = moa["turns"][3]
    assert (turn["prompt"], turn["answer"], turn["status"]) == ("Second question?", "Second answer.", "done")
    assert turn["recipe"] == "test"
    assert turn["cost"] == pytest.approx(0.006)
    assert turn["seconds"] == 5.5
    assert [(call["layer"], call["index"], call["agent"]) for call in turn["calls"]] == [
        (1, 1, "agent-1"),
        (1, 2, "agent-2"),
        (2, 1, "judge"),
    ]
    assert turn["calls"][0]["text"] == "Answer 1.1 to Second question?"


def test_the_system_prompt_comes_first_and_an_unanswered_prompt_is_left_to_moa() -> None:
    answered = a_turn("First?", "First.", system="Be short.")
    unanswered = replace(a_turn("Second?", parent=answered, system="Be short."), outcome=None)
    conversation = Conversation((answered, unanswered), unanswered)
    document = json.loads(render([conversation], "messages"))
    assert [message["role"] for message in document["messages"]] == ["system", "user", "assistant"]
    assert document["messages"][0]["content"] == "Be short."
    assert document["moa"]["turns"][1]["prompt"] == "Second?"
    assert document["moa"]["turns"][1]["status"] is None


def test_a_turn_that_was_finished_after_its_child_was_made_is_told_as_it_is_now() -> None:
    finished = a_turn("First?", "First.")
    child = a_turn("Second?", "Second.", parent=replace(finished, outcome=None))
    document = json.loads(render([Conversation((finished, child), child)], "messages"))
    assert [message["content"] for message in document["messages"]] == [
        "First?",
        "First.",
        "Second?",
        "Second.",
    ]


@given(st.lists(conversations(max_turns=2), min_size=1, max_size=3))
@some
def test_jsonl_is_one_line_a_conversation_for_every_reader(several: list[Conversation]) -> None:
    lines = render(several, "jsonl").splitlines()
    assert [json.loads(line)["moa"]["id"] for line in lines] == [one.id for one in several]
    assert json.loads(lines[0]) == json.loads(render([several[0]], "messages"))


def test_sharegpt_names_the_speakers_its_own_way() -> None:
    turn = a_turn("What?", "That.", system="Be short.")
    assert json.loads(render([Conversation((turn,), turn, id="abc")], "sharegpt")) == [
        {
            "id": "abc",
            "conversations": [
                {"from": "system", "value": "Be short."},
                {"from": "human", "value": "What?"},
                {"from": "gpt", "value": "That."},
            ],
        }
    ]


# ---- Markdown


def front_matter(text: str) -> dict[str, object]:
    begin, matter, _ = text.split("---\n", 2)
    assert begin == ""
    found = yaml.safe_load(matter)
    assert isinstance(found, dict)
    return found


def parsed(text: str) -> list[Token]:
    """The body of a Markdown file, as a reader with tables and HTML takes it."""
    body = text.split("---\n", 2)[2]
    return MarkdownIt("commonmark").enable("table").parse(body)


def headings(tokens: list[Token]) -> Iterator[tuple[str, str]]:
    for token, following in itertools.pairwise(tokens):
        if token.type == "heading_open" and token.level == 0:
            yield token.tag, following.content


def has_html(tokens: list[Token]) -> Iterator[str]:
    for token in tokens:
        if token.type == "html_block":
            yield from (line for line in token.content.splitlines() if line)
        yield from (child.content for child in token.children or () if child.type == "html_inline")


@given(conversations())
@example(DEEP)
@example(HOSTILE)
@example(HUGE)
@some
def test_no_text_can_forge_a_turn_or_open_or_close_a_section(conversation: Conversation) -> None:
    tokens = parsed(render([conversation], "markdown"))
    turns = [text for tag, text in headings(tokens) if tag == "h2"]
    assert [re.split("[ ,]", turn)[1] for turn in turns] == [
        str(number) for number in range(1, len(conversation.turns) + 1)
    ]
    own = {"System prompt", "Prompt", "Answer", "Numbers", "Calls"}
    assert {text for tag, text in headings(tokens) if tag == "h3"} <= own
    assert len([1 for tag, _ in headings(tokens) if tag == "h1"]) <= 2
    replies = [
        reply for turn in conversation.turns if turn.outcome for reply in turn.outcome.replies.values()
    ]
    sections = len(replies) + sum(bool(reply.reasoning) for reply in replies)
    html = list(has_html(tokens))
    assert html.count("<details>") == html.count("</details>") == sections
    assert len([line for line in html if line.startswith("<summary>")]) == sections
    assert len(html) == 3 * sections
    assert all(re.fullmatch(r"</?details>|<summary>[^<>]*</summary>", line) for line in html)


@given(conversations())
@example(HOSTILE)
@some
def test_the_front_matter_is_yaml_whatever_the_texts(conversation: Conversation) -> None:
    found = front_matter(render([conversation], "markdown"))
    assert found["id"] == conversation.id
    assert found["turns"] == len(conversation.turns)
    assert isinstance(found["title"], str)
    assert isinstance(found["cost_usd"], float)
    assert found["recipes"] == list(dict.fromkeys(turn.recipe.name for turn in conversation.turns))


def test_the_front_matter_tells_title_date_recipes_tags_and_price() -> None:
    conversation = replace(a_conversation(2), title='A "title": # 漢字 😀', tags=("a, b", "c]"), id="abc")
    assert front_matter(render([conversation], "markdown")) == {
        "title": 'A "title": # 漢字 😀',
        "id": "abc",
        "created": "2025-06-15 15:06:40 UTC",
        "recipes": ["test"],
        "turns": 2,
        "cost_usd": 0.012,
        "tags": ["a, b", "c]"],
        "generator": "moa-tui",
    }


def test_characters_that_yaml_forbids_are_escaped() -> None:
    title = "\ufeff a \ufffe b \uffff"
    text = render([replace(a_conversation(1), title=title)], "markdown")
    assert front_matter(text)["title"] == title


@given(conversations())
@example(HUGE)
@example(HOSTILE)
@some
def test_every_word_of_every_text_is_in_the_markdown(conversation: Conversation) -> None:
    written = set(re.findall(r"\w+", render([conversation], "markdown")))
    for turn in conversation.turns:
        replies = turn.outcome.replies.values() if turn.outcome else ()
        for text in [turn.prompt, *(part for reply in replies for part in (reply.text, reply.reasoning))]:
            assert set(re.findall(r"\w+", as_file(text))) <= written


def test_an_answer_stays_markdown_with_its_headings_below_the_files_own() -> None:
    parsers = [MarkdownIt("commonmark").enable("table")]
    answer = "# One\n\ntext *b*\n\n## Two ##\n\nunder\n---\n\n```py\n# no heading, a <tag>\n\tx\n```"
    assert contained(answer, parsers) == (
        "#### One\n\ntext *b*\n\n##### Two ##\n\nunder\n\n---\n\n```py\n# no heading, a <tag>\n\tx\n```"
    )


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("a <b>c</b> `<i>` \\<u>", "a \\<b>c\\</b> `<i>` \\<u>"),
        ("1 < 2 and `<br>`", "1 < 2 and `<br>`"),
        ("<!-- open", "\\<!-- open"),
        ("~~~\nopen", "```text\n~~~\nopen\n```"),
        ("````\nopen", "`````text\n````\nopen\n`````"),
        (" \n", "*no text*"),
    ],
)
def test_html_is_escaped_and_an_open_fence_becomes_a_code_block(text: str, inside: str) -> None:
    assert contained(text, [MarkdownIt("commonmark")]) == inside


@given(texts(200))
@settings(max_examples=200, deadline=None)
def test_no_text_reaches_what_follows_it(text: str) -> None:
    parsers = [MarkdownIt("commonmark"), MarkdownIt("commonmark").enable("table")]
    for parser in parsers:
        tokens = parser.parse(f"{contained(text, parsers)}\n\n</details>\n\n## Mine\n")
        assert list(has_html(tokens)) == ["</details>"]
        assert [found for found in headings(tokens) if found[0] < "h4"] == [("h2", "Mine")]


def test_other_branches_are_told_after_the_active_one_with_their_place() -> None:
    text = render([with_branches()], "markdown")
    assert [text for tag, text in headings(parsed(text)) if tag in ("h1", "h2")] == [
        "Branches",
        "Turn 1",
        "Turn 2",
        "Turn 3",
        "Other branches",
        "Turn 4, in place of turn 2",
        "Turn 5, after turn 4",
        "Turn 6, in place of turn 2",
    ]


# ---- which formats, and where to


def test_an_unknown_format_is_refused_with_those_there_are() -> None:
    with pytest.raises(
        UsageError, match='no format "pdf"; known: markdown, html, json, messages, jsonl, sharegpt'
    ):
        render([a_conversation()], "pdf")


@pytest.mark.parametrize("format", ["markdown", "html", "json", "messages"])
def test_a_format_for_one_conversation_refuses_several_and_names_those_that_take_them(format: str) -> None:
    with pytest.raises(UsageError, match="not 2; these hold more: jsonl, sharegpt"):
        render([a_conversation(), a_conversation()], format)


@pytest.mark.parametrize("format", FORMATS)
def test_there_is_no_file_of_no_conversation(format: str) -> None:
    with pytest.raises(UsageError, match="no conversation"):
        render([], format)


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_goes_to_the_folder_and_is_its_owners_alone(tmp_path: Path, format: str) -> None:
    conversation = a_conversation(1)
    written = write([conversation], format, None, tmp_path / "new" / "folder")
    assert written.is_absolute()
    assert written.parent == tmp_path / "new" / "folder"
    assert written.read_bytes() == render([conversation], format).encode()
    if os.name == "posix":
        assert stat.S_IMODE(written.stat().st_mode) == 0o600


def test_a_relative_path_is_told_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert write([a_conversation()], "json", type(tmp_path)("mine.txt"), tmp_path) == tmp_path / "mine.txt"


def test_a_path_that_is_a_folder_gets_a_named_file(tmp_path: Path) -> None:
    conversation = a_conversation()
    written = write([conversation], "json", tmp_path, tmp_path / "other")
    assert written == tmp_path / file_name([conversation], "json")


def test_a_file_that_is_there_is_not_touched_until_it_may_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "there.md"
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match=re.escape(str(path))):
        write([a_conversation()], "markdown", path, tmp_path)
    assert path.read_text(encoding="utf-8") == "mine"
    write([a_conversation()], "markdown", path, tmp_path, replace=True)
    assert path.read_text(encoding="utf-8").startswith("---\n")


@pytest.mark.skipif(os.name != "posix", reason="symbolic links need rights elsewhere")
def test_a_link_is_a_file_that_is_there_even_where_it_leads_nowhere(tmp_path: Path) -> None:
    link = tmp_path / "link.md"
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="is there already"):
        write([a_conversation()], "markdown", link, tmp_path)
    assert not (tmp_path / "nowhere").exists()


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(FileError, match="cannot be written"):
        write([a_conversation()], "json", tmp_path / "file" / "below.json", tmp_path)


@pytest.mark.parametrize("name", ["nul\0byte.md", "\ud800.md"])
def test_what_cannot_be_a_files_name_is_said(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a file's name"):
        write([a_conversation()], "json", tmp_path / name, tmp_path)


def test_half_a_file_does_not_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "render", lambda *_: "\ud800")
    with pytest.raises(UsageError):
        write([a_conversation()], "json", tmp_path / "a.json", tmp_path)
    assert list(tmp_path.iterdir()) == []


@given(texts(300), texts(40), st.floats(allow_nan=False))
@example("CON", "aux", 1e300)
@example("漢" * 200, "é" * 50, NOON)
@example("../../etc/passwd", "..", NOON)
@example("com1.txt", "a", -1e12)
@settings(max_examples=100, deadline=None)
def test_a_made_name_is_one_that_every_system_takes(title: str, id: str, created: float) -> None:
    name = file_name([replace(a_conversation(0), title=title, id=id, created=created)], "messages")
    assert len(name.encode()) <= 160
    assert name.isprintable()
    assert not re.search(r'[<>:"/\\|?*\s]', name)
    stem, rest = name.split(".", 1)
    assert rest == "messages.json"
    assert not re.fullmatch("con|prn|aux|nul|com.|lpt.", stem, re.IGNORECASE)
    assert stem[0] not in "-. "
    assert stem[-1] not in "-. "


def test_a_made_name_tells_title_date_and_id() -> None:
    conversation = replace(a_conversation(), title="Café & 漢字: a test!", id="1bee2c3a5da7")
    assert file_name([conversation], "markdown") == "Café-漢字-a-test-2025-06-15-1bee2c3a5da7.md"
    assert file_name([conversation] * 3, "jsonl") == "3-conversations-2025-06-15-1bee2c3a5da7.jsonl"
