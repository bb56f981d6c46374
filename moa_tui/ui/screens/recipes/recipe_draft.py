"""A recipe while it is being edited, with every text as it was typed, valid or not."""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from moa_tui.engine.layer import FOR_REFERENCES
from moa_tui.engine.recipe_edit import validated
from moa_tui.errors import UsageError
from moa_tui.text.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.recipe_edit import RecipeProblem

# The fields of an agent's form, in their order.
FIELDS = ("model", "name", "count", "temperature", "max_tokens", "max_cost", "reasoning_effort", "system")
# The settings that belong to the server of a model.
_OF_A_SERVER = ("api_base", "api_key_env")


@dataclass(frozen=True, slots=True)
class Place:
    """A layer, or an agent of it; both count from 0."""

    layer: int
    agent: int | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a recipe, in words, and where, if it belongs to one place."""

    text: str
    place: Place | None = None
    field: str | None = None


@dataclass(eq=False, slots=True)
class AgentDraft:
    """An agent of a layer: the form's texts by field, and in `settings` the settings without a field.

    `named` is the agent's name in the recipe's `[agents]`, with the table that stands there. While the agent
    is equal to that table, its layer refers to it by the name. Once it is changed, its layer has a table of
    its own for it, so that other places of the same name keep their agent.
    """

    texts: dict[str, str]
    settings: dict[str, Any]
    named: tuple[str, dict[str, Any]] | None = None

    @classmethod
    def of(cls, agent: Agent, name: str | None = None) -> AgentDraft:
        """The draft of an agent; `name` is its name in `[agents]`, None where its layer has its table."""
        data = agent.model_dump(exclude_defaults=True, exclude_none=True)
        if name is not None:
            data.setdefault("name", name)
        texts = {key: str(data.pop(key, "")) for key in FIELDS}
        draft = cls(texts, data)
        if name is not None:
            draft.named = (name, deepcopy(draft.data()))
        return draft

    def copy(self) -> AgentDraft:
        """A second draft with the same contents."""
        return AgentDraft(dict(self.texts), deepcopy(self.settings), self.named)

    @property
    def reference(self) -> str | None:
        """The name by which the layer refers to the agent; None where the layer needs its table."""
        return self.named[0] if self.named is not None and self.named[1] == self.data() else None

    def set_model(self, model: str, api_base: str | None, extra: Mapping[str, Any]) -> None:
        """Change the model, with its server `api_base` and its `extra` parameters.

        The former model's server, key variable and window size are removed: with them a prompt, or a key,
        would be sent to a server that it is not meant for.
        """
        self.texts["model"] = model
        settings = {key: value for key, value in self.settings.items() if key not in _OF_A_SERVER}
        others = {key: value for key, value in settings.pop("extra", {}).items() if key != "num_ctx"}
        if api_base is not None:
            settings["api_base"] = api_base
        if others or extra:
            settings["extra"] = {**others, **extra}
        self.settings = settings

    def data(self) -> dict[str, Any]:
        """The agent as a table, without its empty fields."""
        texts = {key: text if key == "system" else text.strip() for key, text in self.texts.items()}
        return {**{key: text for key, text in texts.items() if text.strip()}, **self.settings}

    @property
    def title(self) -> str:
        """The agent's name in lists and messages."""
        return self.texts["name"].strip() or self.texts["model"].strip().rsplit("/", 1)[-1] or "no model"


@dataclass(eq=False, slots=True)
class LayerDraft:
    """A layer: its agents, and in `settings` its other settings."""

    agents: list[AgentDraft]
    settings: dict[str, Any] = field(default_factory=dict)

    def data(self, number: int) -> dict[str, Any]:
        """The layer as table `number`, counted from 1, without settings that have no meaning there."""
        agents = [agent.reference or agent.data() for agent in self.agents]
        return {**applicable(self.settings, number, self.size), "agents": agents}

    @property
    def size(self) -> int:
        """The number of calls that the layer makes; a count that cannot be read is taken as 1."""
        counts = [agent.texts["count"].strip() or "1" for agent in self.agents]
        return sum(int(count) if re.fullmatch(r"\d{1,3}", count) else 1 for count in counts)


