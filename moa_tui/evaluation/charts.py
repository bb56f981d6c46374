"""The drawing of a plot: axes with ticks at round numbers, and labels that do not lie on each other. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise, product
from math import ceil, floor, log10
from typing import TYPE_CHECKING, NamedTuple

from moa_tui.evaluation.report import Point, pareto_front
from moa_tui.text.cells import cell_len, shorten_middle
from moa_tui.text.safe import safe_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from moa_tui.evaluation.report import Kind, Plot

# Lengths are in units of the drawing; one is about a pixel on a screen.
WIDTH, HEIGHT = 760, 460
LEFT, RIGHT, TOP, BOTTOM = 64, 736, 34, 404
"""The edges of the room that points are drawn in; y grows downwards."""
MARK = 5
"""The radius of a point."""
_ZERO_ROOM = 60
_INSET = 14
_TICKS = 6
_MOST_DECADES = 8
# A figure beyond these is no price and no time: it counts as unknown, and one that is smaller as none.
_GREATEST, _LEAST = 1e100, 1e-100
_ROUND = (1, 2, 5, 10)

_LABEL_CELLS = 30
_CELL, _LINE = 6.6, 14
# With more points the drawing has no labels: there would be no telling whose each is.
_MOST_LABELS = 60
_RINGS = (9, 24, 42)


class Tick(NamedTuple):
    """A place on an axis and its label."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis from `low` to `high`, drawn from the place `begin` to the place `end`."""

    low: float
    high: float
    begin: float
    end: float
    is_log: bool = False
    ticks: tuple[Tick, ...] = ()

    def at(self, value: float) -> float:
        """The place of a value in the drawing; one outside the axis is put on its nearer end."""
        value = min(max(value, self.low), self.high)
        low, high = self.low, self.high
        if self.is_log:
            value, low, high = log10(value), log10(low), log10(high)
        return self.begin + (self.end - self.begin) * (value - low) / (high - low)


