"""Attempts to lose what was sent while another program holds the database, and what another one deletes."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING
from unittest.mock import AsyncMock

import pytest

from moa_tui.chat.chat import Chat
from moa_tui.chat.conversations import Conversations
from moa_tui.chat.prompt_text import PromptText
from moa_tui.chat.session import ChatSession
from moa_tui.chat.unsent import UnsentTexts
from moa_tui.errors import OpenElsewhereError
from moa_tui.gateway.gateway import Gateway
from moa_tui.recipes.catalog import RecipeCatalog
from moa_tui.recipes.models import ModelCatalog
from moa_tui.settings import paths
from moa_tui.settings.config import Settings
from moa_tui.store import Store
from moa_tui.store.drafts import Drafts
from moa_tui.ui.screens.guard import GuardedScreen
from moa_tui.ui.screens.recipes.recipe_editor import Lineup, RecipeEditor
from tests.cli.shell import call, kept
from tests.conversations import conversation_of
from tests.helpers import wait_until
from tests.ui.chat_app import DUO, chat_app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from textual.screen import Screen

    from moa_tui.chat.backend import Backend
    from moa_tui.conversation import Turn
    from moa_tui.errors import StoreError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "drafts"


@pytest.fixture
def backend(backend: Backend, folder: Path) -> Backend:
    return replace(backend, drafts=Drafts(folder))


async def answered(session: ChatSession, prompt: str) -> Turn:
    session.send(PromptText(prompt))
    await wait_until(session.require_run()._future.done)
    turn = session.settle_run()
    assert turn is not None
    return turn


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Another program holds the lock of the database for as long as this lasts."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


async def restored_prompts(session: ChatSession, folder: Path) -> tuple[str, ...]:
    """What another window is given once this one was killed."""
    window = ChatSession(Chat(replace(session.chat.backend, drafts=Drafts(folder)), session.chat.recipe))
    return (await UnsentTexts(window).restore()).prompts


# Another program holds the database


async def test_what_was_answered_and_is_not_written_is_in_the_draft(
    session: ChatSession, store: Store, folder: Path
) -> None:
    await answered(session, "written")
    assert store.catch_up(5.0)
    unsent = UnsentTexts(session)
    with held(store.path):
        await answered(session, "first")
        await answered(session, "second")
        assert [sent.text for sent in unsent.draft([]).sent] == ["first", "second"]
        unsent.keep_last(["typed"])
    assert store.catch_up(10.0)
    assert unsent.draft([]).sent == ()
    # Written after all: what the draft says of them is out of date.
    assert await restored_prompts(session, folder) == ("typed",)


async def test_what_was_never_written_is_offered_in_order(
    session: ChatSession, store: Store, folder: Path
) -> None:
    unsent = UnsentTexts(session)
    with held(store.path):
        await answered(session, "first")
        await Conversations(session).new()
        await answered(session, "second")
        session.chat.private = True
        await answered(session, "secret")
        unsent.keep_last(["secret too"])
        # The window is killed here: of what it holds, another sees the draft alone.
        (draft,) = Drafts(folder).left_behind()[0]
    assert [sent.text for sent in draft.sent] == ["first", "second"]
    assert draft.prompts == ()


async def test_leaving_asks_while_something_waits_to_be_written() -> None:
    async with chat_app() as bench:
        await bench.ask("written")
        assert bench.store.catch_up(5.0)
        with held(bench.store.path):
            await bench.ask("not written")
            await bench.press("ctrl+q")
            await bench.until_told("not on disk")
            assert not bench.app._exit
        await wait_until(lambda: bench.store.catch_up(0.0), 10)


# What another window deletes


async def test_a_conversation_that_is_open_is_not_deleted_for_good(
    session: ChatSession, store: Store
) -> None:
    await answered(session, "a secret about moas")
    conversation_id = session.chat.conversation.id
    with Store(store.path) as other:
        with pytest.raises(OpenElsewhereError, match=r'"a secret about moas" is open .* close it there'):
            other.purge(conversation_id)
        await Conversations(session).new()
        assert other.purge(conversation_id) is None
        assert other.summaries() == []


async def test_a_conversation_that_is_open_outlives_its_week_in_the_bin(
    session: ChatSession, store: Store
) -> None:
    await answered(session, "first")
    store.change(session.chat.conversation.id, deleted=1.0)
    for day in range(1, 12):
        Store(store.path, lambda day=day: f"2026-01-{day:02}").close()  # type: ignore[misc]
    assert store.summaries(deleted=True)
    await Conversations(session).new()
    Store(store.path, lambda: "2026-01-12").close()
    assert store.summaries(deleted=True) == []


async def test_what_was_deleted_for_good_does_not_come_back_from_a_window(
    session: ChatSession, store: Store, folder: Path
) -> None:
    told: list[StoreError | None] = []
    store.on_problem(told.append)
    await answered(session, "a secret about moas")
    purged = session.chat.conversation.id
    store.let_go(purged)  # As where the folder with the claims was removed.
    with Store(store.path) as other:
        other.purge(purged)
        await answered(session, "and more")
        assert store.catch_up(5.0)
        assert other.summaries() == []
        assert ["NOT SAVED: another moa-tui" in str(problem) for problem in told] == [True]
        store.path.unlink()
        await wait_until(lambda: told[-1] is None, 10)
        await answered(session, "and still more")
    unsent = UnsentTexts(session)
    assert [sent.text for sent in unsent.draft([]).sent] == ["and more", "and still more"]
    assert store.close()
    assert all(b"secret" not in each.read_bytes() for each in store.path.parent.glob("moa-tui.db*"))


@pytest.mark.parametrize("is_opened", [True, False])
async def test_what_was_kept_before_a_conversation_became_private_is_written_anew(is_opened: bool) -> None:
    async with chat_app() as bench:
        await bench.ask("kept before")
        conversation_id = bench.chat.conversation.id
        if is_opened:
            await bench.submit("/new")
            await bench.submit("/private")
            await wait_until(lambda: bench.chat.private)
            await Conversations(bench.session).open(conversation_id)
        else:
            await bench.submit("/private")
            await wait_until(lambda: bench.chat.private)
        await bench.ask("a secret")
        bench.store.path.unlink()
        await bench.until_told("written anew, up to where it became private")
        assert [turn.prompt for turn in bench.store.load(conversation_id).turns] == ["kept before"]


async def test_nothing_is_said_to_be_written_anew_where_all_is_private() -> None:
    async with chat_app(private=True) as bench:
        await bench.ask("a secret")
        bench.store.path.unlink()
        await bench.until_told("nothing of this private conversation")
        assert "written anew" not in bench.notices.replace("and not private, is written anew", "")
        assert bench.store.summaries() == []


# The program left with changes on a screen


@pytest.mark.parametrize("keys", [["c"], ["c", "o"], ["r", "7"]])
async def test_leaving_with_an_unsaved_recipe_asks_once(keys: list[str], tmp_path: Path) -> None:
    async with chat_app(size=(120, 40)) as bench:
        settings, gateway = Settings(), Gateway({}, {})
        models = ModelCatalog(settings, gateway, {})
        catalog = RecipeCatalog(settings, gateway, tmp_path, models.local_servers)
        editor = RecipeEditor(DUO, catalog, models, AsyncMock())
        await bench.app.push_screen(editor)
        await bench.settle()
        editor.query_one(Lineup).focus()
        await bench.press(*keys)
        await wait_until(lambda: any(map(unsaved, bench.app.screen_stack)))
        await bench.press("ctrl+q")
        await bench.until_told("not saved. The same once more leaves and drops it")
        assert not bench.app._exit
        await bench.press("ctrl+q")
        await wait_until(lambda: bench.app._exit)


def unsaved(screen: Screen[object]) -> str | None:
    return screen.unsaved if isinstance(screen, GuardedScreen) else None


# Names


def test_deleting_for_good_takes_a_whole_id_or_title() -> None:
    made = conversation_of(("my only draft of the wedding speech", "answer"))
    kept(made, conversation_of(("something else", "answer")))
    for part in ("ed", "wedding", made.id[:6], "MY ONLY DRAFT OF THE WEDDING SPEECH"):
        done = call("sessions", "delete", "--now", part)
        assert done.exit_code == 2
        assert "give the whole id or title" in done.stderr
        assert made.id in done.stderr
    assert call("sessions", "delete", "something").exit_code == 0, "the bin gives it back"
    assert call("sessions", "delete", "--now", "something else").exit_code == 0
    assert call("sessions", "delete", "--now", made.id).exit_code == 0
    with Store(paths.database_file()) as store:
        assert [*store.summaries(), *store.summaries(deleted=True)] == []


# The folder taken away


@pytest.mark.parametrize("what", ["folder", "draft", "lock"])
async def test_a_draft_that_was_taken_away_is_written_again_with_its_lock(
    what: str, session: ChatSession, folder: Path
) -> None:
    unsent = UnsentTexts(session)
    change = unsent.change(["typed"])
    assert change is not None
    await unsent.write(change)
    assert unsent.change(["typed"]) is None
    if what == "folder":
        shutil.rmtree(folder)
    else:
        next(folder.glob("*.json" if what == "draft" else "*.lock")).unlink()
    change = unsent.change(["typed"])
    assert change is not None
    await unsent.write(change)
    assert unsent.change(["typed"]) is None
    assert Drafts(folder).left_behind() == ([], []), "this window lives"
    unsent.keep_last(["typed"])
    assert [draft.prompts for draft in Drafts(folder).left_behind()[0]] == [("typed",)]
