"""When the final answer begins and is done, and what it costs: barrier, quorum, speculative and staircase.

Forty prompts, each with the same recorded latencies and lengths of seven calls (see latencies.json), are
played `SPEED` times faster by the local server, over the real gateway and engine. Times are given as if they
had not been: what the program itself adds is therefore `SPEED` times too long in them.
"""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from moa_tui.engine.events import Delta
from moa_tui.engine.layer import Layer
from moa_tui.engine.run import run
from moa_tui.engine.token_estimate import estimate_tokens
from moa_tui.engine.values import CallId
from moa_tui.gateway.gateway import Gateway
from moa_tui.gateway.thread import EngineThread, load_litellm_stream
from moa_tui.settings.config import Endpoint
from tests.benchmarks.figures import Figure, percentile, remote_server
from tests.helpers import recipe
from tests.model_server import PROSE_CHUNK, TOKENS_PER_WORD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moa_tui.engine.recipe import Recipe
    from tests.benchmarks.figures import RemoteServer

SPEED = 4
AT_ONCE = 10
"""Prompts in play at the same time, each a run of its own."""
FINAL = CallId(2, 1)
OUTPUT_PRICE, CACHED_PRICE = 4.0, 0.1
"""Of a token written, and of one read from a cache, where one read is 1."""
METHODS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "barrier": ({}, {}),
    "quorum 5 of 6, 2 s": ({"quorum": 5, "grace_seconds": 2 / SPEED}, {}),
    "speculative, with 4": ({}, {"start": {"with": 4}}),
    "staircase 128/4": ({}, {"stairs": {"chunk": 128, "wait": 4}}),
}
"""By name, what the proposers' layer has, and the aggregator's."""
Latency = tuple[float, float, int]
"""Of one call: seconds to its first token, tokens a second, tokens."""


@dataclass(frozen=True)
class Played:
    """One run: seconds as recorded, and tokens."""

    first_token: float
    done: float
    read: int
    repeated: int
    written: int

    def price(self, cached: float) -> float:
        """What it costs, in the price of a token read; one that repeats a prefix costs `cached` of that."""
        return self.read - self.repeated + cached * self.repeated + OUTPUT_PRICE * self.written


def measure() -> list[Figure]:
    """All methods, as one table."""
    load_litellm_stream()
    recorded = json.loads(Path(__file__).with_name("latencies.json").read_text())["prompts"]
    known = {"start", "stairs"} & Layer.model_fields.keys()
    methods = {name: parts for name, parts in METHODS.items() if parts[1].keys() <= known}
    played: dict[str, list[Played]] = {}
    with remote_server() as server, EngineThread() as engine:
        gateway = Gateway({"lab": Endpoint(base_url=server.url)}, dict(os.environ))
        engine.submit(
            play_all(gateway, server, METHODS["barrier"], recorded[:2])
        ).result()  # what the first call loads
        for name, parts in methods.items():
            played[name] = engine.submit(play_all(gateway, server, parts, recorded)).result()
    base = played["barrier"]
    return [figure for name, runs in played.items() for figure in figures_of(name, runs, base)]


def figures_of(name: str, runs: Sequence[Played], base: Sequence[Played]) -> list[Figure]:
    """The figures of one method; the baseline is the barrier's. `high` of a time is its 95th percentile."""
    figures = []
    for words, attribute in (("final's first token", "first_token"), ("final done", "done")):
        values, plain = ([getattr(each, attribute) for each in these] for these in (runs, base))
        late = percentile(values, 0.95)
        figures.append(
            Figure(f"{name}: {words} (to p95)", median(values), "s", min(values), late, median(plain))
        )
    for words, attribute in (("read", "read"), ("read, repeated", "repeated"), ("written", "written")):
        value, plain_value = (
            sum(getattr(each, attribute) for each in these) / len(these) for these in (runs, base)
        )
        figures.append(Figure(f"{name}: tokens {words}", value, "tokens/run", value, value, plain_value))
    for words, cached in (("prefixes cached at a tenth", CACHED_PRICE), ("nothing cached", 1.0)):
        value, plain_value = (
            sum(each.price(cached) for each in these) / len(these) for these in (runs, base)
        )
        figures.append(Figure(f"{name}: price, {words}", value, "tokens/run", value, value, plain_value))
    return figures


def moa_lite(
    number: int, latencies: Sequence[Latency], parts: tuple[dict[str, Any], dict[str, Any]]
) -> Recipe:
    """Six proposers and an aggregator, whose models play these latencies."""
    models = [
        f"lab/prose@n={round(tokens / TOKENS_PER_WORD)},key={number}-{place},ttft={ttft / SPEED:.4f},"
        f"tps={rate * SPEED / TOKENS_PER_WORD / PROSE_CHUNK:.2f}"
        for place, (ttft, rate, tokens) in enumerate(latencies)
    ]
    return recipe({"agents": models[:-1], **parts[0]}, {"agents": models[-1:], **parts[1]})


async def play_all(
    gateway: Gateway,
    server: RemoteServer,
    parts: tuple[dict[str, Any], dict[str, Any]],
    recorded: Sequence[tuple[int, Sequence[Latency]]],
) -> list[Played]:
    """Every prompt by one method."""
    server.reset()
    places = asyncio.Semaphore(AT_ONCE)

    async def play(number: int, tokens: int, latencies: Sequence[Latency]) -> tuple[float, float]:
        prompt = " ".join(["word"] * max(1, round(tokens / TOKENS_PER_WORD)))
        first = None

        def note(event: object) -> None:
            nonlocal first
            if first is None and isinstance(event, Delta) and event.call == FINAL and event.kind == "text":
                first = asyncio.get_running_loop().time()

        async with places:
            begin = asyncio.get_running_loop().time()
            asked = moa_lite(number, latencies, parts)
            outcome = await run(asked, [{"role": "user", "content": prompt}], gateway.stream, note)
            assert outcome.status == "done" and first is not None, outcome.error
            return (first - begin) * SPEED, outcome.seconds * SPEED

    times = await asyncio.gather(*(play(number, *each) for number, each in enumerate(recorded)))
    requests = sorted(await asyncio.to_thread(server.requests), key=lambda request: request["number"])
    return [
        Played(first, done, *tokens_of([one for one in requests if one["key"].split("-")[0] == str(number)]))
        for number, (first, done) in enumerate(times)
    ]


def tokens_of(requests: Sequence[dict[str, Any]]) -> tuple[int, int, int]:
    """Of one run's requests: tokens read, those of them that repeat the prefix of an earlier request to the
    same model, and tokens written."""
    read = repeated = 0
    earlier: dict[str, list[str]] = {}
    for request in requests:
        text = "\n".join(
            f"{message['role']}: {message['content']}" for message in request["body"]["messages"]
        )
        prefixes = [common_prefix(text, other) for other in earlier.get(request["model"], ())]
        read += estimate_tokens(text)
        repeated += estimate_tokens(max(prefixes, key=len, default=""))
        earlier.setdefault(request["model"], []).append(text)
    written = sum(request["sent_chunks"] for request in requests) * PROSE_CHUNK * TOKENS_PER_WORD
    return read, repeated, round(written)


def common_prefix(text: str, other: str) -> str:
    """What both texts begin with."""
    shortest = min(len(text), len(other))
    return text[: next((at for at in range(shortest) if text[at] != other[at]), shortest)]
