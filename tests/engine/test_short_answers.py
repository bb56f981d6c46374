"""Short answers: found in a text, and the same in whatever spelling."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moa_tui.engine.short_answers import DIFFERENT, SAME, same_answer, short_form

SAME_PAIRS = [(first, other) for first, *others in SAME for other in others]
DIFFERENT_PAIRS = [(first, other) for first, *others in DIFFERENT for other in others]


@pytest.mark.parametrize(("first", "other"), SAME_PAIRS)
def test_spellings_of_one_answer_are_the_same(first: str, other: str) -> None:
    assert same_answer(first, other)
    assert same_answer(other, first)


@pytest.mark.parametrize(("first", "other"), DIFFERENT_PAIRS)
def test_other_answers_are_not_the_same(first: str, other: str) -> None:
    assert not same_answer(first, other)
    assert not same_answer(other, first)
