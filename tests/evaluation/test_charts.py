"""Where things stand in a drawing: axes, and labels that do not lie on each other."""

from __future__ import annotations

import random
from itertools import combinations

import pytest

from moa_tui.evaluation.charts import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Box,
    Chart,
    lay_out,
    linear_axis,
    log_axis,
)
from moa_tui.evaluation.report import Kind, Plot, Point
from tests.evaluation.reports import HOSTILE, LONG, plot, points


def chart_of(drawn: Plot) -> Chart:
    chart = lay_out(drawn)
    assert chart is not None
    return chart


@pytest.mark.parametrize(
    ("values", "kind", "labels"),
    [
        ([0.23, 0.71], "share", ["20 %", "30 %", "40 %", "50 %", "60 %", "70 %", "80 %"]),
        ([0.97, 1.0], "share", ["97.0 %", "97.5 %", "98.0 %", "98.5 %", "99.0 %", "99.5 %", "100.0 %"]),
        ([0.5], "share", ["44 %", "46 %", "48 %", "50 %", "52 %", "54 %", "56 %"]),
        ([1.0], "share", ["94 %", "96 %", "98 %", "100 %"]),
        ([0.01, 0.6], "money", ["$0", "$0.10", "$0.20", "$0.30", "$0.40", "$0.50", "$0.60"]),
        ([0.0], "money", ["$0", "$0.20", "$0.40", "$0.60", "$0.80", "$1.00"]),
        ([3.0, 38.0], "seconds", ["0 s", "10 s", "20 s", "30 s", "40 s"]),
        ([-0.04, 0.1], "points", ["-5", "0", "5", "10"]),
        ([1e12, 3e12], "number", ["0", "5e+11", "1e+12", "2e+12", "2e+12", "2e+12", "3e+12"]),
    ],
)
def test_ticks_are_round_numbers_around_all_values(
    values: list[float], kind: Kind, labels: list[str]
) -> None:
    axis = linear_axis(values, kind, 0, 100)
    assert [tick.label for tick in axis.ticks] == labels
    assert axis.low <= min(values) <= max(values) <= axis.high
    assert axis.at(axis.low) == 0
    assert axis.at(axis.high) == pytest.approx(100)


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([0.0001, 1.0], ["$0.0001", "$0.001", "$0.01", "$0.10", "$1"]),
        ([0.003, 0.04], ["$0.002", "$0.005", "$0.01", "$0.02", "$0.05"]),
        ([0.01], ["$0.005", "$0.01", "$0.02"]),
    ],
)
def test_a_logarithmic_axis_has_the_same_room_for_each_power_of_ten(
    values: list[float], labels: list[str]
) -> None:
    axis = log_axis(values, "money", 0, 400)
    assert [tick.label for tick in axis.ticks] == labels
    assert axis.low <= min(values) <= max(values) <= axis.high
    if len(values) > 1 and values[1] == 1.0:
        assert [axis.at(tick.at) for tick in axis.ticks] == pytest.approx([0, 100, 200, 300, 400])


@pytest.mark.parametrize("values", [(5e-324, 1e308), (1e-99, 1e99), (1e308,), (5e-324, 1.0), (-1e99, 1.0)])
@pytest.mark.parametrize("log_x", [True, False])
def test_extreme_values_have_a_place_or_count_as_unknown(values: tuple[float, ...], log_x: bool) -> None:
    drawn = tuple(Point(str(value), value, value, -value, value * 2) for value in values)
    chart = lay_out(Plot("t", "x", "y", drawn, log_x=log_x, y_kind="number"))
    if chart is None:
        assert values == (1e308,)
        return
    assert len(chart.marks) + len(chart.not_drawn) == len(drawn)
    for axis in (chart.x_axis, chart.y_axis):
        assert 1 <= len(axis.ticks) <= 12
    for mark in chart.marks:
        assert LEFT <= mark.x <= RIGHT
        assert TOP <= mark.top <= mark.y <= mark.bottom <= BOTTOM


