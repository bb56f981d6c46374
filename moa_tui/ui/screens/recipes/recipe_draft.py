"""A recipe while it is being edited: what was typed is kept as it was typed, right or wrong."""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from moa_tui.engine.recipe import FOR_REFERENCES
from moa_tui.engine.recipe_edit import validated
from moa_tui.errors import UsageError
from moa_tui.text.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.recipe_edit import RecipeProblem

# What the form shows of an agent, in its order.
FIELDS = ("model", "name", "count", "temperature", "max_tokens", "system")


@dataclass(frozen=True, slots=True)
class Place:
    """A layer, or an agent of it; both count from 0."""

    layer: int
    agent: int | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong in words, and where it is if it belongs to one place."""

    text: str
    place: Place | None = None
    field: str | None = None


@dataclass(eq=False, slots=True)
class AgentDraft:
    """An agent of a layer: the form's texts by field, and in `kept` all its other settings.

    `named` is its name in the recipe's `[agents]`, with what it says there. Where that is still what this
    seat says, the name stands for it; once changed, the seat is written out in its layer, so that the other
    seats of that name stay as they were.
    """

    texts: dict[str, str]
    kept: dict[str, Any]
    named: tuple[str, dict[str, Any]] | None = None

    @classmethod
    def of(cls, agent: Agent, name: str | None = None) -> AgentDraft:
        """The draft of an agent as it is; `name` is what `[agents]` calls it."""
        data = agent.model_dump(exclude_defaults=True, exclude_none=True)
        if name is not None:
            data.setdefault("name", name)
        texts = {key: str(data.pop(key, "")) for key in FIELDS}
        draft = cls(texts, data)
        if name is not None:
            draft.named = (name, deepcopy(draft.data()))
        return draft

    def copy(self) -> AgentDraft:
        """Another one like it."""
        return AgentDraft(dict(self.texts), deepcopy(self.kept), self.named)

    @property
    def reference(self) -> str | None:
        """The name that stands for it, None where it has to be written out."""
        return self.named[0] if self.named is not None and self.named[1] == self.data() else None

    def ask(self, model: str, api_base: str | None, extra: Mapping[str, Any]) -> None:
        """Be asked of another model, at its own server.

        The old one's server, key and window size go: they would send a prompt, or a key, where it does not
        belong.
        """
        self.texts["model"] = model
        kept = {key: value for key, value in self.kept.items() if key not in ("api_base", "api_key_env")}
        others = {key: value for key, value in kept.pop("extra", {}).items() if key != "num_ctx"}
        if api_base is not None:
            kept["api_base"] = api_base
        if others or extra:
            kept["extra"] = {**others, **extra}
        self.kept = kept

    def data(self) -> dict[str, Any]:
        """Written out, with empty fields left out."""
        texts = {key: text if key == "system" else text.strip() for key, text in self.texts.items()}
        return {**{key: text for key, text in texts.items() if text.strip()}, **self.kept}

    @property
    def title(self) -> str:
        """What lists and messages call it."""
        return self.texts["name"].strip() or self.texts["model"].strip().rsplit("/", 1)[-1] or "no model"


@dataclass(eq=False, slots=True)
class LayerDraft:
    """A layer: its agents, and in `kept` its other settings."""

    agents: list[AgentDraft]
    kept: dict[str, Any] = field(default_factory=dict)

    def data(self, number: int) -> dict[str, Any]:
        """Written out as layer `number`, counting from 1, without what has no meaning there."""
        agents = [agent.reference or agent.data() for agent in self.agents]
        return {**settled(self.kept, number, self.size), "agents": agents}

    @property
    def size(self) -> int:
        """How many calls it makes, as far as its agents' counts can be read."""
        counts = [agent.texts["count"].strip() or "1" for agent in self.agents]
        return sum(int(count) if re.fullmatch(r"\d{1,3}", count) else 1 for count in counts)


def settled(kept: Mapping[str, Any], number: int, size: int) -> dict[str, Any]:
    """The settings of layer `number` without those that have no meaning there, for so many agents."""
    kept = {key: value for key, value in kept.items() if number > 1 or key not in FOR_REFERENCES}
    reads_nothing = "reads" in kept and not kept["reads"]
    if kept.get("task") == ("synthesize" if number == 1 else "answer") and not reads_nothing:
        del kept["task"]
    if kept.get("quorum", 0) >= size:
        kept.pop("quorum", None)  # All of them, which is what no quorum means.
    return kept


def remedy(table: Mapping[str, Any], index: int, size: int) -> str:
    """What to do where layer `index` of a recipe is wrong only for its number of agents; else nothing.

    The model is asked which number it would take, the nearest first.
    """
    for other in sorted({0, 1, 2, 3} - {size}, key=lambda number: abs(number - size)):
        layers = list(table["layers"])
        layers[index] = {**layers[index], "agents": [{"model": "any"}] * other}
        if _is_right({**table, "layers": layers}, index):
            if other > size:
                return f"add {counted(other - size, 'agent')}"
            all_of_them = "its agent" if size == 1 else f"its {size} agents"
            return f"remove {all_of_them if not other else f'{size - other} of {all_of_them}'}"
    return ""


