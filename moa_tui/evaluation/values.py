"""The values of a bulk run: prompts, which run of them is meant, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moa_tui.engine.values import Failure, OutcomeStatus, Reply, Status, Usage

# The ends of a run, besides a whole answer, that another try would only repeat.
_LASTING_KINDS = ("length", "loop", "too_long", "filtered")
# The ends of calls that say nothing of the model: they were not asked, or were stopped by hand.
_NOT_ASKED = ("stopped", "interrupted", "rested", "budget", "max_cost")


def was_answered(reply: Reply) -> bool:
    """True where a call ended by itself, in whatever way; False where it was not made, or stopped by hand."""
    return reply.error is None or reply.error.kind not in _NOT_ASKED


def is_settled(status: Status, error: Failure | None) -> bool:
    """True where a call or run has a whole answer, or one that would be cut off again."""
    return status == "done" or (status == "partial" and error is not None and error.kind in _LASTING_KINDS)


@dataclass(frozen=True, slots=True)
class BulkPrompt:
    """One prompt of an input.

    `id` is what the input calls it, or its place in the input, from "1"; no two prompts of an input have the
    same. `turns` are the prompts of one conversation, mostly a single one. `temperature` replaces that of
    every agent; None for what the recipe says. `row` has the input's own fields.
    """

    id: str
    turns: tuple[str, ...]
    temperature: float | None = None
    row: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, order=True)
class RunKey:
    """Which run is meant: the name of its recipe, the id of its prompt, and the turn, from 1."""

    recipe: str
    prompt: str
    turn: int = 1


@dataclass(frozen=True, slots=True)
class RunResult:
    """How one run ended.

    `cost` is what it costs to ask all of its calls, in US dollars, None where a price is unknown. `seconds`
    is what the run takes if nothing but its models take time: the sum of its slowest calls. `ended` is in
    Unix seconds.
    """

    status: OutcomeStatus
    answer: str
    error: Failure | None
    usage: Usage
    cost: float | None
    seconds: float
    calls: int
    ended: float

    @property
    def is_final(self) -> bool:
        """True where asking again would not help: there is an answer, or one that would be cut again."""
        return is_settled(self.status, self.error)

    @property
    def can_be_gone_on_from(self) -> bool:
        """True where a next turn may be asked: no later start replaces the answer."""
        return self.is_final and bool(self.answer.strip())


@dataclass(frozen=True, slots=True)
class PromptResult:
    """The results of one recipe on all turns of one prompt, in order; fewer where a turn was not reached."""

    prompt: BulkPrompt
    turns: tuple[RunResult, ...]

    @property
    def answers(self) -> tuple[str, ...]:
        """The answer to each turn of the prompt, empty where there is none."""
        given = tuple(result.answer for result in self.turns)
        return given + ("",) * (len(self.prompt.turns) - len(given))

    @property
    def failure(self) -> str | None:
        """Why an answer is missing or cut off, in words; None where all are whole."""
        for number, result in enumerate(self.turns, 1):
            if result.status != "done":
                words = result.error.message if result.error is not None else f"the run is {result.status}"
                return words if len(self.prompt.turns) == 1 else f"turn {number}: {words}"
        return None if len(self.turns) == len(self.prompt.turns) else "not answered yet"
