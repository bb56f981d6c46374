"""What the chat asks of the app around it, as messages."""

from __future__ import annotations

from textual.message import Message

from moa_tui.ui.terminal.message import frozen_message


@frozen_message
class HelpRequested(Message):
    """The person wants to see the keys, or the guide on `about`: a topic or words, empty for neither."""

    about: str = ""


@frozen_message
class QuitRequested(Message):
    """The person wants to leave."""


@frozen_message
class ThemeRequested(Message):
    """The person wants the theme called `name`; an empty name asks for the list."""

    name: str


@frozen_message
class LinkRequested(Message):
    """The person wants to open a link."""

    address: str


@frozen_message
class AttentionRequested(Message):
    """Something has happened that a person who looks elsewhere should hear of; no model wrote `words`."""

    words: str


@frozen_message
class FaultSeen(Message):
    """A fault of ours was caught, after which everything else goes on."""

    error: Exception
