"""Open WebUI's export of chats: `chat.history.messages` by id, or the flat `chat.messages`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from moa_tui.formats.foreign.messages import from_list, message_of, role_of
from moa_tui.formats.foreign.parts import Content, without_details
from moa_tui.formats.foreign.turns import MISSING
from moa_tui.formats.foreign.values import first_text, key, listed, string, table

if TYPE_CHECKING:
    from moa_tui.conversation import Conversation
    from moa_tui.formats.foreign.turns import Message
    from moa_tui.formats.foreign.values import Tally


def is_open_webui(document: dict[str, Any]) -> bool:
    """True for a chat of Open WebUI, as its export has it or as its database does."""
    chat = document.get("chat", document)
    history = table(table(chat).get("history"))
    is_flat = chat is not document and isinstance(table(chat).get("messages"), list)
    return isinstance(history.get("messages"), dict) or is_flat


def from_open_webui(document: dict[str, Any], tally: Tally) -> Conversation:
    """The conversation of a chat; a repeated answer or an edited question is a branch."""
    chat = table(document.get("chat", document))
    history = table(chat.get("history"))
    by_id = table(history.get("messages"))
    entries = [{**table(message), "id": name} for name, message in by_id.items()] or listed(
        chat.get("messages")
    )
    head = {**chat, **document, "title": first_text(document, "title") or first_text(chat, "title")}
    head["models"] = chat.get("models")
    system = first_text(chat, "system") or first_text(table(chat.get("params")), "system")
    current = key(history.get("currentId"))
    return from_list(entries, head, tally, system=system, current=current, read=_message)


def _message(entry: dict[str, Any], tally: Tally) -> Message | None:
    """A message, without the thoughts and tool calls that stand in its text."""
    if not entry.keys() - {"id"}:
        tally.left_out["unreadable message"] += 1
        return MISSING
    if role_of(entry) != "assistant":
        return message_of(entry, tally)
    written = Content(tally)
    text = without_details(string(entry.get("content")), written)
    if not text.strip() and not isinstance(entry.get("content"), list):
        written = Content(tally)
        for item in map(table, listed(entry.get("output"))):
            written.add(item.get("content") if item.get("type") == "message" else [item])
        text = written.text
    if not text.strip() and entry.get("error"):
        tally.left_out["failed answer"] += 1
    # What several models answered may have been merged; the conversation goes on from that.
    if merged := first_text(table(entry.get("merged")), "content"):
        text = "\n\n".join(part for part in (text.strip(), f"**Merged answer**\n\n{merged}") if part)
    message = message_of({**entry, "content": text or entry.get("content")}, tally)
    return replace(message, reasoning=written.reasoning or message.reasoning) if message is not None else None
