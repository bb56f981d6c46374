"""What was deleted for good is looked for in the raw bytes of every file that moa-tui writes."""

from __future__ import annotations

import os
import random
import re
import sqlite3
import subprocess
import sys
import zlib
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest

from moa_tui.engine.events import Delta
from moa_tui.engine.values import CallId
from moa_tui.settings import leftovers, paths
from moa_tui.store import Store, purge, schema
from moa_tui.store.drafts import Draft, Drafts
from tests.cli.shell import call, kept
from tests.conversations import a_recipe, a_turn, conversation_of
from tests.hostile.test_unwritable import largest_file

if TYPE_CHECKING:
    from pathlib import Path

    from moa_tui.conversation import Conversation

_ANOTHER_INSTANCE = """
import sys
from pathlib import Path
from moa_tui.store import Store
store = Store(Path(sys.argv[1]))
store.search("word", 5)
print("ready", flush=True)
sys.stdin.readline()
"""


def places_of(word: str, folder: Path) -> list[str]:
    """The files below `folder` that hold the word: as it is, in a name, or in a compressed text."""
    places = []
    for file in folder.rglob("*"):
        if not file.is_file():
            continue
        data = file.read_bytes()
        if word in file.name or re.search(word.encode(), data, re.IGNORECASE):
            places.append(f"{file.name} as it is")
        for start in re.finditer(rb"\x78\x9c", data):
            try:
                text = zlib.decompressobj().decompress(data[start.start() : start.start() + 1_000_000])
            except zlib.error:
                continue
            if word.encode() in text.lower():
                places.append(f"{file.name} compressed at {start.start()}")
    return places


def talk(canary: str) -> Conversation:
    """A conversation with the word in prompts, answers, title, tags and in its recipe."""
    chosen = a_recipe()
    agent = chosen.lineup[0][0].model_copy(update={"system": f"{canary}recipe " * 30})
    chosen = chosen.model_copy(update={"agents": {**chosen.agents, agent.name: agent}})
    conversation = conversation_of(
        (f"{canary}prompt " * 400, f"{canary}answer {'padding ' * 2000}"),
        title=f"{canary}title",
        tags=(f"{canary}tag",),
    )
    turn = a_turn(f"{canary}more", f"{canary}last", recipe=chosen, parent=conversation.active)
    return conversation.with_turn(turn)


def test_nothing_is_left_of_what_sqlite_moved_from_page_to_page(tmp_path: Path) -> None:
    """Rows grow, so that pages split: SQLite leaves copies of what it moves where it was."""
    chance = random.Random(1)
    conversations = {
        f"canary{n}x": conversation_of(("q", "a"), title=f"canary{n}x {'t' * chance.randint(1, 200)}")
        for n in range(60)
    }
    with Store(tmp_path / "moa-tui.db") as store:
        for word, conversation in conversations.items():
            store.save(conversation)
            store.change(conversation.id, tags=[f"{word}{'v' * chance.randint(1, 300)}" for _ in range(3)])
        for word, conversation in conversations.items():
            store.change(conversation.id, title=f"{word} {'u' * chance.randint(1, 600)}")
        for word in chance.sample(sorted(conversations), 25):
            assert store.purge(conversations[word].id) is None
            assert places_of(word, tmp_path) == []


