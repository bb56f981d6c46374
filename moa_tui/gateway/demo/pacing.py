"""The simulated models at their own pace: when each piece of a text is due, and the stream that waits."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from moa_tui.engine.token_estimate import estimate_tokens
from moa_tui.engine.values import Chunk, Finish, Usage
from moa_tui.errors import ModelError
from moa_tui.gateway.demo.reading import seeded_random
from moa_tui.gateway.demo.templates import manner_of
from moa_tui.gateway.demo.words import cut_to, token_share
from moa_tui.gateway.demo.writing import write

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.values import Kind, Message

_PIECE = re.compile(r"(?s)\s*(?:[A-Za-z0-9]{1,6}|[!-/:-@\[-`{-~]{1,4}|[^\x00-\x7f\s])|\s+|.")


async def stream(agent: Agent, messages: Sequence[Message]) -> AsyncGenerator[Chunk | Finish, None]:
    """Yield what `agent.model` writes, each piece when it is due, then a Finish.

    Raises ModelError for an unknown model and an unusable pace, and always for demo/fail.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    reasoning, whole = write(agent, messages)
    text = whole if agent.max_tokens is None else cut_to(whole, agent.max_tokens)
    for number, (at, chunk) in enumerate(schedule(agent, messages, reasoning, text), 1):
        if (wait := began + at - loop.time()) > 0:
            await asyncio.sleep(wait)
        elif number % 32 == 0:
            await asyncio.sleep(0)  # The piece is overdue, but a burst must not keep others from the loop.
        yield chunk
    if agent.model == "demo/hang":
        await loop.create_future()
    prompt_tokens = sum(estimate_tokens(message["content"]) for message in messages)
    usage = Usage(prompt_tokens, estimate_tokens(reasoning + text), estimated=True)
    yield Finish(reason="stop" if text == whole else "length", usage=usage, cost=0.0)


def schedule(agent: Agent, messages: Sequence[Message], thought: str, text: str) -> list[tuple[float, Chunk]]:
    """The pieces of `thought`, the reasoning, and of `text`; each is due so many seconds after the request.

    Raises ModelError for an unknown model and an unusable pace.
    """
    (usual_pace, delay), rng = manner_of(agent).pacing, seeded_random(agent, messages, "pace")
    pace = agent.extra.get("tokens_per_second", usual_pace)
    if isinstance(pace, bool) or not isinstance(pace, int | float) or not pace > 0:
        raise ModelError("bad_request", f"{agent.model}: extra.tokens_per_second must be a positive number")
    at, timed = delay * usual_pace / pace, []
    parts: tuple[tuple[Kind, str], ...] = (("reasoning", thought), ("text", text))
    for kind, piece in ((kind, piece) for kind, part in parts for piece in _PIECE.findall(part)):
        timed.append((at, Chunk(kind, piece)))
        at += sum(map(token_share, piece)) / pace * rng.uniform(0.7, 1.3)
    return timed
