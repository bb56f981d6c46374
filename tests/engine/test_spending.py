"""The guard of a run's spending: what it refuses, and what may join a layer."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from moa_tui.engine.call import Caller
from moa_tui.engine.health import Health
from moa_tui.engine.plan import Cap, ModelFacts
from moa_tui.engine.run_in_progress import RunInProgress
from moa_tui.engine.spending import SpendingGuard
from moa_tui.engine.values import CallId, Message, Reply
from moa_tui.errors import UsageError
from tests.fakes import FakeModels
from tests.helpers import recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from moa_tui.engine.agent import Agent

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
    caps: Callable[[], Sequence[Cap]] | None = None,
    facts: Callable[[Agent], ModelFacts] = a_dollar_a_token,
) -> tuple[RunInProgress, SpendingGuard]:
    limits = {} if max_cost is None else {"max_cost": max_cost}
    tested = recipe(MODELS, [WRITER], **limits)
    caller = Caller(tested.limits, ASK, FakeModels(), lambda _: None, facts, Health())
    progress = RunInProgress(tested, "What is a moa?", {}, caller, lambda _: None)
    return progress, SpendingGuard(progress, caller, caps)


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


async def test_the_nearest_budget_is_asked_for_on_another_thread_before_each_layer() -> None:
    threads: list[str] = []
    spent = [0.0, 950.0]

    def caps() -> list[Cap]:
        threads.append(threading.current_thread().name)
        return [Cap("conversation", 5_000.0, 0.0), Cap("day", 1_000.0, spent[len(threads) - 1])]

    _, guard = guarded(caps=caps)
    assert await guard.refusal(1, []) is None
    refusal = await guard.refusal(2, [])
    assert refusal is not None
    assert refusal.kind == "budget"
    assert "of the day's budget of $1000 are spent" in refusal.message
    assert threading.current_thread().name not in threads


async def test_calls_may_join_as_long_as_the_cap_leaves_room_for_them() -> None:
    progress, guard = guarded(350.0)
    assert await guard.refusal(1, []) is None
    joining = progress.seats(1)[:1]
    guard.admit(joining, [])
    with pytest.raises(UsageError, match=r"up to \$100.0000 more would pass"):
        guard.admit(joining, [])


async def test_an_unknown_price_counts_as_nothing_and_is_noted() -> None:
    progress, guard = guarded(0.01, facts=price_unknown)
    progress.replies[CallId(1, 1)] = Reply("early", "a", "done", text="x")
    assert await guard.refusal(2, []) is None
    assert progress.notes == ["L1.1 early: cost unknown, not counted against max_cost"]
    assert guard.notes == ["price unknown, not counted against max_cost: w"]
