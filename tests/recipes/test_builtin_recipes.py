"""The recipes that come with the program: their shapes, their models, their words."""

from __future__ import annotations

import asyncio
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from moa_tui.engine.agent import Agent
from moa_tui.engine.events import CallStarted
from moa_tui.engine.recipe import Recipe
from moa_tui.engine.run import run
from moa_tui.engine.values import Chunk, Finish
from moa_tui.errors import ModelError
from moa_tui.gateway import demo
from moa_tui.gateway.catalog import Catalog
from moa_tui.gateway.gateway import Gateway
from moa_tui.recipes import files
from moa_tui.recipes.default import ONE_KEY_RECIPES

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Container, Sequence

    from moa_tui.engine.events import Event
    from moa_tui.engine.values import Message

FILES = files.available(Path("/nonexistent"))
CALLS = {"moa": 13, "moa-lite": 7, "moa-swift": 7, "moa-frontier": 13, "self-moa": 7, "duo": 3, "demo": 9}
# Calls and depth, by the formulas of the strategies.
STRATEGIES = {
    "rank": (6 + 1, 2),
    "rank-fuse": (6 + 2, 3),
    "critique": (3 + 2, 3),
    "fusion": (4 + 2, 3),
    "council": (2 * 4 + 1, 3),
    "debate": (3 * 3, 3),
    "vote": (5, 1),
    "self-moa-seq": (12 + 1 + 2, 2 + 2),
    "tree": (13, 3),
    "sparse": ((3 - 1) * (4 + 1) + 1, 2 * (3 - 1) + 1),
    "cascade": (2 + 4 + 1, 3),
    "robust": (6 + 1, 2),
    "jury": (6 + 3, 2),
    "attention-moa": (3 * 4 + 1, 4),
    "rmoa": (2 * 6 + 1 + 1, 4),
}
PROMPT: list[Message] = [{"role": "user", "content": "How do I keep a sourdough starter alive in summer?"}]
SIMULATED = ("demo/terse", "demo/thorough", "demo/sceptic", "demo/coder")


def load(name: str) -> Recipe:
    return files.read(FILES[name].path)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog()


def test_all_that_are_promised_are_there() -> None:
    assert set(FILES) == {*CALLS, *STRATEGIES, *ONE_KEY_RECIPES}


@pytest.mark.parametrize("name", FILES)
def test_a_recipe_is_valid_and_named_as_its_file(name: str) -> None:
    recipe = load(name)
    assert recipe.name == name
    assert len(recipe.description) > 80


@pytest.mark.parametrize(("name", "calls"), CALLS.items())
def test_calls_are_as_published(name: str, calls: int) -> None:
    assert load(name).calls == calls


@pytest.mark.parametrize(("name", "counts"), STRATEGIES.items())
def test_a_strategy_has_the_calls_and_the_depth_of_its_formula(name: str, counts: tuple[int, int]) -> None:
    recipe = load(name)
    assert (recipe.calls, recipe.depth) == counts


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_strategy_says_what_was_published_or_that_nothing_was(name: str) -> None:
    description = load(name).description
    assert "ublished" in description
    assert "calls" in description


def on_simulated_models(recipe: Recipe) -> Recipe:
    """The recipe with each of its models replaced by a simulated one that is quick."""
    table = recipe.model_dump(exclude_unset=True)
    seats = [seat for layer in table["layers"] for seat in layer.get("agents", ()) if isinstance(seat, dict)]
    models = dict(zip(dict.fromkeys(agent.model for agent in recipe.every_agent()), cycle(SIMULATED)))
    for number, agent in enumerate([*table.get("agents", {}).values(), *seats]):
        agent["model"] = models[agent["model"]]
        agent["extra"] = {"tokens_per_second": 1_000_000, "seed": number}
    return Recipe.model_validate(table)


@pytest.mark.parametrize("name", STRATEGIES)
async def test_a_strategy_runs_to_its_end_on_simulated_models(name: str) -> None:
    recipe = on_simulated_models(load(name))
    events: list[Event] = []
    # The simulated models answer this; what they cannot answer they say alike, which ends some recipes early.
    prompt: list[Message] = [{"role": "user", "content": "How do I use my own Ollama?"}]
    outcome = await run(recipe, prompt, demo.stream, events.append)
    assert outcome.status == "done"
    assert outcome.answer
    started = [event for event in events if isinstance(event, CallStarted)]
    assert len(started) == (2 if name == "cascade" and len(started) == 2 else recipe.calls)
    for word in ("unreadable", "not the JSON", "plain synthesis", "most like the others;", "no ranking"):
        assert not any(word in note for note in outcome.notes), outcome.notes


