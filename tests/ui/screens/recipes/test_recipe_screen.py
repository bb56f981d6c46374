"""Choosing a recipe."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from textual.app import App
from textual.widgets import Input, OptionList, Static

from moa_tui.errors import FileError
from moa_tui.gateway.gateway import Gateway
from moa_tui.recipes.catalog import RecipeCatalog, RecipeChoice
from moa_tui.recipes.models import ModelCatalog
from moa_tui.settings.config import Settings
from moa_tui.ui.screens.recipes.recipe_editor import RecipeEditor
from moa_tui.ui.screens.recipes.recipe_screen import RecipeScreen
from moa_tui.ui.widgets.key_bar import KeyBar
from tests.helpers import wait_until
from tests.ui.given import key

if TYPE_CHECKING:
    from pathlib import Path

    from textual.pilot import Pilot

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.recipe import Recipe

HOSTILE = """
name = "odd"
description = "[/] [red]not red[/red] [link=https://x]y[/link]"
[agents."[/a]"]
model = "demo/[b]terse"
[[layers]]
agents = ["[/a]"]
"""


async def answers(agent: Agent) -> str:
    return f"{agent.name} answers"


class Host(App[None]):
    """Pushes the screen and keeps what it gave."""

    def __init__(self, catalog: RecipeCatalog, current: str = "demo") -> None:
        super().__init__()
        self.catalog = catalog
        self.current = current
        self.given: list[Recipe | None] = []

    def on_mount(self) -> None:
        models = ModelCatalog(Settings(), Gateway({}, {}), {})
        self.push_screen(RecipeScreen(self.catalog, models, self.current, answers), self.given.append)


@pytest.fixture
def catalog(tmp_path: Path) -> RecipeCatalog:
    """Two recipes of one's own, one of them broken; one key; no server."""
    (tmp_path / "broken.toml").write_text('name = "broken"\n')
    (tmp_path / "[bold]odd.toml").write_text(HOSTILE)
    environ = {"OPENAI_API_KEY": "sk-x"}
    return RecipeCatalog(Settings(), Gateway({}, environ), tmp_path, tuple)


def text(app: App[Any], selector: str) -> str:
    return str(app.screen.query_one(selector, Static).content)


def rows(app: App[Any]) -> list[str]:
    options = app.screen.query_one(OptionList).options
    return [str(option.prompt) for option in options]


async def listed(app: Host, pilot: Pilot[None]) -> None:
    await wait_until(lambda: app.screen.query("#about") and text(app, "#about").startswith(app.current))
    await pilot.pause()


async def type_in(pilot: Pilot[None], words: str) -> None:
    app = pilot.app
    await pilot.press(*["space" if letter == " " else letter for letter in words])
    await wait_until(lambda: app.screen.query_one(Input).value.endswith(words))
    await pilot.pause()


async def test_each_recipe_shows_calls_price_and_what_keeps_it_from_running(catalog: RecipeCatalog) -> None:
    app = Host(catalog)
    async with app.run_test(size=(80, 24)) as pilot:
        await listed(app, pilot)
        by_name = {row.strip("▸ ").split()[0]: row for row in rows(app)}
        assert "9 calls" in by_name["demo"]
        assert "✓ ready" in by_name["demo"]
        assert "$0.58" in by_name["openai"]
        assert "✗ key missing" in by_name["duo"]
        assert "price unknown" in by_name["openrouter"]
        assert "✗ broken" in by_name["broken"]
        assert by_name["demo"].startswith("▸"), "the one in use is marked"


async def test_the_highlighted_recipe_is_told_whole(catalog: RecipeCatalog) -> None:
    app = Host(catalog, "duo")
    async with app.run_test(size=(80, 24)) as pilot:
        await listed(app, pilot)
        about = text(app, "#about")
        assert "no published figure for this line-up. Needs an OpenAI and an Anthropic key." in about
        assert "ANTHROPIC_API_KEY is not set, needed by claude-haiku-5-5" in about
        assert "Layer 2: synthesize" in about
        assert "luna: gpt-6-luna" in about


@key("recipes.choose", "recipes.down")
async def test_enter_gives_the_highlighted_recipe(catalog: RecipeCatalog) -> None:
    app = Host(catalog)
    async with app.run_test(size=(80, 24)) as pilot:
        await listed(app, pilot)
        await pilot.press("down", "enter")
        await wait_until(lambda: app.given)
        assert app.given[0] is not None
        assert app.given[0].name == "openai"


async def test_typing_filters_by_name_description_and_model(catalog: RecipeCatalog) -> None:
    app = Host(catalog)
    async with app.run_test(size=(80, 24)) as pilot:
        await listed(app, pilot)
        await type_in(pilot, "kimi twelve")
        assert rows(app) == []
        assert "No recipe matches" in text(app, "#about")
        await pilot.press("enter", "ctrl+u")
        await type_in(pilot, "kimi")
        found = {row.split()[0] for row in rows(app)}
        assert {"moa", "moa-frontier", "moa-lite"} <= found
        assert not {"duo", "self-moa", "demo"} & found
        assert not app.given


