"""Conversations of other programs as turns, whatever program it is that wrote them.

Way in: `kind_of` says what a JSON value is, by its structure and never by the name of its file. One module
reads each form; `tree` follows links, `turns` makes turns, `parts` and `values` read what a message holds.
What has no place in a turn is left out and counted in a `Tally`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from moa_tui.formats.foreign.arena import from_arena, is_arena
from moa_tui.formats.foreign.chatgpt import from_chatgpt
from moa_tui.formats.foreign.claude import from_claude, from_session
from moa_tui.formats.foreign.librechat import from_librechat, is_librechat
from moa_tui.formats.foreign.llm_logs import from_log_rows, is_log_row
from moa_tui.formats.foreign.messages import (
    from_conversations,
    from_gemini,
    from_grok,
    from_list,
    from_llama_cpp,
    from_messages,
    role_of,
)
from moa_tui.formats.foreign.openwebui import from_open_webui, is_open_webui
from moa_tui.formats.foreign.values import LATEST, Tally, key, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from moa_tui.conversation import Conversation

__all__ = [
    "KNOWN",
    "LATEST",
    "Tally",
    "from_messages",
    "from_rows",
    "kind_of",
    "reader_of",
    "records_in",
    "row_group",
]

KNOWN = (
    "moa-tui's JSON; exports of ChatGPT and Claude as downloaded (ZIP or conversations.json); those of "
    "Open WebUI, LibreChat, DeepSeek, Grok, AI Studio and llama.cpp; `llm logs --json`; OpenAI messages, "
    "ShareGPT, LMSYS and arena data in JSON or JSONL; sessions of Claude Code"
)
"""The files that can be read, in words."""

Kind = Literal["conversation", "list", "row", "message", "unknown"]
_Reader = "Callable[[dict[str, Any], Tally], Conversation]"


def kind_of(value: object) -> Kind:
    """What a JSON value is: a conversation, a list of them, or one row or message of a conversation."""
    if not isinstance(value, dict):
        return "unknown"
    if reader_of(value) is not None:
        return "conversation"
    if records_in(value):
        return "list"
    if is_log_row(value):
        return "row"
    return "message" if _is_message(value) else "unknown"


def reader_of(document: dict[str, Any]) -> Callable[[dict[str, Any], Tally], Conversation] | None:
    """The function that makes a conversation of a record; None where the record is none by itself."""
    has = {name: type(document.get(name)) for name in _TOLD_BY}
    for fits, reader in (
        (has["mapping"] is dict, from_chatgpt),
        (has["chat_messages"] is list, from_claude),
        (is_open_webui(document), from_open_webui),
        (isinstance(table(document.get("chunkedPrompt")).get("chunks"), list), from_gemini),
        (has["responses"] is list and "conversation" in document, from_grok),
        (is_arena(document), from_arena),
        (is_librechat(document), from_librechat),
        (has["messages"] is list and has["conv"] is dict, from_llama_cpp),
        (has["messages"] is list, from_messages),
        (has["conversations"] is list and not records_in(document), from_conversations),
        (has["conversation"] is list or has["items"] is list, from_conversations),
        (has["contents"] is list, from_gemini),
    ):
        if fits:
            return reader
    return None


_TOLD_BY = (
    *("mapping", "chat_messages", "responses", "conversation", "messages", "conv", "conversations", "items"),
    "contents",
)


def records_in(document: dict[str, Any]) -> list[Any]:
    """The records of a file that holds its list of conversations in an object; empty for any other."""
    for name in ("conversations", "history", "chats", "data"):
        records = document.get(name)
        if isinstance(records, list) and any(
            isinstance(record, dict) and not _is_message(record) and _is_record(record)
            for record in records[:100]
        ):
            return records
    return []


def row_group(row: dict[str, Any]) -> str:
    """The id of the conversation to which a row or message belongs; empty where it names none."""
    message = table(row.get("message"))
    if row.get("type") == "session":
        return key(row.get("id"))
    names = ("conversation_id", "conversationId", "sessionId", "convId", "session_id")
    return next((id_ for each in (row, message) for name in names if (id_ := key(each.get(name)))), "")


def from_rows(rows: list[Any], tally: Tally) -> Conversation:
    """The conversation of rows or messages that belong together."""
    records = [row for row in rows if isinstance(row, dict)]
    if any(map(is_log_row, records)):
        return from_log_rows([row for row in records if is_log_row(row)], tally)
    if any(isinstance(row.get("message"), dict) for row in records):
        return from_session(records, tally)
    return from_list(rows, {}, tally)


def _is_message(value: dict[str, Any]) -> bool:
    """True for a message that stands by itself, or the head of a session of such messages."""
    inner = value.get("message")
    if isinstance(inner, dict):
        return isinstance(inner.get("role"), str)
    if value.get("type") in ("session", "summary", "custom-title", "ai-title"):
        return True
    # A line of a session that says nothing, between two that do.
    if "uuid" in value and ("parentUuid" in value or "logicalParentUuid" in value):
        return True
    return role_of(value) != "unknown" or ("role" in value and "content" in value)


def _is_record(value: dict[str, Any]) -> bool:
    """True for a conversation that is no list of others."""
    told = any(isinstance(value.get(name), list | dict) for name in _TOLD_BY if name != "conversations")
    return told or is_open_webui(value)
