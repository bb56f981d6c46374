"""What the final answer shares with the agents' answers, full screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.content import Content

from moa_tui.ui.influence import influence_rows
from moa_tui.ui.timeline_screen import RunScreen

if TYPE_CHECKING:
    from textual.binding import BindingType

    from moa_tui.ui.live_text import LiveText


class InfluenceScreen(RunScreen):
    """A bar for each proposer, then diversity and novelty; or why there is nothing to show."""

    HELP_TITLE = "Influence"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+o", "close", "Close", id="influence.close"),
    ]

    def draw(self, rows: LiveText, width: int) -> None:
        self.set_texts("Influence", Content(), Content())
        rows.show_rows(influence_rows(self.run_state, width))
