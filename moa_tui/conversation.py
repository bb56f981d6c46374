"""Turns and what they make together: pure values."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, Self

from moa_tui.engine.values import paid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import Message, Outcome, Paid

Where = Literal["title", "prompt", "answer", "proposer"]

_LONGEST_NAME = 200


def new_id() -> str:
    """Twelve characters that no other conversation or turn has."""
    return secrets.token_hex(6)


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """One prompt, one recipe, and what the run came to; None until it has ended.

    A turn points to the one before it, so several turns with one parent are branches of one conversation.
    `system` is the conversation's system prompt when it was sent, `created` the time in Unix seconds. Two
    values with one `id` are the same turn, at two moments.
    """

    prompt: str
    recipe: Recipe
    outcome: Outcome | None = None
    parent: Turn | None = field(default=None, repr=False)
    system: str | None = None
    id: str = field(default_factory=new_id)
    created: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True, eq=False)
class Conversation:
    """A tree of turns, and what its owner has made of it.

    `turns` has every branch, a parent before its children; `active` is the last turn of the branch in view.
    `title` is empty until one is given by hand or by a model. `created` is in Unix seconds.
    """

    turns: tuple[Turn, ...] = ()
    active: Turn | None = None
    id: str = field(default_factory=new_id)
    created: float = field(default_factory=time.time)
    title: str = ""
    tags: tuple[str, ...] = ()
    pinned: bool = False
    archived: bool = False
    forked_from: str | None = None
    """The id of the conversation it was forked from."""

    @property
    def name(self) -> str:
        """Its title, else the first line of its first prompt."""
        return self.title or (name_from(self.turns[0].prompt) if self.turns else "")

    def siblings(self, turn: Turn) -> tuple[Turn, ...]:
        """The turns that stand in one place: `turn` and its alternatives, oldest first."""
        parent = turn.parent and turn.parent.id
        return tuple(one for one in self.turns if (one.parent and one.parent.id) == parent)

    def places(self) -> dict[str, tuple[int, int]]:
        """For each turn's id, which of how many alternatives it is, counting from 1."""
        alternatives: dict[str | None, list[str]] = {}
        for one in self.turns:
            parent = one.parent.id if one.parent is not None else None
            alternatives.setdefault(parent, []).append(one.id)
        return {id_: (number, len(ids)) for ids in alternatives.values() for number, id_ in enumerate(ids, 1)}

    def newest_below(self, turn: Turn) -> Turn:
        """The last turn of the branch that was worked on last among those through `turn`."""
        below = {turn.id}
        newest = turn
        for one in self.turns:
            if one.parent is not None and one.parent.id in below:
                below.add(one.id)
                newest = one
        return newest

    def with_turn(self, turn: Turn) -> Self:
        """Itself with `turn` as the active one; in the place of an earlier value of that turn, or new."""
        if any(one.id == turn.id for one in self.turns):
            turns = tuple(turn if one.id == turn.id else one for one in self.turns)
        else:
            turns = (*self.turns, turn)
        return replace(self, turns=turns, active=turn)


@dataclass(frozen=True, slots=True)
class Summary:
    """A kept conversation in a line of a list. Times in Unix seconds, `cost` in US dollars.

    `cost` leaves out prices that are unknown. `recipe` is the last turn's. `deleted` is when it was thrown
    away, None where it was not.
    """

    id: str
    name: str
    created: float
    used: float
    turns: int
    recipe: str
    cost: float
    tags: tuple[str, ...] = ()
    pinned: bool = False
    archived: bool = False
    deleted: float | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A place where a search found something.

    `marks` are the (start, end) of each word found in `context`. `turn` is the turn's id; `agent` is whose
    answer it is, empty where the person wrote it.
    """

    summary: Summary
    turn: str
    where: Where
    agent: str
    context: str
    marks: tuple[tuple[int, int], ...]


def name_from(prompt: str) -> str:
    """The first line of a prompt with something on it, as a name."""
    line = next((line for line in prompt.splitlines() if line.strip()), "")
    return " ".join(line[: 2 * _LONGEST_NAME].split())[:_LONGEST_NAME]


def paid_for(turns: Iterable[Turn]) -> Paid:
    """What the calls of turns took together; a reply that was reused counts with the run it came from."""
    outcomes = (turn.outcome for turn in turns if turn.outcome is not None)
    return paid(reply for outcome in outcomes for reply in outcome.replies.values())


def path(turn: Turn) -> tuple[Turn, ...]:
    """The turns from the conversation's beginning to `turn`."""
    turns = []
    step: Turn | None = turn
    while step is not None:
        turns.append(step)
        step = step.parent
    return tuple(reversed(turns))


def history(turn: Turn) -> list[Message]:
    """What the agents of `turn` are sent of the conversation: prompts and final answers, then its prompt.

    No proposer's text of an earlier turn is in it. A turn that came to no answer is left out whole, since
    providers insist that prompt and answer take turns.
    """
    messages: list[Message] = [{"role": "system", "content": turn.system}] if turn.system else []
    for earlier in path(turn)[:-1]:
        if earlier.outcome is not None and earlier.outcome.answer.strip():
            messages.append({"role": "user", "content": earlier.prompt})
            messages.append({"role": "assistant", "content": earlier.outcome.answer})
    messages.append({"role": "user", "content": turn.prompt})
    return messages
