"""What is found on this machine, and which recipe follows from it."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from moa_tui.errors import NoLocalModelError
from moa_tui.gateway.catalog import KEY_VARIABLES
from moa_tui.gateway.discovery import (
    LocalModel,
    LocalServer,
    default_servers,
    find_keys,
    find_servers,
    unknown_local_servers,
)
from moa_tui.recipes.default import choose_recipe, local_recipe
from moa_tui.settings.config import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gateway.conftest import Bench
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


def test_the_local_recipe_loads_each_model_once_and_ends_on_the_one_that_is_loaded() -> None:
    servers = [
        LocalServer(
            "ollama", "http://127.0.0.1:11434", "ollama",
            (LocalModel("big", 70), LocalModel("small", 3), LocalModel("middle", 14)),
        )
    ]  # fmt: skip
    recipe = local_recipe(servers)
    proposers, (aggregator,) = recipe.lineup
    assert [agent.name for agent in proposers] == ["small", "middle", "big"]
    assert aggregator.model == proposers[-1].model == "ollama_chat/big"
    assert recipe.limits.concurrency == 1
    assert aggregator.api_base == "http://127.0.0.1:11434"


def test_one_local_model_is_sampled_three_times() -> None:
    recipe = local_recipe([LocalServer("vllm", "http://127.0.0.1:8000/v1", "openai", (LocalModel("m"),))])
    assert recipe.calls == 4
    assert {agent.model for agent in recipe.every_agent()} == {"openai/m"}


def test_the_local_recipe_runs_against_real_servers_one_call_at_a_time(bench: Bench) -> None:
    bench.server.models = ["ok@ttft=0.05,key=a", "ok@ttft=0.05,key=b"]
    found = find_servers([LocalServer("vllm", bench.server.url, "openai")])
    outcome = bench.run(local_recipe(found))
    assert outcome.status == "done"
    requests = bench.server.requests
    assert [request.key for request in requests] == ["b", "a", "a"], (
        "the first listed is the largest, so it comes last"
    )
    assert all((one.ended or 0) <= other.started for one, other in pairwise(requests))


def test_without_a_local_model_it_is_said_what_to_start() -> None:
    with pytest.raises(NoLocalModelError, match="Start Ollama"):
        local_recipe([])


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


def test_the_recipe_follows_from_config_keys_and_servers_in_that_order() -> None:
    server = LocalServer("ollama", "x", "ollama", (LocalModel("m"),))
    runs = {"groq", "openai", "moa"}.__contains__
    assert choose_recipe(Settings(default_recipe="duo"), runs, lambda: [server])[0] == "duo"
    assert choose_recipe(Settings(), runs, lambda: [server])[0] == "openai"
    assert choose_recipe(Settings(), {"moa"}.__contains__, lambda: [server])[0] == "moa"
    assert choose_recipe(Settings(), set[str]().__contains__, lambda: [server])[0] == "local"
    name, why = choose_recipe(Settings(), set[str]().__contains__, list)
    assert name == "demo"
    assert "simulated" in why
    assert "OPENROUTER_API_KEY" in why


def test_a_server_that_never_comes_to_an_end_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        dribbling = threading.Event()

        def dribble() -> None:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
                while not dribbling.wait(0.02):
                    connection.sendall(b"[")

        thread = threading.Thread(target=dribble, daemon=True)
        thread.start()
        slow = LocalServer("x", f"http://127.0.0.1:{listener.getsockname()[1]}/v1", "openai")
        assert find_servers([slow]) == ()
        assert thread.is_alive(), "it is left to itself while it still answers"
        dribbling.set()
        thread.join(5)


@pytest.mark.parametrize(
    "body", [b"[" * 200_000, b"{}", b"null", b'{"data": 5}', b'{"data": [5, {"id": 7}]}', b""]
)
def test_odd_answers_are_no_servers_and_no_crash(body: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        found = find_servers([LocalServer("x", url, "openai")])
        assert [model.name for server in found for model in server.models] in ([], ["7"])
        thread.join(5)


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
