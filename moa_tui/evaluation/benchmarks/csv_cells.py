"""Cells of CSV: read with any usual delimiter, and written so that no spreadsheet runs them.

A spreadsheet takes a cell for a formula where it begins with one of = + - @, as a tab, a line break or a
full-width form of these (OWASP, "CSV Injection"). Such a cell is written with an apostrophe before it, which
reading removes. A plain number, such as -5, is none, and stays a number.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moa_tui.errors import FileError
from moa_tui.text.safe import as_unicode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

ID, ANSWER, MODEL, ERROR = "moa_id", "moa_answer", "moa_model", "moa_error"
"""The columns that are added to those of an input, in this order."""
_DELIMITERS = ",;\t|"
_SNIFFED_ROWS = 20
_APOSTROPHE = "'"
_FORMULA = re.compile(r"'*(?:[\t\r\n]|[\s\ufeff\u200b]*[=+\-@\uff1d\uff0b\uff0d\uff20])")
_NUMBER = re.compile(r"[+-]?[0-9]{1,40}(?:[.,][0-9]{1,40})?(?:[eE][+-]?[0-9]{1,4})?%?")
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class CsvStyle:
    """How CSV is written: what stands between cells, and whether the file begins with a byte order mark.

    By the mark, Excel knows that a file is UTF-8.
    """

    delimiter: str = ","
    has_mark: bool = False


@dataclass(frozen=True, slots=True)
class CsvRow:
    """A row of CSV: the line on which it begins, its cells, and why it cannot be read."""

    line: int
    cells: list[str]
    fault: str = ""


def rows_in(lines: Iterable[str], delimiter: str, longest: int) -> Iterator[CsvRow]:
    """The rows of CSV that are not blank; of the file, line ends must be unchanged.

    `longest` is the number of characters of the longest cell.
    """
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        csv.field_size_limit(longest)
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield CsvRow(line, [], _words(error))
            continue
        if any(cells):
            yield CsvRow(line, cells)


def _words(error: csv.Error) -> str:
    """Why a row cannot be read."""
    message = str(error)
    if "unexpected end of data" in message:
        return "a quotation mark begins a cell that never ends"
    if "expected after" in message:
        return "a quotation mark ends in the middle of a cell; inside a cell it is written twice"
    return message


def delimiter_of(text: str) -> str:
    """What stands between the cells of CSV that begins like this: that which gives the header most cells.

    Where two give it as many, that which gives the rows after it as many as the header.
    """

    def fit(delimiter: str) -> tuple[int, int]:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        csv.field_size_limit(len(text) + 1)
        rows = [row for _, row in zip(range(_SNIFFED_ROWS), reader, strict=False)]
        width = len(rows[0]) if rows else 0
        return width, sum(len(row) == width for row in rows)

    return max(_DELIMITERS, key=fit)


def column_names(header: Sequence[str]) -> list[str]:
    """The names of columns; those without one are named by their number.

    Raises FileError where two have the same.
    """
    names = [as_unicode(name.strip()) or f"column {number}" for number, name in enumerate(header, 1)]
    for name in names:
        if names.count(name) > 1:
            raise FileError(f'two columns have the name "{name}"; give each its own')
    return names


def is_own(names: Iterable[str]) -> bool:
    """True where columns are those of an output that moa-tui wrote."""
    return {ID, ANSWER, MODEL, ERROR} <= set(names)


def harmless(text: str) -> str:
    """A cell that a spreadsheet shows and does not run.

    Control characters except tabs and line breaks become their pictures, or U+FFFD where they have none.
    """
    text = _CONTROLS.sub(_picture, as_unicode(text))
    return f"{_APOSTROPHE}{text}" if _is_formula(text) else text


def as_it_was(cell: str) -> str:
    """The text of a cell that `harmless` has written."""
    rest = cell[1:]
    return rest if cell[:1] == _APOSTROPHE and _is_formula(rest) else cell


def row_text(cells: Iterable[str], delimiter: str) -> str:
    """A row of CSV with its line end; every cell is quoted and harmless."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerow([harmless(cell) for cell in cells])
    return text.getvalue()


def _is_formula(text: str) -> bool:
    return _FORMULA.match(text) is not None and _NUMBER.fullmatch(text) is None


def _picture(match: re.Match[str]) -> str:
    code = ord(match[0])
    return chr(0x2400 + code) if code < 0x20 else "\u2421" if code == 0x7F else "\ufffd"
