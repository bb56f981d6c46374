"""What each provider's error comes to, from its HTTP status, headers and body."""

from __future__ import annotations

import json

import pytest

from moa_tui.gateway.error_reply import error_reply, said


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            {"error": {"message": "Rate limit reached", "type": "requests", "code": None}},
            "Rate limit reached",
        ),
        ({"error": "model 'x' not found"}, "model 'x' not found"),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "Overloaded"),
        ([{"error": {"code": 400, "message": "Bad key", "status": "INVALID"}}], "Bad key"),
        ({"object": "error", "message": "No such model"}, "No such model"),
        ({"detail": "Not Found"}, "Not Found"),
        (
            {"detail": [{"loc": ["body", "n"], "msg": "too large"}]},
            "body.n: too large",
        ),
        ({"errors": [{"message": "Blocked"}]}, "Blocked"),
        ({"error": {"code": 7}}, '{"code": 7}'),
        ({"error": None, "message": ""}, '{"error": null, "message": ""}'),
        ([], "[]"),
    ],
)
def test_the_message_is_found_in_every_providers_error(body: object, message: str) -> None:
    assert said(json.dumps(body)) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("overloaded", "overloaded"),
        ("", ""),
        ("<!doctype html><html><h1>502 Bad\n Gateway</h1></html>", "502 Bad Gateway"),
        ('{"error": {"message": "cut he', '{"error": {"message": "cut he'),
        ('{"error":' * 5_000, ('{"error":' * 5_000)[:10_000]),
        ("[" * 20_000, "[" * 10_000),
        ("7" * 20_000, "7" * 10_000),
        ("{" + '"a":{}' + "}", '{"a": {}}'),
    ],
)
def test_what_is_no_json_is_shown_as_it_came(text: str, message: str) -> None:
    assert said(text) == message


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, b"", "auth"),
        (402, b"", "payment"),
        (403, b"no", "forbidden"),
        (403, b"content_filter", "filtered"),
        (404, b"", "not_found"),
        (408, b"", "server"),
        (418, b"", "bad_request"),
        (304, b"", "bad_request"),
        (429, b"slow down", "rate_limit"),
        (429, b'{"error": {"code": "insufficient_quota", "message": "x"}}', "quota"),
        (500, b"context length", "server"),
        (529, b"", "server"),
        (400, b"This model's maximum context length is 8192 tokens", "context"),
        (400, b'{"error": {"code": "context_length_exceeded", "message": "x"}}', "context"),
        (400, b'{"error": {"message": "prompt is too long: 250000 tokens > 200000 maximum"}}', "context"),
        (400, b"the request exceeds the available context size", "context"),
        (400, b"Your request was rejected as a result of our safety system", "filtered"),
        (400, b"temperature is too high", "bad_request"),
    ],
)
def test_kinds(status: int, body: bytes, kind: str) -> None:
    failure = error_reply(status, {}, body, was_cut=False)
    assert (failure.kind, failure.status_code) == (kind, status)
    assert failure.message


def test_a_cut_body_says_so_at_the_end_of_a_message_that_fits() -> None:
    failure = error_reply(500, {}, b"a" * 16_000, was_cut=True)
    assert failure.message.endswith("[cut: the server sent more than 16,000 bytes]")
    assert len(failure.message) < 1_100
