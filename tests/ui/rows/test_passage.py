"""A passage of a text is found in the rows that the text was laid out in."""

from __future__ import annotations

import pytest

from moa_tui.ui.rows.markdown_rows import render
from moa_tui.ui.rows.passage import nearest_row, places_of

TEXT = """# Moa

The moa was **a large bird** of New Zealand, and it could not fly. It laid eggs.

- It ate `leaves` and [twigs](http://example.org).
- It laid eggs.

| what | how much |
|---|---|
| weight | 230 kg |
"""


def marked(passage: str, width: int = 30, *, at: int = 0) -> list[str]:
    """What is marked of a passage of the text, row by row; it is the occurrence behind character `at`."""
    start = TEXT.index(passage, at)
    rows = render(TEXT, width).rows
    places = places_of(rows, TEXT, start, start + len(passage), is_markdown=True)
    return [rows[row].content.plain[first:end] for row, first, end in places]


@pytest.mark.parametrize("width", [20, 30, 200])
def test_a_sentence_is_marked_over_the_rows_that_it_is_broken_into_without_its_markdown(width: int) -> None:
    assert " ".join(marked("The moa was **a large bird** of New Zealand, and it could not fly.", width)) == (
        "The moa was a large bird of New Zealand, and it could not fly."
    )


def test_code_and_links_are_found_as_they_are_shown() -> None:
    assert " ".join(marked("It ate `leaves` and [twigs](http://example.org).")) == "It ate leaves and twigs."


def test_of_two_that_read_alike_the_one_meant_is_marked() -> None:
    rows = render(TEXT, 80).rows
    second = TEXT.rindex("It laid eggs.")
    (place,) = places_of(rows, TEXT, second, second + 13, is_markdown=True)
    assert rows[place[0]].content.plain.strip().endswith("It laid eggs.")
    assert "fly" not in rows[place[0]].content.plain


def test_of_a_row_of_a_table_the_first_cell_that_is_found() -> None:
    assert marked("| weight | 230 kg |") == ["weight"]


def test_in_the_raw_text_it_is_found_as_it_is_written() -> None:
    rows = render("`x`", 80).rows
    assert places_of(rows, "x y z", 0, 5, is_markdown=False) == []
    assert places_of(rows, "", 0, 0, is_markdown=True) == []


def test_what_is_nowhere_is_looked_for_about_where_it_should_be() -> None:
    rows = render("word\n\n" * 50, 80).rows
    assert nearest_row(rows, "x" * 100, 50) == len(rows) // 2
    assert nearest_row(rows, "", 0) == 0
