"""Calls that begin to write before the layer that they read has ended.

With `stairs` (after the staircase streaming of arXiv 2510.05059), an agent writes its answer step by step
from what there is of the answers before; the last step sees all of them. With `start`, it writes the whole
answer from the first that are whole. Both are one call of several requests, whose text is never taken back.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from moa_tui.engine.events import CallEnded, CallRetried, Delta, ReplyChanged, Restated
from moa_tui.engine.growing_call import GrowingCall
from moa_tui.engine.likeness import cosine, vector
from moa_tui.engine.plan import longest_answer, most_requests
from moa_tui.engine.step_messages import Source
from moa_tui.engine.tasks import Reference
from moa_tui.engine.token_estimate import estimate_tokens
from moa_tui.engine.values import CallId, Failure
from moa_tui.engine.words import words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.call import Caller
    from moa_tui.engine.events import Event
    from moa_tui.engine.run_in_progress import RunInProgress
    from moa_tui.engine.spending import SpendingGuard
    from moa_tui.engine.values import Message, Reply

UNLIKE_BELOW = 0.3
"""The likeness below which the beginning of a late answer is unlike those that were read. Of 800 late ones,
two of six models' to each of 400 real prompts, 7 % are unlike the nearest of the other four by that, and all
answers to another prompt. At 0.45 it would be 22 %, and of whole answers, as `start` compares them, 13 %."""

# A text of so many characters for each token that is waited for has them in every script.
_MOST_CHARACTERS_PER_TOKEN = 8
_BEGINS_ANEW = "\n\n[What stands above was not the answer yet. It begins here.]\n\n"
_RESTARTED = Failure("stopped", "begun again, because an answer came that is unlike those that were read")
_LEFT_OUT = "left out by the user: use nothing more of it"
_BROKE_OFF = "broke off, nothing more comes of it"
_MOST_EMPTY_STEPS = 2


class GrowingAnswers:
    """The answers of one layer as they are written. Follows the events of the run, on its loop."""

    def __init__(
        self,
        layer: int,
        chunk: int,
        on_growth: Callable[[CallId | None], None],
        count_read: Callable[[CallId], int],
    ) -> None:
        """Call `on_growth` with the call of an answer that has ended.

        Where a step waits for `chunk` tokens, which is 0 where none does, it is also called, with None, as an
        answer grows, until that must have as many. `count_read` returns how many characters of an answer were
        read, which stand from then on.
        """
        self.layer = layer
        self.ended: dict[CallId, Reply] = {}
        self._granule = chunk // 2
        self._most_waited_for = chunk * _MOST_CHARACTERS_PER_TOKEN + self._granule
        self._on_growth = on_growth
        self._count_read = count_read
        self._parts: dict[CallId, list[str]] = {}
        self._characters: dict[CallId, int] = {}
        self._told: dict[CallId, int] = {}
        """The characters that each answer had when its growth was last told."""

    def follow(self, event: Event) -> None:
        """Take note of an event of the run."""
        match event:
            case Delta(call, "text", text) if call.layer == self.layer:
                self._parts.setdefault(call, []).append(text)
                self._characters[call] = characters = self._characters.get(call, 0) + len(text)
                has_grown = characters - self._told.get(call, 0) >= self._granule
                if self._granule and has_grown:
                    self._told[call] = characters
                    # Of an answer that is far ahead, more makes no difference to anybody.
                    if characters - len(text) - self._count_read(call) <= self._most_waited_for:
                        self._on_growth(None)
            case Restated(call, _, text) if call.layer == self.layer:
                read = self.text(call)[: self._count_read(call)]
                whole = text if text.startswith(read) else f"{read}{_BEGINS_ANEW}{text}"
                self._parts[call], self._characters[call], self._told[call] = [whole], len(whole), 0
            case CallRetried(call) if call.layer == self.layer:
                self._parts.pop(call, None)
                self._characters.pop(call, None)
                self._told.pop(call, None)
            case CallEnded(call, reply) | ReplyChanged(call, reply) if call.layer == self.layer:
                self.ended[call] = reply
                if call not in self._parts:
                    self._parts[call] = [reply.text]
                self._on_growth(call)
            case _:
                return

    def text(self, call: CallId) -> str:
        """What there is of an answer."""
        parts = self._parts.get(call, [])
        if len(parts) > 1:
            parts[:] = ["".join(parts)]
        return parts[0] if parts else ""


class EarlyCall:
    """One call that begins beside the layer before it, as the settings of its layer say."""

    def __init__(
        self, call: CallId, progress: RunInProgress, caller: Caller, spending: SpendingGuard
    ) -> None:
        self.call = call
        self._progress = progress
        self._caller = caller
        layer = progress.recipe.layers[call.layer - 1]
        self._stairs, self._start = layer.stairs, layer.start
        self._chunk = 0 if layer.stairs is None else layer.stairs.chunk
        self.answers = GrowingAnswers(
            call.layer - 1, self._chunk, self._on_growth, lambda source: self.writing.read.get(source, 0)
        )
        self._changed = asyncio.Event()
        self._is_settled = False
        self._is_restarting = False
        self._has_given_up = False
        self._empty_steps = self._steps = 0
        longest = (longest_answer(agent) for agent in progress.recipe.lineup[call.layer - 2])
        self._most_steps = most_requests(layer, [*longest]) - 1
        self.writing = GrowingCall(call, layer, caller, spending, self._chunk)

    @property
    def has_begun(self) -> bool:
        """True once a request was sent, so that the call is no more one of its own layer alone."""
        return self.writing.has_begun

    # Beside the layer before

    async def run(self) -> None:
        """Write what can be written until the layer before has ended."""
        while not (self._is_settled or self._has_given_up or self.writing.ended is not None):
            if self._is_ready() and self._has_place():
                await (self._synthesis() if self._start is not None else self._step())
            else:
                await self._wait()

    def settle(self) -> None:
        """Take note that the layer before has ended; `run` ends with what it is at."""
        self._is_settled = True
        self._changed.set()

    async def _wait(self) -> None:
        """Wait until more has come of the answers. A call that has begun can be ended meanwhile."""
        self._changed.clear()
        if not self.has_begun:
            await self._changed.wait()
            return
        try:
            async with self._caller.open_scope(self.call) as scope:
                await self._changed.wait()
        except TimeoutError:
            if not scope.expired or scope.ended_by is None:
                raise
            self.writing.end_between_steps(scope.ended_by)

    def _on_growth(self, ended: CallId | None) -> None:
        self._changed.set()
        if ended is None or self._start is None or not self.writing.is_asking or self.writing.text:
            return
        reply = self.answers.ended[ended]
        is_late = ended not in self.writing.read and self._progress.counts(ended, reply)
        if is_late and not self._is_restarting and self._is_unlike(reply.text, self._start.restart_below):
            self._is_restarting = True
            self.writing.void(_RESTARTED)

    def _has_place(self) -> bool:
        """True where the agent's endpoint has a place that no call waits for: answers come first."""
        facts = self._caller.facts(self._agents()[0])
        most = facts.concurrency or self._caller.limits.concurrency
        return self._caller.endpoints.has_room(facts.endpoint, most)

    def _is_ready(self) -> bool:
        layer = self._progress.recipe.layers[self.call.layer - 1]
        if not self.has_begun:  # The user may have changed it.
            self.writing.layer = layer
            self.writing.peers = self._progress.recipe.lineup[self.call.layer - 1]
        if (layer.stairs, layer.start) != (self._stairs, self._start):
            return False
        in_play = [source for source in self._sources() if source.why_lost is None]
        if not in_play or all(source.has_ended for source in in_play):
            return False  # Nothing comes, or the layer is about to end.
        if self._start is not None:
            return sum(source.has_ended for source in in_play) >= min(self._start.with_, len(in_play))
        wait = self._stairs.wait if self._stairs is not None else 1
        ready = [source for source in in_play if self._has_chunk(source, self.writing.read)]
        has_news = any(len(source.text) > self.writing.read.get(source.call, 0) for source in ready)
        return len(ready) >= min(wait, len(in_play)) and (has_news or self.writing.was_cut)

    def _has_chunk(self, source: Source, read: Mapping[CallId, int]) -> bool:
        """True where so much of an answer is not `read` yet that the next step need not wait for more."""
        if source.has_ended:
            return True
        fresh = len(source.text) - read.get(source.call, 0)
        if fresh >= _MOST_CHARACTERS_PER_TOKEN * self._chunk:
            return True
        return fresh > 0 and estimate_tokens(source.text[-fresh:]) >= self._chunk

    def _sources(self, passed: Sequence[Reference] | None = None) -> list[Source]:
        """The answers of the layer before; `passed` are those that it passed on, None while it is at work."""
        progress = self._progress
        passed_calls = None if passed is None else {reference.call for reference in passed}
        sources = []
        for call, agent in progress.seats(self.call.layer - 1):
            reply = self.answers.ended.get(call)
            why_lost = None
            if call in progress.excluded or (reply is not None and reply.status == "excluded"):
                why_lost = _LEFT_OUT
            elif (reply is not None and not progress.counts(call, reply)) or (
                passed_calls is not None and call not in passed_calls
            ):
                why_lost = _BROKE_OFF
            text = self.answers.text(call)
            sources.append(Source(call, agent.name, text, has_ended=reply is not None, why_lost=why_lost))
        return sources

    def _agents(self) -> tuple[Agent, ...]:
        """The agents to ask in turn: from the one that wrote the text so far on."""
        recipe = self._progress.recipe
        agents = recipe.candidates(self.call.layer, recipe.lineup[self.call.layer - 1][self.call.index - 1])
        names = [agent.name for agent in agents]
        return agents[names.index(self.writing.agent) :] if self.writing.agent in names else agents

    async def _step(self) -> None:
        """Write the next part of the answer from what there is of the others."""
        read = self.writing.kept_read
        sources = [
            source
            for source in self._sources()
            if source.why_lost is not None or self._has_chunk(source, read)
        ]
        self._progress.begun_early.add(self.call)
        wrote = await self.writing.step(sources, self._agents(), self._history, of=self._in_play())
        self._empty_steps = 0 if wrote else self._empty_steps + 1
        self._steps += 1
        is_vain = self.writing.is_stuck or self._empty_steps >= _MOST_EMPTY_STEPS
        self._has_given_up = is_vain or self._steps >= self._most_steps

    async def _synthesis(self) -> None:
        """Write the whole answer from the answers that are whole."""
        self._is_restarting = False
        references = [
            Reference(source.agent, source.text, call=source.call)
            for source in self._sources()
            if source.why_lost is None and source.has_ended
        ]
        self._progress.begun_early.add(self.call)
        await self.writing.whole(references, self._agents(), of=self._in_play())
        if self._is_restarting:
            self.writing.forget_end()
        elif self.writing.ended is not None and self.writing.ended.status == "failed":
            self.writing.forget_end()
            self._has_given_up = True

    def _in_play(self) -> int:
        return len(self._progress.seats(self.call.layer - 1))

    @property
    def _history(self) -> Sequence[Message]:
        return self._caller.history

    # Once the layer before has ended

    async def finish(self, references: Sequence[Reference]) -> Reply | None:
        """The reply of the call, which may read `references`; None where no request was sent for it yet."""
        writing = self.writing
        if not writing.has_begun:
            return None
        if writing.ended is None and writing.text and self._stairs is not None:
            await writing.step(
                self._sources(references), self._agents(), self._history, of=self._in_play(), is_last=True
            )
        elif writing.ended is None:
            await writing.whole(references, self._agents(), of=self._in_play())
        late = tuple(
            reference.call
            for reference in references
            if reference.call is not None
            and reference.call not in writing.read_first
            and self._is_unlike(reference.text, self._unlike_below)
        )
        return writing.reply(late, self._notes(references))

    @property
    def _unlike_below(self) -> float:
        return UNLIKE_BELOW if self._start is None else self._start.restart_below

    def _is_unlike(self, text: str, below: float) -> bool:
        """True where `text` is less like every answer that was read first than `below`.

        Of an answer that had not ended then, its beginning is compared with a beginning as long.
        """
        read = self.writing.read_first
        if not read:
            return False
        longest = max(read.values())
        own = vector(words(text[:longest] if self._start is None else text))
        likeness = (
            cosine(own, vector(words(self.answers.text(call)[:characters])))
            for call, characters in read.items()
        )
        return max(likeness) < below

    def _notes(self, references: Sequence[Reference]) -> list[str]:
        """What was read in part and does not count in the end."""
        passed = {reference.call for reference in references}
        lost = [
            f"{call} {self._progress.replies[call].agent}"
            for call in self.writing.read
            if call not in passed and call in self._progress.replies
        ]
        return [f"its beginning was read before it dropped out: {', '.join(lost)}"] if lost else []


