"""The one thread that writes the database, so that neither a screen nor a model's stream waits for the disk.

The thread owns the connection that writes. Everybody else hands it changes: functions that it calls with that
connection, which nobody else may use.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
import traceback
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from moa_tui.errors import DatabaseLostError, StoreError
from moa_tui.store.schema import BUSY_SECONDS, explained
from moa_tui.store.watch import FileWatch

if TYPE_CHECKING:
    from collections.abc import Callable

    Change = Callable[[sqlite3.Connection], None]

_log = logging.getLogger("moa_tui.store")
# Without a handler Python would print on the terminal, where a screen is drawn.
_log.addHandler(logging.NullHandler())

# At most so much of a text in progress is lost when the program is killed.
_CHECKPOINT_SECONDS = 1.0
# A checkpoint, and a moment for the disk to write it.
_BEHIND_SECONDS = _CHECKPOINT_SECONDS + 1.0
# How long changes that could not be written wait for room on the disk, or for who holds the file.
_RETRY_SECONDS = 5.0
# When to move the write-ahead log into the file: after a rest, or at the latest after so many changes.
_IDLE_SECONDS = 1.0
_MOST_UNMERGED = 5_000
# What SQLite says of a change that no disk could take. Everything else is the file's or the disk's.
_OWN_FAULTS = {
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_TOOBIG,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_MISUSE,
    sqlite3.SQLITE_RANGE,
}


@dataclass(eq=False)
class _Awaited:
    """A change that a caller waits for: `fault` says why it failed, and once given up it is not made."""

    change: Change
    fault: StoreError | None = None
    is_given_up: bool = False

    def __call__(self, connection: sqlite3.Connection) -> None:
        if not self.is_given_up:
            self.change(connection)


class Memory(Protocol):
    """What the writer asks for where the file is lost. Called on the writer's thread."""

    @property
    def conversation_id(self) -> str:
        """The id of the conversation that is open; empty where none is, or it is not to be kept."""

    def reopen(self) -> sqlite3.Connection:
        """Open the file that is at the path now, or a new one. Raises StoreError."""

    def write_anew(self, connection: sqlite3.Connection) -> None:
        """Write all that is open, as far as it is not there. Raises sqlite3.Error."""


