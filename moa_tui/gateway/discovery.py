"""Finds the API keys in the environment and the model servers on this machine."""

from __future__ import annotations

import http.client
import json
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from moa_tui.gateway import server_replies
from moa_tui.gateway.catalog import KEY_VARIABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from moa_tui.settings.config import Endpoint

# A server on this machine answers in milliseconds; one that does not is not waited for.
PROBE_SECONDS = 0.3
_LARGEST_LIST = 4_000_000  # bytes
# Brackets, commas and colons of a list. Each may be an object, and JSON's reader holds the interpreter.
_MOST_MARKS = 200_000
# A server that goes on byte by byte is left; a thread waits for each.
_READ_SECONDS = 2.0
# The most models of Ollama that are asked about one by one; the largest first.
_MOST_SHOWN = 8

# What a question to a server can raise where no server, or something else, answers.
_UNREADABLE = (OSError, http.client.HTTPException, ValueError, RecursionError)

Protocol = Literal["ollama", "openai"]
State = Literal["ready", "loading", "empty", "locked"]
LocalModel = server_replies.LocalModel


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A model server, on this machine or an endpoint of the config: its name, address and models.

    `key` is sent with the question for its models; `find_servers` returns servers without it.
    `calls_at_once` is the number of calls that the server works on together without loss. One that
    `is_free` runs its models itself. One that `is_endpoint` is asked for its list alone. The `state`
    is "ready", or why there are no models: it is loading one, it has none that can chat, or it wants a key.
    """

    name: str
    url: str
    protocol: Protocol
    models: tuple[LocalModel, ...] = ()
    key: str = field(default="", repr=False)
    calls_at_once: int = 1
    is_free: bool = False
    state: State = "ready"
    is_endpoint: bool = False


# Calls at once to a server that batches them. It takes hundreds; a layer of a recipe rarely has more.
_BATCHED_CALLS = 16

# Holds the names of the local servers to look for, with commas between them, or "none". Where it is not set,
# all are looked for. Other programs use the same ports, and some users do not want those to get requests.
LOCAL_SERVERS_VARIABLE = "MOA_TUI_LOCAL_SERVERS"


def default_servers(environ: Mapping[str, str]) -> tuple[LocalServer, ...]:
    """The local servers to look for, on their default loopback ports.

    OLLAMA_HOST moves Ollama's address; MOA_TUI_LOCAL_SERVERS says which of the servers are looked for.
    """
    servers = _known_servers(environ)
    names = _named_servers(environ)
    return servers if names is None else tuple(server for server in servers if server.name in names)


def unknown_local_servers(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The names in MOA_TUI_LOCAL_SERVERS that no local server has, in their order there."""
    known = {server.name for server in _known_servers(environ)}
    return tuple(name for name in _named_servers(environ) or () if name not in known)


