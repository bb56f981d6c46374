"""Text measured, cut and padded by terminal cells.

A wide character takes two cells, a combining one none, and several characters may make one emoji of two
cells, so `len`, `ljust` and format specifiers cannot lay out a column. No function here cuts a character in
half: where only half of a wide one fits, a space takes its place.
"""

from __future__ import annotations

from typing import NamedTuple

from rich.cells import cell_len, set_cell_size, split_graphemes

from moa_tui.text.safe import with_blanked_controls

__all__ = ["cell_len", "cut", "fit", "pad", "shorten", "shorten_middle", "shorten_start", "window"]

_JOINER = "\u200d"
"""The zero-width joiner. At the end of a text it would join the padding or ellipsis behind it to the text."""


def fit(text: str, cells: int, *, right: bool = False) -> str:
    """`text` on one line, exactly `cells` wide; an ellipsis marks where it is cut.

    A shorter text is padded behind, or before where `right` aligns it. Control characters become spaces.
    """
    return pad(shorten(with_blanked_controls(text), cells, strip=False), cells, right=right)


def shorten(text: str, cells: int, *, strip: bool = True) -> str:
    """`text` in at most `cells`; an ellipsis marks where it is cut.

    With `strip` there is no space before the ellipsis.
    """
    if cell_len(text) <= cells:
        return text
    if cells <= 0:
        return ""
    start = cut(text, cells - 1)
    return f"{start.rstrip() if strip else start}…"


def shorten_start(text: str, cells: int) -> str:
    """The end of `text` in at most `cells`; an ellipsis before it marks where it is cut."""
    if cell_len(text) <= cells:
        return text
    if cells <= 0:
        return ""
    spans, _ = split_graphemes(text)
    start, room = len(text), cells - 1
    for begin, _, size in reversed(spans):
        if size > room:
            break
        start, room = begin, room - size
    return f"…{text[start:]}"


def shorten_middle(text: str, cells: int) -> str:
    """`text` in at most `cells`; an ellipsis in its first third marks where it is cut.

    For names whose ends tell them apart, such as those of models.
    """
    if cell_len(text) <= cells:
        return text
    begin = cut(text, cells // 3)
    return begin + shorten_start(text, cells - cell_len(begin))


def cut(text: str, cells: int) -> str:
    """`text` in at most `cells`, without a mark where it is cut."""
    if cell_len(text) <= cells:
        return text
    return set_cell_size(text, cells).rstrip(_JOINER) if cells > 0 else ""


def pad(text: str, cells: int, *, right: bool = False) -> str:
    """`text` in at least `cells`: spaces are added behind it, or before it where `right` aligns it."""
    text = text.rstrip(_JOINER)
    spaces = " " * (cells - cell_len(text))
    return spaces + text if right else text + spaces


class Window(NamedTuple):
    """The characters of a text that are whole in a window, and the blank cells before and behind them."""

    start: int
    end: int
    blank_before: int
    blank_behind: int


def window(text: str, first: int, cells: int) -> Window:
    """What of `text` is seen in a window of so many cells that begins at cell `first`, from 0."""
    if text.isascii():
        start, end = min(first, len(text)), min(first + cells, len(text))
        return Window(start, end, 0, cells - (end - start))
    spans, _ = split_graphemes(text)
    column, start, end = 0, len(text), len(text)
    start_column = end_column = first
    for begin, behind, size in spans:
        if _JOINER in text:
            size = cell_len(text[begin:behind])  # As `text_rows.cuts` does.
        if column >= first and begin < start:
            start, start_column, end_column = begin, column, column
        if column + size > first + cells:
            end = begin
            break
        column += size
        end_column = max(column, start_column)
    if start >= end:
        return Window(end, end, 0, cells)
    return Window(start, end, start_column - first, first + cells - end_column)
