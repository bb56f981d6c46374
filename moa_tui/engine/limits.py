"""The limits of a call: its scope, its retries, and the number of calls at once to one endpoint."""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter, defaultdict
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from moa_tui.engine.plan import ModelFacts, message_tokens
from moa_tui.engine.token_estimate import estimate_tokens

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Hashable, Sequence
    from types import TracebackType

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.tasks import Reference
    from moa_tui.engine.values import Failure, Message
    from moa_tui.errors import ModelError

# An answer has a few thousand characters; the limit keeps a stream that never ends from filling the memory.
MAX_REPLY_CHARACTERS = 8_000_000

# How often a request that is too long is made smaller.
MOST_FITS = 4
# Tokens; a shorter answer than this is not worth asking for.
_SHORTEST_ANSWER = 256

_RETRIED_STATUS = {408, 409, 429}
# Too many requests, a service that is not ready or overloaded, and Anthropic's status for the latter. They
# pass within seconds, not at once: the waits between five tries come to 30 s.
_OVERLOADED_STATUS = {429, 503, 529}
_RETRIES, _RETRIES_WHEN_OVERLOADED = 2, 4
_FIRST_WAIT_SECONDS = 0.5
_OVERLOAD_FACTOR = 4.0
_LONGEST_WAIT_SECONDS = 30.0
# The share of a wait that is drawn at random, so that calls refused together are not repeated together.
_JITTER = 0.25


def is_retryable(error: ModelError) -> bool:
    """True where the same request may succeed a moment later: 408, 409, 429, 5xx and connection errors.

    An exhausted quota comes as 429 too, but is not retryable, since waiting does not refill it.
    """
    if error.kind == "quota":
        return False
    status = error.status_code
    return error.kind == "connection" or (
        status is not None and (status in _RETRIED_STATUS or 500 <= status <= 599)
    )


def is_overload(error: ModelError) -> bool:
    """True where an endpoint refused a request only because it has too many: 429, 503 and 529."""
    return error.status_code in _OVERLOADED_STATUS and error.kind not in ("quota", "context")


def retries_after(error: ModelError, stated: int | None) -> int:
    """How often a call is repeated that fails with `error`: as a recipe has `stated` it, None for no word."""
    if stated is not None:
        return stated
    return _RETRIES_WHEN_OVERLOADED if error.status_code in _OVERLOADED_STATUS else _RETRIES


def retry_wait(
    error: ModelError,
    attempt: int,
    seconds_left: float = math.inf,
    draw: Callable[[float, float], float] = random.uniform,
) -> float:
    """The seconds to wait after failed attempt number `attempt`, counting from 1.

    The wait is what the server asked for, or a little more, but where the call may take only `seconds_left`
    more never for the sake of that little. Where the server asked for none, the wait doubles with each
    attempt, up to a limit, and half of what is left remains for the next attempt. `draw` returns a random
    number between two others.
    """
    if error.retry_after is not None:
        asked = max(0.0, error.retry_after)
        return max(asked, min(asked * draw(1.0, 1.0 + _JITTER), seconds_left))
    first = _FIRST_WAIT_SECONDS
    if error.status_code in _OVERLOADED_STATUS:
        first *= _OVERLOAD_FACTOR
    wait = min(first * 2.0 ** (attempt - 1), _LONGEST_WAIT_SECONDS) * draw(1.0 - _JITTER, 1.0)
    return max(0.0, min(wait, seconds_left / 2))


def shortened_share(
    references: Sequence[Reference], agent: Agent, facts: ModelFacts, other_tokens: int
) -> float:
    """The share of each reference to keep after a context-window error, at most one half.

    `other_tokens` is the size of the request's other messages.
    """
    size = sum(estimate_tokens(reference.text) for reference in references)
    if facts.context_tokens is None or not size:
        return 0.5
    room = facts.context_tokens - (agent.max_tokens or 0) - facts.thinking_tokens - other_tokens
    return min(0.5, max(0.05, room / size))


@dataclass(frozen=True, slots=True)
class Fit:
    """How much of a request is sent, where all of it was refused as too long.

    `share` is that of each reference. `context_tokens` is what prompt and answer may take together, and
    `max_tokens` the longest answer asked for, both in tokens and None where that is as it would be anyway.
    `attempts` is how often the request was made smaller.
    """

    share: float = 1.0
    context_tokens: int | None = None
    max_tokens: int | None = None
    attempts: int = 0

    def agent(self, agent: Agent) -> Agent:
        """The agent as it is asked."""
        return agent if self.max_tokens is None else agent.model_copy(update={"max_tokens": self.max_tokens})

    @property
    def note(self) -> str | None:
        """What is said of the answer's length; of the messages `prepare` says it."""
        if self.max_tokens is None:
            return None
        return f"max_tokens lowered to {self.max_tokens} to fit its context window"


WHOLE = Fit()
"""All of a request, as it is sent at first."""


