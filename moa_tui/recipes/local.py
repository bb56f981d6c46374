"""The recipes `local` and `slim`, which are made from the models that local servers list."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pydantic import ValidationError

from moa_tui.engine.agent import Agent, Sampling
from moa_tui.engine.layer import Layer, Limits
from moa_tui.engine.parameters import key_like
from moa_tui.engine.plan import INSTRUCTION_TOKENS
from moa_tui.engine.recipe import Recipe
from moa_tui.errors import NoLocalModelError
from moa_tui.gateway.destinations import is_loopback
from moa_tui.recipes.files import LOCAL, SLIM
from moa_tui.text.safe import quoted_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from moa_tui.gateway.discovery import LocalServer
    from moa_tui.gateway.server_replies import LocalModel

_MOST_PROPOSERS = 6
_MOST_SLIM_PROPOSERS = 4
# The times that a model is asked where it is the only one (Self-MoA, arXiv 2502.00674).
_SAMPLES = 3
# Ollama gives a model 4,096 tokens unless asked for more, and cuts the rest off without a word. An aggregator
# reads six answers of up to 2,048 tokens each.
_OLLAMA_CONTEXT_TOKENS = 16_384
_LONGEST_ANSWER_TOKENS = 2048
_SHORTEST_ANSWER_TOKENS = 128
# The share of the memory that the weights of a model may take; its context and all else need the rest.
_SHARE_OF_WEIGHTS = 0.85
# Why a server that answers has no models, and what to do; what passes soonest first.
_WITHOUT_MODELS: dict[str, tuple[str, str]] = {
    "loading": ("is still loading its model", "Try again in a moment"),
    "empty": ("answers, but has no model of its own that can chat", "Pull or load one there"),
    "locked": (
        "answers, but wants a key",
        "If that is a model server, give it an endpoint with key_env in the config",
    ),
}


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A model that may be in a recipe, with its server and the agent that asks it."""

    server: LocalServer
    model: LocalModel
    agent: Agent

    @property
    def size(self) -> tuple[float, int]:
        """By what the largest model is told: its parameters, then its bytes; 0 where not known."""
        return self.model.billions, self.model.size_bytes or 0


def local_recipe(servers: Sequence[LocalServer]) -> Recipe:
    """A recipe of the models that `servers` list: each answers, the largest aggregates.

    Raises NoLocalModelError where they list none. Calls to one model follow each other, so that a machine
    with one graphics card loads each model once. The largest model proposes last and is the aggregator too,
    so it is then loaded already. Servers get as many calls at once as they say they work on together.
    """
    candidates = _largest(servers, _MOST_PROPOSERS)
    largest = max(candidates, key=lambda candidate: candidate.size)
    places = {server.url: place for place, server in enumerate(servers)}
    others = sorted(
        (candidate for candidate in candidates if candidate is not largest),
        key=lambda candidate: (places[candidate.server.url], not candidate.model.is_loaded, candidate.size),
    )
    agents = _proposers([*others, largest])
    return Recipe(
        name=LOCAL,
        description="Made from the models local servers list: each answers once, the largest aggregates.",
        defaults=_defaults([largest], agents),
        layers=(
            _layer(agents),
            _layer((largest.agent,)),
        ),
        limits=_limits(concurrency=_calls_at_once(candidates)),
    )


def slim_recipe(servers: Sequence[LocalServer]) -> Recipe:
    """A recipe of three layers for patience and one graphics card, after SlimMoA.

    The largest models that `servers` list and the machine can hold answer, read each other and answer again;
    the largest of them aggregates. Models are asked one at a time, and each layer begins with the one that is
    loaded. Raises NoLocalModelError where the servers list none.
    """
    candidates = _largest(servers, _MOST_SLIM_PROPOSERS)
    # The second layer goes through the models in reverse, so it ends with the one that aggregates.
    candidates.sort(key=lambda candidate: candidate.size, reverse=True)
    agents = _proposers(candidates)
    return Recipe(
        name=SLIM,
        description=(
            "Made from the largest models of local servers that fit this machine, quantised ones first: they "
            "answer, read each other and answer again, the largest aggregates; one model at a time, each "
            "layer beginning with the one that is loaded. No published figure. For patience and no bill."
        ),
        defaults=_defaults(candidates, agents),
        layers=(
            _layer(agents),
            _layer(agents),
            _layer((candidates[0].agent,)),
        ),
        limits=_limits(concurrency=1, one_model_at_a_time=True),
    )


