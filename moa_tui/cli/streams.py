"""The standard streams: those that are closed, what is piped in, and output that nothing can stop."""

from __future__ import annotations

import codecs
import errno
import io
import os
from contextlib import suppress
from typing import TextIO, cast
from unicodedata import combining, normalize

from moa_tui.errors import UsageError


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


class ClosedOutput(io.TextIOBase):
    """What stands for a standard output that is closed, for which Python has None. Writing raises OSError."""

    encoding = "utf-8"

    def write(self, text: str) -> int:
        raise OSError(errno.EBADF, "standard output is closed")


def is_utf8(stream: TextIO) -> bool:
    """Whether `stream` can write every character."""
    return codecs.lookup(getattr(stream, "encoding", None) or "utf-8").name == "utf-8"


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
    """Read what was piped in, as UTF-8; "" where standard input is a terminal or closed.

    Raises UsageError where it is no text, or cannot be read.
    """
    from moa_tui.chat.attachments import read_text

    if stdin is None or stdin.closed or stdin.isatty():
        return ""
    try:
        buffer = getattr(stdin, "buffer", None)
        data = buffer.read() if buffer is not None else stdin.read().encode("utf-8", "surrogateescape")
    except OSError as error:
        raise UsageError(f"standard input cannot be read: {error.strerror or error}") from error
    return read_text(data, "standard input")


def prepare_lines(stdin: TextIO) -> None:
    """Let lines be read from standard input whatever is in them: UTF-8 where it is piped in.

    What is no text of that encoding becomes U+FFFD.
    """
    if isinstance(stdin, io.TextIOWrapper):
        stdin.reconfigure(encoding=None if stdin.isatty() else "utf-8", errors="replace")


# What an encoding without these characters shows in their place.
_PLAIN = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u2032", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u2033", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\u2500", "-"),
        **dict.fromkeys("\u2022\u25cf\u25e6", "*"),
        **dict.fromkeys("\u2502\u258e\u2503", "|"),
        "\u2014": "--",
        "\u2026": "...",
        "\u2192": "->",
        "\u2190": "<-",
        "\u2264": "<=",
        "\u2265": ">=",
        "\u2260": "!=",
        "\u2248": "~",
        "\u00d7": "x",
        "\u00b7": "-",
        "\u20ac": "EUR",
        "\u2044": "/",
        "\u2713": "+",
        "\u2717": "x",
    }
)


def _plain(error: UnicodeError) -> tuple[str, int]:
    """What stands for characters that an encoding does not have: similar ones, or question marks."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    written = ""
    for character in error.object[error.start : error.end]:
        similar = character.translate(_PLAIN)
        if similar == character:
            bases = (base for base in normalize("NFKD", character) if not combining(base))
            similar = "".join(bases).translate(_PLAIN)
        try:
            similar.encode(error.encoding)
        except UnicodeEncodeError:
            similar = similar if similar.isascii() else "?"
        written += similar or ("" if combining(character) else "?")
    return written, error.end


codecs.register_error("moa-tui-plain", _plain)


def make_tolerant(*streams: TextIO | None) -> None:
    """Let a terminal that cannot show a character show a similar one, and no error ends the program."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="moa-tui-plain")
