"""Conversations of other programs as turns: OpenAI messages, ShareGPT, ChatGPT's tree of messages.

Their answers were made by one model, so each turn has a recipe of one call. What cannot be taken is counted
by kind in a Counter.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from moa_tui.conversation import Conversation, Turn
from moa_tui.engine.metrics import measure
from moa_tui.engine.recipe import Recipe
from moa_tui.engine.values import CallId, Metrics, Outcome, Reply

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence

_LONGEST_TITLE, _LONGEST_MODEL = 200, 100
# The last second that a date can be made of.
LATEST = 253402300799.0
_SPEAKERS = {
    **{"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "chatgpt": "assistant"},
    **{"system": "system", "tool": "tool", "function_call": "tool", "observation": "tool"},
}
_CHATGPT_KINDS = {
    **{"thoughts": "reasoning message", "reasoning_recap": "reasoning message", "code": "tool call"},
    **{"user_editable_context": "custom instruction", "model_editable_context": "custom instruction"},
}


@dataclass(frozen=True, slots=True, eq=False)
class _Open:
    """A turn that is being read: what was asked and answered so far after `parent`."""

    parent: Turn | None = None
    system: str | None = None
    system_is_new: bool = False
    prompts: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    model: str = ""
    created: float | None = None


class _Reader:
    """Makes turns of messages, one after the other; in a tree, of each branch's from where it forks."""

    def __init__(self, created: float, left_out: Counter[str]) -> None:
        self.created = created
        self.left_out = left_out
        self.turns: list[Turn] = []
        self._closed: dict[_Open, Turn] = {}
        self._recipes: dict[str, Recipe] = {}

    def said(
        self, before: _Open, role: object, text: str, model: str = "", created: float | None = None
    ) -> _Open:
        """What is open after a message."""
        if role == "assistant":
            if not before.prompts:
                self.left_out["unasked answer"] += 1
                return before
            if not text.strip():
                return before
            return replace(before, answers=(*before.answers, text), model=model or before.model)
        if role not in ("user", "system", "developer"):
            self.left_out["tool message" if role in ("tool", "function") else "unknown message"] += 1
            return before
        if role != "user" and not text.strip():
            return before
        if before.answers:
            before = _Open(self.close(before), before.system)
        if role == "user":
            return replace(
                before,
                prompts=(*before.prompts, text),
                system_is_new=False,
                created=before.created if before.created is not None else created,
            )
        together = f"{before.system}\n\n{text}" if before.system_is_new else text
        return replace(before, system=together, system_is_new=True)

    def close(self, last: _Open) -> Turn | None:
        """The turn of what is open; the one before it where nothing was asked since. Once for each."""
        if not last.prompts:
            return last.parent
        if last not in self._closed:
            recipe = self._recipe(last.model)
            self._closed[last] = turn = Turn(
                _joined(last.prompts),
                recipe,
                _outcome(recipe, _joined(last.answers)),
                last.parent,
                last.system,
                created=self.created if last.created is None else last.created,
            )
            self.turns.append(turn)
        return self._closed[last]

    def closed(self, last: _Open) -> Turn | None:
        """The turn of what is open, if it has become one."""
        return self._closed.get(last)

    def _recipe(self, model: str) -> Recipe:
        if model not in self._recipes:
            name = _label(model, _LONGEST_MODEL).strip("/ ") or "unknown"
            self._recipes[model] = Recipe.model_validate(
                {"name": "imported", "layers": [{"agents": [{"model": f"imported/{name}"}]}]}
            )
        return self._recipes[model]


def from_messages(document: dict[str, Any], left_out: Counter[str]) -> Conversation:
    """The conversation of OpenAI messages; what a `moa` key says of title and time is taken too."""
    about = document.get("moa")
    moa = about if isinstance(about, dict) else document
    turns = moa.get("turns")
    for turn in turns if isinstance(turns, list) else ():
        if isinstance(turn, dict) and isinstance(turn.get("calls"), list):
            left_out["proposer answer"] += max(0, len(turn["calls"]) - 1)
            left_out["branch turn"] += turn.get("active") is False
    created = _time(moa.get("created"))
    model = document.get("model")
    return _from_line(
        document["messages"],
        created if created is not None else time.time(),
        moa.get("title"),
        model if isinstance(model, str) else "",
        left_out,
    )


def from_sharegpt(document: dict[str, Any], left_out: Counter[str]) -> Conversation:
    """The conversation of a ShareGPT record."""
    messages = [
        {"role": _SPEAKERS.get(str(one.get("from")), "unknown"), "content": one.get("value")}
        if isinstance(one, dict)
        else one
        for one in document["conversations"]
    ]
    return _from_line(messages, time.time(), document.get("title"), "", left_out)


