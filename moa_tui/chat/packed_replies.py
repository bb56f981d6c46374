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
from operator import eq
from typing import TYPE_CHECKING, overload

from moa_tui.conversation import history
from moa_tui.engine.packed_messages import PackedMessages, joined, packed_row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moa_tui.conversation import Turn
    from moa_tui.engine.packed_messages import Row
    from moa_tui.engine.values import CallId, Message, Outcome, Reply

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
        return iter(_unpacked(self._pack))

    def __len__(self) -> int:
        return len(_unpacked(self._pack))


class HistoryMessages(Sequence["Message"]):
    """The messages of a call: references to those of the turns before, and what is the call's own.

    Every call is sent the whole conversation. Held as lists, the messages of all calls together would grow
    with the square of its length.
    """

    def __init__(self, rows: Sequence[tuple[int, int] | Row], turn: Turn) -> None:
        """A row is a message, or the place of the first and the number of messages in the turn's history."""
        self._rows = rows
        self._turn = turn

    def __bool__(self) -> bool:
        return bool(self._rows)

    def _all(self) -> tuple[Message, ...]:
        messages: list[Message] = []
        earlier: list[Message] | None = None
        for row in self._rows:
            if isinstance(row, tuple) and isinstance(row[0], int) and isinstance(row[1], int):
                earlier = history(self._turn) if earlier is None else earlier
                messages += earlier[row[0] : row[0] + row[1]]
            else:
                messages.append(joined(row))
        return tuple(messages)

    @overload
    def __getitem__(self, index: int) -> Message: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Message]: ...

    def __getitem__(self, index: int | slice) -> Message | Sequence[Message]:
        return self._all()[index]

    def __iter__(self) -> Iterator[Message]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        mine = self._all()
        return len(mine) == len(other) and all(map(eq, mine, other))

    __hash__ = None  # type: ignore[assignment]  # as of a tuple of messages, which are dictionaries


@dataclass(frozen=True, slots=True, eq=False)
class _Pack:
    """What is held: `data` are the replies without their messages, and the rows of those messages.

    `messages` are those that are held by reference already, as of a reply that was read from the disk.
    """

    data: bytes
    messages: Mapping[CallId, Sequence[Message]]
    turn: Turn


def _packed(replies: Mapping[CallId, Reply], turn: Turn) -> _Pack:
    texts = [text for reply in replies.values() for text in (reply.text, turn.prompt) if text]
    known = sorted(set(texts), key=len, reverse=True)
    earlier = history(turn)
    places = {_identity(message): at for at, message in reversed(list(enumerate(earlier)))}
    held: dict[CallId, Sequence[Message]] = {}
    items: list[tuple[CallId, Reply, list[tuple[int, int] | Row]]] = []
    for call, reply in replies.items():
        rows: list[tuple[int, int] | Row] = []
        if isinstance(reply.messages, tuple | list | PackedMessages):
            rows = _rows(reply.messages, earlier, places, known)
        else:
            held[call] = reply.messages
        items.append((call, replace(reply, messages=()), rows))
    # Equal texts of several replies are one object here, so pickle writes them once.
    return _Pack(zlib.compress(pickle.dumps(items, pickle.HIGHEST_PROTOCOL)), held, turn)


def _rows(
    messages: Sequence[Message],
    earlier: Sequence[Message],
    places: Mapping[tuple[str, str], int],
    known: Sequence[str],
) -> list[tuple[int, int] | Row]:
    """The messages as rows. `places` says where a message stands in `earlier`, the turn's history."""
    own_rows = messages.rows if isinstance(messages, PackedMessages) else messages
    rows: list[tuple[int, int] | Row] = []
    first = count = 0
    for row in own_rows:
        if isinstance(row, tuple):
            rows += [(first, count)] if count else []
            count = 0
            rows.append(row)
            continue
        if count and earlier[first + count : first + count + 1] == [row]:
            count += 1
            continue
        rows += [(first, count)] if count else []
        place = places.get(_identity(row))
        first, count = (0, 0) if place is None else (place, 1)
        if place is None:
            rows.append(packed_row(row, known))
    return [*rows, (first, count)] if count else rows


def _identity(message: Message) -> tuple[str, str]:
    return message["role"], message["content"]


@lru_cache(maxsize=_MOST_AT_HAND)
def _unpacked(pack: _Pack) -> Mapping[CallId, Reply]:
    items = pickle.loads(zlib.decompress(pack.data))  # noqa: S301 - made above, and never left the memory
    return {
        call: replace(reply, messages=pack.messages.get(call) or HistoryMessages(rows, pack.turn))
        for call, reply, rows in items
    }
