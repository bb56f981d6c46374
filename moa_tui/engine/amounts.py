"""Numbers that come from outside, and which of them can be meant.

A server, a file or an older database may state anything where a number belongs: a text, a negative count,
NaN, a number that no column can hold. Each function here returns the number where it can be meant, and None,
which is unknown, where it cannot. A number that was never stated is unknown as well.
"""

from __future__ import annotations

MOST_TOKENS = 10**8
"""The most tokens that a count of one call is believed: ten times the largest context window there is."""
MOST_SUM_TOKENS = 2**62
"""The most tokens that a sum of many calls is believed; a database holds no more than twice as many."""
MOST_DOLLARS = 1_000.0
"""The most US dollars that the price of one call is believed."""
MOST_SUM_DOLLARS = 1_000_000.0
"""The most US dollars that a sum of many calls is believed."""
_MOST_SECONDS = 30 * 24 * 3600.0
"""The longest wait in seconds that a server is believed to ask for."""


def token_count(value: object, most: int = MOST_TOKENS) -> int | None:
    """A count of tokens from 0 to `most`; None for anything else."""
    number = _number(value, most)
    return int(number) if number is not None and number == int(number) else None


def dollars(value: object, most: float = MOST_DOLLARS) -> float | None:
    """An amount of US dollars from 0 to `most`; None for anything else."""
    return _number(value, most)


def wait_seconds(value: object) -> float | None:
    """A time to wait, which a server may also state as text; None for what is none."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    return _number(value, _MOST_SECONDS)


def _number(value: object, most: float) -> int | float | None:
    """`value` where it is a number from 0 to `most`. NaN is not, since it compares with nothing."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return abs(value) if 0 <= value <= most else None
