"""What each provider's error comes to, from its HTTP status, headers and body."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
        # Amazon's gateway; OAuth; problem details; Apigee; NestJS; MiniMax; Baidu; OpenRouter.
        ({"Message": "User is not authorized"}, "User is not authorized"),
        (
            {"error": "invalid_grant", "error_description": "The token has expired"},
            "The token has expired",
        ),
        ({"type": "about:blank", "title": "Unauthorized", "status": 401}, "Unauthorized"),
        ({"fault": {"faultstring": "Quota exceeded", "detail": {"errorcode": "x"}}}, "Quota exceeded"),
        ({"statusCode": 404, "message": "Cannot POST /chat", "error": "Not Found"}, "Cannot POST /chat"),
        ({"base_resp": {"status_code": 1004, "status_msg": "login fail"}}, "login fail"),
        ({"error_code": 336003, "error_msg": "an odd number of messages"}, "an odd number of messages"),
        ({"error": {"message": "No", "metadata": {"raw": {"error": {"message": "why"}}}}}, "No: why"),
        # Proxies that hand on what litellm or the OpenAI SDK raised.
        (
            {
                "error": {
                    "message": 'litellm.BadRequestError: BedrockException - b\'{"message":"Not ready"}\'. '
                    "Received Model Group=x\nAvailable Model Group Fallbacks=None"
                }
            },
            "Not ready",
        ),
        (
            {"error": {"message": "litellm.RateLimitError: RateLimitError: OpenAIException - Slow down"}},
            "Slow down",
        ),
        ({"detail": "Error code: 400 - {'error': {'message': \"It's bad\", 'code': None}}"}, "It's bad"),
        ("Not Found", "Not Found"),
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
        # nginx, with the script that Cloudflare puts in; Cloudflare's own page; Google's storage.
        (
            "<html>\r\n<head><title>401 Authorization Required</title></head><body><center><h1>401 "
            "Authorization Required</h1></center><hr><center>openresty</center><script>(function(){if(1<2)"
            "{}})()</script>",
            "401 Authorization Required openresty",
        ),
        (
            "<!DOCTYPE html><!--[if lt IE 7]> <html> <![endif]--><!--[if gt IE 8]><!--> <html> "
            "<!--<![endif]--><title>x | 502: Bad gateway</title><style>a > b {}</style><h1>Performance "
            "&amp; security</h1>",
            "x | 502: Bad gateway Performance & security",
        ),
        ("<html><title>Just a moment</title><script>cut (", "Just a moment"),
        ("<html>" + "so and so " * 100, "so and so " * 29 + "so and so ..."),
        ('<?xml version="1.0"?><Error><Code>SlowDown</Code></Error>', "SlowDown"),
        ('{"error": {"message": "cut he', '{"error": {"message": "cut he'),
        (r"{'error': 'a \d'}", r"{'error': 'a \d'}"),
        ("{'no object'}", "{'no object'}"),
        ("{'error': {(1, 2): b'x'}}", "{'error': {(1, 2): b'x'}}"),
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
        # Moonshot, Zhipu and Cohere of an account that has nothing left; Groq of a minute's share.
        (429, b'{"error": {"type": "exceeded_current_quota_error", "message": "x"}}', "quota"),
        (429, json.dumps({"error": {"code": "1113", "message": "余额不足"}}).encode(), "quota"),
        (429, b'{"message": "a Trial key is limited to 1000 API calls / month."}', "quota"),
        (429, b"Please try again in 4s. Upgrade at https://console.groq.com/settings/billing", "rate_limit"),
        (429, b"Request too large for gpt-4o on tokens per min (TPM): Limit 30, Requested 40", "context"),
        (413, b"Request too large for model `x` on tokens per minute: Limit 60, Requested 90", "context"),
        (413, b'{"error": {"code": "tokens_limit_reached", "message": "Body too large"}}', "context"),
        (413, b"Request Entity Too Large", "bad_request"),
        (400, b"Input length (11 tokens) exceeds the maximum allowed length (10 tokens).", "context"),
        (400, b"API Key not found. Please pass a valid API key.", "auth"),
        (403, b"x requires moderation. Your input was flagged for violence", "filtered"),
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


PIECES = (
    "{'",
    "'}",
    '{"',
    '"}',
    "error",
    "message",
    "': ",
    '": ',
    "[",
    "]",
    "(",
    ")",
    ", ",
    "1",
    "None",
    "b'",
)


@pytest.mark.hypothesis
@settings(max_examples=200)
@given(st.lists(st.sampled_from((*PIECES, "<", ">", "<!--", "<script>", "<html", " ")), max_size=12))
def test_no_body_makes_the_reading_of_an_error_fail(pieces: list[str]) -> None:
    assert error_reply(400, {}, "".join(pieces).encode(), was_cut=False).message
    assert error_reply(400, {}, "".join(("{'", *pieces, "'}")).encode(), was_cut=False).message
