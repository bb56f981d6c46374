"""What a bulk run may spend, over all of its runs, beside the budget of the day."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from moa_tui.chat.ledger import Account
from moa_tui.conversation import new_id
from moa_tui.engine.plan import Cap
from moa_tui.engine.values import paid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moa_tui.chat.ledger import Ledger
    from moa_tui.engine.values import CallId, Reply, Step


class BulkSpending:
    """Counts what the calls of a bulk run cost, in US dollars. May be used from any thread."""

    def __init__(self, ledger: Ledger, max_cost: float | None, paid_before: float = 0.0) -> None:
        """`paid_before` is what calls cost that an earlier start of the same bulk run has made."""
        self._ledger = ledger
        self._max_cost = max_cost
        self._lock = threading.Lock()
        self._paid = 0.0
        self._paid_before = paid_before
        self._held: dict[tuple[RunSpending, CallId], float] = {}

    @property
    def paid(self) -> float:
        """What was paid since the program began, unknown prices left out."""
        with self._lock:
            return self._paid

    def of_run(self) -> RunSpending:
        """What one of the runs may spend."""
        return RunSpending(self, Account(self._ledger, new_id(), is_kept=True))

    @property
    def is_limited(self) -> bool:
        """True where there is a budget."""
        return self._max_cost is not None or self._ledger.is_open

    def hold(self, run: RunSpending, prices: Mapping[CallId, float]) -> Cap | None:
        """Hold the price of each of these calls; the cap that this would pass, with nothing changed."""
        if self._max_cost is None or not (needed := sum(prices.values())):
            return None
        with self._lock:
            others = sum(
                price
                for (holder, call), price in self._held.items()
                if holder is not run or call not in prices
            )
            cap = Cap("batch", self._max_cost, self._paid_before + self._paid, others)
            if needed > cap.left:
                return cap
            self._held |= {(run, call): price for call, price in prices.items()}
        return None

    def let_go(self, run: RunSpending, call: CallId | None = None) -> None:
        """Hold nothing for a call, or for all calls of a run, any more."""
        with self._lock:
            for key in [key for key in self._held if key[0] is run and call in (None, key[1])]:
                del self._held[key]

    def count(self, cost: float) -> None:
        """Count what was paid."""
        with self._lock:
            self._paid += cost


class RunSpending:
    """What one run of a bulk run may spend: `engine.spending.Budgets`."""

    def __init__(self, together: BulkSpending, account: Account) -> None:
        self._together = together
        self._account = account
        self._booked: dict[CallId, float] = {}
        """What the requests of open calls have cost that have ended."""

    def reserve(self, prices: Mapping[CallId, float]) -> Cap | None:
        """As `Budgets.reserve`."""
        cap = self._together.hold(self, prices)
        return cap or self._within_day(self._account.reserve(prices))

    def reserve_now(self, prices: Mapping[CallId, float]) -> Cap | None:
        """As `Budgets.reserve_now`."""
        cap = self._together.hold(self, prices)
        return cap or self._within_day(self._account.reserve_now(prices))

    def _within_day(self, cap: Cap | None) -> Cap | None:
        if cap is not None:
            self._together.let_go(self)
        return cap

    def release(self) -> None:
        """As `Budgets.release`."""
        self._together.let_go(self)
        self._account.release()

    def book(self, call: CallId, reply: Reply) -> None:
        """Count what a call has cost; nothing is held for it any more."""
        self._together.let_go(self, call)
        if not reply.reused:
            self._together.count(paid([reply]).known_cost - self._booked.pop(call, 0.0))
        self._account.book_aside(call, reply)

    def book_step(self, call: CallId, step: Step) -> None:
        """Count what a request has cost of a call that goes on."""
        cost = step.cost or 0.0
        self._booked[call] = self._booked.get(call, 0.0) + cost
        self._together.count(cost)
        self._account.book_step(call, step)
