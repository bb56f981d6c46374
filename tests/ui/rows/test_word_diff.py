"""Comparing two texts word by word, and laying out what was found."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from moa_tui.ui.rows.text_rows import extract
from moa_tui.ui.rows.word_diff import MAX_WORDS, STYLES, diff, side_by_side, unified

HOSTILE = [
    "[/] [bold]x[/bold] [@click=app.quit]y[/]",
    "\x1b]52;c;aGk=\x07 \x1b[31mred",
    "שלום \u202eevil\u202c עולם",
    "x" * 200_000,
    "日本語のテキスト。" * 20,
    "👩‍🚀👨‍👩‍👧‍👦 e\u0301 ⚠️ नमस्ते",
    "\t \r\n \u2028 \x0b",
    "",
]


def words_of(number: int, seed: int) -> str:
    """Prose of that many words in paragraphs, few of them common, most rare."""
    some = random.Random(seed)
    vocabulary = [f"w{at}" for at in range(4_000)]
    weights = [1 / (at + 1) for at in range(4_000)]
    words = some.choices(vocabulary, weights, k=number)
    return "\n\n".join(" ".join(words[at : at + 60]) + "." for at in range(0, number, 60))


def changed(left: str, right: str) -> list[tuple[str, str]]:
    return [(piece.left.strip(), piece.right.strip()) for piece in diff(left, right).pieces if not piece.same]


def test_only_the_words_that_differ_are_marked() -> None:
    assert changed("a quick brown fox", "a quick red fox") == [("brown", "red")]
    assert changed("a b c", "a b c d") == [("", "d")]
    assert changed("same", "same") == []


def test_punctuation_and_emphasis_are_no_part_of_a_word() -> None:
    assert changed("the **end**.", "the end!") == [("**", ""), ("**.", "!")]


def test_spaces_and_line_ends_alone_are_no_difference() -> None:
    assert changed("a  b\nc", "a b c") == []


def test_chinese_is_compared_by_the_character() -> None:
    assert changed("我喜欢茶", "我喜欢水") == [("茶", "水")]


def test_a_lone_word_shared_by_chance_does_not_tear_a_change_apart() -> None:
    left, right = "one two three and four five six", "seven eight nine and ten eleven twelve"
    assert changed(left, right) == [(left, right)]
    assert diff(left, right).same == 1


def test_the_counts_say_how_much_is_shared() -> None:
    found = diff("a b c d", "a b x")
    assert (found.same, found.only_left, found.only_right) == (2, 2, 1)
    assert found.share == pytest.approx(4 / 7)
    assert diff("", "").share == 1.0


@given(st.text(max_size=200), st.text(max_size=200))
@settings(max_examples=150, deadline=None)
def test_the_pieces_of_any_two_texts_make_the_texts_again(left: str, right: str) -> None:
    pieces = diff(left, right).pieces
    assert "".join(piece.left for piece in pieces) == left
    assert "".join(piece.right for piece in pieces) == right


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_texts_are_laid_out_within_the_width(hostile: str) -> None:
    pieces = diff(hostile, hostile[: len(hostile) // 2] + " other words").pieces
    left, right = side_by_side(pieces, 30)
    assert len(left) == len(right)
    for row in [*left, *right, *unified(pieces, 30)]:
        assert cell_len(row.content.plain) <= 30
        assert "\x1b" not in row.content.plain
        assert "\u202e" not in row.content.plain


def test_what_one_side_alone_has_is_told_by_signs_and_by_style() -> None:
    pieces = diff("keep old end", "keep new end").pieces
    left, right = side_by_side(pieces, 40)
    assert left[0].content.plain == "keep [-old-] end"
    assert right[0].content.plain == "keep {+new+} end"
    assert [span.style for span in left[0].content.spans] == [STYLES["left"]]
    assert unified(pieces, 40)[0].content.plain == "keep [-old-] {+new+} end"


def test_signs_are_shown_as_text_even_where_the_text_looks_like_markup() -> None:
    rows = unified(diff("[bold]a[/] z", "[/bold] z").pieces, 60)
    assert rows[0].content.plain == "[-[bold]a[/-]{+[/bold+}] z"


def test_lines_that_agree_stand_at_the_same_height() -> None:
    left, right = side_by_side(diff("one\nlong old words here\nend", "one\nx\nend").pieces, 10)
    assert len(left) == len(right)
    ends = [next(y for y, row in enumerate(side) if row.content.plain == "end") for side in (left, right)]
    assert ends[0] == ends[1]


def test_rows_that_only_fill_up_leave_nothing_in_what_is_copied() -> None:
    _, right = side_by_side(diff("one\nlong old words here\nend", "one\nx\nend").pieces, 10)
    assert extract(right, None, None) == "one\n{+x+}\nend"
    left, _ = side_by_side(diff("one\nx\nend", "one\nlong new words here\nend").pieces, 10)
    assert extract(left, None, None) == "one\n[-x-]\nend"


def test_a_mark_that_runs_over_several_rows_keeps_its_style_on_each() -> None:
    rows = unified(diff("", "a long run of words that are all new").pieces, 12)
    assert len(rows) > 2
    spans = [(span.start, span.end, span.style) for row in rows for span in row.content.spans]
    assert spans == [(0, len(row.content), STYLES["right"]) for row in rows]


def test_a_mark_in_a_later_row_stands_where_its_words_are() -> None:
    rows = unified(diff("one two three four five", "one two three four NEW five").pieces, 14)
    (row,) = (row for row in rows if row.content.spans)
    (span,) = row.content.spans
    assert row.content.plain[span.start : span.end] == "{+NEW+}"


def test_long_texts_are_compared_by_lines_first_and_by_words_within() -> None:
    some = random.Random(1)
    # Words so common that none could begin a match in texts of this length.
    lines = [" ".join(some.choices("abcdefgh", k=10)) for _ in range(MAX_WORDS)]
    others = [
        f"{line[:10]}X{line[11:]}" if number % 500 == 250 else line for number, line in enumerate(lines)
    ]
    found = diff("\n".join(lines), "\n".join(others))
    assert found.only_left == found.only_right == 6
    assert "".join(piece.right for piece in found.pieces) == "\n".join(others)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (words_of(20_000, 1), words_of(20_000, 2)),
        (words_of(20_000, 1).replace("\n", " "), words_of(20_000, 2).replace("\n", " ")),
        ("a " * 20_000, "b " + "a " * 20_000),
        ("a b " * 10_000, "b b a " * 6_000),
    ],
    ids=["other texts", "one line each", "one word", "two words"],
)
def test_two_very_long_texts_take_no_noticeable_time(left: str, right: str) -> None:
    begun = time.process_time()
    diff(left, right)
    # Well under a second by itself; the rest is for a busy machine.
    assert time.process_time() - begun < 3


def alternating(own: str, count: int, joint: str) -> str:
    """Words of which every other one is among the twelve that both texts have, in the same order."""
    return joint.join(f"w{number // 2 % 12}" if number % 2 else f"{own}{number}" for number in range(count))


@pytest.mark.parametrize(("count", "joint"), [(3_000, " "), (20_000, " "), (40_000, "\n")])
def test_texts_too_different_to_compare_are_given_up_in_a_second(count: int, joint: str) -> None:
    left, right = alternating("x", count, joint), alternating("y", count, joint)
    begin = time.thread_time()
    result = diff(left, right)
    assert time.thread_time() - begin < 2
    assert not result.is_complete
    assert "".join(piece.left for piece in result.pieces) == left
    assert "".join(piece.right for piece in result.pieces) == right
    assert result.same + result.only_left == count
