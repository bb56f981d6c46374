"""What the answers of a conversation left out: the points, which of them are marked, and what is done by it.

That a point was left out is no error of the answer: it may be wrong, or beside the question.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from moa_tui.chat import write_with
from moa_tui.engine import left_out
from moa_tui.engine.parsing import MOST_POINTS
from moa_tui.errors import UsageError
from moa_tui.text.cells import cell_len, shorten
from moa_tui.text.safe import one_line
from moa_tui.text.wording import counted, left_out_counts, money

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moa_tui.chat.session import ChatSession
    from moa_tui.conversation import Turn
    from moa_tui.engine.left_out import LeftOutPoint
    from moa_tui.engine.values import CallId

# Turns whose points are remembered; those looked at least recently are worked out again.
_MOST_TURNS = 500
_LONGEST_NAME_CELLS = 20


@dataclass(slots=True)
class LeftOutList:
    """The points that the answer of one turn left out, and which of them are marked."""

    turn: Turn
    points: tuple[LeftOutPoint, ...]
    marked: set[int] = field(default_factory=set)
    """The places of the marked points, from 0."""

    def names(self, place: int) -> str:
        """The names of the agents that made the point number `place`, from 0."""
        return ", ".join(dict.fromkeys(self._name(call) for call in self.points[place].calls))

    def _name(self, call: CallId) -> str:
        replies = self.turn.outcome.replies if self.turn.outcome is not None else {}
        return one_line(replies[call].agent) if call in replies else str(call)

    @property
    def counts(self) -> Sequence[tuple[str, int]]:
        """How many of the points stand in the words of each agent, with its name, the most first."""
        return left_out_counts(self.points, self.turn.outcome.replies) if self.turn.outcome else ()

    def mark(self, place: int) -> None:
        """Mark the point number `place`, from 0, or take its mark away."""
        if place < len(self.points):
            self.marked ^= {place}

    def mark_numbers(self, words: str) -> None:
        """Mark the points of these numbers, from 1, and no others. Raises UsageError for another number."""
        numbers = words.replace(",", " ").split()
        count = len(self.points)
        for number in numbers:
            if not number.isdecimal() or not 1 <= int(number[:9]) <= count:
                word = shorten(number, _LONGEST_NAME_CELLS)
                raise UsageError(f'"{word}" is no point: the answer left out points 1 to {count}')
        self.marked.clear()
        self.marked.update(int(number) - 1 for number in numbers)

    def mark_all(self) -> None:
        """Mark all points; where all are, none."""
        if len(self.marked) == len(self.points):
            self.marked.clear()
        else:
            self.marked.update(range(len(self.points)))

    @property
    def change(self) -> write_with.WriteWith:
        """The change that writes the answer again with the marked points.

        Raises UsageError where none is marked, or the recipe's answer cannot be written so.
        """
        if not self.marked:
            raise UsageError(
                "no point is marked: Space marks one, a all; Enter then writes the answer again with them"
            )
        change = write_with.WriteWith(tuple(self.points[place].text for place in sorted(self.marked)))
        change.of_turn(self.turn)
        return change

    def markdown(self) -> str:
        """The marked points, or all where none is marked, as a Markdown list with the agents' names."""
        places = sorted(self.marked) or range(len(self.points))
        return "\n".join(f"- {one_line(self.points[place].text)} ({self.names(place)})" for place in places)


class LeftOut:
    """What the turns of a session left out, worked out once for each turn that somebody looks at."""

    def __init__(self, session: ChatSession) -> None:
        self._session = session
        self._found: OrderedDict[str, tuple[tuple[LeftOutPoint, ...], set[int]]] = OrderedDict()
        """By a turn's id its points and the marked ones; not the turn, which holds its whole conversation."""
        self._one_at_a_time = asyncio.Lock()

    async def of(self, turn: Turn) -> LeftOutList:
        """The points that the answer of `turn` left out, none where it has no whole answer.

        The marks in the list are kept. The work is done on another thread, for one turn at a time.
        """
        if turn.outcome is None or turn.outcome.status != "done":
            return LeftOutList(turn, ())
        async with self._one_at_a_time:
            if turn.id not in self._found:
                points = await asyncio.to_thread(left_out.left_out, turn.outcome, turn.recipe)
                self._found[turn.id] = (points, set())
                if len(self._found) > _MOST_TURNS:
                    self._found.popitem(last=False)
            self._found.move_to_end(turn.id)
            return LeftOutList(turn, *self._found[turn.id])

    async def list_of(self, turn: Turn | None = None) -> LeftOutList:
        """What a turn left out, by default the last one. Raises UsageError where there is nothing to list."""
        turn = turn or self._session.chat.turn
        if turn is None or turn.outcome is None:
            raise UsageError("there is no answer yet that could have left anything out")
        if turn.outcome.status != "done":
            raise UsageError("this answer is not whole: what it leaves out is not known")
        points = await self.of(turn)
        if not points.points:
            raise UsageError("this answer left out no point of the others")
        return points

    async def price_words(self, points: LeftOutList, how: str) -> str:
        """What writing the answer again would take at most, in a line, or why it cannot be done.

        `how` is what the user does for it, as "Enter".
        """
        chat = self._session.chat
        texts = tuple(point.text for point in points.points[:MOST_POINTS])
        try:
            rerun = write_with.WriteWith(texts).of_turn(points.turn)
        except UsageError as error:
            return str(error)
        price = await chat.price_of(points.turn, rerun)
        cost = money(price) if not price else f"{money(price)} at most"
        writer = one_line(rerun.recipe.lineup[-1][0].name)
        is_over = price is not None and any(price > cap.left for cap in await chat.caps())
        return f"{how} writes the answer again: one call of {writer}, {cost}{' · over budget' * is_over}"

    def change(self, points: LeftOutList) -> write_with.WriteWith:
        """The change that writes the answer again. Raises UsageError where that cannot be done now."""
        change = points.change
        if self._session.is_running:
            raise UsageError(
                "another answer is being written: press Enter again once it is done; the marks are kept"
            )
        return change


def line_words(points: LeftOutList, width: int) -> str:
    """How many points were left out, and whose, in a line of at most `width` cells; empty where none were.

    As many names as fit are given, long ones shortened.
    """
    if not points.points:
        return ""
    beginning = f"left out: {counted(len(points.points), 'point')}"
    names = [f"{shorten(name, _LONGEST_NAME_CELLS)} {count}" for name, count in points.counts]
    for shown in range(len(names), 0, -1):
        listed = ", ".join([*names[:shown], *(["…"] if shown < len(names) else [])])
        for words in (f"{beginning} ({listed}) · /left lists them", f"{beginning} ({listed})"):
            if cell_len(words) <= width:
                return words
    return shorten(beginning, width)
