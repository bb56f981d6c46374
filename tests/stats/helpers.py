"""Figures made to measure."""

from __future__ import annotations

from typing import Any

from moa_tui.stats.figures import Figures, Group


def a_group(name: str = "moa", calls: int = 70, **more: Any) -> Group:
    """Ten turns of seven calls for half a dollar, unless `more` says otherwise."""
    values: dict[str, Any] = {
        "turns": 10,
        "prompt_tokens": 28_000,
        "completion_tokens": 24_500,
        "estimated": 0,
        "cost": 0.5,
        "unpriced": 0,
        "failed": 1,
        "partial": 2,
        "stopped": 3,
        "unfinished": 0,
        "first_token_seconds": 0.8,
        "seconds": 12.5,
        "proposed": 60,
        "used": 57,
        "left_out": 1,
        "taken": 2,
        "overlap": 0.22,
    }
    return Group(name, calls=calls, **{**values, **more})


def some_figures(*months: Group, **more: Any) -> Figures:
    groups = (a_group("moa"), a_group("duo", 20, cost=0.125))
    months = months or (a_group("2025-05"), a_group("2025-06", 20, cost=0.125))
    return Figures(a_group("all", 90), groups, groups, groups, months, **more)
