"""The engine's own thread and event loop, and the loading of litellm, so that neither can freeze a screen."""

from __future__ import annotations

import asyncio
import gc
import importlib
import os
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self, TypeVar

from moa_tui.errors import UsageError
from moa_tui.gateway import tls
from moa_tui.settings.fault_log import record_bug

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from concurrent.futures import Future
    from types import ModuleType

T = TypeVar("T")

_MODULE = "moa_tui.gateway.litellm_stream"
_loading = threading.Lock()


def load_litellm_stream() -> ModuleType:
    """The module that talks to litellm, imported where it is not yet.

    The import takes seconds, so this must not be called on a screen's thread; any other thread may call it.
    Raises UsageError where a variable of the environment keeps it from making any connection.
    """
    with _loading:
        if _MODULE in sys.modules:
            return importlib.import_module(_MODULE)
        tls.check_environment(os.environ)
        # litellm makes many objects that live as long as the program. Looking through them for garbage, of
        # which there is none, takes a fifth of the import; and each full collection afterwards would hold up
        # every thread for a third of a second, but skips frozen objects.
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            module = importlib.import_module(_MODULE)
            # On a thread of its own, for a loop may be running on this one.
            rehearsal = threading.Thread(target=lambda: asyncio.run(module.rehearse()), name="moa-rehearsal")
            rehearsal.start()
            rehearsal.join()
        finally:
            if was_enabled:
                gc.enable()
        gc.freeze()
        return module


async def load_litellm() -> None:
    """Wait until litellm is loaded, on a thread that the program's end does not wait for.

    Called on the engine's loop. Raises whatever the import raises.
    """
    loop = asyncio.get_running_loop()
    loaded: asyncio.Future[None] = loop.create_future()

    def resolve(error: BaseException | None) -> None:
        if loaded.cancelled():
            return
        if error is None:
            loaded.set_result(None)
        else:
            loaded.set_exception(error)

    def load() -> None:
        error: BaseException | None = None
        try:
            load_litellm_stream()
        except BaseException as caught:  # raised where `loaded` is awaited
            error = caught
        if not loop.is_closed():
            loop.call_soon_threadsafe(resolve, error)

    threading.Thread(target=load, name="moa-litellm", daemon=True).start()
    await loaded


def _record_unhandled(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Write an exception that nobody awaited to the log of faults, then do what asyncio does by default."""
    if isinstance(error := context.get("exception"), Exception):
        record_bug(error)
    loop.default_exception_handler(context)


class EngineThread:
    """A daemon thread that runs coroutines on a loop of its own until it is closed.

    Its methods may be called on any other thread.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(_record_unhandled)
        self._thread = threading.Thread(target=self._run, name="moa-engine", daemon=True)
        self._thread.start()

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Run `coroutine` on the engine's loop and return a future on which any other thread may wait."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def warm_up(self) -> None:
        """Import litellm on a background thread, so that the first real call need not wait for that."""

        def load() -> None:
            with suppress(UsageError):  # The first call that needs it raises the same, where it can be shown.
                load_litellm_stream()

        threading.Thread(target=load, name="moa-warm-up", daemon=True).start()

    def close(self, timeout: float = 2.0) -> None:
        """Cancel all that runs, close every connection and end the thread.

        Waits for that, but `timeout` seconds at most.
        """
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
            # Nobody waits here for a module that is only being imported: it has made no connection yet.
            close_connections = getattr(sys.modules.get(_MODULE), "close_connections", None)
            if close_connections is not None:
                self._loop.run_until_complete(close_connections())
        finally:
            self._loop.close()
