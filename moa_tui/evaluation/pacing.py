"""The places for the calls of a bulk run: how many may be open at each endpoint, and how fast they begin.

What an endpoint takes is learned from what it refuses, in `learned_limits`. A refused request waits here for
another place and is no failure of its call.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from moa_tui.engine.limits import Endpoints, Place, is_overload
from moa_tui.errors import ModelError
from moa_tui.evaluation.learned_limits import Pace, Window

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Hashable

FIRST_LIMIT = 20
"""The number of calls that an endpoint is given at once before anything is known of it."""
GIVE_UP_SECONDS = 600.0
"""How long an endpoint may refuse everything before the calls that wait for it fail."""

_BEHIND_ALL = 2**40  # Added to the rank of a run that steps back; more than there are runs.


@dataclass(frozen=True, slots=True)
class EndpointState:
    """How an endpoint does: calls open and waiting, how many may be open, requests a minute, refusals.

    `pace` is None where requests begin as places become free.
    """

    open: int
    waiting: int
    limit: int
    pace: float | None
    refusals: int


class BulkEndpoints:
    """The places at each endpoint, no more than `most` at once, shared by the runs of a bulk run.

    A place that becomes free goes to the run that was begun first. All methods are called on one loop.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._endpoints: dict[str, _Endpoint] = {}
        self._begun = itertools.count()
        self._to_ask = 0
        """How many runs have been begun and have neither asked for a place nor ended."""
        self._changed = asyncio.Event()

    def begin(self) -> RunPlaces:
        """The places for the calls of one more run, as its RunContext takes them; a context manager.

        It is entered where the run is, and left when that has ended, whether it asked for a place or not.
        """
        self._to_ask += 1
        return RunPlaces(self, next(self._begun))

    async def room(self, endpoints: Collection[str] = ()) -> None:
        """Return once the calls of one more run would be given places at `endpoints`; at all for none.

        That is where fewer calls are open and waiting than may be open, and every run that was begun has
        asked for its first place or has ended.
        """
        while self._to_ask or not all(state.has_room for state in self._states_of(endpoints)):
            self._changed.clear()
            await self._changed.wait()

    def states(self) -> dict[str, EndpointState]:
        """How each endpoint does that has been asked for a place."""
        return {name: state.shown() for name, state in self._endpoints.items()}

    @property
    def refusals(self) -> int:
        """How many requests were refused so far at all endpoints together; on any thread."""
        return sum(state.refusals for state in tuple(self._endpoints.values()))

    def state(self, endpoint: str) -> _Endpoint:
        """The limits of one endpoint."""
        if endpoint not in self._endpoints:
            self._endpoints[endpoint] = _Endpoint(self._most, self._changed)
        return self._endpoints[endpoint]

    def on_asked(self) -> None:
        """Note that a run has asked for its first place, or ended without."""
        self._to_ask -= 1
        self._changed.set()

    def _states_of(self, endpoints: Collection[str]) -> Collection[_Endpoint]:
        if not endpoints:
            return self._endpoints.values()
        return [self._endpoints[name] for name in endpoints if name in self._endpoints]


class RunPlaces(Endpoints):
    """The places for the calls of one run at the endpoints that all share. `rank` says who goes first."""

    def __init__(self, shared: BulkEndpoints, rank: int) -> None:
        super().__init__()
        self._shared = shared
        self._rank = rank
        self._has_asked = False

    def step_back(self) -> None:
        """Let the calls that this run asks for from now on go behind those of all runs that did not."""
        if self._rank < _BEHIND_ALL:
            self._rank += _BEHIND_ALL

    def __enter__(self) -> RunPlaces:
        return self

    def __exit__(self, *_: object) -> None:
        self._asked()

    @asynccontextmanager
    async def place(self, endpoint: str, most: int | None, run: Hashable) -> AsyncIterator[Place]:
        """A place for a call for the length of the block; waits until the endpoint has one.

        Raises ModelError where the endpoint has refused everything for GIVE_UP_SECONDS.
        """
        state = self._shared.state(endpoint)
        place = await state.enter(self._rank, most, self._asked)
        try:
            yield place
        finally:
            state.leave(place)

    def has_room(self, endpoint: str, most: int | None) -> bool:
        """True where a call of any run would be given a place at once."""
        return self._shared.state(endpoint).is_free

    def _asked(self) -> None:
        if not self._has_asked:
            self._has_asked = True
            self._shared.on_asked()


class _BulkPlace(Place):
    """A place at an endpoint; `number` counts its requests, `open_then` those open with this one."""

    def __init__(self, endpoint: _Endpoint, number: int, open_then: int, most_before: int) -> None:
        self._endpoint = endpoint
        self.number = number
        self.open_then = open_then
        self.most_before = most_before
        self.was_refused = False

    def refused(self, error: ModelError) -> bool:
        """Note what the endpoint refused; the request waits for another place where it only was too many."""
        if not is_overload(error):
            return False
        self.was_refused = True
        self._endpoint.refuse(self, error)
        return True


