"""The program with its border to the models down: what a model sends reaches the screens as it is.

`python -m tests.e2e.unclean ARGUMENTS` is `moa-tui ARGUMENTS`, except that every agent answers with the JSON
string in the environment's `MODEL_SAYS`, and an agent with "failing" in its name fails with it.
"""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING

from moa_tui import cli
from moa_tui.engine.values import Chunk
from moa_tui.errors import ModelError
from moa_tui.gateway import gateway
from tests.fakes import DONE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.values import Finish, Message


class Unclean(gateway.Gateway):
    """Cleans nothing."""

    async def stream(self, agent: Agent, messages: Sequence[Message]) -> AsyncGenerator[Chunk | Finish, None]:
        said: str = json.loads(os.environ["MODEL_SAYS"])
        await asyncio.sleep(0.2)
        if "failing" in agent.name:
            raise ModelError("bad_request", said)
        yield Chunk("reasoning", said)
        for piece in (
            said[:20],
            said[20:],
            f"\n\n```{said}\n{said}\n```\n\n| {said} |\n|---|\n| {said} |\n\n# {said}\n",
        ):
            yield Chunk("text", piece)
        yield DONE


if __name__ == "__main__":
    gateway.Gateway = Unclean  # type: ignore[misc]
    cli.main()
