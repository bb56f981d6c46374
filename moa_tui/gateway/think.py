"""Tells reasoning from answer where a local server sends both as one text, in `<think>` tags."""

from __future__ import annotations

from moa_tui.engine.events import Chunk

_OPEN, _CLOSE = "<think>", "</think>"


class ThinkSplitter:
    """Splits a streamed text: what stands in a `<think>` block at its very beginning is reasoning.

    Tags further on are left alone, since an answer may be about them.
    """

    def __init__(self) -> None:
        self._awaited = _OPEN
        self._held = ""

    def feed(self, text: str) -> list[Chunk]:
        """The chunks that `text` completes."""
        if not self._awaited:
            return [Chunk("text", text)]
        self._held += text
        return self._before_answer() if self._awaited == _OPEN else self._reasoning()

    def flush(self) -> list[Chunk]:
        """What was held back, now that nothing follows."""
        held, self._held = self._held, ""
        return [Chunk("reasoning" if self._awaited == _CLOSE else "text", held)] if held else []

    def _before_answer(self) -> list[Chunk]:
        begin = self._held.lstrip()
        if begin.startswith(_OPEN):
            self._awaited = _CLOSE
            self._held = begin.removeprefix(_OPEN)
            return self._reasoning()
        if _OPEN.startswith(begin):
            return []
        self._awaited = ""
        return self.flush()

    def _reasoning(self) -> list[Chunk]:
        thought, closed, answer = self._held.partition(_CLOSE)
        if closed:
            self._awaited = self._held = ""
            chunks = [Chunk("reasoning", thought), Chunk("text", answer.lstrip("\n"))]
        else:
            # The last characters may be the beginning of the closing tag.
            keep = next((n for n in range(len(_CLOSE) - 1, 0, -1) if thought.endswith(_CLOSE[:n])), 0)
            cut = len(thought) - keep
            self._held = thought[cut:]
            chunks = [Chunk("reasoning", thought[:cut])]
        return [chunk for chunk in chunks if chunk.text]
