"""Conversations as JSON in its forms, and where files go: nothing lost, nothing overwritten."""

from __future__ import annotations

import json
import os
import re
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from moa_tui.conversation import Conversation
from moa_tui.errors import FileError, UsageError
from moa_tui.formats import export
from moa_tui.formats.export import FORMATS, file_name, render, write
from moa_tui.formats.json_reader import conversation_from
from tests.conversations import (
    NOON,
    a_conversation,
    a_turn,
    conversation_of,
    conversations,
    texts,
    with_branches,
)
from tests.formats.helpers import DEEP, HOSTILE, HUGE

if TYPE_CHECKING:
    from pathlib import Path


some = settings(max_examples=12, deadline=None)


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


# JSON


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


# Messages, JSONL and ShareGPT


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
    assert [json.loads(line)["moa"]["id"] for line in lines] == [conversation.id for conversation in several]
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


# Formats and places of files


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
