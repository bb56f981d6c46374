"""What may be spent, in a conversation and on a day, and what was."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Protocol

from moa_tui.engine.amounts import dollars
from moa_tui.engine.plan import Cap
from moa_tui.engine.values import paid
from moa_tui.errors import StoreError
from moa_tui.text.wording import money

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from moa_tui.engine.values import CallId, Reply, Step
    from moa_tui.settings.config import Budget

WARNING_SHARE = 0.8


def today() -> str:
    """The day as the person's clock has it, `2026-03-14`."""
    return date.today().isoformat()


class SpendingStore(Protocol):
    """Where the sum of a day's payments is kept: the store."""

    def paid_on(self, day: str) -> float:
        """US dollars paid on that day. Raises StoreError."""

    def last_paid_day(self) -> str | None:
        """The latest day on which anything was paid; None where nothing ever was. Raises StoreError."""

    def book_aside(self, day: str, cost: float) -> None:
        """Add US dollars, which were paid for no call of a turn, to a day. Does not wait."""


class Ledger:
    """Counts what every call cost, by conversation and by day.

    A day's sum holds what every moa-tui paid that keeps its conversations in the same place. What is not kept
    on disk counts for as long as the program runs. All methods may be called from any thread.
    """

    def __init__(self, budget: Budget, store: SpendingStore | None, day: Callable[[], str] = today) -> None:
        self.budget = budget
        self._store = store
        self._day = day
        self._lock = threading.Lock()
        self._by_conversation: defaultdict[str, float] = defaultdict(float)
        self._on_disk: defaultdict[str, float] = defaultdict(float)
        """By day, what this program has paid for conversations that are kept."""
        self._in_memory: defaultdict[str, float] = defaultdict(float)
        """By day, what it has paid for those that are not."""
        self._paid_before: dict[str, float] = {}
        """By day, what others had paid before anything of this program's was on disk."""
        self._stored: dict[str, float] = {}
        """By day, what the disk had when it was last asked."""
        self._held: dict[tuple[Account, CallId], float] = {}
        """What each open call may still cost."""
        self._booked: defaultdict[tuple[Account, CallId], float] = defaultdict(float)
        """What the requests of each open call have cost that have ended."""
        self._reserving = threading.Lock()

    @property
    def is_open(self) -> bool:
        """True where any budget is set."""
        return self.budget.conversation is not None or self.budget.day is not None

    def start_conversation(self, conversation_id: str, paid: float) -> None:
        """Count for a conversation from `paid` on, the US dollars that its turns have cost so far."""
        with self._lock:
            self._by_conversation[conversation_id] = paid

    def add(
        self,
        conversation_id: str,
        reply: Reply,
        *,
        is_kept: bool,
        held: tuple[Account, CallId] | None = None,
    ) -> None:
        """Count what a call cost, unless it was counted with an earlier run; nothing stays `held`."""
        cost = paid([reply]).known_cost
        with self._lock:
            if held is not None:
                self._held.pop(held, None)
                cost -= self._booked.pop(held, 0.0)
            self._count(conversation_id, cost, is_kept=is_kept)

    def add_step(self, account: Account, call: CallId, step: Step) -> None:
        """Count what a request has cost of a call that goes on; nothing stays held for it."""
        cost = dollars(step.cost) or 0.0
        with self._lock:
            self._held.pop((account, call), None)
            self._booked[account, call] += cost
            self._count(account.conversation_id, cost, is_kept=account.is_kept)

    def _count(self, conversation_id: str, cost: float, *, is_kept: bool) -> None:
        """Add to the sums what was paid; called with the lock held."""
        if cost:
            self._by_conversation[conversation_id] += cost
            (self._on_disk if is_kept else self._in_memory)[self._day()] += cost

    def store_aside(self, account: Account, reply: Reply) -> None:
        """Have the disk count what a call has cost that is in no turn."""
        cost = paid([reply]).known_cost
        if cost and account.is_kept and self._store is not None:
            self._store.book_aside(self._day(), cost)

    def spent(self, conversation_id: str) -> float:
        """US dollars that a conversation has cost, all its branches, unknown prices left out."""
        with self._lock:
            return self._by_conversation.get(conversation_id, 0.0)

    def reserve(
        self, account: Account, prices: Mapping[CallId, float], *, from_disk: bool = True
    ) -> Cap | None:
        """Hold the price of each call; the budget that this would pass, with nothing changed, or None.

        Waits for the disk, unless `from_disk` is False: then what others have paid counts as it was known.
        """
        needed = sum(prices.values())
        if from_disk and self.budget.day is not None:
            self.paid_today()  # Before the lock: nobody waits for another's look at the disk.
        # What is held is read before what is spent: a call that ends between the two counts twice, never not.
        with self._reserving:
            with self._lock:
                others = [
                    (holder.conversation_id, price)
                    for (holder, call), price in self._held.items()
                    if holder is not account or call not in prices
                ]
            held = {
                "conversation": sum(price for place, price in others if place == account.conversation_id),
                "day": sum(price for _, price in others),
            }
            caps = [
                replace(cap, held=held[cap.name])
                for cap in self.caps(account.conversation_id, from_disk=False)
            ]
            nearest = min(caps, key=lambda cap: cap.left, default=None)
            if nearest is not None and needed and needed > nearest.left:
                return nearest
            with self._lock:
                self._held |= {(account, call): price for call, price in prices.items()}
        return None

    def release(self, account: Account) -> None:
        """Hold nothing for `account` any more."""
        with self._lock:
            self._held = {key: price for key, price in self._held.items() if key[0] is not account}

    def paid_today(self, *, from_disk: bool = True) -> float:
        """US dollars, unknown prices left out. Waits for the disk, or goes by what it last said."""
        day = self._day()
        with self._lock:
            on_disk, in_memory = self._on_disk[day], self._in_memory[day]
            stored = self._stored.get(day, 0.0)
        if self._store is not None and from_disk:
            try:
                stored = self._store.paid_on(day)
            except StoreError:
                stored = 0.0  # The chat tells of the disk itself; what is known here still counts.
        with self._lock:
            self._stored[day] = stored
            before = self._paid_before.setdefault(day, max(0.0, stored - on_disk))
        # While the disk takes nothing, what this program paid is not there yet.
        return max(stored, before + on_disk) + in_memory

    def clock_warning(self) -> str | None:
        """A sentence where the clock stands before a day that was paid on; waits for the disk.

        The budget of a day is that of the clock's day, which may be a wrong one: it may have been used up or
        have room again by nothing but the clock.
        """
        if self.budget.day is None or self._store is None:
            return None
        try:
            last_day = self._store.last_paid_day()
        except StoreError:
            return None  # The chat tells of the disk itself.
        day = self._day()
        if last_day is None or last_day <= day:
            return None
        return (
            f"the clock says {day}, but calls were paid on {last_day}; the day's budget counts what was paid "
            f"on {day} alone. See that the clock is right"
        )

    def caps(self, conversation_id: str, *, from_disk: bool = True) -> tuple[Cap, ...]:
        """The budgets that are set, as they stand for that conversation now. Waits as `paid_today`."""
        caps = []
        if (total := self.budget.conversation) is not None:
            caps.append(Cap("conversation", total, self.spent(conversation_id)))
        if (total := self.budget.day) is not None:
            caps.append(Cap("day", total, self.paid_today(from_disk=from_disk)))
        return tuple(caps)


