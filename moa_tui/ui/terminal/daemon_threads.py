"""Worker threads for which the end of the program does not wait.

asyncio waits for the threads of its own executor before it closes a loop, and Python waits for them once more
at its exit: one read of a file that never ends would keep the user in the program.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")

# What is being written when the program ends has so long to get to the disk.
_SECONDS_AT_THE_END = 0.5


class DaemonThreads(ThreadPoolExecutor):
    """An executor that gives each call a thread of its own, so that one that hangs holds up no other."""

    def __init__(self) -> None:
        super().__init__(1)  # asyncio takes nothing but a ThreadPoolExecutor; its own pool is not used.
        self._running: set[threading.Thread] = set()

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call `function` on a new thread."""
        future: Future[T] = Future()

        def call() -> None:
            try:
                _settle(future, function, *args, **kwargs)
            finally:
                self._running.discard(thread)

        thread = threading.Thread(target=call, name="moa-worker", daemon=True)
        self._running.add(thread)
        thread.start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Wait half a second at most for what still runs."""
        end = time.monotonic() + _SECONDS_AT_THE_END
        for thread in list(self._running) if wait else ():
            thread.join(max(0.0, end - time.monotonic()))


def _settle(future: Future[Any], function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> None:
    """Call `function` for `future`, unless that was cancelled."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = function(*args, **kwargs)
    except BaseException as error:  # raised where the future is awaited
        future.set_exception(error)
    else:
        future.set_result(result)
