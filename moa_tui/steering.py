"""What a person changes in a turn that is over, as the recipe and the replies of the turn that comes of it.

Whatever does not stand downstream of the change is kept, and so neither asked nor paid again. Pure.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from pydantic import ValidationError

from moa_tui.engine.events import CallId, Reply, Usage
from moa_tui.engine.live_change import left_out, taken_in
from moa_tui.engine.recipe import Recipe
from moa_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moa_tui.conversation import Turn
    from moa_tui.engine.agent import Agent

BY_HAND = "written by hand"


# What of a turn's replies is kept where only what follows them is done anew.
_WHOLE = ("done", "excluded")
# What may end a run before what it is now to end with.
_SHORT_CUTS = {"early_stop", "enough", "confident"}


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
    if reply.status == "excluded":
        changed = taken_in(call, reply)
    elif reply.status == "done" and reply.text.strip():
        changed = left_out(call, reply)
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
    recipe, call, reply = with_own_answer(turn.recipe, text)
    return Change(recipe, {**_until(replies, call), call: reply})


def add(turn: Turn, agent: Agent) -> Change:
    """Ask one more agent, beside those that the last layer reads. Raises UsageError."""
    replies = _replies(turn)
    recipe, call = with_agent(turn.recipe, agent)
    return Change(recipe, _until(replies, call))


def resume(turn: Turn) -> Change:
    """Go on where a run was stopped: every whole answer is kept. Raises UsageError where it has not ended."""
    replies = _replies(turn)
    return Change(turn.recipe, {one: its for one, its in replies.items() if its.status in _WHOLE})


def aggregate(turn: Turn, by: Recipe) -> Change:
    """Let the answers that are there be aggregated as another recipe does it: by its layers after the first.

    Raises UsageError where there is nothing to keep, or the other recipe has nothing after its answers.
    """
    replies = _replies(turn)
    last = answering_layer(turn.recipe)
    kept = {one: its for one, its in replies.items() if one.layer <= last and its.status in _WHOLE}
    if not any(its.status == "done" and one.layer == last for one, its in kept.items()):
        raise UsageError("no proposer's answer could be kept; /retry asks them all")
    if len(by.layers) < 2:
        raise UsageError(f"recipe {by.name} has one layer: nothing in it reads answers")
    return Change(_grafted(turn.recipe, last, by), kept)


def reword(turn: Turn, prompt: str) -> Change:
    """Let the last layer work by other instructions, its references kept. Raises UsageError."""
    replies = _replies(turn)
    last = len(turn.recipe.layers)
    if last < 2 or not turn.recipe.lineup[-1]:
        raise UsageError(f"recipe {turn.recipe.name} has no agent at its end that reads answers")
    recipe = _with_layer(turn.recipe, last, {"prompt": prompt})
    kept = {one: its for one, its in replies.items() if one.layer < last and its.status in _WHOLE}
    return Change(recipe, kept)


def swap(turn: Turn, call: CallId, changes: Mapping[str, object]) -> Change:
    """Ask another model, or the same one with other settings, in an agent's place. Raises UsageError."""
    replies = _replies(turn)
    _reply(replies, call)
    seats = list(turn.recipe.lineup[call.layer - 1])
    seats[call.index - 1] = seats[call.index - 1].model_copy(update=dict(changes))
    kept = {one: its for one, its in _until(replies, call).items() if one != call}
    return Change(with_seats(turn.recipe, call.layer, tuple(seats)), kept)


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


def answering_layer(recipe: Recipe) -> int:
    """The last layer before the final one whose agents write answers, and may be joined by others.

    Raises UsageError where there is none.
    """
    for number in range(len(recipe.layers) - 1, 0, -1):
        if recipe.writes(number) and recipe.layers[number - 1].window is None:
            return number
    raise UsageError(f"recipe {recipe.name} has one layer: nobody in it reads answers")


def with_own_answer(recipe: Recipe, text: str) -> tuple[Recipe, CallId, Reply]:
    """`recipe` with a place for an answer written by hand, the place, and the answer. Raises UsageError."""
    if not text.strip():
        raise UsageError("an answer is needed, as in /propose The moa died out around 1440.")
    # A seat needs a model to be valid; since its reply is there, none is asked.
    first = recipe.lineup[answering_layer(recipe) - 1][0]
    changed, call = with_agent(recipe, first.model_copy(update={"name": "you"}))
    return changed, call, by_hand(call, changed.lineup[call.layer - 1][-1].name, text, BY_HAND)


def by_hand(call: CallId, name: str, text: str, how: str) -> Reply:
    """A reply that a person wrote, which says so."""
    note = f"{call} {name}: {how}"
    return Reply(name, BY_HAND, "done", text=text, usage=Usage(estimated=False), cost=0.0, notes=(note,))


def with_agent(recipe: Recipe, agent: Agent, layer: int | None = None) -> tuple[Recipe, CallId]:
    """`recipe` with one more agent in a layer, the answering one if none is named; and its place.

    Raises UsageError where the layer cannot have it.
    """
    layer = answering_layer(recipe) if layer is None else layer
    seats = recipe.lineup[layer - 1]
    name = agent.name or agent.model.rsplit("/", 1)[-1]
    taken = {seat.name for seat in seats}
    names = [name, *(f"{name} ({number})" for number in range(2, len(seats) + 3))]
    free = next(one for one in names if one not in taken)
    joined = agent.model_copy(update={"name": free, "count": 1, "fallback": ()})
    return with_seats(recipe, layer, (*seats, joined)), CallId(layer, len(seats) + 1)


def _grafted(recipe: Recipe, last: int, by: Recipe) -> Recipe:
    """The first `last` layers of `recipe`, and the layers of `by` after its first, reading on from there."""
    layers = []
    for number, layer in enumerate(recipe.layers[:last], 1):
        table = layer.model_dump(exclude_unset=True, exclude=_SHORT_CUTS)
        layers.append({**table, "agents": recipe.lineup[number - 1], "task": recipe.task(number)})
    for number, layer in enumerate(by.layers[1:], 2):
        reads = tuple(range(1, number)) if layer.reads == "all" else layer.reads
        if isinstance(reads, tuple):
            reads = tuple(one + last - 1 for one in reads)
        # Through a window the one agent is asked as often as there is something to read.
        seats = by.lineup[number - 1][: 1 if layer.window is not None else None]
        table = layer.model_dump(exclude_unset=True)
        layers.append({**table, "agents": seats, "task": by.task(number), "reads": reads})
    return _checked(
        {
            "name": f"{recipe.name} + {by.name}",
            "agents": {name: agent.given_defaults(by.defaults) for name, agent in by.agents.items()},
            "layers": layers,
            "limits": by.limits,
        },
        recipe.name,
    )


def with_seats(recipe: Recipe, layer: int, seats: tuple[Agent, ...]) -> Recipe:
    """`recipe` with these agents in a layer. Raises UsageError where it cannot have them."""
    return _with_layer(recipe, layer, {"agents": seats})


def _with_layer(recipe: Recipe, number: int, changes: Mapping[str, object]) -> Recipe:
    layers = list(recipe.layers)
    layers[number - 1] = layers[number - 1].model_copy(update=dict(changes))
    changed = recipe.model_copy(update={"layers": tuple(layers)})
    return _checked(changed.model_dump(exclude_unset=True), recipe.name)


def _checked(table: Mapping[str, object], name: str) -> Recipe:
    try:
        return Recipe.model_validate(table)
    except ValidationError as error:
        why = "; ".join(each["msg"].removeprefix("Value error, ") for each in error.errors())
        raise UsageError(f"recipe {name} cannot be changed like that: {why}") from error
