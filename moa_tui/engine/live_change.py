"""Live changes: alterations of a run while it runs, and their application to the current layer."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from moa_tui.engine.events import RunChanged
from moa_tui.engine.values import CallId, Failure
from moa_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.call import Caller
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.run_in_progress import RunInProgress
    from moa_tui.engine.spending import SpendingGuard
    from moa_tui.engine.values import Reply, Status

LEFT_OUT = "left out by hand"


@dataclass(frozen=True, slots=True)
class Alteration:
    """A change of the layer that is running or of layers to come."""

    recipe: Recipe
    """The recipe from now on: the run's recipe with agents added at the end of the layer that is running, or
    with other agents in later layers."""
    leave_out: frozenset[CallId] = frozenset()
    """Calls of the layer that is running whose replies are not to be passed on."""
    take_in: frozenset[CallId] = frozenset()
    """Calls of the layer that is running that were left out and are to be passed on again."""
    given: Mapping[CallId, Reply] = field(default_factory=dict)
    """Replies of added agents, which are used instead of asking them."""

    def added(self, before: Recipe, layer: int) -> list[tuple[int, Agent]] | None:
        """The agents that join `layer`, which is running, with their indexes from 1.

        None where that layer or an earlier one would differ from what it was begun with. Raises UsageError
        for a call of a layer that has not begun.
        """
        for call in self.leave_out | self.take_in:
            if call.layer > layer:
                raise UsageError(f"{call} has not been asked yet")
            if call.layer < layer:
                return None
        old, new = before.lineup, self.recipe.lineup
        if len(old) != len(new) or old[: layer - 1] != new[: layer - 1]:
            return None
        seats = len(old[layer - 1])
        if new[layer - 1][:seats] != old[layer - 1]:
            return None
        added = list(enumerate(new[layer - 1], 1))[seats:]
        changes_layer = bool(added or self.leave_out or self.take_in)
        # The last layer has one agent and no layer after it, so it cannot be changed in part.
        return None if changes_layer and layer == len(new) else added


def left_out_reply(call: CallId, reply: Reply) -> Reply:
    """The reply with the status `excluded` and a note that it was left out by hand."""
    note = _left_out_note(call, reply)
    notes = (*(other for other in reply.notes if other != note), note)
    return replace(reply, status="excluded", notes=notes)


def restored_reply(call: CallId, reply: Reply) -> Reply:
    """The reply as it was before it was left out. Raises UsageError where it had not come to its own end."""
    kind = None if reply.error is None else reply.error.kind
    if reply.status != "excluded" or kind == "stopped" or not reply.text.strip():
        raise UsageError(f"{call} {reply.agent} has no whole answer to take back in: ask it again")
    note = _left_out_note(call, reply)
    status: Status = "done" if kind is None else "stopped" if kind == "left_behind" else "partial"
    return replace(reply, status=status, notes=tuple(other for other in reply.notes if other != note))


def _left_out_note(call: CallId, reply: Reply) -> str:
    return f"{call} {reply.agent}: {LEFT_OUT}"


class LiveChange:
    """Applies alterations to a run. All methods are called on the run's loop."""

    def __init__(self, progress: RunInProgress, caller: Caller, spending: SpendingGuard) -> None:
        self._progress = progress
        self._caller = caller
        self._spending = spending

    def apply(self, alteration: Alteration) -> bool:
        """Change the run; False, with nothing changed, where the run is past what would be changed.

        The other calls of the layer that is running go on. Raises UsageError, with nothing changed, where
        the alteration makes no sense or may not be paid.
        """
        progress = self._progress
        number = progress.current_layer
        if not progress.running or progress.is_cut_short(number):
            return False
        if self._is_past_early_calls(alteration):
            return False
        added = alteration.added(progress.recipe, number)
        if added is None or (added and progress.join is None):
            return False
        has_window = progress.recipe.layers[number - 1].window is not None
        # The piece at work was shown the best answer of those before it, which must stay as they are.
        if has_window and (added or (alteration.leave_out | alteration.take_in) - progress.running):
            return False
        # Of a layer whose calls are made in turn, some may not have begun.
        to_come = {call for call, _ in progress.seats(number) if call not in progress.replies}
        answers = {*progress.usable(number), *to_come} - progress.excluded - alteration.leave_out
        if alteration.leave_out and not (answers or added):
            raise UsageError("that is the last answer of its layer: without it there is none")
        joining = [(CallId(number, index), agent) for index, agent in added]
        calls_to_pay = [(call, agent) for call, agent in joining if call not in alteration.given]
        restored = {call: restored_reply(call, self._reply_of(call)) for call in sorted(alteration.take_in)}
        self._spending.admit(calls_to_pay, progress.references_for(number))
        progress.recipe = alteration.recipe
        progress.reused = {**progress.reused, **alteration.given}
        progress.emit(RunChanged(progress.recipe, self._caller.now()))
        for call in sorted(alteration.leave_out):
            self._leave_out(call)
        for call, reply in restored.items():
            self._change_reply(call, reply)
        for call, agent in joining:
            self._join(call, agent)
        return True

    def _is_past_early_calls(self, alteration: Alteration) -> bool:
        """True where a call of the next layer has begun already that would have begun otherwise."""
        before, after = self._progress.recipe, alteration.recipe
        for call in self._progress.begun_early:
            if call in alteration.leave_out | alteration.take_in or len(after.layers) != len(before.layers):
                return True
            place = call.layer - 1
            if after.layers[place] != before.layers[place] or after.lineup[place] != before.lineup[place]:
                return True
        return False

    def _join(self, call: CallId, agent: Agent) -> None:
        # The layer may be about to end without its stragglers, and a call that joins is not one of them.
        self._progress.cancel_grace()
        if self._progress.join is not None:
            self._progress.join(call, agent)

    def _leave_out(self, call: CallId) -> None:
        reply = self._progress.replies.get(call)
        if reply is None:
            self._progress.excluded.add(call)
            self._caller.end_call(call, Failure("stopped", LEFT_OUT))
        elif reply.status == "done":
            self._change_reply(call, left_out_reply(call, reply))

    def _change_reply(self, call: CallId, reply: Reply) -> None:
        """Change the reply of a call that has ended, and replace its notes among those of the run."""
        old_notes = self._progress.replies[call].notes
        other_notes = [note for note in self._progress.notes if note not in old_notes]
        self._progress.notes = [*other_notes, *reply.notes]
        self._progress.change_reply(call, reply)

    def _reply_of(self, call: CallId) -> Reply:
        if call not in self._progress.replies:
            raise UsageError(f"{call} has not answered yet")
        return self._progress.replies[call]
