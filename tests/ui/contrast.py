"""What stands on a screen, cell by cell, and how far its colour is from the ground below it.

The contrast ratio is that of the Web Content Accessibility Guidelines 2.2: (L1 + 0.05) / (L2 + 0.05) of the
relative luminances of both colours, from 1 to 21.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from textual.color import Color
from textual.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.color import Color as RichColor
    from textual.app import App
    from textual.widget import Widget


class Cells(NamedTuple):
    """A piece of a row: its text in one style, with both colours as drawn, and where its first cell is."""

    text: str
    colour: Color
    ground: Color
    is_disabled: bool
    """True for words that are struck through, as a key that does nothing at the moment."""
    x: int
    y: int

    @property
    def ratio(self) -> float:
        return contrast(self.colour, self.ground)

    @property
    def is_decoration(self) -> bool:
        """True where there are only lines, blocks and bars, as of frames and scrollbars."""
        return all("\u2500" <= character <= "\u259f" or character.isspace() for character in self.text)


@cache
def luminance(red: int, green: int, blue: int) -> float:
    """The relative luminance of an sRGB colour, 0 to 1."""
    shares = [channel / 255 for channel in (red, green, blue)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Color, other: Color) -> float:
    """The contrast ratio of two colours without transparency."""
    lights = sorted(luminance(*colour.rgb) for colour in (one, other))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def cells(app: App[None]) -> Iterator[Cells]:
    """What can be seen on the uppermost screen. Blank cells, and those of screens below, are left out."""
    for y, strip in enumerate(app.screen._compositor.render_strips()):
        x = 0
        for text, style, _ in strip:
            width = len(text)
            if text.strip() and style is not None:
                colour, ground = _rgb(style.color), _rgb(style.bgcolor)
                if style.reverse:
                    colour, ground = ground, colour
                yield Cells(text, colour, ground, bool(style.strike), x, y)
            x += width


def widget_at(app: App[None], place: Cells) -> Widget | None:
    """The widget that has drawn these cells; None where they are a screen's below a dialog."""
    start = place.x + len(place.text) - len(place.text.lstrip())
    widget, _ = app.screen.get_widget_at(start, place.y)
    return None if isinstance(widget, Screen) else widget


def _rgb(colour: RichColor | None) -> Color:
    assert colour is not None
    assert colour.triplet is not None, colour
    return Color(*colour.triplet)
