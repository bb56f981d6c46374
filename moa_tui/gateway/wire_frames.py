"""The events of a streamed body: server-sent events, a JSON value a line, or one JSON document. Pure.

Which of them a server sends is seen line by line, since what its headers say is often something else: some
write a bare JSON error into a stream of events, some leave out the empty lines between events.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

# Bytes of a JSON document over several lines; it is read when the stream ends.
_DOCUMENT_BYTES = 4_000_000
_FIELDS = (b"data", b"event", b"error", b"id", b"retry")
# What some servers send as an event that says nothing.
_IDLE = {"", "null", "none", "ping", "heartbeat", "keepalive", "keep-alive", "[heartbeat]", "[ping]", "ok"}
_DONE = {"[done]", "done"}


class Frame(NamedTuple):
    """One event: its JSON value, and its name where it has one.

    `is_done` is true for the word [DONE], `is_torn` for an event that is no JSON; both have no value.
    """

    value: Any = None
    name: str = ""
    is_done: bool = False
    is_torn: bool = False


class FrameReader:
    """Cuts a body into events, in time that grows with its length alone. It raises nothing."""

    def __init__(self) -> None:
        self._line: list[bytes] = []
        """The pieces of a line whose end has not come."""
        self._name = ""
        self._data: list[bytes] = []
        """The data lines of an event that is no JSON so far."""
        self._document: list[bytes] = []
        """The lines of JSON that began outside of an event and goes on over several lines."""
        self._document_bytes = 0

    def feed(self, piece: bytes) -> Iterator[Frame]:
        """The events that end in `piece`, the next of the body."""
        if b"\r" in piece:
            # A line end that is torn in two becomes an empty line more, which says nothing by itself.
            piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *whole, rest = piece.split(b"\n")
        for line in whole:
            if self._line:
                line = b"".join([*self._line, line])
                self._line = []
            yield from self._take(line)
        if rest:
            self._line.append(rest)

    def flush(self) -> Iterator[Frame]:
        """The events that the end of the body ends, to be called once."""
        if self._line:
            line, self._line = b"".join(self._line), []
            yield from self._take(line)
        yield from self._event()
        if self._document:
            yield _frame(b"\n".join(self._document), "")

    def _take(self, line: bytes) -> Iterator[Frame]:
        if self._document:
            self._document_bytes += len(line)
            if self._document_bytes > _DOCUMENT_BYTES:
                self._document = []
                yield Frame(is_torn=True)
            else:
                self._document.append(line)
            return
        if not line.strip():
            yield from self._event()
            return
        field, colon, data = line.partition(b":")
        if colon and field.strip() in _FIELDS:
            yield from self._field(field.strip(), data.removeprefix(b" "))
        elif line.lstrip()[:1] in (b"{", b"[") and not self._data:
            frame = _frame(line, self._name)
            if frame.is_torn:
                self._document, self._document_bytes = [line], len(line)
            else:
                yield frame

    def _field(self, field: bytes, data: bytes) -> Iterator[Frame]:
        if field == b"event":
            self._name = data.decode("utf-8", "replace").strip()[:100]
        elif field == b"error":  # llama.cpp before September 2025
            yield from self._event()
            yield _frame(data, "error")
        elif field == b"data":
            if self._data:
                self._data.append(data)
                return
            frame = _frame(data, self._name)
            if frame.is_torn:
                self._data.append(data)  # It may go on in the next line.
            else:
                yield frame

    def _event(self) -> Iterator[Frame]:
        """What an empty line ends: an event whose data took several lines, or is no JSON."""
        name, self._name = self._name, ""
        if self._data:
            data, self._data = b"\n".join(self._data), []
            yield _frame(data, name)


def _frame(data: bytes, name: str) -> Frame:
    try:
        text = data.decode().strip()
    except UnicodeDecodeError:
        return Frame(name=name, is_torn=True)
    if text[:1] not in ("{", "["):
        word = text[:20].strip('"').lower()
        if word in _DONE:
            return Frame(name=name, is_done=True)
        if word in _IDLE or name in ("ping", "heartbeat", "keepalive"):
            return Frame(name=name)
        if name == "error":
            return Frame({"error": text}, name)
        return Frame(name=name, is_torn=True)
    try:
        return Frame(_json(text), name)
    except (ValueError, RecursionError):
        return Frame(name=name, is_done=text.lower() in _DONE, is_torn=text.lower() not in _DONE)


def _json(text: str) -> Any:
    """The value of a JSON text. Raises ValueError and RecursionError."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        # Python refuses an integer of thousands of digits; nothing that one could count is meant by it.
        return json.loads(text, parse_int=lambda digits: int(digits) if len(digits) < 20 else None)
