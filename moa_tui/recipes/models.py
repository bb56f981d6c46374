"""The models of this machine: those of local servers, of endpoints, and those providers are known to have.

What asks servers blocks until they answer or discovery's time limit has passed; a screen calls it on a
thread.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from moa_tui.engine.agent import Agent
from moa_tui.gateway import demo, discovery
from moa_tui.gateway.catalog import KEY_VARIABLES
from moa_tui.recipes.local import local_agent, usable_servers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from moa_tui.gateway.discovery import LocalServer
    from moa_tui.gateway.gateway import Gateway
    from moa_tui.gateway.server_replies import LocalModel
    from moa_tui.settings.config import Settings


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model that an agent can be given, with what is known of it.

    `name` is the model as a recipe writes it; `where` is its provider, endpoint or local server. Prices are
    in US dollars per token, None where unknown. An agent of this model needs `api_base` and `extra` as they
    stand here. `missing_key` is the environment variable that should hold the model's key and is not set.
    """

    name: str
    where: str
    context_tokens: int | None = None
    prompt_price: float | None = None
    completion_price: float | None = None
    missing_key: str | None = None
    api_base: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    cached_price: float | None = None
    """Of a token of a prompt that is read from the provider's cache."""
    cache_write_price: float | None = None
    """Of a token of a prompt that is written to the provider's cache."""


@dataclass(frozen=True, slots=True)
class FoundServer:
    """A local server that answered, with the names of the models that it lists."""

    name: str
    url: str
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Situation:
    """What a first run starts from: the keys and the local servers of this machine.

    `keys` maps a provider to the environment variable that holds its key.
    """

    keys: Mapping[str, str]
    servers: tuple[FoundServer, ...]


class ModelCatalog:
    """The models of this machine. Every question asks the servers anew; no key is kept or returned."""

    def __init__(self, settings: Settings, gateway: Gateway, environ: Mapping[str, str]) -> None:
        self._settings = settings
        self._gateway = gateway
        self._environ = environ

    def local_servers(self) -> tuple[LocalServer, ...]:
        """The servers that answer at the addresses local servers have by default, with usable models.

        What they say of their models is known to the gateway then.
        """
        servers = usable_servers(discovery.find_servers(discovery.default_servers(self._environ)))
        self._gateway.learn(servers)
        return servers

    def models(self) -> list[ModelChoice]:
        """Every model; those at hand first: of local servers, of endpoints, of providers whose key is set.

        The models of a server that does not answer within discovery's time limit are left out.
        """
        local = [
            self._local_choice(server, model) for server in self.local_servers() for model in server.models
        ]
        endpoints = self._settings.endpoints
        servers = discovery.find_servers(discovery.endpoint_servers(endpoints, self._environ))
        of_endpoints = self._choices_by_name(
            f"{server.name}/{model.name}" for server in usable_servers(servers) for model in server.models
        )
        of_providers = self._choices_by_name(
            name
            for name in self._gateway.catalog.chat_models
            if name.isprintable() and name.partition("/")[0] not in endpoints
        )
        ready = [model for model in of_providers if _has_key(model)]
        others = [model for model in of_providers if not _has_key(model)]
        return [*local, *of_endpoints, *ready, *self._choices_by_name(demo.MODELS), *others]

    def situation(self) -> Situation:
        """The keys and local servers that are found on this machine, by name."""
        servers = tuple(
            FoundServer(server.name, server.url, tuple(model.name for model in server.models))
            for server in self.local_servers()
            if server.models
        )
        return Situation(discovery.find_keys(self._environ), servers)

    def _local_choice(self, server: LocalServer, model: LocalModel) -> ModelChoice:
        agent = local_agent(server, model)
        facts = self._gateway.facts(agent)
        return ModelChoice(
            agent.model,
            server.name,
            facts.context_tokens,
            facts.prompt_price,
            facts.completion_price,
            api_base=agent.api_base,
            extra=agent.extra,
        )

    def _choices_by_name(self, names: Iterable[str]) -> list[ModelChoice]:
        """The models of these names, sorted: models that an agent needs nothing but the name of."""
        agents = [Agent(model=name) for name in sorted(names)]
        missing_keys = {
            model: variable
            for variable, models in self._gateway.missing_keys(agents).items()
            for model in models
        }
        choices = []
        for agent in agents:
            prefix = agent.model.partition("/")[0]
            provider = self._gateway.catalog.provider(agent.model) or prefix
            facts = self._gateway.facts(agent)
            choices.append(
                ModelChoice(
                    agent.model,
                    prefix if prefix in self._settings.endpoints else provider,
                    facts.context_tokens,
                    facts.prompt_price,
                    facts.completion_price,
                    missing_keys.get(agent.model),
                    cached_price=facts.cached_price,
                    cache_write_price=facts.cache_write_price,
                )
            )
        return choices


def _has_key(model: ModelChoice) -> bool:
    """True where the model's provider is one whose key moa-tui knows, and the key is set."""
    return model.missing_key is None and model.where in KEY_VARIABLES
