"""`llm logs --json`, a row for each prompt and response, and pairs of prompt and completion."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from moa_tui.formats.foreign.parts import Content
from moa_tui.formats.foreign.tree import Record, conversation_of
from moa_tui.formats.foreign.turns import Message, TurnReader
from moa_tui.formats.foreign.values import first_text, listed, string, table, unix_seconds

if TYPE_CHECKING:
    from moa_tui.conversation import Conversation
    from moa_tui.formats.foreign.values import Tally

_TIMES = ("datetime_utc", "datetime", "created_at", "timestamp")


def is_log_row(document: dict[str, Any]) -> bool:
    """True for a prompt with its response."""
    return "prompt" in document and any(
        isinstance(document.get(name), str) for name in ("response", "completion")
    )


def from_log_rows(rows: list[dict[str, Any]], tally: Tally) -> Conversation:
    """The conversation of rows with one `conversation_id`, in the order of their times."""
    rows = sorted(rows, key=lambda row: unix_seconds(row.get("datetime_utc")) or 0.0)
    records = []
    system = ""
    for row in rows:
        created = tally.time(row, *_TIMES)
        instruction = _with_fragments(row, "system", tally)
        # A system prompt is given once, and holds for the rows that follow.
        if instruction != system and instruction.strip():
            records.append(Record("", message=Message("system", instruction)))
            system = instruction
        records.append(
            Record("", message=Message("user", _with_fragments(row, "prompt", tally), "", created))
        )
        response = string(row.get("response")) or string(row.get("completion"))
        model = first_text(row, "model", "resolved_model", "conversation_model")
        thought = first_text(row, "reasoning")
        records.append(Record("", message=Message("assistant", response, model, created, thought)))
        tally.left_out["tool call"] += len(listed(row.get("tool_calls")))
    created = tally.time(rows[0], *_TIMES)
    reader = TurnReader(created if created is not None else time.time(), tally)
    return conversation_of(records, reader, first_text(rows[0], "conversation_name", "title"))


def _with_fragments(row: dict[str, Any], name: str, tally: Tally) -> str:
    """A row's prompt or system prompt with the fragments it is put together from, and its attachments."""
    content = Content(tally, "\n\n")
    for fragment in listed(row.get(f"{name}_fragments")):
        if text := first_text(table(fragment), "content"):
            content.add_text(text)
        else:
            content.add_attachment("fragment", first_text(table(fragment), "hash") or fragment)
    if text := string(row.get(name)):
        content.add_text(text)
    for attached in listed(row.get("attachments")) if name == "prompt" else ():
        content.add_file(attached)
    return content.text
