"""A recipe: named agents, the layers that list them, and the limits of a run, as validated values."""

from __future__ import annotations

import math
from collections import Counter
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Annotated, NamedTuple, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from moa_tui.engine.agent import KEPT, Agent, RecipeTable, Sampling, checked_label, purpose_of
from moa_tui.engine.layer import FOR_ANSWERS, FOR_REFERENCES, WRITING_TASKS, Layer, Limits, Task
from moa_tui.engine.parameters import key_like
from moa_tui.engine.values import CallId

if TYPE_CHECKING:
    from collections.abc import Sequence


IMPORTED = "imported"
"""The name of the recipes that are made up for turns of other programs."""
_IMPORTED_MARK = " (imported)"

# Calls of one run. A recipe may come from anybody, and each call costs memory before the first is made.
MOST_CALLS = 500
# What a layer cannot have that begins before the layer before it has ended, and what that one cannot have.
_NOT_BESIDE = ("window", "split", "dropout", "drop_outliers", "enough", "confident")
_NOT_BEFORE = ("window", "split", "top_k", "drop_outliers", "early_stop", "enough", "confident")

# Names that a message lists.
_MOST_NAMED = 20


class _Flow(NamedTuple):
    """What one layer may read and pass on when nothing fails."""

    sources: tuple[CallId, ...]
    """The calls whose replies the layer may read."""
    most_read: int
    """The most of these that it reads."""
    passes: tuple[CallId, ...]
    """The calls whose replies the layer may pass on."""
    most_passed: int
    """The most of these that it passes on."""
    seats: int
    """The number of its own calls."""


