"""Cohere's `/v2/chat`: events of a kind each, a JSON object a line or as server-sent events.

Written from docs.cohere.com (Chat v2, Streaming, Errors) and the types of cohere-python; events are those
recorded in the tests of vercel/ai. A client that accepts application/json, as litellm does, is sent bare
lines: litellm reads nothing else, and its users have seen it read Cohere. `CohereEventReply` sends what every
other client is sent, server-sent events with a [DONE] at the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.model_server import DONE, Refusal, Reply, to_json

if TYPE_CHECKING:
    from aiohttp import web

    from tests.model_server import Delta, Json

FINISH_REASONS = {"stop": "COMPLETE", "length": "MAX_TOKENS", "content_filter": "ERROR"}


class CohereReply(Reply):
    """A reply in events; text and thinking stand in content blocks of their own."""

    content_type = "application/stream+json"
    terminator = b""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._block = -1
        self._block_type = ""

    def frame(self, event: Json) -> bytes:
        return to_json(event) + b"\n"

    def opening(self) -> bytes:
        message = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
        start = {"id": f"reply-{self.number}", "type": "message-start", "delta": {"message": message}}
        return self.frame(start)

    def encode(self, delta: Delta) -> bytes:
        field, text = delta
        kind = "text" if field == "content" else "thinking"
        return self._opened(kind) + self._content("content-delta", {kind: text})

    def ending(self, finish: str = "stop", *, with_usage: bool = True) -> bytes:
        delta: Json = {"finish_reason": FINISH_REASONS.get(finish, finish)}
        if delta["finish_reason"] == "ERROR":
            delta["error"] = "the generation was blocked"
        if with_usage:
            delta["usage"] = self._tokens()
        return self._closed() + self.frame({"type": "message-end", "delta": delta}) + self.terminator

    def failure(self, message: str, kind: str, code: str | None = None) -> Json:
        """Cohere tells a fault in the middle of its answer in the event that ends the answer."""
        return {"type": "message-end", "delta": {"finish_reason": "ERROR", "error": message}}

    def refusal(self, status: int, message: str, kind: str, code: str | None) -> Json:
        return {"id": f"reply-{self.number}", "message": message}

    def completion(self, message: Json, finish: str) -> Json:
        content = [{"type": "text", "text": message["content"]}]
        if thought := message.get("reasoning_content"):
            content.insert(0, {"type": "thinking", "thinking": thought})
        said = {"role": "assistant", "content": content}
        body = {"id": f"reply-{self.number}", "finish_reason": FINISH_REASONS.get(finish, finish)}
        return {**body, "message": said, "usage": self._tokens()}

    def _tokens(self) -> Json:
        usage = self.usage()
        tokens = {"input_tokens": usage["prompt_tokens"], "output_tokens": usage["completion_tokens"]}
        return {"billed_units": tokens, "tokens": tokens, "cached_tokens": 0}

    def _content(self, event: str, content: Json) -> bytes:
        return self.frame({"type": event, "index": self._block, "delta": {"message": {"content": content}}})

    def _opened(self, kind: str) -> bytes:
        if kind == self._block_type:
            return b""
        closed = self._closed()
        self._block, self._block_type = self._block + 1, kind
        return closed + self._content("content-start", {"type": kind, kind: ""})

    def _closed(self) -> bytes:
        kind, self._block_type = self._block_type, ""
        return self.frame({"type": "content-end", "index": self._block}) if kind else b""


class CohereEventReply(CohereReply):
    """The same as server-sent events, whatever the client accepts."""

    content_type = "text/event-stream"
    terminator = DONE

    def frame(self, event: Json) -> bytes:
        return b"event: " + str(event["type"]).encode() + b"\ndata: " + super().frame(event) + b"\n"


async def tool_calls(reply: CohereReply) -> web.StreamResponse:
    call = {"id": "get_weather_1", "type": "function", "function": {"name": "get_weather", "arguments": ""}}
    start = {"type": "tool-call-start", "index": 0, "delta": {"message": {"tool_calls": call}}}
    piece = {"function": {"arguments": '{"city":"Paris"}'}}
    delta = {"type": "tool-call-delta", "index": 0, "delta": {"message": {"tool_calls": piece}}}
    await reply.begin()
    for event in (start, delta, {"type": "tool-call-end", "index": 0}):
        await reply.response.write(reply.frame(event))
    return await reply.end(reply.ending("TOOL_CALL"))


CohereReply.own_modes = {
    "tool_calls": tool_calls,
    "http400ctx": Refusal(
        400,
        "too many tokens: size limit exceeded by 19296 tokens. Try using shorter or fewer inputs.",
    ),
    "unsafe": Refusal(498, "The request was blocked: it violates the usage guidelines."),
}
