"""One recipe of a comparison on the whole screen, with a pane for each of its agents."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.content import Content
from textual.widgets import Static

from moa_tui.text.safe import one_line, without_controls
from moa_tui.ui.screens.guard import GuardedScreen
from moa_tui.ui.screens.inspect.inspector_screen import InspectorScreen
from moa_tui.ui.widgets.key_bar import KeyBar
from moa_tui.ui.widgets.run_panel import RunPanel

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from moa_tui.engine.values import CallId
    from moa_tui.ui.rows.rows_widget import RowsWidget
    from moa_tui.ui.run.run_view import RunView
    from moa_tui.ui.widgets.agent_pane import AgentPane

_SECONDS_BETWEEN_TICKS = 0.1


class ComparePanes(GuardedScreen[None]):
    """Shows the agents of one run of a comparison, and follows them while they write."""

    HELP_TITLE = "A recipe's agents"
    HELP_TOPIC = "steering"
    CSS_PATH = "compare_panes.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Back", id="compare.close_panes"),
        Binding("ctrl+t", "reasoning", "Reasoning or text", id="compare.reasoning", show=False),
    ]

    def __init__(
        self, run: RunView, *, copy: Callable[[str], None], stop_call: Callable[[CallId], None]
    ) -> None:
        """`copy` puts a text on the clipboard and notifies the user; `stop_call` ends a call of this run."""
        super().__init__()
        self.run_state = run
        self._copy = copy
        self._stop_call = stop_call

    def compose(self) -> ComposeResult:
        yield Static(id="compare-panes-title", markup=False)
        # A change of an agent makes a sibling turn, so it has to wait until the comparison is in the chat.
        yield RunPanel(can_change=False)
        yield KeyBar()

    def on_mount(self) -> None:
        name = without_controls(one_line(self.run_state.recipe.label))
        self.query_one("#compare-panes-title", Static).update(Content.assemble(("Agents of ", "bold"), name))
        self.query_one(RunPanel).show_run(self.run_state)
        self.set_interval(_SECONDS_BETWEEN_TICKS, self._tick)
        self.call_after_refresh(self._focus_first)

    def _focus_first(self) -> None:
        if panes := self.query_one(RunPanel).panes:
            panes[0].focus()

    def _tick(self) -> None:
        if self.is_current:
            self.query_one(RunPanel).tick()

    def on_agent_pane_inspect_requested(self, event: AgentPane.InspectRequested) -> None:
        self.open(InspectorScreen(self.run_state, event.call, copy=self._copy, stop_call=self._stop_call))

    def on_agent_pane_stop_requested(self, event: AgentPane.StopRequested) -> None:
        self._stop_call(event.call)

    def on_rows_widget_copy_requested(self, event: RowsWidget.CopyRequested) -> None:
        self._copy(event.text)

    def action_reasoning(self) -> None:
        panel = self.query_one(RunPanel)
        panel.show_kind("text" if panel.kind == "reasoning" else "reasoning")

    def action_close(self) -> None:
        self.dismiss()
