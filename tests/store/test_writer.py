"""The thread that writes: order, waiting, trouble with the disk, changes that can never be made, the end."""

from __future__ import annotations

import re
import sqlite3
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from moa_tui.conversation import Turn
from moa_tui.engine.events import Delta
from moa_tui.engine.values import CallId
from moa_tui.errors import StoreError
from moa_tui.formats.json_writer import conversation_document
from moa_tui.store import Store, writer
from tests.conversations import a_conversation, a_recipe, a_turn
from tests.store.helpers import Prose, replay, started

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Told:
    """What the writer tells, and waiting for it."""

    def __init__(self, store: Store) -> None:
        self.all: list[StoreError | None] = []
        self._changed = threading.Condition()
        store.on_problem(self._take)

    def _take(self, problem: StoreError | None) -> None:
        with self._changed:
            self.all.append(problem)
            self._changed.notify_all()

    def wait(self, count: int) -> list[StoreError | None]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.all) >= count, 10), self.all
            return self.all


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_CHECKPOINT_SECONDS", 0.02)
    monkeypatch.setattr(writer, "_RETRY_SECONDS", 0.02)


@pytest.fixture
def told(store: Store) -> Told:
    return Told(store)


def title_is(title: str, id_: str) -> Callable[[sqlite3.Connection], None]:
    def change(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE conversations SET title = ? WHERE id = ?", (title, id_))

    return change


def sql(statement: str) -> Callable[[sqlite3.Connection], None]:
    def change(connection: sqlite3.Connection) -> None:
        connection.execute(statement)

    return change


def count(store: Store, table: str) -> int:
    return int(
        store._read(lambda connection: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
    )


class FullDisk:
    """As many pages as there are, and not one more."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __enter__(self) -> None:
        self._store._writer.call(self._fill)

    def __exit__(self, *_: object) -> None:
        # Not by way of the writer, who has trouble; on his connection, which is asleep most of the time.
        if not self._store._writer._ended:
            self._store._writer._connection.execute("PRAGMA max_page_count = 1000000000")

    @staticmethod
    def _fill(connection: sqlite3.Connection) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")


# --- a full disk ------------------------------------------------------------------------------------------


def test_on_a_full_disk_the_chat_goes_on_and_all_is_written_once_there_is_room(
    store: Store, told: Told
) -> None:
    prose = Prose()
    made = prose.conversation(a_recipe(), 2)
    with FullDisk(store):
        for turn in made.turns:
            so_far = replace(made, turns=() if turn.parent is None else (turn.parent,), active=turn.parent)
            replay(store.record(so_far, turn), turn)
        (problem,) = told.wait(1)
        assert "make room on the disk" in str(problem)
        assert str(store.problem) == str(problem)
        with pytest.raises(StoreError, match="make room"):
            store.save(a_conversation(1))
        assert store.summaries() == [], "reading goes on"
    assert told.wait(2) == [problem, None], "told once, and once that it is over"
    assert conversation_document(store.load(made.id)) == conversation_document(made)
    assert store.problem is None


def test_what_failed_is_not_done_behind_ones_back_later(store: Store, told: Told) -> None:
    """Who was told that a private conversation could not be kept does not find it kept afterwards."""
    private = Prose().conversation(a_recipe(), 30)
    with FullDisk(store):
        with pytest.raises(StoreError, match="make room"):
            store.save(private)
        told.wait(1)
    told.wait(2)
    assert store._writer.flush()
    assert store.summaries() == []
    assert count(store, "parts") == 0


def test_a_text_in_progress_is_there_once_after_trouble(store: Store, told: Told) -> None:
    """A checkpoint that was rolled back is written again, not twice and not without what it had taken."""
    turn = Turn("prompt", a_recipe())
    made = a_conversation(0)
    text = Prose().text(400_000)
    recording = store.record(made, turn)
    assert store._writer.flush()
    recording.take(started(turn, CallId(1, 1)))
    with FullDisk(store):
        for at in range(0, len(text), 1000):
            recording.take(Delta(CallId(1, 1), "text", text[at : at + 1000]))
        told.wait(1)
        recording.take(Delta(CallId(1, 1), "text", "the end"))
    told.wait(2)
    outcome = store.load(made.id).turns[0].outcome
    assert outcome is not None
    assert outcome.replies[CallId(1, 1)].text == f"{text}the end"


# --- changes that can never be made -----------------------------------------------------------------------


def assert_set(event: threading.Event) -> None:
    assert event.wait(10)


def breaks(error: Exception) -> Callable[[sqlite3.Connection], None]:
    def change(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE conversations SET title = 'half done'")
        raise error

    return change


def duplicates(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE conversations SET title = 'half done'")
    connection.execute("INSERT INTO conversations SELECT * FROM conversations")


def names_no_column(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE conversations SET nowhere = 1")


@pytest.mark.parametrize(
    "poison",
    [breaks(KeyError("agent")), breaks(ZeroDivisionError()), duplicates, names_no_column],
    ids=["KeyError", "ZeroDivisionError", "IntegrityError", "OperationalError"],
)
def test_a_change_that_can_never_be_made_is_told_and_stops_nothing(
    store: Store, told: Told, poison: Callable[[sqlite3.Connection], None]
) -> None:
    made = a_conversation(1)
    store.save(made)
    blocked = threading.Event()
    store._writer.put(lambda _: assert_set(blocked))
    store._writer.put(title_is("before", made.id))
    store._writer.put(poison)
    store._writer.put(sql("UPDATE conversations SET title = title || ' and after'"))
    blocked.set()
    assert store._writer.flush()
    assert store.load(made.id).title == "before and after"
    (fault,) = told.wait(1)
    assert "a change could not be kept" in str(fault)
    assert store.problem is None


def test_a_fault_in_what_is_awaited_is_raised_there(store: Store, told: Told) -> None:
    with pytest.raises(StoreError, match=r"could not be kept: KeyError$"):
        store._writer.call(breaks(KeyError("agent")))
    assert told.all == []


def test_a_listener_that_fails_ends_no_writing_and_is_logged_without_its_words(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    def gone(_: StoreError | None) -> None:
        raise RuntimeError("a secret prompt")

    store.on_problem(gone)
    store._writer.put(breaks(KeyError("another secret")))
    store.save(a_conversation(1))
    assert len(store.summaries()) == 1
    # The listener is called after a change is written: closing waits for the thread itself.
    assert store.close()
    change, listener = (record.getMessage() for record in caplog.records if record.name == "moa_tui.store")
    assert re.fullmatch(r"a change could not be written: KeyError at test_writer\.py:\d+ in change", change)
    assert re.fullmatch(
        r"a listener for problems failed: RuntimeError at test_writer\.py:\d+ in gone", listener
    )
    assert "secret" not in caplog.text


def test_a_fault_of_the_disk_or_of_the_user_is_no_bug_to_log(
    store: Store, told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    store._writer.put(breaks(StoreError("the turn is not there any more")))
    with FullDisk(store):
        replay(store.record(a_conversation(0), turn := Prose().turn(a_recipe())), turn)
        told.wait(2)
    told.wait(3)
    assert caplog.records == []


# --- order and waiting ------------------------------------------------------------------------------------


def test_changes_are_made_in_the_order_they_come_from_many_threads(store: Store) -> None:
    made: list[tuple[int, int]] = []

    def put(who: int) -> None:
        for at in range(300):
            store._writer.put(lambda _, what=(who, at): made.append(what), soon=bool(at % 3))  # type: ignore[misc]

    threads = [threading.Thread(target=put, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store._writer.flush()
    assert len(made) == 1200
    assert all([at for who, at in made if who == one] == list(range(300)) for one in range(4))


def test_what_is_not_urgent_is_written_by_itself(store: Store) -> None:
    written = threading.Event()
    store._writer.put(lambda _: written.set(), soon=False)
    assert written.wait(5)


def test_what_is_urgent_does_not_wait_for_the_next_second(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_CHECKPOINT_SECONDS", 60.0)
    assert store._writer.flush()
    written = threading.Event()
    store._writer.put(lambda _: None, soon=False)
    store._writer.put(lambda _: written.set())
    assert written.wait(5)


def test_who_reads_finds_what_was_just_sent(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_CHECKPOINT_SECONDS", 60.0)
    turn = Turn("prompt", a_recipe())
    made = a_conversation(0)
    recording = store.record(made, turn)
    recording.take(started(turn, CallId(1, 1)))
    recording.take(Delta(CallId(1, 1), "text", "just now"))
    outcome = store.load(made.id).turns[0].outcome
    assert outcome is not None
    assert outcome.replies[CallId(1, 1)].text == "just now"


def test_who_holds_the_file_is_waited_for(store: Store, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    store._writer.call(sql("PRAGMA busy_timeout = 20"))
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    replay(store.record(a_conversation(0, id="waits"), turn := a_turn()), turn)
    (problem,) = told.wait(1)
    assert "another program holds it" in str(problem)
    other.execute("ROLLBACK")
    other.close()
    assert told.wait(2)[1] is None
    assert len(store.load("waits").turns) == 1


# --- the end ----------------------------------------------------------------------------------------------


def test_closing_writes_what_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_CHECKPOINT_SECONDS", 60.0)
    turn = Turn("prompt", a_recipe())
    with Store(tmp_path / "moa-tui.db") as store:
        recording = store.record(a_conversation(0, id="last"), turn)
        recording.take(started(turn, CallId(1, 1)))
        recording.take(Delta(CallId(1, 1), "text", "last words"))
        assert store.close()
    with Store(tmp_path / "moa-tui.db") as store:
        outcome = store.load("last").turns[0].outcome
        assert outcome is not None
        assert outcome.replies[CallId(1, 1)].text == "last words"


def test_closing_says_where_something_could_not_be_written(store: Store, told: Told) -> None:
    with FullDisk(store):
        replay(store.record(a_conversation(0), turn := Prose().turn(a_recipe())), turn)
        told.wait(1)
        assert not store.close()
        assert "make room" in str(store.problem)


def test_after_the_end_nothing_hangs(store: Store) -> None:
    turn = Turn("prompt", a_recipe())
    made = a_conversation(1)
    store.save(made)
    recording = store.record(made, turn)
    assert store.close()
    done = threading.Event()

    def use_it_all() -> None:
        recording.take(started(turn, CallId(1, 1)))
        recording.take(Delta(CallId(1, 1), "text", "too late"))
        replay(store.record(made, turn), a_turn())
        store.set_active(made.id, None)
        for use in (
            lambda: store.save(a_conversation(1)),
            lambda: store.change(made.id, pinned=True),
            lambda: store.purge(made.id),
            lambda: store.load(made.id),
            lambda: store.search("question", 5),
            store.summaries,
        ):
            with pytest.raises(StoreError, match="closed"):
                use()
        assert store.close()
        done.set()

    thread = threading.Thread(target=use_it_all, daemon=True)
    thread.start()
    assert done.wait(5)


def test_who_waits_as_the_end_comes_is_not_left_waiting(tmp_path: Path) -> None:
    for _ in range(20):
        store = Store(tmp_path / "moa-tui.db")
        ends = threading.Event()

        def wait(store: Store = store, ends: threading.Event = ends) -> None:
            while store._writer._thread.is_alive():
                store._writer.put(lambda _: None)
                store._writer.flush(30)
            ends.set()

        thread = threading.Thread(target=wait)
        thread.start()
        store.close()
        assert ends.wait(5)
        thread.join()
