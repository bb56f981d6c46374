"""A chat belongs to the thread that made it: the disk is used on others, and none of those changes it."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest

from moa_tui.chat.backend import Backend
from moa_tui.chat.chat import Chat
from moa_tui.chat.conversations import Conversations
from moa_tui.chat.prompt_text import PromptText
from moa_tui.chat.session import ChatSession
from tests.chat.helpers import answered, events_of
from tests.conversations import a_conversation

if TYPE_CHECKING:
    from moa_tui.engine.recipe import Recipe
    from moa_tui.store import Store


class WatchedStore:
    """A store that notes on which threads its methods are called."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.threads: defaultdict[str, set[int]] = defaultdict(set)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        def call(*arguments: Any, **keywords: Any) -> Any:
            self.threads[name].add(threading.get_ident())
            return method(*arguments, **keywords)

        return call


class WatchedChat(Chat):
    """A chat that notes on which threads its attributes are set."""

    def __setattr__(self, name: str, value: object) -> None:
        vars(self).setdefault("threads", defaultdict(set))[name].add(threading.get_ident())
        super().__setattr__(name, value)

    @property
    def setters(self) -> dict[str, set[int]]:
        found: dict[str, set[int]] = vars(self)["threads"]
        return found


@pytest.fixture
def watched_store(store: Store) -> WatchedStore:
    return WatchedStore(store)


@pytest.fixture
def backend(backend: Backend, watched_store: WatchedStore) -> Backend:
    return Backend(backend.gateway, backend.engine, watched_store)  # type: ignore[arg-type]


@pytest.fixture
def chat(backend: Backend, chat_recipe: Recipe) -> WatchedChat:
    return WatchedChat(backend, chat_recipe)


async def test_a_chat_is_changed_on_its_own_thread_and_the_disk_is_read_on_others(
    chat: WatchedChat, watched_store: WatchedStore, store: Store
) -> None:
    session = ChatSession(chat)
    conversations = Conversations(session)
    other = a_conversation(2)
    await asyncio.to_thread(store.save, other)
    first = await answered(session, "one")
    watched_store.threads.clear()

    await conversations.rename("Birds")
    await conversations.reread_labels()
    await conversations.fork(turn=first)
    await conversations.open(other.id)
    await conversations.set_private(True)
    await conversations.set_private(False)
    await conversations.new()

    here = threading.get_ident()
    assert {"labels", "change", "save", "hold", "let_go", "load", "complete"} <= watched_store.threads.keys()
    del watched_store.threads["set_in_view"]  # It only notes what is open.
    for name, threads in watched_store.threads.items():
        assert here not in threads, f"Store.{name} is called on the chat's own thread"
    for name, threads in chat.setters.items():
        assert threads == {here}, f"Chat.{name} is set on another thread"
    assert {"conversation", "private", "system"} <= chat.setters.keys()


async def test_what_a_run_does_on_the_engines_thread_changes_the_chat_only_once_it_is_settled(
    chat: WatchedChat,
) -> None:
    session = ChatSession(chat)
    before = chat.conversation
    session.send(PromptText("one"))
    await asyncio.to_thread(events_of, session.require_run())
    assert chat.conversation is before, "the run is over, and nobody has settled it"
    session.settle_run()
    assert [turn.prompt for turn in chat.path] == ["one"]
    assert chat.setters["conversation"] == {threading.get_ident()}