@pytest.mark.program
def test_delete_now_leaves_no_word_while_another_moa_tui_runs() -> None:
    gone, left = talk("canary"), conversation_of(("plesiosaur word", "stays"))
    fork = conversation_of(("canaryprompt of the fork", "its own"))
    with Store(paths.database_file()) as store:
        store.save(gone)
        store.save(left)
        recording = store.record(gone, a_turn("again", "ended", parent=gone.active))
        recording.take(Delta(CallId(1, 1), "text", "canaryprogress " * 700))
    command = [sys.executable, "-c", _ANOTHER_INSTANCE, str(paths.database_file())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        assert places_of("canarytitle", paths.data_dir())
        done = call("sessions", "delete", "--now", gone.id)
        assert done.exit_code == 0
        assert "gone for good" in done.stdout
        assert places_of("canary", paths.data_dir()) == []
        assert places_of("canary", paths.state_dir()) == []
        with Store(paths.database_file()) as store:
            store.save(fork)
            assert {hit.summary.id for hit in store.search("canaryprompt", 5)} == {fork.id}
            assert {hit.summary.id for hit in store.search("plesiosaur", 5)} == {left.id}
        other.communicate("\n")


def test_while_somebody_reads_it_is_said_and_the_words_go_when_all_are_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (purge, schema):
        monkeypatch.setattr(module, "BUSY_SECONDS", 0.05)
    with Store(paths.database_file()) as store:
        store.save(gone := talk("canary"))
    with closing(sqlite3.connect(paths.database_file(), isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM turns").fetchone()
        done = call("sessions", "delete", "--now", gone.id)
        assert done.exit_code == 0
        assert "words of it are still on the disk" in done.stderr
        assert "another program reads it" in done.stderr
        assert places_of("canary", paths.data_dir())
    Store(paths.database_file()).close()
    assert places_of("canary", paths.data_dir()) == []


def test_a_copy_from_before_a_migration_is_purged_too() -> None:
    gone, left = talk("canary"), conversation_of(("plesiosaur", "stays"))
    file = paths.database_file()
    with Store(file) as store:
        store.save(gone)
        store.save(left)
    copy = file.with_name(f"{file.name}.v1.bak")
    copy.write_bytes(file.read_bytes())
    file.with_name(f".{copy.name}.123.new").write_bytes(file.read_bytes())
    assert call("sessions", "delete", "--now", gone.id).exit_code == 0
    assert places_of("canary", paths.data_dir()) == []
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT id FROM conversations").fetchall() == [(left.id,)]
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_what_a_full_bin_held_is_overwritten_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "moa-tui.db"
    days = iter([f"2099-01-{day:02}" for day in range(1, 20)])
    with Store(path) as store:
        store.save(gone := talk("canary"))
        store.change(gone.id, deleted=1.0)
    while places_of("canarytitle", tmp_path):
        day = next(days)
        with Store(path, lambda day=day: day) as store:
            in_bin = store.summaries(deleted=True)
    assert in_bin == []
    assert places_of("canary", tmp_path) == []


def test_where_there_is_no_room_to_write_the_file_anew_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "moa-tui.db"
    noise = random.Random(1).randbytes(300_000).hex()
    with Store(path) as store:
        store.save(gone := talk("canary"))
        store.save(conversation_of((noise, "stays")))
    with ExitStack() as stack, Store(path) as store, monkeypatch.context() as patched:

        def connect_without_room(path: Path) -> sqlite3.Connection:
            stack.enter_context(largest_file(200_000))
            return schema.connect(path)

        patched.setattr(purge, "connect", connect_without_room)
        remains = store.purge(gone.id)
        assert "larger than the limit" in str(remains)
        assert len(store.summaries()) == 1
    # Of what SQLite overwrites by itself nothing is left, and the next purge does the rest.
    with Store(path) as store:
        store.save(other := talk("second"))
        assert store.purge(other.id) is None
    assert places_of("canary", tmp_path) == []


def test_what_was_not_sent_in_a_purged_conversation_goes_with_it(tmp_path: Path) -> None:
    left, kept = Drafts(tmp_path / "drafts"), Drafts(tmp_path / "drafts")
    with Store(tmp_path / "moa-tui.db") as store:
        conversation = talk("wombat")
        store.save(conversation)
        left.write(Draft(conversation.id, ("a wombat that was never sent",)), 1)
        kept.write(Draft("another", ("a prompt of another conversation",)), 1)
        left.close()
        kept.close()
        store.purge(conversation.id)

    assert not places_of("wombat", tmp_path)
    assert [draft.conversation for draft in Drafts(tmp_path / "drafts").left_behind()[0]] == ["another"]


def test_what_a_killed_write_or_a_bad_draft_has_of_it_goes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = conversation_of(("a canary", "answer"))
    kept(gone)
    drafts, exports = paths.drafts_dir(), paths.exports_dir()
    for folder in (drafts, exports):
        paths.make_private_dir(folder)
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: 2**22 + 1)  # No process has that number.
        for folder in (drafts, exports):
            (folder / leftovers.name(".moa-tui-draft-")).write_text("a canary")
    (drafts / "a.json.unreadable").write_text(f'{{"conversation": "{gone.id}", "prompts": ["a canary')
    (drafts / "b.json.unreadable").write_text("of another")
    (drafts / "c.json.unreadable").symlink_to("/dev/zero")
    assert call("sessions", "delete", "--now", gone.id).exit_code == 0
    assert {path.name for path in drafts.iterdir()} == {"b.json.unreadable", "c.json.unreadable"}
    assert list(exports.iterdir()) == []
