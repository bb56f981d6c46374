"""Deletes conversations for good: out of the bin after a week, and off the disk to the last word.

How long a conversation was in the bin is not read off the clock, which may be wrong by years: a table counts
the days on which moa-tui was started while the conversation was there. A day counts if it lies behind the day
of the deletion and not ahead of the clock, and seven have to come together.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from moa_tui.errors import StoreError
from moa_tui.store import tables
from moa_tui.store.schema import BUSY_SECONDS, connect, explained

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DAYS_IN_BIN = 7

# Made when something is in the bin: a file without this table is whole, and an older moa-tui passes over it.
# Of what was restored and deleted again, the days from before do not count: `deleted` differs.
_DAYS = """
CREATE TABLE IF NOT EXISTS days_in_bin (
    conversation INTEGER NOT NULL REFERENCES conversations ON DELETE CASCADE,
    deleted REAL NOT NULL,
    day TEXT NOT NULL,
    PRIMARY KEY (conversation, day)
) STRICT, WITHOUT ROWID
"""
_LONGEST_AHEAD_SECONDS = 24 * 3600.0


def empty_bin(
    connection: sqlite3.Connection, today: str, is_open: Callable[[str], bool] = lambda _: False
) -> list[str]:
    """Purge the conversations that were in the bin for a week, and return their ids.

    `today` is the local day, `2026-03-14`. What `is_open` says of an id, that another program has it open,
    leaves that one for a later start. Called once at each start, on the writer's thread.
    """
    if connection.execute("SELECT 1 FROM conversations WHERE deleted IS NOT NULL").fetchone() is None:
        return []
    connection.execute(_DAYS)
    # Deleted under a clock that was ahead, a conversation would wait for that day: its week begins now.
    now = time.time()
    ahead = "UPDATE conversations SET deleted = ? WHERE deleted > ?"
    connection.execute(ahead, (now, now + _LONGEST_AHEAD_SECONDS))
    connection.execute(
        "DELETE FROM days_in_bin WHERE NOT EXISTS (SELECT 1 FROM conversations AS c "
        "WHERE c.key = days_in_bin.conversation AND c.deleted = days_in_bin.deleted)"
    )
    connection.execute(
        "INSERT OR IGNORE INTO days_in_bin SELECT key, deleted, ? FROM conversations "
        "WHERE deleted IS NOT NULL AND ? > date(deleted, 'unixepoch', 'localtime')",
        (today, today),
    )
    rows = connection.execute(
        "SELECT c.key, c.id FROM days_in_bin AS d JOIN conversations AS c ON c.key = d.conversation "
        "WHERE d.day <= ? GROUP BY c.key HAVING count(*) >= ?",
        (today, DAYS_IN_BIN),
    ).fetchall()
    expired = [(key, conversation_id) for key, conversation_id in rows if not is_open(conversation_id)]
    if expired:
        purge(connection, [key for key, _ in expired])
    return [conversation_id for _, conversation_id in expired]


def purge(connection: sqlite3.Connection, keys: list[int]) -> None:
    """Delete conversations by the keys of their rows, and what the search index knows of them."""
    for key in keys:
        tables.unindex(connection, "conversation = ?", key)
        connection.execute("DELETE FROM conversations WHERE key = ?", (key,))
    # The words leave the index only when its parts are merged.
    connection.execute("INSERT INTO search (search) VALUES ('optimize')")


def overwrite(path: Path) -> StoreError | None:
    """Overwrite what was deleted in the database and its log; return why that is not possible yet, or None.

    Deleted rows are overwritten when they are deleted, but copies of them that SQLite made when it moved rows
    from one page to another are not: only a file that is written anew has none.
    """
    try:
        with closing(connect(path)) as connection:
            connection.execute("VACUUM")
            end = time.monotonic() + BUSY_SECONDS
            while connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                # SQLite waits here for who reads, but not for who does the same.
                if time.monotonic() > end:
                    return StoreError(
                        f"{path}: another program reads it; close every moa-tui to be rid of them"
                    )
                time.sleep(0.01)
    except sqlite3.Error as error:
        return explained(error, path)
    return None


def purge_copies(path: Path, conversation_id: str) -> StoreError | None:
    """Delete a conversation from the copies that were made before the database was migrated.

    Returns why that is not possible, None where none of them holds it any more.
    """
    # What a migration that was killed left behind is no copy that anybody could use.
    for draft in path.parent.glob(f".{path.name}.v*.bak.*.new*"):
        with suppress(OSError):
            draft.unlink()
    for copy in path.parent.glob(f"{path.name}.v*.bak"):
        try:
            with closing(connect(copy)) as connection, connection:
                select = "SELECT key FROM conversations WHERE id = ?"
                purge(connection, [key for (key,) in connection.execute(select, (conversation_id,))])
        except sqlite3.Error as error:
            return explained(error, copy)
        if problem := overwrite(copy):
            return problem
    return None
