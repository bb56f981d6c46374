"""Searching a turn: its prompt as it was written, its answer as it is read."""

from __future__ import annotations

import pytest

from moa_tui.conversation import Turn
from moa_tui.engine.run import run
from moa_tui.ui.run.run_view import RunView
from moa_tui.ui.run.turn_search import occurrences
from tests.fakes import FakeModels
from tests.helpers import recipe

ALONE = recipe(["alone"])
ANSWER = "A **large** bird,\nas [the book](http://moa.example/moa) has it. `moa`"


async def answered() -> tuple[Turn, RunView]:
    view = RunView(ALONE)
    models = FakeModels(alone=[[ANSWER]])
    outcome = await run(ALONE, [{"role": "user", "content": "?"}], models, view.take)
    return Turn("What is a Moa, a moa?", ALONE, outcome), view


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("moa", 3),
        ("MOA", 3),
        ("large bird, as", 1),
        ("moa.example", 0),
        ("**", 0),
        ("emu", 0),
        ("", 0),
    ],
)
async def test_prompt_and_answer_are_searched_without_case_and_without_the_marks_of_markdown(
    text: str, times: int
) -> None:
    turn, view = await answered()
    assert occurrences(text, turn, None) == times
    assert occurrences(text, turn, view) == times


def test_of_a_turn_that_runs_only_the_prompt_is_searched() -> None:
    turn = Turn("a moa", ALONE)
    assert occurrences("moa", turn, None) == 1
    assert occurrences("moa", turn, RunView(ALONE)) == 1
