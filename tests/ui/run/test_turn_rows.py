"""A turn's rows around its answer: the prompt, how the run stands, and what it came to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rich.cells import cell_len

from moa_tui.engine.run import run
from moa_tui.errors import ModelError
from moa_tui.ui.run.run_view import RunView
from moa_tui.ui.run.turn_rows import outcome_rows, progress_rows, prompt_rows
from tests.fakes import FakeModels
from tests.helpers import recipe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moa_tui.engine.recipe import Recipe
    from moa_tui.ui.rows.text_rows import Row

PAIR = recipe(["a", "b"], ["judge"])
ANSWERS: dict[str, object] = {"a": [["one"]], "b": [["two"]], "judge": [["the answer"]]}


def plain(rows: Sequence[Row]) -> list[str]:
    return [row.content.plain for row in rows]


async def ended(run_recipe: Recipe, **scripts: object) -> RunView:
    view = RunView(run_recipe)
    await run(run_recipe, [{"role": "user", "content": "?"}], FakeModels(**scripts), view.take)  # type: ignore[arg-type]
    return view


def test_a_long_prompt_ends_with_the_number_of_its_other_lines_until_it_is_asked_for_whole() -> None:
    prompt = "\n".join(f"line {number}" for number in range(23))
    folded = plain(prompt_rows(prompt, (1, 1), 40, is_whole=False))
    assert folded[0] == "You"
    assert folded[-2:] == ["  line 19", "  … 3 more lines; e shows them"]
    assert plain(prompt_rows(prompt, (1, 1), 40, is_whole=True))[-1] == "  line 22"


def test_a_turn_with_alternatives_says_which_of_them_it_is() -> None:
    assert plain(prompt_rows("hi", (2, 3), 40, is_whole=False)) == ["You  ‹2/3›", "  hi"]


@pytest.mark.parametrize("width", [6, 20, 80])
async def test_no_row_is_wider_than_its_room(width: int) -> None:
    view = await ended(PAIR, a=ANSWERS["a"], b=ANSWERS["b"], judge=[[ModelError("auth", "no " * 60)]])
    rows = [
        *prompt_rows("a prompt of several words " * 4, (1, 1), width, is_whole=False),
        *progress_rows(view, width),
        *outcome_rows(view, width),
    ]
    assert max(cell_len(line) for line in plain(rows)) <= width


def test_a_run_that_has_begun_names_its_recipe_and_its_layers_and_has_no_outcome() -> None:
    view = RunView(PAIR)
    assert plain(progress_rows(view, 60)) == ["", f"{PAIR.name}  · getting ready", "  L1 ·· │ Final ·"]
    assert outcome_rows(view, 60) == []


async def test_the_layers_stand_below_each_other_where_one_row_is_too_narrow() -> None:
    layers = plain(progress_rows(RunView(PAIR), 12))[-2:]
    assert layers == ["  L1 ··", "  Final ·"]


async def test_a_run_that_is_done_shows_its_numbers_without_a_word_for_its_state() -> None:
    view = await ended(PAIR, **ANSWERS)
    assert plain(progress_rows(view, 60))[1] == PAIR.name
    assert "2 of 2 used · 3 of 3 calls" in plain(outcome_rows(view, 80))[1]


async def test_a_run_that_failed_shows_why() -> None:
    view = await ended(recipe(["alone"]), alone=[[ModelError("auth", "the key is wrong")]])
    assert plain(progress_rows(view, 60))[1].endswith("✗ no answer")
    assert any("the key is wrong" in line for line in plain(outcome_rows(view, 80)))
