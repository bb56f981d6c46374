"""The database file: its tables, how they grew, and how it is opened without harming it.

What a call costs, in US dollars, is written once, when the call ends: `tables.keep_reply` puts it into three
places in one transaction, the last two by `tables.book_cost`.

- `calls.cost` is the call's own. The figures add these up, by model, agent, recipe and month.
- `turns.paid` is the sum over the turn's calls that were not reused and whose cost is known. The list of
  conversations adds these up. The calls would give the same sum, but their rows hold the messages: the list
  would need an index of its own over them, while `turns_in_short` has the sum already.
- `spending.paid` is the sum over the calls that ended on a day, by the local clock, whatever becomes of their
  conversations. The day's budget reads it. Conversations that were read in or copied are not in it.

`turns.cost` and its tokens belong to the outcome, as the engine gave it: NULL where a call's cost is unknown.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import tempfile
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from moa_tui.errors import StoreError
from moa_tui.settings import paths
from moa_tui.store.image import connect_to_image, database_image

if TYPE_CHECKING:
    from pathlib import Path

BUSY_SECONDS = 5.0
"""How long to wait for another moa-tui that is writing."""

# More than SQLite writes beside the file before it reads any of it.
_TRIAL_BYTES = 64 * 1024

_FIRST = """
CREATE TABLE conversations (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    created REAL NOT NULL,
    used REAL NOT NULL,
    title TEXT NOT NULL DEFAULT '',
    first_line TEXT NOT NULL,
    active TEXT,
    pinned INTEGER NOT NULL DEFAULT 0,
    archived INTEGER NOT NULL DEFAULT 0,
    deleted REAL,
    forked_from TEXT
) STRICT;

