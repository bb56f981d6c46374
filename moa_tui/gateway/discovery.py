"""Finds the API keys in the environment and the model servers on this machine."""

from __future__ import annotations

import http.client
import json
import re
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from moa_tui.gateway.catalog import KEY_VARIABLES
from moa_tui.gateway.sanitize import sanitize
from moa_tui.text.safe import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from moa_tui.settings.config import Endpoint

# A server on this machine answers in milliseconds; one that does not is not waited for.
PROBE_SECONDS = 0.3
_LARGEST_LIST = 4_000_000  # bytes
# Brackets, commas and colons of a list. Each may be an object, and JSON's reader holds the interpreter.
_MOST_MARKS = 200_000
# A server that goes on byte by byte is left; a thread waits for each.
_READ_SECONDS = 2.0

_NOT_CHAT = re.compile(r"embed|rerank|whisper|\btts\b|clip|bge-|minilm", re.IGNORECASE)

Protocol = Literal["ollama", "openai"]


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A model server, on this machine or an endpoint of the config: its name, address and models.

    `key` is sent with the question for its models; `find_servers` returns servers without it.
    """

    name: str
    url: str
    protocol: Protocol
    models: tuple[LocalModel, ...] = ()
    key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model that a local server lists; `billions` of parameters are 0 where it does not say."""

    name: str
    billions: float = 0.0


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
        )
        for name, endpoint in endpoints.items()
    )


def find_servers(candidates: Sequence[LocalServer]) -> tuple[LocalServer, ...]:
    """Those of `candidates` that answer with at least one chat model within PROBE_SECONDS.

    All are asked at the same time, each on a thread of its own; none that is slow holds up the program's end.
    """
    models_by_server: dict[LocalServer, tuple[LocalModel, ...]] = {}

    def ask(server: LocalServer) -> None:
        models_by_server[server] = _list_models(server)

    # Daemons, because a server that answers byte by byte could keep its thread waiting for ever.
    threads = [threading.Thread(target=ask, args=(server,), daemon=True) for server in candidates]
    end = time.monotonic() + PROBE_SECONDS
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return tuple(
        replace(server, models=models, key="")
        for server in candidates
        if (models := models_by_server.get(server))
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


def _list_models(server: LocalServer) -> tuple[LocalModel, ...]:
    """The chat models that a server lists; none where nothing or something else answers there."""
    path = "/api/tags" if server.protocol == "ollama" else "/models"
    try:
        answer = _get_json(f"{server.url}{path}", server.key)
    except (OSError, http.client.HTTPException, ValueError, RecursionError):
        return ()
    if not isinstance(answer, dict):
        return ()
    entries = answer.get("models" if server.protocol == "ollama" else "data")
    if not isinstance(entries, list):
        return ()
    models = [_local_model(entry) for entry in entries if isinstance(entry, dict)]
    return tuple(model for model in models if model.name and not _NOT_CHAT.search(model.name))


def _local_model(entry: dict[str, Any]) -> LocalModel:
    """The model of a list's entry; its size is the one that the server states, else the one in its name."""
    details = entry.get("details")
    size = details.get("parameter_size") if isinstance(details, dict) else None
    name = one_line(sanitize(str(entry.get("name") or entry.get("id") or "")))
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
    """The JSON at a URL; None where the server answers with another status than 200. No proxy is used.

    Raises OSError, HTTPException, ValueError or RecursionError.
    """
    parts = urlsplit(url)
    connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = connect(parts.hostname or "127.0.0.1", parts.port, timeout=PROBE_SECONDS)
    try:
        headers = {"Accept": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
        connection.request("GET", parts.path, headers=headers)
        response = connection.getresponse()
        if response.status != 200:
            return None
        body = _read(response)
        if sum(map(body.count, (b"[", b"{", b",", b":"))) > _MOST_MARKS:
            raise ValueError(f"{url} lists more than a server of models can need to")
        return json.loads(body)
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
