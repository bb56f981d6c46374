"""Recipes made from recipes: each change gives a new, validated Recipe and leaves the old one as it was.

Every function named `with_...` returns the recipe with that change, and raises UsageError where no valid
recipe comes of it. The message is one sentence that names the recipe.
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from pydantic import ValidationError

from moa_tui.engine.agent import EFFORTS, Agent, Sampling
from moa_tui.engine.layer import Layer
from moa_tui.engine.parameters import EFFORT_PARAMETERS
from moa_tui.engine.recipe import Recipe
from moa_tui.engine.values import CallId
from moa_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from moa_tui.engine.agent import Effort


AnySampling = TypeVar("AnySampling", bound=Sampling)

# The settings of a layer that may end a run before the layers that a change has put behind it.
_EARLY_ENDINGS = {"early_stop", "enough", "confident"}


# Validation


class RecipeProblem(NamedTuple):
    """One reason why a table is no valid recipe.

    `location` holds the keys and indexes (from 0) that lead to the value; it is empty where the layers do not
    fit together. `message` is in plain words, without the location.
    """

    location: tuple[int | str, ...]
    message: str


def problems_of(error: ValidationError) -> tuple[RecipeProblem, ...]:
    """The problems that pydantic reports, in its order and in plain words.

    A list that is too short is not reported where that is so only because some of its items are wrong.
    """
    details = error.errors(include_url=False)
    return tuple(
        RecipeProblem(
            detail["loc"],
            "missing" if detail["type"] == "missing" else detail["msg"].removeprefix("Value error, "),
        )
        for detail in details
        if detail["type"] != "too_short"
        or not any(_is_inside(other["loc"], detail["loc"]) for other in details)
    )


def _is_inside(location: tuple[int | str, ...], outer: tuple[int | str, ...]) -> bool:
    return len(location) > len(outer) and location[: len(outer)] == outer


def validated(table: Mapping[str, object]) -> tuple[Recipe | None, tuple[RecipeProblem, ...]]:
    """The recipe that `table` describes, and no problems; or None, and the problems of the table."""
    try:
        return Recipe.model_validate(table), ()
    except ValidationError as error:
        return None, problems_of(error)


def checked(table: Mapping[str, object], refusal: str) -> Recipe:
    """The recipe that `table` describes.

    Raises UsageError with `refusal`, a clause that names the recipe, and the reasons behind it.
    """
    recipe, problems = validated(table)
    if recipe is None:
        raise UsageError(f"{refusal}: {'; '.join(problem.message for problem in problems)}")
    return recipe


# Questions about a recipe


def agent_of(settings: Mapping[str, object]) -> Agent:
    """The agent with these settings, by the names of Agent's fields. Raises UsageError for a wrong one."""
    try:
        return Agent.model_validate(dict(settings))
    except ValidationError as error:
        why = "; ".join(
            f"{problem.location[-1]}: {problem.message}" if problem.location else problem.message
            for problem in problems_of(error)
        )
        raise UsageError(f"there can be no such agent: {why}") from error


def effort_named(word: str) -> Effort | None:
    """The reasoning effort of that name; None for `-`, by which each model has its own. Raises UsageError."""
    for effort in EFFORTS:
        if word.strip().lower() == effort:
            return effort
    if word.strip() == "-":
        return None
    raise UsageError(
        f'"{word.strip()}" is no reasoning effort: say {", ".join(EFFORTS[:-1])} or {EFFORTS[-1]}, or - to '
        "leave it to the models"
    )


def has_checklist(recipe: Recipe) -> bool:
    """True where a layer of the recipe draws up a checklist."""
    return any(recipe.task(number) == "checklist" for number in range(1, len(recipe.layers) + 1))


def proposers_by_layer(recipe: Recipe) -> tuple[tuple[Agent, ...], ...]:
    """The agents of each layer before the last; layers that only draw up a checklist are left out."""
    return tuple(
        agents for number, agents in enumerate(recipe.lineup[:-1], 1) if recipe.task(number) != "checklist"
    )


