"""Two conversations on one question: battles of the Chatbot Arena, and pairs of chosen and rejected answers.

Each side becomes a branch; the one that won is in view.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from moa_tui.formats.foreign.messages import records_of, time_of
from moa_tui.formats.foreign.tree import Record, conversation_of
from moa_tui.formats.foreign.turns import TurnReader
from moa_tui.formats.foreign.values import listed, string

if TYPE_CHECKING:
    from moa_tui.conversation import Conversation
    from moa_tui.formats.foreign.values import Tally

_SIDES = (("conversation_a", "model_a"), ("conversation_b", "model_b"))
_CHOICES = (("chosen", "chosen_model"), ("rejected", "rejected_model"))


def is_arena(document: dict[str, Any]) -> bool:
    """True for a record with two sides."""
    return all(name in document for name, _ in _SIDES) or all(name in document for name, _ in _CHOICES)


def from_arena(document: dict[str, Any], tally: Tally) -> Conversation:
    """The conversation with a branch for each side."""
    created = time_of(document, tally)
    if created is None:
        created = tally.time(document, "tstamp")
    reader = TurnReader(created if created is not None else time.time(), tally)
    records: list[Record] = []
    last: dict[str, str] = {}
    sides = _SIDES if "conversation_a" in document else _CHOICES
    for side, model in sides:
        # Both sides answer one question, which stands in each of them.
        parent = "question"
        for number, record in enumerate(records_of(_entries(document, side), tally)):
            message = record.message
            if message is not None and message.role == "assistant":
                message = replace(message, model=message.model or string(document.get(model)))
            records.append(Record(f"{side} {number}", parent, (), message))
            last[model] = parent = f"{side} {number}"
    winner = string(document.get("winner"))
    current = last.get(winner) or last.get(sides[0][1], "")
    return conversation_of(records, reader, document.get("title"), current)


def _entries(document: dict[str, Any], side: str) -> list[Any]:
    """The messages of one side, after those of the prompt that both sides share."""
    prompt, answer = _messages(document.get("prompt"), "user"), _messages(document.get(side), "assistant")
    starts_anew = answer and isinstance(answer[0], dict) and answer[0].get("role") in ("user", "system")
    return answer if starts_anew or side in dict(_SIDES) else [*prompt, *answer]


def _messages(value: object, role: str) -> list[Any]:
    """A list of messages; one message where the value is a text that is no such list in JSON."""
    if isinstance(value, str) and value.startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return [{"role": role, "content": value}]
    if isinstance(value, str):
        return [{"role": role, "content": value}]
    return [value] if isinstance(value, dict) else listed(value)
