"""What becomes of an exception that nobody has caught: the chat and its run go on wherever they can.

A widget that cannot be laid out or drawn shows a note in its place; the user is told of anything else. The
app ends only where going on would show nothing: before the chat was drawn once, where a whole screen cannot
be drawn, or where faults come without end.
"""

from __future__ import annotations

import time
import traceback
from collections import Counter, deque
from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style
from textual.css.query import NoMatches
from textual.dom import DOMNode, NoScreen
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import MountError, Widget

from moa_tui.chat.faults import fault_of
from moa_tui.ui.screens.guard import GuardedScreen

if TYPE_CHECKING:
    from types import FrameType

    from textual.geometry import Region

    from moa_tui.ui.chat.view import ChatView
    from moa_tui.ui.terminal.textual_private import PrivateTracebackApp

NOTE = "✗ This cannot be shown: moa-tui has a fault, which is in its log. /copy and /export have the text."
"""What stands in the place of a widget that cannot be drawn."""

# What is raised where something is looked for in a part of the screen that is being removed.
_LATE_ERRORS = (NoMatches, NoScreen, MountError)
_WINDOW_SECONDS = 10.0
_MOST_IN_WINDOW = 1_000
_MOST_BLANK_SCREENS_IN_WINDOW = 3
# How often the same fault is written to the log.
_MOST_RECORDS = 3


class FaultNet:
    """Decides about each exception that nobody has caught."""

    def __init__(self, app: PrivateTracebackApp, view: ChatView) -> None:
        """`view` tells the user; it is ready once the chat has been drawn."""
        self._app = app
        self._view = view
        self._times: deque[float] = deque()
        self._blank_times: deque[float] = deque()
        self._counts: Counter[tuple[str, str, int]] = Counter()

    def catch(self, error: Exception) -> bool:
        """Deal with a fault; True where the app goes on, False where it has to end.

        A part of the screen that is gone by now has nothing to show: what is raised there is dropped.
        """
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
        if isinstance(error, _LATE_ERRORS) and any(map(_is_gone, map(_node_of, frames))):
            return True
        last = frames[-1].f_code.co_filename if frames else ""
        place = type(error).__qualname__, last, frames[-1].f_lineno if frames else 0
        self._counts[place] += 1
        if self._counts[place] <= _MOST_RECORDS:
            self._app.on_bug(error)
        if not self._view.is_ready or not _is_rare(self._times, _MOST_IN_WINDOW):
            return False
        if _is_of_drawing(frames) and not self._replace_drawing(frames):
            return False
        if self._counts[place] == 1:
            self._view.complain(fault_of(error))
        return True

    def _replace_drawing(self, frames: list[FrameType]) -> bool:
        """Put a note in the place of what cannot be drawn; False where that is a whole screen once more."""
        widgets = [node for node in map(_node_of, frames) if isinstance(node, Widget)]
        widget = next((widget for widget in reversed(widgets) if not isinstance(widget, Screen)), None)
        self._app.call_later(self._app.screen.refresh, layout=True)
        if widget is None or "render_lines" in vars(widget):
            return _is_rare(self._blank_times, _MOST_BLANK_SCREENS_IN_WINDOW)
        _show_note(widget)
        return True


def _node_of(frame: FrameType) -> DOMNode | None:
    """The app, screen or widget whose method a frame is of; of the compositor, the widget that it draws."""
    nodes = (frame.f_locals.get("self"), frame.f_locals.get("widget"))
    return next((node for node in nodes if isinstance(node, DOMNode)), None)


def _is_gone(node: DOMNode | None) -> bool:
    """True of a part of the screen that was there and has been removed, or is about to be."""
    if not isinstance(node, Widget) or not node.is_mounted:
        return False
    has_left = any(isinstance(each, GuardedScreen) and each.has_left for each in node.ancestors_with_self)
    return has_left or not node.is_attached or not node.is_running


def _is_of_drawing(frames: list[FrameType]) -> bool:
    """True where the screen was being laid out or drawn, which Textual's compositor does."""
    return any(frame.f_globals.get("__name__") == "textual._compositor" for frame in frames)


def _is_rare(times: deque[float], most: int) -> bool:
    """Count an event of now; False if there were more than `most` within the last seconds."""
    now = time.monotonic()
    times.append(now)
    while times[0] < now - _WINDOW_SECONDS:
        times.popleft()
    return len(times) <= most


def _show_note(widget: Widget) -> None:
    """Have a widget draw the note from now on, in place of its own content."""

    def render_lines(crop: Region) -> list[Strip]:
        note = Strip([Segment(NOTE, Style())]).adjust_cell_length(max(1, widget.size.width), Style())
        rows = range(crop.y, crop.bottom)
        blank = Strip.blank(crop.width, Style())
        return [note.crop_extend(crop.x, crop.right, Style()) if row == 0 else blank for row in rows]

    # On the widget itself, so that all others of its class go on drawing themselves.
    vars(widget).update(
        render_lines=render_lines,
        get_content_width=lambda container, viewport: container.width,
        get_content_height=lambda container, viewport, width: 1,
    )
