"""A disk that is full, read-only or takes no larger files: what is kept is read, and which it is is said."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from moa_tui.chat.conversations import Conversations
from moa_tui.errors import StoreError
from moa_tui.settings import paths
from moa_tui.store import Store, writer
from moa_tui.store.check import check
from moa_tui.store.image import connect_to_image, database_image
from moa_tui.store.schema import version_of
from tests.cli.shell import call, kept
from tests.conversations import a_turn, conversation_of
from tests.helpers import wait_until
from tests.store.helpers import replay
from tests.store.test_schema import DATABASES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from moa_tui.chat.session import ChatSession

WORDS = {
    "full": "the disk is full; make room on the disk",
    "read-only": "the disk is read-only; see that its folder is there",
    "limit": "a file would be larger than the limit allows",
}


def mount(*arguments: str) -> None:
    """Mount a file system, or skip the test where that is not allowed."""
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"this machine lets nobody mount a disk: {done.stderr.strip()}")


@contextlib.contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file grow beyond `size` bytes, as `ulimit -f` does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextlib.contextmanager
def spoiled(folder: Path, how: str) -> Iterator[None]:
    """Copy the folder of the database to a disk that is as `how` says, and put that in its place."""
    if how == "limit":
        with largest_file(10_000):
            yield
        return
    aside = folder.with_name("aside")
    shutil.copytree(folder, aside)
    mount("-t", "tmpfs", "-o", "size=2m", "none", str(folder))
    try:
        shutil.copytree(aside, folder, dirs_exist_ok=True)
        if how == "read-only":
            mount("-o", "remount,ro", str(folder))
        else:
            with contextlib.suppress(OSError), (folder / "filler").open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture(params=["closed", "killed"])
def database(request: pytest.FixtureRequest) -> Path:
    """A database with two conversations; one that was killed has all of them in its write-ahead log."""
    file = paths.database_file()
    with Store(file) as store:
        for words in ("plesiosaur", "ichthyosaur"):
            store.save(conversation_of((f"about the {words}", f"a {words} swims"), title=words))
        aside = file.parent / "killed"
        aside.mkdir()
        for each in (file, file.with_name(f"{file.name}-wal")):
            shutil.copy(each, aside)
    if request.param == "killed":
        for each in aside.iterdir():
            each.replace(file.with_name(each.name))
        assert file.with_name(f"{file.name}-wal").stat().st_size > 50_000
    shutil.rmtree(aside)
    return file


@pytest.mark.program
@pytest.mark.parametrize("how", WORDS)
def test_what_is_kept_is_listed_shown_found_counted_and_exported_elsewhere(
    database: Path, tmp_path: Path, how: str
) -> None:
    before = database.read_bytes()
    with spoiled(database.parent, how):
        for words, arguments in {
            "plesiosaur": ("sessions", "list"),
            "a plesiosaur swims": ("sessions", "show", "plesiosaur"),
            "ichthyosaur": ("sessions", "search", "ichthyo"),
            "Turns": ("stats",),
            "talk.md": ("sessions", "export", "plesiosaur", "-o", str(tmp_path / "talk.md")),
        }.items():
            done = call(*arguments)
            assert done.exit_code == 0, done.stderr
            assert words.lower() in done.stdout.lower()
            assert f"can be read, not written: {database}: {WORDS[how]}" in done.stderr
        assert "a plesiosaur swims" in (tmp_path / "talk.md").read_text()
        for arguments in (
            ("delete", "plesiosaur"),
            ("delete", "--now", "plesiosaur"),
            ("restore", "plesiosaur"),
        ):
            done = call("sessions", *arguments)
            assert done.exit_code == 1
            assert WORDS[how] in done.stderr
        if how != "limit":
            done = call("sessions", "export", "plesiosaur")
            assert done.exit_code == 2
            assert f"cannot be written: {WORDS[how].partition(';')[0]}" in done.stderr
            assert "2 conversations, 2 turns" in check(database)[0]
            assert WORDS[how].partition(";")[0] in str(check(database)[1])
        assert database.read_bytes() == before


@pytest.mark.program
def test_ask_answers_and_says_that_it_is_not_kept(tmp_path: Path) -> None:
    kept(conversation_of(("about the plesiosaur", "it swims"), title="plesiosaur"))
    file = paths.database_file()
    recipe = tmp_path / "demo.toml"
    recipe.write_text(
        'name = "demo"\n[defaults]\nextra = { tokens_per_second = 100000 }\n'
        '[[layers]]\nagents = [{ model = "demo/terse" }, { model = "demo/coder" }]\n'
        '[[layers]]\nagents = [{ model = "demo/terse" }]\n'
    )
    with spoiled(file.parent, "full"):
        command = [
            sys.executable,
            "-m",
            "moa_tui",
            "ask",
            "-q",
            "-r",
            str(recipe),
            "-s",
            "plesiosaur",
            "and then?",
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0
        assert "Simulated" in done.stdout
        assert f"this will not be kept: {file}: {WORDS['full']}" in done.stderr


async def test_a_chat_opens_what_is_kept_and_writes_what_is_sent_once_it_can(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_RETRY_SECONDS", 0.05)
    problems: list[StoreError | None] = []
    with largest_file(10_000):
        store = Store(database)
        store.on_problem(problems.append)
        assert "larger than the limit" in str(store.problem)
        (wanted,) = [summary for summary in store.summaries() if summary.name == "plesiosaur"]
        assert store.hold(wanted.id)
        conversation = store.load(wanted.id)
        assert [turn.prompt for turn in conversation.turns] == ["about the plesiosaur"]
        recording = store.record(conversation, turn := a_turn("more", "a neck", parent=conversation.active))
        replay(recording, turn)
        assert len(store.load(wanted.id).turns) == 1
        assert store.search("plesiosaur", 5)
        assert store.figures(None)
        with pytest.raises(StoreError, match="larger than the limit"):
            store.change(wanted.id, title="other")
    await wait_until(lambda: store.problem is None)
    assert problems[-1] is None
    assert [turn.prompt for turn in store.load(wanted.id).turns] == ["about the plesiosaur", "more"]
    assert store.search("neck", 5)
    assert store.close()


def test_a_chat_says_from_the_start_that_nothing_is_written(session: ChatSession, database: Path) -> None:
    with largest_file(10_000), Store(database) as store:
        object.__setattr__(session.chat.backend, "store", store)
        conversations = Conversations(session)
        assert "larger than the limit" in str(conversations.disk_problem)
        assert conversations.is_at_risk
    assert store.close(), "no turn was lost"


def test_a_file_of_an_older_version_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "moa-tui.db"
    shutil.copy(DATABASES / "v1.sqlite", path)
    with largest_file(10_000), Store(path) as store:
        (summary,) = store.summaries()
        assert store.load(summary.id).turns
        assert store.paid_on("2026-03-14") == 0.0
    with closing(sqlite3.connect(path)) as connection:
        assert version_of(connection) == 1


def test_the_pages_in_memory_are_what_sqlite_reads(database: Path) -> None:
    with closing(connect_to_image(database_image(database)[0])) as connection:
        own = [
            connection.execute(f"SELECT * FROM {table}").fetchall() for table in ("turns", "parts", "calls")
        ]
    with closing(sqlite3.connect(database)) as connection:
        assert own == [
            connection.execute(f"SELECT * FROM {table}").fetchall() for table in ("turns", "parts", "calls")
        ]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EDQUOT, "your quota on this disk is used up; make room on the disk"),
        (errno.EACCES, "you have no permission for it; see that"),
        (errno.EIO, "the disk reports an input/output error; see that"),
    ],
)
def test_quota_permission_and_a_broken_disk_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    kept(conversation_of(("plesiosaur", "swims")))
    real_open = os.open

    def open_(path: str | Path, flags: int, mode: int = 0o777, **more: int) -> int:
        if str(path).endswith("moa-tui.db") and flags & os.O_RDWR:
            raise OSError(number, os.strerror(number))
        return real_open(path, flags, mode, **more)

    monkeypatch.setattr(os, "open", open_)
    done = call("sessions", "list")
    assert done.exit_code == 0
    assert "plesiosaur" in done.stdout
    assert words in done.stderr


def test_a_file_of_somebody_elses_is_still_refused(tmp_path: Path) -> None:
    path = tmp_path / "moa-tui.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    with largest_file(1_000), pytest.raises(StoreError, match=r"not one of moa-tui's|larger than the limit"):
        Store(path)
