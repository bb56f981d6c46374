"""The places for the calls of a bulk run: how many may be open at each endpoint, and how fast they begin.

An endpoint has two limits, and says neither: how many calls it takes at once, and how many it takes in a
second or a minute. Both are learned from what it refuses (429, 503, 529). The first is halved and creeps up
again, as TCP's window does (RFC 5681). The second is measured, then lowered and raised along a cubic curve,
as TCP's CUBIC (RFC 9438) and botocore's adaptive mode do, so that it stays long just below what is admitted.
A refused request waits here for another place and is no failure of its call.
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

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Hashable

FIRST_LIMIT = 20
"""The number of calls that an endpoint is given at once before anything is known of it."""
GIVE_UP_SECONDS = 600.0
"""How long an endpoint may refuse everything before the calls that wait for it fail."""

# The wait behind a refusal for which the server states none; it doubles until something is admitted.
_FIRST_HOLD_SECONDS, _LONGEST_HOLD_SECONDS = 1.0, 10.0
# After a refusal the pace falls to this share of what it was, and is back after as many seconds of sending,
# or as it takes to send as many requests, whichever is longer.
_LOWERED_SHARE, _RECOVERY_SECONDS, _RECOVERY_REQUESTS = 0.85, 20.0, 50.0
# So many admitted requests tell a rate; fewer may be what a bucket held.
_TELLING_REQUESTS = 10
# What a rate grows by with each request while it is only a guess.
_GUESS_GROWTH = 1.1
# How far above the measured rate a pace may return.
_MEASURED_MARGIN = 1.1


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

    def __init__(self, endpoint: _Endpoint, number: int, open_then: int) -> None:
        self._endpoint = endpoint
        self.number = number
        self.open_then = open_then
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
        self.window = _Window(min(FIRST_LIMIT, most))
        self.pace = _Pace()
        self._queue: list[_Waiting] = []
        self._asked = itertools.count()
        self._waiting = 0
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
            self.window.admitted(place.open_then, is_full=self.open >= self.limit)
            if place.number > self._last_lowered:
                self._refuses_since = None
        self.open -= 1
        self._admit()
        self._changed.set()

    def refuse(self, place: _BulkPlace, error: ModelError) -> None:
        """Lower the limits after a refusal, once for all requests that were under way together."""
        now = self._loop.time()
        self.refusals += 1
        if self._refuses_since is None:
            self._refuses_since = now
        if now - self._refuses_since >= GIVE_UP_SECONDS:
            self._refuses_since = None
            self._fail(error)
        stated = None if error.retry_after is None else min(error.retry_after, GIVE_UP_SECONDS)
        if place.number <= self._last_lowered:
            if stated is not None:
                self._next_at = max(self._next_at, now + stated)
            return
        self.window.refused(place.open_then)
        admitted = place.number - 1 - self._last_lowered
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
            waiting.place.set_result(_BulkPlace(self, self._sent, self.open))

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


class _Window:
    """How many calls may be open at once: doubled in each round at first, halved by refusals."""

    def __init__(self, limit: float) -> None:
        self.limit = float(limit)
        self._most_admitted = math.inf
        """The most open calls with which one was admitted lately; infinite before the first refusal."""

    def admitted(self, open_calls: int, *, is_full: bool) -> None:
        """Note that a request was admitted beside others, `open_calls` in all."""
        if self._most_admitted != math.inf:
            self._most_admitted = max(self._most_admitted, open_calls)
        if is_full:
            self.limit += 1.0 if self.limit < self._most_admitted else 1.0 / self.limit

    def refused(self, open_calls: int) -> None:
        """Halve the limit, unless as many have been admitted before: then it is the pace that is too high."""
        if open_calls <= self._most_admitted != math.inf:
            self._most_admitted -= 1
            return
        self._most_admitted = open_calls - 1
        self.limit = max(1.0, min(self.limit, open_calls) / 2)


class _Pace:
    """How many requests a second may begin: no limit until an endpoint refuses, then what it admits."""

    def __init__(self) -> None:
        self._top: float | None = None
        """The rate at which the endpoint refused last, or that it was measured to admit."""
        self._is_guess = False
        self._climbed = 0.0
        """Seconds of sending since the pace was lowered."""
        self._began: float | None = None
        """When the requests began that were admitted last, and how many those were."""
        self._admitted = 0
        self._hold_until = -math.inf
        self._holds = 0

    @property
    def rate(self) -> float | None:
        """Requests a second; None where there is no limit."""
        if self._top is None:
            return None
        recovery = max(_RECOVERY_SECONDS, _RECOVERY_REQUESTS / self._top)
        return self._top * (1 + (1 - _LOWERED_SHARE) * (self._climbed / recovery - 1) ** 3)

    def sent(self, now: float, due: float) -> float:
        """Note that a request is sent that was `due` before or now, and return when the next one is."""
        if self._began is None:
            self._began = now
        rate = self.rate
        if rate is None:
            return now
        gap = 1 / rate
        if now - due < gap and due != self._hold_until:  # It is the pace that it waited for.
            self._climbed += gap
            if self._is_guess and self._top is not None:
                self._top *= _GUESS_GROWTH
        return max(now, due) + gap

    def refused(self, now: float, admitted: int, stated: float | None) -> float:
        """Lower the pace after `admitted` requests and one refused; return the seconds until the next one."""
        rate = self.rate
        if admitted:
            self._holds = 0
            if self._hold_until > -math.inf:
                self._began = self._hold_until
            self._admitted = admitted
        hold = min(_FIRST_HOLD_SECONDS * 2.0**self._holds, _LONGEST_HOLD_SECONDS)
        if stated is not None:
            hold = max(stated, hold if self._holds else 0.0)
        self._holds += 1
        self._hold_until = now + hold
        if self._began is not None and self._admitted:
            measured = self._admitted / max(self._hold_until - self._began, 1e-3)
            if rate is None:
                self._top, self._is_guess = measured, self._admitted < _TELLING_REQUESTS
            elif self._admitted >= _TELLING_REQUESTS or not admitted:
                self._top = min(rate, measured * _MEASURED_MARGIN)
                self._is_guess = not admitted
            else:
                self._top, self._is_guess = rate, False
        self._climbed = 0.0
        return hold
