"""The bounds of the transport, one by one; what a server can do to them over HTTP is in tests/hostile."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from itertools import pairwise
from typing import TYPE_CHECKING

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moa_tui.errors import ModelError
from moa_tui.gateway.destinations import means_this_machine
from moa_tui.gateway.thread import load_litellm_stream
from moa_tui.gateway.transport import (
    EVENT_BYTES,
    EVENT_LINES,
    STREAM_BYTES,
    Exchange,
    current_exchange,
    send_bounded,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence


class Body(httpx.AsyncByteStream):
    """A body in these pieces."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self.pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece


async def read(pieces: Sequence[bytes], *, sdk: bool = False, **headers: str) -> bytes:
    """What a client gets of a reply in these pieces. Raises ModelError."""
    request = httpx.Request(
        "POST", "http://models.example", headers={"x-stainless-lang": "python"} if sdk else {}
    )

    async def send(_: httpx.Request) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.Response(200, headers=named, stream=Body(pieces))

    current_exchange.set(Exchange(["http://models.example"]))
    response = await send_bounded(request, send)
    return b"".join([piece async for piece in response.aiter_raw()])


def cut(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = [0, *sorted(place % (len(data) + 1) for place in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(places)]


@given(data=st.binary(max_size=6_000), cuts=st.lists(st.integers(0, 10_000), max_size=8))
@pytest.mark.parametrize("coding", ["identity", "gzip", "deflate", "raw deflate"])
def test_a_body_comes_through_as_it_was_sent(coding: str, data: bytes, cuts: list[int]) -> None:
    packed = {
        "identity": data,
        "gzip": gzip.compress(data),
        "deflate": zlib.compress(data),
        "raw deflate": zlib.compress(data)[2:-4],
    }[coding]
    header = coding.removeprefix("raw ")
    assert asyncio.run(read(cut(packed, cuts), content_encoding=header)) == data


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
@pytest.mark.parametrize("step", [37, 999, 100_000])
async def test_events_that_end_may_be_many(end: bytes, step: int) -> None:
    data = (b"data: " + b"x" * 994 + end) * 300
    pieces = [data[start : start + step] for start in range(0, len(data), step)]
    assert len(await read(pieces, content_type="text/event-stream")) == len(data) > EVENT_BYTES


async def test_lines_of_another_protocol_need_no_empty_line_between_them() -> None:
    data = (b'{"message":"' + b"x" * 500 + b'"}\n') * 2_000
    assert await read([data], content_type="application/x-ndjson") == data


@pytest.mark.parametrize(
    ("data", "content_type", "sdk"),
    [
        (b"data: " + b"x" * EVENT_BYTES, "text/event-stream", False),
        (b"data: x\n" * (EVENT_LINES + 1), "text/event-stream", False),
        # The OpenAI SDK reads what it gets as events, whatever type it says it has.
        (b"data: x\n" * (EVENT_LINES + 1), "application/x-ndjson", True),
        (b"data: x\n\r\n" * EVENT_LINES, "text/event-stream", True),
        (b'{"a":' + b"1" * EVENT_BYTES, "application/json", False),
        (b"x" * (EVENT_BYTES + 1), "", False),
    ],
)
async def test_an_event_without_an_end_is_refused(data: bytes, content_type: str, sdk: bool) -> None:
    with pytest.raises(ModelError, match="one piece of its reply"):
        await read([data], sdk=sdk, content_type=content_type)


async def test_a_stream_is_refused_past_its_bytes() -> None:
    pieces = [b"x" * 60_000 + b"\n"] * (STREAM_BYTES // 60_000 + 1)
    with pytest.raises(ModelError, match="64,000,000 bytes"):
        await read(pieces)


async def test_a_full_stream_lets_others_run() -> None:
    """A server that always has more to send does not keep the loop for itself."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await read([b"x" * 16_000 + b"\n"] * 2_000)
    counting.cancel()
    assert turns > 1


@pytest.mark.parametrize(
    ("tokens", "size"),
    [(None, STREAM_BYTES), (0, 4_000_000), (1_000, 8_000_000), (10**9, STREAM_BYTES), (-5, 4_000_000)],
)
def test_the_size_of_a_stream_follows_from_its_tokens(tokens: int | None, size: int) -> None:
    assert Exchange(None, tokens).stream_bytes == size


@pytest.mark.parametrize(
    ("host", "answer"),
    [
        ("127.0.0.1", True),
        ("127.255.0.3", True),
        ("localhost", True),
        ("LocalHost.", True),
        ("models.localhost", True),
        ("::1", True),
        ("[::1]", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0", True),
        ("::", True),
        ("127.1", True),
        ("0x7f.1", True),
        ("2130706433", True),
        ("017700000001", True),
        ("10.0.0.1", False),
        ("192.168.1.7", False),
        ("localhost.example.org", False),
        ("127.0.0.1.example.org", False),
        ("notlocalhost", False),
        ("api.openai.com", False),
        ("", False),
        ("\u2460", False),
    ],
)
def test_loopback(host: str, answer: bool) -> None:
    assert means_this_machine(host) is answer


def test_litellm_looks_for_no_secrets_and_makes_no_other_transport(monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = load_litellm_stream()
    text = "-----BEGIN PRIVATE KEY-----" * 10_000
    assert adapter.secret_redaction.redact_string(text) == text
    assert adapter.secret_redaction.redact_internal_details(text) == text
    monkeypatch.setenv("DISABLE_AIOHTTP_TRANSPORT", "True")
    monkeypatch.setenv("LITELLM_HTTP2", "True")
    made = adapter.AsyncHTTPHandler.create_async_transport()
    shared = adapter.litellm.aclient_session._transport
    assert isinstance(made, adapter._Transport)
    assert isinstance(shared, adapter._Transport)
