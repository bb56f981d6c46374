"""Totals over the kept conversations, by recipe, model, agent and month. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from moa_tui.stats.preferences import Preferences


SCHEMA = 1

Kind = Literal["recipes", "models", "agents", "months"]
KINDS: tuple[Kind, ...] = ("recipes", "models", "agents", "months")


@dataclass(frozen=True, slots=True)
class Group:
    """What one recipe, model, agent or month came to.

    Turns of a recipe or month are those sent; of a model or agent, those it had a part in. A turn that stands
    in several conversations, as it does after a fork, is counted once. `calls` are the requests that were
    sent: a reply kept from an earlier run counts no call, tokens, price or time again.

    `cost` is in US dollars and leaves out the `unpriced` calls, whose price is not known. `estimated` is how
    many calls' tokens the provider did not count. `unfinished` calls are written now, or moa-tui ended before
    they did. Times are medians in seconds: of a model's or agent's calls from their start, of a recipe's or
    month's turns from theirs to the final answer's first token and end. None is for nothing measured.

    `proposed` is how often an answer was asked of an agent before the last layer, `used` how often the next
    layer read it, `left_out` how often it was left out by hand, `taken` how often it was made the final
    answer by hand. `overlap` is the mean share of the final answer's phrases that stand in an answer used.
    """

    name: str
    turns: int
    calls: int
    prompt_tokens: int
    completion_tokens: int
    estimated: int
    cost: float
    unpriced: int
    failed: int
    partial: int
    stopped: int
    unfinished: int
    first_token_seconds: float | None
    seconds: float | None
    proposed: int
    used: int
    left_out: int
    taken: int
    overlap: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """What all conversations that are not deleted came to, since a time in Unix seconds or from the first on.

    Months are named `2025-06`, in local time and in their order; the others have the most calls first.
    """

    total: Group
    recipes: tuple[Group, ...]
    models: tuple[Group, ...]
    agents: tuple[Group, ...]
    months: tuple[Group, ...]
    since: float | None = None
    preferences: Preferences | None = None
    """Which recipes were preferred where several were compared; None where none were."""

    def groups(self, kind: Kind) -> tuple[Group, ...]:
        """Those of one kind."""
        return {
            "recipes": self.recipes,
            "models": self.models,
            "agents": self.agents,
            "months": self.months,
        }[kind]
