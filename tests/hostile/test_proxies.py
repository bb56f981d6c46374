"""Attempts to have a prompt go another way than to the server that it is for."""

from __future__ import annotations

import itertools
import json
import socket
from typing import TYPE_CHECKING

import pytest

from moa_tui.gateway.thread import EngineThread, load_litellm_stream
from tests.hostile.client import Client
from tests.hostile.raw_server import RawServer, chunk, ending, head, sending

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from moa_tui.errors import ModelError


@pytest.fixture(scope="module")
def engine(litellm_is_loaded: None) -> Iterator[EngineThread]:
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


# What is said where a proxy does not do its part


CREDENTIALS = "user:canary-password"


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have the environment name one proxy for everything, in capitals alone."""

    def name(address: str) -> None:
        for variable in PROXIES:
            monkeypatch.delenv(variable, raising=False)
        for variable in ("HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(variable, address)

    return name


@pytest.fixture
def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


_hosts = (f"models-{number}.example" for number in itertools.count())


def through(engine: EngineThread, scheme: str = "http", provider: str = "openai") -> ModelError:
    """How a call fails to a host that no call was made to before: the transport keeps each host's proxy."""
    with RawServer(sending()) as server:
        client = Client(engine, server)
    failure = client.failure(model=f"{provider}/x", api_base=f"{scheme}://{next(_hosts)}/v1")
    assert "canary" not in failure.message, "never with its password"
    return failure


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("provider", ["openai", "anthropic", "ollama_chat"])
def test_a_dead_proxy_is_not_told_as_the_server(
    provider: str, scheme: str, closed_port: int, named: Callable[[str], None], engine: EngineThread
) -> None:
    named(f"http://{CREDENTIALS}@127.0.0.1:{closed_port}")
    failure = through(engine, scheme, provider)
    assert (failure.kind, failure.status_code) == ("connection", None)
    place = f"the proxy http://127.0.0.1:{closed_port}, which {scheme.upper()}_PROXY names"
    assert failure.message.startswith(f"{place}, refused the connection; is it running?")
    assert "NO_PROXY" in failure.message
    assert "is the server running" not in failure.message


def test_a_proxy_whose_host_is_not_there(named: Callable[[str], None], engine: EngineThread) -> None:
    named(f"http://{CREDENTIALS}@no-such-proxy.invalid:3128")
    failure = through(engine)
    assert failure.kind == "connection"
    assert "the host of the proxy http://no-such-proxy.invalid:3128" in failure.message


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_wants_a_password(
    scheme: str, named: Callable[[str], None], engine: EngineThread
) -> None:
    with RawServer(sending(head("407 Proxy Authentication Required", "text/html"), b"<p>no")) as proxy:
        named(proxy.root)
        failure = through(engine, scheme)
    assert (failure.kind, failure.status_code) == ("forbidden", 407)
    assert f"the proxy {proxy.root}, which {scheme.upper()}_PROXY names, wants a user name" in failure.message


@pytest.mark.parametrize(
    ("status", "kind"), [("502 Bad Gateway", "connection"), ("403 Forbidden", "forbidden")]
)
def test_a_proxy_that_does_not_open_the_way(
    status: str, kind: str, named: Callable[[str], None], engine: EngineThread
) -> None:
    with RawServer(sending(head(status, "text/plain"), b"")) as proxy:
        named(proxy.root)
        failure = through(engine, "https")
    assert (failure.kind, failure.status_code) == (kind, None)
    assert f"{proxy.root}, which HTTPS_PROXY names, did not open a connection" in failure.message


def test_a_refusal_that_came_through_a_proxy_names_it(
    named: Callable[[str], None], engine: EngineThread
) -> None:
    with RawServer(sending(head("503 Service Unavailable", "text/plain"), b"try later")) as proxy:
        named(proxy.root.replace("//", f"//{CREDENTIALS}@"))
        failure = through(engine)
    assert (failure.kind, failure.status_code) == ("server", 503)
    assert failure.message == f"try later (asked through the proxy {proxy.root}, which HTTP_PROXY names)"


@pytest.mark.parametrize(
    "address",
    [
        "http://user:canary/1@127.0.0.1:{port}",
        "http://user:canary?x@127.0.0.1:{port}",
        "http://user:canary#x@127.0.0.1:{port}",
        "http://user:can@canary@127.0.0.1:{port}/",
        "http://user:12/canary@127.0.0.1:{port}",
        "http://user:canary@127.0.0.1:port",
        "http://user:canary@",
        "http://user:canary@[::1",
        "user:canary@127.0.0.1:{port}",
        "canary://user:canary@127.0.0.1:{port}",
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_no_part_of_a_proxys_password_is_shown_however_it_is_written(
    scheme: str, address: str, closed_port: int, named: Callable[[str], None], engine: EngineThread
) -> None:
    named(address.format(port=closed_port))
    with RawServer(sending()) as server:
        client = Client(engine, server)
    failure = client.failure(model="openai/x", api_base=f"{scheme}://{next(_hosts)}/v1")
    said = failure.message.replace("canary://", "")
    assert "canary" not in said
    assert "user" not in said.replace("a user name", "")
    assert f"{scheme.upper()}_PROXY" in said


def test_a_proxy_that_hangs_up(named: Callable[[str], None], engine: EngineThread) -> None:
    with RawServer(sending()) as proxy:
        named(proxy.root)
        failure = through(engine)
    assert failure.kind == "connection"
    assert f"was lost, through the proxy {proxy.root}" in failure.message


def test_a_proxy_of_a_kind_that_cannot_be_used(named: Callable[[str], None], engine: EngineThread) -> None:
    named(f"socks5://{CREDENTIALS}@127.0.0.1:1080")
    failure = through(engine)
    assert failure.kind == "connection"
    assert "socks5://127.0.0.1:1080, which HTTP_PROXY names, is of a kind that cannot be used" in (
        failure.message
    )
