"""Servers that refuse, simulated in virtual time, and calls that are made to one of them.

Each kind of limit is one that services describe: Anthropic fills a bucket, Gemini and Groq count by the
minute, Zhipu ("High concurrency usage") and text-generation-inference allow a number of calls at once. OpenAI
counts refused requests, too.
"""

from __future__ import annotations

import asyncio
import itertools
import math
from collections import deque
from typing import TYPE_CHECKING, Literal, Protocol

from moa_tui.errors import ModelError
from moa_tui.evaluation.pacing import BulkEndpoints, EndpointState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moa_tui.evaluation.pacing import RunPlaces

REFUSAL_SECONDS = 0.05
Hint = Literal["none", "seconds", "date"]


class Limit(Protocol):
    """What a server admits. `rate` is in requests a second."""

    rate: float

    def refusal(self, now: float) -> float | None:
        """The seconds until a request would be admitted; None where this one is."""

    def end(self) -> None:
        """Note that an admitted request has been answered."""


class Bucket:
    def __init__(self, rate: float, burst: float, *, counts_refused: bool = False) -> None:
        self.rate, self.burst, self.counts_refused = rate, burst, counts_refused
        self.tokens, self.filled = burst, 0.0

    def refusal(self, now: float) -> float | None:
        self.tokens = min(self.burst, self.tokens + (now - self.filled) * self.rate)
        self.filled = now
        is_admitted = self.tokens >= 1 - 1e-6
        if is_admitted or self.counts_refused:
            self.tokens -= 1
        return None if is_admitted else (1 - self.tokens) / self.rate

    def end(self) -> None:
        pass


class SlidingWindow:
    def __init__(self, rate: float, seconds: float, *, counts_refused: bool = False) -> None:
        self.rate, self.seconds, self.counts_refused = rate, seconds, counts_refused
        self.counted: deque[float] = deque()

    def refusal(self, now: float) -> float | None:
        while self.counted and self.counted[0] <= now - self.seconds + 1e-6:
            self.counted.popleft()
        most = round(self.rate * self.seconds)
        is_admitted = len(self.counted) < most
        if is_admitted or self.counts_refused:
            self.counted.append(now)
        return None if is_admitted else self.counted[-most] + self.seconds - now

    def end(self) -> None:
        pass


class FixedWindow:
    def __init__(self, rate: float, seconds: float) -> None:
        self.rate, self.seconds = rate, seconds
        self.window, self.count = 0, 0

    def refusal(self, now: float) -> float | None:
        window = math.floor(now / self.seconds + 1e-6)
        if window != self.window:
            self.window, self.count = window, 0
        self.count += 1
        return None if self.count <= round(self.rate * self.seconds) else (window + 1) * self.seconds - now

    def end(self) -> None:
        pass


class AtOnce:
    """So many requests may be answered at once; they are admitted at no rate."""

    def __init__(self, most: int) -> None:
        self.rate, self.most, self.open = math.inf, most, 0

    def refusal(self, now: float) -> float | None:
        if self.open >= self.most:
            return 1.0
        self.open += 1
        return None

    def end(self) -> None:
        self.open -= 1


class LimitedServer:
    """Makes calls to a server with a limit; `latencies` are the seconds that its answers take, in turn."""

    def __init__(
        self, limit: Limit, latencies: Sequence[float], hint: Hint = "none", status: int = 429, most: int = 64
    ) -> None:
        self.limit, self.hint, self.status = limit, hint, status
        self.latencies = itertools.cycle(latencies)
        self.endpoints = BulkEndpoints(most)
        self.refused = self.answered = self.most_open = 0
        self.open_seconds = 0.0

    async def answer(self, calls: int, change: tuple[float, float] | None = None) -> float:
        """Make so many calls, one a run, and return the seconds; at a `change` the rate becomes another."""
        loop = asyncio.get_running_loop()
        if change is not None:
            loop.call_at(change[0], setattr, self.limit, "rate", change[1])
        async with asyncio.TaskGroup() as group:
            for _ in range(calls):
                await self.endpoints.room(["server"])
                group.create_task(self._call(self.endpoints.begin()))
        return loop.time()

    @property
    def state(self) -> EndpointState:
        return self.endpoints.states()["server"]

    async def _call(self, places: RunPlaces) -> None:
        loop = asyncio.get_running_loop()
        with places:
            while True:
                async with places.place("server", None, self) as place:
                    self.most_open = max(self.most_open, self.state.open)
                    wait = self.limit.refusal(loop.time())
                    if wait is None:
                        seconds = next(self.latencies)
                        self.open_seconds += seconds
                        await asyncio.sleep(seconds)
                        self.limit.end()
                        self.answered += 1
                        return
                    self.refused += 1
                    stated = self._stated(wait, loop.time())
                    await asyncio.sleep(REFUSAL_SECONDS)
                    error = ModelError("rate_limit", "Rate limit reached", self.status, stated)
                    assert place.refused(error)

    def _stated(self, wait: float, now: float) -> float | None:
        """What Retry-After says: whole seconds, or a date, which has whole seconds, too."""
        if self.hint == "none":
            return None
        if self.hint == "seconds":
            return float(max(1, math.ceil(wait)))
        return float(math.floor(now + wait) - math.floor(now))
