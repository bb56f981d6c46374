"""The limits of a call: its scope, its retries, and the number of calls at once to one endpoint."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING

from moa_tui.engine.plan import estimate_tokens

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.plan import ModelFacts
    from moa_tui.engine.tasks import Reference
    from moa_tui.engine.values import Failure
    from moa_tui.errors import ModelError

# An answer has a few thousand characters; the limit keeps a stream that never ends from filling the memory.
MAX_REPLY_CHARACTERS = 8_000_000

_RETRIED_STATUS = {408, 409, 429}
_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 30.0


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


def retry_wait(error: ModelError, attempt: int) -> float:
    """The seconds to wait after failed attempt number `attempt`, counting from 1.

    The wait is what the server asked for; where it asked for none, the wait doubles with each attempt, up to
    a limit, and varies at random by a quarter, so that calls refused together are not repeated together.
    """
    if error.retry_after is not None:
        return max(0.0, error.retry_after)
    wait = min(_FIRST_WAIT_SECONDS * 2.0 ** (attempt - 1), _LONGEST_WAIT_SECONDS)
    return wait * random.uniform(0.75, 1.25)


def shortened_share(
    references: Sequence[Reference], agent: Agent, facts: ModelFacts, other_tokens: int
) -> float:
    """The share of each reference to keep after a context-window error, at most one half.

    `other_tokens` is the size of the request's other messages.
    """
    size = sum(estimate_tokens(reference.text) for reference in references)
    if facts.context_tokens is None or not size:
        return 0.5
    room = facts.context_tokens - (agent.max_tokens or 0) - other_tokens
    return min(0.5, max(0.05, room / size))


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


class Endpoints:
    """The places for calls at each endpoint, given in the order in which the calls ask."""

    def __init__(self, default_concurrency: int | None, facts: Callable[[Agent], ModelFacts]) -> None:
        self._default = default_concurrency
        self._facts = facts
        self._places: dict[str, AbstractAsyncContextManager[None]] = {}

    @asynccontextmanager
    async def place(self, agent: Agent) -> AsyncIterator[None]:
        """A place at the agent's endpoint for the length of the block; waits until one is free."""
        facts = self._facts(agent)
        size = facts.concurrency or self._default
        places = self._places.setdefault(
            facts.endpoint, nullcontext() if size is None else asyncio.Semaphore(size)
        )
        async with places:
            yield
