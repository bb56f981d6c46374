"""LibreChat's export of a conversation: `messages` with their parents, or nested in `children`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from moa_tui.formats.foreign.messages import from_list, message_of
from moa_tui.formats.foreign.values import first_text, table

if TYPE_CHECKING:
    from moa_tui.conversation import Conversation
    from moa_tui.formats.foreign.turns import Message
    from moa_tui.formats.foreign.values import Tally


_THOUGHT_BEGINS, _THOUGHT_ENDS = ":::thinking\n", "\n:::"


def is_librechat(document: dict[str, Any]) -> bool:
    """True for a conversation as LibreChat exports it."""
    return "conversationId" in document and isinstance(messages_in(document), list)


def messages_in(document: dict[str, Any]) -> object:
    """The messages of an export, which is one message where it nests those of a single root."""
    messages = document.get("messagesTree") or document.get("messages")
    return [messages] if isinstance(messages, dict) else messages


def from_librechat(document: dict[str, Any], tally: Tally) -> Conversation:
    """The conversation of an export; a repeated answer or an edited question is a branch."""
    options = table(document.get("options"))
    messages = messages_in(document)
    return from_list(
        messages if isinstance(messages, list) else [],
        {"model": options.get("model") or document.get("model")} | document,
        tally,
        system=first_text(options, "promptPrefix", "system", "instructions"),
        read=_message,
    )


def _message(entry: dict[str, Any], tally: Tally) -> Message | None:
    """A message; None for one that tells of an error instead of an answer."""
    if entry.get("error") is True:
        tally.left_out["failed answer"] += 1
        return None
    message = message_of(entry, tally)
    if message is None or message.role != "assistant" or not message.text.startswith(_THOUGHT_BEGINS):
        return message
    # Before its messages had parts, a thought stood at the beginning of the text, between fences.
    thought, fence, answer = message.text.removeprefix(_THOUGHT_BEGINS).partition(_THOUGHT_ENDS)
    return replace(message, text=answer.strip(), reasoning=thought.strip()) if fence else message