def applicable(settings: Mapping[str, Any], number: int, size: int) -> dict[str, Any]:
    """The settings without those that have no meaning in layer `number`, counted from 1, of `size` calls."""
    table = {key: value for key, value in settings.items() if number > 1 or key not in FOR_REFERENCES}
    reads_nothing = "reads" in table and not table["reads"]
    if table.get("task") == ("synthesize" if number == 1 else "answer") and not reads_nothing:
        del table["task"]
    if table.get("quorum", 0) >= size:
        table.pop("quorum", None)  # A quorum of all answers is the same as no quorum.
    return table


def remedy(table: Mapping[str, Any], index: int, size: int) -> str:
    """How many agents to add or remove where only their number makes layer `index` wrong; else "".

    `size` is the layer's number of agents. The recipe's model is asked which number it takes, nearest first.
    """
    for other in sorted({0, 1, 2, 3} - {size}, key=lambda number: abs(number - size)):
        layers = list(table["layers"])
        layers[index] = {**layers[index], "agents": [{"model": "any"}] * other}
        if _is_right({**table, "layers": layers}, index):
            if other > size:
                return f"add {counted(other - size, 'agent')}"
            its_agents = "its agent" if size == 1 else f"its {size} agents"
            return f"remove {its_agents if not other else f'{size - other} of {its_agents}'}"
    return ""


def _is_right(table: Mapping[str, Any], index: int) -> bool:
    """True if no problem of the recipe belongs to layer `index` or to one before."""
    _, problems = validated(table)
    # Layers are checked in turn, so a complaint of a later one means that this one is right.
    return all(_layer_of(problem, len(table["layers"])) > index for problem in problems)


def _layer_of(problem: RecipeProblem, layers: int) -> int:
    """The layer that a problem belongs to, counted from 0; -1 where it belongs to none."""
    match problem.location:
        case ("layers", int(layer), *_):
            return layer
        case ():
            if problem.message.startswith("the last layer"):
                return layers - 1
            named = re.match(r"layer (\d+)\b", problem.message)
            return int(named[1]) - 1 if named else -1
        case _:
            return -1


