"""A run as it is told in lines: who is asked, who is done, and the answer as it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moa_tui.engine.events import (
    CallEnded,
    CallRetried,
    CallStarted,
    Delta,
    ReplyChanged,
    Restated,
    RunChanged,
    RunEnded,
    StepStarted,
)
from moa_tui.text.safe import one_line
from moa_tui.text.wording import counted, step_words, summary

if TYPE_CHECKING:
    from moa_tui.engine.agent import Agent
    from moa_tui.engine.events import Event
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import CallId, Outcome, Reply
    from moa_tui.plain.voice import Voice


class RunTeller:
    """Says each thing of a run once.

    While the answer is being written, what else happens waits: it would stand in the middle of a sentence.
    """

    def __init__(self, recipe: Recipe, voice: Voice) -> None:
        self.outcome: Outcome | None = None
        """How the run ended; None before that."""
        self._recipe = recipe
        self._voice = voice
        self._begun_layers: set[int] = set()
        self._ended: set[CallId] = set()
        self._kept = 0
        """Answers of an earlier run that were not told of yet."""
        self._streamed: list[str] = []
        self._is_answering = False
        self._waiting_lines: list[str] = []

    def take(self, event: Event) -> None:
        """Say what an event has changed. Raises OSError where the output is gone."""
        is_kept = isinstance(event, CallEnded) and event.reply.reused
        if is_kept:
            self._kept += 1
        elif self._kept:
            self._say(f"{counted(self._kept, 'answer')} kept from before")
            self._kept = 0
        match event:
            case RunChanged(recipe):
                self._recipe = recipe
            case CallStarted(call):
                self._tell_layer(call.layer)
            case Delta(call, "text", text) if call == self._recipe.writer:
                self._begin_answer()
                self._streamed.append(text)
                self._voice.stream(text)
            case Restated(call, _, text) if call == self._recipe.writer and self._streamed:
                self._end_answer()
                self._streamed.clear()
                self._say("the model has taken back what it wrote; the answer begins again")
                self._begin_answer()
                self._streamed.append(text)
                self._voice.stream(text)
            case StepStarted(call, _, _, read, ended_replies, of) if not self._is_answering:
                words = step_words(1, read, ended_replies, of, is_again=False)
                self._say(f"{self._name(call)}: {words}")
            case CallRetried(call, agent, _, wait_seconds, failure):
                why = one_line(failure.message)
                if agent.name == self._seat(call).name:
                    seconds = round(wait_seconds)
                    when = f"in {counted(seconds, 'second')}" if seconds else "at once"
                    self._say(f"{self._name(call)}: trying again {when}: {why}")
                else:
                    self._say(f"{self._name(call)} failed: {why}. Asking {one_line(agent.name)} instead")
            case CallEnded(call, reply):
                self._tell_end(call, reply)
            case ReplyChanged(call, reply):
                self._say(f"{self._name(call)}: {_state(reply)}")
            case RunEnded(outcome):
                self.outcome = outcome
                self._tell_outcome(outcome)

    def _tell_layer(self, number: int) -> None:
        if number in self._begun_layers:
            return
        self._begun_layers.add(number)
        names = [one_line(agent.name) for agent in self._recipe.lineup[number - 1]]
        of = len(self._recipe.layers)
        task = self._recipe.task(number)
        if number == of and self._recipe.writer is not None and len(names) == 1:
            words = f"{names[0]} writes the answer"
        else:
            words = f"{counted(len(names), 'agent')} for the task {task}: {', '.join(names)}"
        self._say(f"layer {number} of {of}: {words}")

    def _tell_end(self, call: CallId, reply: Reply) -> None:
        self._ended.add(call)
        if reply.reused:
            return
        if call == self._recipe.writer:
            self._end_answer()
            if reply.status == "done":
                return
        seats = len(self._recipe.lineup[call.layer - 1])
        count = sum(other.layer == call.layer for other in self._ended)
        why = f": {one_line(reply.error.message)}" if reply.error is not None else ""
        self._say(f"layer {call.layer}: {one_line(reply.agent)} {_state(reply)}, {count} of {seats}{why}")

    def _tell_outcome(self, outcome: Outcome) -> None:
        self._end_answer()
        # An answer that was chosen by a vote or ranking, or that stands in for another, was not streamed.
        if outcome.answer.strip() and outcome.answer != "".join(self._streamed):
            self._voice.say("Answer:")
            self._voice.write_text(outcome.answer)
        reason = one_line(outcome.error.message) if outcome.error is not None else "no reason is known"
        match outcome.status:
            case "partial":
                self._voice.say(f"The answer is cut off: {reason}")
            case "failed":
                self._voice.say(f"No answer: {reason}")
            case "stopped":
                self._voice.say("Stopped. What was written is kept.")
        self._voice.say(f"End. {summary(self._recipe, outcome)}")

    def _begin_answer(self) -> None:
        if not self._is_answering:
            self._is_answering = True
            self._voice.say("Answer:")

    def _end_answer(self) -> None:
        self._voice.end_text()
        self._is_answering = False
        lines, self._waiting_lines = self._waiting_lines, []
        for line in lines:
            self._voice.say(line)

    def _say(self, line: str) -> None:
        if self._is_answering:
            self._waiting_lines.append(line)
        else:
            self._voice.say(line)

    def _seat(self, call: CallId) -> Agent:
        return self._recipe.lineup[call.layer - 1][call.index - 1]

    def _name(self, call: CallId) -> str:
        return f"layer {call.layer}: {one_line(self._seat(call).name)}"


def _state(reply: Reply) -> str:
    """How a call ended, in a word or two."""
    if reply.status == "excluded":
        return "left out"
    return reply.status
