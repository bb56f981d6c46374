"""What a grading or a selection comes to, as values: a sentence, tables and plots, and all of it as JSON.

`report_text.report_lines` writes it for a terminal, `report_page.report_html` as a page, `report_json` here
for programs. Names in it are anybody's text: each of the three makes them safe.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, fields, is_dataclass
from math import floor, isfinite, log10
from typing import Any, Literal

from moa_tui.evaluation.bootstrap import Estimate
from moa_tui.text.wording import money

Kind = Literal["text", "count", "share", "points", "number", "money", "seconds"]
"""What a figure is, by which it is written.

share: a part of 1, as a percentage. points: a difference of two shares, in percentage points with its sign.
money: US dollars. number: any other, to three digits.
"""

Figure = str | int | float | Estimate | None
"""A cell: a text, a number, or a number with its interval. None is unknown."""

UNKNOWN = "unknown"

_LEAST_PRICE = 0.001
_MOST_DECIMALS = 12


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its heading, and what its figures are."""

    heading: str
    kind: Kind = "text"


@dataclass(frozen=True, slots=True)
class Table:
    """A table. The first column names the rows; a column that is given as a text has texts."""

    title: str
    columns: tuple[Column | str, ...]
    rows: tuple[tuple[Figure, ...], ...]
    note: str = ""

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"a row of the table {self.title!r} has not one figure for each column")

    @property
    def typed_columns(self) -> tuple[Column, ...]:
        """The columns, those that were given as a text too."""
        return tuple(Column(column) if isinstance(column, str) else column for column in self.columns)


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a plot; a place that is None is unknown. `low` to `high` is the interval of `y`."""

    label: str
    x: float | None
    y: float | None
    low: float | None = None
    high: float | None = None

    @property
    def y_figure(self) -> Figure:
        """The place in y with its interval, where it has one."""
        if self.y is None or self.low is None or self.high is None:
            return self.y
        return Estimate(self.y, self.low, self.high, 0)


@dataclass(frozen=True, slots=True)
class Plot:
    """Points in two dimensions. `front` marks those that no other beats in both: less of x, more of y.

    On a logarithmic axis a point whose x is 0 or less stands left of the axis.
    """

    title: str
    x_label: str
    y_label: str
    points: tuple[Point, ...]
    log_x: bool = False
    note: str = ""
    front: bool = False
    x_kind: Kind = "number"
    y_kind: Kind = "share"


@dataclass(frozen=True, slots=True)
class Report:
    """A report: the one plain sentence that comes first, then tables and plots, and `data` for programs."""

    title: str
    sentence: str
    sections: tuple[Table | Plot, ...]
    data: Mapping[str, Any] = field(default_factory=dict)


def written(figure: Figure, kind: Kind) -> str:
    """A figure as people write it; `unknown` for None and for what is no number."""
    if figure is None:
        return UNKNOWN
    if isinstance(figure, str):
        return figure
    if isinstance(figure, Estimate):
        value = written(figure.value, kind)
        return f"{value} ({_bare(figure.low, kind)} to {_bare(figure.high, kind)})"
    if not isfinite(figure):
        return UNKNOWN
    match kind:
        case "share":
            return f"{_bare(figure, kind)} %"
        case "money":
            return f"-{_money(-figure)}" if figure < 0 else _money(figure)
        case "seconds":
            return f"{figure:.1f} s" if abs(figure) < 100 else f"{figure:,.0f} s"
        case "points":
            bare = _bare(figure, kind)
            return f"+{bare}" if figure > 0 and float(bare) else bare
        case _:
            return _bare(figure, kind)


def _money(dollars: float) -> str:
    """A price; one of less than a tenth of a cent keeps two digits, so that it does not look like none."""
    if not 0 < dollars < _LEAST_PRICE:
        return money(dollars)
    return f"${dollars:.{min(_MOST_DECIMALS, 1 - floor(log10(dollars)))}f}"


def _bare(value: float, kind: Kind) -> str:
    """A number without its unit."""
    if not isfinite(value):
        return UNKNOWN
    match kind:
        case "share" | "points":
            # A negative number that rounds to zero is written without its sign.
            return f"{round(value * 100, 1) + 0.0:.1f}"
        case "count":
            return f"{value:,.0f}"
        case "seconds":
            return f"{value:.1f}"
        case "money":
            return written(value, kind)
        case _:
            return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def pareto_front(points: Sequence[Point]) -> list[Point]:
    """The points that no other beats: none has less of x and no less of y, or more of y and no more of x.

    They are in the order of x. Equal points are on the front together; unknown ones never are.
    """
    known = [point for point in points if point.x is not None and point.y is not None]
    known.sort(key=lambda point: (point.x or 0.0, -(point.y or 0.0)))
    front: list[Point] = []
    for point in known:
        best = front[-1] if front else None
        if best is None or (point.y or 0.0) > (best.y or 0.0) or (point.x, point.y) == (best.x, best.y):
            front.append(point)
    return front


def report_json(report: Report) -> str:
    """The title, the sentence and the data as JSON; what is no finite number is null."""
    document = {"title": report.title, "sentence": report.sentence, **report.data}
    return json.dumps(_plain(document), indent=2, allow_nan=False)


def _plain(value: Any) -> Any:
    """`value` with plain JSON values in the place of dataclasses and of numbers that JSON does not have."""
    if isinstance(value, float):
        return value if isfinite(value) else None
    if is_dataclass(value) and not isinstance(value, type):
        return {part.name: _plain(getattr(value, part.name)) for part in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, Sequence | Set) and not isinstance(value, str | bytes):
        return [_plain(part) for part in value]
    return value
