"""A server that sends exactly the bytes that a test writes down, whatever HTTP says about them."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable

    Script = Callable[["Asked"], AsyncIterator[bytes]]


class Asked:
    """A request: its first line, its head in lower case, and its JSON, empty where it has none."""

    def __init__(self, head: str, body: bytes) -> None:
        self.line = head.partition("\r\n")[0]
        self.head = head.lower()
        self.json: dict[str, Any] = json.loads(body) if body else {}


class RawServer:
    """Answers each connection with what `script` yields, and closes it; a context manager.

    `requests` are those that came, in their order; `closed` counts the connections that the client left
    before the script's end. With `tls` it speaks https.
    """

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        self._script = script
        self._tls = tls
        self._started: Future[int] = Future()
        self.requests: list[Asked] = []
        self.closed = 0

    @property
    def root(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        self.port = self._started.result(timeout=10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(timeout=5)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0, limit=2**20, ssl=self._tls)
        self._started.set_result(server.sockets[0].getsockname()[1])
        await self._stop.wait()
        server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = head.lower().partition("content-length:")[2].split()[:1]
            asked = Asked(head, await reader.readexactly(int(length[0])) if length else b"")
            self.requests.append(asked)
            async for block in self._script(asked):
                writer.write(block)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            self.closed += 1
        finally:
            with suppress(ConnectionError):
                writer.close()


def head(status: str = "200 OK", kind: str = "text/event-stream", *more: str) -> bytes:
    """The head of a response whose body ends with its connection."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", "Connection: close", *more]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def chunk(text: str, **more: object) -> bytes:
    """An event of OpenAI's protocol with this text."""
    return (
        b"data: "
        + json.dumps({"id": "x", "choices": [{"index": 0, "delta": {"content": text}}], **more}).encode()
        + b"\n\n"
    )


def ending() -> bytes:
    """The last events of a good stream."""
    last = {"id": "x", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    return b"data: " + json.dumps(last).encode() + b"\n\ndata: [DONE]\n\n"


def sending(*blocks: bytes) -> Script:
    """A script of these bytes."""

    async def script(_: Asked) -> AsyncIterator[bytes]:
        for block in blocks:
            yield block

    return script


def endless(first: bytes, again: bytes, seconds: float = 0.0) -> Script:
    """A script of `first`, then of `again` without an end, with a pause of so many seconds before each."""

    async def script(_: Asked) -> AsyncIterator[bytes]:
        yield first
        while True:
            yield again
            await asyncio.sleep(seconds)

    return script
