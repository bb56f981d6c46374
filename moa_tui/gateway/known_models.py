"""What is known of an agent's model: its context, its prices, the room that its thinking needs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from moa_tui.engine.plan import ModelFacts
from moa_tui.gateway.catalog import FREE_PROVIDERS
from moa_tui.gateway.destinations import address_of, is_on_this_machine, shown_address
from moa_tui.gateway.thinking import room_for_thinking

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from moa_tui.engine.agent import Agent
    from moa_tui.gateway.accepted import Accepted
    from moa_tui.gateway.catalog import Catalog
    from moa_tui.gateway.discovery import LocalServer
    from moa_tui.gateway.routes import Routes
    from moa_tui.settings.config import Endpoint


class KnownModels:
    """Facts of models, as the config, the catalog, local servers and refused requests tell them."""

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint],
        environ: Mapping[str, str],
        catalog: Catalog,
        routes: Routes,
        accepted: Accepted,
    ) -> None:
        self._endpoints = endpoints
        self._environ = environ
        self._catalog = catalog
        self._routes = routes
        self._accepted = accepted
        self._local_facts: Mapping[tuple[str, str], ModelFacts] = {}
        """By a local server's address and a model there, what the server says of it."""
        self._thinking_models: frozenset[tuple[str, str]] = frozenset()
        """The models of local servers, as above, of which their server says that they think."""

    def learn(self, servers: Sequence[LocalServer]) -> None:
        """Take what local servers say of their models for what `facts` knows of them."""
        self._local_facts = {
            (server.url, model.name): ModelFacts(
                server.url,
                context_tokens=model.context_tokens,
                prompt_price=0.0 if server.is_free else None,
                completion_price=0.0 if server.is_free else None,
                is_local=server.is_free and is_on_this_machine(server.url),
            )
            for server in servers
            for model in server.models
        }
        self._thinking_models = frozenset(
            (server.url, model.name) for server in servers for model in server.models if model.thinks
        )

    def facts(self, agent: Agent) -> ModelFacts:
        """What is known of the agent's model; its prices are unknown at any server but its provider's."""
        facts = self._facts_without_thinking(agent)
        # A server of one's own may refuse a request whose limit does not fit into its context.
        if facts.context_tokens is None and self._is_own_server(agent):
            return facts
        info = self._catalog.thinking(agent.model)
        if (facts.endpoint, agent.model.partition("/")[2]) in self._thinking_models:
            info = replace(info, thinks=True)
        room = room_for_thinking(agent, info, facts.context_tokens)
        return replace(facts, thinking_tokens=room)

    def _is_own_server(self, agent: Agent) -> bool:
        """True where the model is served on the user's own machine, or unknown and not by its provider."""
        provider = self._catalog.provider(agent.model) or ""
        if provider in FREE_PROVIDERS or agent.model.partition("/")[0] in self._endpoints:
            return True
        elsewhere = agent.api_base or address_of(provider, self._environ)
        return elsewhere is not None and self._catalog.find(agent.model) is None

    def _facts_without_thinking(self, agent: Agent) -> ModelFacts:
        prefix = agent.model.partition("/")[0]
        stated = self._accepted.context_tokens(*self._routes.place(agent))
        if (endpoint := self._endpoints.get(prefix)) is not None:
            window = endpoint.context_tokens or stated
            facts = _facts_of_place(endpoint.base_url, charges=endpoint.charges)
            return replace(facts, concurrency=endpoint.concurrency, context_tokens=window)
        provider = self._catalog.provider(agent.model)
        address = shown_address(address_of(provider or "", self._environ) or "")
        place = agent.api_base or address or provider or agent.model
        if provider in FREE_PROVIDERS:
            return ModelFacts(
                place,
                prompt_price=0.0,
                completion_price=0.0,
                context_tokens=stated or _ollama_context(agent),
                is_local=is_on_this_machine(place),
            )
        info = self._catalog.find(agent.model)
        if agent.api_base is not None or info is None:
            known = self._local_facts.get((place, agent.model.partition("/")[2]), _facts_of_place(place))
            return replace(known, context_tokens=stated or known.context_tokens)
        return ModelFacts(
            place,
            context_tokens=stated or info.context_tokens,
            prompt_price=info.prompt_price,
            completion_price=info.completion_price,
            cached_price=info.cached_price,
            cache_write_price=info.cache_write_price,
            least_cached_tokens=info.least_cached_tokens or 0,
        )


def _facts_of_place(address: str, *, charges: bool = False) -> ModelFacts:
    """What is known of any model of a server: nothing but that one on this machine costs nothing.

    `charges` is true for one on this machine that hands its calls on to one that does.
    """
    if charges or not is_on_this_machine(address):
        return ModelFacts(address)
    return ModelFacts(address, prompt_price=0.0, completion_price=0.0, is_local=True)


def _ollama_context(agent: Agent) -> int | None:
    """The tokens of context that an Ollama agent asks its server for; None where it asks for none."""
    size = agent.extra.get("num_ctx")
    return size if isinstance(size, int) else None
