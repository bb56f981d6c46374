"""The model server with the native protocols of six providers, written from their documentation.

Each wire answers under a prefix of its own, so that one server speaks all of them and a test can tell by the
address who was asked. The modes are those of `tests.model_server`; a wire adds what only its provider does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from tests.model_server import ModelServer
from tests.wires.anthropic import AnthropicReply
from tests.wires.cohere import CohereEventReply, CohereReply
from tests.wires.gemini import GeminiReply
from tests.wires.mistral import MistralReply
from tests.wires.ollama import NativeOllamaReply
from tests.wires.openai import OpenAIReply
from tests.wires.triton import TritonReply

if TYPE_CHECKING:
    from aiohttp import web

    from tests.model_server import Reply


@dataclass(frozen=True)
class Wire:
    """One protocol: the path it is served at, and how litellm is led there."""

    name: str
    provider: str  # the first part of litellm's model names
    path: str  # where chat requests arrive
    api_base: str  # what litellm is given, below the root of the server
    reply: type[Reply]

    def model(self, mode: str) -> str:
        return f"{self.provider}/{mode}"

    def base_url(self, server: ModelServer) -> str:
        return server.root_url + self.api_base


# litellm appends to what it is given: /chat/completions (openai, mistral), /v1/messages (anthropic),
# /models/NAME:METHOD (gemini), /api/chat (ollama_chat) or nothing (cohere_chat).
WIRES = {
    wire.name: wire
    for wire in (
        Wire("openai", "openai", "/openai/v1/chat/completions", "/openai/v1", OpenAIReply),
        Wire("anthropic", "anthropic", "/anthropic/v1/messages", "/anthropic", AnthropicReply),
        Wire(
            "gemini",
            "gemini",
            r"/gemini/v1beta/models/{model:.+}:{method:\w+}",
            "/gemini/v1beta",
            GeminiReply,
        ),
        Wire("mistral", "mistral", "/mistral/v1/chat/completions", "/mistral/v1", MistralReply),
        Wire("cohere", "cohere_chat", "/cohere/v2/chat", "/cohere/v2/chat", CohereReply),
        Wire(
            "cohere-events",
            "cohere_chat",
            "/cohere-events/v2/chat",
            "/cohere-events/v2/chat",
            CohereEventReply,
        ),
        Wire("ollama", "ollama_chat", "/ollama/api/chat", "/ollama", NativeOllamaReply),
    )
}


TRITON_PATH = "/triton/models/{model:.+}/generate_stream"


class WireServer(ModelServer):
    """The model server with all WIRES beside its own addresses."""

    def _app(self) -> web.Application:
        app = super()._app()
        for wire in WIRES.values():
            app.router.add_post(wire.path, partial(self._chat, wire.reply))
        app.router.add_post(TRITON_PATH, partial(self._chat, TritonReply))
        return app
