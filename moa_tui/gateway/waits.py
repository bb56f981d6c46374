"""How long a server asks to be left alone, in whatever way its error reply states it. Pure.

OpenAI and Groq write durations ("6m0s", "7.66s"), Azure and Cerebras plain seconds, Anthropic times as in
RFC 3339, OpenRouter a Unix time in milliseconds. Several state it in the words of the error alone, and
Gemini in a field of its body.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from moa_tui.engine.amounts import wait_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

# Characters of a header, and of an error's text, that are read.
_LONGEST_HEADER = 100
_LONGEST_TEXT = 10_000

_UNIT_SECONDS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6}
_PART = r"\d{1,12}(?:\.\d{1,9})?"
_DURATION = re.compile(rf"(?:{_PART}(?:ms|us|µs|d|h|m|s)){{1,6}}")
_DURATION_PART = re.compile(rf"({_PART})(ms|us|µs|d|h|m|s)")

# A number larger than these is a time, not a wait: in milliseconds, or in seconds, since 1970.
_UNIX_MILLISECONDS, _UNIX_SECONDS = 1e12, 1e9

# The headers in which services count down: x-ratelimit-reset-tokens, anthropic-ratelimit-requests-reset ...
_RESET = re.compile(r"(?:x-|anthropic-)?rate-?limit-(?:[a-z-]{1,40}-)?reset(?:-[a-z-]{1,40})?")

# "Please try again in 6m0s", "Please retry after 45 seconds", GitHub's "Please wait 35 seconds before
# retrying", and Gemini's RetryInfo.
_IN_WORDS = re.compile(
    rf"(?:(?:try again|retry) (?:in|after)|please wait(?: for)?) "
    rf"(?:({_PART}) ?(milliseconds?|seconds?|minutes?|hours?)\b"
    rf"|((?:{_PART}(?:ms|d|h|m|s)){{1,6}})\b)|\"retryDelay\":\s{{0,9}}\"({_PART}s)\"",
    re.IGNORECASE,
)
_WORD_SECONDS = {"millisecond": 1e-3, "second": 1.0, "minute": 60.0, "hour": 3_600.0}


def retry_after(headers: Mapping[str, str], status: int | None = None, text: str = "") -> float | None:
    """The seconds that a server asks to wait, from its headers or the `text` of its error; None for none.

    The counters of requests and tokens come with every reply, so they are read only where `status` says that
    there were too many, and of those only the ones that are used up.
    """
    now = _time(headers.get("date")) or datetime.now(UTC)
    if (milliseconds := wait_seconds(_ascii(headers.get("retry-after-ms")))) is not None:
        return milliseconds / 1000
    if (seconds := _wait(headers.get("retry-after"), now)) is not None:
        return seconds
    if status not in (429, 503):
        return None
    if (seconds := _wait_in_words(text[:_LONGEST_TEXT])) is not None:
        return seconds
    return _until_reset(headers, now) if status == 429 else None


def _until_reset(headers: Mapping[str, str], now: datetime) -> float | None:
    """The seconds until the last of the counters that are used up begins anew; None where none says so."""
    waits = [
        _wait(value, now)
        for name, value in headers.items()
        if _RESET.fullmatch(name.lower())
        and headers.get(name.lower().replace("reset", "remaining"), "0").strip() in ("0", "0.0")
    ]
    return max((wait for wait in waits if wait is not None), default=None)


def _wait(stated: str | None, now: datetime) -> float | None:
    """The seconds that a header's value stands for: a number, a duration, or a time after `now`."""
    text = _ascii(stated)
    if text is None:
        return None
    if (duration := _duration(text)) is not None:
        return duration
    with suppress(ValueError):
        number = float(text)
        for least, unit in ((_UNIX_MILLISECONDS, 1000.0), (_UNIX_SECONDS, 1.0)):
            if number >= least:
                return wait_seconds(max(0.0, number / unit - now.timestamp()))
        return wait_seconds(number)
    time = _time(text)
    return None if time is None else wait_seconds(max(0.0, (time - now).total_seconds()))


def _duration(text: str) -> float | None:
    """The seconds of a duration as Go writes it, such as 6m0s; None for what is none."""
    if not _DURATION.fullmatch(text):
        return None
    return wait_seconds(
        sum(float(number) * _UNIT_SECONDS[unit] for number, unit in _DURATION_PART.findall(text))
    )


def _time(stated: str | None) -> datetime | None:
    """The time that a header names, as HTTP or as RFC 3339 writes it; None for what is none.

    A time without a zone is in UTC, as all of HTTP's are.
    """
    text = _ascii(stated)
    if text is None:
        return None
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        # The standard library's reader raises whatever its parts do.
        with suppress(ValueError, TypeError, IndexError, OverflowError):
            time = read(text)
            return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return None


def _wait_in_words(text: str) -> float | None:
    """The seconds that an error's own words ask to wait; None where they say nothing of it."""
    if (match := _IN_WORDS.search(text)) is None:
        return None
    number, word, duration, delay = match.groups()
    if number is not None:
        return wait_seconds(float(number) * _WORD_SECONDS[word.lower().rstrip("s")])
    return _duration((duration or delay).lower())


def _ascii(stated: str | None) -> str | None:
    """A header's value where it is ASCII; Python would take the digits of any script for a number."""
    text = (stated or "").strip()
    return text if text and text.isascii() and len(text) <= _LONGEST_HEADER else None
