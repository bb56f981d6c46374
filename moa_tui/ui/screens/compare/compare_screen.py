"""Several recipes' answers to one prompt side by side, of which the best can be chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from moa_tui.errors import MoaTuiError
from moa_tui.text.safe import one_line
from moa_tui.ui.run.follower import RunFollower
from moa_tui.ui.run.run_view import RunView
from moa_tui.ui.screens.compare.compare_panes import ComparePanes
from moa_tui.ui.screens.guard import GuardedScreen
from moa_tui.ui.screens.tabs import clickable
from moa_tui.ui.widgets.answer_pane import AnswerPane
from moa_tui.ui.widgets.key_bar import KeyBar

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual import events
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from moa_tui.chat.comparison import Comparison
    from moa_tui.chat.run_handle import RunHandle
    from moa_tui.ui.rows.rows_widget import RowsWidget

# A tick draws one column, so that a key never waits for all of them; each is drawn 10 times a second.
_TICK_SECONDS = 1 / 30
_MOST_RECIPES = 3
# Cells of a column, frame included; in a narrower one a line of prose holds too few words to be read.
_NARROWEST_COLUMN = 40


class CompareScreen(GuardedScreen[None]):
    """Follows every run of a comparison, and lets the user choose an answer once there is one."""

    HELP_TITLE = "The comparison"
    HELP_TOPIC = "steering"
    CSS_PATH = "compare_screen.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(str(number), f"choose({number})", f"Choose {number}", id=f"compare.choose_{number}")
            for number in range(1, _MOST_RECIPES + 1)
        ),
        Binding("0", "choose(0)", "None is better", id="compare.choose_none"),
        Binding("enter", "panes", "Its agents", id="compare.panes"),
        Binding("y", "copy_answer", "Copy", id="compare.copy"),
        Binding("right,tab", "column(1)", "Next answer", id="compare.next"),
        Binding("left,shift+tab", "column(-1)", "Answer before", id="compare.before", show=False),
        Binding("escape", "leave", "Stop, then leave", id="compare.leave"),
    ]

    def __init__(
        self,
        comparison: Comparison,
        prompt: str,
        *,
        copy: Callable[[str], None],
        on_end: Callable[[], None],
    ) -> None:
        """`copy` puts a text on the clipboard and says so; `on_end` is called once all runs are over."""
        super().__init__()
        self.comparison = comparison
        self.current = 0
        """The column that has the focus, from 0."""
        self._prompt = prompt
        self._copy = copy
        self._on_end = on_end
        self._panes = [
            AnswerPane(RunView(running.turn.recipe), number, hidden=comparison.is_blind)
            for number, running in enumerate(comparison.runs, 1)
        ]
        self._followers = [
            RunFollower(running, pane.run_state)
            for running, pane in zip(comparison.runs, self._panes, strict=True)
        ]
        self._unfinished: set[RunHandle] = set(comparison.runs)
        self._ticks = 0
        self._stopping = self._leaving = False
        self._verdict_words = ""
        """What was chosen, in words; empty before the choice."""

    def compose(self) -> ComposeResult:
        yield Static(id="compare-title", markup=False)
        yield Static(id="compare-tabs", markup=False)
        with Horizontal(id="compare-columns"):
            yield from self._panes
        yield Static(id="compare-words", markup=False)
        yield KeyBar()

    def on_mount(self) -> None:
        mode = "Blind comparison" if self.comparison.is_blind else "Comparison"
        title = Content.assemble((mode, "bold"), f"  {one_line(self._prompt[:500])}")
        self.query_one("#compare-title", Static).update(title)
        self._panes[0].focus()
        self._ticker = self.set_interval(_TICK_SECONDS, self._tick)
        self._draw_question()

    # The runs

    def _tick(self) -> None:
        self._ticks += 1
        number = self._ticks % _MOST_RECIPES
        if number < len(self._panes):
            running, pane = self.comparison.runs[number], self._panes[number]
            if running in self._unfinished and self._followers[number].advance():
                self._end(running, pane)
            pane.tick()
            self._draw_tabs()
        if not self._unfinished and self._ticks % _MOST_RECIPES == 0:
            if self._leaving:
                self.dismiss()
            # All runs are over and drawn: nothing changes from here on.
            self._ticker.pause()

    def _end(self, running: RunHandle, pane: AnswerPane) -> None:
        self._unfinished.discard(running)
        if not pane.run_state.over:
            fault = self.comparison.fault(running)
            pane.why_not = str(fault) if isinstance(fault, MoaTuiError) else "stopped before it began"
        self.refresh_bindings()
        self._draw_question()
        if not self._unfinished:
            self._on_end()

    # What is shown

    def _draw_question(self) -> None:
        if self._verdict_words:
            words = self._verdict_words
        elif any(pane.is_answered for pane in self._panes):
            words = "Which is better? Choose it by its number, or none of them."
        elif self._unfinished:
            words = "The first answer that is whole can be chosen."
        else:
            words = "There is no answer to choose."
        content = Content(words).stylize("bold") if self._verdict_words else Content(words)
        self.query_one("#compare-words", Static).update(content)

    def _draw_tabs(self) -> None:
        tabs = self.query_one("#compare-tabs", Static)
        if not tabs.display:
            return
        items = []
        for column, pane in enumerate(self._panes):
            is_current = column == self.current
            words = clickable(f" {pane.name_words} {pane.state_words} ", f"show({column})")
            items.append(words.stylize("bold reverse") if is_current else words)
        content = Content("│").join(items)
        if tabs.content != content:
            tabs.update(content)

    def on_resize(self, event: events.Resize) -> None:
        narrow = event.size.width // len(self._panes) < _NARROWEST_COLUMN
        self.set_class(narrow, "-narrow")
        self._show_columns()

    def _show_columns(self) -> None:
        narrow = self.has_class("-narrow")
        for column, pane in enumerate(self._panes):
            pane.display = not narrow or column == self.current
        self.call_after_refresh(self._draw_tabs)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        if isinstance(event.widget, AnswerPane):
            self.current = self._panes.index(event.widget)

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        match action, parameters:
            case "choose", (int(number),):
                if self.comparison.is_decided or number > len(self._panes):
                    return False
                choosable = self._panes[number - 1 : number] if number else self._panes
                return any(pane.is_answered for pane in choosable) or None
            case "panes", _:
                return not self._panes[self.current].hidden
            case _:
                return True

    def action_show(self, column: int) -> None:
        self.current = column
        self._show_columns()
        self._panes[column].focus()
        self.refresh_bindings()

    def action_column(self, step: int) -> None:
        self.action_show((self.current + step) % len(self._panes))

    def action_choose(self, number: int) -> None:
        """Choose the answer of that column, counted from 1; 0 chooses none of them."""
        chosen = self._panes[number - 1] if number else None
        answered = [
            running
            for running, pane in zip(self.comparison.runs, self._panes, strict=True)
            if pane.answer.strip()
        ]
        is_counted = self.comparison.choose(
            self.comparison.runs[number - 1] if chosen is not None else None, answered
        )
        letters = self._pane_names()
        if chosen is not None:
            chosen.chosen = True
        for pane in self._panes:
            pane.reveal()
        names = self._pane_names()
        words = f"Chosen: {names[number - 1]}." if chosen is not None else "None is better."
        if self.comparison.is_blind:
            pairs = [f"{letter} is {name}" for letter, name in zip(letters, names, strict=True)]
            words += f" {', '.join(pairs)}."
        if not is_counted:
            reason = "fewer than two answers were there" if len(answered) < 2 else "nothing is kept of it"
            words += f" Not counted: {reason}."
        self._verdict_words = words
        self._draw_question()
        self._draw_tabs()
        self.refresh_bindings()

    def _pane_names(self) -> list[str]:
        """The recipes' names, or their letters while the comparison is blind and undecided."""
        return [pane.name_words.partition(" ")[2] for pane in self._panes]

    def action_panes(self) -> None:
        running, pane = self.comparison.runs[self.current], self._panes[self.current]
        self.open(ComparePanes(pane.run_state, copy=self._copy, stop_call=running.stop_call))

    def action_copy_answer(self) -> None:
        self._copy(self._panes[self.current].answer)

    def on_rows_widget_copy_requested(self, event: RowsWidget.CopyRequested) -> None:
        event.stop()
        self._copy(event.text)

    def action_leave(self) -> None:
        """Stop the runs that go on; leave once none does, or once the choice is made."""
        if not self._unfinished:
            self.dismiss()
            return
        self.comparison.stop()
        self._leaving = self._stopping or self.comparison.is_decided
        self._stopping = True
