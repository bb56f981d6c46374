"""The spending limits of a run: the recipe's own cap and the budgets beside it, checked before each layer."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from moa_tui.engine.layer_result import share_of
from moa_tui.engine.plan import Cap, message_tokens
from moa_tui.engine.values import Failure, Usage, paid
from moa_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.call import Caller
    from moa_tui.engine.run_in_progress import RunInProgress
    from moa_tui.engine.tasks import Reference
    from moa_tui.engine.values import CallId

# The name of the recipe's own cap in messages.
MAX_COST = "max_cost"


class SpendingGuard:
    """Refuses layers and calls that would exceed a cap. All amounts are in US dollars.

    `caps` returns the budgets beside the recipe's own cap; None means that there are none. It is called on
    another thread before each layer, since what is spent elsewhere counts too.
    """

    def __init__(
        self, progress: RunInProgress, caller: Caller, caps: Callable[[], Sequence[Cap]] | None
    ) -> None:
        self._progress = progress
        self._caller = caller
        self._max_cost = progress.recipe.limits.max_cost
        self._caps = caps
        self._left = math.inf
        """The amount that calls which join the current layer may still cost."""
        self._unpriced_agents: dict[str, None] = {}
        """The names of agents whose price is unknown, in order; only collected where there is a cap."""

    @property
    def is_active(self) -> bool:
        """True where there is a cap or a budget."""
        return self._max_cost is not None or self._caps is not None

    @property
    def notes(self) -> list[str]:
        """A note on the agents whose price is unknown, if there are any."""
        if not self._unpriced_agents:
            return []
        return [f"price unknown, not counted against {self._cap_name}: {', '.join(self._unpriced_agents)}"]

    @property
    def _cap_name(self) -> str:
        return MAX_COST if self._max_cost is not None else "the budget"

    async def refusal(self, number: int, references: Sequence[Reference]) -> Failure | None:
        """The reason why layer `number` must not be called on `references`; None where it may be.

        Calls of unknown cost count as nothing, and a note names them.
        """
        if not self.is_active:
            return None
        progress = self._progress
        for call, reply in progress.replies.items():
            if reply.cost is None and reply.agent not in self._unpriced_agents:
                progress.notes.append(
                    f"{call} {reply.agent}: cost unknown, not counted against {self._cap_name}"
                )
        calls = [(call, agent) for call, agent in progress.seats(number) if call not in progress.reused]
        expected = sum(self._highest_price(call, agent, references) for call, agent in calls)
        spent = paid(progress.replies.values()).known_cost
        return await self._refusal(number, expected, spent)

    async def _refusal(self, number: int, expected: float, spent: float) -> Failure | None:
        """The reason why a layer that may cost `expected` after `spent` must not be called, or None."""
        caps = [] if self._caps is None else list(await asyncio.to_thread(self._caps))
        if self._max_cost is not None:
            caps.append(Cap(MAX_COST, self._max_cost, spent))
        if not caps:
            return None
        nearest = min(caps, key=lambda cap: cap.left)
        self._left = nearest.left - expected
        # Calls that cost nothing exceed no budget, even where all of it is spent.
        if self._left >= 0 or not expected:
            return None
        if nearest.name == MAX_COST:
            amounts = f"${nearest.spent:.4f} spent and up to ${expected:.4f} to come"
            why = f"{amounts} would pass max_cost ${nearest.total:g}"
            return Failure("max_cost", f"stopped before layer {number}: {why}")
        why = (
            f"${nearest.spent:.4f} of the {nearest.name}'s budget of ${nearest.total:g} are spent, and up to "
            f"${expected:.4f} to come would pass it"
        )
        return Failure("budget", f"stopped before layer {number}: {why}")

    def admit(self, calls: Sequence[tuple[CallId, Agent]], references: Sequence[Reference]) -> None:
        """Count the cost of `calls` that join the current layer. Raises UsageError where it exceeds a cap."""
        if not self.is_active:
            return
        price = sum(self._highest_price(call, agent, references) for call, agent in calls)
        if price and price > self._left:
            raise UsageError(f"up to ${price:.4f} more would pass what may still be spent")
        self._left -= price

    def _highest_price(self, call: CallId, agent: Agent, references: Sequence[Reference]) -> float:
        """The most that a call should cost; an unknown price counts as nothing and is noted."""
        recipe = self._progress.recipe
        layer = recipe.layers[call.layer - 1]
        shown = self._expected_references(call, references)
        costs = []
        for candidate in recipe.candidates(call.layer, agent):
            prompt = sum(map(message_tokens, self._caller.prepare(call, layer, candidate, shown).messages))
            facts = self._caller.facts(candidate)
            cost = facts.cost(Usage(prompt, facts.most_written(candidate)))
            if cost is None:
                self._unpriced_agents[candidate.name] = None
            costs.append(cost or 0.0)
        return max(costs)

    def _expected_references(self, call: CallId, references: Sequence[Reference]) -> Sequence[Reference]:
        """The references that a call will be shown, as far as can be known before its layer begins."""
        recipe = self._progress.recipe
        layer, seats = recipe.layers[call.layer - 1], len(recipe.lineup[call.layer - 1])
        if layer.window is not None:
            return references[: layer.window.size]
        return share_of(call, layer, seats, self._progress.prompt, references)[0]
