"""What answers left out: the line below each, the list of the points, and the answer written with them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from moa_tui.chat import left_out
from moa_tui.chat.session import NewTurn
from moa_tui.ui.run import run_view
from moa_tui.ui.screens import left_out_screen

if TYPE_CHECKING:
    from textual.screen import Screen

    from moa_tui.chat.left_out import LeftOut, LeftOutList
    from moa_tui.conversation import Turn
    from moa_tui.ui.chat.following import Following
    from moa_tui.ui.chat.looking import Looking
    from moa_tui.ui.chat.state import ChatState
    from moa_tui.ui.chat.view import ChatView
    from moa_tui.ui.run.run_view import RunView


class LeavingOut:
    """Shows what the answers of turns left out, and has an answer written again with it."""

    def __init__(self, state: ChatState, view: ChatView, following: Following, looking: Looking) -> None:
        self._session = state.session
        self._view = view
        self._following = following
        self._looking = looking
        self._made: LeftOut | None = None

    @property
    def _left_out(self) -> LeftOut:
        # Made on first use, because its module is not there when the first frame is drawn.
        if self._made is None:
            self._made = left_out.LeftOut(self._session)
        return self._made

    def work_out(self, turn: Turn, run: RunView) -> None:
        """Begin to work out what the answer of a turn in view left out; a line below it says so later."""
        self._view.start(partial(self._work_out, self._ended(turn, run), run), f"left out {turn.id}")

    async def _work_out(self, turn: Turn, run: RunView) -> None:
        run.left_out = await self._left_out.of(turn)
        if run.left_out.points and self._view.is_ready:
            for turn_view in self._view.transcript.views:
                if turn_view.run is run:
                    turn_view.tick()

    def _ended(self, turn: Turn, run: RunView) -> Turn:
        """The turn as it is now that its run is over; a view may hold its value from before."""
        turn = self._view.transcript.turn_of(run) or turn
        return turn if turn.outcome is not None else replace(turn, outcome=run.outcome)

    def show_soon(self, run: RunView) -> None:
        """Begin to list what the answer of a run left out."""
        self._view.start(partial(self.show, run), "left out")

    async def show(self, run: RunView | None = None, numbers: str = "") -> None:
        """List what the answer of a run left out, by default the last one, with those `numbers` marked.

        Raises UsageError.
        """
        shown_turn = None if run is None else self._view.transcript.turn_of(run)
        points = await self._left_out.list_of(shown_turn)
        if numbers:
            points.mark_numbers(numbers)
        price_words = await self._left_out.price_words(points, "Enter")
        if not self._view.is_ready or not self._view.is_in_front:
            return

        def decided(is_to_be_written: bool | None) -> None:
            if is_to_be_written:
                self._view.start(partial(self._write, points), "change")

        self._view.show_dialog(
            left_out_screen.LeftOutScreen(
                points,
                price_words,
                copy=self._view.copy,
                check=partial(self._left_out.change, points),
                place_of=partial(self._place_of, points),
            ),
            decided,
        )

    def _place_of(self, points: LeftOutList, place: int) -> Screen[None]:
        """The screen that shows the point number `place` in the answer it stands in."""
        point = points.points[place]
        run = next((each.run for each in self._view.transcript.views if each.turn.id == points.turn.id), None)
        run = run or run_view.RunView.of(points.turn)
        return self._looking.inspector(run, point.calls[0], (point.start, point.end))

    async def _write(self, points: LeftOutList) -> None:
        new = await self._session.change(self._left_out.change(points), points.turn)
        if isinstance(new, NewTurn):
            await self._following.show(new)
