"""Attempts to have a prompt go another way than to the server that it is for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from moa_tui.gateway.thread import EngineThread, load_litellm_stream
from tests.hostile.client import Client
from tests.hostile.raw_server import RawServer, chunk, ending, head, sending

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def engine() -> Iterator[EngineThread]:
    with EngineThread() as thread:
        load_litellm_stream()
        yield thread


PROXIES = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"]


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[RawServer]:
    """A proxy that the environment names for everything."""
    with RawServer(sending(head(), chunk("by proxy"), ending())) as proxy:
        for name in PROXIES:
            monkeypatch.setenv(name, proxy.root)
        yield proxy


@pytest.mark.parametrize(
    ("wire", "name", "no_proxy"),
    [
        ("openai", "127.0.0.1", None),
        ("openai", "127.0.0.1", ""),
        ("openai", "localhost", "example.org"),
        ("openai", "LOCALHOST", "*.internal"),
        ("openai", "127.1", " "),
        ("openai", "127.0.0.2", None),
        ("ollama_chat", "127.0.0.1", None),
        ("anthropic", "localhost", None),
        ("text-completion-openai", "127.0.0.1", None),
    ],
)
def test_a_call_to_this_machine_goes_through_no_proxy(
    wire: str,
    name: str,
    no_proxy: str | None,
    proxy: RawServer,
    engine: EngineThread,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if no_proxy is not None:
        monkeypatch.setenv("NO_PROXY", no_proxy)
        monkeypatch.setenv("no_proxy", no_proxy)
    with RawServer(sending(head("500 Failed", "text/plain"), b"here")) as server:
        failure = Client(engine, server).failure(
            model=f"{wire}/x", api_base=server.root.replace("127.0.0.1", name)
        )
    assert not proxy.requests
    # The last two are this machine as well, but nobody listens there.
    assert failure.message == "here" or name in ("127.0.0.2", "127.1")


def test_a_call_to_another_machine_goes_through_the_proxy(proxy: RawServer, engine: EngineThread) -> None:
    with RawServer(sending()) as server:
        text = Client(engine, server).text(model="openai/x", api_base="http://models.example/v1")
    assert text == "by proxy"
    assert proxy.requests[0].line.startswith("POST http://models.example/v1/chat/completions")


def test_a_call_to_a_host_without_a_proxy_goes_through_none(
    proxy: RawServer, engine: EngineThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "direct.invalid")
    with RawServer(sending()) as server:
        failure = Client(engine, server).failure(model="openai/x", api_base="http://direct.invalid/v1")
    assert failure.kind == "connection"
    assert not proxy.requests


def test_nothing_is_asked_of_ollamas_own_address_when_the_call_went_elsewhere(
    engine: EngineThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [{"message": {"role": "assistant", "content": "hello"}, "done": False}]
    lines.append({"message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop"})
    body = "".join(json.dumps({"model": "x", **line}) + "\n" for line in lines).encode()
    with (
        RawServer(sending(head("200 OK", "application/json"), b"{}")) as default,
        RawServer(sending(head("200 OK", "application/x-ndjson"), body)) as server,
    ):
        monkeypatch.setenv("OLLAMA_API_BASE", default.root)
        client = Client(engine, server)
        for provider in ("ollama_chat", "ollama"):
            client.start(model=f"{provider}/x", api_base=server.root).exception(timeout=20)
        assert client.text(model="ollama_chat/x", api_base=server.root) == "hello"
    assert not default.requests
