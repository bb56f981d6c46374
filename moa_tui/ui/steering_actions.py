"""What a person can change in a turn that is over, on the chat screen: one agent's part in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from moa_tui import steering
from moa_tui.errors import MoaTuiError, UsageError
from moa_tui.ui.chat_actions import ChatActions, call_named
from moa_tui.ui.model_screen import ModelScreen
from moa_tui.ui.session import Draft

if TYPE_CHECKING:
    from collections.abc import Callable

    from moa_tui.choices import ModelChoice
    from moa_tui.conversation import Turn
    from moa_tui.engine.events import CallId
    from moa_tui.ui.agent_pane import AgentPane
    from moa_tui.ui.run_state import RunState


class SteeringActions(ChatActions):
    """The actions that run part of a turn anew, everything upstream of the change kept."""

    async def on_agent_pane_steer(self, event: AgentPane.Steer) -> None:
        run = self.panel.run
        if run is None:
            return
        try:
            await self._steer_as_told(run, event.call, event.what)
        except MoaTuiError as error:
            self.complain(error)

    async def _steer_as_told(self, run: RunState, call: CallId, what: str) -> None:
        turn = self._turn_of(run)
        match what:
            case "retry":
                await self.steer(turn, steering.retry(turn, call))
            case "leave out":
                await self.steer(turn, steering.leave_out(turn, call))
            case "use":
                await self.use_answer(call, turn)
            case "model":
                self.app.push_screen(ModelScreen(self.choices), self._swapper(turn, call))

    def _swapper(self, turn: Turn, call: CallId) -> Callable[[ModelChoice | None], None]:
        def swap(choice: ModelChoice | None) -> None:
            if choice is not None:
                changes: dict[str, object] = {"model": choice.name, "name": "", "api_base": choice.api_base}
                changes |= {"extra": dict(choice.extra), "fallback": (), "api_key_env": None}
                self.run_worker(self._quietly(self._swap(turn, call, changes)), group="steer", exclusive=True)

        return swap

    async def _swap(self, turn: Turn, call: CallId, changes: dict[str, object]) -> None:
        await self.steer(turn, steering.swap(turn, call, changes))

    async def steer(self, turn: Turn, change: steering.Change) -> None:
        """Run what a change of `turn` leaves to be run. Raises MoaTuiError."""
        self._idle()
        running = self.session.chat.steer(turn, change)
        self.session.draft = Draft("", "")
        await self.follow(running, instead_of=turn)

    def _turn_of(self, run: RunState) -> Turn:
        """The turn whose panes are open. Raises UsageError."""
        self._idle()
        turn = self.transcript.turn_of(run)
        found = next((one for one in self.session.chat.path if turn is not None and one.id == turn.id), None)
        if found is None:
            raise UsageError("these panes are of a turn that is not in the conversation any more")
        return found

    async def steer_last(self, what: str, words: str) -> None:
        """As the slash commands have it: an agent of the last turn, and what is said of it."""
        self._idle()
        turn, run = self.session.chat.turn, self.transcript.last_run
        if turn is None or run is None:
            raise UsageError("there is no answer yet")
        name, _, rest = words.partition(" ")
        if what == "propose":
            await self.steer(turn, steering.propose(turn, words))
            return
        call = call_named(run, name if "." in name else f"{run.proposing}.{name}")
        match what:
            case "retry":
                await self.steer(turn, steering.retry(turn, call))
            case "leave out":
                await self.steer(turn, steering.leave_out(turn, call))
            case "amend":
                await self.steer(turn, steering.amend(turn, call, rest))
            case "swap":
                await self.steer(turn, steering.swap(turn, call, swap_words(rest)))


def swap_words(words: str) -> dict[str, object]:
    """`MODEL`, `temperature=0.3`, or both: what to change of an agent. Raises UsageError."""
    changes: dict[str, object] = {}
    for word in words.split():
        if match := re.fullmatch(r"temperature=(\d+(?:\.\d+)?)", word):
            changes["temperature"] = float(match[1])
        elif "=" in word or "model" in changes:
            raise UsageError("/swap N MODEL, /swap N temperature=0.3, or both")
        else:
            changes |= {"model": word, "name": "", "fallback": (), "api_base": None, "api_key_env": None}
            changes["extra"] = {}
    if not changes:
        raise UsageError("another model or temperature is needed: /swap 2 gpt-6-luna temperature=0.3")
    return changes
