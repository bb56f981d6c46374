"""Texts that mean to end the program, or to keep it busy: shown, searched, compared, read and exported.

Each limit of time is one of the processor's, several times what a text takes on a slow machine.
"""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

import pytest

from moa_tui.engine.parsing import parse_closing, parse_judgement, parse_points, parse_ranking
from moa_tui.formats import export
from moa_tui.formats.foreign import Tally, from_messages
from moa_tui.gateway.think import ThinkSplitter
from moa_tui.store.search_text import SearchQuery
from moa_tui.text.markdown import Work
from moa_tui.ui.rows.code_colours import highlighted
from moa_tui.ui.rows.layout_thread import on_layout_thread
from moa_tui.ui.rows.markdown_rows import block_end, render, render_at_once
from moa_tui.ui.rows.text_rows import GrowingText, extract, find
from moa_tui.ui.run.turn_search import occurrences
from tests.ui.chat_app import chat_app

if TYPE_CHECKING:
    from collections.abc import Callable

    from moa_tui.conversation import Conversation


def wide_table(first_name: str, columns: int, rows: int) -> str:
    """A table of the column `first_name` and others that are narrow."""
    return "\n".join(
        [f"|{first_name}{'|a' * (columns - 1)}|", f"|{'-|' * columns}", *[f"{'|a' * columns}|"] * rows]
    )


NESTED = {
    "strong": "**" * 400 + "a" + "**" * 400,
    "very strong": "**" * 20_000 + "a" + "**" * 20_000,
    "brackets": "[" * 50_000,
    "links": "[" * 2_000 + "a" + "](b)" * 2_000,
    "images": "![" * 2_000 + "a" + "](b)" * 2_000,
    "quotes": ">" * 10_000 + " a",
    "lists": "- " * 5_000 + "a",
    "indented lists": "\n".join("  " * depth + "- a" for depth in range(300)),
}
LONG = {
    "addresses": "http://a." * 110_000,
    "lines of addresses": "http://a.bc\n" * 10_000,
    "mail": "a@b.cd " * 20_000,
    "headings": "# a\n" * 20_000,
    "list": "* a\n" * 20_000,
    "columns": "|a" * 5_000 + "\n" + "|-" * 5_000 + "\n" + ("|b" * 5_000 + "\n") * 5,
    "long column name": wide_table("x" * 100_000, 31, 300),
    "invisible column name": wide_table("a" + "\u0301" * 100_000, 31, 100),
    "missing cells": "|a" * 2_000 + "\n" + "|-" * 2_000 + "\n" + "|\n" * 5_000,
    "rows": "|a|b|\n|-|-|\n" + "|c|d|\n" * 20_000,
    "half links": "[a](" * 30_000,
    "half addresses": "[a](<b" * 30_000,
    "backticks": "".join("`" * count + "a" for count in range(1, 600)),
    "references": "".join(f"[a{number}]: b\n" for number in range(20_000)) + "[a1] " * 10_000,
    "entities": "&" * 100_000,
    "half tags": "<a" * 60_000,
    "open code": "```\n" + "a\n" * 40_000,
    "combining marks": "a" + "\u0301" * 100_000,
    "zalgo": ("a" + "\u0301" * 50) * 4_000,
    "joiners": "👩\u200d" * 50_000,
    "wide": "日" * 200_000,
    "tabs": "a\t" * 50_000,
    "one word": "x" * 1_000_000,
    "blank lines": "\n" * 500_000,
    "surrogates": "\ud800" * 100_000,
}
CODE = {
    "java": "\n" * 4_000,
    "c": "\n" * 4_000,
    "csharp": "a\n" * 4_000,
    "make": "a" * 4_000,
    "scala": '"' + "\\" * 4_000,
    "ini": "x = " + " " * 4_000,
}
EVERY = NESTED | LONG | {f"code in {name}": f"```{name}\n{code}\n```" for name, code in CODE.items()}


def seconds(action: Callable[[], object]) -> float:
    """The seconds of the processor that an action takes."""
    begin = time.thread_time()
    action()
    return time.thread_time() - begin


def conversation(text: str) -> Conversation:
    messages = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": text}]
    return from_messages({"messages": messages}, Tally())


@pytest.mark.parametrize("name", EVERY)
def test_no_text_is_laid_out_for_long_or_ends_the_program(name: str) -> None:
    source = EVERY[name]
    assert seconds(lambda: render(source, 78)) < 3
    assert seconds(lambda: render_at_once(source[:20_000], 78)) < 1
    assert seconds(lambda: block_end(f"{source}\n\nabc\n", 0)) < 1


@pytest.mark.parametrize("name", ["brackets", "addresses", "missing cells", "quotes"])
def test_what_cannot_be_laid_out_is_shown_as_it_was_written_below_a_note(name: str) -> None:
    source = EVERY[name]
    note, blank, *rows = render(source, 78).rows
    assert note.content.plain.startswith("Markdown that is too intricate")
    assert not blank.content.plain
    shown = extract(rows, None, None)
    assert shown[:300].split() == source[:300].split()


