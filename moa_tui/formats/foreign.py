"""Conversations of other programs as turns: OpenAI messages, ShareGPT, ChatGPT's tree of messages.

An answer there was written by one model, so each turn gets a recipe of one call. What has no place in a turn
is left out and counted by kind in the Counter `left_out`.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from moa_tui.conversation import Conversation, Turn
from moa_tui.engine.agent import KEPT
from moa_tui.engine.metrics import measure
from moa_tui.engine.recipe import IMPORTED, Recipe
from moa_tui.engine.values import CallId, Metrics, Outcome, Reply
from moa_tui.errors import FileError

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence

_LONGEST_TITLE, _LONGEST_MODEL = 200, 100
LATEST = 253402300799.0
"""The last Unix second that a date can be made of."""
# Characters of all turns together. In a tree each branch repeats the texts before it, so that a file of a few
# megabytes could fill the memory.
_MOST_CHARACTERS = 300_000_000
_SPEAKERS = {
    **{"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "chatgpt": "assistant"},
    **{"system": "system", "tool": "tool", "function_call": "tool", "observation": "tool"},
}
_CHATGPT_KINDS = {
    **{"thoughts": "reasoning message", "reasoning_recap": "reasoning message", "code": "tool call"},
    **{"user_editable_context": "custom instruction", "model_editable_context": "custom instruction"},
}


@dataclass(frozen=True, eq=False)
class _Texts:
    """Texts in a row, each with those `before` it: adding one costs the same however many there are."""

    last: str
    before: _Texts | None = None

    @cached_property
    def joined(self) -> str:
        """The texts as one, with a blank line between them."""
        if self.before is None:
            return self.last
        texts: list[str] = []
        row: _Texts | None = self
        while row is not None:
            texts.append(row.last)
            row = row.before
        return "\n\n".join(text for text in reversed(texts) if text)


@dataclass(frozen=True, slots=True, eq=False)
class _OpenTurn:
    """A turn that is not complete yet: what was asked and answered so far after `parent`.

    `system_is_new` is true where `system` came after the last prompt, so that it is for the turn to come.
    """

    parent: Turn | None = None
    system: _Texts | None = None
    system_is_new: bool = False
    prompts: _Texts | None = None
    answers: _Texts | None = None
    model: str = ""
    created: float | None = None


class _TurnReader:
    """Makes turns of messages. Each message goes on from an open turn, in a tree several from the same one.

    `turns` has the turns that are complete, each after its parent.
    """

    def __init__(self, created: float, left_out: Counter[str]) -> None:
        self.created = created
        self.left_out = left_out
        self.turns: list[Turn] = []
        self._completed: dict[_OpenTurn, Turn] = {}
        self._characters = 0

    def with_message(
        self, before: _OpenTurn, role: object, text: str, model: str = "", created: float | None = None
    ) -> _OpenTurn:
        """The open turn that a message makes of the one before it; `before` itself where it is left out."""
        if role == "assistant":
            if not before.prompts:
                self.left_out["unasked answer"] += 1
                return before
            if not text.strip():
                return before
            return replace(before, answers=_Texts(text, before.answers), model=model or before.model)
        if role not in ("user", "system", "developer"):
            self.left_out["tool message" if role in ("tool", "function") else "unknown message"] += 1
            return before
        if role != "user" and not text.strip():
            return before
        if before.answers:
            before = _OpenTurn(self.complete(before), before.system)
        if role == "user":
            return replace(
                before,
                prompts=_Texts(text, before.prompts),
                system_is_new=False,
                created=before.created if before.created is not None else created,
            )
        system = _Texts(text, before.system if before.system_is_new else None)
        return replace(before, system=system, system_is_new=True)

    def complete(self, opened: _OpenTurn) -> Turn | None:
        """The turn that an open one becomes, the same at every call; its parent where nothing was asked.

        Raises FileError where the turns so far hold too many characters.
        """
        if opened.prompts is None:
            return opened.parent
        if opened not in self._completed:
            recipe = _recipe(opened.model)
            prompt = opened.prompts.joined
            answer = opened.answers.joined if opened.answers is not None else ""
            self._characters += len(prompt) + len(answer)
            if self._characters > _MOST_CHARACTERS:
                raise FileError(f"its turns hold more than {_MOST_CHARACTERS:,} characters")
            self._completed[opened] = turn = Turn(
                prompt,
                recipe,
                _outcome(recipe, answer),
                opened.parent,
                opened.system.joined if opened.system is not None else None,
                created=self.created if opened.created is None else opened.created,
            )
            self.turns.append(turn)
        return self._completed[opened]

    def completed(self, opened: _OpenTurn) -> Turn | None:
        """The turn that an open one has become; None where it has not become one."""
        return self._completed.get(opened)


@lru_cache(maxsize=100)
def _recipe(model: str) -> Recipe:
    """The recipe that asks one model, `imported/` and the name by which the file calls it."""
    name = _label(model, _LONGEST_MODEL).strip("/ ") or "unknown"
    # A name that the file calls a model by is only shown, whatever it looks like.
    return Recipe.model_validate(
        {"name": IMPORTED, "imported": True, "layers": [{"agents": [{"model": f"imported/{name}"}]}]},
        context={"purpose": KEPT},
    )


def from_messages(document: dict[str, Any], left_out: Counter[str]) -> Conversation:
    """The conversation of OpenAI messages, with title and time from the key `moa`, which moa-tui writes."""
    moa = document["moa"] if isinstance(document.get("moa"), dict) else document
    turns = moa.get("turns")
    for turn in turns if isinstance(turns, list) else ():
        if isinstance(turn, dict) and isinstance(turn.get("calls"), list):
            left_out["proposer answer"] += max(0, len(turn["calls"]) - 1)
            left_out["branch turn"] += turn.get("active") is False
    created = _time(moa.get("created"))
    model = document.get("model")
    return _from_list(
        document["messages"],
        created if created is not None else time.time(),
        moa.get("title"),
        model if isinstance(model, str) else "",
        left_out,
    )


def from_sharegpt(document: dict[str, Any], left_out: Counter[str]) -> Conversation:
    """The conversation of a ShareGPT record."""
    messages = [
        {"role": _SPEAKERS.get(str(entry.get("from")), "unknown"), "content": entry.get("value")}
        if isinstance(entry, dict)
        else entry
        for entry in document["conversations"]
    ]
    return _from_list(messages, time.time(), document.get("title"), "", left_out)


def from_chatgpt(document: dict[str, Any], left_out: Counter[str]) -> Conversation:
    """The conversation of ChatGPT's tree of messages; a repeated answer or an edited question is a branch."""
    nodes = {key: node for key, node in document["mapping"].items() if isinstance(node, dict)}
    created = _time(document.get("create_time"))
    created = created if created is not None else time.time()
    reader = _TurnReader(created, left_out)
    open_turns: dict[str, _OpenTurn] = {}
    children: dict[str, list[str]] = {}
    roots = [key for key, node in nodes.items() if _key(node.get("parent")) not in nodes]
    waiting = [(key, _OpenTurn()) for key in reversed(roots)]
    seen = set(roots)
    while waiting:
        key, before = waiting.pop()
        message = _chatgpt_message(nodes[key], left_out)
        open_turns[key] = reader.with_message(before, *message) if message else before
        listed = nodes[key].get("children")
        named = dict.fromkeys(map(_key, listed)) if isinstance(listed, list) else {}
        children[key] = [child for child in named if child in nodes and child not in seen]
        seen.update(children[key])
        waiting += [(child, open_turns[key]) for child in reversed(children[key])]
        if not children[key]:
            reader.complete(open_turns[key])
    left_out["unconnected message"] += sum(
        isinstance(node.get("message"), dict) for key, node in nodes.items() if key not in open_turns
    )
    # The branch in view ends at the current node, or at the end of the answer in whose middle that node is.
    key = _key(document.get("current_node"))
    while key in open_turns and reader.completed(open_turns[key]) is None and children[key]:
        key = children[key][-1]
    active = reader.complete(open_turns[key]) if key in open_turns else None
    return _conversation(reader, active, document.get("title"))


