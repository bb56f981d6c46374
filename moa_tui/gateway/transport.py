"""What every request to a model goes through: it goes to the call's own server, and the reply is bounded.

litellm chooses where a request goes by the provider, but also by words in a model's name. Here a request for
any other server than its call is for is refused before anything of it is sent.

What litellm and the clients below it do with a reply takes time and memory that grow with it, in places with
its square or cube, and some of it holds the interpreter, so that no other thread can do anything. None of
them has a bound. Here each reply is cut to what a reply can need before any of them sees it. An HTTP error is
read and understood here (`gateway.error_reply`); litellm is handed its status and nothing of its text.
"""

from __future__ import annotations

import asyncio
import codecs
import time
import zlib
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, cast

import httpx

from moa_tui.errors import ModelError
from moa_tui.gateway.error_reply import error_reply
from moa_tui.gateway.pending_request import is_answer

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Awaitable,
        Callable,
        Iterable,
        Iterator,
        Mapping,
    )

    from moa_tui.gateway.pending_request import PendingRequest

# Bytes of an error's body that are read, after decompression; the rest is dropped.
ERROR_BYTES = 16_384
# Bytes of one event or line of a stream. A token takes some hundred, a whole tool call the most. What litellm
# does with an event that it cannot read takes 0.1 s for each half million bytes.
EVENT_BYTES = 262_144
# Lines of one event. The OpenAI SDK joins them one by one, which takes the square of their number.
EVENT_LINES = 1_000
# Bytes of one stream, after decompression: those that stand around the text, and those of each token, with
# the probabilities of twenty others. Where the number of tokens is not bounded, the stream still is.
STREAM_BYTES = 64_000_000
_STREAM_BASE_BYTES = 4_000_000
_TOKEN_BYTES = 4_000
HEADER_BYTES = 65_536

# Bytes that are handed on at once: what a client does with them is done before anything else may run.
_PIECE_BYTES = 4_096
_PIECE_LINES = 64
_LONGEST_TURN_SECONDS = 0.01
# An error's body that comes more slowly than this is used as far as it came.
_ERROR_BODY_SECONDS = 5.0
_MOST_REDIRECTS = 5
_REDIRECTS = {301, 302, 303, 307, 308}
# What litellm takes from the environment and sends to any server that speaks OpenAI's protocol.
_ACCOUNT_HEADERS = ("OpenAI-Organization", "OpenAI-Project")
_KNOWN_CODINGS = {"gzip", "x-gzip", "deflate"}


