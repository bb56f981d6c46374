"""The health of endpoints: an endpoint that kept failing for a while rests, so it is not asked."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from moa_tui.engine.values import Reply
    from moa_tui.errors import FailureKind

FAILURES_IN_A_ROW = 3
# Calls that run side by side fail together, and say no more of an endpoint than one of them: what fails so
# soon after a failure that counts does not count again.
BURST_SECONDS = 10.0
_FIRST_REST_SECONDS = 60.0
_LONGEST_REST_SECONDS = 900.0

# The failures of a server or of the account there. An unknown model or a request too long is neither.
_ENDPOINT_FAILURES: frozenset[FailureKind] = frozenset(
    ("auth", "payment", "rate_limit", "quota", "server", "connection", "tls", "timeout", "malformed")
)


@dataclass(slots=True)
class _Record:
    failures: int = 0
    """The failures in a row, each burst of them counted once."""
    counted_at: float = float("-inf")
    """The time on the clock of the last failure that counted."""
    rests: int = 0
    """The number of rests so far."""
    rests_until: float = 0.0
    """The time on the clock at which the last rest is over."""


class Health:
    """The failures of each endpoint over all runs of a program. All methods are called on one loop.

    A call counts once, whatever its number of attempts, and so do all that fail within BURST_SECONDS of it.
    When a rest is over, the endpoint is asked again, and rests twice as long if that call fails too. `clock`
    returns a time in seconds.
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
            now = self._clock()
            record = self._records.setdefault(endpoint, _Record())
            if now - record.counted_at < BURST_SECONDS:
                return
            record.failures += 1
            record.counted_at = now
            if record.failures >= FAILURES_IN_A_ROW and now >= record.rests_until:
                rest = min(_FIRST_REST_SECONDS * 2.0**record.rests, _LONGEST_REST_SECONDS)
                record.rests += 1
                record.rests_until = now + rest

    def rest_seconds(self, endpoint: str) -> float:
        """The seconds for which the endpoint must not be asked; 0 where it may be asked now."""
        record = self._records.get(endpoint)
        return 0.0 if record is None else max(0.0, record.rests_until - self._clock())


def rest_reason(endpoint: str, seconds: float) -> str:
    """The reason, in words for a user, why an endpoint that rests for `seconds` more is not asked."""
    return f"{endpoint} failed {FAILURES_IN_A_ROW} times in a row and rests for another {seconds:.0f} s"
