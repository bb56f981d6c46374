"""The checklist in the chat: when it is put on the screen, and what the person decides."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from moa_tui.errors import UsageError
from moa_tui.text.wording import counted
from moa_tui.ui.chat.requests import AttentionRequested
from moa_tui.ui.screens import checklist_screen

if TYPE_CHECKING:
    from moa_tui.ui.chat.following import Following
    from moa_tui.ui.chat.state import ChatState
    from moa_tui.ui.chat.view import ChatView
    from moa_tui.ui.run.run_view import PointsChoice
    from moa_tui.ui.screens.checklist_screen import Decision


class Checklist:
    """Offers the points that a run waits with, and hands the person's choice to it."""

    def __init__(self, state: ChatState, view: ChatView, following: Following) -> None:
        self._state = state
        self._session = state.session
        self._view = view
        self._following = following
        self._screen: checklist_screen.ChecklistScreen | None = None

    def attend(self) -> None:
        """Where the run waits for the person, offer its points and let the clock rest until more happens."""
        points, run = self._state.points, self._session.run
        if points is None or run is None:
            if self._screen is not None:
                self._screen.dismiss(None)  # The run was stopped meanwhile: nothing is left to choose.
            return
        if not points.offered:
            points.offered = True
            self._offer(points)
        self._following.tick_all()
        self._view.keys_changed()
        self._view.set_ticking(False)
        loop = asyncio.get_running_loop()

        def wake() -> None:
            with suppress(RuntimeError):  # The app has ended meanwhile.
                loop.call_soon_threadsafe(self._view.set_ticking, True)

        run.wake_with(wake)

    def _offer(self, points: PointsChoice) -> None:
        self._view.post(AttentionRequested("points wait for you"))
        if self._view.is_in_front and not self._view.box.draft.sent.strip():
            self.show()
        else:
            # A key meant for a message must not decide.
            waiting = counted(len(points.points), "point")
            self._view.say(f"{waiting} wait for you: F8 shows them, ctrl+g keeps all")

    def show(self) -> None:
        """Let the person tick the points that wait. Raises UsageError where none do."""
        points = self._state.points
        if points is None:
            raise UsageError("no points wait to be ticked")

        def decided(decision: Decision | None) -> None:
            self._screen = None
            self._decide(points, decision)

        self._screen = checklist_screen.ChecklistScreen(points.points, points.ticked)
        self._view.show_dialog(self._screen, decided)

    def _decide(self, points: PointsChoice, decision: Decision | None) -> None:
        run = self._session.run
        if points is not self._state.points or run is None:
            return
        match decision:
            case "go on":
                run.decide(points.call, frozenset(points.ticked))
            case "stop":
                run.stop()
            case None:
                kept = f"{len(points.ticked)} of {counted(len(points.points), 'point')}"
                self._view.say(
                    f"the run waits: F8 shows its points again, ctrl+g goes on with {kept}, Esc stops it"
                )

    def proceed(self) -> None:
        """Go on with the answers that are ready; where points wait, with those that are ticked.

        Raises UsageError where no run goes on.
        """
        if (points := self._state.points) is not None:
            self._decide(points, "go on")
        else:
            self._session.require_run().proceed()
