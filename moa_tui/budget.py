"""What may be spent, in a conversation and on a day, and what was."""

from __future__ import annotations

import threading
from collections import defaultdict
from datetime import date
from typing import TYPE_CHECKING, Protocol

from moa_tui.engine.plan import Cap
from moa_tui.errors import StoreError
from moa_tui.text.wording import money

if TYPE_CHECKING:
    from collections.abc import Callable

    from moa_tui.config import Budget
    from moa_tui.engine.events import Reply

WARNING_SHARE = 0.8


def today() -> str:
    """The day as the person's clock has it, `2026-03-14`."""
    return date.today().isoformat()


class Kept(Protocol):
    """Where what was paid is kept: the store."""

    def paid_on(self, day: str) -> float:
        """US dollars paid on that day. Raises StoreError."""


class Ledger:
    """What was paid today, by this moa-tui and every other that keeps its conversations in the same place.

    What is not kept on disk counts for as long as the program runs. Thread-safe; `caps` waits for the disk.
    """

    def __init__(self, budget: Budget, store: Kept | None, day: Callable[[], str] = today) -> None:
        self.budget = budget
        self._store = store
        self._day = day
        self._lock = threading.Lock()
        self._kept: defaultdict[str, float] = defaultdict(float)
        self._not_kept: defaultdict[str, float] = defaultdict(float)
        self._before: dict[str, float] = {}
        """What others had paid on a day, before anything of this program's was on disk."""

    @property
    def is_open(self) -> bool:
        """Whether any budget is set."""
        return self.budget.conversation is not None or self.budget.day is not None

    def took(self, reply: Reply, *, kept: bool) -> None:
        """Count what a call cost, unless that was counted with an earlier run."""
        if reply.reused or not reply.cost:
            return
        with self._lock:
            (self._kept if kept else self._not_kept)[self._day()] += reply.cost

    def paid_today(self) -> float:
        """US dollars, unknown prices left out."""
        day = self._day()
        with self._lock:
            kept, not_kept = self._kept[day], self._not_kept[day]
        on_disk = 0.0
        if self._store is not None:
            try:
                on_disk = self._store.paid_on(day)
            except StoreError:
                on_disk = 0.0  # The chat tells of the disk itself; what is known here still counts.
        with self._lock:
            before = self._before.setdefault(day, max(0.0, on_disk - kept))
        # While the disk takes nothing, what this program paid is not there yet.
        return max(on_disk, before + kept) + not_kept

    def caps(self, conversation: float) -> tuple[Cap, ...]:
        """The budgets that are set, as they stand; `conversation` is what that has cost so far."""
        found = []
        if (total := self.budget.conversation) is not None:
            found.append(Cap("conversation", total, conversation))
        if (total := self.budget.day) is not None:
            found.append(Cap("day", total, self.paid_today()))
        return tuple(found)


def cap_words(cap: Cap) -> str:
    """`day 83 % of $5.00`."""
    return f"{cap.name} {cap.spent / cap.total:.0%} of {money(cap.total)}".replace("%", " %")


def is_near(cap: Cap) -> bool:
    """Whether 80 % of it or more is spent."""
    return cap.spent >= WARNING_SHARE * cap.total
