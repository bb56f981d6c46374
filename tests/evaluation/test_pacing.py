"""The places of a bulk run: how many calls are open at an endpoint, and how fast they begin."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from moa_tui.engine.control import RunControl
from moa_tui.engine.plan import ModelFacts
from moa_tui.engine.run import RunContext, run
from moa_tui.errors import ModelError
from moa_tui.evaluation.pacing import BulkEndpoints
from tests.evaluation.limited_servers import AtOnce, Bucket, FixedWindow, LimitedServer, SlidingWindow
from tests.evaluation.virtual_time import run_in_virtual_time
from tests.fakes import FakeModels
from tests.helpers import recipe

if TYPE_CHECKING:
    from collections.abc import Callable

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.events import Event
    from moa_tui.engine.values import Message
    from moa_tui.evaluation.pacing import EndpointState, RunPlaces
    from tests.evaluation.limited_servers import Hint, Limit

ASK: list[Message] = [{"role": "user", "content": "What is a moa?"}]
BUSY = ModelError("rate_limit", "Rate limit reached", 429)


def facts(agent: Agent) -> ModelFacts:
    return ModelFacts("server")


def test_a_refused_call_is_asked_until_it_is_answered_and_waits_do_not_count() -> None:
    """Thirty refusals are more than any call has attempts, and their waits longer than total_seconds."""
    models = FakeModels(a=[*[[BUSY]] * 30, ["text"]])
    asked = recipe(["a"], total_seconds=20, first_token_seconds=5, retries=0)
    events: list[Event] = []

    async def answer() -> str:
        with BulkEndpoints(64).begin() as places:
            context = RunContext(facts=facts, endpoints=places)
            outcome = await run(asked, ASK, models, events.append, context=context)
        assert asyncio.get_running_loop().time() > 60
        (reply,) = outcome.replies.values()
        assert reply.started is not None
        assert reply.started > 60, "nor does it count as the model's own time"
        return outcome.answer

    assert run_in_virtual_time(answer()) == "text"
    assert len(models.asked["a"]) == 31


# ---- how much of its allowance is used

LIMITS: dict[str, Callable[[], Limit]] = {
    "bucket of 5": lambda: Bucket(5, 5),
    "bucket of 1": lambda: Bucket(5, 1),
    "bucket that counts refused": lambda: Bucket(5, 5, counts_refused=True),
    "sliding second": lambda: SlidingWindow(5, 1),
    "sliding second that counts refused": lambda: SlidingWindow(5, 1, counts_refused=True),
    "sliding minute": lambda: SlidingWindow(5, 60),
    "fixed second": lambda: FixedWindow(5, 1),
    "fixed minute": lambda: FixedWindow(5, 60),
}
LATENCIES = {"0.05 s": (0.05,), "1 s": (1.0,), "5 s": (5.0,), "mixed": (0.05, 2.0, 0.3, 5.0, 1.0)}
CALLS = 1400  # 200 prompts with 7 calls each


@pytest.mark.parametrize("latencies", LATENCIES)
@pytest.mark.parametrize("hint", ["none", "seconds", "date"])
@pytest.mark.parametrize("limit", LIMITS)
def test_five_requests_a_second_are_used_and_few_are_refused(
    limit: str, hint: Hint, latencies: str, record_property: Callable[[str, object], None]
) -> None:
    server = LimitedServer(LIMITS[limit](), LATENCIES[latencies], hint)
    seconds = run_in_virtual_time(server.answer(CALLS))
    record_property("share of the ideal", round(seconds / (CALLS / 5), 3))
    record_property("refused", server.refused)
    assert server.answered == CALLS
    assert seconds <= 1.2 * CALLS / 5 + max(LATENCIES[latencies])  # the last answer takes its time
    assert server.refused <= 0.16 * CALLS


@pytest.mark.parametrize("status", [429, 503, 529])
@pytest.mark.parametrize("latencies", ["1 s", "5 s", "mixed"])
@pytest.mark.parametrize("most", [2, 5, 8])
def test_a_server_that_takes_so_many_at_once_is_kept_busy(most: int, latencies: str, status: int) -> None:
    server = LimitedServer(AtOnce(most), LATENCIES[latencies], status=status)
    seconds = run_in_virtual_time(server.answer(CALLS))
    assert server.answered == CALLS
    assert seconds <= 1.2 * server.open_seconds / most
    assert server.refused <= 0.05 * CALLS


@pytest.mark.parametrize(("before", "after"), [(5, 10), (10, 5)])
@pytest.mark.parametrize("limit", ["bucket of 5", "sliding second", "fixed second", "fixed minute"])
def test_an_allowance_that_changes_is_followed(limit: str, before: float, after: float) -> None:
    its_limit = LIMITS[limit]()
    its_limit.rate = before
    server = LimitedServer(its_limit, LATENCIES["mixed"], "seconds")
    seconds = run_in_virtual_time(server.answer(120 * 15, change=(120.0, after)))
    assert server.answered == 120 * 15
    assert seconds <= 1.2 * 240


# ---- how many are open


def test_calls_begin_with_twenty_at_once_and_soon_fill_what_is_allowed() -> None:
    """200 prompts with 7 calls, 64 at once: the beginning costs less than a tenth."""
    server = LimitedServer(Bucket(1e9, 1e9), (1.0, 2.0, 0.5))
    seconds = run_in_virtual_time(server.answer(CALLS))
    assert server.most_open == 64
    assert seconds <= 1.15 * server.open_seconds / 64
    assert server.state.pace is None


def test_the_limit_of_an_endpoint_and_of_the_run_hold() -> None:
    async def most_open(most: int, stated: int | None) -> int:
        endpoints, opened = BulkEndpoints(most), 0

        async def call(places: RunPlaces) -> None:
            nonlocal opened
            with places:
                async with places.place("server", stated, object()):
                    opened = max(opened, endpoints.states()["server"].open)
                    await asyncio.sleep(1)

        async with asyncio.TaskGroup() as group:
            for _ in range(100):
                group.create_task(call(endpoints.begin()))
        return opened

    assert run_in_virtual_time(most_open(7, None)) == 7
    assert run_in_virtual_time(most_open(64, 3)) == 3


def test_a_refusal_halves_the_limit_once_for_all_that_were_sent_together() -> None:
    async def refuse() -> list[int]:
        endpoints = BulkEndpoints(64)
        limits = []
        async with AsyncExitStack() as stack:
            places = endpoints.begin()
            entered = [await stack.enter_async_context(places.place("server", None, 1)) for _ in range(20)]
            for place in entered[:3]:
                assert place.refused(BUSY)
                limits.append(endpoints.states()["server"].limit)
        return limits

    assert run_in_virtual_time(refuse()) == [10, 10, 10]


def test_one_server_that_refuses_does_not_slow_another() -> None:
    async def answer() -> float:
        endpoints = BulkEndpoints(64)
        refusing = endpoints.begin()
        async with refusing.place("refusing", None, 1) as place:
            place.refused(ModelError("rate_limit", "Wait", 429, 300.0))
        await endpoints.room(["other"])
        async with endpoints.begin().place("other", None, 2):
            return asyncio.get_running_loop().time()

    assert run_in_virtual_time(answer()) < 0.01


# ---- who waits, and until when


def test_the_run_that_was_begun_first_goes_first_however_late_it_asks() -> None:
    async def order() -> list[str]:
        endpoints, entered = BulkEndpoints(1), []
        first, second, third = (endpoints.begin() for _ in range(3))

        async def call(name: str, places: RunPlaces) -> None:
            async with places.place("server", None, name):
                entered.append(name)
                await asyncio.sleep(1)

        async with asyncio.TaskGroup() as group:
            asking = {"second": second, "third": third, "third again": third, "first": first}
            for name, places in asking.items():
                group.create_task(call(name, places))
        return entered

    assert run_in_virtual_time(order()) == ["second", "first", "third", "third again"]


def test_room_waits_for_a_begun_run_to_ask_and_then_for_a_place() -> None:
    async def rooms() -> list[float]:
        loop, endpoints, times = asyncio.get_running_loop(), BulkEndpoints(1), []

        async def call(places: RunPlaces, *, asks: bool) -> None:
            with places:
                await asyncio.sleep(1)
                if asks:
                    async with places.place("server", None, 1):
                        await asyncio.sleep(5)

        async with asyncio.TaskGroup() as group:
            for asks in (False, True, False):
                await endpoints.room(["server"])
                times.append(round(loop.time(), 3))
                group.create_task(call(endpoints.begin(), asks=asks))
        return times

    assert run_in_virtual_time(rooms()) == [0, 1, 7]


def test_a_stop_ends_the_wait_for_a_place_at_once() -> None:
    models = FakeModels(a=[[ModelError("rate_limit", "Wait", 429, 500.0)]])

    async def stop() -> tuple[str, float, EndpointState]:
        endpoints, control = BulkEndpoints(64), RunControl()
        asyncio.get_running_loop().call_at(3.0, control.stop)
        with endpoints.begin() as places:
            context = RunContext(facts=facts, endpoints=places)
            outcome = await run(recipe(["a"]), ASK, models, lambda _: None, control=control, context=context)
        return outcome.status, asyncio.get_running_loop().time(), endpoints.states()["server"]

    status, seconds, state = run_in_virtual_time(stop())
    assert (status, round(seconds), state.open, state.waiting) == ("stopped", 3, 0, 0)


def test_an_endpoint_that_admits_nothing_for_ten_minutes_fails_the_calls_in_its_own_words() -> None:
    models = FakeModels(a=[[ModelError("server", "Loading model", 503)]])

    async def fail() -> tuple[list[str], float]:
        endpoints = BulkEndpoints(64)

        async def answer() -> str:
            with endpoints.begin() as places:
                context = RunContext(facts=facts, endpoints=places)
                outcome = await run(recipe(["a"]), ASK, models, lambda _: None, context=context)
            assert outcome.error is not None
            return outcome.error.message

        messages = await asyncio.gather(*(answer() for _ in range(30)))
        return messages, asyncio.get_running_loop().time()

    messages, seconds = run_in_virtual_time(fail())
    assert len(messages) == 30
    assert all("Loading model" in message and "10 minutes" in message for message in messages)
    assert 600 <= seconds <= 615


def test_a_quota_that_is_used_up_is_not_waited_for() -> None:
    models = FakeModels(a=[[ModelError("quota", "You exceeded your quota", 429)]])

    async def fail() -> float:
        with BulkEndpoints(64).begin() as places:
            context = RunContext(facts=facts, endpoints=places)
            await run(recipe(["a"]), ASK, models, lambda _: None, context=context)
        return asyncio.get_running_loop().time()

    assert run_in_virtual_time(fail()) < 1
    assert len(models.asked["a"]) == 1
