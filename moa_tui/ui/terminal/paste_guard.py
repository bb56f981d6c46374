"""Reads the keyboard so that nothing in a paste can become a key press.

Textual's parser searches for key sequences inside a paste too: an ESC there turns up to 32 characters behind
it into keys, Enter among them, so that a pasted text can send itself. The parser also reads a paste letter by
letter, which stops the screen for seconds where the paste is long, and a byte that is not UTF-8 ends the
program. So this module takes pastes out of the input before the parser reads it.
"""

from __future__ import annotations

import os
import select
import sys
from codecs import getincrementaldecoder
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from textual import events
from textual.drivers.linux_driver import LinuxDriver

from moa_tui.chat.attachments import is_binary
from moa_tui.settings.fault_log import record_bug
from moa_tui.text.safe import without_escapes
from moa_tui.ui.terminal.replies import ReplyFilter
from moa_tui.ui.terminal.textual_private import XTermParser, draw_after_any_stop, replace_output
from moa_tui.ui.terminal.thin_output import ThinOutput

if TYPE_CHECKING:
    from typing import TextIO

    from textual.app import App
    from textual.message import Message

BRACKETED_PASTE_START = "\x1b[200~"
BRACKETED_PASTE_END = "\x1b[201~"
_HUNG_UP = 129  # the exit code by which a shell reports that SIGHUP has ended a program
_READ_BYTES = 65_536
_TICK_SECONDS = 0.1
_ESCAPE = "\x1b"


class PasteGuard:
    """Cuts the text of each paste out of the input, and keeps it in `pastes`. The marks around it stay."""

    def __init__(self) -> None:
        self.pastes: deque[str] = deque()
        self._paste: list[str] | None = None
        self._tail = ""

    def strip(self, data: str) -> str:
        """`data` without the texts of pastes; a paste may begin and end in different pieces of data."""
        rest: list[str] = []
        while data:
            joined = self._tail + data
            if self._paste is None:
                start = joined.find(BRACKETED_PASTE_START)
                if start < 0:
                    rest.append(data)
                    self._tail = joined[1 - len(BRACKETED_PASTE_START) :]
                    break
                cut = start + len(BRACKETED_PASTE_START) - len(self._tail)
                rest.append(data[:cut])
                data, self._tail, self._paste = data[cut:], "", []
            else:
                # A pasted text may hold the closing mark, so the last one before the next paste counts.
                following = joined.find(BRACKETED_PASTE_START)
                end = joined.rfind(BRACKETED_PASTE_END, 0, following if following >= 0 else None)
                if end < 0:
                    end = joined.find(BRACKETED_PASTE_END)
                if end < 0:
                    self._paste.append(joined[: 1 - len(BRACKETED_PASTE_END)])
                    self._tail = joined[1 - len(BRACKETED_PASTE_END) :]
                    break
                self.pastes.append("".join([*self._paste, joined[:end]]))
                rest.append(BRACKETED_PASTE_END)
                data, self._tail, self._paste = joined[end + len(BRACKETED_PASTE_END) :], "", None
        return "".join(rest)


class _LosableOutput:
    """An output to a terminal, which drops what is written once the terminal is gone.

    With an error instead, Textual's writer thread would end, and whoever writes to it would wait for ever.
    """

    def __init__(self, own: TextIO | None) -> None:
        """`own` is the output that Textual would use, which is standard error.

        Where that is no terminal, as with `2>/dev/null`, the screen would stay blank: standard output is one.
        """
        self._file: TextIO = own if own is not None and own.isatty() else sys.__stdout__ or sys.stdout

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._file.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._file.flush()

    def fileno(self) -> int:
        return self._file.fileno()

    def isatty(self) -> bool:
        return self._file.isatty()


@runtime_checkable
class KeyWatcher(Protocol):
    """An app that wants to know of a key before its turn comes among all that the app has to do."""

    def key_read(self) -> None:
        """Called on the input's thread, before the app is handed the key."""


def typed_ahead(data: bytes) -> bytes:
    """What was typed before the terminal was this program's, with Enter for the line feed that ends it.

    Until then the terminal turns Enter into a line feed. One that more text follows stays one, a new line:
    nobody can tell a line that was typed from one of a text that was pasted, which must not send itself.
    """
    text, line_feed, rest = data.rpartition(b"\n")
    is_last = not rest or rest.startswith(_ESCAPE.encode())  # What follows is an answer of the terminal.
    return text + b"\r" + rest if line_feed and is_last else data


class GuardedDriver(LinuxDriver):
    """Textual's driver, with pastes that are cleaned and whole, and without waiting for a lost terminal.

    It sends only what changes the terminal.
    """

    def __init__(self, app: App[Any], *, debug: bool = False, **options: Any) -> None:
        super().__init__(app, debug=debug, **options)
        self._guarded_app = app
        self._parser_debug = debug
        self._thin_output = ThinOutput()
        self._watcher = app if isinstance(app, KeyWatcher) else None
        replace_output(self, _LosableOutput)
        draw_after_any_stop(self)

    def write(self, data: str) -> None:
        """Send `data` to the terminal, without what is shown there already."""
        if thinned := self._thin_output.thin(data):
            super().write(thinned)

    def process_message(self, message: Message) -> None:
        """Hand the app what was read."""
        if self._watcher is not None and isinstance(message, events.Key):
            self._watcher.key_read()
        super().process_message(message)

    def run_input_thread(self) -> None:
        """Send keys, mouse events and pastes to the app until it ends. Runs on a thread of its own."""
        try:
            self._read_input()
        except Exception as error:
            # Textual catches the error and ends the app, without calling the app's own handler of bugs.
            record_bug(error)
            raise

    def _read_input(self) -> None:
        guard, replies = PasteGuard(), ReplyFilter()
        parser = XTermParser(self._parser_debug)
        decode = getincrementaldecoder("utf-8")("replace").decode
        is_first = True
        while not self.exit_event.is_set():
            patience = replies.seconds_to_wait
            if self._is_readable(_TICK_SECONDS if patience is None else patience):
                data = self._read()
                if not data:  # The terminal is gone.
                    self._guarded_app.call_later(self._guarded_app.exit, return_code=_HUNG_UP)
                    self.exit_event.wait()
                    return
                if is_first:
                    data, is_first = typed_ahead(data), False
                keys = replies.pass_keys(guard.strip(decode(data)))
            else:
                keys = replies.give_up()
            if keys == _ESCAPE:  # Alone, so that there is nothing to wait for.
                self.process_message(events.Key("escape", _ESCAPE))
                keys = ""
            for message in parser.feed(keys) if keys else ():
                if isinstance(message, events.Paste):
                    text = guard.pastes.popleft()
                    # A binary paste stays as it is, so that the widget can refuse it with a reason.
                    message = events.Paste(text if is_binary(text) else without_escapes(text))
                self.process_message(message)
            for message in parser.tick():
                self.process_message(message)

    def _read(self) -> bytes:
        """Read all bytes that are waiting, so that the end of a paste is seen with its beginning.

        An empty result means that the terminal is gone.
        """
        parts: list[bytes] = []
        with suppress(OSError):  # An error means the same as the end of the input.
            while data := os.read(self.fileno, _READ_BYTES):
                parts.append(data)
                if not self._is_readable(0):
                    break
        return b"".join(parts)

    def _is_readable(self, seconds: float) -> bool:
        """Whether input comes within `seconds`."""
        return bool(select.select([self.fileno], [], [], seconds)[0])
