"""Cached tokens of each provider's wire, read from real HTTP and priced as cached, to the exact sum.

The fields are those of the providers' documents: OpenAI, xAI, Groq, Mistral and OpenRouter
(prompt_tokens_details.cached_tokens, and cache_write_tokens where writing costs), DeepSeek
(prompt_cache_hit_tokens), Moonshot (cached_tokens), Anthropic (cache_read_input_tokens and
cache_creation_input_tokens beside input_tokens), Gemini (cachedContentTokenCount), Cohere (cached_tokens) and
llama.cpp (timings.cache_n). Ollama tells nothing of its cache.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from moa_tui.engine.values import Finish, Usage
from moa_tui.gateway.catalog import Catalog
from moa_tui.gateway.thread import load_litellm_stream
from tests.hostile.raw_server import RawServer, head

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from moa_tui.gateway.thread import EngineThread
    from tests.hostile.raw_server import Asked

    Json = dict[str, Any]

PROMPT, WRITTEN, CACHED, CACHE_WRITE = 1_000, 100, 600, 300


def openai(usage: Json, **more: Any) -> list[Json]:
    """The events of OpenAI's protocol."""
    event = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    counted = {"prompt_tokens": PROMPT, "completion_tokens": WRITTEN, "total_tokens": PROMPT + WRITTEN}
    return [
        {**event, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Paris"}}]},
        {**event, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {**event, "choices": [], "usage": {**counted, **usage}, **more},
    ]


def details(**counts: int) -> list[Json]:
    return openai({"prompt_tokens_details": counts})


ANTHROPIC: list[Json] = [
    {
        "type": "message_start",
        "message": {
            "id": "m",
            "role": "assistant",
            "usage": {
                "input_tokens": PROMPT - CACHED - CACHE_WRITE,
                "cache_read_input_tokens": CACHED,
                "cache_creation_input_tokens": CACHE_WRITE,
                "output_tokens": 1,
            },
        },
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Paris"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": WRITTEN}},
    {"type": "message_stop"},
]
GEMINI: list[Json] = [
    {
        "candidates": [{"content": {"parts": [{"text": "Paris"}], "role": "model"}, "finishReason": "STOP"}],
        "usageMetadata": {
            "promptTokenCount": PROMPT,
            "candidatesTokenCount": WRITTEN,
            "totalTokenCount": PROMPT + WRITTEN,
            "cachedContentTokenCount": CACHED,
        },
    }
]
_TOKENS = {"input_tokens": PROMPT, "output_tokens": WRITTEN}
COHERE: list[Json] = [
    {"type": "message-start", "id": "m", "delta": {"message": {"role": "assistant"}}},
    {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}},
    {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "Paris"}}}},
    {"type": "content-end", "index": 0},
    {
        "type": "message-end",
        "delta": {
            "finish_reason": "COMPLETE",
            "usage": {"billed_units": _TOKENS, "tokens": _TOKENS, "cached_tokens": CACHED},
        },
    },
]
OLLAMA: list[Json] = [
    {"model": "m", "message": {"role": "assistant", "content": "Paris"}, "done": False},
    {
        "model": "m",
        "message": {"role": "assistant", "content": ""},
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": PROMPT,
        "eval_count": WRITTEN,
    },
]

# The model, its events, and the tokens read from and written to the cache.
CASES: dict[str, tuple[str, list[Json], int, int]] = {
    "OpenAI": ("gpt-4o", details(cached_tokens=CACHED), CACHED, 0),
    "OpenAI, which charges for writing": (
        "gpt-5.6",
        details(cached_tokens=CACHED, cache_write_tokens=CACHE_WRITE),
        CACHED,
        CACHE_WRITE,
    ),
    "Anthropic": ("anthropic/claude-sonnet-4-5", ANTHROPIC, CACHED, CACHE_WRITE),
    "Gemini": ("gemini/gemini-2.5-flash", GEMINI, CACHED, 0),
    "DeepSeek": ("deepseek/deepseek-chat", openai({"prompt_cache_hit_tokens": CACHED}), CACHED, 0),
    "Mistral": ("mistral/mistral-large-latest", details(cached_tokens=CACHED), CACHED, 0),
    "Cohere, whose list has no price of a cache": ("cohere_chat/command-a-03-2025", COHERE, CACHED, 0),
    "Moonshot": ("openai/kimi", openai({"cached_tokens": CACHED}), CACHED, 0),
    "a proxy before Claude": (
        "openai/claude",
        openai({"cache_read_input_tokens": CACHED, "cache_creation_input_tokens": CACHE_WRITE}),
        CACHED,
        CACHE_WRITE,
    ),
    "llama.cpp": ("openai/local", openai({}, timings={"cache_n": CACHED, "prompt_n": 400}), CACHED, 0),
    "Ollama": ("ollama_chat/local", OLLAMA, 0, 0),
    "more than there is": ("gpt-4o", details(cached_tokens=PROMPT + 1), 0, 0),
    "no count": ("gpt-4o", details(cached_tokens=-5), 0, 0),
}


def finish_of(engine: EngineThread, model: str, events: list[Json]) -> Finish:
    """The end of a reply that consists of these events."""

    async def script(asked: Asked) -> AsyncIterator[bytes]:
        is_lines = model.startswith(("cohere", "ollama"))
        yield head(kind="application/x-ndjson" if is_lines else "text/event-stream")
        for event in events:
            line = json.dumps(event)
            named = f"event: {event['type']}\n" if "type" in event and not is_lines else ""
            yield f"{line}\n".encode() if is_lines else f"{named}data: {line}\n\n".encode()
        if "choices" in events[0]:
            yield b"data: [DONE]\n\n"

    async def ask(root: str) -> Finish:
        last = Finish()
        async for piece in load_litellm_stream().stream(
            model,
            [{"role": "user", "content": "What is the capital of France?"}],
            {},
            api_base=root,
            api_key="sk-canary-cached-11",
            addresses=(root,),
            headers={},
            priced=True,
        ):
            if isinstance(piece, Finish):
                last = piece
        return last

    with RawServer(script) as server:
        return engine.submit(ask(server.root)).result(timeout=90)  # The first one imports litellm.


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_cached_tokens_are_counted_and_priced(
    case: tuple[str, list[Json], int, int], engine: EngineThread
) -> None:
    model, events, cached, cache_write = case
    finish = finish_of(engine, model, events)
    assert finish.usage == Usage(PROMPT, WRITTEN, False, cached, cache_write)
    info = Catalog().find(model)
    if info is None or info.prompt_price is None or info.completion_price is None:
        assert not finish.cost
        return
    cached_price = info.prompt_price if info.cached_price is None else info.cached_price
    write_price = info.prompt_price if info.cache_write_price is None else info.cache_write_price
    expected = (PROMPT - cached - cache_write) * info.prompt_price + WRITTEN * info.completion_price
    expected += cached * cached_price + cache_write * write_price
    assert finish.cost == pytest.approx(expected, rel=1e-12)


def test_what_openrouter_says_it_charged_stands_above_any_list(engine: EngineThread) -> None:
    events = openai(
        {
            "prompt_tokens_details": {"cached_tokens": CACHED, "cache_write_tokens": CACHE_WRITE},
            "cost": 0.0123,
        }
    )
    finish = finish_of(engine, "openrouter/anthropic/claude-sonnet-4.5", events)
    assert finish.cost == 0.0123
    assert finish.usage == Usage(PROMPT, WRITTEN, False, CACHED, CACHE_WRITE)
