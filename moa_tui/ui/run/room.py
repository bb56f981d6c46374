"""How the room of the screen is divided between the conversation and the panes, and among the panes. Pure.

All lengths are rows and cells. A pane's frame takes two rows and four cells of it, its scrollbar one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Mode = Literal["automatic", "half", "panes", "chat"]
"""What a person has chosen: the panes take what the conversation does not need; half and half; one alone."""
MODES: tuple[Mode, ...] = get_args(Mode)

SIDE_BY_SIDE_WIDTH = 180
"""From so many cells on, the panes stand beside the conversation; below, under it."""
TWO_LAYERS_WIDTH = 200
"""From so many cells on, a layer at work is shown beside the layer that it reads."""

# The panes have to have so many rows before the conversation gets more than the fewest.
_LOWEST_PANEL = 8
_FEWEST_CHAT_ROWS = 3
# Rows by which the conversation may have more than it needs before its room is changed, and by which it is
# given more than it needs when it grows: so the panes do not move at each of its lines.
_SPARE_ROWS = 3
# Cells of the conversation beside the panes: lines that are shorter or longer are hard to read.
_NARROWEST_CHAT, _WIDEST_CHAT = 72, 96

_FRAME_ROWS, _FRAME_CELLS = 2, 5
# A column below this is no place for prose; below the other width there is one column alone.
_NARROWEST_COLUMN = 40
_NARROWEST_FOR_COLUMNS = 100
# Rows of text with which all panes are shown at once rather than a page of them; with fewer where they were.
_ROWS_FOR_ALL, _ROWS_TO_STAY = 8, 5
# Half of what a pane is worth is reached with so many rows and cells of text; lines longer than the last are
# not read more easily.
_HALF_WORTH_ROWS, _HALF_WORTH_CELLS, _WIDEST_TEXT = 10, 36, 72


class Need(NamedTuple):
    """The rows of the conversation: of its newest turn, and of all its turns together."""

    newest: int
    whole: int
    grows: bool = False
    """True while the answer grows in the newest turn."""


class Box(NamedTuple):
    """A place in the panes' room."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Page:
    """The panes of one layer that are on the screen, by their numbers in the layer from 0."""

    panes: tuple[int, ...]
    titles: tuple[int, ...]
    """Those of which the title line alone is shown."""
    number: int
    """The page's number, from 0."""
    count: int
    """How many pages there are."""


def next_mode(mode: Mode) -> Mode:
    """The mode that follows when a person goes through them."""
    return MODES[(MODES.index(mode) + 1) % len(MODES)]


