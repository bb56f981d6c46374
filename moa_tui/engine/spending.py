"""The spending limits of a run, its own cap and the budgets beside it, checked before each request."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Protocol

from moa_tui.engine.layer_result import share_of
from moa_tui.engine.plan import INSTRUCTION_TOKENS, Cap, longest_answer, message_tokens
from moa_tui.engine.token_estimate import estimate_tokens
from moa_tui.engine.values import Failure, Usage, paid
from moa_tui.errors import ModelError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.call import Caller
    from moa_tui.engine.run_in_progress import RunInProgress
    from moa_tui.engine.tasks import Reference
    from moa_tui.engine.values import CallId, Message

_NUMBER = re.compile(r" \d+\Z")
# The name of the recipe's own cap in messages.
MAX_COST = "max_cost"


class Budgets(Protocol):
    """The budgets beside a run's own cap, which other runs spend from at the same time."""

    def reserve(self, prices: Mapping[CallId, float]) -> Cap | None:
        """Hold the price of each of these calls, in US dollars, in the place of what was held for it.

        Returns the budget that this would pass, with nothing changed; None where it passes none. May wait
        for the disk, so it is called on another thread.
        """

    def reserve_now(self, prices: Mapping[CallId, float]) -> Cap | None:
        """The same without a wait, by what is known of the disk from before."""

    def release(self) -> None:
        """Hold nothing for this run any more. Does not wait."""


