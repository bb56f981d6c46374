"""The texts and messages of a conversation, written so that no text is there twice, and read back.

`TextPool` and `MessageCodec` write, on the writer's thread; `decoded` and `KeptMessages` read, on any.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections import defaultdict
from functools import cached_property
from typing import TYPE_CHECKING, Any

from moa_tui.conversation import history
from moa_tui.engine.packed_messages import MadeMessages
from moa_tui.engine.values import common_messages
from moa_tui.store import search_text
from moa_tui.store.row_json import steps_from, steps_json, to_json

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from moa_tui.conversation import Turn
    from moa_tui.engine.values import CallId, Message, Reply, Step

# A shorter text costs less where it stands than as a part of its own.
_SHORTEST_PART = 100


def encoded(text: str) -> bytes:
    """Return a text compressed, to about half its size; lone surrogates, which may stand in it, are kept."""
    return zlib.compress(_utf8(text))


def decoded(data: bytes) -> str:
    """Return the text of `encoded`. Raises zlib.error or UnicodeDecodeError for anything else."""
    return zlib.decompress(data).decode("utf-8", "surrogatepass")


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


class TextPool:
    """The texts of one conversation in the table `parts`, each there once, found by its hash.

    Used within a transaction of the writer's.
    """

    def __init__(self, connection: sqlite3.Connection, conversation: int) -> None:
        self._connection = connection
        self._conversation = conversation

    def keep(self, text: str) -> int:
        """Return the key of a text; insert it where it is not there yet."""
        values = (self._conversation, hashlib.blake2b(_utf8(text), digest_size=16).digest())
        select = "SELECT key FROM parts WHERE conversation = ? AND hash = ?"
        if row := self._connection.execute(select, values).fetchone():
            return int(row[0])
        insert = "INSERT INTO parts (conversation, hash, text) VALUES (?, ?, ?)"
        return int(self._connection.execute(insert, (*values, encoded(text))).lastrowid or 0)

    def keep_searchable(self, text: str, turn: int, layer: int = 0, place: int = 0) -> int:
        """Do as `keep`, and put the text into the search index where it is not there yet.

        A hit is shown at that call of the turn, or as the turn's prompt where `layer` and `place` are 0.
        """
        key = self.keep(text)
        where = "UPDATE parts SET turn = ?, layer = ?, place = ? WHERE key = ? AND turn IS NULL"
        if text.strip() and self._connection.execute(where, (turn, layer, place, key)).rowcount:
            self._connection.execute(
                "INSERT INTO search (rowid, text) VALUES (?, ?)", (key, search_text.indexed(text))
            )
        return key


class MessageCodec:
    """Encodes the messages of one turn's calls by reference to texts that are in the pool already.

    Each call is sent the whole conversation so far: a message of that is written as its place in the history.
    In any other message, the prompts and the answers of the layer before are written as their keys in the
    pool, and only what stands between them is written out. Used on the writer's thread.
    """

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._own = {turn.prompt, turn.system or ""}
        self._answers: dict[int, set[str]] = defaultdict(set)

    # Only where they are needed: with a history for each turn of a long branch, an import without messages
    # would take time that grows with the square of its length.

    @cached_property
    def _history(self) -> list[Message]:
        return history(self._turn)

    @cached_property
    def _places(self) -> dict[tuple[str, str], int]:
        return {_identity(message): at for at, message in reversed(list(enumerate(self._history)))}

    def learn(self, call: CallId, text: str) -> None:
        """Remember the text of an answer, which the calls of the next layer may be sent."""
        self._answers[call.layer].add(text)

    def write(self, call: CallId, messages: Iterable[Message], pool: TextPool) -> bytes:
        """Return the messages of a call as compressed JSON, a list for each row of `rows`."""
        return encoded(to_json(self.rows(call, messages, pool)))

    def steps(self, call: CallId, reply: Reply, pool: TextPool) -> bytes:
        """Return the requests of a call in steps as compressed JSON."""
        written: list[tuple[int, list[Any]]] = []
        before: Sequence[Message] = ()
        for step in reply.steps:
            same = common_messages(before, step.messages)
            written.append((same, self.rows(call, step.messages[same:], pool)))
            before = step.messages
        return encoded(steps_json(reply, written))

    def rows(self, call: CallId, messages: Iterable[Message], pool: TextPool) -> list[list[Any]]:
        """Return the messages of a call, or some of them, as rows.

        A row is `[first, count]`, so many messages of the history from the place `first` on, or a role and
        the pieces of one message's content, each a text or the key of a text in the pool.
        """
        known = sorted(self._own | self._answers[call.layer - 1], key=len, reverse=True)
        rows: list[list[Any]] = []
        next_place = None
        for message in messages:
            if next_place is not None and self._history[next_place : next_place + 1] == [message]:
                rows[-1][1] += 1
                next_place += 1
            elif (at := self._places.get(_identity(message))) is not None:
                rows.append([at, 1])
                next_place = at + 1
            else:
                pieces = _split(message["content"], known)
                rows.append([message["role"], *(_named(piece, pool) for piece in pieces)])
                next_place = None
        return rows


def _named(piece: str, pool: TextPool) -> int | str:
    return piece if len(piece) < _SHORTEST_PART else pool.keep(piece)


def _identity(message: Message) -> tuple[str, str]:
    return message["role"], message["content"]


def _split(content: str, known: Sequence[str]) -> list[str]:
    """Return `content` cut around every text of `known`, which has the longest first, that stands in it."""
    pieces = [content]
    whole: set[str] = set()
    for text in known:
        if len(text) < _SHORTEST_PART:
            break
        cut: list[str] = []
        for piece in pieces:
            if piece in whole or text not in piece:
                cut.append(piece)
                continue
            for at, between in enumerate(piece.split(text)):
                cut += [text] if at else []
                cut += [between] if between else []
        pieces = cut
        whole.add(text)
    return pieces if content else []


_NO_MESSAGES = encoded("[]")


class KeptMessages(MadeMessages):
    """The messages of a call as MessageCodec wrote them, decoded each time they are read.

    A long conversation is in the messages of each of its calls: held as lists, they would fill the memory.
    Safe to read on any thread: nothing in it changes.
    """

    def __init__(self, rows: bytes, turn: Callable[[], Turn], texts: Mapping[int, str]) -> None:
        """Hold the compressed `rows`; `turn` returns the call's turn, `texts` are the pool's, by key."""
        self._rows = rows
        self._turn = turn
        self._texts = texts

    def __bool__(self) -> bool:
        return self._rows != _NO_MESSAGES

    def made(self) -> list[Message]:
        messages: list[Message] = []
        turn_history: list[Message] | None = None
        for first, *rest in json.loads(decoded(self._rows)):
            if isinstance(first, int):
                turn_history = history(self._turn()) if turn_history is None else turn_history
                messages += turn_history[first : first + rest[0]]
            else:
                content = "".join(piece if isinstance(piece, str) else self._texts[piece] for piece in rest)
                messages.append({"role": first, "content": content})
        return messages


class _StepMessages(MadeMessages):
    """The first `same` messages of the step before, and those behind them; nothing in it changes."""

    def __init__(self, before: Sequence[Message], same: int, added: Sequence[Message]) -> None:
        self._before = before
        self._same = same
        self._added = added

    def made(self) -> list[Message]:
        return [*self._before[: self._same], *self._added]


def kept_steps(
    data: bytes, turn: Callable[[], Turn], texts: Mapping[int, str]
) -> tuple[tuple[Step, ...], tuple[CallId, ...]]:
    """Return the requests that `MessageCodec.steps` wrote, and the answers that the call did not read.

    Their messages are decoded each time they are read, as those of `KeptMessages`.
    """

    def messages(before: Sequence[Message], same: int, rows: list[Any]) -> Sequence[Message]:
        return _StepMessages(before, same, KeptMessages(encoded(to_json(rows)), turn, texts))

    return steps_from(decoded(data), messages)
