"""What the plain chat writes: whole lines, and answers word by word. Control characters never get through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moa_tui.text.safe import safe_text

if TYPE_CHECKING:
    from typing import TextIO

# What the other ways to chat write between figures, and before and after, as a voice would say it.
_SPOKEN = {" · ": ", ", "‹": "", "›": "", " → ": " to "}
# A language without spaces is written in pieces of at least so many characters.
_LONGEST_HELD = 80


def spoken(text: str) -> str:
    """Words of ours without the signs that stand between figures on a screen."""
    for sign, words in _SPOKEN.items():
        text = text.replace(sign, words)
    return text


class Voice:
    """Writes lines, and texts that come in pieces. Methods raise OSError where the output is gone."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._held = ""
        """The beginning of a word that may go on."""
        self._is_line_open = False

    def say(self, text: str) -> None:
        """Write a sentence of ours on lines of its own."""
        self.write_text(spoken(text))

    def write_text(self, text: str) -> None:
        """Write a whole text of anybody's on lines of its own."""
        self.end_text()
        self._write(f"{safe_text(text).rstrip()}\n")

    def stream(self, piece: str) -> None:
        """Write the next piece of a text that is on its way, up to its last whole word."""
        text = self._held + piece
        # A carriage return may be the first half of a line's end.
        end = max(text.rfind(" "), text.rfind("\n"), text.rfind("\t")) + 1
        if not end and len(text) > _LONGEST_HELD:
            end = len(text) - text.endswith("\r")
        self._held = text[end:]
        if end:
            self._write(safe_text(text[:end]))

    def end_text(self) -> None:
        """End the text that came in pieces, and its last line."""
        text, self._held = safe_text(self._held), ""
        if text:
            self._write(text)
        if self._is_line_open:
            self._write("\n")

    def show(self, line: str) -> None:
        """Write a line that somebody goes on writing at its end."""
        self._out.write(safe_text(line))
        self._out.flush()

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()
        self._is_line_open = not text.endswith("\n")