class Writer:
    """Applies changes in the order they come, many to a transaction, each whole or not at all.

    Changes that the disk does not take stay queued and are tried again, so a change may be called more than
    once. `put`, `flush`, `call` and `close` may be called on any thread but the writer's own. `on_problem` is
    called on the writer's thread, with a StoreError when writing fails and with None when it works again.

    The file is looked at before each transaction and once a second. Where it is not the one any more that was
    opened, that is a DatabaseLostError; another is opened in its place and given what is in memory.
    """

    def __init__(
        self,
        connection: sqlite3.Connection | None,
        path: Path,
        memory: Memory,
        problem: StoreError | None = None,
    ) -> None:
        """Write with `connection`; with None, `problem` kept it from being opened, which is tried again."""
        self.problem = problem
        self.on_problem: Callable[[StoreError | None], None] = lambda _: None
        self._path = path
        self._memory = memory
        self._watch = FileWatch(path)
        self._is_lost = False
        self._unmerged = 0
        """How many changes are in the write-ahead log but not in the file itself."""
        self._connection: sqlite3.Connection | None = None
        if connection is not None:
            self._adopt(connection)
        self._changes: deque[Change] = deque()
        self._queued_count = self._written_count = 0
        self._waiting_since = 0.0
        self._urgent = self._closing = self._ended = False
        self._is_writing = False
        self.is_overwriting_due = False
        """Set by a change that purged something: the file is written anew when nothing waits."""
        # Guards all of the above, and is notified of every change in it.
        self._state = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="moa-store", daemon=True)
        self._thread.start()

    def put(self, change: Change, *, soon: bool = True) -> int:
        """Queue a change and return its number at once; after `close` nothing is queued any more.

        With `soon` False, the change may wait for up to a second for others.
        """
        with self._state:
            if self._ended:
                return self._queued_count + 1
            first = not self._changes
            if first:
                self._waiting_since = time.monotonic()
            self._changes.append(change)
            self._queued_count += 1
            self._urgent = self._urgent or soon
            if soon or first:
                self._state.notify_all()
            return self._queued_count

    def has_written(self, number: int) -> bool:
        """True once the change that `put` gave this number is committed."""
        return self._written_count >= number

    @property
    def is_behind(self) -> bool:
        """True where something waits to be written for longer than it waits for others."""
        return bool(self._changes) and time.monotonic() > self._waiting_since + _BEHIND_SECONDS

    def flush(self, seconds: float = 10.0) -> bool:
        """Wait until all that was queued so far is written, for so many seconds; return whether it is.

        Returns early where the disk takes nothing just now.
        """
        with self._state:
            until = self._queued_count
            if self._written_count < until:
                self._urgent = True
                self._state.notify_all()
            self._state.wait_for(lambda: self._written_count >= until or self.problem or self._ended, seconds)
            return self._written_count >= until

    def call(self, change: Change) -> None:
        """Queue a change and wait until it is written, for a minute at most unless it is being written.

        Raises StoreError where it was not written; it is not written later either then.
        """
        if self._ended:
            raise StoreError(f"{self._path}: it is closed")
        if self.problem is not None:
            raise self.problem
        awaited = _Awaited(change)
        self.put(awaited)
        while not self.flush(60.0):
            if self._is_writing and self.problem is None:
                continue  # A conversation of very many turns takes longer.
            awaited.is_given_up = True
            raise self.problem or StoreError(f"{self._path}: another program holds it; close that one")
        if awaited.fault is not None:
            raise awaited.fault

    def close(self, seconds: float = 5.0) -> bool:
        """Write what is queued and end the thread; return whether all was written within so many seconds."""
        with self._state:
            self._closing = True
            self._state.notify_all()
        self._thread.join(seconds)
        return self._written_count >= self._queued_count and not self._is_lost

    # On the writer's thread

    def _run(self) -> None:
        """Write what is queued, again and again, until closed."""
        try:
            while True:
                with self._state:
                    is_due = self._state.wait_for(lambda: self._changes or self._closing, _IDLE_SECONDS)
                if not is_due or (self._unmerged > _MOST_UNMERGED and self._connection is not None):
                    if self._look() and self._unmerged:
                        self._merge()
                    continue
                with self._state:
                    wait = _RETRY_SECONDS if self.problem and not self._is_lost else _CHECKPOINT_SECONDS
                    self._state.wait_for(lambda: self._closing or (self._urgent and not self.problem), wait)
                    self._urgent = False
                    count, closing = len(self._changes), self._closing
                    # Set while the queue is known to be empty: `put` takes nothing from here on.
                    self._ended = not count
                if self._ended:
                    self._look()  # It may have been lost since the last change.
                    return
                if not self._apply(count) and closing:
                    return
        finally:
            with suppress(sqlite3.Error):
                if self._connection is not None:
                    self._connection.close()
            with self._state:
                self._ended = True
                self._state.notify_all()

    def _look(self) -> bool:
        """Look whether the file is still there, without a change to be written; True where it is."""
        return (self._connection is not None or self._is_lost) and self._at_hand() is not None

    def _merge(self) -> None:
        """Move the write-ahead log into the file itself, while nobody waits for a change."""
        if (connection := self._connection) is None:
            return
        # What goes wrong here goes wrong again with the next change, which reports it.
        with suppress(sqlite3.Error):
            if self.is_overwriting_due:
                connection.execute("VACUUM")
                self.is_overwriting_due = False
            # Cut to nothing where nobody reads: what was deleted would stay in it until it is written over.
            connection.execute("PRAGMA busy_timeout = 0")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with suppress(sqlite3.Error):
            connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000:.0f}")
            self._watch.note(connection, self._memory.conversation_id)
        self._unmerged = 0

    def _adopt(self, connection: sqlite3.Connection) -> None:
        """Write through this connection from now on. Raises sqlite3.Error."""
        # By default the change that crosses a thousand pages pays for all of them.
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        self._watch.open(connection, self._memory.conversation_id)
        self._connection = connection

    def _at_hand(self) -> sqlite3.Connection | None:
        """Return the connection to the file, opened anew where it was lost; None where it cannot be."""
        if self._connection is not None:
            loss = self._watch.loss(self._connection)
            if loss is None:
                if self._memory.conversation_id != self._watch.conversation_id:
                    with suppress(sqlite3.Error):
                        self._watch.note(self._connection, self._memory.conversation_id)
                return self._connection
            self._abandon(self._connection)
            self._set_problem(
                DatabaseLostError(
                    f"NOT SAVED: {loss} while moa-tui had it open. Only what is open here, and not private, "
                    "is written anew; where the file was moved away, put it back while no moa-tui runs"
                )
            )
        try:
            connection = self._memory.reopen()
        except StoreError as error:
            self._set_problem(DatabaseLostError(f"NOT SAVED: {error}") if self._is_lost else error)
            return None
        try:
            if self._is_lost:
                connection.execute("BEGIN IMMEDIATE")
                self._memory.write_anew(connection)
                connection.execute("COMMIT")
            self._adopt(connection)
        except sqlite3.Error as error:
            connection.close()
            problem = explained(error, self._path)
            self._set_problem(DatabaseLostError(f"NOT SAVED: {problem}") if self._is_lost else problem)
            return None
        self._is_lost = False
        self._set_problem(None)
        return connection

    def _abandon(self, connection: sqlite3.Connection) -> None:
        """Close the file that is not at its path any more."""
        with suppress(sqlite3.Error):
            if self._watch.is_in_place and self._watch.was_overwritten:
                self._watch.empty_log()
            else:
                # A file that was moved away has all that was written then.
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            connection.close()
        if not self._watch.is_in_place:
            self._watch.drop_old_log()
        self._connection = None
        self._is_lost = True

    def _apply(self, count: int) -> bool:
        """Write the first `count` changes in one transaction and return whether the disk took them.

        They stay in the queue where it did not.
        """
        faults: list[StoreError] = []
        if (connection := self._at_hand()) is None:
            return False
        try:
            connection.execute("BEGIN IMMEDIATE")
            self._is_writing = True
            for position in range(count):
                change = self._changes[position]
                fault = self._apply_one(connection, change)
                if isinstance(change, _Awaited):
                    change.fault = fault
                elif fault is not None:
                    faults.append(fault)
            connection.execute("COMMIT")
            self._watch.is_settled = False
            self._unmerged += count
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            self._set_problem(explained(error, self._path))
            return False
        finally:
            self._is_writing = False
        with self._state:
            for _ in range(count):
                self._changes.popleft()
            self._written_count += count
            self._waiting_since = time.monotonic()
            self._state.notify_all()
        self._set_problem(None)
        for fault in faults:
            self._report(fault)
        return True

    def _apply_one(self, connection: sqlite3.Connection, change: Change) -> StoreError | None:
        """Apply one change and return why it can never be applied, None where it was.

        Raises sqlite3.Error where the file or the disk is at fault.
        """
        connection.execute("SAVEPOINT change")
        fault = None
        try:
            change(connection)
        except StoreError as error:
            fault = error
        except Exception as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
            if code & 0xFF not in _OWN_FAULTS:
                raise
            # A bug of ours is reported, but must not keep all later changes from the disk.
            _log_bug("a change could not be written", error)
            words = str(error) if isinstance(error, sqlite3.Error) else type(error).__name__
            fault = StoreError(f"moa-tui has a fault, please report it: a change could not be kept: {words}")
        if fault is not None:
            connection.execute("ROLLBACK TO change")
        connection.execute("RELEASE change")
        return fault

    def _set_problem(self, problem: StoreError | None) -> None:
        with self._state:
            before, self.problem = self.problem, problem
            self._state.notify_all()
        if str(before) != str(problem):
            self._report(problem)

    def _report(self, problem: StoreError | None) -> None:
        """Call `on_problem`; whatever it raises is logged, and writing goes on."""
        try:
            self.on_problem(problem)
        except Exception as error:
            _log_bug("a listener for problems failed", error)


def _prepared(connection: sqlite3.Connection) -> sqlite3.Connection:
    # By default the change that crosses a thousand pages pays for all of them.
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    return connection


def _log_bug(what: str, error: Exception) -> None:
    """Log the type and the place of an error, without its message, which may quote a conversation."""
    *_, frame = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}"
    _log.error("%s: %s at %s", what, type(error).__name__, place)