@dataclass(eq=False)
class Account:
    """What one run may spend, and where what it pays is counted."""

    ledger: Ledger
    conversation_id: str
    is_kept: bool
    """True where what it pays is on disk too."""

    @property
    def limits(self) -> Account | None:
        """The account as the budgets of a run; None where no budget is set."""
        return self if self.ledger.is_open else None

    def reserve(self, prices: Mapping[CallId, float]) -> Cap | None:
        """As `Ledger.reserve`."""
        return self.ledger.reserve(self, prices)

    def reserve_now(self, prices: Mapping[CallId, float]) -> Cap | None:
        """As `Ledger.reserve`, without a wait."""
        return self.ledger.reserve(self, prices, from_disk=False)

    def release(self) -> None:
        """As `Ledger.release`."""
        self.ledger.release(self)

    def book(self, call: CallId, reply: Reply) -> None:
        """Count what a call of the run has cost; nothing is held for it any more."""
        self.ledger.add(self.conversation_id, reply, is_kept=self.is_kept, held=(self, call))

    def book_step(self, call: CallId, step: Step) -> None:
        """Count what a request has cost of a call that goes on."""
        self.ledger.add_step(self, call, step)

    def book_aside(self, call: CallId, reply: Reply) -> None:
        """The same for a call that is in no turn, such as one for a title, which no recording keeps."""
        self.book(call, reply)
        self.ledger.store_aside(self, reply)


class CapWarnings:
    """Remembers which budgets a person was warned of, so that each warning comes once."""

    def __init__(self) -> None:
        self._warned: set[str] = set()

    def due(self, caps: Iterable[Cap]) -> list[Cap]:
        """Those nearly used up that nobody was warned of yet. A budget that had room again warns anew."""
        near = {cap.name: cap for cap in caps if is_near(cap)}
        due = [cap for name, cap in near.items() if name not in self._warned]
        self._warned = set(near)
        return due


def cap_words(cap: Cap) -> str:
    """`day 83 % of $5.00`."""
    return f"{cap.name} {cap.spent / cap.total:.0%} of {money(cap.total)}".replace("%", " %")


def is_near(cap: Cap) -> bool:
    """True where 80 % of the budget or more is spent."""
    return cap.spent >= WARNING_SHARE * cap.total
