"""Lays a table out as rows. Pure.

A table fits into its place as long as its words do; cells of several words are wrapped. Where they do not,
each column is as wide as its text up to a bound, and the rows are wider than their place. The first column,
which names what a row is about, is then an indent that stays where it is, unless it takes much of the place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from moa_tui.text.cells import cell_len
from moa_tui.ui.rows.text_rows import MUTED, WIDEST, Row, lines_of, wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moa_tui.text.markdown import Work

# Cells of a column. One is not made narrower than its longest word, nor than this where it has more text.
_NARROWEST_COLUMN = 12
# A longer word does not count: it is broken like an address.
_LONGEST_WORD = 30
_WIDEST_COLUMN = 40
# The first column stays in view while it takes no more than this part of the width.
_MOST_NAMED = 3
_RULE = " │ "
# Cells of a column's name where it stands before each cell: a long one would be laid out again and again.
_LONGEST_NAME = 40


def table_rows(lines: Sequence[Sequence[Content]], width: int, block: int, work: Work) -> list[Row]:
    """The rows of a table, whose first line is its header and which has the number `block` in its text.

    Raises `TooMuchWorkError`.
    """
    head, *body = lines
    sizes = _column_sizes(list(zip(*lines, strict=True)), width, work)
    if sizes is None:
        return _records(head, body, width, work)
    rows = _line_rows([cell.stylize("bold") for cell in head], sizes)
    rule = Content("─┼─".join("─" * size for size in sizes)).stylize(MUTED)
    rows.append(Row(rule, None, sizes[0] + len(_RULE)))
    for line in body:
        line_rows = _line_rows(line, sizes)
        work.step(len(line_rows) * len(sizes))
        rows += line_rows
    is_named = sizes[0] + len(_RULE) <= width // _MOST_NAMED
    return [row._replace(indent=row.indent if is_named else 0, block=block) for row in rows]


def _column_sizes(columns: Sequence[Sequence[Content]], width: int, work: Work) -> list[int] | None:
    """The cells of each column; None where there are too many columns to be drawn side by side.

    Where the words fit into `width`, narrow columns get what they need, and wide ones share the rest evenly.
    """
    natural = [max(map(_natural_width, column)) for column in columns]
    sizes = [_least_size(column, work) for column in columns]
    room = width - len(_RULE) * (len(columns) - 1)
    if sum(sizes) > room:
        sizes = [max(size, min(most, _WIDEST_COLUMN)) for size, most in zip(sizes, natural, strict=True)]
        return sizes if sum(sizes) + width - room <= WIDEST else None
    cells_left = room - sum(sizes)
    wanted = [most - size for size, most in zip(sizes, natural, strict=True)]
    open_columns = sorted((at for at, cells in enumerate(wanted) if cells > 0), key=wanted.__getitem__)
    for number, column in enumerate(open_columns):
        more = min(wanted[column], cells_left // (len(open_columns) - number))
        sizes[column] += more
        cells_left -= more
    return sizes


def _least_size(column: Sequence[Content], work: Work) -> int:
    """The cells that a column must have for its words to stay whole, the longest ones excepted."""
    least = 1
    for cell in column:
        words = cell.plain.split()
        work.step(1 + len(words))
        # Between wide characters, a line may be broken anywhere.
        sizes = [size if size == len(word) else 2 for word in words for size in [cell_len(word)]]
        least = max(least, min(_NARROWEST_COLUMN, _natural_width(cell)), max(sizes, default=0))
    return min(least, _LONGEST_WORD)


def _natural_width(content: Content) -> int:
    """The cells of a text's widest line."""
    if "\n" not in content.plain:
        return content.cell_length
    return max(line.cell_length for line in content.split("\n", allow_blank=True))


def _line_rows(cells: Sequence[Content], sizes: Sequence[int]) -> list[Row]:
    """The rows of a line. The first column is their indent."""
    columns = [lines_of(cell, size) for cell, size in zip(cells, sizes, strict=True)]
    rule = Content(_RULE).stylize(MUTED)
    rows = []
    for number in range(max(map(len, columns))):
        parts = [
            _padded(column[number].content if number < len(column) else Content(), size)
            for column, size in zip(columns, sizes, strict=True)
        ]
        rows.append(Row(rule.join(parts), None, len(parts[0]) + len(_RULE)))
    return rows


def _padded(content: Content, size: int) -> Content:
    return content + Content(" " * max(0, size - content.cell_length))


def _records(head: Sequence[Content], body: Sequence[Sequence[Content]], width: int, work: Work) -> list[Row]:
    """The rows of a table of very many columns: a line for each cell, behind its column's name."""
    names = [_short_name(name).stylize("bold") for name in head]
    rows: list[Row] = []
    for line in body:
        if rows:
            rows.append(Row(Content()))
        for name, cell in zip(names, line, strict=True):
            cell_rows = lines_of(Content.assemble(name, ": ", cell), width)
            work.step(len(cell_rows))
            rows += cell_rows
    return rows


def _short_name(name: Content) -> Content:
    """A column's name, or its beginning and an ellipsis where it is long."""
    # Many characters may take no cell.
    if len(name) <= _LONGEST_NAME and name.cell_length <= _LONGEST_NAME:
        return name
    (row, *_) = wrap(name[:_LONGEST_NAME], _LONGEST_NAME - 1, words=False)
    return row.content + Content("…")
