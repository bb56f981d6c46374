"""The second wall against control characters: nothing but text and colour is sent to the terminal.

The gateway cleans what models send. This filter works on what is drawn, from whatever source it comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style
from textual.filter import LineFilter

from moa_tui.text.safe import with_blanked_controls

if TYPE_CHECKING:
    from textual.color import Color


class ControlFilter(LineFilter):
    """Removes terminal links, and blanks control characters, in every segment before it is drawn."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        safe_segments = []
        for segment in segments:
            text, style, control = segment
            # Each character becomes one cell, so that the text behind it keeps its column.
            safe_text = with_blanked_controls(text)
            if safe_text is not text:
                segment = Segment(safe_text, style, control)
            if style is not None and style.link:
                segment = Segment(segment.text, style.update_link(None), control)
            safe_segments.append(segment)
        return safe_segments


_STILL = Style(blink=False, blink2=False)


class StillFilter(LineFilter):
    """Has the terminal make no text blink, whatever a theme wants."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [
            Segment(segment.text, segment.style + _STILL, segment.control)
            if segment.style is not None and (segment.style.blink or segment.style.blink2)
            else segment
            for segment in segments
        ]
