"""Which keys and which local model servers are found on this machine."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from moa_tui.gateway.catalog import KEY_VARIABLES
from moa_tui.gateway.discovery import (
    LocalServer,
    default_servers,
    find_keys,
    find_servers,
    unknown_local_servers,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.model_server import ModelServer


def test_servers_are_found_by_their_model_lists_without_what_cannot_chat(server: ModelServer) -> None:
    server.models = ["ok", "qwen3-14b", "nomic-embed-text"]
    candidates = [
        LocalServer("vllm", server.url, "openai"),
        LocalServer("ollama", server.root_url, "ollama"),
        LocalServer("nobody", "http://127.0.0.1:9/v1", "openai"),
    ]
    vllm, ollama = find_servers(candidates)
    assert [model.name for model in vllm.models] == ["ok", "qwen3-14b"]
    assert vllm.models[1].billions == 14
    assert [model.name for model in ollama.models] == ["ok:latest", "qwen3-14b:latest"]


def test_what_answers_but_is_no_model_server_is_not_one(server: ModelServer) -> None:
    assert find_servers([LocalServer("x", f"{server.root_url}/nothing-here", "openai")]) == ()
    assert find_servers([LocalServer("x", f"{server.root_url}/_requests?", "openai")]) == ()


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("", "http://127.0.0.1:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("192.168.1.5:8080", "http://192.168.1.5:8080"),
        ("http://box:1234/", "http://box:1234"),
        ("https://box", "https://box:11434"),
        ("[::1]:5", "http://[::1]:5"),
        ("box:nonsense", "http://box:11434"),
    ],
)
def test_ollamas_own_variable_says_where_it_is(host: str, url: str) -> None:
    assert default_servers({"OLLAMA_HOST": host})[0].url == url


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("", ["ollama", "lm-studio", "llama.cpp", "vllm"]),
        ("none", []),
        (" vLLM , ollama,", ["ollama", "vllm"]),
        ("olama", []),
    ],
)
def test_a_variable_says_which_local_servers_are_looked_for(value: str, names: list[str]) -> None:
    environ = {"MOA_TUI_LOCAL_SERVERS": value}
    assert [server.name for server in default_servers(environ)] == names
    assert unknown_local_servers(environ) == (("olama",) if value == "olama" else ())


@contextmanager
def raw_server(talk: Callable[[socket.socket], None]) -> Iterator[tuple[LocalServer, threading.Thread]]:
    """A server that hands its one connection to `talk`, on the thread that is given with it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                talk(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield LocalServer("x", f"http://127.0.0.1:{listener.getsockname()[1]}/v1", "openai"), thread
        thread.join(5)


def test_a_server_that_never_comes_to_an_end_is_not_waited_for() -> None:
    enough = threading.Event()

    def dribble(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while not enough.wait(0.02):
            connection.sendall(b"[")

    with raw_server(dribble) as (server, thread):
        assert find_servers([server]) == ()
        assert thread.is_alive(), "it is left to itself while it still answers"
        enough.set()


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b"{}",
        b"null",
        b'{"data": 5}',
        b'{"data": [5, {"id": 7}]}',
        b"",
        b"[" + b"[]," * 300_000 + b"[]]",  # a million objects, which JSON's reader makes in one go
        b" " * 5_000_000,
    ],
    ids=lambda body: body[:12].decode(),
)
def test_odd_answers_are_no_servers_and_no_crash(body: bytes) -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    with raw_server(answer) as (server, _):
        servers = find_servers([server])
        assert [model.name for server in servers for model in server.models] in ([], ["7"])


def test_keys_are_found_by_name_and_an_empty_one_is_none() -> None:
    assert find_keys({"GOOGLE_API_KEY": "x", "OPENAI_API_KEY": "  ", "UNRELATED": "y"}) == {
        "gemini": "GOOGLE_API_KEY"
    }


def test_the_variables_are_those_litellm_reads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # By way of the adapter: litellm imported by itself fetches its list of models from the network.
    litellm = pytest.importorskip("moa_tui.gateway.litellm_stream").litellm
    for provider, variables in KEY_VARIABLES.items():
        if provider == "cohere_chat":
            continue  # litellm's own check knows it as cohere only
        assert litellm.validate_environment(f"{provider}/some-model")["missing_keys"], provider
        with monkeypatch.context() as patched:
            patched.setenv(variables[0], "x")
            assert not litellm.validate_environment(f"{provider}/some-model")["missing_keys"], provider
