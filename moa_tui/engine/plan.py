"""The plan of a run before it is made: its calls, and the most that they take in tokens and cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from moa_tui.engine.token_estimate import estimate_tokens
from moa_tui.engine.values import CallId, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.layer import Layer, Task
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import Message, Reply

# The longest answer, in tokens, that an agent without max_tokens is assumed to write; the paper's setting.
ASSUMED_ANSWER_TOKENS = 2048
# The size of the synthesis instructions and the tags of one reference, in tokens.
INSTRUCTION_TOKENS = 350
# The size of the instructions of a further step, in tokens.
STEP_TOKENS = 150
_NOTHING_KEPT: Mapping[CallId, Reply] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """The facts about an agent's model. Prices are in US dollars per token; None is unknown, never free.

    `endpoint` is the name of the server that its calls go to, `concurrency` the limit of that server on calls
    at once, None where there is none. `context_tokens` is the size of the model's context window.
    `thinking_tokens` is the room that the agent's calls give the model for thinking beside its answer.
    `cached_price` is that of prompt tokens read from the provider's cache, `cache_write_price` of those that
    are written to it, both None where they are no others; prompts of fewer than `least_cached_tokens` are not
    cached. `is_local` marks a server on this machine, which costs nothing.
    """

    endpoint: str
    concurrency: int | None = None
    context_tokens: int | None = None
    prompt_price: float | None = None
    completion_price: float | None = None
    thinking_tokens: int = 0
    cached_price: float | None = None
    cache_write_price: float | None = None
    least_cached_tokens: int = 0
    is_local: bool = False

    def most_written(self, agent: Agent) -> int:
        """The most tokens that the model may write for `agent`: its answer, and its thinking beside that."""
        return longest_answer(agent) + self.thinking_tokens

    def cost(self, usage: Usage) -> float | None:
        """The most that `usage` should cost in US dollars, None where a price is unknown.

        That is what it costs where all of the prompt is written to a cache, if the provider charges for that.
        """
        if self.prompt_price is None or self.completion_price is None:
            return None
        prompt_price = self.prompt_price
        if self.cache_write_price is not None and usage.prompt_tokens >= self.least_cached_tokens:
            prompt_price = max(prompt_price, self.cache_write_price)
        return usage.prompt_tokens * prompt_price + usage.completion_tokens * self.completion_price


def longest_answer(agent: Agent) -> int:
    """The longest answer that `agent` should give, in tokens, without what its model thinks."""
    return agent.max_tokens or ASSUMED_ANSWER_TOKENS


def facts_unknown(agent: Agent) -> ModelFacts:
    """The facts about a model of which only the name is known."""
    return ModelFacts(endpoint=agent.api_base or agent.model.partition("/")[0])


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """One call as it is expected.

    `usage` is the most that it should take, `cost` the most in US dollars among the agent and its fallbacks,
    None where a price is unknown. A call in steps reads what it has read again with each of its `requests`,
    of which these are the most; what a provider's cache makes cheaper of that is not known before.
    """

    agent: Agent
    facts: ModelFacts
    usage: Usage
    cost: float | None
    requests: int = 1


@dataclass(frozen=True, slots=True)
class PlannedLayer:
    """The calls of one layer as they are expected."""

    number: int
    task: Task
    calls: tuple[PlannedCall, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The calls of a run as they are expected."""

    layers: tuple[PlannedLayer, ...]
    warnings: tuple[str, ...] = ()
    """What makes little sense in the plan, each in a sentence."""

    @property
    def requests(self) -> int:
        """The most requests that the calls take together, without those that are sent once more."""
        return sum(call.requests for call in self.calls)

    @property
    def calls(self) -> tuple[PlannedCall, ...]:
        """All calls in order."""
        return tuple(call for layer in self.layers for call in layer.calls)

    @property
    def cost(self) -> float | None:
        """The most that the run should cost in US dollars, None where the price of a call is unknown."""
        return total_cost(call.cost for call in self.calls)

    @property
    def is_local(self) -> bool:
        """True where every call goes to a server on this machine."""
        return all(call.facts.is_local for call in self.calls)

    @property
    def known_cost(self) -> float:
        """The most that the run should cost in US dollars, with unknown prices counted as nothing."""
        return sum(call.cost or 0.0 for call in self.calls)


