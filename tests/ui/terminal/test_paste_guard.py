"""Nothing in a paste becomes a key press, in a real terminal too."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from textual import events
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

from moa_tui.ui.terminal.paste_guard import GuardedDriver, PasteGuard, typed_ahead

if TYPE_CHECKING:
    from pathlib import Path

START, END = "\x1b[200~", "\x1b[201~"

APP = """
import json, pathlib, sys
from textual.app import App
from textual.widgets import TextArea
from moa_tui.ui.terminal.paste_guard import GuardedDriver

class Host(App):
    def compose(self):
        yield TextArea()

    def on_ready(self):
        print("ready", file=pathlib.Path(sys.argv[1]).open("w"))

    def key_f9(self):
        self.exit(self.query_one(TextArea).text)

pathlib.Path(sys.argv[2]).write_text(json.dumps(Host(driver_class=GuardedDriver).run()))
"""


@pytest.mark.parametrize(
    ("data", "keys", "pastes"),
    [
        ("abc\x1b[D", "abc\x1b[D", []),
        (f"a{START}text{END}b", f"a{START}{END}b", ["text"]),
        (f"{START}1{END}k{START}2{END}", f"{START}{END}k{START}{END}", ["1", "2"]),
        (f"{START}\x1b[31mred\r and on{END}", f"{START}{END}", ["\x1b[31mred\r and on"]),
        (f"{START}text{END}\revil{END}x", f"{START}{END}x", [f"text{END}\revil"]),
    ],
)
def test_pastes_are_cut_out_whole(data: str, keys: str, pastes: list[str]) -> None:
    guard = PasteGuard()
    assert guard.strip(data) == keys
    assert list(guard.pastes) == pastes


@pytest.mark.parametrize("cut", range(1, 20))
def test_a_paste_may_come_in_pieces_cut_anywhere(cut: int) -> None:
    data = f"ab{START}text{END}cd"
    guard = PasteGuard()
    assert guard.strip(data[:cut]) + guard.strip(data[cut:]) == f"ab{START}{END}cd"
    assert list(guard.pastes) == ["text"]


@pytest.mark.terminal
def test_a_hostile_paste_stays_one_text_in_a_terminal(tmp_path: Path) -> None:
    pasted = f"{START}one \x1b[31mred\rrm -rf and some more words behind{END}\r!{END}".encode()
    typed = b"ab"
    (tmp_path / "app.py").write_text(APP)
    ready, result = tmp_path / "ready", tmp_path / "result"
    terminal, theirs = pty.openpty()
    app = subprocess.Popen(
        [sys.executable, str(tmp_path / "app.py"), str(ready), str(result)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm-256color", "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    os.close(theirs)
    os.set_blocking(terminal, False)
    sent = False
    end = time.monotonic() + 30
    while app.poll() is None:
        assert time.monotonic() < end
        try:
            os.read(terminal, 65_536)
        except BlockingIOError:
            time.sleep(0.01)
        except OSError:  # The program has closed its side.
            break
        if ready.exists() and not sent:
            os.write(terminal, pasted + b"\xff" + typed + b"\x1b[20~")
            sent = True
    app.wait(30)
    os.close(terminal)
    assert json.loads(result.read_text()) == "one red\nrm -rf and some more words behind\n!\ufffdab"


async def test_an_app_that_wants_to_know_of_keys_is_told_before_it_is_handed_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard: list[str] = []
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # A driver takes signals that stop a program.

    class Watching(App[None]):
        def key_read(self) -> None:
            heard.append("read")

    monkeypatch.setattr(LinuxDriver, "process_message", lambda _, message: heard.append(message.key))
    for app in (Watching(), App[None]()):
        GuardedDriver(app).process_message(events.Key("a", "a"))
    assert heard == ["read", "a", "a"]


@pytest.mark.parametrize(
    ("read", "keys"),
    [
        (b"typed", b"typed"),
        (b"typed\n", b"typed\r"),
        (b"typed\n\x1b[?2026;2$y", b"typed\r\x1b[?2026;2$y"),
        (b"one\ntwo\n", b"one\ntwo\r"),
        (b"one\ntwo", b"one\ntwo"),
        (b"typed\r", b"typed\r"),
        (b"\n\n\n", b"\n\n\r"),
        (b"", b""),
    ],
)
def test_enter_that_came_as_a_line_feed_is_enter_where_it_is_the_last(read: bytes, keys: bytes) -> None:
    assert typed_ahead(read) == keys
