"""What is judged of an input's prompts, and by which of its fields."""

from __future__ import annotations

from typing import Any

import pytest

from moa_tui.evaluation.graded import Graded
from moa_tui.evaluation.judging.questions import (
    Candidate,
    Given,
    judgements,
    references_of,
    skills_of,
)
from moa_tui.evaluation.values import BulkPrompt


def prompt(*turns: str, **row: Any) -> BulkPrompt:
    return BulkPrompt("1", turns or ("why?",), row=row)


@pytest.mark.parametrize(
    ("row", "skills", "form"),
    [
        ({"metrics": ["Factuality", "Readability"]}, ("Factuality", "Readability"), "skills"),
        ({"skills": "factuality; wit"}, ("factuality", "wit"), "pairs"),
        # As FLASK's evaluation_set/flask_evaluation.jsonl has them: the text of a list in Python.
        (
            {"skill": "['Readability', 'Logical Correctness']"},
            ("Readability", "Logical Correctness"),
            "skills",
        ),
        ({"skill": ["Comprehension"]}, ("Comprehension",), "skills"),
        ({"skill": "[__import__('os')]"}, (), "pairs"),
        ({"skill": f"[{'[' * 900}"}, (), "pairs"),
        ({"skill": "juggling"}, ("juggling",), "pairs"),
        # Columns of other programs.
        ({"metrics": "0.5"}, (), "pairs"),
        ({"metrics": [1, 2]}, (), "pairs"),
        ({}, (), "pairs"),
    ],
)
def test_skills_are_scored_by_themselves_only_where_all_are_known(
    row: dict[str, Any], skills: tuple[str, ...], form: str
) -> None:
    asked = prompt(**row)
    assert skills_of(asked) == skills
    assert Graded((asked,), (), None, {}, {}, "jsonl").usual_form == form


@pytest.mark.parametrize(
    ("row", "references"),
    [
        ({"reference": ["one", "two"]}, ("one", "two")),
        ({"reference": "one"}, ("one",)),
        ({"answer": "one", "metrics": ["Factuality"]}, ("one",)),
        # Without skills it may be anything.
        ({"answer": "one"}, ()),
        ({"reference": ["one", ""]}, ()),
        ({"reference": 4}, ()),
    ],
)
def test_a_reference_is_taken_where_there_is_one(row: dict[str, Any], references: tuple[str, ...]) -> None:
    assert references_of(prompt(**row)) == references


def test_two_answers_that_are_the_same_are_a_tie_about_which_nobody_is_asked() -> None:
    one = Candidate("one", "outputs", {"1": Given(("so",))})
    other = Candidate("other", "outputs", {"1": Given(("so",)), "2": Given(("no",))})
    (judgement,) = judgements("pairs", one, [prompt()], other)
    assert judgement.questions == ()
    # Where one of the two has no answer there is nothing to compare.
    assert list(judgements("pairs", other, [BulkPrompt("2", ("why?",))], one)) == []


def test_a_member_is_compared_on_the_turns_that_it_has() -> None:
    """What it writes in a later turn follows its mixture's answer."""
    mixture = Candidate("mix", "recipe", {"1": Given(("first", "second"))})
    member = Candidate("mix/a", "member", {"1": Given(("own",))}, "mix")
    (judgement,) = judgements("pairs", member, [prompt("why?", "and then?")], mixture)
    assert "first" in judgement.questions[0]
    assert "second" not in judgement.questions[0]
    assert "and then?" not in judgement.questions[0]
    turns = [each.turn for each in judgements("ratings", mixture, [prompt("why?", "and then?")], None)]
    assert turns == [1, 2]
