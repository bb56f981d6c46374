"""Which conversation a session is about: beginning, opening, forking, naming and keeping conversations."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING

from moa_tui.chat.titles import title_in, title_prompt
from moa_tui.conversation import Conversation, paid_for, path
from moa_tui.engine.agent import Agent
from moa_tui.errors import OpenElsewhereError, StoreError, UsageError
from moa_tui.text.safe import one_line

if TYPE_CHECKING:
    from moa_tui.chat.session import ChatSession
    from moa_tui.conversation import Turn
    from moa_tui.recipes.catalog import RecipeCatalog
    from moa_tui.store import Store


_CATCH_UP_SECONDS = 1.0


class Resumed(Enum):
    """Which recipe answers in a conversation that was opened."""

    SAME = auto()
    """The one in force before, which answered the last turn too."""
    CHANGED = auto()
    """The one that the last turn was answered by."""
    IMPORTED = auto()
    """The one in force before: the last turn was imported, and no recipe here has its recipe's name."""


class Conversations:
    """Changes which conversation a session is about, and what is kept of it.

    The disk is read and written on other threads; the session's chat is changed on its own. Methods raise
    StoreError where the database cannot be used; those that change which turns are in view, or whether they
    are kept, raise UsageError while a run goes on.
    """

    def __init__(self, session: ChatSession) -> None:
        self._session = session
        self._chat = session.chat
        self.disk_problem = self._store.problem if self._store is not None else None
        """Why conversations cannot be written just now."""

    @property
    def _store(self) -> Store | None:
        return self._chat.backend.store

    @property
    def is_at_risk(self) -> bool:
        """True where the conversation should be on disk and is not."""
        if self._chat.private:
            return False
        is_behind = self._store is not None and self._store.is_behind
        return not self._chat.is_kept or self.disk_problem is not None or is_behind

    @property
    def export_folder(self) -> Path | None:
        """Where an export without a path goes; None for the usual place."""
        return Path.cwd() if self.is_at_risk else None

    async def catch_up(self) -> bool:
        """Wait a moment for what is on its way to the disk; return whether all of it is there."""
        if self._store is None or self._chat.private:
            return True
        return await asyncio.to_thread(self._store.catch_up, _CATCH_UP_SECONDS)

    async def new(self) -> None:
        """Begin another conversation, with the same recipe and system prompt, as private as this one."""
        self._session.require_idle()
        with self._session.switching():
            await self._go_on_with(Conversation())

    async def open(self, conversation_id: str) -> None:
        """Go on with a kept conversation. Raises OpenElsewhereError where another moa-tui has it open."""
        self._session.require_idle()
        store = self._store
        if store is None:
            raise UsageError("no conversations are kept")
        if conversation_id != self._chat.conversation.id:
            with self._session.switching():
                claimed = await asyncio.to_thread(_claimed, store, conversation_id)
                await self._go_on_with(claimed, is_on_disk=True)

    async def go_on_with(self, conversation: Conversation) -> None:
        """As `open`, with one that is not to be added to on disk, or that is held already."""
        self._session.require_idle()
        with self._session.switching():
            await self._go_on_with(conversation)

    async def fork(self, conversation_id: str | None = None, turn: Turn | None = None) -> None:
        """Go on in a new conversation that holds the branch up to `turn`.

        Without arguments, of what is in view. Raises UsageError without a turn.
        """
        self._session.require_idle()
        store = self._store
        with self._session.switching():
            source = self._chat.conversation
            if conversation_id is not None and store is not None:
                source = await asyncio.to_thread(store.load, conversation_id)
            last = turn or source.active
            if last is None:
                raise UsageError("there is nothing yet to fork")
            forked = Conversation(
                path(last), last, title=f"{source.name} (fork)", tags=source.tags, forked_from=source.id
            )
            if store is not None and self._chat.is_kept:
                await asyncio.to_thread(_keep_new, store, forked)
            await self._go_on_with(forked)

    async def _go_on_with(self, conversation: Conversation, *, is_on_disk: bool = False) -> None:
        left = self._chat.conversation.id
        # Before anything is waited for: whoever cancels this finds one conversation or the other whole.
        if is_on_disk:
            self._chat.show_from_disk(conversation)
        else:
            self._chat.conversation = conversation
        if conversation.active is not None:
            self._chat.system = conversation.active.own_system
        self._chat.backend.ledger.start_conversation(conversation.id, paid_for(conversation.turns).known_cost)
        self._session.start_over()
        if self._store is not None:
            self.disk_problem = self._store.problem  # What was wrong with the one that was left is over.
            await asyncio.to_thread(self._store.let_go, left)

    async def resume_recipe(self, catalog: RecipeCatalog) -> Resumed:
        """Answer by the recipe that the last turn was answered by, from now on."""
        turn = self._chat.turn
        if turn is None or turn.recipe.name == self._chat.recipe.name:
            return Resumed.SAME
        with self._session.switching():
            recipe = await asyncio.to_thread(catalog.reload, turn.recipe)
        if recipe is None:
            return Resumed.IMPORTED
        self._chat.use_recipe(recipe)
        return Resumed.CHANGED

    def show_branch(self, turn: Turn, step: int) -> Turn:
        """Look at the turn that is `step` from `turn` among those in its place; that turn."""
        self._session.require_idle()
        siblings = self._chat.conversation.siblings(turn)
        place = next((place for place, sibling in enumerate(siblings) if sibling.id == turn.id), None)
        if place is None:
            raise UsageError("that turn is not in the conversation any more")
        wanted = siblings[(place + step) % len(siblings)]
        self._chat.choose(wanted)
        self._session.start_over()
        return wanted

    def show_turn(self, turn_id: str) -> Turn | None:
        """Look at the branch that a turn is in; None where the conversation has no such turn."""
        self._session.require_idle()
        turns = {turn.id: turn for turn in self._chat.conversation.turns}
        turn = turns.get(turn_id)
        if turn is not None and all(each.id != turn_id for each in self._chat.path):
            self._chat.choose(turn)
        self._session.start_over()
        return turn

    # What is said of a conversation

    async def reread_labels(self) -> None:
        """Take over title, tags and marks as they are on disk."""
        store, conversation = self._store, self._chat.conversation
        if store is None:
            return
        labels = await asyncio.to_thread(store.labels, conversation.id)
        if labels is not None and conversation.id == self._chat.conversation.id:
            title, tags, pinned, archived = labels
            self._chat.conversation = replace(
                self._chat.conversation, title=title, tags=tags, pinned=pinned, archived=archived
            )

    async def rename(self, title: str) -> None:
        """Give the conversation a title. Raises UsageError for an empty one."""
        title = one_line(title)
        if not title:
            raise UsageError("a title is needed, as in /rename Trip to Lisbon")
        conversation_id = self._chat.conversation.id
        if self._store is not None and self._chat.is_kept:
            await asyncio.to_thread(_rename, self._store, conversation_id, title)
        if conversation_id == self._chat.conversation.id:
            self._chat.conversation = replace(self._chat.conversation, title=title)

    async def name_by(self, model: str) -> bool:
        """Have a model give the conversation a title after its first turn, where it has none; True if so.

        Nothing is asked of a private conversation. Raises ModelError, MissingKeyError.
        """
        conversation = self._chat.conversation
        if self._chat.private or conversation.title or len(conversation.turns) != 1:
            return False
        reply = await self._chat.try_agent(Agent(model=model), title_prompt(conversation.turns[0]))
        now, title = self._chat.conversation, title_in(reply)
        # Meanwhile the person may have gone elsewhere, or named it.
        if not title or now.id != conversation.id or now.title:
            return False
        if self._store is not None and self._chat.is_kept:
            # Or named it in another window: that title stays, and is taken over.
            await asyncio.to_thread(self._store.name_untitled, now.id, title)
            await self.reread_labels()
        now = self._chat.conversation
        if now.id == conversation.id and not now.title:
            self._chat.conversation = replace(now, title=title)
        return True

    async def set_private(self, private: bool) -> None:
        """Keep what is sent from now on in memory only, or on disk with all that was private before."""
        self._session.require_idle()
        with self._session.switching():
            if not private and self._store is not None and self._chat.conversation.turns:
                await asyncio.to_thread(_keep_all, self._store, self._chat.conversation)
            self._chat.private = private


def _claimed(store: Store, conversation_id: str) -> Conversation:
    # Held before it is read: from then on nobody else adds to it.
    if not store.hold(conversation_id):
        name = store.load(conversation_id).name
        raise OpenElsewhereError(
            f'"{name}" is open in another moa-tui: go on with it there, or with a fork of it here'
        )
    try:
        return store.load(conversation_id)
    except StoreError:
        store.let_go(conversation_id)
        raise


def _keep_new(store: Store, conversation: Conversation) -> None:
    store.save(conversation)
    store.hold(conversation.id)


def _keep_all(store: Store, conversation: Conversation) -> None:
    store.complete(conversation)
    store.hold(conversation.id)


def _rename(store: Store, conversation_id: str, title: str) -> None:
    if store.labels(conversation_id) is not None:
        store.change(conversation_id, title=title)
