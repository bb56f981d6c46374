"""The state of a run as screens show it, made from the engine's events."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

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
    StepEnded,
    StepStarted,
)
from moa_tui.engine.values import CallId, paid
from moa_tui.text.wording import GLYPHS, counted
from moa_tui.ui.run.call_state import CallState, StepState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from moa_tui.chat.left_out import LeftOutList
    from moa_tui.conversation import Turn
    from moa_tui.engine.events import Event
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import Outcome

# A wait for the next attempt that lasts so long is said in the line at the bottom, not in its pane alone.
_LONG_WAIT_SECONDS = 10.0


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


class RunView:
    """The state of one run, running or over, and of all its calls. Changed on the UI's thread alone."""

    def __init__(self, recipe: Recipe, clock: Callable[[], float] = time.monotonic) -> None:
        self.recipe = recipe
        self.outcome: Outcome | None = None
        self.choice: PointsChoice | None = None
        """The open checklist that the run waits for; None while no checklist is open."""
        self.offer = ""
        """What the user can have done with the answer now, in a line with its key; empty for nothing."""
        self.left_out: LeftOutList | None = None
        """What the answer left out; None until that is worked out."""
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
                if view.step is not None and view.step.first_token is None:
                    view.step.first_token = self.now
            case StepStarted(call, _, messages, read, ended_replies, _, at):
                view = self.view(call)
                view.state, view.messages = "writing", messages
                view.step = StepState(read, ended_replies, at)
            case StepEnded(call, step):
                view = self.view(call)
                view.steps.append(step)
                view.step = None
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
                view.steps, view.step = list(reply.steps), None
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
        """The number of the layer at work: the first that still writes, else the last that has begun.

        The last layer may write beside the one before it, whose answers it reads as they grow.
        """
        begun = [view for view in self.views if view.state != "waiting"]
        at_work = (view.call.layer for view in begun if not view.over)
        return min(at_work, default=max((view.call.layer for view in begun), default=1))

    @property
    def answers_beside(self) -> bool:
        """Whether the answer is being written while a layer before it still writes."""
        writer = self.writer
        return (
            not self.over
            and writer is not None
            and writer.state != "waiting"
            and not writer.over
            and self.layer < writer.call.layer
        )

    @property
    def proposes(self) -> bool:
        """Whether the answer has not begun, or a layer before it still writes."""
        return not self.over and (not self.answering or self.layer < len(self.layers))

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
            words = self._answer_words()
        else:
            words = f"layer {number} of {len(self.layers)}: {ready} of {len(views)} answers"
        if self.answers_beside and self.writer is not None:
            words = f"{words}; {self._answer_words()}"
            views = [*views, self.writer]
        long_waits = [
            view
            for view in views
            if view.state == "retrying" and view.retry_at - self.now >= _LONG_WAIT_SECONDS
        ]
        if long_waits:
            longest = max(long_waits, key=lambda view: view.retry_at)
            return f"{GLYPHS['retrying']} {words}; {longest.numbers(self.now)[0]}"
        return f"{GLYPHS['writing']} {words}"

    def _answer_words(self) -> str:
        """What the last layer does at the moment, as `writing the answer, part 2`."""
        writer = self.writer
        if writer is not None and writer.in_steps:
            if writer.step is None:
                return "the answer waits for more to read"
            return f"writing the answer, {writer.part_words}"
        task = self.recipe.task(len(self.recipe.layers))
        return f"{'choosing' if task == 'rank' else 'writing'} the answer"
