"""Values out of other programs' JSON, of whatever type they turn out to be."""

from __future__ import annotations

import math
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from moa_tui.errors import FileError

LATEST = 253402300799.0
"""The last Unix second that a date can be made of."""
# Characters of all turns of a file together. In a tree each branch repeats the texts before it, so that a
# file of a few megabytes could fill the memory.
_MOST_CHARACTERS = 300_000_000
# From these numbers on a time is taken to be in milliseconds, microseconds or nanoseconds.
_UNITS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))
_LONGEST_TIME_TEXT = 64


class Tally:
    """What was taken from a file and what was left out of it.

    `left_out` counts what has no place in a turn, by kind, each kind as a noun in the singular.
    """

    def __init__(self) -> None:
        self.left_out: Counter[str] = Counter()
        self._characters = 0

    def take(self, characters: int) -> None:
        """Count the characters of a turn. Raises FileError where the turns so far hold too many."""
        self._characters += characters
        if self._characters > _MOST_CHARACTERS:
            raise FileError(f"its turns hold more than {_MOST_CHARACTERS:,} characters")

    def time(self, record: dict[str, Any], *names: str) -> float | None:
        """The first of a record's times that can be read, in Unix seconds; None where there is none."""
        unreadable = 0
        for name in names:
            value = record.get(name)
            if (seconds := unix_seconds(value)) is not None:
                return seconds
            unreadable += value not in (None, "", 0)
        self.left_out["unreadable time"] += min(unreadable, 1)
        return None


def table(value: object) -> dict[str, Any]:
    """A JSON value as an object; an empty one where the value is none."""
    return value if isinstance(value, dict) else {}


def listed(value: object) -> list[Any]:
    """A JSON value as a list; an empty one where the value is none."""
    return value if isinstance(value, list) else []


def string(value: object) -> str:
    """A JSON value as a text; empty where the value is none."""
    return value if isinstance(value, str) else ""


def key(value: object) -> str:
    """A JSON value as a message's id, which is a text or a whole number; empty where the value is neither."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else str(table(value).get("$oid") or "")


def first_text(record: dict[str, Any], *names: str) -> str:
    """The first of a record's values that is a text and not blank; empty where there is none."""
    return next((text for name in names if (text := string(record.get(name))).strip()), "")


def label(text: str, longest: int) -> str:
    """`text` on one line, without what cannot be printed, in `longest` characters at most."""
    line = " ".join(text[: 4 * longest].split())
    return "".join(character for character in line if character.isprintable())[:longest].strip()


def unix_seconds(value: object) -> float | None:
    """A JSON value as a time in Unix seconds, now for one to come; None where no date can be made of it.

    Taken are numbers in seconds, milliseconds, microseconds or nanoseconds, as numbers or texts, dates in
    ISO 8601 (UTC where no zone is named), and either of them in the `$date` of a database's export.
    """
    while isinstance(value, dict) and ("$date" in value or "$numberLong" in value):
        value = value["$date"] if "$date" in value else value["$numberLong"]
    if isinstance(value, str):
        value = _seconds_of_text(value[: _LONGEST_TIME_TEXT + 1].strip())
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # Not every int fits into a float.
    seconds = float(value) if abs(value) < 1e20 else math.inf
    for least, divisor in _UNITS:
        if seconds >= least:
            seconds /= divisor
            break
    return min(seconds, time.time()) if 0 < seconds < math.inf else None


def _seconds_of_text(text: str) -> float | None:
    """The number that a text is, or the Unix time of the date that it is; None where it is neither."""
    if len(text) > _LONGEST_TIME_TEXT:
        return None
    try:
        return float(text)
    except ValueError:
        pass
    try:
        date = datetime.fromisoformat(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
