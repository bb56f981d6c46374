"""The one thread on which texts are laid out beside the screen's own.

Threads that compute take turns of 5 ms with the screen's. Were there one for each of many panes, a key would
wait for all of them again and again.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")

_EXECUTOR = ThreadPoolExecutor(1, "layout")


async def on_layout_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `function` returns. It is not called where the waiting task is cancelled before its turn."""
    return await asyncio.get_running_loop().run_in_executor(_EXECUTOR, lambda: function(*args, **kwargs))
