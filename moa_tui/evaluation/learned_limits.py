"""How many calls an endpoint takes at once, and how many in a second, learned from what it refuses. Pure.

An endpoint has two limits, and says neither: how many calls it takes at once, and how many it takes in a
second or a minute. Both are learned from what it refuses (429, 503, 529). The number of open calls is halved
and grows again by one with each call that ends, as TCP's window does (RFC 5681); it is held just below where
it is refused only once the same number was refused again and again, while never as many were admitted. The
pace is measured, then lowered and raised along a cubic curve, as TCP's CUBIC (RFC 9438) and botocore's
adaptive mode do, so that it stays long just below what is admitted. Behind a refusal nothing is sent for as
long as the server asks, or else for a second, and for longer until something is admitted.
"""

from __future__ import annotations

import math

# The wait behind a refusal for which the server states none; it doubles until something is admitted.
_FIRST_HOLD_SECONDS, _LONGEST_HOLD_SECONDS = 1.0, 10.0
# By what share the pace falls after a refusal; twice the last share where it was refused again before half
# the way back. It is back after so many seconds of sending, or so many requests, whichever takes longer.
_LEAST_CUT, _MOST_CUT = 0.1, 0.4
_RECOVERY_SECONDS, _RECOVERY_REQUESTS = 20.0, 50.0
# So many admitted requests tell a rate; fewer may be what a bucket held.
_TELLING_REQUESTS = 10
# An endpoint that refuses for longer than this, and than it has admitted before, has a long window.
_LONG_HOLD_SECONDS = 5.0
# What a rate grows by with each request while it is only a guess.
_GUESS_GROWTH = 1.1
# How far above the measured rate a pace may return.
_MEASURED_MARGIN = 1.1
# So many refusals in a row with equally many calls open, behind a first one, tell how many may be.
_TELLING_REFUSALS = 3
# A request that is late by no more than this does not make the next one late, too.
_LATE_SECONDS = 0.01


class _Curve:
    """A limit that climbs as in RFC 9438: soon back to its top, slowly past it, then faster and faster.

    `top` is where it was refused, `cut` the share of it by which it was lowered. `climbed` is for how long it
    has been used to the full since then, as a share of the time that it takes to the top.
    """

    def __init__(self, top: float, climbed: float = 0.0, cut: float = _LEAST_CUT) -> None:
        self.top = top
        self.climbed = climbed
        self.cut = cut

    @property
    def value(self) -> float:
        """The limit as it is now."""
        return self.top * (1 + self.cut * (self.climbed - 1) ** 3)

    def climb(self, seconds: float, least: float = 0.0) -> None:
        """Note that the limit was used to the full for some seconds; it takes `least` to the top."""
        self.climbed += seconds / max(_RECOVERY_SECONDS, least)


class Window:
    """How many calls may be open at once, `most` of them."""

    def __init__(self, limit: float, most: int) -> None:
        self._limit, self._most = float(limit), most
        self._curve: _Curve | None = None
        """None while nothing says that there is a number of calls that the endpoint takes at once."""
        self._refused_at = 0
        self._in_a_row = 0

    @property
    def limit(self) -> float:
        """The number of calls."""
        return self._limit if self._curve is None else self._curve.value

    def finished(self, seconds: float, *, is_full: bool) -> None:
        """Note that a call ended, `seconds` after another; `is_full` where no more could be open."""
        if self._curve is None:
            self._limit = min(self._limit + 1.0, self._most)
        elif is_full:
            self._curve.climb(seconds)

    def refused(self, open_calls: int, most_before: int, admitted: int) -> None:
        """Lower the limit: by half, or where it is always as many that are refused to what is admitted.

        `most_before` calls were open together before it while `admitted` requests were not refused.
        """
        if open_calls <= max(most_before, 1) or abs(open_calls - self._refused_at) > 1:
            self._in_a_row = 0
        elif admitted >= open_calls - 1:
            self._in_a_row += 1
        self._refused_at = open_calls
        if self._in_a_row >= _TELLING_REFUSALS:
            self._curve = _Curve(open_calls - 1, climbed=1.0)
        else:
            self._limit = max(1.0, self.limit / 2)
            self._curve = None


class Pace:
    """How many requests a second may begin: no limit until an endpoint refuses, then what it admits."""

    def __init__(self) -> None:
        self._curve: _Curve | None = None
        self._is_guess = False
        """True while the pace comes from too little to be trusted, so that it soon grows."""
        self._began = -math.inf
        """When the requests began that were admitted last."""
        self._admitted = 0
        """How many those were."""
        self._ended = -math.inf
        """When the first one after them was refused."""
        self._hold_until = -math.inf
        self._holds = 0
        """The number of refusals since a request was admitted."""
        self._measured = self._measured_before = math.inf
        """The requests a second that it was last measured to admit, and the measure before that."""

    @property
    def rate(self) -> float | None:
        """Requests a second; None where there is no limit."""
        return None if self._curve is None else self._curve.value

    def sent(self, now: float, due: float) -> float:
        """Note that a request is sent that was `due` before or now, and return when the next one is."""
        if self._began == -math.inf:
            self._began = now
        if self._curve is None:
            return now
        gap = 1 / self._curve.value
        if now - due < gap:  # It is the pace that it waited for.
            if self._is_guess:
                self._curve.top *= min(_GUESS_GROWTH, 2.0**gap)
            else:
                self._curve.climb(gap, _RECOVERY_REQUESTS / self._curve.top)
        return max(due, now - min(gap, _LATE_SECONDS)) + gap

    def refused(self, now: float, admitted: int, stated: float | None) -> float:
        """Lower the pace after `admitted` requests and one refused; return the seconds until the next one."""
        if admitted:
            self._holds = 0
            if self._hold_until > -math.inf:
                self._began = self._hold_until
            self._admitted, self._ended = admitted, now
            self._measured_before = self._measured
        hold = min(_FIRST_HOLD_SECONDS * 2.0**self._holds, _LONGEST_HOLD_SECONDS)
        if stated is not None:
            hold = max(stated, hold if self._holds else 0.0)
        self._holds += 1
        self._hold_until = now + hold
        self._lower(admitted)
        return hold

    def _lower(self, admitted: int) -> None:
        if not self._admitted:
            return  # It has never admitted anything, so nothing is known.
        rate, cut = self.rate, _LEAST_CUT
        sending, held = self._ended - self._began, self._hold_until - self._ended
        measured = self._admitted / max(sending + held, 1e-3)
        if rate is None or self._curve is None:
            top, self._is_guess = measured, self._admitted < _TELLING_REQUESTS
        elif not admitted and self._is_guess:
            top = min(rate, measured)
        elif held > max(sending, _LONG_HOLD_SECONDS) and self._admitted >= _TELLING_REQUESTS:
            top = min(rate, measured * _MEASURED_MARGIN)
            self._is_guess = not admitted and measured < self._measured_before / 2
            self._measured = measured
        elif not admitted:
            return  # The wait is what was too short.
        else:
            top = rate
            if self._curve.climbed < 0.5 and not self._is_guess:
                cut = min(2 * self._curve.cut, _MOST_CUT)
            self._is_guess = False
        self._curve = _Curve(top, cut=cut)
