"""Prompts that another process answers, apart from the run folder: what it is sent, and what it sends back.

A parcel has what the folder knows of its prompts, so that nothing is asked twice, and never a key: whoever
answers it takes the keys from its own environment.
"""

from __future__ import annotations

import queue
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from moa_tui.chat.backend import Backend
from moa_tui.errors import MoaTuiError
from moa_tui.evaluation.bulk import BulkRun
from moa_tui.evaluation.values import RunKey, was_answered
from moa_tui.gateway.answers import Answers
from moa_tui.gateway.gateway import Gateway
from moa_tui.gateway.thread import EngineThread

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from moa_tui.engine.values import CallId, Reply
    from moa_tui.evaluation.bulk_values import BulkOptions, Job, RunLog
    from moa_tui.evaluation.values import RunResult
    from moa_tui.settings.config import Endpoint

# A task is cancelled by an exception that comes between two of these waits.
_WAIT_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Servers:
    """Where prompts may go: the endpoints of the config, and the other servers that were confirmed.

    Those are given in words, by the marks of `gateway.destinations`.
    """

    endpoints: Mapping[str, Endpoint]
    confirmed: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Parcel:
    """Jobs to do, with the calls and results that are kept of them."""

    jobs: tuple[Job, ...]
    calls: Mapping[RunKey, Mapping[CallId, Reply]]
    results: Mapping[RunKey, RunResult]
    servers: Servers
    options: BulkOptions


@dataclass(frozen=True, slots=True)
class KeptCall:
    """A call that ended at `at`, in Unix seconds."""

    key: RunKey
    call: CallId
    reply: Reply
    at: float


@dataclass(frozen=True, slots=True)
class KeptResult:
    """How a run ended."""

    key: RunKey
    result: RunResult


@dataclass(frozen=True, slots=True)
class Stopped:
    """A parcel was left before its end, with the reason; `is_refusal`: nothing could be asked at all."""

    why: str
    is_refusal: bool


Item: TypeAlias = KeptCall | KeptResult | Stopped


def parcel_of(jobs: tuple[Job, ...], log: RunLog, servers: Servers, options: BulkOptions) -> Parcel:
    """The parcel of these jobs with all that the log has of them. Raises FileError."""
    calls: dict[RunKey, Mapping[CallId, Reply]] = {}
    results: dict[RunKey, RunResult] = {}
    for job in jobs:
        for key in keys_of(job):
            result = log.result(key)
            if result is not None:
                results[key] = result
            if result is None or not result.is_final:
                calls[key] = log.calls(key)
    return Parcel(jobs, calls, results, servers, options)


def keys_of(job: Job) -> list[RunKey]:
    """The runs of a job, a turn each."""
    return [RunKey(job.recipe.name, job.prompt.id, turn) for turn in range(1, len(job.prompt.turns) + 1)]


def answered(parcel: Parcel, environ: Mapping[str, str]) -> Iterator[list[Item]]:
    """Answer a parcel with the keys of `environ`; what is to be kept, as it comes, some items at a time.

    An iterator that is closed, or that an exception ends, stops all calls. Raises what is a bug.
    """
    items: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
    answers = Answers()
    answers.give(parcel.servers.confirmed, "once")
    with EngineThread() as engine:
        backend = Backend(Gateway(parcel.servers.endpoints, environ, answers=answers), engine)
        log = _ParcelLog(parcel, items)
        bulk = BulkRun(backend, log, lambda: parcel.jobs, len(parcel.jobs), parcel.options)
        future = bulk.start()
        future.add_done_callback(lambda _: items.put(None))
        yield from _until_end(items)
        try:
            future.result()
        except MoaTuiError as error:
            yield [Stopped(str(error), is_refusal=True)]
            return
    if (why := bulk.progress().stopped_by) is not None:
        yield [Stopped(why, is_refusal=False)]


def _until_end(items: queue.SimpleQueue[Item | None]) -> Iterator[list[Item]]:
    """All that is in the queue whenever there is something, until its end."""
    is_over = False
    while not is_over:
        try:
            batch = [items.get(timeout=_WAIT_SECONDS)]
        except queue.Empty:
            continue
        while not items.empty():
            batch.append(items.get())
        is_over = batch[-1] is None
        if present := [item for item in batch if item is not None]:
            yield present


class _ParcelLog:
    """What is kept of a parcel's runs, and sent on: a `bulk.RunLog`."""

    def __init__(self, parcel: Parcel, items: queue.SimpleQueue[Item | None]) -> None:
        self._calls = {key: dict(calls) for key, calls in parcel.calls.items()}
        self._results = dict(parcel.results)
        self._items = items

    def calls(self, key: RunKey) -> dict[CallId, Reply]:
        return self._calls.get(key, {})

    def result(self, key: RunKey) -> RunResult | None:
        return self._results.get(key)

    def keep_call(self, key: RunKey, call: CallId, reply: Reply, at: float) -> None:
        if reply.reused or not was_answered(reply):
            return
        self._calls.setdefault(key, {})[call] = reply
        self._items.put(KeptCall(key, call, reply, at))

    def keep_result(self, key: RunKey, result: RunResult) -> None:
        self._results[key] = result
        self._items.put(KeptResult(key, result))
