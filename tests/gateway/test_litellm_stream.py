"""What the adapter makes of litellm's exceptions and prices, without a server."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from moa_tui.engine.values import Chunk, Finish, Usage
from moa_tui.gateway.thread import load_litellm_stream
from moa_tui.gateway.wire_reply import WireReply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import ModuleType


@pytest.fixture(scope="module")
def adapter() -> ModuleType:
    return load_litellm_stream()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("""b'{"error": {"message": "Overloaded", "type": "x"}}'""", "Overloaded"),
        ('AnthropicException - b\'{"error": {"message": "Overloaded"}}\'', "Overloaded"),
        ("Overloaded. Handle with `litellm.InternalServerError`.", "Overloaded."),
        ("Overloaded Original exception: KeyError: 'message'", "Overloaded"),
        ("Overloaded\nTraceback (most recent call last):\n  File x", "Overloaded"),
        ("litellm.InternalServerError: CohereException - Overloaded", "Overloaded"),
        ("Traceback (most recent call last):\n  File x", "no word why"),
    ],
)
def test_a_message_is_the_providers_own(adapter: ModuleType, text: str, said: str) -> None:
    message = adapter.translate(Exception(text), "lab/x").message
    assert said in message
    assert not any(word in message for word in ("b'", '{"', "litellm", "Traceback", "Original", "Handle"))


def priced(adapter: ModuleType, model: str, **counts: int) -> float:
    reply = WireReply()
    reply.say("text", "Paris")
    reply.end("stop")
    reply.count(**counts)
    cost = adapter._priced(reply, model).cost
    assert cost is not None
    return float(cost)


def test_a_reply_costs_what_litellms_list_says_and_less_from_a_cache(adapter: ModuleType) -> None:
    info = adapter.litellm.model_cost["gpt-4o"]
    whole = 1000 * info["input_cost_per_token"] + 100 * info["output_cost_per_token"]
    assert priced(adapter, "gpt-4o", prompt=1000, completion=100) == pytest.approx(whole)
    saved = 800 * (info["input_cost_per_token"] - info["cache_read_input_token_cost"])
    assert priced(adapter, "gpt-4o", prompt=1000, completion=100, cached=800) == pytest.approx(whole - saved)


def test_what_anthropic_writes_into_its_cache_costs_more(adapter: ModuleType) -> None:
    name, info = next(
        (name, info)
        for name, info in adapter.litellm.model_cost.items()
        if info.get("litellm_provider") == "anthropic" and info.get("cache_creation_input_token_cost")
    )
    plain = priced(adapter, name, prompt=1000, completion=100)
    more = 500 * (info["cache_creation_input_token_cost"] - info["input_cost_per_token"])
    cost = priced(adapter, name, prompt=1000, completion=100, written_to_cache=500)
    assert cost == pytest.approx(plain + more)


def test_a_model_without_a_price_has_no_cost(adapter: ModuleType) -> None:
    reply = WireReply()
    reply.count(1, 1)
    assert adapter._priced(reply, "nobody/knows-this-model").cost is None


def test_a_package_that_litellm_needs_is_named(adapter: ModuleType) -> None:
    error = adapter.litellm.APIConnectionError("No module named 'mcp'", "openai", "gpt-5-pro")
    error.__cause__ = ModuleNotFoundError("No module named 'mcp'", name="mcp.types")
    failure = adapter.translate(error, "openai/gpt-5-pro")
    assert (failure.kind, failure.status_code) == ("bad_request", None)
    assert "pip install mcp)" in failure.message


async def test_a_plain_completion_is_read_from_the_generator_that_litellm_gives(
    adapter: ModuleType,
) -> None:
    def piece(text: str, reason: str | None = None, usage: object = None) -> SimpleNamespace:
        choice = SimpleNamespace(delta=SimpleNamespace(content=text), finish_reason=reason)
        return SimpleNamespace(choices=[choice], usage=usage)

    async def reply() -> AsyncIterator[SimpleNamespace]:
        for text in ("P", "a", "r", "is"):
            yield piece(text)
        yield piece("", "max_tokens", SimpleNamespace(prompt_tokens=3, completion_tokens=4))

    items = [item async for item in adapter._read_by_litellm(reply(), None)]
    assert "".join(item.text for item in items if isinstance(item, Chunk)) == "Paris"
    assert items[-1] == Finish("length", Usage(3, 4, estimated=False))
