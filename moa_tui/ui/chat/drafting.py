"""What is being typed on its way to the disk, and back into the prompt at the next start."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from moa_tui.chat import sentences
from moa_tui.chat.unsent import UnsentTexts
from moa_tui.errors import StoreError, UsageError

if TYPE_CHECKING:
    from moa_tui.chat.unsent import DraftChange
    from moa_tui.ui.chat.state import ChatState
    from moa_tui.ui.chat.view import ChatView
    from moa_tui.ui.prompt.prompt_box import PromptBox

_LEAVE_WITHIN_SECONDS = 10.0


class Drafting:
    """Keeps what was not sent. `box` stays readable when the screen is gone, for the last look at it."""

    def __init__(self, state: ChatState, view: ChatView) -> None:
        self._session = state.session
        self._view = view
        self._unsent = UnsentTexts(state.session)
        self._box: PromptBox | None = None
        self._may_leave_until = 0.0
        self._problem: str | None = None

    @property
    def _typed(self) -> list[str]:
        return self._box.unsent if self._box is not None else []

    def begin(self) -> None:
        """Keep what is typed from now on."""
        self._box = self._view.box

    def restore(self) -> None:
        """Look for what other windows have left, in the background. Raises nothing."""
        self._view.start(self._restore, "restore")

    def keep(self) -> None:
        """Have what was not sent written to disk where it has changed. Does not wait. Raises nothing."""
        if (change := self._unsent.change(self._typed)) is not None:
            self._view.start(partial(self._write, change), "draft")

    async def _write(self, change: DraftChange) -> None:
        """Write a change; a problem is told once."""
        problem = None
        try:
            await self._unsent.write(change)
        except StoreError as error:
            problem = str(error)
            if problem != self._problem:
                self._view.say(problem, title="Not written to disk", severity="error", seconds=15)
        self._problem = problem

    def keep_last(self) -> str | None:
        """Write what was not sent as the program ends; why that cannot be, or None."""
        try:
            self._unsent.keep_last(self._typed)
        except StoreError as error:
            return str(error)
        return None

    async def _restore(self) -> None:
        """Put what a window that is gone had not sent back into the prompt. Raises StoreError."""
        restored = await self._unsent.restore()
        for note in restored.notes:
            self._view.say(note, title="A draft cannot be read", severity="warning", seconds=15)
        if restored.prompts:
            self._view.box.prompt.put_back("\n".join(restored.prompts))
            self._view.say(sentences.restored_words(restored), seconds=15)
            if restored.instead_of is not None and not self._session.is_running:
                self._session.edit(restored.instead_of)
        if (change := self._unsent.change(self._typed)) is not None:
            await self._write(change)
        # What is not in this window's draft yet stays where it was, for the next start.
        if self._problem is None:
            await self._unsent.discard_restored()

    def require_may_leave(self) -> None:
        """Raise UsageError, once, where leaving the program would lose a text that may not be on disk."""
        now = time.monotonic()
        if now > self._may_leave_until and self._unsent.is_lost_with(self._typed):
            self._may_leave_until = now + _LEAVE_WITHIN_SECONDS
            raise UsageError(
                "what is in the input was not sent, and nothing of this conversation is written to disk: "
                "leaving loses it. The same once more leaves"
            )
