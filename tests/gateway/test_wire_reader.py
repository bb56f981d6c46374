"""What becomes of the bytes of a stream, without a server and without litellm.

The streams are written after what is documented or reported of the servers that are named.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moa_tui.engine.values import Usage
from moa_tui.gateway.wire_reader import WireReader

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from moa_tui.errors import ModelError


class Read:
    """A stream that was read to its end, in pieces of `step` bytes."""

    def __init__(self, body: bytes, step: int = 1_000_000) -> None:
        self.reader = WireReader()
        pieces = [body[start : start + step] for start in range(0, len(body), step)]
        chunks = [chunk for piece in pieces for chunk in self.reader.feed(piece)] + self.reader.flush()
        self.text = "".join(chunk.text for chunk in chunks if chunk.kind == "text")
        self.reasoning = "".join(chunk.text for chunk in chunks if chunk.kind == "reasoning")
        self.finish = self.reader.reply.finish()
        self.problem: ModelError | None = self.reader.reply.problem()

    @property
    def kind(self) -> str | None:
        return self.problem.kind if self.problem else None


def events(*values: object, end: str = "\n\n", done: bool = True) -> bytes:
    """Server-sent events; a text stands for itself, [DONE] comes last."""
    texts = [value if isinstance(value, str) else json.dumps(value) for value in values]
    return "".join(f"data: {text}{end}" for text in [*texts, *(["[DONE]"] if done else [])]).encode()


def lines(*values: object) -> bytes:
    return "".join(json.dumps(value) + "\n" for value in values).encode()


def chunk(delta: object, finish: object = None, **more: object) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"object": "chat.completion.chunk", "choices": [choice], **more}


PARIS = (chunk({"role": "assistant", "content": ""}), chunk({"content": "Pa"}), chunk({"content": "ris"}))
STOP = chunk({}, "stop")
COUNTED = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def asked(*parts: Any) -> bytes:
    return events(*PARIS, *parts)


# ---- the frames

FRAMES = {
    "plain": asked(STOP),
    "crlf": asked(STOP).replace(b"\n", b"\r\n"),
    "cr": asked(STOP).replace(b"\n", b"\r"),
    "no space after the colon": asked(STOP).replace(b"data: ", b"data:"),
    "no empty lines between events": events(*PARIS, STOP, end="\n"),
    "no line end at the end": asked(STOP).rstrip(),
    "no [DONE]": events(*PARIS, STOP, done=False),
    "named events with ids": asked(STOP).replace(b"data:", b"id: 7\nevent: message\nretry: 10\ndata:"),
    "comments": asked(STOP).replace(b"data:", b": OPENROUTER PROCESSING\n\ndata:"),
    "events that say nothing": events("", "ping", *PARIS, "{}", "null", STOP)
    + b"event: ping\ndata: 2026-01-01 10:00\n\n",
    "an event over several lines": events(*PARIS, STOP).replace(b', "choices"', b',\ndata: "choices"'),
    "Azure's first event": events({"choices": [], "prompt_filter_results": [{}]}, *PARIS, STOP),
    "JSON a line in place of events": lines(*PARIS, STOP),
    "a reason in each chunk": events(*(chunk({"content": text}, "stop") for text in ("Pa", "ris"))),
    "an empty reason in each chunk": events(*(chunk({"content": text}, "") for text in ("Pa", "ris")), STOP),
    "errors of empty fields": events(
        *(part | {"error": {"message": "", "code": None}} for part in PARIS), STOP
    ),
    "a quoted [DONE]": events(*PARIS, STOP, '"[DONE]"', done=False),
    "MiniMax's summary behind the answer": events(
        *(part | {"base_resp": {"status_code": 0, "status_msg": ""}} for part in (*PARIS, STOP)),
        {
            "object": "chat.completion",
            "choices": [{"index": 0, "message": {"content": "Paris"}, "finish_reason": "stop"}],
        },
        done=False,
    ),
    "Azure's filter, which runs beside": asked(
        {"choices": [{"index": 0, "finish_reason": None, "content_filter_offsets": {"check_offset": 4}}]},
        STOP,
    ),
    "an index as text": asked(STOP).replace(b'"index": 0', b'"index": "0"'),
}


@pytest.mark.parametrize("step", [1, 7, 1_000_000])
@pytest.mark.parametrize("body", FRAMES.values(), ids=FRAMES.keys())
def test_an_answer_is_read_however_its_events_are_framed(body: bytes, step: int) -> None:
    read = Read(body, step)
    assert (read.text, read.finish.reason, read.problem) == ("Paris", "stop", None)


TORN = {
    "a torn event": events(*PARIS, done=False)
    + b'data: {"choices":[{"delta":{"content":"x\n\n'
    + asked(STOP),
    "a torn event at the end": events(*PARIS, done=False) + b'data: {"choices":[{"delta":{"con',
    "what is no JSON": events(*PARIS, "and so it goes on", STOP),
    "bytes that are no text": asked(STOP).replace(b"ris", b"r\xffs"),
    "a torn line": lines({"message": {"content": "Pa"}, "done": False}) + b'{"message": {"con\n',
    "JSON that is nested without end": events(*PARIS, done=False) + b"data: " + b"[" * 20_000 + b"\n\n",
}


@pytest.mark.parametrize("step", [1, 999, 1_000_000])
@pytest.mark.parametrize("body", TORN.values(), ids=TORN.keys())
def test_a_piece_that_is_lost_is_said_to_be_missing(body: bytes, step: int) -> None:
    read = Read(body, step)
    assert read.kind == "malformed"
    assert read.text.startswith("Pa"), "what came before stays"


def test_an_end_without_a_mark_and_without_a_reason_is_no_end() -> None:
    read = Read(events(*PARIS, done=False))
    assert (read.text, read.finish.reason, read.problem) == ("Paris", None, None)


def test_an_end_with_a_mark_and_without_a_reason_is_one_with_a_note() -> None:
    read = Read(asked())
    assert (read.text, read.finish.reason) == ("Paris", "stop")
    assert "without a reason" in read.finish.notes[0]
    assert Read(events()).finish.reason is None, "but not of no answer at all"


# ---- errors

RAW = {"message": "Provider returned error", "code": 429, "metadata": {"raw": '{"error": "slow down"}'}}
ERRORS: dict[str, tuple[bytes, str, int | None, str]] = {
    "OpenAI": (events({"error": {"message": "Boom", "type": "server_error"}}), "server", 500, "Boom"),
    "a status as text": (events({"error": {"message": "Boom", "code": "503"}}), "server", 503, "Boom"),
    "OpenRouter": (events({"error": RAW}), "rate_limit", 429, "Provider returned error: slow down"),
    "vLLM": (
        events({"object": "error", "message": "Boom", "type": "BadRequestError", "code": 400}),
        "bad_request",
        400,
        "Boom",
    ),
    "llama.cpp before September 2025": (
        b'error: {"code":400,"message":"the request exceeds the available context size"}\n\ndata: [DONE]\n\n',
        "context",
        400,
        "the request exceeds the available context size",
    ),
    "bare JSON among events": (lines({"error": {"message": "Boom", "code": 500}}), "server", 500, "Boom"),
    "a bare document": (
        json.dumps({"error": {"message": "Boom", "code": 500}}, indent=2).encode(),
        "server",
        500,
        "Boom",
    ),
    "a named event of text": (b"event: error\ndata: Boom\n\n", "server", None, "Boom"),
    "FastAPI": (events({"detail": "Boom"}), "server", None, "Boom"),
    "Ollama": (lines({"error": "Boom"}), "server", None, "Boom"),
    "Anthropic": (
        b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Boom"}}\n\n',
        "server",
        529,
        "Boom",
    ),
    "Anthropic's key": (
        events({"type": "error", "error": {"type": "authentication_error", "message": "Boom"}}),
        "auth",
        401,
        "Boom",
    ),
    "Gemini in a list": (
        events([{"error": {"code": 503, "message": "Boom", "status": "UNAVAILABLE"}}]),
        "server",
        503,
        "Boom",
    ),
    "Cohere": (
        events({"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "Boom"}}),
        "server",
        None,
        "Boom",
    ),
    "OpenRouter in a choice": (
        events(
            {"choices": [{"delta": {}, "finish_reason": "error", "error": {"code": 502, "message": "Boom"}}]}
        ),
        "server",
        502,
        "Boom",
    ),
    "Groq": (events({"choices": [], "x_groq": {"id": "r", "error": "Boom"}}), "server", None, "Boom"),
    "Cerebras": (
        events({"error": {"message": "Boom", "code": ""}, "status_code": 429}),
        "rate_limit",
        429,
        "Boom",
    ),
    "TGI": (
        events({"error": {"message": "Boom", "http_status_code": 422}}),
        "bad_request",
        422,
        "Boom",
    ),
    "MiniMax's key": (
        lines({"choices": None, "base_resp": {"status_code": 1004, "status_msg": "Boom"}}),
        "auth",
        401,
        "Boom",
    ),
    "MiniMax's filter": (
        events({"base_resp": {"status_code": 1027, "status_msg": "output new_sensitive"}}),
        "filtered",
        400,
        "output new_sensitive",
    ),
    "Baidu": (lines({"error_code": 336003, "error_msg": "Boom"}), "server", None, "Boom"),
    "Cloudflare": (lines({"success": False, "errors": [{"message": "Boom"}]}), "server", None, "Boom"),
    "no message": (events({"error": {}, "type": "error"}), "server", None, "an error"),
}


@pytest.mark.parametrize(("body", "kind", "status", "message"), ERRORS.values(), ids=ERRORS.keys())
def test_an_error_in_the_place_of_an_answer_is_a_plain_refusal(
    body: bytes, kind: str, status: int | None, message: str
) -> None:
    problem = Read(body).problem
    assert problem is not None
    assert (problem.kind, problem.status_code) == (kind, status)
    assert problem.message.startswith(message)


@pytest.mark.parametrize("body", [case[0] for case in ERRORS.values()], ids=ERRORS.keys())
def test_an_error_in_the_middle_of_an_answer_keeps_what_came(body: bytes) -> None:
    read = Read(events(*PARIS, done=False) + body)
    assert read.text == "Paris"
    assert read.problem is not None
    assert "middle of its reply" in read.problem.message
    assert read.problem.status_code is None


def test_the_wait_in_an_error_event_is_kept() -> None:
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"}
    error = {"code": 429, "message": "Slow down", "status": "RESOURCE_EXHAUSTED", "details": [info]}
    problem = Read(events({"error": error})).problem
    assert problem is not None
    assert problem.retry_after == 7


# ---- why an answer ends

OTHER_ENDS: dict[str, tuple[str, str, str | None]] = {
    "eos": ("stop", "Together", None),
    "EOS_TOKEN": ("stop", "TGI", None),
    "max_tokens": ("length", "", None),
    "model_length": ("length", "Mistral", None),
    "refusal": ("content_filter", "Anthropic", None),
    "sensitive": ("content_filter", "Zhipu", None),
    "abort": ("abort", "vLLM", "server"),
    "insufficient_system_resource": ("insufficient_system_resource", "DeepSeek", "server"),
    "network_error": ("network_error", "Zhipu", "server"),
    "half\x1b[31m\nway": ("half[31m way", "nobody", None),
}


@pytest.mark.parametrize("sent", OTHER_ENDS)
def test_reasons_are_one_word_or_the_servers_own(sent: str) -> None:
    reason, _, kind = OTHER_ENDS[sent]
    read = Read(asked(chunk({}, sent)))
    assert (read.text, read.finish.reason, read.kind) == ("Paris", reason, kind)


def test_a_reason_that_nobody_knows_is_noted() -> None:
    assert '"novel"' in Read(asked(chunk({}, "novel"))).finish.notes[0]


# ---- text, and what is none

CONTENT: dict[str, tuple[Sequence[Any], str, str, str]] = {
    "text parts first": (
        [chunk({"content": [{"type": "text", "text": "Pa"}]}), chunk({"content": "ris"})],
        "Paris",
        "",
        "",
    ),
    "Mistral's thinking": (
        [
            chunk({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}]}),
            chunk(
                {"content": [{"type": "text", "text": "Paris"}, {"type": "reference", "reference_ids": [1]}]}
            ),
        ],
        "Paris",
        "Hm.",
        "",
    ),
    "Databricks' reasoning": (
        [
            chunk({"content": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]}]}),
            chunk({"content": "Paris"}),
        ],
        "Paris",
        "Hm.",
        "",
    ),
    "reasoning": ([chunk({"reasoning": "Hm."}), *PARIS], "Paris", "Hm.", ""),
    "reasoning in two fields": (
        [chunk({"reasoning": "Hm.", "reasoning_content": "Hm."}), *PARIS],
        "Paris",
        "Hm.",
        "",
    ),
    "OpenRouter's details": (
        [
            chunk({"reasoning_details": [{"type": "reasoning.text", "text": "Hm."}]}),
            chunk({"reasoning_details": [{"type": "reasoning.encrypted", "data": "eA=="}]}),
            *PARIS,
        ],
        "Paris",
        "Hm.",
        "",
    ),
    "an image": (
        [chunk({"content": [{"type": "image_url", "image_url": {"url": "x"}}]}), *PARIS],
        "Paris",
        "",
        '"image_url"',
    ),
    "a refusal": ([chunk({"refusal": "Pa"}), chunk({"refusal": "ris"})], "Paris", "", "refused"),
    "several choices in a chunk": (
        [
            {"choices": [{"index": 1, "delta": {}}, {"index": 0, "delta": {}}]},
            {
                "choices": [
                    {"index": 0, "delta": {"content": "x"}},
                    {"index": 1, "delta": {"content": "Paris"}},
                ]
            },
        ],
        "Paris",
        "",
        "several answers",
    ),
    "a tool beside the text": (
        [*PARIS, chunk({"tool_calls": [{"index": 0, "function": {"name": "look_up", "arguments": "{}"}}]})],
        "Paris",
        "",
        '"look_up"',
    ),
    "plain completions": ([{"choices": [{"index": 0, "text": "Paris"}]}], "Paris", "", ""),
}


@pytest.mark.parametrize(("sent", "text", "reasoning", "noted"), CONTENT.values(), ids=CONTENT.keys())
def test_no_text_is_lost_and_none_is_mixed_in(
    sent: Iterable[Any], text: str, reasoning: str, noted: str
) -> None:
    index = 1 if noted == "several answers" else 0
    read = Read(events(*sent, {"choices": [{"index": index, "delta": {}, "finish_reason": "stop"}]}))
    assert (read.text, read.reasoning, read.finish.reason, read.problem) == (text, reasoning, "stop", None)
    assert noted in " ".join(read.finish.notes)
    assert bool(noted) == bool(read.finish.notes)


@pytest.mark.parametrize("content", [["Pa"], {"text": "Pa"}, 5, True, [[]], [{"type": "text"}]])
def test_text_in_an_unknown_form_is_missed_aloud(content: object) -> None:
    read = Read(events(chunk({"content": content}), chunk({"content": "ris"}), STOP))
    assert (read.text, read.kind) == ("ris", "malformed")


@pytest.mark.parametrize(
    ("delta", "named"),
    [
        (
            {"tool_calls": [{"function": {"name": "get_weather"}}, {"function": {"name": "sum"}}]},
            '"get_weather"',
        ),
        ({"function_call": {"name": "get_weather", "arguments": ""}}, '"get_weather"'),
        ({"tool_calls": [{"function": {"name": None}}]}, "a tool"),
    ],
)
def test_a_call_of_a_tool_is_named(delta: object, named: str) -> None:
    problem = Read(events(chunk(delta), chunk({}, "tool_calls"))).problem
    assert problem is not None
    assert named in problem.message


def test_json_that_litellm_asks_of_anthropic_by_a_tool_is_the_answer() -> None:
    block = {"type": "tool_use", "id": "t", "name": "json_tool_call", "input": {}}
    deltas = [{"type": "input_json_delta", "partial_json": text} for text in ('{"a":', " 1}")]
    read = Read(
        events(
            {"type": "message_start", "message": {"usage": {"input_tokens": 1}}},
            {"type": "content_block_start", "index": 0, "content_block": block},
            *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
            {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 2}},
            {"type": "message_stop"},
        )
    )
    assert (read.text, read.problem) == ('{"a": 1}', None)


# ---- usage

USAGE: dict[str, tuple[Sequence[Any], Usage | None]] = {
    "behind the choices": ([STOP, {"choices": [], "usage": COUNTED}], Usage(3, 2, estimated=False)),
    "no choices at all": (
        [STOP, {"object": "chat.completion.chunk", "usage": COUNTED}],
        Usage(3, 2, estimated=False),
    ),
    "null behind a count": (
        [{**STOP, "usage": COUNTED}, {"choices": None, "usage": None}],
        Usage(3, 2, estimated=False),
    ),
    "in each chunk": (
        [
            {**chunk({"content": "."}), "usage": {**COUNTED, "completion_tokens": 1}},
            {**STOP, "usage": COUNTED},
        ],
        Usage(3, 2, estimated=False),
    ),
    "Groq": ([{**STOP, "x_groq": {"usage": COUNTED}}], Usage(3, 2, estimated=False)),
    "Moonshot": (
        [{"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "usage": COUNTED}]}],
        Usage(3, 2, estimated=False),
    ),
    "numbers as text": (
        [{**STOP, "usage": {"prompt_tokens": "3", "completion_tokens": "2"}}],
        Usage(3, 2, estimated=False),
    ),
    "xAI, which counts thoughts apart": (
        [
            {
                **STOP,
                "usage": {
                    **COUNTED,
                    "total_tokens": 15,
                    "completion_tokens_details": {"reasoning_tokens": 10},
                },
            }
        ],
        Usage(3, 12, estimated=False),
    ),
    **{
        f"{value!r}": ([{**STOP, "usage": dict.fromkeys(COUNTED, value)}], None)
        for value in (None, -1, 2.5, "many", True, [], 10**30, 0)
    },
    "half of it": ([{**STOP, "usage": {"completion_tokens": 2}}], None),
    "a list": ([{**STOP, "usage": [1, 2]}], None),
    "ten thousand digits": (
        [STOP, '{"choices": [], "usage": {"prompt_tokens": ' + "9" * 10_000 + "}}"],
        None,
    ),
}


@pytest.mark.parametrize(("ending", "usage"), USAGE.values(), ids=USAGE.keys())
def test_a_count_is_taken_where_it_can_be_meant(ending: Sequence[Any], usage: Usage | None) -> None:
    read = Read(asked(*ending))
    assert (read.finish.usage, read.finish.reason, read.problem) == (usage, "stop", None)


@pytest.mark.parametrize("cost", [0.01, {"total_cost": 0.01}])
def test_what_a_server_says_it_charged_is_kept(cost: object) -> None:
    """OpenRouter states a number, Perplexity an object."""
    assert Read(asked({**STOP, "usage": {**COUNTED, "cost": cost}})).finish.cost == 0.01


ANTHROPIC_START = {
    "input_tokens": 3,
    "cache_read_input_tokens": 10,
    "cache_creation_input_tokens": 5,
    "output_tokens": 1,
}


@pytest.mark.parametrize(
    "last",
    [
        {},
        {"input_tokens": 3},
        {"input_tokens": 3, "cache_read_input_tokens": None, "cache_creation_input_tokens": None},
        {"input_tokens": None, "cache_read_input_tokens": 10},
        {"input_tokens": 0, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0},
        ANTHROPIC_START,
    ],
)
def test_anthropics_cache_is_part_of_the_prompt(last: dict[str, Any]) -> None:
    """The last event may have any part of the prompt's count, or null for it (MessageDeltaUsage)."""
    usage = {**last, "output_tokens": 7}
    read = Read(
        events(
            {"type": "message_start", "message": {"usage": ANTHROPIC_START}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Paris"}},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage},
            {"type": "message_stop"},
        )
    )
    assert read.finish.usage == Usage(18, 7, estimated=False, cached_tokens=10, cache_write_tokens=5)


def test_the_last_count_stands_where_the_cache_was_not_known_at_first() -> None:
    """vLLM counts all as new in its first event, and what its cache held apart in its last."""
    usage = {"input_tokens": 3, "cache_read_input_tokens": 15, "output_tokens": 7}
    read = Read(
        events(
            {"type": "message_start", "message": {"usage": {"input_tokens": 18, "output_tokens": 0}}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Paris"}},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage},
            {"type": "message_stop"},
        )
    )
    assert read.finish.usage == Usage(18, 7, estimated=False, cached_tokens=15)


# ---- whole answers, where a stream was asked for

THINKING = {"type": "thinking", "thinking": "hm", "signature": "x"}
WHOLE: dict[str, dict[str, Any]] = {
    "OpenAI": {
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Paris", "reasoning_content": "hm"},
                "finish_reason": "stop",
            }
        ],
        "usage": COUNTED,
    },
    "Mistral": {
        "choices": [
            {
                "message": {"content": [THINKING, {"type": "text", "text": "Paris"}]},
                "finish_reason": "stop",
            }
        ],
        "usage": COUNTED,
    },
    "Anthropic": {
        "type": "message",
        "content": [THINKING, {"type": "text", "text": "Paris"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 3, "output_tokens": 2},
    },
    "Cohere": {
        "message": {"content": [THINKING, {"type": "text", "text": "Paris"}]},
        "finish_reason": "COMPLETE",
        "usage": {"tokens": {"input_tokens": 3, "output_tokens": 2}},
    },
    "Ollama": {
        "message": {"content": "Paris", "thinking": "hm"},
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": 3,
        "eval_count": 2,
    },
}


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("whole", WHOLE.values(), ids=WHOLE.keys())
def test_a_whole_answer_is_read_where_a_stream_was_asked_for(
    whole: dict[str, Any], indent: int | None
) -> None:
    read = Read(json.dumps(whole, indent=indent).encode(), 9)
    assert (read.text, read.reasoning, read.finish.reason) == ("Paris", "hm", "stop")
    assert read.finish.usage == Usage(3, 2, estimated=False)
    assert read.problem is None


def test_a_whole_answer_of_coheres_first_version_is_read() -> None:
    read = Read(lines({"generation_id": "x", "text": "Paris", "finish_reason": "MAX_TOKENS", "meta": {}}))
    assert (read.text, read.finish.reason) == ("Paris", "length")


def test_a_whole_answer_in_pieces_is_missed_aloud() -> None:
    pieces = [{"choices": [{"message": {"content": text}, "finish_reason": None}]} for text in ("Pa", "ris")]
    pieces[1]["choices"][0]["finish_reason"] = "stop"
    assert Read(events(*pieces)).kind == "malformed"


def test_a_whole_call_of_a_tool_is_named() -> None:
    call = {"type": "tool_use", "name": "look_up", "input": {}}
    read = Read(lines({"type": "message", "content": [call], "stop_reason": "tool_use"}))
    assert read.problem is not None
    assert "look_up" in read.problem.message


@pytest.mark.parametrize("parts", [(), PARIS])
def test_a_fault_that_openrouter_tells_beside_a_good_reason_is_one(parts: Sequence[Any]) -> None:
    end = {"choices": [{"delta": {}, "finish_reason": "stop", "native_finish_reason": "network_error"}]}
    read = Read(events(*parts, end))
    assert (read.kind, read.finish.reason) == ("server", "network_error")


@pytest.mark.parametrize("name", ["images", "audio"])
def test_a_part_that_is_no_text_is_noted(name: str) -> None:
    read = Read(events(*PARIS, chunk({name: [{"type": "image_url"}]}), STOP))
    assert read.text == "Paris"
    assert name in read.finish.notes[0]


# ---- other protocols, and garbage


def test_a_reply_in_an_unknown_protocol_is_foreign() -> None:
    created = [{"type": f"response.{name}"} for name in ("created", "in_progress", "output_item.added")]
    assert Read(events(*created, done=False)).reader.is_foreign
    assert Read(events(created[0], done=False)).reader.is_foreign
    assert Read(events(created[0])).reader.is_foreign
    assert not Read(b"<!doctype html>\n<html>Please sign in</html>").reader.is_foreign


@pytest.mark.parametrize("step", [1, 1_000_000])
def test_a_reply_that_is_no_text_is_foreign(step: int) -> None:
    """Bedrock's events are frames with their lengths in front (AWS, vnd.amazon.eventstream)."""
    read = Read(b'\x00\x00\x00\x5c\x00\x00\x00\x4b:event-type\n\n{"error": "no"}\n', step)
    assert read.reader.is_foreign
    assert not Read(asked(chunk({"content": "\0"}), STOP).replace(b"\\u0000", b"\0")).reader.is_foreign


def test_gemini_is_read_from_a_document_over_several_lines() -> None:
    pieces = [{"candidates": [{"content": {"parts": [{"text": text}]}}]} for text in ("Pa", "ris")]
    pieces[1]["candidates"][0]["finishReason"] = "STOP"
    read = Read(json.dumps(pieces, indent=2).encode(), 5)
    assert (read.text, read.finish.reason) == ("Paris", "stop")


NAMES = (
    "choices index delta content text type thinking tool_calls function name usage prompt_tokens error "
    "code message finish_reason candidates parts done done_reason event_type response content_block "
    "promptFeedback usageMetadata promptTokenCount metadata raw detail object loc"
)
KINDS = ["message_start", "content-delta", "message-end", "error", "content_block_delta"]
names = st.sampled_from(NAMES.split()) | st.text(max_size=5)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(KINDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=5),
    max_leaves=15,
)


@pytest.mark.hypothesis
@settings(max_examples=60)
@given(values=st.lists(json_values, max_size=5), junk=st.binary(max_size=30), step=st.integers(1, 50))
def test_nothing_that_a_server_sends_makes_the_reader_raise(
    values: list[object], junk: bytes, step: int
) -> None:
    body = b"".join(b"data: " + json.dumps(value).encode() + b"\n\n" + junk for value in values)
    Read(body, step)
    Read(b"\n".join(json.dumps(value).encode() for value in values) + junk, step)


@pytest.mark.parametrize(
    "body",
    [
        b"data: {" * 200_000,
        b"data: " + b"x" * 2_000_000,
        b"\n" * 300_000,
        b'{"a":\n' * 60_000,
        b"data: {\n" * 60_000,
        (b"data: " + json.dumps(chunk({"content": "x" * 2_000})).encode() + b"\n\n") * 700,
    ],
    ids=["one line", "a long word", "empty lines", "a document", "an event of many lines", "an answer"],
)
def test_reading_takes_time_that_grows_with_the_bytes_alone(body: bytes) -> None:
    began = time.process_time()
    Read(body, 4_096)
    assert time.process_time() - began < 5, "some hundredths of a second where nothing else runs"
