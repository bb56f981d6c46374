"""Anthropic's Messages API, `/v1/messages`: named events around numbered blocks of content.

Written from docs.anthropic.com (Messages streaming, Errors, Rate limits) and the types of
anthropic-sdk-python; the order of events is that of streams recorded in the tests of vercel/ai.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.model_server import Answer, Refusal, Reply, to_json

if TYPE_CHECKING:
    from aiohttp import web

    from tests.model_server import Delta, Json

STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}
ERROR_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class AnthropicReply(Reply):
    """A reply in events; a block is opened where a delta needs another than the one that is open."""

    terminator = b""
    keepalive = b'event: ping\ndata: {"type":"ping"}\n\n'
    key_header = "x-api-key"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._block = -1
        self._block_type = ""

    def frame(self, event: Json) -> bytes:
        return b"event: " + str(event["type"]).encode() + b"\ndata: " + to_json(event) + b"\n\n"

    def opening(self) -> bytes:
        message = {"id": f"msg_{self.number:04}", "type": "message", "role": "assistant", "model": self.model}
        message |= {"content": [], "stop_reason": None, "stop_sequence": None}
        usage = {"input_tokens": self.usage()["prompt_tokens"], "output_tokens": 1}
        usage |= {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
        return self.frame({"type": "message_start", "message": {**message, "usage": usage}}) + self.keepalive

    def encode(self, delta: Delta) -> bytes:
        field, text = delta
        if field == "content":
            return self._opened("text", {"type": "text", "text": ""}) + self._delta("text_delta", text=text)
        block = {"type": "thinking", "thinking": "", "signature": ""}
        return self._opened("thinking", block) + self._delta("thinking_delta", thinking=text)

    def block(self, block: Json) -> bytes:
        """A block that is whole when it opens, such as redacted thinking."""
        return self._closed() + self._opened(str(block["type"]), block) + self._closed()

    def tool_use(self, name: str, arguments: bytes) -> bytes:
        opened = self._opened("tool_use", {"type": "tool_use", "id": "toolu_01", "name": name, "input": {}})
        return opened + self._delta("input_json_delta", partial_json=arguments.decode())

    def ending(self, finish: str = "stop", *, with_usage: bool = True) -> bytes:
        reason = STOP_REASONS.get(finish, finish)
        delta: Json = {"stop_reason": reason, "stop_sequence": None}
        if reason == "refusal":
            delta["stop_details"] = {"type": "refusal", "category": "cyber", "explanation": "It was blocked."}
        counted = {"output_tokens": self.usage()["completion_tokens"]}
        last = self.frame({"type": "message_delta", "delta": delta, "usage": counted})
        return self._closed() + last + self.frame({"type": "message_stop"})

    def failure(self, message: str, kind: str, code: str | None = None) -> Json:
        known = kind if kind in ERROR_TYPES.values() else "overloaded_error"
        return {"type": "error", "error": {"details": None, "type": known, "message": message}}

    def refusal(self, status: int, message: str, kind: str, code: str | None) -> Json:
        error = {"type": ERROR_TYPES.get(status, "invalid_request_error"), "message": message}
        return {"type": "error", "error": error, "request_id": f"req_{self.number:04}"}

    def refusal_headers(self, status: int, retry_after: str) -> dict[str, str]:
        headers = super().refusal_headers(status, retry_after) | {"request-id": f"req_{self.number:04}"}
        if status == 429:
            headers |= {
                "anthropic-ratelimit-requests-limit": "50",
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": "2026-01-01T00:00:00Z",
            }
        return headers

    def completion(self, message: Json, finish: str) -> Json:
        usage = self.usage()
        content: list[Json] = []
        if thinking := message.get("reasoning_content"):
            content.append({"type": "thinking", "thinking": thinking, "signature": "c2lnbmVk"})
        content.append({"type": "text", "text": message["content"]})
        body: Json = {"id": f"msg_{self.number:04}", "type": "message", "role": "assistant"}
        body |= {"model": self.model, "content": content, "stop_sequence": None}
        body |= {"stop_reason": STOP_REASONS.get(finish, finish)}
        tokens = {"input_tokens": usage["prompt_tokens"], "output_tokens": usage["completion_tokens"]}
        return body | {"usage": tokens}

    def _delta(self, kind: str, **content: str) -> bytes:
        delta = {"type": kind, **content}
        return self.frame({"type": "content_block_delta", "index": self._block, "delta": delta})

    def _opened(self, kind: str, block: Json) -> bytes:
        if kind == self._block_type:
            return b""
        closed = self._closed()
        self._block, self._block_type = self._block + 1, kind
        start = {"type": "content_block_start", "index": self._block, "content_block": block}
        return closed + self.frame(start)

    def _closed(self) -> bytes:
        """The end of the block that is open, if one is; thinking is signed before it ends."""
        kind, self._block_type = self._block_type, ""
        if not kind:
            return b""
        signed = self._delta("signature_delta", signature="c2lnbmVk") if kind == "thinking" else b""
        return signed + self.frame({"type": "content_block_stop", "index": self._block})


# ---- what only Anthropic does


async def redacted(reply: AnthropicReply) -> web.StreamResponse:
    await reply.begin()
    await reply.send(reply.thoughts())
    await reply.response.write(reply.block({"type": "redacted_thinking", "data": "ZW5jcnlwdGVk"}))
    await reply.send(reply.text())
    return await reply.end(reply.ending())


async def tool_calls(reply: AnthropicReply) -> web.StreamResponse:
    await reply.begin()
    await reply.response.write(reply.tool_use("get_weather", b'{"city":"Paris"}'))
    return await reply.end(reply.ending("tool_use"))


AnthropicReply.own_modes = {
    "redacted": redacted,  # a block of thinking that may not be read, between thinking and text
    "tool_calls": tool_calls,  # a call of get_weather in place of text
    "refused": Answer(lambda reply: (), "content_filter"),  # by the classifier, before any text
    "http400ctx": Refusal(400, "prompt is too long: 210342 tokens > 200000 maximum"),
    "http429": Refusal(429, "This request would exceed the rate limit of your organization", retry=True),
    "no_credit": Refusal(
        400,
        "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade "
        "or purchase credits.",
    ),
}
