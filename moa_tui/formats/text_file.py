"""The texts in a file: the file's own, or those of a ZIP archive's JSON files, in any of Unicode's encodings.

A text comes in pieces. What an archive unpacks to is counted as it comes, whatever the archive says of it.
"""

from __future__ import annotations

import codecs
import json
import re
import stat
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO
from zipfile import BadZipFile, ZipFile

from moa_tui.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import IO

    from moa_tui.formats.json_stream import Problems

LARGEST = 256 * 1024 * 1024
"""The bytes of the largest file that is read, and of all that is read of an archive."""
_PIECE = 256 * 1024
_ZIP = b"PK\x03\x04"
_EMPTY_ZIP = b"PK\x05\x06"
# The table of an archive's files is read as a whole.
_LARGEST_TABLE = 20_000_000
_DAMAGED = (BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error)
_END = 22
_LONGEST_COMMENT = 65_535
# A newer export of ChatGPT has several of them, with numbers.
_CONVERSATIONS = re.compile(r"(?:.*/)?conversations(?:[-_ ]?\d{1,9})?\.json", re.IGNORECASE)
_JSON = re.compile(r"(?!__MACOSX/).*\.(?:json|jsonl|ndjson)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TextFile:
    """A text in pieces; `name` is that of the file in an archive, empty where the file is none."""

    name: str
    pieces: Iterator[str]


def texts_in(path: Path, problems: Problems) -> Iterator[TextFile]:
    """The texts in a file, to be read one after another. Raises FileError, which does not name the path.

    What cannot be read of a text is added to `problems`.
    """
    try:
        # To open a pipe or a device could wait for ever, and to read it never end.
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise FileError("it is a folder; name the file in it, such as conversations.json")
        if not stat.S_ISREG(status.st_mode):
            raise FileError("it is no file")
        with path.open("rb") as file:
            beginning = file.read(4)
            file.seek(0)
            if beginning in (_ZIP, _EMPTY_ZIP):
                yield from _archived(file, status.st_size, problems)
                return
            if status.st_size > LARGEST:
                raise FileError(f"it is larger than {LARGEST // 2**20} MB, which is the most that is read")
            yield TextFile("", _decoded(_pieces_of(file, [0]), problems, ""))
    except OSError as error:
        raise FileError(f"it cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise FileError(f"that cannot be a file's name: {error}") from error


def _archived(file: BinaryIO, size: int, problems: Problems) -> Iterator[TextFile]:
    """The JSON files of an archive: those with conversations by their names, else all. Raises FileError."""
    if _table_bytes(file, size) > _LARGEST_TABLE:
        raise FileError("it is an archive of too many files")
    try:
        archive = ZipFile(file)
    except (BadZipFile, NotImplementedError) as error:
        raise FileError(f"it is a ZIP archive that cannot be opened: {error}") from error
    with archive:
        names = [name for name in archive.namelist() if _JSON.fullmatch(name)]
        names = [name for name in names if _CONVERSATIONS.fullmatch(name)] or names
        read = [0]
        for name in sorted(names, key=_numbered):
            try:
                member = archive.open(name)
            except _DAMAGED as error:
                problems.add(f"{name}: it cannot be unpacked: {error}")
                continue
            with member:
                yield TextFile(name, _decoded(_unpacked(member, read, problems, name), problems, name))


def _unpacked(member: IO[bytes], read: list[int], problems: Problems, name: str) -> Iterator[bytes]:
    """The bytes of a file in an archive up to where it is damaged. Raises FileError."""
    try:
        yield from _pieces_of(member, read)
    except _DAMAGED as error:
        problems.add(f"{name}: it cannot be unpacked: {error}")


def _numbered(name: str) -> list[tuple[int, str]]:
    """What sorts names by the numbers in them: 2 before 10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d{1,18})", name)]


def _table_bytes(file: BinaryIO, size: int) -> int:
    """The bytes of an archive's table of files, as its end says; 0 where there is no such end."""
    file.seek(max(0, size - _LONGEST_COMMENT - _END - 76))
    tail = file.read()
    file.seek(0)
    # The end is looked for as the library does, which is what will read the table.
    at = len(tail) - _END
    if at < 0 or tail[at : at + 4] != _EMPTY_ZIP or tail[-2:] != b"\0\0":
        at = tail.rfind(_EMPTY_ZIP)
    if at < 0:
        return 0
    table = int.from_bytes(tail[at + 12 : at + 16], "little")
    # An archive of more than 4 GB has an end of another form before this one.
    large = at - 20 - 56
    if large >= 0 and tail[large : large + 4] == b"PK\x06\x06":
        table = max(
            0 if table == 0xFFFFFFFF else table, int.from_bytes(tail[large + 40 : large + 48], "little")
        )
    return table


def _pieces_of(file: IO[bytes], read: list[int]) -> Iterator[bytes]:
    """The bytes of a file in pieces; `read` has the number of those of all files so far. Raises FileError."""
    while data := file.read(_PIECE):
        read[0] += len(data)
        if read[0] > LARGEST:
            raise FileError(f"it unpacks to more than {LARGEST // 2**20} MB, which is the most that is read")
        yield data


def _decoded(pieces: Iterator[bytes], problems: Problems, name: str) -> Iterator[str]:
    """The text of bytes in the encoding that their beginning tells, without what is no text in it."""
    beginning = next(pieces, b"")
    encoding = json.detect_encoding(beginning[:4])
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    data: bytes | None = beginning
    done = 0
    while data is not None:
        following = next(pieces, None)
        try:
            text = decoder.decode(data, following is None)
        except UnicodeDecodeError as error:
            if decoder.errors == "strict":
                where = f"{name}: " if name else ""
                problems.add(f"{where}some of it is not a text in {encoding}: byte {done + error.start}")
            # The piece is read once more: where decoding fails, nothing of it counts as read.
            decoder.errors = "replace"
            text = decoder.decode(data, following is None)
        done += len(data)
        yield text
        data = following
