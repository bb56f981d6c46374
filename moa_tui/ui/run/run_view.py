"""The state of a run as screens show it, made from the engine's events."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from moa_tui.engine import layer_result
from moa_tui.engine.events import (
    CallEnded,
    CallRetried,
    CallStarted,
    Delta,
    PointsFound,
    ReplyChanged,
    Restated,
    RunChanged,
    RunEnded,
)
from moa_tui.engine.finished_layer import NOT_PASSED_ON
from moa_tui.engine.values import CallId, Status, paid
from moa_tui.text.cells import shorten
from moa_tui.text.safe import one_line
from moa_tui.text.wording import GLYPHS, counted, money

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from moa_tui.conversation import Turn
    from moa_tui.engine.agent import Agent
    from moa_tui.engine.events import Event
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import Failure, Kind, Message, Outcome, Reply

# Characters of a note that a pane's frame has room for beside the tokens.
# A wait for the next attempt that lasts so long is said in the line at the bottom, not in its pane alone.
_LONG_WAIT_SECONDS = 10.0
_LONGEST_NOTE = 26

State = Literal["waiting", "writing", "retrying", "your turn"] | Status


@dataclass
class PointsChoice:
    """The points of an open checklist. `ticked` holds the places, from 0, of those ticked so far.

    `at` is when the run began to wait for the user, in seconds since its start.
    """

    call: CallId
    points: Sequence[str]
    at: float
    ticked: set[int]
    offered: bool = False
    """True once the checklist has been shown to the user."""


@dataclass
class CallState:
    """The state of one call and what it has written so far. Times are seconds since the run's start."""

    call: CallId
    agent: Agent
    state: State = "waiting"
    messages: Sequence[Message] = ()
    started: float | None = None
    first_token: float | None = None
    retry_at: float = 0.0
    failure: Failure | None = None
    reply: Reply | None = None
    generation: int = 0
    """How often the call was asked anew or restated. What was shown before the last time is void."""
    parts: dict[Kind, list[str]] = field(default_factory=lambda: {"text": [], "reasoning": []})
    """The pieces of text and of reasoning received so far; empty once there is a reply."""
    characters: int = 0
    was_not_asked: bool = False
    """True where the run ended without asking this call."""

    @property
    def over(self) -> bool:
        """Whether the call has ended."""
        return self.reply is not None

    def written(self, kind: Kind) -> str:
        """The whole text or reasoning that the call has written so far."""
        if self.reply is not None:
            return self.reply.text if kind == "text" else self.reply.reasoning
        return "".join(self.parts[kind])

    @property
    def label(self) -> str:
        """The call's place in its layer and its agent's name, as `2 thorough`."""
        return f"{self.call.index} {one_line(self.reply.agent if self.reply else self.agent.name)}"

    @property
    def state_words(self) -> str:
        """The call's state as glyph and word, as `● writing`."""
        word = "not asked" if self.was_not_asked else "left out" if self.state == "excluded" else self.state
        return f"{GLYPHS['excluded' if self.was_not_asked else self.state]} {word}"

    def numbers(self, now: float) -> list[str]:
        """The call's figures at `now`, in seconds since the run's start; the most important come first."""
        if self.state == "waiting":
            return []
        if self.state == "retrying":
            cause = self.failure.status_code or self.failure.kind if self.failure else ""
            return [f"{cause}, again in {max(0.0, self.retry_at - now):.0f} s"]
        if self.reply is not None:
            return _reply_numbers(self.reply)
        if self.state == "your turn":
            return []
        tokens = (self.characters + 3) // 4
        seconds = now - (self.started or 0.0)
        if self.first_token is None:
            return [f"no token yet · {seconds:.0f} s"]
        streaming = now - self.first_token
        rate = [f"{tokens / streaming:.0f} tok/s"] if streaming > 0.5 else []
        if not self.parts["text"]:
            return [f"reasoning ~{tokens} tok", *rate, f"{seconds:.0f} s"]
        return [f"~{tokens} tok", *rate, f"{seconds:.0f} s"]


def _reply_numbers(reply: Reply) -> list[str]:
    usage = reply.usage
    # A note says what was left out, shortened or replaced, which is more important than any figure.
    numbers = [_short_note(reply.notes[0])] if reply.notes else []
    if reply.reused:
        numbers.append("kept")
    if reply.text or reply.reasoning:
        numbers.append(f"{'~' if usage.estimated else ''}{usage.completion_tokens} tok")
        if reply.tokens_per_second:
            numbers.append(f"{reply.tokens_per_second:.0f} tok/s")
    if not reply.reused and reply.started is not None:
        numbers.append("price ?" if reply.cost is None else money(reply.cost))
    return [*numbers, f"{reply.seconds:.1f} s"]


