"""A recipe: named agents, the layers that list them, and the limits of a run. Values only, from TOML."""

from __future__ import annotations

import re
from collections import Counter
from functools import cached_property
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, field_validator, model_validator

Task = Literal["answer", "synthesize"]

# A recipe is a file people share. A key in it would travel along, so a key has no place in one.
_SECRET_WORDS = {
    *("apikey", "auth", "authorization", "bearer", "credential", "credentials", "key", "password", "secret"),
    *("token",),
}
_NOT_SECRET = {"prompt_cache_key", "stop_token_ids", "logprob_token_ids"}
# What the gateway itself decides for every call, and what would send it, with its key, somewhere else.
_RESERVED_KEYS = {
    *("api_base", "base_url", "callbacks", "client", "custom_llm_provider", "drop_params", "fallbacks"),
    *("context_window_fallback_dict", "headers", "logger_fn", "max_retries", "messages", "mock_response"),
    *("model", "model_list", "num_retries", "shared_session", "stream", "stream_options", "timeout"),
}


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Sampling(_Table):
    """Settings an agent may have and `[defaults]` may give to all of them."""

    system: str | None = None
    """A system prompt put before everything else this agent is sent."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """The longest answer, in tokens."""
    api_base: str | None = None
    """Base URL of the server, where it is not the provider's own."""
    api_key_env: str | None = None
    """Name of the environment variable that holds the key; never the key."""
    extra: dict[str, Any] = {}
    """Passed to the provider as it is; no keys, and nothing that moa-tui sets itself."""

    @field_validator("api_base")
    @classmethod
    def _base_without_password(cls, value: str | None) -> str | None:
        return value if value is None else checked_base_url(value)

    @field_validator("api_key_env")
    @classmethod
    def _a_name_and_no_key(cls, value: str | None) -> str | None:
        return value if value is None else checked_variable_name(value)

    @field_validator("extra")
    @classmethod
    def _no_keys_in_extra(cls, value: dict[str, Any]) -> dict[str, Any]:
        for key in _all_keys(value):
            if key not in _NOT_SECRET and _SECRET_WORDS & set(re.split(r"[^a-z]+", key.lower())):
                raise ValueError(
                    f'"{key}" looks like a key; put it in an environment variable, named in api_key_env'
                )
        if reserved := _RESERVED_KEYS & value.keys():
            raise ValueError(f'"{min(reserved)}" is set by moa-tui itself')
        return value


class Agent(Sampling):
    """One model with its sampling settings and optional system prompt."""

    model: Annotated[str, Field(min_length=1)]
    """litellm's name for it (`provider/model`), or `NAME/model` for an endpoint of the config."""
    name: str = ""
    """What panes and messages call it; the last part of the model's name where not given."""
    count: Annotated[int, Field(ge=1, le=64)] = 1
    """How many times it is asked in its layer (Self-MoA: one model, n samples)."""
    fallback: tuple[str, ...] = ()
    """Names of agents asked in turn when this one fails without any text and its layer has no other agent."""

    @field_validator("model", "name")
    @classmethod
    def _can_be_shown(cls, value: str) -> str:
        return checked_label(value)

    def given_defaults(self, defaults: Sampling) -> Agent:
        """Itself, with every setting it leaves open taken from `defaults`."""
        filled = {
            key: value
            for key, value in defaults
            if key != "extra" and value is not None and getattr(self, key) is None
        }
        return self.model_copy(update={**filled, "extra": {**defaults.extra, **self.extra}})


# Told apart by what they are, so that a mistake in one is not reported as a mistake in both. The tags are
# left out of messages by toml_file.
Entry = Annotated[
    Annotated[str, Tag("str")] | Annotated[Agent, Tag("Agent")],
    Discriminator(lambda value: "str" if isinstance(value, str) else "Agent"),
]


class Layer(_Table):
    """Agents that run side by side on the same references, with one task."""

    agents: Annotated[tuple[Entry, ...], Field(min_length=1)]
    """Names from `[agents]`, or agents written out in place."""
    task: Task | None = None
    """`answer` in the first layer, `synthesize` in the others, where not given."""
    quorum: Annotated[int, Field(ge=1)] | None = None
    """How many answers are enough; all where not given."""
    grace_seconds: Annotated[float, Field(ge=0)] = 5.0
    """How long the others may still write once the quorum has answered."""
    use_partial: bool = False
    """Whether an answer cut short by a fault may serve as a reference."""
    placement: Literal["system", "user"] = "system"
    """Where references go: into the system message, or into the last user message."""
    prompt: str | None = None
    """Replaces the built-in instructions; `{references}` marks where the references go."""
    shuffle: bool = False
    """Whether each agent sees the references in an order of its own."""
    anonymous: bool = True
    """Whether references are numbered only, or carry their agents' names."""


_FOR_REFERENCES = {"placement", "prompt", "shuffle", "anonymous"}


class Limits(_Table):
    """What a run may take; seconds, tries, calls at once, US dollars."""

    first_token_seconds: Annotated[float, Field(gt=0)] = 120.0
    idle_seconds: Annotated[float, Field(gt=0)] = 60.0
    total_seconds: Annotated[float, Field(gt=0)] = 900.0
    """For one call with its retries; waiting for a place at its endpoint does not count."""
    retries: Annotated[int, Field(ge=0, le=10)] = 2
    concurrency: Annotated[int, Field(ge=1)] | None = None
    """Calls at once to one endpoint; no limit where not given."""
    max_cost: Annotated[float, Field(gt=0)] | None = None


