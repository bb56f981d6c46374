"""A request that litellm writes and sends, and that it waits behind while the reply is read here.

Once litellm has a reply it counts tokens and works out costs for callbacks that do not exist, about 1.5 ms of
the loop for each call, and as much again at the reply's end. So it is not given the reply: it waits in the
transport until the reader here knows whether litellm is needed. Mostly it is not, and its task is cancelled.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine


class PendingRequest:
    """litellm's part of one call, in a task of its own. Used on one loop, but for `hand_over`."""

    def __init__(self, call: Coroutine[Any, Any, Any]) -> None:
        """`call` is litellm's; its transport is to await `hand_over` with each streamed reply."""
        self._loop = asyncio.get_running_loop()
        self._arrived: asyncio.Future[None] = self._loop.create_future()
        self._needed: asyncio.Future[None] = self._loop.create_future()
        self._task = self._loop.create_task(call)

    async def hand_over(self) -> None:
        """Wait until litellm is to read the reply that has come; where it is not, the task is cancelled.

        Called by the transport. A request that litellm makes on another loop is not waited for.
        """
        if asyncio.get_running_loop() is not self._loop or self._needed.done():
            return
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
