"""One conversation, and how a prompt in it becomes a run and a run becomes a turn."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from moa_tui.chat import changes, run_handle
from moa_tui.chat.comparison import Comparison
from moa_tui.chat.ledger import Account
from moa_tui.conversation import Conversation, Turn, history, path
from moa_tui.engine import events, layer_result, recipe_edit, run
from moa_tui.engine.layer import Layer
from moa_tui.engine.plan import plan, total_cost
from moa_tui.engine.recipe import Recipe
from moa_tui.engine.values import CallId, Usage
from moa_tui.errors import MoaTuiError, ModelError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from moa_tui.chat.backend import Backend
    from moa_tui.chat.changes import Rerun
    from moa_tui.engine.agent import Agent
    from moa_tui.engine.plan import Cap, Plan
    from moa_tui.engine.values import Message, Reply
    from moa_tui.gateway.answers import Answer
    from moa_tui.stats.preferences import Preference
    from moa_tui.store.recording import Recording

_NOTHING_KEPT: Mapping[CallId, Reply] = MappingProxyType({})


class Chat:
    """A conversation, and the recipe and system prompt of what is asked next.

    With a store, every turn is kept from the moment it is sent, unless the conversation is private. A chat
    belongs to the thread that made it: only that thread calls its methods and reads its attributes. What
    waits for the disk is a coroutine that hands values to another thread and takes its result here.
    """

    def __init__(
        self,
        backend: Backend,
        recipe: Recipe,
        system: str | None = None,
        *,
        private: bool = False,
        attended: bool = False,
        guided: bool = False,
    ) -> None:
        """`attended`: somebody is there to tick the points of a checklist.

        `guided`: what is asked has one before its last synthesis.
        """
        self.backend = backend
        self.recipe = recipe
        self.system = system
        self._private = private
        self.guided = guided
        self._conversation = Conversation()
        self._kept_in_private: Conversation | None = None
        """What of a private conversation is on disk: its turns from before it was private."""
        self._attended = attended
        self._guided_recipe: tuple[Recipe, Recipe] | None = None
        """The recipe that a checklist was last put into, and what came of it."""

    @property
    def conversation(self) -> Conversation:
        """The conversation as it is now; whoever sets it changes what is in view."""
        return self._conversation

    @conversation.setter
    def conversation(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._show_to_store()

    @property
    def private(self) -> bool:
        """True where what is sent stays in memory."""
        return self._private

    @private.setter
    def private(self, private: bool) -> None:
        if private and not self._private:
            self._kept_in_private = self._conversation
        self._private = private
        self._show_to_store()

    def show_from_disk(self, conversation: Conversation) -> None:
        """Have a conversation in view that is on disk as it is, whether or not it goes on in private."""
        self._kept_in_private = conversation
        self.conversation = conversation

    @property
    def kept(self) -> Conversation | None:
        """The conversation as far as it is to be on disk; None where nothing of it is."""
        if not self._private:
            return self._conversation
        kept = self._kept_in_private
        return kept if kept is not None and kept.id == self._conversation.id and kept.turns else None

    def _show_to_store(self) -> None:
        """Tell the store what to write anew where its file is lost."""
        if self.backend.store is not None:
            self.backend.store.set_in_view(self.kept)

    @property
    def turn(self) -> Turn | None:
        """The last turn of the branch in view."""
        return self.conversation.active

    @property
    def path(self) -> tuple[Turn, ...]:
        """The branch in view, from the beginning."""
        return path(self.turn) if self.turn is not None else ()

    @property
    def is_kept(self) -> bool:
        """True where what is sent is written to disk."""
        return self.backend.store is not None and not self.private

    # The recipe

    @property
    def asked_recipe(self) -> Recipe:
        """The recipe of what is asked next: with a checklist where that is wanted and can be."""
        if self.guided:
            with suppress(UsageError):
                return self.guided_recipe()
        return self.recipe

    def guided_recipe(self) -> Recipe:
        """The recipe in force with a checklist in it. Raises UsageError where it can have none."""
        if self._guided_recipe is None or self._guided_recipe[0] is not self.recipe:
            self._guided_recipe = (self.recipe, recipe_edit.with_checklist(self.recipe))
        return self._guided_recipe[1]

    def use_recipe(self, recipe: Recipe) -> None:
        """Answer by this recipe from now on."""
        self.recipe = recipe
        self.warm_up()

    def use_aggregator(
        self, model: str, *, api_base: str | None = None, extra: Mapping[str, object] | None = None
    ) -> None:
        """Let another model write the answers from now on. Raises UsageError."""
        self.use_recipe(recipe_edit.with_aggregator(self.recipe, model, api_base=api_base, extra=extra))

    def use_effort(self, word: str) -> None:
        """Have all agents think as much as `word` says from now on; `-` leaves that to the models.

        Raises UsageError for a word that names no effort.
        """
        self.use_recipe(recipe_edit.with_effort(self.recipe, recipe_edit.effort_named(word)))

    def warm_up(self) -> None:
        """Load what the recipe's first call will need, in the background."""
        if any(not agent.model.startswith("demo/") for agent in self.recipe.every_agent()):
            self.backend.engine.warm_up()

    # Runs

    def send(
        self, prompt: str, *, instead_of: Turn | None = None, amend: run.Amend | None = None
    ) -> run_handle.RunHandle:
        """Ask `prompt` behind the active turn, or as another branch in the place of a turn.

        `amend` may have the answer written once more. Raises MissingKeyError before any call.
        """
        return self._start(self._next_turn(prompt, instead_of), amend=amend)

    def aggregate_again(self) -> run_handle.RunHandle:
        """Aggregate the active turn anew by the recipe in force; its proposers are kept, not paid again.

        So are those that joined it later. Raises UsageError where there is nothing to keep, or the recipe in
        force is another with other proposers.
        """
        turn = self.turn
        if turn is None or turn.outcome is None:
            raise UsageError("there is no answer yet to write again")
        recipe = self.asked_recipe
        proposers = recipe_edit.proposers_by_layer(turn.recipe)
        if proposers != recipe_edit.proposers_by_layer(recipe) and self._was_changed_from(turn, recipe):
            recipe = recipe_edit.with_seats(
                turn.recipe, len(recipe.layers), recipe.listed_agents(len(recipe.layers))
            )
        if proposers != recipe_edit.proposers_by_layer(recipe):
            raise UsageError(
                f"recipe {self.recipe.name} has other proposers than {turn.recipe.name}, the answer's; "
                "/retry asks them all"
            )
        common_layers = recipe_edit.count_common_layers(turn.recipe, recipe)
        kept = {
            call: reply
            for call, reply in changes.whole_replies(turn.recipe, turn.outcome.replies).items()
            if call.layer <= common_layers
        }
        if not any(reply.status == "done" for reply in kept.values()):
            raise UsageError("no proposer's answer could be kept; /retry asks them all")
        return self._start(replace(self._next_turn(turn.prompt, turn), recipe=recipe), kept)

    def _was_changed_from(self, turn: Turn, recipe: Recipe) -> bool:
        """True where the turn began with the proposers of `recipe`, and some joined or were swapped since."""
        if len(turn.recipe.layers) != len(recipe.layers):
            return False
        before, now = _apart_from_effort(recipe), _apart_from_effort(turn.recipe)
        if len(before) == len(now) and all(map(_begins_with, now, before)):
            return True
        siblings = self.conversation.siblings(turn)
        return any(_apart_from_effort(sibling.recipe) == before for sibling in siblings)

    def rerun(self, turn: Turn, rerun: Rerun, *, over_budget: bool = False) -> run_handle.RunHandle:
        """Run what a change of `turn` leaves to be run, as another branch in its place.

        `over_budget` lets this run pass the budgets. Raises MissingKeyError before any call.
        """
        branch = replace(self._next_turn(turn.prompt, turn), recipe=rerun.recipe, system=turn.system)
        return self._start(branch, rerun.kept, over_budget=over_budget)

    def use_answer(self, call: CallId, turn: Turn | None = None) -> Turn:
        """Add a branch whose answer is one agent's of `turn`, the active one by default; nothing is run.

        Raises UsageError where that agent has no answer.
        """
        turn = turn or self.turn
        reply = turn.outcome.replies.get(call) if turn is not None and turn.outcome is not None else None
        if turn is None or turn.outcome is None or reply is None or not reply.text.strip():
            raise UsageError(f"{call} has no answer that could be used")
        is_whole = reply.status in ("done", "excluded") and reply.error is None
        outcome = replace(
            turn.outcome,
            answer=layer_result.answer_text(turn.recipe.layers[call.layer - 1], reply.text),
            status="done" if is_whole else "partial",
            error=reply.error,
            replies={call: replace(reply, reused=True) for call, reply in turn.outcome.replies.items()},
            usage=Usage(estimated=False),
            cost=0.0,
            notes=(*turn.outcome.notes, f"the answer is {call} {reply.agent}'s, taken by hand"),
        )
        branch = replace(self._next_turn(turn.prompt, turn), recipe=turn.recipe, system=turn.system)
        if (recording := self._recording(branch)) is not None:
            for replied, each in outcome.replies.items():
                recording.take(events.CallEnded(replied, each))
            recording.take(events.RunEnded(outcome))
        branch = replace(branch, outcome=outcome)
        self.conversation = self.conversation.with_turn(branch)
        return branch

    def compare(
        self, prompt: str, recipes: Sequence[Recipe], *, blind: bool = False, instead_of: Turn | None = None
    ) -> Comparison:
        """Ask `prompt` of several recipes at once, each a branch of its own in one place.

        `blind` puts them in an order drawn at random. Raises MissingKeyError before any call.
        """
        for recipe in recipes:
            self.backend.gateway.check_keys(recipe)
        runs: list[run_handle.RunHandle] = []
        try:
            for recipe in random.sample(recipes, len(recipes)) if blind else recipes:
                turn = replace(self._next_turn(prompt, instead_of), recipe=recipe)
                # Several checklists at once are nobody's to tick: all their points are kept.
                runs.append(self._start(turn, attended=False))
        except MoaTuiError:
            for started in runs:
                started.stop()
                started.withdraw()
            raise
        return Comparison(runs, record_choice=self.record_preference, is_blind=blind)

    def record_preference(self, preference: Preference) -> bool:
        """Write a choice among recipes down, unless the conversation is private; True where it was."""
        if self.backend.store is not None and self.is_kept:
            self.backend.store.prefer(preference)
        return self.is_kept

    def settle(self, ended: run_handle.RunHandle) -> Turn | None:
        """Make an ended run the active turn and return it; None where the run was stopped before it began.

        Raises MissingKeyError, or whatever bug ended the run.
        """
        try:
            turn = ended.result()
        finally:
            ended.withdraw()
        if turn is not None:
            self.conversation = self.conversation.with_turn(turn)
        return turn

    def settle_comparison(self, ended: Comparison) -> list[Turn]:
        """Add the turns of a comparison whose runs have all ended, its chosen one active; the turns."""
        turns, chosen = ended.turns()
        for each in ended.runs:
            each.withdraw()
        if chosen is not None:
            self.adopt_turns(turns, chosen)
        return turns

    def adopt_turns(self, turns: Sequence[Turn], active: Turn) -> None:
        """Add turns that are over to the conversation; `active` is the one it goes on from."""
        for turn in turns:
            self.conversation = self.conversation.with_turn(turn)
        self._activate(active)

    def choose(self, turn: Turn) -> None:
        """Look at another branch: the one through `turn` that was worked on last."""
        self._activate(self.conversation.newest_below(turn))

    def _activate(self, turn: Turn) -> None:
        self.conversation = replace(self.conversation, active=turn)
        if self.backend.store is not None and self.is_kept:
            self.backend.store.set_active(self.conversation.id, turn)

    # Costs

    @property
    def spent(self) -> float:
        """US dollars that the conversation has cost so far, every branch of it, unknown prices left out."""
        return self.backend.ledger.spent(self.conversation.id)

    async def caps(self) -> tuple[Cap, ...]:
        """The budgets that are set, as they stand now; the disk is asked on another thread."""
        return await asyncio.to_thread(self.backend.ledger.caps, self.conversation.id)

    async def plan(self, prompt: str, *, instead_of: Turn | None = None) -> Plan:
        """What sending `prompt` would take. Worked out on another thread, since it may read a price list."""
        messages = history(self._next_turn(prompt, instead_of))
        return await asyncio.to_thread(plan, self.asked_recipe, messages, self.backend.gateway.facts)

    async def price_of(self, turn: Turn, rerun: Rerun) -> float | None:
        """The most that a rerun of `turn` should cost, in US dollars; None where a price is unknown.

        Replies that are kept cost nothing and count as long as they are. Worked out on another thread.
        """
        branch = replace(self._next_turn(turn.prompt, turn), recipe=rerun.recipe, system=turn.system)
        facts = self.backend.gateway.facts
        expected = await asyncio.to_thread(plan, rerun.recipe, history(branch), facts, rerun.kept)
        return total_cost(
            call.cost
            for layer in expected.layers
            for index, call in enumerate(layer.calls, 1)
            if CallId(layer.number, index) not in rerun.kept
        )

    def answer_about_servers(self, servers: Mapping[str, str], answer: Answer) -> None:
        """Take what the person said about servers that an UntrustedServerError named. Raises FileError."""
        self.backend.gateway.answers.give(servers, answer)

    # Beside the conversation

    async def try_agent(self, agent: Agent, question: str) -> str:
        """One agent's answer to a question outside the conversation. Raises ModelError, MissingKeyError.

        It is paid from the conversation's budget and the day's, as a turn would be.
        """
        account = Account(self.backend.ledger, self.conversation.id, self.is_kept)
        return await asyncio.wrap_future(self.backend.engine.submit(self._ask_once(agent, question, account)))

    async def _ask_once(self, agent: Agent, question: str, account: Account) -> str:
        gateway = self.backend.gateway
        once = agent.model_copy(update={"count": 1})
        alone = Recipe(name="question to one model", layers=(Layer(agents=(once,)),))
        await gateway.prepare(alone)
        context = run.RunContext(
            facts=gateway.facts, endpoints=self.backend.endpoints, budgets=account.limits
        )
        messages: list[Message] = [{"role": "user", "content": question}]
        try:
            outcome = await run.run(alone, messages, gateway.stream, lambda _: None, context=context)
            for call, reply in outcome.replies.items():
                account.book_aside(call, reply)
        finally:
            account.release()
        # What a token limit has cut is an answer all the same.
        if outcome.error is not None and outcome.error.kind != "length":
            raise ModelError(outcome.error.kind, outcome.error.message, outcome.error.status_code)
        return outcome.answer

    # How a run begins

    def _next_turn(self, prompt: str, instead_of: Turn | None) -> Turn:
        """The turn that comes behind the active one, or in the place of another."""
        parent = self.turn if instead_of is None else instead_of.parent
        return Turn(prompt, self.asked_recipe, parent=parent, system=self.system)

    def _recording(self, turn: Turn) -> Recording | None:
        store = self.backend.store
        if store is None or self.private:
            return None
        store.hold(self.conversation.id)
        return store.record(self.conversation, turn)

    def _start(
        self,
        turn: Turn,
        kept: Mapping[CallId, Reply] = _NOTHING_KEPT,
        *,
        attended: bool | None = None,
        over_budget: bool = False,
        amend: run.Amend | None = None,
    ) -> run_handle.RunHandle:
        self.backend.gateway.check_keys(turn.recipe)
        is_attended = self._attended if attended is None else attended
        options = run_handle.RunOptions(kept, is_attended, over_budget, amend)
        return run_handle.RunHandle(turn, self.conversation.id, self.backend, self._recording(turn), options)


def _apart_from_effort(recipe: Recipe) -> list[tuple[Agent, ...]]:
    """The proposers of each layer, whose answers stay theirs when they are to think more or less."""
    return [
        tuple(map(recipe_edit.without_effort, agents)) for agents in recipe_edit.proposers_by_layer(recipe)
    ]


def _begins_with(agents: tuple[Agent, ...], beginning: tuple[Agent, ...]) -> bool:
    return agents[: len(beginning)] == beginning
