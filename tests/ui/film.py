"""Screenshots of the program, shown in turn by one SVG without scripts, fonts or anything else to load.

A row that stays the same from frame to frame is drawn once. Where motion is not wanted, one frame stands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from itertools import accumulate, groupby
from typing import TYPE_CHECKING, NamedTuple
from xml.etree import ElementTree

from rich.cells import cell_len

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Rich's units for a cell, in the screenshots that Textual makes with it.
_RICH_WIDTH, _RICH_LINE, _RICH_BASE = 12.2, 24.4, 20.0
# Whole numbers are short, and these fit the letters of most fonts for terminals.
_WIDTH, _LINE, _BASE, _FONT, _EDGE = 10, 20, 15, 16.6, 10
_FONTS = "ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace"
_SVG = "{http://www.w3.org/2000/svg}"


class Cell(NamedTuple):
    """A character, its style in CSS, and the colour behind it. The right half of a wide one is empty."""

    character: str
    style: str
    behind: str


Row = tuple[Cell, ...]


@dataclass(frozen=True)
class Frame:
    """A screenshot's rows, and how many seconds they are shown."""

    rows: tuple[Row, ...]
    seconds: float


def frame(screenshot: str, size: tuple[int, int], seconds: float) -> Frame:
    """A frame of a screenshot of that many columns and rows, as `App.export_screenshot` writes it."""
    root = ElementTree.fromstring(screenshot)
    sheet = "".join(root.find(f"{_SVG}style").itertext())  # type: ignore[union-attr]
    styles = {name: " ".join(style.split()) for name, style in re.findall(r"\.(\S+-r\d+) \{(.*?)\}", sheet)}
    columns, lines = size
    cells = [[Cell(" ", "", "none")] * columns for _ in range(lines)]
    screen = root.findall(f"{_SVG}g")[-1]
    for rect in screen.iter(f"{_SVG}rect"):
        row = round((float(rect.get("y", 0)) - 1.5) / _RICH_LINE)
        start = round(float(rect.get("x", 0)) / _RICH_WIDTH)
        end = start + round(float(rect.get("width", 0)) / _RICH_WIDTH)
        for column in range(start, min(end, columns)):
            cells[row][column] = Cell(" ", "", rect.get("fill", "none"))
    for text in screen.iter(f"{_SVG}text"):
        row = round((float(text.get("y", 0)) - _RICH_BASE) / _RICH_LINE)
        column = round(float(text.get("x", 0)) / _RICH_WIDTH)
        for character in text.text or "":
            if column < columns:
                behind = cells[row][column].behind
                cells[row][column] = Cell(character, styles[text.get("class", "")], behind)
            column += 1
            if cell_len(character) == 2 and column < columns:
                cells[row][column] = Cell("", styles[text.get("class", "")], behind)
                column += 1
    return Frame(tuple(tuple(row) for row in cells), seconds)


def film(frames: Sequence[Frame], still: int, words: str) -> str:
    """The SVG that shows the frames in turn and begins again; `words` tell what is seen to those who do not.

    `still` is the number of the frame that stands where motion is not wanted.
    """
    styles: dict[str, str] = {}
    spans: dict[tuple[int, int], list[str]] = {}
    for place in range(len(frames[0].rows)):
        first = 0
        for row, group in groupby(each.rows[place] for each in frames):
            beyond = first + len(list(group))
            drawn = f'<g transform="translate(0,{_LINE * place})">{_drawn(row, styles)}</g>'
            spans.setdefault((first, beyond), []).append(drawn)
            first = beyond
    begins = [0.0, *accumulate(each.seconds for each in frames)]
    layers, moments = [], []
    for (first, beyond), rows in sorted(spans.items()):
        hidden = "" if first <= still < beyond else ' visibility="hidden"'
        layers += [f'<g id="f{first}-{beyond}"{hidden}>', *rows, "</g>"]
        if (first, beyond) != (0, len(frames)):
            moments.append(_shown(f"{first}-{beyond}", begins[first], begins[beyond], begins[-1]))
    width = _WIDTH * len(frames[0].rows[0]) + 2 * _EDGE
    height = _LINE * len(frames[0].rows) + 2 * _EDGE
    rules = [f".{name}{{{style}}}" for style, name in styles.items()]
    ground = frames[0].rows[0][0].behind
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
            f"<title>{escape(words)}</title>",
            "<style>",
            f"text{{font:{_FONT}px {_FONTS};white-space:pre}}",
            # Else what is below shines through between the rows where the picture is scaled.
            "path{shape-rendering:crispEdges}",
            *rules,
            "@media (prefers-reduced-motion:no-preference){",
            *moments,
            "}",
            "</style>",
            f'<rect width="{width}" height="{height}" rx="{_EDGE}" fill="{ground}"/>',
            f'<g transform="translate({_EDGE},{_EDGE})">',
            *layers,
            "</g>",
            "</svg>",
            "",
        ]
    )


def _shown(name: str, begin: float, end: float, length: float) -> str:
    """The rules that show rows from `begin` to `end`, in each round of `length` seconds."""
    steps = [
        (0.0, "hidden"),
        (begin, "visible"),
        (end, "hidden"),
        (length, "visible" if end == length else "hidden"),
    ]
    frames = "".join(
        f"{100 * second / length:.2f}%{{visibility:{word}}}" for second, word in dict(steps).items()
    )
    return f"@keyframes k{name}{{{frames}}}#f{name}{{animation:k{name} {length:g}s step-end infinite}}"


def _drawn(row: Row, styles: dict[str, str]) -> str:
    """The row in SVG, over whatever is below it; `styles` gains a name for each style that is new."""
    parts = []
    column = 0
    for behind, group in groupby(row, key=lambda cell: cell.behind):
        cells = len(list(group))
        parts.append(
            f'<path fill="{behind}" d="M{_WIDTH * column} 0h{_WIDTH * cells}v{_LINE}h-{_WIDTH * cells}"/>'
        )
        column += cells
    column = 0
    for style, group in groupby(row, key=lambda cell: cell.style):
        text = "".join(cell.character for cell in group)
        parts += _texts(text, column, styles.setdefault(style, f"s{len(styles)}") if text.strip() else "")
        column += cell_len(text)
    return "".join(parts)


def _texts(text: str, column: int, name: str) -> Iterable[str]:
    """The words of a piece of a row that begins at that column; where much is empty, in several elements."""
    for match in re.finditer(r"\S+(?:[ \u00a0]{1,3}\S+)*", text.replace("\u00a0", " ")):
        start = _WIDTH * (column + cell_len(text[: match.start()]))
        length = _WIDTH * cell_len(match[0])
        where = f'x="{start}" y="{_BASE}" textLength="{length}"'
        yield f'<text class="{name}" {where}>{escape(match[0], quote=False)}</text>'
