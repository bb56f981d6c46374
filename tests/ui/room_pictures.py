"""How much of each agent's text can be read while a run is at work, with pictures.

Run as `python -m tests.ui.room_pictures [FOLDER]`: prints a table in Markdown, and writes the pictures as SVG
into FOLDER. It takes about half a minute and needs neither key nor network.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from moa_tui.engine.events import CallEnded, CallStarted, Delta
from moa_tui.engine.recipe import Recipe
from moa_tui.engine.values import CallId
from tests.ui.fixed_chat import DRAFTS, _reply, ask, chat_screen, happen, held_app

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textual.pilot import Pilot

    from moa_tui.engine.events import Event
    from moa_tui.ui.app import MoaApp

SIZES = [(80, 24), (120, 40), (220, 60)]
AGENTS = [2, 4, 6, 9]
_NAMES = tuple(DRAFTS)


class Sight(NamedTuple):
    """What of the panes is on the screen."""

    lines: list[int]
    """The lines of text of each pane."""
    cells: list[int]
    """The cells of a line, of each pane."""
    chat: int
    """The rows of the conversation."""


def recipe(agents: int, layers: int = 1) -> Recipe:
    """So many proposers in each of so many layers, and an aggregator."""
    line = [{"model": f"demo/{_NAMES[number % 4]}", "name": _NAMES[number % 4]} for number in range(agents)]
    final = {"model": "demo/thorough", "name": "thorough"}
    return Recipe.model_validate(
        {"name": f"{agents} agents", "layers": [*[{"agents": line}] * layers, {"agents": [final]}]}
    )


def writing(this: Recipe, layer: int = 1, over: int = 0) -> list[tuple[float, Event]]:
    """Every agent of a layer has written more than a pane holds; the first `over` of them have ended."""
    script: list[tuple[float, Event]] = []
    for number, agents in enumerate(this.lineup[:layer], 1):
        begin = 20.0 * (number - 1)
        for index, agent in enumerate(agents, 1):
            call, text = CallId(number, index), "\n\n".join([DRAFTS[agent.name.split()[0]]] * 9)
            script.append((begin, CallStarted(call, agent, (), begin)))
            script.append((begin + 1.0, Delta(call, "text", text)))
            if number < layer or index <= over:
                script.append(
                    (begin + 2.0, CallEnded(call, _reply(agent.name, text, begin, begin + 1, begin + 2)))
                )
    return [*script, (20.0 * layer - 8.0, Delta(CallId(layer, len(this.lineup[layer - 1])), "text", " "))]


async def at_work(pilot: Pilot[None], agents: int, *, layers: int = 1, layer: int = 1, over: int = 0) -> None:
    """Let a run of so many agents come to where a layer is at work."""
    this = recipe(agents, layers)
    chat_screen(pilot.app).session.chat.use_recipe(this)  # type: ignore[arg-type]
    await ask(pilot)
    await happen(pilot, writing(this, layer, over))


def sight(app: MoaApp) -> Sight:
    screen = chat_screen(app)
    panes = screen.view.panel.panes
    return Sight(
        [pane.size.height for pane in panes],
        [pane.size.width for pane in panes],
        screen.query_one("#chat").region.height,
    )


def cases() -> Iterator[tuple[tuple[int, int], int, int, int, int]]:
    """Size, agents of each layer, layers, the layer at work, and how many of its agents have ended."""
    for size in SIZES:
        for agents in AGENTS:
            yield size, agents, 1, 1, 0
        yield size, 4, 1, 1, 2
        yield size, 4, 2, 2, 0


async def look(folder: Path | None) -> None:
    """Print the table, and take the pictures."""
    print("| terminal | run | panes shown | lines of text in each | cells of a line | rows of the chat |")
    print("|---|---|---|---|---|---|")
    for size, agents, layers, layer, over in cases():
        app = held_app()
        async with app.run_test(size=size) as pilot:
            await at_work(pilot, agents, layers=layers, layer=layer, over=over)
            lines, cells, chat = sight(app)
            words = f"{agents} agents"
            if layer > 1:
                words += f", layer {layer} at work"
            if over:
                words += f", {over} of them done"
            figures = [len(lines), _range(lines), _range(cells), chat]
            print(f"| {size[0]}x{size[1]} | {words} | {' | '.join(map(str, figures))} |")
            if folder is not None:
                name = f"{size[0]}x{size[1]}-{agents}-layer{layer}-done{over}.svg"
                (folder / name).write_text(app.export_screenshot(), encoding="utf-8")


def _range(values: list[int]) -> str:
    low, high = min(values, default=0), max(values, default=0)
    return f"{low}" if low == high else f"{low} to {high}"


def main() -> None:
    """Look, away from the user's own config."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as surroundings:
        os.environ["MOA_TUI_CONFIG"] = str(Path(surroundings) / "config.toml")
        os.environ["MOA_TUI_STATE_DIR"] = surroundings
        asyncio.run(look(folder))


if __name__ == "__main__":
    main()