class RecipeDraft:
    """The layers, agents and limits of a recipe, to be changed; its other settings stay as they are."""

    def __init__(self, recipe: Recipe) -> None:
        self._original = recipe
        self.name = recipe.name
        self.layers = [
            LayerDraft(
                [
                    AgentDraft.of(recipe.agents[entry], entry)
                    if isinstance(entry, str)
                    else AgentDraft.of(entry)
                    for entry in layer.agents
                ],
                layer.model_dump(exclude_defaults=True, exclude_none=True, exclude={"agents"}),
            )
            for layer in recipe.layers
        ]
        self.limits = recipe.limits.model_dump(exclude_defaults=True, exclude_none=True)
        self._saved = self.data()

    @property
    def is_changed(self) -> bool:
        """True if the draft differs from the recipe that it was made of, or was last saved as."""
        return self.data() != self._saved

    @property
    def defaults(self) -> Mapping[str, Any]:
        """The values that the recipe has for empty fields of an agent."""
        return self._original.defaults.model_dump(exclude_defaults=True, exclude_none=True)

    def mark_saved(self, name: str) -> None:
        """Note that the draft, as it stands, was saved under that name."""
        self.name = name
        self._saved = self.data()

    def data(self) -> dict[str, Any]:
        """The recipe as a table, valid or not."""
        data = self._original.model_dump(exclude_defaults=True, exclude_none=True)
        data["name"] = self.name
        data["layers"] = [layer.data(number) for number, layer in enumerate(self.layers, 1)]
        for key, table in (("agents", self._agents()), ("limits", self.limits)):
            if table:
                data[key] = table
            else:
                data.pop(key, None)
        return data

    def check(self) -> tuple[Recipe | None, list[Problem]]:
        """The recipe, or None and what is wrong with it."""
        recipe, problems = validated(self.data())
        return recipe, list(self._placed(problems))

    def remedy(self, problem: Problem) -> str:
        """What to do where a problem comes from a layer's number of agents; else ""."""
        if problem.place is None or problem.place.agent is not None:
            return ""
        size = self.layers[problem.place.layer].size
        # For a layer without agents the problem itself says what to do.
        return remedy(self.data(), problem.place.layer, size) if size else ""

    def agent(self, place: Place) -> Agent:
        """The agent at a place, with the recipe's defaults. Raises UsageError if it is a layer or invalid."""
        seat = self.seat(place)
        if seat is None:
            raise UsageError("choose an agent: a layer cannot be asked")
        data = {**self.data(), "layers": [{"agents": [{**seat.data(), "count": 1}]}]}
        recipe, problems = validated(data)
        if recipe is None:
            # Problems of the whole recipe are reported only where no field is wrong.
            of_fields = [f"{location[-1]}: {message}" for location, message in problems if location]
            raise UsageError("\n".join(of_fields or [message for _, message in problems]))
        return recipe.lineup[0][0]

    def seat(self, place: Place) -> AgentDraft | None:
        """The draft of the agent at a place; None where the place is a layer."""
        return None if place.agent is None else self.layers[place.layer].agents[place.agent]

    def places(self) -> list[Place]:
        """Every layer, each followed by its agents."""
        return [
            Place(layer, agent)
            for layer, draft in enumerate(self.layers)
            for agent in (None, *range(len(draft.agents)))
        ]

    def add_layer(self, place: Place) -> Place:
        """Add a layer after that of `place`, with a copy of one of its agents; return the new place."""
        agents = self.layers[place.layer].agents
        first = [agents[place.agent or 0].copy()] if agents else []
        self.layers.insert(place.layer + 1, LayerDraft(first))
        return Place(place.layer + 1)

    def add(self, place: Place, agent: AgentDraft) -> Place:
        """Add an agent after that of `place`, or last in the layer, and return the new agent's place."""
        agents = self.layers[place.layer].agents
        index = len(agents) if place.agent is None else place.agent + 1
        agents.insert(index, agent)
        return Place(place.layer, index)

    def remove(self, place: Place) -> Place:
        """Remove a layer or an agent, and return the place to show next. The only layer is not removed."""
        if place.agent is not None:
            agents = self.layers[place.layer].agents
            del agents[place.agent]
            return Place(place.layer, min(place.agent, len(agents) - 1) if agents else None)
        if len(self.layers) > 1:
            del self.layers[place.layer]
        return Place(min(place.layer, len(self.layers) - 1))

    def move(self, place: Place, by: int) -> Place:
        """Swap a layer or agent with its neighbour before (-1) or after (1), and return its new place."""
        siblings: list[Any] = self.layers if place.agent is None else self.layers[place.layer].agents
        old = place.layer if place.agent is None else place.agent
        new = old + by
        if not 0 <= new < len(siblings):
            return place
        siblings[old], siblings[new] = siblings[new], siblings[old]
        return Place(new) if place.agent is None else Place(place.layer, new)

    def _agents(self) -> dict[str, Any]:
        """The table `[agents]`, without the agents that no layer and no fallback refers to any more."""
        entries = [entry for layer in self._original.layers for entry in layer.agents]
        before = {entry for entry in entries if isinstance(entry, str)}
        drafts = [agent for layer in self.layers for agent in layer.agents]
        named = [agent.reference for agent in drafts if agent.reference]
        named += [
            name for agent in drafts if not agent.reference for name in agent.settings.get("fallback", ())
        ]
        named += [name for name in self._original.agents if name not in before]
        used: set[str] = set()
        while named:
            name = named.pop()
            if name in self._original.agents and name not in used:
                used.add(name)
                named += self._original.agents[name].fallback
        return {
            name: agent.model_dump(exclude_defaults=True, exclude_none=True)
            for name, agent in self._original.agents.items()
            if name in used
        }

    def _placed(self, problems: Sequence[RecipeProblem]) -> Iterator[Problem]:
        """The problems, each with the place in the draft where it can be corrected."""
        for problem in problems:
            match problem.location:
                case ("layers", int(layer), "agents", int(index), *rest):
                    key = str(rest[-1]) if rest else ""
                    title = self.layers[layer].agents[index].title
                    where = f"layer {layer + 1}, agent {index + 1} ({title})"
                    yield Problem(f"{where}, {key}: {problem.message}", Place(layer, index), key)
                case ("layers", int(layer), *rest):
                    key = ".".join(map(str, rest))
                    yield Problem(f"layer {layer + 1}, {key}: {problem.message}", Place(layer))
                case ():
                    layer = _layer_of(problem, len(self.layers))
                    yield Problem(problem.message, Place(layer) if layer >= 0 else None)
                case rest:
                    yield Problem(f"{'.'.join(map(str, rest))}: {problem.message}")
