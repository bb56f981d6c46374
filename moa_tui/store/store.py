"""The kept conversations: an SQLite file, one thread that writes it, and a connection that reads it."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

from moa_tui.errors import ConversationExistsError, DatabaseLostError, OpenElsewhereError, StoreError
from moa_tui.store import figures, reader, tables
from moa_tui.store.claims import Claims
from moa_tui.store.drafts import purge_drafts
from moa_tui.store.purge import empty_bin, overwrite, purge, purge_copies
from moa_tui.store.recording import KnownConversations, Recording, local_day
from moa_tui.store.schema import connect, connect_for_reading, explained, is_damage, open_database
from moa_tui.store.text_pool import MessageCodec, TextPool
from moa_tui.store.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from moa_tui.conversation import Conversation, Hit, Summary, Turn
    from moa_tui.stats.figures import Figures
    from moa_tui.stats.preferences import Preference

T = TypeVar("T")


class Store:
    """The kept conversations, for one program; several programs may use one file at once.

    Methods may be called on any thread. `record`, `set_active`, `prefer` and `set_in_view` return at once;
    all others wait for the disk, so they are not for a thread that draws. The connection that writes belongs
    to the writer's thread. The connection that reads, and the claims, are used by the callers' threads, one
    at a time, each under its lock.

    Methods that wait and read or change conversations raise StoreError where the file cannot be used.
    """

    def __init__(self, path: Path, today: Callable[[], str] = local_day) -> None:
        """Open or create the database. Raises StoreError where nothing can be read of it.

        Where it can be read and not be written, `problem` says why from the start, and what is queued is
        written once it can be. `today` returns the day on which the cost of a call is booked when it ends,
        `2026-03-14`; it is called on the thread that records.
        """
        self.path = path
        self._today = today
        self._reading: sqlite3.Connection | None = None
        connection, problem = _opened(path)
        if connection is not None:
            try:
                self._reading = connect(path)
            except sqlite3.Error as error:
                connection.close()
                raise explained(error, path) from error
        self._read_lock = threading.Lock()
        self._claims = Claims(path.parent / "open")
        self._has_work = False
        self._in_view: Conversation | None = None
        self._known = KnownConversations()
        self._recordings: list[Recording] = []
        self._unwritten: list[Recording] = []
        try:
            self._writer = Writer(connection, path, self, problem)
        except sqlite3.Error as error:  # Where the first page of a table is damaged.
            for opened in filter(None, (connection, self._reading)):
                opened.close()
            raise explained(error, path) from error
        self._writer.put(self._empty_bin, soon=False)
        if problem is None:
            self._end_interrupted_runs()

    def _end_interrupted_runs(self) -> None:
        """End the calls of runs that were cut off, so that a search finds what they had written."""
        query = (
            "SELECT DISTINCT c.id FROM pieces AS p JOIN turns AS t ON t.key = p.turn "
            "JOIN conversations AS c ON c.key = t.conversation"
        )
        for (conversation_id,) in self._read(lambda connection: connection.execute(query).fetchall()):
            # Where another program holds it, it is not cut off: a run of it goes on there.
            if self.hold(conversation_id):
                self._writer.put(partial(_end_interrupted, conversation_id=conversation_id))
                self.let_go(conversation_id)

    def _empty_bin(self, connection: sqlite3.Connection) -> None:
        for conversation_id in empty_bin(connection, self._today(), self._claims.is_open_elsewhere):
            self._writer.is_overwriting_due = True
            purge_copies(self.path, conversation_id)
            purge_drafts(self.path.parent / "drafts", conversation_id)

    @property
    def problem(self) -> StoreError | None:
        """Why nothing can be written just now, or None; what is queued is written once it can be."""
        return self._writer.problem

    def on_problem(self, listener: Callable[[StoreError | None], None]) -> None:
        """Call `listener` with each problem of writing, and with None once it is over.

        It is called on the writer's thread, and replaces an earlier listener.
        """
        self._writer.on_problem = listener

    # Where the file is lost

    def set_in_view(self, conversation: Conversation | None) -> None:
        """Say which conversation is open, to be written anew where the file is lost; None for none."""
        self._in_view = conversation
        turn_ids = {turn.id for turn in conversation.turns} if conversation is not None else set()
        self._recordings = [
            each for each in self._recordings if not each.is_over and each.turn_id not in turn_ids
        ]

    @property
    def conversation_id(self) -> str:
        """See `writer.Memory`."""
        return self._in_view.id if self._in_view is not None else ""

    def reopen(self) -> sqlite3.Connection:
        """See `writer.Memory`."""
        with self._read_lock:
            if self._reading is not None:
                self._reading.close()
                self._reading = None
            connection = open_database(self.path)
            try:
                self._reading = connect(self.path)
            except sqlite3.Error as error:
                connection.close()
                raise explained(error, self.path) from error
        self._claims.hold_again()
        return connection

    def write_anew(self, connection: sqlite3.Connection) -> None:
        """See `writer.Memory`."""
        # Read before the conversation: a turn leaves the recordings once it is in the conversation in view.
        recordings = self._recordings
        in_view = self._in_view
        if in_view is not None and in_view.turns and in_view.id not in self._known.purged:
            _complete(connection, in_view)
        for recording in recordings:
            recording.write_anew(connection)

    # Writing

    def record(self, conversation: Conversation, turn: Turn) -> Recording:
        """Write a turn that is being sent, and return what writes the events of its run. Does not wait."""
        self._has_work = True
        recording = Recording(self._writer, conversation, turn, self._known, self._today)
        self._recordings = [*self._recordings, recording]
        self.unwritten_turns()  # drops those that are on disk by now
        self._unwritten.append(recording)
        return recording

    def unwritten_turns(self) -> set[str]:
        """Return the ids of the turns that were sent and are not on disk yet. Does not wait."""
        self._unwritten = [each for each in self._unwritten if not each.is_on_disk and not each.is_over]
        return {each.turn_id for each in self._unwritten}

    @property
    def is_behind(self) -> bool:
        """True where something waits to be written for longer than a moment. Does not wait."""
        return self._writer.is_behind

    def catch_up(self, seconds: float) -> bool:
        """Wait for so long at most until all that was queued so far is written; return whether it is."""
        return self._writer.flush(seconds)

    def save(self, conversation: Conversation, used: float | None = None) -> None:
        """Write a whole conversation that was made elsewhere; its costs are booked on no day.

        It is listed as last used at `used`, in Unix seconds, and now where that is None. Raises
        ConversationExistsError where a conversation of its id is there already.
        """

        def change(connection: sqlite3.Connection) -> None:
            taken = "SELECT deleted FROM conversations WHERE id = ?"
            if row := connection.execute(taken, (conversation.id,)).fetchone():
                deleted = f"; it was deleted: `moa-tui sessions restore {conversation.id}` brings it back"
                raise ConversationExistsError(
                    f'"{conversation.name}" is there already{deleted if row[0] else "; it was left as it is"}'
                )
            _complete(connection, conversation, used)

        self._writer.call(change)
        self._known.note(conversation.id)

    def complete(self, conversation: Conversation) -> None:
        """Write the turns of a conversation that are not there yet; their costs are booked on no day."""
        self._writer.call(lambda connection: _complete(connection, conversation))
        self._known.note(conversation.id)

    def add_turns(self, conversation: Conversation) -> int:
        """Write the turns that a kept conversation does not have yet, and return their number.

        Their costs are booked on no day. Nothing else of the conversation changes; of one in the bin, or that
        is not there, nothing at all.
        """
        added: list[str] = []

        def change(connection: sqlite3.Connection) -> None:
            added.clear()
            select = "SELECT key FROM conversations WHERE id = ? AND deleted IS NULL"
            if row := connection.execute(select, (conversation.id,)).fetchone():
                added.extend(_add_turns(connection, row[0], conversation))

        self._writer.call(change)
        return len(added)

    def set_active(self, conversation_id: str, turn: Turn | None) -> None:
        """Make `turn` the last of the branch in view. Does not wait; does nothing where it is not there."""

        def change(connection: sqlite3.Connection) -> None:
            with suppress(StoreError):  # The conversation is not written yet, or was purged.
                key = tables.conversation_key(connection, conversation_id)
                tables.make_active(connection, key, turn.id if turn is not None else None)

        self._writer.put(change)

    def book_aside(self, day: str, cost: float) -> None:
        """Add US dollars that were paid for no call of a turn to a day, `2026-03-14`. Does not wait."""
        self._writer.put(lambda connection: tables.book_aside(connection, day, cost))

    def prefer(self, preference: Preference) -> None:
        """Write which of several compared recipes was preferred. Does not wait."""
        self._writer.put(lambda connection: tables.keep_preference(connection, preference))

    def change(self, conversation_id: str, **values: Any) -> None:
        """Set `title`, `tags`, `pinned`, `archived` or `deleted` (Unix seconds or None) of a conversation."""

        def change(connection: sqlite3.Connection) -> None:
            key = tables.conversation_key(connection, conversation_id)
            for name, value in values.items():
                if name == "tags":
                    tables.keep_tags(connection, key, value)
                else:
                    update = f"UPDATE conversations SET {name} = ? WHERE key = ?"  # noqa: S608 - own names
                    connection.execute(update, (tables.storable(value), key))

        self._writer.call(change)

    def name_untitled(self, conversation_id: str, title: str) -> None:
        """Give a conversation a title where it has none; do nothing where it has one, or is not there."""
        update = "UPDATE conversations SET title = ? WHERE id = ? AND title = ''"
        values = (tables.storable(title), conversation_id)

        def change(connection: sqlite3.Connection) -> None:
            connection.execute(update, values)

        self._writer.call(change)

    def purge(self, conversation_id: str) -> StoreError | None:
        """Delete a conversation for good, from the copies of older versions too.

        Returns why words of it may still be on the disk, None where they are overwritten. Raises
        OpenElsewhereError where another moa-tui has it open, which has all of it in memory.
        """
        if self._claims.is_open_elsewhere(conversation_id):
            raise OpenElsewhereError(
                f'"{self.load(conversation_id).name}" is open in another moa-tui: close it there first, then '
                "delete it for good"
            )
        self._writer.call(
            lambda connection: purge(connection, [tables.conversation_key(connection, conversation_id)])
        )
        purge_drafts(self.path.parent / "drafts", conversation_id)
        problems = [overwrite(self.path), purge_copies(self.path, conversation_id)]
        return next(filter(None, problems), None)

    # Reading

    def summaries(self, *, archived: bool = False, deleted: bool = False) -> list[Summary]:
        """Return the conversations in use, archived or deleted: pinned first, then by last use."""
        return self._read(lambda connection: reader.summaries(connection, archived=archived, deleted=deleted))

    def search(self, query: str, limit: int) -> list[Hit]:
        """Return the newest places that hold every word of `query`; its last word may be only begun."""
        return self._read(lambda connection: reader.search(connection, query, limit))

    def figures(self, since: float | None) -> Figures:
        """Count what was asked, answered and paid since a time in Unix seconds, or ever."""
        self._writer.flush()
        # A connection of its own: counting takes a while, and a search must not wait for it.
        connect_anew = connect if self.problem is None else connect_for_reading
        with self._read_errors(), closing(connect_anew(self.path)) as connection:
            return figures.figures(connection, since=since)

    def preferences(self, since: float | None = None) -> list[Preference]:
        """Return the preferences given since a time in Unix seconds, or all of them, oldest first."""
        return self._read(lambda connection: reader.preferences(connection, since))

    def paid_on(self, day: str) -> float:
        """Return the US dollars paid on a day, `2026-03-14`, whatever has become of the conversations."""
        return self._read(lambda connection: reader.paid_on(connection, day))

    def last_paid_day(self) -> str | None:
        """Return the latest day on which anything was paid, `2026-03-14`; None where nothing ever was."""
        query = "SELECT max(day) FROM spending WHERE paid > 0"
        row = self._read(lambda connection: connection.execute(query).fetchone())
        return None if row[0] is None else str(row[0])

    def prompts(self, limit: int, longest: int) -> list[str]:
        """Return the last `limit` prompts, the newest at the end, without those over `longest` characters."""
        return self._read(lambda connection: reader.prompts(connection, limit, longest))

    def labels(self, conversation_id: str) -> tuple[str, tuple[str, ...], bool, bool] | None:
        """Return a conversation's title, tags, whether pinned, whether archived; None for an unknown id."""
        return self._read(lambda connection: reader.labels(connection, conversation_id))

    def load(self, conversation_id: str) -> Conversation:
        """Return a conversation with all its turns. Raises StoreError where there is none of that id."""
        conversation = self._read(lambda connection: reader.load(connection, conversation_id))
        self._known.note(conversation_id)
        return conversation

    def turn_ids(self, conversation_id: str) -> set[str]:
        """Return the ids of the turns of a conversation; none where it is not there."""
        return self._read(lambda connection: tables.turn_ids(connection, conversation_id))

    def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `query` returns; it sees all that was queued before, in one state of the file."""
        self._writer.flush()
        if isinstance(self._writer.problem, DatabaseLostError):
            raise self._writer.problem
        with self._read_lock, self._read_errors():
            if self._reading is None and self.problem is None:
                self._reading = connect(self.path)
            if self._reading is None:
                with closing(connect_for_reading(self.path)) as connection:
                    connection.execute("BEGIN")
                    return query(connection)
            try:
                # Without a transaction, what is written meanwhile would show in half of what is read.
                self._reading.execute("BEGIN")
                return query(self._reading)
            finally:
                with suppress(sqlite3.Error):
                    self._reading.execute("ROLLBACK")

    @contextmanager
    def _read_errors(self) -> Iterator[None]:
        """Turn whatever is wrong with what is read into a StoreError."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise explained(error, self.path) from error
        except reader.SENSELESS_ROWS as error:
            raise StoreError(
                f"{self.path}: what is in it makes no sense ({type(error).__name__}: {error}); "
                "`moa-tui doctor` looks into it"
            ) from error

    # Claims, where several programs use the file

    def hold(self, conversation_id: str) -> bool:
        """Claim a conversation for this program; return False where another has it open."""
        return self._claims.hold(conversation_id)

    def let_go(self, conversation_id: str) -> None:
        """Give up the claim to a conversation, once what is queued of it is written."""
        self._writer.flush(2.0)
        self._claims.let_go(conversation_id)

    def close(self) -> bool:
        """Write what is queued, close the file and give up all claims; return whether all turns are there."""
        written = self._writer.close()
        with self._read_lock:
            if self._reading is not None:
                self._reading.close()
        self._claims.let_all_go()
        return written or not self._has_work

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _opened(path: Path) -> tuple[sqlite3.Connection | None, StoreError | None]:
    """Return a connection that writes; or None where the file can be read only, and why it cannot be written.

    Raises StoreError where it cannot be read either.
    """
    try:
        return open_database(path), None
    except StoreError as error:
        cause = error.__cause__
        if not isinstance(cause, OSError | sqlite3.Error) or is_damage(cause) or not path.is_file():
            raise
        try:
            connect_for_reading(path).close()
        except (OSError, sqlite3.Error):
            raise error from cause
        return None, error