def _from_list(
    messages: Sequence[object], created: float, title: object, model: str, left_out: Counter[str]
) -> Conversation:
    """The conversation of messages with `role` and `content`, one branch in their order."""
    reader = _TurnReader(created, left_out)
    last = _OpenTurn()
    for message in messages:
        if not isinstance(message, dict):
            left_out["unknown message"] += 1
            continue
        calls = message.get("tool_calls")
        left_out["tool call"] += len(calls) if isinstance(calls, list) else 0
        text = _text(message.get("content"), left_out)
        last = reader.with_message(last, message.get("role"), text, model)
    left_out["unused system message"] += last.system_is_new and not last.prompts
    return _conversation(reader, reader.complete(last), title)


def _conversation(reader: _TurnReader, active: Turn | None, title: object) -> Conversation:
    """The conversation of all turns that were read; without `active`, the last turn is the active one."""
    turns = tuple(reader.turns)
    return Conversation(
        turns,
        active or (turns[-1] if turns else None),
        created=reader.created,
        title=_label(title, _LONGEST_TITLE) if isinstance(title, str) else "",
    )


def _chatgpt_message(
    node: dict[str, Any], left_out: Counter[str]
) -> tuple[object, str, str, float | None] | None:
    """The role, text, model and time of a node's message; None where no message of it belongs in a turn."""
    message = node.get("message")
    if not isinstance(message, dict):
        return None
    author, content, metadata = (_table(message.get(key)) for key in ("author", "content", "metadata"))
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
    if role == "system" and metadata.get("is_visually_hidden_from_conversation"):
        return None
    model = metadata.get("model_slug")
    text = _text(content.get("parts"), left_out)
    return role, text, model if isinstance(model, str) else "", _time(message.get("create_time"))


def _text(content: object, left_out: Counter[str]) -> str:
    """The text of a message's content, which is a text or a list of parts; other parts are left out."""
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
    """The outcome of a run whose one call wrote `answer`; it was stopped where there is no answer."""
    if not answer:
        return Outcome("stopped", "", {}, Metrics())
    call, agent = CallId(1, 1), recipe.lineup[0][0]
    replies = {call: Reply(agent.name, agent.model, "done", text=answer)}
    return Outcome("done", answer, replies, measure(replies, {1: [call]}, call))


def _label(text: str, longest: int) -> str:
    """`text` on one line, without what cannot be printed, in `longest` characters at most."""
    line = " ".join(text[: 4 * longest].split())
    return "".join(character for character in line if character.isprintable())[:longest].strip()


def _time(value: object) -> float | None:
    """A JSON value as a time in Unix seconds; None where no date can be made of it."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return min(float(value), time.time()) if math.isfinite(value) and 0 <= value <= LATEST else None


def _table(value: object) -> dict[str, Any]:
    """A JSON value as an object; an empty one where the value is none."""
    return value if isinstance(value, dict) else {}


def _key(value: object) -> str:
    """A JSON value as a node's key; empty where the value is no text."""
    return value if isinstance(value, str) else ""
