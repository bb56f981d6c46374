"""The places for calls at an endpoint, which all runs share."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from moa_tui.engine.limits import Endpoints
from moa_tui.engine.plan import ModelFacts
from moa_tui.engine.run import RunContext, run
from tests.fakes import FakeModels
from tests.helpers import recipe, wait_until

if TYPE_CHECKING:
    from moa_tui.engine.agent import Agent
    from moa_tui.engine.values import Message

ASK: list[Message] = [{"role": "user", "content": "What is a moa?"}]


class Calls:
    """Calls that hold their places until they are told to end."""

    def __init__(self) -> None:
        self.endpoints = Endpoints()
        self.open: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self._ends: dict[str, asyncio.Event] = {}

    def begin(self, name: str, most: int | None = 2, endpoint: str = "server") -> None:
        """Begin a call, whose run is the first letter of its name."""

        async def call() -> None:
            async with self.endpoints.place(endpoint, most, name[0]):
                self.open.append(name)
                try:
                    await self._ends[name].wait()
                finally:
                    self.open.remove(name)

        self._ends[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(call())

    async def end(self, *names: str) -> None:
        for name in names:
            self._ends[name].set()
            await self.tasks[name]

    async def cancel(self, name: str) -> None:
        self.tasks[name].cancel()
        with suppress(asyncio.CancelledError):
            await self.tasks[name]

    async def until(self, *names: str) -> None:
        await wait_until(lambda: sorted(self.open) == sorted(names))


async def test_two_runs_have_no_more_calls_open_than_one() -> None:
    calls = Calls()
    for name in ("a1", "a2", "b1", "b2"):
        calls.begin(name)
    await calls.until("a1", "a2")
    await calls.end("a1")
    await calls.until("a2", "b1")
    await calls.end("a2", "b1")
    await calls.until("b2")


async def test_a_run_that_has_none_open_goes_before_one_that_asked_first() -> None:
    calls = Calls()
    for name in ("a1", "a2", "a3", "a4", "b1", "b2"):
        calls.begin(name)
    await calls.until("a1", "a2")
    await calls.end("a1")
    await calls.until("a2", "b1")
    await calls.end("a2")
    await calls.until("b1", "a3")


async def test_a_run_with_more_places_does_not_overtake_one_with_fewer() -> None:
    calls = Calls()
    calls.begin("a1", 3)
    calls.begin("a2", 3)
    calls.begin("b1", 1)
    calls.begin("a3", 3)
    await calls.until("a1", "a2")
    await calls.end("a1")
    await calls.until("a2")
    await calls.end("a2")
    await calls.until("a3", "b1")


async def test_endpoints_and_calls_without_a_limit_do_not_wait() -> None:
    calls = Calls()
    calls.begin("a1", 1)
    calls.begin("b1", 1)
    calls.begin("c1", None)
    calls.begin("b2", 1, "another")
    await calls.until("a1", "b2", "c1")
    await calls.end("a1", "c1")
    await calls.until("b1", "b2")


async def test_a_cancelled_call_leaves_no_place_taken() -> None:
    """Whether it has a place, waits for one, or was given one in the moment in which it is cancelled."""
    calls = Calls()
    for name in ("a1", "b1", "c1", "d1"):
        calls.begin(name, 1)
    await calls.until("a1")
    await calls.cancel("b1")
    calls._ends["a1"].set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await calls.cancel("c1")  # the place of a1 is on its way to it
    await calls.until("d1")
    await calls.cancel("d1")
    calls.begin("e1", 1)
    await calls.until("e1")
    await calls.end("e1")
    assert not any(calls.endpoints._open.values())
    assert not any(calls.endpoints._waiting.values())


async def test_runs_beside_each_other_share_what_the_endpoint_takes() -> None:
    gate = asyncio.Event()
    models = FakeModels(**{name: [[gate, name]] for name in ("a", "b", "c", "d")})
    context = RunContext(facts=lambda agent: ModelFacts("server", concurrency=2), endpoints=Endpoints())
    runs = [
        asyncio.create_task(run(recipe(names, ["judge"]), ASK, models, lambda _: None, context=context))
        for names in (["a", "b"], ["c", "d"])
    ]
    await wait_until(lambda: models.open == 2)
    for _ in range(50):
        await asyncio.sleep(0)
    assert models.open == 2
    gate.set()
    outcomes = await asyncio.gather(*runs)
    assert [outcome.status for outcome in outcomes] == ["done", "done"]


async def test_a_run_that_is_stopped_gives_its_places_to_the_other() -> None:
    gate = asyncio.Event()
    models = FakeModels(a=[[gate]], b=[["text"]])
    endpoints = Endpoints()

    def facts(agent: Agent) -> ModelFacts:
        return ModelFacts("server", concurrency=1)

    def begin(model: str) -> asyncio.Task[object]:
        context = RunContext(facts=facts, endpoints=endpoints)
        return asyncio.create_task(run(recipe([model]), ASK, models, lambda _: None, context=context))

    first = begin("a")
    await wait_until(lambda: models.open == 1)
    second = begin("b")
    first.cancel()
    await second
    assert not any(endpoints._open.values())


async def test_calls_that_wait_and_calls_that_are_open_may_be_cancelled_together() -> None:
    calls = Calls()
    for name in ("a1", "a2", "a3", "b1"):
        calls.begin(name, most=1)
    await calls.until("a1")
    for name in ("a1", "a2", "a3"):
        calls.tasks[name].cancel()
    await asyncio.gather(*(calls.tasks[name] for name in ("a1", "a2", "a3")), return_exceptions=True)
    assert all(calls.tasks[name].cancelled() for name in ("a1", "a2", "a3")), "and nothing else was raised"
    await calls.until("b1")
    await calls.end("b1")
    calls.begin("c1", most=1)
    await calls.until("c1")