class EarlyCalls:
    """The calls of one run that begin beside the layer before theirs."""

    def __init__(self, progress: RunInProgress, caller: Caller, spending: SpendingGuard) -> None:
        self._progress = progress
        self._caller = caller
        self._spending = spending
        self._calls: dict[CallId, EarlyCall] = {}

    def follow(self, event: Event) -> None:
        """Take note of an event of the run."""
        for early in self._calls.values():
            early.answers.follow(event)

    def beside(self, number: int) -> list[EarlyCall]:
        """The calls of the layer behind layer `number` that begin beside it; none where all is there."""
        recipe, reused = self._progress.recipe, self._progress.reused
        if number >= len(recipe.layers) or not recipe.layers[number].begins_early:
            return []
        if all(call in reused for call, _ in self._progress.seats(number)):
            return []
        self._calls = {
            call: EarlyCall(call, self._progress, self._caller, self._spending)
            for call, _ in self._progress.seats(number + 1)
            if call not in reused
        }
        return list(self._calls.values())

    def has_begun(self, number: int) -> bool:
        """True where a call of layer `number` has sent a request before its layer began."""
        return any(early.has_begun for call, early in self._calls.items() if call.layer == number)

    def has_text(self, number: int) -> bool:
        """True where a call of layer `number` has shown text before its layer began."""
        return any(early.writing.text for call, early in self._calls.items() if call.layer == number)

    async def finish(self, call: CallId, references: Sequence[Reference]) -> Reply | None:
        """The reply of a call that reads `references`; None where it has yet to be asked as any other."""
        early = self._calls.get(call)
        return None if early is None else await early.finish(references)

    def call_off(self, number: int) -> None:
        """Record the calls of layer `number` that have begun as ended, since their layer never begins."""
        for call, early in self._calls.items():
            if call.layer == number and early.has_begun and call not in self._progress.replies:
                self._progress.end_call(call, early.writing.called_off())