@key("recipes.up")
async def test_a_recipe_without_its_key_is_refused_with_the_variable_named(catalog: RecipeCatalog) -> None:
    app = Host(catalog, "duo")
    async with app.run_test(size=(80, 24)) as pilot:
        await listed(app, pilot)
        await pilot.press("enter")
        await wait_until(lambda: "duo cannot run here" in text(app, "#refusal"))
        assert "ANTHROPIC_API_KEY is not set, needed by claude-haiku-5-5" in text(app, "#refusal")
        assert not app.given
        await pilot.press("up")
        await wait_until(lambda: not text(app, "#refusal"))


async def test_a_broken_file_is_shown_with_its_problem_and_neither_used_nor_edited(
    catalog: RecipeCatalog,
) -> None:
    app = Host(catalog, "broken")
    async with app.run_test(size=(80, 24)) as pilot:
        await listed(app, pilot)
        assert "broken.toml: layers: missing" in text(app, "#about")
        for key in ("enter", "ctrl+e"):
            await pilot.press(key)
            await wait_until(lambda: "layers: missing" in text(app, "#refusal"))
        assert isinstance(app.screen, RecipeScreen)


async def test_markup_in_a_recipe_is_shown_as_text(catalog: RecipeCatalog) -> None:
    app = Host(catalog, "[bold]odd")
    async with app.run_test(size=(80, 24)) as pilot:
        await listed(app, pilot)
        assert any("[bold]odd" in row for row in rows(app))
        assert "[/] [red]not red[/red] [link=https://x]y[/link]" in text(app, "#about")
        assert "[/a]: demo/[b]terse" in text(app, "#about")


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40)])
async def test_the_keys_are_named_and_the_list_has_room(
    catalog: RecipeCatalog, size: tuple[int, int]
) -> None:
    app = Host(catalog)
    async with app.run_test(size=size) as pilot:
        await listed(app, pilot)
        keys = str(app.screen.query_one(KeyBar).content)
        assert all(word in keys for word in ("Choose", "Edit a copy", "Read on", "Close"))
        assert app.screen.query_one(OptionList).size.height >= 5
        assert app.screen.query_one("#details").size.height >= 5
        assert all(len(row) <= app.screen.query_one(OptionList).size.width for row in rows(app))


@key("recipes.details_down", "recipes.details_up")
async def test_page_down_reads_on_in_the_description(catalog: RecipeCatalog) -> None:
    app = Host(catalog)
    async with app.run_test(size=(60, 20)) as pilot:
        await listed(app, pilot)
        details = app.screen.query_one("#details")
        await pilot.press("pagedown")
        await wait_until(lambda: details.scroll_y > 0)
        await pilot.press("pageup")
        await wait_until(lambda: details.scroll_y == 0)


class Waiting(RecipeCatalog):
    """Finds recipes when it is told to."""

    def __init__(self, found: list[RecipeChoice] | FileError) -> None:
        self.found = found
        self.go = threading.Event()

    def recipes(self) -> list[RecipeChoice]:
        assert self.go.wait(5)
        if isinstance(self.found, FileError):
            raise self.found
        return self.found


async def test_it_says_that_it_is_looking_and_keeps_what_was_typed_meanwhile(catalog: RecipeCatalog) -> None:
    waiting = Waiting(catalog.recipes())
    app = Host(waiting)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_until(lambda: app.screen.query("#about"))
        assert "Looking for recipes and local servers" in text(app, "#about")
        await type_in(pilot, "duo")
        waiting.go.set()
        await wait_until(lambda: rows(app))
        assert [row.split()[0] for row in rows(app)] == ["duo"]


async def test_a_folder_that_cannot_be_read_is_told(catalog: RecipeCatalog) -> None:
    waiting = Waiting(FileError("/x/recipes: cannot be read: [/]"))
    waiting.go.set()
    app = Host(waiting)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_until(lambda: app.screen.query("#about"))
        await wait_until(lambda: "/x/recipes: cannot be read: [/]" in text(app, "#about"))
        await pilot.press("enter", "ctrl+e", "escape")
        await wait_until(lambda: app.given == [None])


@key("recipes.close")
async def test_escape_gives_nothing(catalog: RecipeCatalog) -> None:
    app = Host(catalog)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("escape")
        await wait_until(lambda: app.given == [None])


async def test_an_edited_copy_that_is_to_be_used_is_what_the_screen_gives(catalog: RecipeCatalog) -> None:
    app = Host(catalog)
    async with app.run_test(size=(80, 24)) as pilot:
        await listed(app, pilot)
        await pilot.press("ctrl+e")
        await wait_until(lambda: isinstance(app.screen, RecipeEditor))
        await pilot.press("c", "ctrl+g")
        await wait_until(lambda: app.given)
        assert app.given[0] is not None
        assert app.given[0].calls == 10


@key("recipes.edit")
async def test_a_recipe_saved_in_the_editor_is_listed_on_return(catalog: RecipeCatalog) -> None:
    app = Host(catalog)
    async with app.run_test(size=(80, 24)) as pilot:
        await listed(app, pilot)
        await pilot.press("ctrl+e")
        await wait_until(lambda: isinstance(app.screen, RecipeEditor))
        await pilot.press("ctrl+s", "enter")
        await wait_until(lambda: isinstance(app.screen, RecipeEditor) and catalog.has_own("demo-copy"))
        await pilot.press("escape")
        await wait_until(lambda: isinstance(app.screen, RecipeScreen))
        await wait_until(lambda: any("demo-copy" in row for row in rows(app)))
