"""Looking into the database without changing it, for `moa-tui doctor`."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from moa_tui.store.schema import MIGRATIONS, version_of

if TYPE_CHECKING:
    from pathlib import Path


def check(path: Path) -> tuple[str, str | None]:
    """How the database stands, in words, and what is wrong with it and how to repair that, or None."""
    if not path.exists():
        return "none yet", None
    try:
        address = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=2)) as connection:
            version = version_of(connection)
            if version > len(MIGRATIONS):
                return f"version {version}", f"{path}: written by a newer moa-tui; install that one"
            faults = [row[0] for row in connection.execute("PRAGMA integrity_check(3)")]
            if faults != ["ok"]:
                return "damaged", f"{path}: {faults[0]}; {_repair(path)}"
            conversations = connection.execute("SELECT count(*) FROM conversations").fetchone()[0]
            turns = connection.execute("SELECT count(*) FROM turns").fetchone()[0]
    except sqlite3.Error as error:
        return "cannot be read", f"{path}: {error}; {_repair(path)}"
    size = path.stat().st_size / 1e6
    return f"{conversations} conversations, {turns} turns, {size:.1f} MB, whole", None


def _repair(path: Path) -> str:
    return (
        "close every moa-tui and make a copy of the file first. With SQLite's own program, "
        f"`sqlite3 {path.name} .recover | sqlite3 recovered.db` in its folder saves what can be read; "
        f"put recovered.db in the place of {path.name}. Or move the file away to begin with an empty one"
    )
