"""Any recipe with a checklist before its last synthesis, so that a person says what it is made of."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from pydantic import ValidationError

from moa_tui.engine.recipe import Layer, Recipe
from moa_tui.errors import UsageError

if TYPE_CHECKING:
    from moa_tui.engine.agent import Agent


def has_checklist(recipe: Recipe) -> bool:
    """Whether a layer of the recipe draws up a checklist."""
    return any(recipe.task(number) == "checklist" for number in range(1, len(recipe.layers) + 1))


def proposers(recipe: Recipe) -> tuple[tuple[Agent, ...], ...]:
    """The agents of each layer before the last, without those that only draw up a checklist."""
    return tuple(
        agents for number, agents in enumerate(recipe.lineup[:-1], 1) if recipe.task(number) != "checklist"
    )


def layers_in_common(one: Recipe, other: Recipe) -> int:
    """How many layers two recipes of the same proposers begin with in common, their last ones aside."""
    before = range(1, min(len(one.layers), len(other.layers)))
    return len(list(takewhile(lambda number: one.task(number) == other.task(number), before)))


def guided(recipe: Recipe) -> Recipe:
    """`recipe` with a checklist of what its last layer reads, which that layer then reads too.

    The aggregator draws the list itself, at temperature 0. A recipe with a checklist of its own stays as it
    is. Raises UsageError where the last layer is no synthesis of answers, or reads them piece by piece.
    """
    if has_checklist(recipe):
        return recipe
    last = len(recipe.layers)
    final = recipe.layers[-1]
    if last == 1:
        raise UsageError(f"recipe {recipe.name} has one layer: there are no answers to draw points from")
    if recipe.task(last) != "synthesize":
        raise UsageError(
            f"recipe {recipe.name} ends with the task {recipe.task(last)}: only a synthesis reads a checklist"
        )
    if final.window is not None:
        raise UsageError(
            f"recipe {recipe.name} reads its answers piece by piece: a checklist needs all of them at once"
        )
    drawer = recipe.lineup[-1][0].model_copy(update={"temperature": 0.0})
    same = final.model_dump(include={"placement", "anonymous", "reads"}, exclude_unset=True)
    before = (last - 1,) if final.reads == "previous" else final.reads
    # The checklist takes the last layer's number, so the numbers that layer reads stay right.
    reads = "all" if before == "all" else (*before, last)
    layers = (
        *recipe.layers[:-1],
        Layer(task="checklist", agents=(drawer,), **same),
        final.model_copy(update={"task": "synthesize", "reads": reads}),
    )
    try:
        return Recipe.model_validate(
            recipe.model_copy(update={"layers": layers}).model_dump(exclude_unset=True)
        )
    except ValidationError as error:
        why = "; ".join(each["msg"].removeprefix("Value error, ") for each in error.errors())
        raise UsageError(f"recipe {recipe.name} cannot be guided: {why}") from error
