"""A widget that draws rows itself, which can be selected, copied, searched and clicked.

Of a table or code block that is wider than its place, a window is drawn, with a mark at each edge behind
which there is more. The wheel scrolls the block below the pointer sideways. The keys scroll all that are in
view: nobody has to choose one first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.binding import Binding
from textual.content import Content
from textual.errors import NoWidget
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from moa_tui.text.cells import cell_len, window
from moa_tui.ui.rows.text_rows import extract
from moa_tui.ui.terminal.message import frozen_message

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from textual import events
    from textual.binding import BindingType
    from textual.selection import Selection

    from moa_tui.ui.rows.text_rows import Row

_FOUND_STYLE = "reverse"
# The keys in a style's meta that give a click on a part of a row a meaning.
MARKS = frozenset({"link", "code"})
# A drawn row takes some 2 KB, twenty times as much as its text. High terminals show some 100 at once.
_MOST_DRAWN = 120

SIDEWAYS_KEYS: list[BindingType] = [
    Binding("less_than_sign", "sideways(-1)", "Wide text to the left", id="text.left", show=False),
    Binding("greater_than_sign", "sideways(1)", "Wide text to the right", id="text.right", show=False),
]
"""For the widgets that can have the focus."""
_WHEEL_CELLS = 6
_LEFT_MARK, _RIGHT_MARK = Content("‹"), Content("›")
_MARK_STYLE = "bold $text-accent"
# Cells. A block whose place is narrower is not worth a window.
_NARROWEST_WINDOW = 4


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
        self._hidden_left: dict[int, int] = {}
        """For each block that was scrolled sideways, by its number, the cells left of its window."""
        self._reach: dict[int, int] = {}
        """How far each of them can be scrolled, as of the last layout."""
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
            self._reach.clear()
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
        strip = Strip.join(
            Strip(part.render_segments(style)).apply_offsets(start, y)
            for start, part in self._parts_in_view(y, content)
        ).adjust_cell_length(width, style.rich_style)
        if selection is None:
            self._strips[(y, width)] = strip
            if len(self._strips) > _MOST_DRAWN:
                del self._strips[next(iter(self._strips))]
        return strip

    def _parts_in_view(self, y: int, content: Content) -> list[tuple[int, Content]]:
        """What is drawn of a row, in parts that each begin with the character of the given number."""
        rows = self.rows
        block = rows[y].block if y < len(rows) else None
        if block is None:
            return [(0, content)]
        indent = rows[y].indent
        text = content.plain[indent:].rstrip()
        room = self._text_width - cell_len(content.plain[:indent])
        first = self._hidden_left.get(block, 0)
        if first:
            # The place of the block may have become wider since it was scrolled.
            if block not in self._reach:
                self._reach[block] = self._new_reach(y)
            first = min(first, self._reach[block])
        has_left, has_right = first > 0 and text != "", cell_len(text) > first + room
        if room < _NARROWEST_WINDOW or not (first or has_right):
            return [(0, content)]
        place = window(text, first + has_left, room - has_left - has_right)
        start, end = indent + place.start, indent + place.end
        parts = [(0, content[:indent])] if indent else []
        if has_left:
            parts.append((start, _LEFT_MARK.stylize(_MARK_STYLE)))
        parts.append((start, Content(" " * place.blank_before)))
        if start < end:
            parts.append((start, content[start:end]))
        parts.append((end, Content(" " * place.blank_behind)))
        if has_right:
            parts.append((end, _RIGHT_MARK.stylize(_MARK_STYLE)))
        return [(at, part) for at, part in parts if part]

    @property
    def _text_width(self) -> int:
        """The cells of a row that are not below a scrollbar."""
        return self.scrollable_content_region.width

    def _new_reach(self, y: int) -> int:
        """How many cells the block in row `y` can be scrolled sideways; 0 where it fits."""
        rows, width = self.rows, self._text_width
        block, first, last = rows[y].block, y, y
        while first > 0 and rows[first - 1].block == block:
            first -= 1
        while last + 1 < len(rows) and rows[last + 1].block == block:
            last += 1
        row = rows[y]
        indent = cell_len(row.content.plain[: row.indent])
        if width - indent < _NARROWEST_WINDOW:
            return 0
        return max(0, max(cell_len(row.content.plain.rstrip()) for row in rows[first : last + 1]) - width)

    def _scroll_block(self, y: int, cells: int) -> None:
        """Scroll the block in row `y` sideways, where one is there."""
        rows = self.rows
        block = rows[y].block if 0 <= y < len(rows) else None
        if block is None:
            return
        reach = self._new_reach(y)
        before = min(self._hidden_left.get(block, 0), reach)
        hidden = min(max(0, before + cells), reach)
        if hidden != before or self._reach.get(block) != reach:
            self._hidden_left[block] = hidden
            self.forget()
            self._reach[block] = reach
            self.refresh()

    def unscroll(self) -> None:
        """Have all blocks begin at their left edges, for another text."""
        self._hidden_left.clear()

    def show_in_window(self, y: int, start: int, end: int) -> None:
        """Scroll the block in row `y` so that its characters from `start` to `end` are in view."""
        row = self.rows[y]
        if row.block is None:
            return
        text = row.content.plain
        hidden, indent = self._hidden_left.get(row.block, 0), cell_len(text[: row.indent])
        room = self._text_width - indent
        left, right = cell_len(text[:start]) - indent, cell_len(text[:end]) - indent
        if left < hidden + (hidden > 0) or right > hidden + room - 1:
            self._scroll_block(y, (left + right - room) // 2 - hidden)

    @property
    def rows_in_view(self) -> range:
        """The numbers of the rows that are in view; none where the widget has no place on the screen yet."""
        try:
            seen = self.screen.find_widget(self).visible_region.intersection(self.content_region)
        except NoWidget:  # It may have the focus, and keys, before the screen is laid out.
            return range(0)
        first = seen.y - self.content_region.y + self.scroll_offset.y
        return range(first, min(first + seen.height, len(self.rows)))

    def action_sideways(self, step: int) -> None:
        """Scroll every wide block in view by half of the width; `step` is -1 or 1."""
        rows = self.rows
        for y in {rows[y].block: y for y in self.rows_in_view}.values():
            self._scroll_block(y, step * max(1, self._text_width // 2))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        if event.shift:
            self._wheel(event, -1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        if event.shift:
            self._wheel(event, 1)

    def on_mouse_scroll_left(self, event: events.MouseScrollLeft) -> None:
        self._wheel(event, -1)

    def on_mouse_scroll_right(self, event: events.MouseScrollRight) -> None:
        self._wheel(event, 1)

    def _wheel(self, event: events.MouseEvent, step: int) -> None:
        """Scroll the block below the pointer sideways."""
        place = event.get_content_offset(self)
        if place is not None:
            self._scroll_block(place.y + self.scroll_offset.y, step * _WHEEL_CELLS)

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
