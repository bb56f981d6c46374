"""The places for the calls of a bulk run."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from moa_tui.engine.limits import Endpoints

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Hashable


class BulkEndpoints(Endpoints):
    """The places at each endpoint, no more than `most` at once."""

    def __init__(self, most: int | None = None) -> None:
        super().__init__()
        self._most = most or 20
        self._wanted = 0
        self._asked = 0
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def place(self, endpoint: str, most: int | None, run: Hashable) -> AsyncIterator[None]:
        """A place for a call of `run` for the length of the block."""
        self._wanted += 1
        self._asked += 1
        self._changed.set()
        try:
            async with super().place(endpoint, min(most or self._most, self._most), run):
                yield
        finally:
            self._wanted -= 1
            self._changed.set()

    async def room(self) -> None:
        """Return once the calls of one more run would be given places."""
        while self._wanted >= self._most:
            self._changed.clear()
            await self._changed.wait()

    async def asked(self, task: asyncio.Task[None]) -> None:
        """Return once somebody has asked for a place, or `task` is over."""
        before = self._asked
        task.add_done_callback(lambda _: self._changed.set())
        while self._asked == before and not task.done():
            self._changed.clear()
            await self._changed.wait()

    def wake(self) -> None:
        """Nothing waits for long."""
