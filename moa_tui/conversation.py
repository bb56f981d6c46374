"""Turns and what they make together: pure values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from moa_tui.engine.events import Message, Outcome
    from moa_tui.engine.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Turn:
    """One prompt, one recipe, and what the run came to; None until it has ended.

    A turn points to the one before it, so several turns with one parent are branches of one conversation.
    """

    prompt: str
    recipe: Recipe
    outcome: Outcome | None = None
    parent: Turn | None = None


def path(turn: Turn) -> tuple[Turn, ...]:
    """The turns from the conversation's beginning to `turn`."""
    turns = []
    step: Turn | None = turn
    while step is not None:
        turns.append(step)
        step = step.parent
    return tuple(reversed(turns))


def history(turn: Turn, system: str | None = None) -> list[Message]:
    """What the agents of `turn` are sent of the conversation: prompts and final answers, then its prompt.

    No proposer's text of an earlier turn is in it. A turn that came to no answer is left out whole, since
    providers insist that prompt and answer take turns.
    """
    messages: list[Message] = [{"role": "system", "content": system}] if system else []
    for earlier in path(turn)[:-1]:
        if earlier.outcome is not None and earlier.outcome.answer.strip():
            messages.append({"role": "user", "content": earlier.prompt})
            messages.append({"role": "assistant", "content": earlier.outcome.answer})
    messages.append({"role": "user", "content": turn.prompt})
    return messages
