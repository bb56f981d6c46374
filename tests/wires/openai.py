"""What OpenAI's `/v1/chat/completions`, and servers that imitate it, do beside what `tests.model_server` has.

Written from platform.openai.com (Chat Completions streaming, the refusal of a model), vLLM's and OpenRouter's
documentation of `reasoning`, and faults reported of servers that imitate the protocol.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.model_server import Answer, Fault, Reply, dropped, ending_in, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aiohttp import web

    from tests.model_server import Delta, Json


class OpenAIReply(Reply):
    """OpenAI's reply with the modes below."""


@dataclass(frozen=True)
class Deltas:
    """A stream of whole deltas, for what a field and its text cannot say."""

    deltas: Callable[[Reply], Iterator[Json]]
    finish: str = "stop"

    async def __call__(self, reply: Reply) -> web.StreamResponse:
        await reply.begin()
        for delta in self.deltas(reply):
            await reply.response.write(reply.frame(reply.chunk(delta)))
            reply.sent += 1
        return await reply.end(reply.ending(self.finish))


def refusals(reply: Reply) -> Iterator[Delta]:
    return (("refusal", word) for word in ("I'm sorry, ", "but I can't ", "help with that."))


def parts(reply: Reply) -> Iterator[Json]:
    return ({"content": [{"type": "text", "text": text}]} for _, text in reply.text())


def first_part(reply: Reply) -> Iterator[Json]:
    """Only the beginning of the text is a list of parts."""
    (_, heading), *rest = reply.text()
    yield {"content": [{"type": "text", "text": heading}]}
    yield from ({"content": text} for _, text in rest)


def tool_calls(reply: Reply) -> Iterator[Json]:
    function = {"name": "get_weather", "arguments": ""}
    yield {"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function}]}
    yield {"tool_calls": [{"index": 0, "function": {"arguments": '{"city":"Paris"}'}}]}


async def two_choices(reply: Reply) -> web.StreamResponse:
    await reply.begin()
    for _, text in reply.text():
        for index, said in ((0, text), (1, "SECOND ")):
            chunk = reply.chunk({"content": said})
            chunk["choices"][0]["index"] = index
            await reply.response.write(reply.frame(chunk))
        reply.sent += 1
    return await reply.end(reply.ending())


async def no_reason(reply: Reply) -> web.StreamResponse:
    """Text, and [DONE] without a finish_reason."""
    await reply.begin()
    await reply.send(reply.text())
    return await reply.end(reply.terminator)


@dataclass(frozen=True)
class OddUsage:
    """A good answer whose count of tokens is none: `usage` stands for each of its numbers."""

    usage: Any

    async def __call__(self, reply: Reply) -> web.StreamResponse:
        await reply.begin()
        await reply.send(reply.text())
        last = reply.frame(reply.chunk({}, "stop"))
        counts = dict.fromkeys(("prompt_tokens", "completion_tokens", "total_tokens"), self.usage)
        usage = {**reply.chunk({}), "choices": [], "usage": counts}
        return await reply.end(last + b"data: " + to_json(usage) + b"\n\n" + reply.terminator)


def limited(reply: Reply) -> bytes:
    """OpenRouter: what another provider said, in JSON within JSON, after a status of 200."""
    raw = {"error": {"message": "slow down"}}
    error = {"code": 429, "message": "Provider returned error", "metadata": {"raw": to_json(raw).decode()}}
    return reply.frame({"error": error}) + reply.terminator


def overflow(reply: Reply) -> bytes:
    """llama.cpp before September 2025: an error in a field that no client of events knows."""
    error = {"code": 400, "message": "the request exceeds the available context size", "type": "x"}
    return b"error: " + to_json(error) + b"\n\n" + reply.terminator


def bare_error(reply: Reply) -> bytes:
    """A framework's answer to a fault in its stream: JSON over several lines, which is no event."""
    return json.dumps({"error": {"message": "The server failed", "code": 500}}, indent=2).encode()


def tool_beside_text(reply: Reply) -> Iterator[Json]:
    yield from ({"content": text} for _, text in reply.text())
    yield {"tool_calls": [{"index": 0, "function": {"name": "look_up", "arguments": "{}"}}]}


async def odd_headers(reply: Reply) -> web.StreamResponse:
    """Headers that are not ASCII, as proxies in other languages send them."""
    refused = await reply.refuse(429, "Rate limit reached", "requests", "rate_limit_exceeded", "\uff13")
    refused.headers["X-Proxy-Note"] = "zu viele Anfragen \u2013 sp\u00e4ter"
    return refused


async def dropped_behind_its_end(reply: Reply) -> web.StreamResponse:
    """A whole answer, and a connection that is closed without the end of a chunked body."""
    await reply.begin()
    await reply.send(reply.text())
    await reply.response.write(reply.frame(reply.chunk({}, "stop")))
    return await dropped(hard=False)(reply)


OpenAIReply.own_modes = {
    "refusal": Answer(refusals),  # the model's own refusal, in a field of its own
    "filtered": Answer(lambda reply: (), "content_filter"),  # before any text
    "parts": Deltas(parts),  # content as lists of parts
    "first_part": Deltas(first_part),
    "tool_calls": Deltas(tool_calls, "tool_calls"),
    "two_choices": two_choices,
    "odd_headers": odd_headers,
    "limited_first": Fault("headers", ending_in(limited)),
    "overflow_first": Fault("headers", ending_in(overflow)),
    "bare_error": Fault("text", ending_in(bare_error)),
    "beside": Deltas(tool_beside_text),
    "no_reason": no_reason,
    "dropped_end": dropped_behind_its_end,
    "null_usage": OddUsage(None),
    "negative_usage": OddUsage(-1),
    "float_usage": OddUsage(2.5),
}
