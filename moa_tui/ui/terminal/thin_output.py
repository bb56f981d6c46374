"""Leaves out of what is sent to the terminal all that the terminal shows already.

Textual writes each row of a widget that has changed as a whole, every piece of it with all its colours in
front and a reset behind. Of a pane that scrolls, most of that is colours and blanks that stand there since
the last time. `ThinOutput` keeps what the terminal shows, cell by cell, and sends the cells that differ; of
a style it sends what differs from the one before.

What it does not know, it does not touch: everything else than moves, styles and text is sent as it is, and
unless that is known to leave the screen alone, all cells count as unknown from then on. So do the cells of a
row with characters that terminals give different widths.
"""

from __future__ import annotations

import itertools
import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

# What Textual's compositor writes: moves, styles, and the text behind them.
_PIECE = re.compile(r"\x1b\[(?:(\d+);(\d+)H|([\d;]*)m)([^\x1b]*)")
# Characters that take one cell in every terminal: no marks that combine, no wide ones, no emoji.
_ONE_CELL_EACH = re.compile(
    "[\x20-\x7e\xa0-\xac\xae-\u02ff\u0370-\u0377\u0384-\u0482\u048a-\u052f\u1e00-\u1eff\u2010-\u2015"
    "\u2018-\u2027\u2030-\u203a\u2039\u203a\u20ac\u2190-\u2193\u21ba\u21bb\u2500-\u259f\u25a0\u25a1\u25b2\u25b8"
    "\u25bc\u25be\u25cb\u25cf-\u25d3\u25e6\u2713\u2717]*"
)
# Sequences that change neither cells nor the place where the next text is written: titles, the clipboard
# and other commands to the system, the bell, and the marks of a frame's beginning and end.
_HARMLESS = re.compile(r"(?:\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x07|\x1b\[\?2026[hl])*")
_FRAME_BEGIN = "\x1b[?2026h"
_FRAME_END = "\x1b[?2026l"
_RESET = "\x1b[0m"
_RUN = re.compile(r"(.)\1*", re.DOTALL)
_UNKNOWN = "\0"
# Cells that stay as they are between two that change: a move costs about as much as these.
_LONGEST_GAP = 5
# Each style that was seen is known by a character. There are some dozens of them.
_MOST_STYLES = 4000
_FIRST_STYLE = 0x100


Piece = tuple[str, str, str, str]
"""A row and a column to move to, or the parameters of a style; then text."""


class ThinOutput:
    """Turns what Textual writes into less that has the same effect on the terminal."""

    def __init__(self) -> None:
        self._place: _Place | None = None
        self._is_frame_waiting = False
        self.forget()

    def forget(self) -> None:
        """Count everything on the screen as unknown."""
        self._texts: dict[int, str] = {}
        """The characters of each row, `_UNKNOWN` where they are not known."""
        self._styles: dict[int, str] = {}
        """The style of each cell, as the character that it is known by."""
        self._names: dict[str, str] = {}
        self._parameters: list[str] = []
        self._place = None

    def thin(self, data: str) -> str:
        """What to send instead of `data`; nothing where the terminal shows all of it already."""
        if data == _FRAME_BEGIN:
            self._is_frame_waiting = True
            return ""
        if data == _FRAME_END and self._is_frame_waiting:
            self._is_frame_waiting = False
            return ""
        pieces: list[Piece] = _PIECE.findall(data)
        if pieces and pieces[0][0] and _length(pieces) == len(data):
            if _is_whole_screen(pieces) or len(self._parameters) > _MOST_STYLES:
                # After a change of its size, nobody knows what a terminal has kept.
                self.forget()
            data = self._changes(pieces)
        elif not _HARMLESS.fullmatch(data):
            self.forget()
        if data and self._is_frame_waiting:
            self._is_frame_waiting = False
            return _FRAME_BEGIN + data
        return data

    def _changes(self, pieces: list[Piece]) -> str:
        """The changed cells of a frame.

        Its styles are as Textual writes them: each is complete, and a reset stands behind its text.
        """
        pen = _Pen(self._place)
        row, column, style = 0, 0, ""
        texts: list[str] = []
        styles: list[str] = []
        for y, x, parameters, text in pieces:
            if y:
                self._draw(pen, row, column, "".join(texts), "".join(styles))
                row, column = int(y), int(x)
                texts.clear()
                styles.clear()
            style = self._name("" if y or parameters == "0" else parameters)
            if shown := text.rstrip("\n"):  # A line end stands only before a move.
                texts.append(shown)
                styles.append(style * len(shown))
        self._draw(pen, row, column, "".join(texts), "".join(styles))
        if not texts:
            pen.move(_Place(row, column))
        self._place = pen.place
        return pen.finish()

    def _draw(self, pen: _Pen, row: int, column: int, text: str, styles: str) -> None:
        """Draw the cells that differ, from `column` of a row on, and take note of them."""
        if not text:
            return
        if not _ONE_CELL_EACH.fullmatch(text):
            # How far this reaches is known to the terminal only.
            self._texts.pop(row, None)
            self._styles.pop(row, None)
            self._write(pen, _Place(row, column), text, styles)
            pen.place = None
            return
        begin, end = column - 1, column - 1 + len(text)
        row_text = self._texts.get(row, "").ljust(end, _UNKNOWN)
        row_styles = self._styles.get(row, "").ljust(end, _UNKNOWN)
        if row_text[begin:end] == text and row_styles[begin:end] == styles:
            return
        for first, last in _differences(row_text[begin:end], row_styles[begin:end], text, styles):
            self._write(pen, _Place(row, column + first), text[first:last], styles[first:last])
        self._texts[row] = row_text[:begin] + text + row_text[end:]
        self._styles[row] = row_styles[:begin] + styles + row_styles[end:]

    def _write(self, pen: _Pen, place: _Place, text: str, styles: str) -> None:
        pen.move(place)
        for run in _RUN.finditer(styles):
            pen.write(text[run.start() : run.end()], self._parameters[ord(run[1]) - _FIRST_STYLE])

    def _name(self, parameters: str) -> str:
        """The character that stands for a style."""
        name = self._names.get(parameters)
        if name is None:
            name = self._names[parameters] = chr(_FIRST_STYLE + len(self._parameters))
            self._parameters.append(parameters)
        return name


