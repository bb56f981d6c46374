"""TLS faults over real sockets, with certificates made here: each says what is wrong and what to do next."""

from __future__ import annotations

import asyncio
import datetime
import socket
import ssl
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from moa_tui.engine.agent import Agent
from moa_tui.errors import ModelError, UsageError
from moa_tui.gateway import thread
from moa_tui.gateway.gateway import Gateway
from moa_tui.gateway.thread import load_litellm_stream
from moa_tui.gateway.tls import check_environment, unused_files
from moa_tui.settings.config import Endpoint
from tests.helpers import recipe
from tests.hostile.raw_server import RawServer, chunk, ending, head, sending

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from moa_tui.gateway.thread import EngineThread

trustme = pytest.importorskip("trustme", reason="the test extra installs it")

PROVIDERS = ["openai", "anthropic", "ollama_chat"]


@pytest.fixture(scope="module")
def authority() -> Any:
    return trustme.CA()


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def trusted(authority: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the clients trust the authority, as one that SSL_CERT_FILE names would be from the start."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    monkeypatch.setattr(load_litellm_stream()._Transport, "_ssl_verify", context, raising=False)
    for transport in list(load_litellm_stream()._Transport.made):
        monkeypatch.setattr(transport, "_ssl_verify", context)


def serving(certificate: Any) -> RawServer:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return RawServer(sending(head(), chunk("hello"), ending()), context)


def ask(engine: EngineThread, base: str, provider: str = "openai") -> str | ModelError:
    """The text that a model at this address writes, or how the call fails."""
    gateway = Gateway({}, {})
    agent = Agent(model=f"{provider}/x", api_base=base)
    gateway.allow_once(recipe([{"model": agent.model, "api_base": base}]))

    async def call() -> str:
        chunks = gateway.stream(agent, [{"role": "user", "content": "hello"}])
        return "".join([getattr(piece, "text", "") async for piece in chunks])

    future = engine.submit(call())
    error = future.exception(timeout=30)
    return error if isinstance(error, ModelError) else future.result()


def failure(engine: EngineThread, base: str, provider: str = "openai") -> str:
    error = ask(engine, base, provider)
    assert isinstance(error, ModelError)
    assert (error.kind, error.status_code) == ("tls", None), error.message
    assert "_ssl.c" not in error.message, "no source lines of Python's"
    return error.message


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_certificate_that_nobody_vouches_for(provider: str, authority: Any, engine: EngineThread) -> None:
    with serving(authority.issue_cert("127.0.0.1")) as server:
        said = failure(engine, f"{server.root}/v1", provider)
    assert f"certificate of {server.root}/v1 is signed by nobody that this machine trusts" in said
    assert said.endswith("name that file in SSL_CERT_FILE")


def test_it_says_which_variables_do_not_help(
    authority: Any, engine: EngineThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with serving(authority.issue_cert("127.0.0.1")) as server:
        assert "none.pem, which is not there" in failure(engine, f"{server.root}/v1")
        monkeypatch.delenv("SSL_CERT_FILE")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/etc/corporate.pem")
        assert "REQUESTS_CA_BUNDLE is not looked at" in failure(engine, f"{server.root}/v1")


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    ("names", "dates", "said"),
    [
        (["other.example"], {}, "is for another name"),
        (["127.0.0.1"], {"not_after": datetime.datetime(2021, 1, 1)}, "has expired"),
        (["127.0.0.1"], {"not_before": datetime.datetime(2150, 1, 1)}, "is not valid yet"),
    ],
)
def test_a_certificate_of_a_trusted_authority_that_does_not_fit(
    names: list[str], dates: dict[str, Any], said: str, authority: Any, engine: EngineThread
) -> None:
    if "not_before" in dates:
        dates = {**dates, "not_after": datetime.datetime(2160, 1, 1)}
    elif dates:
        dates = {**dates, "not_before": datetime.datetime(2020, 1, 1)}
    with serving(authority.issue_cert(*names, **dates)) as server:
        message = failure(engine, f"{server.root}/v1")
    assert said in message
    assert server.root in message


@pytest.mark.usefixtures("trusted")
def test_a_certificate_that_fits_is_believed(authority: Any, engine: EngineThread) -> None:
    with serving(authority.issue_cert("127.0.0.1")) as server:
        assert ask(engine, f"{server.root}/v1") == "hello"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_https_to_a_plain_http_server(provider: str, engine: EngineThread) -> None:
    """What it answers to a TLS greeting is no TLS: most servers send 400 Bad Request."""
    with talking(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n") as port:
        said = failure(engine, f"https://127.0.0.1:{port}/v1", provider)
    assert f"Write http://127.0.0.1:{port}/v1" in said


@pytest.mark.parametrize("provider", PROVIDERS)
def test_plain_http_to_a_tls_server_that_answers_with_an_alert(provider: str, engine: EngineThread) -> None:
    with talking(b"\x15\x03\x01\x00\x02\x02\x46") as port:
        said = failure(engine, f"http://127.0.0.1:{port}/v1", provider)
    assert "write https://" in said


def test_plain_http_to_a_tls_server_that_hangs_up(authority: Any, engine: EngineThread) -> None:
    """As Python's own servers do, uvicorn's among them. A server may hang up for other reasons too."""
    with serving(authority.issue_cert("127.0.0.1")) as server:
        error = ask(engine, f"{server.root.replace('https', 'http')}/v1")
    assert isinstance(error, ModelError)
    assert error.kind == "connection"
    assert "lost" in error.message
    assert "if the server expects TLS, write https://" in error.message


def test_a_server_that_breaks_the_greeting_off(engine: EngineThread) -> None:
    with talking(b"\x15\x03\x03\x00\x02\x02\x28") as port:  # alert: handshake failure
        said = failure(engine, f"https://127.0.0.1:{port}/v1")
    assert "no TLS connection to" in said
    assert "handshake failure" in said
    with talking(b"\x15\x03\x03\x00\x02\x02\x46") as port:  # alert: protocol version
        assert "no longer safe" in failure(engine, f"https://127.0.0.1:{port}/v1")
    with talking(b"\x15\x03\x03\x00\x02\x02\x74") as port:  # alert: certificate required
        assert "SSL_CERTIFICATE" in failure(engine, f"https://127.0.0.1:{port}/v1")


@contextmanager
def talking(answer: bytes) -> Iterator[int]:
    """A socket that reads once and sends these bytes, whatever it read; its port."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                connection.recv(65_536)
                connection.sendall(answer)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65_536):
                    pass

    served = threading.Thread(target=serve, daemon=True)
    served.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        served.join(timeout=5)


# Variables


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSLKEYLOGFILE", "SSL_SECURITY_LEVEL"])
def test_a_variable_that_makes_every_connection_fail_is_named_before_the_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before litellm is imported, which would end with an error of the operating system's."""
    monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr(thread, "_MODULE", "moa_tui.gateway.not_loaded_yet")
    gateway = Gateway({"lab": Endpoint(base_url="http://127.0.0.1:9/v1")}, {})
    with pytest.raises(UsageError, match=f"{name} .*unset it"):
        asyncio.run(gateway.prepare(recipe([{"model": "lab/x"}])))


def test_what_is_wrong_with_a_variable_is_said(tmp_path: Path, authority: Any) -> None:
    empty, good, log = tmp_path / "empty.pem", tmp_path / "good.pem", tmp_path / "keys.log"
    empty.touch()
    authority.cert_pem.write_to_path(good)
    for environ, said in (
        ({"SSL_CERT_FILE": str(empty)}, "holds no certificate in PEM form"),
        ({"SSL_CERT_FILE": str(tmp_path)}, "Is a directory"),
        ({"SSLKEYLOGFILE": str(tmp_path / "no" / "such.log")}, "No such file"),
        ({"SSLKEYLOGFILE": str(tmp_path)}, "Is a directory"),
    ):
        with pytest.raises(UsageError, match=said):
            check_environment(environ)
    check_environment({})
    check_environment({"SSL_CERT_FILE": str(good), "SSLKEYLOGFILE": str(log)})
    check_environment({"SSL_CERT_FILE": str(tmp_path / "none.pem")})  # litellm goes on without
    assert unused_files({"SSL_CERT_FILE": str(good), "REQUESTS_CA_BUNDLE": str(good)}) == []
    assert len(unused_files({"SSL_CERT_DIR": "/nowhere/at/all", "CURL_CA_BUNDLE": str(good)})) == 2
