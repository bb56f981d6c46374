"""The recipe that runs where none is named, and the one made from the models of local servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moa_tui.engine.agent import Agent, Sampling
from moa_tui.engine.recipe import Layer, Limits, Recipe
from moa_tui.errors import NoLocalModelError
from moa_tui.gateway.catalog import KEY_VARIABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from moa_tui.gateway.discovery import LocalModel, LocalServer
    from moa_tui.settings.config import Settings


_MOST_PROPOSERS = 6
# Ollama gives a model 4,096 tokens unless asked for more, and cuts the rest off without a word. An aggregator
# reads six answers of up to 2,048.
_OLLAMA_CONTEXT = 16_384


def local_recipe(servers: Sequence[LocalServer]) -> Recipe:
    """A recipe of the models that `servers` list. Raises NoLocalModelError where there is none.

    Calls to one server go one at a time and stand together by model, so that a machine with one graphics
    card loads each model once; the largest comes last and is the aggregator, so it is loaded already.
    """
    sizes: list[tuple[float, Agent]] = []
    for server in servers:
        for model in sorted(server.models, key=lambda model: model.billions):
            agent = local_agent(server, model)
            sizes.append((model.billions, agent))
    if not sizes:
        raise NoLocalModelError(
            "no local model server answered. Start Ollama (and pull a model), LM Studio, llama.cpp or vLLM, "
            "or name another recipe with -r"
        )
    largest = max(sizes, key=lambda entry: entry[0])[1]
    others = [agent for _, agent in sizes if agent is not largest][-(_MOST_PROPOSERS - 1) :]
    proposers = [*others, largest]
    if len(proposers) == 1:
        # One model alone still gains from several samples (Self-MoA, arXiv 2502.00674).
        proposers = [largest.model_copy(update={"count": 3})]
    return Recipe(
        name="local",
        description="Made from the models local servers list: each answers once, the largest aggregates.",
        defaults=Sampling(temperature=0.7, max_tokens=2048),
        layers=(
            Layer(agents=tuple(proposers)),
            # Some local models' templates know no system message.
            Layer(agents=(largest,), placement="user"),
        ),
        limits=Limits(first_token_seconds=300, idle_seconds=120, total_seconds=1800, concurrency=1),
    )


# The built-in recipes that need one provider's key alone, best known first; then those that need more.
ONE_KEY_RECIPES = ("openrouter", "together_ai", "openai", "anthropic", "gemini", "groq")
PREFERRED_RECIPES = (*ONE_KEY_RECIPES, "duo", "moa-lite", "self-moa", "moa", "moa-frontier")


def choose_recipe(
    settings: Settings, can_run: Callable[[str], bool], servers: Callable[[], Iterable[LocalServer]]
) -> tuple[str, str]:
    """The name of the recipe to run where none is named, and why, in words.

    `can_run` says whether all keys of a recipe are set. `servers` is asked for local servers only where no
    key decides.
    """
    if settings.default_recipe:
        return settings.default_recipe, "default_recipe in the config names it"
    for name in PREFERRED_RECIPES:
        if can_run(name):
            return name, "the first built-in recipe whose keys are all set"
    if names := [server.name for server in servers()]:
        return (
            "local",
            f"no built-in recipe's keys are set, and {' and '.join(names)} answered on this machine",
        )
    variable = KEY_VARIABLES[ONE_KEY_RECIPES[0]][0]
    return "demo", (
        "no built-in recipe's keys are set and no local server answered, so these answers are simulated. "
        f"For real ones set {variable} or another provider's key (`moa-tui doctor` names them)"
    )


def local_agent(server: LocalServer, model: LocalModel) -> Agent:
    """The agent that asks a local server for one of its models."""
    if server.protocol == "ollama":
        return Agent(
            name=model.name,
            model=f"ollama_chat/{model.name}",
            api_base=server.url,
            extra={"num_ctx": _OLLAMA_CONTEXT},
        )
    return Agent(name=model.name.rsplit("/", 1)[-1], model=f"openai/{model.name}", api_base=server.url)