MADE_HERE: dict[str, Callable[[Sequence[LocalServer]], Recipe]] = {LOCAL: local_recipe, SLIM: slim_recipe}
"""By name, what makes each recipe that has no file."""


def usable_servers(servers: Sequence[LocalServer]) -> tuple[LocalServer, ...]:
    """The servers with those of their models that an agent can have; without servers that have none.

    A server that says why it has none is among them.
    """
    usable = [
        replace(server, models=tuple(model for model in server.models if can_be_asked(model.name)))
        for server in servers
    ]
    return tuple(server for server in usable if server.models or server.state != "ready")


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
            extra={"num_ctx": _ollama_context(model)},
        )
    # llama.cpp names a model by the path of its file, with the quantisation at its end.
    name = re.split(r"[/\\]", model.name)[-1]
    if name.endswith(".gguf"):
        name = name.removesuffix(".gguf").removesuffix(model.quantization).rstrip("-._")
    return Agent(name=name or model.name, model=f"openai/{model.name}", api_base=server.url)


def _ollama_context(model: LocalModel) -> int:
    """The context that Ollama is asked for: enough for an aggregator, at most what the model was made for.

    Another one than the loaded model has would have Ollama load it anew.
    """
    if model.loaded_tokens is not None and model.loaded_tokens >= _OLLAMA_CONTEXT_TOKENS:
        return model.loaded_tokens
    return min(_OLLAMA_CONTEXT_TOKENS, model.context_tokens or _OLLAMA_CONTEXT_TOKENS)


def _context(candidate: _Candidate) -> int | None:
    """The context that a model has in its recipe, None where that is not known."""
    if candidate.server.protocol == "ollama":
        return _ollama_context(candidate.model)
    return candidate.model.context_tokens


def _proposers(candidates: Sequence[_Candidate]) -> tuple[Agent, ...]:
    """The agents of a first layer. One model alone still gains from several samples."""
    if len(candidates) == 1:
        return (candidates[0].agent.model_copy(update={"count": _SAMPLES}),)
    return tuple(candidate.agent for candidate in candidates)


def _layer(agents: tuple[Agent, ...]) -> Layer:
    """A layer of local models.

    Answers cut at their limit are read too: where the context is small, the limit is short.
    """
    return Layer(agents=agents, use_partial=True)


