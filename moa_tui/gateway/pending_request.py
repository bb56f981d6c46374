"""A request that litellm writes and sends, and that it waits behind while the reply is read here.

Once litellm has a reply it counts tokens and works out costs for callbacks that do not exist, about 1.5 ms of
the loop for each call, and as much again at the reply's end. So it is not given the reply: it waits in the
transport until the reader here knows whether litellm is needed. Mostly it is not, and its task is cancelled.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

# litellm writes a request in 2 ms. Where it signs in to a provider before, nobody waits longer for that.
_LONGEST_TURN_SECONDS = 0.05
# One is written on a thread while another is on its way through the loop.
_WRITTEN_AT_ONCE = 2
_STREAM_TYPES = ("event-stream", "eventstream", "ndjson", "stream+json")
_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


class PendingRequest:
    """litellm's part of one call, in a task of its own. Used on one loop.

    Where many calls begin together, requests are written two at a time. All at once, on a thread each, the
    first of them would be sent when the last is written, and the loop would have no turn until then.
    """

    def __init__(self, call: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        """`call` is litellm's; its transport is to call `sending`, and `hand_over` with a streamed reply."""
        self._loop = asyncio.get_running_loop()
        self._arrived: asyncio.Future[None] = self._loop.create_future()
        self._needed: asyncio.Future[None] = self._loop.create_future()
        self._turn = _turns.setdefault(self._loop, asyncio.Semaphore(_WRITTEN_AT_ONCE))
        self._has_turn = False
        self._task = self._loop.create_task(self._make(call))

    async def _make(self, call: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        with suppress(TimeoutError):
            async with asyncio.timeout(_LONGEST_TURN_SECONDS):
                self._has_turn = await self._turn.acquire()
        try:
            return await call()
        finally:
            self.sending()

    def sending(self) -> None:
        """Let the next request be written, for this one is."""
        if self._has_turn:
            self._has_turn = False
            self._turn.release()

    async def hand_over(self) -> None:
        """Wait until litellm is to read the reply that has come; where it is not, the task is cancelled."""
        if not self._arrived.done():
            self._arrived.set_result(None)
        await self._needed

    async def reply(self) -> None:
        """Wait until a streamed reply has come, or litellm is done. Raises what litellm raises."""
        await asyncio.wait((self._task, self._arrived), return_when=asyncio.FIRST_COMPLETED)
        if not self._arrived.done():
            self._task.result()

    async def response(self) -> Any:
        """What litellm returns, once it is given the reply. Raises what litellm raises."""
        if not self._needed.done():
            self._needed.set_result(None)
        return await self._task

    async def aclose(self) -> None:
        """Close what litellm has returned, or end its task and with it what it has open."""
        if not self._task.done():
            self._task.cancel()
            await asyncio.wait((self._task,))
        # Reading the exception also keeps asyncio from reporting one that nobody has awaited.
        if not self._task.cancelled() and self._task.exception() is None:
            await self._task.result().aclose()

    @property
    def is_on_this_loop(self) -> bool:
        """False for a request that litellm makes on a loop of its own."""
        return asyncio.get_running_loop() is self._loop


def is_answer(request: httpx.Request, response: httpx.Response) -> bool:
    """True for a reply that is streamed, or was asked for as a stream; what litellm signs in with is not."""
    content_type = response.headers.get("Content-Type", "")
    if any(name in content_type for name in _STREAM_TYPES):
        return True
    with suppress(httpx.RequestNotRead):
        return b'"stream"' in request.content
    return False