def boxes(chart: Chart) -> list[Box]:
    return [mark.label.box for mark in chart.marks if mark.label is not None]


def test_labels_lie_on_no_other_label_and_no_point() -> None:
    source = random.Random(1)
    for _ in range(10):
        drawn = [Point(f"model-{number}", source.random(), source.random()) for number in range(25)]
        chart = chart_of(plot(*drawn))
        placed = boxes(chart)
        assert len(placed) >= 20
        assert not any(first.overlaps(second) for first, second in combinations(placed, 2))
        for box in placed:
            assert LEFT <= box.left < box.right <= WIDTH
            assert 0 <= box.top < box.bottom <= BOTTOM
            for mark in chart.marks:
                assert not box.overlaps(Box(mark.x - 5, mark.y - 5, mark.x + 5, mark.y + 5))


def test_all_points_are_in_the_drawing_with_their_intervals() -> None:
    for mark in chart_of(plot(*points(25))).marks:
        assert LEFT <= mark.x <= RIGHT
        assert TOP <= mark.top < mark.y < mark.bottom <= BOTTOM


def test_equal_points_have_a_label_each_while_there_is_room() -> None:
    chart = chart_of(plot(*(Point(f"same-{number}", 0.01, 0.5) for number in range(40))))
    assert len({(mark.x, mark.y) for mark in chart.marks}) == 1
    assert len(boxes(chart)) >= 8
    assert not any(first.overlaps(second) for first, second in combinations(boxes(chart), 2))


def test_a_name_without_room_becomes_its_number() -> None:
    crowd = [Point("a rather long name of a model", 1.0, 0.3 + number / 50) for number in range(20)]
    far = [Point("far", 0.01, 0.1), Point("away", 0.0001, 0.9)]
    texts = [mark.label.text for mark in chart_of(plot(*crowd, *far)).marks if mark.label]
    assert any(text.isdecimal() for text in texts)
    assert {"far", "away"} <= set(texts)


def test_a_free_local_model_stands_left_of_a_logarithmic_axis() -> None:
    chart = chart_of(plot(Point("local", 0.0, 0.4), *points(3), Point("unpriced", None, 0.5)))
    assert chart.zero is not None
    assert chart.marks[0].x == chart.zero < chart.marks[1].x - 30
    assert [point.label for point in chart.not_drawn] == ["unpriced"]
    assert chart_of(plot(*points(3))).zero is None
    # Where nothing has a price above zero there is no logarithmic axis to stand left of.
    assert not chart_of(plot(Point("local", 0.0, 0.4))).x_axis.is_log


def test_the_front_is_a_stair_from_the_cheapest_point_to_the_edge() -> None:
    chart = chart_of(plot(Point("a", 0.01, 0.2), Point("b", 0.1, 0.5), Point("c", 1.0, 0.3)))
    a, b, c = chart.marks
    assert chart.front == ((a.x, a.y), (b.x, a.y), (b.x, b.y), (RIGHT, b.y))
    assert [mark.is_on_front for mark in (a, b, c)] == [True, True, False]


def test_nothing_to_draw_is_no_chart() -> None:
    assert lay_out(plot()) is None
    assert lay_out(plot(Point("a", None, 0.5), Point("b", 1.0, float("nan")))) is None


def test_very_many_points_are_drawn_without_labels() -> None:
    assert boxes(chart_of(plot(*points(2000)))) == []


def test_of_a_long_name_the_end_is_kept() -> None:
    (label,) = [mark.label.text for mark in chart_of(plot(Point(LONG, 1.0, 0.5))).marks if mark.label]
    assert label.startswith("together_a")
    assert label.endswith("Turbo-2024-11")
    hostile = chart_of(plot(Point(f"{HOSTILE}\n", 1.0, 0.5))).marks[0].label
    assert hostile is not None
    assert hostile.text.isprintable()
