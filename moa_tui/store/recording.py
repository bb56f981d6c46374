"""A run on its way to the disk: the turn as it is sent, its texts by the second, each reply as it ends."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import TYPE_CHECKING

from moa_tui.engine import events
from moa_tui.errors import StoreError
from moa_tui.store import tables
from moa_tui.store.text_pool import MessageCodec, TextPool, encoded

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from moa_tui.conversation import Conversation, Turn
    from moa_tui.engine.events import Event
    from moa_tui.engine.values import CallId, Kind, Step
    from moa_tui.store.writer import Writer

    # A change to the turn of that key.
    Change = Callable[[sqlite3.Connection, int, TextPool], None]


def local_day() -> str:
    """Return today's date by the clock and time zone of this machine, `2026-03-14`."""
    return date.today().isoformat()


class KnownConversations:
    """Which conversations were on disk while this program ran, and which of those another one has deleted.

    What was deleted for good is not written again by a window that still has it in memory.
    """

    def __init__(self) -> None:
        self._written: dict[str, Callable[[], bool]] = {}
        self.purged: set[str] = set()
        """The ids of those that are gone."""

    def note(self, conversation_id: str, is_committed: Callable[[], bool] = lambda: True) -> None:
        """Note that a conversation is on disk, or is as soon as `is_committed` says so."""
        if not self._was_written(conversation_id):
            self._written[conversation_id] = is_committed
        self.purged.discard(conversation_id)

    def forget(self, conversation_id: str) -> None:
        """Note that this program itself has removed a conversation, which may be written again."""
        self._written.pop(conversation_id, None)

    def _was_written(self, conversation_id: str) -> bool:
        is_committed = self._written.get(conversation_id)
        return is_committed is not None and is_committed()

    def require_unpurged(self, connection: sqlite3.Connection, conversation_id: str) -> None:
        """Raise StoreError where the conversation was on disk and is not there any more."""
        select = "SELECT 1 FROM conversations WHERE id = ?"
        is_there = connection.execute(select, (conversation_id,)).fetchone() is not None
        if not is_there and (conversation_id in self.purged or self._was_written(conversation_id)):
            self.purged.add(conversation_id)
            raise StoreError(
                "NOT SAVED: another moa-tui has deleted this conversation for good, and nothing of it is "
                "written any more; /new begins one that is"
            )


class Recording:
    """Writes a run to the database while it goes.

    `take` is called on one thread, the engine's, and `withdraw` on any once the run has ended; neither waits
    for the disk. `_codec` and `_is_lost` belong to the writer's thread. `_fresh` is filled on the engine's
    thread and emptied on the writer's.
    """

    def __init__(
        self,
        writer: Writer,
        conversation: Conversation,
        turn: Turn,
        known: KnownConversations,
        today: Callable[[], str],
    ) -> None:
        """Begin to record `turn` of `conversation`; `today` returns the day on which costs are booked."""
        self._known = known
        self._writer = writer
        self._conversation = conversation
        self._turn = turn
        self._today = today
        # None instead of a text: what the call has written so far does not count.
        self._fresh: deque[tuple[CallId, Kind, str | None]] = deque()
        self._steps: dict[CallId, tuple[Step, ...]] = {}
        """The requests that have ended of each call that writes in several; on the engine's thread."""
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
            case events.Delta(call, kind, text):
                self._checkpoint(call, kind, text)
            case events.Restated(call, reasoning, text):
                self._checkpoint(call, "text", None)
                self._checkpoint(call, "reasoning", reasoning)
                self._checkpoint(call, "text", text)
            case events.CallRetried(call):
                # Queued among the texts, since it is about those before it and not those behind it.
                self._checkpoint(call, "text", None)
            case events.CallStarted():
                self._put(lambda db, turn, pool: tables.keep_started(db, turn, event, pool, self._codec))
            case events.StepEnded(call, step):
                steps = self._steps[call] = (*self._steps.get(call, ()), step)
                day = self._today()
                self._put(
                    lambda db, turn, pool: tables.keep_step(db, turn, call, steps, pool, self._codec, day)
                )
            case events.CallEnded(call, reply):
                day = self._today()
                self._put(
                    lambda db, turn, pool: tables.keep_reply(db, turn, call, reply, pool, self._codec, day)
                )
            case events.ReplyChanged(call, reply):
                self._put(lambda db, turn, _: tables.change_reply(db, turn, call, reply))
            case events.RunChanged(recipe):
                self._put(lambda db, turn, pool: tables.change_recipe(db, turn, recipe, pool))
            case events.RunEnded(outcome):
                self._put(lambda db, turn, pool: tables.keep_outcome(db, turn, outcome, pool))

    def withdraw(self) -> None:
        """Remove the turn again, because its run never began; the database is as if it had not been sent."""
        active = self._conversation.active
        self.is_over = True

        def forget(connection: sqlite3.Connection, turn: int, _: TextPool) -> None:
            tables.forget_turn(connection, turn, active.id if active is not None else None)
            if active is None:  # Its only turn.
                self._known.forget(self._conversation.id)

        self._put(forget)

    def _checkpoint(self, call: CallId, kind: Kind, text: str | None) -> None:
        """Have a piece of text written at the next checkpoint; None voids what came before it."""
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

        Raises StoreError, once, where the turn was removed meanwhile.
        """
        if self._is_lost:
            return
        try:
            self._known.require_unpurged(connection, self._conversation.id)
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
        """Insert the turn, and the conversation where it never was there. Raises StoreError where it was."""
        try:
            self._known.require_unpurged(connection, self._conversation.id)
        except StoreError:
            self._is_lost = True
            raise
        self._codec = MessageCodec(self._turn)
        first = self._conversation.turns[0] if self._conversation.turns else self._turn
        key = tables.keep_conversation(connection, self._conversation, first)
        pool = TextPool(connection, key)
        rows = connection.execute("SELECT id FROM turns WHERE conversation = ?", (key,))
        stored_ids = {turn_id for (turn_id,) in rows}
        for turn in self._conversation.turns:
            if turn.id not in stored_ids:  # It could not be written.
                tables.keep_whole_turn(connection, key, turn, pool)
        if self._turn.id not in stored_ids:  # Written anew already, where the file was lost.
            tables.keep_turn(connection, key, self._turn, pool)
        tables.make_active(connection, key, self._turn.id)
        self._has_begun = True
        self._known.note(self._conversation.id, lambda: self.is_on_disk)


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
