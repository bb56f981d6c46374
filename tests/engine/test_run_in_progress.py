"""The state of a run: what counts, what a layer reads, and when its stragglers are left behind."""

from __future__ import annotations

import asyncio

import pytest

from moa_tui.engine.call import Caller
from moa_tui.engine.events import CallEnded, Event, ReplyChanged
from moa_tui.engine.finished_layer import LayerResult
from moa_tui.engine.health import Health
from moa_tui.engine.plan import facts_unknown
from moa_tui.engine.run_in_progress import RunInProgress
from moa_tui.engine.tasks import Reference
from moa_tui.engine.values import CallId, Failure, Message, Reply, Status
from tests.fakes import FakeModels
from tests.helpers import recipe

ASK: list[Message] = [{"role": "user", "content": "What is a moa?"}]
A, B, C = (CallId(1, index) for index in (1, 2, 3))


class Bench:
    """The state of a run of three proposers and a writer, with the events that it emits."""

    def __init__(self, **first_layer: object) -> None:
        tested = recipe({"agents": ["a", "b", "c"], **first_layer}, ["b"], {"agents": ["w"], "reads": "all"})
        self.events: list[Event] = []
        self.caller = Caller(tested.limits, ASK, FakeModels(), self.events.append, facts_unknown, Health())
        self.progress = RunInProgress(tested, "What is a moa?", {}, self.caller, self.events.append)
        self.progress.current_layer = 1


def answer(text: str, status: Status = "done") -> Reply:
    return Reply("x", "x", status, text=text)


@pytest.mark.parametrize(
    ("reply", "use_partial", "counts"),
    [
        (answer("text"), False, True),
        (answer(" \n"), False, False),
        (answer("text", "partial"), False, False),
        (answer("text", "partial"), True, True),
        (answer("text", "stopped"), True, False),
        (answer("text", "excluded"), True, False),
    ],
)
async def test_a_text_counts_where_it_is_whole_or_partial_ones_are_allowed(
    reply: Reply, use_partial: bool, counts: bool
) -> None:
    progress = Bench(use_partial=use_partial).progress
    progress.end_call(B, reply)
    assert progress.usable(1) == ([B] if counts else [])


async def test_of_a_reference_passed_on_twice_the_newest_is_read_in_the_newest_place() -> None:
    progress = Bench().progress
    old, other = Reference("a", "old", call=A), Reference("b", "other", call=B)
    new = Reference("a", "new", call=A)
    progress.results[1] = LayerResult([old, other], [A, B])
    progress.results[2] = LayerResult([new], [CallId(2, 1)])
    assert progress.references_for(2) == [old, other]
    assert progress.references_for(3) == [other, new]


async def test_a_changed_reply_is_told_as_a_change_and_not_as_an_end() -> None:
    bench = Bench()
    bench.progress.end_call(A, answer("first"))
    bench.progress.change_reply(A, answer("second"))
    assert bench.events == [CallEnded(A, answer("first")), ReplyChanged(A, answer("second"))]
    assert bench.progress.replies[A].text == "second"


async def test_a_filled_quorum_ends_the_open_calls_after_the_grace_period() -> None:
    bench = Bench(quorum=1, grace_seconds=0.0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5), bench.caller.open_scope(C) as scope:
            bench.progress.end_call(A, answer("text"))
            await asyncio.Event().wait()
    assert scope.ended_by == Failure("left_behind", "left behind: 1 answers were ready 0 s before")
    assert bench.progress.is_cut_short(1)
    assert not bench.progress.is_cut_short(2)


async def test_without_an_answer_nobody_is_left_behind() -> None:
    bench = Bench()
    async with bench.caller.open_scope(C) as scope:
        bench.progress.end_call(A, answer("", "failed"))
        bench.progress.leave_behind("no reason")
    assert scope.ended_by is None
    assert not bench.progress.is_cut_short(1)


async def test_an_ended_layer_starts_no_more_calls_and_its_timer_is_over() -> None:
    bench = Bench(quorum=1, grace_seconds=0.0)
    bench.progress.join = lambda _call, _agent: None
    async with bench.caller.open_scope(C) as scope:
        bench.progress.end_call(A, answer("text"))
        bench.progress.end_layer()
        # A timer of no seconds that was not cancelled runs before the loop comes back here.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert bench.progress.join is None
    assert scope.ended_by is None