@dataclass(order=True, slots=True)
class _Waiting:
    """A request that waits; the lowest goes first."""

    rank: int
    number: int
    place: asyncio.Future[_BulkPlace] = field(compare=False)


class _Endpoint:
    """The limits of one endpoint, the calls open there and those that wait. All times are the loop's."""

    def __init__(self, most: int, changed: asyncio.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._changed = changed
        self._most = self._stated_most = most
        self.open = self.refusals = self._sent = 0
        self.window = Window(min(FIRST_LIMIT, most), most)
        self._left_at = -math.inf
        self.pace = Pace()
        self._queue: list[_Waiting] = []
        self._asked = itertools.count()
        self._waiting = 0
        self._most_open = 0
        """The most calls that were open together since the limits were last lowered."""
        self._last_lowered = 0
        """The number of the last request that had been sent when the limits were last lowered."""
        self._next_at = -math.inf
        """When the next request may be sent."""
        self._refuses_since: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def limit(self) -> int:
        """How many calls may be open."""
        return max(1, min(int(self.window.limit), self._stated_most))

    @property
    def is_free(self) -> bool:
        """True where a call would be given a place at once."""
        return not self._waiting and self.open < self.limit and self._loop.time() >= self._next_at

    @property
    def has_room(self) -> bool:
        """True where fewer calls are open and waiting than may be open."""
        return self.open + self._waiting < self.limit

    def shown(self) -> EndpointState:
        """How the endpoint does."""
        rate = self.pace.rate
        return EndpointState(
            self.open, self._waiting, self.limit, None if rate is None else rate * 60, self.refusals
        )

    async def enter(self, rank: int, most: int | None, on_asked: Callable[[], None]) -> _BulkPlace:
        """A place, once there is one. A call that is cancelled while it waits leaves none taken.

        `most` is how many calls the endpoint takes at once, as far as it has been stated; `on_asked` is
        called once the call waits or has its place.
        """
        self._stated_most = self._most if most is None else min(most, self._most)
        waiting = _Waiting(rank, next(self._asked), self._loop.create_future())
        heapq.heappush(self._queue, waiting)
        self._waiting += 1
        self._admit()
        on_asked()
        try:
            return await waiting.place
        except asyncio.CancelledError:
            if waiting.place.cancelled():
                self._waiting -= 1
                self._admit()
                self._changed.set()
            elif not waiting.place.exception():
                self.leave(waiting.place.result())
            raise

    def leave(self, place: _BulkPlace) -> None:
        """Give up a place, and give it to whoever is next."""
        if not place.was_refused:
            now = self._loop.time()
            since = max(0.0, now - max(self._left_at, self._next_at))
            self.window.finished(since, is_full=self.open >= self.limit)
            self._left_at = now
            if place.number > self._last_lowered:
                self._refuses_since = None
        self.open -= 1
        self._admit()
        self._changed.set()

    def refuse(self, place: _BulkPlace, error: ModelError) -> None:
        """Lower the limits after a refusal, once for all requests that were under way together."""
        now = self._loop.time()
        self.refusals += 1
        admitted = max(0, place.number - 1 - self._last_lowered)
        if self._refuses_since is None or admitted:
            self._refuses_since = now
        if now - self._refuses_since >= GIVE_UP_SECONDS:
            self._refuses_since = None
            self._fail(error)
        stated = None if error.retry_after is None else min(error.retry_after, GIVE_UP_SECONDS)
        if place.number <= self._last_lowered:
            if stated is not None:
                self._next_at = max(self._next_at, now + stated)
            return
        self.window.refused(place.open_then, place.most_before, admitted)
        self._most_open = 0
        self._last_lowered = self._sent
        self._next_at = now + self.pace.refused(now, admitted, stated)

    def _fail(self, error: ModelError) -> None:
        minutes = f"{GIVE_UP_SECONDS / 60:.0f} minutes"
        failure = ModelError(
            error.kind, f"{error.message} (and nothing else for {minutes})", error.status_code
        )
        for waiting in self._queue:
            if not waiting.place.done():
                self._waiting -= 1
                waiting.place.set_exception(failure)
        self._queue.clear()
        raise failure

    def _admit(self) -> None:
        """Give places to the requests that wait for them, as long as there are any and it is time."""
        queue = self._queue
        while queue:
            if queue[0].place.done():
                heapq.heappop(queue)
                continue
            if self.open >= self.limit:
                return
            now = self._loop.time()
            if now < self._next_at:
                self._wake_at(self._next_at)
                return
            waiting = heapq.heappop(queue)
            self._waiting -= 1
            self.open += 1
            self._sent += 1
            self._next_at = self.pace.sent(now, self._next_at)
            waiting.place.set_result(_BulkPlace(self, self._sent, self.open, self._most_open))
            self._most_open = max(self._most_open, self.open)

    def _wake_at(self, time: float) -> None:
        if self._timer is not None:
            if not self._timer.cancelled() and self._timer.when() <= time:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(time, self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        self._admit()
        self._changed.set()
