"""A bulk run on the machines of a Ray cluster: tasks answer prompts, and the driver keeps what comes.

Ray places the tasks, asks for more machines while some wait, and says when a worker was lost; the driver then
hands the rest of that task in anew, with all calls that have reached the folder. Ray's own retry would run a
task again from what it was first given, and would drop as many of its new items as had come of the old ones
(a retried streaming generator is matched with the first by position alone), so it is switched off.

Tasks and what they send back may be written to the disk of any machine of the cluster, as Ray's objects are.
So no key is in them, nor in a runtime environment.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import math
import os
import pickle
import queue
import socket
import threading
import time
from collections import Counter, deque
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from moa_tui import __version__
from moa_tui.engine.values import CallId
from moa_tui.errors import MoaTuiError, UsageError
from moa_tui.evaluation.bulk import BulkProgress
from moa_tui.evaluation.forecast import forecast
from moa_tui.evaluation.parcels import KeptCall, KeptResult, Servers, Stopped, keys_of, parcel_of
from moa_tui.evaluation.spending import BulkSpending
from moa_tui.text.safe import quoted_name, safe_row
from moa_tui.text.wording import money

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from moa_tui.chat.backend import Backend
    from moa_tui.engine.plan import Cap
    from moa_tui.evaluation.bulk import BulkOptions, Job, RunLog
    from moa_tui.evaluation.parcels import Item
    from moa_tui.evaluation.spending import RunSpending
    from moa_tui.evaluation.values import RunKey

AUTO = "auto"
"""Stands for the cluster that this machine belongs to."""

# Nothing but the batch itself is to leave this machine: no figures for Ray's makers, and not the folder that
# the command is started in, which Ray sends to all workers of a driver that `uv run` has started.
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
}
_CONNECT_SECONDS, _BEGIN_SECONDS = 5.0, 20.0
_WAIT_SECONDS = 0.25
_FETCH_SECONDS = 60.0
"""How long an item may take to arrive whose machine may be gone."""
_CANCEL_SECONDS = 5.0
_MOST_JOBS = 16
"""The prompts of a task: a lost worker holds up few, and starting one costs little beside its calls."""
_FEWEST_OPEN = 16
"""The number of tasks that are handed in at once at least, so that Ray sees that more machines are needed."""
_MOST_LOSSES = 3
_WHOLE = CallId(0, 0)
"""Stands for all calls of a parcel where their price is held."""


class Cluster:
    """A connection to a Ray cluster, which ends with the block."""

    def __init__(self, ray: Any, address: str) -> None:
        """Use `connect`."""
        self._ray = ray
        self.address = address
        self._quiet = contextlib.ExitStack()

    def __enter__(self) -> Self:
        # Ray prints which workers were lost to standard output, over whatever stands on the terminal.
        nowhere = self._quiet.enter_context(Path(os.devnull).open("w"))
        self._quiet.enter_context(contextlib.redirect_stdout(nowhere))
        return self

    def __exit__(self, *exc: object) -> None:
        self._ray.shutdown()
        self._quiet.close()

    @property
    def cores(self) -> int:
        """The number of tasks that go at once."""
        return max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def submit(self, payload: bytes) -> Any:
        """Hand in a parcel; the generator of what comes of it."""
        task = self._ray.remote(_parcel_task())
        options = {"num_cpus": 1, "num_returns": "streaming", "max_retries": 0, "name": "moa-tui batch"}
        return task.options(scheduling_strategy="SPREAD", **options).remote(__version__, payload)

    def ready(self, generators: list[Any]) -> list[Any]:
        """Those of the generators that have something, or have ended; waits a moment for the first."""
        return list(self._ray.wait(generators, num_returns=1, timeout=_WAIT_SECONDS, fetch_local=False)[0])

    def next(self, generator: Any) -> list[Item] | None:
        """The next items of a generator; None behind the last, and where it was cancelled.

        Raises WorkerLostError where its worker is gone, UsageError where the worker cannot answer at all,
        and whatever the task raised.
        """
        errors = self._ray.exceptions
        try:
            value = self._ray.get(next(generator), timeout=_FETCH_SECONDS)
        except (StopIteration, errors.TaskCancelledError):
            return None
        except errors.RayTaskError:
            raise
        except errors.RayError as error:
            raise WorkerLostError(_first_lines(error)) from error
        if isinstance(value, str):
            raise UsageError(value)
        items: list[Item] = pickle.loads(value)  # noqa: S301 - from a worker of the same cluster
        return items

    def cancel(self, generators: list[Any]) -> None:
        """Ask these tasks to stop."""
        for generator in generators:
            self._ray.cancel(generator)


class WorkerLostError(Exception):
    """The worker of a task is gone."""


def connect(address: str) -> Cluster:
    """The cluster at `address`, which is HOST:PORT, or "auto" for that of this machine.

    Raises UsageError where ray is not installed, or the cluster cannot be reached or is of another version.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        ray = importlib.import_module("ray")
    except ImportError as error:
        raise UsageError("--ray needs Ray, which is not installed: pip install 'moa-tui[ray]'") from error
    place = _own_cluster() if address == AUTO else address
    if place != AUTO:
        _check_reached(place)
    # Asked for its own cluster, Ray takes the token of this machine by itself; at an address it never does.
    if (problem := _begin(ray, address)) is None:
        return Cluster(ray, place)
    if place == AUTO and isinstance(problem, ConnectionError):
        raise UsageError(
            "no Ray cluster runs on this machine: start one with `ray start --head`, name the address of "
            "another, or leave out --ray, which needs none"
        ) from problem
    raise UsageError(
        f"the Ray cluster at {quoted_name(place)} cannot be used: {_first_lines(problem)}"
    ) from problem


