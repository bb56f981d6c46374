"""What the engine adds to what models take: time over the critical path, and CPU over bare litellm."""

from __future__ import annotations

import asyncio
import json
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import httpx

from moa_tui.engine.events import Delta
from moa_tui.engine.run import run
from moa_tui.gateway.gateway import Gateway
from moa_tui.gateway.thread import EngineThread, load_litellm_stream
from moa_tui.gateway.transport import Exchange, current_exchange
from moa_tui.settings.config import Endpoint
from tests.benchmarks.figures import figure, remote_server
from tests.helpers import recipe

if TYPE_CHECKING:
    from typing import Any

    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import Message
    from tests.benchmarks.figures import Figure, RemoteServer

ASK: list[Message] = [{"role": "user", "content": "What is a moa?"}]
ROUNDS = 5
CHUNKS = 3000


def measure() -> list[Figure]:
    """Span against the server's own critical path; the way from layer to layer; CPU against bare loops."""
    load_litellm_stream()
    with remote_server() as server, EngineThread() as engine:
        gateway = Gateway({"lab": Endpoint(base_url=server.url)}, {})
        _ = gateway.catalog.chat_models  # the chat has read them before anything is sent
        begin = time.monotonic()
        engine.submit(run(recipe([{"model": "lab/ok"}]), ASK, gateway.stream, lambda _: None)).result()
        first_call = (server.requests()[0]["started"] - begin) * 1000
        spans, gaps, spreads = [], [], []
        for tokens, rounds in ((300, ROUNDS), (1000, 2)):
            seconds, criticals = [], []
            for _ in range(rounds):
                server.reset()
                outcome = engine.submit(run(moa(tokens), ASK, gateway.stream, lambda _: None)).result()
                seconds.append(outcome.seconds)
                layers = servers_layers(server)
                criticals.append(critical_path(layers))
                gaps += layer_gaps(layers)
                spreads += [(layer[-1]["started"] - layer[0]["started"]) * 1000 for layer in layers[:2]]
            name = f"span of 13 calls of {tokens} tokens at 150/s, to the critical path"
            spans.append(figure(name, "s", seconds, criticals))
        unit = "ms/1000 chunks"
        cpu = engine.submit(cpu_per_thousand_chunks(gateway, server)).result()
    return [
        *spans,
        figure("last byte of a layer to the first request of the next", "ms", gaps),
        figure("first request of a layer of six to its last", "ms", spreads),
        figure("first call of the program, to its request at the server", "ms", [first_call]),
        figure("CPU, one stream through the engine, to bare litellm", unit, cpu["engine"], cpu["bare"]),
        figure("CPU, one stream through the engine, to httpx and json", unit, cpu["engine"], cpu["by_hand"]),
        figure("CPU, bare litellm by hosted_vllm, to the openai handler", unit, cpu["light"], cpu["bare"]),
    ]


def moa(tokens: int) -> Recipe:
    """Six proposers twice and an aggregator, each of so many tokens at 150 a second."""
    agent = {"model": f"lab/ok@n={tokens},tps=150,ttft=0.2"}
    return recipe([{**agent, "count": 6}], [{**agent, "count": 6}], [agent])


def servers_layers(server: RemoteServer) -> list[list[dict[str, Any]]]:
    """The requests of each layer in the order in which they came."""
    requests = sorted(server.requests(), key=lambda request: request["started"])
    assert len(requests) == 13
    return [requests[:6], requests[6:12], requests[12:]]


def critical_path(layers: list[list[dict[str, Any]]]) -> float:
    """The sum over layers of the slowest call, on the server's clock."""
    return sum(max(request["ended"] - request["started"] for request in layer) for layer in layers)


def layer_gaps(layers: list[list[dict[str, Any]]]) -> list[float]:
    """Milliseconds from the end of each layer's last reply to the first request of the next layer."""
    return [
        (after[0]["started"] - max(request["ended"] for request in before)) * 1000
        for before, after in pairwise(layers)
    ]


async def cpu_per_thousand_chunks(gateway: Gateway, server: RemoteServer) -> dict[str, list[float]]:
    """Process CPU while one stream of CHUNKS chunks is read, turn by turn in four ways."""
    one = recipe([{"model": f"lab/ok@n={CHUNKS}"}])

    async def engine() -> int:
        deltas = 0

        def count(event: object) -> None:
            nonlocal deltas
            deltas += isinstance(event, Delta)

        await run(one, ASK, gateway.stream, count)
        return deltas

    seconds: dict[str, list[float]] = {"bare": [], "engine": [], "light": [], "by_hand": []}
    for _ in range(ROUNDS + 1):
        for name, read in (
            ("bare", lambda: bare("openai", server)),
            ("engine", engine),
            ("light", lambda: bare("hosted_vllm", server)),
            ("by_hand", lambda: by_hand(server)),
        ):
            begin = time.process_time()
            chunks = await read()
            assert chunks >= CHUNKS
            seconds[name].append((time.process_time() - begin) * 1e6 / chunks)
    return {name: values[1:] for name, values in seconds.items()}


async def bare(provider: str, server: RemoteServer) -> int:
    """The least code that reads a stream with litellm, through the transport that every request takes."""
    litellm = load_litellm_stream().litellm
    # Without a call that it belongs to, no request is sent.
    current_exchange.set(Exchange([server.url]))
    response = await litellm.acompletion(
        model=f"{provider}/ok@n={CHUNKS}",
        messages=ASK,
        stream=True,
        stream_options={"include_usage": True},
        api_base=server.url,
        api_key="none",
    )
    chunks = 0
    async for chunk in response:
        if chunk.choices and chunk.choices[0].delta.content:
            chunks += 1
    await asyncio.sleep(0)
    return chunks


class Untouched(httpx.AsyncHTTPTransport):
    """httpx as it is without our bounds."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response: httpx.Response = await load_litellm_stream()._send(self, request)
        return response


async def by_hand(server: RemoteServer) -> int:
    """The least code that reads the same stream without litellm."""
    body = {"model": f"ok@n={CHUNKS}", "messages": ASK, "stream": True}
    chunks = 0
    async with (
        httpx.AsyncClient(transport=Untouched()) as client,
        client.stream("POST", f"{server.url}/chat/completions", json=body, timeout=60) as response,
    ):
        async for line in response.aiter_lines():
            if line.startswith("data: {"):
                event = json.loads(line[6:])
                if event["choices"] and event["choices"][0]["delta"].get("content"):
                    chunks += 1
    return chunks
