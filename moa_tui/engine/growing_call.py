"""One call that writes its answer in several requests, and the one reply that they come to."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from moa_tui.engine.call_in_progress import Asking
from moa_tui.engine.events import CallRetried, CallStarted, Delta, Restated, StepEnded, StepStarted
from moa_tui.engine.loop_guard import LoopGuard
from moa_tui.engine.plan import STEP_TOKENS
from moa_tui.engine.step_messages import StepMessages
from moa_tui.engine.step_text import StepText
from moa_tui.engine.token_estimate import estimate_tokens
from moa_tui.engine.values import CallId, Failure, Reply, Step, common_messages, paid
from moa_tui.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.call import Caller
    from moa_tui.engine.events import Event
    from moa_tui.engine.layer import Layer
    from moa_tui.engine.limits import Fit
    from moa_tui.engine.spending import SpendingGuard
    from moa_tui.engine.step_messages import Source
    from moa_tui.engine.tasks import Prepared, Reference
    from moa_tui.engine.values import Message

    _Reading = tuple[Mapping[CallId, int], frozenset[CallId], int]

# A step that is asked for `chunk` tokens and writes so many characters for each is cut off.
_MOST_CHARACTERS_PER_TOKEN = 40
_NEVER_BEGAN = Failure("stopped", "ended, because no answer that it could read was left")


class GrowingCall:
    """The requests of one call, one after another. All methods are called on the run's loop."""

    def __init__(
        self, call: CallId, layer: Layer, caller: Caller, spending: SpendingGuard, chunk: int
    ) -> None:
        self.call = call
        self.layer = layer
        self.peers: Sequence[Agent] = ()
        """The agents of the layer."""
        self._caller = caller
        self._spending = spending
        self._chunk = chunk
        self._messages: StepMessages | None = None
        self._shown: list[str] = []
        self._reasoning: list[str] = []
        self._gap = ""
        self._steps: list[Step] = []
        self._replies: list[Reply] = []
        self._guard = LoopGuard()
        self._step_text = StepText("", is_last=True)
        self._step_reasoning = 0
        """The number of pieces of reasoning before the step."""
        self.read: Mapping[CallId, int] = {}
        """The characters of each answer that were read so far."""
        self.read_first: Mapping[CallId, int] = {}
        """The same of the first step that wrote something."""
        self.agent = ""
        """The name of the agent that was asked last."""
        self.ended: Reply | None = None
        """The reply of the request that ended the call."""
        self.is_asking = False
        self.was_cut = False
        """True where the last step had more to write."""
        self.is_stuck = False
        """True where no further step is worth asking for before everything is there to be read."""
        self._reading: _Reading = ({}, frozenset(), 0)
        self._is_last = self._is_void = False
        self._step_characters = 0
        self._of = 0

    @property
    def has_begun(self) -> bool:
        """True once a request was sent."""
        return bool(self._steps) or self.is_asking

    @property
    def kept_read(self) -> Mapping[CallId, int]:
        """What was read by requests that wrote something; the others are put anew."""
        return {} if self._messages is None else self._messages.read

    @property
    def text(self) -> str:
        """The text that was shown so far, all of which stands."""
        if len(self._shown) > 1:
            self._shown[:] = ["".join(self._shown)]
        return self._shown[0] if self._shown else ""

    @property
    def _own_tokens(self) -> int:
        """About what the last request will read of the call itself, behind the next one."""
        return estimate_tokens(self.text) + self._chunk + STEP_TOKENS * (len(self._steps) + 1)

    # Requests

    async def step(
        self,
        sources: Sequence[Source],
        agents: Sequence[Agent],
        history: Sequence[Message],
        *,
        of: int,
        is_last: bool = False,
    ) -> bool:
        """Write the next part of the answer from `sources`; True where that is any text.

        `of` is the number of answers that may be read in the end. The last step is not bounded.
        """
        if self._messages is None:
            self._messages = StepMessages(self.call, self.layer, history, self._chunk)
        messages = self._messages
        asked = messages.asked(sources, is_last=is_last)

        def prepare(agent: Agent, fit: Fit) -> Prepared:
            return messages.prepare(asked, agent, fit, self._caller.facts(agent))

        if not is_last:
            agents = [agent.model_copy(update={"max_tokens": self._chunk}) for agent in agents]
        reply = await self._ask(agents, prepare, (asked.read, asked.ended_replies, of), is_last=is_last)
        written = self._step_text.shown
        if written.strip():
            messages.keep(asked, written.strip())
            self._gap = self._step_text.gap
        is_faulty = reply.error is not None and reply.error.kind != "length"
        is_cut = not is_faulty and (reply.finish_reason == "length" or reply.error is not None)
        self.was_cut = is_cut and bool(written.strip())
        # A block that does not close within one step would be written in vain again and again.
        self.is_stuck = self._step_text.is_in_block or is_faulty
        if is_last or reply.status == "stopped":
            self.ended = reply
        return bool(written.strip())

    async def whole(self, references: Sequence[Reference], agents: Sequence[Agent], *, of: int) -> None:
        """Write the whole answer from `references`, as a call that waited for them would."""

        def prepare(agent: Agent, fit: Fit) -> Prepared:
            return self._caller.prepare(self.call, self.layer, agent, references, fit)

        read = {reference.call: len(reference.text) for reference in references if reference.call is not None}
        self.ended = await self._ask(agents, prepare, (read, frozenset(read), of), is_last=True)

    async def _ask(
        self,
        agents: Sequence[Agent],
        prepare: Callable[[Agent, Fit], Prepared],
        reading: _Reading,
        *,
        is_last: bool,
    ) -> Reply:
        """The reply to one request, whose text is shown as far as it stays."""
        self._step_text = StepText(self.text, self._gap, is_last=is_last)
        self._step_reasoning = len(self._reasoning)
        self._reading = reading
        self.read = reading[0]
        if not self.text:
            self.read_first, self._of = reading[0], reading[2]
        self._is_last, self._is_void, self._step_characters = is_last, False, 0
        asking = Asking(
            prepare=prepare,
            emit=self._take,
            may_be_cut=not is_last,
            may_be_empty=not is_last or bool(self.text),
            worked_seconds=sum(step.seconds for step in self._steps),
            to_come=0.0 if is_last else self._spending.price_of_end(self.call, self._own_tokens),
        )
        self.is_asking = True
        try:
            reply = await self._caller.call(self.call, self.layer, agents, (), self.peers, asking)
        finally:
            self.is_asking = False
        is_whole = reply.error is None and reply.finish_reason == "stop"
        if not self._is_void:
            self._show(self._step_text.end(is_whole=is_whole))
        self._replies.append(reply)
        if reply.started is not None:
            self.agent = reply.agent
            self._end_step(reply)
        return reply

    def _end_step(self, reply: Reply) -> None:
        read, ended_replies, _ = self._reading
        # What a step repeats of the one before is held once.
        before = self._steps[-1].messages if self._steps else ()
        same = common_messages(before, reply.messages)
        step = Step(
            (*before[:same], *reply.messages[same:]),
            read,
            ended_replies,
            len(self.text),
            reply.usage,
            reply.cost,
            reply.started or 0.0,
            reply.first_token,
            reply.ended,
        )
        self._steps.append(step)
        self._spending.book_step(self.call, paid((reply,)).known_cost)
        self._caller.emit(StepEnded(self.call, step))

    def _take(self, event: Event) -> None:
        """Pass on an event of the request at work as one of the whole call."""
        match event:
            case CallStarted(call, _, messages, at):
                if not self._steps:
                    self._caller.emit(event)
                number = len(self._steps) + 1
                self._caller.emit(StepStarted(call, number, messages, *self._reading, at))
            case CallRetried():
                # What others make of this event is that nothing of the call counts so far.
                if not self._steps and not self.text:
                    self._reasoning.clear()
                    self._caller.emit(event)
            case Delta(call, "reasoning", text):
                if self._reasoning and len(self._reasoning) == self._step_reasoning:
                    text = f"\n\n{text}"
                self._reasoning.append(text)
                self._caller.emit(Delta(call, "reasoning", text))
            case Delta(_, _, text):
                if not self._is_void:
                    self._check_loop(self._show(self._step_text.feed(text)))
                    self._check_length(text)
            case Restated(call, reasoning, text):
                if not self._is_void:
                    self._restate(reasoning, text)
                    self._caller.emit(Restated(call, "".join(self._reasoning), self.text))
            case _:
                self._caller.emit(event)

    def _show(self, text: str) -> str:
        """Show a piece of the text, which stands from then on, and return it."""
        if text:
            self._shown.append(text)
            self._caller.emit(Delta(self.call, "text", text))
        return text

    def _check_loop(self, text: str) -> None:
        """Raise ModelError where what was shown repeats itself, be it over many steps."""
        if text and self._caller.limits.loop_guard and (block := self._guard.feed(text)):
            raise ModelError(
                "loop",
                f"stopped: the model repeats the same {block} characters of its answer from step to step; "
                "ask again or another model, or set loop_guard = false under [limits] if that is wanted",
            )

    def _check_length(self, text: str) -> None:
        """Raise ModelError for a step that is not the last and whose server minds no token limit."""
        self._step_characters += len(text)
        if not self._is_last and self._step_characters > _MOST_CHARACTERS_PER_TOKEN * self._chunk:
            raise ModelError("length", f"stopped after {self._step_characters:,} characters of one step")

    def _restate(self, reasoning: str, text: str) -> None:
        """Divide what the step has written anew, as its stream says; the steps before it stand."""
        shown = len(self._step_text.shown)
        before = self.text[: len(self.text) - shown]
        del self._reasoning[self._step_reasoning :]
        if reasoning:
            self._reasoning.append(f"\n\n{reasoning}" if self._reasoning else reasoning)
        self._step_text = StepText(before, self._gap, is_last=self._is_last)
        self._shown = [before, self._step_text.feed(text)]

    # The end

    def end_between_steps(self, why: Failure) -> None:
        """End the call where it waits for more to read."""
        last = self._replies[-1]
        self.ended = replace(last, status="stopped", error=why, ended=self._caller.now())

    def void(self, why: Failure) -> None:
        """End the request at work, of which nothing is shown: whatever still comes of it is not."""
        self._is_void = True
        self._caller.end_call(self.call, why)

    def forget_end(self) -> None:
        """Go on although the last request failed or was ended."""
        self.ended = None

    def called_off(self) -> Reply:
        """The reply of the call where it has nothing to read any more."""
        if self.ended is None:
            self.end_between_steps(_NEVER_BEGAN)
        return self.reply((), ())

    def reply(self, unread: tuple[CallId, ...], notes: Sequence[str]) -> Reply:
        """The reply that all requests come to."""
        last = self.ended or self._replies[-1]
        together = paid(self._replies)
        is_cut_off = last.status == "failed" and bool(self.text.strip())
        sent = [reply for reply in self._replies if reply.started is not None] or [last]
        tokens = [reply.first_token for reply in sent if reply.first_token is not None]
        return replace(
            last,
            status="partial" if is_cut_off else last.status,
            text=self.text,
            reasoning="".join(self._reasoning),
            messages=self._steps[-1].messages if self._steps else last.messages,
            usage=together.usage,
            cost=together.cost,
            known_cost=0.0 if together.cost is not None else together.known_cost,
            queued=sent[0].queued,
            started=sent[0].started,
            first_token=min(tokens, default=None),
            ended=last.ended,
            attempts=1 + sum(max(0, reply.attempts - 1) for reply in self._replies),
            notes=tuple(dict.fromkeys([*self._reading_notes(), *notes, *self._own_notes()])),
            steps=tuple(self._steps),
            unread=unread,
        )

    def _own_notes(self) -> list[str]:
        return [note for reply in self._replies for note in reply.notes]

    def _reading_notes(self) -> list[str]:
        """From what the first part and the last were written, in words."""
        parts: list[Step] = []
        length = 0
        for step in self._steps:
            if step.characters > length:
                parts.append(step)
                length = step.characters
        if not parts:
            return []
        first, count = parts[0], len(parts)
        is_whole = first.ended_replies >= first.read.keys()
        answers = f"{len(first.read)} of {self._of} answers"
        if count == 1 and is_whole:
            return [f"it was written from {answers}"] if len(first.read) < self._of else []
        notes = [f"part 1 was written from {'' if is_whole else 'the beginnings of '}{answers}"]
        if count > 1:
            notes.append(f"part {count} of {count} was written from {_read_words(parts[-1])}")
        if self._is_last and self._steps[-1] is not parts[-1] and self._replies[-1].error is None:
            notes.append(f"its last request, which read {_read_words(self._steps[-1])}, added nothing")
        return notes


def _read_words(step: Step) -> str:
    """What was read by a step, in words: how many answers were whole, and of how many the beginnings."""
    whole, begun = len(step.ended_replies), len(step.read.keys() - step.ended_replies)
    words = [f"{whole} whole answer{'' if whole == 1 else 's'}"] if whole else []
    if begun:
        words.append(f"the beginning{'' if begun == 1 else 's'} of {begun}{'' if whole else ' answers'}")
    return " and ".join(words)
