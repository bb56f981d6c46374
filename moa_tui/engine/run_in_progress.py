"""The state of one run while it runs, which the layer loop and live changes share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moa_tui.engine.events import CallEnded, ReplyChanged
from moa_tui.engine.layer_result import is_readable
from moa_tui.engine.values import CallId, Failure

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping, Sequence

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.call import Caller
    from moa_tui.engine.events import Event
    from moa_tui.engine.finished_layer import LayerResult
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.tasks import Reference
    from moa_tui.engine.values import Reply


class RunInProgress:
    """The recipe, replies and notes of a run so far, and what its current layer is doing.

    All methods are called on the run's loop, so there are no locks. Layers count from 1, and 0 stands for no
    layer.
    """

    def __init__(
        self,
        recipe: Recipe,
        prompt: str,
        reused: Mapping[CallId, Reply],
        caller: Caller,
        emit: Callable[[Event], None],
    ) -> None:
        self.recipe = recipe
        """The recipe that is run; a live change puts another in its place."""
        self.prompt = prompt
        self.reused = reused
        """Replies of an earlier run, which are used instead of asking their agents."""
        self.emit = emit
        self.replies: dict[CallId, Reply] = {}
        """The replies of the calls that have ended."""
        self.shown: dict[CallId, Sequence[Reference]] = {}
        """The references that each call was shown."""
        self.results: dict[int, LayerResult] = {}
        """The results of the layers that ran, by layer number and in order."""
        self.notes: list[str] = []
        self.current_layer = 0
        self.abandoned_layer = 0
        """The layer that was ended without its stragglers."""
        self.running: set[CallId] = set()
        """The calls of the current layer that have begun and not ended."""
        self.excluded: set[CallId] = set()
        """Calls that were left out by hand before they ended."""
        self.begun_early: set[CallId] = set()
        """The calls of the next layer that have begun beside the current one."""
        self.join: Callable[[CallId, Agent], None] | None = None
        """Begins a call that joins the current layer; None where none can join."""
        self._caller = caller
        self._grace_timer: asyncio.TimerHandle | None = None

    # Reading

    def seats(self, number: int) -> list[tuple[CallId, Agent]]:
        """The calls of layer `number` with their agents, in order."""
        return [
            (CallId(number, index), agent) for index, agent in enumerate(self.recipe.lineup[number - 1], 1)
        ]

    def usable(self, number: int) -> list[CallId]:
        """The calls of layer `number` whose text may be passed on, in order."""
        return sorted(
            call for call, reply in self.replies.items() if call.layer == number and self.counts(call, reply)
        )

    def counts(self, call: CallId, reply: Reply) -> bool:
        """True where the text of the reply may be passed on.

        With `use_partial` so may a text that was cut, by a fault, by its token limit or because the layer
        went on without its agent. Without it, a cut reply counts only where its task reads it all the same,
        as a ranking behind which a text broke off. The text of a model in a loop never may.
        """
        if not reply.text.strip() or (reply.error is not None and reply.error.kind == "loop"):
            return False
        if reply.status == "done":
            return True
        layer = self.recipe.layers[call.layer - 1]
        if reply.status == "partial":
            task = self.recipe.task(call.layer)
            return layer.use_partial or is_readable(task, reply, len(self.shown.get(call, ())))
        was_left_behind = reply.status == "stopped" and reply.error and reply.error.kind == "left_behind"
        # A piece is worth no more than the whole piece before it, which is the best answer so far.
        return bool(was_left_behind) and layer.use_partial and layer.window is None

    def references_for(self, number: int) -> list[Reference]:
        """The references that layer `number` reads.

        Of a reference that several layers passed on, the newest is read, in the place of the newest.
        """
        newest: dict[CallId | None, Reference] = {}
        for layer in self.recipe.read_layers(number, [ran for ran in self.results if ran < number]):
            for reference in self.results[layer].references:
                newest.pop(reference.call, None)
                newest[reference.call] = reference
        return list(newest.values())

    def is_cut_short(self, number: int) -> bool:
        """True where layer `number` must begin no further call: it was abandoned, or the run was stopped."""
        return self._caller.stopped or self.abandoned_layer == number

    # The current layer

    def end_layer(self) -> None:
        """End the current layer once all its calls have ended, so that no further call can join it."""
        self.join = None
        self.cancel_grace()

    def cancel_grace(self) -> None:
        """Cancel the timer that ends the current layer without its stragglers."""
        if self._grace_timer is not None:
            self._grace_timer.cancel()
            self._grace_timer = None

    def end_call(self, call: CallId, reply: Reply) -> None:
        """Record the reply of a call that has ended; where that fills the quorum, start the grace period."""
        self.replies[call] = reply
        self.emit(CallEnded(call, reply))
        layer = self.recipe.layers[call.layer - 1]
        if (
            layer.quorum is None
            or layer.window is not None
            or self.recipe.limits.one_model_at_a_time
            or self._grace_timer is not None
            or len(self.usable(call.layer)) < layer.quorum
        ):
            return
        why = f"left behind: {layer.quorum} answers were ready {layer.grace_seconds:g} s before"
        self._grace_timer = self._caller.loop.call_later(layer.grace_seconds, self.leave_behind, why)

    def leave_behind(self, why: str) -> None:
        """End every open call of the current layer for the reason `why`, unless no answer would be left."""
        layer = self.current_layer
        if any(call.layer == layer for call in self._caller.open_calls) and self.usable(layer):
            self.abandoned_layer = layer
            self._caller.end_layer(layer, Failure("left_behind", why))

    def change_reply(self, call: CallId, reply: Reply) -> None:
        """Replace the reply of a call that has ended."""
        self.replies[call] = reply
        self.emit(ReplyChanged(call, reply))
