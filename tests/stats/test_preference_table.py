"""The table of recipes as text: fits, hides nothing that matters, and is harmless whatever a name holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from moa_tui.stats.preference_table import interval, preference_lines, preference_notes, preference_table
from moa_tui.stats.preferences import Preference, Preferences, preferences
from tests.conversations import HOSTILE_TEXTS, labels


def of(*chosen: str | None, recipes: tuple[str, ...] = ("duo", "moa"), blind: bool = False) -> Preferences:
    result = preferences(Preference(recipes, name, blind, 0.0) for name in chosen)
    assert result is not None
    return result


ENOUGH = of(*["duo"] * 15, *["moa"] * 5)


def texts(result: Preferences, width: int) -> list[str]:
    drawn = preference_table(result, width)
    return ["".join(text for text, _ in line) for line in (drawn.head, *drawn.rows)]


def test_every_number_stands_in_a_wide_table() -> None:
    head, duo, moa = texts(ENOUGH, 140)
    assert head.split()[:4] == ["preferred", "pairs", "won", "lost"]
    assert duo.split()[:11] == ["duo", "20", "15", "5", "0", "75", "%", "53", "to", "89", "%"]
    assert duo.split()[11] == "1595"
    assert moa.split()[11] == "1405"


@pytest.mark.parametrize("width", [40, 60, 80, 100, 140, 400])
def test_every_line_fits_and_the_rate_with_its_interval_is_never_left_out(width: int) -> None:
    lines = texts(ENOUGH, width)
    assert len({cell_len(line) for line in lines}) == 1
    assert cell_len(lines[0]) <= width
    assert "win rate" in lines[0]
    assert "95 % interval" in lines[0]


@pytest.mark.parametrize(
    ("low", "middle", "high", "drawn"),
    [(0, 0, 0, "●    "), (0, 0.5, 1, "──●──"), (0.5, 1, 1, "  ──●"), (0.25, 0.5, 0.75, " ─●─ ")],
)
def test_an_interval_is_drawn_to_scale(low: float, middle: float, high: float, drawn: str) -> None:
    assert interval(low, middle, high, 5) == drawn


def test_the_notes_say_what_it_was_made_of_and_how_little_it_may_say() -> None:
    notes = "\n".join(preference_notes(ENOUGH))
    assert "From 20 choices made with /compare." in notes
    assert "say little about others" in notes
    assert "Bradley-Terry" in notes
    assert "do not compare" not in notes
    assert "From 1 choice made with /compare, 1 of them blind." in preference_notes(of("duo", blind=True))[0]


def test_without_strengths_the_notes_say_why_and_do_not_explain_them() -> None:
    notes = "\n".join(preference_notes(of("duo", None)))
    assert "Bradley-Terry" not in notes
    assert "No strength for duo and moa: each needs 10 pairs" in notes
    assert texts(of("duo", None), 140)[1].split()[11] == "-"


@pytest.mark.parametrize("name", HOSTILE_TEXTS)
def test_a_hostile_name_is_one_harmless_line(name: str) -> None:
    text = preference_lines(of("duo", recipes=("duo", name)), 100)
    assert all(character.isprintable() or character == "\n" for character in text)


@given(st.lists(labels(), min_size=2, max_size=3, unique=True), st.integers(40, 200))
def test_a_table_of_any_names_fits(names: list[str], width: int) -> None:
    lines = texts(of(names[0], None, recipes=tuple(names)), width)
    assert {cell_len(line) for line in lines} <= {cell_len(lines[0])}
    assert cell_len(lines[0]) <= max(width, 40)