def count_common_layers(recipe: Recipe, other: Recipe) -> int:
    """The number of layers with the same tasks with which both recipes begin, without their last layers.

    The agents are not compared: compare `proposers_by_layer` for that.
    """
    numbers = range(1, min(len(recipe.layers), len(other.layers)))
    return len(list(takewhile(lambda number: recipe.task(number) == other.task(number), numbers)))


def answering_layer(recipe: Recipe) -> int:
    """The number of the last layer before the final one whose agents write answers and may be joined.

    Raises UsageError where there is none.
    """
    for number in range(len(recipe.layers) - 1, 0, -1):
        if recipe.writes(number) and recipe.layers[number - 1].window is None:
            return number
    raise UsageError(f"recipe {recipe.name} has one layer: nobody in it reads answers")


# Changed recipes


def with_checklist(recipe: Recipe) -> Recipe:
    """The guided recipe: a checklist of the answers that the last layer reads, which that layer reads too.

    The aggregator draws up the list itself, at temperature 0. A recipe that has a checklist is returned
    unchanged. Raises UsageError where the last layer is no synthesis of answers or reads them piece by piece.
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
    reading = final.model_dump(include={"placement", "anonymous", "reads"}, exclude_unset=True)
    read_before = (last - 1,) if final.reads == "previous" else final.reads
    # The checklist takes the last layer's number, so the numbers that layer reads stay right.
    reads = "all" if read_before == "all" else (*read_before, last)
    checklist = Layer(task="checklist", agents=(drawer,), **reading)
    synthesis = final.model_copy(
        update={"task": "synthesize", "reads": reads, "stairs": None, "start": None}  # The list comes first.
    )
    return _with_layers(
        recipe,
        (*recipe.layers[:-1], checklist, synthesis),
        f"recipe {recipe.name} cannot be guided",
    )


def with_writer(recipe: Recipe, asked: Collection[int]) -> Recipe:
    """The recipe with a synthesis at its end that can read a checklist beside all answers, in one call.

    `asked` has the numbers of the layers that were asked in a run of it. A recipe whose last layer writes so
    already is returned unchanged. Where the last layer chooses an answer, or an answer was taken before it,
    its first agent writes behind the layers that were asked. Raises UsageError where no agent could.
    """
    last = len(recipe.layers)
    final = recipe.layers[-1]
    if not recipe.lineup[-1]:
        raise UsageError(
            f"recipe {recipe.name} ends with a vote: no model writes its answer; /again RECIPE has it written"
        )
    if final.window is not None:
        raise UsageError(
            f"recipe {recipe.name} reads its answers piece by piece: points need all of them at once"
        )
    if last in asked and recipe.task(last) == "synthesize":
        return without_stairs(recipe)
    behind = max((number for number in asked if number < last), default=0)
    if not behind:
        raise UsageError(f"recipe {recipe.name} has one layer: nobody in it reads answers")
    layers: list[object] = [
        layer.model_dump(exclude_unset=True, exclude=_EARLY_ENDINGS) for layer in recipe.layers[:behind]
    ]
    kept_settings = {"placement", "anonymous", *(("reads",) if behind == last - 1 else ())}
    writer = final.model_dump(include=kept_settings, exclude_unset=True)
    layers.append({**writer, "agents": (recipe.lineup[-1][0],), "task": "synthesize"})
    return checked(
        {**recipe.model_dump(exclude_unset=True), "layers": layers},
        f"recipe {recipe.name} cannot have its answer written",
    )


def read_checklist(recipe: Recipe) -> int | None:
    """The number of the checklist's layer that the last layer reads; None where it reads none."""
    last = len(recipe.layers)
    numbers = recipe.read_layers(last, range(1, last))
    return next((number for number in numbers if recipe.task(number) == "checklist"), None)


def without_stairs(recipe: Recipe) -> Recipe:
    """The recipe with every layer waiting for the whole of the one before; unchanged where all do."""
    if not any(layer.begins_early for layer in recipe.layers):
        return recipe
    layers = [
        layer.model_copy(update={"stairs": None, "start": None}) if layer.begins_early else layer
        for layer in recipe.layers
    ]
    return _with_layers(recipe, layers, f"recipe {recipe.name} cannot wait for its answers")


