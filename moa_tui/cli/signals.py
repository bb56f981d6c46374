"""What Ctrl+C, and a request to end, do to a command that is at work."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable


class StopOnSignal:
    """While open, turns the signals that end a program into a clean stop; a second one ends it at once.

    A signal sets a flag instead of raising KeyboardInterrupt, which could come while an event is being
    written and lose that event.
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        self.received: int | None = None
        """The number of the signal that came."""
        self._stop = stop
        self._previous_handlers: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            if hasattr(signal, name) and threading.current_thread() is threading.main_thread():
                number = getattr(signal, name)
                self._previous_handlers[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._previous_handlers.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: object) -> None:
        if self.received is not None:
            raise KeyboardInterrupt
        self.received = number
        self._stop()
