"""Every private part of Textual that this program relies on, each with the reason.

Textual may change any of them in any release. `tests/ui/terminal/test_textual_private.py` fails when it does,
and when another module under `ui` reaches into Textual's private parts.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from unicodedata import category

import rich.traceback
from textual import events

# `textual._xterm_parser`: turns what a terminal sends into events. A driver that reads the keyboard itself
# needs it, and Textual has no public name for it.
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.geometry import Offset, Region

# `textual.message_pump`: `MessagePump` is what apps, screens and widgets have in common, and is in no
# public list of Textual's.
from textual.message_pump import MessagePump
from textual.screen import Screen
from textual.widgets import OptionList
from textual.worker import WorkerFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType
    from textual.content import Content
    from textual.driver import Driver
    from textual.message import Message
    from textual.widget import Widget

__all__ = [
    "DeafScreen",
    "PrivateTracebackApp",
    "XTermParser",
    "draw_after_any_stop",
    "replace_output",
    "set_frame_words",
    "write_to_terminal",
]

Result = TypeVar("Result")

# A handler that has not come to its end so long after `exit` waits for what may never come.
_HANDLERS_END_WITHIN_SECONDS = 0.75

_dispatch_message = MessagePump._dispatch_message


async def _dispatch_and_go_on(pump: MessagePump, message: Message) -> None:
    try:
        await _dispatch_message(pump, message)
    except Exception as error:
        pump.app._handle_exception(error)


# `MessagePump._dispatch_message`: after an exception of a handler, Textual ends the task that takes the
# messages of that widget, screen or app. It would be deaf from then on, even if the app went on.
MessagePump._dispatch_message = _dispatch_and_go_on  # type: ignore[method-assign,assignment]


_move_page = OptionList._move_page


def _move_page_if_drawn(options: OptionList, direction: Literal[-1, 1]) -> None:
    if options._index_to_line:
        _move_page(options, direction)


# `OptionList._move_page`: Page Up and Page Down raise KeyError while a list has no width yet, which every
# list has when it is opened, in the command palette too.
OptionList._move_page = _move_page_if_drawn  # type: ignore[method-assign,assignment]


def _is_text(key: events.Key) -> bool:
    character = key.character
    return character is not None and (character.isprintable() or category(character) not in ("Cc", "Cs"))


# `Key.is_printable`: fields take in what Python calls printable. Spaces other than the ASCII one, the joiners
# that Persian, Hindi and emoji need, and characters newer than Python are not, and would be lost.
events.Key.is_printable = property(_is_text)  # type: ignore[method-assign,assignment]


class PrivateTracebackApp(App[None]):
    """An app that survives a bug if it can, and else ends with a traceback that shows no local variables."""

    def survives(self, error: Exception) -> bool:
        """Called with every exception that nobody has caught; the app goes on where this returns True."""
        return False

    @property
    def is_leaving(self) -> bool:
        """True from the call of `exit` on."""
        # `App._exit`: the only sign of it before the widgets are removed.
        return self._exit

    def exit(self, result: None = None, return_code: int = 0, message: RenderableType | None = None) -> None:
        """Leave; a handler that still waits for something is cancelled after a moment."""
        super().exit(result, return_code, message)
        asyncio.get_running_loop().call_later(_HANDLERS_END_WITHIN_SECONDS, self._cancel_handlers)

    # `App._registry` and `MessagePump._task`: Textual waits for the handlers of every widget and screen,
    # without a limit, before it gives the terminal back.
    def _cancel_handlers(self) -> None:
        for widget in list(self._registry):
            if widget._task is not None:
                widget._task.cancel()

    # `App._handle_exception`: handlers, timers, workers, callbacks, layout and drawing end here, and Textual
    # has no public way to go on after an exception of theirs.
    def _handle_exception(self, error: Exception) -> None:
        cause = error.error if isinstance(error, WorkerFailed) else error
        try:
            goes_on = isinstance(cause, Exception) and self.survives(cause)
        except Exception as second:  # Whoever deals with faults has one too: the first of them is shown.
            self.on_bug(second)
            goes_on = False
        if not goes_on:
            super()._handle_exception(error)

    def on_bug(self, error: BaseException | None) -> None:
        """Called with a bug to be written down, before the app ends of it; None where it is unknown."""

    # `App._fatal_error`: Textual's own shows local variables, and an API key could be among them. No public
    # setting turns that off.
    def _fatal_error(self) -> None:
        self.on_bug(sys.exception())
        self.bell()
        self.panic(rich.traceback.Traceback(show_locals=False, width=None))


class DeafScreen(Screen[Result]):
    """A screen whose mounting can be waited for, and that can be made deaf.

    A deaf one hears no keys, pastes and clicks any more, nor what its widgets say.
    """

    is_deaf = False

    async def wait_until_mounted(self) -> None:
        """Wait until the screen has its widgets, which an action may look for."""
        # `MessagePump._mounted_event`: else only the caller of `push_screen` can wait for it.
        await self._mounted_event.wait()

    # `MessagePump._dispatch_message`: what waits in the queue when a screen is left can be dropped nowhere
    # else. By Textual's own messages and events a screen is removed.
    async def _dispatch_message(self, message: Message) -> None:
        of_textual = isinstance(message, events.Event) or type(message).__module__ == "textual.messages"
        if not self.is_deaf or (of_textual and not isinstance(message, events.InputEvent)):
            await super()._dispatch_message(message)


def write_to_terminal(app: App[Any], sequence: str) -> None:
    """Write an escape sequence for which Textual has no method. Without a terminal, nothing happens."""
    # `App._driver`: everything written to the terminal has to go through its queue, or it could land in the
    # middle of a sequence of Textual's. The app has no public name for it.
    if app._driver is not None:
        app._driver.write(sequence)


def set_frame_words(widget: Widget, title: Content, subtitle: Content) -> None:
    """Show words in the upper and lower line of a widget's frame, and draw only the lines that changed."""
    size = widget.outer_size
    upper = Region(0, 0, size.width, 1).translate(-widget.content_offset)
    # `Widget._border_title`, `_border_subtitle`: the public names draw the whole widget, which for a pane
    # that counts tokens would be at every tick.
    for name, words, line in (
        ("_border_title", title, upper),
        ("_border_subtitle", subtitle, upper.translate(Offset(0, size.height - 1))),
    ):
        words = words.expand_tabs(4).split()[0]
        shown: Content | None = getattr(widget, name)
        if shown is None or not shown.is_same(words):
            setattr(widget, name, words)
            widget.refresh(line)


def replace_output(driver: Driver, wrap: Callable[[Any], Any]) -> None:
    """Have `driver` write to `wrap(file)` instead of its own output file."""
    # `LinuxDriver._file`: the constructor takes no other file than `sys.__stderr__`.
    driver._file = wrap(driver._file)  # type: ignore[attr-defined]


def draw_after_any_stop(driver: Any) -> None:
    """Have a driver of Linux take the terminal anew when the program goes on, whatever had stopped it.

    Does nothing on other threads than the main one.
    """
    if threading.current_thread() is not threading.main_thread():
        return

    # `LinuxDriver._sigcont_application`, `_auto_restart`, `_must_signal_resume`: where a signal that no
    # program sees has stopped this one, Textual would start a second thread that reads keys.
    def go_on(*_: object) -> None:
        if driver._auto_restart and not driver._must_signal_resume:
            driver.suspend_application_mode()
            driver._must_signal_resume = True
        driver._sigcont_application()

    signal.signal(signal.SIGCONT, go_on)
