"""The messages of a call, held without the texts that are held elsewhere anyway.

Each call of a layer is sent all answers of the layer before, in one message. Held as they were sent, the
requests of a run would be many times as large as all of its answers.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from operator import eq
from typing import TYPE_CHECKING, Literal, TypeAlias, overload

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from moa_tui.engine.values import Message

    Row: TypeAlias = Message | tuple[Literal["system", "user", "assistant"], tuple[str, ...]]
    """A message as it is, or its role and the pieces of its content."""

# Shorter messages, and shorter texts in them, are not worth the work.
_SHORTEST_MESSAGE = 10_000
_SHORTEST_TEXT = 1_000


def packed(messages: tuple[Message, ...], texts: Iterable[str]) -> Sequence[Message]:
    """`messages` in which each of `texts`, which somebody else holds, is a reference to that text.

    Messages that are short are returned as they are.
    """
    if not any(len(message["content"]) >= _SHORTEST_MESSAGE for message in messages):
        return messages
    known = sorted({text for text in texts if len(text) >= _SHORTEST_TEXT}, key=len, reverse=True)
    return PackedMessages([packed_row(message, known) for message in messages])


class MadeMessages(Sequence["Message"]):
    """Messages that are made anew each time they are read, by `made`. Nothing in them changes."""

    __slots__ = ()

    @abstractmethod
    def made(self) -> Sequence[Message]:
        """Make the messages."""

    @overload
    def __getitem__(self, index: int) -> Message: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Message]: ...

    def __getitem__(self, index: int | slice) -> Message | Sequence[Message]:
        return self.made()[index]

    def __iter__(self) -> Iterator[Message]:
        return iter(self.made())

    def __len__(self) -> int:
        return len(self.made())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        mine = self.made()
        return len(mine) == len(other) and all(map(eq, mine, other))

    __hash__ = None  # type: ignore[assignment]  # as of a tuple of messages, which are dictionaries


class PackedMessages(Sequence["Message"]):
    """Messages that are joined from their pieces each time they are read. Nothing in it changes."""

    __slots__ = ("_rows",)

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows

    @property
    def rows(self) -> Sequence[Row]:
        """The messages as they are held."""
        return self._rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Message: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Message]: ...

    def __getitem__(self, index: int | slice) -> Message | Sequence[Message]:
        if isinstance(index, slice):
            return tuple(map(joined, self._rows[index]))
        return joined(self._rows[index])

    def __iter__(self) -> Iterator[Message]:
        return map(joined, self._rows)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(map(eq, self, other))

    __hash__ = None  # type: ignore[assignment]  # as of a tuple of messages, which are dictionaries


def packed_row(message: Message, known: Iterable[str]) -> Row:
    """`message` cut around every text of `known`, the longest first, that stands in it."""
    pieces = [message["content"]]
    shared: set[int] = set()
    for text in known:
        cut: list[str] = []
        for piece in pieces:
            if id(piece) in shared or text not in piece:
                cut.append(piece)
                continue
            for at, between in enumerate(piece.split(text)):
                cut += [text] if at else []
                cut += [between] if between else []
        pieces = cut
        shared.add(id(text))
    return (message["role"], tuple(pieces)) if len(pieces) > 1 else message


def joined(row: Row) -> Message:
    """The message that a row stands for."""
    if isinstance(row, dict):
        return row
    role, pieces = row
    return {"role": role, "content": "".join(pieces)}
