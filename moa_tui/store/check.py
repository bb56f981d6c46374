"""Looks into the database without changing it: is it whole, and if not, what can be read of it?

Both functions only read, and may be called on any thread.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from moa_tui.errors import StoreError
from moa_tui.settings import paths
from moa_tui.store import reader
from moa_tui.store.image import database_image
from moa_tui.store.salvage import Salvage
from moa_tui.store.schema import (
    MIGRATIONS,
    connect_read_only,
    disk_error,
    explained,
    is_damage,
    version_of,
)

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
        with closing(connect_read_only(path)) as connection:
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
    unwritable = disk_error(path)
    problem = None if unwritable is None else f"{path}: cannot be written: {paths.disk_words(unwritable)}"
    return f"{conversations} conversations, {turns} turns, {size:.1f} MB, whole", problem


class Rescued(NamedTuple):
    """A conversation as far as it can be read; None with its id where nothing but that is left.

    `lost_parts` counts the texts, turns, calls and recipes that are known to be lost and were made up for.
    """

    id: str
    conversation: Conversation | None
    lost_parts: int


def rescued(path: Path) -> Iterator[Rescued]:
    """Yield every conversation of which anything stands on the whole pages of the file and its log.

    Raises StoreError where the file cannot be read, or nothing in it can be.
    """
    try:
        salvage = Salvage(*database_image(path))
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {paths.disk_words(error)}") from error
    with closing(salvage.connection) as connection:
        rows = connection.execute("SELECT key, id FROM conversations ORDER BY key").fetchall()
        if not rows and not salvage.lost_ids:
            raise StoreError(f"{path}: nothing can be read of it")
        for key, conversation_id in rows:
            conversation = _loaded(connection, conversation_id)
            if conversation is None:
                salvage.simplify(key)
                conversation = _loaded(connection, conversation_id)
            yield Rescued(conversation_id, conversation, salvage.gaps[key])
        for conversation_id in salvage.lost_ids:
            yield Rescued(conversation_id, None, 0)


def _loaded(connection: sqlite3.Connection, conversation_id: str) -> Conversation | None:
    """Return a conversation; None where its rows make no sense."""
    try:
        return reader.load(connection, conversation_id)
    except (sqlite3.Error, StoreError, *reader.SENSELESS_ROWS):
        return None


def _repair(path: Path) -> str:
    return (
        "close every moa-tui; `moa-tui sessions rescue FOLDER` writes each conversation that can be read to "
        f"a file in FOLDER. Then move {path.name}, {path.name}-wal and {path.name}-shm away together, and "
        "`moa-tui sessions import FOLDER/*.json` puts them into a new one"
    )
