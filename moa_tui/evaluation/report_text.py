"""A report for a terminal of a given width, without colour."""

from __future__ import annotations

import textwrap
from math import isfinite
from typing import TYPE_CHECKING

from moa_tui.evaluation.report import Column, Figure, Plot, Table, pareto_front, written
from moa_tui.stats.preference_table import interval
from moa_tui.text.cells import cell_len, fit, shorten_middle
from moa_tui.text.safe import one_line, safe_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moa_tui.evaluation.report import Point, Report

_GAP = "  "
_LEAST_WIDTH = 40
_LEAST_NAME_CELLS, _NAME_CELLS = 8, 24
_LEAST_DRAWING_CELLS, _MOST_DRAWING_CELLS = 12, 41
_ON_FRONT = "*"


def report_lines(report: Report, width: int) -> str:
    """The report as text: its sentence, then its tables, and its plots as tables of their points."""
    width = max(width, _LEAST_WIDTH)
    lines = [*_wrapped(report.title, width), "", *_wrapped(report.sentence, width)]
    for section in report.sections:
        lines += ["", *_wrapped(section.title, width), ""]
        lines += _table_lines(section, width) if isinstance(section, Table) else _plot_lines(section, width)
        lines += _wrapped(section.note, width)
    return "\n".join(line.rstrip() for line in lines)


def _wrapped(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` cells."""
    line = safe_line(text)
    if line.isascii():
        return textwrap.wrap(line, width)
    lines: list[str] = []
    for word in line.split(" "):
        if lines and cell_len(lines[-1]) + 1 + cell_len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines if line else []


def _table_lines(table: Table, width: int) -> list[str]:
    """The table; columns for which there is no room beside the others follow in a block of their own."""
    columns = table.typed_columns
    grid = [list(map(_cell, row, columns)) for row in table.rows]
    heads = [safe_line(column.heading) for column in columns]
    return _grid_lines(heads, grid, [column.kind == "text" for column in columns], width)


def _cell(figure: Figure, column: Column) -> str:
    return safe_line(written(figure, column.kind))


def _grid_lines(
    heads: Sequence[str], grid: Sequence[Sequence[str]], is_text: Sequence[bool], width: int
) -> list[str]:
    sizes = _sizes(heads, grid, width)
    lines: list[str] = []
    waiting = list(range(1, len(heads)))
    while True:
        block, room = [0], width - sizes[0]
        while waiting and (sizes[waiting[0]] + len(_GAP) <= room or len(block) == 1):
            place = waiting.pop(0)
            room -= sizes[place] + len(_GAP)
            block.append(place)
        if lines:
            lines.append("")
        for row in (heads, *grid):
            cells = [_fit(row[place], sizes[place], right=not is_text[place]) for place in block]
            lines.append(_GAP.join(cells))
        if not waiting:
            return lines


def _sizes(heads: Sequence[str], grid: Sequence[Sequence[str]], width: int) -> list[int]:
    """The cells of each column; the names of the rows stand in each block, and leave room for the rest."""
    sizes = [max(map(cell_len, column)) for column in zip(heads, *grid, strict=True)]
    others = [min(size, width - _LEAST_NAME_CELLS - len(_GAP)) for size in sizes[1:]]
    beside_all = width - sum(others) - len(_GAP) * len(others)
    beside_widest = width - max(others, default=0) - len(_GAP)
    names = beside_all if beside_all >= _NAME_CELLS else min(max(_NAME_CELLS, width // 3), beside_widest)
    return [min(sizes[0], names), *others]


def _fit(text: str, cells: int, *, right: bool) -> str:
    return fit(shorten_middle(text, cells), cells, right=right)


def _plot_lines(plot: Plot, width: int) -> list[str]:
    """The points as a table, each with its interval drawn where there is room for it."""
    front = pareto_front(plot.points) if plot.front else []
    heads = ["", safe_line(plot.x_label), safe_line(plot.y_label)]
    grid = [_point_cells(plot, point, point in front) for point in plot.points]
    is_text = [True, False, False]
    used = sum(max(map(cell_len, column)) + len(_GAP) for column in list(zip(heads, *grid, strict=True))[1:])
    used += min(max((cell_len(row[0]) for row in grid), default=0), _NAME_CELLS)
    if drawn := _drawn(plot, min(_MOST_DRAWING_CELLS, width - used - len(_GAP))):
        heads.append(drawn[0])
        is_text.append(True)
        grid = [[*row, line] for row, line in zip(grid, drawn[1:], strict=True)]
    lines = _grid_lines(heads, grid, is_text, width)
    if front:
        words = f"{_ON_FRONT} none is better on both axes"
        lines += ["", *_wrapped(one_line(words), width)]
    return lines


def _point_cells(plot: Plot, point: Point, is_on_front: bool) -> list[str]:
    name = safe_line(point.label) + (f" {_ON_FRONT}" if is_on_front else "")
    return [name, written(point.x, plot.x_kind), written(point.y_figure, plot.y_kind)]


def _drawn(plot: Plot, cells: int) -> list[str]:
    """The scale of y in `cells` cells, and a line on it for each point; empty where there is no room."""
    ends = [end for point in plot.points for end in (point.low, point.y, point.high)]
    places = [end for end in ends if end is not None and isfinite(end)]
    if not places or min(places) == max(places):
        return []
    lowest, highest = min(places), max(places)
    first, last = written(lowest, plot.y_kind), written(highest, plot.y_kind)
    if cells < max(_LEAST_DRAWING_CELLS, len(first) + 1 + len(last)):
        return []
    lines = [first + last.rjust(cells - len(first))]
    for point in plot.points:
        if point.y is None or not isfinite(point.y):
            lines.append("")
            continue
        low, high = (point.y if end is None or not isfinite(end) else end for end in (point.low, point.high))
        shares = [(place - lowest) / (highest - lowest) for place in (low, point.y, high)]
        lines.append(interval(shares[0], shares[1], shares[2], cells))
    return lines
