"""A run on its way to the disk: the turn as it is sent, its texts by the second, each reply as it ends."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import TYPE_CHECKING

from moa_tui.engine.events import (
    CallEnded,
    CallRetried,
    CallStarted,
    Delta,
    ReplyChanged,
    RunChanged,
    RunEnded,
)
from moa_tui.errors import StoreError
from moa_tui.store import tables
from moa_tui.store.text_pool import MessageCodec, TextPool, encoded

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from moa_tui.conversation import Conversation, Turn
    from moa_tui.engine.events import Event
    from moa_tui.engine.values import CallId, Kind
    from moa_tui.store.writer import Writer

    # A change to the turn of that key.
    Change = Callable[[sqlite3.Connection, int, TextPool], None]


def local_day() -> str:
    """Return today's date by the clock and time zone of this machine, `2026-03-14`."""
    return date.today().isoformat()


class Recording:
    """Writes a run to the database while it goes.

    `take` is called on one thread, the engine's, and `withdraw` on any once the run has ended; neither waits
    for the disk. `_codec` and
    `_is_lost` belong to the writer's thread. `_fresh` is filled on the first and emptied on the second.
    """

    def __init__(
        self, writer: Writer, conversation: Conversation, turn: Turn, today: Callable[[], str] = local_day
    ) -> None:
        """Begin to record `turn` of `conversation`; `today` returns the day on which costs are booked."""
        self._writer = writer
        self._conversation = conversation
        self._turn = turn
        self._today = today
        # None instead of a text: the call begins anew, and what it has written does not count.
        self._fresh: deque[tuple[CallId, Kind, str | None]] = deque()
        self._checkpoint_is_due = False
        self._is_lost = False
        self._applied: list[Change] = []
        """What was written besides texts in progress, to be written again where the file is lost."""
        self.is_over = False
        """True once nothing is left to be written anew: the turn was withdrawn."""
        self._has_begun = False
        self._first_change = writer.put(self._begin)

    @property
    def turn_id(self) -> str:
        """The id of the turn."""
        return self._turn.id

    @property
    def is_on_disk(self) -> bool:
        """True once the turn, as it was sent, is committed: from then on its prompt cannot be lost."""
        return self._has_begun and self._writer.has_written(self._first_change)

    def take(self, event: Event) -> None:
        """Record an event of the run. What a call cost is booked on the day on which this is called."""
        match event:
            case Delta(call, kind, text):
                self._checkpoint(call, kind, text)
            case CallRetried(call):
                # Queued among the texts, since it is about those before it and not those behind it.
                self._checkpoint(call, "text", None)
            case CallStarted():
                self._put(lambda db, turn, pool: tables.keep_started(db, turn, event, pool, self._codec))
            case CallEnded(call, reply):
                day = self._today()
                self._put(
                    lambda db, turn, pool: tables.keep_reply(db, turn, call, reply, pool, self._codec, day)
                )
            case ReplyChanged(call, reply):
                self._put(lambda db, turn, _: tables.change_reply(db, turn, call, reply))
            case RunChanged(recipe):
                self._put(lambda db, turn, pool: tables.change_recipe(db, turn, recipe, pool))
            case RunEnded(outcome):
                self._put(lambda db, turn, pool: tables.keep_outcome(db, turn, outcome, pool))

    def withdraw(self) -> None:
        """Remove the turn again, because its run never began; the database is as if it had not been sent."""
        active = self._conversation.active
        self.is_over = True
        self._put(lambda db, turn, _: tables.forget_turn(db, turn, active.id if active is not None else None))

    def _checkpoint(self, call: CallId, kind: Kind, text: str | None) -> None:
        """Have a piece of text written at the next checkpoint; None where the call begins anew."""
        self._fresh.append((call, kind, text))
        if not self._checkpoint_is_due:
            self._checkpoint_is_due = True
            self._put(_Checkpoint(self), soon=False)

    def _put(self, change: Change, *, soon: bool = True) -> None:
        self._writer.put(partial(self._apply, change), soon=soon)

    # On the writer's thread

    def drain(self) -> list[tuple[CallId, Kind, str | None]]:
        """Remove and return the pieces of text that came since the last checkpoint."""
        # Before the texts are taken: what comes meanwhile is to have a checkpoint of its own.
        self._checkpoint_is_due = False
        return [self._fresh.popleft() for _ in range(len(self._fresh))]

    def _apply(self, change: Change, connection: sqlite3.Connection) -> None:
        """Apply a change to the turn; later changes are dropped once the turn is gone.

        Raises StoreError, once, where the turn was removed meanwhile; recording the next turn brings it back.
        """
        if self._is_lost:
            return
        try:
            conversation = tables.conversation_key(connection, self._conversation.id)
            turn = tables.turn_key(connection, conversation, self._turn.id)
        except StoreError:
            self._is_lost = True
            raise
        change(connection, turn, TextPool(connection, conversation))
        if not isinstance(change, _Checkpoint) and change not in self._applied:
            self._applied.append(change)

    def write_anew(self, connection: sqlite3.Connection) -> None:
        """Write the turn, with all that has come of it so far, into a file in the place of a lost one."""
        if self._is_lost or self.is_over:
            return
        conversation = tables.keep_conversation(connection, self._conversation, self._turn)
        with suppress(StoreError):  # The usual case: it is not there.
            tables.forget_turn(connection, tables.turn_key(connection, conversation, self._turn.id), None)
        self._begin(connection)
        for change in list(self._applied):
            self._apply(change, connection)

    def _begin(self, connection: sqlite3.Connection) -> None:
        """Insert the turn, and the conversation where it is not there."""
        self._codec = MessageCodec(self._turn)
        first = self._conversation.turns[0] if self._conversation.turns else self._turn
        key = tables.keep_conversation(connection, self._conversation, first)
        pool = TextPool(connection, key)
        rows = connection.execute("SELECT id FROM turns WHERE conversation = ?", (key,))
        stored_ids = {turn_id for (turn_id,) in rows}
        for turn in self._conversation.turns:
            # Another moa-tui may have removed the conversation that goes on here.
            if turn.id not in stored_ids:
                tables.keep_whole_turn(connection, key, turn, pool)
        if self._turn.id not in stored_ids:  # Written anew already, where the file was lost.
            tables.keep_turn(connection, key, self._turn, pool)
        tables.make_active(connection, key, self._turn.id)
        self._has_begun = True


@dataclass
class _Checkpoint:
    """Writes the texts of about a second. It is called again where the disk did not take them at first."""

    recording: Recording
    pieces: list[tuple[CallId, Kind, str | None]] | None = None

    def __call__(self, connection: sqlite3.Connection, turn: int, _: TextPool) -> None:
        if self.pieces is None:
            self.pieces = self.recording.drain()
        texts: dict[tuple[CallId, Kind], list[str]] = {}
        for call, kind, text in self.pieces:
            if text is not None:
                texts.setdefault((call, kind), []).append(text)
            else:
                texts = {key: pieces for key, pieces in texts.items() if key[0] != call}
                tables.drop_pieces(connection, turn, call)
        connection.executemany(
            "INSERT INTO pieces (turn, layer, place, kind, text) VALUES (?, ?, ?, ?, ?)",
            [
                (turn, call.layer, call.index, kind, encoded("".join(pieces)))
                for (call, kind), pieces in texts.items()
            ],
        )
