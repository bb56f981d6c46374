"""A real model, asked through the gateway and the engine over real HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moa_tui.engine.agent import Agent
from moa_tui.engine.layer import Layer
from moa_tui.engine.recipe import Recipe
from moa_tui.engine.values import CallId

if TYPE_CHECKING:
    from tests.gateway.conftest import Bench


def one_agent(**settings: object) -> Recipe:
    """A recipe of one call; `settings` are the agent's."""
    agent = Agent.model_validate({"model": "lab/smollm2", **settings})
    return Recipe(name="one", layers=(Layer(agents=(agent,)),))


def test_one_call_is_answered_with_the_usage_that_the_server_counts(bench: Bench) -> None:
    outcome = bench.run(one_agent(max_tokens=24), "Say hello.")
    reply = outcome.replies[CallId(1, 1)]
    assert outcome.answer, outcome.error
    assert reply.finish_reason in ("stop", "length")
    assert not reply.usage.estimated
    assert 0 < reply.usage.completion_tokens <= 24
    assert reply.usage.prompt_tokens > 10
