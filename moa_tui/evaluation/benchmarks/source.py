"""The entries of a file, one after another, with their places: an array of JSON, JSON Lines, or CSV.

What holds the entries is told by the beginning of the file, never by its name. An entry that cannot be read
is an entry too, with the reason in words, so that whoever reads decides whether it may be left out.
"""

from __future__ import annotations

import codecs
import json
import math
import re
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from moa_tui.errors import FileError
from moa_tui.evaluation.benchmarks import csv_cells
from moa_tui.formats.json_stream import JsonStream, Problems
from moa_tui.settings.paths import disk_words
from moa_tui.text.wording import counted

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator, Mapping
    from pathlib import Path

Container = Literal["array", "lines", "csv"]

_LONGEST_ENTRY = 64 * 1024 * 1024
# The characters of the longest entry that is read.
_PIECE = 256 * 1024
_DEEPEST = 100
_BEGINNING = 64 * 1024
_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"(\xb5/\xfd": "zstd",
}
# What `surrogateescape` makes of a byte that is no text in the encoding of the file.
_NO_TEXT = re.compile("[\udc80-\udcff]")
_BINARY = re.compile("[\udc80-\udcff\0]")
_NOT_UTF_8 = "not a text in UTF-8, as which a spreadsheet can save it too (CSV UTF-8)"


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a file: its number, from 1, its place in words, and its fields.

    `fault` says in a sentence, with the place, why an entry cannot be read; `row` is empty then.
    """

    number: int
    where: str
    row: Mapping[str, Any] = field(repr=False)
    fault: str = ""


class Source:
    """A file of entries that can be read again and again, a piece at a time.

    `container` is what holds the entries, and `csv_style` how CSV is written. Opening it reads
    the beginning of the file. Raises FileError, whose message does not name the path.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = _stamp(path)
        beginning = _beginning(path)
        self._encoding = _encoding(beginning)
        text = codecs.getincrementaldecoder(self._encoding)("replace").decode(beginning).lstrip()
        if not text:
            raise FileError("it is empty")
        self.container: Container = "array" if text[0] == "[" else "lines" if text[0] == "{" else "csv"
        self.csv_style = csv_cells.CsvStyle(
            csv_cells.delimiter_of(text) if self.container == "csv" else ",", self._encoding == "utf-8-sig"
        )

    def __iter__(self) -> Iterator[Entry]:
        """The entries. Raises FileError where the file cannot be read, or is another than before."""
        try:
            if _stamp(self._path) != self._stamp:
                raise FileError("it was changed while it was being read; begin again")
            newline = "\n" if self.container == "lines" else ""
            errors = "strict" if self.container == "array" else "surrogateescape"
            with self._path.open(encoding=self._encoding, errors=errors, newline=newline) as file:
                match self.container:
                    case "array":
                        yield from _entries_of_array(file)
                    case "lines":
                        yield from _entries_of_lines(file)
                    case "csv":
                        yield from _entries_of_csv(file, self.csv_style.delimiter)
        except UnicodeDecodeError as error:
            raise FileError(f"it is not a text in {_spoken(self._encoding)}: {error.reason}") from error
        except OSError as error:
            raise FileError(f"it cannot be read: {disk_words(error)}") from error


def _stamp(path: Path) -> tuple[int, int, int]:
    """What changes when a file does. Raises FileError for what is no file."""
    try:
        status = path.stat()
    except OSError as error:
        raise FileError(f"it cannot be read: {disk_words(error)}") from error
    except ValueError as error:
        raise FileError(f"that cannot be a file's name: {error}") from error
    if stat.S_ISDIR(status.st_mode):
        raise FileError("it is a folder; name the file in it")
    # To open a pipe or a device could wait for ever, and it cannot be read twice.
    if not stat.S_ISREG(status.st_mode):
        raise FileError("it is no file that can be read twice, as a pipe is none; save it to a file first")
    return status.st_ino, status.st_size, status.st_mtime_ns


def _beginning(path: Path) -> bytes:
    """The first bytes of a file. Raises FileError for one that is packed or cannot be read."""
    try:
        with path.open("rb") as file:
            beginning = file.read(_BEGINNING)
    except OSError as error:
        raise FileError(f"it cannot be read: {disk_words(error)}") from error
    for magic, name in _MAGIC.items():
        if beginning.startswith(magic):
            raise FileError(f"it is packed with {name}; unpack it, and save a spreadsheet as CSV, first")
    return beginning


def _encoding(beginning: bytes) -> str:
    """The encoding that the beginning of a text tells: one of Unicode's."""
    return json.detect_encoding(beginning[:4])


def _spoken(encoding: str) -> str:
    return encoding.upper().removesuffix("-SIG")


