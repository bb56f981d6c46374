"""Find in the conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Static

from moa_tui.ui.terminal.message import frozen_message

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType


class FindBar(Horizontal):
    """A line to type what is looked for; the newest place first."""

    HELP_TITLE = "Find"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,up", "step(-1)", "Older", id="find.older"),
        Binding("shift+enter,down", "step(1)", "Newer", id="find.newer"),
        Binding("escape", "close", "Close", id="find.close"),
    ]
    DEFAULT_CSS = """
    FindBar {
        height: 1; display: none; background: $panel;
        &.-open { display: block; }
        Static { width: auto; padding: 0 1; }
        Input { width: 1fr; }
    }
    """

    @frozen_message
    class Step(Message):
        """Go to the next place of `text`, older (-1) or newer (1); 0: it has changed, begin at the newest."""

        text: str
        step: int

    class Closed(Message):
        """The search is over."""

    def compose(self) -> ComposeResult:
        yield Static("Find", markup=False)
        yield Input(compact=True, placeholder="Enter older, down newer, Esc closes")
        yield Static("", id="places", markup=False)

    def open(self) -> None:
        """Show it and take the keys."""
        self.add_class("-open")
        self.query_one(Input).focus()

    def tell(self, words: str) -> None:
        """Say how many places there are."""
        self.query_one("#places", Static).update(words)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Step(event.value, 0))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_step(-1)

    def action_step(self, step: int) -> None:
        self.post_message(self.Step(self.query_one(Input).value, step))

    def action_close(self) -> None:
        self.remove_class("-open")
        self.query_one(Input).value = ""
        self.post_message(self.Closed())