def with_agent(recipe: Recipe, agent: Agent, layer: int | None = None) -> tuple[Recipe, CallId]:
    """The recipe with one more agent at the end of a layer, and the place of that agent.

    Without `layer` the agent joins the answering layer. The agent gets a name that is free in its layer, and
    is asked once. Raises UsageError where the layer cannot have it.
    """
    layer = answering_layer(recipe) if layer is None else layer
    agents = recipe.lineup[layer - 1]
    name = agent.name or agent.model.rsplit("/", 1)[-1]
    taken_names = {other.name for other in agents}
    names = [name, *(f"{name} ({number})" for number in range(2, len(agents) + 3))]
    free_name = next(candidate for candidate in names if candidate not in taken_names)
    joined = agent.model_copy(update={"name": free_name, "count": 1, "fallback": ()})
    return with_seats(recipe, layer, (*agents, joined)), CallId(layer, len(agents) + 1)


def with_own_seat(recipe: Recipe, name: str) -> tuple[Recipe, CallId]:
    """The recipe with a place in its answering layer for an answer written by hand, and that place.

    `name` is the name of the writer there. The place holds an agent, because a recipe needs a model in each
    place; that agent is not asked if the run is given a reply for its place. Raises UsageError where
    the recipe has no answering layer.
    """
    first = recipe.lineup[answering_layer(recipe) - 1][0]
    return with_agent(recipe, first.model_copy(update={"name": name}))


def with_seats(recipe: Recipe, layer: int, agents: tuple[Agent, ...]) -> Recipe:
    """The recipe with `agents` instead of the agents that layer `layer` had, counting from 1."""
    return _with_layer(recipe, layer, {"agents": agents})


def with_prompt(recipe: Recipe, prompt: str) -> Recipe:
    """The recipe with `prompt` instead of the instructions of its last layer.

    Raises UsageError where no agent at the end reads answers.
    """
    last = len(recipe.layers)
    if last < 2 or not recipe.lineup[-1]:
        raise UsageError(f"recipe {recipe.name} has no agent at its end that reads answers")
    return _with_layer(recipe, last, {"prompt": prompt})


def with_aggregator(
    recipe: Recipe, model: str, *, api_base: str | None = None, extra: Mapping[str, object] | None = None
) -> Recipe:
    """The recipe with another model as its aggregator, at the server `api_base` or the provider's own.

    The aggregator keeps its sampling settings and system prompt, but neither key nor fallback, which belong
    to the old model. Raises UsageError where the recipe ends with a vote, or `model` names no model.
    """
    if not recipe.lineup[-1]:
        raise UsageError(f"recipe {recipe.name} ends with a vote: no model writes its answer")
    aggregator = recipe.lineup[-1][0].model_copy(
        update={
            "model": model,
            "name": "",
            "fallback": (),
            "api_key_env": None,
            "api_base": api_base,
            "extra": dict(extra or {}),
        }
    )
    final = recipe.layers[-1].model_copy(update={"agents": (aggregator,)})
    return _with_layers(
        recipe,
        (*recipe.layers[:-1], final),
        f'"{" ".join(model.split())}" cannot be the aggregator of recipe {recipe.name}',
    )


