"""The layer loop: runs a recipe's layers one after another, the agents of each side by side.

The method is Mixture of Agents (arXiv 2406.04692, section 2.2): every agent of a layer reads all answers of
the layer before, and the last layer's one agent writes the answer.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from moa_tui.engine.call import STOPPED, Caller
from moa_tui.engine.events import CallEnded, CallId, Failure, Outcome, Reply, RunEnded, Usage
from moa_tui.engine.limits import RunControl
from moa_tui.engine.metrics import measure
from moa_tui.engine.plan import ASSUMED_ANSWER_TOKENS, facts_unknown, message_tokens, total_cost
from moa_tui.engine.tasks import Reference

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from moa_tui.engine.events import Event, Message, OutcomeStatus, Stream
    from moa_tui.engine.plan import ModelFacts
    from moa_tui.engine.recipe import Agent, Layer, Recipe

NOTHING_KEPT: Mapping[CallId, Reply] = MappingProxyType({})


async def run(
    recipe: Recipe,
    history: Sequence[Message],
    stream: Stream,
    emit: Callable[[Event], None],
    *,
    kept: Mapping[CallId, Reply] = NOTHING_KEPT,
    control: RunControl | None = None,
    facts: Callable[[Agent], ModelFacts] = facts_unknown,
) -> Outcome:
    """Run `recipe` on `history`, which ends with the person's prompt, and say each step through `emit`.

    Replies in `kept` are used instead of asking their models again. `emit` is called on this loop, once
    for each event, RunEnded last; it must return at once. No model's failure is raised: it is in the
    outcome. Anything raised by `emit` or by `stream` that is no ModelError is a bug and is passed on, with
    every open call closed.
    """
    if not history or history[-1]["role"] != "user":
        raise ValueError("the history must end with the person's prompt")
    control = control or RunControl()
    this = _Run(recipe, history, stream, emit, kept, facts)
    control.attach(this, asyncio.get_running_loop())
    try:
        outcome = await this.layers()
    finally:
        control.detach()
    emit(RunEnded(outcome))
    return outcome


class _Run:
    """One run's state. Its methods run on one loop, so nothing here needs a lock."""

    def __init__(
        self,
        recipe: Recipe,
        history: Sequence[Message],
        stream: Stream,
        emit: Callable[[Event], None],
        kept: Mapping[CallId, Reply],
        facts: Callable[[Agent], ModelFacts],
    ) -> None:
        self.recipe = recipe
        self.emit = emit
        self.kept = kept
        self.facts = facts
        self.caller = Caller(recipe.limits, history, stream, emit, facts)
        self.replies: dict[CallId, Reply] = {}
        self.used: dict[int, list[CallId]] = {}
        self.notes: list[str] = []
        self.grace: asyncio.TimerHandle | None = None

    # --- steering: called by RunControl ---------------------------------------------------------------

    def stop(self) -> None:
        self.caller.stop()

    def stop_call(self, call: CallId) -> None:
        self.caller.stop_call(call)

    def proceed(self) -> None:
        self._leave_behind("left behind: the run went on with the answers that were ready")

    def _leave_behind(self, why: str) -> None:
        """End every call of the layer that is still going, unless that would leave no answer at all."""
        layer = max((call.layer for call in self.caller.scopes), default=0)
        if self._usable(layer):
            self.caller.end_all(Failure("left_behind", why))

    # --- layers ---------------------------------------------------------------------------------------

    async def layers(self) -> Outcome:
        references: list[Reference] = []
        last = len(self.recipe.layers)
        for number in range(1, last + 1):
            if (too_much := self._over_budget(number, references)) is not None:
                return self._outcome("stopped", error=too_much)
            await self._layer(number, references)
            self.used[number] = self._usable(number)
            if number == last:
                break
            if self.caller.stopped:
                return self._outcome("stopped", error=STOPPED)
            asked = len(self.recipe.lineup[number - 1])
            if len(self.used[number]) < asked:
                self.notes.append(f"layer {number}: {len(self.used[number])} of {asked} used")
            references = [
                Reference(self.replies[call].agent, self.replies[call].text) for call in self.used[number]
            ]
            if not references:
                return self._outcome("failed", error=self._no_references(number))
        return self._answer(CallId(last, 1))

    async def _layer(self, number: int, references: Sequence[Reference]) -> None:
        layer = self.recipe.layers[number - 1]
        agents = self.recipe.lineup[number - 1]
        try:
            async with asyncio.TaskGroup() as group:
                for index, agent in enumerate(agents, 1):
                    call = CallId(number, index)
                    if call in self.kept:
                        self._ended(call, replace(self.kept[call], reused=True))
                        continue
                    candidates = self.recipe.candidates(number, agent)
                    group.create_task(self._call(call, layer, candidates, references))
        finally:
            if self.grace is not None:
                self.grace.cancel()
                self.grace = None

    async def _call(
        self, call: CallId, layer: Layer, agents: Sequence[Agent], references: Sequence[Reference]
    ) -> None:
        reply = await self.caller.call(call, layer, agents, references)
        self.notes += reply.notes
        self._ended(call, reply)

    def _ended(self, call: CallId, reply: Reply) -> None:
        self.replies[call] = reply
        self.emit(CallEnded(call, reply))
        layer = self.recipe.layers[call.layer - 1]
        if layer.quorum is None or self.grace is not None or len(self._usable(call.layer)) < layer.quorum:
            return
        why = f"left behind: {layer.quorum} answers were ready {layer.grace_seconds:g} s before"
        self.grace = self.caller.loop.call_later(layer.grace_seconds, self._leave_behind, why)

    def _usable(self, number: int) -> list[CallId]:
        """The layer's calls whose text may be passed on, in order."""
        accepted = ("done", "partial") if self.recipe.layers[number - 1].use_partial else ("done",)
        return sorted(
            call
            for call, reply in self.replies.items()
            if call.layer == number and reply.status in accepted and reply.text.strip()
        )

    # --- what it came to ------------------------------------------------------------------------------

    def _over_budget(self, number: int, references: Sequence[Reference]) -> Failure | None:
        """Why layer `number` must not be called under `max_cost`, if so. Unknown prices are noted."""
        cap = self.recipe.limits.max_cost
        if cap is None:
            return None
        layer = self.recipe.layers[number - 1]
        spent = sum(reply.cost or 0.0 for reply in self.replies.values() if not reply.reused)
        expected = 0.0
        for call, reply in self.replies.items():
            if reply.cost is None:
                self.notes.append(f"{call} {reply.agent}: cost unknown, not counted against max_cost")
        for index, agent in enumerate(self.recipe.lineup[number - 1], 1):
            call = CallId(number, index)
            if call in self.kept:
                continue
            costs = []
            for one in self.recipe.candidates(number, agent):
                prompt = sum(map(message_tokens, self.caller.prepare(call, layer, one, references).messages))
                cost = self.facts(one).cost(Usage(prompt, one.max_tokens or ASSUMED_ANSWER_TOKENS))
                if cost is None:
                    self.notes.append(f"{one.name}: price unknown, not counted against max_cost")
                costs.append(cost or 0.0)
            expected += max(costs)
        if spent + expected <= cap:
            return None
        return Failure(
            "max_cost",
            f"stopped before layer {number}: ${spent:.4f} spent and up to ${expected:.4f} to come would pass "
            f"max_cost ${cap:g}",
        )

    def _no_references(self, number: int) -> Failure:
        each = "\n".join(
            f"  {reply.agent}: {reply.error.message if reply.error else reply.status}"
            for call, reply in sorted(self.replies.items())
            if call.layer == number
        )
        return Failure("no_references", f"no answer of layer {number} can be used:\n{each}")

    def _answer(self, call: CallId) -> Outcome:
        reply = self.replies[call]
        status: OutcomeStatus = "failed" if reply.status == "excluded" else reply.status
        return self._outcome(status, call, reply.error)

    def _outcome(
        self, status: OutcomeStatus, answered: CallId | None = None, error: Failure | None = None
    ) -> Outcome:
        seconds = self.caller.now()  # before the numbers are worked out, which takes a moment of its own
        paid = [reply for reply in self.replies.values() if not reply.reused]
        return Outcome(
            status=status,
            answer=self.replies[answered].text if answered else "",
            replies=dict(sorted(self.replies.items())),
            metrics=measure(self.replies, self.used, answered),
            error=error,
            usage=sum((reply.usage for reply in paid), Usage(estimated=False)),
            cost=total_cost(reply.cost for reply in paid),
            seconds=seconds,
            notes=tuple(dict.fromkeys(self.notes)),
        )