def test_strong_words_in_one_another_are_laid_out_as_what_they_are() -> None:
    (row,) = render(NESTED["strong"], 78).rows
    assert row.content.plain == "a"
    assert {str(span.style) for span in row.content.spans} == {"bold"}


@pytest.mark.parametrize("name", ["one word", "blank lines", "wide", "zalgo", "headings", "half tags"])
def test_a_growing_text_is_laid_out_and_searched_in_moments(name: str) -> None:
    text = GrowingText(78)
    assert seconds(lambda: text.append(EVERY[name])) < 2
    assert seconds(lambda: find(text.rows, "zz")) < 2
    assert text.source == EVERY[name]


@pytest.mark.parametrize(
    ("unit", "sought"), [("a", "a" * 2_999 + "b"), ("ab", "ab" * 1_500 + "c"), ("İa", "a" * 3_000)]
)
def test_a_long_text_is_searched_for_in_moments(unit: str, sought: str) -> None:
    text = GrowingText(78)
    text.append(unit * 195_000)
    assert seconds(lambda: find(text.rows, sought)) < 1


def test_of_a_very_long_text_the_beginning_is_shown_and_all_of_it_is_there() -> None:
    text = GrowingText(78)
    for _ in range(30):
        text.append("word " * 10_000)
    assert len(text.rows) < 6_000
    assert text.rows[-1].content.plain.startswith("… 1,1")
    assert len(text.source) == 1_500_000
    assert render(text.source, 78).rows[-1].content.plain.startswith("… 1,1")


def test_a_text_that_is_about_to_be_rendered_costs_the_screen_its_beginning_only() -> None:
    text = GrowingText()
    text.preview("a line\n" * 20_000, 78)
    assert len(text.rows) < 1_000
    assert len(text.source) == 140_000
    text.append("the end")
    assert text.rows[-1].content.plain == "the end"


async def test_texts_are_laid_out_one_after_another() -> None:
    """Threads that compute at once would make the screen's thread wait for all of them."""
    names = await asyncio.gather(*(on_layout_thread(threading.get_ident) for _ in range(6)))
    assert len(set(names)) == 1


@pytest.mark.parametrize("name", ["strong", "brackets", "missing cells", "images"])
@pytest.mark.parametrize("format", ["markdown", "html"])
def test_every_text_is_exported_whole_in_moments(name: str, format: str) -> None:
    source = EVERY[name][:50_000]
    pages: list[str] = []
    assert seconds(lambda: pages.append(export.render([conversation(source)], format))) < 4
    assert source[:100].strip() in pages[0]


@pytest.mark.parametrize("name", ["addresses", "half links", "half addresses", "wide", "entities"])
def test_searches_of_and_in_every_text_take_moments(name: str) -> None:
    text = EVERY[name]
    turn = conversation(text).turns[0]
    assert seconds(lambda: occurrences("zz", turn, None)) < 2
    assert seconds(lambda: SearchQuery(text)) < 2


@pytest.mark.parametrize(
    "reply", ["ranking: " * 20_000, '{"a":' * 20_000, "[" * 50_000, "\n" * 50_000 + "best:", "1>" * 50_000]
)
def test_a_reply_in_a_form_of_its_own_is_read_in_moments(reply: str) -> None:
    def read() -> None:
        parse_ranking(reply, 3)
        parse_judgement(reply)
        parse_points(reply)
        parse_closing(reply, ("in short", "confidence"))

    assert seconds(read) < 2


def test_blanks_before_an_answer_cost_the_same_each() -> None:
    def feed() -> None:
        for blank in (" ", "\n"):
            splitter = ThinkSplitter()
            for _ in range(100_000):
                splitter.feed(blank)
            assert [chunk.text.strip() for chunk in splitter.feed("Yes")] == ["Yes"]

    assert seconds(feed) < 3


async def test_a_conversation_of_such_answers_is_opened_and_left() -> None:
    texts = [NESTED["strong"], NESTED["brackets"][:20_000], LONG["headings"][:20_000], NESTED["quotes"]]
    messages = [
        {"role": role, "content": content}
        for text in texts
        for role, content in (("user", "Hello"), ("assistant", text))
    ]
    async with chat_app(conversation=from_messages({"messages": messages}, Tally())) as bench:
        await bench.until_shown(">" * 70)
        await bench.press("x")
        await bench.until_shown("┃ x")


@pytest.mark.parametrize("before", ["", "```aspx-vb\n"])
def test_no_lexer_that_was_not_measured_reads_code(before: str) -> None:
    code = before + "\n".join(["<%" * 195] * 46)
    language = "markdown" if before else "aspx-vb"
    assert seconds(lambda: highlighted(code, language, Work(1.0))) < 0.3
