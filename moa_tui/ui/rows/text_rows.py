"""A text as rows of a terminal's width: wrapped, styled, searched, and joined again when it is copied."""

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
# Cells of a row that is scrolled sideways; what is longer goes on in the row below.
WIDEST = 1000
# Languages of code whose lines are paragraphs, which nobody reads sideways.
PROSE = frozenset({"markdown", "md", "mdx"})
# Characters of a text that are laid out, where each line counts as ten more. It takes a third of a second.
MOST_SHOWN = 400_000
_CHARACTERS_PER_LINE = 10
# Characters that are laid out of a text that is about to be rendered.
_PREVIEWED = 4_000

HEADING = "bold $text-primary"
CODE = "$text-success"
MUTED = "$foreground 75%"

_JOINER = "\u200d"
_DELIMITER_ROW = re.compile(r"\|[ \t]*:?-")
_INLINE = re.compile(r"(?P<strong>\*\*[^*\n]+\*\*)|(?P<code>`[^`\n]+`)")


class Row(NamedTuple):
    """One row of a screen.

    `join` is the text between this row and the row above in the source of both: None for a line end, a space
    or an empty text where only the width broke the line. The first `indent` characters are layout, such as
    list markers and rules; they are left out of a copy where the row continues the line of the row above.
    `block` is the number, from 0, of the table or code block that the row is a part of: its rows may be wider
    than their place, and are scrolled sideways together behind their indents.
    """

    content: Content
    join: str | None = None
    indent: int = 0
    block: int | None = None


def cuts(text: str, width: int, *, words: bool = True) -> Iterator[tuple[int, int, str | None]]:
    """Yield the pieces of one line, each `width` cells at most: start, end, and the join to the piece before.

    The line is broken between words where that is possible, else between graphemes, so that no wide character
    is cut in half. Without `words`, spaces are no places to break at.
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
        # `split_graphemes` gives no cells to a cluster that begins with a joiner; terminals draw it.
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
    """Lay out one line in rows of `width` cells at most."""
    text = line.plain
    if not text:
        return [Row(line)]
    if text.isascii() and len(text) <= width:
        return [Row(line)]
    pieces = list(cuts(text, width, words=words))
    # All cuts are made at once, since each slice would go through every style of the line.
    offsets = sorted({at for start, end, _ in pieces for at in (start, end)} - {0, len(text)})
    parts = dict(zip([0, *offsets], line.divide(offsets), strict=True))
    return [Row(parts[start] if start < end else Content(), join) for start, end, join in pieces]


def lines_of(content: Content, width: int) -> list[Row]:
    """The rows of a text that may have several lines."""
    if "\n" not in content.plain:
        return wrap(content, width)
    return [row for line in content.split("\n", allow_blank=True) for row in wrap(line, width)]


def wide_rows(line: Content, width: int, block: int) -> list[Row]:
    """The row of a line of a table or code block, however wide its place is; several, for a monster."""
    rows = wrap(line, max(width, WIDEST), words=False)
    return [row._replace(block=block) for row in rows]


def prefixed(rows: Sequence[Row], first: Content, rest: Content | None = None) -> list[Row]:
    """The rows with `first` in front of the first row, and `rest` in front of the others.

    `first` is a list marker, rule or margin. `rest` is blank and as wide as `first`, unless it is given.
    """
    rest = Content(" " * cell_len(first.plain)) if rest is None else rest
    marked = []
    for number, row in enumerate(rows):
        mark = rest if number else first
        marked.append(Row(mark + row.content, row.join, len(mark) + row.indent, row.block))
    return marked


def blocks_in(rows: Sequence[Row]) -> int:
    """The number that the next table or code block behind `rows` has."""
    return next((row.block + 1 for row in reversed(rows) if row.block is not None), 0)


def extract(rows: Sequence[Row], start: tuple[int, int] | None, end: tuple[int, int] | None) -> str:
    """The text from one (row, character) to another; lines that only the width had broken are joined again.

    None stands for the beginning or the end of all rows.
    """
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


def find(rows: Sequence[Row], text: str) -> list[list[tuple[int, int, int]]]:
    """Every occurrence of `text`, whatever its case, as a list of (row, start, end).

    An occurrence has one entry for each row that it covers: it may go on over the rows of a broken line.
    """
    occurrences = []
    text = _in_one_case(text)
    first = 0
    while first < len(rows):
        line, places, first = _whole_line(rows, first)
        line = _in_one_case(line)
        start = line.find(text)
        while start >= 0:
            columns_by_row: dict[int, list[int]] = {}
            for place in places[start : start + len(text)]:
                if place is not None:
                    columns_by_row.setdefault(place[0], []).append(place[1])
            occurrences.append([(y, min(columns), max(columns) + 1) for y, columns in columns_by_row.items()])
            start = line.find(text, start + len(text))
    return occurrences


def _in_one_case(text: str) -> str:
    """`text` in lower case, with as many characters as before."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(character.lower() if len(character.lower()) == 1 else character for character in text)


