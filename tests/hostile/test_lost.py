"""Attempts to lose what was written: files taken away under a running chat, drafts spoiled, runs left early.

Where a process is killed or a terminal closed, see tests/e2e/test_lost.py.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from textual import events

from moa_tui.chat.conversations import Conversations
from moa_tui.chat.prompt_text import PromptText
from moa_tui.conversation import Conversation
from moa_tui.errors import DatabaseLostError, StoreError
from moa_tui.store import Store, writer
from moa_tui.store.drafts import Draft, Drafts
from tests.helpers import wait_until
from tests.ui.chat_app import chat_app, past_turn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from moa_tui.chat.session import ChatSession
    from moa_tui.conversation import Turn
    from moa_tui.gateway.thread import EngineThread
    from tests.fakes import FakeModels

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="files that are open cannot be deleted there")


async def answered(session: ChatSession, prompt: str) -> Turn:
    session.send(PromptText(prompt))
    run = session.require_run()
    await wait_until(run._future.done)
    turn = session.settle_run()
    assert turn is not None
    return turn


def assert_whole(path: Path, conversation: Conversation) -> None:
    """The file is sound, and has every turn of the conversation with every reply."""
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    with Store(path) as store:
        loaded = store.load(conversation.id)
    assert [(turn.id, turn.prompt) for turn in loaded.turns] == [
        (turn.id, turn.prompt) for turn in conversation.turns
    ]
    for turn, before in zip(loaded.turns, conversation.turns, strict=True):
        assert turn.outcome is not None
        assert before.outcome is not None
        assert (turn.outcome.status, turn.outcome.answer) == (before.outcome.status, before.outcome.answer)
        assert {call: reply.text for call, reply in turn.outcome.replies.items()} == {
            call: reply.text for call, reply in before.outcome.replies.items()
        }
    assert loaded.active is not None
    assert conversation.active is not None
    assert loaded.active.id == conversation.active.id


async def until_merged(store: Store) -> None:
    """Wait until all that was written is in the file itself."""
    store._writer.flush()
    watch = store._writer._watch
    await wait_until(lambda: not store._writer._unmerged and watch.is_settled)


# The database taken away under a running chat


def deleted(path: Path) -> None:
    path.unlink()


def deleted_with_its_log(path: Path) -> None:
    for each in path.parent.glob(f"{path.name}*"):
        each.unlink()


def folder_deleted(path: Path) -> None:
    shutil.rmtree(path.parent)


def moved_away(path: Path) -> None:
    path.rename(path.with_name("away.db"))


def folder_moved(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))


def log_deleted(path: Path) -> None:
    path.with_name(f"{path.name}-wal").unlink()


def index_deleted(path: Path) -> None:
    path.with_name(f"{path.name}-shm").unlink()


def replaced_by_an_empty_file(path: Path) -> None:
    path.unlink()
    path.touch()


def replaced_by_another(path: Path) -> None:
    other = path.with_name("other.db")
    Store(other).close()
    other.replace(path)


def overwritten_by_another(path: Path) -> None:
    other = path.with_name("other.db")
    Store(other).close()
    shutil.copyfile(other, path)


def truncated(path: Path) -> None:
    os.truncate(path, 0)


TAKEN_AWAY = [
    *(deleted, deleted_with_its_log, folder_deleted, moved_away, folder_moved, log_deleted, index_deleted),
    *(replaced_by_an_empty_file, replaced_by_another, overwritten_by_another, truncated),
]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """One that looks at its file ten times as often, so that a loss is soon noticed."""
    for name in ("_IDLE_SECONDS", "_CHECKPOINT_SECONDS"):
        monkeypatch.setattr(writer, name, 0.1)
    with Store(tmp_path / "data" / "moa-tui.db") as store:
        yield store


@pytest.mark.parametrize("take_away", TAKEN_AWAY)
async def test_a_database_taken_away_is_told_and_written_anew(
    take_away: Callable[[Path], None], session: ChatSession, store: Store
) -> None:
    told: list[StoreError | None] = []
    store.on_problem(told.append)
    await answered(session, "first")
    await answered(session, "second")
    await until_merged(store)
    take_away(store.path)
    await wait_until(lambda: None in told, 10)
    assert isinstance(told[0], DatabaseLostError)
    assert "NOT SAVED" in str(told[0])
    assert str(store.path) in str(told[0])
    await answered(session, "third")
    assert store.close()
    assert_whole(store.path, session.chat.conversation)


@pytest.mark.parametrize("take_away", TAKEN_AWAY)
async def test_a_database_taken_away_in_the_middle_of_a_run_gets_all_of_it(
    take_away: Callable[[Path], None],
    session: ChatSession,
    store: Store,
    models: FakeModels,
    engine: EngineThread,
) -> None:
    gate = asyncio.Event()
    await answered(session, "first")
    models.scripts = {"judge": [["begins", gate, " and ends"]]}
    session.send(PromptText("second"))
    run = session.require_run()
    await wait_until(lambda: len(run.progress().replies) == 2)
    store._writer.flush()
    take_away(store.path)

    async def go_on() -> None:
        gate.set()

    engine.submit(go_on()).result(5)
    await wait_until(run._future.done)
    turn = session.settle_run()
    assert turn is not None
    assert turn.outcome is not None
    assert turn.outcome.answer == "begins and ends"
    assert store.close()
    assert_whole(store.path, session.chat.conversation)


def a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def garbage(path: Path) -> None:
    path.unlink()
    path.write_bytes(b"this is no database" * 1000)


def overwritten_by_garbage(path: Path) -> None:
    path.write_bytes(b"this is no database" * 1000)


def of_another_program(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE theirs (a)")


def of_a_newer_version(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE theirs (a)")
        database.execute("PRAGMA user_version = 99")


@pytest.mark.parametrize(
    "replace",
    [a_directory, garbage, overwritten_by_garbage, of_another_program, of_a_newer_version],
)
async def test_what_cannot_be_used_in_its_place_stays_a_problem_until_it_is_gone(
    replace: Callable[[Path], None], session: ChatSession, store: Store
) -> None:
    await answered(session, "first")
    await until_merged(store)
    replace(store.path)
    theirs = None if store.path.is_dir() else store.path.read_bytes()
    await wait_until(lambda: isinstance(store.problem, DatabaseLostError), 10)
    await answered(session, "second")
    for read in (store.summaries, lambda: store.load(session.chat.conversation.id)):
        with pytest.raises(StoreError, match=r"moa-tui\.db"):
            read()
    if theirs is not None:
        assert store.path.read_bytes() == theirs, "what is somebody else's is left as it is"
    store.path.rename(store.path.with_name("theirs"))
    await wait_until(lambda: store.problem is None, 10)
    await answered(session, "third")
    assert store.close()
    assert_whole(store.path, session.chat.conversation)


async def test_a_file_that_cannot_be_opened_anew_goes_on_being_written(
    session: ChatSession, store: Store
) -> None:
    told: list[StoreError | None] = []
    store.on_problem(told.append)
    await answered(session, "first")
    store.path.chmod(0)
    store.path.parent.chmod(0o500)
    try:
        await answered(session, "second")
        store._writer.flush()
    finally:
        store.path.parent.chmod(0o700)
        store.path.chmod(0o600)
    assert store.close()
    assert told == []
    assert_whole(store.path, session.chat.conversation)


async def test_two_programs_that_share_the_file_do_not_take_each_other_for_a_loss(
    session: ChatSession, store: Store
) -> None:
    told: list[StoreError | None] = []
    store.on_problem(told.append)
    turn = await answered(session, "first")
    await until_merged(store)
    with Store(store.path) as other:
        other.on_problem(told.append)
        for number in range(3):
            other.change(session.chat.conversation.id, title=f"title {number}")
            form = store._writer._watch._form
            await wait_until(lambda form=form: store._writer._watch._form != form, 10)  # type: ignore[misc]
        # What somebody deletes on purpose is not brought back by looking.
        store.let_go(session.chat.conversation.id)
        other.purge(session.chat.conversation.id)
        await wait_until(lambda: not store._writer._watch._turn_ids, 10)
        assert store.summaries() == []
    assert told == []
    assert turn.outcome is not None


async def test_a_private_conversation_is_not_written_into_the_new_file(
    session: ChatSession, store: Store
) -> None:
    session.chat.private = True
    await answered(session, "a secret about moas")
    deleted(store.path)
    await wait_until(lambda: store.path.exists(), 10)
    assert store.close()
    assert b"moas" not in b"".join(
        each.read_bytes() for each in store.path.parent.iterdir() if each.is_file()
    )


async def test_a_file_cut_in_half_is_told(session: ChatSession, store: Store) -> None:
    told: list[StoreError | None] = []
    store.on_problem(told.append)
    await answered(session, "first")
    await until_merged(store)
    os.truncate(store.path, store.path.stat().st_size // 2)
    await wait_until(lambda: told, 10)
    assert isinstance(told[0], DatabaseLostError)
    moved_away(store.path)
    await wait_until(lambda: told[-1] is None and store.path.exists(), 10)
    assert store.close()
    assert_whole(store.path, session.chat.conversation)


# What was typed, on the screen


async def test_what_another_window_left_is_back_in_the_prompt_and_told(tmp_path: Path) -> None:
    left = Drafts(tmp_path / "drafts")
    left.write(Draft("gone", ("first", "x" * 5000, "\x1b[31mred\x07 [bold]")), 1)
    left.close()
    (tmp_path / "drafts" / "bad.json").write_text("{")
    async with chat_app(drafts=Drafts(tmp_path / "drafts")) as bench:
        await bench.until_told("3 messages that were not sent are back in the input", "bad.json.unreadable")
        await wait_until(lambda: bench.prompt.text)
        text = bench.prompt.expanded
        assert text == "first\n" + "x" * 5000 + "\nred [bold]"
        await wait_until(lambda: not left._path.exists())
        assert bench.app.keep_unsent() is None
    again = Drafts(tmp_path / "drafts").left_behind()[0]
    assert [draft.prompts for draft in again] == [(text,)]


async def test_a_text_left_for_an_earlier_prompt_is_kept_too(tmp_path: Path) -> None:
    async with chat_app(drafts=Drafts(tmp_path / "drafts")) as bench:
        await bench.ask("an earlier prompt")
        bench.prompt.fill("half a thou")
        await bench.press("up")
        assert bench.prompt.text == "an earlier prompt"
        assert bench.screen.view.box.unsent == ["half a thou"]
        await bench.press("x")
        assert bench.screen.view.box.unsent == ["half a thou", "an earlier promptx"]


@pytest.mark.parametrize("keys", [("enter", "ctrl+q"), ("enter", "enter", "ctrl+q"), ("ctrl+q",)])
async def test_a_prompt_on_its_way_is_a_turn_or_a_draft(keys: tuple[str, ...], tmp_path: Path) -> None:
    async with chat_app(drafts=Drafts(tmp_path / "drafts")) as bench:
        bench.gateway.ready = asyncio.Event()
        bench.prompt.fill("a prompt")
        bench.prompt.focus()
        for key in keys:  # In one burst: nothing is awaited between them.
            bench.app.post_message(events.Key(key, None))
        await wait_until(lambda: bench.app._exit)
    assert bench.app.keep_unsent() is None
    prompts = [text for draft in Drafts(tmp_path / "drafts").left_behind()[0] for text in draft.prompts]
    sent = [bench.session.run.turn.prompt] if bench.session.run is not None else []
    assert [*prompts, *sent] == ["a prompt"]


async def test_leaving_a_private_conversation_with_a_text_is_asked_once(tmp_path: Path) -> None:
    async with chat_app(private=True, drafts=Drafts(tmp_path / "drafts")) as bench:
        bench.prompt.fill("a secret")
        await bench.press("ctrl+q")
        await bench.until_told("leaving loses it")
        assert not bench.app._exit
        await bench.press("ctrl+q")
        await wait_until(lambda: bench.app._exit)
    assert bench.app.keep_unsent() is None
    assert not (tmp_path / "drafts").exists()


async def test_going_private_removes_the_draft(tmp_path: Path) -> None:
    folder = tmp_path / "drafts"
    async with chat_app(drafts=Drafts(folder)) as bench:
        bench.prompt.fill("typed in the open")
        await wait_until(lambda: list(folder.glob("*.json")))
        await bench.submit("/private")
        await wait_until(lambda: bench.chat.private)
        bench.prompt.fill("typed in private")
        await wait_until(lambda: not list(folder.glob("*.json")))


async def test_a_draft_that_cannot_be_written_is_told_once_and_the_chat_goes_on(tmp_path: Path) -> None:
    (tmp_path / "drafts").write_text("a file in the place of the folder")
    async with chat_app(drafts=Drafts(tmp_path / "drafts")) as bench:
        bench.prompt.fill("one")
        await bench.until_told("cannot be kept")
        bench.prompt.fill("two")
        await bench.ask("three")
        assert bench.turn.turn.prompt == "three"
        assert bench.notices.count("cannot be kept") == 1
        assert bench.app.keep_unsent() is None


async def test_the_screen_says_that_the_database_is_lost() -> None:
    async with chat_app() as bench:
        await bench.ask("What is a moa?")
        bench.store.path.unlink()
        bench.store.path.mkdir()
        await bench.until_told("NOT SAVED")
        await bench.until_shown("NOT SAVED: What is a moa?")
        bench.store.path.rmdir()
        await bench.until_told("what is open here was written anew")
        await wait_until(lambda: "NOT SAVED: What" not in bench.shown())
        assert bench.store.load(bench.chat.conversation.id).turns[0].prompt == "What is a moa?"


@pytest.mark.parametrize("take_away", [overwritten_by_another, deleted, replaced_by_another, truncated])
async def test_a_conversation_that_is_only_looked_at_is_written_anew_too(
    take_away: Callable[[Path], None], session: ChatSession, store: Store
) -> None:
    told: list[StoreError | None] = []
    store.on_problem(told.append)
    turn = await past_turn("kept long ago")
    conversation = Conversation((turn,), turn)
    store.save(conversation)
    await Conversations(session).open(conversation.id)
    await until_merged(store)
    take_away(store.path)
    await wait_until(lambda: None in told, 10)
    assert store.close()
    assert_whole(store.path, conversation)


async def test_an_empty_chat_notices_another_database_copied_over_its_own(
    session: ChatSession, store: Store
) -> None:
    told: list[StoreError | None] = []
    store.on_problem(told.append)
    backup = store.path.with_name("backup.db")
    with Store(backup) as other:
        turn = await past_turn("of the backup")
        conversation = Conversation((turn,), turn)
        other.save(conversation)
    store.set_active("nothing", None)
    await until_merged(store)
    shutil.copyfile(backup, store.path)
    await wait_until(lambda: None in told, 10)
    await answered(session, "first")
    assert store.close()
    assert_whole(store.path, conversation)
    assert_whole(store.path, session.chat.conversation)
