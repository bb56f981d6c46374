"""One call while it runs: the request, what has come of the reply, and whether that is an answer.

What a call is asked for again, and what it costs, is `engine.call`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from moa_tui.engine.limits import MAX_REPLY_CHARACTERS
from moa_tui.engine.loop_guard import LoopGuard
from moa_tui.engine.plan import message_tokens
from moa_tui.engine.token_estimate import estimate_tokens
from moa_tui.engine.values import Finish, Usage
from moa_tui.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.events import Event
    from moa_tui.engine.limits import Fit
    from moa_tui.engine.tasks import Prepared
    from moa_tui.engine.values import Message, Moved, Status


@dataclass(frozen=True, slots=True)
class Asking:
    """How a request is put that is one of several of its call; others are put by `Caller.prepare`."""

    prepare: Callable[[Agent, Fit], Prepared]
    """The messages for an agent, with as much of them as the fit says."""
    emit: Callable[[Event], None]
    """Takes the events of this request, as a run does those of a call that has no other."""
    may_be_cut: bool = False
    """True where a reply that ends at its token limit is as good as one that its model ended."""
    may_be_empty: bool = False
    """True where nothing need be written, since there is text of the call already."""
    worked_seconds: float = 0.0
    """The seconds that the call's other requests have taken."""
    to_come: float = 0.0
    """The most that the call's last request should cost after this one, in US dollars, which is held too."""


class CallInProgress:
    """One agent's call while it runs: the request, and what has come of the reply so far.

    `attempts` counts the attempts of the call's earlier agents too. `others` are agents that can be asked
    instead.
    """

    def __init__(
        self,
        agent: Agent,
        queued: float,
        attempts: int,
        others: Sequence[Agent],
        asking: Asking | None = None,
    ) -> None:
        self.asking = asking
        self.agent = self.asked = agent
        self.queued = queued
        self.attempts = self.attempts_before = attempts
        self.paid_before = 0.0
        """What the call's earlier agents have cost, in US dollars, as far as it is known."""
        self.others = others
        self.started: float | None = None
        self.first_token: float | None = None
        self.messages: tuple[Message, ...] = ()
        self.texts: tuple[str, ...] = ()
        self.notes: tuple[str, ...] = ()
        self.text: list[str] = []
        self.reasoning: list[str] = []
        self.characters = 0
        self.thinking_tokens = 0
        self.guards = {"text": LoopGuard(), "reasoning": LoopGuard()}
        self.finish = Finish()

    @property
    def received(self) -> bool:
        """True once any text or reasoning has come."""
        return self.first_token is not None

    @property
    def has_text(self) -> bool:
        """True once any text that is not blank has come."""
        return any(not part.isspace() for part in self.text)

    @property
    def status_when_cut(self) -> Status:
        """The status of the reply if the call ends now with a fault."""
        return "partial" if self.has_text else "failed"

    def begin(self, prepared: Prepared, asked: Agent, now: float, thinking_tokens: int = 0) -> None:
        """Note that an attempt starts, `now` seconds into the run, with the agent as it is `asked`.

        It has room for `thinking_tokens` beside its answer.
        """
        self.asked = asked
        self.thinking_tokens = thinking_tokens
        self.messages, self.notes, self.texts = prepared.messages, prepared.notes, prepared.texts
        self.attempts += 1
        self.finish = Finish()
        if self.started is None:
            self.started = now

    def append(self, kind: str, text: str, now: float) -> None:
        """Append a piece of the reply. Raises ModelError where it exceeds MAX_REPLY_CHARACTERS."""
        if self.first_token is None:
            self.first_token = now
        (self.text if kind == "text" else self.reasoning).append(text)
        self.characters += len(text)
        if self.characters > MAX_REPLY_CHARACTERS:
            raise ModelError("too_long", f"stopped at {MAX_REPLY_CHARACTERS:,} characters")

    def check_loop(self, kind: str, text: str = "", *, was_cut: bool = False) -> None:
        """Raise ModelError where the model has fallen into a loop, as far as `text`, the newest piece, tells.

        `was_cut` is true once the reply has ended at its token limit.
        """
        guard = self.guards[kind]
        if block := guard.block(was_cut=True) if was_cut else guard.feed(text):
            where = "its reasoning" if kind == "reasoning" else "its answer"
            raise ModelError(
                "loop",
                f"stopped: the model repeats the same {block} characters of {where} again and again; ask "
                "again or another model, or set loop_guard = false under [limits] if that is wanted",
            )

    def move(self, moved: Moved) -> None:
        """Give the last characters of one kind to the other, as `moved` says."""
        source, target = self.reasoning, self.text
        if moved.kind == "reasoning":
            source, target = target, source
        whole = "".join(source)
        cut = max(0, len(whole) - moved.characters)
        source[:] = [whole[:cut]] if cut else []
        target.append(whole[cut:])
        self.guards = {"text": LoopGuard(), "reasoning": LoopGuard()}

    def check_complete(self) -> None:
        """Raise ModelError unless the stream ended with a complete answer."""
        reason = self.finish.reason
        if reason == "content_filter":
            raise ModelError("filtered", "the provider's content filter stopped the answer")
        if self.asking is not None and reason in ("stop", "length"):
            if not self.has_text and self.asking.may_be_empty:
                return
            if self.has_text and self.asking.may_be_cut:
                return
        if not self.has_text:
            raise ModelError("empty", _why_empty(reason, bool(self.reasoning)))
        if reason == "length":
            raise ModelError("length", f"answer cut at {self._token_limit()}")
        if reason is None:
            raise ModelError("cut_off", "the stream ended without saying that the answer is complete")

    def _token_limit(self) -> str:
        """The limit of the answer in words, with the room that the model had for thinking."""
        if not self.asked.max_tokens:
            return "the model's own limit"
        room = f" and {self.thinking_tokens:,} tokens of room for thinking" if self.thinking_tokens else ""
        return f"max_tokens = {self.asked.max_tokens}{room}"

    def usage(self) -> Usage:
        """The provider's own count of tokens; an estimate where the provider gave none.

        Of an answer that was cut off, the count may be from its beginning: Anthropic counts the prompt there,
        and one token of the answer.
        """
        counted = self.finish.usage
        if counted is not None and self.finish.reason is not None:
            return counted
        if counted is None and not self.received:
            return Usage()
        written = estimate_tokens("".join(self.text)) + estimate_tokens("".join(self.reasoning))
        if counted is None:
            return Usage(sum(map(message_tokens, self.messages)), written, estimated=True)
        if written <= 2 * counted.completion_tokens:  # as far as an estimate may be wrong
            return counted
        return replace(counted, completion_tokens=written, estimated=True)

    def all_notes(self) -> tuple[str, ...]:
        """The notes on the request and on the stream."""
        return (*self.notes, *(f"{self.agent.name}: {note}" for note in self.finish.notes))


def _why_empty(finish_reason: str | None, has_reasoning: bool) -> str:
    """The reason, in words for a user, why a stream that ended has no answer."""
    if finish_reason == "length":
        remedy = "raise max_tokens or lower reasoning_effort" if has_reasoning else "raise max_tokens"
        return f"the model reached its token limit before its answer began; {remedy}"
    if has_reasoning:
        return "the model reasoned but wrote no answer"
    if finish_reason is None:
        return "no answer came in the server's stream; is its address (api_base) right, and can it stream?"
    return "the model ended without writing anything"
