"""Says that a conversation is open in another window, and asks whether to go on in a copy of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Vertical
from textual.widgets import Static

from moa_tui.ui.screens.guard import GuardedDialog
from moa_tui.ui.widgets.key_bar import KeyBar

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType


class ForkScreen(GuardedDialog[bool]):
    """Asks whether to fork a conversation; gives True to fork it, False to leave it."""

    HELP_TITLE = "Open elsewhere"
    HELP_TOPIC = "conversations"
    CSS_PATH = "fork_screen.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f,enter", "dismiss(True)", "Fork it", id="fork.fork"),
        Binding("escape", "dismiss(False)", "Leave it", id="fork.leave"),
    ]

    def __init__(self, reason: str) -> None:
        """`reason` says in a sentence why the conversation cannot be opened itself."""
        super().__init__()
        self._reason = reason

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Static(self._reason, id="title", markup=False)
            yield KeyBar()