@dataclass(frozen=True, slots=True)
class Cap:
    """A budget in US dollars: its name, its total, how much is spent and how much held for open calls."""

    name: str
    total: float
    spent: float
    held: float = 0.0

    @property
    def left(self) -> float:
        """The amount that may still be spent, at least 0."""
        return max(0.0, self.total - self.spent - self.held)


def plan(
    recipe: Recipe,
    history: Sequence[Message],
    facts: Callable[[Agent], ModelFacts],
    kept: Mapping[CallId, Reply] = _NOTHING_KEPT,
) -> Plan:
    """The plan of a run of `recipe` on `history`, with every answer as long as it may be.

    A reply in `kept`, which is there already, is taken as long as it is.
    """
    prompt_tokens = sum(map(message_tokens, history))
    written: dict[CallId, int] = {}
    layers = []
    warnings: list[str] = []
    for number, agents in enumerate(recipe.lineup, 1):
        longest = sorted((written[call] for call in recipe.sources(number)), reverse=True)
        references = sum(longest[: recipe.most_read(number)])
        overhead = INSTRUCTION_TOKENS + references if references else 0
        calls = []
        for agent in agents:
            own_system = estimate_tokens(agent.system or "")
            prompt = prompt_tokens + own_system + overhead
            known = [(candidate, facts(candidate)) for candidate in recipe.candidates(number, agent)]
            requests, usages = 1, [Usage(prompt, fact.most_written(candidate)) for candidate, fact in known]
            layer = recipe.layers[number - 1]
            if layer.begins_early:
                requests = most_requests(layer, longest)
                usages = [
                    _usage_of_steps(layer, requests, prompt, longest, candidate, fact)
                    for candidate, fact in known
                ]
                if layer.stairs is not None and known[0][1].thinking_tokens:
                    warnings.append(_thinks_anew(number, agent, requests))
            costs = [fact.cost(usage) for (_, fact), usage in zip(known, usages, strict=True)]
            dearest = None if None in costs else max(cost for cost in costs if cost is not None)
            calls.append(PlannedCall(agent, known[0][1], usages[0], dearest, requests))
        # What a model thinks is no part of what later agents are shown.
        written |= {CallId(number, at): longest_answer(call.agent) for at, call in enumerate(calls, 1)}
        written |= {call: estimate_tokens(reply.text) for call, reply in kept.items() if call.layer == number}
        layers.append(PlannedLayer(number, recipe.task(number), tuple(calls)))
    return Plan(tuple(layers), tuple(warnings))


def most_requests(layer: Layer, longest: Sequence[int]) -> int:
    """The most requests of a call that begins early and reads answers of these lengths in tokens."""
    if layer.stairs is not None:
        return math.ceil(max(longest, default=0) / layer.stairs.chunk) + 1
    # Each answer that comes later may have it begin again.
    return 1 + max(0, len(longest) - (layer.start.with_ if layer.start is not None else 0))


def _usage_of_steps(
    layer: Layer, requests: int, prompt: int, longest: Sequence[int], agent: Agent, facts: ModelFacts
) -> Usage:
    """The most that the requests of one call together take where the answers that it reads grow alike.

    `prompt` is what the last of them reads besides the agent's own text.
    """
    most_written = facts.most_written(agent)
    if layer.stairs is None:
        return Usage(requests * prompt, requests * most_written)
    chunk = layer.stairs.chunk
    read_before = [sum(min(length, number * chunk) for length in longest) for number in range(1, requests)]
    base = prompt - sum(longest)
    own_text = chunk * requests * (requests - 1) // 2
    instructions = STEP_TOKENS * requests * (requests - 1) // 2
    return Usage(
        base * (requests - 1) + sum(read_before) + prompt + own_text + instructions,
        (requests - 1) * (chunk + facts.thinking_tokens) + most_written,
    )


def _thinks_anew(number: int, agent: Agent, requests: int) -> str:
    return (
        f"layer {number}: {agent.name} thinks before it writes, and anew at each of up to {requests} steps; "
        "give it a model that does not think, or an effort of none"
    )


def total_cost(costs: Iterable[float | None]) -> float | None:
    """The sum of `costs`, None where one of them is unknown."""
    total = 0.0
    for cost in costs:
        if cost is None:
            return None
        total += cost
    return total


def message_tokens(message: Message) -> int:
    """The approximate number of tokens in a message, with those that its role and form take."""
    return estimate_tokens(message["content"]) + 4
