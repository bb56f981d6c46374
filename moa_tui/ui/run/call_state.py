"""The state of one call as screens show it, with the part that it writes where it writes in steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from moa_tui.engine.finished_layer import NOT_PASSED_ON
from moa_tui.engine.values import CallId, Status
from moa_tui.text.cells import shorten
from moa_tui.text.safe import one_line
from moa_tui.text.wording import GLYPHS, counted, price

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.values import Failure, Kind, Message, Reply, Step

# Characters of a note that a pane's frame has room for beside the tokens.
_LONGEST_NOTE = 26

State = Literal["waiting", "writing", "retrying", "your turn"] | Status


@dataclass
class StepState:
    """The part that a call which writes in steps is writing. Times are seconds since the run's start."""

    read: Mapping[CallId, int]
    """Characters of each answer that this part is written from, whole or in part."""
    ended: frozenset[CallId]
    """Those of them that had ended."""
    started: float
    first_token: float | None = None


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
    steps: list[Step] = field(default_factory=list)
    """The requests that have ended, of a call that writes its answer in several."""
    step: StepState | None = None
    """The part that is being written; None where the call waits for more to read, or writes in no steps."""

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

    def label_in(self, layer_name: str) -> str:
        """The label behind the name of the call's layer, as `L1.2 thorough`; without a name, the label."""
        return f"{layer_name}.{self.label}" if layer_name else self.label

    @property
    def in_steps(self) -> bool:
        """True where the call writes its answer in steps."""
        return bool(self.steps) or self.step is not None

    @property
    def part(self) -> int:
        """The number of the part that is being written or comes next, from 1: those before have some text."""
        lengths = [0, *(step.characters for step in self.steps)]
        return 1 + sum(before < after for before, after in pairwise(lengths))

    @property
    def part_words(self) -> str:
        """The part that is being written, as `part 2`; or that the call waits for more to read."""
        step = self.step
        if step is None:
            return f"part {self.part} waits for more to read"
        again = " again" if self.part <= len(self.steps) else ""
        if self.part == 1 and step.ended >= step.read.keys():
            return f"begun{again} from {counted(len(step.read), 'whole answer')}"
        return f"part {self.part}{again and f', begun{again}'}"

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
        seconds = max(0.0, now - (self.started or 0.0))  # else "-0 s", where it has only just begun
        if self.in_steps:
            written = [f"~{tokens} tok"] if tokens else []
            return [self.part_words, *written, f"{seconds:.0f} s"]
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
        numbers.append("price ?" if reply.cost is None else price(reply.cost, is_local=reply.local))
    return [*numbers, f"{reply.seconds:.1f} s"]


def _short_note(note: str) -> str:
    """The beginning of a note, without the name of the call or agent that it is about."""
    words = one_line(note if note.startswith(NOT_PASSED_ON) else note.split(": ", 1)[-1])
    return shorten(words, _LONGEST_NOTE)
