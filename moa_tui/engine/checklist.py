"""The checklist: points drawn from the answers, and the wait until the user has ticked those to keep."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from moa_tui.engine.call import STOPPED
from moa_tui.engine.events import PointsFound
from moa_tui.engine.parsing import MOST_POINTS, parse_points

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Collection, Sequence

    from moa_tui.engine.call import Caller
    from moa_tui.engine.events import Event
    from moa_tui.engine.parsing import Point
    from moa_tui.engine.values import CallId, Reply


def task_list(points: Sequence[str], ticked: Collection[int]) -> str:
    """The points as a Markdown task list; the boxes at the indexes `ticked`, from 0, hold an x."""
    return "\n".join(f"- [{'x' if index in ticked else ' '}] {point}" for index, point in enumerate(points))


def sorted_points(points: Sequence[Point]) -> str:
    """The points in the form for agents: those to keep, then those to leave out.

    Each point is one line behind a dash, so that no point can pass for a heading.
    """
    sections = []
    for heading, is_ticked in (("keep", True), ("leave out", False)):
        lines = [f"- {point.text}" for point in points if point.ticked is is_ticked]
        sections.append("\n".join([f"{heading}:", *(lines or ["(nothing)"])]))
    return "\n\n".join(sections)


class ChecklistGate:
    """Holds the run at a checklist until a user has decided. All methods are called on the run's loop.

    With `attended` False there is nobody to decide: every point is kept and the run does not wait.
    """

    def __init__(self, caller: Caller, emit: Callable[[Event], None], *, attended: bool) -> None:
        self._caller = caller
        self._emit = emit
        self._attended = attended
        self._choices: dict[CallId, asyncio.Future[frozenset[int] | None]] = {}

    def decide(self, call: CallId, ticked: frozenset[int]) -> None:
        """Keep the points at the indexes `ticked` of the call's open checklist; no effect without one."""
        self._resolve(call, ticked)

    def keep_all(self) -> bool:
        """Keep every point of every open checklist; False where none was open."""
        resolved = [self._resolve(call, None) for call in list(self._choices)]
        return any(resolved)

    def _resolve(self, call: CallId, ticked: frozenset[int] | None) -> bool:
        """End the wait at the call's checklist with a choice, None for all; False where it is not open."""
        choice = self._choices.get(call)
        if choice is None or choice.done():
            return False
        choice.set_result(ticked)
        return True

    async def decided(self, call: CallId, reply: Reply) -> Reply:
        """`reply` with the user's choice as its text and in a note; unchanged where it holds no checklist.

        `reply.ended` stays as it is, since the time that a user takes is no agent's time. The reply has the
        status `stopped` where the call was ended during the wait.
        """
        parsed_points = parse_points(reply.text, is_cut=reply.status != "done")
        if parsed_points is None:
            return reply
        if self._caller.stopped:
            return replace(reply, status="stopped", error=STOPPED)
        points = tuple(point.text for point in parsed_points)
        ticked: frozenset[int] | None = None
        why_all_kept = "nobody was asked to choose"
        if self._attended:
            try:
                async with self._caller.open_scope(call) as scope:
                    ticked = await self._choice(call, points)
            except TimeoutError:
                if not scope.expired:
                    raise
                return replace(reply, status="stopped", error=scope.ended_by)
            why_all_kept = "the run went on without a choice"
        every_index = frozenset(range(len(points)))
        if ticked is None:
            ticked = every_index
            choice_note = f"all {len(points)} points kept: {why_all_kept}"
        else:
            ticked &= every_index
            choice_note = f"{len(ticked)} of {len(points)} points kept by hand"
        notes = [f"{call} {reply.agent}: {choice_note}"]
        if len(points) == MOST_POINTS:
            notes.append(f"{call} {reply.agent}: a checklist has {MOST_POINTS} points at most")
        if reply.error is not None:
            notes.append(f"{call} {reply.agent}: {reply.error.message}, so points may be missing")
        # What is kept of the points is whole, even where the list itself was cut.
        return replace(
            reply, status="done", error=None, text=task_list(points, ticked), notes=(*reply.notes, *notes)
        )

    async def _choice(self, call: CallId, points: tuple[str, ...]) -> frozenset[int] | None:
        """The indexes of the points to keep, once a user has decided; None for all of them."""
        choice: asyncio.Future[frozenset[int] | None] = self._caller.loop.create_future()
        self._choices[call] = choice
        try:
            self._emit(PointsFound(call, points, self._caller.now()))
            return await choice
        finally:
            del self._choices[call]
