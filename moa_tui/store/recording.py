"""A run on its way to the disk: the turn as it is sent, its texts by the second, each reply as it ends."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from moa_tui.chat.ledger import today
from moa_tui.engine.events import (
    CallEnded,
    CallId,
    CallRetried,
    CallStarted,
    Delta,
    ReplyChanged,
    RunChanged,
    RunEnded,
)
from moa_tui.errors import StoreError
from moa_tui.store import tables
from moa_tui.store.parts import MessageCodec, Parts, encoded

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from moa_tui.conversation import Conversation, Turn
    from moa_tui.engine.events import Event, Kind, Reply
    from moa_tui.store.writer import Writer

    # A change to the turn of that key.
    Change = Callable[[sqlite3.Connection, int, Parts], None]


class Recording:
    """Takes a run's events on the engine's thread, and has them written on the writer's."""

    def __init__(self, writer: Writer, conversation: Conversation, turn: Turn) -> None:
        self._writer = writer
        self._conversation = conversation
        self._turn = turn
        # None for the text: the call begins anew, and what it has written does not count.
        self._fresh: deque[tuple[CallId, Kind, str | None]] = deque()
        self._due = False
        self._lost = False
        writer.put(self._begin)

    def take(self, event: Event) -> None:
        """What the engine says has happened."""
        match event:
            case Delta(call, kind, text):
                self._written(call, kind, text)
            case CallRetried(call):
                # On the same way as the texts, since it is about those before it and not those behind it.
                self._written(call, "text", None)
            case CallStarted():
                self._put(lambda db, turn, parts: tables.keep_started(db, turn, event, parts, self._codec))
            case CallEnded(call, reply):
                self._put(partial(self._keep_reply, call, reply, today()))
            case ReplyChanged(call, reply):
                self._put(lambda db, turn, _: tables.change_reply(db, turn, call, reply))
            case RunChanged(recipe):
                self._put(lambda db, turn, parts: tables.change_recipe(db, turn, recipe, parts))
            case RunEnded(outcome):
                self._put(lambda db, turn, parts: tables.keep_outcome(db, turn, outcome, parts))

    def _keep_reply(
        self, call: CallId, reply: Reply, day: str, connection: sqlite3.Connection, turn: int, parts: Parts
    ) -> None:
        tables.keep_reply(connection, turn, call, reply, parts, self._codec)
        if reply.cost and not reply.reused:
            tables.keep_paid(connection, day, reply.cost)

    def withdraw(self) -> None:
        """The run never began: as if it had not been sent."""
        active = self._conversation.active
        self._put(lambda db, turn, _: tables.forget_turn(db, turn, active.id if active is not None else None))

    def _written(self, call: CallId, kind: Kind, text: str | None) -> None:
        self._fresh.append((call, kind, text))
        if not self._due:
            self._due = True
            self._put(_Checkpoint(self), soon=False)

    def fresh(self) -> list[tuple[CallId, Kind, str | None]]:
        """What was written since this was asked last."""
        # Before the texts are taken: what comes meanwhile is to have a checkpoint of its own.
        self._due = False
        return [self._fresh.popleft() for _ in range(len(self._fresh))]

    def _put(self, change: Change, *, soon: bool = True) -> None:
        self._writer.put(partial(self._apply, change), soon=soon)

    # On the writer's thread

    def _apply(self, change: Change, connection: sqlite3.Connection) -> None:
        """Raises StoreError, once, where the turn was removed meanwhile; the next turn brings it back."""
        if self._lost:
            return
        try:
            conversation = tables.conversation_key(connection, self._conversation.id)
            turn = tables.turn_key(connection, conversation, self._turn.id)
        except StoreError:
            self._lost = True
            raise
        change(connection, turn, Parts(connection, conversation))

    def _begin(self, connection: sqlite3.Connection) -> None:
        self._codec = MessageCodec(self._turn)
        first = self._conversation.turns[0] if self._conversation.turns else self._turn
        key = tables.keep_conversation(connection, self._conversation, first)
        parts = Parts(connection, key)
        kept = {id_ for (id_,) in connection.execute("SELECT id FROM turns WHERE conversation = ?", (key,))}
        for turn in self._conversation.turns:
            # Another moa-tui may have removed the conversation that goes on here.
            if turn.id not in kept:
                tables.keep_whole_turn(connection, key, turn, parts)
        tables.keep_turn(connection, key, self._turn, parts)
        tables.make_active(connection, key, self._turn.id)


@dataclass
class _Checkpoint:
    """What was written in a second. It may be called again, where the disk did not take it at first."""

    recording: Recording
    fresh: list[tuple[CallId, Kind, str | None]] | None = None

    def __call__(self, connection: sqlite3.Connection, turn: int, parts: Parts) -> None:
        if self.fresh is None:
            self.fresh = self.recording.fresh()
        pieces: dict[tuple[CallId, Kind], list[str]] = {}
        for call, kind, text in self.fresh:
            if text is not None:
                pieces.setdefault((call, kind), []).append(text)
            else:
                pieces = {key: texts for key, texts in pieces.items() if key[0] != call}
                tables.drop_pieces(connection, turn, call)
        connection.executemany(
            "INSERT INTO pieces (turn, layer, place, kind, text) VALUES (?, ?, ?, ?, ?)",
            [
                (turn, call.layer, call.index, kind, encoded("".join(texts)))
                for (call, kind), texts in pieces.items()
            ],
        )
