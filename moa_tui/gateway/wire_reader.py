"""Reads a streamed reply from its bytes, in the protocols that `gateway.wire_shapes` knows. Pure.

litellm writes the requests. What it makes of replies is not what the servers said: it turns reasons that it
does not know into others, passes over errors in the middle of a stream, drops text that comes as parts, and
cannot read some protocols at all. So replies are read here, and litellm reads only what is not known here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moa_tui.gateway.wire_frames import FrameReader
from moa_tui.gateway.wire_reply import WireReply
from moa_tui.gateway.wire_shapes import shape_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from moa_tui.engine.values import Chunk
    from moa_tui.gateway.wire_frames import Frame

# What an event has that says nothing but an error: FastAPI's, Cloudflare's and Baidu's.
_ERROR_FIELDS = ("detail", "errors", "error_msg", "errorMessage", "Message")
# Events of no known shape, at the beginning, that make a reply foreign.
_MOST_UNKNOWN = 3


class WireReader:
    """Reads one reply. It raises nothing, whatever comes, and takes time that grows with the bytes alone."""

    def __init__(self) -> None:
        self.reply = WireReply()
        self.is_known = False
        """True once an event of a known shape, or an error, has come."""
        self._frames = FrameReader()
        self._unknown = 0
        self._is_binary: bool | None = None
        """None until something has come."""
        self._has_ended = False

    @property
    def is_foreign(self) -> bool:
        """True where the server speaks a protocol that is not known here, as Amazon's, which is no text."""
        if self.is_known:
            return False
        return bool(self._is_binary) or self._unknown >= (1 if self._has_ended else _MOST_UNKNOWN)

    @property
    def is_over(self) -> bool:
        """True once nothing more can come: the reply is over or has failed."""
        return self.reply.is_over or self.reply.failure is not None

    def feed(self, piece: bytes) -> list[Chunk]:
        """The chunks that `piece`, the next of the body, completes."""
        if self._is_binary is None:
            self._is_binary = piece.startswith(b"\0")
        return [] if self._is_binary else self._read(self._frames.feed(piece))

    def flush(self) -> list[Chunk]:
        """The chunks that the end of the body completes, to be called once."""
        chunks = self._read(self._frames.flush())
        self._has_ended = True
        return chunks

    def _read(self, frames: Iterable[Frame]) -> list[Chunk]:
        for frame in frames:
            if self.is_over:
                break
            if frame.is_done:
                self.reply.is_over = self._has_ended = True
            elif frame.is_torn:
                self.reply.fail_torn()
            else:
                # Gemini's events come in a list where its server does not know that events are wanted.
                for value in frame.value if isinstance(frame.value, list) else (frame.value,):
                    self._take(value, frame.name)
        return self.reply.take_chunks()

    def _take(self, event: Any, name: str) -> None:
        if not isinstance(event, dict) or not event:
            return
        shape = shape_of(event)
        if shape is not None:
            self.is_known = True
            shape(self.reply, event)
        if _is_error(event, name, is_known=shape is not None):
            self.is_known = True
            self.reply.fail(event)
        elif shape is None:
            self._unknown += 1


def _is_error(event: dict[str, Any], name: str, *, is_known: bool) -> bool:
    """True for an event that reports an error, alone or beside a piece of the answer."""
    error = event.get("error")
    # Some proxies send an error of empty fields with every good piece.
    if (any(error.values()) if isinstance(error, dict) else error) or name == "error":
        return True
    if "error" in (event.get("type"), event.get("object")):
        return True
    return not is_known and (
        isinstance(event.get("message"), str) or any(event.get(field) for field in _ERROR_FIELDS)
    )
