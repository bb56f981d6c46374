"""Splits reasoning from answer where a server sends both as one text, the reasoning in `<think>` tags."""

from __future__ import annotations

from typing import Literal

from moa_tui.engine.values import Chunk

_OPEN, _CLOSE = "<think>", "</think>"
# Spaces before a thought. A server that sends more of them piece by piece must not have each piece cost all.
_LONGEST_BLANK = 1_000


class ThinkSplitter:
    """Splits a streamed text: a `<think>` block at its very beginning is reasoning, the rest is the answer.

    Tags further on stay in the answer, since it may be about them.
    """

    def __init__(self) -> None:
        self._place: Literal["start", "thought", "gap", "answer"] = "start"
        self._held = ""

    def feed(self, text: str) -> list[Chunk]:
        """The chunks that are complete with `text`, the next piece of the stream."""
        if self._place == "answer":
            return [Chunk("text", text)] if text else []
        self._held += text
        chunks: list[Chunk] = []
        if self._place == "start":
            self._find_opening()
        if self._place == "thought":
            chunks += self._thought_chunks()
        if self._place == "gap":
            answer, self._held = self._held.lstrip("\n"), ""
            if answer:
                self._place = "answer"
                chunks.append(Chunk("text", answer))
        return chunks

    def flush(self) -> list[Chunk]:
        """The chunks that were held back, to be called when the stream has ended."""
        held, self._held = self._held, ""
        kind: Literal["reasoning", "text"] = "reasoning" if self._place == "thought" else "text"
        return [Chunk(kind, held)] if held and self._place != "gap" else []

    def _find_opening(self) -> None:
        """Go on to the thought or to the answer once enough has come to know which it is."""
        begin = self._held.lstrip()
        if begin.startswith(_OPEN):
            self._place, self._held = "thought", begin.removeprefix(_OPEN)
        elif not _OPEN.startswith(begin) or len(self._held) > _LONGEST_BLANK:
            # There is no thought. Line breaks before the answer are dropped, as they are after a thought.
            self._place = "gap"

    def _thought_chunks(self) -> list[Chunk]:
        """The part of the thought that has come, without what may be the beginning of its closing tag."""
        thought, closed, rest = self._held.partition(_CLOSE)
        if closed:
            self._place, self._held = "gap", rest
        else:
            begun = next((n for n in range(len(_CLOSE) - 1, 0, -1) if thought.endswith(_CLOSE[:n])), 0)
            cut = len(thought) - begun
            thought, self._held = thought[:cut], thought[cut:]
        return [Chunk("reasoning", thought)] if thought else []
