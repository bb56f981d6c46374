"""A file to which whole lines are appended, so that a program that is killed loses no line but its last."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any, Self

from moa_tui.errors import FileError
from moa_tui.settings.paths import disk_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_READ_BYTES = 65_536
_LONGEST_LINE = 64 * 1024 * 1024
"""The bytes of the longest line that is read."""
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)


class AppendLog:
    """Lines of JSON, each written in one piece behind all others, and read back by where it begins.

    Where a line was cut off by the end of a program or a full disk, it is taken away before the next one is
    written. One program at a time may write. Not for several threads at once.
    """

    def __init__(self, path: Path, *, writable: bool) -> None:
        """Open the file, and make it where it is missing and `writable`. Raises FileError."""
        self._path = path
        flags = os.O_RDWR | os.O_CREAT if writable else os.O_RDONLY
        try:
            self._descriptor = os.open(path, flags | _NO_FOLLOW, 0o600)
        except OSError as error:
            raise FileError(f"{path} cannot be opened: {disk_words(error)}") from error
        self._end = 0
        """Where the last whole line ends, in bytes; known once all `entries` were read."""
        self._is_cut = True
        """True where something may stand behind that."""

    def entries(
        self, on_bad_line: Callable[[str], None] | None = None
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        """Every whole line from the first on, with the place where it begins.

        Calls `on_bad_line` with a sentence on each line that cannot be read, and goes on behind it; without
        one, raises FileError.
        """
        self._end = 0
        with os.fdopen(os.dup(self._descriptor), "rb") as file:
            file.seek(0)
            for number in count(1):
                line = file.readline(_LONGEST_LINE)
                size = len(line)
                is_too_long = size == _LONGEST_LINE and not line.endswith(b"\n")
                while size and not line.endswith(b"\n"):
                    line = file.readline(_LONGEST_LINE)
                    size += len(line)
                    if not line:
                        return
                if not size:
                    return
                where = f"line {number}"
                try:
                    if is_too_long:
                        raise FileError(f"{self._path}, {where}: longer than any line of a run")
                    yield self._end, self._value(line, where)
                except FileError as error:
                    if on_bad_line is None:
                        raise
                    on_bad_line(str(error))
                self._end += size

    def entry(self, place: int) -> dict[str, Any]:
        """The line that begins at `place`. Raises FileError."""
        pieces: list[bytes] = []
        at = place
        while piece := os.pread(self._descriptor, _READ_BYTES, at):
            line, end, _ = piece.partition(b"\n")
            pieces.append(line)
            if end:
                break
            at += len(piece)
        return self._value(b"".join(pieces), f"the line at byte {place}")

    def _value(self, line: bytes, where: str) -> dict[str, Any]:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise FileError(f"{self._path}, {where}: not JSON ({error})") from error
        if not isinstance(value, dict):
            raise FileError(f"{self._path}, {where}: not an object")
        return value

    def append(self, entry: dict[str, Any]) -> int:
        """Write a line and return where it begins.

        Raises FileError where there is no room for all of it: then nothing of it stays, and all lines before
        it do.
        """
        line = json.dumps(entry, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
        place = self._end
        try:
            if self._is_cut:
                os.ftruncate(self._descriptor, place)
            self._is_cut = True
            written = 0
            while written < len(line):
                written += os.pwrite(self._descriptor, line[written:], place + written)
        except OSError as error:
            with suppress(OSError):  # What stays has no line end, and is passed over when it is read.
                os.ftruncate(self._descriptor, place)
            raise FileError(
                f"{self._path} cannot be written: {disk_words(error)}. All finished calls before are kept; "
                "make room and give the same command again, which goes on from here"
            ) from error
        self._end = place + len(line)
        self._is_cut = False
        self._check_in_place()
        return place

    def _check_in_place(self) -> None:
        """Raise FileError where the file was deleted or moved: what is written then is lost to its folder."""
        try:
            is_there = os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except OSError:
            is_there = False
        if not is_there:
            raise FileError(
                f"{self._path} is gone: the folder was deleted or moved while it was at work. Where it was "
                "moved, all calls are kept there; give the same command with that folder to go on"
            )

    def sync(self) -> None:
        """Wait until all lines are on the disk. Raises FileError."""
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise FileError(f"{self._path} cannot be written: {disk_words(error)}") from error

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