class _Faults(Problems):
    """Every sentence on a fault, until it is taken."""

    def __init__(self) -> None:
        super().__init__()
        self.sentences: list[str] = []

    def add(self, sentence: str) -> None:
        self.sentences.append(sentence)


def _entries_of_array(file: io.TextIOBase) -> Iterator[Entry]:
    """The entries of a JSON array. Raises FileError where a single one is too long."""
    faults = _Faults()
    read = 0

    def pieces() -> Iterator[str]:
        nonlocal read
        while piece := file.read(_PIECE):
            read += len(piece)
            if read > _LONGEST_ENTRY:
                raise FileError(f"an entry is longer than {_LONGEST_ENTRY:,} characters")
            yield piece

    number = 0
    for value in JsonStream(pieces(), faults, lambda found: isinstance(found, dict)):
        read = 0
        for fault in faults.sentences:
            number += 1
            yield Entry(number, fault.partition(": ")[0], {}, fault)
        faults.sentences.clear()
        number += 1
        if value.group == 1:
            yield _entry(number, value.where, value.value)
        else:
            yield Entry(number, value.where, {}, f"{value.where}: it stands behind the end of the array")
    for fault in faults.sentences:
        number += 1
        yield Entry(number, fault.partition(": ")[0], {}, fault)


def _entries_of_lines(file: io.TextIOBase) -> Iterator[Entry]:
    """The entries of JSON Lines, of which blank lines are none. Raises FileError for a line without end."""
    number = line = 0
    while text := file.readline(_LONGEST_ENTRY):
        line += 1
        if len(text) == _LONGEST_ENTRY:
            raise FileError(f"line {line} is longer than {_LONGEST_ENTRY:,} characters")
        if not text.strip():
            continue
        number += 1
        where = f"line {line}"
        if _NO_TEXT.search(text):
            yield Entry(number, where, {}, f"{where}: it is not a text in UTF-8")
            continue
        try:
            value = json_value(text.rstrip())
        except ValueError as error:
            yield Entry(number, where, {}, f"{where}: it is no JSON: {_reason(error)}")
        except RecursionError:
            yield Entry(number, where, {}, f"{where}: it is nested too deeply")
        else:
            yield _entry(number, where, value)


def json_value(text: str) -> object:
    """The value of a JSON text; numbers that JSON does not have, such as NaN, are None.

    Of a key that stands twice in an object, the last counts. Raises ValueError and RecursionError.
    """
    return json.loads(text, parse_constant=lambda _name: None, parse_float=_finite)


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


def _reason(error: ValueError) -> str:
    """Why a line is no JSON, in words."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg.removesuffix(' at').removesuffix(' starting')} (column {error.colno})"
    return str(error)


def _entry(number: int, where: str, value: object) -> Entry:
    """An entry with the fields of an object; another value is a fault."""
    if not isinstance(value, dict):
        return Entry(number, where, {}, f"{where}: it is {_kind(value)}, not an object with fields")
    if _is_deep(value):
        return Entry(number, where, {}, f"{where}: it is nested too deeply")
    return Entry(number, where, value)


def _is_deep(value: object) -> bool:
    """True for a value that is nested so deeply that it might not be written as JSON again."""
    level: list[Any] = [value]
    for _ in range(_DEEPEST):
        inner = [each.values() if isinstance(each, dict) else each for each in level]
        level = [each for values in inner for each in values if isinstance(each, dict | list)]
        if not level:
            return False
    return True


def _kind(value: object) -> str:
    """What a JSON value is, in words."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list():
            return "an array"
    return "an object"


def _entries_of_csv(file: io.TextIOBase, delimiter: str) -> Iterator[Entry]:
    """The rows of CSV by the names in its header. Raises FileError where there is no such header."""
    rows = csv_cells.rows_in(file, delimiter)
    header = next(rows, None)
    if header is None:
        raise FileError("it is empty")
    if any(map(_BINARY.search, header.cells)):
        raise FileError(f"it is {_NOT_UTF_8}")
    if header.fault:
        raise FileError(f"line {header.line}: {header.fault}")
    names = csv_cells.column_names(header.cells)
    is_own = csv_cells.is_own(names)
    if is_own:
        names = list(map(csv_cells.as_it_was, names))
    for number, row in enumerate(rows, 1):
        where = f"line {row.line}"
        fault = row.fault
        if not fault and len(row.cells) > len(names):
            fault = (
                f"it has {counted(len(row.cells), 'cell')}, and the header {counted(len(names), 'column')}"
            )
        if not fault and any(map(_NO_TEXT.search, row.cells)):
            fault = f"it is {_NOT_UTF_8}"
        if fault:
            yield Entry(number, where, {}, f"{where}: {fault}")
            continue
        cells = [csv_cells.as_it_was(cell) for cell in row.cells] if is_own else row.cells
        cells += [""] * (len(names) - len(cells))
        yield Entry(number, where, dict(zip(names, cells, strict=True)))