class Exchange:
    """One call: where its requests may go, how much its stream may hold, the redirects it followed, and the
    body and the failure of its newest request.

    The body is None where there is no good reply, the failure where the request went well. They are kept here
    because not all of the code between the transport and the caller hands them on as they were.
    """

    def __init__(
        self,
        addresses: Iterable[str] | None,
        max_tokens: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`addresses` are on the servers that the call may reach; None where only litellm knows them.

        `headers` are sent with each request.
        """
        self.headers = dict(headers or {})
        self.failure: ModelError | None = None
        self.body: BoundedStream | None = None
        self.lost: Exception | None = None
        """What broke a request of the call: litellm would send it once more by itself."""
        self.pending: PendingRequest | None = None
        """The request that is told when it is sent and answered; None where nobody waits for that."""
        self._origins = None if addresses is None else _origins(addresses)
        self.redirects = 0
        self.stream_bytes = STREAM_BYTES
        if max_tokens is not None:
            self.stream_bytes = min(STREAM_BYTES, _STREAM_BASE_BYTES + _TOKEN_BYTES * max(0, max_tokens))

    def fail(self, failure: ModelError) -> ModelError:
        """Keep the failure and return it, to be raised."""
        self.failure = failure
        return failure

    def admit(self, url: httpx.URL) -> None:
        """Raise ModelError where the call is not for the server of `url`."""
        if self._origins is None or _place(url) in self._origins:
            return
        expected = " or ".join(sorted(self._origins)) or "an address that is none"
        raise self.fail(
            ModelError(
                "forbidden",
                f"nothing was sent: this call is for {expected}, and would have gone to {_place(url)}",
            )
        )

    def follow(self, url: httpx.URL) -> None:
        """Let the call go on at the address of a redirect on its own server, which may have become https."""
        if self._origins is not None:
            self._origins |= {_place(url)}


# The call that the running task or thread makes.
current_exchange: ContextVar[Exchange | None] = ContextVar("current_exchange", default=None)


def admitted(url: httpx.URL) -> Exchange:
    """The call that a request belongs to. Raises ModelError where it belongs to none, or goes elsewhere."""
    exchange = current_exchange.get()
    if exchange is None:
        raise ModelError("forbidden", f"nothing was sent to {_place(url)}: no call asked for that")
    exchange.admit(url)
    return exchange


async def send_bounded(
    request: httpx.Request, send: Callable[[httpx.Request], Awaitable[httpx.Response]]
) -> httpx.Response:
    """The response that `send` gets: with a bounded body, or with the status of an error and no text.

    Raises ModelError, before it sends anything where the request is not for the server of its call, and
    whatever `send` raises.
    """
    exchange = admitted(request.url)
    if exchange.lost is not None:
        # The engine repeats a call, and counts and shows its attempts.
        raise exchange.lost
    exchange.failure = exchange.body = None
    pending = exchange.pending if exchange.pending and exchange.pending.is_on_this_loop else None
    if pending is not None:
        pending.sending()
    for name in _ACCOUNT_HEADERS:
        request.headers.pop(name, None)
    request.headers.update(exchange.headers)
    request.headers["Accept-Encoding"] = "gzip, deflate"
    try:
        response = await send(request)
    except Exception as error:
        exchange.lost = error
        raise
    try:
        bounded = await _bounded(request, response, exchange)
    except BaseException:
        await response.aclose()
        raise
    if pending is not None and bounded.status_code < 300 and is_answer(request, bounded):
        await pending.hand_over()  # From here on, whoever makes the call closes its body.
    return bounded


async def _bounded(request: httpx.Request, response: httpx.Response, exchange: Exchange) -> httpx.Response:
    """The response as litellm may see it. Raises ModelError."""
    status = response.status_code
    if sum(len(name) + len(value) for name, value in response.headers.raw) > HEADER_BYTES:
        raise exchange.fail(
            ModelError("malformed", f"the server at {_place(request.url)} sent too many headers")
        )
    if status in _REDIRECTS:
        target = _redirect_target(request, response, exchange)
        await response.aclose()
        return httpx.Response(status, headers={"Location": target}, request=request)
    try:
        decode = _decoder(response.headers.get("Content-Encoding", ""))
    except ValueError as error:
        raise exchange.fail(ModelError("malformed", str(error), status if status >= 300 else None)) from None
    if status >= 300:
        body, was_cut = await _error_body(response, decode)
        await response.aclose()
        exchange.fail(error_reply(status, response.headers, body, was_cut=was_cut))
        return httpx.Response(status, json={"error": {"message": f"HTTP status {status}"}}, request=request)
    headers = [
        (name, value)
        for name, value in response.headers.raw
        if name.lower() not in (b"content-encoding", b"content-length")
    ]
    stream = exchange.body = BoundedStream(
        cast("httpx.AsyncByteStream", response.stream), decode, _framing(request, response), exchange
    )
    return httpx.Response(
        status, headers=headers, stream=stream, request=request, extensions=response.extensions
    )


def _redirect_target(request: httpx.Request, response: httpx.Response, exchange: Exchange) -> str:
    """The address that a redirect names, on the server that was asked. Raises ModelError for any other."""
    status = response.status_code
    location = response.headers.get("Location", "")
    try:
        target = request.url.join(location)
    except (httpx.InvalidURL, ValueError):
        target = httpx.URL()
    upgraded = (request.url.scheme, target.scheme) == ("http", "https")
    is_same_host = target.host == request.url.host and (
        (target.scheme, _port(target)) == (request.url.scheme, _port(request.url))
        or (upgraded and (_port(request.url), _port(target)) == (80, 443))
    )
    exchange.redirects += 1
    if exchange.redirects > _MOST_REDIRECTS:
        message = f"the server at {_place(request.url)} redirects again and again; is the address right?"
        raise exchange.fail(ModelError("bad_request", message, status))
    if location and is_same_host:
        exchange.follow(target)
        return str(target)
    there = _place(target) if target.host else "an address that is none"
    raise exchange.fail(
        ModelError(
            "bad_request",
            f"the server at {_place(request.url)} redirects to {there}, and prompts are not sent to another "
            "server; if that is the right one, write its address as api_base or base_url",
            status,
        )
    )


async def _error_body(
    response: httpx.Response, decode: Callable[[bytes], Iterable[bytes]]
) -> tuple[bytes, bool]:
    """The body of an error as far as it is read, and true where it goes on after that."""
    body = bytearray()
    # What was sent is worth showing, even where the rest is late, torn or not compressed as it says.
    with suppress(TimeoutError, httpx.HTTPError, ValueError):
        async with asyncio.timeout(_ERROR_BODY_SECONDS):
            async for raw in cast("httpx.AsyncByteStream", response.stream):
                for piece in decode(raw):
                    body += piece
                    if len(body) > ERROR_BYTES:
                        return bytes(body[:ERROR_BYTES]), True
    return bytes(body), False


def _decoder(coding: str) -> Callable[[bytes], Iterable[bytes]]:
    """A function from a piece of a body to its decompressed pieces, none longer than _PIECE_BYTES.

    The function raises ValueError for what is not compressed so. Raises ValueError for an unknown coding.
    """
    coding = coding.strip().lower()
    if coding in ("", "identity"):
        return _slices
    if coding not in _KNOWN_CODINGS:
        raise ValueError(
            f"the server compressed its reply in a way that it was not asked for: {coding[:40]!r}"
        )
    # Some servers send "deflate" without zlib's header; its first byte tells.
    inflate = None if coding == "deflate" else zlib.decompressobj(zlib.MAX_WBITS | 16)

    def decode(raw: bytes) -> Iterator[bytes]:
        nonlocal inflate
        if inflate is None and raw:
            inflate = zlib.decompressobj(zlib.MAX_WBITS if raw[0] & 0x0F == 8 else -zlib.MAX_WBITS)
        while inflate is not None and raw:
            try:
                piece = inflate.decompress(raw, _PIECE_BYTES)
            except zlib.error as error:
                raise ValueError(f"the server's reply is not compressed as it says: {error}") from None
            raw = inflate.unconsumed_tail
            if piece:
                yield piece

    return decode


def _slices(raw: bytes, size: int = _PIECE_BYTES) -> Iterable[bytes]:
    """`raw` in pieces of at most `size` bytes."""
    if len(raw) <= size:
        return (raw,)
    return [raw[start : start + size] for start in range(0, len(raw), size)]


def _short_turn(piece: bytes) -> Iterable[bytes]:
    """The piece, in shorter ones where it has many lines: a client may take 60 µs for an empty line."""
    return (piece,) if piece.count(b"\n") <= _PIECE_LINES else _slices(piece, _PIECE_LINES)


def _framing(request: httpx.Request, response: httpx.Response) -> tuple[bytes, ...]:
    """What ends an event of this stream, for the client that reads it; nothing where it has no such end."""
    content_type = response.headers.get("Content-Type", "")
    # The OpenAI SDK looks for empty lines in whatever it gets.
    if "event-stream" in content_type or "x-stainless-lang" in request.headers:
        return (b"\n\n", b"\r\n\r\n", b"\r\r")
    return (b"\n",)


class BoundedStream(httpx.AsyncByteStream):
    """A reply's body, decompressed, within the bounds of the stream and of one event.

    It is read once; a second reader goes on where the first stopped. Reading raises ModelError past a bound,
    and what the inner stream raises.
    """

    def __init__(
        self,
        inner: httpx.AsyncByteStream,
        decode: Callable[[bytes], Iterable[bytes]],
        ends: tuple[bytes, ...],
        exchange: Exchange,
    ) -> None:
        self._inner = inner
        self._decode = decode
        self._ends = ends
        self._exchange = exchange
        self._total = 0
        # Of the event that has not ended yet.
        self._bytes = self._lines = 0
        self._tail = b""
        self._put_back: list[bytes] = []
        self._source = self._bounded_pieces()
        self.was_read = False

    def put_back(self, pieces: Iterable[bytes]) -> None:
        """Have the next reader begin with these pieces."""
        self._put_back = [*pieces, *self._put_back]

    def __aiter__(self) -> AsyncIterator[bytes]:
        self.was_read = True
        return self

    async def __anext__(self) -> bytes:
        return self._put_back.pop(0) if self._put_back else await anext(self._source)

    async def _bounded_pieces(self) -> AsyncGenerator[bytes, None]:
        turn_began = left = time.monotonic()
        async for raw in self._inner:
            came = time.monotonic()
            if came - left > 0.001:
                turn_began = came  # The loop has been given back while this piece was waited for.
            try:
                for decoded in self._decode(raw):
                    text = decoded if self._total else decoded.removeprefix(codecs.BOM_UTF8)
                    for piece in _short_turn(text):
                        self._check(piece)
                        yield piece
                        left = time.monotonic()
                        if left - turn_began > _LONGEST_TURN_SECONDS:
                            # A fast server would keep the loop for itself, and no limit could end its reply.
                            await asyncio.sleep(0)
                            turn_began = left = time.monotonic()
            except ValueError as error:
                raise self._exchange.fail(ModelError("malformed", str(error))) from None

    async def aclose(self) -> None:
        await self._source.aclose()
        await self._inner.aclose()

    def _check(self, piece: bytes) -> None:
        """Count a piece. Raises ModelError where the stream or its event is too long."""
        self._total += len(piece)
        if self._total > self._exchange.stream_bytes:
            raise self._exchange.fail(
                ModelError("too_long", f"the server sent more than {self._exchange.stream_bytes:,} bytes")
            )
        window = self._tail + piece
        self._tail = window[-3:]
        end = max(window.rfind(mark) for mark in self._ends)
        if end >= 0:
            self._bytes = self._lines = 0
            if len(window) - end <= 4:
                return
            piece = window[end:]
        self._bytes += len(piece)
        self._lines += piece.count(b"\n")
        if self._bytes > EVENT_BYTES or self._lines > EVENT_LINES:
            raise self._exchange.fail(
                ModelError(
                    "malformed",
                    f"the server sent one piece of its reply in more than {EVENT_BYTES:,} bytes, or in more "
                    f"than {EVENT_LINES:,} lines",
                )
            )


def _port(url: httpx.URL) -> int | None:
    return url.port or {"http": 80, "https": 443}.get(url.scheme)


def _origins(addresses: Iterable[str]) -> frozenset[str]:
    """The servers of addresses; what is no address has none."""
    origins = set()
    for address in addresses:
        with suppress(httpx.InvalidURL, ValueError):
            origins.add(_place(httpx.URL(address)))
    return frozenset(origins)


def _place(url: httpx.URL) -> str:
    """The server of a URL, without what else stands in it: a path, a query or a user name may hold a key."""
    return f"{url.scheme}://{url.netloc.decode('ascii', 'replace')}"[:200]
