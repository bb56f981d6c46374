"""The second wall: whatever a widget was given, nothing but text and colour leaves for the terminal.

The gateway's border cleans what models send. This one holds even where a widget is handed something else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.filter import LineFilter

from moa_tui.text.safe import with_blanked_controls

if TYPE_CHECKING:
    from textual.color import Color


class ControlFilter(LineFilter):
    """Takes control characters and terminal links out of every segment on its way to the screen."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        clean = []
        for segment in segments:
            text, style, control = segment
            # One cell for one character: what stands behind keeps its column.
            safe = with_blanked_controls(text)
            if safe is not text:
                segment = Segment(safe, style, control)
            if style is not None and style.link:
                segment = Segment(segment.text, style.update_link(None), control)
            clean.append(segment)
        return clean
