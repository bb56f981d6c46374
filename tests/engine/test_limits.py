"""Waits between tries, and how prices and tokens are estimated before a run."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moa_tui.engine.agent import Agent
from moa_tui.engine.limits import is_retryable, retries_after, retry_wait, shortened_share
from moa_tui.engine.plan import ModelFacts, plan
from moa_tui.engine.tasks import Reference
from moa_tui.engine.token_estimate import estimate_tokens
from moa_tui.engine.values import Usage
from moa_tui.errors import ModelError
from tests.helpers import recipe


@given(st.integers(1, 40), st.sampled_from([500, 502, 408, None]))
def test_waits_grow_with_jitter_and_have_an_end(attempt: int, status: int | None) -> None:
    wait = retry_wait(ModelError("server", "x", status), attempt)
    plain = min(0.5 * 2 ** (attempt - 1), 30)
    assert 0.75 * plain <= wait <= plain


@pytest.mark.parametrize("status", [429, 503, 529])
def test_an_overloaded_server_is_waited_for_half_a_minute_over_five_tries(status: int) -> None:
    error = ModelError("server", "x", status)
    retries = retries_after(error, None)
    longest = [retry_wait(error, attempt, draw=lambda _, high: high) for attempt in range(1, retries + 1)]
    shortest = [retry_wait(error, attempt, draw=lambda low, _: low) for attempt in range(1, retries + 1)]
    assert (longest, sum(longest)) == ([2, 4, 8, 16], 30)
    assert sum(shortest) == 22.5


def test_other_faults_are_met_twice_and_a_recipe_may_say_otherwise() -> None:
    for error in (ModelError("server", "x", 500), ModelError("connection", "refused")):
        assert retries_after(error, None) == 2
    for stated in (0, 1, 10):
        assert retries_after(ModelError("rate_limit", "x", 429), stated) == stated


def test_the_servers_own_wish_goes_first_and_calls_refused_together_come_back_apart() -> None:
    busy = ModelError("rate_limit", "x", 429, retry_after=8.0)
    waits = {retry_wait(busy, 1) for _ in range(20)}
    assert len(waits) > 10
    assert all(8.0 <= wait <= 10.0 for wait in waits), "never before the server said"
    for past in (0.0, -1.0):
        assert retry_wait(ModelError("rate_limit", "x", 429, retry_after=past), 1) == 0


def test_a_wait_ends_while_there_is_time_left_to_ask() -> None:
    busy = ModelError("rate_limit", "x", 429, retry_after=8.0)
    assert retry_wait(busy, 1, 8.5, draw=lambda _, high: high) == 8.5, "the jitter is cut, not the wish"
    assert retry_wait(busy, 1, 5.0) >= 8, "what the call has no time for is the caller's to refuse"
    assert retry_wait(ModelError("server", "x", 503), 4, 6.0) == 3
    assert retry_wait(ModelError("server", "x", 503), 4, -1.0) == 0


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
def test_passing_faults_are_retryable(status: int) -> None:
    assert is_retryable(ModelError("server", "x", status))


def test_a_lost_connection_is_retryable_and_an_empty_account_is_not() -> None:
    assert is_retryable(ModelError("connection", "refused"))
    assert not is_retryable(ModelError("quota", "used up", 429))
    assert not is_retryable(ModelError("timeout", "silent"))


def test_references_are_cut_to_half_or_to_what_fits() -> None:
    references = [Reference("a", "some words " * 4_000)]
    agent = Agent(model="m", max_tokens=1000)
    assert shortened_share(references, agent, ModelFacts("x"), 0) == 0.5
    size = estimate_tokens(references[0].text)
    facts = ModelFacts("x", context_tokens=1_500 + size // 4)
    assert shortened_share(references, agent, facts, 500) == pytest.approx(0.25, abs=0.001)
    assert shortened_share(references, agent, ModelFacts("x", context_tokens=10), 500) == 0.05


def test_the_plan_counts_what_each_layer_reads() -> None:
    facts = ModelFacts("x", context_tokens=8192, prompt_price=0.001, completion_price=0.01)
    the_recipe = recipe([{"model": "a", "max_tokens": 100, "count": 3}], [{"model": "b", "max_tokens": 50}])
    expected = plan(
        the_recipe,
        [{"role": "user", "content": "one two three four five six seven eight nine"}],
        lambda _: facts,
    )
    first, second = expected.layers
    assert [call.usage.completion_tokens for call in first.calls] == [100, 100, 100]
    assert first.calls[0].usage.prompt_tokens == 14
    assert second.calls[0].usage.prompt_tokens > 14 + 300
    assert expected.cost == pytest.approx(
        sum(call.usage.prompt_tokens * 0.001 + call.usage.completion_tokens * 0.01 for call in expected.calls)
    )


def test_the_most_that_a_prompt_costs_is_what_it_costs_where_all_of_it_is_written_to_a_cache() -> None:
    facts = ModelFacts("x", prompt_price=1.0, completion_price=0.0, cache_write_price=1.25, cached_price=0.1)
    facts = replace(facts, least_cached_tokens=100)
    assert [facts.cost(Usage(tokens)) for tokens in (99, 100)] == [99.0, 125.0]
    assert replace(facts, cache_write_price=0.0).cost(Usage(100)) == 100.0, "some charge nothing for it"


def test_room_for_thinking_is_planned_and_paid_but_read_by_nobody() -> None:
    facts = ModelFacts("x", prompt_price=0.0, completion_price=1.0, thinking_tokens=900)
    the_recipe = recipe([{"model": "a", "max_tokens": 100}, {"model": "open"}], [{"model": "b"}])
    first, second = plan(the_recipe, [{"role": "user", "content": "x"}], lambda _: facts).layers
    assert [call.usage.completion_tokens for call in first.calls] == [1_000, 2_048 + 900]
    assert [call.cost for call in first.calls] == [1_000.0, 2_948.0]
    assert 2_148 < second.calls[0].usage.prompt_tokens < 2_148 + 500, "what is read has no thinking in it"


def test_references_are_cut_to_what_leaves_room_for_thinking() -> None:
    references = [Reference("a", "some words " * 4_000)]
    agent = Agent(model="m", max_tokens=1000)
    size = estimate_tokens(references[0].text)
    facts = ModelFacts("x", context_tokens=3_000 + size // 10, thinking_tokens=1500)
    assert shortened_share(references, agent, facts, 500) == pytest.approx(0.1, abs=0.001)


def test_an_unknown_price_makes_the_whole_unknown() -> None:
    the_recipe = recipe(["a", "b"], ["b"])
    facts = {"a": ModelFacts("x", prompt_price=1.0, completion_price=1.0), "b": ModelFacts("x")}
    expected = plan(the_recipe, [{"role": "user", "content": "hi"}], lambda agent: facts[agent.model])
    assert expected.cost is None
    assert expected.known_cost > 0
