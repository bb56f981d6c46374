"""What a person changes in a run while it goes, as an alteration of it.

What was answered is never written over: an answer that is asked for again, or that another model or the
person takes the place of, is left out and stays to be seen, and what takes its place joins its layer. Each
function gives what is to be changed if the call's layer is at work or still to come; where the run is further
on, the engine refuses, and the change is one of a turn that is over, as in `steering`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from moa_tui.engine.live_change import Alteration
from moa_tui.engine.recipe_edit import with_agent, with_seats
from moa_tui.errors import UsageError
from moa_tui.steering import by_hand, with_own_answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.events import CallId
    from moa_tui.engine.recipe import Recipe


def retry(recipe: Recipe, call: CallId) -> Alteration:
    """Ask an agent of the layer at work once more, in the place of its answer."""
    return _instead(recipe, call, _agent(recipe, call))


def leave_out(recipe: Recipe, call: CallId) -> Alteration:
    """Go on without an agent of the layer at work, whether it has answered or is writing."""
    return Alteration(recipe, leave_out=frozenset((call,)))


def take_in(recipe: Recipe, call: CallId) -> Alteration:
    """Take an answer back in that was left out."""
    return Alteration(recipe, take_in=frozenset((call,)))


def amend(recipe: Recipe, call: CallId, text: str) -> Alteration:
    """Put a text of one's own in the place of an answer of the layer at work. Raises UsageError."""
    if not text.strip():
        raise UsageError("an empty answer helps nobody; leave it out instead")
    own = _agent(recipe, call).model_copy(update={"name": f"{_agent(recipe, call).name}, edited"})
    changed, place = with_agent(recipe, own, call.layer)
    reply = by_hand(place, changed.lineup[place.layer - 1][-1].name, text, "edited by hand")
    return Alteration(changed, leave_out=frozenset((call,)), given={place: reply})


def propose(recipe: Recipe, text: str) -> Alteration:
    """Add an answer of one's own beside those that the last layer reads. Raises UsageError."""
    changed, call, reply = with_own_answer(recipe, text)
    return Alteration(changed, given={call: reply})


def add(recipe: Recipe, agent: Agent) -> Alteration:
    """Ask one more agent, beside those that the last layer reads. Raises UsageError."""
    return Alteration(with_agent(recipe, agent)[0])


def swap(recipe: Recipe, call: CallId, changes: Mapping[str, object], at_work: int) -> Alteration:
    """Ask another model, or the same one otherwise, in an agent's place; `at_work` is the layer that is."""
    other = _agent(recipe, call).model_copy(update=dict(changes))
    if call.layer <= at_work:
        return _instead(recipe, call, other)
    seats = list(recipe.lineup[call.layer - 1])
    seats[call.index - 1] = other
    return Alteration(with_seats(recipe, call.layer, tuple(seats)))


def _instead(recipe: Recipe, call: CallId, agent: Agent) -> Alteration:
    if call.layer == len(recipe.layers):
        # One agent writes the answer, so none can join it: the engine refuses, whatever is asked of it.
        return Alteration(recipe, leave_out=frozenset((call,)))
    return Alteration(with_agent(recipe, agent, call.layer)[0], leave_out=frozenset((call,)))


def _agent(recipe: Recipe, call: CallId) -> Agent:
    return recipe.lineup[call.layer - 1][call.index - 1]
