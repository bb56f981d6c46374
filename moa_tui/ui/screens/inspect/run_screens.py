"""Screens about a whole run: its calls as a waterfall over time, and what the answer shares with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from moa_tui.text.safe import one_line, without_controls
from moa_tui.ui.run.influence import influence_rows
from moa_tui.ui.run.timeline import timeline
from moa_tui.ui.screens.guard import GuardedScreen
from moa_tui.ui.widgets.key_bar import KeyBar
from moa_tui.ui.widgets.live_text import LiveText

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from moa_tui.ui.rows.text_rows import Row
    from moa_tui.ui.run.run_view import RunView


_SECONDS_BETWEEN_TICKS = 0.25


@dataclass(frozen=True, slots=True)
class RunPage:
    """What a screen shows of a run at one width: rows that scroll, and texts above and below them."""

    rows: Sequence[Row]
    head: Content = field(default_factory=Content)
    foot: Content = field(default_factory=Content)


class RunSheet(Vertical):
    """Shows a page about a run under a title, and draws the page anew while the run goes on or is resized."""

    DEFAULT_CSS = """
    RunSheet {
        height: 1fr;
        #run-title {
            height: 1; padding: 0 1; background: $panel;
            text-wrap: nowrap; text-overflow: ellipsis;
        }
        #run-head { height: auto; padding: 0 2; text-wrap: nowrap; }
        #run-rows { border: round $border-blurred; padding: 0 1; }
        #run-rows:focus { border: round $border; }
        #run-foot { height: auto; padding: 0 2; color: $text-muted; }
    }
    """

    def __init__(self, run: RunView, title: str, page: Callable[[RunView, int], RunPage]) -> None:
        """`page` makes the page of a run whose rows take at most so many cells."""
        super().__init__()
        self._run_view = run
        self._title = title
        self._page = page
        self._drawn: object = None
        """What the page was last made from."""

    def compose(self) -> ComposeResult:
        yield Static(id="run-title", markup=False)
        yield Static(id="run-head", markup=False)
        yield LiveText(id="run-rows")
        yield Static(id="run-foot", markup=False)

    def on_mount(self) -> None:
        self.set_interval(_SECONDS_BETWEEN_TICKS, self.tick)
        self.call_after_refresh(self.tick)

    def tick(self) -> None:
        """Draw the page if the run or the width has changed since the last tick."""
        run, rows = self._run_view, self.query_one("#run-rows", LiveText)
        width = rows.scrollable_content_region.width
        state = (width, run.outcome) if run.over else (width, run.now)
        if width <= 0 or not self.screen.is_current or state == self._drawn:
            return
        self._drawn = state
        page = self._page(run, width)
        name = without_controls(one_line(run.recipe.label))
        self._set("title", Content.assemble((self._title, "bold"), f"  {name}"))
        self._set("head", page.head)
        self._set("foot", page.foot)
        rows.show_rows(page.rows)

    def _set(self, part: str, content: Content) -> None:
        """Show a text above or below the rows; an empty one takes no room."""
        widget = self.query_one(f"#run-{part}", Static)
        if widget.content != content:
            widget.update(content)
        widget.display = bool(content)


class TimelineScreen(GuardedScreen[None]):
    """Shows when each call of a run waited and wrote."""

    HELP_TITLE = "Timeline"
    HELP_TOPIC = "speed"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+o", "dismiss", "Close", id="timeline.close"),
    ]

    def __init__(self, run: RunView) -> None:
        super().__init__()
        self._sheet = RunSheet(run, "Timeline", _timeline_page)

    def compose(self) -> ComposeResult:
        yield self._sheet
        yield KeyBar()

    def on_screen_resume(self) -> None:
        self._sheet.tick()


class InfluenceScreen(GuardedScreen[None]):
    """A bar for each proposer, then diversity and novelty; or why there is nothing to show."""

    HELP_TITLE = "Influence"
    HELP_TOPIC = "how-it-works"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+o", "dismiss", "Close", id="influence.close"),
    ]

    def __init__(self, run: RunView) -> None:
        super().__init__()
        self._sheet = RunSheet(run, "Influence", _influence_page)

    def compose(self) -> ComposeResult:
        yield self._sheet
        yield KeyBar()

    def on_screen_resume(self) -> None:
        self._sheet.tick()


def _timeline_page(run: RunView, width: int) -> RunPage:
    waterfall = timeline(run, width)
    axis, notes = (
        Content("\n").join(row.content for row in part) for part in (waterfall.axis, waterfall.notes)
    )
    return RunPage(waterfall.calls, axis, notes)


def _influence_page(run: RunView, width: int) -> RunPage:
    return RunPage(influence_rows(run, width))