CREATE TABLE tags (
    conversation INTEGER NOT NULL REFERENCES conversations ON DELETE CASCADE,
    tag TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX tags_by_name ON tags (conversation, tag);

-- Each text of a conversation once. turn, layer and place say where a text that can be searched stands first:
-- a call's answer, or the prompt at 0, 0.
CREATE TABLE parts (
    key INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL REFERENCES conversations ON DELETE CASCADE,
    hash BLOB NOT NULL,
    text BLOB NOT NULL,
    turn INTEGER,
    layer INTEGER,
    place INTEGER
) STRICT;
CREATE UNIQUE INDEX parts_by_hash ON parts (conversation, hash);

-- status is NULL until the run has ended. cost is NULL where a call's price is unknown; paid is the sum of
-- those that are known.
CREATE TABLE turns (
    key INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL REFERENCES conversations ON DELETE CASCADE,
    id TEXT NOT NULL,
    parent TEXT,
    created REAL NOT NULL,
    prompt INTEGER NOT NULL,
    system INTEGER,
    recipe INTEGER NOT NULL,
    recipe_name TEXT NOT NULL,
    status TEXT,
    answer INTEGER,
    error BLOB,
    notes BLOB,
    metrics TEXT,
    prompt_tokens INTEGER,
    completion_tokens INTEGER,
    estimated INTEGER,
    cost REAL,
    seconds REAL,
    paid REAL NOT NULL DEFAULT 0.0
) STRICT;
CREATE UNIQUE INDEX turns_by_id ON turns (conversation, id);
CREATE INDEX turns_in_short ON turns (conversation, key, paid, recipe_name);

-- status is NULL until the call has ended; what it has written until then is in pieces.
CREATE TABLE calls (
    turn INTEGER NOT NULL REFERENCES turns ON DELETE CASCADE,
    layer INTEGER NOT NULL,
    place INTEGER NOT NULL,
    agent TEXT NOT NULL,
    model TEXT NOT NULL,
    messages BLOB NOT NULL,
    status TEXT,
    text INTEGER,
    reasoning INTEGER,
    error BLOB,
    finish_reason TEXT,
    prompt_tokens INTEGER,
    completion_tokens INTEGER,
    estimated INTEGER,
    cost REAL,
    queued REAL,
    started REAL,
    first_token REAL,
    ended REAL,
    attempts INTEGER,
    reused INTEGER,
    notes BLOB,
    PRIMARY KEY (turn, layer, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE pieces (
    key INTEGER PRIMARY KEY,
    turn INTEGER NOT NULL REFERENCES turns ON DELETE CASCADE,
    layer INTEGER NOT NULL,
    place INTEGER NOT NULL,
    kind TEXT NOT NULL,
    text BLOB NOT NULL
) STRICT;
CREATE INDEX pieces_by_call ON pieces (turn, layer, place);

CREATE VIRTUAL TABLE search USING fts5 (
    text, content = '', columnsize = 0, tokenize = 'unicode61 remove_diacritics 2'
);
"""

# spending: the US dollars paid on each day of local time; what was paid stays, whatever conversation goes.
# choices: recipes (a JSON list of names) whose answers to one prompt were compared; chosen is NULL for none.
_SECOND = """
CREATE TABLE spending (day TEXT PRIMARY KEY, paid REAL NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO spending
    SELECT strftime('%Y-%m-%d', created, 'unixepoch', 'localtime') AS day, sum(paid) FROM turns
    WHERE day IS NOT NULL GROUP BY day HAVING sum(paid) > 0;

CREATE TABLE choices (
    key INTEGER PRIMARY KEY,
    created REAL NOT NULL,
    recipes TEXT NOT NULL,
    chosen TEXT,
    blind INTEGER NOT NULL
) STRICT;
"""

# The tokens of a prompt that a provider read from its cache, and those that it wrote to it at a price.
_THIRD = """
ALTER TABLE turns ADD COLUMN cached_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE turns ADD COLUMN cache_write_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE calls ADD COLUMN cached_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE calls ADD COLUMN cache_write_tokens INTEGER NOT NULL DEFAULT 0;
"""

# Of a call that wrote its answer in several requests, those that have ended, and what it cannot have read.
# What they cost is booked as each of them ends.
_FOURTH = """
CREATE TABLE steps (
    turn INTEGER NOT NULL REFERENCES turns ON DELETE CASCADE,
    layer INTEGER NOT NULL,
    place INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (turn, layer, place)
) STRICT, WITHOUT ROWID;
"""

# Calls that a server on this machine answered, which cost nothing.
_FIFTH = """
ALTER TABLE calls ADD COLUMN local INTEGER NOT NULL DEFAULT 0;
"""

# Each step takes the file from one version to the next. A step that was released is never changed.
MIGRATIONS = (_FIRST, _SECOND, _THIRD, _FOURTH, _FIFTH)


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection to the database as it stands, to be used by one thread at a time.

    Raises sqlite3.Error.
    """
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        # What is deleted is overwritten: it may have been deleted because nobody was to read it.
        for pragma in ("foreign_keys = ON", "synchronous = NORMAL", "secure_delete = ON"):
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def connect_for_reading(path: Path) -> sqlite3.Connection:
    """Return a connection that reads a database where nothing can be written, to be used at once and closed.

    What an older moa-tui wrote is brought to the newest version in memory. Raises sqlite3.Error, OSError, and
    StoreError for a file that a newer moa-tui wrote or that is not one of moa-tui's.
    """
    connection = connect_read_only(path)
    try:
        version = _checked_version(connection, path)
        if version < len(MIGRATIONS):
            connection.close()
            connection = connect_to_image(database_image(path)[0])
            for step in MIGRATIONS[version:]:
                connection.executescript(step)
    except BaseException:
        connection.close()
        raise
    return connection


def connect_read_only(path: Path) -> sqlite3.Connection:
    """Return a read-only connection: SQLite's own where it can, else one to the pages in memory."""
    log = path.with_name(f"{path.name}-wal")
    # A file without a log is all there is; with one, SQLite has to write an index of the log beside it.
    ways = ["mode=ro", "immutable=1"] if not log.exists() or not log.stat().st_size else ["mode=ro"]
    for way in ways:
        uri = f"{path.absolute().as_uri()}?{way}"
        connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            version_of(connection)
            return connection
        except sqlite3.OperationalError as error:
            connection.close()
            if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR):
                raise
    return connect_to_image(database_image(path)[0])


def open_database(path: Path) -> sqlite3.Connection:
    """Create the file or bring it to the newest version, and return a connection to it.

    A copy of an older file is put beside it before it is changed. Raises StoreError for a file that cannot be
    opened, that is not one of moa-tui's, or that a newer moa-tui wrote; it is left as it is then.
    """
    try:
        paths.make_private_dir(path.parent)
        # Made here, so that nobody else may read it from its first byte; SQLite gives its own files the same.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        connection = connect(path)
        try:
            connection.execute("BEGIN")
            _checked_version(connection, path)
            connection.execute("ROLLBACK")
            _use_wal(connection)
            _migrate(connection, path)
        except BaseException:
            connection.close()
            raise
    except (OSError, sqlite3.Error) as error:
        raise explained(error, path) from error
    return connection


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to a write-ahead log, so that readers wait for nobody. Raises sqlite3.Error."""
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            # SQLite does not wait here for another moa-tui that is doing the same.
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.01)


def version_of(connection: sqlite3.Connection) -> int:
    """Return the schema's version; 0 for a file without tables. Raises sqlite3.Error."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _checked_version(connection: sqlite3.Connection, path: Path) -> int:
    """Return the schema's version. Raises StoreError for a file that is not to be touched."""
    version = version_of(connection)
    if version > len(MIGRATIONS):
        raise StoreError(
            f"{path} was written by a newer moa-tui (version {version} of its tables; this one knows "
            f"{len(MIGRATIONS)}); install the newer one. The file was left as it is"
        )
    if not version and connection.execute("SELECT 1 FROM sqlite_master").fetchone():
        raise StoreError(
            f"{path} is a database, but not one of moa-tui's; move it away, or set MOA_TUI_DATA_DIR to "
            "another folder. The file was left as it is"
        )
    return version


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Apply the steps that the file has not seen yet, all or none of them. Raises sqlite3.Error."""
    newest = len(MIGRATIONS)
    if version_of(connection) == newest:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Again: another moa-tui may have done it while this one waited.
        version = _checked_version(connection, path)
        if 0 < version < newest:
            _back_up(path, path.with_name(f"{path.name}.v{version}.bak"))
        for step in MIGRATIONS[version:]:
            for statement in _statements(step):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {newest}")
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _statements(script: str) -> list[str]:
    """Return the statements of a script one by one: `executescript` would commit in between."""
    statements = []
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            statements.append(statement)
            statement = ""
    return statements


def _back_up(path: Path, copy_path: Path) -> None:
    """Copy the database, whole or not at all."""
    draft = copy_path.with_name(f".{copy_path.name}.{os.getpid()}.new")
    try:
        os.close(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600))
        with closing(sqlite3.connect(path)) as connection, closing(sqlite3.connect(draft)) as copy:
            connection.backup(copy)
        draft.replace(copy_path)
    finally:
        draft.unlink(missing_ok=True)


def is_damage(error: OSError | sqlite3.Error) -> bool:
    """Return whether the file itself is broken, not only the way to it."""
    code = getattr(error, "sqlite_errorname", "")
    return "CORRUPT" in code or "NOTADB" in code


def explained(error: OSError | sqlite3.Error, path: Path) -> StoreError:
    """Return a StoreError that says what went wrong with the database and what to do about it."""
    code = getattr(error, "sqlite_errorname", "")
    of_disk = error if isinstance(error, OSError) else None
    if any(kind in code for kind in ("FULL", "IOERR", "READONLY", "CANTOPEN")):
        of_disk = disk_error(path)
    words = paths.disk_words(of_disk) if of_disk is not None else str(error)
    if is_damage(error):
        advice = "the file is damaged: `moa-tui doctor` says how to repair it"
    elif of_disk is not None and of_disk.errno == errno.EFBIG:
        advice = "start moa-tui where files may be larger"
    elif "FULL" in code or (of_disk is not None and of_disk.errno in (errno.ENOSPC, errno.EDQUOT)):
        advice = "make room on the disk"
    elif of_disk is not None or "READONLY" in code or "CANTOPEN" in code:
        advice = (
            "see that its folder is there and that you may write in it, or set MOA_TUI_DATA_DIR to another"
        )
    elif "BUSY" in code or "LOCKED" in code:
        advice = "another program holds it; close that one"
    else:
        advice = "`moa-tui doctor` looks into it"
    return StoreError(f"{path}: {words}; {advice}")


def disk_error(path: Path) -> OSError | None:
    """Return what the disk says to a file beside the database that grows larger than that; None for nothing.

    SQLite does not tell a full disk from a limit or a quota.
    """
    try:
        os.close(os.open(path, os.O_RDWR))
        with tempfile.TemporaryFile(dir=path.parent) as file:
            file.seek(max(each.stat().st_size for each in path.parent.glob(f"{path.name}*")))
            file.write(bytes(_TRIAL_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error
    return None