class Recipe(_Table):
    """Named layers plus run limits.

    The paper's shape (arXiv 2406.04692, section 2.2): n proposers in each of l-1 layers and one
    aggregator make n(l-1)+1 calls at depth l.
    """

    name: Annotated[str, Field(min_length=1)]
    description: str = ""
    defaults: Sampling = Sampling()
    agents: dict[str, Agent] = {}
    layers: Annotated[tuple[Layer, ...], Field(min_length=1)]
    limits: Limits = Limits()

    @field_validator("name", "description")
    @classmethod
    def _can_be_shown(cls, value: str) -> str:
        return checked_label(value)

    @field_validator("agents")
    @classmethod
    def _names_can_be_shown(cls, value: dict[str, Agent]) -> dict[str, Agent]:
        for name in value:
            checked_label(name)
        return value

    @model_validator(mode="after")
    def _layers_fit_together(self) -> Self:
        for agent in self.agents.values():
            for name in agent.fallback:
                self._named(name, f'the fallback of "{agent.model}"')
        for number, layer in enumerate(self.layers, 1):
            size = len(self._members(number))
            if layer.quorum is not None and layer.quorum > size:
                raise ValueError(f"layer {number}: quorum {layer.quorum} is more than its {size} agents")
            if number == 1 and (idle := _FOR_REFERENCES & layer.model_fields_set):
                raise ValueError(f"layer 1 has no references: {min(idle)} has no effect there")
            if number == 1 and layer.task == "synthesize":
                raise ValueError("layer 1 has no earlier answers to synthesize; its task is answer")
            if number > 1 and layer.task == "answer":
                raise ValueError(f"layer {number} would ignore the answers before it; its task is synthesize")
        if (last := len(self._members(len(self.layers)))) != 1:
            raise ValueError(f"the last layer is the aggregator: it needs one agent, and has {last}")
        return self

    @cached_property
    def lineup(self) -> tuple[tuple[Agent, ...], ...]:
        """The agents of each layer: names resolved, defaults applied, counts unrolled, names distinct."""
        return tuple(_distinct(self._members(number)) for number in range(1, len(self.layers) + 1))

    @property
    def calls(self) -> int:
        """How many calls a run makes when nothing fails."""
        return sum(len(agents) for agents in self.lineup)

    def task(self, number: int) -> Task:
        """The task of layer `number`, counting from 1."""
        return self.layers[number - 1].task or ("answer" if number == 1 else "synthesize")

    def fallbacks(self, agent: Agent) -> tuple[Agent, ...]:
        """The agents to ask in turn when `agent` fails, ready to be called."""
        return tuple(self._ready(self._named(name, "a fallback"), name) for name in agent.fallback)

    def candidates(self, number: int, agent: Agent) -> tuple[Agent, ...]:
        """Who may be asked for `agent` in layer `number`: itself, and its fallbacks if it is alone.

        A lone agent's failure would lose the whole layer; among others it costs one answer.
        """
        alone = len(self.lineup[number - 1]) == 1
        return (agent, *self.fallbacks(agent)) if alone else (agent,)

    def every_agent(self) -> tuple[Agent, ...]:
        """Every agent a run may call, fallbacks of lone agents included, in order of first use."""
        seen: dict[str, Agent] = {}
        for number, agents in enumerate(self.lineup, 1):
            for agent in (one for seat in agents for one in self.candidates(number, seat)):
                seen.setdefault(repr(agent.model_copy(update={"name": "", "count": 1})), agent)
        return tuple(seen.values())

    def _members(self, number: int) -> list[Agent]:
        members = []
        for entry in self.layers[number - 1].agents:
            if isinstance(entry, str):
                agent = self._ready(self._named(entry, f"layer {number}"), entry)
            else:
                agent = self._ready(entry, "")
            members += [agent.model_copy(update={"count": 1})] * agent.count
        return members

    def _named(self, name: str, asker: str) -> Agent:
        if name not in self.agents:
            known = ", ".join(self.agents) or "none are defined"
            raise ValueError(f'{asker} names the agent "{name}", which [agents] does not define ({known})')
        return self.agents[name]

    def _ready(self, agent: Agent, key: str) -> Agent:
        name = agent.name or key or agent.model.rsplit("/", 1)[-1]
        return agent.given_defaults(self.defaults).model_copy(update={"name": name})


def checked_label(value: str) -> str:
    """`value` if a terminal can be given it as it is; raises ValueError."""
    if any(not character.isprintable() and character not in "\n\t" for character in value):
        raise ValueError("holds a control or invisible character")
    return value


def checked_base_url(value: str) -> str:
    """`value` if it is an http(s) URL that can hold no secret; raises ValueError."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not an http:// or https:// address")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(
            "takes only scheme, host and path; put a password or key in an environment variable and name that"
        )
    return checked_label(value)


def checked_variable_name(value: str) -> str:
    """`value` if it can be an environment variable's name; raises ValueError without repeating it."""
    if not re.fullmatch(r"[A-Z][A-Z0-9_]{0,63}", value):
        # The text may be a key pasted in the wrong place, so it is not repeated.
        raise ValueError(
            "takes the NAME of an environment variable (capital letters, digits, _), not the key itself"
        )
    return value


def _all_keys(value: object) -> list[str]:
    if isinstance(value, dict):
        return [str(key) for key in value] + [key for item in value.values() for key in _all_keys(item)]
    if isinstance(value, list):
        return [key for item in value for key in _all_keys(item)]
    return []


def _distinct(agents: list[Agent]) -> tuple[Agent, ...]:
    """The agents with a number behind every name that stands more than once."""
    total = Counter(agent.name for agent in agents)
    seen: Counter[str] = Counter()
    named = []
    for agent in agents:
        seen[agent.name] += 1
        name = f"{agent.name} {seen[agent.name]}" if total[agent.name] > 1 else agent.name
        named.append(agent.model_copy(update={"name": name}))
    return tuple(named)
