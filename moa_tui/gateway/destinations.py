"""Where an agent's prompts and key go, and whether the person has set that up. Pure.

Set up are a provider's own address with that provider's own key, an endpoint of the config with the key
that the config gives it, a keyless server on this machine, and an address that the environment names.
Everything else is not, whatever a recipe says: `gateway.Gateway` refuses it until the person confirms it.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
import socket
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from moa_tui.gateway import discovery
from moa_tui.gateway.catalog import (
    ADDRESS_VARIABLES,
    FREE_PROVIDERS,
    KEY_VARIABLES,
    LOCAL_ADDRESSES,
    LOCAL_KEY_VARIABLES,
    OWN_ADDRESSES,
    SIGN_IN_ADDRESSES,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.recipe import Recipe
    from moa_tui.settings.config import Endpoint

_LONGEST_NAME = 300  # characters

# The providers whose protocol needs nothing but an address and a key. For others litellm finds credentials of
# its own (a cloud's profile, a token that it signs with) and uses them at any address that it is given.
PLAIN_PROTOCOLS = frozenset((*KEY_VARIABLES, *FREE_PROVIDERS, "hosted_vllm")) - {"demo"}

# The words in a model's name by which litellm takes a model of these providers for one of another.
_MISLEADING_WORDS = ("replicate", "clarifai", "ft:gpt-3.5-turbo", "ft:babbage-002", "ft:davinci-002")
_MISLED_PROVIDERS = frozenset(
    ("anthropic", "cohere", "cohere_chat", "gemini", "ollama", "ollama_chat", "openrouter")
)


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the calls of one agent go.

    `server` is an address, or the name of the provider whose own address it is. `key` names the environment
    variable that holds the key, or says in words what litellm finds; None where no key is sent. `is_set_up`:
    the person has set up this server with this key. `detail` tells two destinations apart that need an answer
    each although server and key are the same; `imported` does so for an imported recipe. `addresses` are on
    the servers that a call may reach, and no other is asked; None where only litellm knows.
    """

    model: str
    server: str
    key: str | None
    is_set_up: bool
    detail: str = ""
    imported: str = ""
    addresses: tuple[str, ...] | None = ()

    @property
    def is_own_address(self) -> bool:
        """True where the server is the provider's own, which needs no word on the screen."""
        return "://" not in self.server

    @property
    def words(self) -> str:
        """The destination in words, for a person to decide about."""
        if self.key is None:
            key = "without a key"
        elif " " in self.key:
            key = f"with {self.key}"
        else:
            key = f"with the key in {self.key}"
        return f"{short_line(shown_address(self.server))}, {key} ({short_line(self.model)})"

    @property
    def mark(self) -> str:
        """A hash of what a person confirms: the server, the key, and what tells it apart.

        The model is not part of it where the address does not depend on it, so that another model at a server
        that was confirmed is not asked about again; another server or key always is.
        """
        return hashlib.sha256(
            json.dumps([self.server, self.key, self.detail, self.imported]).encode()
        ).hexdigest()

    def of_own_recipe(self) -> Destination:
        """The same destination in a recipe that was not imported."""
        return replace(self, imported="")


def destination(
    agent: Agent, provider: str | None, endpoints: Mapping[str, Endpoint], environ: Mapping[str, str]
) -> Destination:
    """Where the calls of an agent go, whose model belongs to `provider` as far as that is known."""
    prefix = agent.model.partition("/")[0]
    if (endpoint := endpoints.get(prefix)) is not None:
        key = agent.api_key_env or endpoint.key_env
        return Destination(
            agent.model, endpoint.base_url, key, key == endpoint.key_env, addresses=(endpoint.base_url,)
        )
    if agent.api_base is not None:
        return _at_address(agent, agent.api_base, provider, endpoints, environ)
    if provider not in PLAIN_PROTOCOLS or provider == "hosted_vllm":
        # litellm decides by the name, which may even hold an address.
        server = f"wherever litellm sends {agent.model}"
        return Destination(
            agent.model,
            server,
            agent.api_key_env or "the credentials that litellm finds",
            False,
            addresses=None,
        )
    own_keys = _own_keys(provider, environ)
    held = next((name for name in own_keys if environ.get(name, "").strip()), None)
    if held is None and own_keys == KEY_VARIABLES.get(provider):
        held = own_keys[0]
    address = address_of(provider, environ)
    key = agent.api_key_env or held
    return Destination(
        agent.model,
        address or provider,
        key,
        agent.api_key_env in (None, *own_keys),
        addresses=(address,) if address else OWN_ADDRESSES[provider],
    )


def misleading_word(model: str, provider: str | None) -> str | None:
    """The word in a model's name by which litellm would ask another provider for it; None for none."""
    if provider not in _MISLED_PROVIDERS:
        return None
    return next((word for word in _MISLEADING_WORDS if word in model), None)


