"""A page of the guide on the whole screen, whose links are followed by keyboard."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.style import Style

from moa_tui import guide
from moa_tui.engine.words import words
from moa_tui.ui.rows import markdown_rows
from moa_tui.ui.rows.rows_widget import MARKS, RowsWidget
from moa_tui.ui.rows.text_rows import Row
from moa_tui.ui.screens.guard import GuardedScreen
from moa_tui.ui.terminal import clipboard
from moa_tui.ui.widgets.key_bar import KeyBar
from moa_tui.ui.widgets.live_text import LiveText

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from textual import events
    from textual.app import ComposeResult

    from moa_tui.guide import Page

    Ranges = Mapping[int, Sequence[tuple[int, int]]]

_WORD = re.compile(r"\w+")
# Rows that are left above what was looked for, so that it is seen where it stands.
_ROWS_ABOVE = 2


@dataclass(frozen=True)
class Place:
    """Where somebody reads: a topic, and the first row in view. `section` is a heading to begin at."""

    topic: str
    row: int = 0
    section: str = ""


@dataclass(frozen=True)
class Target:
    """What Enter follows or copies, and its ranges of characters by the numbers of their rows."""

    meta: Mapping[str, Any]
    ranges: Ranges


class GuideScreen(GuardedScreen[bool]):
    """Shows a page of the guide, and others from there; gives True where the help is to be left as well."""

    HELP_TITLE = "The guide"
    CSS_PATH = "guide_screen.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,backspace", "back", "Back", id="guide.back"),
        Binding("tab", "step(1)", "Next link", id="guide.next_link"),
        Binding("shift+tab", "step(-1)", "Link before", id="guide.previous_link", show=False),
        Binding("enter", "follow", "Follow", id="guide.follow"),
        Binding("right", "turn(1)", "Next page", id="guide.next_page"),
        Binding("left", "turn(-1)", "Page before", id="guide.previous_page"),
        Binding("slash", "search", "Search", id="guide.search"),
    ]

    def __init__(self, topic: str, section: str = "", query: str = "") -> None:
        """Begins at the heading `section`, or where there is most of `query` below it."""
        super().__init__()
        self._place = Place(topic, section=section)
        self._query = query
        self._former: list[Place] = []
        self._targets: list[Target] = []
        self._chosen: Target | None = None
        self._width = 0

    @property
    def _page(self) -> Page:
        return guide.pages()[guide.ORDER.index(self._place.topic)]

    def compose(self) -> ComposeResult:
        with Horizontal(id="guide-frame"):
            yield LiveText(id="guide-page")
        yield KeyBar()

    def on_mount(self) -> None:
        self.query_one(LiveText).focus()

    def on_resize(self, _: events.Resize) -> None:
        self.call_after_refresh(self._lay_out)

    # The page

    def _lay_out(self) -> None:
        """Show the page at the width that it now has, and keep the place where somebody reads."""
        body = self.query_one(LiveText)
        width = body.scrollable_content_region.width
        if width <= 0 or width == self._width:
            return
        is_first, share = not self._width, body.scroll_y / max(1, len(body.rows))
        self._width = width
        self._show()
        if not is_first:
            # Rows differ in number at another width; their share of the page does not.
            body.scroll_to(y=round(share * len(body.rows)), animate=False)

    def _show(self) -> None:
        """Show the page from its place on."""
        body = self.query_one(LiveText)
        page = self._page
        body.border_title = Content(page.title)
        body.border_subtitle = Content(
            f"{page.topic} · {guide.ORDER.index(page.topic) + 1}/{len(guide.ORDER)}"
        )
        rows, code, firsts = _page_rows(page, self._width)
        self._targets, self._chosen = _targets(rows), None
        found: Ranges = {}
        row = self._place.row
        if self._place.section:
            headings = [section.heading for section in page.sections]
            number = headings.index(self._place.section) if self._place.section in headings else 0
            first = firsts[number]
            end = firsts[number + 1] if number + 1 < len(firsts) else len(rows)
            best, found = _best_row(rows[first:end], first, self._query)
            # The heading stays in view where what was looked for is near it.
            is_near = best - first < body.size.height - 1
            row = first if is_near else best - _ROWS_ABOVE
        body.found = found
        body.show_rows(rows, code)
        body.scroll_to(y=row, animate=False)

    def _open(self, topic: str) -> None:
        """Show another page, to which `back` is the way here."""
        self._former.append(Place(self._place.topic, int(self.query_one(LiveText).scroll_y)))
        self._place = Place(topic)
        self._show()

    def action_turn(self, pages: int) -> None:
        number = guide.ORDER.index(self._place.topic) + pages
        if 0 <= number < len(guide.ORDER):
            self._place = Place(guide.ORDER[number])
            self._show()

    def action_back(self) -> None:
        if self._former:
            self._place = self._former.pop()
            self._show()
        else:
            self.dismiss(False)

    def action_search(self) -> None:
        self.dismiss(False)

    # Links, and code to copy

    def action_step(self, steps: int) -> None:
        """Choose the next link; the first in view where the one that is chosen is not."""
        if not self._targets:
            return
        body = self.query_one(LiveText)
        top, bottom = int(body.scroll_y), int(body.scroll_y) + body.size.height
        firsts = [min(target.ranges) for target in self._targets]
        if self._chosen is not None and top <= min(self._chosen.ranges) < bottom:
            number = self._targets.index(self._chosen) + steps
        else:
            below = [number for number, row in enumerate(firsts) if row >= top]
            above = [number for number, row in enumerate(firsts) if row < bottom]
            number = (below[0] if below else 0) if steps > 0 else (above[-1] if above else -1)
        self._chosen = self._targets[number % len(self._targets)]
        body.found = self._chosen.ranges
        body.forget()
        body.refresh()
        self.refresh_bindings()
        row = min(self._chosen.ranges)
        if not top <= row < bottom:
            body.scroll_to(y=row - body.size.height // 2, animate=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return None if action == "follow" and self._chosen is None else True

    def action_follow(self) -> None:
        if self._chosen is None:
            return
        if "code" in self._chosen.meta:
            code = self.query_one(LiveText).code[self._chosen.meta["code"]]
            self.post_message(RowsWidget.CopyRequested(code))
        else:
            self.post_message(RowsWidget.LinkClicked(self._chosen.meta["link"]))

    def on_rows_widget_link_clicked(self, event: RowsWidget.LinkClicked) -> None:
        """Open a page; a link to the web is left to the app."""
        topic = event.address.partition("#")[0].removesuffix(".md")
        if topic in guide.ORDER:
            event.stop()
            self._open(topic)

    async def on_rows_widget_copy_requested(self, event: RowsWidget.CopyRequested) -> None:
        event.stop()
        self.app.notify(await clipboard.copy(self.app, event.text), markup=False)


def _page_rows(page: Page, width: int) -> tuple[list[Row], list[str], list[int]]:
    """The rows of a page, its blocks of code, and the number of each section's first row."""
    lines = page.text.splitlines()
    begins = [section.line for section in page.sections]
    rows: list[Row] = []
    code: list[str] = []
    firsts: list[int] = []
    for begin, end in zip(begins, [*begins[1:], len(lines)], strict=True):
        if rows:
            rows.append(Row(Content()))
        firsts.append(len(rows))
        rendered = markdown_rows.render("\n".join(lines[begin:end]), width, len(code))
        rows += rendered.rows
        code += rendered.code
    return rows, code, firsts


