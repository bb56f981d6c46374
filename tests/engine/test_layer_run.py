"""The run of one layer: the order of its calls, and what each of them reads."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from moa_tui.engine.call import Caller
from moa_tui.engine.checklist import ChecklistGate
from moa_tui.engine.events import CallStarted, Event
from moa_tui.engine.health import Health
from moa_tui.engine.layer_run import LayerRunner
from moa_tui.engine.plan import facts_unknown
from moa_tui.engine.run_in_progress import RunInProgress
from moa_tui.engine.spending import SpendingGuard
from moa_tui.engine.staircase import EarlyCalls
from moa_tui.engine.tasks import Reference
from moa_tui.engine.values import CallId, Message, Reply
from moa_tui.errors import ModelError
from tests.fakes import FakeModels
from tests.helpers import recipe, wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moa_tui.engine.recipe import Recipe

pytestmark = pytest.mark.usefixtures("no_backoff")

ASK: list[Message] = [{"role": "user", "content": "What is a moa?"}]
REFERENCES = [Reference(name, f"text of {name}", call=CallId(1, at)) for at, name in enumerate("abcde", 1)]


class Bench:
    """A runner of layers on scripted models, with the events of its calls."""

    def __init__(
        self, tested: Recipe, models: FakeModels | None = None, reused: Mapping[CallId, Reply] | None = None
    ) -> None:
        self.models = models or FakeModels()
        self.events: list[Event] = []
        self.caller = Caller(tested.limits, ASK, self.models, self.events.append, facts_unknown, Health())
        self.progress = RunInProgress(tested, "What is a moa?", reused or {}, self.caller, self.events.append)
        gate = ChecklistGate(self.caller, self.events.append, attended=False)
        spending = SpendingGuard(self.progress, self.caller, None)
        early_calls = EarlyCalls(self.progress, self.caller, spending)
        self.runner = LayerRunner(self.progress, self.caller, gate, early_calls)

    @property
    def started(self) -> list[str]:
        return [event.agent.model for event in self.events if isinstance(event, CallStarted)]


async def test_the_calls_of_a_layer_are_open_at_the_same_time_and_one_may_join() -> None:
    gate = asyncio.Event()
    bench = Bench(recipe(["a", "b"], ["w"]), FakeModels(a=[[gate, "a"]], b=[[gate, "b"]], c=[["c"]]))
    task = asyncio.create_task(bench.runner.run(1, []))
    await wait_until(lambda: bench.models.open == 2)
    assert bench.progress.join is not None
    changed = recipe(["a", "b", "c"], ["w"])
    bench.progress.recipe = changed
    bench.progress.join(CallId(1, 3), changed.lineup[0][2])
    await wait_until(lambda: CallId(1, 3) in bench.progress.replies)
    gate.set()
    await task
    assert [bench.progress.replies[call].text for call in bench.progress.usable(1)] == ["a", "b", "c"]
    assert bench.progress.join is None
    assert bench.progress.running == set()


async def test_one_model_at_a_time_begins_with_the_model_that_is_loaded() -> None:
    bench = Bench(recipe(["a", "b", "a"], ["a", "b"], ["w"], one_model_at_a_time=True))
    await bench.runner.run(1, [])
    assert bench.started == ["a", "a", "b"]
    await bench.runner.run(2, REFERENCES)
    assert bench.started[3:] == ["b", "a"]


async def test_one_model_at_a_time_ends_the_layer_once_it_has_a_quorum() -> None:
    layer = {"agents": ["a", "b", "c"], "quorum": 2}
    models = FakeModels(a=[[ModelError("auth", "wrong key", 401)]])
    bench = Bench(recipe(layer, ["w"], one_model_at_a_time=True), models)
    await bench.runner.run(1, [])
    assert bench.started == ["a", "b", "c"]
    bench = Bench(recipe(layer, ["w"], one_model_at_a_time=True))
    await bench.runner.run(1, [])
    assert bench.started == ["a", "b"]


async def test_through_a_window_each_call_reads_the_best_so_far_and_the_next_references() -> None:
    window = {"agents": ["w"], "window": {"size": 3, "repeat": 1}}
    bench = Bench(recipe(list("abcde"), window))
    await bench.runner.run(2, REFERENCES)
    shown = {call.index: [ref.text for ref in refs] for call, refs in bench.progress.shown.items()}
    assert shown == {
        1: ["text of a", "text of b", "text of c"],
        2: ["w says 1", "text of d", "text of e"],
    }


async def test_a_reused_reply_is_not_asked_again_and_loses_the_note_that_it_was_not_passed_on() -> None:
    note = "not passed on: layer 1: top_k 1"
    earlier = Reply("a", "a", "done", text="from before", notes=("a: answer cut at 5", note))
    bench = Bench(recipe(["a", "b"], ["w"]), reused={CallId(1, 1): earlier})
    await bench.runner.run(1, [])
    assert bench.started == ["b"]
    reply = bench.progress.replies[CallId(1, 1)]
    assert (reply.text, reply.reused, reply.notes) == ("from before", True, ("a: answer cut at 5",))
