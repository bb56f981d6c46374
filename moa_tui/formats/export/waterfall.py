"""The layout of a run's calls over time, for whoever draws it: spans, phases, ticks and the critical path."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from moa_tui.engine.values import CallId, Metrics, Reply

Phase = Literal["queued", "asked", "writing", "between"]
PHASES: dict[Phase, str] = {
    "queued": "waits for its endpoint",
    "asked": "waits for the first token",
    "writing": "writes",
}
"""What a call does in each phase, in the order that a call goes through them."""
BETWEEN_MEANING = "waits for more to read"
"""What a call that writes in steps does in the phase `between` two of them."""
SLOWEST_MARK, SLOWEST_MEANING = "◆", "slowest of its layer: the critical path"
IN_TURN_MEANING = "slowest of its layer, or asked in turn: the critical path"
# Seconds of the shortest axis, so that a run without any time has one.
_SHORTEST_AXIS = 0.1


class StepSpan(NamedTuple):
    """The times of one request of a call that writes in steps; None where no token of it has come."""

    started: float
    first_token: float | None
    end: float


class Span(NamedTuple):
    """A call's times, in seconds since the run's start; None where it has not come that far."""

    queued: float
    started: float | None
    first_token: float | None
    end: float
    steps: tuple[StepSpan, ...] = ()
    """The requests of a call that writes in steps, in order; empty for any other."""

    @property
    def seconds(self) -> float:
        """Seconds from the call's place in the queue to its end."""
        return self.end - self.queued

    def phase_at(self, at: float) -> Phase:
        """The phase that the call was in at `at`, seconds since the run's start."""
        return next((phase for phase, _, end in self.phases() if at < end), self._last_phase)

    @property
    def _last_phase(self) -> Phase:
        """The phase that the call is in at its end."""
        if self.started is None:
            return "queued"
        first_token = self.steps[-1].first_token if self.steps else self.first_token
        if self.steps and self.steps[-1].end < self.end:
            return "between"
        return "asked" if first_token is None else "writing"

    def phases(self) -> Iterator[tuple[Phase, float, float]]:
        """Each phase with its begin and end, in order; one that the call did not come to has no length."""
        started = self.end if self.started is None else self.started
        yield "queued", self.queued, started
        before = started
        for step in self.steps or (StepSpan(started, self.first_token, self.end),):
            if step.started > before:
                yield "between", before, step.started
            writing = step.end if step.first_token is None else max(step.started, step.first_token)
            yield "asked", step.started, writing
            yield "writing", writing, step.end
            before = step.end
        if self.steps and before < self.end:
            yield "between", before, self.end


class TimedCall(NamedTuple):
    """A call as the waterfall needs it; `span` is None where this run has not asked it."""

    call: CallId
    agent: str
    span: Span | None
    retries: int


class Tick(NamedTuple):
    """A place on the time axis, in seconds since the run's start, and its label."""

    at: float
    label: str


class Bar(NamedTuple):
    """One call's row. `label` holds the agent's name as it is: whoever draws it makes it safe to show."""

    label: str
    span: Span | None
    retries: int
    is_slowest: bool


@dataclass(frozen=True, slots=True)
class Waterfall:
    """A time axis from 0 to `seconds` with its ticks, and a bar for each call in order."""

    seconds: float
    ticks: list[Tick]
    bars: list[Bar]


def lay_out(
    calls: Sequence[TimedCall],
    run_seconds: float,
    slowest: Collection[CallId],
    *,
    most_ticks: float,
    whole_ticks: bool = False,
) -> Waterfall:
    """The waterfall of a run that has taken `run_seconds` so far.

    The axis has about `most_ticks` ticks at most. `whole_ticks` makes it end at a tick, so that the bars of
    a growing run do not shrink each time it is drawn.
    """
    seconds = max([run_seconds, _SHORTEST_AXIS, *(timed.span.end for timed in calls if timed.span)])
    step = _tick_seconds(seconds / most_ticks)
    if whole_ticks:
        seconds = math.ceil(seconds / step) * step
    decimals = max(0, -math.floor(math.log10(step)))
    ticks = [
        Tick(number * step, f"{number * step:.{decimals}f} s")
        for number in range(int(seconds / step + 1e-9) + 1)
    ]
    bars = [
        Bar(call_label(timed.call, timed.agent), timed.span, timed.retries, timed.call in slowest)
        for timed in calls
    ]
    return Waterfall(seconds, ticks, bars)


def call_label(call: CallId, agent: str) -> str:
    """The call's place and its agent's name: `L1.2 thorough`."""
    return f"{call} {agent}"


def reply_span(reply: Reply) -> Span | None:
    """The times of a call that is over; None for a reply kept from an earlier run."""
    if reply.reused:
        return None
    steps = tuple(StepSpan(step.started, step.first_token, step.ended) for step in reply.steps)
    return Span(reply.queued, reply.started, reply.first_token, reply.ended, steps)


def critical_path(metrics: Metrics, replies: Mapping[CallId, Reply]) -> set[CallId]:
    """The slowest call of each layer, and every call that was made of a layer whose calls were in turn."""
    slowest = {layer.slowest for layer in metrics.layers if layer.slowest is not None}
    in_turn = {layer.number for layer in metrics.layers if layer.in_turn}
    made = {call for call, reply in replies.items() if not reply.reused and reply.started is not None}
    return slowest | {call for call in made if call.layer in in_turn}


def path_meaning(in_turn: bool) -> str:
    """What the mark of the critical path means in a run that has, or has not, layers asked in turn."""
    return IN_TURN_MEANING if in_turn else SLOWEST_MEANING


def _tick_seconds(least: float) -> float:
    """The smallest of 1, 2, 5, 10, 20 ... and of their tenths that is not less than `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least * 0.999)
