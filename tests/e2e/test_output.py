"""What is sent to a terminal: no more than changes it, and nothing while the chat is idle."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.e2e.terminal import Screen, Terminal, write_recipe
from tests.ui.terminal.grid import Grid

if TYPE_CHECKING:
    from pathlib import Path

SILENT_SECONDS = 1.5

# The program, which also writes down all that Textual writes, before anything of it is left out.
PROGRAM = """
import sys
from moa_tui.ui.terminal.thin_output import ThinOutput

log = open(sys.argv.pop(1), "a", encoding="utf-8", newline="")
thin = ThinOutput.thin

def logged(output, data):
    log.write(data)
    log.flush()
    return thin(output, data)

ThinOutput.thin = logged
from moa_tui.cli import main
main()
"""


def test_a_terminal_shows_what_textual_has_drawn_and_is_sent_a_part_of_it(
    tmp_path: Path, environ: dict[str, str], config: Path
) -> None:
    config.write_text("reduced_motion = true\n")
    recipe = write_recipe(
        tmp_path / "r.toml", ["demo/terse", "demo/thorough", "demo/thorough"], ["demo/terse"]
    )
    log = tmp_path / "drawn"
    command = [sys.executable, "-c", PROGRAM, str(log), "-r", recipe]
    with Terminal(command, environ, (120, 40)) as terminal:
        terminal.wait_for("Ask anything")
        terminal.send("What is a moa? 漢字 🦤\r")
        terminal.wait_for("4 of 4 calls", 60)
        for keys in ("\x1bOP", "\x1b", "\x1b[5~", "\x1b[6~", "abc", "\x7f\x7f"):
            terminal.send(keys)
            terminal.wait_for_quiet()
        sent, drawn = terminal.written, log.read_text(encoding="utf-8")
        shown, wanted = Grid("漢字🦤"), Grid("漢字🦤")
        shown.feed(sent)
        wanted.feed(drawn)
        assert len(wanted.cells) >= 120 * 40
        assert shown.cells == wanted.cells
        assert len(sent) < len(drawn) / 2
        assert terminal.end() == 0


def test_a_window_that_has_been_another_size_meanwhile_is_drawn_whole(
    program: str, environ: dict[str, str], tmp_path: Path
) -> None:
    with Terminal([program, "-r", "demo"], environ, folder=tmp_path) as terminal:
        terminal.wait_for("f1 help")
        terminal.wait_for_quiet()
        terminal.screen = Screen(80, 24)  # The terminal has kept nothing.
        os.kill(terminal.process.pid, signal.SIGWINCH)
        terminal.wait_for(lambda text: "Ask anything" in text and "f1 help" in text)
        assert terminal.end() == 0


@pytest.mark.parametrize(("keys", "shown"), [("", "not sent yet"), ("\x1bOP", "Type to find keys")])
def test_an_idle_chat_sends_nothing(
    program: str, environ: dict[str, str], config: Path, tmp_path: Path, keys: str, shown: str
) -> None:
    config.write_text("reduced_motion = true\n")  # Else the cursor blinks.
    with Terminal([program, "-r", "demo"], environ, folder=tmp_path) as terminal:
        terminal.wait_for("Ask anything")
        terminal.send("words that are not sent yet" + keys)
        terminal.wait_for(shown)
        length, since = 0, time.monotonic()

        def is_silent(_: str) -> bool:
            nonlocal length, since
            if len(terminal.written) != length:
                length, since = len(terminal.written), time.monotonic()
            return time.monotonic() - since > SILENT_SECONDS

        terminal.wait_for(is_silent, 30)
        assert terminal.end() == 0
