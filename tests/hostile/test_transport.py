"""Attempts to hold the interpreter, the memory or a limit by what a model's server sends."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
import zlib
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING

import pytest

from moa_tui.engine.agent import Agent
from moa_tui.engine.recipe import Recipe
from moa_tui.engine.run import run
from moa_tui.engine.values import CallId, Finish
from moa_tui.errors import ModelError
from moa_tui.gateway.sanitize import Sanitizer
from moa_tui.gateway.thread import EngineThread, load_litellm_stream
from moa_tui.gateway.transport import ERROR_BYTES, EVENT_BYTES
from tests.helpers import recipe
from tests.hostile.client import Client
from tests.hostile.measure import Victim
from tests.hostile.raw_server import RawServer, chunk, ending, endless, head, sending
from tests.hostile.replies import hostile_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.hostile.raw_server import Asked

# A machine under load makes a beat late as well; what these attempts once came to was seconds and minutes.
LATEST_SECONDS = 1.0
MEMORY_BYTES = 100_000_000


@pytest.fixture(scope="module")
def engine(litellm_is_loaded: None) -> Iterator[EngineThread]:
    with EngineThread() as thread:
        load_litellm_stream()
        yield thread


# ---- what litellm does with a text


@pytest.fixture(scope="module")
def victim(engine: EngineThread) -> Iterator[Victim]:
    with hostile_server() as root:
        victim = Victim(root, engine)
        victim.measure("openai", "text.words.100")
        yield victim


ATTEMPTS = [
    *(f"error.{content}.25000" for content in ("pem", "pem_value", "braces", "service", "login_run", "tags")),
    *(f"error_json.{content}.25000" for content in ("pem", "backslashes", "passwords")),
    "error.pem.100000000.gzip",
    "error.html.100000000",
    "error.zeros.100000000.gzip",
    *(f"{place}.pem.250000" for place in ("event", "text", "midstream", "body")),
    *(
        f"event.{content}.250000"
        for content in ("pairs", "brackets", "objects", "digits", "newlines", "fields")
    ),
    *(f"midstream.{content}.250000" for content in ("letters", "rate", "unicode", "tags")),
    "midstream_raw.braces.250000",
    "stream.spaces.100000000",
    "stream.zeros.100000000.gzip",
    "stream.newlines.1000000",
    "stream.pings.1000000",
    "text.controls.250000",
    "text.spaces.250000",
    "midstream.pem.100000000.gzip",
    "body.pairs.100000000",
]


@pytest.mark.program
@pytest.mark.parametrize("wire", ["openai", "ollama", "anthropic"])
@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_no_reply_holds_the_screen_or_fills_the_memory(attempt: str, wire: str, victim: Victim) -> None:
    outcome = victim.measure(wire, attempt, limit=1.0)
    assert outcome.latest < LATEST_SECONDS
    assert outcome.seconds < 4.0
    assert outcome.memory < MEMORY_BYTES
    if attempt.startswith("error"):
        assert outcome.end.startswith("server: ")


@pytest.mark.program
def test_the_wire_of_old_completions_is_bounded_as_well(victim: Victim) -> None:
    agent = Agent(model="text-completion-openai/error.pem.25000", api_base=victim.root)
    asked = Recipe.model_validate({"name": "x", "layers": [{"agents": [agent.model_dump()]}]})
    victim._gateway.allow_once(asked)
    victim._gateway.check_keys(asked)
    began = time.monotonic()
    assert asyncio.run(victim.read(agent, 10)).startswith("server: '-----BEGIN")
    assert time.monotonic() - began < 5


# ---- what a server does with HTTP


def test_the_rest_of_an_errors_body_is_dropped_and_that_is_said(engine: EngineThread) -> None:
    first = head("503 Down", "text/plain", "Retry-After: 7")
    with RawServer(endless(first, b"overloaded, because " * 1_000)) as server:
        failure = Client(engine, server).failure()
    assert (failure.kind, failure.status_code, failure.retry_after) == ("server", 503, 7.0)
    assert failure.message.startswith("overloaded, because overloaded")
    assert failure.message.endswith(f"[cut: the server sent more than {ERROR_BYTES:,} bytes]")


@pytest.mark.parametrize("opening", ['{"error":', "[", '{"error":[', '{"a":{"message":'])
@pytest.mark.parametrize("status", ["400 Bad", "500 Failed"])
def test_a_deeply_nested_error_fails_one_call_and_not_the_run(
    status: str, opening: str, engine: EngineThread
) -> None:
    async def script(asked: Asked) -> AsyncIterator[bytes]:
        if asked.json["model"] == "bad":
            yield head(status, "application/json") + opening.encode() * 1_200
        else:
            yield head() + chunk("a good answer") + ending()

    with RawServer(script) as server:
        client = Client(engine, server)
        both = recipe([{"model": "lab/bad"}, {"model": "lab/good"}], [{"model": "lab/good"}], retries=0)
        whole = run(both, [{"role": "user", "content": "hi"}], client.gateway.stream, lambda _: None)
        outcome = engine.submit(whole).result(timeout=20)
    assert (outcome.status, outcome.answer) == ("done", "a good answer")
    reply = outcome.replies[CallId(1, 1)]
    assert reply.error is not None
    assert reply.error.status_code == int(status[:3])


@pytest.mark.parametrize("event", [b'data: {"error":' * 1, b"data: ", b'data: {"choices":'])
def test_a_deeply_nested_event_is_the_end_of_its_reply_alone(event: bytes, engine: EngineThread) -> None:
    nested = event + b'{"error":' * 5_000 + b"1" + b"}" * 5_000
    with RawServer(sending(head(), chunk("hello"), nested + b"\n\n", ending())) as server:
        assert Client(engine, server).failure().kind in ("malformed", "server")


@pytest.mark.parametrize("fault", [RecursionError("deep"), MemoryError(), KeyError("x"), UnicodeError("x")])
def test_whatever_reading_a_reply_raises_is_an_error_of_that_reply(
    fault: Exception, engine: EngineThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> str:
        raise fault

    monkeypatch.setattr(Sanitizer, "feed", fail)
    with RawServer(sending(head(), chunk("hello"), ending())) as server:
        failure = Client(engine, server).failure()
    assert failure.kind == "malformed"
    assert type(fault).__name__ in failure.message


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("wire", ["lab", "ollama_chat", "anthropic"])
def test_a_redirect_to_another_server_gets_no_prompt(wire: str, status: int, engine: EngineThread) -> None:
    with RawServer(sending(head(), chunk("stolen"), ending())) as thief:
        away = head(f"{status} Go", "text/html", f"Location: {thief.root}/v1/steal?key=s3cret")
        with RawServer(sending(away, b"x" * 100_000)) as server:
            where = {} if wire == "lab" else {"api_base": server.root}
            failure = Client(engine, server).failure(model=f"{wire}/x", **where)
    assert not thief.requests
    assert (failure.kind, failure.status_code) == ("bad_request", status)
    assert f"redirects to {thief.root}, " in failure.message
    assert "s3cret" not in failure.message


NOWHERE = {
    "none": "",
    "itself": "//",
    "another protocol": "ftp://127.0.0.1/x",
    "torn": "http://[",
    "another port": "https://127.0.0.1/v1",
    "no text": "\x80",
    "long": "http://a" * 500,
    "too long": "http://a" * 5_000,
}


@pytest.mark.parametrize("where", NOWHERE)
def test_a_redirect_to_nowhere_is_an_error(where: str, engine: EngineThread) -> None:
    with RawServer(sending(head("307 Go", "text/html", f"Location: {NOWHERE[where]}"))) as server:
        failure = Client(engine, server).failure()
        assert len(server.requests) < 10
    assert "redirects" in failure.message or where in ("no text", "too long"), failure


def test_a_redirect_on_the_same_server_is_followed(engine: EngineThread) -> None:
    async def script(asked: Asked) -> AsyncIterator[bytes]:
        if "moved" in asked.line:
            yield head() + chunk("here") + ending()
        else:
            yield head("308 Go", "text/html", "Location: /v1/moved")

    with RawServer(script) as server:
        assert Client(engine, server).text() == "here"


def test_a_redirect_in_a_circle_ends(engine: EngineThread) -> None:
    async def script(asked: Asked) -> AsyncIterator[bytes]:
        yield head("307 Go", "text/html", f"Location: {asked.line.split()[1]}")

    with RawServer(script) as server:
        assert "redirects again and again" in Client(engine, server).failure().message
        assert len(server.requests) < 10


HELLO = chunk("hello ") + chunk("world") + ending()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(HELLO)),
        ("x-gzip", gzip.compress(HELLO)),
        ("deflate", zlib.compress(HELLO)),
        ("deflate", zlib.compress(HELLO)[2:-4]),
        ("identity", HELLO),
        ("GZIP ", gzip.compress(HELLO)),
    ],
    ids=["gzip", "x-gzip", "deflate", "bare deflate", "identity", "capitals"],
)
@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_a_compressed_stream_is_read_as_any(
    coding: str, body: bytes, step: int, engine: EngineThread
) -> None:
    pieces = [body[start : start + step] for start in range(0, len(body), step)]
    first = head("200 OK", "text/event-stream", f"Content-Encoding: {coding}")
    with RawServer(sending(first, *pieces)) as server:
        assert Client(engine, server).text() == "hello world"
        assert "accept-encoding: gzip, deflate\r\n" in server.requests[0].head


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "*"])
@pytest.mark.parametrize("status", ["200 OK", "500 Failed"])
def test_a_coding_that_was_not_asked_for_is_refused(coding: str, status: str, engine: EngineThread) -> None:
    first = head(status, "text/event-stream", f"Content-Encoding: {coding}")
    with RawServer(sending(first, b"\x01\x02")) as server:
        failure = Client(engine, server).failure()
    assert failure.kind == "malformed"
    assert coding[:8] in failure.message


def test_a_body_that_is_not_compressed_as_it_says_is_an_error(engine: EngineThread) -> None:
    first = head("200 OK", "text/event-stream", "Content-Encoding: gzip")
    with RawServer(sending(first, HELLO)) as server:
        assert "not compressed as it says" in Client(engine, server).failure().message


@pytest.mark.parametrize("size", [200_000, EVENT_BYTES - 300])
def test_a_long_event_within_the_bound_comes_through_whole(size: int, engine: EngineThread) -> None:
    text = "0123456789" * (size // 10)
    with RawServer(sending(head(), chunk(text), ending())) as server:
        assert Client(engine, server).text() == text


def test_an_event_beyond_the_bound_is_refused(engine: EngineThread) -> None:
    with RawServer(sending(head(), chunk("hello"), chunk("x" * (EVENT_BYTES + 5_000)), ending())) as server:
        failure = Client(engine, server).failure()
    assert failure.kind == "malformed"
    assert f"{EVENT_BYTES:,} bytes" in failure.message


def test_a_stream_is_no_longer_than_its_tokens_can_need_to_be(engine: EngineThread) -> None:
    with RawServer(endless(head(), chunk("x" * 200_000))) as server:
        failure = Client(engine, server).failure(max_tokens=10)
    assert failure.kind == "too_long"
    assert "4,040,000 bytes" in failure.message


def test_usage_in_every_chunk_is_not_gathered(engine: EngineThread) -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 1, "total_tokens": 8}
    kept = []

    async def read() -> None:
        adapter = load_litellm_stream()
        stream = adapter.stream(
            "openai/x",
            [],
            {"stream_options": {"include_usage": True}},
            api_base=server.root,
            api_key="none",
            addresses=None,
            headers={},
        )
        async for piece in stream:
            kept.append(piece)

    chunks = [chunk(f"{number} ", usage={**usage, "completion_tokens": number}) for number in range(1_000)]
    with RawServer(sending(head(), *chunks, ending())) as server:
        began = time.monotonic()
        engine.submit(read()).result(timeout=30)
    assert time.monotonic() - began < 10
    assert isinstance(kept[-1], Finish)
    assert kept[-1].usage is not None
    assert (kept[-1].usage.prompt_tokens, kept[-1].usage.completion_tokens) == (7, 999)


SLOWLY = 0.001
CHUNKED = head("200 OK", "text/event-stream", "Transfer-Encoding: chunked")
ENDLESS = {
    "comments": endless(head(), b": ping\n\n" * 1_000),
    "slow comments": endless(head(), b": ping\n\n", SLOWLY),
    "empty lines": endless(head(), b"\n" * 10_000),
    "one byte at a time": endless(head(), b" ", SLOWLY),
    "an event byte by byte": endless(head() + b"data: ", b"x", SLOWLY),
    "empty events": endless(head(), b"data: {}\n\n" * 1_000),
    "headers": endless(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n" * 1_000),
    "slow headers": endless(b"HTTP/1.1 200 OK\r\n", b"X", SLOWLY),
    "a status line": endless(b"HTTP/1.1 200 ", b"OK" * 10_000),
    "early answers": endless(b"", b"HTTP/1.1 102 Processing\r\n\r\n" * 1_000),
    "early hints": endless(b"", b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n", SLOWLY),
    "trailers": endless(CHUNKED + b"0\r\n", b"X-A: b\r\n" * 1_000),
    "chunk extensions": endless(CHUNKED + b"1", b";a=b" * 1_000),
    "chunk sizes": endless(CHUNKED, b"0" * 10_000),
    "tiny chunks": endless(CHUNKED, b"1\r\n \r\n" * 1_000),
    "an error that drips": endless(head("500 Failed"), b"x", SLOWLY),
    "an error of empty lines": endless(head("500 Failed"), b"\n" * 10_000),
    "a redirect that goes on": endless(head("307 Go", "text/html", "Location: /v1/x"), b"x" * 10_000),
    "gzip of nothing": endless(
        head("200 OK", "text/event-stream", "Content-Encoding: gzip") + gzip.compress(b"")[:10],
        b"\0\0\0\xff\xff" * 1_000,
    ),
}


@pytest.mark.parametrize("what", ENDLESS)
def test_a_stop_and_a_limit_end_what_has_no_end(what: str, engine: EngineThread) -> None:
    """The run is stopped in the middle of it, and its total limit ends it, both in time."""
    with RawServer(ENDLESS[what]) as server:
        client = Client(engine, server)
        stopped = client.start()
        deadline = time.monotonic() + 5
        while not server.requests and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.1)
        began = time.monotonic()
        stopped.cancel()
        with pytest.raises((CancelledError, ModelError)):
            stopped.result(timeout=5)
        free = engine.submit(asyncio.sleep(0))
        free.result(timeout=5)
        assert time.monotonic() - began < 1.5, "the engine's loop answers at once"

        limited = recipe([{"model": "lab/x"}], total_seconds=0.3, first_token_seconds=0.2, retries=0)
        whole = run(limited, [{"role": "user", "content": "hi"}], client.gateway.stream, lambda _: None)
        began = time.monotonic()
        outcome = engine.submit(whole).result(timeout=20)
        assert time.monotonic() - began < 2.5
        assert outcome.status == "failed"


def test_many_headers_are_refused(engine: EngineThread) -> None:
    many = [f"X-{number}: {'v' * 4_000}" for number in range(100)]
    with RawServer(sending(head("200 OK", "text/event-stream", *many), HELLO)) as server:
        assert "headers" in Client(engine, server).failure().message


def test_a_provider_that_goes_by_another_way_is_refused(engine: EngineThread) -> None:
    with RawServer(sending(head(), HELLO)) as server:
        failure = Client(engine, server).failure(model="aiohttp_openai/x", api_base=server.root)
        assert not server.requests
    assert "aiohttp_openai/x" in failure.message


# ---- what was sent and not understood


@pytest.mark.parametrize("content", [5, ["hi"], {"text": "hi"}, True, 1e308])
def test_an_answer_that_is_no_text_is_said_to_be_none(engine: EngineThread, content: object) -> None:
    event = {"id": "x", "choices": [{"index": 0, "delta": {"content": content}}]}
    with RawServer(sending(head(), b"data: " + json.dumps(event).encode() + b"\n\n", ending())) as server:
        failure = Client(engine, server).failure()
    assert failure.kind == "malformed"
    assert "in a form that is no text" in failure.message


def test_a_mark_of_the_byte_order_before_a_stream_is_passed_over(engine: EngineThread) -> None:
    with RawServer(sending(head(), b"\xef\xbb\xbf" + chunk("hi"), ending())) as server:
        assert Client(engine, server).text() == "hi"


def test_a_model_may_say_the_same_again_and_again(engine: EngineThread) -> None:
    with RawServer(sending(head(), *[chunk("no way ")] * 300, ending())) as server:
        assert Client(engine, server).text() == "no way " * 300


@pytest.mark.parametrize("answer", [b"SSH-2.0-OpenSSH_9\r\n", b"HTTP/1.1 200 OK\r\nBad Header\r\n\r\n"])
def test_what_speaks_no_http_is_told_by_its_address(answer: bytes, engine: EngineThread) -> None:
    with RawServer(sending(answer)) as server:
        failure = Client(engine, server).failure()
        assert (failure.kind, failure.status_code) == ("malformed", None)
        assert f"{server.root}/v1 does not speak HTTP" in failure.message
