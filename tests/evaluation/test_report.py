"""Reports as values, as text for a terminal and as JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from moa_tui.evaluation.bootstrap import Estimate
from moa_tui.evaluation.report import Column, Figure, Kind, Plot, Point, Report, Table, pareto_front, written
from moa_tui.evaluation.report import report_json as as_json
from moa_tui.evaluation.report_text import report_lines
from moa_tui.text.cells import cell_len
from tests.evaluation.reports import LONG, RATES, REPORT, WIDE, plot, points


@pytest.mark.parametrize(
    ("figure", "kind", "text"),
    [
        (0.531, "share", "53.1 %"),
        (1.0, "share", "100.0 %"),
        (Estimate(0.531, 0.499, 0.556, 9), "share", "53.1 % (49.9 to 55.6)"),
        (0.031, "points", "+3.1"),
        (-0.031, "points", "-3.1"),
        (-0.0001, "points", "0.0"),
        (0.0001, "points", "0.0"),
        (Estimate(0.031, -0.004, 0.059, 9), "points", "+3.1 (-0.4 to 5.9)"),
        (0.0123, "money", "$0.0123"),
        (0.0, "money", "$0"),
        (0.0000341, "money", "$0.000034"),
        (0.0009, "money", "$0.00090"),
        (1e-30, "money", "$0.000000000000"),
        (-0.5, "money", "-$0.50"),
        (14.24, "seconds", "14.2 s"),
        (1234.5, "seconds", "1,234 s"),
        (1234567, "count", "1,234,567"),
        (0.123456, "number", "0.123"),
        (6.78, "number", "6.78"),
        ("text", "share", "text"),
        (None, "money", "unknown"),
        (float("nan"), "share", "unknown"),
        (float("inf"), "money", "unknown"),
    ],
)
def test_figures_are_written_as_people_write_them(figure: Figure, kind: Kind, text: str) -> None:
    assert written(figure, kind) == text


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_the_text_fits_its_width_and_says_everything(width: int) -> None:
    lines = report_lines(REPORT, width).split("\n")
    assert max(map(cell_len, lines)) <= width
    text = " ".join(" ".join(lines).split())
    assert text.startswith(f"{REPORT.title} {REPORT.sentence}")
    for figure in ("53.1 % (49.9 to 55.6)", "52.0 %", "$0.0123", "14.2 s", "+3.1 (0.4 to 5.9)", "unknown"):
        assert figure in text
    assert "95 % intervals." in text
    assert not any(character in text for character in "\x1b\u202e\ud800")


def test_columns_line_up_though_characters_are_wide() -> None:
    lines = report_lines(replace(REPORT, sections=(RATES,)), 160).split("\n")
    head = next(line for line in lines if line.startswith("answers"))
    rows = [line for line in lines if line.startswith(("moa-lite", WIDE, LONG))]
    assert len(rows) == 3
    end = cell_len(head[: head.index("win rate") + len("win rate")])
    for row, figure in zip(rows, ("(49.9 to 55.6)", "(39.9 to 45.6)", "100.0 %"), strict=True):
        assert cell_len(row[: row.index(figure) + len(figure)]) == end


def test_a_table_without_room_goes_on_below_with_its_names() -> None:
    lines = report_lines(replace(REPORT, sections=(RATES,)), 60).split("\n")
    heads = [line for line in lines if line.startswith("answers")]
    assert len(heads) > 1
    words = " ".join(heads).split()
    for heading in ("win rate", "length-controlled", "price", "time", "gain"):
        assert sum(heading in head for head in heads) == 1
    assert words.count("answers") == len(heads)
    assert sum(line.startswith("moa-lite") for line in lines) == len(heads)


def test_a_plot_is_a_table_with_its_intervals_drawn() -> None:
    lines = report_lines(replace(REPORT, sections=(plot(*points(3)),)), 100).split("\n")
    drawn = [line for line in lines if "●" in line]
    assert [line.split()[0] for line in drawn] == ["model-0", "model-1", "model-2"]
    assert all("──●──" in line.replace("───", "──") or "─●─" in line for line in drawn)
    assert drawn[0].index("●") < drawn[2].index("●") < drawn[1].index("●")
    assert [line.split()[1] == "*" for line in drawn] == [True, True, False]
    assert "* none is better on both axes" in lines


def test_a_plot_without_points_or_figures_is_written_too() -> None:
    for drawn in ((), (Point("a", None, None),), (Point("a", 1.0, 0.5), Point("b", 1.0, 0.5))):
        text = report_lines(replace(REPORT, sections=(plot(*drawn),)), 80)
        assert text.count("unknown") == (2 if drawn and drawn[0].x is None else 0)


def test_the_front_is_what_nothing_beats() -> None:
    cheap, good, dear, same = Point("a", 1, 0.2), Point("b", 2, 0.5), Point("c", 3, 0.4), Point("d", 2, 0.5)
    beaten, unknown = Point("e", 2, 0.3), Point("f", None, 0.9)
    best = Point("g", 9, 0.6)
    assert pareto_front([best, dear, beaten, unknown, good, cheap, same]) == [cheap, good, same, best]
    assert pareto_front([]) == []


def test_a_row_has_a_figure_for_each_column() -> None:
    with pytest.raises(ValueError, match="Rates"):
        Table("Rates", ("a", Column("b", "share")), (("x",),))


def test_the_json_has_the_sentence_and_all_data() -> None:
    text = as_json(REPORT)
    document = json.loads(text)
    assert document["sentence"] == REPORT.sentence
    assert document["rates"]["moa-lite"] == {"value": 0.531, "low": None, "high": 0.556, "prompts": 200}
    assert document["rows"] == [1, None]
    assert as_json(Report("t", "\x1b\u009b\ud800", ())).isascii()


def test_an_empty_report_is_a_title_and_a_sentence() -> None:
    assert report_lines(Report("T", "S.", ()), 80) == "T\n\nS."
    assert Plot("t", "x", "y", ()).points == ()
