"""What a person can do in a conversation, whether on a screen or from a script."""

from __future__ import annotations

import asyncio
import queue
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from moa_tui.conversation import Turn, history
from moa_tui.engine.limits import RunControl
from moa_tui.engine.plan import plan
from moa_tui.engine.recipe import Layer, Recipe
from moa_tui.engine.run import run
from moa_tui.errors import ModelError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future

    from moa_tui.engine.events import CallId, Event, Outcome, Reply
    from moa_tui.engine.plan import Plan
    from moa_tui.engine.recipe import Agent
    from moa_tui.gateway.models import Gateway
    from moa_tui.gateway.thread import EngineThread


class Running:
    """A turn that is being answered on the engine's thread.

    `events` may be read from any one thread: every event of the run in order, then None, whether the run
    ended, failed or was cancelled.
    """

    def __init__(
        self,
        turn: Turn,
        system: str | None,
        gateway: Gateway,
        engine: EngineThread,
        kept: Mapping[CallId, Reply] | None = None,
    ) -> None:
        self.turn = turn
        self._kept = kept or {}
        self.events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._control = RunControl()
        self._began = threading.Event()
        self._future: Future[Outcome] = engine.submit(self._answer(turn, system, gateway))
        self._future.add_done_callback(lambda _: self.events.put(None))

    async def _answer(self, turn: Turn, system: str | None, gateway: Gateway) -> Outcome:
        await gateway.prepare(turn.recipe)
        self._began.set()
        return await run(
            turn.recipe,
            history(turn, system),
            gateway.stream,
            self.events.put,
            kept=self._kept,
            control=self._control,
            facts=gateway.facts,
        )

    def stop(self) -> None:
        """Stop the run; what was received is kept."""
        if self._began.is_set():
            self._control.stop()
        else:
            self._future.cancel()

    def stop_call(self, call: CallId) -> None:
        """Stop one call; the run goes on without it."""
        self._control.stop_call(call)

    def proceed(self) -> None:
        """Go on with the answers that are ready."""
        self._control.proceed()

    def result(self) -> Turn | None:
        """The turn with its outcome, once `events` has given None; None where it was stopped before it began.

        Raises MissingKeyError, or whatever bug ended the run.
        """
        if self._future.cancelled():
            return None
        return replace(self.turn, outcome=self._future.result())


class Chat:
    """One conversation: its active turn, and the recipe and system prompt of what is asked next."""

    def __init__(
        self, gateway: Gateway, engine: EngineThread, recipe: Recipe, system: str | None = None
    ) -> None:
        self.recipe = recipe
        self.system = system
        self.turn: Turn | None = None
        self._gateway = gateway
        self._engine = engine

    def send(self, prompt: str, *, instead: bool = False) -> Running:
        """Ask `prompt` behind the active turn, or instead of it. Raises MissingKeyError before any call."""
        self._gateway.check_keys(self.recipe)
        return self._run(Turn(prompt, self.recipe, parent=self._parent(instead)))

    def again(self) -> Running:
        """Aggregate the active turn anew by the recipe in force; its proposers are kept, not paid again.

        Raises UsageError where there is nothing to keep, or the recipe in force has other proposers.
        """
        turn = self.turn
        if turn is None or turn.outcome is None:
            raise UsageError("there is no answer yet to write again")
        last = len(turn.recipe.layers)
        kept = {call: reply for call, reply in turn.outcome.replies.items() if call.layer < last}
        if turn.recipe.lineup[:-1] != self.recipe.lineup[:-1]:
            raise UsageError(
                f"recipe {self.recipe.name} has other proposers than {turn.recipe.name}, the answer's; "
                "/retry asks them all"
            )
        if not any(reply.status == "done" for reply in kept.values()):
            raise UsageError("no proposer's answer could be kept; /retry asks them all")
        self._gateway.check_keys(self.recipe)
        kept = {call: reply for call, reply in kept.items() if reply.status == "done"}
        return self._run(Turn(turn.prompt, self.recipe, parent=turn.parent), kept)

    def use(self, call: CallId) -> Turn:
        """Take one agent's answer as the active turn's. Raises UsageError where there is none to take."""
        turn = self.turn
        reply = turn.outcome.replies.get(call) if turn is not None and turn.outcome is not None else None
        if turn is None or turn.outcome is None or reply is None or not reply.text.strip():
            raise UsageError(f"{call} has no answer that could be used")
        note = f"the answer is {call} {reply.agent}'s, taken by hand"
        outcome = replace(
            turn.outcome, answer=reply.text, status="done", error=None, notes=(*turn.outcome.notes, note)
        )
        self.turn = replace(turn, outcome=outcome)
        return self.turn

    def new(self) -> None:
        """Begin another conversation, with the same recipe and system prompt."""
        self.turn = None

    def plan(self, prompt: str, *, instead: bool = False) -> Plan:
        """What sending `prompt` would take. The first call reads a price list: not on a screen's thread."""
        messages = history(Turn(prompt, self.recipe, parent=self._parent(instead)), self.system)
        return plan(self.recipe, messages, self._gateway.facts)

    async def try_agent(self, agent: Agent, question: str) -> str:
        """One agent's answer to a question outside the conversation. Raises ModelError, MissingKeyError."""
        return await asyncio.wrap_future(self._engine.submit(self._ask_once(agent, question)))

    async def _ask_once(self, agent: Agent, question: str) -> str:
        alone = Recipe(name="try once", layers=(Layer(agents=(agent.model_copy(update={"count": 1}),)),))
        await self._gateway.prepare(alone)
        outcome = await run(
            alone, [{"role": "user", "content": question}], self._gateway.stream, lambda _: None
        )
        if outcome.error is not None:
            raise ModelError(outcome.error.kind, outcome.error.message, outcome.error.status_code)
        return outcome.answer

    def warm_up(self) -> None:
        """Load what the recipe's first call will need, in the background."""
        if any(not agent.model.startswith("demo/") for agent in self.recipe.every_agent()):
            self._engine.warm_up()

    def settle(self, running: Running) -> Turn | None:
        """Make the ended run the active turn; as `Running.result`."""
        turn = running.result()
        if turn is not None:
            self.turn = turn
        return turn

    def _parent(self, instead: bool) -> Turn | None:
        return self.turn.parent if instead and self.turn is not None else self.turn

    def _run(self, turn: Turn, kept: Mapping[CallId, Reply] | None = None) -> Running:
        return Running(turn, self.system, self._gateway, self._engine, kept)
