"""What Ollama's `/api/chat` does beside what `tests.model_server` has of it.

Written from docs/api.md and server/routes.go of ollama/ollama: an error in the middle of a stream is a line
`{"error": …}`, and the last line says why the answer ended as `done_reason`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.model_server import OllamaReply, Refusal

if TYPE_CHECKING:
    from aiohttp import web


class NativeOllamaReply(OllamaReply):
    """Ollama's reply with the modes below."""


async def tool_calls(reply: NativeOllamaReply) -> web.StreamResponse:
    call = {"function": {"name": "get_weather", "arguments": {"city": "Paris"}}}
    await reply.begin()
    await reply.response.write(reply.frame(reply.chunk({"tool_calls": [call]})))
    return await reply.end(reply.ending())


NativeOllamaReply.own_modes = {
    "tool_calls": tool_calls,
    "http400ctx": Refusal(400, "prompt too long; exceeded max context length by 4096 tokens"),
}
