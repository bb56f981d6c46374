"""What a run says while it goes, and what it leaves. Frozen values; times in seconds since its start."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, TypedDict

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.metrics import Metrics
    from moa_tui.engine.recipe import Recipe
    from moa_tui.errors import FailureKind

Status = Literal["done", "partial", "failed", "stopped", "excluded"]
OutcomeStatus = Literal["done", "partial", "failed", "stopped"]
Kind = Literal["text", "reasoning"]


class Message(TypedDict):
    """One message of a chat, in the form that providers accept."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True, order=True)
class CallId:
    """One agent's request in one run; layer and index count from 1."""

    layer: int
    index: int

    def __str__(self) -> str:
        return f"L{self.layer}.{self.index}"


@dataclass(frozen=True, slots=True)
class Usage:
    """The tokens of a call; `estimated` is True where the provider did not count them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    estimated: bool = True

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.estimated or other.estimated,
        )


@dataclass(frozen=True, slots=True)
class Failure:
    """The reason why a call or a run did not end normally, in words for a user.

    `status_code` is the HTTP status where a server gave one.
    """

    kind: FailureKind
    message: str
    status_code: int | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a streamed reply."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Finish:
    """The last item of a stream: why it ended, and what it took.

    `reason` is the provider's finish reason and `usage` its own count; both are None where it gave none.
    `cost` is in US dollars, None where it is unknown.
    """

    reason: str | None = None
    usage: Usage | None = None
    cost: float | None = None


class Stream(Protocol):
    """Asks an agent's model: yields the chunks of its reply, then one Finish. Raises ModelError."""

    def __call__(
        self, agent: Agent, messages: Sequence[Message], /
    ) -> AsyncGenerator[Chunk | Finish, None]: ...


@dataclass(frozen=True, slots=True)
class Reply:
    """How a call ended.

    `queued` is the time at which the call could have begun, `started` at which its endpoint had a place,
    `first_token` at which its first text or reasoning came, and `ended` at which it was over; all are seconds
    since the run's start. `cost` is in US dollars, None where unknown. `reused` marks a reply of an earlier
    run, which is not paid again. `notes` say what was left out or changed.
    """

    agent: str
    model: str
    status: Status
    messages: Sequence[Message] = ()
    text: str = ""
    reasoning: str = ""
    error: Failure | None = None
    finish_reason: str | None = None
    usage: Usage = Usage()
    cost: float | None = None
    queued: float = 0.0
    started: float | None = None
    first_token: float | None = None
    ended: float = 0.0
    attempts: int = 0
    reused: bool = False
    notes: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """The seconds that its endpoint worked on it, with retries and the waits between them."""
        return 0.0 if self.started is None else self.ended - self.started

    @property
    def first_token_seconds(self) -> float | None:
        """The seconds from its start to its first token; None where there was no token."""
        if self.first_token is None or self.started is None:
            return None
        return self.first_token - self.started

    @property
    def tokens_per_second(self) -> float | None:
        """The completion tokens per second of streaming; None where nothing was streamed in this run."""
        if self.first_token is None or self.ended <= self.first_token or self.reused:
            return None
        return self.usage.completion_tokens / (self.ended - self.first_token)


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
class Outcome:
    """How a run ended.

    `usage` and `cost` are the sums of `paid` over its replies: `cost` is in US dollars, None where the price
    of a call is unknown. `seconds` is the time that the run took. `notes` say what was left out or shortened,
    fell back, or could not be counted.
    """

    status: OutcomeStatus
    answer: str
    replies: Mapping[CallId, Reply]
    metrics: Metrics
    error: Failure | None = None
    usage: Usage = field(default_factory=Usage)
    cost: float | None = None
    seconds: float = 0.0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The last event of every run that was not cancelled from outside."""

    outcome: Outcome


Event = CallStarted | Delta | CallRetried | PointsFound | CallEnded | ReplyChanged | RunChanged | RunEnded
