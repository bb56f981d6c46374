"""What a chat screen knows of its session: the run that it shows, and what the conversation has taken."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from moa_tui.conversation import paid_for
from moa_tui.ui.run import run_view
from moa_tui.ui.run.follower import RunFollower

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from moa_tui.chat.run_handle import RunHandle
    from moa_tui.chat.session import ChatSession, NewTurn
    from moa_tui.conversation import Turn
    from moa_tui.ui.run.run_view import PointsChoice


class ChatState:
    """One session on a screen."""

    def __init__(self, session: ChatSession) -> None:
        self.session = session
        self.run_view: run_view.RunView | None = None
        """The run of the newest turn that is on the screen, going or over."""
        self.is_shown = False
        """True once a widget shows the run that goes: before, none of its events is taken in."""
        self.spent = 0.0
        """US dollars of the conversation's ended runs, unknown prices left out."""
        self.tokens = 0
        self.cached_tokens = 0
        self.clock: Callable[[], float] = time.monotonic
        """Seconds, by which the views of runs tell how long each call takes."""
        self._view_before: run_view.RunView | None = None
        self._follower: RunFollower | None = None

    @property
    def points(self) -> PointsChoice | None:
        """The points that the run waits with for the person; None where it waits for nobody."""
        return self.run_view.choice if self.run_view is not None and self.session.is_running else None

    def begin(self, run: RunHandle) -> run_view.RunView:
        """The view of a run that has just been started, which is followed from now on."""
        self._view_before = self.run_view
        self.run_view = run_view.RunView(run.turn.recipe, self.clock)
        self._follower = RunFollower(run, self.run_view)
        self.is_shown = False
        return self.run_view

    def advance(self) -> bool:
        """Take in what the engine has said since the last look; True if that was the run's end."""
        if self.session.run is None or self._follower is None or not self.is_shown:
            return False
        return self._follower.advance()

    def settle(self) -> Turn | None:
        """Settle the ended run; None where it never began. Raises what kept it from beginning."""
        before, self._view_before = self._view_before, None
        turn = None
        try:
            turn = self.session.settle_run()
        finally:
            if turn is None:
                self.run_view = before
        if turn is not None:
            self.count([turn])
        return turn

    def show_ended(self, new: NewTurn) -> run_view.RunView:
        """The view of a turn that came into the conversation as it is, without being followed."""
        self.run_view = run_view.RunView.of(new.turn)
        return self.run_view

    def start_over(self) -> None:
        """The session has another conversation, or another branch of it, from now on."""
        self.run_view, self.spent, self.tokens, self.cached_tokens = None, 0.0, 0, 0
        self.count(self.session.chat.conversation.turns)

    def count(self, turns: Sequence[Turn]) -> None:
        """Add what these turns took."""
        total = paid_for(turns)
        self.spent += total.known_cost
        self.tokens += total.tokens
        self.cached_tokens += total.usage.cached_tokens
