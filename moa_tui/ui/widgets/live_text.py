"""A pane's text: grows without a layout of the screen, becomes rendered Markdown when it is whole."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.binding import Binding
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.widget import Widget

from moa_tui.ui.rows.markdown_rows import Rendered, render
from moa_tui.ui.rows.rows_widget import RowsWidget
from moa_tui.ui.rows.text_rows import GrowingText, extract

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.binding import BindingType
    from textual.strip import Strip

    from moa_tui.ui.rows.text_rows import Row


class LiveText(RowsWidget, ScrollView, can_focus=True, inherit_bindings=False):
    """Append-only text. It scrolls with its end, except while the user has scrolled away from there."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "scroll_up", "Up", id="text.up", show=False),
        Binding("down", "scroll_down", "Down", id="text.down", show=False),
        Binding("pageup", "page_up", "Page up", id="text.page_up", show=False),
        Binding("pagedown", "page_down", "Page down", id="text.page_down", show=False),
        Binding("home", "scroll_home", "To the beginning", id="text.home", show=False),
        Binding("end", "scroll_end", "To the end", id="text.end", show=False),
    ]
    DEFAULT_CSS = """
    LiveText {
        width: 1fr; height: 1fr; overflow-x: hidden; overflow-y: auto;
        scrollbar-size-vertical: 1; scrollbar-gutter: stable;
        scrollbar-background: $background; scrollbar-background-hover: $background;
        scrollbar-color: $foreground 25%; scrollbar-color-hover: $foreground 50%;
        scrollbar-color-active: $foreground 50%; scrollbar-background-active: $background;
    }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._text = GrowingText()
        self._rendered = Rendered()
        self._markdown = False
        self._follow = True
        self._given_rows = False
        self._thumb = (0, 0, 0)

    @property
    def rows(self) -> Sequence[Row]:
        return self._text.rows

    @property
    def code(self) -> Sequence[str]:
        return self._rendered.code

    @property
    def source(self) -> str:
        """The whole text, as it was given."""
        return self._text.source

    def append(self, text: str) -> None:
        """Add `text` to what is shown, without Markdown."""
        self.forget(self._text.append(text))
        self._grown()

    def show(self, text: str, *, markdown: bool = False, follow: bool = False) -> None:
        """Show another text, as Markdown or as it is written. `follow` scrolls to its end as it grows."""
        self._markdown = markdown
        self._follow = follow
        self._given_rows = False
        if text != self._text.source or self._text.settled:
            self._text.replace(text)
            self.forget()
        self._grown()
        if not follow:
            self.scroll_to(y=0, animate=False)
        self._lay_out()

    def finish(self, text: str) -> None:
        """Show the whole `text` as Markdown, and keep the reader's place in it."""
        if text != self._text.source:
            self._text.replace(text)
            self.forget()
        self._given_rows = False
        self._markdown = True
        self._lay_out()

    def show_rows(self, rows: Sequence[Row], code: Sequence[str] = ()) -> None:
        """Show rows that were laid out elsewhere, and keep the reader's place. They keep their width.

        `code` holds the texts that the rows' copy marks copy, by the marks' numbers.
        """
        self._markdown = self._follow = False
        self._given_rows = True
        text = GrowingText()  # Without a width at first, so that nothing is laid out twice.
        text.append(extract(rows, None, None) or " ")
        text.settle(len(text.source), rows)
        text.width = self._text.width
        self._text, self._rendered = text, Rendered(list(rows), list(code))
        self.forget()
        self._grown()

    def _lay_out(self) -> None:
        if self._markdown and self._text.width and self._text.source:
            self._settle()

    @work(exclusive=True)
    async def _settle(self) -> None:
        source, width = self._text.source, self._text.width
        rendered = await asyncio.to_thread(render, source, width)
        if not self._markdown or (source, width) != (self._text.source, self._text.width):
            return  # Another text or width came meanwhile, and with it another call of this.
        self._rendered = rendered
        self._text.settle(len(source), rendered.rows)
        self.forget()
        self._grown()
        self.settle_thumb()

    def _grown(self) -> None:
        """Take over the number of rows as the height, without the layout pass that setting it would cause."""
        count = len(self._text.rows)
        self.set_reactive(Widget.virtual_size, Size(self._text.width, count))
        self.show_vertical_scrollbar = count > self.size.height
        bottom = max(0, count - self.size.height)
        if self._follow or self.scroll_y > bottom:
            self.scroll_to(y=bottom, animate=False, force=True)
        self._move_thumb()
        self.refresh()

    def _move_thumb(self) -> None:
        """Move the scrollbar's thumb where its row changes: drawing it costs as much as text."""
        count, height = self.virtual_size.height, self.size.height
        if not self.show_vertical_scrollbar or not count:
            return
        thumb = (round(self.scroll_y * height / count), height * height // count, height)
        if thumb != self._thumb:
            self._thumb = thumb
            self.settle_thumb()

    def settle_thumb(self) -> None:
        """Draw the scrollbar's thumb in its exact place, once the text rests."""
        if self.show_vertical_scrollbar:
            self.vertical_scrollbar.window_virtual_size = self.virtual_size.height
            self.vertical_scrollbar.position = self.scroll_y

    # At once: what is appended meanwhile would end an animation half way.

    def action_scroll_up(self) -> None:
        self.scroll_to(y=self.scroll_y - 1, animate=False)

    def action_scroll_down(self) -> None:
        self.scroll_to(y=self.scroll_y + 1, animate=False)

    def action_page_up(self) -> None:
        self.scroll_page_up(animate=False)

    def action_page_down(self) -> None:
        self.scroll_page_down(animate=False)

    def action_scroll_home(self) -> None:
        self.scroll_home(animate=False)

    def action_scroll_end(self) -> None:
        self.scroll_end(animate=False)

    def on_resize(self) -> None:
        width = self.scrollable_content_region.width
        if width and width != self._text.width:
            if self._given_rows:
                self._text.width = width
            else:
                self._text.resize(width)
                self._lay_out()
            self.forget()
        self._grown()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        # Not the library's way: that draws the scrollbar at each step.
        self._move_thumb()
        if round(old_value) != round(new_value):
            self.refresh()
        self._follow = new_value >= self.virtual_size.height - self.size.height

    def render_line(self, y: int) -> Strip:
        return self.paint(y + int(self.scroll_offset.y), self.size.width)
