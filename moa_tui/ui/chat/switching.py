"""Which conversation, and which branch of it, is on the screen."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING

from moa_tui.chat import command_words, sentences
from moa_tui.chat.conversations import Resumed
from moa_tui.errors import DatabaseLostError, OpenElsewhereError, UsageError
from moa_tui.ui.run import run_view
from moa_tui.ui.screens.sessions import fork_screen, sessions_screen, stats_screen

if TYPE_CHECKING:
    from moa_tui.chat.conversations import Conversations
    from moa_tui.chat.library import Library
    from moa_tui.conversation import Turn
    from moa_tui.errors import StoreError
    from moa_tui.recipes.catalog import RecipeCatalog
    from moa_tui.ui.chat.labels import Labels
    from moa_tui.ui.chat.state import ChatState
    from moa_tui.ui.chat.view import ChatView

_LEAVE_WITHIN_SECONDS = 10.0


class Switching:
    """Opens, begins, forks and exports conversations. Methods raise MoaTuiError."""

    def __init__(
        self,
        state: ChatState,
        view: ChatView,
        conversations: Conversations,
        catalog: RecipeCatalog,
        library: Library,
        labels: Labels,
    ) -> None:
        self._state = state
        self._session = state.session
        self._chat = state.session.chat
        self._view = view
        self._conversations = conversations
        self._catalog = catalog
        self._library = library
        self._labels = labels
        self._may_leave_until = 0.0

    # Showing

    async def show_conversation(self, turn: Turn | None = None) -> None:
        """Show what the chat has now, from its end, or around `turn`."""
        with self._session.switching():
            self._state.start_over()
            turns = self._chat.path
            await self._view.transcript.open(turns, self._chat.conversation.places())
            last_run = self._view.transcript.last_run
            self._state.run_view = last_run or (run_view.RunView.of(turns[-1]) if turns else None)
            self._view.panel.run = None
            self._view.open_panel(False)
            self._view.set_empty(not turns)
            self._labels.renew()
            self._view.keys_changed()
            if turn is not None:
                await self._view.transcript.focus_on(turn)
            else:
                self._view.focus_prompt()

    async def _show_opened(self, turn_id: str = "") -> None:
        resumed = await self._conversations.resume_recipe(self._catalog)
        if resumed is not Resumed.SAME:
            self._view.say(sentences.resumed_words(resumed, self._chat))
        if resumed is Resumed.CHANGED:
            self._labels.tell_if_unguided()
        if words := sentences.unused_system_words(self._chat.turn):
            self._view.say(words, severity="warning", seconds=12)
        await self.show_conversation(self._conversations.show_turn(turn_id))

    async def show_alternative(self, turn: Turn, step: int) -> None:
        """Look at the branch that is `step` from `turn`."""
        await self.show_conversation(self._conversations.show_branch(turn, step))

    async def recall_prompts(self) -> None:
        """Have what was asked in other conversations to step back to."""
        if self._library.keeps:
            self._view.box.prompt.earlier[:0] = await asyncio.to_thread(self._library.prompts)

    # Other conversations

    async def begin(self) -> None:
        """Begin a new conversation."""
        self._session.require_idle()
        self.require_may_leave()
        await self._conversations.new()
        await self.show_conversation()

    def show_list(self) -> None:
        """Let the person choose among all conversations."""

        def chosen(result: tuple[str, str] | None) -> None:
            self._view.start(partial(self.open, *result) if result else self._reread_labels, "open")

        self._view.show_dialog(
            sessions_screen.SessionsScreen(self._library, self._chat.conversation.id), chosen
        )

    async def _reread_labels(self) -> None:
        """Take over what was done to this conversation in the list."""
        await self._conversations.reread_labels()
        self._labels.renew_title()

    async def open(self, name: str, turn_id: str = "") -> None:
        """Go on with a kept conversation, by its id or title, and show that turn."""
        self._session.require_idle()
        summary = await asyncio.to_thread(self._library.find, name)
        if summary.id == self._chat.conversation.id:
            if not turn_id:
                self._view.say("that is the conversation that is open")
            elif (turn := self._conversations.show_turn(turn_id)) is not None:
                await self.show_conversation(turn)
            return
        self.require_may_leave()
        try:
            await self._conversations.open(summary.id)
        except OpenElsewhereError as error:
            self._view.show_dialog(fork_screen.ForkScreen(str(error)), partial(self._fork_other, summary.id))
            return
        await self._show_opened(turn_id)

    def _fork_other(self, conversation_id: str, is_wanted: bool | None) -> None:
        async def fork() -> None:
            await self._conversations.fork(conversation_id)
            await self._show_opened()

        if is_wanted:
            self._view.start(fork, "open")

    async def fork(self, turn: Turn | None = None) -> None:
        """Go on in a new conversation that holds this branch, up to `turn`."""
        await self._conversations.fork(turn=turn)
        await self._show_opened()
        self._view.say("this is a conversation of its own now; the other one stays as it is")

    async def rename(self, title: str) -> None:
        """Give the conversation a title."""
        await self._conversations.rename(title)
        self._labels.renew_title()

    async def name_by(self, model: str) -> None:
        """Have a model give the conversation a title, where it has none yet."""
        if await self._conversations.name_by(model):
            self._labels.renew_title()

    async def toggle_private(self) -> None:
        """Keep what is sent in memory only from now on, or all of it on disk."""
        await self._conversations.set_private(not self._chat.private)
        self._labels.renew_title()
        self._view.say(sentences.privacy_words(self._chat))

    async def export(self, words: str) -> None:
        """Write the conversation to a file: a format, a path, or both."""
        conversation = self._session.with_running_turn()
        format_, path, may_replace = command_words.export_words(words)
        path = path or self._conversations.export_folder
        write = partial(self._library.export, conversation, format_, path, replace=may_replace)
        self._view.say(str(await asyncio.to_thread(write)), title="Written", seconds=15)

    def show_stats(self) -> None:
        """Show what all conversations took."""
        self._view.show_dialog(stats_screen.StatsScreen(self._library.figures))

    # Trouble with the disk

    async def require_may_end(self) -> None:
        """As `require_may_leave`, for leaving the program: what is on its way to the disk has a moment."""
        self.require_may_leave(is_written=await self._conversations.catch_up())

    def require_may_leave(self, *, is_written: bool = True) -> None:
        """Raise UsageError, once, where leaving the conversation would lose it against its owner's will.

        `is_written` is False where something of it is known to be still on its way to the disk.
        """
        now = time.monotonic()
        is_lost = bool(self._chat.conversation.turns) and self._conversations.is_at_risk
        if (is_lost or not is_written) and now > self._may_leave_until:
            self._may_leave_until = now + _LEAVE_WITHIN_SECONDS
            raise UsageError(sentences.LEAVING_LOSES_CONVERSATION)

    def disk_changed(self, problem: StoreError | None) -> None:
        """Take in that conversations cannot be written just now, or, with None, can be again; and say so.

        May be called before the screen is there: then the problem is told once it is.
        """
        before, self._conversations.disk_problem = self._conversations.disk_problem, problem
        if not self._view.is_ready:
            return
        self._labels.renew_title()
        if problem is None:
            was_lost = isinstance(before, DatabaseLostError)
            words = sentences.written_again_words(self._chat, before)
            self._view.say(words, seconds=15 if was_lost else 5)
        else:
            self.tell_disk_problem()

    def tell_disk_problem(self) -> None:
        """Say why conversations cannot be written just now, if so."""
        if (problem := self._conversations.disk_problem) is not None:
            self._view.say(
                f"{problem}\n{sentences.KEPT_IN_MEMORY}",
                title="Not written to disk",
                severity="error",
                seconds=30,
            )
