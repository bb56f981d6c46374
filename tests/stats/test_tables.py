"""Statistics as text and as JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from moa_tui.stats.figures import GROUP_KINDS, Figures, Group
from moa_tui.stats.tables import MEASURES, NO_NAME, bar, headline, notes, stats_document, stats_lines, table
from moa_tui.text.safe import safe_line
from tests.conversations import HOSTILE_TEXTS, NOON, labels
from tests.stats.helpers import a_group, some_figures


def texts(groups: tuple[Group, ...], width: int = 200, by: str = "calls", kind: Any = "models") -> list[str]:
    return ["".join(text for text, _ in line) for line in table(kind, groups, width, by).rows]


def cells_of(text: str, character: str = "█") -> int:
    return text.count(character)


def test_every_number_stands_in_a_wide_table() -> None:
    drawn = table("recipes", (a_group(), a_group("duo", 20)), 240, "calls")
    assert drawn.hidden == ()
    head = "".join(text for text, _ in drawn.head).split()
    assert head[:4] == ["recipe", "turns", "calls", "in"]
    row = "".join(text for text, role in drawn.rows[0] if role != "bar")
    assert " ".join(row.split()) == "moa 10 70 28.0k 24.5k $0.50 1 2 3 0.8 s 12.5 s 95 % 1 2 22 % 0 %"


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200, 1000])
@pytest.mark.parametrize("by", ["name", *MEASURES])
def test_every_line_is_as_wide_as_the_head_and_fits(width: int, by: str) -> None:
    groups = tuple(
        a_group(name, calls) for name, calls in (("日本語のとても長い名前のモデル", 12_345), ("x" * 300, 3))
    )
    for kind in GROUP_KINDS:
        drawn = table(kind, groups, width, by)
        widths = {cell_len("".join(text for text, _ in line)) for line in (drawn.head, *drawn.rows)}
        assert len(widths) == 1
        assert widths.pop() <= width


@pytest.mark.parametrize("by", MEASURES)
def test_the_column_sorted_by_is_shown_however_narrow_the_table(by: str) -> None:
    for groups in ((a_group(), a_group("duo")), (a_group(),)):
        assert (by, "chosen") in table("models", groups, 40, by).head


def test_a_name_of_wide_characters_is_shown_whole_where_there_is_room() -> None:
    assert texts((a_group("日本語のモデル"),))[0].startswith("日本語のモデル  ")


def test_the_highest_come_first_and_the_unknown_last() -> None:
    groups = (a_group("a", seconds=2.0), a_group("b", seconds=None), a_group("c", seconds=9.0))
    assert [row[0] for row in texts(groups, by="time")] == ["c", "a", "b"]
    assert [row[0] for row in texts(groups[::-1], by="name")] == ["a", "b", "c"]


def test_bars_are_in_proportion_from_zero() -> None:
    groups = (a_group("a", 400), a_group("b", 100), a_group("c", 200))
    whole, half, quarter = (cells_of(row) for row in texts(groups, 240))
    assert whole == 30
    assert half == 15
    assert quarter == pytest.approx(7.5, abs=0.6)


@given(st.floats(0, 1), st.integers(1, 40))
def test_a_bar_is_right_to_an_eighth_of_a_cell_and_never_hides_something(part: float, cells: int) -> None:
    drawn = bar(part, cells)
    eighths = sum(8 if character == "█" else " ▏▎▍▌▋▊▉".index(character) for character in drawn)
    assert len(drawn) <= cells
    assert bool(drawn) == (part > 0)
    assert abs(eighths - max(part * cells * 8, 1 if part else 0)) <= 0.5


def test_a_lone_row_has_no_bar_and_nothing_is_no_bar() -> None:
    assert cells_of("".join(texts((a_group(),)))) == 0
    assert cells_of("".join(texts((a_group(cost=0.0), a_group("b", cost=0.0)), by="price"))) == 0


def test_months_are_in_their_order_with_the_empty_ones_told() -> None:
    months = (
        a_group("2025-11"),
        a_group("2025-01"),
        a_group("2026-01"),
        a_group("2026-02"),
        a_group("unknown"),
    )
    rows = texts(months, by="name", kind="months")
    assert [row.split("  ")[0] for row in rows] == [
        "2025-01", "(9 months without a turn)", "2025-11", "(1 month without a turn)", "2026-01", "2026-02",
        "unknown",
    ]  # fmt: skip
    assert len(texts(months, by="price", kind="months")) == 5


def test_months_have_bars_of_turns_and_of_price() -> None:
    months = (a_group("2025-05", turns=10, cost=1.0), a_group("2025-06", turns=5, cost=0.0))
    drawn = table("months", months, 120)
    first, second = drawn.rows
    barred = [
        drawn.head[at - 1][0]
        for at, (text, _) in enumerate(drawn.head)
        if at and len(text) > 8 and not text.strip()
    ]
    assert barred == ["turns", "price"]
    assert [cells_of(text) > 0 for text, role in first if role == "bar"] == [True, True]
    assert [cells_of(text) > 0 for text, role in second if role == "bar"] == [True, False]


def test_prices_that_are_not_known_are_said_to_be_unknown() -> None:
    some, none, nothing = (
        a_group("a", unpriced=3),
        a_group("b", 70, unpriced=70, cost=0.0),
        a_group("c", 0, cost=0.0),
    )
    rows = texts((some, none, nothing), by="price")
    assert "$0.50+" in rows[0]
    assert "unknown" in "".join(rows[1:])
    assert "$0 " not in "".join(rows[1:])
    total = Figures(some, (), (), (), ())
    assert any("price of 3 calls is not known" in line for line in notes(total))


def test_what_this_machine_answered_alone_is_local() -> None:
    own, mixed = a_group("a", 70, local=70, cost=0.0), a_group("b", 70, local=30)
    rows = texts((own, mixed), by="calls")
    assert "local" in rows[0]
    assert "local" not in rows[1]


def test_estimated_tokens_are_marked() -> None:
    assert "~28.0k" in texts((a_group(estimated=2),))[0]
    assert any("2 calls" in line for line in notes(Figures(a_group(estimated=2), (), (), (), ())))


def test_the_share_of_what_caches_held_is_shown() -> None:
    assert texts((a_group(cached_tokens=7_000),))[0].rstrip().endswith(" 22 %    25 %")


def test_what_was_not_measured_is_a_dash() -> None:
    row = texts((a_group(seconds=None, first_token_seconds=None, proposed=0, used=0, overlap=None),))[0]
    assert row.split().count("-") == 4


@pytest.mark.parametrize("name", [*HOSTILE_TEXTS, "", "[/] [bold]x[/bold]"])
def test_a_hostile_name_is_one_harmless_line(name: str) -> None:
    groups = (a_group(name),)
    drawn = stats_lines(Figures(a_group(), groups, groups, groups, groups), 100)
    assert all(character.isprintable() or character == "\n" for character in drawn)
    assert (safe_line(name) or NO_NAME)[:4] in drawn
    # Four tables with a head, a row and an empty line each.
    assert len(drawn[: drawn.index("\nin: ")].split("\n")) <= 16


@given(st.lists(labels(), min_size=1, max_size=4, unique=True), st.integers(40, 200))
def test_the_text_fits_the_terminal(names: list[str], width: int) -> None:
    groups = tuple(a_group(name, 10 * number) for number, name in enumerate(names))
    drawn = stats_lines(Figures(a_group("all"), groups, groups, groups, groups), width)
    assert max(map(cell_len, drawn.split("\n"))) <= width


def test_the_text_says_what_a_narrow_terminal_leaves_out() -> None:
    narrow, wide = stats_lines(some_figures(), 60), stats_lines(some_figures(), 240)
    assert "There is room in a wider terminal" in narrow
    assert "There is room" not in wide
    assert "stopped" in narrow


def test_the_headline_has_the_sums() -> None:
    line = headline(some_figures(since=NOON))
    assert line.startswith("10 turns · 90 calls · 28.0k tokens in, 24.5k out · $0.50 · since 2025-06-1")


def test_nothing_kept_is_a_sentence() -> None:
    nothing = a_group("all", 0, turns=0)
    assert stats_lines(Figures(nothing, (), (), (), ()), 80).startswith("No conversation is kept yet")
    assert "since 2025-06-1" in stats_lines(Figures(nothing, (), (), (), (), NOON), 80)


def test_calls_without_an_end_are_told() -> None:
    figures = Figures(a_group(unfinished=1), (), (), (), ())
    assert any(line.startswith("1 call without an end") for line in notes(figures))


def test_the_document_has_every_number_and_is_json() -> None:
    document = json.loads(json.dumps(stats_document(some_figures())))
    assert document["schema"] == 1
    assert [recipe["name"] for recipe in document["recipes"]] == ["moa", "duo"]
    assert document["months"][1]["cost"] == 0.125
    assert document["total"]["calls"] == 90
    assert document["since"] is None
    assert set(document) == {"schema", "total", *GROUP_KINDS, "since", "preferences"}
