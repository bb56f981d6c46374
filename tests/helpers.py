"""What many tests need: recipes in a line, and waiting on conditions."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from moa_tui.engine.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Callable


def recipe(*layers: object, agents: dict[str, Any] | None = None, **limits: Any) -> Recipe:
    """A recipe of layers: a layer is a list of agents, or a table with the key `agents` (a vote has none).

    An agent's name that `agents` does not hold is a model of that name. Retries wait on nothing unless the
    test says so.
    """
    known = dict(agents or {})
    tables = []
    for layer in layers:
        table = dict(layer) if isinstance(layer, dict) else {"agents": layer}
        for agent in table.get("agents", ()):
            if isinstance(agent, str):
                known.setdefault(agent, {"model": agent})
        tables.append(table)
    return Recipe.model_validate(
        {"name": "test", "agents": known, "layers": tables, "limits": {"retries": 2, **limits}}
    )


async def wait_until(condition: Callable[[], object], seconds: float = 15.0) -> None:
    """Wait for `condition` to be true; fail after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition did not come true in time"
        await asyncio.sleep(0.005)
