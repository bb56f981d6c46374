"""A checklist: the points drawn from the answers, and the wait for a person to tick what to keep."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from moa_tui.engine.call import STOPPED
from moa_tui.engine.events import PointsFound
from moa_tui.engine.limits import CallScope
from moa_tui.engine.parsing import MOST_POINTS, parse_points

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Collection, Sequence

    from moa_tui.engine.call import Caller
    from moa_tui.engine.events import CallId, Event, Reply
    from moa_tui.engine.parsing import Point


def task_list(points: Sequence[str], ticked: Collection[int]) -> str:
    """The points as a Markdown task list, those at the places `ticked` with an x in their box."""
    return "\n".join(f"- [{'x' if at in ticked else ' '}] {point}" for at, point in enumerate(points))


def sorted_points(points: Sequence[Point]) -> str:
    """The points as a writer is shown them: what to keep, then what to leave out.

    A point is one line with a dash before it, so none can pass for a heading.
    """
    parts = []
    for heading, wanted in (("keep", True), ("leave out", False)):
        lines = [f"- {point.text}" for point in points if point.ticked is wanted]
        parts.append("\n".join([f"{heading}:", *(lines or ["(nothing)"])]))
    return "\n\n".join(parts)


class Desk:
    """Where a run waits for a person's choice. Its methods run on the run's loop."""

    def __init__(self, caller: Caller, emit: Callable[[Event], None], *, attended: bool) -> None:
        self._caller = caller
        self._emit = emit
        self._attended = attended
        self._waiting: dict[CallId, asyncio.Future[frozenset[int] | None]] = {}

    def decide(self, call: CallId, ticked: frozenset[int]) -> None:
        """Keep these points, by their places, of the list that waits; no effect where none does."""
        self._answer(call, ticked)

    def keep_all(self) -> bool:
        """Let everything that waits go on with all its points; whether anything did."""
        waiting = list(self._waiting)
        return sum(self._answer(call, None) for call in waiting) > 0

    def _answer(self, call: CallId, ticked: frozenset[int] | None) -> bool:
        choice = self._waiting.get(call)
        if choice is None or choice.done():
            return False
        choice.set_result(ticked)
        return True

    async def settle(self, call: CallId, reply: Reply) -> Reply:
        """`reply` with the person's choice in its text and in a note; as it is where it holds no list.

        `reply.ended` stays: the time a person takes is nobody's answering time.
        """
        found = parse_points(reply.text)
        if found is None:
            return reply
        if self._caller.stopped:
            return replace(reply, status="stopped", error=STOPPED)
        points = tuple(point.text for point in found)
        every = frozenset(range(len(points)))
        ticked: frozenset[int] | None = None
        how = "nobody was there to choose"
        if self._attended:
            scope = self._caller.scopes[call] = CallScope()
            try:
                async with scope:
                    ticked = await self._choice(call, points)
            except TimeoutError:
                if not scope.expired:
                    raise
                return replace(reply, status="stopped", error=scope.ended_by)
            finally:
                del self._caller.scopes[call]
            how = "the run went on without a choice"
        if ticked is None:
            ticked = every
            said = f"all {len(points)} points kept: {how}"
        else:
            ticked &= every
            said = f"{len(ticked)} of {len(points)} points kept by hand"
        notes = [f"{call} {reply.agent}: {said}"]
        if len(points) == MOST_POINTS:
            notes.append(f"{call} {reply.agent}: a checklist has {MOST_POINTS} points at most")
        return replace(reply, text=task_list(points, ticked), notes=(*reply.notes, *notes))

    async def _choice(self, call: CallId, points: tuple[str, ...]) -> frozenset[int] | None:
        """The places to keep, as soon as they are known; None is all of them."""
        choice: asyncio.Future[frozenset[int] | None] = self._caller.loop.create_future()
        self._waiting[call] = choice
        try:
            self._emit(PointsFound(call, points, self._caller.now()))
            return await choice
        finally:
            del self._waiting[call]
