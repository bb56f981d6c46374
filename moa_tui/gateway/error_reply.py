"""What a server's error reply says: the ModelError for an HTTP status, its headers and its body."""

from __future__ import annotations

import ast
import html
import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from moa_tui.errors import ModelError
from moa_tui.gateway.refusals import context_limit, not_taken
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
    "exceed context limit",
    "maximum prompt length",
    "maximum model length",
    "model's context length",
    "model token limit",
    "range of input length should be",
    "reduce the length of the messages",
    "exceed_context_size_error",
    "greater than the context length",
    "tokens in the prompt cannot exceed",
    "maximum allowed length",
    "tokens_limit_reached",
    "request too large for",
)
# llama.cpp says some of it with the status of a fault of its own.
_TOO_LONG_WHATEVER_STATUS = ("exceed_context_size_error", "context size has been exceeded")
_FILTERED = (
    "content_policy_violation",
    "responsibleaipolicyviolation",
    "content_filter",
    "content management policy",
    "our safety system",
    "data_inspection_failed",
    "input was flagged",
    "new_sensitive",
)

# Gemini and xAI answer so with status 400.
_WRONG_KEY = (
    "api key not valid",
    "api_key_invalid",
    "incorrect api key",
    "invalid api key",
    "api key not found",
)


def error_reply(status: int, headers: Mapping[str, str], body: bytes, *, was_cut: bool) -> ModelError:
    """The ModelError for an HTTP error; `was_cut` is true where only the beginning of the body was read."""
    text = body.decode("utf-8", "replace").strip()
    message = said(text) or f"HTTP status {status}, and no word why"
    if was_cut:
        message = f"{message[:1_000]} [cut: the server sent more than {len(body):,} bytes]"
    return _refusal(status, headers, text, message)


def _refusal(status: int, headers: Mapping[str, str], text: str, message: str) -> ModelError:
    """The ModelError for a status with `text`, in which `message` is what the server says."""
    text = f"{text}\n{message}"  # JSON may write what is not ASCII as numbers.
    kind = failure_kind(status, text)
    return ModelError(
        kind,
        message,
        status,
        retry_after(headers, status, text),
        refused=not_taken(status, text),
        context_tokens=context_limit(text) if kind == "context" else None,
    )


# What proxies built on litellm, and litellm itself, write around a provider's message: names of exceptions in
# front of it, and behind it advice, tracebacks and names of their own.
_EXCEPTIONS = re.compile(
    r"^(?:(?:litellm\.)?[A-Z]\w*(?:Error|Exception|Timeout)(?: Error)?:\s+)*"
    r"(?:litellm\.\w+:\s*)?(?:[\w ]{0,40}Exception - )?(?:Error code: \d{3} - )?"
)
_NOT_SAID = re.compile(
    r"\s*(?:Original exception:|Handle with `litellm|Traceback \(most recent|Received Model Group)"
)
# A body that was made a text of as Python shows it: bytes, or an object, with the escapes that Python writes
# (of others it would warn).
_BYTES = re.compile(r"""b(?P<quote>['"])(?P<body>.*)(?P=quote)\.?""", re.DOTALL)
_PYTHON_OBJECT = re.compile(r"""\{'(?:[^\\]|\\[\\'"nrtxuU])*\}""")


def said(text: str) -> str:
    """The message in a body or in an error's text, without the JSON, HTML or Python around it."""
    text = text if text.startswith(("{", "[", '"')) else text[:_LONGEST_MESSAGE]
    if text.startswith("<") or "<html" in text.lower():
        text = _text_of_page(text)
    return _message(text)[:_LONGEST_MESSAGE].strip()


