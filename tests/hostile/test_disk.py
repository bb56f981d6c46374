"""Disks that are full, read-only or taken away in the middle, and files that are cut off."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from moa_tui.errors import FileError, UsageError
from moa_tui.formats import export
from moa_tui.settings import paths
from tests.conversations import conversation_of
from tests.hostile.test_unwritable import largest_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WAIT_SECONDS = 30.0


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Wait until `condition` holds; fail with `what` where it does not within half a minute."""
    end = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < end, f"never: {what}"
        threading.Event().wait(0.002)


# Named files


# It never comes to an end of its own: the last thing before the file gets its name waits for ever.
_LARGE_EXPORT = """
import os, sys, threading
from pathlib import Path
from moa_tui.formats import export
from tests.conversations import conversation_of
from tests.hostile.test_unwritable import largest_file
os.fsync = lambda _: threading.Event().wait()
large = conversation_of(("question", "word " * 8_000_000))
target = Path(sys.argv[1])
export.write([large], "markdown", target, target.parent, replace=sys.argv[2] == "replace")
"""


@pytest.mark.program
@pytest.mark.parametrize("how", ["new", "replace"])
def test_an_export_that_is_killed_leaves_nothing_under_its_name(tmp_path: Path, how: str) -> None:
    target = tmp_path / "talk.md"
    if how == "replace":
        target.write_text("as it was")
    command = [sys.executable, "-c", _LARGE_EXPORT, str(target), how]
    with subprocess.Popen(command) as child:
        wait_until(
            lambda: any(file.stat().st_size > 1_000_000 for file in tmp_path.iterdir() if file != target),
            "some of the export is written",
        )
        os.kill(child.pid, signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    assert target.exists() == (how == "replace")
    if how == "replace":
        assert target.read_text() == "as it was"
    assert list(tmp_path.glob("*.md")) == [target][: how == "replace"], "nobody takes what is left for one"
    # The next export is not kept from its work by what is left, which goes with it.
    (left,) = tmp_path.glob(".moa-tui-draft-*")
    os.truncate(left, 10)
    conversation = conversation_of(("question", "answer"))
    export.write([conversation], "markdown", target, tmp_path, replace=True)
    assert not left.exists()
    assert set(tmp_path.iterdir()) == {target}


@pytest.mark.parametrize("replace", [False, True])
def test_a_disk_that_is_full_in_the_middle_leaves_nothing_and_is_said(tmp_path: Path, replace: bool) -> None:
    target = tmp_path / "talk.md"
    if replace:
        target.write_text("as it was")
    conversation = conversation_of(("question", "word " * 100_000))
    with largest_file(100_000), pytest.raises(FileError, match=r"larger than the limit allows.*ulimit -f"):
        export.write([conversation], "markdown", target, tmp_path, replace=replace)
    assert [file.read_text() for file in tmp_path.iterdir()] == ["as it was"] * replace


def test_what_is_there_is_not_written_over_by_two_at_once(tmp_path: Path) -> None:
    target = tmp_path / "talk.md"
    barrier = threading.Barrier(8)
    outcomes: list[str] = []

    def write(number: int) -> None:
        conversation = conversation_of(("question", f"answer {number}"))
        barrier.wait()
        try:
            export.write([conversation], "markdown", target, tmp_path)
        except UsageError:
            outcomes.append("refused")
        else:
            outcomes.append(f"answer {number}")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (written,) = [outcome for outcome in outcomes if outcome != "refused"]
    assert written in target.read_text()
    assert list(tmp_path.iterdir()) == [target]


def test_a_disk_without_hard_links_takes_exports_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    target = tmp_path / "talk.md"
    conversation = conversation_of(("question", "answer"))
    export.write([conversation], "markdown", target, tmp_path)
    assert "answer" in target.read_text()
    with pytest.raises(UsageError, match="is there already"):
        export.write([conversation], "markdown", target, tmp_path)
    assert list(tmp_path.iterdir()) == [target]


def test_a_link_is_followed_where_its_file_may_be_replaced(tmp_path: Path) -> None:
    notes = tmp_path / "notes" / "talk.md"
    notes.parent.mkdir()
    notes.write_text("old")
    link = tmp_path / "talk.md"
    link.symlink_to(notes)
    export.write([conversation_of(("question", "answer"))], "markdown", link, tmp_path, replace=True)
    assert link.is_symlink()
    assert "answer" in notes.read_text()
    loop = tmp_path / "loop.md"
    loop.symlink_to(loop)
    with contextlib.suppress(FileError):
        export.write([conversation_of(("question", "answer"))], "markdown", loop, tmp_path, replace=True)


def test_a_pipe_or_device_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.md"
    os.mkfifo(pipe)
    for target in (pipe, paths.Path(os.devnull)):
        with pytest.raises(FileError, match="it is not a file"):
            export.write(
                [conversation_of(("question", "answer"))], "markdown", target, tmp_path, replace=True
            )
    assert pipe.is_fifo()
    assert not paths.Path(os.devnull).is_file()


def test_a_name_may_be_as_long_as_a_name_can_be_and_a_longer_one_is_said(tmp_path: Path) -> None:
    conversation = conversation_of(("question", "answer"))
    longest = tmp_path / ("n" * 252 + ".md")
    assert export.write([conversation], "markdown", longest, tmp_path) == longest
    with pytest.raises(FileError, match="the name is too long"):
        export.write([conversation], "markdown", tmp_path / ("n" * 253 + ".md"), tmp_path)
    assert list(tmp_path.iterdir()) == [longest]
