"""Conversations that are hard to write, and what the tests of formats read out of imported ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moa_tui.conversation import path
from tests.conversations import HOSTILE_TEXTS, NOON, a_conversation, conversation_of

if TYPE_CHECKING:
    from moa_tui.conversation import Conversation

HUGE = conversation_of(("long?", "Words and 漢字.\n" * 75_000), created=NOON)
DEEP = a_conversation(turns=1, agents=12, layers=12)
HOSTILE = conversation_of(*((text, text) for text in HOSTILE_TEXTS), title="\x00\ud800 --- \n# x: [y]")


def as_file(text: str) -> str:
    """What is left of a text in a format that cannot escape half a surrogate pair."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def pairs(conversation: Conversation) -> list[tuple[str, str]]:
    """The prompts and answers of the active branch."""
    turns = path(conversation.active) if conversation.active else ()
    return [(turn.prompt, turn.outcome.answer if turn.outcome else "") for turn in turns]


def node(
    key: str,
    parent: str | None,
    role: str = "",
    text: object = "",
    children: tuple[str, ...] = (),
    **more: Any,
) -> dict[str, Any]:
    """A node of ChatGPT's tree; without `role` it has no message."""
    content = {"content_type": "text", "parts": text if isinstance(text, list) else [text]}
    message = {"author": {"role": role}, "content": content, "metadata": {}, **more} if role else None
    return {"id": key, "parent": parent, "children": list(children), "message": message}


def chatgpt(*nodes: dict[str, Any], current: str = "", **more: Any) -> dict[str, Any]:
    """A conversation as ChatGPT exports it, with the branch in view up to the node `current`."""
    mapping = {each["id"]: each for each in nodes}
    return {"title": "A chat", "create_time": NOON, "mapping": mapping, "current_node": current, **more}
