"""Where a passage of a text stands in the rows that the text was laid out in. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from moa_tui.ui.rows import markdown_rows
from moa_tui.ui.rows.text_rows import find

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moa_tui.ui.rows.text_rows import Row

# What of a passage is looked for, in characters; a longer one is marked at its beginning.
_LONGEST = 2_000
_SHORTEST_PART = 3
# A width in which no line of a passage is broken.
_WIDE = 4 * _LONGEST


def places_of(
    rows: Sequence[Row], source: str, start: int, end: int, *, is_markdown: bool
) -> list[tuple[int, int, int]]:
    """The passage of `source` from character `start` to `end` in its rows, as (row, start, end) for each row.

    Of a passage that is not laid out in one piece, as a row of a table, the first piece that is found. None
    where it is nowhere.
    """
    passage = source[start : min(end, start + _LONGEST)]
    earlier = source.count(passage, 0, start) if passage else 0
    for words in _parts(passage, is_markdown=is_markdown):
        occurrences = find(rows, words)
        if occurrences:
            return occurrences[min(earlier, len(occurrences) - 1)]
    return []


def _parts(passage: str, *, is_markdown: bool) -> list[str]:
    """The passage as it is shown, and behind it the pieces that may be found by themselves."""
    if is_markdown:
        shown = " ".join(row.content.plain.strip() for row in markdown_rows.render(passage, _WIDE).rows)
    else:
        shown = passage.strip()
    pieces = [piece.strip() for piece in re.split(r"[|│\n]", shown)]
    return [each for each in (shown.strip(), *pieces) if len(each) >= _SHORTEST_PART]


def nearest_row(rows: Sequence[Row], source: str, start: int) -> int:
    """About the row of character `start` of `source`, where the text there cannot be found in the rows."""
    return len(rows) * start // max(1, len(source))
