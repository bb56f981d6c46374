"""A bulk run on the machines of a Ray cluster: tasks answer prompts, and the driver keeps what comes.

Ray places the tasks, asks for more machines while some wait, and says when a worker was lost; the driver then
hands the rest of that task in anew, with all calls that have reached the folder. Ray's own retry would run a
task again from what it was first given, and would drop as many of its new items as had come of the old ones
(a retried streaming generator is matched with the first by position alone), so it is switched off.
"""

from __future__ import annotations

import math
import pickle
import threading
import time
from collections import Counter, deque
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from moa_tui.engine.values import CallId
from moa_tui.errors import MoaTuiError
from moa_tui.evaluation.bulk_values import BulkProgress
from moa_tui.evaluation.forecast import forecast
from moa_tui.evaluation.parcels import KeptCall, KeptResult, Servers, Stopped, keys_of, parcel_of
from moa_tui.evaluation.ray_cluster import WorkerLostError
from moa_tui.evaluation.spending import BulkSpending
from moa_tui.text.safe import quoted_name
from moa_tui.text.wording import money

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from moa_tui.chat.backend import Backend
    from moa_tui.engine.plan import Cap
    from moa_tui.evaluation.bulk_values import BulkOptions, Job, RunLog
    from moa_tui.evaluation.parcels import Item
    from moa_tui.evaluation.ray_cluster import Cluster
    from moa_tui.evaluation.spending import RunSpending
    from moa_tui.evaluation.values import RunKey

_CANCEL_SECONDS = 5.0
_MOST_JOBS = 16
"""The prompts of a task: a lost worker holds up few, and starting one costs little beside its calls."""
_FEWEST_OPEN = 16
"""The number of tasks that are handed in at once at least, so that Ray sees that more machines are needed."""
_MOST_LOSSES = 3
_WHOLE = CallId(0, 0)
"""Stands for all calls of a parcel where their price is held."""


@dataclass(eq=False)
class _Task:
    """Jobs that are handed in, or wait for it."""

    jobs: tuple[Job, ...]
    losses: int = 0
    """How many workers in a row were lost before anything came."""
    is_alone: bool = False
    """True where its price did not suffice: it is given all that is left, once nothing else goes."""
    cap: Cap | None = None
    """The budget of which it was given all that is left, if it was."""
    was_stopped: bool = False
    """True where it was left before its end, for want of a budget."""
    generator: Any = None
    spending: RunSpending | None = field(default=None, repr=False)


