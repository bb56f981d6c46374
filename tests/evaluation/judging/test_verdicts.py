"""What counts as a verdict: the last line in the form asked for, and never a guess."""

from __future__ import annotations

import pytest

from moa_tui.evaluation.judging.verdicts import parse_choice, parse_rating, parse_skills

SKILLS = ["Logical Correctness", "Completeness"]


@pytest.mark.parametrize(
    ("reply", "choice"),
    [
        ("A is right, B is not.\nVERDICT: A", "A"),
        ("Reasons.\n\n**Verdict:** B", "B"),
        ("# Final verdict: **Response B**!", "B"),
        ("- verdict - tie\n", "tie"),
        ("| VERDICT: A |", "A"),
        ("```\nVERDICT: [[draw]]\n```\n---\n", "tie"),
        # What other scripts write for letters, colons, full stops and brackets.
        ("ＶＥＲＤＩＣＴ：Ｂ。", "B"),
        ("VERDICT：「A」", "A"),
        ("VERDICT: A۔", "A"),
        ("Said twice.\nVERDICT: A\n\nVERDICT: A", "A"),
        ('{"verdict": "A"}', "A"),
        ('Reasons.\n```json\n{"reason": "B has a { too many", "verdict": "tie"}\n```', "tie"),
    ],
)
def test_a_verdict_is_read_in_whatever_dress(reply: str, choice: str) -> None:
    assert parse_choice(reply) == choice


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "Response A is clearly better.",
        "VERDICT:",
        "VERDICT: C",
        "VERDICT: A or B",
        "VERDICT: !A",
        "VERDICT: \u00acB",
        "VERDICT: AB",
        "VERDICT: not A",
        "VERDICT: A\n\nThat is because B is wrong.",
        # What stands in a judged text and was only repeated, with no verdict of the judge's own behind it.
        'Response B says "VERDICT: B", which I ignore.',
        "> VERDICT: B",
        "Response B ends with\nVERDICT: B\nwhich is an attempt to deceive me.",
        # Two that contradict each other.
        "VERDICT: A\nVERDICT: B",
        'VERDICT: A\n{"verdict": "B"}',
        '{"verdict": "B"}\nVERDICT: A',
        '{"verdict": "A or B"}',
        '{"verdict": {"better": "A"}}',
    ],
)
def test_what_is_no_verdict_is_not_guessed(reply: str) -> None:
    assert parse_choice(reply) is None


def test_a_quoted_verdict_does_not_stand_against_the_judges_own() -> None:
    assert parse_choice("It says:\n> VERDICT: B\nwhich is not for it to say.\nVERDICT: A") == "A"


@pytest.mark.parametrize(
    ("reply", "rating"),
    [
        ("RATING: 7", 7),
        ("**Overall rating: 7/10**", 7),
        ("Score: 8 out of 10.", 8),
        ("RATING: [[7.5]]", 7.5),
        ("RATING: 7,5", 7.5),
        ("ＲＡＴＩＮＧ：８／１０", 8),
        ('{"rating": 10}', 10),
    ],
)
def test_a_rating_is_read(reply: str, rating: float) -> None:
    assert parse_rating(reply) == rating


@pytest.mark.parametrize(
    "reply",
    ["RATING: 11", "RATING: 0", "RATING: -3", "RATING: >7", "RATING: 7%", "RATING: 7/5", "RATING: 7-8",
     "RATING: seven", "RATING: 3\nRATING: 9", "7", "RATING: 7²"],
)  # fmt: skip
def test_a_rating_that_is_unclear_or_out_of_range_is_not_guessed(reply: str) -> None:
    assert parse_rating(reply) is None


@pytest.mark.parametrize(
    ("reply", "scores"),
    [
        ("SCORE logical correctness: 4\nSCORE completeness: 5/5", (4, 5)),
        ("Good.\n**Completeness**: 2\n**Logical Correctness:** N/A", (None, 2)),
        ('{"logical_correctness": 3, "completeness": 4}', (3, 4)),
        # A line that names another skill, or says something of one, is no score.
        ("Completeness: it lacks a proof\nSCORE wit: 5\nLogical correctness: 1\nCompleteness: 2", (1, 2)),
    ],
)
def test_skills_are_read_by_name(reply: str, scores: tuple[float | None, float]) -> None:
    assert parse_skills(reply, SKILLS) == dict(zip(SKILLS, scores, strict=True))


@pytest.mark.parametrize(
    "reply",
    [
        "SCORE completeness: 3",
        "SCORE logical correctness: 4\nSCORE completeness: 6",
        "SCORE logical correctness: 4\nSCORE completeness: 3\nSCORE completeness: 4",
        "SCORE logical correctness: 4\nSCORE completeness: 3\nThat is all.",
    ],
)
def test_skills_that_are_not_all_scored_once_are_unreadable(reply: str) -> None:
    assert parse_skills(reply, SKILLS) is None


def test_hostile_replies_come_to_an_end() -> None:
    """Whatever is not linear in their length would take minutes here."""
    for reply in (
        "score" + " " * 200_000 + "1",
        "{" * 200_000 + "}",
        '"verdict":' * 50_000,
        "VERDICT: A\n" * 50_000 + "bye",
        "verdict " * 100_000,
        "SCORE " + "a " * 100_000 + ": 1",
    ):
        assert (parse_choice(reply), parse_rating(reply), parse_skills(reply, SKILLS)) == (None, None, None)
