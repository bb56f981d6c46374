"""Databases that are cut off, zeroed or scribbled over: what stands on whole pages is saved."""

from __future__ import annotations

import os
import random
import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from moa_tui.errors import StoreError
from moa_tui.formats import export, importer
from moa_tui.formats.json_writer import conversation_document
from moa_tui.settings import paths
from moa_tui.store import Store
from moa_tui.store.check import Rescued, rescued
from moa_tui.store.image import PAGE_SIZE, database_image
from moa_tui.store.pages import rows_of
from moa_tui.store.salvage import LOST_TEXT
from tests.cli.shell import call, kept
from tests.conversations import conversation_of, with_branches
from tests.helpers import recipe
from tests.store.helpers import Prose

if TYPE_CHECKING:
    from pathlib import Path

    from moa_tui.conversation import Conversation


@pytest.fixture(scope="module")
def conversations() -> list[Conversation]:
    prose = Prose()
    chosen = recipe(["a", "b"], ["judge"])
    return [*(prose.conversation(chosen, 4) for _ in range(10)), with_branches()]


@pytest.fixture(scope="module")
def whole(conversations: list[Conversation], tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a database with these conversations."""
    path = tmp_path_factory.mktemp("whole") / "moa-tui.db"
    with Store(path) as store:
        for conversation in conversations:
            store.save(conversation)
    return path.read_bytes()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "moa-tui.db"


def texts_in(saved: list[Rescued]) -> set[str]:
    """Every prompt and answer that was saved."""
    texts: set[str] = set()
    for each in saved:
        for turn in each.conversation.turns if each.conversation is not None else ():
            texts.add(turn.prompt)
            if turn.outcome is not None:
                texts |= {turn.outcome.answer, *(reply.text for reply in turn.outcome.replies.values())}
    return texts


def rows_on_whole_pages(whole: bytes, size: int, path: Path) -> dict[str, int]:
    """How many rows of each table stand on the first `size` bytes, as SQLite tells of the whole file."""
    path.write_bytes(whole)
    pages = size // PAGE_SIZE
    counts = {}
    with closing(sqlite3.connect(path)) as connection:
        for table in ("conversations", "parts", "turns", "tags"):
            try:
                rows = connection.execute(
                    "SELECT path, pageno, pagetype, ncell FROM dbstat WHERE name = ?", (table,)
                )
                found = rows.fetchall()
            except sqlite3.OperationalError:
                pytest.skip("this SQLite cannot tell which page a row is on")
            on_leaves = {
                place: cells for place, page, kind, cells in found if kind == "leaf" and page <= pages
            }
            # A row that continues on other pages: `/LEAF/CELL+NUMBER`.
            cut = {
                place.partition("+")[0]
                for place, page, kind, _ in found
                if kind == "overflow" and page > pages and place.rpartition("/")[0] + "/" in on_leaves
            }
            counts[table] = sum(on_leaves.values()) - len(cut)
    return counts


def test_of_a_whole_file_everything_comes_back_as_it_was(
    path: Path, whole: bytes, conversations: list[Conversation]
) -> None:
    path.write_bytes(whole)
    saved = list(rescued(path))
    assert [each.lost_parts for each in saved] == [0] * len(conversations)
    with Store(path) as store:
        for each in saved:
            assert each.conversation is not None
            assert conversation_document(each.conversation) == conversation_document(store.load(each.id))


@pytest.mark.parametrize("share", [0.95, 0.75, 0.5, 0.33, 0.2])
def test_every_row_on_whole_pages_is_read_of_a_file_that_is_cut_off(
    path: Path, whole: bytes, share: float
) -> None:
    size = int(len(whole) * share)
    expected = rows_on_whole_pages(whole, size, path)
    path.write_bytes(whole[:size])
    rows = list(rows_of(*database_image(path)))
    columns = {"conversations": 11, "parts": 7, "turns": 22}
    for table, count in columns.items():
        own = [row for row in rows if row.rowid is not None and len(row.values) == count]
        assert len(own) == expected[table], table
    # And what was read is in what is saved.
    saved = list(rescued(path))
    written = {row.rowid for row in rows if row.rowid is not None and len(row.values) == 7 and row.values[4]}
    assert len(texts_in(saved) - {LOST_TEXT, ""}) >= 0.9 * len(written)


def test_the_share_of_turns_falls_with_the_file_and_never_to_nothing_before_its_texts(
    path: Path, whole: bytes, conversations: list[Conversation]
) -> None:
    shares = []
    prompts = {turn.prompt for conversation in conversations for turn in conversation.turns}
    for tenth in range(10, 1, -1):
        path.write_bytes(whole[: len(whole) * tenth // 10])
        shares.append(len(prompts & texts_in(list(rescued(path)))) / len(prompts))
    assert shares[0] == 1.0
    assert shares == sorted(shares, reverse=True)
    assert shares[5] > 0.25, "half the file"


@pytest.mark.parametrize("bytes_off", [1, 4095, 4096, 4097])
def test_a_file_that_is_off_by_a_few_bytes_loses_no_more_than_its_last_pages(
    path: Path, whole: bytes, conversations: list[Conversation], bytes_off: int
) -> None:
    path.write_bytes(whole[:-bytes_off])
    saved = list(rescued(path))
    assert sum(each.conversation is not None for each in saved) == len(conversations)
    assert sum(each.lost_parts for each in saved) <= 6


@pytest.mark.parametrize(
    "first", [bytes(100), bytes(PAGE_SIZE), b"\xff" * PAGE_SIZE], ids=["header", "zeros", "ones"]
)
def test_without_its_header_or_first_page_nothing_is_lost(
    path: Path, whole: bytes, conversations: list[Conversation], first: bytes
) -> None:
    path.write_bytes(first + whole[len(first) :])
    saved = list(rescued(path))
    assert len(saved) == len(conversations)
    assert sum(each.lost_parts for each in saved) == 0


@pytest.mark.parametrize("size", [0, 1, 100, 4095, 4096, 4097])
def test_where_there_is_nothing_it_is_said(path: Path, whole: bytes, size: int) -> None:
    path.write_bytes(whole[:size])
    with pytest.raises(StoreError, match="nothing can be read of it"):
        list(rescued(path))


@pytest.mark.parametrize("seed", range(8))
def test_pages_that_are_zeroed_or_scribbled_over_cost_what_was_on_them(
    path: Path, whole: bytes, conversations: list[Conversation], seed: int
) -> None:
    chance = random.Random(seed)
    data = bytearray(whole)
    for page in chance.sample(range(len(data) // PAGE_SIZE), 8):
        start = page * PAGE_SIZE
        data[start : start + PAGE_SIZE] = bytes(PAGE_SIZE) if seed % 2 else chance.randbytes(PAGE_SIZE)
    for _ in range(20 * (seed // 4)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    path.write_bytes(data)
    saved = list(rescued(path))
    for each in saved:
        assert each.conversation is not None
        file = export.write([each.conversation], "json", path.parent, path.parent, replace=True)
        assert importer.read(file).conversations[0].id == each.id
    prompts = {turn.prompt for conversation in conversations for turn in conversation.turns}
    assert len(prompts & texts_in(saved)) > 0.6 * len(prompts)


@pytest.mark.parametrize("seed", range(3))
def test_noise_is_no_conversation_and_no_crash(path: Path, seed: int) -> None:
    path.write_bytes(b"SQLite format 3\0" + random.Random(seed).randbytes(300_000))
    with pytest.raises(StoreError, match="nothing can be read of it"):
        list(rescued(path))


def test_what_is_in_the_log_alone_is_saved_as_far_as_the_log_goes(
    path: Path, tmp_path: Path, conversations: list[Conversation]
) -> None:
    log = path.with_name(f"{path.name}-wal")
    with Store(path) as store:
        for conversation in conversations:
            store.save(conversation)
        in_file, in_log = path.read_bytes(), log.read_bytes()
    numbers = []
    for share in (1.0, 0.5, 0.1):
        path.write_bytes(in_file)
        log.write_bytes(in_log[: int(len(in_log) * share)])
        numbers.append(len(list(rescued(path))))
    assert numbers[0] == len(conversations)
    assert numbers[0] > numbers[1] > numbers[2] >= 1
    assert path.read_bytes() == in_file, "nothing is written to the damaged file"


def test_what_is_saved_of_half_a_file_can_be_imported(whole: bytes, tmp_path: Path) -> None:
    file = paths.database_file()
    file.parent.mkdir(parents=True)
    file.write_bytes(whole[: len(whole) // 2])
    done = call("sessions", "rescue", str(tmp_path / "saved"))
    assert done.exit_code in (0, 1)
    assert " lost" in done.stderr
    saved = sorted((tmp_path / "saved").iterdir())
    assert saved
    file.unlink()
    imported = call("sessions", "import", *map(str, saved))
    assert imported.exit_code == 0
    assert len(call("sessions", "list").stdout.splitlines()) == len(saved)


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store(paths.database_file()) as store:
        store.save(conversation_of(("question", "answer")))
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    done = call("sessions", "rescue", str(blocked / "folder"))
    assert done.exit_code == 2
    assert "cannot be made" in done.stderr
    assert "name another folder" in done.stderr
    real_open = os.open
    for number, words in ((28, "the disk is full"), (30, "the disk is read-only"), (13, "no permission")):

        def open_(path: str | Path, flags: int, *more: int, number: int = number, **named: int) -> int:
            if "saved" in str(path) and flags & os.O_CREAT:
                raise OSError(number, os.strerror(number))
            return real_open(path, flags, *more, **named)

        with monkeypatch.context() as patched:
            patched.setattr(os, "open", open_)
            done = call("sessions", "rescue", str(tmp_path / "saved"))
        assert done.exit_code == 2
        assert words in done.stderr
        assert list((tmp_path / "saved").iterdir()) == []


@pytest.mark.parametrize("command", ["rescue", "export"])
def test_conversations_whose_names_come_to_one_do_not_write_over_one_another(
    command: str, tmp_path: Path
) -> None:
    ids = ["trip/1", "trip-1", "TRIP 1", "a" * 300 + "x", "a" * 300 + "y"]
    with Store(paths.database_file()) as store:
        for number, each in enumerate(ids):
            made = conversation_of((f"word{number}", "answer"))
            store.save(replace(made, id=each, title="Same title", created=0.0))
    folder = tmp_path / "out"
    folder.mkdir()
    arguments = [str(folder)] if command == "rescue" else [*ids, "-f", "json", "-o", str(folder), "--replace"]
    for _ in range(2):  # What is there from an earlier time is written over.
        done = call("sessions", command, *arguments)
        assert done.exit_code == 0, done.stderr
        files = [path.read_text() for path in folder.iterdir()]
        assert len(files) == len(ids)
        assert all(any(f'"word{number}"' in text for text in files) for number in range(len(ids)))
        assert len(done.stdout.splitlines()) == len(ids)


def test_rows_nested_too_deep_are_said_to_make_no_sense(conversations: list[Conversation]) -> None:
    conversation = conversations[0]
    kept(conversation)
    with closing(sqlite3.connect(paths.database_file())) as connection:
        connection.execute("UPDATE turns SET metrics = ?", ("[" * 100_000,))
        connection.commit()
    for command in (["sessions", "show"], ["sessions", "export"], ["ask", "-r", "demo", "-s"]):
        question = ["more"] if command[0] == "ask" else []
        done = call(*command, conversation.id, *question)
        assert done.exit_code == 1
        assert "makes no sense (RecursionError" in done.stderr
