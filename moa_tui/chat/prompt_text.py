"""A prompt on its way from the keyboard to the models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from moa_tui.chat.attachments import Attachment


@dataclass(frozen=True, slots=True)
class PromptText:
    """What a person wrote, pastes and all, and the files that go along with it."""

    written: str
    attachments: tuple[Attachment, ...] = ()

    @property
    def sent(self) -> str:
        """The text that the models are sent: what was written, with the files below it."""
        return "\n\n".join([self.written, *(attachment.text for attachment in self.attachments)])

    def with_words(self, written: str) -> Self:
        """The same attachments under other words."""
        return type(self)(written, self.attachments)
