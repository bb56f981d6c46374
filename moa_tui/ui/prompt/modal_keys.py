"""What the prompt asks of keys with modes, whoever has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from textual import events


class ModalKeys(Protocol):
    """Keys that mean something else in each of several modes, before the prompt's own."""

    @property
    def is_insert(self) -> bool:
        """True while letters are typed, as without these keys."""

    @property
    def selected_text(self) -> str | None:
        """What is selected by these keys; None where nothing is."""

    def take(self, event: events.Key) -> bool:
        """Do what a key says; False for a key that means nothing here."""

    def begin_insert(self) -> None:
        """Take letters from now on."""

    def select_for_paste(self) -> None:
        """Have a paste take the place of what is selected by these keys."""
