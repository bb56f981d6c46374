"""Editing a copy of a recipe."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from textual.widgets import OptionList, Static, TextArea

from moa_tui.engine.recipe import Recipe
from moa_tui.errors import ModelError
from moa_tui.recipes import files
from moa_tui.ui.screens.recipes.model_screen import ModelScreen, about
from moa_tui.ui.screens.recipes.recipe_dialogs import DropScreen, NameScreen, TryScreen
from moa_tui.ui.screens.recipes.recipe_draft import Place, RecipeDraft
from moa_tui.ui.screens.recipes.recipe_editor import Lineup
from moa_tui.ui.widgets.choice_line import ChoiceLine
from moa_tui.ui.widgets.key_bar import KeyBar
from tests.helpers import recipe, wait_until
from tests.ui.given import key
from tests.ui.screens.recipes.editing import (
    HOSTED,
    LOCAL,
    TWO,
    Host,
    catalog_in,
    opened,
    put,
    used,
)

if TYPE_CHECKING:
    from pathlib import Path

    from moa_tui.engine.agent import Agent
    from moa_tui.recipes.catalog import RecipeCatalog


@pytest.fixture
def catalog(tmp_path: Path) -> RecipeCatalog:
    return catalog_in(tmp_path)


@key("editor.use")
async def test_what_is_typed_is_in_the_recipe_and_the_rest_stays_as_it_was(catalog: RecipeCatalog) -> None:
    given = Recipe.model_validate(
        {
            "name": "mine",
            "description": "kept",
            "defaults": {"temperature": 0.5},
            "agents": {"a": {"model": "demo/terse", "fallback": ["b"], "extra": {"seed": 1}, "top_p": 0.9},
                       "b": {"model": "demo/coder"}},
            "layers": [{"agents": ["a", {"model": "demo/sceptic", "count": 3}], "quorum": 2,
                        "grace_seconds": 9},
                       {"agents": ["a"], "placement": "system"}],
            "limits": {"max_cost": 0.5},
        }
    )  # fmt: skip
    app = Host(catalog, given)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        await put(app, pilot, "temperature", "1.2")
        await put(app, pilot, "max_tokens", "77")
        app.editor.query_one(TextArea).focus()
        await pilot.press("B", "e", "space", "k", "i", "n", "d")
        result = await used(app, pilot)
    first, *_ = result.lineup[0]
    assert (first.temperature, first.max_tokens, first.system) == (1.2, 77, "Be kind")
    assert (first.name, first.fallback, first.extra, first.top_p) == ("a", ("b",), {"seed": 1}, 0.9)
    assert result.lineup[1] == given.lineup[1], "the other seat of that name is as it was"
    assert result.layers[0].quorum == 2
    assert result.layers[0].grace_seconds == 9
    assert result.layers[1].placement == "system"
    assert result.limits == given.limits
    assert result.defaults == given.defaults
    assert result.fallbacks(first)[0].model == "demo/coder"


async def test_a_wrong_value_is_told_at_once_with_layer_agent_and_key_and_nothing_typed_is_lost(
    catalog: RecipeCatalog,
) -> None:
    app = Host(catalog)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        await put(app, pilot, "temperature", "hot")
        assert app.words("#status").startswith("✗ layer 1, agent 1 (demo/terse), temperature: ")
        assert "✗" in app.row(1)
        app.editor.query_one(Lineup).focus()
        await pilot.press("down")
        await wait_until(lambda: app.field("temperature").value == "")
        await pilot.press("up")
        await wait_until(lambda: app.field("temperature").value == "hot")
        await pilot.press("ctrl+g", "ctrl+s")
        await pilot.pause()
        assert app.screen is app.editor, "neither saved nor used while it is wrong"
        await put(app, pilot, "temperature", "0.1")
        await wait_until(lambda: app.words("#status").startswith("✓ valid"))
        assert (await used(app, pilot)).lineup[0][0].temperature == 0.1


async def test_what_is_typed_just_before_another_agent_is_opened_is_not_lost(catalog: RecipeCatalog) -> None:
    app = Host(catalog)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        app.field("count").value = "7"
        app.editor.query_one(TextArea).text = "typed"
        app.editor.query_one(Lineup).highlighted = 2
        app.editor._open(Place(0, 1))
        await pilot.pause()
        app.editor._open(Place(0, 0))
        await pilot.pause()
        assert app.field("count").value == "7"
        assert app.editor.query_one(TextArea).text == "typed"
        assert app.row(2).strip() == "demo/coder"


async def test_looking_at_a_prompt_with_odd_line_ends_does_not_change_it(catalog: RecipeCatalog) -> None:
    given = recipe(
        [{"model": "demo/terse", "system": "one\u2028two\r\nthree\n"}, "demo/coder"], ["demo/coder"]
    )
    app = Host(catalog, given)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        await pilot.press("down", "up", "down")
        await pilot.pause()
        await pilot.press("escape")
        await wait_until(lambda: app.given == [None])


async def test_an_empty_model_is_missing_and_not_an_odd_recipe(catalog: RecipeCatalog) -> None:
    app = Host(catalog)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        await put(app, pilot, "model", "")
        assert "layer 1, agent 1 (demo/terse), model: missing" in app.words("#status")


@key("editor.copy_agent", "editor.remove")
async def test_agents_are_copied_moved_and_removed(catalog: RecipeCatalog) -> None:
    app = Host(catalog)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        assert app.rows == ["L1 answer", "demo/terse", "demo/coder", "L2 synthesize · final", "demo/terse"]
        await pilot.press("c", "shift+down")
        assert app.rows[1:4] == ["demo/terse", "demo/coder", "demo/terse"]
        await pilot.press("up", "up", "d")
        assert app.rows[1:3] == ["demo/coder", "demo/terse"]
        result = await used(app, pilot)
        assert [agent.model for agent in result.lineup[0]] == ["demo/coder", "demo/terse"]


@key("editor.add_layer", "editor.move_down", "editor.move_up")
async def test_layers_are_added_moved_and_removed(catalog: RecipeCatalog) -> None:
    app = Host(catalog)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        await pilot.press("down", "l")
        assert app.rows[3:5] == ["L2 synthesize", "demo/coder"], (
            "it starts with the agent that was highlighted"
        )
        await pilot.press("shift+up")
        assert app.rows[:3] == ["L1 answer", "demo/coder", "L2 synthesize"]
        assert app.words("#status").startswith("✓")
        await pilot.press("shift+down", "shift+down")
        assert app.rows[-2:] == ["L3 synthesize · final", "demo/coder"]
        await pilot.press("d")
        assert app.rows == ["L1 answer", "demo/terse", "demo/coder", "L2 synthesize · final", "demo/terse"]
        await pilot.press("d")
        await wait_until(lambda: "the last layer is the aggregator" in app.words("#status"))
        await pilot.press("d")
        await pilot.pause()
        assert app.rows[0] == "✗ L1 answer", "the last layer stays"


async def test_an_empty_layer_says_what_to_do(catalog: RecipeCatalog) -> None:
    app = Host(catalog)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        await pilot.press("d", "d")
        assert "layer 1 has no agents: add one or remove it" in app.words("#status")
        await pilot.press("l", "d")
        assert len(app.rows) == 3


@key("editor.models", "models.choose")
async def test_a_model_is_found_by_typing_and_brings_its_server(catalog: RecipeCatalog) -> None:
    given = recipe([{"model": "lab/x", "api_key_env": "LAB_KEY", "extra": {"num_ctx": 9, "seed": 1}}])
    app = Host(catalog, given)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        assert "LAB_KEY" in app.words("#kept")
        await pilot.press("f3")
        await wait_until(lambda: isinstance(app.screen, ModelScreen))
        await wait_until(lambda: app.screen.query_one(OptionList).option_count == 2)
        await pilot.press(*"vllm")
        await wait_until(lambda: app.screen.query_one(OptionList).option_count == 1)
        await pilot.press("enter")
        await wait_until(lambda: app.screen is app.editor)
        assert app.field("model").value == "openai/served"
        (agent,) = (await used(app, pilot)).lineup[0]
    assert agent.api_base == "http://127.0.0.1:8000/v1"
    assert agent.api_key_env is None, "the old server's key is not sent to the new one"
    assert agent.extra == {"seed": 1}


@key("editor.add_agent", "models.close")
@key("models.up", "models.down", "models.page_up", "models.page_down")
async def test_an_added_agent_is_of_the_model_found_or_none_at_all(catalog: RecipeCatalog) -> None:
    app = Host(catalog)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        await pilot.press("a")
        await wait_until(lambda: isinstance(app.screen, ModelScreen))
        await pilot.press("escape")
        await wait_until(lambda: app.screen is app.editor)
        assert len(app.rows) == 5
        await pilot.press("a")
        await wait_until(
            lambda: app.screen is not app.editor and app.screen.query_one(OptionList).option_count
        )
        models = app.screen.query_one(OptionList)
        last = models.option_count - 1
        for moves, place in (("pagedown", last), ("pageup", 0), ("down", 1), ("up", 0), ("down", 1)):
            await pilot.press(moves)
            assert models.highlighted == place
        await pilot.press("enter")
        await wait_until(lambda: len(app.rows) == 6)
        assert app.rows[2] == "gpt-x"
        await wait_until(lambda: "OPENAI_API_KEY is not set, needed by openai/gpt-x" in app.words("#status"))


async def test_what_lacks_a_key_is_not_used_but_can_be_saved(catalog: RecipeCatalog) -> None:
    app = Host(catalog, files.load("duo", catalog._recipes_dir))
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        await pilot.press("ctrl+g")
        await wait_until(lambda: app._notifications)
        (told,) = app._notifications
        assert "cannot run here: OPENAI_API_KEY is not set" in told.message
        assert app.given == []
        await pilot.press("ctrl+s", "enter")
        await wait_until(lambda: catalog.has_own("duo-copy"))


@key("editor.save", "name.accept", "name.close")
async def test_saving_asks_before_replacing_and_names_what_cannot_be_a_name(catalog: RecipeCatalog) -> None:
    catalog.save("taken", TWO)
    app = Host(catalog)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        await put(app, pilot, "count", "2")
        await pilot.press("ctrl+s")
        await wait_until(lambda: isinstance(app.screen, NameScreen))
        await pilot.press("escape")
        await wait_until(lambda: app.screen is app.editor)
        await pilot.press("ctrl+s")
        await wait_until(lambda: isinstance(app.screen, NameScreen))

        def note() -> str:
            return str(app.screen.query_one("#note", Static).content)

        await pilot.press("ctrl+u", *"a/b", "enter")
        await wait_until(lambda: '"a/b" cannot name a recipe' in note())
        await pilot.press("ctrl+u", *"taken", "enter")
        await wait_until(lambda: "Enter once more replaces it" in note())
        assert catalog.load("taken").calls == 3
        await pilot.press("enter")
        await wait_until(lambda: catalog.load("taken").calls == 4)
        await wait_until(lambda: "changed" not in app.words("#title"))
        await pilot.press("escape")
        await wait_until(lambda: app.given == [None])


async def test_a_folder_that_cannot_be_written_is_told_and_nothing_is_lost(catalog: RecipeCatalog) -> None:
    catalog._recipes_dir.write_text("a file")
    app = Host(catalog)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        await pilot.press("c", "ctrl+s", "enter")
        await wait_until(lambda: app._notifications)
        (told,) = app._notifications
        assert str(catalog._recipes_dir) in told.message
        assert "changed" in app.words("#title")


@key("drop.drop", "drop.keep", "editor.close")
async def test_escape_asks_before_it_drops_changes(catalog: RecipeCatalog) -> None:
    app = Host(catalog)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        await pilot.press("c", "escape")
        await wait_until(lambda: isinstance(app.screen, DropScreen))
        await pilot.press("escape")
        await wait_until(lambda: app.screen is app.editor)
        assert len(app.rows) == 6
        await pilot.press("escape", "d")
        await wait_until(lambda: app.given == [None])


async def test_what_was_changed_back_needs_no_asking(catalog: RecipeCatalog) -> None:
    app = Host(catalog)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        await put(app, pilot, "count", "2")
        await put(app, pilot, "count", "")
        await pilot.press("escape")
        await wait_until(lambda: app.given == [None])


@key("editor.try_once")
async def test_an_agent_is_tried_with_the_recipes_defaults(catalog: RecipeCatalog) -> None:
    given = TWO.model_copy(update={"defaults": TWO.defaults.model_copy(update={"temperature": 0.3})})
    app = Host(catalog, given)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        await pilot.press("d", "ctrl+t")
        await wait_until(lambda: isinstance(app.screen, TryScreen))
        note = app.screen.query_one("#note", Static)
        await wait_until(lambda: "demo/coder at 0.3 answers" in str(note.content))
        await pilot.press("escape")
        await wait_until(lambda: app.screen is app.editor)


async def test_an_agents_failure_is_shown_whole_and_as_text(catalog: RecipeCatalog) -> None:
    message = "401: the key is wrong [/] " + "and more " * 100

    async def fails(agent: Agent) -> str:
        raise ModelError("auth", message)

    app = Host(catalog, try_once=fails)
    async with app.run_test(size=(60, 20)) as pilot:
        await opened(app, pilot)
        await pilot.press("ctrl+t")
        await wait_until(lambda: isinstance(app.screen, TryScreen))
        note = app.screen.query_one("#note", Static)
        await wait_until(lambda: message in str(note.content))


@key("try.close")
async def test_leaving_a_try_stops_asking(catalog: RecipeCatalog) -> None:
    ended = asyncio.Event()

    async def hangs(agent: Agent) -> str:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return ""

    app = Host(catalog, try_once=hangs)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        await pilot.press("ctrl+t")
        await wait_until(lambda: isinstance(app.screen, TryScreen))
        await pilot.press("escape")
        await wait_until(ended.is_set)


async def test_an_agent_that_cannot_be_asked_says_why(catalog: RecipeCatalog) -> None:
    app = Host(catalog)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        await put(app, pilot, "temperature", "5")
        await pilot.press("ctrl+t")
        await wait_until(lambda: app._notifications)
        (told,) = app._notifications
        assert "temperature: Input should be less than or equal to 2" in told.message


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40)])
async def test_every_key_is_named_and_the_form_has_room(
    catalog: RecipeCatalog, size: tuple[int, int]
) -> None:
    app = Host(catalog)
    async with app.run_test(size=size) as pilot:
        await opened(app, pilot)
        keys = str(app.editor.query_one(KeyBar).content)
        words = ("Add agent", "Copy agent", "Add layer", "Remove", "Move up", "Move down", "Find model")
        assert all(word in keys for word in (*words, "Try once", "Save as", "Use", "Close"))
        assert app.editor.query_one(TextArea).size.height >= 2
        assert app.field("model").size.width >= 20


async def test_a_click_on_a_key_does_what_the_key_does(catalog: RecipeCatalog) -> None:
    app = Host(catalog)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        await pilot.click(KeyBar, offset=(2, 0))
        await wait_until(lambda: isinstance(app.screen, ModelScreen))


async def test_markup_in_names_is_shown_as_text(catalog: RecipeCatalog) -> None:
    given = recipe([{"model": "demo/[b]x", "name": "[red]", "system": "[/]", "extra": {"user": "[/b]"}}])
    app = Host(catalog, given)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        assert app.rows[1] == "[red]"
        assert "user [/b]" in app.words("#kept")
        await put(app, pilot, "name", "")
        assert app.rows[1] == "[b]x"
        app.field("model").focus()
        await pilot.press("f3")
        await wait_until(lambda: isinstance(app.screen, ModelScreen))


def test_a_model_is_described_with_place_window_price_and_key() -> None:
    assert about(HOSTED).splitlines() == [
        "openai/gpt-x",
        "openai · 128,000 tokens of context · $1.00 in, $4.00 out per million tokens",
        "OPENAI_API_KEY is not set",
    ]
    assert "vllm at http://127.0.0.1:8000/v1 · context unknown · price unknown" in about(LOCAL)
    cached = replace(HOSTED, cached_price=1e-7, cache_write_price=1.25e-6)
    price = "$1.00 in, $4.00 out per million tokens ($0.10 out of its cache, $1.25 into it)"
    assert price in about(cached)


@pytest.mark.parametrize("name", sorted(files.available(files.BUILT_IN)))
def test_every_built_in_recipe_comes_out_as_it_went_in(name: str) -> None:
    given = files.load(name, files.BUILT_IN)
    draft = RecipeDraft(given)
    assert not draft.is_changed
    assert draft.check() == (given, [])


def test_agents_that_only_changed_seats_named_are_dropped_and_fallbacks_are_kept() -> None:
    given = Recipe.model_validate(
        {
            "name": "x",
            "agents": {
                "a": {"model": "demo/terse", "fallback": ["b"]},
                "b": {"model": "demo/coder"},
                "spare": {"model": "demo/sceptic"},
            },
            "layers": [{"agents": ["a"]}],
        }
    )
    draft = RecipeDraft(given)
    seat = draft.seat(Place(0, 0))
    assert seat is not None
    seat.texts["count"] = "1"
    result, problems = draft.check()
    assert not problems
    assert result is not None
    assert set(result.agents) == {"b", "spare"}


def test_settings_that_have_no_meaning_in_another_place_do_not_stand_in_the_way() -> None:
    given = recipe(
        {"agents": ["a", "b", "c"], "quorum": 3},
        {"agents": ["d"], "task": "synthesize", "placement": "system"},
    )
    draft = RecipeDraft(given)
    draft.remove(Place(0, 0))
    assert draft.check()[1] == [], "a quorum of more than there are means all"
    draft.remove(Place(0))
    result, problems = draft.check()
    assert not problems, "a first layer has no references to place"
    assert result is not None
    assert result.layers[0].placement == "user"


async def test_an_agents_effort_is_chosen_among_those_there_are(catalog: RecipeCatalog) -> None:
    given = recipe(["demo/terse", {"model": "demo/coder", "reasoning_effort": "high"}], ["demo/terse"])
    app = Host(catalog, given)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        line = app.editor.query_one(ChoiceLine)
        assert line.value == "the model's own"
        line.focus()
        await pilot.press("l")
        assert line.value == "low"
        app.editor._open(Place(0, 1))
        app.editor._show_rows()
        await wait_until(lambda: line.value == "high")
        line.focus()
        await pilot.press("right")
        assert line.value == "the model's own", "behind the last comes the first"
        result = await used(app, pilot)
    assert [agent.reasoning_effort for agent in result.lineup[0]] == ["low", None]
    assert result.lineup[1][0].reasoning_effort is None


async def test_an_agent_without_an_effort_shows_the_recipes(catalog: RecipeCatalog) -> None:
    given = Recipe.model_validate(
        {
            "name": "test",
            "defaults": {"reasoning_effort": "low"},
            "layers": [{"agents": [{"model": "demo/terse"}]}],
        }
    )
    app = Host(catalog, given)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        line = app.editor.query_one(ChoiceLine)
        assert line.value == "default: low"
        line.focus()
        await pilot.press("right")
        result = await used(app, pilot)
    assert result.layers[0].agents[0].reasoning_effort == "none"
