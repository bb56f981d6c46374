"""The settings of a layer that begins beside the one before it: what they take, and where they may stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from moa_tui.engine.layer import Stairs, Start
from moa_tui.engine.recipe import Recipe
from moa_tui.engine.recipe_edit import with_checklist, with_layers_of, without_stairs
from moa_tui.errors import FileError
from moa_tui.recipes import files
from tests.helpers import recipe

if TYPE_CHECKING:
    from pathlib import Path

STAIRS = {"chunk": 32, "wait": 2}
START = {"with": 2, "restart_below": 0.5}


def test_both_settings_have_defaults_and_come_back_as_they_were_written() -> None:
    assert (Stairs().chunk, Stairs().wait) == (128, 4)
    assert (Start().with_, Start().restart_below) == (4, 0.45)
    for setting in ({"stairs": STAIRS}, {"start": START}, {"start": {"with": 3}}):
        made = recipe(["a", "b", "c"], {"agents": ["judge"], **setting})
        table = made.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
        assert table["layers"][1] == {"agents": ["judge"], **setting}
        assert Recipe.model_validate(table) == made


@pytest.mark.parametrize(
    ("layers", "limits", "why"),
    [
        (
            [{"agents": ["a"], "stairs": STAIRS}, ["judge"]],
            {},
            "layer 1 has no references: stairs has no effect",
        ),
        ([["a", "b"], {"agents": ["j"], "stairs": STAIRS, "start": START}], {}, "one of them"),
        ([["a", "b"], {"agents": ["j"], "task": "rank", "stairs": STAIRS}], {}, "its task is rank"),
        ([["a", "b"], {"agents": ["j"], "reads": "all", "stairs": STAIRS}], {}, "cannot have reads"),
        ([["a", "b"], {"agents": ["j"], "dropout": 0.5, "start": START}], {}, "cannot have dropout"),
        (
            [["a", "b"], {"agents": ["c"], "task": "moderate"}, {"agents": ["j"], "stairs": STAIRS}],
            {},
            "needs a layer before it that writes answers",
        ),
        (
            [["a", "b"], {"agents": ["c", "d"], "stairs": STAIRS}, {"agents": ["j"], "stairs": STAIRS}],
            {},
            "cannot follow a layer that has stairs or start",
        ),
        (
            [{"agents": ["a", "b"], "top_k": 1}, {"agents": ["j"], "stairs": STAIRS}],
            {},
            "layer 1 cannot have top_k",
        ),
        (
            [["a", "b"], {"agents": ["j"], "stairs": STAIRS}],
            {"one_model_at_a_time": True},
            "one_model_at_a_time rules out",
        ),
        (
            [["a", "b"], {"agents": ["j"], "stairs": {"wait": 3}}],
            {},
            "stairs.wait 3 is more than the 2 agents of layer 1",
        ),
        (
            [["a", "b"], {"agents": ["j"], "start": {"with": 3}}],
            {},
            "start.with 3 is more than the 2 agents of layer 1",
        ),
    ],
)
def test_what_cannot_begin_early_is_refused_in_a_sentence(layers: Any, limits: Any, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        recipe(*layers, **limits)


def test_a_chunk_is_no_smaller_than_a_sentence() -> None:
    with pytest.raises(ValidationError, match="greater than or equal to 16"):
        Stairs(chunk=15)


def test_the_waiting_recipe_is_the_same_but_for_the_stairs() -> None:
    climbing = recipe(["a", "b"], {"agents": ["judge"], "stairs": STAIRS, "shuffle": True})
    waiting = without_stairs(climbing)
    assert [layer.begins_early for layer in waiting.layers] == [False, False]
    assert waiting.layers[1].shuffle
    assert waiting.lineup == climbing.lineup
    assert without_stairs(waiting) is waiting


def test_a_changed_recipe_waits_for_what_comes_first() -> None:
    climbing = recipe(["a", "b"], {"agents": ["judge"], "stairs": STAIRS})
    assert not any(layer.begins_early for layer in with_checklist(climbing).layers)
    assert not any(layer.begins_early for layer in with_layers_of(recipe(["a"], ["x"]), 1, climbing).layers)


def test_a_recipes_file_says_with_and_is_helped_with_it(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    text = (
        'name = "mine"\n[[layers]]\nagents = [{ model = "demo/a" }, { model = "demo/b" }]\n'
        '[[layers]]\nagents = [{ model = "demo/c" }]\nstart = { with = 2 }\n'
    )
    file.write_text(text)
    start = files.read(file).layers[1].start
    assert start is not None
    assert start.with_ == 2
    file.write_text(text.replace("with = 2", "wih = 2"))
    with pytest.raises(FileError, match=r'layers\[2\]\.start\.wih: unknown key; did you mean "with"'):
        files.read(file)
