"""Choosing among answers by their words alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moa_tui.engine.selection import (
    agreeing,
    differ,
    majority,
    medoid,
    most_diverse,
    outliers,
    repetition,
    short_answers,
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


LONG = "Long work over many lines that says how it was found, and why it must be so. " * 5
YES = f"Yes, it is so. {LONG}"


@pytest.mark.parametrize(
    ("texts", "stated", "places"),
    [
        (["The answer is 7.", "7"], [None, None], [0, 1]),
        ([LONG, LONG + "\nAnswer: 7", "7"], ["7", None, None], [0, 1, 2]),
        (["7", "8", "8"], [None] * 3, [1, 2]),
        # Texts without a short answer agree with nobody, be they ever so alike.
        ([LONG, LONG], [None, None], []),
        ([YES, YES.replace("Yes, it is", "No, it is not")], [None, None], []),
        ([LONG, LONG], ["yes", "no"], []),
        ([LONG, LONG], ["12 km", "13 km"], []),
        ([LONG, LONG], ["a claim of so many words that it is no short answer"] * 2, []),
        (["7"], [None], []),
        ([], [], []),
    ],
)
def test_answers_agree_where_they_are_the_same_in_short(
    texts: list[str], stated: list[str | None], places: list[int]
) -> None:
    assert agreeing(short_answers(texts, stated)) == places


def test_answers_differ_where_two_give_another_in_short() -> None:
    assert differ(["yes", None, "no"])
    assert not differ(["yes", None, "yes"])
    assert not differ([None, None])
    assert not differ([])


@pytest.mark.parametrize(
    ("texts", "before", "least", "most"),
    [
        (HONEST, HONEST, 1, 1),
        ([DECEIVER], HONEST, 0, 0.1),
        ([], HONEST, 0, 0),
        (HONEST, [], 0, 0),
        (["The answer is 7."], ["7", "8"], 1, 1),
        (["9"], ["7", "8"], 0, 0),
        ([LONG], [LONG + "So it is."], 0.9, 1),
        # One number or negation is another claim.
        ([LONG + "It takes 12 days."], [LONG + "It takes 13 days."], 0, 0),
        ([LONG + "It takes 12 days."], [LONG + "It takes १२ days."], 0.9, 1),
        ([LONG + "It is so."], [LONG + "It is not so."], 0, 0),
        ([LONG + "It does work."], [LONG + "It doesn’t work."], 0, 0),
        ([LONG + "It takes three days."], [LONG + "It takes four days."], 0, 0),
        ([LONG + "It takes three days."], [LONG + "It takes 3 days."], 0.9, 1),
        ([LONG + "So x is -5."], [LONG + "So x is 5."], 0, 0),
        ([LONG + "So x is −5."], [LONG + "So x is -5."], 0.9, 1),
        ([LONG + "From 2020-2021 on."], [LONG + "From 2020–2021 on."], 0.9, 1),
        ([LONG + "Keep it with a lid."], [LONG + "Keep it without a lid."], 0, 0),
        (["The share is 5% of what was paid in all."], ["The share is 50% of what was paid in all."], 0, 0),
        (["水は高い山でも百度で沸騰します。" * 9], ["水は高い山でも百度で沸騰しません。" * 9], 0, 0),
        (["น้ำเดือดบนภูเขา" * 12], ["น้ำไม่เดือดบนภูเขา" * 12], 0, 0),
        (["पानी पहाड़ पर उबलता है। " * 12], ["पानी पहाड़ पर नहीं उबलता है। " * 12], 0, 0),
        (["물은 산에서 끓는다. " * 20], ["물은 산에서 끓지 않는다. " * 20], 0, 0),
        (["Вода в горах кипит. " * 12], ["Вода в горах не кипит. " * 12], 0, 0),
        (["Das Wasser kocht auf dem Berg. " * 9], ["Das Wasser kocht nicht auf dem Berg. " * 9], 0, 0),
        (["يغلي الماء على الجبل. " * 12], ["لَا يغلي الماء على الجبل. " * 12], 0, 0),
    ],
)
def test_a_layer_repeats_the_one_before(
    texts: list[str], before: list[str], least: float, most: float
) -> None:
    assert least - 1e-9 <= repetition(texts, before) <= most + 1e-9


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
        (["Option A is correct.", "Option B is correct.", "A"], [1]),
        (["(0,1]", "[0,1)", "(0,1]"], [1]),
        (["$5 million", "$5", "5,000,000 dollars"], [1]),
        (["The capital is Canberra", "The capital is Sydney", "The capital is Canberra"], [1]),
        (["the drug is safe", "the drug is not safe", "this drug is safe"], [1]),
    ],
)
def test_who_gives_another_answer_in_short_stands_apart(shorts: list[str], apart: list[int] | None) -> None:
    assert outliers([f"Text {number}." for number in range(len(shorts))], shorts) == apart


def test_who_gives_none_in_short_but_names_it_does_not_stand_apart() -> None:
    texts = ["The answer is Paris, of course.", "It is Paris.", "Paris it is.", "I like trains."]
    assert outliers(texts, ["Paris", "Paris", None, None]) == [3]
