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
    """One message of a chat, as providers take it."""

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
    """Tokens of a call; `estimated` where the provider did not say."""

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
    """Why a call or a run did not end as it should, in words for a person."""

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
    """The last thing a stream says: why it ended (None: it did not say), and what it took.

    `usage` is the provider's own count or None. `cost` is in US dollars, None where it is not known.
    """

    reason: str | None = None
    usage: Usage | None = None
    cost: float | None = None


class Stream(Protocol):
    """A model: streams chunks, then one Finish. Raises ModelError."""

    def __call__(
        self, agent: Agent, messages: Sequence[Message], /
    ) -> AsyncGenerator[Chunk | Finish, None]: ...


@dataclass(frozen=True, slots=True)
class Reply:
    """How a call ended.

    `queued` is when it could have begun, `started` when its endpoint had a place, `first_token` when its
    first text or reasoning came, `ended` when it was over. `cost` is in US dollars, None where unknown.
    `reused` marks a reply kept from an earlier run, which costs nothing again. `notes` say what was left
    out or changed on the way.
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
        """How long its endpoint worked on it, retries and the waits between them included."""
        return 0.0 if self.started is None else self.ended - self.started

    @property
    def first_token_seconds(self) -> float | None:
        """From its start to its first token."""
        if self.first_token is None or self.started is None:
            return None
        return self.first_token - self.started

    @property
    def tokens_per_second(self) -> float | None:
        """Completion tokens over the time they streamed in."""
        if self.first_token is None or self.ended <= self.first_token or self.reused:
            return None
        return self.usage.completion_tokens / (self.ended - self.first_token)


@dataclass(frozen=True, slots=True)
class CallStarted:
    """A call's request goes out."""

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
    """A call failed before any text and is tried again in `wait_seconds`, by `agent`.

    What was shown of the call so far (reasoning, at most) does not count any more.
    """

    call: CallId
    agent: Agent
    attempt: int
    wait_seconds: float
    failure: Failure
    at: float


@dataclass(frozen=True, slots=True)
class CallEnded:
    """A call is over; `reply` holds all of it."""

    call: CallId
    reply: Reply


@dataclass(frozen=True, slots=True)
class ReplyChanged:
    """There is something new about a reply that had come: `reply` instead of it, and nothing is paid again.

    It was left out by hand or taken back in, or its layer has not passed it on.
    """

    call: CallId
    reply: Reply


@dataclass(frozen=True, slots=True)
class RunChanged:
    """A person changed the run while it goes: `recipe` from now on, with the calls so far in their places."""

    recipe: Recipe
    at: float


@dataclass(frozen=True, slots=True)
class PointsFound:
    """A checklist is drawn up; the run waits until its control is told which `points` to keep."""

    call: CallId
    points: tuple[str, ...]
    at: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to.

    `cost` is the sum of the prices known, in US dollars; None where a call's price is not known. `notes`
    say what was left out, shortened, fell back, or could not be counted.
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
