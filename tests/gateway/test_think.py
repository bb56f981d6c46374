"""Reasoning in a text: told from the answer by its marks, wherever the text is cut.

The marks are those that vLLM's and SGLang's reasoning parsers, llama.cpp and Open WebUI look for, and what
was reported against them: a closing mark alone (sglang 36285, ollama 18082), a balanced block in the content
(qwen-code 10791), gpt-oss without its special tokens, a block that never closes.
"""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moa_tui.engine.values import Moved
from moa_tui.gateway.think import NEVER_CLOSED, NOTHING_BEHIND, ThinkSplitter


class Reader:
    """Reads what a splitter gives as the engine does."""

    def __init__(self) -> None:
        self.splitter = ThinkSplitter()
        self.written = {"reasoning": "", "text": ""}

    def take(self, pieces: object) -> None:
        for piece in pieces:  # type: ignore[attr-defined]
            if isinstance(piece, Moved):
                source = "text" if piece.kind == "reasoning" else "reasoning"
                whole = self.written[source]
                cut = len(whole) - piece.characters
                assert cut >= 0
                self.written[source] = whole[:cut]
                self.written[piece.kind] += whole[cut:]
            else:
                self.written[piece.kind] += piece.text


def split(text: str, cuts: list[int], *, clean: bool = True, field: str = "") -> tuple[str, str, list[str]]:
    """The reasoning, the answer and the notes of a text cut at `cuts`, behind `field` of reasoning."""
    reader = Reader()
    if field:
        reader.take(reader.splitter.feed_reasoning(field))
    bounds = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    for a, b in pairwise(bounds):
        if a < b:
            reader.take(reader.splitter.feed(text[a:b]))
    reader.take(reader.splitter.flush(clean=clean))
    return reader.written["reasoning"], reader.written["text"], reader.splitter.notes


def in_every_cut(text: str, *, clean: bool = True, field: str = "") -> tuple[str, str, list[str]]:
    """The result of `split`, which is the same for the whole, each cut, and each character by itself."""
    whole = split(text, [], clean=clean, field=field)
    assert split(text, list(range(len(text))), clean=clean, field=field) == whole
    for cut in range(1, len(text)):
        assert split(text, [cut], clean=clean, field=field) == whole, text[:cut]
    return whole


OF_VENDORS = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<reason>", "</reason>"),
    ("<THINK>", "</Think>"),
    ("< think >", "</ think >"),
    ('<thought type="long" n=1>', "</thought>"),
    ("<think>", "</thinking>"),
    ("[THINK]", "[/THINK]"),
    ("[think]", "[/think]"),
    ("◁think▷", "◁/think▷"),
    ("<|think|>", "<|/think|>"),
    ("＜think＞", "＜/think＞"),
    ("【thinking】", "【/thinking】"),
    ("<seed:think>", "</seed:think>"),
    ("<mm:think>", "</mm:think>"),
    ("<think:opensource>", "</think:opensource>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|inner_prefix|>", "<|inner_suffix|>"),
    ("<|channel>thought\n", "<channel|>"),
    ("<unused94>thought\n", "<unused95>"),
    ("[unused16]", "[unused17]"),
    ("<|open|>think<|sep|>", "<|close|>think<|sep|>"),
    ("<|plamo:begin_think:plamo|>", "<|plamo:end_think:plamo|>"),
    ("<|think:start|>", "<|think:end|>"),
    ("<longcat_think>", "</longcat_think>"),
    ("<ifm|think_fast>", "</ifm|think_fast>"),
    ("Here is my thought process:", "Here is my response:"),
    ("Here's my thought process:", "Here's my response:"),
    ("Here are my reasoning steps:", "[BEGIN FINAL RESPONSE]"),
    ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
    ("<|start|>assistant<|channel|>analysis<|message|>", "<|end|><|channel|>final<|message|>"),
]


@pytest.mark.parametrize(("opener", "closer"), OF_VENDORS)
def test_a_block_at_the_beginning_is_reasoning(opener: str, closer: str) -> None:
    reasoning, answer, notes = in_every_cut(f"{opener}Hm, a < b.{closer}\n\nParis [1].")
    assert (reasoning.strip(), answer.strip(), notes) == ("Hm, a < b.", "Paris [1].", [])


ALONE = sorted({closer for _, closer in OF_VENDORS if not closer.startswith(("Here", "<|end|>"))})


@pytest.mark.parametrize("closer", ALONE)
def test_a_closing_mark_alone_makes_what_is_before_it_reasoning(closer: str) -> None:
    reasoning, answer, notes = in_every_cut(f"Let me think.\n{closer}\n\nParis.")
    assert (reasoning, answer, notes) == ("Let me think.\n", "Paris.", [])


