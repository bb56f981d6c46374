"""One agent's pane: how it stands in the frame, what it writes inside."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.content import Content
from textual.message import Message

from moa_tui.chat.changes import LeaveOut, Retry
from moa_tui.text.cells import cell_len, shorten
from moa_tui.ui.rows.rows_widget import MARKS
from moa_tui.ui.run.follower import Appended, Begun, Nothing, TextCursor, Whole
from moa_tui.ui.terminal.message import frozen_message
from moa_tui.ui.widgets.live_text import LiveText

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.binding import BindingType

    from moa_tui.chat.changes import Change
    from moa_tui.engine.values import CallId, Kind
    from moa_tui.ui.run.run_view import CallState


class AgentPane(LiveText):
    """Shows one call, running or over."""

    HELP_TITLE = "An agent's pane"
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
    DEFAULT_CSS = """
    AgentPane {
        border: round $foreground 40%; padding: 0 1;
        border-title-color: $text; border-subtitle-color: $text-muted;
        &:focus { border: heavy $accent; }
        &.-failed { border-title-color: $text-error; }
        &.-retrying, &.-partial, &.-stopped { border-title-color: $text-warning; }
        &.-done { border-title-color: $text-success; }
        &.-still { color: $text-muted; }
    }
    """

    @frozen_message
    class InspectRequested(Message):
        """The person wants to see this call alone."""

        call: CallId

    @frozen_message
    class StopRequested(Message):
        """The person wants this call to stop."""

        call: CallId

    @frozen_message
    class ChangeRequested(Message):
        """The person wants this changed in the turn."""

        change: Change

    @frozen_message
    class EditRequested(Message):
        """The person wants to edit the answer of this call."""

        call: CallId

    @frozen_message
    class SwapRequested(Message):
        """The person wants to choose another model for this call."""

        call: CallId

    @frozen_message
    class UseRequested(Message):
        """The person wants the answer of this call as the turn's."""

        call: CallId

    def __init__(self, *, can_change: bool = True) -> None:
        """`can_change` is False where the turn that the call belongs to cannot be changed."""
        super().__init__()
        self._can_change = can_change
        self.view: CallState | None = None
        self._kind: Kind = "text"
        self._cursor: TextCursor | None = None
        self._notice = ""
        """The words that stand in the place of a text; empty where a text stands."""
        self._framed: list[str] = []
        self._now = 0.0

    def look_at(self, view: CallState, kind: Kind) -> None:
        """Show another call, or the other of its texts, from its beginning."""
        if view is self.view and kind == self._kind:
            return
        self.view, self._kind = view, kind
        self._cursor, self._notice = TextCursor(view, kind), ""
        self.show("", follow=True)
        self._frame(view, self._now)

    def tick(self, now: float) -> None:
        """Bring text and frame up to date; `now` in seconds of the run."""
        view, cursor, self._now = self.view, self._cursor, now
        if view is None or cursor is None:
            return
        match cursor.news():
            case Begun(text):
                self._show_text()
                self.show(text, follow=True)
            case Appended(text):
                self.append(text)
            case Whole(text) if cursor.has_text:
                self._show_text()
                self.finish(text)
            case Nothing() if not view.over:
                self.settle_thumb()
        if not cursor.has_text:
            self._show_notice(
                _ended_words(view, self._kind) if view.over else _waiting_words(view, self._kind)
            )
        self._frame(view, now)

    def on_resize(self) -> None:
        """Fit the frame's words to the new width; after that of the text, which Textual calls itself."""
        self._framed = []
        if self.view is not None:
            self._frame(self.view, self._now)

    def _show_text(self) -> None:
        """Make room for a text where a notice may stand."""
        self._notice = ""
        self.remove_class("-still")

    def _show_notice(self, words: str) -> None:
        """Say why there is no text."""
        if self._notice != words:
            self._notice = words
            self.add_class("-still")
            self.show(words)

    def _frame(self, view: CallState, now: float) -> None:
        room = self.size.width - 2
        if room <= 0:
            return
        frame = frame_words(view.label, view.state_words, view.numbers(now), room)
        if frame != self._framed:
            self._framed = frame
            # As Content: a name must not be read as markup.
            self.border_title, self.border_subtitle = map(Content, frame)
        for state in ("done", "failed", "retrying", "partial", "stopped"):
            self.set_class(view.state == state, f"-{state}")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what is being written can be stopped, only what is written edited or used."""
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
            self.post_message(self.ChangeRequested(Retry(self.view.call)))

    def action_leave_out(self) -> None:
        if self.view is not None:
            self.post_message(self.ChangeRequested(LeaveOut(self.view.call)))

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


def frame_words(name: str, state: str, numbers: Sequence[str], room: int) -> list[str]:
    """A frame's title and subtitle, fitted to `room` cells: first the name is cut, then numbers go."""
    if cell_len(name) + cell_len(state) + 1 > room:
        name = shorten(name, max(5, room - cell_len(state) - 1))
    fitting = list(numbers)
    while len(fitting) > 1 and cell_len(" · ".join(fitting)) > room:
        fitting.pop()
    return [f"{name} {state}", " · ".join(fitting)]


def _ended_words(view: CallState, kind: Kind) -> str:
    """Why a call that is over has no text."""
    if kind == "reasoning":
        return "no reasoning was sent"
    error = view.reply.error if view.reply else None
    return f"{view.state_words}: {error.message}" if error else f"{view.state_words}, without any text"


def _waiting_words(view: CallState, kind: Kind) -> str:
    """Why a call that is not over has no text yet."""
    match view.state:
        case _ if view.passed_over:
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
