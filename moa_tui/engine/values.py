"""The values of a run. Times are in seconds since its start, costs in US dollars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from moa_tui.engine.events import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from moa_tui.engine.events import Reply


@dataclass(frozen=True, slots=True)
class Paid:
    """What replies took together: tokens, and US dollars."""

    usage: Usage
    known_cost: float
    """The sum of the costs that are known; a reply of unknown cost is left out."""
    cost: float | None
    """The sum of all costs; None where the cost of a reply is unknown."""

    @property
    def tokens(self) -> int:
        """Prompt and completion tokens together."""
        return self.usage.prompt_tokens + self.usage.completion_tokens


def paid(replies: Iterable[Reply]) -> Paid:
    """The usage and cost of `replies` together, without those that were reused from an earlier run.

    A reused reply was paid for in that run. Of no replies at all, everything is zero and known.
    """
    usage = Usage(estimated=False)
    known_cost = 0.0
    is_known = True
    for reply in replies:
        if reply.reused:
            continue
        usage += reply.usage
        if reply.cost is None:
            is_known = False
        else:
            known_cost += reply.cost
    return Paid(usage, known_cost, known_cost if is_known else None)
