"""The test server's prose: it ends at a limit of tokens, and goes on behind what was written before."""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING, Any

from moa_tui.engine.token_estimate import estimate_tokens

if TYPE_CHECKING:
    from tests.model_server import ModelServer


def asked(server: ModelServer, written: str = "", **more: Any) -> tuple[str, str]:
    """Text and finish reason of a reply, with `written` as what the model has said so far."""
    messages = [{"role": "user", "content": "?"}, {"role": "assistant", "content": written}][
        : 1 + bool(written)
    ]
    body = {"model": "prose@n=100,key=topic-1", "messages": messages, **more}
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{server.url}/chat/completions", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request) as answer:
        reply = json.load(answer)["choices"][0]
    return reply["message"]["content"], reply["finish_reason"]


def test_prose_ends_at_a_limit_and_goes_on_where_it_stopped(server: ModelServer) -> None:
    whole, reason = asked(server)
    assert (len(whole.split()), reason) == (100, "stop")
    beginning, reason = asked(server, max_tokens=56)
    assert (len(beginning.split()), reason) == (50, "length")
    assert abs(estimate_tokens(beginning) - 56) < 8
    rest, reason = asked(server, beginning)
    assert (beginning + rest, reason) == (whole, "stop")