# What stands in a page and is not shown; also where it is cut off.
_UNSEEN = re.compile(r"<!--.*?(?:-->|\Z)|<(script|style)\b.*?(?:</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE)
_LONGEST_PAGE = 300  # characters; what follows tells of the server's makers and of the visitor's address


def _text_of_page(page: str) -> str:
    """The beginning of what a page of HTML or XML says, the title once."""
    texts = [" ".join(html.unescape(text).split()) for text in re.split(r"<[^<>]*>", _UNSEEN.sub(" ", page))]
    text = " ".join(dict.fromkeys(filter(None, texts)))
    if len(text) <= _LONGEST_PAGE:
        return text
    start = text[:_LONGEST_PAGE]
    return f"{start.rpartition(' ')[0] or start} ..."


# Where providers put the message of an error; it may be an object with a message in its turn.
_MESSAGE_FIELDS = (
    *("error_description", "faultstring", "error", "message", "detail", "errors", "msg", "errormessage"),
    *("error_message", "error_msg", "status_msg", "base_resp", "fault", "title"),
)
_MOST_MESSAGES = 3
_DEEPEST = 6


def _message(body: Any, depth: int = 0) -> str:
    """The message of a provider's error object; the object itself where it has none.

    Some put the error of another server into theirs as JSON in a string, and some send a list of errors.
    """
    if isinstance(body, str):
        value = _value_in(body) if depth < _DEEPEST else body
        if isinstance(value, str):
            value = _value_in(_unwrapped(value))
        return value if isinstance(value, str) else _message(value, depth + 1) or body
    if isinstance(body, list) and body and depth < _DEEPEST:
        return "; ".join(_message(item, depth + 1) for item in body[:_MOST_MESSAGES])
    if not isinstance(body, dict) or depth >= _DEEPEST:
        return _as_json(body)
    values = {str(name).lower(): value for name, value in body.items() if value}
    if isinstance(values.get("message"), str) and isinstance(values.get("error"), str):
        del values["error"]  # The name of the status, or of the kind.
    inner = next((values[name] for name in _MESSAGE_FIELDS if name in values), None)
    if inner is None:
        return _as_json(body)
    message = _message(inner, depth + 1)
    if isinstance(place := body.get("loc"), list):  # pydantic's, of a field that was refused
        message = f"{'.'.join(str(name)[:100] for name in place[:_DEEPEST])}: {message}"
    metadata = body.get("metadata")
    if isinstance(metadata, dict) and (raw := metadata.get("raw")):  # OpenRouter's
        message = f"{message}: {_message(raw, depth + 1)}"
    return message


def _unwrapped(text: str) -> str:
    """A provider's message without what litellm and the OpenAI SDK write around it."""
    text = _EXCEPTIONS.sub("", _NOT_SAID.split(text, maxsplit=1)[0]).strip()
    wrapped = _BYTES.fullmatch(text)
    return wrapped["body"] if wrapped else text


def _value_in(text: str) -> Any:
    """The value that a text is, as JSON or as Python shows it; the text itself where it is none."""
    # Nested too deeply, it is shown as it came.
    with suppress(ValueError, RecursionError):
        if text.startswith(("{", "[", '"')):
            return json.loads(text)
    with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
        if _PYTHON_OBJECT.fullmatch(text) and len(text) <= _LONGEST_MESSAGE:
            return ast.literal_eval(text)
    return text


# OpenAI; Moonshot and Zhipu of an empty account; Cohere of a trial key.
_EXHAUSTED = re.compile(
    r"insufficient[_ ](?:quota|balance)|exceeded (?:your|current) (?:\w+ )?quota|exceeded_current_quota"
    r"|billing_(?:hard|not)|plan and billing|余额不足|api calls / month",
    re.IGNORECASE,
)

# What error events say in the place of an HTTP status, in a field named code, type or status.
_STATUS_WORDS = {
    400: (
        *("invalid_request_error", "invalid_argument", "badrequesterror", "context_length_exceeded"),
        *("1026", "1027", "2013"),  # these, and those below, are MiniMax's
    ),
    401: ("authentication_error", "unauthenticated", "invalid_api_key", "invalidapikey", "1004", "2049"),
    402: ("billing_error", "insufficient_balance", "1008"),
    403: ("permission_error", "permission_denied"),
    404: ("not_found_error", "not_found", "notfounderror", "model_not_found", "invalid_model"),
    413: ("request_too_large",),
    429: (
        "rate_limit_error",
        "rate_limit_exceeded",
        "rate_limited",
        "resource_exhausted",
        "too_many_requests",
        "insufficient_quota",
        *("1002", "1039"),
    ),
    500: ("server_error", "api_error", "internal_error", "internal_server_error", "internal"),
    503: ("overloaded", "service_unavailable", "unavailable", "engine_overloaded_error"),
    504: ("timeout_error", "deadline_exceeded"),
    529: ("overloaded_error",),
}
_STATUS_OF_WORD = {word: status for status, words in _STATUS_WORDS.items() for word in words}


_STATUS_FIELDS = ("code", "status_code", "raw_status_code", "http_status_code", "http_code", "type", "status")


def error_event(event: Any) -> ModelError:
    """The ModelError for an error that a server sends as an event of its stream, after a status of 200.

    Its status is the one that the event states, as a number or in a provider's word for it, so that it is
    judged and repeated as if it had come in the place of the stream.
    """
    status = _stated_status(event)
    text = _as_json(event)
    message = _message(event)[:_LONGEST_MESSAGE].strip() or "an error"
    if message.startswith(("{", "[")):
        message = f"an error without a message ({message})" if message.strip("{}[]") else "an error"
    return ModelError("server", message) if status is None else _refusal(status, {}, text, message)


def _stated_status(event: Any) -> int | None:
    """The HTTP status that an error event states; None where it states none."""
    if not isinstance(event, dict):
        return None
    error = event.get("error")
    places = (error, event) if isinstance(error, dict) else (event,)
    words = [place.get(name) for place in places for name in _STATUS_FIELDS]
    texts = [str(word).lower() for word in words if isinstance(word, str | int)]
    numbers = [int(text) for text in texts if re.fullmatch("[45][0-9]{2}", text)]
    known = [_STATUS_OF_WORD[text] for text in texts if text in _STATUS_OF_WORD]
    return next(iter([*numbers, *known]), None)


def _as_json(value: Any) -> str:
    """The JSON text of a value, cut; nothing where it has none, or is nested too deeply."""
    with suppress(RecursionError, TypeError, ValueError):
        return json.dumps(value, ensure_ascii=False)[:_LONGEST_MESSAGE]
    return ""


def failure_kind(status: int, text: str) -> FailureKind:
    """The kind of failure that an HTTP status and the text of the reply stand for."""
    if status == 429:
        # Gemini says the same of a quota for a minute, which refills soon, as of one for a day.
        refills = "PerMinute" in text and "PerDay" not in text
        if "request too large for" in text.lower():
            return "context"  # It is larger than what a minute allows.
        exhausted = _EXHAUSTED.search(text)
        return "quota" if exhausted and not refills else "rate_limit"
    lower = text.lower()
    if status in (400, 413, 422) and any(phrase in lower for phrase in _TOO_LONG):
        return "context"
    if any(phrase in lower for phrase in _TOO_LONG_WHATEVER_STATUS):
        return "context"
    if status in (400, 403, 422) and any(phrase in lower for phrase in _FILTERED):
        return "filtered"
    if status == 400 and any(phrase in lower for phrase in _WRONG_KEY):
        return "auth"
    if status == 400 and "credit balance is too low" in lower:
        return "payment"
    kinds: dict[int, FailureKind] = {401: "auth", 402: "payment", 403: "forbidden", 404: "not_found"}
    if status in kinds:
        return kinds[status]
    return "server" if status >= 500 or status in (408, 409, 425) else "bad_request"
