"""What a chat screen knows of its conversation: the run that goes on, and what waits behind it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from moa_tui.ui.run.follower import RunFollower
from moa_tui.ui.run.run_view import RunView

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from moa_tui.chat import Chat
    from moa_tui.conversation import Turn
    from moa_tui.running import Running


class Draft(NamedTuple):
    """A message: `text` as it is sent, files and all; `shown` as it was written."""

    text: str
    shown: str


NOTHING = Draft("", "")


@dataclass
class Session:
    """One conversation on a screen."""

    chat: Chat
    running: Running | None = None
    run: RunView | None = None
    draft: Draft = NOTHING
    """What the run was begun with."""
    shown: bool = False
    """Whether there is something on the screen to show the run: before, none of its events is taken in."""
    written: str = ""
    """The last turn's prompt as it was written, its files not read in."""
    waiting: list[Draft] = field(default_factory=list)
    """Messages to send when the run is over, oldest first."""
    instead_of: Turn | None = None
    """The turn in whose place the next message is asked; behind the last one where None."""
    then: Callable[[Turn], Awaitable[None]] | None = None
    """What is to be done with the turn once its run, which was told to stop, is over."""
    spent: float = 0.0
    """US dollars of the conversation so far, unknown prices left out."""
    tokens: int = 0
    _before: tuple[RunView | None, Turn | None] = (None, None)

    def begin(self, running: Running) -> RunView:
        """Follow a run that was just started."""
        self._before = (self.run, self.instead_of)
        self.running, self.instead_of = running, None
        self.run = RunView(running.turn.recipe)
        self.shown = False
        return self.run

    def drain(self) -> tuple[bool, bool]:
        """Take in what the engine has said: whether the run has ended, and whether the answer began anew."""
        if self.running is None or self.run is None or not self.shown:
            return False, False
        advance = RunFollower(self.running, self.run).advance()
        return advance.ended, advance.answer_restarted

    def end(self) -> Turn | None:
        """Settle the ended run; None where it never began. Raises what stopped it from beginning."""
        running = self.running
        self.running = None
        if running is None:
            return None
        before, self._before = self._before, (None, None)
        try:
            turn = self.chat.settle(running)
        except Exception:
            self.run, self.instead_of = before
            raise
        if turn is None:
            self.run, self.instead_of = before
        else:
            self._count(turn)
        return turn

    def count(self, turns: Sequence[Turn]) -> None:
        """Add what these turns took, that were answered elsewhere than here."""
        for turn in turns:
            self._count(turn)

    def _count(self, turn: Turn) -> None:
        if turn.outcome is not None:
            fresh = [reply for reply in turn.outcome.replies.values() if not reply.reused]
            self.spent += sum(reply.cost or 0.0 for reply in fresh)
            self.tokens += sum(reply.usage.prompt_tokens + reply.usage.completion_tokens for reply in fresh)

    def take_back(self) -> str | None:
        """The newest message that waits, as it was written, no longer waiting."""
        return self.waiting.pop().shown if self.waiting else None

    def start_over(self) -> None:
        """The chat has another conversation, or another branch of it, from now on."""
        self.run, self.instead_of, self.spent, self.tokens = None, None, 0.0, 0
        self.draft, self.written, self.then = NOTHING, "", None
        self.waiting.clear()
        for turn in self.chat.conversation.turns:
            self._count(turn)
