"""Which keys and local servers this machine has, and so which recipe can run on it."""

from __future__ import annotations

import http.client
import json
import re
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from moa_tui.engine.agent import Agent, Sampling
from moa_tui.engine.recipe import Layer, Limits, Recipe
from moa_tui.errors import NoLocalModelError
from moa_tui.gateway.catalog import KEY_VARIABLES
from moa_tui.gateway.sanitize import sanitize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from moa_tui.config import Endpoint, Settings

# A server on this machine answers in milliseconds; one that does not is not waited for.
PROBE_SECONDS = 0.3
_LARGEST_LIST = 4_000_000
_MOST_PROPOSERS = 6
# Ollama gives a model 4,096 tokens unless asked for more, and cuts the rest off without a word. An aggregator
# reads six answers of up to 2,048.
_OLLAMA_CONTEXT = 16_384

_NOT_CHAT = re.compile(r"embed|rerank|whisper|\btts\b|clip|bge-|minilm", re.IGNORECASE)

Protocol = Literal["ollama", "openai"]


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A model server, on this machine or an endpoint of the config: its name, address and what it can run.

    `key` is sent when it is asked for its models, and is not in what `find_servers` returns.
    """

    name: str
    url: str
    protocol: Protocol
    models: tuple[LocalModel, ...] = ()
    key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model a local server lists; `billions` of parameters, 0 where it does not say."""

    name: str
    billions: float = 0.0


# Names of the local servers to look for, with commas between them, or "none"; not set, all are looked for.
# Their default ports are popular, so a person may not want what else listens there to be asked for models.
LOCAL_SERVERS_VARIABLE = "MOA_TUI_LOCAL_SERVERS"


def default_servers(environ: Mapping[str, str]) -> tuple[LocalServer, ...]:
    """The local servers to look for, on their default loopback ports.

    OLLAMA_HOST moves Ollama's address; MOA_TUI_LOCAL_SERVERS says which of the servers are looked for.
    """
    servers = _known_servers(environ)
    names = _named_servers(environ)
    return servers if names is None else tuple(server for server in servers if server.name in names)


def unknown_local_servers(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The names in MOA_TUI_LOCAL_SERVERS that are no local server's, in their order."""
    known = {server.name for server in _known_servers(environ)}
    return tuple(name for name in _named_servers(environ) or () if name not in known)


def _known_servers(environ: Mapping[str, str]) -> tuple[LocalServer, ...]:
    return (
        LocalServer("ollama", _ollama_url(environ.get("OLLAMA_HOST", "")), "ollama"),
        LocalServer("lm-studio", "http://127.0.0.1:1234/v1", "openai"),
        LocalServer("llama.cpp", "http://127.0.0.1:8080/v1", "openai"),
        LocalServer("vllm", "http://127.0.0.1:8000/v1", "openai"),
    )


def _named_servers(environ: Mapping[str, str]) -> tuple[str, ...] | None:
    """The names in MOA_TUI_LOCAL_SERVERS, in lower case; None where it is not set or empty."""
    value = environ.get(LOCAL_SERVERS_VARIABLE, "").strip().lower()
    if not value:
        return None
    return tuple(name.strip() for name in value.split(",") if name.strip() not in ("", "none"))


def endpoint_servers(
    endpoints: Mapping[str, Endpoint], environ: Mapping[str, str]
) -> tuple[LocalServer, ...]:
    """The config's endpoints as servers to be asked, each with the key that its own variable holds."""
    return tuple(
        LocalServer(
            name,
            endpoint.base_url.rstrip("/"),
            "openai",
            key=environ.get(endpoint.key_env, "").strip() if endpoint.key_env else "",
        )
        for name, endpoint in endpoints.items()
    )


def find_servers(candidates: Sequence[LocalServer]) -> tuple[LocalServer, ...]:
    """Those of `candidates` that answer with at least one chat model within PROBE_SECONDS, asked at once."""
    found: dict[LocalServer, tuple[LocalModel, ...]] = {}
    threads = [
        # Daemons: one that is kept waiting byte by byte is left to itself.
        threading.Thread(target=lambda it=server: found.update({it: _list_models(it)}), daemon=True)
        for server in candidates
    ]
    end = time.monotonic() + PROBE_SECONDS
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return tuple(replace(server, models=found[server], key="") for server in candidates if found.get(server))


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


def found_keys(environ: Mapping[str, str]) -> dict[str, str]:
    """Provider -> the name of the variable that holds its key, for every provider that has one."""
    found = {}
    for provider, variables in KEY_VARIABLES.items():
        for variable in variables:
            if environ.get(variable, "").strip():
                found[provider] = variable
                break
    return found


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


def _ollama_url(host: str) -> str:
    """Ollama's address as its own variable gives it: `host`, `host:port` or a URL."""
    if not host.strip():
        return "http://127.0.0.1:11434"
    url = host.strip() if "//" in host else f"http://{host.strip()}"
    parts = urlsplit(url)
    # 0.0.0.0 is where the server listens, not where it can be called.
    name = "127.0.0.1" if parts.hostname in (None, "0.0.0.0") else parts.hostname  # noqa: S104
    try:
        port = parts.port
    except ValueError:
        port = None
    return f"{parts.scheme}://{f'[{name}]' if name and ':' in name else name}:{port or 11434}"


def _list_models(server: LocalServer) -> tuple[LocalModel, ...]:
    path = "/api/tags" if server.protocol == "ollama" else "/models"
    try:
        answer = _get_json(f"{server.url}{path}", server.key)
    except (OSError, http.client.HTTPException, ValueError, RecursionError):
        return ()  # Nothing there, or something else than a model server: not an error.
    if not isinstance(answer, dict):
        return ()
    entries = answer.get("models" if server.protocol == "ollama" else "data")
    if not isinstance(entries, list):
        return ()
    models = [_local_model(entry) for entry in entries if isinstance(entry, dict)]
    return tuple(model for model in models if model.name and not _NOT_CHAT.search(model.name))


def _local_model(entry: dict[str, Any]) -> LocalModel:
    details = entry.get("details")
    size = details.get("parameter_size") if isinstance(details, dict) else None
    name = sanitize(str(entry.get("name") or entry.get("id") or ""))
    stated = re.match(r"([\d.]+)\s*([BM])", str(size or ""), re.IGNORECASE) or re.search(
        r"(?<![\d.])(\d+(?:\.\d+)?)(b)\b", name, re.IGNORECASE
    )
    if stated is None:
        return LocalModel(name)
    try:
        number = float(stated[1])
    except ValueError:
        return LocalModel(name)
    return LocalModel(name, number / 1000 if stated[2] in "Mm" else number)


def _get_json(url: str, key: str) -> object:
    """The JSON at a plain URL, asked directly: a proxy has no business with a local server."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "127.0.0.1", parts.port, timeout=PROBE_SECONDS)
    try:
        headers = {"Accept": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
        connection.request("GET", parts.path, headers=headers)
        response = connection.getresponse()
        if response.status != 200:
            return None
        return json.loads(response.read(_LARGEST_LIST))
    finally:
        connection.close()
