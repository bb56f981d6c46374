"""A run that a person changes while it goes: what an alteration does to the layer at work."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from moa_tui.engine.alteration import LEFT_OUT, left_out, taken_in
from moa_tui.engine.events import CallId, Failure, ReplyChanged, RunChanged
from moa_tui.errors import UsageError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping, Sequence

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.alteration import Alteration
    from moa_tui.engine.call import Caller
    from moa_tui.engine.events import Event, Reply
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.tasks import Reference
    from moa_tui.engine.till import Till


class Alterable(ABC):
    """What a run has and does that can be changed on its way. Its methods run on one loop."""

    recipe: Recipe
    caller: Caller
    till: Till
    emit: Callable[[Event], None]
    kept: Mapping[CallId, Reply]
    replies: dict[CallId, Reply]
    notes: list[str]
    grace: asyncio.TimerHandle | None
    behind: int
    """The layer that goes on without its stragglers."""
    at_work: int
    """The layer whose calls are going."""
    going: set[CallId]
    excluded: set[CallId]
    """Calls left out by hand before they had ended."""
    begin: Callable[[CallId, Agent], None] | None
    """Begins a call that joins the layer at work; None where none can."""

    @abstractmethod
    def _usable(self, number: int) -> list[CallId]: ...

    @abstractmethod
    def _read(self, number: int) -> list[Reference]: ...

    @abstractmethod
    def _price(self, call: CallId, agent: Agent, references: Sequence[Reference]) -> float: ...

    def alter(self, alteration: Alteration) -> bool:
        """As RunControl.alter. Everything of the layer at work that is not changed goes on."""
        number = self.at_work
        if not self.going or self.caller.stopped or self.behind == number:
            return False
        added = alteration.added(self.recipe, number)
        if added is None or (added and self.begin is None):
            return False
        answers = {*self._usable(number), *self.going} - alteration.leave_out
        if alteration.leave_out and not (answers or added):
            raise UsageError("that is the last answer of its layer: without it there is none")
        joining = [(CallId(number, index), agent) for index, agent in added]
        if self.till.is_open:
            asked = [one for one in joining if one[0] not in alteration.given]
            self.till.take(sum(self._price(*one, self._read(number)) for one in asked))
        back = {call: taken_in(call, self._reply_of(call)) for call in sorted(alteration.take_in)}
        self.recipe = alteration.recipe
        self.kept = {**self.kept, **alteration.given}
        self.emit(RunChanged(self.recipe, self.caller.now()))
        for call in sorted(alteration.leave_out):
            self._leave_out(call)
        for call, reply in back.items():
            self._change_reply(call, reply)
        for call, agent in joining:
            self._join(call, agent)
        return True

    def _join(self, call: CallId, agent: Agent) -> None:
        # The layer may be about to end without stragglers, which this is none of.
        if self.grace is not None:
            self.grace.cancel()
            self.grace = None
        if self.begin is not None:
            self.begin(call, agent)

    def _leave_out(self, call: CallId) -> None:
        if call not in self.replies:
            self.excluded.add(call)
            self.caller.end_call(call, Failure("stopped", LEFT_OUT))
        elif self.replies[call].status == "done":
            self._change_reply(call, left_out(call, self.replies[call]))

    def _change_reply(self, call: CallId, reply: Reply) -> None:
        before = self.replies[call].notes
        self.notes = [*(note for note in self.notes if note not in before), *reply.notes]
        self.replies[call] = reply
        self.emit(ReplyChanged(call, reply))

    def _reply_of(self, call: CallId) -> Reply:
        if call not in self.replies:
            raise UsageError(f"{call} has not answered yet")
        return self.replies[call]
