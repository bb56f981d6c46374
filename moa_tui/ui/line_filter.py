"""The second wall: whatever a widget was given, nothing but text and colour leaves for the terminal.

The gateway's border cleans what models send. This one holds even where a widget is handed something else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.filter import LineFilter

if TYPE_CHECKING:
    from textual.color import Color

# Controls of both widths, what changes a reader's direction, and what nobody can see. The joiners U+200C and
# U+200D stay: scripts and emoji need them, and they steer nothing.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e001f]"
)


def visible(text: str) -> str:
    """`text` without the characters a terminal would obey or a reader could not see."""
    return _UNSAFE.sub("", text) if _UNSAFE.search(text) else text


class ControlFilter(LineFilter):
    """Takes control characters and terminal links out of every segment on its way to the screen."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        clean = []
        for segment in segments:
            text, style, control = segment
            # Printable is less than what is let through, and far quicker to know.
            if not text.isprintable() and _UNSAFE.search(text):
                # One cell for one character: what stands behind keeps its column.
                segment = Segment(_UNSAFE.sub(" ", text), style, control)
            if style is not None and style.link:
                segment = Segment(segment.text, style.update_link(None), control)
            clean.append(segment)
        return clean
