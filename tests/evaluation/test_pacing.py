"""The places of a bulk run: how many calls are open at an endpoint, and how fast they begin."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from moa_tui.engine.plan import ModelFacts
from moa_tui.engine.run import RunContext, run
from moa_tui.errors import ModelError
from moa_tui.evaluation.pacing import BulkEndpoints
from tests.evaluation.virtual_time import run_in_virtual_time
from tests.fakes import FakeModels
from tests.helpers import recipe

if TYPE_CHECKING:
    from moa_tui.engine.agent import Agent
    from moa_tui.engine.events import Event
    from moa_tui.engine.values import Message

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
        return outcome.answer

    assert run_in_virtual_time(answer()) == "text"
    assert len(models.asked["a"]) == 31
