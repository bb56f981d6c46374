"""What each fault of each provider's wire ought to come to. A case is a mode of the wire's server.

COMMON holds what every provider can do, OWN what one of them does; both are run over real HTTP through the
real litellm by `test_wires`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from unittest.mock import ANY

CHAT = ("openai", "anthropic", "gemini", "mistral", "cohere", "ollama")
EVENT_STREAMS = ("openai", "anthropic", "gemini", "mistral")  # the others send a JSON object a line


@dataclass(frozen=True)
class Case:
    """A mode and its exact outcome; ANY stands for what is not judged here.

    `reason` is the finish reason in the words of the product: stop, length, content_filter and tool_calls are
    one each whatever the provider calls them, and another reason keeps its name.
    """

    mode: str
    status: Any = "done"
    kind: Any = None
    code: Any = None
    attempts: Any = 1
    said: str = ""  # a part of the error's message
    noted: str = ""  # a part of one of the reply's notes
    text: str = "whole"  # all that the server sent; or "none", "any", or the text itself
    reasoning: str = ""
    reason: Any = field(default_factory=lambda: ANY)
    estimated: bool = False  # the count of tokens is the product's own
    wires: tuple[str, ...] = CHAT

    def name(self, wire: str) -> str:
        return f"{wire}-{self.mode}"


def answer(mode: str, reason: Any = "stop", **more: Any) -> Case:
    return Case(mode, reason=reason, **more)


def cut(mode: str, kind: Any, said: str = "", **more: Any) -> Case:
    """The text stays, marked as partial."""
    return Case(mode, "partial", kind, said=said, **{"code": ANY, **more})


def failed(mode: str, kind: Any, said: str = "", **more: Any) -> Case:
    return Case(mode, "failed", kind, said=said, text="none", **more)


def refused(mode: str, kind: Any, code: Any, said: str = "", attempts: int = 1, **more: Any) -> Case:
    return failed(mode, kind, said, code=code, attempts=attempts, **more)


def others(*wires: str) -> tuple[str, ...]:
    return tuple(wire for wire in CHAT if wire not in wires)


THOUGHT = "each model drafts "
SERVER_FAILED = "The server failed while it processed the request"

COMMON = [
    answer("ok@n=3"),
    answer("reasoning@n=3,reason=3", reasoning=THOUGHT),
    answer("think@n=3,reason=3", reasoning=THOUGHT),
    answer("split_utf8@n=3"),
    answer("comments@n=3", wires=EVENT_STREAMS),
    # Whether an answer cut at its limit is done or partial is the engine's to say.
    Case("length@n=3", ANY, ANY, reason="length"),
    Case("ends@n=3,finish=novel", ANY, ANY, reason="novel"),
    cut("content_filter@n=3", "filtered", reason="content_filter", wires=("openai", "anthropic", "gemini")),
    # No answer.
    failed("html", "empty", "api_base"),
    answer("json_body@n=3"),
    failed("empty", "empty", "api_base"),
    failed("empty_stop", "empty", "without writing anything", reason="stop"),
    failed("reasoning_only@reason=3", "empty", "reasoned but wrote no answer", reasoning=THOUGHT),
    # Silence, and an end before its time.
    failed("hang_connect", "timeout", "first_token_seconds"),
    failed("hang_headers", "timeout", "first_token_seconds"),
    cut("hang@n=3", "timeout", "idle_seconds"),
    cut("keepalive_hang@n=3", "timeout", "idle_seconds", wires=EVENT_STREAMS),
    failed("reset_connect", "connection", "lost", attempts=2),
    cut("reset@n=3", "connection", "lost"),
    cut("cut@n=3", "connection", "lost"),
    cut("no_done@n=3", "cut_off"),
    cut("bad_json@n=3", "malformed"),
    Case("non_utf8@n=3", ANY, ANY, text="any"),
    # An error where the answer should go on, or begin.
    cut("error_event@n=3", "server", SERVER_FAILED),
    failed("error_first", "server", SERVER_FAILED, code=ANY, attempts=2, wires=("openai", "anthropic")),
    failed("error_first", "server", SERVER_FAILED, code=503, attempts=2, wires=("gemini",)),
    failed(
        "error_first", "server", SERVER_FAILED, code=ANY, attempts=ANY, wires=("mistral", "cohere", "ollama")
    ),
    Case("leak_stream", "partial", "server", ANY, text="any"),
    # Refusals.
    refused("leak", "auth", 401),
    refused("http400", "bad_request", 400, "Invalid value for 'temperature'"),
    refused("http400ctx", "context", 400),
    refused("http401", "auth", 401, "Incorrect API key provided", wires=others("mistral")),
    refused("http401", "auth", 401, "Unauthorized", wires=("mistral",)),
    refused("http402", "payment", 402, "Insufficient credits"),
    refused("http403", "forbidden", 403, "This account may not use the model"),
    refused("http404", "not_found", 404, "The model does not exist"),
    refused("http413", "bad_request", 413, "Request too large"),
    refused("http422", "bad_request", 422, "Unprocessable request", wires=others("mistral")),
    refused("http422", "bad_request", 422, "Extra inputs are not permitted", wires=("mistral",)),
    refused("http429@retry_after=0", "rate_limit", 429, "ate limit", attempts=2),
    refused("http500", "server", 500, "Internal server error", attempts=2),
    refused("http502html", "server", 502, "502 Bad Gateway", attempts=2),
    refused("http503@retry_after=0", "server", 503, "Overloaded", attempts=2),
    refused("http529", "server", 529, "Overloaded", attempts=2),
    answer("flaky@n=3,status=429,retry_after=0,key=again", attempts=2),
    answer("flaky@n=3,status=500,retry_after=0,key=again", attempts=2),
    answer("flaky@n=3,status=503,retry_after=0,key=again", attempts=2),
]

# Tools are asked for by nobody; a model that calls one all the same is told by the tool's name.
TOOL_CALLS = failed("tool_calls", ANY, "get_weather", code=ANY)

OWN: dict[str, list[Case]] = {
    "openai": [
        TOOL_CALLS,
        answer("refusal", noted="refus", text="I'm sorry, but I can't help with that."),
        failed("filtered", "filtered", reason="content_filter"),
        answer("reasoning2@n=3,reason=3", reasoning=THOUGHT),
        answer("two_choices@n=3"),
        answer("no_reason@n=3", ANY, noted="end", estimated=True),
        answer("dropped_end@n=3", estimated=True),
        answer("null_usage@n=3", estimated=True),
        answer("negative_usage@n=3", estimated=True),
        answer("float_usage@n=3", estimated=True),
        cut("error_choice@n=3", "server", "The provider disconnected"),
        answer("ends@n=3,finish=eos"),
        cut("ends@n=3,finish=abort", "server", "gave up", reason="abort"),
        cut("ends@n=3,finish=insufficient_system_resource", "server", "gave up"),
        refused("limited_first", "rate_limit", 429, "Provider returned error: slow down", attempts=2),
        refused("overflow_first", "context", 400, "exceeds the available context size"),
        cut("bare_error@n=3", "server", "The server failed"),
        answer("beside@n=3", noted="look_up"),
        refused("odd_headers", "rate_limit", 429, "Rate limit reached", attempts=2),
    ],
    "anthropic": [
        TOOL_CALLS,
        answer("redacted@n=3,reason=3", reasoning=THOUGHT),
        failed("refused", "filtered", reason="content_filter"),
        answer("ends@n=3,finish=stop_sequence"),
        Case("ends@n=3,finish=model_context_window_exceeded", ANY, ANY, reason="length"),
        Case("ends@n=3,finish=pause_turn", ANY, ANY, reason="pause_turn"),
        refused("no_credit", ANY, 400, "Your credit balance is too low"),
    ],
    "gemini": [
        TOOL_CALLS,
        answer("two_parts@n=3", reasoning="each "),
        failed("refused", "filtered", reason="content_filter"),
        failed("prompt_blocked", "filtered"),
        failed("cut_while_thinking", "empty", "max_tokens", reason="length"),
        *(
            cut(f"ends@n=3,finish={reason}", "filtered", reason="content_filter")
            for reason in ("RECITATION", "PROHIBITED_CONTENT", "SPII", "BLOCKLIST")
        ),
        *(
            cut(f"ends@n=3,finish={reason}", ANY, reason=reason)
            for reason in ("OTHER", "LANGUAGE", "MALFORMED_RESPONSE")
        ),
        refused("bad_key", "auth", ANY, "API key not valid"),
        refused("listed", "server", 503, "The model is overloaded", attempts=2),
        refused("per_minute@retry_after=0", "rate_limit", 429, "Quota exceeded", attempts=2),
        refused("per_day@retry_after=0", "quota", 429, "Quota exceeded"),
    ],
    "mistral": [
        TOOL_CALLS,
        Case("cut_at_model@n=3", ANY, ANY, reason="length"),
        cut("ends@n=3,finish=error", ANY),
        refused("detail_list", "bad_request", 422, "Extra inputs are not permitted"),
        refused("capacity@retry_after=0", "rate_limit", 429, "Service tier capacity exceeded", attempts=2),
    ],
    "cohere": [
        TOOL_CALLS,
        answer("ends@n=3,finish=STOP_SEQUENCE"),
        cut("ends@n=3,finish=TIMEOUT", ANY, reason="TIMEOUT"),
        cut("ends@n=3,finish=ERROR", ANY, "the generation was blocked"),
        refused("unsafe", ANY, 498, "it violates the usage guidelines"),
    ],
    "cohere-events": [
        answer("ok@n=3"),
        answer("reasoning@n=3,reason=3", reasoning=THOUGHT),
        Case("length@n=3", ANY, ANY, reason="length"),
        refused("http429@retry_after=0", "rate_limit", 429, "ate limit", attempts=2),
    ],
    "ollama": [TOOL_CALLS],
}

CASES = [(wire, case) for case in COMMON for wire in case.wires] + [
    (wire, case) for wire, cases in OWN.items() for case in cases
]
