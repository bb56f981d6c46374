"""Reads the body of a reply through a `WireReader`, fairly to whatever else runs on the loop."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import httpx

from moa_tui.engine.values import Chunk
from moa_tui.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from moa_tui.gateway.transport import BoundedStream
    from moa_tui.gateway.wire_reader import WireReader

# Characters of one chunk of text; what is done with a chunk is done before anything else may run.
_LONGEST_CHUNK = 8_192
# How long the body's end is waited for once the reply is over; with it, the connection can be used again.
_LEFTOVER_SECONDS = 0.05


async def read_body(body: BoundedStream, reader: WireReader) -> AsyncGenerator[Chunk, None]:
    """Yield the chunks of a reply until it is over, has failed or has turned out to be foreign.

    What was read of a foreign reply is put back. Raises ModelError, and what the body raises.
    """
    waiting: list[bytes] = []
    try:
        async for piece in body:
            chunks = reader.feed(piece)
            if not reader.is_known:
                waiting.append(piece)
                if reader.is_foreign:
                    break
            for chunk in chunks:
                if len(chunk.text) <= _LONGEST_CHUNK:
                    yield chunk
                    continue
                async for part in in_pieces(chunk.text):
                    yield Chunk(chunk.kind, part)
            if reader.is_over:
                await _leave(body)
                return
        else:
            for chunk in reader.flush():
                async for part in in_pieces(chunk.text):
                    yield Chunk(chunk.kind, part)
    except httpx.HTTPError:
        # Some servers close the connection behind an answer without the end that HTTP has for a body.
        if not reader.reply.has_ended:
            raise
    if reader.is_foreign:
        body.put_back(waiting)


async def _leave(body: BoundedStream) -> None:
    """Read what follows the end of a reply, for a moment; the reply is whole, whatever becomes of that."""
    with suppress(TimeoutError, httpx.HTTPError, ModelError):
        async with asyncio.timeout(_LEFTOVER_SECONDS):
            async for _ in body:
                pass


async def in_pieces(text: str) -> AsyncIterator[str]:
    """A text in pieces; between them, other calls and limits have their turn."""
    if len(text) <= _LONGEST_CHUNK:
        if text:
            yield text
        return
    for start in range(0, len(text), _LONGEST_CHUNK):
        yield text[start : start + _LONGEST_CHUNK]
        await asyncio.sleep(0)