class _Place(NamedTuple):
    """Where the terminal writes next, counted from 1."""

    row: int
    column: int


class _Pen:
    """Writes moves, styles and text, and leaves out moves and styles that change nothing."""

    def __init__(self, place: _Place | None) -> None:
        self.place = place
        """None where it is not known."""
        self._style = ""
        self._written: list[str] = []

    def move(self, place: _Place) -> None:
        if place != self.place:
            self._written.append(f"\x1b[{place.row};{place.column}H")
            self.place = place

    def write(self, text: str, style: str) -> None:
        if style != self._style:
            self._written.append(_change_of_style(self._style, style))
            self._style = style
        self._written.append(text)
        if self.place is not None:
            self.place = _Place(self.place.row, self.place.column + len(text))

    def finish(self) -> str:
        """All that was written, with no style left in force."""
        if self._style:
            self._written.append(_RESET)
        return "".join(self._written)


def _length(pieces: list[Piece]) -> int:
    """How many characters the pieces had, if nothing else stood between them."""
    texts = sum(map(len, itertools.chain.from_iterable(pieces)))
    return texts + sum(len("\x1b[;H") if piece[0] else len("\x1b[m") for piece in pieces)


def _is_whole_screen(pieces: list[Piece]) -> bool:
    """Whether rows are written whole and one after another, from the first on, as in a new screen."""
    rows = [(row, column) for row, column, _, _ in pieces if row]
    if pieces[-1][0]:  # To where the cursor stands, which ends each frame.
        del rows[-1]
    return len(rows) > 1 and rows == [(str(number), "1") for number in range(1, len(rows) + 1)]


def _differences(old_text: str, old_styles: str, text: str, styles: str) -> Iterator[tuple[int, int]]:
    """The ranges of cells that differ. Short gaps between them count as different too."""
    first = last = -1
    cells = enumerate(zip(old_text, text, old_styles, styles, strict=True))
    for at in [at for at, (a, b, c, d) in cells if a != b or c != d]:
        if first < 0:
            first = at
        elif at - last > _LONGEST_GAP:
            yield first, last
            first = at
        last = at + 1
    if first >= 0:
        yield first, last


@lru_cache(maxsize=4096)
def _change_of_style(old: str, new: str) -> str:
    """The shortest sequence from one style to another."""
    if not new:
        return _RESET
    before, after = _colours(old), _colours(new)
    if before.others - after.others:
        return f"\x1b[0;{new}m"
    changes = sorted(after.others - before.others)
    if before.front != after.front:
        changes.append(after.front or "39")
    if before.back != after.back:
        changes.append(after.back or "49")
    return f"\x1b[{';'.join(changes)}m"


class _Colours(NamedTuple):
    """The parameters of a style."""

    front: str
    back: str
    others: frozenset[str]


def _colours(style: str) -> _Colours:
    """Tell the parameters of a style apart: the colour of the text, the one behind it, and all others."""
    front = back = ""
    others = set()
    parameters = iter(style.split(";")) if style else iter(())
    for first in parameters:
        colour = first
        if first in ("38", "48"):
            kind = next(parameters, "")
            values = itertools.islice(parameters, 3 if kind == "2" else 1)
            colour = ";".join((first, kind, *values))
        if first == "38" or re.fullmatch("3[0-79]|9[0-7]", first):
            front = colour
        elif first == "48" or re.fullmatch("4[0-79]|10[0-7]", first):
            back = colour
        else:
            others.add(first)
    return _Colours(front, back, frozenset(others))
