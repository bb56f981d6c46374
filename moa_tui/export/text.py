"""What the readable exports have in common: text that any file can hold, and the order turns are told in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from moa_tui.conversation import path
from moa_tui.text.wording import counted, summary

if TYPE_CHECKING:
    from moa_tui.conversation import Conversation, Turn

_SURROGATE = re.compile("[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]")
_LINE_END = re.compile("\r\n|[\r\x85\u2028\u2029]")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_CONTROL_PICTURES = 0x2400


@dataclass(frozen=True, slots=True)
class Told:
    """A turn with its number in the file and, off the active branch, its place in the tree.

    `system` is the system prompt where it is another than the turn before had.
    """

    number: int
    turn: Turn
    place: str = ""
    system: str = ""


def as_unicode(text: str) -> str:
    """`text` as UTF-8 can hold it: surrogates that make a pair are joined, lone ones become U+FFFD."""
    return _SURROGATE.sub(lambda match: _joined(match[0]) or "\ufffd", text)


def as_json_unicode(text: str) -> str:
    """JSON text as UTF-8 can hold it, with nothing lost: lone surrogates as `\\udXXX`.

    Two that make a pair are joined here too, as every reader of JSON would take them.
    """
    return _SURROGATE.sub(lambda match: _joined(match[0]) or f"\\u{ord(match[0]):04x}", text)


def shown(text: str) -> str:
    """`text` as a reader may safely be shown it.

    Line ends become newlines, control characters their pictures (U+2400 and on), and what has none, like
    the controls that turn the direction of writing around, U+FFFD.
    """
    return _CONTROL.sub(_picture, _LINE_END.sub("\n", as_unicode(text)))


def when(seconds: float) -> str:
    """A time in Unix seconds, in words; the same on every machine."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, ValueError, OSError):
        return "at an unknown time"


def told(conversation: Conversation) -> tuple[list[Told], list[Told]]:
    """The turns of the active branch, and those of all others; numbered on, a parent before its children."""
    newest = {turn.id: turn for turn in conversation.turns}
    active = [newest.get(turn.id, turn) for turn in path(conversation.active)] if conversation.active else []
    on_path = {turn.id for turn in active}
    others = [turn for turn in conversation.turns if turn.id not in on_path]
    numbers = {turn.id: number for number, turn in enumerate([*active, *others], 1)}
    beside = {_parent(turn): numbers[turn.id] for turn in active}
    first = [Told(numbers[turn.id], turn, "", _new_system(turn)) for turn in active]
    rest = [Told(numbers[turn.id], turn, _place(turn, numbers, beside), _new_system(turn)) for turn in others]
    return first, rest


def run_lines(turn: Turn) -> list[str]:
    """How a turn's run went: its numbers, its tokens, its notes."""
    if turn.outcome is None:
        return [f"{turn.recipe.name}: not ended"]
    first, *notes = (line.strip() for line in shown(summary(turn.recipe, turn.outcome)).split("\n"))
    usage = turn.outcome.usage
    about = "about " if usage.estimated else ""
    tokens = f"{about}{counted(usage.prompt_tokens, 'token')} sent, {usage.completion_tokens} written"
    return [first, tokens, *(note for note in notes if note)]


def known_cost(conversation: Conversation) -> float:
    """The sum of the prices known, in US dollars."""
    return sum(
        reply.cost or 0.0
        for turn in conversation.turns
        if turn.outcome
        for reply in turn.outcome.replies.values()
        if not reply.reused
    )


def unknown_costs(conversation: Conversation) -> int:
    """Of how many turns the price is not known."""
    return sum(turn.outcome is not None and turn.outcome.cost is None for turn in conversation.turns)


def _joined(surrogates: str) -> str:
    """The character that a pair of surrogates stands for; empty for one alone."""
    if len(surrogates) == 1:
        return ""
    return surrogates.encode("utf-16-le", "surrogatepass").decode("utf-16-le")


def _picture(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(_CONTROL_PICTURES + code)
    return "\u2421" if code == 0x7F else "\ufffd"


def _parent(turn: Turn) -> str | None:
    return turn.parent.id if turn.parent is not None else None


def _new_system(turn: Turn) -> str:
    before = turn.parent.system if turn.parent is not None else None
    return (turn.system or "") if turn.system != before else ""


def _place(turn: Turn, numbers: dict[str, int], beside: dict[str | None, int]) -> str:
    parent = _parent(turn)
    if parent in beside:
        return f"in place of turn {beside[parent]}"
    return f"after turn {numbers[parent]}" if parent in numbers else "begins anew"
