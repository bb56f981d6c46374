"""The guard of a run's spending: what it refuses, and what may join a layer."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from moa_tui.engine.call import Caller
from moa_tui.engine.events import CallEnded
from moa_tui.engine.health import Health
from moa_tui.engine.plan import Cap, ModelFacts
from moa_tui.engine.recipe import Recipe
from moa_tui.engine.run import RunContext, run
from moa_tui.engine.run_in_progress import RunInProgress
from moa_tui.engine.spending import SpendingGuard
from moa_tui.engine.values import CallId, Chunk, Finish, Message, Reply, Usage, paid
from moa_tui.errors import ModelError, UsageError
from tests.fakes import FakeModels
from tests.helpers import recipe

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.events import Event
    from moa_tui.engine.spending import Budgets

ASK: list[Message] = [{"role": "user", "content": "What is a moa?"}]
TOKENS = 100
"""The longest answer of every agent, at a dollar for each token."""
MODELS = [{"model": name, "max_tokens": TOKENS} for name in ("a", "b")]
WRITER = {"model": "w", "max_tokens": TOKENS}


def a_dollar_a_token(_: Agent) -> ModelFacts:
    return ModelFacts("x", prompt_price=0.0, completion_price=1.0)


def price_unknown(_: Agent) -> ModelFacts:
    return ModelFacts("x")


def guarded(
    max_cost: float | None = None,
    budgets: Budgets | None = None,
    facts: Callable[[Agent], ModelFacts] = a_dollar_a_token,
) -> tuple[RunInProgress, SpendingGuard]:
    limits = {} if max_cost is None else {"max_cost": max_cost}
    tested = recipe(MODELS, [WRITER], **limits)
    caller = Caller(tested.limits, ASK, FakeModels(), lambda _: None, facts, Health())
    progress = RunInProgress(tested, "What is a moa?", {}, caller, lambda _: None)
    return progress, SpendingGuard(progress, caller, budgets)


async def test_without_a_cap_nothing_is_refused() -> None:
    _, guard = guarded()
    assert not guard.is_active
    assert await guard.refusal(1, []) is None


@pytest.mark.parametrize(("max_cost", "is_refused"), [(199.0, True), (200.0, False)])
async def test_a_layer_is_refused_where_its_longest_answers_would_exceed_the_cap(
    max_cost: float, is_refused: bool
) -> None:
    _, guard = guarded(max_cost)
    refusal = await guard.refusal(1, [])
    assert (refusal is not None) is is_refused
    if refusal is not None:
        assert refusal.kind == "max_cost"
        assert "$0.0000 spent and up to $200.0000 to come" in refusal.message


async def test_what_the_run_has_spent_counts_and_a_reused_reply_does_not() -> None:
    progress, guard = guarded(250.0)
    progress.replies[CallId(1, 1)] = Reply("a", "a", "done", text="x", cost=200.0, reused=True)
    assert await guard.refusal(2, []) is None
    progress.replies[CallId(1, 2)] = Reply("b", "b", "done", text="x", cost=200.0)
    assert await guard.refusal(2, []) is not None


class Purse:
    """One budget of a day, shared with others who have spent `spent` of it."""

    def __init__(self, total: float, spent: float = 0.0) -> None:
        self.total, self.spent = total, spent
        self.held: dict[CallId, float] = {}
        self.threads: list[str] = []

    def reserve(self, prices: Mapping[CallId, float]) -> Cap | None:
        self.threads.append(threading.current_thread().name)
        return self.reserve_now(prices)

    def reserve_now(self, prices: Mapping[CallId, float]) -> Cap | None:
        others = sum(price for call, price in self.held.items() if call not in prices)
        cap = Cap("day", self.total, self.spent, others)
        if sum(prices.values()) > cap.left:
            return cap
        self.held |= prices
        return None

    def release(self) -> None:
        self.held.clear()


async def test_the_budget_is_asked_on_another_thread_before_each_layer() -> None:
    purse = Purse(1_000.0)
    _, guard = guarded(budgets=purse)
    assert await guard.refusal(1, []) is None
    purse.spent = 950.0
    refusal = await guard.refusal(2, [])
    assert refusal is not None
    assert refusal.kind == "budget"
    assert "$950.0000 of the day's budget of $1000 are spent, and up to $100.0000" in refusal.message
    assert len(purse.threads) == 2
    assert threading.current_thread().name not in purse.threads


async def test_what_an_earlier_layer_never_asked_for_is_held_no_longer() -> None:
    _, guard = guarded(250.0, budgets=Purse(250.0))
    assert await guard.refusal(1, []) is None
    assert await guard.refusal(2, []) is None


async def test_both_limits_are_named_where_a_price_is_unknown() -> None:
    _, guard = guarded(5.0, budgets=Purse(5.0), facts=price_unknown)
    assert await guard.refusal(2, []) is None
    assert guard.notes == ["price unknown, not counted against max_cost and the budget: w"]


async def test_a_call_that_joins_is_held_against_the_budget_too() -> None:
    progress, guard = guarded(budgets=Purse(350.0))
    assert await guard.refusal(1, []) is None
    joining = [(CallId(1, 3), progress.seats(1)[0][1])]
    guard.admit(joining, [])
    with pytest.raises(UsageError, match="more would pass"):
        guard.admit([(CallId(1, 4), joining[0][1])], [])


# Requests after the first


def priced_run(max_cost: float | None, budgets: Budgets | None, *layers: Any, **scripts: Any) -> Any:
    limits = {} if max_cost is None else {"max_cost": max_cost}
    models = FakeModels(**scripts)
    tested = recipe(*layers, agents=FALLBACK, **limits)
    context = RunContext(facts=a_dollar_a_token, budgets=budgets)
    return models, run(tested, ASK, models, lambda _: None, context=context)


FALLBACK = {
    "a": {"model": "a", "max_tokens": TOKENS, "fallback": ["spare"]},
    "spare": {"model": "spare", "max_tokens": TOKENS},
    "b": {"model": "b", "max_tokens": TOKENS},
}
THOUGHT = [Chunk("reasoning", "hm"), Finish("stop", Usage(0, 60, estimated=False), 60.0)]


@pytest.mark.parametrize(("total", "is_asked"), [(150.0, False), (160.0, True)])
@pytest.mark.parametrize("is_budget", [True, False])
async def test_a_fallback_is_asked_only_where_it_can_be_paid_beside_the_agent_that_failed(
    total: float, is_asked: bool, is_budget: bool
) -> None:
    limits = (None, Purse(total)) if is_budget else (total, None)
    models, running = priced_run(*limits, ["a"], a=[THOUGHT])
    outcome = await running
    reply = outcome.replies[CallId(1, 1)]
    assert bool(models.asked["spare"]) is is_asked
    assert (reply.status, reply.cost) == (("done", 60.001) if is_asked else ("failed", 60.0))
    assert any("was asked instead" in note for note in reply.notes) is is_asked
    if not is_asked:
        assert outcome.error is not None
        assert outcome.error.kind == ("budget" if is_budget else "max_cost")
        assert "spare was not asked" in outcome.error.message


async def test_a_second_try_is_not_made_once_others_have_spent_the_budget(no_backoff: None) -> None:
    purse = Purse(100.0)

    models, running = priced_run(None, purse, ["b"], b=[[ModelError("server", "down", 500)], ["text"]])
    first = models.__call__

    async def stream(agent: Agent, messages: Sequence[Message]) -> AsyncIterator[Any]:
        purse.spent = 90.0
        async for piece in first(agent, messages):
            yield piece

    running.close()
    context = RunContext(facts=a_dollar_a_token, budgets=purse)
    outcome = await run(recipe(["b"], agents=FALLBACK), ASK, stream, lambda _: None, context=context)
    assert len(models.asked["b"]) == 1
    assert (outcome.error and outcome.error.kind, outcome.cost) == ("budget", 0.0)


async def test_a_layer_that_a_budget_left_without_answers_can_be_gone_on_with() -> None:
    purse = Purse(200.0)
    models, running = priced_run(None, purse, ["b", "b"], ["b"])

    def reserve(prices: Mapping[CallId, float]) -> Cap | None:
        refused = Purse.reserve(purse, prices)
        purse.spent = 200.0
        return refused

    purse.reserve = reserve  # type: ignore[method-assign]
    outcome = await running
    assert not models.asked["b"]
    assert outcome.error is not None
    assert outcome.error.kind == "budget"


async def test_calls_may_join_as_long_as_the_cap_leaves_room_for_them() -> None:
    progress, guard = guarded(350.0)
    assert await guard.refusal(1, []) is None
    joining = progress.seats(1)[0][1]
    guard.admit([(CallId(1, 3), joining)], [])
    with pytest.raises(UsageError, match=r"up to \$100.0000 more would pass"):
        guard.admit([(CallId(1, 4), joining)], [])


async def test_an_unknown_price_counts_as_nothing_and_is_noted() -> None:
    progress, guard = guarded(0.01, facts=price_unknown)
    progress.replies[CallId(1, 1)] = Reply("early", "a", "done", text="x")
    assert await guard.refusal(2, []) is None
    assert progress.notes == ["L1.1 early: cost unknown, not counted against max_cost"]
    assert guard.notes == ["price unknown, not counted against max_cost: w"]


@pytest.mark.parametrize("first_price", [60.0, None])
async def test_the_known_part_of_a_calls_cost_is_never_lost(first_price: float | None) -> None:
    """Of an agent that failed and its fallback one price is unknown: the other is booked and counted."""
    second_price = 60.0 if first_price is None else None
    thought = [Chunk("reasoning", "hm"), Finish("stop", None, first_price)]
    answer = ["text", Finish("stop", None, second_price)]
    booked: list[float] = []
    models = FakeModels(a=[thought], spare=[answer])
    tested = recipe(["a"], agents=FALLBACK)

    def note(event: Any) -> None:
        if isinstance(event, CallEnded):
            booked.append(paid([event.reply]).known_cost)

    outcome = await run(tested, ASK, models, note, context=RunContext(facts=price_unknown))
    assert (outcome.status, outcome.cost, booked) == ("done", None, [60.0])


# An agent's own cap


def capped(max_cost: float, **more: Any) -> dict[str, Any]:
    return {"model": "a", "max_tokens": TOKENS, "max_cost": max_cost, **more}


def answer(cost: float) -> list[Any]:
    return [Chunk("text", f"an answer for {cost}"), Finish("stop", Usage(0, 1, estimated=False), cost)]


async def test_an_agent_is_asked_as_long_as_its_own_cap_leaves_room() -> None:
    models = FakeModels(a=[answer(30.0)] * 3, w=["the answer"])
    is_refused = asyncio.Event()

    async def stream(agent: Agent, messages: Sequence[Message]) -> AsyncIterator[Any]:
        # Two calls that may cost a hundred dollars each are open at once; a third would pass the cap.
        await is_refused.wait()
        async for piece in models(agent, messages):
            yield piece

    def emit(event: Event) -> None:
        if isinstance(event, CallEnded) and event.reply.status == "failed":
            is_refused.set()

    tested = recipe([capped(260.0, count=3)], [WRITER])
    outcome = await run(tested, ASK, stream, emit, context=RunContext(facts=a_dollar_a_token))
    assert len(models.asked["a"]) == 2
    assert [outcome.replies[CallId(1, index)].status for index in (1, 2, 3)] == ["done", "done", "failed"]
    refused = outcome.replies[CallId(1, 3)]
    assert refused.error is not None
    assert refused.error.kind == "max_cost"
    assert "a 3 was not asked: $0.0000 spent, $200.0000 held for open calls and up to $100.0000 to come" in (
        refused.error.message
    )
    assert "its own max_cost $260" in refused.error.message
    assert refused.cost == 0.0
    assert (outcome.status, outcome.answer) == ("done", "the answer")


async def test_what_an_agent_has_spent_in_an_earlier_layer_counts() -> None:
    models = FakeModels(a=[answer(60.0), answer(60.0)], b=["another"])
    tested = recipe([capped(150.0), MODELS[1]], [capped(150.0)])
    outcome = await run(tested, ASK, models, lambda _: None, context=RunContext(facts=a_dollar_a_token))
    assert len(models.asked["a"]) == 1
    assert outcome.error is not None
    assert "$60.0000 spent and up to $100" in outcome.error.message


async def test_agents_whose_own_names_end_with_a_number_have_a_cap_each() -> None:
    models = FakeModels(a=[answer(60.0)] * 3, w=["the answer"])
    names = ("draft 1", "draft 2")
    tested = recipe([capped(150.0, name=name) for name in names], [WRITER])
    outcome = await run(tested, ASK, models, lambda _: None, context=RunContext(facts=a_dollar_a_token))
    assert [outcome.replies[CallId(1, index)].status for index in (1, 2)] == ["done", "done"]


async def test_a_fallback_is_asked_where_an_agents_own_cap_is_passed() -> None:
    models = FakeModels(spare=["from the spare"])
    agents = {"a": {**capped(50.0), "fallback": ["spare"]}, "spare": FALLBACK["spare"]}
    tested = recipe(["a"], agents=agents)
    outcome = await run(tested, ASK, models, lambda _: None, context=RunContext(facts=a_dollar_a_token))
    assert outcome.answer == "from the spare"
    assert not models.asked["a"]


async def test_a_default_cap_is_each_agents_own() -> None:
    models = FakeModels(a=[answer(1.0)], b=[answer(1.0)])
    tested = Recipe.model_validate(
        {
            "name": "test",
            "defaults": {"max_cost": 50.0},
            "layers": [{"agents": MODELS}, {"agents": [WRITER]}],
            "limits": {"retries": 0},
        }
    )
    outcome = await run(tested, ASK, models, lambda _: None, context=RunContext(facts=a_dollar_a_token))
    assert not models.asked["a"]
    assert not models.asked["b"]
    assert outcome.status == "failed"


async def test_an_unknown_price_is_not_counted_against_an_agents_own_cap() -> None:
    models = FakeModels(a=["an answer"], w=["the answer"])
    tested = recipe([capped(0.01)], [WRITER])
    outcome = await run(tested, ASK, models, lambda _: None, context=RunContext(facts=price_unknown))
    assert outcome.answer == "the answer"
    assert any("not counted against max_cost" in note for note in outcome.notes)
