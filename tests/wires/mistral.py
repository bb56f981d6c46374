"""Mistral's `/v1/chat/completions`: OpenAI's shape, with content as a list of parts where a model thinks.

Written from docs.mistral.ai (API reference, Reasoning) and the types of the mistralai client; chunks are
shaped like those recorded in the tests of vercel/ai, errors like those reported for Mistral's clients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from tests.model_server import Answer, Refusal, Reply

if TYPE_CHECKING:
    from tests.model_server import Delta, Json

ERROR_TYPES = {
    400: ("invalid_request_error", "1500"),
    404: ("invalid_model", "1500"),
    429: ("rate_limited", "1300"),
    500: ("internal_server_error", "1000"),
    503: ("service_unavailable", "1000"),
}


class MistralReply(Reply):
    """A reply in OpenAI's chunks; thoughts are parts, and so is the text that follows them."""

    thinks = False

    def encode(self, delta: Delta) -> bytes:
        field, text = delta
        if field != "content":
            self.thinks = True
            return self.frame(self.chunk({"content": [thinking_part(text)]}))
        if self.thinks:
            return self.frame(self.chunk({"content": [{"type": "text", "text": text}]}))
        return super().encode(delta)

    def opening(self) -> bytes:
        return self.frame(self.chunk({"role": "assistant", "content": ""}))

    def ending(self, finish: str = "stop", *, with_usage: bool = True) -> bytes:
        last = self.chunk({"content": ""}, finish)
        if with_usage:
            last["usage"] = self.usage()
        return self.frame(last) + self.terminator

    def failure(self, message: str, kind: str, code: str | None = None) -> Json:
        return {"object": "error", "message": message, "type": kind, "param": None, "code": code}

    def refusal(self, status: int, message: str, kind: str, code: str | None) -> Json:
        if status == 401:
            return {"detail": "Unauthorized"}
        if status == 422:
            return self.failure("", "invalid_request_error") | {"message": {"detail": [EXTRA_INPUT]}}
        named = ERROR_TYPES.get(status, (kind, code))
        return self.failure(message, *named) | {"raw_status_code": status}

    def completion(self, message: Json, finish: str) -> Json:
        if thought := message.pop("reasoning_content", None):
            message["content"] = [thinking_part(thought), {"type": "text", "text": message["content"]}]
        return super().completion(message, finish)


EXTRA_INPUT = {
    "type": "extra_forbidden",
    "loc": ["body", "messages", 0, "user", "name"],
    "msg": "Extra inputs are not permitted",
    "input": "reader",
}


def thinking_part(text: str) -> Json:
    return {"type": "thinking", "thinking": [{"type": "text", "text": text}]}


async def detail_list(reply: MistralReply) -> web.StreamResponse:
    """The same refusal of a field as the documentation of the API has it, without what the proxy adds."""
    return web.json_response({"detail": [EXTRA_INPUT]}, status=422)


async def tool_calls(reply: MistralReply) -> web.StreamResponse:
    call = {
        "id": "call00001",
        "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'},
        "index": 0,
    }
    await reply.begin()
    await reply.response.write(reply.frame(reply.chunk({"content": "", "tool_calls": [call]}, "tool_calls")))
    return await reply.end(reply.terminator)


MistralReply.own_modes = {
    "tool_calls": tool_calls,
    "detail_list": detail_list,
    "cut_at_model": Answer(Reply.text, "model_length"),
    "capacity": Refusal(429, "Service tier capacity exceeded for this model.", retry=True),
    "http400ctx": Refusal(
        400, "Prompt contains 40000 tokens, too large for model with 32768 maximum context length"
    ),
}