def _whole_line(rows: Sequence[Row], first: int) -> tuple[str, list[tuple[int, int] | None], int]:
    """The line that begins in row `first`, the place of each of its characters, and the row behind it.

    A place is (row, character); a character that only joins two rows has none.
    """
    line = ""
    places: list[tuple[int, int] | None] = []
    number = first
    while number == first or (number < len(rows) and rows[number].join is not None):
        row = rows[number]
        begin = row.indent if row.join is not None else 0
        glue = (row.join or "") if line else ""
        text = row.content.plain[begin:]
        line += glue + text
        places += [None] * len(glue) + [(number, begin + offset) for offset in range(len(text))]
        number += 1
    return line, places, number


def beginning(text: str, room: int = MOST_SHOWN) -> tuple[str, int]:
    """The beginning of `text` that is laid out where there is `room`, and the room that is left."""
    size = len(text) + _CHARACTERS_PER_LINE * text.count("\n")
    if size <= room:
        return text, room - size
    length = size = 0
    for line in text[:room].split("\n"):
        size += len(line) + 1 + _CHARACTERS_PER_LINE
        if size > room:
            break
        length += len(line) + 1
    # A line without an end is cut where the room ends.
    return text[: length or room], 0


def hidden_row(characters: int) -> Row:
    """A row that says how many characters behind it are not shown."""
    return Row(
        Content(f"… {characters:,} more characters: copy or export the text to see them").stylize(MUTED)
    )


class _Place(NamedTuple):
    """What a plain line stands in, and how many tables and code blocks have begun before it."""

    is_fenced: bool = False
    is_prose: bool = False
    is_in_table: bool = False
    blocks: int = 0


