"""Conversations and their turns: pure values."""

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

HitPlace = Literal["title", "prompt", "answer", "proposer"]
"""The part of a conversation in which a search has a hit."""

_LONGEST_NAME_CHARACTERS = 200


def new_id() -> str:
    """A new random id of twelve characters for a conversation or turn."""
    return secrets.token_hex(6)


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """One prompt, the recipe it was sent with, and the outcome of the run, which is None until the run ended.

    A turn points to the turn before it, so several turns with one parent are branches of one conversation.
    `system` is the conversation's system prompt when the turn was sent, `created` the time in Unix seconds.
    Two values with one `id` are the same turn at two moments.
    """

    prompt: str
    recipe: Recipe
    outcome: Outcome | None = None
    parent: Turn | None = field(default=None, repr=False)
    system: str | None = None
    id: str = field(default_factory=new_id)
    created: float = field(default_factory=time.time)

    @property
    def own_system(self) -> str | None:
        """What the next turn goes on with: no system prompt that was imported, which is anybody's text."""
        return None if self.recipe.imported else self.system

    @property
    def imported_system(self) -> str | None:
        """The system prompt of an imported turn, which the next turn does not go on with."""
        return self.system or None if self.recipe.imported else None


@dataclass(frozen=True, slots=True, eq=False)
class Conversation:
    """A tree of turns, with its title, tags and marks.

    `turns` has the turns of every branch, a parent before its children; `active` is the last turn of the
    branch that is shown. `title` is empty until the user or a model gives one. `created` is in Unix seconds.
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
    """The id of the conversation from which this one was forked; None where it was not."""

    @property
    def name(self) -> str:
        """The title, or the first line of the first prompt where there is no title."""
        return self.title or (name_from(self.turns[0].prompt) if self.turns else "")

    def siblings(self, turn: Turn) -> tuple[Turn, ...]:
        """The turns with the same parent as `turn`: the turn itself and its alternatives, oldest first."""
        parent = turn.parent and turn.parent.id
        return tuple(other for other in self.turns if (other.parent and other.parent.id) == parent)

    def places(self) -> dict[str, tuple[int, int]]:
        """By turn id, the number of the turn among its alternatives, from 1, and how many they are."""
        alternatives: dict[str | None, list[str]] = {}
        for turn in self.turns:
            parent = turn.parent.id if turn.parent is not None else None
            alternatives.setdefault(parent, []).append(turn.id)
        return {id_: (number, len(ids)) for ids in alternatives.values() for number, id_ in enumerate(ids, 1)}

    def newest_below(self, turn: Turn) -> Turn:
        """The newest of `turn` and all turns below it, which ends the branch to show."""
        below = {turn.id}
        newest = turn
        for candidate in self.turns:
            if candidate.parent is not None and candidate.parent.id in below:
                below.add(candidate.id)
                newest = candidate
        return newest

    def with_turn(self, turn: Turn) -> Self:
        """The conversation with `turn` as its active turn, added or in the place of its earlier value."""
        if any(other.id == turn.id for other in self.turns):
            turns = tuple(turn if other.id == turn.id else other for other in self.turns)
        else:
            turns = (*self.turns, turn)
        return replace(self, turns=turns, active=turn)


@dataclass(frozen=True, slots=True)
class Summary:
    """What a list of stored conversations shows of one.

    `created`, `used` (the time of its last use) and `deleted` are in Unix seconds; `deleted` is None where
    the conversation is not in the bin. `turns` is the number of its turns, `recipe` the name of the last
    one's recipe. `cost` is in US dollars and leaves out prices that are unknown.
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
    imported: bool = False
    """True where its last turn was imported, so that nothing was asked in it here since."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A place where a search has found its words.

    `context` is the text around the words, `marks` the (start, end) of each of them in it. `turn` is the id
    of the turn. `agent` is the name of the agent that wrote the text, empty where the user wrote it.
    """

    summary: Summary
    turn: str
    where: HitPlace
    agent: str
    context: str
    marks: tuple[tuple[int, int], ...]


def name_from(prompt: str) -> str:
    """The first line of a prompt that is not blank, shortened to a name."""
    first_line = next((line for line in prompt.splitlines() if line.strip()), "")
    beginning = first_line[: 2 * _LONGEST_NAME_CHARACTERS]
    return " ".join(beginning.split())[:_LONGEST_NAME_CHARACTERS]


def paid_for(turns: Iterable[Turn]) -> Paid:
    """The sum of what the calls of the turns cost; a reused reply counts in the run that it came from."""
    outcomes = (turn.outcome for turn in turns if turn.outcome is not None)
    return paid(reply for outcome in outcomes for reply in outcome.replies.values())


def path(turn: Turn) -> tuple[Turn, ...]:
    """The turns from the first one of the branch to `turn`."""
    turns = []
    current: Turn | None = turn
    while current is not None:
        turns.append(current)
        current = current.parent
    return tuple(reversed(turns))


def history(turn: Turn) -> list[Message]:
    """The messages for the agents of `turn`: earlier prompts and final answers, then the prompt of the turn.

    The texts of proposers in earlier turns are not among them. A turn without an answer is left out with its
    prompt, since providers insist that prompts and answers alternate.
    """
    messages: list[Message] = [{"role": "system", "content": turn.system}] if turn.system else []
    for earlier in path(turn)[:-1]:
        if earlier.outcome is not None and earlier.outcome.answer.strip():
            messages.append({"role": "user", "content": earlier.prompt})
            messages.append({"role": "assistant", "content": earlier.outcome.answer})
    messages.append({"role": "user", "content": turn.prompt})
    return messages
