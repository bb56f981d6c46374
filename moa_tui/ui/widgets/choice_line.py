"""A choice among a few words on one line, because a list that opens would hide the help below it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from moa_tui.ui.rows.text_rows import MUTED
from moa_tui.ui.terminal.message import frozen_message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.binding import BindingType


class ChoiceLine(Static, can_focus=True):
    """Shows the chosen word. Left and right go to the words beside it, a letter to the next with it."""

    ALLOW_SELECT = False
    HELP_TITLE = "A choice"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,space", "turn(1)", "Next choice", id="choice.next"),
        Binding("left", "turn(-1)", "Choice before", id="choice.before", show=False),
    ]

    @frozen_message
    class Changed(Message):
        """Another word was chosen."""

        line: ChoiceLine

        @property
        def control(self) -> ChoiceLine:
            return self.line

    def __init__(self, choices: Sequence[str], value: str, default: str, *, id: str | None = None) -> None:
        super().__init__(id=id, markup=False)
        self._choices = choices
        self._default = default
        self.value = value
        self._show()

    def offer(self, choices: Sequence[str], value: str, default: str) -> None:
        """Show `value` among other choices; nobody is told, since nobody chose."""
        self._choices, self._default, self.value = choices, default, value
        self._show()

    def action_turn(self, by: int) -> None:
        """Choose the word that is `by` places on."""
        self._choose((self._choices.index(self.value) + by) % len(self._choices))

    def on_click(self, _: events.Click) -> None:
        """Choose the next word."""
        self.action_turn(1)

    def on_key(self, event: events.Key) -> None:
        """Choose the next word that begins with the letter typed."""
        if event.character is None or not event.character.isalpha():
            return
        event.stop()
        current = self._choices.index(self.value)
        for by in range(1, len(self._choices)):
            index = (current + by) % len(self._choices)
            if self._choices[index].startswith(event.character.lower()):
                self._choose(index)
                return

    def _choose(self, index: int) -> None:
        self.value = self._choices[index]
        self._show()
        self.post_message(self.Changed(self))

    def _show(self) -> None:
        default = "  default" if self.value == self._default else ""
        self.update(Content.assemble(f"‹ {self.value} ›", (default, MUTED)))
