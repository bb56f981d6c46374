"""How a bulk run goes on where an endpoint rests: its calls wait, and no answer lacks its models.

A chat leaves out the calls to an endpoint that rests. Answers without them would be no evidence of what a
recipe does, and who reads a thousand of them would not see which these are.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from moa_tui.engine.health import Health, rest_reason
from moa_tui.engine.limits import Endpoints

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Hashable

    from moa_tui.engine.limits import Place
    from moa_tui.engine.values import Reply

LONGEST_REST = 300.0
"""The longest rest of an endpoint, in seconds, that is waited for; the fourth without an answer is longer."""


class AskedInAnyCase(Health):
    """Counts failures as `health` does, and lets no call be left out while an endpoint rests."""

    def __init__(self, health: Health) -> None:
        self._health = health

    def record(self, endpoint: str, reply: Reply) -> None:
        self._health.record(endpoint, reply)

    def rest_seconds(self, endpoint: str) -> float:
        return 0.0


class PlacesBehindRests(Endpoints):
    """Gives the places of `places`, once their endpoint does not rest."""

    def __init__(self, places: Endpoints, health: Health, on_rest: Callable[[str, float], None]) -> None:
        """`on_rest` is called with why a call waits, in words for a user, and for how many seconds."""
        super().__init__()
        self._places = places
        self._health = health
        self._on_rest = on_rest

    @asynccontextmanager
    async def place(self, endpoint: str, most: int | None, run: Hashable) -> AsyncIterator[Place]:
        """As `Endpoints.place`."""
        while True:
            await self._wait_for_rest(endpoint)
            async with self._places.place(endpoint, most, run) as place:
                # It may have begun to rest while the call waited for its place.
                if not self._health.rest_seconds(endpoint):
                    yield place
                    return

    def has_room(self, endpoint: str, most: int | None) -> bool:
        """As `Endpoints.has_room`."""
        return not self._health.rest_seconds(endpoint) and self._places.has_room(endpoint, most)

    async def _wait_for_rest(self, endpoint: str) -> None:
        while seconds := self._health.rest_seconds(endpoint):
            self._on_rest(rest_reason(endpoint, seconds), seconds)
            await asyncio.sleep(seconds)
