"""What a person changes in a turn that is over, as the recipe and the replies of the turn that comes of it.

Whatever does not stand downstream of the change is kept, and so neither asked nor paid again. Pure.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from moa_tui.engine.events import CallId, Reply, Usage
from moa_tui.engine.live_change import left_out, taken_in
from moa_tui.engine.recipe import Recipe
from moa_tui.engine.recipe_edit import (
    answering_layer,
    with_agent,
    with_layers_of,
    with_own_seat,
    with_prompt,
    with_seats,
)
from moa_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moa_tui.conversation import Turn
    from moa_tui.engine.agent import Agent
    from moa_tui.engine.recipe import Recipe

BY_HAND = "written by hand"


# What of a turn's replies is kept where only what follows them is done anew.
_WHOLE = ("done", "excluded")


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
    return Change(with_layers_of(turn.recipe, last, by), kept)


def reword(turn: Turn, prompt: str) -> Change:
    """Let the last layer work by other instructions, its references kept. Raises UsageError."""
    replies = _replies(turn)
    recipe = with_prompt(turn.recipe, prompt)
    last = len(recipe.layers)
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


def with_own_answer(recipe: Recipe, text: str) -> tuple[Recipe, CallId, Reply]:
    """`recipe` with a place for an answer written by hand, the place, and the answer. Raises UsageError."""
    if not text.strip():
        raise UsageError("an answer is needed, as in /propose The moa died out around 1440.")
    changed, call = with_own_seat(recipe, "you")
    return changed, call, by_hand(call, changed.lineup[call.layer - 1][-1].name, text, BY_HAND)


def by_hand(call: CallId, name: str, text: str, how: str) -> Reply:
    """A reply that a person wrote, which says so."""
    note = f"{call} {name}: {how}"
    return Reply(name, BY_HAND, "done", text=text, usage=Usage(estimated=False), cost=0.0, notes=(note,))
