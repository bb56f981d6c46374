"""Types keys at a machine and a text, as the prompt does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moa_tui.ui.prompt.vim.machine import Machine

if TYPE_CHECKING:
    from collections.abc import Iterable

_NAMES = {"\x1b": "escape", "\n": "enter", "\x12": "ctrl+r"}


class Typist:
    """A text, a cursor, and the machine that changes both."""

    def __init__(self, text: str = "", cursor: int = 0, mode: str = "normal") -> None:
        self.machine = Machine()
        self.machine.mode = mode  # type: ignore[assignment]
        self.text, self.cursor = text, cursor
        self.clipboard = ""
        self.wishes: list[str] = []
        self._undo: list[tuple[str, int]] = []
        self._redo: list[tuple[str, int]] = []

    def press(self, keys: Iterable[str]) -> Typist:
        for character in keys:
            key = _NAMES.get(character, character)
            was_in_insert = self.machine.mode == "insert"
            step = self.machine.press(key, self.text, self.cursor, self.clipboard)
            if step is None:
                if was_in_insert and len(key) == 1:
                    self.text = self.text[: self.cursor] + key + self.text[self.cursor :]
                    self.cursor += 1
                continue
            if step.is_change:
                self._undo.append((self.text, self.cursor))
            if step.edit is not None:
                self.text = step.edit.apply(self.text)
            self.cursor = step.cursor
            if step.copied is not None:
                self.clipboard = step.copied
            if step.wish == "undo" and self._undo:
                self._redo.append((self.text, self.cursor))
                self.text, self.cursor = self._undo.pop()
            elif step.wish == "redo" and self._redo:
                self._undo.append((self.text, self.cursor))
                self.text, self.cursor = self._redo.pop()
            elif step.wish:
                self.wishes.append(step.wish)
        return self
