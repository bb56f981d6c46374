"""Reasoning in tags: told apart wherever the text is cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moa_tui.gateway.think import ThinkSplitter


def split(text: str, cuts: list[int]) -> tuple[str, str]:
    splitter = ThinkSplitter()
    bounds = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    chunks = [chunk for a, b in pairwise(bounds) if a < b for chunk in splitter.feed(text[a:b])]
    chunks += splitter.flush()
    return (
        "".join(chunk.text for chunk in chunks if chunk.kind == "reasoning"),
        "".join(chunk.text for chunk in chunks if chunk.kind == "text"),
    )


@pytest.mark.parametrize(
    ("text", "reasoning", "answer"),
    [
        ("<think>hm</think>\nyes", "hm", "yes"),
        ("\n <think>\nhm\n</think>\n\nyes", "\nhm\n", "yes"),
        ("<think>a < b </thin k></think>yes", "a < b </thin k>", "yes"),
        ("<think>never closed", "never closed", ""),
        ("no tags", "", "no tags"),
        ("later <think>tags</think> stay", "", "later <think>tags</think> stay"),
        ("<thinking>not the tag", "", "<thinking>not the tag"),
        ("<thi", "", "<thi"),
        ("", "", ""),
    ],
)
@given(cuts=st.lists(st.integers(0, 40), max_size=8))
def test_split(text: str, reasoning: str, answer: str, cuts: list[int]) -> None:
    assert split(text, cuts) == (reasoning, answer)


def test_white_space_that_never_ends_is_not_held_back() -> None:
    splitter = ThinkSplitter()
    pieces = [piece.text for _ in range(200) for piece in splitter.feed("  \t" * 100)]
    assert "".join(pieces) == "  \t" * 20_000
    splitter = ThinkSplitter()
    assert not [piece for _ in range(200) for piece in splitter.feed("\n" * 100)]
    assert [piece.text for piece in splitter.feed("yes")] == ["yes"]
