"""What a server's error reply says: the ModelError for an HTTP status, its headers and its body."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from moa_tui.errors import ModelError
from moa_tui.gateway.waits import retry_after

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moa_tui.errors import FailureKind

# Characters of an error's message; some servers answer with a whole page.
_LONGEST_MESSAGE = 10_000

# What providers write where the messages are longer than the model's context window.
_TOO_LONG = (
    "context_length_exceeded",
    "context window",
    "context length",
    "context limit",
    "available context size",
    "maximum input length",
    "maximum number of tokens allowed",
    "prompt is too long",
    "input tokens exceed",
    "input is too long",
    "`inputs` tokens + `max_new_tokens` must be",
    "too large for model with",
    "while limit is",
    "too many tokens: size limit exceeded",
    "prompt too long",
)
_FILTERED = (
    "content_policy_violation",
    "responsibleaipolicyviolation",
    "content_filter",
    "content management policy",
    "our safety system",
    "data_inspection_failed",
)


def error_reply(status: int, headers: Mapping[str, str], body: bytes, *, was_cut: bool) -> ModelError:
    """The ModelError for an HTTP error; `was_cut` is true where only the beginning of the body was read."""
    text = body.decode("utf-8", "replace").strip()
    message = said(text) or f"HTTP status {status}, and no word why"
    if was_cut:
        message = f"{message[:1_000]} [cut: the server sent more than {len(body):,} bytes]"
    return ModelError(failure_kind(status, text), message, status, retry_after(headers, status, text))


def said(text: str) -> str:
    """The message in a body or in an error's text, without the JSON or HTML around it."""
    text = text[:_LONGEST_MESSAGE] if not text.startswith(("{", "[")) else text
    if text.startswith(("{", "[")):
        # Nested too deeply, the JSON is shown as it came.
        with suppress(ValueError, RecursionError):
            text = _message(json.loads(text)) or text
    elif "<html" in text.lower() or "<!doctype" in text.lower():
        text = " ".join(re.sub(r"<[^<>]*>", " ", text).split())
    return text[:_LONGEST_MESSAGE].strip()


def _message(body: Any) -> str:
    """The message of a provider's error object; the object itself where it has none."""
    for _ in range(4):  # {"error": {"message": ...}}, in a list at some providers
        if isinstance(body, list) and body:
            body = body[0]
        if not isinstance(body, dict):
            break
        body = next((body[name] for name in ("error", "message", "detail", "errors") if body.get(name)), body)
    return body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)[:_LONGEST_MESSAGE]


def failure_kind(status: int, text: str) -> FailureKind:
    """The kind of failure that an HTTP status and the text of the reply stand for."""
    if status == 429:
        exhausted = re.search(r"insufficient_quota|exceeded your (?:\w+ )?quota|billing", text, re.IGNORECASE)
        return "quota" if exhausted else "rate_limit"
    lower = text.lower()
    if status in (400, 413, 422) and any(phrase in lower for phrase in _TOO_LONG):
        return "context"
    if status in (400, 403, 422) and any(phrase in lower for phrase in _FILTERED):
        return "filtered"
    kinds: dict[int, FailureKind] = {401: "auth", 402: "payment", 403: "forbidden", 404: "not_found"}
    if status in kinds:
        return kinds[status]
    return "server" if status >= 500 or status in (408, 409) else "bad_request"
