"""What the Markdown and the HTML export have in common: times, sums, and the order of the turns."""

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
class NumberedTurn:
    """A turn with its number in the file.

    `place` says where a turn off the active branch stands in the tree. `system` is the system prompt where it
    is not the parent's as well.
    """

    number: int
    turn: Turn
    place: str = ""
    system: str = ""


def when(seconds: float) -> str:
    """A time in Unix seconds as a date and time in UTC, so that it is the same on every machine."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, ValueError, OSError):
        return "at an unknown time"


def numbered_turns(conversation: Conversation) -> tuple[list[NumberedTurn], list[NumberedTurn]]:
    """The turns of the active branch, and all others, a parent before its children.

    The numbers of the others go on from those of the active branch.
    """
    newest = {turn.id: turn for turn in conversation.turns}
    active = [newest.get(turn.id, turn) for turn in path(conversation.active)] if conversation.active else []
    on_path = {turn.id for turn in active}
    others = [turn for turn in conversation.turns if turn.id not in on_path]
    numbers = {turn.id: number for number, turn in enumerate([*active, *others], 1)}
    active_numbers = {_parent(turn): numbers[turn.id] for turn in active}
    return (
        [NumberedTurn(numbers[turn.id], turn, "", _new_system(turn)) for turn in active],
        [
            NumberedTurn(numbers[turn.id], turn, _place(turn, numbers, active_numbers), _new_system(turn))
            for turn in others
        ],
    )


def run_lines(turn: Turn) -> list[str]:
    """How a turn's run went: a line of numbers, a line of tokens, and its notes, a line each."""
    if turn.outcome is None:
        return [f"{turn.recipe.label}: not ended"]
    first, *notes = (line.strip() for line in safe_text(summary(turn.recipe, turn.outcome)).split("\n"))
    usage = turn.outcome.usage
    about = "about " if usage.estimated else ""
    cached = f" ({usage.cached_tokens} from a cache)" if usage.cached_tokens else ""
    tokens = f"{about}{counted(usage.prompt_tokens, 'token')} sent{cached}, {usage.completion_tokens} written"
    return [first, tokens, *(note for note in notes if note)]


def unknown_costs(conversation: Conversation) -> int:
    """The number of turns that have ended and whose cost is not known."""
    return sum(turn.outcome is not None and turn.outcome.cost is None for turn in conversation.turns)


def _parent(turn: Turn) -> str | None:
    """The id of a turn's parent."""
    return turn.parent.id if turn.parent is not None else None


def _new_system(turn: Turn) -> str:
    """A turn's system prompt; empty where its parent has the same."""
    inherited = turn.parent.system if turn.parent is not None else None
    return (turn.system or "") if turn.system != inherited else ""


def _place(turn: Turn, numbers: dict[str, int], active_numbers: dict[str | None, int]) -> str:
    """Where a turn off the active branch stands; `active_numbers` has the active turns by their parents."""
    parent = _parent(turn)
    if parent in active_numbers:
        return f"in place of turn {active_numbers[parent]}"
    return f"after turn {numbers[parent]}" if parent in numbers else "begins anew"
