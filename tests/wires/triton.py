"""Triton's `generate_stream`: events with nothing but a `text_output`, a protocol that only litellm reads.

Written from the documentation of Triton's generate extension.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.model_server import Reply

if TYPE_CHECKING:
    from aiohttp import web

    from tests.model_server import Delta, Json


class TritonReply(Reply):
    """A reply in events; the request's path names the model."""

    def __init__(self, server: Any, http: web.Request, body: Json, number: int) -> None:
        super().__init__(server, http, {**body, "model": http.match_info["model"]}, number)

    def encode(self, delta: Delta) -> bytes:
        return self.frame({"model_name": self.model, "text_output": delta[1]})

    def opening(self) -> bytes:
        return b""

    def ending(self, finish: str = "stop", *, with_usage: bool = True) -> bytes:
        return self.terminator
