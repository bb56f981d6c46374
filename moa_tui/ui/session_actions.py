"""What a person can do on the chat screen with whole conversations, and with the branches of one."""

from __future__ import annotations

import asyncio
import shlex
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from moa_tui.errors import OpenElsewhereError, StoreError, UsageError
from moa_tui.export import FORMATS
from moa_tui.ui.fork_screen import ForkScreen
from moa_tui.ui.run.run_view import RunView
from moa_tui.ui.sessions_screen import SessionsScreen
from moa_tui.ui.stats_screen import StatsScreen
from moa_tui.ui.steering_actions import SteeringActions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from moa_tui.conversation import Turn
    from moa_tui.library import Library
    from moa_tui.ui.turn_view import TurnView

_LEAVE_WITHIN_SECONDS = 10.0


class SessionActions(SteeringActions):
    """The actions that change which conversation, or which branch of it, is on the screen."""

    library: Library
    _leave_until = 0.0

    async def show_conversation(self, turn: Turn | None = None) -> None:
        """Show what the chat has now, from its end, or around `turn`."""
        chat = self.session.chat
        self.session.start_over()
        turns = chat.path
        await self.transcript.open(turns, chat.conversation.places())
        last = self.transcript.last_run
        self.session.run = last or (RunView.of(turns[-1]) if turns else None)
        self.panel.run = None
        self.open_panel(False)
        self.set_class(not turns, "-empty")
        self.renew_title()
        self.renew_numbers()
        self.renew_estimate()
        self.show_queue()
        self.refresh_bindings()
        if turn is not None:
            await self.transcript.focus_on(turn)
        else:
            self.focus_prompt()

    async def recall_prompts(self) -> None:
        """Have what was asked in other conversations to step back to. Raises StoreError."""
        if self.library.keeps:
            self.box.prompt.earlier[:0] = await asyncio.to_thread(self.library.prompts)

    # Other conversations

    async def action_new(self) -> None:
        await self.begin_another()

    async def begin_another(self) -> None:
        """Begin a new conversation."""
        try:
            self._idle()
            self.may_leave()
        except UsageError as error:
            self.complain(error)
            return
        with self._switch():
            self.session.chat.new()
            await self.show_conversation()

    def action_sessions(self) -> None:
        current = self.session.chat.conversation.id
        self.app.push_screen(SessionsScreen(self.library, current), self._opened)

    def _opened(self, chosen: tuple[str, str] | None) -> None:
        doing = self.open_kept(*chosen) if chosen is not None else self._look_again()
        self.run_worker(self._quietly(doing), group="open", exclusive=True)

    async def _look_again(self) -> None:
        """Take over what was done to this conversation in the list."""
        await asyncio.to_thread(self.session.chat.look_again)
        self.renew_title()

    async def open_kept(self, name: str, turn_id: str = "") -> None:
        """Go on with a kept conversation, by its id or title, and show that turn. Raises MoaTuiError."""
        self._idle()
        found = await asyncio.to_thread(self.library.find, name)
        if found.id == self.session.chat.conversation.id:
            if not turn_id:
                self.say("that is the conversation that is open")
            with self._switch():
                await self._show_turn(turn_id)
            return
        self.may_leave()
        self._idle()
        with self._switch():
            try:
                await asyncio.to_thread(self.session.chat.open, found.id)
            except OpenElsewhereError as error:
                self.app.push_screen(ForkScreen(str(error)), self._forker(found.id))
                return
            await self._show_opened(turn_id)

    async def _show_turn(self, turn_id: str) -> None:
        """Show the conversation around that turn, in another branch where it is in one; else as it is."""
        chat = self.session.chat
        turn = next((turn for turn in chat.conversation.turns if turn.id == turn_id), None)
        if turn is None:
            return
        if all(one.id != turn_id for one in chat.path):
            chat.choose(turn)
        await self.show_conversation(turn)

    async def _show_opened(self, turn_id: str = "") -> None:
        """Show what was opened, to go on with by the recipe that it was answered by last."""
        chat = self.session.chat
        if chat.turn is not None and chat.turn.recipe.name != chat.recipe.name:
            recipe = await asyncio.to_thread(self.choices.again, chat.turn.recipe)
            if recipe is not None:
                self.use_recipe(recipe)
            else:
                self.say(f"what answered there was imported; recipe {chat.recipe.name} answers from now on")
        await self.show_conversation()
        await self._show_turn(turn_id)

    @contextmanager
    def _switch(self) -> Iterator[None]:
        """What is sent meanwhile must not land in a conversation that is not yet on the screen."""
        self.switching = True
        try:
            yield
        finally:
            self.switching = False

    def _forker(self, conversation_id: str) -> Callable[[bool | None], None]:
        def fork(yes: bool | None) -> None:
            if yes:
                self.run_worker(
                    self._quietly(self._fork(conversation_id, None)), group="open", exclusive=True
                )

        return fork

    async def fork(self, turn: Turn | None = None) -> None:
        """Go on in a new conversation that holds this branch, up to `turn`. Raises MoaTuiError."""
        self._idle()
        await self._fork(None, turn)
        self.say("this is a conversation of its own now; the other one stays as it is")

    async def _fork(self, conversation_id: str | None, turn: Turn | None) -> None:
        self._idle()
        with self._switch():
            await asyncio.to_thread(self.session.chat.fork, conversation_id, turn)
            await self._show_opened()

    async def rename(self, title: str) -> None:
        """Give the conversation a title. Raises MoaTuiError."""
        if not title:
            raise UsageError("a title is needed, as in /rename Trip to Lisbon")
        await asyncio.to_thread(self.session.chat.rename, title)
        self.renew_title()

    def name_it(self, model: str) -> None:
        """Have a model give the conversation a title, where it has none yet."""
        conversation = self.session.chat.conversation
        if not self.session.chat.private and not conversation.title and len(conversation.turns) == 1:
            self.run_worker(self._quietly(self._name_it(model)), group="title", exclusive=True)

    async def _name_it(self, model: str) -> None:
        chat = self.session.chat
        named = chat.conversation.id
        title = await chat.suggest_title(model)
        # Meanwhile the person may have gone elsewhere, or named it himself.
        if title and chat.conversation.id == named and not chat.conversation.title:
            await self.rename(title)

    async def toggle_private(self) -> None:
        """Keep what is sent in memory only from now on, or all of it on disk. Raises MoaTuiError."""
        self._idle()
        chat = self.session.chat
        await asyncio.to_thread(chat.set_private, not chat.private)
        self.renew_title()
        self.say(
            "private: from now on nothing is written to disk, here and in conversations begun from here"
            if chat.private
            else "this conversation is kept on disk from now on, all of it"
        )

    async def export(self, words: str) -> None:
        """Write the conversation to a file: a format, a path, or both. Raises MoaTuiError."""
        conversation = self.session.chat.conversation
        if self.session.running is not None:
            conversation = conversation.with_turn(self.session.running.turn)
        if not conversation.turns:
            raise UsageError("there is nothing yet to export")
        format_, path, replace = export_words(words)
        if path is None and self._is_at_risk:
            # The usual place is on the disk that fails.
            path = Path.cwd()
        written = await asyncio.to_thread(self.library.export, conversation, format_, path, replace=replace)
        self.notify(str(written), title="Written", timeout=15, markup=False)

    def stats(self) -> None:
        """Show what all conversations took."""
        self.app.push_screen(StatsScreen(self.library.figures))

    # Branches

    def on_turn_view_alternative_wanted(self, event: TurnView.AlternativeWanted) -> None:
        self.run_worker(self._quietly(self.alternative(event.turn, event.step)), group="open", exclusive=True)

    async def alternative(self, turn: Turn, step: int) -> None:
        """Look at the branch beside `turn`. Raises UsageError."""
        self._idle()
        chat = self.session.chat
        siblings = chat.conversation.siblings(turn)
        at = next(at for at, one in enumerate(siblings) if one.id == turn.id)
        wanted = siblings[(at + step) % len(siblings)]
        with self._switch():
            chat.choose(wanted)
            await self.show_conversation(wanted)

    def on_turn_view_branch_wanted(self, event: TurnView.BranchWanted) -> None:
        try:
            self._idle()
        except UsageError as error:
            self.complain(error)
            return
        self.ask_instead(event.turn)

    def on_turn_view_fork_wanted(self, event: TurnView.ForkWanted) -> None:
        self.run_worker(self._quietly(self.fork(event.turn)), group="open", exclusive=True)

    # Trouble with the disk

    def may_leave(self) -> None:
        """Raise UsageError, once, where leaving the conversation would lose it against its owner's will."""
        now = time.monotonic()
        if self.session.chat.conversation.turns and self._is_at_risk and now > self._leave_until:
            self._leave_until = now + _LEAVE_WITHIN_SECONDS
            raise UsageError(
                "this conversation is not on disk: /export saves it. The same once more leaves it"
            )

    @property
    def _is_at_risk(self) -> bool:
        """Whether the conversation should be on disk and is not."""
        chat = self.session.chat
        return not chat.private and (not chat.is_kept or self.disk_problem is not None)

    def tell_of_the_disk(self, problem: StoreError | None) -> None:
        """Conversations cannot be written just now, or can be again."""
        self.disk_problem = problem
        self.renew_title()
        if problem is None:
            self.say("conversations are written to disk again; nothing was lost")
        else:
            self.notify(
                f"{problem}\nThe chat goes on and is kept in memory meanwhile; /export saves it elsewhere.",
                title="Not written to disk",
                severity="error",
                timeout=30,
                markup=False,
            )


def export_words(words: str) -> tuple[str, Path | None, bool]:
    """`[FORMAT] [PATH] [!]`: the format, where to, and whether a file that is there may be replaced.

    A path that ends as a format's files do needs no format. Raises UsageError.
    """
    try:
        parts = shlex.split(words)
    except ValueError as error:
        raise UsageError(f"{words}: a quotation mark is missing") from error
    replace = parts[-1:] == ["!"]
    parts = parts[:-1] if replace else parts
    format_ = parts.pop(0) if parts and parts[0] in FORMATS else None
    if len(parts) > 1:
        raise UsageError(f"/export [{' | '.join(FORMATS)}] [PATH] [!]; quote a path with spaces")
    path = Path(parts[0]).expanduser() if parts else None
    if format_ is None and path is not None:
        by_suffix = {one.suffix: name for name, one in reversed(FORMATS.items())}
        format_ = by_suffix.get("".join(path.suffixes[-2:])) or by_suffix.get(path.suffix)
        if format_ is None:
            raise UsageError(f"{path}: which format? One of {', '.join(FORMATS)} before the path says it")
    return format_ or "markdown", path, replace
