"""Models that say what a test tells them to."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING

from moa_tui.engine.plan import ModelFacts
from moa_tui.engine.values import Chunk, Finish, Moved, Usage
from moa_tui.errors import MissingKeyError, UntrustedServerError
from moa_tui.gateway.answers import Answers
from moa_tui.gateway.thread import EngineThread

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import Message

Step = str | Chunk | Moved | Finish | Exception | asyncio.Event
DONE = Finish("stop", Usage(10, 5, estimated=False), 0.001)


class FakeModels:
    """A Stream. Each model's scripts are played one per call, the last one again and again.

    A step is text, a chunk, a finish, an exception to raise, or an event to wait for. A script without a
    finish is given DONE. A model without a script answers with its own name and the call's number.
    """

    def __init__(self, **scripts: Sequence[Sequence[Step]]) -> None:
        self.scripts = scripts
        self.asked: dict[str, list[tuple[Message, ...]]] = defaultdict(list)
        self.open = 0

    async def __call__(
        self, agent: Agent, messages: Sequence[Message]
    ) -> AsyncGenerator[Chunk | Moved | Finish, None]:
        self.asked[agent.model].append(tuple(messages))
        number = len(self.asked[agent.model])
        scripts = self.scripts.get(agent.model, [[f"{agent.model} says {number}"]])
        script = list(scripts[min(number, len(scripts)) - 1])
        self.open += 1
        try:
            for step in [*script, *([] if any(isinstance(s, Finish) for s in script) else [DONE])]:
                if isinstance(step, asyncio.Event):
                    await step.wait()
                elif isinstance(step, Exception):
                    raise step
                else:
                    await asyncio.sleep(0)
                    yield Chunk("text", step) if isinstance(step, str) else step
        finally:
            self.open -= 1


class FakeGateway:
    """What a chat asks of a gateway. Every variable in `missing` lacks its key until it is taken out."""

    def __init__(self, models: FakeModels) -> None:
        self.stream = models
        self.price: float | None = 0.0
        """US dollars for a token, in and out."""
        self.thinking_tokens = 0
        self.missing: dict[str, str] = {}
        """Model -> the variable that should hold its key."""
        self.untrusted: dict[str, list[tuple[str, str | None]]] = {}
        """Model -> the servers that the person has to confirm before it is asked, with the keys they get."""
        self.answers = Answers()
        self.ready: asyncio.Event | None = None
        """What `prepare` waits for, where a run is to be held before it begins."""
        self.fails: Exception | None = None
        """What `prepare` raises."""

    def missing_keys(self, agents: Sequence[Agent]) -> dict[str, list[str]]:
        missing: dict[str, list[str]] = {}
        for agent in agents:
            if agent.model in self.missing:
                missing.setdefault(self.missing[agent.model], []).append(agent.model)
        return missing

    def check_keys(self, recipe: Recipe) -> None:
        if missing := self.missing_keys(recipe.every_agent()):
            raise MissingKeyError(f"{', '.join(missing)} is not set, for {recipe.name}")
        models = {agent.model for agent in recipe.every_agent()} & self.untrusted.keys()
        if refused := [self.untrusted[model] for model in models if self.answers.get(model) == "never"]:
            raise UntrustedServerError(f"you answered never: {refused}", {})
        if servers := {model: self.untrusted[model] for model in models if self.answers.get(model) is None}:
            raise UntrustedServerError(
                f"it would go to {servers}",
                {model: str(places) for model, places in servers.items()},
                recipe=recipe.label,
                places=[place for places in servers.values() for place in places],
            )

    async def prepare(self, recipe: Recipe) -> None:
        if self.ready is not None:
            await self.ready.wait()
        if self.fails is not None:
            raise self.fails
        self.check_keys(recipe)

    def facts(self, agent: Agent) -> ModelFacts:
        return ModelFacts(
            agent.model,
            prompt_price=self.price,
            completion_price=self.price,
            thinking_tokens=self.thinking_tokens,
        )


class FakeEngine(EngineThread):
    """The real thread; fake models need nothing imported."""

    def warm_up(self) -> None:
        return
