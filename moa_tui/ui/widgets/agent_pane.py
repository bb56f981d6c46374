"""One agent's pane: its name, state and numbers in the frame, its text or reasoning inside."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.message import Message

from moa_tui.chat import changes
from moa_tui.text.cells import cell_len, shorten
from moa_tui.text.safe import one_line
from moa_tui.ui.rows.rows_widget import MARKS
from moa_tui.ui.run.follower import TextCursor
from moa_tui.ui.terminal.message import frozen_message
from moa_tui.ui.widgets.framed_pane import FramedPane

if TYPE_CHECKING:
    from textual import events
    from textual.binding import BindingType

    from moa_tui.chat.changes import Change
    from moa_tui.engine.values import CallId, Kind
    from moa_tui.ui.run.call_state import CallState

# Characters of an error that are looked at; a page of one may have been sent.
_LONGEST_ERROR = 500


class AgentPane(FramedPane):
    """Shows one call, running or over, and posts what the user wants done with it."""

    HELP_TITLE = "An agent's pane"
    HELP_TOPIC = "steering"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "inspect", "Inspect", id="pane.inspect"),
        Binding("s", "stop_call", "Stop it", id="pane.stop"),
        Binding("y", "copy_answer", "Copy", id="pane.copy"),
        Binding("r", "retry", "Ask again", id="pane.retry"),
        Binding("x", "leave_out", "Leave out", id="pane.leave_out"),
        Binding("e", "edit_answer", "Edit it", id="pane.amend"),
        Binding("m", "swap_model", "Other model", id="pane.model"),
        Binding("u", "use_answer", "Use as the answer", id="pane.use"),
    ]

    @frozen_message
    class InspectRequested(Message):
        """The user wants to see this call alone."""

        call: CallId

    @frozen_message
    class StopRequested(Message):
        """The user wants this call to stop."""

        call: CallId

    @frozen_message
    class ChangeRequested(Message):
        """The user wants this change made to the turn."""

        change: Change

    @frozen_message
    class EditRequested(Message):
        """The user wants to edit the answer of this call."""

        call: CallId

    @frozen_message
    class SwapRequested(Message):
        """The user wants to choose another model for this call."""

        call: CallId

    @frozen_message
    class UseRequested(Message):
        """The user wants the answer of this call to become the answer of the turn."""

        call: CallId

    def __init__(self, *, can_change: bool = True) -> None:
        """`can_change` is False where the turn that the call belongs to cannot be changed."""
        super().__init__()
        self._can_change = can_change
        self.view: CallState | None = None
        self._kind: Kind = "text"
        self._layer_name = ""
        self._cursor: TextCursor | None = None
        self._now = 0.0

    def show_call(self, view: CallState, kind: Kind, layer_name: str = "") -> None:
        """Show another call, or the other of its texts, from its beginning.

        A `layer_name` is put before the call's name.
        """
        if layer_name != self._layer_name:
            self._layer_name = layer_name
            self.draw_frame()
        if view is self.view and kind == self._kind:
            return
        self.view, self._kind = view, kind
        self._cursor, self._notice = TextCursor(view, kind), ""
        self.show("", follow=True)
        self.draw_frame()

    def tick(self, now: float) -> None:
        """Bring text and frame up to date; `now` in seconds of the run."""
        view, cursor, self._now = self.view, self._cursor, now
        if view is None or cursor is None:
            return
        news = cursor.news()
        self.show_news(news, has_text=cursor.has_text, is_over=view.over)
        if not cursor.has_text:
            words = _ended_words if view.over else _waiting_words
            self.show_notice(words(view, self._kind))
        self.draw_frame()

    def draw_frame(self) -> None:
        if (view := self.view) is not None:
            label = view.label_in(self._layer_name)
            self.show_frame(label, self._state_words(view, label), view.numbers(self._now), view.state)

    def _state_words(self, view: CallState, label: str) -> str:
        """How the call stands; where its text was cut, as much of the reason as there is room for."""
        error = view.reply.error if view.reply is not None else None
        room = self.size.width - 2 - cell_len(label) - 1
        if error is None or not view.written("text") or room <= cell_len(view.state_words):
            return view.state_words
        return shorten(f"{view.state_words}: {one_line(error.message[:_LONGEST_ERROR])}", room)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A call can be stopped while it runs; its answer can be edited or used once it is written."""
        view = self.view
        match action:
            case "stop_call":
                return view is not None and not view.over
            case "retry" | "leave_out" | "swap_model":
                return self._can_change and view is not None
            case "edit_answer" | "use_answer":
                return self._can_change and view is not None and view.over and bool(view.written("text"))
            case _:
                return True

    def action_inspect(self) -> None:
        if self.view is not None:
            self.post_message(self.InspectRequested(self.view.call))

    def action_stop_call(self) -> None:
        if self.view is not None and not self.view.over:
            self.post_message(self.StopRequested(self.view.call))

    def action_retry(self) -> None:
        if self.view is not None:
            self.post_message(self.ChangeRequested(changes.Retry(self.view.call)))

    def action_leave_out(self) -> None:
        if self.view is not None:
            self.post_message(self.ChangeRequested(changes.LeaveOut(self.view.call)))

    def action_edit_answer(self) -> None:
        if self.view is not None:
            self.post_message(self.EditRequested(self.view.call))

    def action_swap_model(self) -> None:
        if self.view is not None:
            self.post_message(self.SwapRequested(self.view.call))

    def action_use_answer(self) -> None:
        if self.view is not None:
            self.post_message(self.UseRequested(self.view.call))

    def action_copy_answer(self) -> None:
        if self.view is not None:
            self.post_message(self.CopyRequested(self.view.written(self._kind)))

    def on_click(self, event: events.Click) -> None:
        if event.chain == 2 and not event.style.meta.keys() & MARKS:
            self.action_inspect()


def _ended_words(view: CallState, kind: Kind) -> str:
    """Why a call that is over has no text."""
    if kind == "reasoning":
        return "no reasoning was sent"
    error = view.reply.error if view.reply else None
    return f"{view.state_words}: {error.message}" if error else f"{view.state_words}, without any text"


def _waiting_words(view: CallState, kind: Kind) -> str:
    """Why a call that is not over has no text yet."""
    match view.state:
        case _ if view.was_not_asked:
            return "was not asked: the run ended before"
        case "waiting":
            return "waiting for its turn" if view.call.layer == 1 else "waits for the answers before it"
        case "retrying":
            return f"failed, and is tried again: {view.failure.message if view.failure else ''}"
        case _ if kind == "text" and view.parts["reasoning"]:
            return "reasoning; ctrl+t shows it"
        case _ if kind == "reasoning":
            return "no reasoning so far"
        case _:
            return "asked; no text yet"
