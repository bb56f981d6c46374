"""Screens about a whole run: its calls as a waterfall over time, and what the answer shares with them."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from moa_tui.text.safe import without_controls
from moa_tui.text.wording import one_line
from moa_tui.ui.run.influence import influence_rows
from moa_tui.ui.run.timeline import timeline
from moa_tui.ui.widgets.key_bar import KeyBar
from moa_tui.ui.widgets.live_text import LiveText

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from moa_tui.ui.run.run_view import RunView


_SECONDS_BETWEEN_LOOKS = 0.25


class RunScreen(Screen[None]):
    """Rows about a whole run between a head and a foot, drawn anew while the run goes on and when resized."""

    CSS_PATH = "run_screens.tcss"

    def __init__(self, run: RunView) -> None:
        super().__init__()
        self.run_state = run
        self._drawn: object = None

    def compose(self) -> ComposeResult:
        yield Static(id="run-title", markup=False)
        yield Static(id="run-head", markup=False)
        yield LiveText(id="run-rows")
        yield Static(id="run-foot", markup=False)
        yield KeyBar()

    def on_mount(self) -> None:
        self.set_interval(_SECONDS_BETWEEN_LOOKS, self.tick)
        self.call_after_refresh(self.tick)

    def on_screen_resume(self) -> None:
        self.tick()

    def tick(self) -> None:
        """Draw what has changed since the last look."""
        rows = self.query_one("#run-rows", LiveText)
        width = rows.scrollable_content_region.width
        state = (width, self.run_state.outcome) if self.run_state.over else (width, self.run_state.now)
        if width > 0 and self.is_current and state != self._drawn:
            self._drawn = state
            self.draw(rows, width)

    @abstractmethod
    def draw(self, rows: LiveText, width: int) -> None:
        """Show the run as it stands, in rows of `width` cells at most."""

    def set_texts(self, title: str, head: Content, foot: Content) -> None:
        """Show the title, and the texts above and below the rows; an empty one takes no room."""
        name = without_controls(one_line(self.run_state.recipe.name))
        contents = {
            "title": Content.assemble((title, "bold"), f"  {name}"),
            "head": head,
            "foot": foot,
        }
        for part, content in contents.items():
            widget = self.query_one(f"#run-{part}", Static)
            if widget.content != content:
                widget.update(content)
            widget.display = bool(content)

    def action_close(self) -> None:
        self.dismiss()


class TimelineScreen(RunScreen):
    """Shows when each call of a run waited and wrote."""

    HELP_TITLE = "Timeline"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+o", "close", "Close", id="timeline.close"),
    ]

    def draw(self, rows: LiveText, width: int) -> None:
        shown = timeline(self.run_state, width)
        axis, notes = (Content("\n").join(row.content for row in part) for part in (shown.axis, shown.notes))
        self.set_texts("Timeline", axis, notes)
        rows.show_rows(shown.calls)


class InfluenceScreen(RunScreen):
    """A bar for each proposer, then diversity and novelty; or why there is nothing to show."""

    HELP_TITLE = "Influence"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+o", "close", "Close", id="influence.close"),
    ]

    def draw(self, rows: LiveText, width: int) -> None:
        self.set_texts("Influence", Content(), Content())
        rows.show_rows(influence_rows(self.run_state, width))
