"""What Vim's keys do around the prompt: scrolling, finding, going between the prompt and a turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textual.widget import Widget

    from moa_tui.ui.chat.looking import Looking
    from moa_tui.ui.chat.state import ChatState
    from moa_tui.ui.chat.view import ChatView


class Reading:
    """Carries out what the prompt and the conversation ask for where the settings want Vim's keys."""

    def __init__(self, state: ChatState, view: ChatView, looking: Looking) -> None:
        self._session = state.session
        self._view = view
        self._looking = looking
        self._has_told_what_stops = False
        self._turn: Widget | None = None
        """The turn from which a text is searched for, which has the focus again afterwards."""

    def scroll(self, pages: float) -> None:
        """Scroll the conversation by so many pages."""
        self._view.transcript.scroll_pages(pages)

    def open_find(self, turn: Widget | None = None) -> None:
        """Ask for a text to find; afterwards `turn` has the focus, or the prompt."""
        self._turn = turn
        self._view.find_bar.open()

    async def find_again(self, step: int, turn: Widget | None) -> None:
        """Go to another place of the text that was searched for last; ask for one where there is none."""
        if text := self._view.find_bar.last_text:
            await self._looking.find(text, step)
        else:
            self.open_find(turn)

    async def end_find(self) -> None:
        """Take the marks of the search away, and go back to where it was begun."""
        await self._looking.end_find()
        if self._turn is not None and self._turn.is_attached:
            self._turn.focus(scroll_visible=False)
        self._turn = None

    def write(self) -> None:
        """Go to the prompt, in insert mode."""
        self._view.focus_prompt()
        if (vim := self._view.box.prompt.vim) is not None:
            vim.begin_insert()

    def tell_what_stops(self) -> None:
        """Say, once, that Esc stops no run here."""
        if self._session.is_running and not self._has_told_what_stops:
            self._has_told_what_stops = True
            self._view.say("with Vim's keys Esc stops no run: ctrl+c does")
