"""Conversations on disk: an SQLite file, one thread that writes it, and a connection to read it by."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
import time
import zlib
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from filelock import FileLock, Timeout

from moa_tui import paths
from moa_tui.errors import FileError, StoreError, TakenError
from moa_tui.store import reader, tables
from moa_tui.store.figures import figures
from moa_tui.store.recording import Recording
from moa_tui.store.schema import connect, explained, open_database
from moa_tui.store.text_pool import MessageCodec, TextPool
from moa_tui.store.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from moa_tui.conversation import Conversation, Hit, Summary, Turn
    from moa_tui.preferences import Preference
    from moa_tui.stats import Figures

T = TypeVar("T")

_KEPT_DELETED_SECONDS = 7 * 24 * 3600.0


class Store:
    """The kept conversations. Reading and the changes by hand wait for the disk; recording a run never does.

    Raises StoreError, here where the file cannot be opened and in every method where it cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        connection = open_database(path)
        try:
            self._reading = connect(path)
        except sqlite3.Error as error:
            connection.close()
            raise explained(error, path) from error
        self._writer = Writer(connection, path)
        self._one_reader = threading.Lock()
        self._held: dict[str, FileLock] = {}
        self._writer.put(_throw_out, soon=False)
        self._take_in_the_interrupted()

    def _take_in_the_interrupted(self) -> None:
        """End the calls of runs that were cut off, so that a search finds what they had written."""
        query = (
            "SELECT DISTINCT c.id FROM pieces AS p JOIN turns AS t ON t.key = p.turn "
            "JOIN conversations AS c ON c.key = t.conversation"
        )
        for (conversation_id,) in self._read(lambda connection: connection.execute(query).fetchall()):
            # Held by another, it is not cut off: a run of it goes on there.
            if self.hold(conversation_id):
                self._writer.put(partial(_end_interrupted, conversation_id=conversation_id))
                self.let_go(conversation_id)

    @property
    def problem(self) -> StoreError | None:
        """Why nothing can be written just now; what waits is written once it can be."""
        return self._writer.problem

    def on_problem(self, tell: Callable[[StoreError | None], None]) -> None:
        """Tell of trouble with the disk, and with None that it is over, on the writing thread."""
        self._writer.on_problem = tell

    # Keeping

    def record(self, conversation: Conversation, turn: Turn) -> Recording:
        """Keep a turn that is being sent, and what its run says."""
        return Recording(self._writer, conversation, turn)

    def save(self, conversation: Conversation) -> None:
        """Keep a whole conversation that was made elsewhere. Raises StoreError where its id is taken."""

        def change(connection: sqlite3.Connection) -> None:
            taken = "SELECT deleted FROM conversations WHERE id = ?"
            if row := connection.execute(taken, (conversation.id,)).fetchone():
                bin_ = f"; it was deleted: `moa-tui sessions restore {conversation.id}` brings it back"
                raise TakenError(
                    f'"{conversation.name}" is there already{bin_ if row[0] else "; it was left as it is"}'
                )
            _complete(connection, conversation)

        self._writer.call(change)

    def complete(self, conversation: Conversation) -> None:
        """Keep what is not yet kept of a conversation."""
        self._writer.call(lambda connection: _complete(connection, conversation))

    def choose(self, conversation_id: str, turn: Turn | None) -> None:
        """Let `turn` be the last of the branch in view. Does not wait."""

        def change(connection: sqlite3.Connection) -> None:
            with suppress(StoreError):  # Nothing of it was kept yet, or no longer is.
                key = tables.conversation_key(connection, conversation_id)
                tables.make_active(connection, key, turn.id if turn is not None else None)

        self._writer.put(change)

    def prefer(self, preference: Preference) -> None:
        """Keep a choice among recipes. Does not wait."""
        self._writer.put(lambda connection: tables.keep_preference(connection, preference))

    def change(self, conversation_id: str, **values: Any) -> None:
        """Set `title`, `tags`, `pinned`, `archived` or `deleted` (Unix seconds or None)."""

        def change(connection: sqlite3.Connection) -> None:
            key = tables.conversation_key(connection, conversation_id)
            for name, value in values.items():
                if name == "tags":
                    tables.keep_tags(connection, key, value)
                else:
                    update = f"UPDATE conversations SET {name} = ? WHERE key = ?"  # noqa: S608 - own names
                    connection.execute(update, (tables.readable(value), key))

        self._writer.call(change)

    def purge(self, conversation_id: str) -> None:
        """Take a conversation off the disk for good."""
        self._writer.call(
            lambda connection: _purge(connection, [tables.conversation_key(connection, conversation_id)])
        )
        # What was written on the way to the file is to go too; done later where others are reading.
        self._read(lambda connection: connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall(), "")

    # Finding

    def summaries(self, *, archived: bool = False, deleted: bool = False) -> list[Summary]:
        """The conversations in use, the archived or the deleted ones: pinned first, then by last use."""
        return self._read(lambda connection: reader.summaries(connection, archived=archived, deleted=deleted))

    def search(self, wanted: str, limit: int) -> list[Hit]:
        """The newest places that hold every word of `wanted`; its last word may be only begun."""
        return self._read(lambda connection: reader.search(connection, wanted, limit))

    def figures(self, since: float | None) -> Figures:
        """What was asked, answered and paid since then (Unix seconds), or ever."""
        self._writer.flush()
        # By a connection of its own: counting takes a while, and a search must not wait for it.
        with self._made_sense_of(), closing(connect(self.path)) as connection:
            return figures(connection, since=since)

    def preferences(self, since: float | None = None) -> list[Preference]:
        """The choices among recipes since then (Unix seconds), or all, oldest first."""
        return self._read(lambda connection: reader.preferences(connection, since))

    def paid_on(self, day: str) -> float:
        """US dollars paid on that day, `2026-03-14`, whatever has become of the conversations."""
        query = "SELECT paid FROM spending WHERE day = ?"
        row = self._read(lambda connection: connection.execute(query, (day,)).fetchone())
        return 0.0 if row is None else float(row[0])

    def prompts(self, limit: int, longest: int) -> list[str]:
        """What was asked last, the newest at the end, prompts longer than `longest` characters left out."""
        return self._read(lambda connection: reader.prompts(connection, limit, longest))

    def labels(self, conversation_id: str) -> tuple[str, tuple[str, ...], bool, bool] | None:
        """Title, tags, whether pinned and whether archived; None for what is not kept."""
        return self._read(lambda connection: reader.labels(connection, conversation_id))

    def load(self, conversation_id: str) -> Conversation:
        """A conversation with all its turns."""
        return self._read(lambda connection: reader.load(connection, conversation_id))

    def _read(self, query: Callable[[sqlite3.Connection], T], begin: str = "BEGIN") -> T:
        # What was just sent is to be found.
        self._writer.flush()
        with self._one_reader, self._made_sense_of():
            try:
                # At one moment: what is written meanwhile would fit only half of what was read before.
                self._reading.execute(begin)
                return query(self._reading)
            finally:
                with suppress(sqlite3.Error):
                    self._reading.execute("ROLLBACK")

    @contextmanager
    def _made_sense_of(self) -> Iterator[None]:
        """Whatever is wrong with what is read, as a StoreError."""
        try:
            yield
        except sqlite3.Error as error:
            raise explained(error, self.path) from error
        except (FileError, LookupError, TypeError, ValueError, zlib.error) as error:
            raise StoreError(
                f"{self.path}: what is in it makes no sense ({type(error).__name__}: {error}); "
                "`moa-tui doctor` looks into it"
            ) from error

    # Two at once

    def hold(self, conversation_id: str) -> bool:
        """Claim a conversation for this program; False where another has it open."""
        if conversation_id in self._held:
            return True
        # Its id may come from a file of anybody's, and be no name for one.
        name = hashlib.blake2b(conversation_id.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
        folder = self.path.parent / "open"
        try:
            paths.make_private_dir(folder)
            # Claimed and let go of on different threads.
            lock = FileLock(folder / f"{name}.lock", timeout=0, mode=0o600, thread_local=False)
            lock.acquire()
        except Timeout:
            return False
        except OSError:
            return True  # Where nothing can be written nobody else can go on with it either.
        self._held[conversation_id] = lock
        return True

    def let_go(self, conversation_id: str) -> None:
        """Others may have it now; what was said of it is on disk before."""
        self._writer.flush(2.0)
        if lock := self._held.pop(conversation_id, None):
            # While it is held: a file made anew is nobody's who waited for this one.
            with suppress(OSError):
                Path(lock.lock_file).unlink()
            lock.release()

    def close(self) -> bool:
        """Write what waits and let everything go; whether all was written."""
        written = self._writer.close()
        with self._one_reader:
            self._reading.close()
        for conversation_id in list(self._held):
            self.let_go(conversation_id)
        return written

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _complete(connection: sqlite3.Connection, conversation: Conversation) -> None:
    """Keep every turn that is not there yet."""
    first = conversation.turns[0] if conversation.turns else None
    key = tables.keep_conversation(connection, conversation, first)
    there = {id_ for (id_,) in connection.execute("SELECT id FROM turns WHERE conversation = ?", (key,))}
    for turn in conversation.turns:
        if turn.id not in there:
            tables.keep_whole_turn(connection, key, turn, TextPool(connection, key))
    active = conversation.active.id if conversation.active is not None else None
    connection.execute("UPDATE conversations SET active = ? WHERE key = ?", (active, key))


def _end_interrupted(connection: sqlite3.Connection, conversation_id: str) -> None:
    key = tables.conversation_key(connection, conversation_id)
    pool = TextPool(connection, key)
    for turn in reader.load(connection, conversation_id).turns:
        query = "SELECT key FROM turns WHERE conversation = ? AND id = ? AND status IS NULL"
        row = connection.execute(query, (key, turn.id)).fetchone()
        if row is not None and turn.outcome is not None:
            for call, reply in turn.outcome.replies.items():
                if reply.error == reader.INTERRUPTED:
                    tables.keep_reply(connection, row[0], call, reply, pool, MessageCodec(turn))


def _throw_out(connection: sqlite3.Connection) -> None:
    """Purge what was deleted long ago."""
    old = connection.execute(
        "SELECT key FROM conversations WHERE deleted < ?", (time.time() - _KEPT_DELETED_SECONDS,)
    ).fetchall()
    if old:
        _purge(connection, [key for (key,) in old])


def _purge(connection: sqlite3.Connection, keys: list[int]) -> None:
    for key in keys:
        tables.unindex(connection, "conversation = ?", key)
        connection.execute("DELETE FROM conversations WHERE key = ?", (key,))
    # Only merged does the index let go of the words.
    connection.execute("INSERT INTO search (search) VALUES ('optimize')")
