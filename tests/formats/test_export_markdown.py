"""Conversations as Markdown: nothing lost, and nothing in a text that passes for the file's own."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import yaml  # type: ignore[import-untyped]
from hypothesis import example, given, settings
from markdown_it import MarkdownIt

from moa_tui.engine.left_out import left_out
from moa_tui.formats.export import render
from moa_tui.formats.export.markdown import contained
from moa_tui.text.markdown import CountedParser
from tests.conversations import (
    a_conversation,
    conversations,
    texts,
    with_branches,
)
from tests.formats.helpers import DEEP, HOSTILE, HUGE, as_file

some = settings(max_examples=12, deadline=None)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markdown_it.token import Token

    from moa_tui.conversation import Conversation


def front_matter(text: str) -> dict[str, object]:
    begin, matter, _ = text.split("---\n", 2)
    assert begin == ""
    values = yaml.safe_load(matter)
    assert isinstance(values, dict)
    return values


def parsed(text: str) -> list[Token]:
    """The body of a Markdown file, as a reader with tables and HTML takes it."""
    body = text.split("---\n", 2)[2]
    return MarkdownIt("commonmark").enable("table").parse(body)


def headings(tokens: list[Token]) -> Iterator[tuple[str, str]]:
    for token, following in itertools.pairwise(tokens):
        if token.type == "heading_open" and token.level == 0:
            yield token.tag, following.content


def has_html(tokens: list[Token]) -> Iterator[str]:
    for token in tokens:
        if token.type == "html_block":
            yield from (line for line in token.content.splitlines() if line)
        yield from (child.content for child in token.children or () if child.type == "html_inline")


@given(conversations())
@example(DEEP)
@example(HOSTILE)
@example(HUGE)
@some
def test_no_text_can_forge_a_turn_or_open_or_close_a_section(conversation: Conversation) -> None:
    tokens = parsed(render([conversation], "markdown"))
    turns = [text for tag, text in headings(tokens) if tag == "h2"]
    assert [re.split("[ ,]", turn)[1] for turn in turns] == [
        str(number) for number in range(1, len(conversation.turns) + 1)
    ]
    own = {"System prompt", "Prompt", "Answer", "Numbers", "Calls"}
    assert {text for tag, text in headings(tokens) if tag == "h3"} <= own
    assert len([1 for tag, _ in headings(tokens) if tag == "h1"]) <= 2
    replies = [
        reply for turn in conversation.turns if turn.outcome for reply in turn.outcome.replies.values()
    ]
    sections = len(replies) + sum(bool(reply.reasoning) for reply in replies)
    sections += sum(bool(turn.outcome and left_out(turn.outcome, turn.recipe)) for turn in conversation.turns)
    html = list(has_html(tokens))
    assert html.count("<details>") == html.count("</details>") == sections
    assert len([line for line in html if line.startswith("<summary>")]) == sections
    assert len(html) == 3 * sections
    assert all(re.fullmatch(r"</?details>|<summary>[^<>]*</summary>", line) for line in html)


@given(conversations())
@example(HOSTILE)
@some
def test_the_front_matter_is_yaml_whatever_the_texts(conversation: Conversation) -> None:
    matter = front_matter(render([conversation], "markdown"))
    assert matter["id"] == conversation.id
    assert matter["turns"] == len(conversation.turns)
    assert isinstance(matter["title"], str)
    assert isinstance(matter["cost_usd"], float)
    assert matter["recipes"] == list(dict.fromkeys(turn.recipe.name for turn in conversation.turns))


def test_the_front_matter_tells_title_date_recipes_tags_and_price() -> None:
    conversation = replace(a_conversation(2), title='A "title": # 漢字 😀', tags=("a, b", "c]"), id="abc")
    assert front_matter(render([conversation], "markdown")) == {
        "title": 'A "title": # 漢字 😀',
        "id": "abc",
        "created": "2025-06-15 15:06:40 UTC",
        "recipes": ["test"],
        "turns": 2,
        "cost_usd": 0.012,
        "tags": ["a, b", "c]"],
        "generator": "moa-tui",
    }


def test_characters_that_yaml_forbids_are_escaped() -> None:
    title = "\ufeff a \ufffe b \uffff"
    text = render([replace(a_conversation(1), title=title)], "markdown")
    assert front_matter(text)["title"] == "a \ufffe b \uffff", "what cannot be seen goes, the rest stays"


@given(conversations())
@example(HUGE)
@example(HOSTILE)
@some
def test_every_word_of_every_text_is_in_the_markdown(conversation: Conversation) -> None:
    written = set(re.findall(r"\w+", render([conversation], "markdown")))
    for turn in conversation.turns:
        replies = turn.outcome.replies.values() if turn.outcome else ()
        for text in [turn.prompt, *(part for reply in replies for part in (reply.text, reply.reasoning))]:
            assert set(re.findall(r"\w+", as_file(text))) <= written


def test_an_answer_stays_markdown_with_its_headings_below_the_files_own() -> None:
    parsers = [CountedParser(["table"])]
    answer = "# One\n\ntext *b*\n\n## Two ##\n\nunder\n---\n\n```py\n# no heading, a <tag>\n\tx\n```"
    assert contained(answer, parsers) == (
        "#### One\n\ntext *b*\n\n##### Two ##\n\nunder\n\n---\n\n```py\n# no heading, a <tag>\n\tx\n```"
    )


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("a <b>c</b> `<i>` \\<u>", "a \\<b>c\\</b> `<i>` \\<u>"),
        ("1 < 2 and `<br>`", "1 < 2 and `<br>`"),
        ("<!-- open", "\\<!-- open"),
        ("~~~\nopen", "```text\n~~~\nopen\n```"),
        ("````\nopen", "`````text\n````\nopen\n`````"),
        (" \n", "*no text*"),
    ],
)
def test_html_is_escaped_and_an_open_fence_becomes_a_code_block(text: str, inside: str) -> None:
    assert contained(text, [CountedParser()]) == inside


@given(texts(200))
@settings(max_examples=200, deadline=None)
def test_no_text_reaches_what_follows_it(text: str) -> None:
    parsers = [CountedParser(), CountedParser(["table"])]
    for parser in (MarkdownIt("commonmark"), MarkdownIt("commonmark").enable("table")):
        tokens = parser.parse(f"{contained(text, parsers)}\n\n</details>\n\n## Mine\n")
        assert list(has_html(tokens)) == ["</details>"]
        assert [(tag, text) for tag, text in headings(tokens) if tag < "h4"] == [("h2", "Mine")]


def test_other_branches_are_told_after_the_active_one_with_their_place() -> None:
    text = render([with_branches()], "markdown")
    assert [text for tag, text in headings(parsed(text)) if tag in ("h1", "h2")] == [
        "Branches",
        "Turn 1",
        "Turn 2",
        "Turn 3",
        "Other branches",
        "Turn 4, in place of turn 2",
        "Turn 5, after turn 4",
        "Turn 6, in place of turn 2",
    ]
