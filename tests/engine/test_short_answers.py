"""Short answers: found in a text, and the same in whatever spelling."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moa_tui.engine.short_answers import same_answer, short_form
from tests.engine.answer_pairs import DIFFERENT, SAME

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


LONG = "We go through it step by step, one after another, and weigh what speaks for it. " * 9


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (LONG + "So $$\\boxed{\\frac{3}{4}}$$ is the result.", "3/4"),
        (LONG + "\n\n\\boxed{\\text{(B)}}", "b"),
        (LONG + "\n**Antwort:** 42", "42"),
        (LONG + "\nRéponse : **Paris**\n\nN'hésitez pas si vous avez d'autres questions !", "paris"),
        (LONG + "\n答案：北京\n\n希望对你有帮助！", "北京"),
        (LONG + "\n最终答案是：B", "b"),
        (LONG + "\n回答：東京です。", "東京"),
        (LONG + "\n정답: 3", "3"),
        (LONG + "\nالإجابة: 12", "12"),
        (LONG + "\nउत्तर: 12", "12"),
        (LONG + "\nОтвет: 42", "42"),
        (LONG + "\nLa respuesta es 42.", "42"),
        (LONG + "\n**Final Answer**\n\n72", "72"),
        (LONG + "\nThe final answer is: 72 km\n\nGood luck!", "72 km"),
        (LONG + "\nFinal Answer: The final answer is $72$. I hope it is correct.", "72"),
        (LONG + "\nAnswer: 42. Let me know if you need more!", "42"),
        ("Paris.\n\nLet me know if you have any other questions!", "paris"),
        ("The answer is 42. I hope this helps!", "42"),
        ('{"answer": 42}', "42"),
        (LONG, None),
        (LONG + "\nAnswer: 41\nBut no, 42 it should have been.", None),
        ("The sky is not blue.", "sky is not blue"),
        ("\\boxed{" + "{" * 5_000, None),
        ("", None),
    ],
)
def test_the_answer_is_found_where_it_stands(text: str, form: str | None) -> None:
    assert short_form(text) == form


@given(st.text(max_size=80), st.text(max_size=80))
def test_any_two_texts_can_be_compared_either_way(first: str, other: str) -> None:
    assert same_answer(first, other) == same_answer(other, first)


@pytest.mark.parametrize(
    "piece", ["\\frac{", "1,000", "answer: ", "a.", "((", "½", "²", "is ", "\n#", "minus "]
)
def test_the_time_does_not_grow_with_what_is_hostile(piece: str) -> None:
    began = time.process_time()
    same_answer(piece * 100_000, piece * 100_001)
    assert time.process_time() - began < 1
