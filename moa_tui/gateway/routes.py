"""Which server an agent's calls go to, under which name its model is known there, and where its key is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from moa_tui.gateway.catalog import KEY_VARIABLES, LOCAL_ADDRESSES
from moa_tui.gateway.destinations import address_of, shown_address

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from moa_tui.engine.agent import Agent
    from moa_tui.gateway.catalog import Catalog
    from moa_tui.settings.config import Endpoint


@dataclass(frozen=True, slots=True)
class Route:
    """Where an agent's calls go. Any one of `key_variables` may hold the key; without any, none is needed."""

    model: str
    api_base: str | None
    key_variables: tuple[str, ...]
    is_endpoint: bool = False


class Routes:
    """The routes of agents, by the endpoints of the config, the environment and the providers' models."""

    def __init__(
        self, endpoints: Mapping[str, Endpoint], environ: Mapping[str, str], catalog: Catalog
    ) -> None:
        self._endpoints = endpoints
        self._environ = environ
        self._catalog = catalog

    def route(self, agent: Agent) -> Route:
        """Where the agent's calls go: to an endpoint of the config, a server of its own, or the provider."""
        prefix, _, rest = agent.model.partition("/")
        if (endpoint := self._endpoints.get(prefix)) is not None:
            variable = agent.api_key_env or endpoint.key_env
            return Route(f"openai/{rest}", endpoint.base_url, (variable,) if variable else (), True)
        provider = self._catalog.provider(agent.model) or ""
        if agent.api_base is None and address_of(provider, self._environ) == LOCAL_ADDRESSES.get(
            provider, ""
        ):
            return Route(
                agent.model, LOCAL_ADDRESSES[provider], (agent.api_key_env,) if agent.api_key_env else ()
            )
        if agent.api_key_env:
            return Route(agent.model, agent.api_base, (agent.api_key_env,))
        if agent.api_base is not None:
            # The provider's key must not be sent to another server.
            return Route(agent.model, agent.api_base, ())
        return Route(agent.model, None, KEY_VARIABLES.get(provider, ()))

    def place(self, agent: Agent) -> tuple[str, str]:
        """The server that an agent's calls go to, an address or a provider's name, and its model there."""
        route = self.route(agent)
        server = route.api_base or self._catalog.provider(agent.model) or agent.model.partition("/")[0]
        return shown_address(server), agent.model

    def missing_keys(self, agents: Sequence[Agent]) -> dict[str, list[str]]:
        """By variable that should hold a key and does not, the models that need the key."""
        missing: dict[str, list[str]] = {}
        for agent in agents:
            variables = self.route(agent).key_variables
            if variables and not any(self._environ.get(name, "").strip() for name in variables):
                missing.setdefault(variables[0], []).append(agent.model)
        return missing
