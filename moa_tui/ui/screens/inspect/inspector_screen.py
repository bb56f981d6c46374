"""One call of a run on the whole screen: its answer, reasoning, messages, numbers and error, a tab each."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.binding import Binding
from textual.widgets import Static

from moa_tui.ui.rows.rows_widget import RowsWidget
from moa_tui.ui.rows.text_rows import MUTED
from moa_tui.ui.run.follower import Appended, Begun, TextCursor, Whole
from moa_tui.ui.run.inspector_rows import error_text, figure_rows, figures, message_rows, plain_rows, silence
from moa_tui.ui.run.step_rows import part_titles, step_rows
from moa_tui.ui.screens.guard import GuardedScreen
from moa_tui.ui.screens.inspect.diff_screen import DiffScreen, default_pair
from moa_tui.ui.screens.inspect.inspector_lines import (
    TABS,
    call_in_layer,
    is_stoppable,
    name_line,
    neighbour_of,
    source_text,
    state_line,
    tabs_line,
    tabs_of,
)
from moa_tui.ui.screens.inspect.run_screens import InfluenceScreen, TimelineScreen
from moa_tui.ui.widgets.key_bar import KeyBar
from moa_tui.ui.widgets.live_text import LiveText

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.content import Content

    from moa_tui.engine.values import CallId, Message
    from moa_tui.ui.rows.markdown_rows import Rendered
    from moa_tui.ui.rows.text_rows import Row
    from moa_tui.ui.run.call_state import CallState
    from moa_tui.ui.run.run_view import RunView
    from moa_tui.ui.screens.inspect.inspector_lines import Tab

_SECONDS_BETWEEN_TICKS = 0.1
_FIGURES_A_SECOND = 2


class InspectorScreen(GuardedScreen[None]):
    """Shows one call of a run and follows the call while it writes; other calls are a key away."""

    HELP_TITLE = "Inspector"
    HELP_TOPIC = "chat"
    CSS_PATH = "inspector_screen.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+o", "close", "Close", id="inspector.close"),
        *(
            Binding(str(number), f"show_tab('{tab}')", tab, id=f"inspector.{tab.lower()}", show=False)
            for number, tab in enumerate(TABS, 1)
        ),
        Binding("tab", "step_tab(1)", "Next tab", id="inspector.next_tab", show=False),
        Binding("shift+tab", "step_tab(-1)", "Tab before", id="inspector.previous_tab", show=False),
        Binding("left", "neighbour(-1)", "Agent before", id="inspector.previous_agent", show=False),
        Binding("right", "neighbour(1)", "Next agent", id="inspector.next_agent"),
        Binding("left_square_bracket,ctrl+up", "layer(-1)", "Layer before", id="inspector.previous_layer"),
        Binding("right_square_bracket,ctrl+down", "layer(1)", "Next layer", id="inspector.next_layer"),
        Binding("r", "raw", "Raw/Markdown", id="inspector.raw"),
        Binding("y", "copy_shown", "Copy", id="inspector.copy"),
        Binding("s", "stop_call", "Stop it", id="inspector.stop"),
        Binding("d", "compare", "Compare", id="inspector.diff"),
        Binding("t", "timeline", "Timeline", id="inspector.timeline"),
        Binding("i", "influence", "Influence", id="inspector.influence"),
    ]

    def __init__(
        self,
        run: RunView,
        call: CallId,
        *,
        copy: Callable[[str], None],
        stop_call: Callable[[CallId], None],
        passage: tuple[int, int] | None = None,
    ) -> None:
        """`copy` puts a text on the clipboard and notifies the user; `stop_call` ends a call of this run.

        `passage` is where a passage of the call's answer begins and ends, in characters: it is marked, and in
        view at first.
        """
        super().__init__()
        self.run_state = run
        self.call = call
        self.tab: Tab = "Answer"
        self.raw = False
        self._copy = copy
        self._stop_call = stop_call
        self._passage = passage
        self._shown: object = None
        """What the body's rows were made from; None while the body shows the call's own text."""
        self._cursor = self._new_cursor()
        self._can_stop = False

    @property
    def _view(self) -> CallState:
        return self.run_state.view(self.call)

    def compose(self) -> ComposeResult:
        yield Static(id="inspector-name", markup=False)
        yield Static(id="inspector-state", markup=False)
        yield Static(id="inspector-tabs", markup=False)
        yield LiveText(id="inspector-body")
        yield KeyBar()

    def on_mount(self) -> None:
        self.set_interval(_SECONDS_BETWEEN_TICKS, self.tick)
        self._restart()

    def on_screen_resume(self) -> None:
        self.tick()

    # The head and the body

    def _restart(self) -> None:
        """Show the current tab of the current call from its beginning."""
        self._shown, self._cursor = None, self._new_cursor()
        body = self.query_one(LiveText)
        body.show("", follow=self.tab in ("Answer", "Reasoning") and not self._view.over)
        self.refresh_bindings()
        self.tick()

    def _new_cursor(self) -> TextCursor:
        return TextCursor(self._view, "reasoning" if self.tab == "Reasoning" else "text")

    def tick(self) -> None:
        """Bring the head and the shown tab up to date."""
        body = self.query_one(LiveText)
        width = body.scrollable_content_region.width
        if width <= 0 or not self.is_current:
            return
        self._show_head()
        match self.tab:
            case "Answer" | "Reasoning":
                self._follow_text(body, width)
            case "Messages":
                self._show_messages(body, self._view.messages, width)
            case "Parts":
                self._show_parts(body, width)
            case "Numbers":
                moment = None if self._view.over else int(self.run_state.now * _FIGURES_A_SECOND)
                if self._is_new((moment, self._view.reply, self.run_state.outcome, width)):
                    body.show_rows(figure_rows(figures(self.run_state, self._view), width))
            case "Error":
                error = error_text(self.run_state, self._view)
                if self._is_new((error, width)):
                    body.show_rows(plain_rows(error, width) if error else _note("No error.", width))

    def _is_new(self, shown: object) -> bool:
        """Return True if the body's rows were made from something else than `shown`, and remember `shown`."""
        if self._shown == shown:
            return False
        self._shown = shown
        return True

    def _follow_text(self, body: LiveText, width: int) -> None:
        """Show what is new of the call's text or reasoning; where there is none, say why."""
        cursor = self._cursor
        match cursor.news():
            case Begun(text):
                self._shown = None
                body.show(text, follow=True)
            case Appended(text):
                body.append(text)
            case Whole(text) if cursor.has_text:
                self._shown = None
                self._show_whole(body, text)
                if self._passage is not None and self.tab == "Answer":
                    body.mark(*self._passage)
                    self._passage = None
        if not cursor.has_text:
            self._show_note(body, silence(self.run_state, self._view, cursor.kind), width)

    def _show_whole(self, body: LiveText, text: str) -> None:
        """Show a finished text; the scroll position stays if a part of the text was shown before."""
        markdown = self.tab == "Answer" and not self.raw
        scroll_y = body.scroll_y
        if not body.source:
            body.show(text, markdown=markdown)
        elif markdown:
            body.finish(text)
        else:
            body.show(text)
            body.scroll_to(y=scroll_y, animate=False)

    def _show_note(self, body: LiveText, words: str, width: int) -> None:
        if self._is_new((words, width)):
            body.show_rows(_note(words, width))

    def _show_messages(self, body: LiveText, messages: Sequence[Message], width: int) -> None:
        if not self._is_new((messages, width)):
            return
        if messages:
            self._lay_out(body, self._shown, _messages, width)
        else:
            reason = silence(self.run_state, self._view, "text") if not self._view.over else ""
            body.show_rows(_note(f"Nothing has been sent. {reason}", width))

    def _show_parts(self, body: LiveText, width: int) -> None:
        """Show the parts of an answer that is written in steps; the one that grows twice a second."""
        view = self._view
        moment = None if view.over else int(self.run_state.now * _FIGURES_A_SECOND)
        if self._is_new((moment, len(view.steps), view.step is None, view.reply, width)):
            self._lay_out(body, self._shown, step_rows, width)

    @work(exclusive=True)
    async def _lay_out(
        self, body: LiveText, shown: object, rows: Callable[[RunView, CallState, int], Rendered], width: int
    ) -> None:
        """Make rows about the call on a thread, and show them unless the body has other contents by then."""
        rendered = await asyncio.to_thread(rows, self.run_state, self._view, width)
        if self._shown == shown:
            body.show_rows(rendered.rows, rendered.code)

    def _show_head(self) -> None:
        run, view = self.run_state, self._view
        self._set("#inspector-name", name_line(run, view))
        self._set("#inspector-state", state_line(run, view, self.tab, is_raw=self.raw))
        self._set("#inspector-tabs", tabs_line(run, view, self.tab))
        if self._can_stop != is_stoppable(run, view):
            self._can_stop = not self._can_stop
            self.refresh_bindings()

    def _set(self, selector: str, content: Content) -> None:
        widget = self.query_one(selector, Static)
        if widget.content != content:
            widget.update(content, layout=False)

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        match action:
            case "raw":
                return self.tab == "Answer"
            case "stop_call":
                return is_stoppable(self.run_state, self._view)
            case "neighbour":
                return len(self.run_state.layers[self.call.layer - 1]) > 1
            case "layer":
                return len(self.run_state.layers) > 1
            case "show_tab":
                return parameters[0] in tabs_of(self._view)
            case _:
                return True

    def action_show_tab(self, tab: Tab) -> None:
        if tab != self.tab:
            self.tab = tab
            self._restart()

    def action_step_tab(self, step: int) -> None:
        tabs = tabs_of(self._view)
        self.action_show_tab(tabs[(tabs.index(self.tab) + step) % len(tabs)])

    def action_neighbour(self, step: int) -> None:
        self._open(neighbour_of(self.run_state, self.call, step))

    def action_layer(self, step: int) -> None:
        call = call_in_layer(self.run_state, self.call, step)
        if call is not None:
            self._open(call)

    def _open(self, call: CallId) -> None:
        self.call = call
        if self.tab not in tabs_of(self._view):
            self.tab = "Answer"
        self._restart()

    def action_raw(self) -> None:
        self.raw = not self.raw
        if self._cursor.has_text and self._view.over:
            self._show_whole(self.query_one(LiveText), self._view.written("text"))
        self.tick()

    def action_copy_shown(self) -> None:
        """Copy the text behind what the tab shows."""
        text = source_text(self.run_state, self._view, self.tab)
        if text:
            self._copy(text)
        else:
            self.notify(f"{self.tab}: there is nothing to copy.", markup=False)

    @on(RowsWidget.CopyRequested)
    def _copy_clicked(self, event: RowsWidget.CopyRequested) -> None:
        event.stop()
        self._copy(event.text)

    def action_stop_call(self) -> None:
        self._stop_call(self.call)

    def action_compare(self) -> None:
        self.open(DiffScreen(self.run_state, *default_pair(self.run_state, self.call)))

    def action_timeline(self) -> None:
        self.open(TimelineScreen(self.run_state))

    def action_influence(self) -> None:
        self.open(InfluenceScreen(self.run_state))

    def action_close(self) -> None:
        self.dismiss()


def _messages(run: RunView, view: CallState, width: int) -> Rendered:
    return message_rows(run, view, width, part_titles(run, view, width))


def _note(words: str, width: int) -> list[Row]:
    return plain_rows(words, width, MUTED)