@dataclass
class GrowingText:
    """A text that grows, as rows: its beginning may be rendered, its end is laid out as plain lines.

    The cost of appending grows with the new text alone. `show_rendered` puts rendered rows in the place of
    the first characters; a change of width removes them again, until they are rendered anew. Of a very long
    text only the beginning is laid out, with a note behind it.
    """

    width: int = 0
    rows: list[Row] = field(default_factory=list)
    rendered_characters: int = 0
    """Number of characters, from the beginning, that rendered rows stand for."""
    rendered_rows: int = 0
    """Number of rows, from the first, that are rendered."""
    is_preview: bool = False
    """True while only the beginning is laid out, until the text is rendered."""
    _parts: list[str] = field(default_factory=list)
    _room: int = MOST_SHOWN
    _hidden_characters: int = 0
    _lines: list[str] = field(default_factory=lambda: [""])
    _row_of_line: list[int] = field(default_factory=lambda: [0])
    _places: list[_Place] = field(default_factory=lambda: [_Place()])
    _continues_line: list[bool] = field(default_factory=lambda: [False])

    @property
    def source(self) -> str:
        """The whole text."""
        if len(self._parts) > 1:
            self._parts = ["".join(self._parts)]
        return self._parts[0] if self._parts else ""

    def append(self, text: str) -> int:
        """Add `text`, and return the number of the first row that changed."""
        if self.is_preview:
            self._plain_from(0)
        self._parts.append(text)
        return self._append(text)

    def replace(self, text: str) -> None:
        """Show another text."""
        self._parts = [text]
        self._plain_from(0)

    def preview(self, text: str, width: int) -> None:
        """Show the beginning of a text that is about to be rendered.

        Of a text that is shown already, all rows stay, even those of another width.
        """
        is_shown = text == self.source and bool(self.rows)
        self.width = width
        if not is_shown:
            self.replace(text[:_PREVIEWED])
            self._parts, self.is_preview = [text], True

    def show_rendered(self, characters: int, rows: Sequence[Row]) -> None:
        """Show `rows` in place of the first `characters` of the source."""
        self.rendered_characters = characters
        self.rows = list(rows)
        self.rendered_rows = len(self.rows)
        self._plain_from(characters)

    def resize(self, width: int) -> None:
        """Show the text at another width, as plain lines until it is rendered again."""
        self.width = width
        self._plain_from(0)

    def _plain_from(self, start: int) -> None:
        """Lay out the text from character `start` on as plain lines, behind the rendered rows."""
        self.is_preview = False
        if start == 0:
            self.rendered_characters = self.rendered_rows = 0
        del self.rows[self.rendered_rows :]
        tail = self.source[start:]
        self._room, self._hidden_characters = max(0, MOST_SHOWN - start), 0
        self._lines, self._row_of_line = [""], [len(self.rows)]
        self._places = [_Place(blocks=blocks_in(self.rows))]
        self._continues_line = [False]
        if tail or not self.rows:
            self._append(tail)

    def _append(self, text: str) -> int:
        """Add `text` to the plain lines, and return the number of the first row that changed."""
        shown, self._room = beginning(text, self._room)
        had_note = self._hidden_characters > 0
        self._hidden_characters += len(text) - len(shown)
        if self.width and had_note:
            self.rows.pop()
        changed = self._append_lines(shown) if shown or not text else len(self.rows)
        if self.width and self._hidden_characters:
            self.rows.append(hidden_row(self._hidden_characters))
        return changed

    def _append_lines(self, text: str) -> int:
        first = len(self._lines) - 1
        changed = self._row_of_line[first]
        rest_of_line, *further_lines = text.split("\n")
        pieces = [self._lines.pop() + rest_of_line, *further_lines]
        continues_line = self._continues_line.pop()
        for piece in pieces:
            parts = [piece[at : at + LONGEST_LINE] for at in range(0, len(piece), LONGEST_LINE)] or [""]
            self._lines += parts
            self._continues_line += [continues_line, *[True] * (len(parts) - 1)]
            continues_line = False
        if not self.width:
            return changed
        del self.rows[changed:]
        del self._row_of_line[first:]
        for number in range(first, len(self._lines)):
            self._row_of_line.append(len(self.rows))
            self.rows += self._line(number)
        return changed

    def _line(self, number: int) -> list[Row]:
        """The rows of a plain line; also notes what the line behind it stands in."""
        text = self._lines[number]
        place = self._places[number]
        continues_line = self._continues_line[number]
        is_fence = text.lstrip().startswith(("```", "~~~")) and not continues_line
        is_table = not place.is_fenced and (
            place.is_in_table if continues_line else _is_of_table(text, behind_another=place.is_in_table)
        )
        begins_block = not place.is_fenced and (is_fence or (is_table and not place.is_in_table))
        blocks = place.blocks + begins_block
        is_prose = text.strip("`~ ") in PROSE if is_fence else place.is_prose
        self._places[number + 1 :] = [_Place(place.is_fenced ^ is_fence, is_prose, is_table, blocks)]
        styled = lightly_styled(text, fenced=place.is_fenced, is_fence=is_fence)
        if is_table or (place.is_fenced and not is_fence and not is_prose):
            rows = wide_rows(styled, self.width, blocks - 1)
        else:
            rows = wrap(styled, self.width)
        return [rows[0]._replace(join=""), *rows[1:]] if continues_line else rows


def _is_of_table(text: str, *, behind_another: bool) -> bool:
    """Whether a plain line looks like one of a table; the first of them must not be `|x| < 1`."""
    line = text.lstrip()
    return line.startswith("|" if behind_another else "| ") or _DELIMITER_ROW.match(line) is not None


def lightly_styled(text: str, *, fenced: bool = False, is_fence: bool = False) -> Content:
    """A line of Markdown source, with its heading, code and strong words styled.

    `fenced` is a line inside a code block, `is_fence` the line that opens or closes one.
    """
    # Content leaves out control characters, which must not shift the styles.
    text = Content(text.expandtabs(4)).plain
    if is_fence:
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
