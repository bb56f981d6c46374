"""The conversation: its turns from top to bottom. Only those near the part in view are mounted."""

from __future__ import annotations

import asyncio
import time
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.binding import Binding
from textual.containers import VerticalScroll

from moa_tui.ui.run import room
from moa_tui.ui.run.turn_search import occurrences
from moa_tui.ui.widgets.turn_entry import TurnEntry
from moa_tui.ui.widgets.turn_view import TurnView

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from textual.binding import BindingType

    from moa_tui.conversation import Turn
    from moa_tui.ui.run.run_view import RunView

# Layout costs time for each mounted widget, and a turn off the screen costs as much as one on it.
_PAGE = 12
_MOST_MOUNTED = 40
# Rows take some twenty times the memory of their text. Of turns that are this long, few stay mounted.
_MOST_ROWS = 10_000
_FEWEST_MOUNTED = 2
# Rows that a turn in view may have drawn before those that are not in view are dropped.
_MOST_DRAWN = 1_000
# A turn has rows for a prompt and for how its run stands, with a blank row behind, and a margin beside them.
_FEWEST_TURN_ROWS, _TURN_MARGIN = 6, 3
_LONGEST_SEARCH_SECONDS = 0.01  # until others have their turn
_NO_PLACES: Mapping[str, tuple[int, int]] = MappingProxyType({})


