"""The layer loop: runs a recipe's layers one after another, and computes the outcome from their results.

The method is Mixture of Agents (arXiv 2406.04692, section 2.2): every agent of a layer reads all answers of
the layer before, and the one agent of the last layer writes the answer. `layer_run` makes the calls of a
layer, `layer_result` computes what the layer passes on.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from moa_tui.engine.call import STOPPED, Caller
from moa_tui.engine.checklist import ChecklistGate
from moa_tui.engine.control import RunControl
from moa_tui.engine.events import RunChanged, RunEnded
from moa_tui.engine.finished_layer import FinishedLayer, LayerResult, answers_among
from moa_tui.engine.health import Health
from moa_tui.engine.layer_result import pass_on
from moa_tui.engine.layer_run import LayerRunner
from moa_tui.engine.live_change import LiveChange
from moa_tui.engine.metrics import measure
from moa_tui.engine.plan import facts_unknown
from moa_tui.engine.run_in_progress import RunInProgress
from moa_tui.engine.spending import MAX_COST, SpendingGuard
from moa_tui.engine.staircase import EarlyCalls
from moa_tui.engine.values import CallId, Failure, Outcome, Reply, paid

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.events import Event, Stream
    from moa_tui.engine.limits import Endpoints
    from moa_tui.engine.live_change import Alteration
    from moa_tui.engine.plan import ModelFacts
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.spending import Budgets
    from moa_tui.engine.tasks import Reference
    from moa_tui.engine.values import Message, OutcomeStatus
    from moa_tui.errors import FailureKind

    Amend = Callable[[Recipe, str], Awaitable[Recipe | None]]
    """Asked with a recipe and the answer that its last agent wrote: the same recipe with a layer more, by
    which that answer is written again; None where it may stay."""

NO_REPLIES: Mapping[CallId, Reply] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class RunContext:
    """The surroundings of a run: facts about models, the health of endpoints, the user and the budgets."""

    facts: Callable[[Agent], ModelFacts] = facts_unknown
    """The facts about an agent's model."""
    health: Health | None = None
    """The health of the endpoints as earlier runs saw it, updated by this run; None begins a new one."""
    endpoints: Endpoints | None = None
    """The places for calls at each endpoint, which runs share; None where this run shares none."""
    attended: bool = False
    """True where a user can tick the points of a checklist; else all points are kept without a wait."""
    budgets: Budgets | None = None
    """The budgets beside the recipe's own `max_cost`; None where there are none."""
    amend: Amend | None = None
    """What may have the answer written again, once; None where nothing does."""


NO_CONTEXT = RunContext()


async def run(
    recipe: Recipe,
    history: Sequence[Message],
    stream: Stream,
    emit: Callable[[Event], None],
    *,
    reused: Mapping[CallId, Reply] = NO_REPLIES,
    control: RunControl | None = None,
    context: RunContext = NO_CONTEXT,
) -> Outcome:
    """Run `recipe` on `history`, which ends with the user's prompt, and return the outcome.

    Replies in `reused`, which come from an earlier run, are used instead of asking their agents again.
    `control` can stop and change the run. `emit` is called on this loop, once for each event, with RunEnded
    last; it must return at once.

    Raises ValueError where the history does not end with a prompt. The failure of a model is never raised,
    but is part of the outcome. Anything else that `emit` or `stream` raises is a bug and is passed on, with
    every open call closed.
    """
    if not history or history[-1]["role"] != "user":
        raise ValueError("the history must end with the person's prompt")
    control = control or RunControl()
    health = context.health or Health()
    followed = _Followed(emit)
    # Only where calls read what others are still writing is each event looked at a second time.
    emit_all = followed.emit if any(layer.begins_early for layer in recipe.layers) else emit
    caller = Caller(recipe.limits, history, stream, emit_all, context.facts, health, context.endpoints)
    progress = RunInProgress(recipe, history[-1]["content"], reused, caller, emit_all)
    layers = _LayerLoop(progress, caller, context)
    followed.early_calls = layers.early_calls
    control.attach(layers, asyncio.get_running_loop())
    try:
        outcome = await layers.outcome()
    finally:
        control.detach()
    emit(RunEnded(outcome))
    return outcome


class _Followed:
    """Emits events, and has the calls follow them that begin beside the layer they read."""

    def __init__(self, emit: Callable[[Event], None]) -> None:
        self._emit = emit
        self.early_calls: EarlyCalls | None = None

    def emit(self, event: Event) -> None:
        """Emit an event."""
        self._emit(event)
        if self.early_calls is not None:
            self.early_calls.follow(event)


