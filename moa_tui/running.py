"""A turn on its way: its run on the engine's thread, and what can be done to it meanwhile."""

from __future__ import annotations

import queue
import threading
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from moa_tui.conversation import history
from moa_tui.engine.events import CallEnded, RunChanged
from moa_tui.engine.limits import RunControl
from moa_tui.engine.run import run
from moa_tui.errors import MoaTuiError
from moa_tui.fault_log import CallFaults, record_bug

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future

    from moa_tui.budget import Ledger
    from moa_tui.conversation import Turn
    from moa_tui.engine.alteration import Alteration
    from moa_tui.engine.events import CallId, Event, Outcome, Reply
    from moa_tui.engine.health import Health
    from moa_tui.engine.plan import Cap
    from moa_tui.gateway.models import Gateway
    from moa_tui.gateway.thread import EngineThread
    from moa_tui.store.recording import Recording


class Running:
    """A turn that is being answered on the engine's thread.

    `events` may be read from any one thread: every event of the run in order, then None, whether the run
    ended, failed or was cancelled.
    """

    def __init__(
        self,
        turn: Turn,
        gateway: Gateway,
        engine: EngineThread,
        kept: Mapping[CallId, Reply] | None = None,
        recording: Recording | None = None,
        health: Health | None = None,
        *,
        asks: bool = False,
        ledger: Ledger | None = None,
        caps: Callable[[Running], Sequence[Cap]] | None = None,
    ) -> None:
        self.turn = turn
        self.cost = 0.0
        """US dollars so far, unknown prices left out."""
        self._ledger = ledger
        self._caps = caps
        self._gateway = gateway
        self._engine = engine
        self._asks = asks
        self._wake: Callable[[], None] | None = None
        self._kept = kept or {}
        self._recording = recording
        self._health = health
        self.events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._control = RunControl()
        self._call_faults = CallFaults(gateway.stream)
        self._began = threading.Event()
        self._future: Future[Outcome] = engine.submit(self._answer(turn, gateway))
        self._future.add_done_callback(self._ended)

    async def _answer(self, turn: Turn, gateway: Gateway) -> Outcome:
        await gateway.prepare(turn.recipe)
        self._began.set()
        return await run(
            turn.recipe,
            history(turn),
            self._call_faults.stream,
            self._take,
            kept=self._kept,
            control=self._control,
            facts=gateway.facts,
            health=self._health,
            asks=self._asks,
            caps=None if self._caps is None else partial(self._caps, self),
        )

    def _take(self, event: Event) -> None:
        if isinstance(event, RunChanged):
            self.turn = replace(self.turn, recipe=event.recipe)
        if isinstance(event, CallEnded) and not event.reply.reused:
            self.cost += event.reply.cost or 0.0
            if self._ledger is not None:
                self._ledger.took(event.reply, kept=self._recording is not None)
        self._call_faults.take(event)
        # Kept first: what a person has seen is on its way to the disk.
        if self._recording is not None:
            self._recording.take(event)
        self.events.put(event)
        self._rouse()

    def _ended(self, future: Future[Outcome]) -> None:
        bug = None if future.cancelled() else future.exception()
        if bug is not None and not isinstance(bug, MoaTuiError):
            record_bug(bug)
        if self._recording is not None and not self._began.is_set():
            self._recording.withdraw()
        self.events.put(None)
        self._rouse()

    def wake_with(self, wake: Callable[[], None]) -> None:
        """Have `wake` called once, on any thread, as soon as `events` holds something.

        For a reader that stops looking while the run waits for a person.
        """
        self._wake = wake
        if not self.events.empty():
            self._rouse()

    def _rouse(self) -> None:
        wake, self._wake = self._wake, None
        if wake is not None:
            wake()

    def stop(self) -> None:
        """Stop the run; what was received is kept."""
        if self._began.is_set():
            self._control.stop()
        else:
            self._future.cancel()

    def stop_call(self, call: CallId) -> None:
        """Stop one call; the run goes on without it."""
        self._control.stop_call(call)

    def proceed(self) -> None:
        """Go on with the answers that are ready."""
        self._control.proceed()

    def alter(self, alteration: Alteration) -> Future[bool]:
        """Change the run while it goes; False where it is over, or too far on for this: then stop it first.

        The future raises UsageError for what makes no sense, MissingKeyError before anything is changed.
        """
        return self._engine.submit(self._alter(alteration))

    async def _alter(self, alteration: Alteration) -> bool:
        await self._gateway.prepare(alteration.recipe)
        return self._control.alter(alteration)

    def decide(self, call: CallId, ticked: frozenset[int]) -> None:
        """Keep these points of the checklist that the run waits with, by their places, the first 0."""
        self._control.decide(call, ticked)

    def result(self) -> Turn | None:
        """The turn with its outcome, once `events` has given None; None where it was stopped before it began.

        Raises MissingKeyError, or whatever bug ended the run.
        """
        if self._future.cancelled():
            return None
        return replace(self.turn, outcome=self._future.result())
