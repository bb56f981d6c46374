"""The health of endpoints: an endpoint that failed several times in a row rests, so it is not asked."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from moa_tui.engine.values import Reply
    from moa_tui.errors import FailureKind

FAILURES_IN_A_ROW = 3
_FIRST_REST_SECONDS = 60.0
_LONGEST_REST_SECONDS = 900.0

# The failures of a server or of the account there. An unknown model or a request too long is neither.
_ENDPOINT_FAILURES: frozenset[FailureKind] = frozenset(
    ("auth", "payment", "rate_limit", "quota", "server", "connection", "timeout", "malformed")
)


@dataclass(slots=True)
class _Record:
    failures: int = 0
    """The failures in a row."""
    rests: int = 0
    """The number of rests so far."""
    rests_until: float = 0.0
    """The time on the clock at which the last rest is over."""


class Health:
    """The failures of each endpoint over all runs of a program. All methods are called on one loop.

    A call counts once, whatever its number of attempts. When a rest is over, the endpoint is asked again, and
    rests twice as long if that call fails too. `clock` returns a time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._records: dict[str, _Record] = {}

    def record(self, endpoint: str, reply: Reply) -> None:
        """Count the reply of a call that has ended. A call that was stopped or never sent does not count."""
        is_cut_at_limit = reply.error is not None and reply.error.kind == "length"
        if reply.status == "done" or is_cut_at_limit:
            self._records.pop(endpoint, None)
        elif reply.attempts and reply.error is not None and reply.error.kind in _ENDPOINT_FAILURES:
            record = self._records.setdefault(endpoint, _Record())
            record.failures += 1
            if record.failures >= FAILURES_IN_A_ROW and not self.rest_seconds(endpoint):
                rest = min(_FIRST_REST_SECONDS * 2.0**record.rests, _LONGEST_REST_SECONDS)
                record.rests += 1
                record.rests_until = self._clock() + rest

    def rest_seconds(self, endpoint: str) -> float:
        """The seconds for which the endpoint must not be asked; 0 where it may be asked now."""
        record = self._records.get(endpoint)
        return 0.0 if record is None else max(0.0, record.rests_until - self._clock())


def rest_reason(endpoint: str, seconds: float) -> str:
    """The reason, in words for a user, why an endpoint that rests for `seconds` more is not asked."""
    return f"{endpoint} failed {FAILURES_IN_A_ROW} times in a row and rests for another {seconds:.0f} s"
