"""Follows a run while it grows: applies its events, and finds what is new of the text that a view shows.

`RunFollower` brings a `RunView` up to date from the run's queue. A view holds a cursor, `TextCursor` for one
call or `AnswerCursor` for the answer, and asks it for the news at each tick. Only the cursor keeps account of
how much of a text its view has drawn.
"""

from __future__ import annotations

import queue
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from moa_tui.engine.events import Event
    from moa_tui.engine.values import Kind, Outcome, Reply
    from moa_tui.ui.run.call_state import CallState
    from moa_tui.ui.run.run_view import RunView

# A burst of events is spread over several ticks, so that a key never waits long.
_LONGEST_ADVANCE_SECONDS = 0.02


class EventSource(Protocol):
    """A run that reports its events."""

    @property
    def events(self) -> queue.SimpleQueue[Event | None]:
        """Every event of the run in order, then None. Filled on the engine's thread, emptied on the UI's."""


class RunFollower:
    """Brings the view of one run up to date from the run's events."""

    def __init__(
        self, running: EventSource, run: RunView, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._running = running
        self._run = run
        self._clock = clock

    def advance(self) -> bool:
        """Take in the events that are waiting, for at most 20 ms; True in the step that takes in the end."""
        deadline = self._clock() + _LONGEST_ADVANCE_SECONDS
        while True:
            try:
                event = self._running.events.get_nowait()
            except queue.Empty:
                return False
            if event is None:
                return True
            self._run.take(event)
            if self._clock() >= deadline:
                return False


@dataclass(frozen=True, slots=True)
class Nothing:
    """There is nothing new."""


@dataclass(frozen=True, slots=True)
class Begun:
    """The text begins with `text`, which replaces all that was shown before.

    `text` is empty where the call was asked anew, or has turned out to have written none of this kind.
    """

    text: str


@dataclass(frozen=True, slots=True)
class Appended:
    """The text goes on with `text`."""

    text: str


@dataclass(frozen=True, slots=True)
class Whole:
    """The text is complete. `text` is the whole of it, and may be blank."""

    text: str


News = Nothing | Begun | Appended | Whole
_NOTHING = Nothing()


class TextCursor:
    """Finds what is new of one call's text or reasoning since its view asked last."""

    def __init__(self, call: CallState, kind: Kind) -> None:
        self.call = call
        self.kind: Kind = kind
        self.has_text = False
        """True while the news so far make up a text to show; else a notice stands in its place."""
        self._parts_returned = 0
        self._generation = call.generation
        self._returned_reply: Reply | None = None

    def news(self) -> News:
        """What is new since the last call. A reply is returned once, and again whenever it has changed."""
        call = self.call
        if call.reply is not None:
            return self._whole(call.reply)
        parts = call.parts[self.kind]
        was_asked_anew = call.generation != self._generation
        if was_asked_anew:
            self._generation, self._parts_returned = call.generation, 0
        if len(parts) == self._parts_returned:
            self.has_text = self.has_text and not was_asked_anew
            return Begun("") if was_asked_anew else _NOTHING
        is_first = self._parts_returned == 0
        text = "".join(parts[self._parts_returned :])
        self._parts_returned, self.has_text = len(parts), True
        return Begun(text) if is_first else Appended(text)

    def _whole(self, reply: Reply) -> News:
        if reply is self._returned_reply:
            return _NOTHING
        self._returned_reply = reply
        text = self.call.written(self.kind)
        self.has_text = bool(text.strip())
        return Whole(text)


class AnswerCursor:
    """Finds what is new of a run's answer: the text of its writer, and in the end the answer itself."""

    def __init__(self, run: RunView) -> None:
        self.has_text = False
        """True while the news so far make up a text to show."""
        self._run = run
        self._writer: TextCursor | None = None
        self._returned_outcome: Outcome | None = None

    def news(self) -> News:
        """What is new since the last call. The whole answer is returned once, when the run has ended."""
        outcome = self._run.outcome
        if outcome is not None:
            if outcome is self._returned_outcome:
                return _NOTHING
            self._returned_outcome = outcome
            self.has_text = bool(outcome.answer.strip())
            return Whole(outcome.answer)
        writer = self._run.writer
        # The answer follows with the run's end, and may be another text than the writer's reply.
        if writer is None or writer.over:
            return _NOTHING
        if self._writer is None or self._writer.call is not writer:
            self._writer = TextCursor(writer, "text")
            if self.has_text:
                self.has_text = False
                return Begun("")
        news = self._writer.news()
        self.has_text = self._writer.has_text
        return news
