"""The events that a run emits, and the protocol of the stream that it asks.

Events are frozen values; `at` is in seconds since the start of the run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import (
        CallId,
        Chunk,
        Failure,
        Finish,
        Kind,
        Message,
        Moved,
        Outcome,
        Reply,
        Step,
    )


class Stream(Protocol):
    """Asks an agent's model: yields the chunks of its reply, then one Finish. Raises ModelError.

    Where a later chunk shows that earlier ones were of the other kind, the stream yields a Moved.
    """

    def __call__(
        self, agent: Agent, messages: Sequence[Message], /
    ) -> AsyncGenerator[Chunk | Moved | Finish, None]: ...


@dataclass(frozen=True, slots=True)
class CallStarted:
    """A request of a call is about to be sent: the first one, or a retry."""

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
class Restated:
    """What a call has written so far turned out to be divided otherwise; these are its two kinds, whole."""

    call: CallId
    reasoning: str
    text: str


@dataclass(frozen=True, slots=True)
class CallRetried:
    """An attempt failed before any text came; in `wait_seconds` `agent` is asked, again or as a fallback.

    Only reasoning can have come of the call so far, and it is not part of the reply.
    """

    call: CallId
    agent: Agent
    attempt: int
    wait_seconds: float
    failure: Failure
    at: float


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A request of a call that writes its answer in several is about to be sent; its text so far stands.

    Steps count from 1. The first follows the call's CallStarted. The same number again is that request sent
    once more, of which nothing had come.
    """

    call: CallId
    number: int
    messages: tuple[Message, ...]
    read: Mapping[CallId, int]
    """The answers that have been read with this request, each with the characters read of it."""
    ended_replies: frozenset[CallId]
    """Those of `read` whose calls have ended."""
    of: int
    """The number of calls whose answers may be read."""
    at: float


@dataclass(frozen=True, slots=True)
class StepEnded:
    """A request of a call that writes its answer in several has ended; the call goes on."""

    call: CallId
    step: Step


@dataclass(frozen=True, slots=True)
class CallEnded:
    """A call has ended; `reply` holds its whole text and reasoning."""

    call: CallId
    reply: Reply


@dataclass(frozen=True, slots=True)
class ReplyChanged:
    """The reply of a call that has ended is replaced by `reply`; no model is asked.

    The old one was left out by hand or taken back in, or its layer did not pass it on.
    """

    call: CallId
    reply: Reply


@dataclass(frozen=True, slots=True)
class RunChanged:
    """The user has changed the run, which follows `recipe` from now on; the calls so far keep their ids."""

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


Event = (
    CallStarted
    | Delta
    | Restated
    | CallRetried
    | PointsFound
    | StepStarted
    | StepEnded
    | CallEnded
    | ReplyChanged
    | RunChanged
    | RunEnded
)
