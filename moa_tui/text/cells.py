"""Text measured, cut and padded by terminal cells.

A wide character takes two cells, a combining one none, and several characters may make one emoji of two, so
`len`, `ljust` and format specifiers do not lay out a column. No function here cuts a character in half: where
half of a wide one would fit, a space stands for it.
"""

from __future__ import annotations

import re

from rich.cells import cell_len, set_cell_size, split_graphemes

__all__ = ["cell_len", "cut", "fit", "pad", "shorten", "shorten_start"]

_LINE_BREAKS = re.compile("[\t\n\v\f\r\x85\u2028\u2029]")
# It would join the text to the padding or the ellipsis behind it, and take their cell.
_JOINER = "\u200d"


def fit(text: str, cells: int, *, right: bool = False) -> str:
    """`text` on one line, exactly `cells` wide; what is cut off is marked by an ellipsis.

    It is padded behind, or before if it goes to the `right`. Line breaks and tabs become spaces.
    """
    return pad(shorten(_LINE_BREAKS.sub(" ", text), cells, strip=False), cells, right=right)


def shorten(text: str, cells: int, *, strip: bool = True) -> str:
    """`text` in at most `cells`; what is cut off is marked by an ellipsis, without a space before it."""
    if cell_len(text) <= cells:
        return text
    if cells <= 0:
        return ""
    start = cut(text, cells - 1)
    return f"{start.rstrip() if strip else start}…"


def shorten_start(text: str, cells: int) -> str:
    """The end of `text` in at most `cells`; what is cut off before it is marked by an ellipsis."""
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


def cut(text: str, cells: int) -> str:
    """`text` in at most `cells`, without a mark where it is cut."""
    if cell_len(text) <= cells:
        return text
    return set_cell_size(text, cells).rstrip(_JOINER) if cells > 0 else ""


def pad(text: str, cells: int, *, right: bool = False) -> str:
    """`text` in at least `cells`: spaces are added behind, or before if it goes to the `right`."""
    text = text.rstrip(_JOINER)
    spaces = " " * (cells - cell_len(text))
    return spaces + text if right else text + spaces
