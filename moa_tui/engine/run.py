"""The layer loop: runs a recipe's layers one after another, the agents of each side by side.

The method is Mixture of Agents (arXiv 2406.04692, section 2.2): every agent of a layer reads all answers of
the layer before, and the last layer's one agent writes the answer. What a layer's replies come to is its
task's business, in `passing`.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from moa_tui.engine.alterable import Alterable
from moa_tui.engine.alteration import left_out
from moa_tui.engine.call import STOPPED, Caller
from moa_tui.engine.checklist import Desk
from moa_tui.engine.events import (
    CallEnded,
    CallId,
    Failure,
    Outcome,
    Reply,
    ReplyChanged,
    RunEnded,
    Usage,
)
from moa_tui.engine.health import Health
from moa_tui.engine.layer_result import (
    NOT_PASSED_ON,
    FinishedLayer,
    LayerResult,
    answers_among,
    pass_on,
    share_of,
)
from moa_tui.engine.limits import RunControl
from moa_tui.engine.metrics import measure
from moa_tui.engine.plan import ASSUMED_ANSWER_TOKENS, facts_unknown, message_tokens, total_cost
from moa_tui.engine.tasks import Reference
from moa_tui.engine.till import Till

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.events import Event, Message, OutcomeStatus, Stream
    from moa_tui.engine.plan import Cap, ModelFacts
    from moa_tui.engine.recipe import Recipe, Window

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
    health: Health | None = None,
    asks: bool = False,
    caps: Callable[[], Sequence[Cap]] | None = None,
) -> Outcome:
    """Run `recipe` on `history`, which ends with the person's prompt, and say each step through `emit`.

    `asks` says whether somebody is there to choose among the points of a checklist: the run then waits for
    `control.decide`. Where nobody is, all points are kept. `caps` are budgets that hold beside the recipe's
    own `max_cost`: asked on another thread before each layer, since what is spent elsewhere counts too.

    Replies in `kept` are used instead of asking their models again. `health` is what earlier runs saw of the
    endpoints, and learns from this one. `emit` is called on this loop, once for each event, RunEnded last; it
    must return at once. No model's failure is raised: it is in the outcome. Anything raised by `emit` or by
    `stream` that is no ModelError is a bug and is passed on, with every open call closed.
    """
    if not history or history[-1]["role"] != "user":
        raise ValueError("the history must end with the person's prompt")
    control = control or RunControl()
    this = _Run(recipe, history, stream, emit, kept, facts, health or Health(), asks=asks, caps=caps)
    control.attach(this, asyncio.get_running_loop())
    try:
        outcome = await this.layers()
    finally:
        control.detach()
    emit(RunEnded(outcome))
    return outcome


class _Run(Alterable):
    """One run's state. Its methods run on one loop, so nothing here needs a lock."""

    def __init__(
        self,
        recipe: Recipe,
        history: Sequence[Message],
        stream: Stream,
        emit: Callable[[Event], None],
        kept: Mapping[CallId, Reply],
        facts: Callable[[Agent], ModelFacts],
        health: Health,
        *,
        asks: bool,
        caps: Callable[[], Sequence[Cap]] | None,
    ) -> None:
        self.recipe = recipe
        self.emit = emit
        self.kept = kept
        self.facts = facts
        self.caller = Caller(recipe.limits, history, stream, emit, facts, health)
        self.unpriced: dict[str, None] = {}
        """The names of agents whose price is unknown, once there is a cap that it would count against."""
        self.till = Till(recipe.limits.max_cost, caps)
        self.desk = Desk(self.caller, emit, attended=asks)
        self.replies: dict[CallId, Reply] = {}
        self.prompt = history[-1]["content"]
        self.passed: dict[int, LayerResult] = {}
        """What each layer that ran passes on, in order."""
        self.shown: dict[CallId, Sequence[Reference]] = {}
        self.last_model: str | None = None
        self.behind = 0
        self.notes: list[str] = []
        self.grace: asyncio.TimerHandle | None = None
        self.at_work = 0
        self.going: set[CallId] = set()
        self.excluded: set[CallId] = set()
        self.begin: Callable[[CallId, Agent], None] | None = None

    # --- steering: called by RunControl ---------------------------------------------------------------

    def stop(self) -> None:
        self.caller.stop()

    def stop_call(self, call: CallId) -> None:
        self.caller.stop_call(call)

    def decide(self, call: CallId, ticked: frozenset[int]) -> None:
        self.desk.decide(call, ticked)

    def proceed(self) -> None:
        if self.desk.keep_all():
            return
        self._leave_behind("left behind: the run went on with the answers that were ready")

    def _leave_behind(self, why: str) -> None:
        """End every call of the layer that is still going, unless that would leave no answer at all."""
        layer = max((call.layer for call in self.caller.scopes), default=0)
        if self._usable(layer):
            self.behind = layer
            self.caller.end_all(Failure("left_behind", why))

    # --- layers ---------------------------------------------------------------------------------------

    async def layers(self) -> Outcome:
        last = len(self.recipe.layers)
        number = 1
        while True:
            references = self._read(number)
            if (too_much := await self._over_budget(number, references)) is not None:
                return self._outcome("stopped", error=too_much)
            await self._layer(number, references)
            passed = self.passed[number] = self._passed(number, references)
            for call, why in passed.left_out.items():
                # Said of the layer as a whole in the outcome, and of each answer where it is shown.
                self.replies[call] = replace(self.replies[call], notes=(*self.replies[call].notes, why))
                self.emit(ReplyChanged(call, self.replies[call]))
            if self.caller.stopped and not (number == last and self.recipe.writes(number)):
                return self._outcome("stopped", error=STOPPED)
            if number == last:
                return self._answer(passed)
            self.notes += passed.notes
            if passed.elected is not None:
                answer, why = passed.elected
                following = [len(agents) for agents in self.recipe.lineup[number:]]
                self.notes.append(f"{why}; {answer.call} {answer.agent} is taken, {_saved(sum(following))}")
                return self._outcome("done", answer.call, text=answer.text)
            if self.recipe.writes(number) and not passed.references:
                return self._outcome("failed", error=self._no_references(number))
            number = self._following(number, passed)

    def _read(self, number: int) -> list[Reference]:
        """The references layer `number` reads; of one that was passed on twice, the newest."""
        found: dict[CallId | None, Reference] = {}
        for layer in self.recipe.read_layers(number, [ran for ran in self.passed if ran < number]):
            for reference in self.passed[layer].references:
                found.pop(reference.call, None)
                found[reference.call] = reference
        return list(found.values())

    def _following(self, number: int, passed: LayerResult) -> int:
        """The layer to run after `number`."""
        last, named = len(self.recipe.layers), "its last layer"
        if self.recipe.task(last - 1) == "checklist":
            last, named = last - 1, "its checklist"  # How few rounds it took is no reason not to ask.
        if passed.skip_reason is None or number + 1 >= last:
            return number + 1
        saved = sum(len(agents) for agents in self.recipe.lineup[number : last - 1])
        self.notes.append(f"{passed.skip_reason}; the run went to {named}, {_saved(saved)}")
        return last

    def _passed(self, number: int, references: Sequence[Reference]) -> LayerResult:
        before = list(self.passed.values())[-1:]
        return pass_on(
            FinishedLayer(
                number,
                self.recipe.layers[number - 1],
                self.recipe.task(number),
                self.prompt,
                references,
                self.shown,
                {call: self.replies[call] for call in self._usable(number)},
                len(self.recipe.lineup[number - 1]),
                [answer.text for passed in before for answer in answers_among(passed.references)],
            )
        )

    async def _layer(self, number: int, references: Sequence[Reference]) -> None:
        layer = self.recipe.layers[number - 1]
        self.at_work = number
        try:
            if layer.window is not None:
                await self._piece_by_piece(number, layer.window, references)
            elif self.recipe.limits.one_model_at_a_time:
                await self._model_by_model(number, references)
            else:
                await self._side_by_side(number, references)
        finally:
            self.begin = None
            if self.grace is not None:
                self.grace.cancel()
                self.grace = None

    async def _side_by_side(self, number: int, references: Sequence[Reference]) -> None:
        def begin(call: CallId, agent: Agent) -> None:
            if call in self.kept:
                self._take_kept(call, references)
            else:
                self.going.add(call)
                group.create_task(self._call(call, agent, self._share(call, references)))

        async with asyncio.TaskGroup() as group:
            for call, agent in self._seats(number):
                begin(call, agent)
            self.begin = begin

    async def _model_by_model(self, number: int, references: Sequence[Reference]) -> None:
        """One call after another, each model's together, the model asked last first: it is loaded still."""

        waiting: list[tuple[CallId, Agent]] = []

        def begin(call: CallId, agent: Agent) -> None:
            if call in self.kept:
                self._take_kept(call, references)
            else:
                waiting.append((call, agent))

        for call, agent in self._seats(number):
            begin(call, agent)
        self.begin = begin
        order = list(dict.fromkeys(agent.model for _, agent in waiting))
        # Where the last is loaded the way back, so that a third layer too begins with what is.
        way_back = bool(order) and order[-1] == self.last_model
        while waiting:
            quorum = self.recipe.layers[number - 1].quorum
            enough = quorum is not None and len(self._usable(number)) >= quorum
            if self.caller.stopped or self.behind == number or enough:
                return
            models = list(dict.fromkeys(agent.model for _, agent in waiting))
            model = self.last_model if self.last_model in models else models[-1 if way_back else 0]
            at = next(at for at, (_, agent) in enumerate(waiting) if agent.model == model)
            call, agent = waiting.pop(at)
            self.last_model = model
            await self._call(call, agent, self._share(call, references))

    async def _piece_by_piece(self, number: int, window: Window, references: Sequence[Reference]) -> None:
        """One call after another, each reading the best answer so far beside references not read yet."""
        best: Reference | None = None
        left = list(references)
        for call, agent in self._seats(number):
            size = window.size if best is None else window.size - window.repeat
            piece, left = left[:size], left[size:]
            seen = piece if best is None else [*[best] * window.repeat, *piece]
            if call in self.kept:
                self._take_kept(call, seen)
            else:
                await self._call(call, agent, seen)
            reply = self.replies[call]
            if self.caller.stopped or self.behind == number:
                return
            if call in self._usable(number):
                best = Reference(reply.agent, reply.text, call=call)
            else:
                self.notes.append(
                    f"{call} {reply.agent}: failed, so the {len(piece)} answers it read are left out"
                )
            if not left:
                return

    def _seats(self, number: int) -> list[tuple[CallId, Agent]]:
        return [(CallId(number, at), agent) for at, agent in enumerate(self.recipe.lineup[number - 1], 1)]

    def _share(self, call: CallId, references: Sequence[Reference]) -> list[Reference]:
        """What one agent sees of the layer's references; says what dropped out."""
        layer, seats = self.recipe.layers[call.layer - 1], self.recipe.lineup[call.layer - 1]
        seen, dropped = share_of(call, layer, len(seats), self.prompt, references)
        if dropped:
            name, all_of_it = seats[call.index - 1].name, len(seen) + dropped
            self.notes.append(f"{call} {name}: {dropped} of {all_of_it} references dropped out")
        return seen

    def _take_kept(self, call: CallId, references: Sequence[Reference]) -> None:
        layer = self.recipe.layers[call.layer - 1]
        self.shown[call] = references if layer.window is not None else self._share(call, references)
        # Whether it is passed on is seen anew: that may be what was changed.
        notes = tuple(note for note in self.kept[call].notes if not note.startswith(NOT_PASSED_ON))
        self.notes += notes
        self._ended(call, replace(self.kept[call], reused=True, notes=notes))

    async def _call(self, call: CallId, agent: Agent, references: Sequence[Reference]) -> None:
        self.shown[call] = references
        self.going.add(call)
        try:
            reply = await self._ask(call, agent, references)
        finally:
            self.going.discard(call)
        if call in self.excluded:
            reply = left_out(call, reply)
        self.notes += reply.notes
        self._ended(call, reply)

    async def _ask(self, call: CallId, agent: Agent, references: Sequence[Reference]) -> Reply:
        if call in self.excluded:
            return Reply(agent.name, agent.model, "excluded", usage=Usage(estimated=False), cost=0.0)
        layer = self.recipe.layers[call.layer - 1]
        peers = self.recipe.lineup[call.layer - 1]
        agents = self.recipe.candidates(call.layer, agent)
        reply = await self.caller.call(call, layer, agents, references, peers)
        if self.recipe.task(call.layer) == "checklist" and self._counts(call, reply):
            reply = await self.desk.settle(call, reply)
        return reply

    def _ended(self, call: CallId, reply: Reply) -> None:
        self.replies[call] = reply
        self.emit(CallEnded(call, reply))
        layer = self.recipe.layers[call.layer - 1]
        if (
            layer.quorum is None
            or layer.window is not None
            or self.recipe.limits.one_model_at_a_time
            or self.grace is not None
            or len(self._usable(call.layer)) < layer.quorum
        ):
            return
        why = f"left behind: {layer.quorum} answers were ready {layer.grace_seconds:g} s before"
        self.grace = self.caller.loop.call_later(layer.grace_seconds, self._leave_behind, why)

    def _usable(self, number: int) -> list[CallId]:
        """The layer's calls whose text may be passed on, in order."""
        return sorted(
            call for call, reply in self.replies.items() if call.layer == number and self._counts(call, reply)
        )

    def _counts(self, call: CallId, reply: Reply) -> bool:
        use_partial = self.recipe.layers[call.layer - 1].use_partial
        accepted = ("done", "partial") if use_partial else ("done",)
        return reply.status in accepted and bool(reply.text.strip())

    # --- what it came to ------------------------------------------------------------------------------

    async def _over_budget(self, number: int, references: Sequence[Reference]) -> Failure | None:
        """Why layer `number` must not be called under a cap, if so. Unknown prices are noted."""
        if not self.till.is_open:
            return None
        for call, reply in self.replies.items():
            if reply.cost is None and reply.agent not in self.unpriced:
                self.notes.append(f"{call} {reply.agent}: cost unknown, not counted against {self.till.name}")
        seats = [(call, agent) for call, agent in self._seats(number) if call not in self.kept]
        expected = sum(self._price(call, agent, references) for call, agent in seats)
        spent = sum(reply.cost or 0.0 for reply in self.replies.values() if not reply.reused)
        return await self.till.refuses(number, expected, spent)

    def _price(self, call: CallId, agent: Agent, references: Sequence[Reference]) -> float:
        """The most a call should come to, in US dollars; an unknown price is nothing, and noted."""
        layer, costs = self.recipe.layers[call.layer - 1], []
        for one in self.recipe.candidates(call.layer, agent):
            seen = self._expected(call, references)
            prompt = sum(map(message_tokens, self.caller.prepare(call, layer, one, seen).messages))
            cost = self.facts(one).cost(Usage(prompt, one.max_tokens or ASSUMED_ANSWER_TOKENS))
            if cost is None:
                self.unpriced[one.name] = None
            costs.append(cost or 0.0)
        return max(costs)

    def _expected(self, call: CallId, references: Sequence[Reference]) -> Sequence[Reference]:
        """What a call will be shown, as far as it can be told before its layer begins."""
        layer, seats = self.recipe.layers[call.layer - 1], len(self.recipe.lineup[call.layer - 1])
        if layer.window is not None:
            return references[: layer.window.size]
        return share_of(call, layer, seats, self.prompt, references)[0]

    def _no_references(self, number: int) -> Failure:
        each = "\n".join(
            f"  {reply.agent}: {reply.error.message if reply.error else reply.status}"
            for call, reply in sorted(self.replies.items())
            if call.layer == number
        )
        return Failure("no_references", f"no answer of layer {number} can be used:\n{each}")

    def _answer(self, passed: LayerResult) -> Outcome:
        """What the last layer came to: its text, or the answer it chose."""
        last = len(self.recipe.layers)
        if not self.recipe.writes(last):
            chosen = passed.references[0]
            self.notes += passed.notes
            if self.recipe.task(last) == "rank":
                self.notes.append(f"chosen: {chosen.call} {chosen.agent}")
            return self._outcome("done", chosen.call, text=chosen.text)
        if self.recipe.layers[-1].window is not None:
            asked = max(call for call in self.replies if call.layer == last)
            call = asked if self.caller.stopped or not passed.used else passed.used[-1]
        else:
            call = CallId(last, 1)
        reply = self.replies[call]
        status: OutcomeStatus = "failed" if reply.status == "excluded" else reply.status
        return self._outcome(status, call, reply.error)

    def _outcome(
        self,
        status: OutcomeStatus,
        answered: CallId | None = None,
        error: Failure | None = None,
        text: str | None = None,
    ) -> Outcome:
        """How the run ended. The answer is `text`, or all that the call `answered` wrote where None."""
        seconds = self.caller.now()  # before the numbers are worked out, which takes a moment of its own
        answers = [call for call in self.replies if self.recipe.writes(call.layer)]
        last = max((call.layer for call in self.replies), default=1)
        read = [reference.call for reference in self._read(last) if reference.call is not None]
        is_streamed = answered is not None and answered == self.recipe.writer
        unpriced = (
            [f"price unknown, not counted against {self.till.name}: {', '.join(self.unpriced)}"]
            if self.unpriced
            else []
        )
        used = {number: passed.used for number, passed in self.passed.items()}
        metrics = measure(self.replies, used, answered, read, answers)
        paid = [reply for reply in self.replies.values() if not reply.reused]
        return Outcome(
            status=status,
            answer=text if text is not None else self.replies[answered].text if answered else "",
            replies=dict(sorted(self.replies.items())),
            metrics=metrics if is_streamed else replace(metrics, first_final_token_seconds=None),
            error=error,
            usage=sum((reply.usage for reply in paid), Usage(estimated=False)),
            cost=total_cost(reply.cost for reply in paid),
            seconds=seconds,
            notes=tuple(dict.fromkeys([*self.notes, *unpriced])),
        )


def _saved(calls: int) -> str:
    return f"{calls} call{'' if calls == 1 else 's'} saved"
