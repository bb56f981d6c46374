"""One agent full screen: its answer, its reasoning, what it was sent, its numbers and its error."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

from textual import on, work
from textual.binding import Binding
from textual.content import Content
from textual.screen import Screen
from textual.style import Style
from textual.widgets import Static

from moa_tui.engine.values import CallId
from moa_tui.text.safe import without_controls
from moa_tui.text.wording import one_line
from moa_tui.ui.rows.rows_widget import RowsWidget
from moa_tui.ui.rows.text_rows import MUTED
from moa_tui.ui.run.follower import Appended, Begun, TextCursor, Whole
from moa_tui.ui.run.inspector_rows import (
    error_text,
    figure_rows,
    figures,
    figures_text,
    message_rows,
    messages_text,
    plain_rows,
    silence,
)
from moa_tui.ui.run.timeline import layer_began
from moa_tui.ui.screens.inspect.diff_screen import DiffScreen, default_pair
from moa_tui.ui.screens.inspect.run_screens import InfluenceScreen, TimelineScreen
from moa_tui.ui.widgets.key_bar import KeyBar
from moa_tui.ui.widgets.live_text import LiveText

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from moa_tui.engine.values import Message
    from moa_tui.ui.rows.text_rows import Row
    from moa_tui.ui.run.run_view import CallState, RunView

Tab = Literal["Answer", "Reasoning", "Messages", "Numbers", "Error"]
TABS: tuple[Tab, ...] = get_args(Tab)

_SECONDS_BETWEEN_LOOKS = 0.1
_FIGURES_A_SECOND = 2


class InspectorScreen(Screen[None]):
    """Shows one call of a run, running or over, and follows it while it writes."""

    HELP_TITLE = "Inspector"
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
    ) -> None:
        """`copy` puts a text on the clipboard and says so; `stop_call` ends a call of this run."""
        super().__init__()
        self.run_state = run
        self.call = call
        self.tab: Tab = "Answer"
        self.raw = False
        self._copy = copy
        self._stop_call = stop_call
        self._shown: object = None
        """What the body's rows were made from; None where the body shows the call's text."""
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
        self.set_interval(_SECONDS_BETWEEN_LOOKS, self.tick)
        self._look_anew()

    def on_screen_resume(self) -> None:
        self.tick()

    # --- what is shown --------------------------------------------------------------------------------------

    def _look_anew(self) -> None:
        """Show another tab or call from its beginning."""
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
            case "Numbers":
                moment = None if self._view.over else int(self.run_state.now * _FIGURES_A_SECOND)
                if self._is_new((moment, self._view.reply, self.run_state.outcome, width)):
                    body.show_rows(figure_rows(figures(self.run_state, self._view), width))
            case "Error":
                error = error_text(self.run_state, self._view)
                if self._is_new((error, width)):
                    body.show_rows(plain_rows(error, width) if error else _note("No error.", width))

    def _is_new(self, shown: object) -> bool:
        """Whether the body's rows were made from something else than `shown`, which is noted."""
        if self._shown == shown:
            return False
        self._shown = shown
        return True

    def _follow_text(self, body: LiveText, width: int) -> None:
        """Show what is new of the call's text or reasoning, or why there is none."""
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
        if not cursor.has_text:
            self._say(body, silence(self.run_state, self._view, cursor.kind), width)

    def _show_whole(self, body: LiveText, text: str) -> None:
        """Show a text that is whole; the reader's place is kept where a part of the text stood before."""
        markdown = self.tab == "Answer" and not self.raw
        place = body.scroll_y
        if not body.source:
            body.show(text, markdown=markdown)
        elif markdown:
            body.finish(text)
        else:
            body.show(text)
            body.scroll_to(y=place, animate=False)

    def _say(self, body: LiveText, words: str, width: int) -> None:
        if self._is_new((words, width)):
            body.show_rows(_note(words, width))

    def _show_messages(self, body: LiveText, messages: Sequence[Message], width: int) -> None:
        if not self._is_new((messages, width)):
            return
        if messages:
            self._lay_out_messages(body, self._shown, width)
        else:
            why = silence(self.run_state, self._view, "text") if not self._view.over else ""
            body.show_rows(_note(f"Nothing has been sent. {why}", width))

    @work(exclusive=True)
    async def _lay_out_messages(self, body: LiveText, awaited: object, width: int) -> None:
        """Lay the messages out on a thread; show them unless the body shows something else by then."""
        rendered = await asyncio.to_thread(message_rows, self.run_state, self._view, width)
        if self._shown == awaited:
            body.show_rows(rendered.rows, rendered.code)

    def _show_head(self) -> None:
        run, view = self.run_state, self._view
        layer = run.layers[self.call.layer - 1]
        name = view.reply.agent if view.reply else view.agent.name
        model = view.reply.model if view.reply else view.agent.model
        place = f"{self.call.index} of {len(layer)}"
        if len(layer) > 1:
            where = Content.assemble(_click("‹", "neighbour(-1)"), f" {place} ", _click("›", "neighbour(1)"))
        else:
            where = Content(place)
        self._set(
            "#inspector-name",
            Content.assemble(
                (run.layer_name(self.call.layer), "bold"),
                " ",
                where,
                "  ",
                (without_controls(one_line(name)), "bold"),
                (f"  {without_controls(one_line(model))}", MUTED),
            ),
        )
        state = "– not asked" if run.over and view.reply is None else view.state_words
        numbers = [state, *view.numbers(run.now)]
        if self.tab == "Answer":
            numbers.append("as it is written" if self.raw or not view.over else "Markdown")
        self._set("#inspector-state", Content(" · ".join(numbers)))
        self._set("#inspector-tabs", self._tab_line())
        if self._can_stop != self._stoppable:
            self._can_stop = self._stoppable
            self.refresh_bindings()

    def _set(self, selector: str, content: Content) -> None:
        widget = self.query_one(selector, Static)
        if widget.content != content:
            widget.update(content, layout=False)

    def _tab_line(self) -> Content:
        items = []
        for number, tab in enumerate(TABS, 1):
            mark = "!" if tab == "Error" and error_text(self.run_state, self._view) else ""
            words = f"{number} {tab}{mark}"
            if tab == self.tab:
                items.append(Content(f"[{words}]").stylize("bold reverse"))
            else:
                items.append(Content.assemble(" ", _click(words, f"show_tab('{tab}')"), " "))
        return Content("").join(items)

    # --- keys -----------------------------------------------------------------------------------------------

    @property
    def _stoppable(self) -> bool:
        began = layer_began(self.run_state, self.call.layer) is not None
        return began and not self._view.over and not self.run_state.over

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        match action:
            case "raw":
                return self.tab == "Answer"
            case "stop_call":
                return self._stoppable
            case "neighbour":
                return len(self.run_state.layers[self.call.layer - 1]) > 1
            case "layer":
                return len(self.run_state.layers) > 1
            case _:
                return True

    def action_show_tab(self, tab: Tab) -> None:
        if tab != self.tab:
            self.tab = tab
            self._look_anew()

    def action_step_tab(self, step: int) -> None:
        self.action_show_tab(TABS[(TABS.index(self.tab) + step) % len(TABS)])

    def action_neighbour(self, step: int) -> None:
        size = len(self.run_state.layers[self.call.layer - 1])
        self._look_at(CallId(self.call.layer, (self.call.index - 1 + step) % size + 1))

    def action_layer(self, step: int) -> None:
        number = self.call.layer + step
        if 1 <= number <= len(self.run_state.layers):
            size = len(self.run_state.layers[number - 1])
            self._look_at(CallId(number, min(self.call.index, size)))

    def _look_at(self, call: CallId) -> None:
        self.call = call
        self._look_anew()

    def action_raw(self) -> None:
        self.raw = not self.raw
        if self._cursor.has_text and self._view.over:
            self._show_whole(self.query_one(LiveText), self._view.written("text"))
        self.tick()

    def action_copy_shown(self) -> None:
        """Copy the source of what the tab shows."""
        match self.tab:
            case "Answer":
                text = self._view.written("text")
            case "Reasoning":
                text = self._view.written("reasoning")
            case "Messages":
                text = messages_text(self._view.messages)
            case "Numbers":
                text = figures_text(figures(self.run_state, self._view))
            case "Error":
                text = error_text(self.run_state, self._view)
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
        self.app.push_screen(DiffScreen(self.run_state, *default_pair(self.run_state, self.call)))

    def action_timeline(self) -> None:
        self.app.push_screen(TimelineScreen(self.run_state))

    def action_influence(self) -> None:
        self.app.push_screen(InfluenceScreen(self.run_state))

    def action_close(self) -> None:
        self.dismiss()


def _click(words: str, action: str) -> Content:
    return Content(words).stylize(Style.from_meta({"@click": f"screen.{action}"}))


def _note(words: str, width: int) -> list[Row]:
    return plain_rows(words, width, MUTED)