class Transcript(VerticalScroll, can_focus=False):
    """Shows the turns, and stays at the end while the end is in view.

    Turns above or below the mounted ones are loaded when the reader scrolls to the first or last of them.
    """

    HELP_TITLE = "The conversation"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("end", "newest", "To the newest", id="transcript.newest", show=False),
    ]
    DEFAULT_CSS = """
    Transcript {
        height: 1fr; scrollbar-size-vertical: 1;
        scrollbar-background: $background; scrollbar-background-hover: $background;
        scrollbar-color: $scrollbar; scrollbar-color-hover: $scrollbar-hover;
        scrollbar-color-active: $scrollbar-active; scrollbar-background-active: $background;
    }
    """

    def __init__(
        self,
        *,
        on_end_seen: Callable[[Turn, RunView], None] | None = None,
        on_left_out: Callable[[RunView], None] | None = None,
        id: str | None = None,
    ) -> None:
        """`on_end_seen` is called when a turn that is over has first come into view.

        `on_left_out` is called when the user wants to see what the answer of a turn's run left out.
        """
        super().__init__(id=id)
        self._on_end_seen = on_end_seen
        self._on_left_out = on_left_out
        self._entries: list[TurnEntry] = []
        self._first = self._last = 0
        self._generation = 0
        """How often all turns were unmounted; work that was begun for an earlier number is dropped."""
        self._change_lock = asyncio.Lock()
        self._is_loading = False
        self._is_release_due = False
        self._shown_place = 0

    def on_mount(self) -> None:
        self.anchor()

    def on_turn_view_end_seen(self, event: TurnView.EndSeen) -> None:
        event.stop()
        if self._on_end_seen is not None:
            self._on_end_seen(event.turn, event.run)

    def on_turn_view_left_out_requested(self, event: TurnView.LeftOutRequested) -> None:
        event.stop()
        if self._on_left_out is not None:
            self._on_left_out(event.run)

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

    def need(self, most: int) -> room.Need:
        """The rows of the newest turn, and of all turns as far as they are no more than `most` rows."""
        newest = whole = 0
        for view in reversed(self.views):
            if not view.rows and self.size.width > _TURN_MARGIN:
                view.lay_out(self.size.width - _TURN_MARGIN)
            rows = max(_FEWEST_TURN_ROWS, len(view.rows) + 1)
            newest, whole = newest or rows, whole + rows
            if whole > most:
                break
        return room.Need(newest, whole, grows=bool(self.views and self.views[-1].answer))

    def turn_of(self, run: RunView) -> Turn | None:
        """The turn of a run that is shown here; None for any other run."""
        return next((entry.turn for entry in self._entries if entry.run is run), None)

    async def open(self, turns: Sequence[Turn], places: Mapping[str, tuple[int, int]] = _NO_PLACES) -> None:
        """Show a conversation, scrolled to its end.

        `places` gives, by a turn's id, its number among its alternatives, from 1, and how many there are.
        """
        async with self._change_lock:
            await self._clear()
            self._entries = [TurnEntry(turn, place=places.get(turn.id, (1, 1))) for turn in turns]
            self._shown_place = 0
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
        """Add a turn whose run begins now, at the end or in the place of the turn `instead_of`.

        The turns behind `instead_of` are removed with it. `follow` scrolls to the new turn; without it, a
        reader who has scrolled up stays where he is.
        """
        async with self._change_lock:
            entry = TurnEntry(turn, place=place)
            entry.begin(run)
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
                await self._trim_long()
            else:
                await self._show_around(len(self._entries) - 1)
        self.anchor()
        # Textual scrolls to an anchor without a word to `watch_scroll_y`.
        self._release_soon()

    def settle(self, run: RunView, turn: Turn) -> None:
        """Take in that a run has ended, and what its turn has become."""
        for entry in self._entries:
            if entry.run is run:
                entry.settle(turn)

    async def drop(self, run: RunView) -> None:
        """Remove the turn of a run that never began, and put back the turns that it replaced.

        The list is changed before anything is awaited, because the next turn may be added meanwhile.
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

    async def _cut(self, turn: Turn) -> list[TurnEntry]:
        """Remove `turn` and all turns behind it, and return their entries."""
        at = next((at for at, entry in enumerate(self._entries) if entry.turn.id == turn.id), None)
        if at is None:
            return []
        removed = self._entries[at:]
        del self._entries[at:]
        self._last = min(self._last, at)
        self._first = min(self._first, self._last)
        for entry in removed:
            if entry.view is not None:
                await entry.view.remove()
                entry.view = None
        return removed

    async def show_around(self, number: int) -> TurnView | None:
        """Mount turn `number`, from 0, with its neighbours, and return its view; None without turns."""
        async with self._change_lock:
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
        """Unmount all turns, and drop what was about to be loaded beside them."""
        await self.remove_children(TurnView)
        for entry in self._entries:
            entry.view = None
        self._first = self._last = 0
        self._generation += 1
        self._is_loading = False

    def _make(self, number: int) -> TurnView:
        return self._entries[number].make_view()

    async def _mount_below(self, count: int) -> None:
        end = min(len(self._entries), self._last + count)
        await self.mount_all([self._make(at) for at in range(self._last, end)])
        self._last = end

    async def _trim_first(self) -> None:
        while self._last - self._first > _MOST_MOUNTED:
            await self._unmount(self._first)
            self._first += 1

    async def _trim_long(self) -> None:
        """Unmount the oldest turns while the mounted ones have very many rows; the newest stay."""
        rows = sum(len(view.rows) for view in self.views)
        while rows > _MOST_ROWS and self._last - self._first > _FEWEST_MOUNTED:
            rows -= len(self.views[0].rows)
            await self._unmount(self._first)
            self._first += 1

    # Loading. It takes three steps with a layout between them: mount turns, restore the scroll position,
    # unmount the turns that are too many. A step is dropped where the generation has changed since.

    @work
    async def _load_above(self, generation: int) -> None:
        async with self._change_lock:
            if generation != self._generation:
                return
            below = self.virtual_size.height - self.scroll_y
            first = max(0, self._first - _PAGE)
            with self.app.batch_update():
                before = self.views[0] if self.views else None
                await self.mount_all([self._make(at) for at in range(first, self._first)], before=before)
                self._first = first
        self.call_after_refresh(self._keep_place, generation, below, self._trim_below)

    @work
    async def _load_below(self, generation: int) -> None:
        async with self._change_lock:
            if generation != self._generation:
                return
            # The end that was reached is not the conversation's, so the scroll position must not stay there.
            self.release_anchor()
            await self._mount_below(_PAGE)
        self.call_after_refresh(self._trim_above, generation)

    def _keep_place(self, generation: int, below: float, next_step: Callable[[int], object]) -> None:
        """Scroll to `below` rows above the end, which the first row in view was before, then go on."""
        if generation == self._generation:
            self.scroll_to(y=self.virtual_size.height - below, animate=False, force=True, immediate=True)
            self.call_after_refresh(next_step, generation)

    @work
    async def _trim_below(self, generation: int) -> None:
        async with self._change_lock:
            if generation != self._generation:
                return
            while self._last - self._first > _MOST_MOUNTED:
                self._last -= 1
                await self._unmount(self._last)
        self._loaded(generation)

    @work
    async def _trim_above(self, generation: int) -> None:
        async with self._change_lock:
            if generation != self._generation:
                return
            below = self.virtual_size.height - self.scroll_y
            with self.app.batch_update():
                await self._trim_first()
        self.call_after_refresh(self._keep_place, generation, below, self._loaded)

    def _loaded(self, generation: int) -> None:
        if generation == self._generation:
            self._is_loading = False

    async def _unmount(self, number: int) -> None:
        entry = self._entries[number]
        if entry.view is not None:
            await entry.view.remove()
            entry.view = None

    def _is_above(self) -> bool:
        return self.scroll_y < self.max_scroll_y - 1

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._release_soon()
        if self._is_loading or not self.is_mounted:
            return
        if new_value <= 2 and new_value < old_value and self._first:
            self._is_loading = True
            self._load_above(self._generation)
        elif new_value > old_value and new_value >= self.max_scroll_y and self._last < len(self._entries):
            self._is_loading = True
            self._load_below(self._generation)

    def _release_soon(self) -> None:
        """Call `_release_unseen` once the turns are laid out anew: where they were is not where they are."""
        if not self._is_release_due:
            self._is_release_due = True
            self.call_after_refresh(self._release_unseen)

    def _release_unseen(self) -> None:
        """Have the turns that have left the view drop what was drawn of them."""
        self._is_release_due = False
        region = self.window_region
        for view in self.views:
            is_unseen = view.drawn_rows > 0 and not region.overlaps(view.virtual_region)
            if is_unseen or view.drawn_rows > _MOST_DRAWN:
                view.release()

    def action_page_up(self) -> None:
        self.page(-1)

    def action_page_down(self) -> None:
        self.page(1)

    def page(self, step: int) -> None:
        """Scroll by as many rows as are in view. `step` is -1 or 1."""
        self.scroll_pages(step)

    def scroll_pages(self, pages: float) -> None:
        """Scroll by so many times the rows that are in view; up where it is negative."""
        self.scroll_rows(int(pages * self.scrollable_content_region.height))

    def scroll_rows(self, rows: int) -> None:
        """Scroll by so many rows, immediately, because later would be after the handling of the next key."""
        self.scroll_to(y=self.scroll_target_y + rows, animate=False, immediate=True)

    async def action_newest(self) -> None:
        """Scroll to the end of the conversation, and stay there."""
        await self.show_around(len(self._entries) - 1)
        self.anchor()

    def turn_at(self, part: float) -> TurnView | None:
        """The turn at that part of the view, 0 being its first row and 1 its last."""
        row = self.scroll_offset.y + int(part * (self.scrollable_content_region.height - 1))
        above = [view for view in self.views if view.virtual_region.y <= row]
        return above[-1] if above else next(iter(self.views), None)

    async def focus_turn(self, step: int) -> None:
        """Focus the turn before (-1) or after (1) the focused one; where none is, -1 is the newest."""
        views = self.views
        focused = next((at for at, view in enumerate(views) if view.has_focus), len(views))
        number = self._first + focused + step
        if 0 <= number < len(self._entries) and (view := await self.show_around(number)) is not None:
            self._focus_at_top(view)

    async def focus_on(self, turn: Turn) -> None:
        """Focus a turn of the conversation, and scroll its beginning into view."""
        number = next(at for at, entry in enumerate(self._entries) if entry.turn.id == turn.id)
        if (view := await self.show_around(number)) is not None:
            self._focus_at_top(view)

    def _focus_at_top(self, view: TurnView) -> None:
        self.release_anchor()
        view.focus(scroll_visible=False)
        self.call_after_refresh(self.scroll_to_widget, view, animate=False, force=True, top=True)

    # Search

    async def find(self, text: str, step: int) -> tuple[int, int]:
        """Show the occurrence of `text` that is `step` from the one shown before; 0 begins at the newest.

        Returns its number, from 1 for the newest, and how many there are; (0, 0) where there is none.
        """
        for view in self.views:
            view.mark_occurrences("")
        places = await self._places_of(text)
        if not places:
            return 0, 0
        self._shown_place = 0 if step == 0 else (self._shown_place - step) % len(places)
        number, place = places[self._shown_place]
        shown = await self.show_around(number)
        if shown is not None:
            self.call_after_refresh(self._show_occurrence, shown, text, place)
        return self._shown_place + 1, len(places)

    async def _places_of(self, text: str) -> list[tuple[int, int]]:
        """For each occurrence, the newest first, the number of its turn, and its number in it from the end.

        A key is not kept waiting while a long conversation is searched.
        """
        places: list[tuple[int, int]] = []
        pause_at = time.monotonic() + _LONGEST_SEARCH_SECONDS
        for number, entry in reversed(list(enumerate(self._entries))):
            places += [(number, place) for place in range(occurrences(text, entry.turn, entry.run))]
            if time.monotonic() > pause_at:
                await asyncio.sleep(0)
                pause_at = time.monotonic() + _LONGEST_SEARCH_SECONDS
        return places

    def _show_occurrence(self, view: TurnView, text: str, place: int) -> None:
        """Mark `text` in a turn, and scroll to its occurrence number `place` from the end."""
        places = view.mark_occurrences(text)
        row = 0
        if places:
            row, start, end = places[-1 - min(place, len(places) - 1)]
            view.show_in_window(row, start, end)
        self.release_anchor()

        def scroll() -> None:
            top = view.virtual_region.y + row - self.size.height // 3
            self.scroll_to(y=max(0, top), animate=False, force=True, immediate=True)

        # A folded prompt that holds the text is unfolded and laid out first.
        self.call_after_refresh(scroll)
