"""How texts and messages are kept so that none is there twice, and how they are put together again."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

from moa_tui.conversation import history
from moa_tui.store.search_text import indexed

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from moa_tui.conversation import Turn
    from moa_tui.engine.events import CallId, Message

# A shorter text costs less where it stands than as a part of its own.
_SHORTEST_PART = 100


def encoded(text: str) -> bytes:
    """A text as it is kept: at half its size, and with lone surrogates, which no other encoding takes."""
    return zlib.compress(_utf8(text))


def decoded(data: bytes) -> str:
    """The text of `encoded`."""
    return zlib.decompress(data).decode("utf-8", "surrogatepass")


def as_json(value: Any) -> str:
    """A value as JSON. Nothing is escaped: two lone surrogates would come back as one character."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


class TextPool:
    """The texts of one conversation, each kept once, found by what it says."""

    def __init__(self, connection: sqlite3.Connection, conversation: int) -> None:
        self._connection = connection
        self._conversation = conversation

    def keep(self, text: str) -> int:
        """The key of `text`, kept from now on."""
        values = (self._conversation, hashlib.blake2b(_utf8(text), digest_size=16).digest())
        found = self._connection.execute("SELECT key FROM parts WHERE conversation = ? AND hash = ?", values)
        if row := found.fetchone():
            return int(row[0])
        insert = "INSERT INTO parts (conversation, hash, text) VALUES (?, ?, ?)"
        return int(self._connection.execute(insert, (*values, encoded(text))).lastrowid or 0)

    def keep_found(self, text: str, turn: int, layer: int = 0, place: int = 0) -> int:
        """As `keep`; and a search finds it, at that call of the turn, or as its prompt."""
        key = self.keep(text)
        where = "UPDATE parts SET turn = ?, layer = ?, place = ? WHERE key = ? AND turn IS NULL"
        if text.strip() and self._connection.execute(where, (turn, layer, place, key)).rowcount:
            self._connection.execute("INSERT INTO search (rowid, text) VALUES (?, ?)", (key, indexed(text)))
        return key


class MessageCodec:
    """Writes down the messages of one turn's calls by what is kept already.

    Each call is sent the whole conversation so far: that is named by its place in it. Prompts and the answers
    of the layer before are named by their parts, and only what stands between them is written out.
    """

    def __init__(self, turn: Turn) -> None:
        self._history = history(turn)
        self._places = {_identity(message): at for at, message in reversed(list(enumerate(self._history)))}
        self._own = {turn.prompt, turn.system or ""}
        self._answers: dict[int, set[str]] = defaultdict(set)

    def learn(self, call: CallId, text: str) -> None:
        """Know the text of an answer, which the next layer may be sent."""
        self._answers[call.layer].add(text)

    def write(self, call: CallId, messages: Iterable[Message], pool: TextPool) -> bytes:
        """The messages as JSON: `[first, count]` of the history, or a role and the parts of a content."""
        known = sorted(self._own | self._answers[call.layer - 1], key=len, reverse=True)
        rows: list[list[Any]] = []
        due = None
        for message in messages:
            if due is not None and due < len(self._history) and self._history[due] == message:
                rows[-1][1] += 1
                due += 1
            elif (at := self._places.get(_identity(message))) is not None:
                rows.append([at, 1])
                due = at + 1
            else:
                pieces = _split(message["content"], known)
                rows.append([message["role"], *(_named(piece, pool) for piece in pieces)])
                due = None
        return encoded(as_json(rows))


def _named(piece: str, pool: TextPool) -> int | str:
    return piece if len(piece) < _SHORTEST_PART else pool.keep(piece)


def _identity(message: Message) -> tuple[str, str]:
    return message["role"], message["content"]


def _split(content: str, known: Sequence[str]) -> list[str]:
    """`content` cut around every known text in it; the longest come first."""
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


class KeptMessages(Sequence["Message"]):
    """The messages of a call, put together each time they are looked at.

    A long conversation is in the messages of each of its calls: held as lists, they would fill the memory.
    """

    def __init__(self, rows: bytes, turn: Callable[[], Turn], texts: Mapping[int, str]) -> None:
        self._rows = rows
        self._turn = turn
        self._texts = texts

    def __bool__(self) -> bool:
        return self._rows != _NO_MESSAGES

    def _all(self) -> list[Message]:
        found: list[Message] = []
        so_far: list[Message] | None = None
        for first, *rest in json.loads(decoded(self._rows)):
            if isinstance(first, int):
                so_far = history(self._turn()) if so_far is None else so_far
                found += so_far[first : first + rest[0]]
            else:
                content = "".join(piece if isinstance(piece, str) else self._texts[piece] for piece in rest)
                found.append({"role": first, "content": content})
        return found

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