def with_layers_of(recipe: Recipe, last: int, other: Recipe) -> Recipe:
    """The first `last` layers of the recipe, followed by the layers of `other` after its first.

    Layer `last` takes the place of the first layer of `other`, so the numbers of the layers that are read
    change accordingly. Settings that could end the run before the new layers are left out. Raises UsageError
    where `other` has one layer.
    """
    if len(other.layers) < 2:
        raise UsageError(f"recipe {other.name} has one layer: nothing in it reads answers")
    layers = []
    for number, layer in enumerate(recipe.layers[:last], 1):
        table = layer.model_dump(exclude_unset=True, exclude=_EARLY_ENDINGS)
        layers.append({**table, "agents": recipe.listed_agents(number), "task": recipe.task(number)})
    for number, layer in enumerate(other.layers[1:], 2):
        reads = tuple(range(1, number)) if layer.reads == "all" else layer.reads
        if isinstance(reads, tuple):
            reads = tuple(read_number + last - 1 for read_number in reads)
        agents = other.listed_agents(number)
        # The answers are there already, so that nothing is begun before they are.
        table = layer.model_dump(exclude_unset=True, exclude={"stairs", "start"})
        layers.append({**table, "agents": agents, "task": other.task(number), "reads": reads})
    return checked(
        {
            "name": f"{recipe.name} + {other.name}",
            # The agents of these layers name fallbacks among the agents of `other`.
            "agents": {name: agent.with_defaults(other.defaults) for name, agent in other.agents.items()},
            "layers": layers,
            "limits": other.limits,
            **({"imported": True} if recipe.imported or other.imported else {}),
        },
        f"recipe {recipe.name} cannot be continued by {other.name}",
    )


def with_effort(recipe: Recipe, effort: Effort | None) -> Recipe:
    """The recipe with this reasoning effort for every agent; None leaves it to each model.

    What an agent says of it in words of one provider's is left out, so that nothing contradicts it.
    """

    def changed(agent: Agent) -> Agent:
        return without_effort(agent).model_copy(update={"reasoning_effort": effort})

    defaults = without_effort(recipe.defaults)
    return _with_agents(recipe, defaults, changed, f"recipe {recipe.name} cannot have that effort")


def with_temperature(recipe: Recipe, temperature: float) -> Recipe:
    """The recipe with this temperature for every agent."""

    def changed(agent: Agent) -> Agent:
        return agent.model_copy(update={"temperature": temperature})

    return _with_agents(
        recipe, recipe.defaults, changed, f"recipe {recipe.name} cannot have that temperature"
    )


def _with_agents(
    recipe: Recipe, defaults: Sampling, changed: Callable[[Agent], Agent], refusal: str
) -> Recipe:
    """The recipe with these defaults, and every agent changed."""
    layers = [
        layer.model_copy(
            update={
                "agents": tuple(entry if isinstance(entry, str) else changed(entry) for entry in layer.agents)
            }
        )
        for layer in recipe.layers
    ]
    changes = {
        "agents": {name: changed(agent) for name, agent in recipe.agents.items()},
        "defaults": defaults,
    }
    return _with_layers(recipe.model_copy(update=changes), layers, refusal)


def without_effort(sampling: AnySampling) -> AnySampling:
    """The settings without anything that says how much the model thinks."""
    extra = {name: value for name, value in sampling.extra.items() if name not in EFFORT_PARAMETERS}
    return sampling.model_copy(update={"reasoning_effort": None, "extra": extra})


def effort_words(recipe: Recipe) -> str:
    """What reasoning effort is in force for which agents of the recipe, as a clause."""
    names: dict[str, list[str]] = {}
    for agent in recipe.every_agent():
        effort = agent.reasoning_effort or agent.extra.get("reasoning_effort") or "the model's own"
        names.setdefault(str(effort), []).append(agent.name)
    if len(names) == 1:
        return f"{next(iter(names))}, for all agents"
    return "; ".join(f"{effort} for {', '.join(dict.fromkeys(agents))}" for effort, agents in names.items())


def _with_layer(recipe: Recipe, number: int, settings: Mapping[str, object]) -> Recipe:
    layers: Sequence[Layer] = [
        layer.model_copy(update=dict(settings)) if place == number else layer
        for place, layer in enumerate(recipe.layers, 1)
    ]
    return _with_layers(recipe, layers, f"recipe {recipe.name} cannot be changed like that")


def _with_layers(recipe: Recipe, layers: Iterable[Layer], refusal: str) -> Recipe:
    changed = recipe.model_copy(update={"layers": tuple(layers)})
    return checked(changed.model_dump(exclude_unset=True), refusal)
