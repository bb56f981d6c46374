"""The events of a run, as it emits them, and the protocol of the stream that it asks.

Frozen values; `at` is in seconds since the start of the run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import CallId, Chunk, Failure, Finish, Kind, Message, Outcome, Reply


class Stream(Protocol):
    """Asks an agent's model: yields the chunks of its reply, then one Finish. Raises ModelError."""

    def __call__(
        self, agent: Agent, messages: Sequence[Message], /
    ) -> AsyncGenerator[Chunk | Finish, None]: ...


@dataclass(frozen=True, slots=True)
class CallStarted:
    """A request of a call is about to be sent: its first one, or one of a retry."""

    call: CallId
    agent: Agent
    messages: tuple[Message, ...]
    at: float


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of a call's reply."""

    call: CallId
    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class CallRetried:
    """An attempt failed before any text came; `agent` is asked again, or instead, in `wait_seconds`.

    What came of the call so far, which can only be reasoning, is no longer part of its reply.
    """

    call: CallId
    agent: Agent
    attempt: int
    wait_seconds: float
    failure: Failure
    at: float


@dataclass(frozen=True, slots=True)
class CallEnded:
    """A call has ended; `reply` holds all of it."""

    call: CallId
    reply: Reply


@dataclass(frozen=True, slots=True)
class ReplyChanged:
    """A reply that had come is replaced by `reply`; nothing is paid again.

    The reply was left out by hand or taken back in, or its layer did not pass it on.
    """

    call: CallId
    reply: Reply


@dataclass(frozen=True, slots=True)
class RunChanged:
    """A user has changed the run, which follows `recipe` from now on; the calls so far keep their ids."""

    recipe: Recipe
    at: float


@dataclass(frozen=True, slots=True)
class PointsFound:
    """A checklist has been drawn up; the run waits until `RunControl.decide` says which points to keep."""

    call: CallId
    points: tuple[str, ...]
    at: float


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The last event of every run that was not cancelled from outside."""

    outcome: Outcome


Event = CallStarted | Delta | CallRetried | PointsFound | CallEnded | ReplyChanged | RunChanged | RunEnded
