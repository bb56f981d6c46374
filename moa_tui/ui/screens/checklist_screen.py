"""The checklist of a run: points of the answers, of which only the ticked ones go into the final answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from rich.table import Table
from rich.text import Text
from textual import on
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static

from moa_tui.ui.screens.guard import GuardedDialog
from moa_tui.ui.widgets.key_bar import KeyBar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

Decision = Literal["go on", "stop"]
"""What a run should do that waits for its checklist."""


class ChecklistScreen(GuardedDialog[Decision | None]):
    """Lets the user tick points, and gives what the run should do; None lets the run go on waiting."""

    HELP_TITLE = "The checklist"
    HELP_TOPIC = "steering"
    CSS_PATH = "checklist_screen.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "dismiss('go on')", "Go on", id="checklist.go_on", priority=True),
        Binding("space", "tick", "Tick or not", id="checklist.tick"),
        Binding("a", "tick_all(True)", "All", id="checklist.all"),
        Binding("n", "tick_all(False)", "None", id="checklist.none"),
        Binding("escape", "dismiss(None)", "Back to the chat", id="checklist.close"),
        Binding("ctrl+x", "dismiss('stop')", "Stop the run", id="checklist.stop"),
    ]

    def __init__(self, points: Sequence[str], ticked: set[int]) -> None:
        """`ticked` has the indices of the ticked points, and is changed at every tick."""
        super().__init__()
        self._points = points
        self._ticked = ticked

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Static(id="title", markup=False)
            yield OptionList(*map(self._row, range(len(self._points))), id="points", markup=False)
            yield KeyBar()

    def on_mount(self) -> None:
        self.query_one(OptionList).highlighted = 0
        self._show_count()

    @on(OptionList.OptionSelected)
    def action_tick(self) -> None:
        """Tick or untick the highlighted point."""
        index = self.query_one(OptionList).highlighted
        if index is not None:
            self._ticked ^= {index}
            self._redraw([index])

    def action_tick_all(self, ticked: bool) -> None:
        """Tick or untick all points."""
        indices = range(len(self._points))
        self._ticked.clear()
        self._ticked.update(indices if ticked else ())
        self._redraw(indices)

    def _redraw(self, indices: Iterable[int]) -> None:
        options = self.query_one(OptionList)
        for index in indices:
            options.replace_option_prompt_at_index(index, self._row(index))
        self._show_count()

    def _show_count(self) -> None:
        words = f"{len(self._ticked)} of {len(self._points)} points go into the answer, the others stay out"
        self.query_one("#title", Static).update(Content(words))

    def _row(self, index: int) -> Table:
        """A box and the point beside it, which is a model's text and must not be read as markup."""
        row = Table.grid(padding=(0, 1))
        row.add_row(
            Text("[x]" if index in self._ticked else "[ ]"), Text(self._points[index], overflow="fold")
        )
        return row