def _complete(connection: sqlite3.Connection, conversation: Conversation, used: float | None = None) -> None:
    """Insert the conversation and its turns as far as they are not there yet."""
    first = conversation.turns[0] if conversation.turns else None
    key = tables.keep_conversation(connection, conversation, first, used)
    _add_turns(connection, key, conversation)
    active = conversation.active.id if conversation.active is not None else None
    connection.execute("UPDATE conversations SET active = ? WHERE key = ?", (active, key))


def _add_turns(connection: sqlite3.Connection, key: int, conversation: Conversation) -> list[str]:
    """Insert the turns that the conversation of that key does not have yet, and return their ids."""
    rows = connection.execute("SELECT id FROM turns WHERE conversation = ?", (key,))
    stored_ids = {turn_id for (turn_id,) in rows}
    pool = TextPool(connection, key)
    added = [turn for turn in conversation.turns if turn.id not in stored_ids]
    for turn in added:
        tables.keep_whole_turn(connection, key, turn, pool)
    return [turn.id for turn in added]


def _end_interrupted(connection: sqlite3.Connection, conversation_id: str) -> None:
    """Write the calls that were cut off as ended, with what they had written."""
    key = tables.conversation_key(connection, conversation_id)
    pool = TextPool(connection, key)
    for turn in reader.load(connection, conversation_id).turns:
        query = "SELECT key FROM turns WHERE conversation = ? AND id = ? AND status IS NULL"
        row = connection.execute(query, (key, turn.id)).fetchone()
        if row is not None and turn.outcome is not None:
            for call, reply in turn.outcome.replies.items():
                if reply.error == reader.INTERRUPTED:
                    tables.keep_reply(connection, row[0], call, reply, pool, MessageCodec(turn))
