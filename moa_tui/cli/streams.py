"""The standard streams: those that are closed, what is piped in, and output that nothing can stop."""

from __future__ import annotations

import io
import os
from contextlib import suppress
from typing import TextIO, cast


def best_effort(stream: TextIO | None) -> TextIO:
    """A stream that writes to `stream` and drops what cannot be written, so that no error costs the answer.

    With None, which stands for a closed stream, everything is dropped.
    """
    return cast("TextIO", _BestEffort(stream))


class _BestEffort(io.TextIOBase):
    """See `best_effort`."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        if self._stream is not None:
            with suppress(OSError):
                self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        if self._stream is not None:
            with suppress(OSError):
                self._stream.flush()

    def isatty(self) -> bool:
        return self._stream is not None and self._stream.isatty()

    def fileno(self) -> int:
        if self._stream is None:
            raise OSError("standard error is closed")
        return self._stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return getattr(self._stream, "encoding", None) or "utf-8"


def fill_closed_descriptors() -> None:
    """Open the null device in the place of each standard stream that is closed, as `2>&-` does.

    Else the next file that is opened, a log or a database, would have its number, and whatever a library
    prints would be written into that file.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # The lowest number that is free.


def read_piped(stdin: TextIO | None) -> str:
    """Read what was piped in, as UTF-8; "" where standard input is a terminal or closed."""
    if stdin is None or stdin.closed or stdin.isatty():
        return ""
    buffer = getattr(stdin, "buffer", None)
    return buffer.read().decode("utf-8", "replace") if buffer is not None else stdin.read()


def make_tolerant(*streams: TextIO | None) -> None:
    """Let a terminal that cannot show a character show a question mark instead of ending the program."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
