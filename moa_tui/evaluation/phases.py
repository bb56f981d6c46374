"""The order of a bulk run that asks one model at a time, so that a server loads each model once a layer.

All prompts' calls of one model in one layer are a phase. A phase runs every prompt through the engine with
the replies that are there, and with placeholders for all calls that are not its turn; so nothing but the
phase's own calls is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from moa_tui.engine.values import CallId, Failure, Reply

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import Outcome

_NOT_ITS_TURN = Failure("interrupted", "not its turn yet")


@dataclass(frozen=True, slots=True)
class Phase:
    """All calls of one model in one layer, or of one seat of a layer whose agents are asked in turn."""

    turn: int
    layer: int
    model: str
    index: int | None = None

    def holds(self, recipe: Recipe, call: CallId) -> bool:
        """True where the call is made in this phase."""
        if call.layer != self.layer or (self.index is not None and call.index != self.index):
            return False
        return recipe.lineup[call.layer - 1][call.index - 1].model == self.model

    def calls(self, recipe: Recipe) -> list[CallId]:
        """The calls of a run of the recipe that are made in this phase."""
        return [call for call in calls_of(recipe) if self.holds(recipe, call)]


def calls_of(recipe: Recipe) -> list[CallId]:
    """Every call that a run of the recipe may make."""
    return [
        CallId(layer, index)
        for layer, agents in enumerate(recipe.lineup, 1)
        for index in range(1, len(agents) + 1)
    ]


def phases_of(recipes: Iterable[Recipe], turns: int) -> list[Phase]:
    """The phases that answer `turns` turns of every prompt; each layer begins with the model asked last."""
    known = list(recipes)
    depth = max((len(recipe.lineup) for recipe in known), default=0)
    phases: list[Phase] = []
    for turn in range(1, turns + 1):
        for layer in range(1, depth + 1):
            seats: dict[tuple[str, int | None], None] = {}
            for recipe in known:
                if layer <= len(recipe.lineup):
                    in_turn = recipe.layers[layer - 1].window is not None
                    for index, agent in enumerate(recipe.lineup[layer - 1], 1):
                        seats[agent.model, index if in_turn else None] = None
            order = sorted(seats, key=lambda seat: seat[1] or 0)
            if phases and (loaded := (phases[-1].model, None)) in order:
                order.remove(loaded)
                order.insert(0, loaded)
            phases += [Phase(turn, layer, model, index) for model, index in order]
    return phases


def without_quorums(recipe: Recipe) -> Recipe:
    """The recipe with each layer waiting for all of its agents.

    A model that is asked behind all others would be left behind by them, as they have answered long before.
    """
    if all(layer.quorum is None for layer in recipe.layers):
        return recipe
    layers = tuple(layer.model_copy(update={"quorum": None}) for layer in recipe.layers)
    return recipe.model_copy(update={"layers": layers})


def with_placeholders(recipe: Recipe, phase: Phase, known: Mapping[CallId, Reply]) -> dict[CallId, Reply]:
    """The replies to run the recipe with in this phase: those that are known, and placeholders."""
    reused = dict(known)
    for call in calls_of(recipe):
        if call not in reused and not phase.holds(recipe, call):
            agent = recipe.lineup[call.layer - 1][call.index - 1]
            reused[call] = Reply(agent.name, agent.model, "stopped", error=_NOT_ITS_TURN, cost=0.0)
    return reused


def is_whole(outcome: Outcome) -> bool:
    """True where no placeholder stands among the replies, so that the outcome is that of the whole run."""
    return not any(reply.error == _NOT_ITS_TURN for reply in outcome.replies.values())
