"""The README's moving picture: the real program, asked for something, with the demo recipe.

Run as `python -m tests.ui.moving_picture [FOLDER]`; it takes about half a minute and needs neither key nor
network. What the simulated models write, and when, is their own: nothing is drawn by hand.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import TYPE_CHECKING

from moa_tui.chat.backend import Backend
from moa_tui.chat.chat import Chat
from moa_tui.chat.library import Library
from moa_tui.chat.session import ChatSession
from moa_tui.gateway.gateway import Gateway
from moa_tui.gateway.thread import EngineThread
from moa_tui.recipes.catalog import RecipeCatalog
from moa_tui.settings.config import Settings
from moa_tui.store import Store
from moa_tui.ui.app import MoaApp
from tests.helpers import wait_until
from tests.ui.film import Frame, film, frame
from tests.ui.fixed_chat import FixedModels, at_rest, chat_screen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from textual.pilot import Pilot

    from moa_tui.ui.run.run_view import RunView

SIZE = (100, 30)
QUESTION = "How do I write my own recipe?"
PICTURE = Path(__file__).parent / "pictures" / "demo.svg"
WORDS = (
    "A question is typed. Four agents answer side by side, then again after reading each other. One writes "
    "the final answer, and a line below it says what it left out."
)
_LONGEST_SECONDS = 60.0
# So many characters have been written at the moments that are shown.
_ALL = 1_000_000
_FIRST = (60, 200, 350, 500)
_SECOND = (300, 600)
_ANSWER = (200, 450, 700)


@asynccontextmanager
async def started(folder: Path) -> AsyncIterator[Pilot[None]]:
    """The program as it starts on a machine without keys and servers; it keeps what is said in `folder`."""
    settings = Settings(reduced_motion=True)
    gateway = Gateway({}, {})
    models = FixedModels(settings, gateway, {})
    catalog = RecipeCatalog(settings, gateway, Path("none"), models.local_servers)
    with closing(Store(folder / "moa-tui.db")) as store, EngineThread() as engine:
        recipe, why = catalog.first(None)
        session = ChatSession(Chat(Backend(gateway, engine, store), recipe))
        app = MoaApp(session, catalog, models, Library(store, folder), settings, why=why)
        async with app.run_test(size=SIZE) as pilot:
            await at_rest(pilot)
            yield pilot


def _seen(pilot: Pilot[None], seconds: float) -> Frame:
    return frame(pilot.app.export_screenshot(), SIZE, seconds)


async def _typing(pilot: Pilot[None]) -> AsyncIterator[Frame]:
    """The question as it is typed, and sent."""
    prompt = chat_screen(pilot.app).view.box.prompt  # type: ignore[arg-type]
    yield _seen(pilot, 1.2)
    words = QUESTION.split(" ")
    for start in range(0, len(words), 2):
        prompt.insert((" " if start else "") + " ".join(words[start : start + 2]))
        await at_rest(pilot)
        yield _seen(pilot, 0.35)
    await pilot.press("enter")


async def _moments(
    pilot: Pilot[None], written: Callable[[], int], moments: Sequence[int], seconds: float
) -> AsyncIterator[Frame]:
    """What is seen whenever so many characters are written."""
    for characters in moments:
        await wait_until(lambda characters=characters: written() >= characters, _LONGEST_SECONDS)
        await pilot.pause()
        yield _seen(pilot, seconds)


def _layer(run: RunView, number: int) -> Callable[[], int]:
    """Tells how much every agent of a layer that is not done has written at least."""

    def written() -> int:
        if len(run.layers) < number:
            return 0
        return min((view.characters for view in run.layers[number - 1] if not view.over), default=_ALL)

    return written


def _answer(run: RunView) -> Callable[[], int]:
    """Tells how much of the final answer is written."""
    return lambda: _ALL if run.over else len(run.answer)


async def story(folder: Path) -> list[Frame]:
    """The frames in their order; the conversation is kept in `folder`."""
    async with started(folder) as pilot:
        frames = [each async for each in _typing(pilot)]
        screen = chat_screen(pilot.app)  # type: ignore[arg-type]
        await wait_until(lambda: screen.state.run_view is not None)
        run = screen.state.run_view
        assert run is not None
        frames += [each async for each in _moments(pilot, _layer(run, 1), _FIRST, 0.8)]
        frames += [each async for each in _moments(pilot, _layer(run, 2), _SECOND, 0.8)]
        frames += [each async for each in _moments(pilot, _answer(run), _ANSWER, 0.6)]
        await wait_until(lambda: screen.session.run is None and run.left_out is not None, _LONGEST_SECONDS)
        await at_rest(pilot)
        return [*frames, _seen(pilot, 4.5)]


def main() -> None:
    """Make the picture, away from the user's own config."""
    path = Path(sys.argv[1]) / PICTURE.name if len(sys.argv) > 1 else PICTURE
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as surroundings:
        os.environ["MOA_TUI_CONFIG"] = str(Path(surroundings) / "config.toml")
        os.environ["MOA_TUI_STATE_DIR"] = surroundings
        frames = asyncio.run(story(Path(surroundings)))
    path.write_text(film(frames, still=7, words=WORDS), encoding="utf-8")
    print(f"{path}: {len(frames)} frames, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
