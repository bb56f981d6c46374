"""Every private part of Textual that this program relies on, each with the reason.

Textual may change any of them in any release. `tests/ui/terminal/test_textual_private.py` fails when it does,
and when another module under `ui` reaches into Textual's private parts.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from rich.traceback import Traceback

# `textual._xterm_parser`: turns what a terminal sends into events. A driver that reads the keyboard itself
# needs it, and Textual has no public name for it.
from textual._xterm_parser import XTermParser
from textual.app import App

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.driver import Driver

__all__ = ["PrivateTracebackApp", "XTermParser", "replace_output", "write_to_terminal"]


class PrivateTracebackApp(App[None]):
    """An app that ends on a bug with a traceback that shows no values of local variables."""

    def on_bug(self, error: BaseException | None) -> None:
        """Called with the bug that ends the app, before its traceback is shown; None where it is unknown."""

    # `App._fatal_error`: Textual's own shows local variables, and an API key could be among them. No public
    # setting turns that off.
    def _fatal_error(self) -> None:
        self.on_bug(sys.exception())
        self.bell()
        self.panic(Traceback(show_locals=False, width=None))


def write_to_terminal(app: App[Any], sequence: str) -> None:
    """Write an escape sequence for which Textual has no method. Without a terminal, nothing happens."""
    # `App._driver`: everything written to the terminal has to go through its queue, or it could land in the
    # middle of a sequence of Textual's. The app has no public name for it.
    if app._driver is not None:
        app._driver.write(sequence)


def replace_output(driver: Driver, wrap: Callable[[Any], Any]) -> None:
    """Have `driver` write to `wrap(file)` instead of its own output file."""
    # `LinuxDriver._file`: the constructor takes no other file than `sys.__stderr__`.
    driver._file = wrap(driver._file)  # type: ignore[attr-defined]