class RayRun:
    """Answers prompts with recipes on a cluster. It has the methods of a `bulk.BulkRun`.

    `concurrency` is that of each task. The cap of the price and the budget of the day hold over all of them:
    each task is given the most that its calls should cost, or all that is left where it is the only one.
    """

    def __init__(
        self,
        cluster: Cluster,
        backend: Backend,
        servers: Servers,
        log: RunLog,
        jobs: Callable[[], Iterable[Job]],
        total: int,
        options: BulkOptions,
    ) -> None:
        """`backend` makes no calls, but knows prices and budgets; the rest is as for `bulk.BulkRun`."""
        self._cluster = cluster
        self._backend = backend
        self._servers = servers
        self._log = log
        self._jobs = jobs
        self._total = total
        self._options = options
        self._spending = BulkSpending(backend.ledger, options.max_cost, options.paid_before)
        self._lock = threading.Lock()
        self._failures: Counter[str] = Counter()
        self._done_jobs = self._reused_jobs = self._ended_calls = self._open_tasks = 0
        self._stopped_by: str | None = None
        self._turns: dict[tuple[str, str], int] = {}
        """The number of turns of each open job, by recipe and prompt."""
        self._settled: set[RunKey] = set()
        """The runs that failed since the program began; those of an earlier start are tried again."""
        self._waiting: deque[_Task] = deque()
        self._began = time.monotonic()

    # On the thread of whoever made it

    def start(self) -> Future[None]:
        """Begin. The future raises UsageError where a worker cannot answer, and FileError where the folder
        cannot be written any more; what was kept before stays."""
        future: Future[None] = Future()

        def work() -> None:
            try:
                self._run()
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(None)

        threading.Thread(target=work, name="moa-ray", daemon=True).start()
        return future

    def stop(self, why: str) -> None:
        """Hand in nothing more, and stop the open calls; those that have ended and were sent are kept."""
        # Without the lock: this is called by a signal, perhaps while the same thread holds it.
        self._stopped_by = self._stopped_by or why

    def progress(self) -> BulkProgress:
        """How far it has come."""
        with self._lock:
            return BulkProgress(
                self._total,
                self._done_jobs,
                self._reused_jobs,
                calls=self._ended_calls,
                open_runs=self._open_tasks,
                cost=self._spending.paid,
                seconds=time.monotonic() - self._began,
                failures=dict(self._failures),
                stopped_by=self._stopped_by,
            )

    # On the thread of its own

    def _run(self) -> None:
        tasks = self._tasks()
        open_tasks: list[_Task] = []
        try:
            while self._stopped_by is None:
                self._hand_in(tasks, open_tasks)
                if not open_tasks:
                    return
                self._follow(open_tasks)
        finally:
            self._cluster.cancel([task.generator for task in open_tasks])
        end = time.monotonic() + _CANCEL_SECONDS
        while open_tasks and time.monotonic() < end:
            self._follow(open_tasks)

    def _follow(self, open_tasks: list[_Task]) -> None:
        """Keep what has come of the tasks; those that are over are taken out."""
        ready = self._cluster.ready([task.generator for task in open_tasks])
        for task in [task for task in open_tasks if task.generator in ready]:
            open_tasks.remove(task)
            if self._take(task):
                open_tasks.append(task)  # Behind the others, so that each has its turn.
        with self._lock:
            self._open_tasks = len(open_tasks)

    def _tasks(self) -> Iterator[_Task]:
        """The jobs that are not done yet, some at a time."""
        size = max(1, min(_MOST_JOBS, math.ceil(self._total / (2 * self._cluster.cores))))
        jobs: list[Job] = []
        for job in self._jobs():
            if self._is_done(job):
                with self._lock:
                    self._done_jobs += 1
                    self._reused_jobs += 1
                continue
            # The input's other fields are of no use to a worker.
            jobs.append(replace(job, prompt=replace(job.prompt, row={})))
            if len(jobs) == size:
                yield _Task(tuple(jobs))
                jobs = []
        if jobs:
            yield _Task(tuple(jobs))

    def _is_done(self, job: Job) -> bool:
        for key in keys_of(job):
            result = self._log.result(key)
            if result is None or not (result.is_final or key in self._settled):
                return False
            if not result.answer.strip():
                return True
        return True

    def _hand_in(self, tasks: Iterator[_Task], open_tasks: list[_Task]) -> None:
        """Hand in as many tasks as the cluster and the budgets have room for."""
        most = max(_FEWEST_OPEN, 2 * self._cluster.cores)
        while len(open_tasks) < most and self._stopped_by is None:
            task = self._waiting.popleft() if self._waiting else next(tasks, None)
            if task is None:
                return
            task.jobs = tuple(job for job in task.jobs if not self._is_done(job))
            if not task.jobs:
                continue
            if (task.is_alone and open_tasks) or not self._submit(task, is_alone=not open_tasks):
                self._waiting.appendleft(task)
                return
            open_tasks.append(task)

    def _submit(self, task: _Task, *, is_alone: bool) -> bool:
        """Hand a task in; False where its price must wait for what others leave over, or nothing is left."""
        options = replace(self._options, max_cost=None, paid_before=0.0)
        if self._spending.is_limited:
            task.spending = self._spending.of_run()
            price = math.inf if task.is_alone else self._price(task)
            task.cap = task.spending.reserve({_WHOLE: price})
            if task.cap is not None and not is_alone:
                return False
            if task.cap is not None:
                # All that is left; and of two budgets, what is left of that which has less.
                task.cap = task.spending.reserve({_WHOLE: task.cap.left}) or task.cap
                if not (price := task.cap.left):
                    self.stop(_spent(task.cap))
                    return False
            options = replace(options, max_cost=price)
        parcel = parcel_of(task.jobs, self._log, self._servers, options)
        for job in task.jobs:
            self._turns[job.recipe.name, job.prompt.id] = len(job.prompt.turns)
        task.generator = self._cluster.submit(pickle.dumps(parcel))
        return True

    def _price(self, task: _Task) -> float:
        """The most that the calls of a task should cost, in US dollars, unknown prices left out."""
        facts = self._backend.gateway.facts
        return sum(forecast([job.prompt], job.recipe, facts).cost or 0.0 for job in task.jobs)

    def _take(self, task: _Task) -> bool:
        """Keep the next items of a task; False where there will be none."""
        try:
            items = self._cluster.next(task.generator)
        except WorkerLostError as error:
            self._release(task)
            task.losses += 1
            if task.losses >= _MOST_LOSSES:
                names = ", ".join(quoted_name(job.prompt.id) for job in task.jobs[:3])
                raise MoaTuiError(
                    f"{task.losses} Ray workers in a row were lost with prompts {names} (and "
                    f"{max(0, len(task.jobs) - 3)} more), before any call of theirs ended: {error}"
                ) from error
            self._waiting.append(task)
            return False
        if items is None:
            self._release(task)
            if task.was_stopped:
                self._waiting.append(_Task(task.jobs, is_alone=True))
            return False
        task.losses = 0
        for item in items:
            self._keep(task, item)
        return True

    def _keep(self, task: _Task, item: Item) -> None:
        match item:
            case KeptCall(key, call, reply, at):
                self._log.keep_call(key, call, reply, at)
                (task.spending or self._spending.of_run()).book(call, reply)
                with self._lock:
                    self._ended_calls += 1
            case KeptResult(key, result):
                self._log.keep_result(key, result)
                if not result.is_final:
                    self._settled.add(key)
                if key.turn < self._turns[key.recipe, key.prompt] and result.answer.strip():
                    return
                del self._turns[key.recipe, key.prompt]
                with self._lock:
                    self._done_jobs += 1
                    if result.status != "done":
                        self._failures[result.error.kind if result.error is not None else result.status] += 1
            case Stopped() if task.cap is not None:
                self.stop(_spent(task.cap))
            case Stopped():
                task.was_stopped = True

    def _release(self, task: _Task) -> None:
        """Hold nothing more for a task."""
        if task.spending is not None:
            task.spending.release()
            task.spending = None


def _spent(cap: Cap) -> str:
    return f"the rest would pass the {cap.name}'s budget of {money(cap.total)}"
