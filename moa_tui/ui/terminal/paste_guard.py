"""Reads the keyboard so that nothing in a paste can become a key press.

Textual's parser looks for key sequences inside a paste too: an ESC there takes up to 32 characters after it
out of the paste and hands them on as keys, Enter among them, so a pasted text can send itself. It also reads
a paste letter by letter, which keeps the screen waiting for seconds where it is long, and a byte that is no
UTF-8 ends the program. So pastes are taken out before it sees them.
"""

from __future__ import annotations

import os
import select
from codecs import getincrementaldecoder
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from textual import events
from textual.drivers.linux_driver import LinuxDriver

from moa_tui.chat.attachments import is_binary
from moa_tui.settings.fault_log import record_bug
from moa_tui.text.safe import without_escapes
from moa_tui.ui.terminal.textual_private import XTermParser, replace_output

if TYPE_CHECKING:
    from typing import TextIO

    from textual.app import App

BRACKETED_PASTE_START = "\x1b[200~"
BRACKETED_PASTE_END = "\x1b[201~"
_HUNG_UP = 129  # as a shell calls a program that SIGHUP has ended
_READ_BYTES = 65_536
_TICK_SECONDS = 0.1


class PasteGuard:
    """Cuts the text of each paste out of the input and keeps it in `pastes`; the marks around it stay."""

    def __init__(self) -> None:
        self.pastes: deque[str] = deque()
        self._paste: list[str] | None = None
        self._tail = ""

    def strip(self, data: str) -> str:
        """`data` without what was pasted."""
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
                # A pasted text may hold the mark itself: it ends at the last one before the next paste.
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


class _Patient:
    """A terminal that takes everything, once it is gone: else whoever writes to it waits for ever."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

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


class GuardedDriver(LinuxDriver):
    """As Textual's driver, every paste cleaned and handed on whole, and no waiting for a lost terminal."""

    def __init__(self, app: App[Any], *, debug: bool = False, **options: Any) -> None:
        super().__init__(app, debug=debug, **options)
        self._guarded_app = app
        self._parser_debug = debug
        replace_output(self, _Patient)

    def run_input_thread(self) -> None:
        """Hand on keys, mouse and pastes until the app ends."""
        try:
            self._read_input()
        except Exception as error:
            # Textual catches it, ends the app and shows it, without calling the app's own handler of bugs.
            record_bug(error)
            raise

    def _read_input(self) -> None:
        guard = PasteGuard()
        parser = XTermParser(self._parser_debug)
        decode = getincrementaldecoder("utf-8")("replace").decode
        while not self.exit_event.is_set():
            if self._is_readable(_TICK_SECONDS):
                data = self._read()
                if not data:  # The terminal is gone.
                    self._guarded_app.call_later(self._guarded_app.exit, return_code=_HUNG_UP)
                    self.exit_event.wait()
                    return
                for message in parser.feed(keys) if (keys := guard.strip(decode(data))) else ():
                    if isinstance(message, events.Paste):
                        text = guard.pastes.popleft()
                        # A binary one stays as it is: whoever takes it says what is wrong with it.
                        message = events.Paste(text if is_binary(text) else without_escapes(text))
                    self.process_message(message)
            for message in parser.tick():
                self.process_message(message)

    def _read(self) -> bytes:
        """All that is there, so that the end of a paste is seen with its beginning."""
        parts: list[bytes] = []
        with suppress(OSError):  # gone: as if it had ended
            while data := os.read(self.fileno, _READ_BYTES):
                parts.append(data)
                if not self._is_readable(0):
                    break
        return b"".join(parts)

    def _is_readable(self, seconds: float) -> bool:
        return bool(select.select([self.fileno], [], [], seconds)[0])
