"""Several recipes' answers to one prompt side by side, to choose the best of."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import Screen
from textual.style import Style
from textual.widgets import Static

from moa_tui.errors import MoaTuiError
from moa_tui.text.wording import one_line
from moa_tui.ui.run.follower import RunFollower
from moa_tui.ui.run.run_view import RunView
from moa_tui.ui.screens.compare.compare_panes import ComparePanes
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

# Each tick takes one column's turn, so that a key never waits for all of them: 10 Hz for each.
_TICK_SECONDS = 1 / 30
_MOST_RECIPES = 3
# A narrower column, frame included, breaks prose into crumbs.
_NARROWEST_COLUMN = 40


class CompareScreen(Screen[None]):
    """Follows every run, and takes the person's choice once there is an answer; ends when all runs have."""

    HELP_TITLE = "The comparison"
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
        """`copy` puts a text on the clipboard and says so; `on_end` is called once every run is over."""
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
        self._going_on: set[RunHandle] = set(comparison.runs)
        self._ticks = 0
        self._stopping = self._leaving = False
        self._said = ""
        """The words about the choice; empty before it is made."""

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
        self._draw_words()

    # The runs

    def _tick(self) -> None:
        self._ticks += 1
        number = self._ticks % _MOST_RECIPES
        if number < len(self._panes):
            running, pane = self.comparison.runs[number], self._panes[number]
            if running in self._going_on and self._followers[number].advance().ended:
                self._end(running, pane)
            pane.tick()
            self._draw_tabs()
        if not self._going_on and self._ticks % _MOST_RECIPES == 0:
            if self._leaving:
                self.dismiss()
            # Nothing moves any more.
            self._ticker.pause()

    def _end(self, running: RunHandle, pane: AnswerPane) -> None:
        self._going_on.discard(running)
        if not pane.run_state.over:
            fault = self.comparison.fault(running)
            pane.why_not = str(fault) if isinstance(fault, MoaTuiError) else "stopped before it began"
        self.refresh_bindings()
        self._draw_words()
        if not self._going_on:
            self._on_end()

    # What is shown

    def _draw_words(self) -> None:
        if self._said:
            words = self._said
        elif any(pane.is_answered for pane in self._panes):
            words = "Which is better? Choose it by its number, or none of them."
        elif self._going_on:
            words = "The first answer that is whole can be chosen."
        else:
            words = "There is no answer to choose."
        content = Content(words).stylize("bold") if self._said else Content(words)
        self.query_one("#compare-words", Static).update(content)

    def _draw_tabs(self) -> None:
        tabs = self.query_one("#compare-tabs", Static)
        if not tabs.display:
            return
        items = []
        for column, pane in enumerate(self._panes):
            is_current = column == self.current
            click = Style.from_meta({"@click": f"screen.show({column})"})
            style = Style(bold=is_current, reverse=is_current) + click
            items.append(Content(f" {pane.name_words} {pane.state_words} ").stylize(style))
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
        seen = [
            running
            for running, pane in zip(self.comparison.runs, self._panes, strict=True)
            if pane.answer.strip()
        ]
        chosen = self._panes[number - 1] if number else None
        counts = self.comparison.choose(
            self.comparison.runs[number - 1] if chosen is not None else None, seen
        )
        was_blind = self.comparison.is_blind
        letters = [pane.name_words.partition(" ")[2] for pane in self._panes]
        if chosen is not None:
            chosen.chosen = True
        for pane in self._panes:
            pane.reveal()
        names = [pane.name_words.partition(" ")[2] for pane in self._panes]
        said = f"Chosen: {names[number - 1]}." if chosen is not None else "None is better."
        if was_blind:
            revealed = [f"{letter} is {name}" for letter, name in zip(letters, names, strict=True)]
            said += f" {', '.join(revealed)}."
        if not counts:
            few = "fewer than two answers were there" if len(seen) < 2 else "nothing is kept of it"
            said += f" Not counted: {few}."
        self._said = said
        self._draw_words()
        self._draw_tabs()
        self.refresh_bindings()

    def action_panes(self) -> None:
        running, pane = self.comparison.runs[self.current], self._panes[self.current]
        self.app.push_screen(ComparePanes(pane.run_state, copy=self._copy, stop_call=running.stop_call))

    def action_copy_answer(self) -> None:
        self._copy(self._panes[self.current].answer)

    def on_rows_widget_copy_requested(self, event: RowsWidget.CopyRequested) -> None:
        event.stop()
        self._copy(event.text)

    def action_leave(self) -> None:
        """Stop the runs that go on; leave once none does, or once the choice is made."""
        if not self._going_on:
            self.dismiss()
            return
        self.comparison.stop()
        self._leaving = self._stopping or self.comparison.is_decided
        self._stopping = True