class Recipe(RecipeTable):
    """Layers of agents, and the limits of a run.

    The paper's shape (arXiv 2406.04692, section 2.2): n proposers in each of l-1 layers and one
    aggregator make n(l-1)+1 calls at depth l.
    """

    name: Annotated[str, Field(min_length=1)]
    description: str = ""
    defaults: Sampling = Sampling()
    agents: dict[str, Agent] = Field(default_factory=dict)
    layers: Annotated[tuple[Layer, ...], Field(min_length=1)]
    limits: Limits = Limits()
    imported: bool = False
    """True for a recipe that came with an imported conversation: it is shown, and runs only when confirmed.

    What is made of such a recipe by a change is one as well. Files of recipes and conversations leave it out.
    """

    @field_validator("name", "description")
    @classmethod
    def _check_labels(cls, value: str) -> str:
        return checked_label(value)

    @field_validator("agents")
    @classmethod
    def _check_agent_names(cls, value: dict[str, Agent]) -> dict[str, Agent]:
        for name in value:
            checked_label(name)
        return value

    @model_validator(mode="after")
    def _refuse_keys(self, info: ValidationInfo) -> Self:
        if purpose_of(info) != KEPT and (place := key_like(self.model_dump(exclude_unset=True))) is not None:
            raise ValueError(
                f"{place} holds what looks like a key; put it in an environment variable, "
                "and name that in api_key_env"
            )
        return self

    @model_validator(mode="after")
    def _check_layers(self) -> Self:
        for agent in self.agents.values():
            for name in agent.fallback:
                self._named(name, f'the fallback of "{agent.model}"')
        # Before the agents of any layer are unrolled, and again when it is known what is read piece by piece.
        _check_calls(sum(self._asked(layer, number) for number, layer in enumerate(self.layers, 1)))
        for number in range(1, len(self.layers) + 1):
            if (problem := self._problem(number)) is not None:
                raise ValueError(problem)
        _check_calls(sum(layer.seats for layer in self._flow))
        return self

    def _asked(self, layer: Layer, number: int) -> int:
        """How often the agents of a layer are asked, before it is known what they read."""
        agents = (
            self._named(entry, f"layer {number}") if isinstance(entry, str) else entry
            for entry in layer.agents
        )
        return sum(agent.count for agent in agents)

    def _problem(self, number: int) -> str | None:
        """What makes no sense in layer `number`, in a sentence; None where everything fits."""
        layer, task = self.layers[number - 1], self.task(number)
        is_last = number == len(self.layers)
        size = len(self._members(number))
        if number == 1 and (idle := FOR_REFERENCES & layer.model_fields_set):
            return f"layer 1 has no references: {min(idle)} has no effect there"
        if number == 1 and task != "answer":
            return f"layer 1 has no earlier answers to {task}; its task is answer"
        if task == "vote" and size:
            return f"layer {number}: a vote asks nobody, so it has no agents"
        if task != "vote" and not size:
            return f"layer {number} has no agents: add one or remove it"
        if layer.quorum is not None and layer.quorum > size:
            return f"layer {number}: quorum {layer.quorum} is more than its {size} agents"
        if number > 1 and (problem := self._problem_of_reading(number, layer, task, size)) is not None:
            return problem
        if task in ("judge", "checklist", "moderate") and size > 1:
            return f"layer {number}: the task {task} is for one agent, and it has {size}"
        if is_last and size != 1 and task not in ("vote", "rank"):
            return f"the last layer is the aggregator: it needs one agent, and has {size}"
        if is_last and task not in (*WRITING_TASKS, "rank", "vote"):
            return f"the last layer gives the answer, which the task {task} does not"
        if not is_last and task == "vote":
            return f"layer {number}: a vote settles the answer, so it has to be the last layer"
        return self._problem_of_passing_on(number, layer, task, size)

    def _problem_of_reading(self, number: int, layer: Layer, task: Task, size: int) -> str | None:
        if task == "answer" and layer.reads != ():
            return (
                f"layer {number} would ignore the answers before it; its task is synthesize, "
                "unless it has reads = []"
            )
        if task != "answer" and layer.reads == ():
            return f"layer {number}: {task} needs something to read"
        if isinstance(layer.reads, tuple):
            if len(set(layer.reads)) < len(layer.reads):
                return f"layer {number} names a layer twice in reads"
            for other in layer.reads:
                if not 1 <= other < number:
                    return f"layer {number} cannot read layer {other}, which does not come before it"
        if task != "answer" and all(
            self.task(call.layer) not in WRITING_TASKS for call in self.sources(number)
        ):
            return f'layer {number} reads no answer, only what is said of answers: set reads, such as "all"'
        if layer.split and size < 2:
            return f"layer {number}: split shares the references among agents, and it has {size}"
        if layer.window is not None and (task != "synthesize" or size != 1):
            return f"layer {number}: window is for one agent with the task synthesize"
        read = self.read_layers(number, range(1, number))
        if layer.window is not None and any(self.task(other) == "checklist" for other in read):
            return f"layer {number}: a checklist is about all answers, so it cannot be read through a window"
        return self._problem_of_beginning_early(number, layer, task) if layer.begins_early else None

    def _problem_of_beginning_early(self, number: int, layer: Layer, task: Task) -> str | None:
        """What keeps layer `number`, with `stairs` or `start`, from beginning before the last has ended."""
        what = "stairs" if layer.stairs is not None else "start"
        before = self.layers[number - 2]
        if layer.stairs is not None and layer.start is not None:
            return f"layer {number}: stairs and start both say when it begins, so it can have one of them"
        if task not in ("synthesize", "revise"):
            return f"layer {number}: {what} is for the tasks synthesize and revise, and its task is {task}"
        if layer.reads != "previous":
            return f"layer {number}: {what} reads the layer before while that writes, so it cannot have reads"
        if idle := [name for name in _NOT_BESIDE if getattr(layer, name)]:
            return f"layer {number}: with {what} it reads whatever is there, so it cannot have {idle[0]}"
        if self.task(number - 1) not in WRITING_TASKS:
            return f"layer {number}: {what} needs a layer before it that writes answers"
        if before.begins_early:
            return f"layer {number}: {what} cannot follow a layer that has stairs or start itself"
        if idle := [name for name in _NOT_BEFORE if getattr(before, name)]:
            return (
                f"layer {number}: {what} reads answers before it is known which are passed on, so layer "
                f"{number - 1} cannot have {idle[0]}"
            )
        if self.limits.one_model_at_a_time:
            return f"layer {number}: {what} needs two models at once, which one_model_at_a_time rules out"
        size, needed = len(self._members(number - 1)), 0
        if layer.stairs is not None:
            what, needed = "stairs.wait", layer.stairs.wait
        elif layer.start is not None:
            what, needed = "start.with", layer.start.with_
        if needed > size:
            return f"layer {number}: {what} {needed} is more than the {size} agents of layer {number - 1}"
        return None

    def _problem_of_passing_on(self, number: int, layer: Layer, task: Task, size: int) -> str | None:
        settings = layer.model_fields_set
        if number == len(self.layers) and (idle := {*FOR_ANSWERS, "top_k"} & settings):
            return f"layer {number} is the last: {min(idle)} has no effect there"
        if task not in WRITING_TASKS and (idle := set(FOR_ANSWERS) & settings):
            return f"layer {number}: {min(idle)} is for layers that write answers, and its task is {task}"
        if task in ("critique", "judge", "checklist") and layer.top_k is not None:
            return f"layer {number}: top_k is for answers, and its task is {task}"
        if task in WRITING_TASKS and layer.top_k is not None and layer.top_k > size:
            return f"layer {number}: top_k {layer.top_k} is more than its {size} agents"
        if layer.drop_outliers and size < 3:
            return f"layer {number}: there is no majority among {size}, so drop_outliers needs three agents"
        if layer.enough is not None and size < 2:
            return f"layer {number}: enough compares answers, and it has one agent"
        return None

    @property
    def label(self) -> str:
        """The name as it is shown: that of an imported recipe is not taken for the name of one's own."""
        return f"{self.name}{_IMPORTED_MARK}" if self.imported and self.name != IMPORTED else self.name

    @cached_property
    def lineup(self) -> tuple[tuple[Agent, ...], ...]:
        """The agents of each layer: names resolved, defaults applied, counts unrolled, names distinct.

        A layer that reads through a window has its one agent once for each piece.
        """
        seats = []
        for number, layer in enumerate(self.layers, 1):
            members = self._members(number)
            pieces = 1 if layer.window is None else self._flow[number - 1].seats
            seats.append(_distinct(members * pieces))
        return tuple(seats)

    def listed_agents(self, number: int) -> tuple[Agent, ...]:
        """The agents of a layer as in `lineup`, but of a layer with a window its one agent once."""
        return _distinct(self._members(number))

    def asks_in_turn(self, number: int) -> bool:
        """True where the calls of layer `number` are made one after another."""
        return self.layers[number - 1].window is not None or self.limits.one_model_at_a_time

    @property
    def calls(self) -> int:
        """The number of calls that a run makes at most when nothing fails."""
        return sum(len(agents) for agents in self.lineup)

    @property
    def depth(self) -> int:
        """The number of calls in the longest chain of calls that wait for each other.

        A call that begins beside the layer before waits for that layer with the last of its requests.
        """
        return sum(
            len(agents) if self.asks_in_turn(number) else min(1, len(agents))
            for number, agents in enumerate(self.lineup, 1)
        )

    @property
    def writer(self) -> CallId | None:
        """The call that writes the answer, unless the run ends early; None where an answer is chosen."""
        last = len(self.layers)
        return CallId(last, len(self.lineup[-1])) if self.writes(last) else None

    @property
    def layers_in_turn(self) -> frozenset[int]:
        """The numbers of the layers whose calls are made one after another."""
        return frozenset(filter(self.asks_in_turn, range(1, len(self.layers) + 1)))

    @property
    def layers_beside(self) -> frozenset[int]:
        """The numbers of the layers whose calls may begin beside the layer before theirs."""
        return frozenset(number for number, layer in enumerate(self.layers, 1) if layer.begins_early)

    def task(self, number: int) -> Task:
        """The task of layer `number`, counting from 1."""
        return self.layers[number - 1].task or ("answer" if number == 1 else "synthesize")

    def writes(self, number: int) -> bool:
        """True where the texts of layer `number` are answers, so that one may be the answer of the run."""
        return self.task(number) in WRITING_TASKS

    def read_layers(self, number: int, ran: Sequence[int]) -> tuple[int, ...]:
        """The layers whose references layer `number` reads, among the layers `ran`.

        Where layers that it names were skipped, and no answers are left among the others, it reads the last
        layer of answers that ran. A checklist is read beside answers and cannot stand in for them.
        """
        reads = self.layers[number - 1].reads
        if not ran or reads == ():
            return ()
        if reads == "all":
            return tuple(ran)
        named = () if reads == "previous" else tuple(layer for layer in ran if layer in reads)
        skipped = reads != "previous" and len(named) < len(set(reads))
        if skipped and all(self.task(layer) == "checklist" for layer in named):
            answers = [layer for layer in ran if self.task(layer) != "checklist"]
            named = (*answers[-1:], *named)
        return named or (ran[-1],)

    def sources(self, number: int) -> tuple[CallId, ...]:
        """The calls whose replies layer `number` may read."""
        return self._flow[number - 1].sources

    def most_read(self, number: int) -> int:
        """The number of references that one agent of layer `number` reads at most."""
        layer, most = self.layers[number - 1], self._flow[number - 1].most_read
        if layer.split:
            return math.ceil(most / max(1, len(self._members(number))))
        return most if layer.window is None else min(most, layer.window.size)

    @cached_property
    def _flow(self) -> tuple[_Flow, ...]:
        """What each layer may read and pass on when nothing fails."""
        flow: list[_Flow] = []
        for number, layer in enumerate(self.layers, 1):
            task = self.task(number)
            before = [flow[ran - 1] for ran in self.read_layers(number, range(1, number))]
            sources = tuple(dict.fromkeys(call for read in before for call in read.passes))
            most = min(len(sources), sum(read.most_passed for read in before))
            seats = len(self._members(number))
            if layer.window is not None:
                seats = layer.window.pieces(most)
            own = tuple(CallId(number, index) for index in range(1, seats + 1))
            passes = sources if task in ("rank", "moderate") else own
            most_passed = most if task in ("rank", "moderate") else len(own)
            if layer.window is not None:
                passes, most_passed = own[-1:], 1
            if layer.top_k is not None:
                most_passed = min(most_passed, layer.top_k)
            flow.append(_Flow(sources, most, passes, most_passed, seats))
        return tuple(flow)

    def fallbacks(self, agent: Agent) -> tuple[Agent, ...]:
        """The agents to ask in turn when `agent` fails, with their names and defaults."""
        return tuple(self._ready(self._named(name, "a fallback"), name) for name in agent.fallback)

    def candidates(self, number: int, agent: Agent) -> tuple[Agent, ...]:
        """The agents that may be asked for the place of `agent` in layer `number`, in turn.

        They are the agent itself, and its fallbacks where it is alone in the layer: the failure of a lone
        agent would lose the whole layer, while among others it costs one answer.
        """
        is_alone = len(self._members(number)) == 1
        return (agent, *self.fallbacks(agent)) if is_alone else (agent,)

    def every_agent(self) -> tuple[Agent, ...]:
        """Every agent that a run may call, with the fallbacks of lone agents, in order of first use."""
        seen: dict[str, Agent] = {}
        for number, agents in enumerate(self.lineup, 1):
            for agent in (candidate for seat in agents for candidate in self.candidates(number, seat)):
                seen.setdefault(repr(agent.model_copy(update={"name": "", "count": 1})), agent)
        return tuple(seen.values())

    @cached_property
    def written_names(self) -> frozenset[str]:
        """The names of agents as the recipe gives them, without the numbers of `lineup`."""
        listed = [entry for layer in self.layers for entry in layer.agents if not isinstance(entry, str)]
        return frozenset([*self.agents, *(agent.name for agent in (*self.agents.values(), *listed))])

    def _members(self, number: int) -> list[Agent]:
        """The agents of layer `number` with their names and defaults, one for each time they are asked."""
        members = []
        for entry in self.layers[number - 1].agents:
            if isinstance(entry, str):
                agent = self._ready(self._named(entry, f"layer {number}"), entry)
            else:
                agent = self._ready(entry, "")
            members += [agent.model_copy(update={"count": 1})] * agent.count
        return members

    def _named(self, name: str, asker: str) -> Agent:
        """The agent that `[agents]` calls `name`. Raises ValueError, which says who asked, where none is."""
        if name not in self.agents:
            known = ", ".join(islice(self.agents, _MOST_NAMED)) or "none are defined"
            known += ", …" if len(self.agents) > _MOST_NAMED else ""
            raise ValueError(f'{asker} names the agent "{name}", which [agents] does not define ({known})')
        return self.agents[name]

    def _ready(self, agent: Agent, key: str) -> Agent:
        """The agent with its name, which is `key` where it has none of its own, and with the defaults."""
        name = agent.name or key or agent.model.rsplit("/", 1)[-1]
        return agent.with_defaults(self.defaults).model_copy(update={"name": name})


def _check_calls(calls: int) -> None:
    """Raise ValueError where these are more calls than a run may make."""
    if calls > MOST_CALLS:
        raise ValueError(f"a run of it would make {calls:,} calls; {MOST_CALLS} is the most a recipe may")


def _distinct(agents: list[Agent]) -> tuple[Agent, ...]:
    """The agents with a number behind every name that several of them have."""
    total = Counter(agent.name for agent in agents)
    seen: Counter[str] = Counter()
    named = []
    for agent in agents:
        seen[agent.name] += 1
        name = f"{agent.name} {seen[agent.name]}" if total[agent.name] > 1 else agent.name
        named.append(agent.model_copy(update={"name": name}))
    return tuple(named)


def is_imported_label(label: str) -> bool:
    """True where `Recipe.label` is that of an imported recipe."""
    return label == IMPORTED or label.endswith(_IMPORTED_MARK)
