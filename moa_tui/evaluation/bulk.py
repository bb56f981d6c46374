"""A bulk run: recipes on many prompts at once, each run kept in a folder, on the engine's one loop.

The engine makes the runs as it makes those of a chat. What is here decides which run begins next, gives each
the replies that the folder has of it already, and keeps what comes.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter, deque
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from moa_tui.engine import run
from moa_tui.engine.control import RunControl
from moa_tui.engine.events import CallEnded, StepEnded
from moa_tui.engine.recipe_edit import with_temperature, without_stairs
from moa_tui.engine.values import Failure, Usage, paid
from moa_tui.errors import MoaTuiError
from moa_tui.evaluation.bulk_values import BulkProgress
from moa_tui.evaluation.pacing import BulkEndpoints
from moa_tui.evaluation.phases import Phase, is_whole, phases_of, with_placeholders, without_quorums
from moa_tui.evaluation.rests import LONGEST_REST, AskedInAnyCase, PlacesBehindRests
from moa_tui.evaluation.spending import BulkSpending
from moa_tui.evaluation.values import RunKey, RunResult, is_settled, was_answered
from moa_tui.settings.fault_log import CallFaults, record_bug

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from moa_tui.chat.backend import Backend
    from moa_tui.engine.events import Event
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import CallId, Message, Outcome, Reply
    from moa_tui.evaluation.bulk_values import BulkOptions, Job, RunLog
    from moa_tui.evaluation.pacing import RunPlaces
    from moa_tui.evaluation.spending import RunSpending

MOST_CALLS = 256
"""The most calls at once to one server where nobody says how many; a server is given so many by and by."""

MOST_REFUSED = 50
"""So many calls in a row that were refused for good, by whatever server, end a bulk run."""
# What is wrong with the account, the key or the model, and so with every prompt.
_REFUSED_FOR_ALL = ("auth", "payment", "forbidden", "not_found", "quota")

_NOTHING: Mapping[CallId, Reply] = MappingProxyType({})


class BulkRun:
    """Answers prompts with recipes. Threads: `start`, `stop` and `progress` are for whoever made it."""

    def __init__(
        self,
        backend: Backend,
        log: RunLog,
        jobs: Callable[[], Iterable[Job]],
        total: int,
        options: BulkOptions,
    ) -> None:
        """`jobs` gives all jobs from the first on, whenever it is called; `total` is their number."""
        self._backend = backend
        self._log = log
        self._jobs = jobs
        self._total = total
        self._options = options
        self.endpoints = BulkEndpoints(options.concurrency or MOST_CALLS)
        self._spending = BulkSpending(backend.ledger, options.max_cost, options.paid_before)
        # A signal may stop it on a thread that holds the lock.
        self._lock = threading.RLock()
        self._controls: dict[RunControl, None] = {}
        self._failures: Counter[str] = Counter()
        self._done_jobs = self._reused_jobs = self._ended_calls = 0
        self._calls_a_job = self._call_seconds = 0.0
        self._begins_all = False
        """True where all prompts that are left are begun, and their first calls go before later ones."""
        self._rest = "", 0.0
        """Why calls wait for an endpoint, and until when, in monotonic seconds."""
        self._phase: str = ""
        self._stopped_by: str | None = None
        self._fault: BaseException | None = None
        self._postponed: deque[Job] = deque()
        self._failed_calls: dict[RunKey, dict[CallId, Reply]] = {}
        """The calls that failed since the program began, which another phase must not ask again."""
        self._settled: set[RunKey] = set()
        """The runs that failed since the program began; those of an earlier start are tried again."""
        self._refused_in_a_row = 0
        self._counted: set[tuple[str, str]] = set()
        self._began = time.monotonic()

    # On the thread of whoever made it

    def start(self) -> Future[None]:
        """Begin. The future raises MissingKeyError, UntrustedServerError or UsageError before any call, and
        FileError where the folder cannot be written any more; what was kept before stays."""
        return self._backend.engine.submit(self._run())

    def stop(self, why: str) -> None:
        """Begin no further prompt, and stop the open calls; those that have ended are kept."""
        with self._lock:
            self._stopped_by = self._stopped_by or why
            controls = list(self._controls)
        for control in controls:
            control.stop()

    def progress(self) -> BulkProgress:
        """How far it has come."""
        now = time.monotonic()
        with self._lock:
            why, until = self._rest
            return BulkProgress(
                self._total,
                self._done_jobs,
                self._reused_jobs,
                self._calls_a_job,
                self._ended_calls,
                self._call_seconds / max(1, self._ended_calls),
                len(self._controls),
                self._spending.paid,
                now - self._began,
                dict(self._failures),
                why if now < until else self._phase,
                self._stopped_by,
                self.endpoints.refusals,
            )

    # On the engine's thread

    async def _run(self) -> None:
        recipes = {job.recipe.name: job.recipe for job in self._first_jobs()}
        for recipe in recipes.values():
            await self._backend.gateway.prepare(recipe)
        if self._options.schedule == "model":
            turns = max((len(job.prompt.turns) for job in self._jobs()), default=0)
            for phase in phases_of(recipes.values(), turns):
                with self._lock:
                    self._phase = f"turn {phase.turn}, layer {phase.layer}: {phase.model}"
                await self._work(self._readable_jobs(), phase)
        await self._work(self._readable_jobs(), None)
        while self._postponed and self._stopped_by is None:
            # With no other call open, nothing is held for one: what does not fit now never will.
            await self._work([self._postponed.popleft()], None, is_alone=True)
        if self._fault is not None:
            raise self._fault

    def _readable_jobs(self) -> Iterator[Job]:
        """All jobs, up to one that cannot be read any more; then the run stops, as for any other fault."""
        try:
            yield from self._jobs()
        except MoaTuiError as error:
            self._fail(error)

    def _first_jobs(self) -> Iterable[Job]:
        """A job of each recipe; all are counted."""
        seen: dict[str, Job] = {}
        calls = 0
        for job in self._jobs():
            seen.setdefault(job.recipe.name, job)
            calls += job.recipe.calls * len(job.prompt.turns)
        self._calls_a_job = calls / max(1, self._total)
        return seen.values()

    async def _work(self, jobs: Iterable[Job], phase: Phase | None, *, is_alone: bool = False) -> None:
        """Answer these jobs, as many at once as there are places for calls."""
        async with asyncio.TaskGroup() as group:
            for number, job in enumerate(jobs, 1):
                # The longest way to the end decides when the last prompts are done: so their first calls
                # all go before anybody's later ones. A budget must not be spent on half of each of them.
                is_near_end = self._total - number < MOST_CALLS and not self._spending.is_limited
                self._begins_all = phase is None and is_near_end
                if not self._begins_all:
                    await self.endpoints.room()
                if self._stopped_by is not None or (self._postponed and not is_alone and phase is None):
                    if self._stopped_by is not None:
                        return
                    self._postponed.append(job)
                    continue
                places = self.endpoints.begin()
                group.create_task(self._answer(job, places, phase, is_alone=is_alone))

    def _on_rest(self, why: str, seconds: float) -> None:
        """Note for how long calls wait for an endpoint; begin nothing more where that is too long."""
        with self._lock:
            self._rest = why, time.monotonic() + seconds
        if seconds > LONGEST_REST:
            self.stop(why)

    async def _answer(self, job: Job, places: RunPlaces, phase: Phase | None, *, is_alone: bool) -> None:
        """Answer all turns of a prompt, or as much of them as the phase asks for."""
        try:
            with places:
                await self._turns(job, places, phase, is_alone=is_alone)
        except Exception as error:
            if not isinstance(error, MoaTuiError):
                record_bug(error)
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        self._fault = self._fault or error
        self.stop(str(error))

    async def _turns(self, job: Job, places: RunPlaces, phase: Phase | None, *, is_alone: bool) -> None:
        recipe = job.recipe
        if phase is not None:
            recipe = without_quorums(without_stairs(recipe))
        if job.prompt.temperature is not None:
            recipe = with_temperature(recipe, job.prompt.temperature)
        history: list[Message] = []
        was_there = True
        last: RunResult | None = None
        for turn, prompt in enumerate(job.prompt.turns, 1):
            key = RunKey(job.recipe.name, job.prompt.id, turn)
            history.append({"role": "user", "content": prompt})
            result: RunResult | Failure | None
            result = kept = self._log.result(key)
            if kept is None or not (kept.is_final or key in self._settled):
                if phase is not None and phase.turn < turn:
                    return
                was_there = False
                reused = job.reused if turn == 1 else _NOTHING
                its_phase = phase if phase is not None and phase.turn == turn else None
                if kept is not None:
                    # Another try: what was cut off is asked again, too.
                    reused = {**reused, **_whole(self._log.calls(key))}
                else:
                    reused = {**reused, **_answered(self._log.calls(key))}
                result = await self._result(key, recipe, history, reused, its_phase, places)
            if isinstance(result, Failure):
                self._postpone(job, result.message, is_alone=is_alone)
                return
            if result is None:
                return
            last = result
            if not result.can_be_gone_on_from:
                # A later turn would answer words that the next start may replace.
                break
            history.append({"role": "assistant", "content": result.answer})
        self._count(job, last, was_there=was_there)

    def _postpone(self, job: Job, why: str, *, is_alone: bool) -> None:
        if is_alone:
            self.stop(why)
        else:
            self._postponed.append(job)

    def _count(self, job: Job, result: RunResult | None, *, was_there: bool) -> None:
        with self._lock:
            if (key := (job.recipe.name, job.prompt.id)) in self._counted:
                return
            self._counted.add(key)
            self._done_jobs += 1
            self._reused_jobs += was_there
            if result is not None and result.status != "done":
                self._failures[result.error.kind if result.error is not None else result.status] += 1

    async def _result(
        self,
        key: RunKey,
        recipe: Recipe,
        history: Sequence[Message],
        reused: Mapping[CallId, Reply],
        phase: Phase | None,
        places: RunPlaces,
    ) -> RunResult | Failure | None:
        """Make a run and keep how it ended; None where it was stopped, or is not over with this phase.

        Where a budget kept a call from being made, that failure, and nothing is kept of how the run ended.
        """
        known: Mapping[CallId, Reply] = {**reused, **self._failed_calls.get(key, {})}
        if phase is not None:
            if all(call in known for call in phase.calls(recipe)):
                return None
            known = with_placeholders(recipe, phase, known)
        outcome = await self._outcome(key, recipe, history, known, places)
        if self._fault is not None:
            return None
        if (refusal := _refusal(outcome)) is not None:
            return refusal
        if outcome.status == "stopped" or not is_whole(outcome):
            return None
        result = _result_of(outcome, time.time())
        self._log.keep_result(key, result)
        if not result.is_final:
            self._settled.add(key)
        return result

    async def _outcome(
        self,
        key: RunKey,
        recipe: Recipe,
        history: Sequence[Message],
        reused: Mapping[CallId, Reply],
        places: RunPlaces,
    ) -> Outcome:
        """Make a run, and keep each of its calls as it ends."""
        gateway, health = self._backend.gateway, self._backend.health
        spending, control = self._spending.of_run(), RunControl()
        faults = CallFaults(gateway.stream)

        def take(event: Event) -> None:
            faults.record(event)
            self._take(key, spending, event)
            if self._begins_all and isinstance(event, CallEnded) and not event.reply.reused:
                places.step_back()

        context = run.RunContext(
            facts=gateway.facts,
            health=AskedInAnyCase(health),
            endpoints=PlacesBehindRests(places, health, self._on_rest),
            budgets=spending if self._spending.is_limited else None,
        )
        with self._lock:
            self._controls[control] = None
        try:
            return await run.run(
                recipe, history, faults.stream, take, reused=reused, control=control, context=context
            )
        finally:
            spending.release()
            with self._lock:
                del self._controls[control]

    def _take(self, key: RunKey, spending: RunSpending, event: Event) -> None:
        """Keep what an event says."""
        match event:
            case StepEnded(call, step):
                spending.book_step(call, step)
            case CallEnded(call, reply) if not reply.reused:
                spending.book(call, reply)
                with self._lock:
                    self._ended_calls += was_answered(reply)
                    if was_answered(reply) and reply.started is not None:
                        self._call_seconds += reply.ended - reply.started
                if reply.status == "failed" and was_answered(reply):
                    self._failed_calls.setdefault(key, {})[call] = reply
                if self._fault is None:
                    try:
                        self._log.keep_call(key, call, reply, time.time())
                    except MoaTuiError as error:
                        self._fail(error)
                self._stop_where_hopeless(reply)

    def _stop_where_hopeless(self, reply: Reply) -> None:
        """Begin no further prompt where everything is refused for a reason that the next prompt has too."""
        if not was_answered(reply):
            return
        if reply.error is None or reply.error.kind not in _REFUSED_FOR_ALL:
            self._refused_in_a_row = 0
            return
        self._refused_in_a_row += 1
        if self._refused_in_a_row == MOST_REFUSED:
            self.stop(f"the last {MOST_REFUSED} calls were refused: {reply.error.message}")


def _answered(calls: Mapping[CallId, Reply]) -> dict[CallId, Reply]:
    """The calls of a run that was cut short which need not be asked again.

    One that failed is, unless a later layer has gone on without it.
    """
    last = max((call.layer for call in calls), default=0)
    return {call: reply for call, reply in calls.items() if reply.status != "failed" or call.layer < last}


def _whole(calls: Mapping[CallId, Reply]) -> dict[CallId, Reply]:
    """The calls of a run that failed which would end no better if they were asked again.

    What read the answers of a layer is asked again where one of these is.
    """
    settled = {call: reply for call, reply in calls.items() if is_settled(reply.status, reply.error)}
    first = min((call.layer for call in calls if call not in settled), default=0)
    return {call: reply for call, reply in settled.items() if not first or call.layer <= first}


def _refusal(outcome: Outcome) -> Failure | None:
    """The failure of a run, or of a call of it, for which no budget was left."""
    errors = (outcome.error, *(reply.error for reply in outcome.replies.values()))
    return next((error for error in errors if error is not None and error.kind == "budget"), None)


def _result_of(outcome: Outcome, ended: float) -> RunResult:
    """How a run ended, with what all of its calls cost, whenever they were paid."""
    together = paid(replace(reply, reused=False) for reply in outcome.replies.values())
    return RunResult(
        outcome.status,
        outcome.answer,
        outcome.error,
        together.usage if outcome.replies else Usage(),
        together.cost,
        outcome.metrics.critical_path_seconds,
        len(outcome.replies),
        ended,
    )