def _is_right(table: Mapping[str, Any], index: int) -> bool:
    _, problems = validated(table)
    # Layers are checked in turn, so a complaint of a later one means that this one is right.
    return all(_layer_of(problem, len(table["layers"])) > index for problem in problems)


def _layer_of(problem: RecipeProblem, layers: int) -> int:
    """The layer that a problem belongs to, counting from 0; -1 where it is none's."""
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
    """The layers and agents of a recipe, open to change; all its other settings stay as they are."""

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
        self.unchanged = self.data()

    @property
    def changed(self) -> bool:
        """Whether it differs from what it was, or was last saved as."""
        return self.data() != self.unchanged

    @property
    def defaults(self) -> Mapping[str, Any]:
        """What an agent takes where its own field is empty."""
        return self._original.defaults.model_dump(exclude_defaults=True, exclude_none=True)

    def saved_as(self, name: str) -> None:
        """It is now what a file of that name says."""
        self.name = name
        self.unchanged = self.data()

    def data(self) -> dict[str, Any]:
        """The recipe as a table, right or wrong."""
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
        """The recipe, or what is wrong with it."""
        recipe, problems = validated(self.data())
        return recipe, list(self._placed(problems))

    def remedy(self, problem: Problem) -> str:
        """What to do where a layer has not the agents that its task takes; else nothing."""
        if problem.place is None or problem.place.agent is not None:
            return ""
        size = self.layers[problem.place.layer].size
        # That a layer has no agents says already what to do.
        return remedy(self.data(), problem.place.layer, size) if size else ""

    def agent(self, place: Place) -> Agent:
        """The agent of a seat with the recipe's defaults, ready to be asked. Raises UsageError."""
        seat = self.seat(place)
        if seat is None:
            raise UsageError("choose an agent: a layer cannot be asked")
        data = {**self.data(), "layers": [{"agents": [{**seat.data(), "count": 1}]}]}
        recipe, problems = validated(data)
        if recipe is None:
            # What concerns the whole is told where nothing is wrong with a field.
            of_fields = [f"{location[-1]}: {message}" for location, message in problems if location]
            raise UsageError("\n".join(of_fields or [message for _, message in problems]))
        return recipe.lineup[0][0]

    def seat(self, place: Place) -> AgentDraft | None:
        """The agent at a place; None at a layer's own."""
        return None if place.agent is None else self.layers[place.layer].agents[place.agent]

    def places(self) -> list[Place]:
        """Every layer, each followed by its agents."""
        return [
            Place(layer, agent)
            for layer, draft in enumerate(self.layers)
            for agent in (None, *range(len(draft.agents)))
        ]

    def add_layer(self, place: Place) -> Place:
        """Add a layer behind that of `place`, with a copy of the agent there: a layer needs one."""
        agents = self.layers[place.layer].agents
        first = [agents[place.agent or 0].copy()] if agents else []
        self.layers.insert(place.layer + 1, LayerDraft(first))
        return Place(place.layer + 1)

    def add(self, place: Place, agent: AgentDraft) -> Place:
        """Put an agent behind that of `place`, or last into its layer."""
        agents = self.layers[place.layer].agents
        at = len(agents) if place.agent is None else place.agent + 1
        agents.insert(at, agent)
        return Place(place.layer, at)

    def remove(self, place: Place) -> Place:
        """Take out a layer or an agent; the place to look at next. The last layer stays."""
        if place.agent is not None:
            agents = self.layers[place.layer].agents
            del agents[place.agent]
            return Place(place.layer, min(place.agent, len(agents) - 1) if agents else None)
        if len(self.layers) > 1:
            del self.layers[place.layer]
        return Place(min(place.layer, len(self.layers) - 1))

    def move(self, place: Place, by: int) -> Place:
        """Change places with the neighbour before (-1) or behind (1), where there is one."""
        row: list[Any] = self.layers if place.agent is None else self.layers[place.layer].agents
        at = place.layer if place.agent is None else place.agent
        if not 0 <= at + by < len(row):
            return place
        row[at], row[at + by] = row[at + by], row[at]
        return Place(at + by) if place.agent is None else Place(place.layer, at + by)

    def _agents(self) -> dict[str, Any]:
        """`[agents]` without those that only seats named which are now written out."""
        entries = [entry for layer in self._original.layers for entry in layer.agents]
        before = {entry for entry in entries if isinstance(entry, str)}
        drafts = [agent for layer in self.layers for agent in layer.agents]
        named = [agent.reference for agent in drafts if agent.reference]
        named += [name for agent in drafts if not agent.reference for name in agent.kept.get("fallback", ())]
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
        """The problems with the places in the draft where they can be mended."""
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
