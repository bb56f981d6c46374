"""The recipe editor as tests run it, over a shelf with two models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import App
from textual.widgets import Input, Static

from moa_tui.gateway.gateway import Gateway
from moa_tui.recipes.catalog import RecipeCatalog
from moa_tui.recipes.models import ModelCatalog, ModelChoice
from moa_tui.settings.config import Settings
from moa_tui.ui.screens.recipes.recipe_editor import Lineup, RecipeEditor
from tests.helpers import recipe, wait_until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from textual.pilot import Pilot

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.recipe import Recipe

LOCAL = ModelChoice("openai/served", "vllm", api_base="http://127.0.0.1:8000/v1")
HOSTED = ModelChoice("openai/gpt-x", "openai", 128_000, 1e-6, 4e-6, "OPENAI_API_KEY")
TWO = recipe(["demo/terse", "demo/coder"], ["demo/terse"])


class TwoModels(ModelCatalog):
    """One local model and one hosted, whatever the machine has."""

    def models(self) -> list[ModelChoice]:
        return [LOCAL, HOSTED]


def catalog_in(tmp_path: Path) -> RecipeCatalog:
    """The catalog over an empty folder; no server is looked for."""
    return RecipeCatalog(Settings(), Gateway({}, {}), tmp_path / "recipes", tuple)


async def answers(agent: Agent) -> str:
    return f"{agent.name} at {agent.temperature} answers"


class Host(App[None]):
    """Pushes the editor and keeps what it gave."""

    def __init__(
        self,
        catalog: RecipeCatalog,
        edited: Recipe = TWO,
        try_once: Callable[[Agent], Awaitable[str]] = answers,
    ) -> None:
        super().__init__()
        self.editor = RecipeEditor(edited, catalog, TwoModels(Settings(), Gateway({}, {}), {}), try_once)
        self.given: list[Recipe | None] = []

    def on_mount(self) -> None:
        self.push_screen(self.editor, self.given.append)

    def row(self, number: int) -> str:
        return str(self.editor.query_one(Lineup).get_option_at_index(number).prompt).rstrip()

    @property
    def rows(self) -> list[str]:
        return [self.row(number).strip() for number in range(self.editor.query_one(Lineup).option_count)]

    def words(self, selector: str) -> str:
        return str(self.editor.query_one(selector, Static).content)

    def field(self, key: str) -> Input:
        return self.editor.query_one(f"#{key}", Input)


async def opened(app: Host, pilot: Pilot[None]) -> None:
    await wait_until(lambda: app.screen is app.editor and app.editor.query("#status"))
    await wait_until(lambda: app.words("#status"))
    await pilot.pause()


async def put(app: Host, pilot: Pilot[None], key: str, value: str) -> None:
    """Type `value` over what a field holds."""
    app.field(key).focus()
    await pilot.press("end", "ctrl+u", *value)
    await wait_until(lambda: app.field(key).value == value)
    await pilot.pause()


async def used(app: Host, pilot: Pilot[None]) -> Recipe:
    await pilot.press("ctrl+g")
    await wait_until(lambda: app.given)
    assert app.given[0] is not None
    return app.given[0]
