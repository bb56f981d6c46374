"""What a person can do in a conversation, whether on a screen or from a script."""

from __future__ import annotations

import queue
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from moa_tui.conversation import Turn, history
from moa_tui.engine.limits import RunControl
from moa_tui.engine.run import run

if TYPE_CHECKING:
    from concurrent.futures import Future

    from moa_tui.engine.events import CallId, Event, Outcome
    from moa_tui.engine.recipe import Recipe
    from moa_tui.gateway.models import Gateway
    from moa_tui.gateway.thread import EngineThread


class Running:
    """A turn that is being answered on the engine's thread.

    `events` may be read from any one thread: every event of the run in order, then None, whether the run
    ended, failed or was cancelled.
    """

    def __init__(self, turn: Turn, system: str | None, gateway: Gateway, engine: EngineThread) -> None:
        self.turn = turn
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

    def send(self, prompt: str) -> Running:
        """Ask `prompt` behind the active turn. Raises MissingKeyError before any call is made."""
        self._gateway.check_keys(self.recipe)
        turn = Turn(prompt, self.recipe, parent=self.turn)
        return Running(turn, self.system, self._gateway, self._engine)

    def settle(self, running: Running) -> Turn | None:
        """Make the ended run the active turn; as `Running.result`."""
        turn = running.result()
        if turn is not None:
            self.turn = turn
        return turn