class _LayerLoop:
    """Runs the layers of one run. All methods are called on the run's loop, so there are no locks."""

    def __init__(self, progress: RunInProgress, caller: Caller, context: RunContext) -> None:
        self._progress = progress
        self._caller = caller
        self._amend = context.amend
        self._amended_answer: CallId | None = None
        """The answer that the last layer writes again; None where it is the first to write one."""
        self._gate = ChecklistGate(caller, progress.emit, attended=context.attended)
        self._spending = SpendingGuard(progress, caller, context.budgets)
        caller.check_request = self._spending.check_request
        self.early_calls = EarlyCalls(progress, caller, self._spending)
        self._runner = LayerRunner(progress, caller, self._gate, self.early_calls)
        self._live_change = LiveChange(progress, caller, self._spending)

    # The actions of RunControl

    def stop(self) -> None:
        """End every open call, and let no other begin."""
        self._caller.stop()

    def stop_call(self, call: CallId) -> None:
        """End one call, if it is open."""
        self._caller.end_call(call, STOPPED)

    def decide(self, call: CallId, ticked: frozenset[int]) -> None:
        """Keep the points at the indexes `ticked` of the call's open checklist."""
        self._gate.decide(call, ticked)

    def proceed(self) -> None:
        """Keep all points of an open checklist; without one, continue with the answers that are ready."""
        if not self._gate.keep_all():
            self._progress.leave_behind("left behind: the run went on with the answers that were ready")

    def alter(self, alteration: Alteration) -> bool:
        """Change the run, as `LiveChange.apply`."""
        return self._live_change.apply(alteration)

    # The layers

    async def outcome(self) -> Outcome:
        """Run the layers in order until one of them ends the run, and return the outcome."""
        number = 1
        while True:
            references = self._progress.references_for(number)
            # Of a call that has begun beside the layer before, each request is checked by itself.
            if not self.early_calls.has_begun(number):
                refusal = await self._spending.refusal(number, references)
                if refusal is not None:
                    return self._outcome("stopped", self._amended_answer, refusal)
            await self._run_layer(number, references)
            result = self._progress.results[number] = self._result(number, references)
            for call, why in result.left_out.items():
                # The notes of the outcome name the answers together; each reply has a note of its own too.
                reply = self._progress.replies[call]
                self._progress.change_reply(call, replace(reply, notes=(*reply.notes, why)))
            outcome = self._outcome_after(number, result)
            if outcome is None:
                number = self._next_layer(number, result)
            elif await self._is_amended(number, outcome):
                number += 1
            else:
                return outcome

    async def _is_amended(self, number: int, outcome: Outcome) -> bool:
        """True where the recipe was given one more layer, which writes the answer of `outcome` again."""
        amend, writer = self._amend, self._progress.recipe.writer
        if amend is None or writer is None or number < writer.layer or outcome.status != "done":
            return False
        self._amend = None  # Once is enough.
        changed = await amend(self._progress.recipe, outcome.answer)
        if changed is None or self._caller.stopped:
            return False
        self._amended_answer, self._progress.recipe = writer, changed
        self._progress.emit(RunChanged(changed, self._caller.now()))
        return True

    async def _run_layer(self, number: int, references: Sequence[Reference]) -> None:
        """Make the calls of layer `number`, and beside them those of the next layer that begin early."""
        early_calls = self.early_calls.beside(number)
        if not early_calls:
            await self._runner.run(number, references)
            return
        async with asyncio.TaskGroup() as group:
            for early in early_calls:
                group.create_task(early.run())
            await self._runner.run(number, references)
            for early in early_calls:
                early.settle()

    def _result(self, number: int, references: Sequence[Reference]) -> LayerResult:
        """The result of layer `number`, whose calls have ended."""
        progress, recipe = self._progress, self._progress.recipe
        # Critiques, judgements and checklists are no answers, so what is compared stands before them.
        earlier_answers = (answers_among(result.references) for result in progress.results.values())
        compared = next(filter(None, reversed(list(earlier_answers))), [])
        return pass_on(
            FinishedLayer(
                number,
                recipe.layers[number - 1],
                recipe.task(number),
                progress.prompt,
                references,
                progress.shown,
                {call: progress.replies[call] for call in progress.usable(number)},
                len(recipe.lineup[number - 1]),
                [answer.text for answer in compared],
                {call: reply for call, reply in progress.replies.items() if call.layer == number},
                recipe.task(number + 1) if number < len(recipe.layers) else None,
            )
        )

    def _outcome_after(self, number: int, result: LayerResult) -> Outcome | None:
        """The outcome of the run where layer `number` ends it; None where the run goes on."""
        progress, recipe = self._progress, self._progress.recipe
        is_last = number == len(recipe.layers)
        if self._caller.stopped and not (is_last and recipe.writes(number)):
            # The answer may be partly there, where the last layer has begun beside this one.
            if number + 1 == len(recipe.layers) and self.early_calls.has_text(number + 1):
                return None
            self.early_calls.call_off(number + 1)
            return self._outcome("stopped", error=STOPPED)
        if is_last:
            return self._outcome_of_last(result)
        progress.notes += result.notes
        if result.elected is not None:
            answer, why = result.elected
            saved_calls = sum(len(agents) for agents in recipe.lineup[number:])
            progress.notes.append(f"{why}; {answer.call} {answer.agent} is taken, {_saved(saved_calls)}")
            return self._outcome_of_chosen(answer)
        if recipe.writes(number) and not result.references:
            self.early_calls.call_off(number + 1)
            return self._outcome("failed", error=self._no_references(number))
        return None

    def _next_layer(self, number: int, result: LayerResult) -> int:
        """The number of the layer to run after layer `number`."""
        recipe = self._progress.recipe
        target, target_name = len(recipe.layers), "its last layer"
        if recipe.task(target - 1) == "checklist":
            # The user is asked even where the rounds before are skipped.
            target, target_name = target - 1, "its checklist"
        if result.skip_reason is None or number + 1 >= target:
            return number + 1
        saved_calls = sum(len(agents) for agents in recipe.lineup[number : target - 1])
        self._progress.notes.append(
            f"{result.skip_reason}; the run went to {target_name}, {_saved(saved_calls)}"
        )
        return target

    # The outcome

    def _no_references(self, number: int) -> Failure:
        """The failure of a run that ends because layer `number` passes on no answer."""
        reasons = "\n".join(
            f"  {reply.agent}: {reply.error.message if reply.error else reply.status}"
            for call, reply in sorted(self._progress.replies.items())
            if call.layer == number
        )
        errors = [reply.error for call, reply in self._progress.replies.items() if call.layer == number]
        kinds = {error.kind for error in errors if error is not None}
        # A budget that is the only reason can be passed by hand, which the chat offers for its kind.
        kind: FailureKind = kinds.pop() if kinds in ({"budget"}, {MAX_COST}) else "no_references"
        return Failure(kind, f"no answer of layer {number} can be used:\n{reasons}")

    def _outcome_of_last(self, result: LayerResult) -> Outcome:
        """The outcome after the last layer: the text that it wrote, or the answer that it chose."""
        progress, recipe = self._progress, self._progress.recipe
        last = len(recipe.layers)
        if not recipe.writes(last):
            chosen = result.references[0]
            progress.notes += result.notes
            if recipe.task(last) == "rank":
                mean_rank = "" if chosen.rank is None else f", mean rank {chosen.rank:g}"
                progress.notes.append(f"chosen: {chosen.call} {chosen.agent}{mean_rank}")
            return self._outcome_of_chosen(chosen)
        call = CallId(last, 1)
        if recipe.layers[-1].window is not None:
            last_asked = max(call for call in progress.replies if call.layer == last)
            call = last_asked if self._caller.stopped or not result.used else result.used[-1]
            # A cut piece that others were written from is told; the one that is the answer tells it itself.
            if any(progress.replies[piece].status != "done" for piece in result.used[:-1]):
                progress.notes += result.notes
        reply = progress.replies[call]
        status: OutcomeStatus = "failed" if reply.status == "excluded" else reply.status
        return self._outcome(status, call, reply.error)

    def _outcome_of_chosen(self, chosen: Reference) -> Outcome:
        """The outcome whose answer was chosen among the answers: `partial` where that one was cut."""
        reply = None if chosen.call is None else self._progress.replies[chosen.call]
        if reply is None or reply.status == "done":
            return self._outcome("done", chosen.call, text=chosen.text)
        return self._outcome("partial", chosen.call, reply.error, text=chosen.text)

    def _outcome(
        self,
        status: OutcomeStatus,
        answered: CallId | None = None,
        error: Failure | None = None,
        text: str | None = None,
    ) -> Outcome:
        """The outcome of the run; its answer is `text`, or where None the text of the call `answered`."""
        seconds = self._caller.now()  # Measured first, since computing the metrics takes time of its own.
        replies, recipe = self._progress.replies, self._progress.recipe
        answers = [call for call in replies if recipe.writes(call.layer)]
        last = max((call.layer for call in replies), default=1)
        references = self._progress.references_for(last)
        read = [reference.call for reference in references if reference.call is not None]
        used = {number: result.used for number, result in self._progress.results.items()}
        metrics = measure(replies, used, answered, read, answers, recipe.layers_in_turn, recipe.layers_beside)
        is_streamed = answered is not None and answered == recipe.writer
        together = paid(replies.values())
        if text is None:
            text = replies[answered].text if answered else ""
        return Outcome(
            status=status,
            answer=text,
            replies=dict(sorted(replies.items())),
            metrics=metrics if is_streamed else replace(metrics, first_final_token_seconds=None),
            error=error,
            usage=together.usage,
            cost=together.cost,
            seconds=seconds,
            notes=tuple(dict.fromkeys([*self._progress.notes, *self._spending.notes])),
        )


def _saved(calls: int) -> str:
    return f"{calls} call{'' if calls == 1 else 's'} saved"
