"""Models that say what a test tells them to."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING

from moa_tui.engine.events import Chunk, Finish, Usage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from moa_tui.engine.events import Message
    from moa_tui.engine.recipe import Agent

Step = str | Chunk | Finish | Exception | asyncio.Event
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
    ) -> AsyncGenerator[Chunk | Finish, None]:
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
