"""What bounds a call: who may end it, when it is tried again, and how many run at once on one endpoint."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Protocol

from moa_tui.engine.plan import estimate_tokens

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.alteration import Alteration
    from moa_tui.engine.events import CallId, Failure
    from moa_tui.engine.plan import ModelFacts
    from moa_tui.engine.tasks import Reference
    from moa_tui.errors import ModelError

# An answer is a few thousand characters; a stream that never ends must not take all memory.
MAX_REPLY_CHARACTERS = 8_000_000

_RETRIED_STATUS = {408, 409, 429}
_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 30.0


def is_retryable(error: ModelError) -> bool:
    """Whether the same request may succeed a moment later: 408, 409, 429, 5xx and connection errors.

    An exhausted quota comes as 429 too, but waiting does not fill it.
    """
    if error.kind == "quota":
        return False
    status = error.status_code
    return error.kind == "connection" or (
        status is not None and (status in _RETRIED_STATUS or 500 <= status <= 599)
    )


def retry_wait(error: ModelError, attempt: int) -> float:
    """Seconds to wait after failed attempt number `attempt`: as the server asked, else longer each time.

    The wait is jittered by a quarter, so that calls refused together do not come back together.
    """
    if error.retry_after is not None:
        return max(0.0, error.retry_after)
    wait = min(_FIRST_WAIT_SECONDS * 2.0 ** (attempt - 1), _LONGEST_WAIT_SECONDS)
    return wait * random.uniform(0.75, 1.25)


def shortened_share(
    references: Sequence[Reference], agent: Agent, facts: ModelFacts, other_tokens: int
) -> float:
    """The share of each reference to keep after a context-window error: half, or less where less fits.

    `other_tokens` is what the call needs besides the references.
    """
    size = sum(estimate_tokens(reference.text) for reference in references)
    if facts.context_tokens is None or not size:
        return 0.5
    room = facts.context_tokens - (agent.max_tokens or 0) - other_tokens
    return min(0.5, max(0.05, room / size))


class CallScope:
    """The scope of one call: a person, its layer or the clock can end it, each only once.

    A thin cover over `asyncio.timeout`, which counts cancellations correctly: ending the scope cancels
    what runs inside, and the block around it sees TimeoutError, never a stray CancelledError.
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
        """Cancel what runs inside, for the reason `failure`. The first reason stands."""
        if self._open and self.ended_by is None and not self._timeout.expired():
            self.ended_by = failure
            self._timeout.reschedule(0)

    def limit(self, at: float | None) -> None:
        """End by itself at loop time `at`; None lifts the limit."""
        if self._open and self.ended_by is None and not self._timeout.expired():
            self._timeout.reschedule(at)

    @property
    def expired(self) -> bool:
        """Whether it was ended, by whomever."""
        return self._timeout.expired()


class Endpoints:
    """Places at each endpoint, taken first come, first served."""

    def __init__(self, default_concurrency: int | None, facts: Callable[[Agent], ModelFacts]) -> None:
        self._default = default_concurrency
        self._facts = facts
        self._places: dict[str, AbstractAsyncContextManager[None]] = {}

    @asynccontextmanager
    async def place(self, agent: Agent) -> AsyncIterator[None]:
        """A place at the agent's endpoint, held for the length of the block."""
        facts = self._facts(agent)
        size = facts.concurrency or self._default
        places = self._places.setdefault(
            facts.endpoint, nullcontext() if size is None else asyncio.Semaphore(size)
        )
        async with places:
            yield


class Steerable(Protocol):
    """What a run lets its control do, on the run's own loop."""

    def stop(self) -> None: ...

    def stop_call(self, call: CallId) -> None: ...

    def proceed(self) -> None: ...

    def alter(self, alteration: Alteration) -> bool: ...

    def decide(self, call: CallId, ticked: frozenset[int]) -> None: ...


class RunControl:
    """Steers one run, from any thread, before or while it goes."""

    def __init__(self) -> None:
        self._run: Steerable | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped = False

    def stop(self) -> None:
        """Stop the run; what was received is kept."""
        self._stopped = True
        self._on_loop(lambda run: run.stop())

    def stop_call(self, call: CallId) -> None:
        """Stop one call; the run goes on without it. No effect on a call that is not running."""
        self._on_loop(lambda run: run.stop_call(call))

    def proceed(self) -> None:
        """Go on with the answers that are ready, or with all points of a checklist that waits.

        No effect while there is no answer, or in the last layer.
        """
        self._on_loop(lambda run: run.proceed())

    def alter(self, alteration: Alteration) -> bool:
        """Change the run while it goes; False where it is over, or too far on for this. On its own loop.

        Raises UsageError for what makes no sense at all.
        """
        return self._run is not None and self._run.alter(alteration)

    def decide(self, call: CallId, ticked: frozenset[int]) -> None:
        """Keep these points of the checklist that the run waits with, by their places, the first 0.

        No effect on a call that waits for no choice.
        """
        self._on_loop(lambda run: run.decide(call, ticked))

    def _on_loop(self, action: Callable[[Steerable], None]) -> None:
        loop, run = self._loop, self._run
        if loop is None or run is None:
            return
        try:
            loop.call_soon_threadsafe(action, run)
        except RuntimeError:
            # The loop is closed, so the run is over and there is nothing left to steer.
            return

    def attach(self, run: Steerable, loop: asyncio.AbstractEventLoop) -> None:
        """Called by the run as it begins: what was asked before takes effect now."""
        self._run, self._loop = run, loop
        if self._stopped:
            run.stop()

    def detach(self) -> None:
        """Called by the run as it ends."""
        self._run = self._loop = None