@pytest.mark.parametrize(
    ("text", "reasoning", "answer"),
    [
        ("\n <think>\nhm\n</think>\n\nyes", "\nhm\n", "yes"),
        ("<think>a < b </thin k></think>yes", "a < b </thin k>", "yes"),
        ("17 x 24 = 408</think>408", "17 x 24 = 408", "408"),
        ("Let me answer </think>\n\nParis", "Let me answer ", "Paris"),
        ("I see.</think>\n1. one\n2. two", "I see.", "1. one\n2. two"),
        ("</think>\n\nParis.", "", "Paris."),
        ("a</think>b</think>c", "ab", "c"),
        ("They ask of `<think>` tags.\n</think>\n\nParis.", "They ask of `<think>` tags.\n", "Paris."),
        ("<think>a</think>One.\n<think>\nb\n</think>\nTwo.", "a\nb\n", "One.\n\nTwo."),
        ("<think>a</think>one<think>b</think>two", "ab", "onetwo"),
        ("<think>a</think>\n<think>b</think>\nParis", "ab", "Paris"),
        ("[THINK]a[/THINK][THINK]b[/THINK]Paris", "ab", "Paris"),
        ("Sure!\n<think>\nhm\n</think>\nParis.", "\nhm\n", "Sure!\n\nParis."),
        ("<|channel|>final<|message|>It is `<|end|>`.<|return|>", "", "It is `<|end|>`."),
        ("<think>a</think>One.\n[THINK]b[/THINK]Two.", "ab", "One.\nTwo."),
        ('<think>a "</think>" b\n</think>\n\nParis', 'a "" b\n', "Paris"),
        ("<thinking><thinking>in</thinking>out\n</thinking>\nyes", "<thinking>inout\n", "yes"),
        ("<think>\nhm\n</think>\n<answer>\nParis\n</answer>", "\nhm\n", "Paris\n"),
        ("<think>hm</think>\n<response>Paris</response>", "hm", "Paris"),
        ("<|START_THINKING|>hm<|END_THINKING|><|START_RESPONSE|>Paris<|END_RESPONSE|>", "hm", "Paris"),
        ("<|START_RESPONSE|>Paris<|END_RESPONSE|>", "", "Paris"),
        ("hm<|close|>think<|sep|><|open|>response<|sep|>Paris<|close|>response<|sep|>", "hm", "Paris"),
        ("<|open|>response<|sep|>Paris<|close|>response<|sep|>", "", "Paris"),
        ("Let me *look.*\n\n*Final check.*</think>Paris", "Let me *look.*\n\n*Final check.*", "Paris"),
        ("- It is **Paris.**</think>\n**Paris**", "- It is **Paris.**", "**Paris**"),
        ("[/THINK](B)", "", "(B)"),
        ('analysisWe need "four".assistantfinalfour', 'We need "four".', "four"),
        (
            '<|channel|>commentary to=functions.x <|constrain|>json<|message|>{"a":1}<|call|>'
            "<|start|>assistant<|channel|>final<|message|>Paris<|return|>",
            '{"a":1}',
            "Paris",
        ),
        ("<|channel|>final<|message|>Paris", "", "Paris"),
        ("<think>hm</think>\n\n    code", "hm", "    code"),
        ("<think>hm</think>", "hm", ""),
        ("no tags", "", "no tags"),
        ("<thi", "", "<thi"),
        ("", "", ""),
    ],
)
def test_reasoning_is_told_from_the_answer(text: str, reasoning: str, answer: str) -> None:
    assert in_every_cut(text) == (reasoning, answer, [])


@pytest.mark.parametrize(
    "text",
    [
        "later <think>tags</think> stay",
        "Use the `<think>` tag, closed by `</think>`.",
        "```xml\n<think>\nhm\n</think>\n```\nThat is it.",
        "- Like so:\n  ~~~\n  hm\n  </think>\n  ~~~\n",
        "> ```\n> </think>\n> ```\nA quoted one.",
        "As code:\n\n    hm\n    </think>\n\nThat is it.",
        "The <think> tag opens the block and </think> closes it.",
        "DeepSeek ends its reasoning with </think> before the answer.",
        "<think> and </think> are the tags.",
        "<think>, </think>: both are tags.",
        "<think> is a tag that DeepSeek uses.",
        'It is "</think>" that closes it, and (</think>) too.',
        "The format is:\n\n<think>\nreasoning\n</think>\nanswer",
        "<item>\n<reason>late</reason>\n</item>",
        "<item><reason>late,\nas ever</reason>\n</item>",
        "analysis of the text shows that",
        "Here is my plan: think.",
        "<details><summary>x</summary> a < b and [link](x) <thimble>",
        "[think tank](https://example.org) says",
        "{% if thinking %}{{ '</think>' }}{% endif %}",
        "List<Thought> thoughts = [reason]",
        "I think </think",
        "◁ a left arrow",
        "The closing tag is **</think>**.",
        "* </think>\n* <think>\nThese two.",
        "[think](https://example.org) says so.",
        "stop: [</think>]",
        'It printed "Let me think.</think> Paris" and stopped.',
        "## Output format\n\n<thinking>\n[reasons]\n</thinking>\n[answer]\n\nUse it as is.",
        "**Output format**\n<thinking>\n[reasons]\n</thinking>\n[answer]",
        "<|end|> is a token of gpt-oss.",
    ],
)
@pytest.mark.parametrize("before", ["", "<think>They ask about tags.</think>"])
def test_an_answer_about_such_marks_or_with_them_in_code_stays_as_it_was(text: str, before: str) -> None:
    if before and text.startswith("<think>"):
        text = f"- {text}"
    assert in_every_cut(before + text) == ("They ask about tags." if before else "", text, [])


