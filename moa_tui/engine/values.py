"""The values of a run: its calls, replies, outcome and metrics, and the sum of what replies cost.

They are frozen and know nothing of ids, SQL or widgets. Times are in seconds since the start of the run,
costs in US dollars.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING, Literal, TypedDict

from moa_tui.engine.amounts import MOST_TOKENS, dollars, token_count

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from moa_tui.errors import FailureKind

Status = Literal["done", "partial", "failed", "stopped", "excluded"]
OutcomeStatus = Literal["done", "partial", "failed", "stopped"]
Kind = Literal["text", "reasoning"]
"""The two kinds of what a model writes: the text of its answer, and the reasoning before it."""


class Message(TypedDict):
    """One message of a chat, in the form that providers accept."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True, order=True)
class CallId:
    """The place of one agent's call in a run: its layer, and its index in the layer, both from 1."""

    layer: int
    index: int

    def __str__(self) -> str:
        return f"L{self.layer}.{self.index}"


@dataclass(frozen=True, slots=True)
class Usage:
    """The tokens of a call; `estimated` is True where the provider did not count them.

    `prompt_tokens` counts the whole prompt. Of these, `cached_tokens` were read from the provider's cache and
    `cache_write_tokens` written to it at a price of their own; both are 0 where the provider says nothing.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    estimated: bool = True
    cached_tokens: int = 0
    cache_write_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.estimated or other.estimated,
            self.cached_tokens + other.cached_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
        )

    @classmethod
    def counted(
        cls,
        prompt: object,
        completion: object,
        *,
        estimated: bool,
        cached: object = 0,
        cache_write: object = 0,
        most: int = MOST_TOKENS,
    ) -> Usage | None:
        """The usage of counts that come from outside; None where a count of prompt or answer is not believed.

        Each count is from 0 to `most`. Counts of a cache that are no part of the prompt become 0.
        """
        tokens = token_count(prompt, most), token_count(completion, most)
        if tokens[0] is None or tokens[1] is None:
            return None
        read, written = token_count(cached, most) or 0, token_count(cache_write, most) or 0
        if read + written > tokens[0]:
            read = written = 0
        return cls(tokens[0], tokens[1], estimated, read, written)


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
class Moved:
    """The correction of a stream: the last `characters` that it gave as the other kind are of this `kind`."""

    kind: Kind
    characters: int


@dataclass(frozen=True, slots=True)
class Finish:
    """The last item of a stream: why it ended, and what it used and cost.

    `reason` is the provider's finish reason and `usage` its own count; both are None where it gave none.
    `cost` is in US dollars, None where it is unknown. `notes` say what was odd in a reply that is used
    all the same. Every stream ends with this value, so it is here that what a provider states is checked: a
    usage or cost that cannot be meant becomes unknown.
    """

    reason: str | None = None
    usage: Usage | None = None
    cost: float | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "cost", dollars(self.cost))
        if (usage := self.usage) is not None:
            believed = Usage.counted(
                usage.prompt_tokens,
                usage.completion_tokens,
                estimated=usage.estimated,
                cached=usage.cached_tokens,
                cache_write=usage.cache_write_tokens,
            )
            object.__setattr__(self, "usage", believed)


@dataclass(frozen=True, slots=True)
class Step:
    """One request of a call that wrote its answer in several. Times are in seconds since the run's start.

    `messages` are those that were sent: of each step those of the step before, with more behind them, unless
    they had to be shortened. `started` is the time at which its endpoint had a place.
    """

    messages: Sequence[Message]
    read: Mapping[CallId, int]
    """The answers that had been read by then, whole or in part, each with the characters read of it."""
    ended_replies: frozenset[CallId]
    """Those of `read` whose calls had ended by then."""
    characters: int
    """The length of the reply's text behind this step; what the step wrote stands behind that of the step
    before."""
    usage: Usage = Usage()
    cost: float | None = None
    started: float = 0.0
    first_token: float | None = None
    ended: float = 0.0

    @property
    def seconds(self) -> float:
        """The seconds that the step took."""
        return self.ended - self.started


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
    steps: tuple[Step, ...] = ()
    """The requests of a call that wrote its answer in several; none for all others. `usage` and `cost` are
    their sums, `messages` those of the last, `started` and `first_token` those of the first."""
    unread: tuple[CallId, ...] = ()
    """Answers that came after the text was begun and are unlike all that had been read by then."""
    known_cost: float = 0.0
    """The part of an unknown `cost` that is known, as of an agent that failed before another was asked. It is
    booked as the call ends, and not kept."""
    local: bool = False
    """True where it was written by a server on this machine, and so cost nothing."""

    @property
    def seconds(self) -> float:
        """The seconds from the start of the call to its end, with retries and the waits between them."""
        return 0.0 if self.started is None else self.ended - self.started

    @property
    def working_seconds(self) -> float:
        """The seconds of its requests, without the waits for what a further step was to read."""
        return sum(step.seconds for step in self.steps) if self.steps else self.seconds

    @property
    def first_token_seconds(self) -> float | None:
        """The seconds from the start of the call to its first token; None where no token came."""
        if self.first_token is None or self.started is None:
            return None
        return self.first_token - self.started

    @property
    def tokens_per_second(self) -> float | None:
        """The completion tokens per second of streaming; None where nothing was streamed in this run."""
        if self.first_token is None or self.ended <= self.first_token or self.reused:
            return None
        streamed = self.ended - self.first_token
        if self.steps:
            times = [(step.first_token, step.ended) for step in self.steps]
            streamed = sum(ended - first_token for first_token, ended in times if first_token is not None)
        return self.usage.completion_tokens / streamed if streamed > 0 else None


@dataclass(frozen=True, slots=True)
class Overlap:
    """How much one proposer's answer shares with the final one; both numbers are from 0 to 1.

    `ngram_share` is the share of the final answer's word 3- to 5-grams that stand in the proposer's
    answer, `cosine` the TF-IDF cosine of the two.
    """

    call: CallId
    ngram_share: float
    cosine: float


@dataclass(frozen=True, slots=True)
class LayerMetrics:
    """The metrics of one layer: the answers asked for and used, its slowest call, and the seconds it took.

    These are the slowest call's, or where the calls were `in_turn`, one after another, those of all together.
    Of a layer that began beside the one before it, they are those behind that one's end.
    """

    number: int
    asked: int
    used: int
    slowest: CallId | None
    seconds: float
    in_turn: bool = False


@dataclass(frozen=True, slots=True)
class Metrics:
    """The metrics of one run. Times are in seconds from its start; None means that nothing was measured.

    `critical_path_seconds` is the sum of the seconds of the layers: the time of the run if nothing but the
    models took time. `parallel_saving_seconds` is the time that running the calls one by one would have
    added to that. `overlap` has every proposer whose answer was passed on, in order. `diversity` is 1 - the
    mean pairwise cosine of the answers the aggregator read. `novelty` is the share of the final answer's
    n-grams that stand in no proposer's answer. Both are from 0 to 1.
    """

    layers: tuple[LayerMetrics, ...] = ()
    critical_path_seconds: float = 0.0
    parallel_saving_seconds: float = 0.0
    first_proposer_token_seconds: float | None = None
    first_final_token_seconds: float | None = None
    overlap: tuple[Overlap, ...] = ()
    diversity: float | None = None
    novelty: float | None = None


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

    @property
    def local(self) -> bool:
        """True where all that was sent was answered on this machine, and so cost nothing."""
        if self.cost != 0:
            return False
        sent = [reply for reply in self.replies.values() if reply.started is not None and not reply.reused]
        return bool(sent) and all(reply.local for reply in sent)


@dataclass(frozen=True, slots=True)
class Paid:
    """The usage and cost of several replies together. Costs are in US dollars."""

    usage: Usage
    known_cost: float
    """The sum of the costs that are known; a reply of unknown cost is left out."""
    cost: float | None
    """The sum of all costs; None where the cost of a reply is unknown."""

    @property
    def tokens(self) -> int:
        """Prompt and completion tokens together."""
        return self.usage.prompt_tokens + self.usage.completion_tokens


def paid(replies: Iterable[Reply]) -> Paid:
    """The usage and cost of `replies` together, without those that were reused from an earlier run.

    A reused reply was paid for in that run. Of no replies at all, everything is zero and known. A cost that
    cannot be meant, which an older version may have kept, is unknown.
    """
    usage = Usage(estimated=False)
    known_cost = 0.0
    is_known = True
    for reply in replies:
        if reply.reused:
            continue
        usage += reply.usage
        cost = dollars(reply.cost)
        if cost is None:
            is_known = False
            known_cost += dollars(reply.known_cost) or 0.0
        else:
            known_cost += cost
    return Paid(usage, known_cost, known_cost if is_known else None)


def common_messages(first: Sequence[Message], second: Sequence[Message]) -> int:
    """The number of messages with which both begin."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))
