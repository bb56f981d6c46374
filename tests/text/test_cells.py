"""Columns of terminal cells: their width holds whatever characters a text is made of."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from moa_tui.text.cells import cell_len, cut, fit, pad, shorten, shorten_middle, shorten_start, window
from moa_tui.text.safe import with_blanked_controls

FAMILY, FLAG, ACCENT = "👩‍👩‍👧", "🇩🇪", "e\u0301"
# Anything but surrogates, and often what takes two cells, none, or joins its neighbours.
TEXTS = st.text(
    st.characters(exclude_categories=["Cs"])
    | st.sampled_from(
        ["日", "ｆ", "👩", "🇩", "🇪", "🏽", "❤", "\u200d", "\ufe0f", "\u0301", "\t", "\n", " ", "…"]
    )
)
CELLS = st.integers(-2, 30)


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("moa", 3),
        ("日本", 4),
        ("ｆｕ", 4),
        (FAMILY, 2),
        (FLAG, 2),
        (ACCENT, 1),
        ("👍🏽", 2),
        ("❤\ufe0f", 2),
        ("", 0),
    ],
)
def test_a_text_takes_the_cells_that_a_terminal_gives_it(text: str, cells: int) -> None:
    assert cell_len(text) == cells


@pytest.mark.parametrize(
    ("text", "cells", "fitted"),
    [
        ("moa", 5, "moa  "),
        ("moa", 3, "moa"),
        ("kiwis", 4, "kiw…"),
        ("a\nb\tc", 5, "a b c"),
        ("日本語", 7, "日本語 "),
        ("日本語", 5, "日本…"),
        ("日本語", 4, "日 …"),
        ("日本", 1, "…"),
        (f"{FAMILY}{FAMILY}", 4, f"{FAMILY}{FAMILY}"),
        (f"{FAMILY}{FAMILY}", 3, f"{FAMILY}…"),
        (f"{FLAG}{FLAG}", 3, f"{FLAG}…"),
        (ACCENT * 3, 2, f"{ACCENT}…"),
        (ACCENT, 2, f"{ACCENT} "),
        ("moa", 0, ""),
        ("moa", -1, ""),
    ],
)
def test_a_text_is_cut_and_padded_to_a_column(text: str, cells: int, fitted: str) -> None:
    assert fit(text, cells) == fitted


def test_a_figure_goes_to_the_right_of_its_column() -> None:
    assert fit("12", 4, right=True) == "  12"
    assert fit("日", 4, right=True) == "  日"
    assert pad("日", 3, right=True) == " 日"


@given(TEXTS, CELLS, st.booleans())
@example("a\u200d", 1, False)
@example("a\u200d", 4, False)
@example("日\u200d日", 3, False)
@example("\u200d", 3, True)
@example("\u0301\ufe0f", 2, True)
def test_a_fitted_text_takes_its_column_exactly(text: str, cells: int, right: bool) -> None:
    fitted = fit(text, cells, right=right)
    assert cell_len(fitted) == max(0, cells)
    assert not set("\t\n\v\f\r\x85\u2028\u2029") & set(fitted)


@given(TEXTS, CELLS)
@example("日本", 1)
@example("a\u200db", 1)
def test_what_is_shortened_or_cut_is_no_wider_than_allowed(text: str, cells: int) -> None:
    for shorter in (shorten, shorten_start, shorten_middle, cut):
        shortened = shorter(text, cells)
        assert cell_len(shortened) <= max(0, cells)
        assert shortened == text or cell_len(text) > cells


@given(TEXTS, CELLS)
def test_padding_never_takes_anything_away_but_a_joiner_at_the_end(text: str, cells: int) -> None:
    text = text.rstrip("\u200d")
    assert pad(text, cells).startswith(text)
    assert pad(text, cells, right=True).endswith(text)
    assert cell_len(pad(text, cells)) == max(cells, cell_len(text))


def test_what_is_shortened_ends_with_a_mark_and_no_space_before_it() -> None:
    assert shorten("the great moa", 4) == "the…"
    assert shorten("the great moa", 5) == "the…"
    assert shorten("the great moa", 13) == "the great moa"
    assert shorten("日本語", 5) == "日本…"
    assert cut("日本語", 4) == "日本"
    assert cut("日本語", 3) == "日 "


def test_the_end_of_a_text_is_kept_whole() -> None:
    assert shorten_start("the great moa", 4) == "…moa"
    assert shorten_start("日本語", 4) == "…語"
    assert shorten_start(f"moa {FAMILY}", 3) == f"…{FAMILY}"
    assert shorten_start("moa", 3) == "moa"
    assert shorten_middle("the great moa", 9) == "the…t moa"
    assert shorten_middle("日本語の文", 7) == "日…の文"


@given(TEXTS.map(with_blanked_controls), st.integers(0, 40), st.integers(0, 20))
@example("a日b", 2, 2)
@example("日\u200d👩", 1, 3)
def test_a_window_takes_its_cells_and_no_half_of_a_character(text: str, first: int, cells: int) -> None:
    shown = window(text, first, cells)
    assert min(shown.blank_before, shown.blank_behind) >= 0
    inside = text[shown.start : shown.end]
    assert cell_len(inside) + shown.blank_before + shown.blank_behind == cells
    if inside:
        assert cell_len(text[: shown.start]) == first + shown.blank_before


def test_the_characters_at_the_edges_of_a_window_are_blank_where_they_are_cut() -> None:
    assert window("日本語", 1, 4) == (1, 2, 1, 1)
    assert window("日本語", 2, 4) == (1, 3, 0, 0)
    assert window("abc", 1, 4) == (1, 3, 0, 2)
    assert window("abc", 7, 4) == (3, 3, 0, 4)
