"""Calls in bulk to a server that lets so many through in a second and refuses the rest, over HTTP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from moa_tui.engine.run import RunContext, run
from moa_tui.evaluation.pacing import BulkEndpoints
from moa_tui.gateway.gateway import Gateway
from moa_tui.settings.config import Endpoint
from tests.helpers import recipe
from tests.model_server import ModelServer

if TYPE_CHECKING:
    from moa_tui.engine.values import Outcome
    from moa_tui.evaluation.pacing import RunPlaces

PROMPTS = 70


async def test_every_prompt_is_answered_in_a_storm_of_refusals(litellm_is_loaded: None) -> None:
    with ModelServer() as server:
        gateway = Gateway({"lab": Endpoint(base_url=server.url)}, {})
        asked = recipe(["a"], agents={"a": {"model": "lab/limited@allow=40,n=3"}})
        await gateway.prepare(asked)
        endpoints = BulkEndpoints(64)

        async def answer(places: RunPlaces) -> Outcome:
            with places:
                context = RunContext(facts=gateway.facts, endpoints=places)
                return await run(
                    asked, [{"role": "user", "content": "why?"}], gateway.stream, _ignore, context=context
                )

        async with asyncio.TaskGroup() as group:
            runs = []
            for _ in range(PROMPTS):
                await endpoints.room()
                runs.append(group.create_task(answer(endpoints.begin())))
        assert [task.result().status for task in runs] == ["done"] * PROMPTS
        (state,) = endpoints.states().values()
        assert state.refusals == len(server.requests) - PROMPTS > 0
        assert endpoints.refusals == state.refusals
        assert (state.open, state.waiting) == (0, 0)


def _ignore(event: object) -> None:
    pass
