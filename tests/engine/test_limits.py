"""Waits between tries, and how prices and tokens are estimated before a run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moa_tui.engine.agent import Agent
from moa_tui.engine.limits import is_retryable, retry_wait, shortened_share
from moa_tui.engine.plan import ModelFacts, plan
from moa_tui.engine.tasks import Reference
from moa_tui.engine.token_estimate import estimate_tokens
from moa_tui.errors import ModelError
from tests.helpers import recipe


@given(st.integers(1, 40))
def test_waits_grow_with_jitter_and_have_an_end(attempt: int) -> None:
    wait = retry_wait(ModelError("server", "x", 503), attempt)
    plain = min(0.5 * 2 ** (attempt - 1), 30)
    assert 0.75 * plain <= wait <= 1.25 * plain


def test_the_servers_own_wish_goes_first() -> None:
    assert retry_wait(ModelError("rate_limit", "x", 429, retry_after=7.5), 1) == 7.5
    assert retry_wait(ModelError("rate_limit", "x", 429, retry_after=-1), 1) == 0


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


def test_an_unknown_price_makes_the_whole_unknown() -> None:
    the_recipe = recipe(["a", "b"], ["b"])
    facts = {"a": ModelFacts("x", prompt_price=1.0, completion_price=1.0), "b": ModelFacts("x")}
    expected = plan(the_recipe, [{"role": "user", "content": "hi"}], lambda agent: facts[agent.model])
    assert expected.cost is None
    assert expected.known_cost > 0
