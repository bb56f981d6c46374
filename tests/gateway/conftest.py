"""One engine thread for all gateway tests, and runs against the fault server over real HTTP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from moa_tui.engine.control import RunControl
from moa_tui.engine.run import RunContext, run
from moa_tui.gateway.gateway import Gateway
from moa_tui.gateway.thread import EngineThread
from moa_tui.settings.config import Endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from moa_tui.engine.events import Event
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import Message, Outcome
    from tests.model_server import ModelServer


@pytest.fixture(scope="session")
def engine(litellm_is_loaded: None) -> Iterator[EngineThread]:
    with EngineThread() as thread:
        yield thread


class Bench:
    """Runs recipes on the engine thread, as the program does; models are written `lab/MODE`."""

    def __init__(self, server: ModelServer, engine: EngineThread) -> None:
        self.server = server
        self.engine = engine
        self.environ = {"LAB_KEY": "sk-canary-5f1d7c"}
        self.gateway = Gateway({"lab": Endpoint(base_url=server.url, key_env="LAB_KEY")}, self.environ)
        self.events: list[Event] = []
        self.control = RunControl()

    def start(self, recipe: Recipe, prompt: str = "hello", **keywords: Any) -> Future[Outcome]:
        history: list[Message] = keywords.pop("history", [{"role": "user", "content": prompt}])

        async def whole() -> Outcome:
            await self.gateway.prepare(recipe)
            outcome = await run(
                recipe,
                history,
                self.gateway.stream,
                self.events.append,
                control=self.control,
                context=RunContext(facts=self.gateway.facts),
                **keywords,
            )
            others = asyncio.all_tasks() - {asyncio.current_task()}
            assert not [task for task in others if "moa_tui" in repr(task)], "a task was left behind"
            return outcome

        return self.engine.submit(whole())

    def run(self, recipe: Recipe, prompt: str = "hello", **keywords: Any) -> Outcome:
        return self.start(recipe, prompt, **keywords).result(timeout=60)


@pytest.fixture
def bench(server: ModelServer, engine: EngineThread) -> Bench:
    return Bench(server, engine)
