"""Markdown as rows: what a model wrote, laid out at any width, and where it may be cut while it grows."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.content import Content
from textual.style import Style

from moa_tui.ui.rows.markdown_rows import Rendered, block_end, render
from moa_tui.ui.rows.text_rows import CODE, WIDEST, Row, extract


def lines(source: str, width: int = 40) -> list[str]:
    return [row.content.plain.rstrip() for row in render(source, width).rows]


def widest(rendered: Rendered) -> int:
    """The cells of the widest row that is not scrolled sideways."""
    return max((cell_len(row.content.plain) for row in rendered.rows if row.block is None), default=0)


def meta_of(rendered: Rendered, key: str) -> dict[str, Any]:
    """Text -> value, for every stretch of the rows whose style has that meta."""
    found = {}
    for row in rendered.rows:
        for span in row.content.spans:
            if isinstance(span.style, Style) and key in span.style.meta:
                found[row.content.plain[span.start : span.end]] = span.style.meta[key]
    return found


def styles_of(source: str) -> dict[str, set[str]]:
    """Text -> the styles on it."""
    found: dict[str, set[str]] = {}
    for row in render(source, 80).rows:
        for span in row.content.spans:
            found.setdefault(row.content.plain[span.start : span.end], set()).add(str(span.style))
    return found


# --- blocks -------------------------------------------------------------------------------------------------


def test_a_heading_keeps_its_signs_and_lines_up_when_it_wraps() -> None:
    assert lines("## A rather long heading", 16) == ["## A rather long", "   heading"]
    assert lines("Title\n=====") == ["# Title"]


def test_paragraphs_are_parted_by_a_blank_row_and_their_line_ends_are_spaces() -> None:
    assert lines("one\ntwo\n\nthree") == ["one two", "", "three"]


@pytest.mark.parametrize("source", ["a  \nb", "a\\\nb"])
def test_a_hard_break_breaks(source: str) -> None:
    assert lines(source) == ["a", "b"]


def test_words_in_bold_italics_code_and_struck_out_are_told_apart() -> None:
    found = styles_of("**b** *i* `c` ~~s~~ plain")
    assert "bold" in found["b"]
    assert "italic" in found["i"]
    assert "strike" in found["s"]
    assert found["c"]
    assert "plain" not in found


def test_nested_lists_are_indented_with_a_mark_of_their_own() -> None:
    assert lines("- a\n- b\n  - c\n    - d\n- e") == ["• a", "• b", "  ◦ c", "    ▪ d", "• e"]


def test_the_items_of_a_loose_list_are_parted_by_blank_rows() -> None:
    assert lines("- a\n\n- b\n\n  more\n- c") == ["• a", "", "• b", "", "  more", "", "• c"]


def test_an_ordered_list_counts_from_its_first_number_and_lines_up() -> None:
    assert lines("9. nine\n1. ten") == [" 9. nine", "10. ten"]
    assert lines("0. a\n1. b") == ["0. a", "1. b"]


def test_an_item_that_wraps_lines_up_with_its_text() -> None:
    assert lines("1. alpha beta gamma", 12) == ["1. alpha", "   beta", "   gamma"]


def test_an_empty_item_still_shows_its_mark() -> None:
    assert lines("- a\n-\n- b") == ["• a", "•", "• b"]


def test_every_row_of_a_quote_stands_behind_a_rule() -> None:
    assert lines("> alpha beta\n>\n> > gamma", 10) == ["▎ alpha", "▎ beta", "▎", "▎ ▎ gamma"]


def test_a_rule_is_as_wide_as_there_is_room() -> None:
    assert lines("---", 7) == ["─" * 7]


def test_html_is_shown_as_it_is_written() -> None:
    shown = "\n".join(lines("<b>x</b>\n\n<div onclick=y>\nhi\n</div>\n\na <!-- c --> &lt;z&gt;"))
    assert "<b>x</b>" in shown
    assert "<div onclick=y>" in shown
    assert "</div>" in shown
    assert "a <!-- c --> <z>" in shown


def test_markup_of_the_screens_own_is_shown_as_it_is_written() -> None:
    source = "a [bold]b[/bold] [/] [@click=app.quit]c[/]"
    assert lines(source, 60) == [source]


def test_an_empty_text_has_no_rows() -> None:
    assert render("", 40).rows == []
    assert render("\n\n", 40).rows == []


# --- code ---------------------------------------------------------------------------------------------------


def test_code_stands_in_a_frame_with_its_language_and_a_copy_mark() -> None:
    assert lines("```python\nx = 1\n\nif x:\n\ty()\n```") == [
        "┌ python copy",
        "│ x = 1",
        "│",
        "│ if x:",
        "│     y()",
        "└",
    ]
    assert lines("```\nplain\n```")[0] == "┌ copy"


def test_code_of_a_named_language_has_colours_and_other_code_has_one() -> None:
    named = render("```python\nfor x in range(3): pass\n```", 60).rows[1].content
    assert len({str(span.style) for span in named.spans}) > 2
    for source in ("```\nfor x in range(3): pass\n```", "    for x in range(3): pass"):
        row = render(source, 60).rows[1].content
        assert [str(span.style) for span in row.spans if span.end > 2 and span.start >= 2] == [CODE]


def test_an_unknown_language_is_plain_code() -> None:
    assert lines("```nosuchlanguage\nx\n```") == ["┌ nosuchlanguage copy", "│ x", "└"]


def test_a_line_of_code_stays_one_row_whatever_the_width() -> None:
    source = "> - ```py\n>   if a_long_name:\n>       return another_name\n>   ```"
    for width in (4, 12, 80):
        rendered = render(source, width)
        rows = [row for row in rendered.rows if row.block is not None]
        assert [row.content.plain[row.indent :] for row in rows] == [
            "if a_long_name:",
            "    return another_name",
        ]
        assert {row.block for row in rows} == {0}
        assert rendered.code == ["if a_long_name:\n    return another_name"]


def test_a_monstrous_line_of_code_is_cut_and_copied_whole() -> None:
    code = "x" * (2 * WIDEST + 5)
    rendered = render(f"```\n{code}\n```", 80)
    assert [len(row.content) - row.indent for row in rendered.rows[1:-1]] == [WIDEST, WIDEST, 5]
    assert extract(rendered.rows, (1, 2), (3, 7)) == code


def test_markdown_in_a_code_block_is_prose_and_wraps_between_words() -> None:
    rendered = render("```markdown\nsome longer words\n```", 14)
    assert [row.content.plain for row in rendered.rows[1:-1]] == ["│ some longer", "│ words"]
    assert extract(rendered.rows, (1, 2), (2, 7)) == "some longer words"


def test_tables_and_code_blocks_count_on_from_the_first_number_given() -> None:
    source = "|a|\n|-|\n|b|\n\n- list\n\n  ```\n  c\n  ```\n\n|d|\n|-|"
    for width in (10, 80):
        numbers = [row.block for row in render(source, width, 0, 7).rows if row.block is not None]
        assert numbers == [7, 7, 7, 8, 9, 9]


def test_the_copy_marks_count_on_from_the_first_number_given() -> None:
    source = "```\na\n```\n\n- in a list\n\n  ```sh\n  b\n  ```\n\n> ```\n> c\n> ```\n\n    d"
    marks = [
        span.style.meta["code"]
        for row in render(source, 40, 7).rows
        for span in row.content.spans
        if isinstance(span.style, Style) and "code" in span.style.meta
    ]
    assert marks == [7, 8, 9, 10]
    assert render(source, 40, 7).code == ["a", "b", "c", "d"]


def test_copied_code_keeps_its_tabs() -> None:
    assert render("```make\nall:\n\techo\n```", 40).code == ["all:\n\techo"]


def test_a_fence_that_is_not_closed_is_code_to_the_end() -> None:
    rendered = render("```py\na\n\nb", 40)
    assert rendered.code == ["a\n\nb"]


def test_a_very_long_line_of_code_is_copied_as_it_is() -> None:
    code = "x" * 5_000
    assert render(f"```json\n{code}\n```", 80).code == [code]


# --- tables -------------------------------------------------------------------------------------------------


def test_a_narrow_table_takes_what_it_needs_and_its_columns_line_up() -> None:
    assert lines("|name|n|\n|--|--:|\n|日本|1|\n|b|22|") == ["name │ n", "─────┼───", "日本 │ 1", "b    │ 22"]


def test_a_wide_table_wraps_its_cells_and_its_columns_line_up() -> None:
    shown = lines("|a|b|\n|--|--|\n|long words here in the cell|x|\n|**y**|`z`|", 20)
    assert all(line.index("┼" if "┼" in line else "│") == 17 for line in shown)
    assert [line[:16].strip() for line in shown] == ["a", "─" * 16, "long words here", "in the cell", "y"]


def test_a_table_whose_words_have_no_room_is_as_wide_as_it_would_be() -> None:
    source = "|model|context window|price|\n|--|--|--|\n|alpha-large|128,000 tokens|$3.00|"
    as_wide_as_it_is = [
        "model       │ context window │ price",
        "────────────┼────────────────┼──────",
        "alpha-large │ 128,000 tokens │ $3.00",
    ]
    assert lines(source, 20) == lines(source, 36) == as_wide_as_it_is
    assert lines(source, 35)[0] == "model       │ context       │ price"


def test_a_long_text_in_a_table_that_has_no_room_is_wrapped_all_the_same() -> None:
    sentence = "This is a sentence that is far too long to stand on one line of a cell."
    shown = lines(f"|a|b|\n|--|--|\n|{'y' * 25}|{sentence}|", 30)
    assert [line[28:] for line in shown[2:]] == [
        "This is a sentence that is far too long",
        "to stand on one line of a cell.",
    ]


def test_a_very_long_word_does_not_make_a_table_wide() -> None:
    address = "https://example.org/" + "x" * 200
    source = f"|a|b|\n|--|--|\n|1|{address}|"
    assert max(map(len, lines(source, 40))) == 40
    assert max(map(len, lines("|a|b|\n|--|--|\n|1|" + "日本語の文章" * 20 + "|", 40))) == 40


def test_a_table_of_very_many_columns_is_written_cell_by_cell_behind_the_columns_names() -> None:
    names = [f"n{number}" for number in range(300)]
    shown = lines(f"|{'|'.join(names)}|\n{'|-' * 300}|\n{'|x' * 300}|\n{'|y' * 300}|", 80)
    assert shown[:2] == ["n0: x", "n1: x"]
    assert shown[299:302] == ["n299: x", "", "n0: y"]


def test_a_cell_may_have_several_lines() -> None:
    source = "| h | i |\n|---|---|\n| one<br>two | x |\n"
    assert lines(source) == ["h   │ i", "────┼──", "one │ x", "two │"]
    assert lines("|a|b|c|\n|-|-|-|\n|one<br>two|x|y|", 8)[2:] == ["one │ x │ y", "two │   │"]


def test_a_formula_of_several_lines_keeps_them() -> None:
    assert lines("so\n\\[\nx_1\n- \\{y\\}\n\\]") == ["so", "", "\\[", "x_1", "- \\{y\\}", "\\]"]


def test_a_row_with_cells_missing_or_too_many_is_laid_out_all_the_same() -> None:
    assert lines("|a|b|\n|--|--|\n|1|\n|1|2|3|") == [
        "a │ b",
        "──┼────",
        "1 │",
        "1 │ 2|3",
    ]


def test_a_table_of_five_thousand_rows_is_laid_out_in_moments() -> None:
    source = "|a|b|\n|--|--|\n" + "".join(f"|{number}|x|\n" for number in range(5_000))
    begin = time.process_time()
    rendered = render(source, 80)
    assert time.process_time() - begin < 3
    assert len(rendered.rows) == 5_002
    assert rendered.rows[-1].content.plain == "4999 │ x"


# --- links --------------------------------------------------------------------------------------------------


def test_a_link_keeps_its_whole_address_in_the_meta_and_is_never_a_terminal_link() -> None:
    address = "https://example.org/" + "a" * 300 + "?q=1#x"
    rendered = render(f"see [the page]({address}) and <http://a.b/c> and https://d.e/f", 80)
    assert meta_of(rendered, "link") == {
        "the page": address,
        "http://a.b/c": "http://a.b/c",
        "https://d.e/f": "https://d.e/f",
    }
    assert rendered.links == [
        ("the page", address),
        ("http://a.b/c", "http://a.b/c"),
        ("https://d.e/f", "https://d.e/f"),
    ]
    styles = [span.style for row in rendered.rows for span in row.content.spans]
    assert all(style.link is None for style in styles if isinstance(style, Style))


def test_an_image_is_named_and_can_be_opened_like_a_link() -> None:
    rendered = render("![a bird](https://e.org/moa.png) ![](b.png)", 80)
    assert rendered.rows[0].content.plain == "image: a bird image: b.png"
    assert rendered.links == [("a bird", "https://e.org/moa.png"), ("b.png", "b.png")]


def test_a_link_over_two_rows_can_be_clicked_in_both() -> None:
    rendered = render("[alpha beta](https://e.org)", 6)
    assert meta_of(rendered, "link") == {"alpha": "https://e.org", "beta": "https://e.org"}


def test_an_address_that_would_run_a_script_is_no_link() -> None:
    assert render("[x](javascript:alert(1))", 80).links == []


# --- sizes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", ["x", "word ", "日", "<", "a@b.c ", "|a", "\\", "- ", "> x"])
def test_a_line_of_200_000_characters_is_laid_out_in_under_a_second(unit: str) -> None:
    source = (unit * 200_000)[:200_000]
    begin = time.thread_time()
    rendered = render(source, 80)
    assert time.thread_time() - begin < 1
    assert widest(rendered) <= 80


@pytest.mark.parametrize("unit", ["*a", "`a` ", "**b** ", "[a](b) "])
def test_a_line_of_very_many_styles_is_laid_out_in_moments(unit: str) -> None:
    source = (unit * 60_000)[:60_000]
    begin = time.process_time()
    render(source, 40)
    assert time.process_time() - begin < 2


def test_a_very_long_word_is_copied_without_gaps() -> None:
    word = "x" * 5_000
    assert extract(render(word, 80).rows, None, None) == word


def test_what_is_nested_deep_is_still_there() -> None:
    shown = "\n".join(lines("\n".join("  " * depth + f"- item{depth}" for depth in range(15)), 120))
    assert [f"item{depth}" in shown for depth in range(15)] == [True] * 15
    assert "deep" in "\n".join(lines("> " * 25 + "deep", 120))


@pytest.mark.parametrize(
    "source", ["> " * 19 + "quoted words", "\n".join("  " * d + "- item" for d in range(9))]
)
def test_deep_nesting_stays_within_the_width(source: str) -> None:
    for width in (10, 20, 40):
        assert widest(render(source, width)) <= width


PIECES = [
    *(
        "# ",
        "- ",
        "1. ",
        "10) ",
        "> ",
        "```",
        "```py\n",
        "~~~",
        "    ",
        "\t",
        "|",
        "|a|b|\n|-|-|\n",
        "|1|2|\n",
    ),
    *("\n", "\n\n", "  \n", "---\n", "===\n", "**", "*", "_", "`", "~~", "[t](u)", "![", "](", "<b>", "</b>"),
    *(
        "word",
        "x" * 45,
        " ",
        "https://a.b/c ",
        "<http://a.b>",
        "&amp;",
        "\\",
        "日本語",
        "👩‍🚀",
        "⚠️",
        "e\u0301",
    ),
    *("שלום", "\u200d", "\ufe0f", "[/]", "[bold]"),
]
DOCUMENTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=30).map("".join)


@settings(deadline=None)
@given(DOCUMENTS, st.integers(10, 60))
@example("|a|日|\n|-|-|\n" + "|日|日|\n", 10)
@example("|" + "日|" * 8 + "\n|" + "-|" * 8 + "\n|" + "日|" * 8, 10)
@example("> - > - > - deep", 10)
@example("- " * 12 + "x", 10)
@example("123456789. long number", 10)
def test_no_row_is_wider_than_the_width(source: str, width: int) -> None:
    assert widest(render(source, width)) <= width


@settings(deadline=None)
@given(st.text(), st.integers(0, 9))
def test_nothing_raises_whatever_the_width(source: str, width: int) -> None:
    render(source, width)


# --- block_end ----------------------------------------------------------------------------------------------

CORPUS = {
    "prose": "# Title\n\nOne paragraph\nof two lines.\n\nAnother.\n\n## Section\nText.\n\n---\n\nEnd.\n",
    "tight list": "Before:\n\n- a\n- b\n  - c\n\nAfter it.\n",
    "loose list": "Before:\n\n- a\n\n- b\n\n  more of b\n\n- c\n\nAfter it.\n",
    "ordered loose list": "1. one\n\n2. two\n\n   more\n\n10. ten\n\nAfter it.\n\n3. three\n",
    "two lists": "- a\n- b\n\n1. c\n2. d\n\n* e\n* f\n\nEnd of lists.\n",
    "fence": "Text\n\n```python\na = 1\n\n\nb = 2\n\n# no\n```\n\nText\n\n~~~\n```\n\nx\n~~~\n\nEnd.\n",
    "long fence": "````\n```\n\ninside\n```\n\nstill inside\n````\n\nOutside.\n",
    "fence in a list": "1. A:\n\n   ```sh\n   ls\n\n   cd\n   ```\n\n2. B:\n\n   ```\n   x\n   ```\n\nEnd.\n",
    "fence at a marker": "- ```py\n  a\n\n  b\n  ```\n\nText.\n\n```\nx\n\nyyyy\n```\n\nEnd.\n",
    "fence in a quote": "> ```\n> a\n>\n> b\n> ```\n\nText\n\n```\nc\n\nddd\n```\n",
    "code in a line": "```not a fence``` is code.\n\nText.\n\n```\nx\n\nyyyy\n```\n\nEnd.\n",
    "indented fence": "Text\n\n    ```\n\nText.\n\n```\nx\n\nyyyy\n```\n\nEnd.\n",
    "fence closed too deep": "```\na\n    ```\n\nstill code\n```\n\nEnd.\n",
    "unclosed fence": "Text.\n\n```py\na\n\nb\n\nccc\n",
    "table": "Before.\n\n|a|b|\n|-|-|\n|1|2|\n|3|4|\n\nAfter.\n\n|c|d|\n|-|-|\n|5|6|\n",
    "quote": "> one\n> two\n\n> three\n\nText.\n\n> four\nlazy\n\nEnd.\n",
    "indented code": "Text.\n\n    a\n\n    b\n\nText.\n",
    "setext": "Title\n=====\n\nText.\n\nOther\n-----\n\nText.\n",
    "bold first": "**Bold** start.\n\n*Italic* start.\n\n+1 for this.\n\n-5 degrees.\n\n2024 was a year.\n",
    "html": "<div>\n\ntext\n\n</div>\n\n<!--\n\ncomment\n\n-->\n\nEnd.\n",
    "short lines": "ab\n\nc\n\nd\n\nefg\n\nh\n",
    "odd line ends": "a\u2028```\n\nText.\n\n```\nx\n\nyyyy\n```\n\nEnd.\n",
    "links": "See [a](http://b.c).\n\n![i](d.png) and https://e.f\n\nEnd.\n",
    "chinese": "标题\n\n第一段。\n\n- 一\n\n- 二\n\n第二段。\n",
}


def drawn(rows: list[Row]) -> list[tuple[object, ...]]:
    return [
        (row.content.plain, [(s.start, s.end, str(s.style)) for s in row.content.spans], row.join)
        for row in rows
    ]


def in_parts(source: str, width: int, step: int) -> Rendered:
    """As an answer is laid out while it is written: each part alone as soon as it cannot change any more."""
    whole = Rendered()
    settled = 0
    for size in [*range(step, len(source), step), len(source)]:
        ends = [block_end(source[:size], settled)]
        if size == len(source):
            ends.append(len(source))
        for end in ends:
            assert settled <= end <= size
            part = render(source[settled:end], width, len(whole.code))
            if whole.rows and part.rows:
                whole.rows.append(Row(Content()))
            whole.rows += part.rows
            whole.code += part.code
            whole.links += part.links
            settled = end
    return whole


@pytest.mark.parametrize("step", [1, 7, 10_000])
@pytest.mark.parametrize("source", CORPUS.values(), ids=CORPUS)
def test_a_document_laid_out_in_parts_is_the_document_laid_out_whole(source: str, step: int) -> None:
    parts, whole = in_parts(source, 30, step), render(source, 30)
    assert drawn(parts.rows) == drawn(whole.rows)
    assert (parts.code, parts.links) == (whole.code, whole.links)


@pytest.mark.parametrize("name", ["prose", "tight list", "fence", "table", "quote", "setext", "chinese"])
def test_a_growing_document_is_laid_out_long_before_it_is_whole(name: str) -> None:
    source = CORPUS[name]
    assert block_end(source, 0) > len(source) // 3


def test_the_end_of_the_text_is_no_end_of_a_block() -> None:
    assert block_end("One paragraph.\n\n", 0) == 0
    assert block_end("One paragraph.\n\nNext\n", 0) == len("One paragraph.\n\n")
    assert block_end("One paragraph.\nstill\n", 0) == 0


def test_a_list_is_not_cut_before_it_is_known_to_have_ended() -> None:
    for more in ("- c\n", "  more\n", "\tmore\n", "2. c\n", "* c\n", "", "1", "Te"):
        assert block_end(f"- a\n\n- b\n\n{more}", 0) == 0
    assert block_end("- a\n\n- b\n\nText\n", 0) == len("- a\n\n- b\n\n")


def test_looking_for_an_end_goes_on_from_where_the_last_one_was() -> None:
    source = "One.\n\nTwo.\n\nThree.\n"
    assert block_end(source, 0) == block_end(source, 6) == len("One.\n\nTwo.\n\n")
    assert block_end(source, 12) == 12


def test_a_long_name_of_a_column_is_cut_where_it_stands_before_each_cell() -> None:
    table = f"|{'x' * 100}|b|{'c|' * 300}\n{'|-' * 302}|\n" + f"|1|2|{'3|' * 300}\n" * 2
    texts = [row.content.plain for row in render(table, 20).rows]
    assert "".join(texts[:2]) == "x" * 39 + "…"
    assert texts[2] == ": 1"
    assert texts.count("b: 2") == 2
