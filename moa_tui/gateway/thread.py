"""The engine's own thread and event loop, so that nothing litellm does can freeze a screen."""

from __future__ import annotations

import asyncio
import gc
import importlib
import sys
import threading
from typing import TYPE_CHECKING, Any, Self, TypeVar

from moa_tui.settings.fault_log import record_bug

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from concurrent.futures import Future
    from types import ModuleType

T = TypeVar("T")

_MODULE = "moa_tui.gateway.litellm_stream"
_loading = threading.Lock()


def load_litellm_stream() -> ModuleType:
    """The module that talks to litellm; its import takes seconds, so never call this on a screen's thread."""
    with _loading:
        first = _MODULE not in sys.modules
        module = importlib.import_module(_MODULE)
        if first:
            # litellm leaves a great many objects that live as long as the program. Each full collection would
            # walk them all, and hold up every thread for a third of a second; frozen ones are passed by.
            gc.freeze()
        return module


async def litellm_loaded() -> None:
    """Load litellm, on a thread that the program's end does not wait for."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle(error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def load() -> None:
        error: BaseException | None = None
        try:
            load_litellm_stream()
        except BaseException as caught:  # handed on to whoever waits
            error = caught
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, error)

    threading.Thread(target=load, name="moa-litellm", daemon=True).start()
    await done


def _record_unhandled(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Write what nobody waited for to the log of faults, then do as asyncio does by itself."""
    if isinstance(error := context.get("exception"), Exception):
        record_bug(error)
    loop.default_exception_handler(context)


class EngineThread:
    """A daemon thread that runs coroutines on a loop of its own until it is closed."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(_record_unhandled)
        self._thread = threading.Thread(target=self._run, name="moa-engine", daemon=True)
        self._thread.start()

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Run `coroutine` on the engine's loop; the future is safe to wait on from any other thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def warm_up(self) -> None:
        """Begin to import litellm in the background, so that the first real call need not wait for it."""
        threading.Thread(target=load_litellm_stream, name="moa-warm-up", daemon=True).start()

    def close(self, timeout: float = 2.0) -> None:
        """Cancel all that runs, close every connection, end the thread. Waits `timeout` seconds at most."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            tasks = asyncio.all_tasks(self._loop)
            for task in tasks:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()
