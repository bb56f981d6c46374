"""Text as rows: wrapped at a width, copied whole, searched, and growing piece by piece."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.content import Content

from moa_tui.ui.rows.text_rows import (
    CODE,
    HEADING,
    LONGEST_LINE,
    MUTED,
    GrowingText,
    Row,
    cuts,
    extract,
    find,
    lightly_styled,
    prefixed,
    wrap,
)

PIECES = [
    *("word", "a", " ", "  ", "x" * 50, "\t", "# ", "**strong**", "`code`", "**", "`", "[/]", "[b]"),
    *("日本語", "中", "한국어", "👩‍🚀", "👨‍👩‍👧‍👦", "🇩🇪", "⚠️", "1️⃣", "e\u0301", "\u0301", "\u200d", "\ufe0f"),
    *("שלום", "مرحبا", "नमस्ते", "\u202e", "\u00a0", "—", "…"),
]
LINES = st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=25).map("".join)
TEXTS = st.lists(st.sampled_from([*PIECES, "\n", "\n\n", "\n```\n", "~~~"]), max_size=40).map("".join)
WIDTHS = st.integers(2, 40)


def plain(rows: list[Row]) -> list[str]:
    return [row.content.plain for row in rows]


def drawn(rows: list[Row]) -> list[tuple[object, ...]]:
    """Everything a row is made of: contents are equal to each other by their text alone."""
    return [(row.content.plain, row.content.spans, row.join, row.indent, row.block) for row in rows]


# --- cuts ------------------------------------------------------------------------------------------------


@given(LINES, WIDTHS, st.booleans())
@example("\u200d\u200dword", 2, False)
def test_no_piece_is_wider_than_the_width_whatever_the_text(text: str, width: int, words: bool) -> None:
    assert all(cell_len(text[start:end]) <= width for start, end, _ in cuts(text, width, words=words))


@given(LINES, WIDTHS, st.booleans())
def test_the_pieces_behind_their_joins_are_the_text(text: str, width: int, words: bool) -> None:
    pieces = [(text[start:end], join) for start, end, join in cuts(text, width, words=words)]
    assert "".join((join or "") + piece for piece, join in pieces) == text
    assert pieces[0][1] is None
    assert all(join is not None for _, join in pieces[1:])


@given(st.text(st.sampled_from("ab ~"), max_size=200), WIDTHS)
def test_a_text_is_cut_alike_whether_a_wide_character_stands_far_behind_it_or_not(
    text: str, width: int
) -> None:
    ascii_pieces = [text[start:end] for start, end, _ in cuts(text, width)]
    other_pieces = [(text + "é")[start:end] for start, end, _ in cuts(text + "é", width)]
    same = max(len(ascii_pieces) - 2, 0)
    assert ascii_pieces[:same] == other_pieces[:same]


def test_a_line_breaks_between_words_and_the_space_is_the_join() -> None:
    text = "one two three"
    assert [(text[start:end], join) for start, end, join in cuts(text, 8)] == [
        ("one two", None),
        ("three", " "),
    ]


def test_a_word_longer_than_the_width_is_cut_with_nothing_between() -> None:
    assert list(cuts("abcdefgh", 3)) == [(0, 3, None), (3, 6, ""), (6, 8, "")]


def test_without_words_every_row_is_filled() -> None:
    text = "one two three"
    assert [text[start:end] for start, end, _ in cuts(text, 5, words=False)] == ["one t", "wo th", "ree"]


def test_a_wide_character_and_an_emoji_of_several_code_points_stay_whole() -> None:
    text = "日本👩‍🚀e\u0301x"
    assert [text[start:end] for start, end, _ in cuts(text, 3)] == ["日", "本", "👩‍🚀e\u0301", "x"]


def test_chinese_with_spaces_breaks_at_them() -> None:
    text = "日本 語学"
    assert [(text[start:end], join) for start, end, join in cuts(text, 6)] == [("日本", None), ("語学", " ")]


def test_what_has_no_width_itself_does_not_make_room_for_more() -> None:
    text = "\u0301 日日日"
    assert max(cell_len(text[start:end]) for start, end, _ in cuts(text, 3)) <= 3


def test_a_width_below_two_counts_as_two() -> None:
    assert list(cuts("日本", 0)) == [(0, 1, None), (1, 2, "")]
    assert list(cuts("abcd", 1)) == [(0, 2, None), (2, 4, "")]


# --- wrap, prefixed --------------------------------------------------------------------------------------


def test_an_empty_line_is_one_empty_row() -> None:
    assert plain(wrap(Content(), 10)) == [""]


def test_styles_stay_with_their_words_over_a_break() -> None:
    rows = wrap(Content("one ").append(Content("two three").stylize("bold")), 8)
    assert plain(rows) == ["one two", "three"]
    assert [[(span.start, span.end) for span in row.content.spans] for row in rows] == [[(4, 7)], [(0, 5)]]


WORDS = st.lists(st.sampled_from([*"ab日é", "👩‍🚀", "e\u0301", "🇩🇪", "שלום"]), min_size=1, max_size=9).map(
    "".join
)


@given(st.lists(WORDS, max_size=12), WIDTHS)
def test_rows_that_were_wrapped_are_copied_as_the_line_they_were(words: list[str], width: int) -> None:
    line = " ".join(words)
    assert extract(wrap(Content(line), width), None, None) == line


def test_rows_behind_a_marker_line_up_and_are_copied_without_what_repeats() -> None:
    rows = prefixed(wrap(Content("alpha beta gamma"), 6), Content("• "))
    assert plain(rows) == ["• alpha", "  beta", "  gamma"]
    assert [row.indent for row in rows] == [2, 2, 2]
    assert extract(rows, None, None) == "• alpha beta gamma"


def test_a_marker_of_wide_characters_is_followed_by_as_many_cells() -> None:
    rows = prefixed([Row(Content("a")), Row(Content("b"))], Content("日 "))
    assert [cell_len(row.content.plain) for row in rows] == [4, 4]


def test_a_rule_goes_on_in_every_row_and_adds_up_when_nested() -> None:
    bar = Content("▎ ")
    rows = prefixed(prefixed([Row(Content("a")), Row(Content("b"), " ")], bar, bar), bar, bar)
    assert plain(rows) == ["▎ ▎ a", "▎ ▎ b"]
    assert [row.indent for row in rows] == [4, 4]


# --- extract, find ---------------------------------------------------------------------------------------

PARAGRAPHS = [*wrap(Content("the quick brown fox"), 9), *wrap(Content("jumps"), 9)]


def test_a_selection_within_a_row_is_just_that() -> None:
    assert extract(PARAGRAPHS, (0, 4), (0, 7)) == "qui"


def test_a_selection_over_a_break_of_the_width_has_a_space_there_and_a_line_end_where_the_text_has_one() -> (
    None
):
    assert plain(PARAGRAPHS) == ["the quick", "brown fox", "jumps"]
    assert extract(PARAGRAPHS, (0, 4), (2, 5)) == "quick brown fox\njumps"


def test_a_selection_beyond_the_last_row_ends_with_it() -> None:
    assert extract(PARAGRAPHS, (2, 0), (9, 9)) == "jumps"
    assert extract([], None, None) == ""


def test_blanks_at_the_ends_of_rows_are_not_copied() -> None:
    assert extract([Row(Content("a   ")), Row(Content("b "))], None, None) == "a\nb"


def test_a_place_is_found_whatever_its_case_and_over_the_break_of_a_row() -> None:
    assert find(PARAGRAPHS, "QUICK brown") == [[(0, 4, 9), (1, 0, 5)]]
    assert find(PARAGRAPHS, "o") == [[(1, 2, 3)], [(1, 7, 8)]]
    assert find(PARAGRAPHS, "fox jumps") == []
    assert find(PARAGRAPHS, "nowhere") == []


def test_a_search_does_not_see_the_rule_before_a_row_that_goes_on() -> None:
    bar = Content("▎ ")
    rows = prefixed(wrap(Content("alpha beta"), 5), bar, bar)
    assert find(rows, "alpha beta") == [[(0, 2, 7), (1, 2, 6)]]


def test_a_search_for_what_means_something_in_a_pattern_is_for_just_that() -> None:
    assert find([Row(Content("a.c (b)* abc"))], "a.c") == [[(0, 0, 3)]]
    assert find([Row(Content("a.c (b)* abc"))], "(b)*") == [[(0, 4, 8)]]


def test_a_search_in_very_many_rows_is_quick() -> None:
    rows = [row for _ in range(3_000) for row in wrap(Content("one two three four"), 9)]
    begin = time.process_time()
    assert len(find(rows, "two three")) == 3_000
    assert time.process_time() - begin < 1


# --- lightly_styled --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "styles"),
    [
        ("plain", []),
        ("# A title", [(0, 9, HEADING)]),
        ("#hashtag", []),
        ("a **bold** b", [(2, 10, "bold")]),
        ("a `code` b", [(2, 8, CODE)]),
        ("`**code**`", [(0, 10, CODE)]),
        ("** not bold", []),
    ],
)
def test_headings_code_and_strong_words_are_told_apart(line: str, styles: list[tuple[int, int, str]]) -> None:
    content = lightly_styled(line)
    assert content.plain == line
    assert [(span.start, span.end, span.style) for span in content.spans] == styles


def test_a_fence_and_what_it_holds_have_one_colour_each() -> None:
    assert [span.style for span in lightly_styled("```py", is_fence=True).spans] == [MUTED]
    assert [span.style for span in lightly_styled("# **x**", fenced=True).spans] == [CODE]


def test_a_tab_becomes_blanks_so_that_it_has_a_width() -> None:
    assert lightly_styled("\tx").plain == "    x"


@given(LINES)
@example("\r**strong**")
def test_no_style_stands_beyond_its_line(text: str) -> None:
    content = lightly_styled(text)
    assert all(0 <= span.start < span.end <= len(content.plain) for span in content.spans)


# --- GrowingText -----------------------------------------------------------------------------------------


def grown(text: str, width: int) -> GrowingText:
    growing = GrowingText(width)
    growing.append(text)
    return growing


@given(TEXTS, WIDTHS)
def test_no_row_of_a_growing_text_is_wider_than_the_width(text: str, width: int) -> None:
    rows = grown(text, width).rows
    assert all(cell_len(row.content.plain) <= width for row in rows if row.block is None)


def test_what_is_still_written_of_code_or_a_table_is_not_wrapped() -> None:
    growing = grown("some words\n| a | b |\n|---|\n| long cell |\nwords\n```py\nif long_name:\n| x", 8)
    assert [(row.content.plain, row.block) for row in growing.rows] == [
        ("some", None),
        ("words", None),
        ("| a | b |", 0),
        ("|---|", 0),
        ("| long cell |", 0),
        ("words", None),
        ("```py", None),
        ("if long_name:", 1),
        ("| x", 1),
    ]
    growing.append("\n```\n|x| is no table")
    assert plain(growing.rows)[-3:] == ["```", "|x| is", "no table"]
    growing.append("\n```md\n| long words\n```\n```\n| long words")
    assert plain(growing.rows)[-6:] == ["```md", "| long", "words", "```", "```", "| long words"]
    growing.show_rendered(11, [Row(Content("above"), block=4)])
    assert [row.block for row in growing.rows][:5] == [4, 5, 5, 5, None]


@given(TEXTS, WIDTHS, st.lists(st.integers(0, 200), max_size=12))
def test_a_text_in_pieces_gives_the_rows_of_the_whole(text: str, width: int, ends: list[int]) -> None:
    growing = GrowingText(width)
    edges = [0, *sorted(min(end, len(text)) for end in ends), len(text)]
    for start, end in pairwise(edges):
        growing.append(text[start:end])
    assert growing.source == text
    assert drawn(growing.rows) == drawn(grown(text, width).rows)


@given(TEXTS, WIDTHS, st.lists(st.integers(0, 200), max_size=6))
def test_what_an_append_says_has_changed_is_all_that_has(text: str, width: int, ends: list[int]) -> None:
    growing = GrowingText(width)
    edges = [0, *sorted(min(end, len(text)) for end in ends), len(text)]
    for start, end in pairwise(edges):
        before = drawn(growing.rows)
        last_line = growing.source.rfind("\n") + 1
        # The rows above the last line, whose own first row stands for it in the text that ends before it.
        above = len(grown(text[:last_line], width).rows) - 1 if last_line else 0
        changed = growing.append(text[start:end])
        assert changed == above
        assert drawn(growing.rows)[:changed] == before[:changed]


@given(TEXTS, WIDTHS, WIDTHS)
def test_another_width_gives_the_rows_of_a_text_that_had_it_from_the_start(
    text: str, width: int, other: int
) -> None:
    growing = grown(text, width)
    growing.resize(other)
    assert growing.source == text
    assert drawn(growing.rows) == drawn(grown(text, other).rows)


@given(TEXTS.filter(bool), WIDTHS, st.integers(1, 200), TEXTS.filter(bool))
def test_settling_keeps_the_source_and_what_comes_later(
    text: str, width: int, characters: int, more: str
) -> None:
    characters = min(characters, len(text))
    rows = [Row(Content("rendered"))] * 3
    growing = grown(text, width)
    growing.show_rendered(characters, rows)
    assert growing.source == text
    assert (growing.rendered_characters, growing.rendered_rows) == (characters, 3)
    assert drawn(growing.rows[:3]) == drawn(rows)
    growing.append(more)
    assert growing.source == text + more
    assert drawn(growing.rows[:3]) == drawn(rows)
    assert drawn(growing.rows[3:]) == drawn(grown(text[characters:] + more, width).rows)
    growing.resize(width)
    assert (growing.rendered_characters, growing.rendered_rows) == (0, 0)
    assert drawn(growing.rows) == drawn(grown(text + more, width).rows)


def test_a_text_without_a_width_waits_for_one() -> None:
    growing = GrowingText()
    growing.append("# a\n```\n# b")
    assert growing.rows == []
    growing.resize(10)
    assert plain(growing.rows) == ["# a", "```", "# b"]
    assert growing.rows[2].content.spans[0].style == CODE


def test_a_text_that_is_rendered_whole_shows_nothing_behind_the_rows() -> None:
    growing = grown("word", 10)
    growing.show_rendered(4, [Row(Content("rendered"))])
    assert plain(growing.rows) == ["rendered"]


def test_what_stands_in_a_fence_is_no_heading_until_the_fence_ends() -> None:
    rows = grown("```\n# no\n```\n# yes", 20).rows
    assert [row.content.spans[0].style for row in rows] == [MUTED, CODE, MUTED, HEADING]


def test_replacing_a_text_leaves_nothing_of_the_former() -> None:
    growing = grown("a\nb\nc", 10)
    growing.show_rendered(2, [Row(Content("rendered"))])
    growing.replace("z")
    assert (growing.source, plain(growing.rows), growing.rendered_characters) == ("z", ["z"], 0)


def test_a_very_long_line_is_copied_and_searched_as_the_line_it_is() -> None:
    line = "x" * (LONGEST_LINE - 2) + "needle" + "y" * 3_000
    rows = grown(line, 80).rows
    assert len(find(rows, "needle")) == 1
    assert extract(rows, None, None).count("\n") == 0
    assert len(extract(rows, None, None)) == len(line)


@pytest.mark.parametrize("piece", ["x", "ab ", "日", "é "])
def test_appending_to_a_very_long_line_costs_as_much_as_what_is_new(piece: str) -> None:
    growing = grown(piece * 100_000, 80)
    begin = time.process_time()
    for _ in range(100):
        growing.append(piece)
    assert time.process_time() - begin < 1


def test_a_character_that_grows_in_lower_case_shifts_no_occurrence() -> None:
    assert find([Row(Content("İİ stanBUL İ"))], "STANbul") == [[(0, 3, 10)]]
    assert find([Row(Content("x İ y"))], "İ") == [[(0, 2, 3)]]
