"""Notices that the database is not the file any more that was opened: it was deleted, moved or replaced."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from moa_tui.store import tables
from moa_tui.store.schema import MIGRATIONS, connect, is_damage, version_of

if TYPE_CHECKING:
    from pathlib import Path

    # Device and number of a file.
    Identity = tuple[int, int]


_NO_FILE = (-1, -1)


class FileWatch:
    """What the database's files were when they were looked at last. Belongs to the writer's thread.

    A look costs three calls of `stat`. Never opens a file itself: whoever closes one drops SQLite's locks on
    it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._beside = [path.with_name(f"{path.name}-{suffix}") for suffix in ("wal", "shm")]
        self._identities: dict[Path, Identity | None] = {}
        self._form: tuple[int, int] | None = None
        self._data_version = 0
        self.conversation_id = ""
        """The id of the conversation whose turns were noted last."""
        self._turn_ids: set[str] = set()
        self._newest: tuple[object, ...] = ()
        self.is_settled = False
        """False once this program has committed something that was not noted yet."""
        self.was_overwritten = False
        """True where the last loss was that of the content, in a file that is still there."""

    def open(self, connection: sqlite3.Connection, conversation_id: str) -> None:
        """Watch the files of a connection that was opened just now. Raises sqlite3.Error."""
        self.note(connection, conversation_id)
        for path in (self._path, *self._beside):
            identity = _identity(path)
            self._identities[path] = identity if identity != _NO_FILE else None

    def note(self, connection: sqlite3.Connection, conversation_id: str) -> None:
        """Remember what is in the file, and which turns of a conversation. Raises sqlite3.Error."""
        self._turn_ids = tables.turn_ids(connection, conversation_id)
        self.conversation_id = conversation_id
        self._newest = _newest(connection)
        self._data_version = _data_version(connection)
        self.is_settled = True
        self._form = _form(self._path)

    def loss(self, connection: sqlite3.Connection) -> str | None:
        """Return what has become of the file, in words; None where it is the one that was opened."""
        self.was_overwritten = False
        for path, noted in self._identities.items():
            now = _identity(path)
            if noted is not None and now is not None and now != noted:
                what = "deleted or moved away" if now == _NO_FILE else "replaced by another file"
                return f"{path} was {what}"
        form = _form(self._path)
        if form is not None and form != self._form:
            has_shrunk = self._form is not None and form[0] < self._form[0]
            self.was_overwritten = not self._holds_the_same(connection, has_shrunk=has_shrunk)
        if self.was_overwritten:
            return f"{self._path} was overwritten"
        return None

    def _holds_the_same(self, connection: sqlite3.Connection, *, has_shrunk: bool) -> bool:
        """Return whether the file, which somebody has written to, still holds what was noted.

        One that `has_shrunk` is looked through as a whole: nothing of ours makes it shorter.
        """
        try:
            # The connection that is open remembers pages; a new one reads them.
            with closing(connect(self._path)) as fresh:
                if version_of(fresh) != len(MIGRATIONS):
                    return False
                if has_shrunk and fresh.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
                    return False
                turn_ids = tables.turn_ids(fresh, self.conversation_id)
                newest = _newest(fresh)
            has_others = _data_version(connection) != self._data_version
            if self.is_settled and not has_others and newest != self._newest:
                return False
            # Another moa-tui may have deleted the conversation, but then it has committed something.
            if not (has_others and not turn_ids) and not self._turn_ids <= turn_ids:
                return False
            self.note(connection, self.conversation_id)
        except sqlite3.Error as error:
            # Anything else is about the way to the file, as a mode that lets nobody open it anew.
            return not (is_damage(error) or getattr(error, "sqlite_errorname", "") == "SQLITE_ERROR")
        return True

    def drop_old_log(self) -> None:
        """Delete the write-ahead log of a file that is gone: SQLite would replay it into the next one."""
        for path in self._beside:
            if (noted := self._identities.get(path)) is not None and _identity(path) == noted:
                with suppress(OSError):
                    path.unlink()

    def empty_log(self) -> None:
        """Empty the write-ahead log, whose pages belong to what was overwritten."""
        with suppress(OSError):
            os.truncate(self._beside[0], 0)

    @property
    def is_in_place(self) -> bool:
        """True where the file itself is the one that was opened, whatever is in it."""
        return _identity(self._path) == self._identities.get(self._path)


def _identity(path: Path) -> Identity | None:
    """Return which file is at a path, `_NO_FILE` for none; None where that cannot be known."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return _NO_FILE
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _form(path: Path) -> tuple[int, int] | None:
    """Return size and time of the last change, in nanoseconds."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _data_version(connection: sqlite3.Connection) -> int:
    """Return a number that changes when another connection commits. Raises sqlite3.Error."""
    return int(connection.execute("PRAGMA data_version").fetchone()[0])


def _newest(connection: sqlite3.Connection) -> tuple[object, ...]:
    """Return what tells the content of one file from that of another. Raises sqlite3.Error."""
    query = "SELECT max(key), max(used), (SELECT max(key) FROM turns) FROM conversations"
    return tuple(connection.execute(query).fetchone())
