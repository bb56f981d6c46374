"""Figures over the kept conversations: a table by recipe, model, agent and month, sorted by any column.

Where recipes were compared, a last table shows which were preferred.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

from textual import work
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from moa_tui.errors import MoaTuiError
from moa_tui.stats.figures import GroupKind
from moa_tui.stats.preference_table import preference_notes, preference_table
from moa_tui.stats.tables import MEASURES, headline, notes, table, why_nothing
from moa_tui.ui.rows.text_rows import MUTED, Row, wrap
from moa_tui.ui.screens.guard import GuardedDialog
from moa_tui.ui.screens.tabs import clickable, tab_line
from moa_tui.ui.widgets.key_bar import KeyBar
from moa_tui.ui.widgets.live_text import LiveText

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual import events
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from moa_tui.stats.figures import Figures
    from moa_tui.stats.preferences import Preferences
    from moa_tui.stats.tables import Line, Role

Tab = GroupKind | Literal["preferences"]

TABS: tuple[Tab, ...] = (*get_args(GroupKind), "preferences")
_ORDERS = ("name", *MEASURES)
_LEAST_HEIGHT_FOR_NOTES = 24
_STYLES: dict[Role, str] = {
    "head": MUTED,
    "chosen": "bold reverse",
    "name": "bold",
    "figure": "",
    "bar": "$text-primary",
    "muted": MUTED,
}


class StatsScreen(GuardedDialog[None]):
    """Shows one table at a time, with a bar of the column that the table is sorted by."""

    HELP_TITLE = "Statistics"
    HELP_TOPIC = "conversations"
    CSS_PATH = "stats_screen.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close", id="stats.close"),
        *(
            Binding(str(number), f"show_kind('{kind}')", kind.capitalize(), id=f"stats.{kind}", show=False)
            for number, kind in enumerate(TABS, 1)
        ),
        Binding("tab", "step_kind(1)", "Next table", id="stats.next_table"),
        Binding("shift+tab", "step_kind(-1)", "Table before", id="stats.previous_table", show=False),
        Binding("right,s", "step_order(1)", "Sort by the next column", id="stats.next_column"),
        Binding("left,S", "step_order(-1)", "By the one before", id="stats.previous_column"),
    ]

    def __init__(self, load: Callable[[], Figures]) -> None:
        """`load` is called on a thread to count; a MoaTuiError that it raises is shown."""
        super().__init__()
        self._load = load
        self._figures: Figures | None = None
        self._notice = "Counting …"
        """The words that stand in the place of a table; empty where there is one."""
        self._orders: dict[GroupKind, str] = {
            "recipes": "calls",
            "models": "calls",
            "agents": "calls",
            "months": "name",
        }
        self.kind: Tab = "recipes"

    @property
    def order(self) -> str:
        """The column that the table is sorted by: "name" or a key of MEASURES; empty for preferences."""
        return "" if self.kind == "preferences" else self._orders[self.kind]

    @property
    def tabs(self) -> tuple[Tab, ...]:
        """The tables that can be shown; preferences are among them only if recipes were compared."""
        compared = self._figures is not None and self._figures.preferences is not None
        return TABS if compared else TABS[:-1]

    def compose(self) -> ComposeResult:
        with Vertical(id="stats-box"):
            yield Static(id="stats-title", markup=False)
            yield Static(id="stats-tabs", markup=False)
            yield Static(id="stats-head", markup=False)
            yield LiveText(id="stats-rows")
            yield Static(id="stats-notes", markup=False)
            yield KeyBar()

    def on_mount(self) -> None:
        self.query_one(LiveText).focus()
        self._draw_soon()
        self._count()

    def on_resize(self, _: events.Resize) -> None:
        self._draw_soon()

    @work
    async def _count(self) -> None:
        try:
            self._figures = await asyncio.to_thread(self._load)
        except MoaTuiError as error:
            self._notice = str(error)
        else:
            self._notice = why_nothing(self._figures) or ""
            if self._notice and self._figures.preferences is not None:
                # Preferences stay when the conversations that they were given in are deleted.
                self._notice, self.kind = "", "preferences"
        self.refresh_bindings()
        self._draw_soon()

    # The table

    def _draw_soon(self) -> None:
        """Draw once the rows' width is known."""
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        rows = self.query_one(LiveText)
        width = rows.scrollable_content_region.width
        if width <= 0:
            return
        title = "" if self._notice or self._figures is None else headline(self._figures)
        self._set("title", Content.assemble(("Statistics", "bold"), f"  {title}"))
        self._set("tabs", tab_line({kind: kind.capitalize() for kind in self.tabs}, self.kind, "show_kind"))
        if self._notice or self._figures is None:
            self._set("head", Content())
            self._set("notes", Content())
            rows.show_rows(wrap(Content(self._notice).stylize(MUTED), width))
            return
        if self.kind == "preferences" and self._figures.preferences is not None:
            self._draw_preferences(self._figures.preferences, rows, width)
            return
        kind: GroupKind = "recipes" if self.kind == "preferences" else self.kind
        drawn = table(kind, self._figures.groups(kind), width, self._orders[kind])
        self._set("head", Content("").join(_head(text, role) for text, role in drawn.head))
        rows.show_rows([Row(_content(line)) for line in drawn.rows])
        lines = notes(self._figures, drawn.hidden) if self.size.height >= _LEAST_HEIGHT_FOR_NOTES else []
        if drawn.hidden:
            lines.insert(0, f"No room for: {', '.join(drawn.hidden)}. Sorting by one of them shows it.")
        self._set("notes", Content("\n".join(lines)))

    def _draw_preferences(self, preferences: Preferences, rows: LiveText, width: int) -> None:
        drawn = preference_table(preferences, width)
        self._set("head", _content(drawn.head))
        self._set("notes", Content())
        # The notes may be long and have to be read, so they scroll with the table's rows.
        below = [
            row for note in preference_notes(preferences) for row in wrap(Content(note).stylize(MUTED), width)
        ]
        rows.show_rows([*(Row(_content(line)) for line in drawn.rows), Row(Content()), *below])

    def _set(self, part: str, content: Content) -> None:
        widget = self.query_one(f"#stats-{part}", Static)
        widget.update(content)
        widget.display = bool(content)

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "step_order":
            return not self._notice and self.kind != "preferences"
        return parameters != ("preferences",) or "preferences" in self.tabs

    def action_show_kind(self, kind: Tab) -> None:
        if kind != self.kind:
            self.kind = kind
            self.query_one(LiveText).scroll_home(animate=False)
            self.refresh_bindings()
            self._draw()

    def action_step_kind(self, step: int) -> None:
        self.action_show_kind(self.tabs[(self.tabs.index(self.kind) + step) % len(self.tabs)])

    def action_sort(self, order: str) -> None:
        if self.kind != "preferences":
            self._orders[self.kind] = order
        self.query_one(LiveText).scroll_home(animate=False)
        self._draw()

    def action_step_order(self, step: int) -> None:
        self.action_sort(_ORDERS[(_ORDERS.index(self.order) + step) % len(_ORDERS)])

    def action_close(self) -> None:
        self.dismiss(None)


def _head(text: str, role: Role) -> Content:
    """A column's heading, which sorts by that column when it is clicked."""
    name = text.strip()
    if not name:
        return Content(text)
    return clickable(text, f"sort('{name if name in MEASURES else 'name'}')").stylize(_STYLES[role])


def _content(line: Line) -> Content:
    return Content.assemble(*((text, _STYLES[role]) for text, role in line))
