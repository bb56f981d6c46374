"""What the readable exports have in common: times, sums, and the order turns are told in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from moa_tui.conversation import path
from moa_tui.text.safe import safe_text
from moa_tui.text.wording import counted, summary

if TYPE_CHECKING:
    from moa_tui.conversation import Conversation, Turn


@dataclass(frozen=True, slots=True)
class Told:
    """A turn with its number in the file and, off the active branch, its place in the tree.

    `system` is the system prompt where it is another than the turn before had.
    """

    number: int
    turn: Turn
    place: str = ""
    system: str = ""


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
    first, *notes = (line.strip() for line in safe_text(summary(turn.recipe, turn.outcome)).split("\n"))
    usage = turn.outcome.usage
    about = "about " if usage.estimated else ""
    tokens = f"{about}{counted(usage.prompt_tokens, 'token')} sent, {usage.completion_tokens} written"
    return [first, tokens, *(note for note in notes if note)]


def unknown_costs(conversation: Conversation) -> int:
    """Of how many turns the price is not known."""
    return sum(turn.outcome is not None and turn.outcome.cost is None for turn in conversation.turns)


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
