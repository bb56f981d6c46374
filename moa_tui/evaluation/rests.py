"""How a bulk run goes on where an endpoint rests: the next prompt waits, and no answer lacks its models.

A chat leaves out the calls to an endpoint that rests. Answers without them would be no evidence of what a
recipe does, and who reads a thousand of them would not see which these are.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moa_tui.engine.health import Health, rest_reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.plan import ModelFacts
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import Reply

LONGEST_REST = 300.0
"""The longest rest of an endpoint, in seconds, that is waited for; it is the fourth without an answer."""
_LOOK_AGAIN_SECONDS = 0.25


class AskedInAnyCase(Health):
    """Counts failures as `health` does, and lets no call be left out while an endpoint rests."""

    def __init__(self, health: Health) -> None:
        self._health = health

    def record(self, endpoint: str, reply: Reply) -> None:
        self._health.record(endpoint, reply)

    def rest_seconds(self, endpoint: str) -> float:
        return 0.0


@dataclass(frozen=True, slots=True)
class Rest:
    """An endpoint that is not to be asked for so many seconds."""

    endpoint: str
    seconds: float

    @property
    def is_too_long(self) -> bool:
        """True where the endpoint has failed for so long that somebody should look at it."""
        return self.seconds > LONGEST_REST

    @property
    def words(self) -> str:
        """Why nothing is begun, in words for a user."""
        return rest_reason(self.endpoint, self.seconds)

    async def wait(self) -> None:
        """Wait for the end of the rest, or for a moment of it."""
        await asyncio.sleep(min(self.seconds, _LOOK_AGAIN_SECONDS))


def longest_rest(recipe: Recipe, facts: Callable[[Agent], ModelFacts], health: Health) -> Rest | None:
    """Of the endpoints that the recipe asks, the one that rests for the longest; None where none does."""
    endpoints = {facts(agent).endpoint for agent in recipe.every_agent()}
    rests = [Rest(endpoint, health.rest_seconds(endpoint)) for endpoint in sorted(endpoints)]
    longest = max(rests, key=lambda rest: rest.seconds, default=None)
    return longest if longest is not None and longest.seconds else None