def _defaults(readers: Iterable[_Candidate], proposers: Sequence[Agent]) -> Sampling:
    """The settings of all agents: answers so short that the context of every reader holds them all."""
    answers = sum(agent.count for agent in proposers) + 1
    longest = _LONGEST_ANSWER_TOKENS
    for context in filter(None, map(_context, readers)):
        longest = min(longest, (context - 2 * INSTRUCTION_TOKENS) // answers)
    return Sampling(temperature=0.7, max_tokens=max(longest, _SHORTEST_ANSWER_TOKENS))


def _calls_at_once(candidates: Sequence[_Candidate]) -> int:
    """The calls at once to one server that suit all servers which get more than one in a layer."""
    models = Counter(candidate.server.url for candidate in candidates)
    slots = [
        candidate.server.calls_at_once
        for candidate in candidates
        if models[candidate.server.url] > 1 or len(candidates) == 1
    ]
    return min(slots, default=1)


def _limits(*, concurrency: int, one_model_at_a_time: bool = False) -> Limits:
    """Limits for models that are loaded before they answer, and answer slowly."""
    return Limits(
        first_token_seconds=300,
        idle_seconds=120,
        total_seconds=1800,
        concurrency=concurrency,
        one_model_at_a_time=one_model_at_a_time,
    )


def _largest(servers: Sequence[LocalServer], most: int) -> list[_Candidate]:
    """The largest models of `servers` that the machine can hold, at least one and at most `most`.

    Of a model that is there in several quantisations only one is taken. Raises NoLocalModelError.
    """
    candidates = [
        _Candidate(server, model, local_agent(server, model))
        for server in usable_servers(servers)
        for model in server.models
    ]
    if not candidates:
        raise _no_model(servers)
    fitting = [candidate for candidate in candidates if _fits(candidate)]
    if not fitting:
        fitting = [min(candidates, key=lambda candidate: candidate.model.size_bytes or 0)]
    variants: dict[tuple[str, str, float], _Candidate] = {}
    for candidate in fitting:
        variant = _variant(candidate)
        if variant not in variants or _preference(candidate.model) > _preference(variants[variant].model):
            variants[variant] = candidate
    # The sort is stable: of models of one size those listed first are taken.
    return sorted(variants.values(), key=lambda candidate: candidate.size, reverse=True)[:most]


def _fits(candidate: _Candidate) -> bool:
    """False for a model that is known to be larger than the memory of this machine."""
    memory = machine_memory()
    size = candidate.model.size_bytes
    if candidate.model.is_loaded or size is None or memory is None or not is_loopback(candidate.server.url):
        return True
    return size <= memory * _SHARE_OF_WEIGHTS


def machine_memory() -> int | None:
    """The bytes of memory that this machine has, None where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _variant(candidate: _Candidate) -> tuple[str, str, float]:
    """What the quantisations of one model have in common: server, name and parameters.

    Ollama writes them `llama3.1:8b-instruct-q4_K_M`, LM Studio `qwen3-8b@q4_k_m`, llama.cpp's router
    `Qwen3-8B-GGUF:Q4_K_M`.
    """
    model = candidate.model
    name = model.name.lower()
    if candidate.server.protocol == "ollama" and model.billions:
        name = name.partition(":")[0]
    elif model.quantization:
        name = name.replace(model.quantization.lower(), "")
    return candidate.server.url, re.sub(r"[-_.:@/]+(?:gguf)?", "-", name).strip("-"), model.billions


def _preference(model: LocalModel) -> tuple[bool, bool, int]:
    """By what one variant of a model is taken before another: quantised, loaded, then the larger file."""
    return model.is_quantized, model.is_loaded, model.size_bytes or 0


def without_models(servers: Iterable[LocalServer]) -> LocalServer | None:
    """Of the servers that say why they have no models, the one that is nearest to having one."""
    places = list(_WITHOUT_MODELS)
    saying = [server for server in servers if server.state in places]
    return min(saying, key=lambda server: places.index(server.state), default=None)


def why_without_models(server: LocalServer) -> str:
    """Why a server has no models, as the rest of a sentence that begins with its name."""
    return _WITHOUT_MODELS[server.state][0]


def _no_model(servers: Sequence[LocalServer]) -> NoLocalModelError:
    """Why there is no model to ask, and what to do."""
    if names := [model.name for server in servers for model in server.models]:
        return NoLocalModelError(
            f"no model of a local server can be asked: {quoted_name(names[0])} looks like a key, or "
            "holds an invisible character. Give it another name there, or name another recipe with -r"
        )
    if (server := without_models(servers)) is not None:
        words, remedy = _WITHOUT_MODELS[server.state]
        return NoLocalModelError(
            f"{server.name} at {server.url} {words}. {remedy}, or name another recipe with -r"
        )
    return NoLocalModelError(
        "no local model server answered. Start Ollama (and pull a model), LM Studio, llama.cpp or vLLM, "
        "or name another recipe with -r"
    )
