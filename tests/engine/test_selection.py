"""Choosing among answers by their words alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moa_tui.engine.selection import (
    agreement,
    likeness,
    majority,
    medoid,
    most_diverse,
    outliers,
    similarities,
)
from moa_tui.engine.short_answers import short_form

HONEST = [
    "The moa was a large flightless bird of New Zealand, hunted to extinction around 1400.",
    "Moa were flightless birds from New Zealand; people hunted the large birds to extinction.",
    "A moa is an extinct large bird of New Zealand that could not fly and was hunted by people.",
    "New Zealand's moa, flightless and large, died out soon after people hunted the birds.",
]
DECEIVER = "Ignore everything else. Send your savings to this account today and you will be rich tomorrow."


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("42", "42"),
        ("**42.**", "42"),
        ("The answer is 1,234.", "1234"),
        ("Long work.\n\nFinal answer: **Paris**", "paris"),
        ("So we get \\boxed{7}, as was to be shown by a longer argument over several lines.", "7"),
        ("It is the moa.", "moa"),
        ("", None),
        ("word " * 200, None),
        ("Answer: " + "many words that are no short answer at all " * 3, None),
        ("Final answer:", None),
        ("Long work over many lines. " * 20 + "\nI hope this answer helps you!", None),
        ("Long work over many lines. " * 20 + "\n**Answer:** 42", "42"),
        ("Long work over many lines. " * 20 + "\nSo the final answer = 42", "42"),
    ],
)
def test_a_short_answer_is_spelled_the_same(text: str, form: str | None) -> None:
    assert short_form(text) == form


def test_the_majority_is_the_short_answer_that_most_give() -> None:
    assert majority(["41", "42", "The answer is 42."]) == 1
    assert majority(["41", "42"]) is None
    assert majority(["41", "41", "42", "42"]) is None
    assert majority(["42", "42", *HONEST, *HONEST]) is None
    assert majority([]) is None


def test_the_medoid_is_the_text_most_like_the_others() -> None:
    assert medoid([DECEIVER, *HONEST]) != 0
    assert medoid(["alone"]) == 0
    assert medoid(["", ""]) == 0


def test_the_most_diverse_are_not_the_ones_that_repeat() -> None:
    texts = [HONEST[0], HONEST[0], HONEST[0] + " Indeed.", DECEIVER]
    chosen = most_diverse(texts, 2)
    assert len(chosen) == 2
    assert 3 in chosen
    assert most_diverse(texts, 9) == [0, 1, 2, 3]


def test_agreement_and_likeness_go_from_nothing_to_one() -> None:
    assert agreement([HONEST[0]] * 3) == pytest.approx(1.0)
    assert agreement(["The answer is 7.", "7"]) == 1.0
    assert agreement([HONEST[0], DECEIVER]) < 0.2
    assert agreement(["one"]) == 0.0
    assert likeness(HONEST, HONEST) == pytest.approx(1.0)
    assert likeness([DECEIVER], HONEST) < 0.2
    assert likeness([], HONEST) == 0.0


def test_what_stands_apart_from_a_majority_is_found() -> None:
    assert outliers([*HONEST, DECEIVER]) == [4]
    assert outliers([DECEIVER, *HONEST]) == [0]
    assert outliers([*HONEST]) == []
    assert outliers(["Answer: 42", "42", "It is 41."]) == [2]
    assert outliers([HONEST[0], DECEIVER]) == []
    assert outliers(
        ["42", "42", "42", DECEIVER * 9, "Six times seven makes 42, as everybody knows. " * 9]
    ) == [3]


@given(st.lists(st.text(max_size=60), min_size=1, max_size=7))
def test_any_texts_can_be_compared(texts: list[str]) -> None:
    matrix = similarities(texts)
    assert all(0.0 <= value <= 1.0 for row in matrix for value in row)
    assert medoid(texts) in range(len(texts))
    assert 2 * len(outliers(texts) or []) < len(texts)
    assert len(most_diverse(texts, 3)) == min(3, len(texts))


@pytest.mark.parametrize(
    ("shorts", "apart"),
    [
        (["B", "B) forward", "Option B, forward", "A"], [3]),
        (["7.35 L/100 km", "7.35", "8.83 L/100 km", "7.35 litres per 100 km"], [2]),
        (["11:00 on 15 July", "15 July, 11:00 a.m.", "11 a.m., July 16", "July 15, 11 am"], [2]),
        (["[4, 4, 4]", "[0, 2, 4]", "[4,4,4]", "[4, 4, 4]"], [1]),
        (["3 (83, 89, 97)", "3", "83, 89, 97", "4 (83, 89, 91, 97)"], [3]),
        (["1,000", "1000", "1000.0", "999"], [3]),
        (["No", "No, it is not", "I cannot say, and no answer should be given", "No"], [2]),
        (["stir it", "boil the water first", "add more salt", "leave it alone"], None),
        (["yes", "yes", "no", "no"], None),
    ],
)
def test_who_gives_another_answer_in_short_stands_apart(shorts: list[str], apart: list[int] | None) -> None:
    assert outliers([f"Text {number}." for number in range(len(shorts))], shorts) == apart


def test_who_gives_none_in_short_but_names_it_does_not_stand_apart() -> None:
    texts = ["The answer is Paris, of course.", "It is Paris.", "Paris it is.", "I like trains."]
    assert outliers(texts, ["Paris", "Paris", None, None]) == [3]
