"""What a person changes in a turn that is over, as the recipe and the replies of the turn that comes of it.

Whatever does not stand downstream of the change is kept, and so neither asked nor paid again. Pure.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from pydantic import ValidationError

from moa_tui.engine.events import CallId, Reply, Usage
from moa_tui.engine.recipe import Recipe
from moa_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moa_tui.conversation import Turn
    from moa_tui.engine.recipe import Agent

BY_HAND = "written by hand"


class Change(NamedTuple):
    """What to run: a recipe, and the replies that need no call."""

    recipe: Recipe
    kept: Mapping[CallId, Reply]


def retry(turn: Turn, call: CallId) -> Change:
    """Ask one agent again. Raises UsageError where there is no such call."""
    replies = _replies(turn)
    _reply(replies, call)
    return Change(turn.recipe, {one: its for one, its in _until(replies, call).items() if one != call})


def leave_out(turn: Turn, call: CallId) -> Change:
    """Go on without an agent's answer, or take one back in that was left out. Raises UsageError."""
    replies = _replies(turn)
    reply = _reply(replies, call)
    if call.layer == len(turn.recipe.layers):
        raise UsageError(f"{call} {reply.agent} wrote the answer: there is nothing after it to go without it")
    said = f"{call} {reply.agent}: left out by hand"
    if reply.status == "excluded":
        changed = replace(reply, status="done", notes=tuple(note for note in reply.notes if note != said))
    elif reply.status == "done" and reply.text.strip():
        changed = replace(reply, status="excluded", notes=(*reply.notes, said))
    else:
        raise UsageError(f"{call} {reply.agent} has no answer that could be left out")
    kept = {**_until(replies, call), call: changed}
    if not any(its.status == "done" for one, its in kept.items() if one.layer == call.layer):
        raise UsageError(f"{call} {reply.agent} is the last answer of its layer: without it there is none")
    return Change(turn.recipe, kept)


def amend(turn: Turn, call: CallId, text: str) -> Change:
    """Put a text of one's own in the place of an agent's answer. Raises UsageError."""
    replies = _replies(turn)
    reply = _reply(replies, call)
    if call.layer == len(turn.recipe.layers):
        raise UsageError(f"{call} {reply.agent} wrote the answer itself; nothing comes after it")
    if not text.strip():
        raise UsageError("an empty answer helps nobody; leave it out instead")
    note = f"{call} {reply.agent}: edited by hand"
    changed = replace(reply, text=text, status="done", error=None, notes=(*reply.notes, note))
    return Change(turn.recipe, {**_until(replies, call), call: changed})


def propose(turn: Turn, text: str) -> Change:
    """Add an answer of one's own beside those that the last layer reads. Raises UsageError."""
    replies = _replies(turn)
    # Where answers are written: not among those who rank them, or draw a checklist from them.
    before = range(1, len(turn.recipe.layers))
    layer = max((number for number in before if turn.recipe.writes(number)), default=0)
    if layer < 1:
        raise UsageError("a recipe of one layer has nobody who would read your answer")
    if not text.strip():
        raise UsageError("an answer is needed, as in /propose The moa died out around 1440.")
    seats = turn.recipe.lineup[layer - 1]
    # A seat needs a model to be valid; since its reply is there, none is asked.
    own = seats[0].model_copy(update={"name": "you", "fallback": ()})
    recipe = _with_seats(turn.recipe, layer, (*seats, own))
    call = CallId(layer, len(seats) + 1)
    note = f"{call} you: {BY_HAND}"
    reply = Reply("you", BY_HAND, "done", text=text, usage=Usage(estimated=False), cost=0.0, notes=(note,))
    return Change(recipe, {**_until(replies, CallId(layer, 1)), call: reply})


def swap(turn: Turn, call: CallId, changes: Mapping[str, object]) -> Change:
    """Ask another model, or the same one with other settings, in an agent's place. Raises UsageError."""
    replies = _replies(turn)
    _reply(replies, call)
    seats = list(turn.recipe.lineup[call.layer - 1])
    seats[call.index - 1] = seats[call.index - 1].model_copy(update=dict(changes))
    kept = {one: its for one, its in _until(replies, call).items() if one != call}
    return Change(_with_seats(turn.recipe, call.layer, tuple(seats)), kept)


def _replies(turn: Turn) -> Mapping[CallId, Reply]:
    if turn.outcome is None:
        raise UsageError("the run has not ended: wait for it, or stop it with Esc")
    return turn.outcome.replies


def _reply(replies: Mapping[CallId, Reply], call: CallId) -> Reply:
    if call not in replies:
        raise UsageError(f"{call} was not asked in this turn")
    return replies[call]


def _until(replies: Mapping[CallId, Reply], call: CallId) -> dict[CallId, Reply]:
    """Everything that does not stand downstream of `call`."""
    return {one: reply for one, reply in replies.items() if one.layer <= call.layer}


def _with_seats(recipe: Recipe, layer: int, seats: tuple[Agent, ...]) -> Recipe:
    """`recipe` with these agents in a layer. Raises UsageError where it cannot have them."""
    layers = list(recipe.layers)
    layers[layer - 1] = layers[layer - 1].model_copy(update={"agents": seats})
    try:
        return Recipe.model_validate(
            recipe.model_copy(update={"layers": tuple(layers)}).model_dump(exclude_unset=True)
        )
    except ValidationError as error:
        why = "; ".join(each["msg"].removeprefix("Value error, ") for each in error.errors())
        raise UsageError(f"recipe {recipe.name} cannot be changed like that: {why}") from error
