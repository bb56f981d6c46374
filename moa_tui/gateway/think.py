"""Tells reasoning from answer where a local server sends both as one text, in `<think>` tags."""

from __future__ import annotations

from typing import Literal

from moa_tui.engine.values import Chunk

_OPEN, _CLOSE = "<think>", "</think>"


class ThinkSplitter:
    """Splits a streamed text: what stands in a `<think>` block at its very beginning is reasoning.

    Tags further on are left alone, since an answer may be about them.
    """

    def __init__(self) -> None:
        self._place: Literal["start", "thought", "gap", "answer"] = "start"
        self._held = ""

    def feed(self, text: str) -> list[Chunk]:
        """The chunks that `text` completes."""
        if self._place == "answer":
            return [Chunk("text", text)] if text else []
        self._held += text
        chunks: list[Chunk] = []
        if self._place == "start":
            self._find_opening()
        if self._place == "thought":
            chunks += self._take_thought()
        if self._place == "gap" and (answer := self._held.lstrip("\n")):
            self._place, self._held = "answer", ""
            chunks.append(Chunk("text", answer))
        return chunks

    def flush(self) -> list[Chunk]:
        """What was held back, now that nothing follows."""
        held, self._held = self._held, ""
        kind: Literal["reasoning", "text"] = "reasoning" if self._place == "thought" else "text"
        return [Chunk(kind, held)] if held and self._place != "gap" else []

    def _find_opening(self) -> None:
        begin = self._held.lstrip()
        if begin.startswith(_OPEN):
            self._place, self._held = "thought", begin.removeprefix(_OPEN)
        elif not _OPEN.startswith(begin):
            # An answer without a thought, its own first line breaks dropped like those behind a thought.
            self._place = "gap"

    def _take_thought(self) -> list[Chunk]:
        thought, closed, rest = self._held.partition(_CLOSE)
        if closed:
            self._place, self._held = "gap", rest
        else:
            # The last characters may be the beginning of the closing tag.
            keep = next((n for n in range(len(_CLOSE) - 1, 0, -1) if thought.endswith(_CLOSE[:n])), 0)
            cut = len(thought) - keep
            thought, self._held = thought[:cut], thought[cut:]
        return [Chunk("reasoning", thought)] if thought else []