class Box(NamedTuple):
    """A rectangle of the drawing."""

    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: Box) -> bool:
        """True where the two have some room in common."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )


@dataclass(frozen=True, slots=True)
class Label:
    """A text beside a point, in a box; `leader` is the near corner of a box that is not close to it."""

    text: str
    box: Box
    leader: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Mark:
    """A point in the drawing; `top` and `bottom` are the ends of its interval, the same where it has none.

    `number` is its place among the points of the plot, from 1. `label` is None where there is no room.
    """

    point: Point
    number: int
    x: float
    y: float
    top: float
    bottom: float
    is_on_front: bool
    label: Label | None = None


@dataclass(frozen=True, slots=True)
class Chart:
    """A plot laid out. `front` are the corners of the line that joins the points of the front.

    `zero` is the place of the points without a place on a logarithmic axis, None where there are none.
    `not_drawn` are the points of which a place is unknown.
    """

    x_axis: Axis
    y_axis: Axis
    marks: tuple[Mark, ...]
    front: tuple[tuple[float, float], ...]
    zero: float | None
    not_drawn: tuple[Point, ...]


def lay_out(plot: Plot) -> Chart | None:
    """The layout of a plot; None where there is no point that can be drawn."""
    drawn = [(number, point) for number, point in enumerate(plot.points, 1) if _is_known(point)]
    not_drawn = tuple(point for point in plot.points if not _is_known(point))
    if not drawn:
        return None
    xs = [point.x for _, point in drawn if point.x is not None]
    ends = [end for _, point in drawn for end in (point.low, point.y, point.high)]
    ys = [end for end in ends if end is not None and _can_stand(end)]
    is_log = plot.log_x and any(x > _LEAST for x in xs)
    has_zero = is_log and any(x <= _LEAST for x in xs)
    left = LEFT + _INSET + (_ZERO_ROOM if has_zero else 0)
    if is_log:
        x_axis = log_axis([x for x in xs if x > _LEAST], plot.x_kind, left, RIGHT - _INSET)
    else:
        x_axis = linear_axis(xs, plot.x_kind, left, RIGHT - _INSET)
    y_axis = linear_axis(ys, plot.y_kind, BOTTOM - _INSET, TOP + _INSET)
    zero = LEFT + _ZERO_ROOM / 2 if has_zero else None
    on_front = pareto_front([point for _, point in drawn]) if plot.front else []
    front_ids = {id(point) for point in on_front}
    marks = [_mark(number, point, x_axis, y_axis, zero, id(point) in front_ids) for number, point in drawn]
    corners = _front(sorted((mark for mark in marks if mark.is_on_front), key=lambda mark: (mark.x, -mark.y)))
    return Chart(x_axis, y_axis, tuple(_labelled(marks, corners)), corners, zero, not_drawn)


def _is_known(point: Point) -> bool:
    return _can_stand(point.x) and _can_stand(point.y)


def _can_stand(value: float | None) -> bool:
    """True for a value that has a place on an axis."""
    return value is not None and abs(value) < _GREATEST


def _mark(
    number: int, point: Point, x_axis: Axis, y_axis: Axis, zero: float | None, is_on_front: bool
) -> Mark:
    """A point in its place; `zero` is where one stands that the horizontal axis does not have."""
    x_value, y_value = point.x or 0.0, point.y or 0.0
    x = zero if zero is not None and x_value <= _LEAST else x_axis.at(x_value)
    y = y_axis.at(y_value)
    bottom, top = (
        y_axis.at(end) if end is not None and _can_stand(end) else y for end in (point.low, point.high)
    )
    return Mark(point, number, x, y, min(top, y), max(bottom, y), is_on_front)


def _front(marks: Sequence[Mark]) -> tuple[tuple[float, float], ...]:
    """The corners of a stair through the marks: up to the next one only where that is paid for."""
    if not marks:
        return ()
    corners = [(marks[0].x, marks[0].y)]
    for before, mark in pairwise(marks):
        corners += [(mark.x, before.y), (mark.x, mark.y)]
    return (*corners, (RIGHT, marks[-1].y))


# Axes


def linear_axis(values: Sequence[float], kind: Kind, begin: float, end: float) -> Axis:
    """An axis with all values on it, and ticks at round numbers, the first and the last at its ends.

    It begins at zero where that leaves most of it in use, and does not leave 0 to 100 % for shares in it.
    """
    lowest, highest = min(values), max(values)
    if highest - lowest <= max(_LEAST, 1e-9 * max(abs(lowest), abs(highest))):
        room = 0.05 if kind in ("share", "points") else abs(lowest) * 0.1 or 1.0
        lowest, highest = lowest - room, highest + room
    if min(values) >= 0 and (lowest < 0 or (kind != "share" and lowest < highest / 2)):
        lowest = 0.0
    step = round_up((highest - lowest) / _TICKS)
    first, last = floor(lowest / step + 1e-9), ceil(highest / step - 1e-9)
    if kind == "share" and max(values) <= 1:
        last = min(last, round(1 / step))
    last = max(last, first + 1)
    ticks = tuple(
        Tick(place * step, tick_label(place * step, step, kind)) for place in range(first, last + 1)
    )
    return Axis(first * step, last * step, begin, end, ticks=ticks)


def log_axis(values: Sequence[float], kind: Kind, begin: float, end: float) -> Axis:
    """A logarithmic axis with all values, which are above 0, on it.

    Its ticks are at powers of ten, with 2 and 5 times them between where there are few.
    """
    first, last = _round_down(min(values)), round_up(max(values))
    if last <= first * 1.5:
        first, last = first / 2, last * 2
    first, last = _round_down(first), round_up(last)
    decades = log10(last / first)
    every = ceil(decades / _MOST_DECADES) if decades > _MOST_DECADES else 1
    factors = (1, 2, 5) if decades <= 2 else (1,)
    powers = range(floor(log10(first) + 1e-9), ceil(log10(last) - 1e-9) + 1, every)
    places = [factor * 10.0**power for power, factor in product(powers, factors)]
    ticks = tuple(
        Tick(place, tick_label(place, place, kind))
        for place in places
        if first * 0.999 <= place <= last * 1.001
    )
    return Axis(first, last, begin, end, is_log=True, ticks=ticks)


def round_up(value: float) -> float:
    """The smallest of 1, 2, 5, 10, 20 ... and of their tenths that is not less than `value`, above 0."""
    power = 10.0 ** floor(log10(value))
    return next((power * factor for factor in _ROUND if power * factor >= value * 0.999), power * 10)


def _round_down(value: float) -> float:
    power = 10.0 ** floor(log10(value))
    return max((power * factor for factor in _ROUND if power * factor <= value * 1.001), default=power)


def tick_label(value: float, step: float, kind: Kind) -> str:
    """The label of a tick, with as many decimals as the step between ticks needs."""
    value += 0.0  # No minus before a zero.
    if kind in ("share", "points"):
        text = _decimal(value * 100, step * 100)
        return f"{text} %" if kind == "share" else text
    if kind == "money":
        decimals = _decimals(step)
        return f"${value:,.{max(2, decimals) if decimals else 0}f}" if value else "$0"
    return f"{_decimal(value, step)} s" if kind == "seconds" else _decimal(value, step)


def _decimal(value: float, step: float) -> str:
    return f"{value:,.{_decimals(step)}f}" if abs(value) < 1e9 else f"{value:.0e}"


def _decimals(step: float) -> int:
    return min(9, max(0, -floor(log10(step) + 1e-9)))


# Labels


def _labelled(marks: Sequence[Mark], corners: Sequence[tuple[float, float]]) -> Iterable[Mark]:
    """The marks with labels, each in the best free place around its point; the highest points come first."""
    if len(marks) > _MOST_LABELS:
        return marks
    # A label that touched another point's mark would be read as that one's.
    room = MARK + 3
    taken = [Box(mark.x - room, mark.y - room, mark.x + room, mark.y + room) for mark in marks]
    lines = [((mark.x, mark.top), (mark.x, mark.bottom)) for mark in marks if mark.bottom > mark.top]
    lines_drawn = [_around(*line) for line in (*lines, *pairwise(corners))]
    labels: dict[int, Label | None] = {}
    for mark in sorted(marks, key=lambda mark: (not mark.is_on_front, mark.y, mark.x)):
        label = _label(mark, taken, lines_drawn)
        labels[mark.number] = label
        if label is not None:
            taken.append(label.box)
    return [replace(mark, label=labels[mark.number]) for mark in marks]


def _around(begin: tuple[float, float], end: tuple[float, float]) -> Box:
    """The room that an upright or level line takes."""
    (left, right), (top, bottom) = sorted((begin[0], end[0])), sorted((begin[1], end[1]))
    return Box(left - 2, top - 2, right + 2, bottom + 2)


def _label(mark: Mark, taken: Sequence[Box], lines: Sequence[Box]) -> Label | None:
    """The label of a point where it is least in the way; its number where the name has no room; else None."""
    for text in (shorten_middle(safe_line(mark.point.label), _LABEL_CELLS), str(mark.number)):
        width = cell_len(text) * _CELL + 2
        best: tuple[float, Label] | None = None
        for cost, label in _places(text, mark, width):
            box = label.box
            if box.left < LEFT or box.right > WIDTH or box.top < 0 or box.bottom > BOTTOM:
                continue
            if any(box.overlaps(other) for other in taken):
                continue
            cost += 1.5 * sum(box.overlaps(other) for other in lines)
            if best is None or cost < best[0]:
                best = cost, label
        if best is not None:
            return best[1]
    return None


def _places(text: str, mark: Mark, width: float) -> Iterable[tuple[float, Label]]:
    """The places for a text around a point with what each costs: the nearer the better, right before left."""
    for ring, away in enumerate(_RINGS):
        for number, (side, height) in enumerate(
            ((1, 0), (-1, 0), (1, -1), (1, 1), (-1, -1), (-1, 1), (0, -1), (0, 1))
        ):
            across = away if not height else away * 0.7
            x = mark.x + side * across
            y = mark.y + height * (away if not side else away * 0.7 + 3)
            left = x if side > 0 else x - width if side < 0 else x - width / 2
            top = y - _LINE / 2 if not height else y - _LINE if height < 0 else y
            corner = (x, y) if ring else None
            yield 3 * ring + 0.2 * number, Label(text, Box(left, top, left + width, top + _LINE), corner)