def _begin(ray: Any, address: str) -> BaseException | None:
    """Connect to the cluster; the error where that fails, or takes too long.

    Where the cluster does not answer, Ray tries for minutes and then ends the thread.
    """
    ends: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

    def begin() -> None:
        try:
            ray.init(address=address, logging_level="ERROR", log_to_driver=False)
        except (Exception, SystemExit) as error:
            ends.put(error)
        else:
            ends.put(None)

    with contextlib.redirect_stdout(io.StringIO()):
        threading.Thread(target=begin, name="moa-ray-connect", daemon=True).start()
        try:
            return ends.get(timeout=_BEGIN_SECONDS)
        except queue.Empty:
            return TimeoutError(
                f"it does not answer within {_BEGIN_SECONDS:g} seconds; where it asks for a token, set "
                "RAY_AUTH_MODE=token"
            )


def _own_cluster() -> str:
    """The address of the cluster of this machine, as Ray notes it; "auto" where it must look for it."""
    noted = Path(os.environ.get("RAY_TMPDIR", "/tmp")) / "ray" / "ray_current_cluster"  # noqa: S108
    with contextlib.suppress(OSError, ValueError):
        return os.environ.get("RAY_ADDRESS") or noted.read_text("utf-8").strip() or AUTO
    return os.environ.get("RAY_ADDRESS") or AUTO


def _check_reached(address: str) -> None:
    """Raise UsageError unless something listens at the address; Ray itself would try for minutes."""
    name = quoted_name(address)
    if "://" in address:
        raise UsageError(
            f"--ray {name}: the batch must be started on a machine of the cluster, with --ray auto or the "
            "HOST:PORT of its head; Ray's client protocol cannot stream answers back"
        )
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65_536:
        raise UsageError(f"--ray {name} is no address: give HOST:PORT, as 10.0.0.5:6379, or auto")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or str(error) or "no answer"
        raise UsageError(f"no Ray cluster answers at {name}: {words}") from error


def _first_lines(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return safe_row(" ".join(lines[:3])) or type(error).__name__


def _parcel_task() -> Callable[[str, bytes], Iterator[bytes | str]]:
    """The task that answers a parcel on a worker; a text of it says why the worker cannot.

    Ray sends a function inside another whole, so that it runs, and says what is missing, also where moa-tui
    is not installed or is of another version.
    """

    def moa_tui_parcel(version: str, payload: bytes) -> Iterator[bytes | str]:
        import importlib
        import os
        import pickle
        import socket

        worker = f"the Ray worker on {socket.gethostname()}"
        try:
            own_version = importlib.import_module("moa_tui").__version__
            if own_version != version:
                yield f"{worker} has moa-tui {own_version}, and this is {version}: install the same there"
                return
            parcels = importlib.import_module("moa_tui.evaluation.parcels")
            parcel = pickle.loads(payload)  # noqa: S301 - from the driver
        except ImportError as error:
            yield f"{worker} cannot import moa-tui ({error}): install moa-tui {version} there"
            return
        for items in parcels.answered(parcel, os.environ):
            refusals = [item for item in items if isinstance(item, parcels.Stopped) and item.is_refusal]
            if refusals:
                yield f"{worker}: {refusals[0].why}"
                return
            yield pickle.dumps(items)

    return moa_tui_parcel


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
                self._ended_calls,
                self._open_tasks,
                self._spending.paid,
                time.monotonic() - self._began,
                dict(self._failures),
                "",
                self._stopped_by,
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
