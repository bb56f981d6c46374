"""What a person changes of a run while it goes. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from moa_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.events import CallId, Reply
    from moa_tui.engine.recipe import Recipe

LEFT_OUT = "left out by hand"


@dataclass(frozen=True, slots=True)
class Alteration:
    """A change of the layer at work or of layers to come.

    `recipe` is what is run from now on: the recipe so far, with agents added at the end of the layer at work,
    or with other agents in later layers. `leave_out` and `take_in` are calls of the layer at work. `given`
    holds replies for added agents that nobody needs to be asked for.
    """

    recipe: Recipe
    leave_out: frozenset[CallId] = frozenset()
    take_in: frozenset[CallId] = frozenset()
    given: Mapping[CallId, Reply] = field(default_factory=dict)

    def added(self, before: Recipe, layer: int) -> list[tuple[int, Agent]] | None:
        """The agents that join `layer`, the one at work, with their indexes from 1.

        None where that layer, or one before it, would be another than it was begun as. Raises UsageError for
        a call of a layer that has not begun.
        """
        for call in self.leave_out | self.take_in:
            if call.layer > layer:
                raise UsageError(f"{call} has not been asked yet")
            if call.layer < layer:
                return None
        old, new = before.lineup, self.recipe.lineup
        if len(old) != len(new) or old[: layer - 1] != new[: layer - 1]:
            return None
        seats = len(old[layer - 1])
        if new[layer - 1][:seats] != old[layer - 1]:
            return None
        added = list(enumerate(new[layer - 1], 1))[seats:]
        touched = bool(added or self.leave_out or self.take_in)
        # The last layer has one agent and nothing after it: what changes it, changes the whole of it.
        return None if touched and layer == len(new) else added


def left_out(call: CallId, reply: Reply) -> Reply:
    """The reply as one that nobody reads, since a person left it out."""
    said = _said(call, reply)
    return replace(reply, status="excluded", notes=(*(note for note in reply.notes if note != said), said))


def taken_in(call: CallId, reply: Reply) -> Reply:
    """The reply as it was before it was left out. Raises UsageError where it was never whole."""
    if reply.status != "excluded" or reply.error is not None or not reply.text.strip():
        raise UsageError(f"{call} {reply.agent} has no whole answer to take back in: ask it again")
    said = _said(call, reply)
    return replace(reply, status="done", notes=tuple(note for note in reply.notes if note != said))


def _said(call: CallId, reply: Reply) -> str:
    return f"{call} {reply.agent}: {LEFT_OUT}"
