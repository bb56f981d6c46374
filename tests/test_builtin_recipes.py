"""The recipes that come with the program: their shapes, their models, their words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from moa_tui import recipes
from moa_tui.gateway import demo
from moa_tui.gateway.catalog import Catalog
from moa_tui.gateway.discovery import ONE_KEY_RECIPES
from moa_tui.gateway.models import Gateway

if TYPE_CHECKING:
    from moa_tui.engine.recipe import Recipe

FILES = recipes.available(Path("/nonexistent"))
CALLS = {"moa": 13, "moa-lite": 7, "moa-frontier": 13, "self-moa": 7, "duo": 3, "demo": 9}


def load(name: str) -> Recipe:
    return recipes.read(FILES[name].path)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog()


def test_all_that_are_promised_are_there() -> None:
    assert set(FILES) == {*CALLS, *ONE_KEY_RECIPES}


@pytest.mark.parametrize("name", FILES)
def test_a_recipe_is_valid_and_named_as_its_file(name: str) -> None:
    recipe = load(name)
    assert recipe.name == name
    assert len(recipe.description) > 80


@pytest.mark.parametrize(("name", "calls"), CALLS.items())
def test_calls_are_as_published(name: str, calls: int) -> None:
    assert load(name).calls == calls


@pytest.mark.parametrize("name", ["moa", "moa-lite", "moa-frontier"])
def test_the_papers_shape(name: str) -> None:
    recipe = load(name)
    *layers, last = recipe.lineup
    assert len(last) == 1
    for layer in layers:
        assert len({agent.model for agent in layer}) == 6
        assert all((agent.temperature, agent.max_tokens) == (0.7, 2048) for agent in layer)


@pytest.mark.parametrize(
    ("name", "figures"),
    {
        "moa": ["65.1", "57.5", "retired"],
        "moa-lite": ["59.3", "57.5", "retired"],
        "moa-frontier": ["65.7", "57.5", "retired"],
        "self-moa": ["65.7", "retired"],
    }.items(),
)
def test_a_description_says_what_it_reproduces(name: str, figures: list[str]) -> None:
    assert all(figure in load(name).description for figure in figures)


@pytest.mark.parametrize("name", FILES)
def test_every_model_is_a_chat_model_litellm_knows(name: str, catalog: Catalog) -> None:
    assert len(catalog.chat_models) > 500, "litellm's map was not found"
    for agent in load(name).every_agent():
        if agent.model.startswith("demo/"):
            assert agent.model in demo.MODELS
        elif not agent.model.startswith("openrouter/"):
            info = catalog.find(agent.model)
            assert info is not None, agent.model
            assert info.prompt_price is not None, agent.model
            assert info.context_tokens, agent.model


@pytest.mark.parametrize("name", ONE_KEY_RECIPES)
def test_one_key_is_enough(name: str) -> None:
    missing = Gateway({}, {}).missing_keys(load(name).every_agent())
    assert len(missing) == 1


def test_models_that_cannot_chat_are_not_offered(catalog: Catalog) -> None:
    assert catalog.find("text-embedding-3-small") is None
    assert catalog.find("gpt-6-luna") is not None
    assert catalog.find("openai/gpt-6-luna") is not None
    assert catalog.find("anthropic/gpt-6-luna") is None
    assert catalog.provider("gpt-6-luna") == "openai"


def test_without_litellms_map_all_is_unknown_and_nothing_breaks(tmp_path: Path) -> None:
    empty = Catalog(tmp_path / "nothing.json")
    facts = Gateway({}, {}, empty).facts(load("duo").lineup[0][0])
    assert facts.prompt_price is None
    assert facts.context_tokens is None