def smaller_fit(
    error: ModelError,
    fit: Fit,
    messages: Sequence[Message],
    references: Sequence[Reference],
    agent: Agent,
    facts: ModelFacts,
) -> Fit | None:
    """The fit to ask again in after `messages`, sent in `fit`, were refused with `error` as too long.

    An answer that takes most of the window is asked to be shorter, then the oldest turns go, then references
    are shortened. Where nobody has stated the size of the window, half of what was sent is sent again, and so
    where the estimate of its size was so low that it seemed to fit. None for other errors, and where nothing
    more can be left out.
    """
    if error.kind != "context" or fit.attempts >= MOST_FITS:
        return None
    fit = replace(fit, attempts=fit.attempts + 1)
    window = error.context_tokens or facts.context_tokens
    sent = sum(map(message_tokens, messages))
    answer = fit.agent(agent).max_tokens or 0
    if window is not None and answer > window // 2:
        answer = window // 2
        fit = replace(fit, max_tokens=answer)
        if sent + facts.thinking_tokens <= window - answer:
            return fit
    answer += facts.thinking_tokens
    if sum(message["role"] != "system" for message in messages) > 1:
        room = window - answer if window is not None and window - answer < sent else sent // 2
        return replace(fit, context_tokens=room + answer)
    if references and fit.share == 1.0:
        other_tokens = sent - sum(estimate_tokens(reference.text) for reference in references)
        known = replace(facts, context_tokens=window)
        return replace(fit, share=shortened_share(references, fit.agent(agent), known, other_tokens))
    if window is not None and _SHORTEST_ANSWER <= window - sent < answer:
        return replace(fit, max_tokens=window - sent)
    return None


class CallScope:
    """The scope of one call, which a user, the call's layer or a time limit can end.

    It wraps `asyncio.timeout`, which counts cancellations correctly: ending the scope cancels the code inside
    it, and the code around it sees TimeoutError, never a stray CancelledError.
    """

    def __init__(self) -> None:
        self.ended_by: Failure | None = None
        self._timeout = asyncio.timeout(None)
        self._open = False

    async def __aenter__(self) -> CallScope:
        await self._timeout.__aenter__()
        self._open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        await self._timeout.__aexit__(kind, error, trace)

    def end(self, failure: Failure) -> None:
        """Cancel the code inside the scope for the reason `failure`. Only the first reason counts."""
        if self._open and self.ended_by is None and not self._timeout.expired():
            self.ended_by = failure
            self._timeout.reschedule(0)

    def limit(self, at: float | None) -> None:
        """End the scope at loop time `at` in seconds; None removes the limit."""
        if self._open and self.ended_by is None and not self._timeout.expired():
            self._timeout.reschedule(at)

    @property
    def expired(self) -> bool:
        """True once the scope has been ended, by `end` or by its limit."""
        return self._timeout.expired()


class Place:
    """A place for one request at its endpoint."""

    def refused(self, error: ModelError) -> bool:
        """Note that the endpoint refused the request of this place with `error`, before anything came.

        True where the request waits for another place and is made again, as if it had not been made; False
        where the call decides what becomes of it. May raise ModelError, where the call is to fail at once.
        """
        return False


class Endpoints:
    """The places for calls at each endpoint, shared by all runs of a program.

    Each run says how many calls at once an endpoint takes, and the calls of all runs count. A place that
    becomes free goes to the run that has the fewest calls open there, and of those to the call that asked
    first, so that no run waits for all calls of another. All methods are called on one loop.
    """

    def __init__(self) -> None:
        self._open: defaultdict[str, Counter[Hashable]] = defaultdict(Counter)
        """By endpoint, the number of calls that each run has open."""
        self._waiting: defaultdict[str, list[_Waiting]] = defaultdict(list)
        """By endpoint, the calls that wait for a place, in the order in which they asked."""

    @asynccontextmanager
    async def place(self, endpoint: str, most: int | None, run: Hashable) -> AsyncIterator[Place]:
        """A place for a call of `run` for the length of the block; waits until the endpoint has one.

        `most` is how many calls at once the endpoint takes; None never waits.
        """
        if most is None:
            self._open[endpoint][run] += 1
        else:
            await self._wait(endpoint, _Waiting(most, run, asyncio.get_running_loop().create_future()))
        try:
            yield Place()
        finally:
            self._leave(endpoint, run)

    def has_room(self, endpoint: str, most: int | None) -> bool:
        """True where a call of any run would be given a place at once."""
        waits = any(not call.admitted.cancelled() for call in self._waiting[endpoint])
        return most is None or (not waits and self._open[endpoint].total() < most)

    async def _wait(self, endpoint: str, waiting: _Waiting) -> None:
        """Wait for a place, and take it. A call that is cancelled while it waits leaves none taken."""
        self._waiting[endpoint].append(waiting)
        self._admit(endpoint)
        try:
            await waiting.admitted
        except asyncio.CancelledError:
            if waiting in self._waiting[endpoint]:
                self._waiting[endpoint].remove(waiting)
                self._admit(endpoint)
            else:
                self._leave(endpoint, waiting.run)
            raise

    def _leave(self, endpoint: str, run: Hashable) -> None:
        """Give up a place, and give it to whoever is next."""
        self._open[endpoint][run] -= 1
        if not self._open[endpoint][run]:
            del self._open[endpoint][run]
        self._admit(endpoint)

    def _admit(self, endpoint: str) -> None:
        """Give places to the calls that wait for them, as long as there are any."""
        open_calls, waiting = self._open[endpoint], self._waiting[endpoint]
        # A call that was cancelled in this turn of the loop is still in the list, until it takes itself out.
        while alive := [call for call in waiting if not call.admitted.cancelled()]:
            following = min(alive, key=lambda call: open_calls[call.run])
            if open_calls.total() >= following.most:
                return
            waiting.remove(following)
            open_calls[following.run] += 1
            following.admitted.set_result(None)


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """A call of `run` that waits until its endpoint has fewer than `most` calls open."""

    most: int
    run: Hashable
    admitted: asyncio.Future[None]
