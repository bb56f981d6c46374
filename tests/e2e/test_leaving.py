"""Leaving the program while a worker thread hangs on a file that never ends or a disk that is gone."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.e2e.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECONDS = 4.0
# The program, where reading an attached file and a recipe called "hang" never end.
HANGING = """
import os, pathlib, threading
from moa_tui.cli import main
from moa_tui.recipes.catalog import RecipeCatalog
from moa_tui.ui.prompt import prompt_box
def hang(*_):
    pathlib.Path(os.environ["HOME"], "hangs").touch()
    threading.Event().wait()
load = RecipeCatalog.load
RecipeCatalog.load = lambda self, name: hang() if name == "hang" else load(self, name)
prompt_box.attachment = hang
main()
"""
PROMPTS = {"a worker": "what is in @that file?", "a handler": "/recipe hang"}


def quit_key(terminal: Terminal) -> int:
    terminal.send("\x11")
    return 0


def sigterm(terminal: Terminal) -> int:
    os.kill(terminal.process.pid, signal.SIGTERM)
    return 128 + signal.SIGTERM


@pytest.mark.parametrize("leave", [quit_key, sigterm])
@pytest.mark.parametrize("hangs", PROMPTS)
def test_the_program_is_left_at_once_while_a_thread_hangs(
    hangs: str, leave: Callable[[Terminal], int], environ: dict[str, str], config: Path, tmp_path: Path
) -> None:
    environ["MOA_TUI_DATA_DIR"] = str(tmp_path / "kept")
    with Terminal([sys.executable, "-c", HANGING, "-r", "demo"], environ, (100, 30)) as terminal:
        terminal.wait_for("Ask anything")
        terminal.send(PROMPTS[hangs])
        terminal.wait_for(PROMPTS[hangs])
        terminal.send("\r")
        terminal.wait_for(lambda _: (tmp_path / "hangs").exists())
        begin = time.monotonic()
        code = leave(terminal)
        assert terminal.process.wait(timeout=20) == code
        assert time.monotonic() - begin < SECONDS
        assert terminal.restored
    if hangs == "a worker":
        drafts = list((tmp_path / "kept" / "drafts").iterdir())
        assert any("@that" in path.read_text() for path in drafts if path.is_file())
