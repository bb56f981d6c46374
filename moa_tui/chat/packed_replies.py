"""The replies of a turn that is over, held compressed, and made anew each time they are read.

A conversation is in memory as a whole, because it is written anew where its file is lost. Of most of its
turns only the answer is ever read again: as a part of the next prompt, and on the screen.
"""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from moa_tui.conversation import history
from moa_tui.engine.packed_messages import MadeMessages, PackedMessages, joined, packed_row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    from moa_tui.conversation import Turn
    from moa_tui.engine.packed_messages import Row
    from moa_tui.engine.values import CallId, Message, Outcome, Reply

    Rows: TypeAlias = list[tuple[int, int] | Row]

# Turns whose replies stay at hand as they are: whoever reads one reply mostly reads the others too.
_MOST_AT_HAND = 4


def with_packed_replies(outcome: Outcome, turn: Turn) -> Outcome:
    """The outcome of `turn` with its replies packed. It takes time that grows with their texts."""
    return replace(outcome, replies=PackedReplies(outcome.replies, turn))


class PackedReplies(Mapping["CallId", "Reply"]):
    """The replies of one turn. Safe to read on any thread: nothing in it changes."""

    def __init__(self, replies: Mapping[CallId, Reply], turn: Turn) -> None:
        """Pack `replies`; `turn` needs no outcome, it is where the history of their messages is read from."""
        self._pack = _packed(replies, turn)

    def __getitem__(self, call: CallId) -> Reply:
        return _unpacked(self._pack)[call]

    def __iter__(self) -> Iterator[CallId]:
        return iter(self._pack.calls)

    def __len__(self) -> int:
        return len(self._pack.calls)


class HistoryMessages(MadeMessages):
    """The messages of a call: references to those of the turns before, and what is the call's own.

    Every call is sent the whole conversation. Held as lists, the messages of all calls together would grow
    with the square of its length.
    """

    def __init__(self, rows: Rows, turn: Turn) -> None:
        """A row is a message, or the place of the first and the number of messages in the turn's history."""
        self._rows = rows
        self._turn = turn

    def __bool__(self) -> bool:
        return bool(self._rows)

    def made(self) -> tuple[Message, ...]:
        messages: list[Message] = []
        earlier: list[Message] | None = None
        for row in self._rows:
            if isinstance(row, tuple) and isinstance(row[0], int) and isinstance(row[1], int):
                earlier = history(self._turn) if earlier is None else earlier
                messages += earlier[row[0] : row[0] + row[1]]
            else:
                messages.append(joined(row))
        return tuple(messages)

    def __len__(self) -> int:
        # Asked for again and again, by what goes through the messages: no reason to make them all.
        return sum(row[1] if isinstance(row, tuple) and isinstance(row[1], int) else 1 for row in self._rows)


@dataclass(frozen=True, slots=True, eq=False)
class _Pack:
    """What is held: `data` are the replies without their messages, and the rows of those messages.

    `held` are replies whose messages are held by reference already, as of one that was read from the disk.
    """

    data: bytes
    held: Mapping[CallId, Reply]
    calls: tuple[CallId, ...]
    turn: Turn


def _packed(replies: Mapping[CallId, Reply], turn: Turn) -> _Pack:
    texts = {turn.prompt, *(reply.text for reply in replies.values())} - {""}
    rows_of = _Rows(history(turn), sorted(texts, key=len, reverse=True))
    held: dict[CallId, Reply] = {}
    items: list[tuple[CallId, Reply, list[Rows]]] = []
    for call, reply in replies.items():
        sent = [reply.messages, *(step.messages for step in reply.steps)]
        if all(isinstance(messages, tuple | list | PackedMessages) for messages in sent):
            items.append((call, _with_messages(reply, [()] * len(sent)), list(map(rows_of, sent))))
        else:
            held[call] = reply
    # What is the same in several replies or messages is one object here, so pickle writes it once.
    return _Pack(zlib.compress(pickle.dumps(items, pickle.HIGHEST_PROTOCOL)), held, tuple(replies), turn)


class _Rows:
    """Makes rows of messages; the same message is always the same row."""

    def __init__(self, earlier: Sequence[Message], known: Sequence[str]) -> None:
        """`earlier` is the turn's history, `known` the texts that a message is cut around, longest first."""
        self._earlier = earlier
        self._known = known
        self._places = {_identity(message): at for at, message in reversed(list(enumerate(earlier)))}
        self._own: dict[tuple[str, str], Row] = {}

    def __call__(self, messages: Sequence[Message]) -> Rows:
        rows: Rows = []
        first = count = 0
        for row in messages.rows if isinstance(messages, PackedMessages) else messages:
            if count and self._earlier[first + count : first + count + 1] == [row]:
                count += 1
                continue
            rows += [(first, count)] if count else []
            place = None if isinstance(row, tuple) else self._places.get(_identity(row))
            first, count = (0, 0) if place is None else (place, 1)
            if place is None:
                rows.append(self._own_row(row))
        return [*rows, (first, count)] if count else rows

    def _own_row(self, row: Row) -> Row:
        if isinstance(row, tuple):
            return row
        identity = _identity(row)
        if identity not in self._own:
            self._own[identity] = packed_row(row, self._known)
        return self._own[identity]


def _with_messages(reply: Reply, sent: Sequence[Sequence[Message]]) -> Reply:
    """`reply` with other messages: its own, and those of each of its steps."""
    first, *others = sent
    steps = (replace(step, messages=each) for step, each in zip(reply.steps, others, strict=True))
    return replace(reply, messages=first, steps=tuple(steps))


def _identity(message: Message) -> tuple[str, str]:
    return message["role"], message["content"]


@lru_cache(maxsize=_MOST_AT_HAND)
def _unpacked(pack: _Pack) -> Mapping[CallId, Reply]:
    items = pickle.loads(zlib.decompress(pack.data))  # noqa: S301 - made above, and never left the memory
    replies = dict(pack.held)
    for call, reply, sent in items:
        replies[call] = _with_messages(reply, [HistoryMessages(rows, pack.turn) for rows in sent])
    return {call: replies[call] for call in pack.calls}
