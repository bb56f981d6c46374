"""A turn that is being answered: its run on the engine's thread, and what can be done to it meanwhile.

Threads: whoever made the handle calls its methods; the engine's thread calls `_take` and `_ended`. What both
need (the recipe as it was changed, the calls so far) is read and written under one lock and handed over as
values. Events go through a queue that any one thread may read.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from moa_tui.chat.ledger import Account
from moa_tui.chat.packed_replies import with_packed_replies
from moa_tui.conversation import history
from moa_tui.engine import run
from moa_tui.engine.control import RunControl
from moa_tui.engine.events import CallEnded, CallRetried, CallStarted, ReplyChanged, RunChanged, StepEnded
from moa_tui.engine.values import CallId, Metrics, Outcome, Reply
from moa_tui.errors import MoaTuiError
from moa_tui.settings.fault_log import CallFaults, record_bug

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    from moa_tui.chat.backend import Backend
    from moa_tui.conversation import Turn
    from moa_tui.engine.agent import Agent
    from moa_tui.engine.events import Event
    from moa_tui.engine.live_change import Alteration
    from moa_tui.store.recording import Recording


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How one run is to go.

    `kept` are replies that need no call. `attended`: somebody is there to tick the points of a checklist.
    `over_budget`: the budgets do not hold for it. `amend` may have the answer written once more.
    """

    kept: Mapping[CallId, Reply]
    attended: bool = False
    over_budget: bool = False
    amend: run.Amend | None = None


@dataclass(frozen=True, slots=True)
class RunProgress:
    """How far a run has come: its turn as changed so far, the replies that are there, who is being asked."""

    turn: Turn
    replies: Mapping[CallId, Reply]
    asked: Mapping[CallId, Agent]
    """The calls that have begun and not ended, each with the agent that is asked."""

    @property
    def layer(self) -> int:
        """The number of the layer at work: the last that any call of has begun in; 0 before the first.

        A call that begins beside the layer before its own is not at work in its own yet.
        """
        if self.asked:
            return min(call.layer for call in self.asked)
        return max((call.layer for call in self.replies), default=0)

    def is_beside_others(self, call: CallId) -> bool:
        """True where `call` is being asked while calls of a layer before its own are, too."""
        return call in self.asked and any(other.layer < call.layer for other in self.asked)

    def as_stopped(self) -> Turn:
        """The turn as it would be if the run were stopped now."""
        replies = dict(self.replies)
        for call, agent in self.asked.items():
            replies.setdefault(call, Reply(agent.name, agent.model, "stopped"))
        return replace(self.turn, outcome=Outcome("stopped", "", dict(sorted(replies.items())), Metrics()))


