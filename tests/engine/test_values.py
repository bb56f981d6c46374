"""The sum of what replies cost and took."""

from __future__ import annotations

from typing import Any

import pytest

from moa_tui.engine.values import Finish, Paid, Reply, Usage, paid


def reply(cost: float | None, usage: Usage | None = None, *, reused: bool = False) -> Reply:
    return Reply("a", "a", "done", usage=usage or Usage(10, 5, estimated=False), cost=cost, reused=reused)


def test_costs_and_tokens_are_added_up() -> None:
    together = paid([reply(0.5), reply(0.25)])
    assert together == Paid(Usage(20, 10, estimated=False), known_cost=0.75, cost=0.75)
    assert together.tokens == 30


def test_an_unknown_cost_leaves_the_whole_unknown_and_the_rest_known() -> None:
    together = paid([reply(0.5), reply(None), reply(0.25)])
    assert together.cost is None
    assert together.known_cost == 0.75
    assert together.tokens == 45


def test_a_free_reply_is_known_to_cost_nothing() -> None:
    assert paid([reply(0.0)]).cost == 0.0


def test_a_reused_reply_was_paid_for_before() -> None:
    together = paid([reply(0.5), reply(0.25, reused=True), reply(None, reused=True)])
    assert together == Paid(Usage(10, 5, estimated=False), known_cost=0.5, cost=0.5)


def test_one_estimate_makes_the_sum_an_estimate() -> None:
    exact, estimated = Usage(10, 5, estimated=False), Usage(1, 1, estimated=True)
    assert not paid([reply(0.0, exact), reply(0.0, estimated, reused=True)]).usage.estimated
    assert paid([reply(0.0, exact), reply(0.0, estimated)]).usage == Usage(11, 6, estimated=True)


def test_the_tokens_of_caches_are_added_up() -> None:
    usage = Usage(1_000, 5, False, cached_tokens=600, cache_write_tokens=300)
    assert paid([reply(0.1, usage), reply(0.1, usage)]).usage == Usage(2_000, 10, False, 1_200, 600)


@pytest.mark.parametrize("cached", [-1, 11, 1e300, "many", None, True])
def test_a_count_of_a_cache_that_is_no_part_of_the_prompt_is_none(cached: Any) -> None:
    believed = Usage.counted(10, 5, estimated=False, cached=cached, cache_write=0)
    assert believed == Usage(10, 5, estimated=False)
    finish = Finish("stop", Usage(10, 5, False, cached if isinstance(cached, int) else 11))
    assert finish.usage is not None
    assert finish.usage.cached_tokens in (0, 1)


def test_no_replies_cost_nothing_and_nothing_about_them_is_estimated() -> None:
    assert paid([]) == Paid(Usage(estimated=False), known_cost=0.0, cost=0.0)


def test_replies_are_gone_through_once() -> None:
    assert paid(reply(cost) for cost in (0.5, 0.25)).cost == 0.75