def _short_note(note: str) -> str:
    """The beginning of a note, without the name of the call or agent that it is about."""
    words = one_line(note if note.startswith(NOT_PASSED_ON) else note.split(": ", 1)[-1])
    return shorten(words, _LONGEST_NOTE)


class RunView:
    """The state of one run, running or over, and of all its calls. Changed on the UI's thread alone."""

    def __init__(self, recipe: Recipe, clock: Callable[[], float] = time.monotonic) -> None:
        self.recipe = recipe
        self.outcome: Outcome | None = None
        self.choice: PointsChoice | None = None
        """The open checklist that the run waits for; None while no checklist is open."""
        # A vote has no calls, so it is no layer here.
        self.layers: list[list[CallState]] = [
            [CallState(CallId(number, index), agent) for index, agent in enumerate(agents, 1)]
            for number, agents in enumerate(recipe.lineup, 1)
            if agents
        ]
        self._clock = clock
        self._zero = clock()
        self._ended: float | None = None

    @classmethod
    def of(cls, turn: Turn) -> RunView:
        """The state of the run of a turn that is over."""
        run = cls(turn.recipe)
        if turn.outcome is not None:
            for call, reply in turn.outcome.replies.items():
                run.take(CallEnded(call, reply))
            run.take(RunEnded(turn.outcome))
        return run

    def take(self, event: Event) -> None:
        """Apply one event of the engine."""
        match event:
            case CallStarted(call, _, messages, at):
                view = self.view(call)
                view.state, view.messages = "writing", messages
                view.started = at if view.started is None else view.started
                self._zero = self._clock() - at
            case Delta(call, kind, text):
                view = self.view(call)
                view.state = "writing"
                view.parts[kind].append(text)
                view.characters += len(text)
                if view.first_token is None:
                    view.first_token = self.now
            case Restated(call, reasoning, text):
                view = self.view(call)
                view.parts = {
                    "text": [text] if text else [],
                    "reasoning": [reasoning] if reasoning else [],
                }
                view.generation += 1
            case CallRetried(call, agent, _, wait_seconds, failure, at):
                view = self.view(call)
                view.state, view.agent, view.failure = "retrying", agent, failure
                view.retry_at = at + wait_seconds
                view.parts = {"text": [], "reasoning": []}
                view.characters, view.first_token = 0, None
                view.generation += 1
            case PointsFound(call, points, at):
                self.view(call).state = "your turn"
                self.choice = PointsChoice(call, points, at, set(range(len(points))))
            case CallEnded(call, reply):
                view = self.view(call)
                self.choice = None if self.choice is not None and self.choice.call == call else self.choice
                view.state, view.reply, view.failure = reply.status, reply, reply.error
                view.messages = reply.messages or view.messages
                view.started, view.first_token = reply.started, reply.first_token
                view.parts = {"text": [], "reasoning": []}
            case ReplyChanged(call, reply):
                view = self.view(call)
                view.state, view.reply = reply.status, reply
            case RunChanged(recipe):
                self._change_recipe(recipe)
            case RunEnded(outcome):
                self.outcome, self.choice = outcome, None
                self._ended = outcome.seconds
                for view in self.views:
                    view.was_not_asked = view.reply is None

    def _change_recipe(self, recipe: Recipe) -> None:
        """Apply a change of the running recipe: add new calls, and give waiting calls their new agents."""
        self.recipe = recipe
        for views, agents in zip(self.layers, (agents for agents in recipe.lineup if agents), strict=True):
            for view, agent in zip(views, agents, strict=False):
                view.agent = agent if view.state == "waiting" else view.agent
            number = views[0].call.layer
            views += [
                CallState(CallId(number, index), agent)
                for index, agent in list(enumerate(agents, 1))[len(views) :]
            ]

    def view(self, call: CallId) -> CallState:
        """The state of one call."""
        return self.layers[call.layer - 1][call.index - 1]

    @property
    def views(self) -> Iterator[CallState]:
        """Every call of the run, in order."""
        return (view for layer in self.layers for view in layer)

    @property
    def writer(self) -> CallState | None:
        """The call that writes the answer; None where the answer is chosen among the replies."""
        return self.view(self.recipe.writer) if self.recipe.writer is not None else None

    @property
    def final(self) -> CallState:
        """The call whose text is the answer; before that is decided, the writer or the last call."""
        if self.writer is not None and (self.outcome is None or self.writer.over):
            return self.writer
        answer = self.outcome.answer if self.outcome is not None else ""
        answering_calls = [
            view
            for view in self.views
            if answer
            and view.reply
            and layer_result.answer_text(self.recipe.layers[view.call.layer - 1], view.reply.text) == answer
        ]
        return answering_calls[-1] if answering_calls else self.writer or self.layers[-1][-1]

    @property
    def answer(self) -> str:
        """The answer as far as it is written."""
        if self.outcome is not None:
            return self.outcome.answer
        return self.writer.written("text") if self.writer is not None else ""

    @property
    def answering(self) -> bool:
        """Whether the answer is being written, or the run is over."""
        return self.over or (self.writer is not None and self.writer.state != "waiting")

    @property
    def now(self) -> float:
        """Seconds since the run's start. The time stands still at the run's end and at an open checklist."""
        if self.choice is not None:
            return self.choice.at
        return self._clock() - self._zero if self._ended is None else self._ended

    @property
    def tokens(self) -> int:
        """Estimated number of tokens that the agents have written so far."""
        return sum(
            view.reply.usage.completion_tokens if view.reply else (view.characters + 3) // 4
            for view in self.views
        )

    @property
    def cost(self) -> float:
        """US dollars of the calls that are over; unknown prices and reused replies are left out."""
        replies = (view.reply for view in self.views if view.reply is not None)
        return paid(replies).known_cost

    @property
    def over(self) -> bool:
        """Whether the run has ended."""
        return self.outcome is not None

    @property
    def layer(self) -> int:
        """The number of the layer at work: the last in which a call has begun."""
        begun = [view.call.layer for view in self.views if view.state != "waiting"]
        return max(begun, default=1)

    @property
    def proposing(self) -> int:
        """The number of the layer whose answers the last layer is made from."""
        before = range(1, len(self.recipe.layers))
        return max((number for number in before if self.recipe.writes(number)), default=1)

    def layer_name(self, number: int) -> str:
        """The layer's short name, as `L1`, or `Final` for the last of several layers."""
        last = len(self.recipe.layers)
        return "Final" if number == last and last > 1 else f"L{number}"

    def glyphs(self, number: int) -> str:
        """The states of a layer's calls, one glyph for each call."""
        return "".join(view.state_words[0] for view in self.layers[number - 1])

    def layer_words(self, number: int) -> str:
        """A layer's name, glyphs and seconds, as `L1 ✓✓✗ 9.1 s`."""
        views = self.layers[number - 1]
        words = f"{self.layer_name(number)} {self.glyphs(number)}"
        if all(view.over for view in views):
            ended = max(view.reply.ended for view in views if view.reply)
            begun = min(view.reply.queued for view in views if view.reply)
            return f"{words} {max(0.0, ended - begun):.1f} s"
        if len(views) == 1 and views[0].state in ("writing", "retrying"):
            return f"{words} {' · '.join(views[0].numbers(self.now)[:2])}"
        return words

    def strip(self) -> list[str]:
        """The words of every layer, in order."""
        return [self.layer_words(number) for number in range(1, len(self.layers) + 1)]

    def stage(self) -> str:
        """What the run does at the moment, as `● layer 1 of 3: 2 of 4 answers`."""
        number = self.layer
        views = self.layers[number - 1]
        ready = sum(view.over for view in views)
        if all(view.state == "waiting" for view in views):
            return f"{GLYPHS['waiting']} getting ready"
        if self.choice is not None:
            points = counted(len(self.choice.points), "point")
            return f"{GLYPHS['your turn']} {points} for you to tick"
        if number == len(self.recipe.layers):
            task = self.recipe.task(number)
            words = f"{'choosing' if task == 'rank' else 'writing'} the answer"
        else:
            words = f"layer {number} of {len(self.layers)}: {ready} of {len(views)} answers"
        long_waits = [
            view
            for view in views
            if view.state == "retrying" and view.retry_at - self.now >= _LONG_WAIT_SECONDS
        ]
        if long_waits:
            longest = max(long_waits, key=lambda view: view.retry_at)
            return f"{GLYPHS['retrying']} {words}; {longest.numbers(self.now)[0]}"
        return f"{GLYPHS['writing']} {words}"