def from_chatgpt(document: dict[str, Any], left_out: Counter[str]) -> Conversation:
    """The conversation of a tree of messages; an answer made again or a question put anew is a branch."""
    nodes = {key: node for key, node in document["mapping"].items() if isinstance(node, dict)}
    created = _time(document.get("create_time"))
    created = created if created is not None else time.time()
    reader = _Reader(created, left_out)
    after: dict[str, _Open] = {}
    below: dict[str, list[str]] = {}
    roots = [key for key, node in nodes.items() if _key(node.get("parent")) not in nodes]
    waiting = [(key, _Open()) for key in reversed(roots)]
    seen = set(roots)
    while waiting:
        key, before = waiting.pop()
        after[key] = reader.said(before, *said) if (said := _chatgpt_said(nodes[key], left_out)) else before
        listed = nodes[key].get("children")
        children = [_key(child) for child in listed] if isinstance(listed, list) else []
        below[key] = [child for child in dict.fromkeys(children) if child in nodes and child not in seen]
        seen.update(below[key])
        waiting += [(child, after[key]) for child in reversed(below[key])]
        if not below[key]:
            reader.close(after[key])
    left_out["unconnected message"] += sum(
        isinstance(node.get("message"), dict) for key, node in nodes.items() if key not in after
    )
    # The branch in view: to its node, or where that is in the middle of an answer, to that answer's end.
    key = _key(document.get("current_node"))
    while key in after and reader.closed(after[key]) is None and below[key]:
        key = below[key][-1]
    active = reader.close(after[key]) if key in after else None
    return _conversation(reader, active, document.get("title"))


def _from_line(
    messages: Sequence[object], created: float, title: object, model: str, left_out: Counter[str]
) -> Conversation:
    reader = _Reader(created, left_out)
    last = _Open()
    for message in messages:
        if not isinstance(message, dict):
            left_out["unknown message"] += 1
            continue
        calls = message.get("tool_calls")
        left_out["tool call"] += len(calls) if isinstance(calls, list) else 0
        last = reader.said(last, message.get("role"), _text(message.get("content"), left_out), model)
    left_out["unused system message"] += last.system_is_new and not last.prompts
    return _conversation(reader, reader.close(last), title)


def _conversation(reader: _Reader, active: Turn | None, title: object) -> Conversation:
    turns = tuple(reader.turns)
    return Conversation(
        turns,
        active or (turns[-1] if turns else None),
        created=reader.created,
        title=_label(title, _LONGEST_TITLE) if isinstance(title, str) else "",
    )


def _chatgpt_said(
    node: dict[str, Any], left_out: Counter[str]
) -> tuple[object, str, str, float | None] | None:
    """Role, text, model and time of a node's message; None where it has none that belongs in a turn."""
    message = node.get("message")
    if not isinstance(message, dict):
        return None
    author, content, about = (_table(message.get(key)) for key in ("author", "content", "metadata"))
    role = author.get("role")
    if role in ("tool", "function"):
        left_out["tool message"] += 1
        return None
    kind = str(content.get("content_type"))
    if kind not in ("text", "multimodal_text"):
        left_out[_CHATGPT_KINDS.get(kind, "non-text message")] += 1
        return None
    if role == "assistant" and message.get("recipient", "all") != "all":
        left_out["tool call"] += 1
        return None
    if role == "system" and about.get("is_visually_hidden_from_conversation"):
        return None
    model = about.get("model_slug")
    text = _text(content.get("parts"), left_out)
    return role, text, model if isinstance(model, str) else "", _time(message.get("create_time"))


def _text(content: object, left_out: Counter[str]) -> str:
    """The text of a message's content: a text, or a list of parts of which some are."""
    if content is None or isinstance(content, str):
        return content or ""
    texts = []
    for part in content if isinstance(content, list) else [content]:
        text = _table(part).get("text")
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(text, str):
            texts.append(text)
        else:
            kind = str(_table(part).get("type") or _table(part).get("content_type"))
            left_out["image" if "image" in kind else "non-text part"] += 1
    return "\n".join(texts)


def _outcome(recipe: Recipe, answer: str) -> Outcome:
    if not answer:
        return Outcome("stopped", "", {}, Metrics())
    call, agent = CallId(1, 1), recipe.lineup[0][0]
    replies = {call: Reply(agent.name, agent.model, "done", text=answer)}
    return Outcome("done", answer, replies, measure(replies, {1: [call]}, call))


def _joined(texts: tuple[str, ...]) -> str:
    return texts[0] if len(texts) == 1 else "\n\n".join(text for text in texts if text)


def _label(text: str, longest: int) -> str:
    """`text` in one line without what cannot be printed."""
    spaced = " ".join(text[: 4 * longest].split())
    return "".join(one for one in spaced if one.isprintable())[:longest].strip()


def _time(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and 0 <= value <= LATEST else None


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _key(value: object) -> str:
    return value if isinstance(value, str) else ""
