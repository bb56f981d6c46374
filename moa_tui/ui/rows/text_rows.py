"""A text as rows of a terminal's width: wrapped, styled, and put together again when it is copied."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len, split_graphemes
from textual.content import Content, Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# A line longer than this is cut where it is, so that wrapping a growing line stays cheap.
LONGEST_LINE = 2000

HEADING = "bold $text-primary"
CODE = "$text-success"
MUTED = "$foreground 65%"

_JOINER = "\u200d"
_INLINE = re.compile(r"(?P<strong>\*\*[^*\n]+\*\*)|(?P<code>`[^`\n]+`)")


class Row(NamedTuple):
    """One row of a screen.

    `join` is what stands between it and the row above in the text both come from: None for a line end, a
    space or nothing where only the width broke the line. The first `indent` characters are layout: list
    markers and rules are shown, and left out of what is copied from a row that goes on.
    """

    content: Content
    join: str | None = None
    indent: int = 0


def cuts(text: str, width: int, *, words: bool = True) -> Iterator[tuple[int, int, str | None]]:
    """Where `text`, one line, breaks at `width` cells: start, end, what joins it to the piece before.

    Breaks between words where it can, else between graphemes, so that no wide character is cut in half.
    """
    width = max(width, 2)
    start, join = 0, None
    if text.isascii():
        while len(text) - start > width:
            space = text.rfind(" ", start + 1, start + width + 1) if words else -1
            end = space if space > start else start + width
            yield start, end, join
            start, join = (end + 1, " ") if space > start else (end, "")
        yield start, len(text), join
        return
    spans, _ = split_graphemes(text)
    if _JOINER in text:
        # What a joiner at the beginning joins is counted as nothing by the split, and not by the terminal.
        spans = [(begin, end, cell_len(text[begin:end])) for begin, end, _ in spans]
    column, space = 0, -1
    for begin, _end, cells in spans:
        if column + cells > width and begin > start:
            at_space = text[begin] == " " and words
            end = begin if at_space else space if space > start else begin
            yield start, end, join
            skipped = text[end : end + 1] == " " and words
            start, join = (end + 1, " ") if skipped else (end, "")
            column, space = cell_len(text[start:begin]), -1
            if column + cells > width and begin > start:
                yield start, begin, join
                start, join, column = begin, "", 0
            if at_space:
                continue
        if words and text[begin] == " ":
            space = begin
        column += cells
    yield start, len(text), join


def wrap(line: Content, width: int, *, words: bool = True) -> list[Row]:
    """One line as rows of `width` cells at most."""
    text = line.plain
    if not text:
        return [Row(line)]
    if text.isascii() and len(text) <= width:
        return [Row(line)]
    pieces = list(cuts(text, width, words=words))
    # Cut all at once: a slice would go through every style of the line again.
    offsets = sorted({at for start, end, _ in pieces for at in (start, end)} - {0, len(text)})
    parts = dict(zip([0, *offsets], line.divide(offsets), strict=True))
    return [Row(parts[start] if start < end else Content(), join) for start, end, join in pieces]


def prefixed(rows: Sequence[Row], first: Content, rest: Content | None = None) -> list[Row]:
    """The rows behind a list marker, rule or margin; what continues stands behind `rest`."""
    rest = Content(" " * cell_len(first.plain)) if rest is None else rest
    marked = []
    for number, row in enumerate(rows):
        mark = rest if number else first
        marked.append(Row(mark + row.content, row.join, len(mark) + row.indent))
    return marked


def extract(rows: Sequence[Row], start: tuple[int, int] | None, end: tuple[int, int] | None) -> str:
    """The text from one (row, character) to another, with the lines whole that only the width had broken."""
    first, first_at = start or (0, 0)
    last, last_at = end or (len(rows) - 1, len(rows[-1].content) if rows else 0)
    parts: list[str] = []
    for y in range(max(0, first), min(last, len(rows) - 1) + 1):
        row = rows[y]
        text = row.content.plain
        begin = first_at if y == first else 0
        if parts:
            parts.append("\n" if row.join is None else row.join)
            if row.join is not None:
                begin = max(begin, row.indent)
        parts.append((text[begin:last_at] if y == last else text[begin:]).rstrip())
    return "".join(parts)


def find(rows: Sequence[Row], wanted: str) -> list[list[tuple[int, int, int]]]:
    """Where `wanted` stands, whatever its case: for each place its (row, start, end), one for each row.

    A place may go on over the rows that the width broke one line into.
    """
    places = []
    at = 0
    while at < len(rows):
        line, spots = "", []
        while True:
            row = rows[at]
            begin = row.indent if row.join is not None else 0
            glue = (row.join or "") if line else ""
            text = row.content.plain[begin:]
            line += glue + text
            spots += [None] * len(glue) + [(at, begin + offset) for offset in range(len(text))]
            at += 1
            if at == len(rows) or rows[at].join is None:
                break
        for match in re.finditer(re.escape(wanted), line, re.IGNORECASE):
            found: dict[int, list[int]] = {}
            for spot in spots[match.start() : match.end()]:
                if spot is not None:
                    found.setdefault(spot[0], []).append(spot[1])
            places.append([(y, min(columns), max(columns) + 1) for y, columns in found.items()])
    return places


@dataclass
class GrowingText:
    """A text that is appended to and shown at a width: its beginning rendered, its end as plain lines.

    Appending costs as much as what is new. `settle` puts rendered rows in the place of the first characters;
    a change of width takes them away again, until they are rendered anew.
    """

    width: int = 0
    rows: list[Row] = field(default_factory=list)
    settled: int = 0
    """Characters that rendered rows stand for."""
    settled_rows: int = 0
    _parts: list[str] = field(default_factory=list)
    _lines: list[str] = field(default_factory=lambda: [""])
    _row_of_line: list[int] = field(default_factory=lambda: [0])
    _fenced: list[bool] = field(default_factory=lambda: [False])
    _goes_on: list[bool] = field(default_factory=lambda: [False])

    @property
    def source(self) -> str:
        """The whole text."""
        if len(self._parts) > 1:
            self._parts = ["".join(self._parts)]
        return self._parts[0] if self._parts else ""

    def append(self, text: str) -> int:
        """Add `text`; the first row that changed."""
        self._parts.append(text)
        return self._append(text)

    def replace(self, text: str) -> None:
        """Show another text."""
        self._parts = [text]
        self._plain_from(0)

    def settle(self, characters: int, rows: Sequence[Row]) -> None:
        """Show `rows` in place of the first `characters` of the source."""
        self.settled = characters
        self.rows = list(rows)
        self.settled_rows = len(self.rows)
        self._plain_from(characters)

    def resize(self, width: int) -> None:
        """Show the text at another width, as plain lines until it is settled again."""
        self.width = width
        self._plain_from(0)

    def _plain_from(self, start: int) -> None:
        if start == 0:
            self.settled = self.settled_rows = 0
        del self.rows[self.settled_rows :]
        tail = self.source[start:]
        self._lines, self._fenced, self._row_of_line = [""], [False], [len(self.rows)]
        self._goes_on = [False]
        if tail or not self.rows:
            self._append(tail)

    def _append(self, text: str) -> int:
        first = len(self._lines) - 1
        changed = self._row_of_line[first]
        begun, *others = text.split("\n")
        pieces = [self._lines.pop() + begun, *others]
        goes_on = self._goes_on.pop()
        for piece in pieces:
            parts = [piece[at : at + LONGEST_LINE] for at in range(0, len(piece), LONGEST_LINE)] or [""]
            self._lines += parts
            self._goes_on += [goes_on, *[True] * (len(parts) - 1)]
            goes_on = False
        if not self.width:
            return changed
        del self.rows[changed:]
        del self._row_of_line[first:]
        for number in range(first, len(self._lines)):
            self._row_of_line.append(len(self.rows))
            self.rows += self._line(number)
        return changed

    def _line(self, number: int) -> list[Row]:
        text = self._lines[number]
        fenced = self._fenced[number]
        goes_on = self._goes_on[number]
        mark = text.lstrip().startswith(("```", "~~~")) and not goes_on
        self._fenced[number + 1 :] = [fenced ^ mark]
        rows = wrap(lightly_styled(text, fenced=fenced, mark=mark), self.width, words=not fenced)
        return [rows[0]._replace(join=""), *rows[1:]] if goes_on else rows


def lightly_styled(text: str, *, fenced: bool = False, mark: bool = False) -> Content:
    """A line of Markdown as it is written, its headings, code and strong words told apart."""
    text = Content(text.expandtabs(4)).plain  # what it leaves out must not shift the styles
    if mark:
        return Content(text, [Span(0, len(text), MUTED)])
    if fenced:
        return Content(text, [Span(0, len(text), CODE)])
    if re.match(r"#{1,6} ", text):
        return Content(text, [Span(0, len(text), HEADING)])
    spans = [
        Span(match.start(), match.end(), "bold" if match["strong"] else CODE)
        for match in _INLINE.finditer(text)
    ]
    return Content(text, spans)