class RunHandle:
    """A turn that is being answered. `events` gives every event of the run in order, then None.

    None comes whether the run ended, failed or was cancelled.
    """

    def __init__(
        self,
        turn: Turn,
        conversation_id: str,
        backend: Backend,
        recording: Recording | None,
        options: RunOptions,
    ) -> None:
        """Start the run. `recording` keeps it on disk; None for what stays in memory."""
        self.events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._backend = backend
        self._recording = recording
        self._options = options
        self._lock = threading.Lock()
        self._turn = turn
        self._replies: dict[CallId, Reply] = {}
        self._asked: dict[CallId, Agent] = {}
        self._wake: Callable[[], None] | None = None
        self._control = RunControl()
        self._call_faults = CallFaults(backend.gateway.stream)
        self._account = Account(backend.ledger, conversation_id, is_kept=recording is not None)
        self._began = threading.Event()
        self._is_called_off = False
        """True where the run was stopped before it began."""
        self._future: Future[Outcome] = backend.engine.submit(self._answer(turn))
        self._future.add_done_callback(self._ended)

    @property
    def turn(self) -> Turn:
        """The turn without its outcome, with the recipe as it was changed so far."""
        with self._lock:
            return self._turn

    def progress(self) -> RunProgress:
        """How far the run has come, as the engine knows it."""
        with self._lock:
            return RunProgress(self._turn, dict(self._replies), dict(self._asked))

    # On the engine's thread

    async def _answer(self, turn: Turn) -> Outcome:
        gateway = self._backend.gateway
        await gateway.prepare(turn.recipe)
        self._began.set()
        try:
            outcome = await run.run(
                turn.recipe,
                history(turn),
                self._call_faults.stream,
                self._take,
                reused=self._options.kept,
                control=self._control,
                context=run.RunContext(
                    facts=gateway.facts,
                    health=self._backend.health,
                    endpoints=self._backend.endpoints,
                    attended=self._options.attended,
                    budgets=None if self._options.over_budget else self._account.limits,
                    amend=self._options.amend,
                ),
            )
        finally:
            self._account.release()
        return await asyncio.to_thread(with_packed_replies, outcome, turn)

    def _take(self, event: Event) -> None:
        self._follow(event)
        self._call_faults.record(event)
        match event:
            case StepEnded(call, step):
                self._account.book_step(call, step)
            case CallEnded(call, reply):
                self._account.book(call, reply)
        # Recorded first: what a person has seen is on its way to the disk.
        if self._recording is not None:
            self._recording.take(event)
        self.events.put(event)
        self._rouse()

    def _follow(self, event: Event) -> None:
        with self._lock:
            match event:
                case RunChanged(recipe):
                    self._turn = replace(self._turn, recipe=recipe)
                case CallStarted(call, agent) | CallRetried(call, agent):
                    self._asked[call] = agent
                case CallEnded(call, reply) | ReplyChanged(call, reply):
                    self._asked.pop(call, None)
                    self._replies[call] = reply

    def _ended(self, future: Future[Outcome]) -> None:
        bug = None if future.cancelled() else future.exception()
        if bug is not None and not isinstance(bug, MoaTuiError):
            record_bug(bug)
        self.events.put(None)
        self._rouse()

    def _rouse(self) -> None:
        with self._lock:
            wake, self._wake = self._wake, None
        if wake is not None:
            wake()

    # On the thread of whoever follows it

    def wake_with(self, wake: Callable[[], None]) -> None:
        """Have `wake` called once, on any thread, as soon as `events` holds something.

        For a reader that stops looking while the run waits for a person.
        """
        with self._lock:
            self._wake = wake
        if not self.events.empty():
            self._rouse()

    def stop(self) -> None:
        """Stop the run; what was received is kept."""
        if self._began.is_set():
            self._control.stop()
        else:
            self._is_called_off = self._future.cancel()

    def stop_call(self, call: CallId) -> None:
        """Stop one call; the run goes on without it."""
        self._control.stop_call(call)

    def proceed(self) -> None:
        """Go on with the answers that are ready, or with all points of a checklist that waits."""
        self._control.proceed()

    def decide(self, call: CallId, ticked: frozenset[int]) -> None:
        """Keep these points of the checklist that the run waits with, by their places, the first 0."""
        self._control.decide(call, ticked)

    def alter(self, alteration: Alteration) -> Future[bool]:
        """Change the run while it goes; False where it is over, or too far on for this: then stop it first.

        The future raises UsageError for what makes no sense, MissingKeyError before anything is changed.
        """
        return self._backend.engine.submit(self._alter(alteration))

    async def _alter(self, alteration: Alteration) -> bool:
        await self._backend.gateway.prepare(alteration.recipe)
        return self._control.alter(alteration)

    def withdraw(self) -> None:
        """Remove the turn of an ended run from disk where the run never began; else, do nothing.

        For whoever has its prompt back. A turn that nobody withdraws stays on disk, without an answer: a
        program that is left while a run is getting ready must not take the prompt with it.
        """
        if self._recording is not None and (self._is_called_off or not self._began.is_set()):
            self._recording.withdraw()

    def result(self) -> Turn | None:
        """The turn with its outcome, once `events` has given None; None where it was stopped before it began.

        Raises MissingKeyError, or whatever bug ended the run.
        """
        if self._future.cancelled():
            return None
        return replace(self.turn, outcome=self._future.result())