def headers_for(
    agent: Agent, provider: str | None, endpoints: Mapping[str, Endpoint], environ: Mapping[str, str]
) -> dict[str, str]:
    """The headers that the environment holds for OpenAI's models; none for any other server.

    They go where OPENAI_API_KEY goes by itself: to OpenAI, or to the address that OPENAI_BASE_URL has.
    """
    is_at_an_endpoint = agent.model.partition("/")[0] in endpoints
    if provider != "openai" or agent.api_base is not None or is_at_an_endpoint or _uses_proxy(environ):
        return {}
    headers = {}
    for header, *variables in (
        ("OpenAI-Organization", "OPENAI_ORG_ID", "OPENAI_ORGANIZATION"),
        ("OpenAI-Project", "OPENAI_PROJECT_ID"),
    ):
        if value := next((text for name in variables if (text := environ.get(name, "").strip())), ""):
            headers[header] = value
    for line in environ.get("OPENAI_CUSTOM_HEADERS", "").splitlines():
        name, colon, value = line.partition(":")
        if colon and name.strip():
            headers[name.strip()] = value.strip()
    return headers


def of_imported(where: Destination, content: str) -> Destination:
    """The destination of an agent whose recipe came with an imported conversation: never set up by itself.

    It is told apart by all that the recipe does, the `content`, so that nothing else that is imported later
    goes by the same answer.
    """
    return replace(where, is_set_up=False, imported=content)


def content_of(recipe: Recipe) -> str:
    """A hash of all that a recipe does, whatever it is called."""
    content = recipe.model_dump_json(exclude={"name", "description"})
    return hashlib.sha256(content.encode()).hexdigest()


def _own_keys(provider: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The variables whose key goes to a provider's models by itself.

    The key of a local server goes only to an address that the environment names as well, and to litellm's
    proxy goes its own.
    """
    if _uses_proxy(environ):
        return ("LITELLM_PROXY_API_KEY",)
    if provider in LOCAL_KEY_VARIABLES and address_of(provider, environ) != LOCAL_ADDRESSES[provider]:
        return LOCAL_KEY_VARIABLES[provider]
    return KEY_VARIABLES.get(provider, ())


def address_of(provider: str, environ: Mapping[str, str]) -> str | None:
    """The address of a provider's models where it is not the provider's own: set by the environment, or here.

    None for a provider's own address.
    """
    if _uses_proxy(environ):
        return environ.get("LITELLM_PROXY_API_BASE", "").strip() or "litellm's proxy"
    for name in ADDRESS_VARIABLES.get(provider, ()):
        if value := environ.get(name, "").strip():
            return value
    return LOCAL_ADDRESSES.get(provider)


def is_loopback(address: str) -> bool:
    """True for an http(s) address on this machine, written as `localhost` or as a plain loopback number.

    A name that is only resolved to this machine, or a number in another notation, is not taken for one.
    """
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
        return parts.scheme in ("http", "https") and (
            host == "localhost" or ipaddress.ip_address(host).is_loopback
        )
    except ValueError:
        return False


def means_this_machine(host: str) -> bool:
    """True where `host`, a name or an address as it stands in a URL, means this machine."""
    name = host.strip("[]").rstrip(".").lower().partition("%")[0]
    if name == "localhost" or name.endswith(".localhost"):
        return True
    with suppress(ValueError):
        address = ipaddress.ip_address(name)
        inner = getattr(address, "ipv4_mapped", None) or address
        return bool(inner.is_loopback or inner.is_unspecified)
    # The system's resolver takes 127.1, 0x7f.1 and 2130706433 for addresses as well.
    with suppress(OSError, UnicodeError):
        return means_this_machine(socket.inet_ntoa(socket.inet_aton(name)))
    return False


def is_on_this_machine(address: str) -> bool:
    """True for an http(s) address on this machine, in whatever notation: what a server there does is free."""
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and means_this_machine(parts.hostname or "")
    except ValueError:
        return False


def _uses_proxy(environ: Mapping[str, str]) -> bool:
    return environ.get("USE_LITELLM_PROXY", "").strip().lower() == "true"


def _at_address(
    agent: Agent,
    address: str,
    provider: str | None,
    endpoints: Mapping[str, Endpoint],
    environ: Mapping[str, str],
) -> Destination:
    """The destination of an agent that names its server itself."""
    key = agent.api_key_env
    if provider not in PLAIN_PROTOCOLS:
        found = key or "the credentials that litellm finds"
        return Destination(
            agent.model,
            address,
            found,
            False,
            detail=provider or agent.model,
            addresses=(address, *SIGN_IN_ADDRESSES.get(provider or "", ())),
        )
    is_an_endpoint = any(
        _same(address, endpoint.base_url) and key in (None, endpoint.key_env)
        for endpoint in endpoints.values()
    )
    is_keyless_and_known = key is None and (
        is_loopback(address) or any(_same(address, known) for known in _addresses_of_environment(environ))
    )
    return Destination(
        agent.model, address, key, is_an_endpoint or is_keyless_and_known, addresses=(address,)
    )


def _addresses_of_environment(environ: Mapping[str, str]) -> Iterable[str]:
    """The addresses of Ollama that the person has set up by its own variables."""
    if host := environ.get("OLLAMA_HOST", "").strip():
        yield discovery.ollama_url(host)
    if address := environ.get("OLLAMA_API_BASE", "").strip():
        yield address


def shown_address(address: str) -> str:
    """An address without the user name, password, query and fragment that may hold a key."""
    return re.sub(r"[?#]\S*", "", re.sub(r"(^|://)[^/?#\s]*@", r"\1", address))


def short_line(text: str) -> str:
    """`text` as part of a sentence: nothing in it can look like a line of its own."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_NAME else f"{line[:_LONGEST_NAME]}…"


def _same(address: str, other: str) -> bool:
    return address.rstrip("/") == other.rstrip("/")
