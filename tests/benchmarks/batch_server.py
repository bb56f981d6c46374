"""The fault server with models for the measurements of bulk runs, in a process of its own.

    recorded@key=SEAT        plays the recorded latency and length of that seat for the prompt's number
    bucket@tps=5,key=SEAT    short answers, and 429 to requests for which a bucket of 5 has none left
    window@tps=5,key=SEAT    the same where 5 were admitted in any second before
    one_card@ttft=2,...      one model is held at a time, and loading another takes `ttft` seconds

What each says depends on its name and the prompt's number alone.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests import model_server
from tests.model_server import MODES, Answer, Reply, message_texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aiohttp import web

    from tests.model_server import Mode

LATENCIES: list[tuple[int, list[tuple[float, float, int]]]] = json.loads(
    Path(__file__).with_name("latencies.json").read_text()
)["prompts"]
_QUESTION = re.compile(r"question (\d+)")


def question(request: dict[str, Any]) -> int:
    """The number of the prompt that a request's body asks about."""
    match = _QUESTION.search("\n".join(message_texts(request["messages"])))
    assert match is not None
    return int(match[1])


def latency(number: int, seat: str) -> tuple[float, float, int]:
    """Seconds to the first token, tokens a second and tokens of a seat's answer to a prompt."""
    return LATENCIES[number % len(LATENCIES)][1][int(seat)]


def _said(reply: Reply) -> Iterator[tuple[str, str]]:
    yield "content", f"{reply.spec.key} on {question(reply.body)}: "
    for place in range(reply.spec.n):
        yield "content", reply.word(place)


_ANSWER = Answer(_said)


async def _recorded(reply: Reply) -> web.StreamResponse:
    first, rate, tokens = latency(question(reply.body), reply.spec.key)
    reply.spec = replace(reply.spec, ttft=first, tps=rate, n=tokens - 1)
    return await _ANSWER(reply)


_admitted: deque[float] = deque()
_bucket: list[float] = []
"""What is left in it, and when that was so."""


def _window_admits(most: float, now: float) -> bool:
    while _admitted and now - _admitted[0] >= 1:
        _admitted.popleft()
    if len(_admitted) >= most:
        return False
    _admitted.append(now)
    return True


def _bucket_admits(most: float, now: float) -> bool:
    left, then = _bucket or (most, now)
    left = min(most, left + (now - then) * most)
    _bucket[:] = (left - 1 if left >= 1 else left, now)
    return left >= 1


def _rationed(admits: Callable[[float, float], bool]) -> Mode:
    async def answer(reply: Reply) -> web.StreamResponse:
        if not admits(reply.spec.tps, time.monotonic()):
            return await reply.refuse(429, "Rate limit reached", "requests", "rate_limit_exceeded")
        reply.spec = replace(reply.spec, tps=0.0)
        return await _ANSWER(reply)

    return answer


class _Card:
    """Holds one model. Requests are taken in the order in which they come, as Ollama's queue does."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.idle = asyncio.Event()
        self.idle.set()
        self.model = ""
        self.open = 0


_cards: list[_Card] = []


async def _one_card(reply: Reply) -> web.StreamResponse:
    if not _cards:
        _cards.append(_Card())
    card = _cards[0]
    async with card.turn:
        if card.model != reply.model:
            await card.idle.wait()
            await asyncio.sleep(reply.spec.ttft)
            card.model = reply.model
        card.open += 1
        card.idle.clear()
    reply.spec = replace(reply.spec, ttft=0.0)
    try:
        return await _ANSWER(reply)
    finally:
        card.open -= 1
        if not card.open:
            card.idle.set()


MODES.update({"bucket": _rationed(_bucket_admits), "window": _rationed(_window_admits)})
MODES.update({"said": _ANSWER, "recorded": _recorded, "one_card": _one_card})

if __name__ == "__main__":
    model_server.main()
