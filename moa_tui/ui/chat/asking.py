"""What becomes of a submitted prompt: a command, a run, or a place in the queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moa_tui.chat import command_words, sentences
from moa_tui.errors import MoaTuiError
from moa_tui.ui.screens import history_screen

if TYPE_CHECKING:
    from moa_tui.chat.prompt_text import PromptText
    from moa_tui.conversation import Turn
    from moa_tui.ui.chat.following import Following
    from moa_tui.ui.chat.labels import Labels
    from moa_tui.ui.chat.state import ChatState
    from moa_tui.ui.chat.view import ChatView


class Asking:
    """Sends, queues and takes back prompts. Methods raise MoaTuiError unless they say otherwise."""

    def __init__(self, state: ChatState, view: ChatView, labels: Labels, following: Following) -> None:
        self._session = state.session
        self._view = view
        self._labels = labels
        self._following = following

    async def submit(self, prompt: PromptText) -> None:
        """Send a prompt, or queue it. Where that cannot be, it is put back with all that waits."""
        try:
            new = self._session.submit(prompt)
        except MoaTuiError:
            self._following.put_back([prompt, *self._session.take_back_all()])
            raise
        if new is None:
            self._labels.renew_queue()
        else:
            await self._following.show(new)

    async def retry(self) -> None:
        """Ask the last prompt again."""
        await self._following.show(self._session.retry())

    async def edit(self, number: str) -> None:
        """Put the last prompt, or that of turn `number` counting from 1, back to be changed."""
        self._session.require_idle()
        await self.edit_turn(command_words.turn_numbered(number, self._session.chat.path))

    async def edit_turn(self, turn: Turn) -> None:
        """Put the prompt of `turn` back to be changed; what is sent next is another branch from there."""
        self._view.box.prompt.put_back(self._session.edit(turn).written)
        is_last = turn is self._session.chat.turn
        place = "the last turn's place" if is_last else "that turn's place, as another branch"
        self._view.say(f"what you send next takes {place}")
        self._view.focus_prompt()

    def prompt_edited(self) -> None:
        """Estimate anew; an emptied prompt takes no turn's place any more. Raises nothing."""
        if not self._view.box.draft.sent.strip():
            self._session.instead_of = None
        self._labels.renew_estimate()

    def stop(self) -> None:
        """Take back the newest prompt that waits; where none does, stop the run."""
        prompt = self._session.take_back()
        if prompt is None:
            self._session.stop()
            return
        self._following.put_back([prompt])
        self._view.focus_prompt()

    def set_system_prompt(self, text: str) -> None:
        """Show the system prompt, replace it by `text`, or drop it where that is `-`. Raises nothing."""
        self._view.say(sentences.set_system_prompt(self._session.chat, text))

    def search_history(self) -> None:
        """Let the person choose among earlier prompts. Raises nothing."""
        prompt = self._view.box.prompt

        def fill(text: str | None) -> None:
            if text:
                # What was being written is one step back in the history.
                prompt.remember(prompt.expanded)
                prompt.fill(text)

        self._view.show_dialog(history_screen.HistoryScreen(prompt.earlier), fill)
