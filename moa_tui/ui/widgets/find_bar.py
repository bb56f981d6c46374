"""The line for searching in the conversation."""

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

# Characters of the text to search for, which is searched for anew at each key.
_LONGEST_SOUGHT = 1_000


class FindBar(Horizontal):
    """A text field for the text to search for. The search begins with the newest occurrence."""

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
        """The user wants the next occurrence of `text`: an older one (-1) or a newer one (1).

        A `step` of 0 says that the text has changed, and that the search begins with the newest.
        """

        text: str
        step: int

    class Closed(Message):
        """The search is over."""

    last_text = ""
    """The text that was searched for last."""

    def compose(self) -> ComposeResult:
        yield Static("Find", markup=False)
        yield Input(
            compact=True, placeholder="Enter older, down newer, Esc closes", max_length=_LONGEST_SOUGHT
        )
        yield Static("", id="places", markup=False)

    def open(self) -> None:
        """Show the bar and focus its text field."""
        self.add_class("-open")
        self.query_one(Input).focus()

    def show_count(self, words: str) -> None:
        """Show which occurrence of how many is in view, as `2 of 5`."""
        self.query_one("#places", Static).update(words)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.last_text = event.value or self.last_text
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
