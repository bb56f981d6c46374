"""The control of a run from outside: stop, proceed, alter and decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from moa_tui.engine.live_change import Alteration
    from moa_tui.engine.values import CallId


class Steerable(Protocol):
    """The actions that a run offers its control. All are called on the run's loop."""

    def stop(self) -> None:
        """Stop the run."""

    def stop_call(self, call: CallId) -> None:
        """Stop one call."""

    def proceed(self) -> None:
        """Continue without waiting for more answers or for a choice of points."""

    def alter(self, alteration: Alteration) -> bool:
        """Change the run; False where it is past what would be changed."""

    def decide(self, call: CallId, ticked: frozenset[int]) -> None:
        """Keep the points `ticked` of the open checklist of `call`."""


class RunControl:
    """Controls one run. All methods but `alter` may be called from any thread, before and during the run."""

    def __init__(self) -> None:
        self._run: Steerable | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped = False

    def stop(self) -> None:
        """Stop the run; the outcome has the text that has come."""
        self._stopped = True
        self._on_loop(lambda run: run.stop())

    def stop_call(self, call: CallId) -> None:
        """Stop one call; the run continues without it. A call that is not running is left as it is."""
        self._on_loop(lambda run: run.stop_call(call))

    def proceed(self) -> None:
        """Continue with the answers that are ready, or with all points of an open checklist.

        The call has no effect while there is no answer, or in the last layer.
        """
        self._on_loop(lambda run: run.proceed())

    def alter(self, alteration: Alteration) -> bool:
        """Change the run while it runs; False where it has ended or is past what would be changed.

        This must be called on the run's loop. Raises UsageError for a change that makes no sense at any time.
        """
        return self._run is not None and self._run.alter(alteration)

    def decide(self, call: CallId, ticked: frozenset[int]) -> None:
        """Keep the points `ticked` of the open checklist of `call`, by their indexes from 0.

        The call has no effect where that checklist is not open.
        """
        self._on_loop(lambda run: run.decide(call, ticked))

    def _on_loop(self, action: Callable[[Steerable], None]) -> None:
        loop, run = self._loop, self._run
        if loop is None or run is None:
            return
        try:
            loop.call_soon_threadsafe(action, run)
        except RuntimeError:
            # The loop is closed, so the run is over and there is nothing left to control.
            return

    def attach(self, run: Steerable, loop: asyncio.AbstractEventLoop) -> None:
        """Connect the run as it begins. A stop that was asked for before takes effect now."""
        self._run, self._loop = run, loop
        if self._stopped:
            run.stop()

    def detach(self) -> None:
        """Disconnect the run as it ends."""
        self._run = self._loop = None
