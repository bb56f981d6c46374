"""A pane's text: it grows without a layout of the screen, and is rendered as Markdown once it is complete."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual import work
from textual.binding import Binding
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.widget import Widget

from moa_tui.ui.rows import markdown_rows, passage
from moa_tui.ui.rows.layout_thread import on_layout_thread
from moa_tui.ui.rows.rows_widget import SIDEWAYS_KEYS, RowsWidget
from moa_tui.ui.rows.text_rows import GrowingText, extract

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.binding import BindingType
    from textual.strip import Strip

    from moa_tui.ui.rows.text_rows import Row


class LiveText(RowsWidget, ScrollView, can_focus=True, inherit_bindings=False):
    """Text that grows at its end, which stays in view except while the user has scrolled away from it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "scroll_up", "Up", id="text.up", show=False),
        Binding("down", "scroll_down", "Down", id="text.down", show=False),
        Binding("pageup", "page_up", "Page up", id="text.page_up", show=False),
        Binding("pagedown", "page_down", "Page down", id="text.page_down", show=False),
        Binding("home", "scroll_home", "To the beginning", id="text.home", show=False),
        Binding("end", "scroll_end", "To the end", id="text.end", show=False),
        *SIDEWAYS_KEYS,
    ]
    DEFAULT_CSS = """
    LiveText {
        width: 1fr; height: 1fr; overflow-x: hidden; overflow-y: auto;
        scrollbar-size-vertical: 1; scrollbar-gutter: stable;
        scrollbar-background: $background; scrollbar-background-hover: $background;
        scrollbar-color: $scrollbar; scrollbar-color-hover: $scrollbar-hover;
        scrollbar-color-active: $scrollbar-active; scrollbar-background-active: $background;
    }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._text = GrowingText()
        self._rendered = markdown_rows.Rendered()
        self._is_markdown = False
        self._follows_end = True
        self._has_given_rows = False
        self._passage: tuple[int, int] | None = None
        """Where the marked passage of the text begins and ends, in characters."""
        self._thumb = (0, 0, 0)
        self._place: _Place | None = None

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

    @property
    def is_read_back(self) -> bool:
        """True while the reader has scrolled to the middle of the text."""
        return not self._follows_end and 0 < self.scroll_y < len(self._text.rows) - self.size.height

    def append(self, text: str) -> None:
        """Add `text` to what is shown, without Markdown."""
        first_changed = self._text.append(text)
        self.forget(first_changed)
        self._update_height(first_changed)

    def show(self, text: str, *, markdown: bool = False, follow: bool = False) -> None:
        """Show another text, as Markdown or as plain lines. `follow` scrolls to its end as it grows."""
        self._is_markdown = markdown
        self._follows_end = follow
        self._passage, self.found = None, {}
        self._has_given_rows = False
        self._place = None
        if text != self._text.source:
            self.unscroll()
        if text != self._text.source or self._text.rendered_characters or self._text.is_preview:
            self._text.replace(text)
            self._rendered = markdown_rows.Rendered()
            self.forget()
        self._update_height()
        if not follow:
            self.scroll_to(y=0, animate=False)
        self._lay_out()

    def mark(self, start: int, end: int) -> None:
        """Mark the passage of the text from character `start` to `end`, and scroll to it.

        Where the text is being rendered, that is done once it is; and anew in another width.
        """
        self._passage = (start, end)
        self._show_passage()

    def _show_passage(self) -> None:
        if self._passage is None or not self._text.width:
            return
        is_rendered = bool(self._text.rendered_characters)
        parts = passage.places_of(self.rows, self.source, *self._passage, is_markdown=is_rendered)
        self.found = {row: [(start, end)] for row, start, end in parts}
        self.forget()
        if parts:
            self.show_in_window(*parts[0])
        first = parts[0][0] if parts else passage.nearest_row(self.rows, self.source, self._passage[0])
        self.scroll_to(y=max(0, first - self.size.height // 3), animate=False)
        self.refresh()

    def finish(self, text: str) -> None:
        """Show the complete `text` as Markdown, and keep the reader's place in it."""
        if text != self._text.source:
            self._text.preview(text, self._text.width)
            self.forget()
        self._has_given_rows = False
        self._is_markdown = True
        self._lay_out()

    def show_rows(self, rows: Sequence[Row], code: Sequence[str] = ()) -> None:
        """Show rows that were laid out elsewhere, and keep the reader's place in them.

        A change of width leaves them as they are. `code` holds the texts that the rows' copy marks copy, by
        the marks' numbers.
        """
        self._is_markdown = self._follows_end = False
        self._has_given_rows = True
        text = GrowingText()  # Without a width at first, so that nothing is laid out twice.
        text.append(extract(rows, None, None) or " ")
        text.show_rendered(len(text.source), rows)
        text.width = self._text.width
        self._text, self._rendered = text, markdown_rows.Rendered(list(rows), list(code))
        self.forget()
        self._update_height()

    def _lay_out(self) -> None:
        """Render the text as Markdown, where it is to be shown so and its width is known."""
        if self._is_markdown and self._text.width and self._text.source:
            self._render_markdown()

    @work(exclusive=True)
    async def _render_markdown(self) -> None:
        source, width = self._text.source, self._text.width
        rendered = await on_layout_thread(markdown_rows.render, source, width)
        if not self._is_markdown or (source, width) != (self._text.source, self._text.width):
            return  # The text or the width has changed meanwhile, and is rendered by another worker.
        self._rendered = rendered
        self._text.show_rendered(len(source), rendered.rows)
        self.forget()
        if self._place is not None and self._place.row_now == self.scroll_y:
            self._return_to_place()
        self._update_height()
        self._show_passage()
        self.draw_thumb()

    def _update_height(self, first_changed: int = 0) -> None:
        """Set the height of what is scrolled to the number of rows, without a layout of the screen.

        Only the rows from number `first_changed` on are drawn anew, unless the text scrolls.
        """
        top = self.scroll_offset.y
        count = len(self._text.rows)
        self.set_reactive(Widget.virtual_size, Size(self._text.width, count))
        self.show_vertical_scrollbar = count > self.size.height
        bottom = max(0, count - self.size.height)
        if self._follows_end or self.scroll_y > bottom:
            self.scroll_to(y=bottom, animate=False, force=True)
        self._move_thumb()
        first_in_view = max(0, first_changed - top)
        if self.scroll_offset.y == top and first_in_view < self.size.height:
            self.refresh(Region(0, first_in_view, self.size.width, self.size.height - first_in_view))

    def _move_thumb(self) -> None:
        """Move the scrollbar's thumb only where it comes to other rows: drawing it costs as much as text."""
        count, height = self.virtual_size.height, self.size.height
        if not self.show_vertical_scrollbar or not count:
            return
        thumb = (round(self.scroll_y * height / count), height * height // count, height)
        if thumb != self._thumb:
            self._thumb = thumb
            self.draw_thumb()

    def draw_thumb(self) -> None:
        """Draw the scrollbar's thumb in its exact place, once the text has stopped growing."""
        if self.show_vertical_scrollbar:
            self.vertical_scrollbar.window_virtual_size = self.virtual_size.height
            self.vertical_scrollbar.position = self.scroll_y

    # Scrolling. It is not animated, because an animation would end half way when text is appended.

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
            self._remember_place()
            if self._has_given_rows:
                self._text.width = width
            elif self._is_markdown:
                self._text.preview(self._text.source, width)
                self._lay_out()
            else:
                self._text.resize(width)
                self._return_to_place()
            self.forget()
            self._update_height()
            self._show_passage()
        self._update_height()

    def _remember_place(self) -> None:
        """Note which letter is in the first row, unless it is still the one of an earlier width."""
        if self._follows_end or not self.scroll_y:
            self._place = None
        elif self._place is None or self._place.row_now != self.scroll_y:
            rows, row = self._text.rows, self.scroll_offset.y
            self._place = _Place(sum(map(_letters, rows[:row])), self._text.width, row, row)

    def _return_to_place(self) -> None:
        """Scroll to the letter that was in the first row before the width changed."""
        if self._place is None:
            return
        letters_above, width, row, _ = self._place
        if width != self._text.width:
            row = _row_of(letters_above, self._text.rows)
        self.set_reactive(Widget.virtual_size, Size(self._text.width, len(self._text.rows)))
        self.scroll_to(y=row, animate=False, force=True, immediate=True)
        self._place = self._place._replace(row_now=self.scroll_y)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        # Textual's own method is left out on purpose: it draws the scrollbar at each step.
        self._move_thumb()
        if round(old_value) != round(new_value):
            self.refresh(self.size.region)  # Without the frame, which does not scroll.
        self._follows_end = new_value >= self.virtual_size.height - self.size.height

    def render_line(self, y: int) -> Strip:
        return self.paint(y + int(self.scroll_offset.y), self.size.width)


class _Place(NamedTuple):
    """A reader's place in a text, while its width changes and until he scrolls."""

    letters_above: int
    width: int
    row: int
    """The first row in view, at that width."""
    row_now: float
    """The first row in view at the present width."""


def _letters(row: Row) -> int:
    """How many letters a row has. Those of a text are the same at every width, but for layout."""
    text = row.content.plain
    return len(text) - text.count(" ")


def _row_of(letters_above: int, rows: Sequence[Row]) -> int:
    """The row with the letter that has so many others above it."""
    above = 0
    for number, row in enumerate(rows):
        above += _letters(row)
        if above > letters_above:
            return number
    return max(0, len(rows) - 1)
