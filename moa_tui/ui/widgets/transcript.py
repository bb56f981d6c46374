"""The conversation: its turns from top to bottom, only those near the reader mounted."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.binding import Binding
from textual.containers import VerticalScroll

from moa_tui.text.wording import one_line
from moa_tui.ui.run.run_view import RunView
from moa_tui.ui.widgets.turn_view import TurnView

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from textual.binding import BindingType

    from moa_tui.conversation import Turn

# Layout costs time for each mounted widget, and a turn off the screen costs as much as one on it.
_PAGE = 12
_MOST_MOUNTED = 40
_NO_PLACES: Mapping[str, tuple[int, int]] = MappingProxyType({})


@dataclass
class _Entry:
    turn: Turn
    run: RunView | None = None
    view: TurnView | None = None
    place: tuple[int, int] = (1, 1)
    replaced: list[_Entry] = field(default_factory=list)
    """What it took the place of; the list as it was comes back if its run never begins."""


class Transcript(VerticalScroll, can_focus=False):
    """Stays at the end while the reader is there; loads older turns as he comes to the top."""

    HELP_TITLE = "The conversation"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("end", "newest", "To the newest", id="transcript.newest", show=False),
    ]
    DEFAULT_CSS = """
    Transcript {
        height: 1fr; scrollbar-size-vertical: 1;
        scrollbar-background: $background; scrollbar-background-hover: $background;
        scrollbar-color: $foreground 25%; scrollbar-color-hover: $foreground 50%;
        scrollbar-color-active: $foreground 50%; scrollbar-background-active: $background;
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._entries: list[_Entry] = []
        self._first = self._last = 0
        self._window = 0
        """Counts the windows there were; what was planned for an earlier one is dropped."""
        self._changing = asyncio.Lock()
        self._loading = False
        self._found = 0

    def on_mount(self) -> None:
        self.anchor()

    @property
    def views(self) -> list[TurnView]:
        """The mounted turns, oldest first."""
        return [entry.view for entry in self._entries[self._first : self._last] if entry.view is not None]

    @property
    def turns(self) -> list[Turn]:
        """Every turn, mounted or not."""
        return [entry.turn for entry in self._entries]

    @property
    def last_run(self) -> RunView | None:
        """The newest turn's run."""
        return self._entries[-1].run if self._entries else None

    def turn_of(self, run: RunView) -> Turn | None:
        """The turn that is shown by that run."""
        return next((entry.turn for entry in self._entries if entry.run is run), None)

    async def open(self, turns: Sequence[Turn], places: Mapping[str, tuple[int, int]] = _NO_PLACES) -> None:
        """Show a conversation, from its end. `places` says which alternative each turn is, by its id."""
        async with self._changing:
            await self._clear()
            self._entries = [_Entry(turn, place=places.get(turn.id, (1, 1))) for turn in turns]
            self._found = 0
            await self._show_around(len(turns) - 1)
        self.anchor()

    async def add(
        self,
        turn: Turn,
        run: RunView,
        *,
        instead_of: Turn | None = None,
        place: tuple[int, int] = (1, 1),
        follow: bool = True,
    ) -> None:
        """A turn that begins now, at the end of the conversation, or in the place of another turn.

        What stands behind that other turn goes with it. `follow` takes the reader to the new turn.
        """
        async with self._changing:
            entry = _Entry(turn, run, place=place)
            if instead_of is not None:
                entry.replaced = await self._cut(instead_of)
            self._entries.append(entry)
            at_end = self._last == len(self._entries) - 1 and (self._first < self._last or self._last == 0)
            if not follow and self._is_above():
                if at_end:
                    await self._mount_below(1)
                return
            if at_end:
                await self._mount_below(1)
                await self._trim_first()
            else:
                await self._show_around(len(self._entries) - 1)
        self.anchor()

    async def drop(self, run: RunView) -> None:
        """Take away the turn of a run that never began; what it was to replace stands again.

        The list is right before anything is waited for: the next turn may be added meanwhile.
        """
        number = next(at for at, entry in enumerate(self._entries) if entry.run is run)
        entry = self._entries.pop(number)
        self._entries[number:number] = entry.replaced
        self._last = min(self._last, number)
        self._first = min(self._first, self._last)
        if entry.view is not None:
            await entry.view.remove()
        if entry.replaced:
            await self.action_newest()

    async def _cut(self, turn: Turn) -> list[_Entry]:
        """Take away `turn` and all behind it."""
        at = next((at for at, entry in enumerate(self._entries) if entry.turn.id == turn.id), None)
        if at is None:
            return []
        gone = self._entries[at:]
        del self._entries[at:]
        self._last = min(self._last, at)
        self._first = min(self._first, self._last)
        for entry in gone:
            if entry.view is not None:
                await entry.view.remove()
                entry.view = None
        return gone

    async def show_around(self, number: int) -> TurnView | None:
        """Have turn `number`, counting from 0, mounted with its neighbours."""
        async with self._changing:
            return await self._show_around(number)

    async def _show_around(self, number: int) -> TurnView | None:
        if not self._entries:
            return None
        number = min(max(0, number), len(self._entries) - 1)
        if not self._first <= number < self._last:
            await self._clear()
            self._last = min(len(self._entries), number + _PAGE // 2)
            self._first = max(0, self._last - _PAGE)
            await self.mount_all([self._make(at) for at in range(self._first, self._last)])
        return self._entries[number].view

    async def _clear(self) -> None:
        """Unmount everything; what was about to be loaded beside it is not wanted any more."""
        await self.remove_children(TurnView)
        for entry in self._entries:
            entry.view = None
        self._first = self._last = 0
        self._window += 1
        self._loading = False

    def _make(self, number: int) -> TurnView:
        entry = self._entries[number]
        entry.run = entry.run or RunView.of(entry.turn)
        entry.view = TurnView(entry.turn, entry.run, place=entry.place)
        return entry.view

    async def _mount_below(self, count: int) -> None:
        end = min(len(self._entries), self._last + count)
        await self.mount_all([self._make(at) for at in range(self._last, end)])
        self._last = end

    async def _trim_first(self) -> None:
        while self._last - self._first > _MOST_MOUNTED:
            await self._unmount(self._first)
            self._first += 1

    # Loading what is above or below takes three steps, a layout between them: mount, put the reader where he
    # was, take away what is too much. Each holds for the window it was begun in.

    @work
    async def _load_above(self, window: int) -> None:
        async with self._changing:
            if window != self._window:
                return
            below = self.virtual_size.height - self.scroll_y
            first = max(0, self._first - _PAGE)
            with self.app.batch_update():
                before = self.views[0] if self.views else None
                await self.mount_all([self._make(at) for at in range(first, self._first)], before=before)
                self._first = first
        self.call_after_refresh(self._keep_place, window, below, self._trim_below)

    @work
    async def _load_below(self, window: int) -> None:
        async with self._changing:
            if window != self._window:
                return
            # The end that was reached is not the conversation's: it must not be stuck to.
            self.release_anchor()
            await self._mount_below(_PAGE)
        self.call_after_refresh(self._trim_above, window)

    def _keep_place(self, window: int, below: float, then: Callable[[int], object]) -> None:
        """Show what was `below` rows above the end before."""
        if window == self._window:
            self.scroll_to(y=self.virtual_size.height - below, animate=False, force=True, immediate=True)
            self.call_after_refresh(then, window)

    @work
    async def _trim_below(self, window: int) -> None:
        async with self._changing:
            if window != self._window:
                return
            while self._last - self._first > _MOST_MOUNTED:
                self._last -= 1
                await self._unmount(self._last)
        self._loaded(window)

    @work
    async def _trim_above(self, window: int) -> None:
        async with self._changing:
            if window != self._window:
                return
            below = self.virtual_size.height - self.scroll_y
            with self.app.batch_update():
                await self._trim_first()
        self.call_after_refresh(self._keep_place, window, below, self._loaded)

    def _loaded(self, window: int) -> None:
        if window == self._window:
            self._loading = False

    async def _unmount(self, number: int) -> None:
        entry = self._entries[number]
        if entry.view is not None:
            await entry.view.remove()
            entry.view = None

    def _is_above(self) -> bool:
        return self.scroll_y < self.max_scroll_y - 1

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if self._loading or not self.is_mounted:
            return
        if new_value <= 2 and new_value < old_value and self._first:
            self._loading = True
            self._load_above(self._window)
        elif new_value > old_value and new_value >= self.max_scroll_y and self._last < len(self._entries):
            self._loading = True
            self._load_below(self._window)

    def action_page_up(self) -> None:
        self.page(-1)

    def action_page_down(self) -> None:
        self.page(1)

    def page(self, step: int) -> None:
        """Scroll by what is in view, at once: later it would come after the key that was pressed next."""
        by = step * self.scrollable_content_region.height
        self.scroll_to(y=self.scroll_target_y + by, animate=False, immediate=True)

    async def action_newest(self) -> None:
        """To the end of the conversation, and stay there."""
        await self.show_around(len(self._entries) - 1)
        self.anchor()

    async def focus_turn(self, step: int) -> None:
        """Focus the turn before or after the focused one; the newest where none is."""
        views = self.views
        focused = next((at for at, view in enumerate(views) if view.has_focus), len(views))
        wanted = self._first + focused + step
        if 0 <= wanted < len(self._entries):
            chosen = await self.show_around(wanted)
            if chosen is not None:
                self._take_to(chosen)

    async def focus_on(self, turn: Turn) -> None:
        """Focus that turn, its beginning in view."""
        number = next(at for at, entry in enumerate(self._entries) if entry.turn.id == turn.id)
        if (view := await self.show_around(number)) is not None:
            self._take_to(view)

    def _take_to(self, view: TurnView) -> None:
        self.release_anchor()
        view.focus(scroll_visible=False)
        self.call_after_refresh(self.scroll_to_widget, view, animate=False, force=True, top=True)

    async def find(self, wanted: str, step: int) -> tuple[int, int]:
        """Show the place of `wanted` that is `step` from the one shown before; 0 begins at the newest.

        Returns its number, counting from 1 at the newest, and how many there are; (0, 0) for none.
        """
        for view in self.views:
            view.show_found("")
        # The number of each place's turn, and which place of the turn it is, both from the end.
        places = [
            (number, place)
            for number in reversed(range(len(self._entries)))
            for place in range(self._count(number, wanted))
        ]
        if not places:
            return 0, 0
        self._found = 0 if step == 0 else (self._found - step) % len(places)
        number, place = places[self._found]
        hit = await self.show_around(number)
        if hit is not None:
            self.call_after_refresh(self._show_found, hit, wanted, place)
        return self._found + 1, len(places)

    def _show_found(self, view: TurnView, wanted: str, place: int) -> None:
        rows = view.show_found(wanted)
        row = rows[-1 - min(place, len(rows) - 1)] if rows else 0
        self.release_anchor()

        def scroll() -> None:
            top = view.virtual_region.y + row - self.size.height // 3
            self.scroll_to(y=max(0, top), animate=False, force=True, immediate=True)

        # A prompt that was folded is laid out whole first.
        self.call_after_refresh(scroll)

    def _count(self, number: int, wanted: str) -> int:
        """How often a turn's prompt and answer hold `wanted`, whatever its case."""
        entry = self._entries[number]
        outcome = entry.run.outcome if entry.run is not None else entry.turn.outcome
        texts = (entry.turn.prompt.casefold(), _as_read(outcome.answer) if outcome is not None else "")
        return sum(text.count(wanted.casefold()) for text in texts) if wanted else 0


def _as_read(text: str) -> str:
    """About what stands on the screen for a Markdown text, in one case: without its marks."""
    plain = re.sub(r"\*+|`+|^#+ |(?<=\w\])\([^)]*\)", "", text, flags=re.MULTILINE)
    return one_line(plain).casefold()
