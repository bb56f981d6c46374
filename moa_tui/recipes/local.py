"""The recipe `local`, which is made from the models that local servers list."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import ValidationError

from moa_tui.engine.agent import Agent, Sampling
from moa_tui.engine.layer import Layer, Limits
from moa_tui.engine.parameters import key_like
from moa_tui.engine.recipe import Recipe
from moa_tui.errors import NoLocalModelError
from moa_tui.recipes.files import LOCAL
from moa_tui.text.safe import quoted_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moa_tui.gateway.discovery import LocalModel, LocalServer

_MOST_PROPOSERS = 6
# Ollama gives a model 4,096 tokens unless asked for more, and cuts the rest off without a word. An aggregator
# reads six answers of up to 2,048 tokens each.
_OLLAMA_CONTEXT_TOKENS = 16_384


def local_recipe(servers: Sequence[LocalServer]) -> Recipe:
    """A recipe of the models that `servers` list. Raises NoLocalModelError where they list none.

    Calls to one server go one at a time, and calls to one model follow each other, so that a machine with one
    graphics card loads each model once. The largest model proposes last and is the aggregator too, so it is
    then loaded already.
    """
    sized_agents: list[tuple[float, Agent]] = []
    for server in usable_servers(servers):
        for model in sorted(server.models, key=lambda model: model.billions):
            sized_agents.append((model.billions, local_agent(server, model)))
    if not sized_agents:
        if names := [model.name for server in servers for model in server.models]:
            raise NoLocalModelError(
                f"no model of a local server can be asked: {quoted_name(names[0])} looks like a key, or "
                "holds an invisible character. Give it another name there, or name another recipe with -r"
            )
        raise NoLocalModelError(
            "no local model server answered. Start Ollama (and pull a model), LM Studio, llama.cpp or vLLM, "
            "or name another recipe with -r"
        )
    largest = max(sized_agents, key=lambda sized: sized[0])[1]
    others = [agent for _, agent in sized_agents if agent is not largest][-(_MOST_PROPOSERS - 1) :]
    proposers = [*others, largest]
    if len(proposers) == 1:
        # One model alone still gains from several samples (Self-MoA, arXiv 2502.00674).
        proposers = [largest.model_copy(update={"count": 3})]
    return Recipe(
        name=LOCAL,
        description="Made from the models local servers list: each answers once, the largest aggregates.",
        defaults=Sampling(temperature=0.7, max_tokens=2048),
        layers=(
            Layer(agents=tuple(proposers)),
            # Some local models' templates know no system message.
            Layer(agents=(largest,), placement="user"),
        ),
        limits=Limits(first_token_seconds=300, idle_seconds=120, total_seconds=1800, concurrency=1),
    )


def usable_servers(servers: Sequence[LocalServer]) -> tuple[LocalServer, ...]:
    """The servers with those of their models that an agent can have; without servers that have none."""
    usable = [
        replace(server, models=tuple(model for model in server.models if can_be_asked(model.name)))
        for server in servers
    ]
    return tuple(server for server in usable if server.models)


def can_be_asked(model: str) -> bool:
    """False for a name that no model in a recipe may have. A server may list any text as a model."""
    try:
        Agent(model=model, name=model)
    except ValidationError:
        return False
    return key_like(model) is None


def local_agent(server: LocalServer, model: LocalModel) -> Agent:
    """The agent that asks `model` of the local server `server`."""
    if server.protocol == "ollama":
        return Agent(
            name=model.name,
            model=f"ollama_chat/{model.name}",
            api_base=server.url,
            extra={"num_ctx": _OLLAMA_CONTEXT_TOKENS},
        )
    return Agent(name=model.name.rsplit("/", 1)[-1], model=f"openai/{model.name}", api_base=server.url)
