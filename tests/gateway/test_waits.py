"""The waits that servers ask for, in the headers and words of their error replies."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest

from moa_tui.gateway.error_reply import error_reply
from moa_tui.gateway.waits import retry_after

NOW = 1_790_000_000.0
DATE = {"date": formatdate(NOW, usegmt=True)}
"""The server's own clock, by which its times are read: ours may be wrong."""


@pytest.mark.parametrize(
    ("stated", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("0.25", 0.25),
        (" 12 ", 12.0),
        ("20s", 20.0),
        ("1h2m3.5s", 3723.5),
        (formatdate(NOW + 60, usegmt=True), 60.0),
        (formatdate(NOW + 60), 60.0),  # -0000, which Python reads as a time without a zone
        (formatdate(NOW - 60, usegmt=True), 0.0),
        ("Mon, 21 Sep 2026 14:13:20 +0000", 0.0),
        ("2026-09-21T14:14:20Z", 60.0),
        ("1790000030", 30.0),
        ("-5", None),
        ("soon", None),
        ("inf", None),
        ("nan", None),
        ("1e400", None),
        ("", None),
        ("１２", None),
        ("٣", None),
        ("café", None),
        ("Mon, ", None),
        ("Mon, 99 Sep 99999 99:99:99 GMT", None),
        ("9" * 5_000, None),
        ("1m" * 5_000, None),
    ],
)
def test_retry_after_is_read_however_it_is_written(stated: str, seconds: float | None) -> None:
    """The forms of RFC 9110, the durations that some gateways write there, and what is neither."""
    wait = retry_after({**DATE, "retry-after": stated}, 500)
    assert wait == (None if seconds is None else pytest.approx(seconds))


def test_a_date_is_read_by_our_own_clock_where_the_server_states_none() -> None:
    wait = retry_after({"retry-after": formatdate(time.time() + 60, usegmt=True)})
    assert wait == pytest.approx(60, abs=3)


@pytest.mark.parametrize(("stated", "seconds"), [("250", 0.25), ("1500.5", 1.5005), ("x", 9.0)])
def test_milliseconds_are_more_exact_than_seconds(stated: str, seconds: float) -> None:
    """Azure and OpenAI send both."""
    assert retry_after({"retry-after": "9", "retry-after-ms": stated}) == pytest.approx(seconds)


OPENAI = {
    "x-ratelimit-remaining-requests": "0",
    "x-ratelimit-reset-requests": "6m0s",
    "x-ratelimit-remaining-tokens": "149984",
    "x-ratelimit-reset-tokens": "8h30m",
}
ANTHROPIC = {
    "anthropic-ratelimit-requests-remaining": "3",
    "anthropic-ratelimit-requests-reset": "2026-09-21T15:13:20Z",
    "anthropic-ratelimit-output-tokens-remaining": "0",
    "anthropic-ratelimit-output-tokens-reset": "2026-09-21T14:13:50Z",
}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (OPENAI, 360.0),
        (ANTHROPIC, 30.0),
        ({"x-ratelimit-reset-tokens": "7.66s", "x-ratelimit-remaining-tokens": "0"}, 7.66),  # Groq
        ({"x-ratelimit-reset-requests": "20ms", "x-ratelimit-remaining-requests": "0"}, 0.02),
        ({"x-rate-limit-reset-tokens": "55"}, 55.0),  # Azure, which says no more
        ({"x-ratelimit-reset": "1790000012000", "x-ratelimit-remaining": "0"}, 12.0),  # OpenRouter
        ({"x-ratelimit-reset": "1790000012"}, 12.0),
        ({"ratelimit-reset": "3"}, 3.0),
        ({"x-ratelimit-reset-tokens-minute": "21.5", "x-ratelimit-reset-requests-day": "x"}, 21.5),
        ({"x-ratelimit-reset-tokens": "soon"}, None),
        ({"x-ratelimit-remaining-tokens": "5", "x-ratelimit-reset-tokens": "9s"}, None),
        ({**OPENAI, "retry-after": "2"}, 2.0),
    ],
)
def test_a_counter_that_is_used_up_says_how_long(headers: dict[str, str], seconds: float | None) -> None:
    wait = retry_after({**DATE, **headers}, 429)
    assert wait == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize("status", [None, 400, 500, 503, 529])
def test_the_counters_say_nothing_of_other_faults(status: int | None) -> None:
    """OpenAI sends them with every reply."""
    assert retry_after({**DATE, **OPENAI}, status) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        # Groq and OpenAI, Azure, an API gateway, Gemini's RetryInfo and its words.
        ("Rate limit reached ... Used 11972, Requested 4351. Please try again in 5.289s. Visit", 5.289),
        ("Limit: 200 / day. Please try again in 7m12s. Contact us", 432.0),
        ("Please try again in 20ms.", 0.02),
        ("current AIServices S0 pricing tier. Please retry after 45 seconds.", 45.0),
        ("Rate limit is exceeded. Try again in 50 seconds.", 50.0),
        ("try again in 1 minute", 60.0),
        ('{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}', 34.0),
        ("Please retry in 34.074824224s.", 34.074824224),
        ("Rate limit of 10 per 60s exceeded. Please wait 35 seconds before retrying.", 35.0),  # GitHub
        ("try again in a moment", None),
        ("Please try again in 5 apples", None),
        ("retry in 99999999999999999999s", None),
    ],
)
def test_the_words_of_a_refusal_say_how_long(text: str, seconds: float | None) -> None:
    failure = error_reply(429, {}, text.encode(), was_cut=False)
    assert failure.retry_after == (None if seconds is None else pytest.approx(seconds))
    assert error_reply(400, {}, text.encode(), was_cut=False).retry_after is None
