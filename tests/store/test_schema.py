"""The file: how it is made, taken from one version to the next, and left alone where it cannot be used."""

from __future__ import annotations

import hashlib
import random
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from moa_tui.errors import StoreError
from moa_tui.formats.json_writer import conversation_document
from moa_tui.store import Store, schema
from tests.conversations import a_conversation, with_branches
from tests.store.helpers import Prose

if TYPE_CHECKING:
    from collections.abc import Callable

    from moa_tui.conversation import Conversation

DATABASES = Path(__file__).parent / "databases"
"""A file of each version, made by the version itself with `python -m tests.store.test_schema`."""

NEWEST = len(schema.MIGRATIONS)
NEXT = """
ALTER TABLE conversations ADD COLUMN colour TEXT;
UPDATE conversations SET colour = 'red';
"""
BROKEN = """
ALTER TABLE conversations ADD COLUMN size TEXT;
INSERT INTO nowhere VALUES (1);
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """In a folder that is there already, since most tests put a file there themselves."""
    return tmp_path / "moa-tui.db"


def shape(conversation: Conversation) -> list[tuple[object, ...]]:
    """What of `with_branches` depends neither on ids drawn anew nor on how this version measures likeness.

    What a recipe does not say has today's defaults, so of its limits nothing is compared.
    """
    number = {turn.id: at for at, turn in enumerate(conversation.turns)}
    return [
        (conversation.title, conversation.created, conversation.active and number[conversation.active.id]),
        *(
            (
                turn.prompt,
                turn.parent and number[turn.parent.id],
                turn.created,
                turn.recipe and (turn.recipe.name, turn.recipe.agents, turn.recipe.layers),
                turn.outcome
                and [
                    turn.outcome.status,
                    turn.outcome.answer,
                    turn.outcome.metrics and turn.outcome.metrics.layers,
                    turn.outcome.cost,
                    *(
                        (call, reply.agent, reply.status, reply.text, reply.cost, list(reply.messages))
                        for call, reply in turn.outcome.replies.items()
                    ),
                ],
            )
            for turn in conversation.turns
        ),
    ]


def only(store: Store) -> Conversation:
    (summary,) = store.summaries()
    return store.load(summary.id)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return schema.version_of(connection)


def make_old(path: Path) -> Conversation:
    """A file of the newest version, before it gets a next one."""
    made = with_branches()
    with Store(path) as store:
        store.save(made)
    return made


# --- versions ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(1, len(schema.MIGRATIONS) + 1))
def test_a_file_of_every_version_is_read(path: Path, number: int) -> None:
    shutil.copy(DATABASES / f"v{number}.sqlite", path)
    assert version(path) == number
    with Store(path) as store:
        assert shape(only(store)) == shape(with_branches())
        assert {hit.where for hit in store.search('"put better"', 9)} == {"prompt", "proposer"}
        assert store.search("yet another", 9)[0].where == "answer"
        store.save(a_conversation(1))
        assert len(store.summaries()) == 2
    assert version(path) == len(schema.MIGRATIONS)


def test_what_was_paid_on_each_day_is_taken_over_from_the_first_version(path: Path) -> None:
    shutil.copy(DATABASES / "v1.sqlite", path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE turns SET paid = 0.25")
        (turns,) = connection.execute("SELECT count(*) FROM turns").fetchone()
        connection.commit()
    with Store(path), closing(sqlite3.connect(path)) as connection:
        days = connection.execute("SELECT day, paid FROM spending").fetchall()
    assert sum(paid for _, paid in days) == pytest.approx(0.25 * turns)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", day) for day, _ in days)


def test_an_older_file_is_taken_to_the_newest_version_and_a_copy_put_beside_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_old(path)
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, NEXT))
    with Store(path) as store:
        assert conversation_document(only(store)) == conversation_document(made)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT colour FROM conversations").fetchone() == ("red",)
    copy = path.with_name(f"moa-tui.db.v{NEWEST}.bak")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert (version(path), version(copy)) == (NEWEST + 1, NEWEST)
    assert sorted(file.name for file in path.parent.iterdir() if file.is_file()) == [path.name, copy.name]
    monkeypatch.undo()
    with Store(copy) as store:
        assert conversation_document(only(store)) == conversation_document(made)


def test_a_step_that_fails_leaves_the_file_at_its_version(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_old(path)
    before = digest(path)
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, NEXT, BROKEN))
    with pytest.raises(StoreError, match="no such table: nowhere"):
        Store(path)
    assert digest(path) == before
    monkeypatch.undo()
    with Store(path) as store:
        assert conversation_document(only(store)) == conversation_document(made)


def test_without_room_for_a_copy_nothing_is_changed_and_all_can_be_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_old(path)
    before = digest(path)
    path.with_name(f"moa-tui.db.v{NEWEST}.bak").mkdir()
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, NEXT))
    with Store(path) as store:
        assert "moa-tui.db: " in str(store.problem)
        assert conversation_document(only(store)) == conversation_document(made)
    assert digest(path) == before
    assert sorted(file.name for file in path.parent.iterdir() if file.is_file()) == [path.name]


def test_opened_many_times_at_once_it_is_migrated_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_old(path)
    # Twice would fail: the column would be there already.
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, NEXT))
    start = threading.Barrier(6)
    found: list[int | StoreError] = []

    def open_it() -> None:
        start.wait()
        try:
            with Store(path) as store:
                found.append(len(store.summaries()))
        except StoreError as error:
            found.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1] * 6
    assert version(path.with_name(f"moa-tui.db.v{NEWEST}.bak")) == NEWEST


@pytest.mark.program
def test_many_programs_make_one_new_file(path: Path) -> None:
    program = "import sys, pathlib, moa_tui.store as s; s.Store(pathlib.Path(sys.argv[1])).close()"
    processes = [
        subprocess.Popen([sys.executable, "-c", program, str(path)], cwd=Path(__file__).parents[2])
        for _ in range(6)
    ]
    assert [process.wait(30) for process in processes] == [0] * 6
    assert version(path) == len(schema.MIGRATIONS)


# --- files that cannot be used ----------------------------------------------------------------------------


def garbage(path: Path) -> None:
    path.write_bytes(random.Random(1).randbytes(20_000))


def truncated(path: Path) -> None:
    filled(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 + 100])


def the_conversations_overwritten(path: Path) -> None:
    filled(path)
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT rootpage FROM sqlite_schema WHERE name = 'conversations'"
        (page,) = connection.execute(query).fetchone()
    data = bytearray(path.read_bytes())
    data[(page - 1) * 4096 : page * 4096] = random.Random(page).randbytes(4096)
    path.write_bytes(data)


def a_page_overwritten(path: Path) -> None:
    """Some pages that are not looked at as the file is opened."""
    filled(path)
    data = bytearray(path.read_bytes())
    for page in range(6, len(data) // 4096, 4):
        data[page * 4096 : page * 4096 + 4096] = random.Random(page).randbytes(4096)
    path.write_bytes(data)


def the_schema_overwritten(path: Path) -> None:
    filled(path)
    data = bytearray(path.read_bytes())
    data[100:4096] = bytes(3996)
    path.write_bytes(data)


def filled(path: Path) -> None:
    with Store(path) as store:
        store.save(Prose().conversation(with_branches().turns[0].recipe, 60))


def use(path: Path) -> None:
    with Store(path) as store:
        for summary in store.summaries():
            store.load(summary.id)
        store.search("question", 50)


@pytest.mark.parametrize(
    "spoil",
    [garbage, truncated, a_page_overwritten, the_conversations_overwritten, the_schema_overwritten],
)
def test_a_damaged_file_is_said_to_be_and_left_as_it_is(path: Path, spoil: Callable[[Path], None]) -> None:
    spoil(path)
    before = digest(path)
    with pytest.raises(StoreError, match=r"moa-tui\.db: .*; .*`moa-tui doctor`"):
        use(path)
    assert digest(path) == before


def test_what_is_in_it_but_makes_no_sense_is_said_too(path: Path) -> None:
    filled(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE parts SET text = x'00' WHERE key = 3")
        connection.commit()
    before = digest(path)
    with pytest.raises(StoreError, match="makes no sense"):
        use(path)
    assert digest(path) == before


def test_what_a_damaged_file_does_not_take_is_told(path: Path) -> None:
    a_page_overwritten(path)
    told: list[StoreError | None] = []
    with Store(path) as store:
        store.on_problem(told.append)
        with pytest.raises(StoreError, match="damaged"):
            for _ in range(50):
                store.save(Prose().conversation(with_branches().turns[0].recipe, 5))
        assert str(store.problem) == str(told[0])


def test_a_newer_file_is_left_as_it_is(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE conversations (key)")
        connection.execute("PRAGMA user_version = 99")
    before = digest(path)
    with pytest.raises(StoreError, match=r"newer moa-tui \(version 99.*install the newer one"):
        Store(path)
    assert digest(path) == before
    assert [file.name for file in path.parent.iterdir() if file.is_file()] == [path.name]


def test_a_database_of_somebody_elses_is_left_as_it_is(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE cookies (key)")
    before = digest(path)
    with pytest.raises(StoreError, match="not one of moa-tui's"):
        Store(path)
    assert digest(path) == before


def test_a_folder_that_is_none_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "moa-tui.db", tmp_path / "file" / "deeper" / "moa-tui.db"):
        with pytest.raises(StoreError, match="see that its folder is there"):
            Store(path)


def test_a_folder_where_the_file_should_be_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="see that its folder is there"):
        Store(tmp_path)


def test_an_empty_file_is_a_new_one(path: Path) -> None:
    path.touch()
    with Store(path) as store:
        assert store.summaries() == []


def _make(path: Path) -> None:
    """The file that is kept of the newest version."""
    draft = path.with_suffix(".draft")
    make_old(draft)
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(draft)) as connection:
        connection.execute("VACUUM INTO ?", (str(path),))
    draft.unlink()


if __name__ == "__main__":
    _make(DATABASES / f"v{len(schema.MIGRATIONS)}.sqlite")