def test_behind_a_field_of_reasoning_a_lone_closing_mark_is_left_out() -> None:
    assert in_every_cut("</think>\n\nParis.", field="hm") == ("hm", "Paris.", [])
    assert in_every_cut("</think> so it is.", field="hm") == ("hm", "so it is.", [])
    assert in_every_cut(" more</think>Paris.", field="hm") == ("hm more", "Paris.", [])
    assert in_every_cut("One.\n<think>\nb\n</think>\nTwo.", field="hm") == ("hm\nb\n", "One.\n\nTwo.", [])


def test_a_fence_that_the_reasoning_left_open_does_not_hide_its_end() -> None:
    text = "Let me write it:\n```python\nx = 1\n</think>\n\nIt is:\n```python\nx = 2\n```\n"
    assert in_every_cut(text) == (
        "Let me write it:\n```python\nx = 1\n</think>\n\n",
        "It is:\n```python\nx = 2\n```\n",
        [],
    )
    assert in_every_cut("As so:\n```\nhm\n</think>\n```\nThat is it.")[0] == ""
    cut = "As so:\n```\nhm\n</think>\n\nx"
    assert in_every_cut(cut, clean=False) == ("", cut, [])


def test_a_block_that_never_closes_is_the_answer_where_the_stream_ended_well() -> None:
    assert in_every_cut("<think>Paris.") == ("", "Paris.", [NEVER_CLOSED])
    assert in_every_cut("<think>a</think>One.\n<think>\nTwo.") == ("a", "One.\n<think>\nTwo.", [NEVER_CLOSED])
    assert in_every_cut("Here is my thought process: sky.") == (
        "",
        "Here is my thought process: sky.",
        [NEVER_CLOSED],
    )
    assert in_every_cut("Paris.\n</think>\n") == ("", "Paris.\n", [NOTHING_BEHIND])
    assert in_every_cut("<think>Paris, bec", clean=False) == ("Paris, bec", "", [])


@given(
    text=st.lists(
        st.sampled_from(
            [
                "<think>",
                "</think>",
                "[THINK]",
                "<|channel|>",
                "<|message|>",
                "final",
                "a ",
                "\n",
                "`",
                "```",
                ".",
            ]
        ),
        max_size=12,
    ).map("".join),
    cuts=st.lists(st.integers(0, 60), max_size=8),
)
def test_the_cuts_never_matter_and_nothing_else_is_lost(text: str, cuts: list[int]) -> None:
    assert split(text, cuts) == split(text, [])


def test_white_space_that_never_ends_is_not_held_back() -> None:
    reader = Reader()
    for _ in range(200):
        reader.take(reader.splitter.feed("  \t" * 100))
    assert reader.written["text"] == "  \t" * 20_000
    reader = Reader()
    for _ in range(200):
        reader.take(reader.splitter.feed("\n" * 100))
    assert reader.written["text"] == ""
    reader.take(reader.splitter.feed("yes"))
    assert reader.written["text"] == "yes"


@pytest.mark.parametrize(
    "text",
    [
        "<" * 100_000,
        "</think " * 20_000,
        "a</think>" * 10_000,
        "a `</think>" * 10_000,
        "<think>x</think>" * 5_000,
        "</think>" + " " * 100_000,
        "<|channel|>" * 10_000,
        "<|channel|>a<|message|>b" * 5_000,
        "[think" * 20_000,
        "```\n" * 20_000,
        "<|channel|>" + "x" * 100_000,
    ],
    ids=lambda text: text[:20],
)
def test_the_time_grows_with_the_length_alone(text: str) -> None:
    began = time.process_time()
    split(text, list(range(0, len(text), 7)))
    assert time.process_time() - began < 5
