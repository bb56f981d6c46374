"""The points drawn from the answers, each with a box: what is left unticked stays out of the final answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from rich.table import Table
from rich.text import Text
from textual import on
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static

from moa_tui.ui.widgets.key_bar import KeyBar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

Decision = Literal["go on", "stop"]


class ChecklistScreen(ModalScreen[Decision | None]):
    """Lets the person tick points, in the set handed in, and gives what the run should do; None: wait on."""

    HELP_TITLE = "The checklist"
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
        self._count()

    @on(OptionList.OptionSelected)
    def action_tick(self) -> None:
        """Tick the point under the cursor, or take its tick away."""
        at = self.query_one(OptionList).highlighted
        if at is not None:
            self._ticked ^= {at}
            self._redraw([at])

    def action_tick_all(self, ticked: bool) -> None:
        """Tick every point, or none."""
        every = range(len(self._points))
        self._ticked.clear()
        self._ticked.update(every if ticked else ())
        self._redraw(every)

    def _redraw(self, places: Iterable[int]) -> None:
        options = self.query_one(OptionList)
        for at in places:
            options.replace_option_prompt_at_index(at, self._row(at))
        self._count()

    def _count(self) -> None:
        words = f"{len(self._ticked)} of {len(self._points)} points go into the answer, the others stay out"
        self.query_one("#title", Static).update(Content(words))

    def _row(self, at: int) -> Table:
        """The box, and beside it the point, which is a model's text: nothing in it is markup."""
        row = Table.grid(padding=(0, 1))
        row.add_row(Text("[x]" if at in self._ticked else "[ ]"), Text(self._points[at], overflow="fold"))
        return row
