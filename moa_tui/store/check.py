"""Looks into the database without changing it: is it whole, and if not, what can be read of it?

Both functions open a read-only connection of their own, and may be called on any thread.
"""

from __future__ import annotations

import sqlite3
import zlib
from contextlib import closing
from typing import TYPE_CHECKING

from moa_tui.errors import StoreError
from moa_tui.store import reader
from moa_tui.store.schema import MIGRATIONS, explained, is_damage, version_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from moa_tui.conversation import Conversation


def check(path: Path) -> tuple[str, str | None]:
    """Return how the database stands, in words, and what is wrong and how to repair it; None for nothing.

    Raises OSError where the file is taken away meanwhile.
    """
    if not path.exists():
        return "none yet", None
    try:
        with closing(_connect(path)) as connection:
            version = version_of(connection)
            if version > len(MIGRATIONS):
                return f"version {version}", f"{path}: written by a newer moa-tui; install that one"
            faults = [row[0] for row in connection.execute("PRAGMA integrity_check(3)")]
            if faults != ["ok"]:
                return "damaged", f"{path}: {faults[0]}; {_repair(path)}"
            conversations = connection.execute("SELECT count(*) FROM conversations").fetchone()[0]
            turns = connection.execute("SELECT count(*) FROM turns").fetchone()[0]
    except sqlite3.Error as error:
        if is_damage(error):
            return "damaged", f"{path}: {error}; {_repair(path)}"
        return "cannot be read", str(explained(error, path))
    size = path.stat().st_size / 1e6
    return f"{conversations} conversations, {turns} turns, {size:.1f} MB, whole", None


def rescued(path: Path) -> Iterator[Conversation | str]:
    """Yield every conversation that can still be read, and the id of each that cannot.

    Raises StoreError where the file cannot be opened as a database.
    """
    try:
        connection = _connect(path)
        version_of(connection)
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}: nothing can be read of it") from error
    with closing(connection):
        for conversation_id in _ids(connection):
            try:
                yield reader.load(connection, conversation_id)
            except (sqlite3.Error, StoreError, LookupError, TypeError, ValueError, zlib.error):
                yield conversation_id


def _ids(connection: sqlite3.Connection) -> list[str]:
    """Return the ids that the table or its index still has, each once."""
    ids: dict[str, None] = {}
    for query in (
        "SELECT id FROM conversations ORDER BY key",
        "SELECT id FROM conversations INDEXED BY sqlite_autoindex_conversations_1 ORDER BY id",
    ):
        try:
            for (conversation_id,) in connection.execute(query):
                ids[conversation_id] = None
        except sqlite3.Error:
            continue  # The damage is here; what came before it was read.
    return list(ids)


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=2)


def _repair(path: Path) -> str:
    return (
        "close every moa-tui; `moa-tui sessions rescue FOLDER` writes each conversation that can be read to "
        f"a file in FOLDER. Then move {path.name}, {path.name}-wal and {path.name}-shm away together, and "
        "`moa-tui sessions import FOLDER/*.json` puts them into a new one"
    )