class SpendingGuard:
    """Refuses layers and requests that would exceed a cap. All amounts are in US dollars.

    `budgets` are those beside the recipe's own cap; None means that there are none. What an open call may
    cost is held until it ends, so that nothing else is paid with it.
    """

    def __init__(self, progress: RunInProgress, caller: Caller, budgets: Budgets | None) -> None:
        self._progress = progress
        self._caller = caller
        self._max_cost = progress.recipe.limits.max_cost
        self._budgets = budgets
        self._held: dict[CallId, float] = {}
        """The most that each call may cost, from before it is asked; ended calls count by their replies."""
        self._booked: dict[CallId, float] = {}
        """What the requests of open calls have cost that have ended, while their calls go on."""
        self._asked: dict[CallId, tuple[str, str]] = {}
        """The agent that each call has asked last, by `_identity`."""
        self._has_own_caps = any(agent.max_cost is not None for agent in progress.recipe.every_agent())
        self._unpriced_agents: dict[str, None] = {}
        """The names of agents whose price is unknown, in order; only collected where there is a cap."""

    @property
    def is_active(self) -> bool:
        """True where there is a cap or a budget."""
        return self._max_cost is not None or self._budgets is not None or self._has_own_caps

    @property
    def notes(self) -> list[str]:
        """A note on the agents whose price is unknown, if there are any."""
        if not self._unpriced_agents:
            return []
        return [f"price unknown, not counted against {self._cap_name}: {', '.join(self._unpriced_agents)}"]

    @property
    def _cap_name(self) -> str:
        if self._max_cost is None and not self._has_own_caps:
            return "the budget"
        return MAX_COST if self._budgets is None else f"{MAX_COST} and the budget"

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
        self._held.clear()  # Of an earlier layer no call is open, and some may never have been asked.
        if self._budgets is not None:
            self._budgets.release()
        calls = [(call, agent) for call, agent in progress.seats(number) if call not in progress.reused]
        prices = {call: self._highest_price(call, agent, references) for call, agent in calls}
        return await self._refusal(prices, f"stopped before layer {number}")

    async def check_request(
        self, call: CallId, agent: Agent, messages: Sequence[Message], others: float
    ) -> None:
        """Hold the price of a request that is about to be sent. Raises ModelError where it exceeds a cap.

        `others` is what other requests of the same call cost, as those of an agent that failed.
        """
        if not self.is_active:
            return
        price = self._price(agent, messages)
        # A request that costs nothing passes no budget, even where all of it is spent.
        if not price:
            return
        most = max(self._held.get(call, 0.0), others + price)
        if (own := self._passed_own_cap(call, agent, others + price)) is not None:
            raise ModelError(own.kind, own.message)
        refusal = await self._refusal({call: most}, f"{agent.name} was not asked")
        if refusal is not None:
            raise ModelError(refusal.kind, refusal.message)

    def price_of_end(self, call: CallId, own_tokens: int) -> float:
        """The most that the last request of a call in steps should cost, which reads all answers in full.

        `own_tokens` is what the requests before it have asked and written besides those.
        """
        if not self.is_active:
            return 0.0
        recipe, replies = self._progress.recipe, self._progress.replies
        read = sum(
            estimate_tokens(replies[source].text) if source in replies else longest_answer(agent)
            for source, agent in self._progress.seats(call.layer - 1)
        )
        prompt = sum(map(message_tokens, self._caller.history)) + INSTRUCTION_TOKENS + read + own_tokens
        agent = recipe.lineup[call.layer - 1][call.index - 1]
        facts = map(self._caller.facts, recipe.candidates(call.layer, agent))
        costs = [
            each.cost(Usage(prompt + estimate_tokens(agent.system or ""), each.most_written(agent)))
            for each in facts
        ]
        return max(cost or 0.0 for cost in costs)

    def book_step(self, call: CallId, cost: float) -> None:
        """Count what a request of a call has cost that goes on; the budgets are told of it by its event."""
        self._held.pop(call, None)
        self._booked[call] = self._booked.get(call, 0.0) + cost

    def admit(self, calls: Sequence[tuple[CallId, Agent]], references: Sequence[Reference]) -> None:
        """Hold the price of `calls` that join the current layer. Raises UsageError where it exceeds a cap."""
        if not self.is_active:
            return
        prices = {call: self._highest_price(call, agent, references) for call, agent in calls}
        price = sum(prices.values())
        if not price:
            return
        if self._passed_cap(prices) is not None or (
            self._budgets is not None and self._budgets.reserve_now(prices) is not None
        ):
            raise UsageError(f"up to ${price:.4f} more would pass what may still be spent")
        self._held |= prices

    async def _refusal(self, prices: Mapping[CallId, float], what: str) -> Failure | None:
        """Hold `prices`, or return the reason, which begins with `what`, why they may not be paid."""
        expected = sum(prices.values())
        # Calls that cost nothing exceed no budget, even where all of it is spent.
        if not expected:
            return None
        if (cap := self._passed_cap(prices)) is not None:
            amounts = f"${cap.spent:.4f} spent{_held_words(cap)} and up to ${expected:.4f} to come"
            return Failure("max_cost", f"{what}: {amounts} would pass max_cost ${cap.total:g}")
        held_before = dict(self._held)
        self._held |= prices  # Before the wait, in which other calls of the run may be checked.
        if self._budgets is None:
            return None
        cap = await asyncio.to_thread(self._budgets.reserve, prices)
        if cap is None:
            return None
        for call in prices:
            self._held.pop(call, None)
            if call in held_before:
                self._held[call] = held_before[call]
        return Failure(
            "budget",
            f"{what}: ${cap.spent:.4f} of the {cap.name}'s budget of ${cap.total:g} are spent"
            f"{_held_words(cap)}, and up to ${expected:.4f} to come would pass it",
        )

    def _passed_own_cap(self, call: CallId, agent: Agent, most: float) -> Failure | None:
        """The reason why an agent's own cap keeps it from being asked for up to `most`; None where it may be.

        A call that may be asked counts from then on, with the most that it may cost until it is over.
        """
        if agent.max_cost is not None:
            replies, own = self._progress.replies, self._identity(agent.name, agent.model)
            ended = [reply for reply in replies.values() if self._identity(reply.agent, reply.model) == own]
            held = sum(
                self._held.get(other, 0.0) + self._booked.get(other, 0.0)
                for other, identity in self._asked.items()
                if identity == own and other != call and other not in replies
            )
            cap = Cap(MAX_COST, agent.max_cost, paid(ended).known_cost, held)
            if most > cap.left:
                return Failure(
                    "max_cost",
                    f"{agent.name} was not asked: ${cap.spent:.4f} spent{_held_words(cap)} and up to "
                    f"${most:.4f} to come would pass its own max_cost ${cap.total:g}",
                )
        self._asked[call] = self._identity(agent.name, agent.model)
        return None

    def _identity(self, name: str, model: str) -> tuple[str, str]:
        """The name and model of an agent, without the number by which a recipe tells its calls apart."""
        # Two agents may well be called "draft 1" and "draft 2".
        return (name if name in self._progress.recipe.written_names else _NUMBER.sub("", name)), model

    def _passed_cap(self, prices: Mapping[CallId, float]) -> Cap | None:
        """The recipe's own cap where `prices` would pass it, with what is held for other calls."""
        if self._max_cost is None:
            return None
        held = sum(
            price
            for call, price in self._held.items()
            if call not in prices and call not in self._progress.replies
        )
        replies = self._progress.replies
        booked = sum(cost for call, cost in self._booked.items() if call not in replies)
        cap = Cap(MAX_COST, self._max_cost, paid(replies.values()).known_cost + booked, held)
        return cap if sum(prices.values()) > cap.left else None

    def _highest_price(self, call: CallId, agent: Agent, references: Sequence[Reference]) -> float:
        """The most that a call should cost; an unknown price counts as nothing and is noted."""
        recipe = self._progress.recipe
        layer = recipe.layers[call.layer - 1]
        shown = self._expected_references(call, references)
        return max(
            self._price(candidate, self._caller.prepare(call, layer, candidate, shown).messages)
            for candidate in recipe.candidates(call.layer, agent)
        )

    def _price(self, agent: Agent, messages: Sequence[Message]) -> float:
        """The most that one request should cost; an unknown price counts as nothing and is noted."""
        facts = self._caller.facts(agent)
        cost = facts.cost(Usage(sum(map(message_tokens, messages)), facts.most_written(agent)))
        if cost is None:
            self._unpriced_agents[agent.name] = None
        return cost or 0.0

    def _expected_references(self, call: CallId, references: Sequence[Reference]) -> Sequence[Reference]:
        """The references that a call will be shown, as far as can be known before its layer begins."""
        recipe = self._progress.recipe
        layer, seats = recipe.layers[call.layer - 1], len(recipe.lineup[call.layer - 1])
        if layer.window is not None:
            return sorted(references, key=lambda reference: len(reference.text))[-layer.window.size :]
        return share_of(call, layer, seats, self._progress.prompt, references)[0]


def _held_words(cap: Cap) -> str:
    return f", ${cap.held:.4f} held for open calls" if cap.held else ""
