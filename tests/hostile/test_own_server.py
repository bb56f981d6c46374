"""Attempts to have litellm send a prompt to another server than the one that it is for."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from moa_tui.engine.agent import Agent
from moa_tui.errors import ModelError, UsageError
from moa_tui.gateway.gateway import Gateway
from moa_tui.gateway.thread import EngineThread, load_litellm_stream
from moa_tui.gateway.transport import Exchange, admitted, current_exchange
from moa_tui.settings.config import Endpoint
from tests.helpers import recipe
from tests.hostile.client import Client
from tests.hostile.raw_server import RawServer, chunk, ending, head, sending

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.hostile.raw_server import Script

CANARY = "sk-canary-0123456789abcdef"
WORDS = ["replicate", "clarifai", "ft:gpt-3.5-turbo", "ft:babbage-002", "ft:davinci-002"]
VARIABLES = {
    "anthropic": "ANTHROPIC_API_KEY",
    "cohere": "COHERE_API_KEY",
    "gemini": "GEMINI_API_KEY",
    "openrouter": "OPENROUTER_API_KEY",
    "groq": "GROQ_API_KEY",
    "mistral": "MISTRAL_API_KEY",
    "openai": "OPENAI_API_KEY",
}


@pytest.fixture(scope="module")
def engine(litellm_is_loaded: None) -> Iterator[EngineThread]:
    with EngineThread() as thread:
        load_litellm_stream()
        yield thread


def answering() -> Script:
    return sending(head(), chunk("here"), ending())


@pytest.fixture
def internet(monkeypatch: pytest.MonkeyPatch) -> Iterator[RawServer]:
    """All that leaves this machine comes here: a proxy that the environment names for everything."""
    with RawServer(sending(head(), chunk("by proxy"), ending())) as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
            monkeypatch.setenv(name, proxy.root)
        yield proxy


def ask(gateway: Gateway, engine: EngineThread, **agent: Any) -> ModelError:
    """How the call of an agent fails that the gateway is asked to make without any check before."""

    async def call() -> None:
        async for _ in gateway.stream(Agent(**agent), [{"role": "user", "content": "secret plan"}]):
            pass

    with pytest.raises(ModelError) as caught:
        engine.submit(call()).result(timeout=30)
    return caught.value


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("provider", VARIABLES)
def test_a_word_in_a_models_name_does_not_send_it_to_another_provider(
    provider: str, word: str, internet: RawServer, engine: EngineThread
) -> None:
    gateway = Gateway({}, {VARIABLES[provider]: CANARY})
    ask(gateway, engine, model=f"{provider}/acme-{word}-7b", api_key_env=VARIABLES[provider])
    hosts = {request.line.split()[1] for request in internet.requests}
    allowed = {"cohere": "api.cohere.com", "openrouter": "openrouter.ai", "gemini": "generativelanguage"}
    assert all(host.startswith(allowed.get(provider, f"api.{provider}.")) for host in hosts), hosts


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("provider", ["ollama", "ollama_chat", "anthropic", "gemini", "cohere", "openrouter"])
def test_nor_does_it_take_a_call_to_this_machine_away(
    provider: str, word: str, internet: RawServer, engine: EngineThread
) -> None:
    with RawServer(sending(head("500 Failed", "text/plain"), b"here")) as server:
        ask(Gateway({}, {}), engine, model=f"{provider}/{word}", api_base=server.root)
    assert not internet.requests


def test_the_failure_names_both_servers(internet: RawServer, engine: EngineThread) -> None:
    failure = ask(Gateway({}, {"GEMINI_API_KEY": CANARY}), engine, model="gemini/replicate-x")
    assert failure.kind == "forbidden"
    assert "for https://generativelanguage.googleapis.com" in failure.message
    assert "gone to https://api.replicate.com" in failure.message


@pytest.mark.parametrize("word", WORDS)
def test_such_a_name_is_refused_before_the_run(word: str) -> None:
    gateway = Gateway({"lab": Endpoint(base_url="https://lab.example/v1")}, {"GROQ_API_KEY": CANARY})
    for agent in (
        {"model": f"ollama_chat/my-{word}:7b"},
        {"model": f"ollama/{word}", "api_base": "http://127.0.0.1:9"},
    ):
        with pytest.raises(UsageError, match="another name"):
            gateway.check_keys(recipe([agent]))
    gateway.check_keys(recipe([{"model": f"lab/{word}"}, {"model": f"groq/{word}"}], [{"model": "lab/x"}]))


def test_a_redirect_on_the_own_server_is_followed_and_no_other(engine: EngineThread) -> None:
    exchange = Exchange(["http://LAB.example:80/v1"])
    exchange.admit(httpx.URL("http://lab.example/v1/chat"))
    for other in (
        "https://lab.example/",
        "http://lab.example:81/",
        "http://lab.example.evil/",
        "http://u@x/",
    ):
        with pytest.raises(ModelError):
            exchange.admit(httpx.URL(other))
    exchange.follow(httpx.URL("https://lab.example/v2"))
    exchange.admit(httpx.URL("https://lab.example/v2"))


@pytest.mark.parametrize("address", ["", "lab.example:80/v1", "http://", "http://[::", "//lab.example"])
def test_for_an_address_that_is_none_nothing_is_sent(address: str) -> None:
    for url in ("http://lab.example/", "http://127.0.0.1/", "http://lab.example:80/v1"):
        with pytest.raises(ModelError):
            Exchange([address]).admit(httpx.URL(url))


def test_a_request_of_no_call_is_not_sent(engine: EngineThread) -> None:
    with RawServer(answering()) as server:

        async def in_the_background() -> None:
            async with httpx.AsyncClient() as client:
                await client.get(server.root)

        with pytest.raises(ModelError, match="no call"):
            engine.submit(in_the_background()).result(timeout=20)
        with pytest.raises(ModelError, match="no call"), httpx.Client() as client:
            client.get(server.root)
    assert not server.requests


def test_a_thread_that_a_call_began_sends_where_the_call_may(engine: EngineThread) -> None:
    """What runs on another thread without the call's context has no call, and sends nothing."""
    with RawServer(answering()) as server, RawServer(answering()) as other:

        def get(address: str) -> None:
            with httpx.Client() as client:
                client.get(address)

        async def call() -> None:
            current_exchange.set(Exchange([server.root]))
            await asyncio.to_thread(get, server.root)
            with pytest.raises(ModelError):
                await asyncio.to_thread(get, other.root)
            with pytest.raises(ModelError):
                await asyncio.get_running_loop().run_in_executor(None, get, server.root)

        engine.submit(call()).result(timeout=20)
        assert len(server.requests) == 1
        assert not other.requests


def test_no_call_is_seen_on_a_new_thread() -> None:
    outcomes = []

    def look() -> None:
        with pytest.raises(ModelError) as caught:
            admitted(httpx.URL("http://lab.example/"))
        outcomes.append(caught.value.kind)

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert outcomes == ["forbidden"]


def test_where_only_litellm_knows_the_server_it_is_asked_once_confirmed(
    internet: RawServer, engine: EngineThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RawServer(answering()) as server:
        monkeypatch.setenv("HOSTED_VLLM_API_BASE", f"{server.root}/v1")
        assert Client(engine, server).text(model="hosted_vllm/x")
    assert not internet.requests
