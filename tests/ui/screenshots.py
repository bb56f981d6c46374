"""Pictures for the README, taken from the real program while it answers with the demo recipe.

Run as `python -m tests.ui.screenshots FOLDER`; it takes about a minute and needs neither key nor network.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from moa_tui.chat.backend import Backend
from moa_tui.chat.chat import Chat
from moa_tui.chat.library import Library
from moa_tui.chat.session import ChatSession
from moa_tui.engine.recipe import Recipe
from moa_tui.engine.values import CallId
from moa_tui.gateway.gateway import Gateway
from moa_tui.gateway.thread import EngineThread
from moa_tui.recipes.catalog import RecipeCatalog
from moa_tui.settings.config import Settings
from moa_tui.ui.app import MoaApp
from moa_tui.ui.screens.inspect.inspector_screen import InspectorScreen
from tests.helpers import wait_until
from tests.ui.fixed_chat import FixedModels, at_rest, chat_screen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from textual.pilot import Pilot

    from moa_tui.ui.run.run_view import RunView

QUESTION = "Should a web shop cache database queries or whole pages?"
TOKENS_PER_SECOND = 90
_LONGEST_SECONDS = 60.0


@asynccontextmanager
async def asked(size: tuple[int, int]) -> AsyncIterator[tuple[Pilot[None], RunView]]:
    """The program at that size, with the question just sent."""
    settings = Settings(reduced_motion=True)
    gateway = Gateway({}, {})
    models = FixedModels(settings, gateway, {})
    catalog = RecipeCatalog(settings, gateway, Path("none"), models.local_servers)
    demo = catalog.load("demo").model_dump(exclude_unset=True)
    demo["defaults"] = {"extra": {"tokens_per_second": TOKENS_PER_SECOND}}
    with EngineThread() as engine:
        chat = Chat(Backend(gateway, engine), Recipe.model_validate(demo), private=True)
        app = MoaApp(ChatSession(chat), catalog, models, Library(None, Path("none")), settings)
        async with app.run_test(size=size) as pilot:
            screen = chat_screen(app)
            await at_rest(pilot)
            screen.view.box.prompt.insert(QUESTION)
            await pilot.press("enter")
            await wait_until(lambda: screen.state.run_view is not None)
            assert screen.state.run_view is not None
            yield pilot, screen.state.run_view


async def _writing(run: RunView, layer: int) -> None:
    """Wait until every agent of the layer has written something to look at."""
    await wait_until(
        lambda: all(view.over or view.characters > 400 for view in run.layers[layer - 1]), _LONGEST_SECONDS
    )


async def _ended(pilot: Pilot[None]) -> None:
    """Wait until the answer is there and laid out."""
    screen = chat_screen(pilot.app)  # type: ignore[arg-type]
    await wait_until(lambda: screen.session.run is None, _LONGEST_SECONDS)
    await at_rest(pilot)


async def take(folder: Path) -> None:
    """Write the four pictures into `folder`."""

    def save(pilot: Pilot[None], name: str) -> None:
        (folder / f"{name}.svg").write_text(pilot.app.export_screenshot(), encoding="utf-8")

    async with asked((120, 40)) as (pilot, run):
        await _writing(run, 1)
        await pilot.pause()
        save(pilot, "layer-1")
    async with asked((220, 60)) as (pilot, run):
        await _writing(run, 2)
        await pilot.pause()
        save(pilot, "wide")
    async with asked((80, 24)) as (pilot, _):
        await _ended(pilot)
        save(pilot, "answer")
    async with asked((120, 40)) as (pilot, run):
        await _ended(pilot)
        chat_screen(pilot.app).inspect(run, CallId(2, 2))  # type: ignore[arg-type]
        await wait_until(lambda: isinstance(pilot.app.screen, InspectorScreen))
        await at_rest(pilot)
        save(pilot, "inspector")


def main() -> None:
    """Take the pictures, away from the user's own config."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as surroundings:
        os.environ["MOA_TUI_CONFIG"] = str(Path(surroundings) / "config.toml")
        asyncio.run(take(folder))


if __name__ == "__main__":
    main()
