"""Totals over the stored conversations, by recipe, model, agent and month. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from moa_tui.stats.preferences import Preferences

SCHEMA = 1
"""The version of the JSON form of the figures."""

GroupKind = Literal["recipes", "models", "agents", "months"]
GROUP_KINDS: tuple[GroupKind, ...] = ("recipes", "models", "agents", "months")


@dataclass(frozen=True, slots=True)
class Group:
    """The totals of one recipe, model, agent or month.

    `turns` counts the turns sent with a recipe or in a month, or the turns in which a model or agent was
    called. A turn that belongs to several conversations, as it does after a fork, is counted once. `calls`
    counts the requests that were sent; a reply reused from an earlier run adds nothing.

    `cost` is in US dollars and leaves out the `unpriced` calls, whose price is unknown. `estimated` counts
    calls whose tokens the provider did not count. `cached_tokens` are the prompt tokens that providers read
    from their caches, `cache_write_tokens` those that they wrote to them. `unfinished` counts the calls that
    are running now, or that were running when moa-tui ended. `first_token_seconds` and `seconds` are medians
    of the times to the first token and to the end: for a model or agent, of its calls; for a recipe or month,
    of the final answers of its turns, from the start of the turn. None means that nothing was measured.

    `proposed` counts the answers asked of agents before the last layer, `used` those that the next layer
    read, `left_out` those left out by hand, `taken` those made the final answer by hand. `overlap` is the
    mean share of the final answer's phrases that also stand in an answer that was used.
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
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    local: int = 0
    """The calls that servers on this machine answered, which cost nothing."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The totals of all conversations that are not deleted, whole and by group.

    Months are named like `2025-06`, in local time and in their order; in the other tuples the group with the
    most calls comes first.
    """

    total: Group
    recipes: tuple[Group, ...]
    models: tuple[Group, ...]
    agents: tuple[Group, ...]
    months: tuple[Group, ...]
    since: float | None = None
    """The time in Unix seconds from which on turns are counted; None where all are."""
    preferences: Preferences | None = None
    """Which recipes were preferred where several were compared; None where none were."""

    def groups(self, kind: GroupKind) -> tuple[Group, ...]:
        """The groups of one kind."""
        return {
            "recipes": self.recipes,
            "models": self.models,
            "agents": self.agents,
            "months": self.months,
        }[kind]
