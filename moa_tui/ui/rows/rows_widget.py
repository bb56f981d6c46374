"""A widget that draws rows itself, which can be selected, copied, searched and clicked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from moa_tui.ui.rows.text_rows import extract
from moa_tui.ui.terminal.message import frozen_message

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from textual import events
    from textual.selection import Selection

    from moa_tui.ui.rows.text_rows import Row

_FOUND_STYLE = "reverse"
# The keys in a style's meta that give a click on a part of a row a meaning.
MARKS = frozenset({"link", "code"})
# A drawn row takes some 2 KB, twenty times as much as its text. High terminals show some 100 at once.
_MOST_DRAWN = 120


class RowsWidget(Widget):
    """Draws `rows` one at a time. The rows drawn last are kept until they change."""

    ALLOW_SELECT = True

    @frozen_message
    class LinkClicked(Message):
        """A link was clicked. It has not been opened."""

        address: str

    @frozen_message
    class CopyRequested(Message):
        """The user wants this text on the clipboard."""

        text: str

    found: Mapping[int, Sequence[tuple[int, int]]] = {}
    """For each row, by its number, the ranges of characters that a search has found in it."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._strips: dict[tuple[int, int], Strip] = {}
        self.drawn_rows = 0
        """Number of rows drawn since `release` was called last."""

    @property
    def rows(self) -> Sequence[Row]:
        """The rows to draw, from top to bottom."""
        raise NotImplementedError

    @property
    def code(self) -> Sequence[str]:
        """The code blocks in the rows, by the numbers of their copy marks."""
        return ()

    def forget(self, first: int = 0) -> None:
        """Drop the drawn rows from number `first` on, so that they are drawn anew."""
        if first == 0:
            self._strips.clear()
            return
        for key in [key for key in self._strips if key[0] >= first]:
            del self._strips[key]

    def release(self) -> None:
        """Drop all that was drawn, here and in Textual's own cache; what is in view is drawn anew."""
        self.drawn_rows = 0
        self.forget()
        self.refresh()

    def paint(self, y: int, width: int) -> Strip:
        """Draw row `y`, `width` cells wide. There are blank rows behind the last."""
        selection = self.text_selection
        kept_strip = self._strips.get((y, width)) if selection is None else None
        if kept_strip is not None:
            return kept_strip
        self.drawn_rows += 1
        style = self.visual_style
        rows = self.rows
        content = rows[y].content if y < len(rows) else Content()
        for start, end in self.found.get(y, ()):
            content = content.stylize(_FOUND_STYLE, start, end)
        span = selection.get_span(y) if selection is not None else None
        if span is not None:
            start, end = span
            content = content.stylize(
                self.screen.get_visual_style("screen--selection"), start, len(content) if end == -1 else end
            )
        # Only the text has the widget's style, which carries the background of everything below the widget.
        strip = Strip(content.render_segments(style)).adjust_cell_length(width, style.rich_style)
        strip = strip.apply_offsets(0, y)
        if selection is None:
            self._strips[(y, width)] = strip
            if len(self._strips) > _MOST_DRAWN:
                del self._strips[next(iter(self._strips))]
        return strip

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        start, end = selection
        return (
            extract(
                self.rows,
                None if start is None else (start.y, start.x),
                None if end is None else (end.y, end.x),
            ),
            "\n",
        )

    def selection_updated(self, selection: Selection | None) -> None:
        self.forget()
        self.refresh()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self.forget()

    def on_click(self, event: events.Click) -> None:
        meta = event.style.meta
        if "link" in meta:
            event.stop()
            self.post_message(self.LinkClicked(str(meta["link"])))
        elif "code" in meta and int(meta["code"]) < len(self.code):
            event.stop()
            self.post_message(self.CopyRequested(self.code[int(meta["code"])]))
