"""The main screens as pictures, at three sizes, dark and light; `--snapshot-update` takes them anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from moa_tui.engine import left_out
from moa_tui.engine.left_out import LeftOutPoint
from moa_tui.engine.values import CallId
from moa_tui.ui.screens.help_screen import HelpScreen
from moa_tui.ui.screens.inspect.inspector_screen import InspectorScreen
from moa_tui.ui.screens.inspect.run_screens import TimelineScreen
from moa_tui.ui.screens.left_out_screen import LeftOutScreen
from moa_tui.ui.screens.recipes.recipe_screen import RecipeScreen
from moa_tui.ui.screens.theme_screen import ThemeScreen
from tests.helpers import wait_until
from tests.ui.fixed_chat import KEY, ask, at_rest, chat_screen, first_layer, happen, held_app, whole_run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from textual.pilot import Pilot
    from textual.screen import Screen

    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import Outcome

    Snap = Callable[..., bool]

LOOKS = [((80, 24), "moa-dark"), ((120, 40), "moa-light"), ((220, 60), "moa-dark")]
each_look = pytest.mark.parametrize(
    ("size", "theme"), LOOKS, ids=[f"{size[0]}x{size[1]}-{theme}" for size, theme in LOOKS]
)


POINTS = {
    CallId(1, 1): ["**Nine species in about a century**, says the radiocarbon."],
    CallId(1, 2): [
        "The first settlers reached New Zealand around **1280**.",
        "*Dogs and rats* took eggs and chicks.",
    ],
    CallId(1, 3): [
        "What was new is an enemy that hunts the adults, in numbers, all year round.",
    ],
}


@pytest.fixture(autouse=True)
def fixed_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same points are left out, whatever the measure finds."""

    def points(outcome: Outcome, recipe: Recipe) -> tuple[LeftOutPoint, ...]:
        return tuple(
            LeftOutPoint(text, (call,), 0, len(text)) for call, texts in POINTS.items() for text in texts
        )

    monkeypatch.setattr(left_out, "left_out", points)


async def until(pilot: Pilot[None], screen: type[Screen[Any]]) -> None:
    """Wait until that screen is up and drawn."""
    await wait_until(lambda: isinstance(pilot.app.screen, screen))
    await at_rest(pilot)


async def run_layer_1(pilot: Pilot[None]) -> None:
    run = await ask(pilot)
    await happen(pilot, first_layer(run.recipe))


async def finish(pilot: Pilot[None]) -> None:
    run = await ask(pilot)
    await happen(pilot, whole_run(run.recipe))
    await wait_until(lambda: run.left_out is not None)


async def list_what_was_left_out(pilot: Pilot[None]) -> None:
    await finish(pilot)
    await pilot.press("ctrl+up", "l")
    await until(pilot, LeftOutScreen)
    await pilot.press("down", "space")


async def inspect(pilot: Pilot[None]) -> None:
    await finish(pilot)
    screen = chat_screen(pilot.app)  # type: ignore[arg-type]
    assert screen.state.run_view is not None
    screen.controllers.looking.inspect(screen.state.run_view, CallId(2, 2))
    await until(pilot, InspectorScreen)


async def look_at_the_timeline(pilot: Pilot[None]) -> None:
    await inspect(pilot)
    await pilot.press("t")
    await until(pilot, TimelineScreen)


async def choose_a_recipe(pilot: Pilot[None]) -> None:
    await at_rest(pilot)
    await pilot.press("f2")
    await until(pilot, RecipeScreen)


async def ask_for_help(pilot: Pilot[None]) -> None:
    await at_rest(pilot)
    await pilot.press("f1")
    await until(pilot, HelpScreen)


async def choose_a_theme(pilot: Pilot[None]) -> None:
    await at_rest(pilot)
    pilot.app.choose_theme()  # type: ignore[attr-defined]
    await until(pilot, ThemeScreen)


def snap(
    compare: Snap, size: tuple[int, int], theme: str, before: Callable[[Pilot[None]], Awaitable[None]]
) -> bool:
    return compare(
        held_app(theme, KEY if before is choose_a_recipe else {}), terminal_size=size, run_before=before
    )


@each_look
def test_empty_chat(snap_compare: Snap, size: tuple[int, int], theme: str) -> None:
    assert snap(snap_compare, size, theme, at_rest)


@each_look
def test_layer_1_at_work(snap_compare: Snap, size: tuple[int, int], theme: str) -> None:
    assert snap(snap_compare, size, theme, run_layer_1)


@each_look
def test_finished_turn(snap_compare: Snap, size: tuple[int, int], theme: str) -> None:
    assert snap(snap_compare, size, theme, finish)


@each_look
def test_left_out(snap_compare: Snap, size: tuple[int, int], theme: str) -> None:
    assert snap(snap_compare, size, theme, list_what_was_left_out)


@each_look
def test_inspector(snap_compare: Snap, size: tuple[int, int], theme: str) -> None:
    assert snap(snap_compare, size, theme, inspect)


@each_look
def test_timeline(snap_compare: Snap, size: tuple[int, int], theme: str) -> None:
    assert snap(snap_compare, size, theme, look_at_the_timeline)


@each_look
def test_recipe_picker(snap_compare: Snap, size: tuple[int, int], theme: str) -> None:
    assert snap(snap_compare, size, theme, choose_a_recipe)


@each_look
def test_help(snap_compare: Snap, size: tuple[int, int], theme: str) -> None:
    assert snap(snap_compare, size, theme, ask_for_help)


@each_look
def test_theme_picker(snap_compare: Snap, size: tuple[int, int], theme: str) -> None:
    assert snap(snap_compare, size, theme, choose_a_theme)
