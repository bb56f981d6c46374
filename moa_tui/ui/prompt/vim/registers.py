"""Registers: what was deleted or copied, by the letter that it was put under."""

from __future__ import annotations

from moa_tui.ui.prompt.vim.edits import Register
from moa_tui.ui.prompt.vim.repeat import LONGEST_PUT

_UNNAMED = '"'
_CLIPBOARDS = "+*"


class Registers:
    """The register without a name, those of letters and digits, and the clipboard as `+` and `*`."""

    def __init__(self) -> None:
        self._registers: dict[str, Register] = {}

    def see_clipboard(self, text: str) -> None:
        """Take in what the clipboard holds now. Whole lines that were copied here stay whole lines."""
        for name in _CLIPBOARDS:
            if text and (name not in self._registers or self._registers[name].text != text):
                self._registers[name] = Register(text)

    def keep(self, name: str, register: Register) -> str | None:
        """Put a text into a register, and into the one without a name; a capital adds to what is there.

        Returns the text where it belongs on the clipboard.
        """
        earlier = self._registers.get(name.lower()) if name.isupper() else None
        if earlier is not None:
            is_lines = earlier.is_lines or register.is_lines
            register = Register(("\n" if is_lines else "").join([earlier.text, register.text]), is_lines)
        self._registers[name.lower()] = self._registers[_UNNAMED] = register
        return register.text if name in _CLIPBOARDS else None

    def to_put(self, name: str, times: int) -> Register | None:
        """The register to put so many times; None where it is empty, or that would be too much text."""
        register = self._registers.get(name.lower())
        return register if register and len(register.text) * times <= LONGEST_PUT else None
