"""The budgets in the chat: how they stand, that one is nearly used up, and going on all the same."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from moa_tui import steering
from moa_tui.budget import cap_words
from moa_tui.errors import UsageError
from moa_tui.text.wording import money
from moa_tui.ui.session import Draft
from moa_tui.ui.steering_actions import SteeringActions

if TYPE_CHECKING:
    from moa_tui.conversation import Turn


class BudgetActions(SteeringActions):
    """What a person can do about what may be spent."""

    @property
    def _held_up(self) -> Turn | None:
        """The last turn, where a budget has stopped it."""
        turn = self.session.chat.turn
        error = turn.outcome.error if turn is not None and turn.outcome is not None else None
        stopped = error is not None and error.kind == "budget"
        return turn if stopped and self.session.running is None else None

    async def action_over_budget(self) -> None:
        await self._quietly(self.go_on_over_budget())

    async def go_on_over_budget(self) -> None:
        """Go on with the turn that a budget has stopped: this once, whatever it costs. Raises UsageError."""
        turn = self._held_up
        if turn is None:
            raise UsageError("no budget has stopped the last turn")
        self._idle()
        running = self.session.chat.steer(turn, steering.resume(turn), over_budget=True)
        self.session.draft = Draft("", "")
        await self.follow(running, instead_of=turn)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "over_budget":
            return self._held_up is not None
        return super().check_action(action, parameters)

    async def tell_cost(self) -> None:
        """What the conversation has taken so far, and what is left of the budgets."""
        session = self.session
        said = [f"{session.tokens:,} tokens, {money(session.spent)}; prices that are unknown are not in it"]
        said += [f"budget: {cap_words(cap)}" for cap in await asyncio.to_thread(session.chat.caps)]
        self.say("\n".join(said))
