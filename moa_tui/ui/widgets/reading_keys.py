"""Vim's keys for reading the conversation, in force while one of its turns has the focus."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

from textual.binding import Binding
from textual.containers import Vertical

if TYPE_CHECKING:
    from textual.binding import BindingType
    from textual.widget import Widget

    from moa_tui.ui.widgets.transcript import Transcript


class Reader(Protocol):
    """Who has what is around the conversation."""

    def write(self) -> None:
        """Go to the prompt, to write in it."""

    def open_find(self, turn: Widget | None) -> None:
        """Ask for a text to find; afterwards `turn` has the focus."""

    async def find_again(self, step: int, turn: Widget | None) -> None:
        """Go to another place of the text that was searched for last, -1 is an older one."""


class ReadingKeys(Vertical):
    """Holds the conversation. Without Vim's keys it leaves every key to others.

    Where the conversation has a cursor, it is the focused turn; text is not walked through letter by letter.
    """

    HELP_TITLE = "Reading, with Vim's keys"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("i", "write", "Write", id="reading.write"),
        Binding("j", "scroll_rows(1)", "Line down", id="reading.down", show=False),
        Binding("k", "scroll_rows(-1)", "Line up", id="reading.up", show=False),
        Binding("ctrl+d", "scroll_pages(0.5)", "Half a page down", id="reading.half_down", show=False),
        Binding("ctrl+u", "scroll_pages(-0.5)", "Half a page up", id="reading.half_up", show=False),
        Binding("ctrl+f", "scroll_pages(1)", "Page down", id="reading.page_down", show=False),
        Binding("ctrl+b", "scroll_pages(-1)", "Page up", id="reading.page_up", show=False),
        Binding("g", "first", "gg: first turn", id="reading.first", show=False),
        Binding("G", "last", "Newest turn", id="reading.last", show=False),
        Binding("left_curly_bracket", "turn(-1)", "Turn before", id="reading.before", show=False),
        Binding("right_curly_bracket", "turn(1)", "Turn after", id="reading.after", show=False),
        Binding("slash", "find", "Find", id="reading.find"),
        Binding("n", "find_again(-1)", "Older place", id="reading.older", show=False),
        Binding("N", "find_again(1)", "Newer place", id="reading.newer", show=False),
        Binding("H", "turn_in_view(0.0)", "Turn at the top", id="reading.top", show=False),
        Binding("M", "turn_in_view(0.5)", "Turn in the middle", id="reading.middle", show=False),
        Binding("L", "turn_in_view(1.0)", "Turn at the bottom", id="reading.bottom", show=False),
    ]

    def __init__(self, transcript: Transcript, reader: Reader | None, *, id: str | None = None) -> None:
        """Without a `reader`, no key is in force."""
        super().__init__(id=id)
        self._transcript = transcript
        self._reader = reader
        self._is_first_g_typed = False

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self._reader is not None

    def action_write(self) -> None:
        self._is_first_g_typed = False
        if self._reader is not None:
            self._reader.write()

    def action_scroll_rows(self, rows: int) -> None:
        self._is_first_g_typed = False
        self._transcript.scroll_rows(rows)

    def action_scroll_pages(self, pages: float) -> None:
        self._is_first_g_typed = False
        self._transcript.scroll_pages(pages)

    async def action_first(self) -> None:
        """Go to the first turn, at the second of two."""
        self._is_first_g_typed = not self._is_first_g_typed
        if not self._is_first_g_typed and self._transcript.turns:
            await self._transcript.focus_on(self._transcript.turns[0])

    async def action_last(self) -> None:
        self._is_first_g_typed = False
        if self._transcript.turns:
            await self._transcript.focus_on(self._transcript.turns[-1])
            await self._transcript.action_newest()

    async def action_turn(self, step: int) -> None:
        self._is_first_g_typed = False
        await self._transcript.focus_turn(step)

    def action_find(self) -> None:
        self._is_first_g_typed = False
        if self._reader is not None:
            self._reader.open_find(self.screen.focused)

    async def action_find_again(self, step: int) -> None:
        self._is_first_g_typed = False
        if self._reader is not None:
            await self._reader.find_again(step, self.screen.focused)

    def action_turn_in_view(self, part: float) -> None:
        """Focus the turn at that part of the view, 0 being its first row and 1 its last."""
        self._is_first_g_typed = False
        view = self._transcript.turn_at(part)
        if view is not None:
            view.focus(scroll_visible=False)
