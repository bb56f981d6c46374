"""Drafts on disk: whose they are, what is left of them, and what is no draft."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from moa_tui.errors import StoreError
from moa_tui.store import drafts as drafts_module
from moa_tui.store.drafts import Draft, Drafts, SentPrompt

if TYPE_CHECKING:
    from collections.abc import Callable

SENT = (SentPrompt("sent", ("t1", "t2"), "c1"),)
DRAFT = Draft("c1", ("first", "second\nline \ud800 \x1b[31m"), SENT, "t0")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "drafts"


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_draft_is_offered_once_to_the_next_window(folder: Path) -> None:
    window = Drafts(folder)
    window.write(DRAFT, 1)
    window.close()
    second, third = Drafts(folder), Drafts(folder)
    assert second.left_behind() == ([DRAFT], [])
    assert third.left_behind() == ([], []), "the second window has it"
    second.discard()
    second.close()
    assert third.left_behind() == ([], [])
    assert files(folder) == []


def test_a_draft_that_was_not_taken_over_is_offered_again(folder: Path) -> None:
    window = Drafts(folder)
    window.write(DRAFT, 1)
    window.close()
    second = Drafts(folder)
    second.left_behind()
    second.close()
    assert Drafts(folder).left_behind() == ([DRAFT], [])


def test_the_draft_of_a_window_that_is_open_is_nobody_elses(folder: Path) -> None:
    window = Drafts(folder)
    window.write(DRAFT, 1)
    assert Drafts(folder).left_behind() == ([], [])
    assert window.left_behind() == ([], [])


def test_the_newest_draft_stays_whichever_is_written_last(folder: Path) -> None:
    window = Drafts(folder)
    window.write(Draft("c", ("new",)), 2)
    window.write(Draft("c", ("old",)), 1)
    window.close()
    assert Drafts(folder).left_behind()[0] == [Draft("c", ("new",))]


def test_an_empty_draft_leaves_no_file(folder: Path) -> None:
    window = Drafts(folder)
    window.write(Draft("c"), 1)
    assert not folder.exists()
    window.write(DRAFT, 2)
    window.write(Draft("c", (" \n",)), 3)
    window.close()
    assert files(folder) == []


@pytest.mark.skipif(sys.platform == "win32", reason="modes mean nothing there")
def test_nobody_else_can_read_a_draft(folder: Path) -> None:
    old = os.umask(0)
    try:
        Drafts(folder).write(DRAFT, 1)
    finally:
        os.umask(old)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_a_draft_that_cannot_be_written_is_told_and_the_last_one_stays(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    window = Drafts(folder)
    window.write(DRAFT, 1)
    monkeypatch.setattr(drafts_module.paths, "write_private", full)
    with pytest.raises(StoreError, match="No space left on device; it is in memory only"):
        window.write(Draft("c", ("more",)), 2)
    window.close()
    assert Drafts(folder).left_behind()[0] == [DRAFT]


@pytest.mark.parametrize("text", ["x" * 17_000_000, "\u4e00" * 6_000_000])
def test_a_text_too_long_for_a_draft_is_told(folder: Path, text: str) -> None:
    with pytest.raises(StoreError, match="too long to be kept"):
        Drafts(folder).write(Draft("c", (text,)), 1)


def written(text: str | bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(text if isinstance(text, bytes) else text.encode())


def huge(path: Path) -> None:
    path.touch()
    os.truncate(path, drafts_module.MOST_BYTES + 1)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(written(""), id="empty"),
        pytest.param(written(json.dumps({"conversation": "c", "prompts": ["x"]})[:-4]), id="cut off"),
        pytest.param(written(b"\xff\xfe\x00"), id="not UTF-8"),
        pytest.param(written("[" * 200_000), id="deep"),
        pytest.param(written("9" * 10_000), id="long number"),
        pytest.param(written("[]"), id="a list"),
        pytest.param(written('{"conversation": "c", "prompts": "text"}'), id="prompts no list"),
        pytest.param(written('{"conversation": "c", "prompts": [1]}'), id="prompt no text"),
        pytest.param(written('{"conversation": 1, "prompts": []}'), id="conversation no text"),
        pytest.param(written('{"conversation": "c", "prompts": [], "sent": 7}'), id="sent no list"),
        pytest.param(written('{"conversation": "c", "prompts": [], "sent": [7]}'), id="sent no prompt"),
        pytest.param(written('{"conversation": "\\ud800", "prompts": []}'), id="id no Unicode"),
        pytest.param(written('{"conversation": "' + "c" * 1_000_000 + '", "prompts": []}'), id="id huge"),
        pytest.param(
            written('{"conversation": "c", "prompts": [], "sent": [{"text": "", "turns": ["\\udfff"]}]}'),
            id="turn id no Unicode",
        ),
        pytest.param(huge, id="huge"),
        pytest.param(Path.mkdir, id="a directory"),
        pytest.param(lambda path: os.mkfifo(path), id="a pipe"),
        pytest.param(lambda path: path.symlink_to("/etc/passwd"), id="a link"),
        pytest.param(lambda path: path.symlink_to("/dev/zero"), id="a link to a device"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="no pipes, and links need rights")
def test_what_is_no_draft_is_told_once_and_moved_aside(make: Callable[[Path], object], folder: Path) -> None:
    window = Drafts(folder)
    window.write(DRAFT, 1)
    window.close()
    path = folder / "bad.json"
    make(path)
    second = Drafts(folder)
    drafts, notes = second.left_behind()
    assert drafts == [DRAFT], "the others are read"
    assert len(notes) == 1
    assert str(path) in notes[0]
    assert "bad.json.unreadable" in notes[0]
    second.discard()
    second.close()
    assert Drafts(folder).left_behind() == ([], [])
    assert files(folder) == ["bad.json.unreadable"]
