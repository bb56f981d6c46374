"""What a terminal shows after what was written to it: cells with their styles, and the cursor's place."""

from __future__ import annotations

import re

_ONE = re.compile(
    r"\x1b\[(\d+);(\d+)H|\x1b\[([\d;]*)m"
    r"|\x1b\[\?[\d;]+[hl]|\x1b\][^\x07]*\x07|.",
    re.DOTALL,
)

Cell = tuple[str, tuple[str, ...]]


class Grid:
    """A terminal that knows the sequences of `ThinOutput` and Textual's compositor."""

    def __init__(self, wide: str = "") -> None:
        """The characters of `wide` take two cells, all others one."""
        self.cells: dict[tuple[int, int], Cell] = {}
        self.place = (1, 1)
        self._wide = set(wide)
        self._style: dict[str, str] = {}

    def feed(self, data: str) -> None:
        for match in _ONE.finditer(data):
            row, column = self.place
            if match[1]:
                self.place = (int(match[1]), int(match[2]))
            elif match[3] is not None:
                self._set(match[3].split(";"))
            elif match[0] == "\n":
                self.place = (row + 1, column)
            elif match[0] >= " ":
                self._put(match[0])

    def _put(self, character: str) -> None:
        row, column = self.place
        width = 2 if character in self._wide else 1
        # Half a wide character that is written over is gone as a whole.
        if self.cells.get((row, column), ("",))[0] == "half":
            self.cells[row, column - 1] = (" ", ())
        for at in range(column, column + width):
            if self.cells.get((row, at + 1), ("",))[0] == "half":
                self.cells[row, at + 1] = (" ", ())
        style = tuple(sorted(self._style.values()))
        self.cells[row, column] = (character, style)
        if width == 2:
            self.cells[row, column + 1] = ("half", style)
        self.place = (row, column + width)

    def _set(self, parameters: list[str]) -> None:
        while parameters:
            first = parameters.pop(0)
            if first in ("", "0"):
                self._style.clear()
            elif first in ("38", "48"):
                count = 4 if parameters[0] == "2" else 2
                self._style[first] = ";".join([first, *parameters[:count]])
                del parameters[:count]
            elif first in ("39", "49"):
                self._style.pop(f"{first[0]}8", None)
            elif first[0] in "34" and len(first) == 2:
                self._style[f"{first[0]}8"] = first
            else:
                self._style[first] = first
