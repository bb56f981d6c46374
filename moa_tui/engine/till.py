"""What a run may spend: the recipe's own cap and the budgets around it, looked at before each layer."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from moa_tui.engine.events import Failure
from moa_tui.engine.plan import Cap
from moa_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# How the recipe's own cap is called in what is said of it.
MAX_COST = "max_cost"


class Till:
    """Says before each layer whether it may be paid. `caps` is asked on another thread, anew each time."""

    def __init__(self, max_cost: float | None, caps: Callable[[], Sequence[Cap]] | None) -> None:
        self._max_cost = max_cost
        self._caps = caps
        self._room = math.inf

    @property
    def is_open(self) -> bool:
        """Whether there is any cap to keep to."""
        return self._max_cost is not None or self._caps is not None

    @property
    def name(self) -> str:
        """What unknown prices are not counted against."""
        return MAX_COST if self._max_cost is not None else "the budget"

    async def refuses(self, number: int, expected: float, spent: float) -> Failure | None:
        """Why layer `number` may not be called, which takes `expected` US dollars at most, if so.

        `spent` is what the run has cost so far.
        """
        caps = [] if self._caps is None else list(await asyncio.to_thread(self._caps))
        if self._max_cost is not None:
            caps.append(Cap(MAX_COST, self._max_cost, spent))
        if not caps:
            return None
        nearest = min(caps, key=lambda cap: cap.left)
        self._room = nearest.left - expected
        # What costs nothing can pass no budget, however much of it is gone.
        if self._room >= 0 or not expected:
            return None
        if nearest.name == MAX_COST:
            why = f"would pass max_cost ${nearest.total:g}"
            said = f"${nearest.spent:.4f} spent and up to ${expected:.4f} to come {why}"
            return Failure("max_cost", f"stopped before layer {number}: {said}")
        said = (
            f"${nearest.spent:.4f} of the {nearest.name}'s budget of ${nearest.total:g} are spent, and up to "
            f"${expected:.4f} to come would pass it"
        )
        return Failure("budget", f"stopped before layer {number}: {said}")

    def take(self, price: float) -> None:
        """Let one more call join the layer at work. Raises UsageError where that may not be paid."""
        if price and price > self._room:
            raise UsageError(f"up to ${price:.4f} more would pass what may still be spent")
        self._room -= price
