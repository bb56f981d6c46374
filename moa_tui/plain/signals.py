"""What ctrl+c and the signals that end a program do in the plain chat."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# While readline waits for a key, Python runs a handler only where the signal came during that wait. So the
# wait is broken off now and then by a signal of our own, behind which others have their turn.
_LOOK_AFTER_SECONDS, _LOOK_EVERY_SECONDS = 0.1, 0.75

INTERRUPTED = 130
"""The exit code of a program that ctrl+c has ended."""


class EndedBySignalError(Exception):
    """Raised out of reading a line: the program was told to end."""


class Signals:
    """While open, takes the signals that end a program; a context manager.

    While a run goes, ctrl+c stops it, and once more leaves the program. While a line is read, ctrl+c raises
    KeyboardInterrupt, and what ends the program EndedBySignalError. At any other moment a handler only notes
    the signal, since whatever is being done then must not be left half done.
    """

    def __init__(self) -> None:
        self.exit_code: int | None = None
        """The code to leave with, once the program was told to end."""
        self.on_raise: Callable[[], None] = lambda: None
        """Called before reading is broken off, while the line that was typed is still there."""
        self.on_look: Callable[[], None] = lambda: None
        """Called now and then while something is read."""
        self.on_go_on: Callable[[], None] = lambda: None
        """Called where the program goes on after ctrl+z while something is read."""
        self._stop: Callable[[], None] | None = None
        self._was_stopped = False
        self._is_reading = False
        self._previous_handlers: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGALRM", "SIGCONT"):
            if hasattr(signal, name) and threading.current_thread() is threading.main_thread():
                number = getattr(signal, name)
                self._previous_handlers[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._previous_handlers.items():
            signal.signal(number, handler)

    @contextmanager
    def running(self, stop: Callable[[], None]) -> Iterator[None]:
        """Have ctrl+c call `stop` within the block."""
        self._stop, self._was_stopped = stop, False
        try:
            yield
        finally:
            self._stop = None

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Have signals break off what is read within the block."""
        if self.exit_code is not None:
            raise EndedBySignalError
        self._is_reading = True
        self._set_timer(_LOOK_AFTER_SECONDS, _LOOK_EVERY_SECONDS)
        try:
            yield
        finally:
            self._set_timer(0, 0)
            self._is_reading = False

    def _set_timer(self, first: float, every: float) -> None:
        if self._has_timer:
            signal.setitimer(signal.ITIMER_REAL, first, every)

    @property
    def _has_timer(self) -> bool:
        return hasattr(signal, "SIGALRM") and signal.SIGALRM in self._previous_handlers

    def _receive(self, number: int, frame: object) -> None:
        if self._has_timer and number == signal.SIGALRM:
            if self._is_reading:
                self.on_look()
            return
        if hasattr(signal, "SIGCONT") and number == signal.SIGCONT:
            if self._is_reading:
                self.on_go_on()
            return
        if number != signal.SIGINT:
            self.exit_code = 128 + number
        elif self._stop is not None:
            if self._was_stopped:
                self.exit_code = INTERRUPTED
            self._was_stopped = True
            self._stop()
        if self._is_reading:
            self._is_reading = False  # Once: what cleans up behind it is not to be broken off.
            self.on_raise()
            raise KeyboardInterrupt if number == signal.SIGINT else EndedBySignalError
