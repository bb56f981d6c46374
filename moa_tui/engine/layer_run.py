"""The run of one layer: its calls side by side, model by model, or piece by piece through a window."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from moa_tui.engine.finished_layer import NOT_PASSED_ON
from moa_tui.engine.layer_result import share_of
from moa_tui.engine.live_change import left_out_reply
from moa_tui.engine.tasks import Reference
from moa_tui.engine.values import Reply, Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.call import Caller
    from moa_tui.engine.checklist import ChecklistGate
    from moa_tui.engine.layer import Window
    from moa_tui.engine.run_in_progress import RunInProgress
    from moa_tui.engine.staircase import EarlyCalls
    from moa_tui.engine.values import CallId


class LayerRunner:
    """Runs the layers of one run, one at a time, and records the replies in `progress`."""

    def __init__(
        self, progress: RunInProgress, caller: Caller, gate: ChecklistGate, early_calls: EarlyCalls
    ) -> None:
        self._progress = progress
        self._caller = caller
        self._gate = gate
        self._early_calls = early_calls
        self._last_model: str | None = None
        """The model that was asked last, where models are asked one at a time."""

    async def run(self, number: int, references: Sequence[Reference]) -> None:
        """Make the calls of layer `number` on `references`, and return once all of them have ended."""
        recipe = self._progress.recipe
        window = recipe.layers[number - 1].window
        self._progress.current_layer = number
        try:
            if window is not None:
                await self._piece_by_piece(number, window, references)
            elif recipe.limits.one_model_at_a_time:
                await self._model_by_model(number, references)
            else:
                await self._side_by_side(number, references)
        finally:
            self._progress.end_layer()

    async def _side_by_side(self, number: int, references: Sequence[Reference]) -> None:
        def begin(call: CallId, agent: Agent) -> None:
            if call in self._progress.reused:
                self._reuse(call, self._share(call, references))
            else:
                self._progress.running.add(call)
                group.create_task(self._call(call, agent, self._share(call, references)))

        async with asyncio.TaskGroup() as group:
            for call, agent in self._progress.seats(number):
                begin(call, agent)
            self._progress.join = begin

    async def _model_by_model(self, number: int, references: Sequence[Reference]) -> None:
        """Make one call after another, with the calls of each model together.

        The model that was asked last comes first, since the server still has it loaded.
        """
        waiting: list[tuple[CallId, Agent]] = []

        def begin(call: CallId, agent: Agent) -> None:
            if call in self._progress.reused:
                self._reuse(call, self._share(call, references))
            else:
                waiting.append((call, agent))

        for call, agent in self._progress.seats(number):
            begin(call, agent)
        self._progress.join = begin
        models = _models(waiting)
        # Where the last of the models is the loaded one, the layer goes through them in reverse, so that a
        # third layer too begins with the model that is loaded.
        is_reversed = bool(models) and models[-1] == self._last_model
        while waiting and not self._progress.is_cut_short(number) and not self._has_quorum(number):
            models = _models(waiting)
            model = self._last_model if self._last_model in models else models[-1 if is_reversed else 0]
            place = next(place for place, (_, agent) in enumerate(waiting) if agent.model == model)
            call, agent = waiting.pop(place)
            self._last_model = model
            await self._call(call, agent, self._share(call, references))

    def _has_quorum(self, number: int) -> bool:
        quorum = self._progress.recipe.layers[number - 1].quorum
        return quorum is not None and len(self._progress.usable(number)) >= quorum

    async def _piece_by_piece(self, number: int, window: Window, references: Sequence[Reference]) -> None:
        """Make one call after another, each on the best answer so far and the next references."""
        progress = self._progress
        best: Reference | None = None
        unread = list(references)
        for call, agent in progress.seats(number):
            size = window.size if best is None else window.size - window.repeat
            piece, unread = unread[:size], unread[size:]
            seen = piece if best is None else [*[best] * window.repeat, *piece]
            if call in progress.reused:
                self._reuse(call, seen)
            else:
                await self._call(call, agent, seen)
            reply = progress.replies[call]
            if progress.is_cut_short(number):
                return
            if call in progress.usable(number):
                best = Reference(reply.agent, reply.text, call=call)
            else:
                progress.notes.append(_unread_note(call, reply, len(piece)))
            if not unread:
                return

    def _share(self, call: CallId, references: Sequence[Reference]) -> list[Reference]:
        """The references of the layer that one agent is shown; a note says how many dropped out."""
        recipe = self._progress.recipe
        layer, seats = recipe.layers[call.layer - 1], recipe.lineup[call.layer - 1]
        seen, dropped = share_of(call, layer, len(seats), self._progress.prompt, references)
        if dropped:
            name, total = seats[call.index - 1].name, len(seen) + dropped
            self._progress.notes.append(f"{call} {name}: {dropped} of {total} references dropped out")
        return seen

    def _reuse(self, call: CallId, seen: Sequence[Reference]) -> None:
        """End a call with the reply of an earlier run instead of asking its agent."""
        self._progress.shown[call] = seen
        reply = self._progress.reused[call]
        # The layer decides anew whether the reply is passed on, since that may be what the user has changed.
        notes = tuple(note for note in reply.notes if not note.startswith(NOT_PASSED_ON))
        self._progress.notes += notes
        self._progress.end_call(call, replace(reply, reused=True, notes=notes))

    async def _call(self, call: CallId, agent: Agent, seen: Sequence[Reference]) -> None:
        """Make one call, and record its reply."""
        progress = self._progress
        progress.shown[call] = seen
        progress.running.add(call)
        try:
            reply = await self._reply(call, agent, seen)
        finally:
            progress.running.discard(call)
        if call in progress.excluded:
            reply = left_out_reply(call, reply)
        progress.notes += reply.notes
        progress.end_call(call, reply)

    async def _reply(self, call: CallId, agent: Agent, seen: Sequence[Reference]) -> Reply:
        """The reply of a call, with the user's choice where it draws up a checklist."""
        if call in self._progress.excluded:
            return Reply(agent.name, agent.model, "excluded", usage=Usage(estimated=False), cost=0.0)
        recipe = self._progress.recipe
        layer, peers = recipe.layers[call.layer - 1], recipe.lineup[call.layer - 1]
        if (early_reply := await self._early_calls.finish(call, seen)) is not None:
            return early_reply
        agents = recipe.candidates(call.layer, agent)
        reply = await self._caller.call(call, layer, agents, seen, peers)
        if recipe.task(call.layer) == "checklist" and self._progress.counts(call, reply):
            reply = await self._gate.decided(call, reply)
        return reply


def _unread_note(call: CallId, reply: Reply, piece: int) -> str:
    """A note on a piece of `piece` new references whose reply does not count."""
    ends = {"partial": "cut off", "excluded": "left out by hand"}
    answers = (
        f"the {piece} answers that it alone read are" if piece > 1 else "the answer that it alone read is"
    )
    return f"{call} {reply.agent}: {ends.get(reply.status, reply.status)}, so {answers} left out"


def _models(calls: Sequence[tuple[CallId, Agent]]) -> list[str]:
    """The models of `calls`, each once, in order of first use."""
    return list(dict.fromkeys(agent.model for _, agent in calls))