def _known_servers(environ: Mapping[str, str]) -> tuple[LocalServer, ...]:
    """All local servers that moa-tui knows, at their default addresses or where OLLAMA_HOST says."""
    return (
        LocalServer("ollama", ollama_url(environ.get("OLLAMA_HOST", "")), "ollama"),
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
    """The config's endpoints as servers, each with the key that its own variable holds."""
    return tuple(
        LocalServer(
            name,
            endpoint.base_url.rstrip("/"),
            "openai",
            key=environ.get(endpoint.key_env, "").strip() if endpoint.key_env else "",
            is_endpoint=True,
        )
        for name, endpoint in endpoints.items()
    )


def find_servers(candidates: Sequence[LocalServer]) -> tuple[LocalServer, ...]:
    """Those of `candidates` that answer within PROBE_SECONDS, with a chat model or why they have none.

    All are asked at the same time, each on a thread of its own; none that is slow holds up the program's end.
    What a server had not yet said of its models by then is left unknown.
    """
    answers: dict[LocalServer, LocalServer] = {}

    def ask(server: LocalServer) -> None:
        _ask(server, lambda answer: answers.__setitem__(server, answer))

    # Daemons, because a server that answers byte by byte could keep its thread waiting for ever.
    threads = [threading.Thread(target=ask, args=(server,), daemon=True) for server in candidates]
    end = time.monotonic() + PROBE_SECONDS
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return tuple(
        replace(answer, key="", is_endpoint=False)
        for server in candidates
        if (answer := answers.get(server)) is not None and (answer.models or answer.state != "ready")
    )


def find_keys(environ: Mapping[str, str]) -> dict[str, str]:
    """By provider, the name of the variable that holds its key; providers without a key are left out."""
    set_variables = {}
    for provider, variables in KEY_VARIABLES.items():
        for variable in variables:
            if environ.get(variable, "").strip():
                set_variables[provider] = variable
                break
    return set_variables


def ollama_url(host: str) -> str:
    """The URL of Ollama's address; `host` is its own variable's value: `host`, `host:port` or a URL."""
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


def _ask(server: LocalServer, tell: Callable[[LocalServer], None]) -> None:
    """Tell what a server lists, then what else it says of its models; nothing where no server answers."""
    with suppress(*_UNREADABLE):
        if server.protocol == "ollama":
            _ask_ollama(server, tell)
        else:
            _ask_openai(server, tell)


def _ask_ollama(server: LocalServer, tell: Callable[[LocalServer], None]) -> None:
    """Tell what Ollama has: its models, which of them are loaded, and the context that each was made for."""
    tags = _get_json(server, "/api/tags")[1]
    models = server_replies.ollama_models(tags, None)
    if not models:
        tell(replace(server, state="empty" if server_replies.is_list(tags, "models") else "ready"))
        return
    tell(replace(server, models=models))
    running = _get_json(server, "/api/ps")[1]
    models = server_replies.ollama_models(tags, running)
    loaded = sum(model.is_loaded for model in models)
    # Models that are loaded together are asked together.
    server = replace(server, models=models, calls_at_once=loaded if loaded == len(models) else 1)
    tell(server)
    # Newer versions state the context in the list already.
    unknown = [model for model in models if model.context_tokens is None]
    for model in sorted(unknown, key=lambda model: -model.billions)[:_MOST_SHOWN]:
        shown = server_replies.with_shown(model, _get_json(server, "/api/show", {"model": model.name})[1])
        others = tuple(shown if each is model else each for each in server.models)
        server = replace(server, models=tuple(each for each in others if each is not None))
        tell(server)


def _ask_openai(server: LocalServer, tell: Callable[[LocalServer], None]) -> None:
    """Tell what a server with OpenAI's protocol lists, and what llama.cpp and LM Studio say beside that."""
    status, listing = _get_json(server, "/models")
    if status == 503 and server_replies.is_loading(listing):
        tell(replace(server, state="loading"))
        return
    if status == 401:
        tell(replace(server, state="locked"))
        return
    models = server_replies.listed_models(listing)
    if not models and server_replies.is_list(listing, "data"):
        server = replace(server, state="empty")
    server = replace(
        server,
        models=models,
        calls_at_once=_BATCHED_CALLS if server_replies.batches(listing) else 1,
        is_free=not server.is_endpoint and server_replies.runs_models(listing),
    )
    tell(server)
    if server.is_endpoint or not models:
        return
    owner = server_replies.owner(listing)
    root = replace(server, url=server.url.removesuffix("/v1"))
    if owner == "llamacpp":
        props = _get_json(root, "/props")[1]
        if len(models) == 1 and (context := server_replies.llama_cpp_context(props)):
            server = replace(server, models=(replace(models[0], context_tokens=context),))
        tell(replace(server, calls_at_once=server_replies.llama_cpp_slots(props)))
    elif server.name == "lm-studio" or owner.startswith("organization"):
        # LM Studio answers what it does not know with status 200 and an error.
        reply = _get_json(root, "/api/v1/models")[1]
        if not server_replies.is_list(reply, "models"):
            reply = _get_json(root, "/api/v0/models")[1]
        models, calls_at_once = server_replies.lm_studio_facts(models, reply)
        tell(replace(server, models=models, calls_at_once=calls_at_once))


def _get_json(server: LocalServer, path: str, question: object = None) -> tuple[int, object]:
    """The status and the JSON at a path of a server, None for a status that is neither 200 nor 503.

    A `question` is posted as JSON. No proxy is used. Raises one of `_UNREADABLE`.
    """
    parts = urlsplit(f"{server.url}{path}")
    connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = connect(parts.hostname or "127.0.0.1", parts.port, timeout=PROBE_SECONDS)
    try:
        headers = {"Accept": "application/json"}
        if server.key:
            headers["Authorization"] = f"Bearer {server.key}"
        if question is None:
            connection.request("GET", parts.path, headers=headers)
        else:
            body = json.dumps(question).encode()
            connection.request("POST", parts.path, body, {**headers, "Content-Type": "application/json"})
        response = connection.getresponse()
        if response.status not in (200, 503):
            return response.status, None
        text = _read(response)
        if sum(map(text.count, (b"[", b"{", b",", b":"))) > _MOST_MARKS:
            raise ValueError(f"{server.url}{path} lists more than a server of models can need to")
        return response.status, json.loads(text)
    finally:
        connection.close()


def _read(response: http.client.HTTPResponse) -> bytes:
    """The body of a response. Raises ValueError where it is too long or takes too long."""
    body = bytearray()
    end = time.monotonic() + _READ_SECONDS
    while piece := response.read1(65_536):
        body += piece
        if len(body) > _LARGEST_LIST or time.monotonic() > end:
            raise ValueError("the list of models has no end")
    return bytes(body)