def chat_rows(height: int, mode: Mode, need: Need, before: int | None = None) -> int:
    """How many of `height` rows the conversation has above open panes; 0 where the panes have all.

    It has the rows of its newest turn, and nearly a third where it is longer, but not more than half.
    `before` is what it had; it keeps that where that is about right.
    """
    if mode == "panes":
        return 0
    if mode == "half":
        return height // 2
    most = min(height // 2, max(_FEWEST_CHAT_ROWS, height - _LOWEST_PANEL))
    rows = max(need.newest, min(need.whole, height * 3 // 10))
    if before is None:
        return min(most, rows)
    if rows <= before <= rows + _SPARE_ROWS:
        return min(most, before)
    return min(most, rows + _SPARE_ROWS if need.grows and rows > before else rows)


def chat_columns(width: int, mode: Mode) -> int:
    """How many of `width` cells the conversation has beside open panes; 0 where the panes have all."""
    if mode == "panes":
        return 0
    return width // 2 if mode == "half" else min(_WIDEST_CHAT, max(_NARROWEST_CHAT, width * 2 // 5))


def paginate(
    width: int, height: int, is_folded: Sequence[bool], page: int = 0, *, was_whole: bool = False
) -> Page:
    """Which panes of a layer are on page number `page`, the nearest there is.

    Folded panes have a title line below the others. Those for which there is no line have pages of their own
    behind the others. `was_whole` is True where all were on one page before; they stay so where they can.
    """
    folded = [number for number, fold in enumerate(is_folded) if fold]
    unfolded = [number for number, fold in enumerate(is_folded) if not fold]
    if not unfolded:
        folded, unfolded = [], folded
    lines = min(-(-len(folded) // _title_columns(width)), max(1, height // 4)) if folded else 0
    titles = tuple(folded[: lines * _title_columns(width)])
    size = _page_size(len(unfolded), width, height - lines, was_whole=was_whole)
    others = folded[len(titles) :]
    pages = [(tuple(part), titles) for part in _parts(unfolded, size)]
    if others:
        size = _page_size(len(others), width, height, was_whole=False)
        pages += [(tuple(part), ()) for part in _parts(others, size)]
    number = min(max(0, page), len(pages) - 1)
    return Page(*pages[number], number, len(pages))


def page_of(
    width: int, height: int, is_folded: Sequence[bool], pane: int, *, was_whole: bool = False
) -> Page:
    """The page with this pane."""
    page = paginate(width, height, is_folded, was_whole=was_whole)
    pages = (paginate(width, height, is_folded, number, was_whole=was_whole) for number in range(page.count))
    return next((page for page in pages if pane in page.panes), page)


def boxes(width: int, height: int, panes: int, titles: int) -> tuple[list[Box], list[Box]]:
    """The places of so many panes, and of the title lines below them."""
    title_columns = min(titles, _title_columns(width))
    lines = -(-titles // title_columns) if titles else 0
    columns = _best_columns(panes, width, height - lines)
    return (
        list(_grid(panes, columns, Box(0, 0, width, height - lines))),
        list(_grid(titles, title_columns, Box(0, height - lines, width, lines), stretches=False)),
    )


def section_places(width: int, count: int) -> list[tuple[int, int]]:
    """The left edge and the width of each of so many layers side by side."""
    edges = [width * number // count for number in range(count + 1)] if count else [0]
    return [(left, right - left) for left, right in pairwise(edges)]


def _title_columns(width: int) -> int:
    return max(1, width // _NARROWEST_COLUMN)


def _parts(numbers: list[int], size: int) -> Iterator[list[int]]:
    """The numbers in pages of at most `size`, as even as can be."""
    pages = -(-len(numbers) // size)
    size = -(-len(numbers) // pages)
    return (numbers[start : start + size] for start in range(0, len(numbers), size))


def _grid(count: int, columns: int, place: Box, *, stretches: bool = True) -> Iterator[Box]:
    """So many boxes in rows, which fill `place`. The last row is filled too, if it `stretches`."""
    rows = -(-count // columns) if count else 0
    for row in range(rows):
        top, bottom = place.height * row // rows, place.height * (row + 1) // rows
        in_row = min(columns, count - row * columns)
        parts = in_row if stretches else columns
        for column in range(in_row):
            left, right = place.width * column // parts, place.width * (column + 1) // parts
            yield Box(place.x + left, place.y + top, right - left, bottom - top)


def _page_size(count: int, width: int, height: int, *, was_whole: bool) -> int:
    """How many of so many panes are shown at once: all where they can be read, else what is worth most."""
    fewest = _ROWS_TO_STAY if was_whole else _ROWS_FOR_ALL
    if any(_text_rows(count, columns, height) >= fewest for columns in _columns(width)):
        return count
    lines = max(1, height // (_ROWS_FOR_ALL + _FRAME_ROWS))
    sizes = range(1, min(count, lines * len(_columns(width))) + 1)
    return max(sizes, key=lambda size: _page_worth(size, width, height) * (size / count) ** 0.5)


def _page_worth(size: int, width: int, height: int) -> float:
    return _worth(size, _best_columns(size, width, height), width, height)


def _best_columns(count: int, width: int, height: int) -> int:
    """The number of columns with which so many panes show most."""
    return max(_columns(width), key=lambda columns: _worth(count, min(columns, count), width, height))


def _columns(width: int) -> range:
    """The numbers of columns that there is room for."""
    most = width // _NARROWEST_COLUMN if width >= _NARROWEST_FOR_COLUMNS else 1
    return range(1, max(1, most) + 1)


def _text_rows(count: int, columns: int, height: int) -> int:
    return height // max(1, -(-count // columns)) - _FRAME_ROWS


def _worth(count: int, columns: int, width: int, height: int) -> float:
    """How much can be read in such a grid. A pane with few rows is worth next to nothing."""
    worth = 0.0
    for box in _grid(count, max(1, columns), Box(0, 0, width, height)):
        rows, cells = max(0, box.height - _FRAME_ROWS), max(0, min(_WIDEST_TEXT, box.width - _FRAME_CELLS))
        worth += rows**2 / (rows**2 + _HALF_WORTH_ROWS**2) * cells**2 / (cells**2 + _HALF_WORTH_CELLS**2)
    return worth