@pytest.mark.parametrize("name", ["moa", "moa-lite", "moa-swift", "moa-frontier"])
def test_the_papers_shape(name: str) -> None:
    recipe = load(name)
    *layers, last = recipe.lineup
    assert len(last) == 1
    for layer in layers:
        assert len({agent.model for agent in layer}) == 6
        assert all((agent.temperature, agent.max_tokens) == (0.7, 2048) for agent in layer)


@pytest.mark.parametrize("name", ["moa", "moa-lite", "moa-swift", "moa-frontier"])
def test_six_proposers_wait_for_five_and_two_seconds_more(name: str) -> None:
    *layers, last = load(name).layers
    assert [(layer.quorum, layer.grace_seconds) for layer in layers] == [(5, 2.0)] * len(layers)
    assert last.quorum is None


class Unlike:
    """Models that answer at once, but for those that never do and those that fail."""

    def __init__(self, *, silent: Container[str] = (), failing: Container[str] = ()) -> None:
        self.silent = silent
        self.failing = failing

    async def __call__(
        self, agent: Agent, messages: Sequence[Message]
    ) -> AsyncGenerator[Chunk | Finish, None]:
        if agent.name in self.failing:
            raise ModelError("auth", "no")
        if agent.name in self.silent:
            await asyncio.Event().wait()
        yield Chunk("text", f"{agent.name} answers")
        yield Finish("stop", None, None)


@pytest.mark.parametrize(
    ("models", "read", "statuses"),
    [
        (Unlike(), 6, {"done"}),
        (Unlike(silent={"kimi"}), 5, {"done", "stopped"}),
        # Where two fail, all that is left is waited for.
        (Unlike(failing={"kimi", "glm"}), 4, {"done", "failed"}),
        (Unlike(failing={"kimi", "glm", "qwen", "minimax", "deepseek-pro"}), 1, {"done", "failed"}),
    ],
    ids=["all answer", "one is slow", "two fail", "five fail"],
)
@pytest.mark.parametrize("name", ["moa", "moa-lite", "moa-frontier"])
async def test_a_layer_of_six_goes_on_with_five_and_with_fewer_where_they_fail(
    name: str, models: Unlike, read: int, statuses: set[str]
) -> None:
    recipe = load(name)
    *layers, last = recipe.layers
    # The aggregator answers, whoever it is among the proposers; and nobody waits two seconds here.
    writer = Agent(model="writer", name="writer")
    table = recipe.model_dump(exclude_unset=True)
    table["layers"] = [
        *({**layer.model_dump(exclude_unset=True), "grace_seconds": 0.01} for layer in layers),
        {**last.model_dump(exclude_unset=True), "agents": [writer.model_dump(exclude_unset=True)]},
    ]
    started: dict[str, CallStarted] = {}

    def note(event: Event) -> None:
        if isinstance(event, CallStarted):
            started[event.agent.name] = event

    outcome = await asyncio.wait_for(run(Recipe.model_validate(table), PROMPT, models, note), 20)
    assert outcome.status == "done"
    assert started["writer"].messages[0]["content"].count("</reference>") == read
    proposed = {reply.status for call, reply in outcome.replies.items() if call.layer < len(recipe.layers)}
    assert proposed == statuses


def test_the_cheaper_recipe_of_the_paper_has_the_cheaper_aggregator(catalog: Catalog) -> None:
    """As in the paper: Qwen1.5-72B in the place of 110B, both among the proposers (arXiv 2406.04692, 3.1)."""
    prices = {}
    for name in ("moa", "moa-lite"):
        recipe = load(name)
        info = catalog.find(recipe.lineup[-1][0].model)
        assert info is not None
        assert info.prompt_price is not None
        assert info.completion_price is not None
        prices[name] = (info.prompt_price, info.completion_price)
        assert recipe.lineup[-1][0].model in {agent.model for agent in recipe.lineup[0]}
        assert recipe.lineup[0][0].model == load("moa").lineup[0][0].model
    assert prices["moa-lite"][0] <= prices["moa"][0] / 2
    assert prices["moa-lite"][1] <= prices["moa"][1] / 2


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