def _targets(rows: Sequence[Row]) -> list[Target]:
    """The links and copy marks in order. A link that the width has broken is one."""
    targets: list[Target] = []
    for number, row in enumerate(rows):
        for span in row.content.spans:
            meta = span.style.meta if isinstance(span.style, Style) else {}
            if not MARKS & meta.keys():
                continue
            ranges = {number: [(span.start, span.end)]}
            last = targets[-1] if targets else None
            if (
                last is not None
                and row.join is not None
                and last.meta == meta
                and max(last.ranges) == number - 1
            ):
                targets[-1] = Target(meta, {**last.ranges, **ranges})
            else:
                targets.append(Target(meta, ranges))
    return targets


def _best_row(rows: Sequence[Row], first: int, query: str) -> tuple[int, Ranges]:
    """The row that has most words of `query`, and the ranges of these words in it; the first without any.

    `first` is the number of the first row.
    """
    asked = set(words(query))
    best, most = first, 0
    for number, row in enumerate(rows[1:], first + 1):
        count = len(asked & set(words(row.content.plain)))
        if count > most:
            best, most = number, count
    if not most:
        return first, {}
    text = rows[best - first].content.plain
    ranges = [(match.start(), match.end()) for match in _WORD.finditer(text) if asked & set(words(match[0]))]
    return best, {best: ranges}
