"""Every screen above the chat is guarded, and none goes round the guard."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from pathlib import Path

import pytest
from textual.screen import Screen

import moa_tui.ui
from moa_tui.ui.chat.screen import ChatScreen
from moa_tui.ui.screens import guard
from moa_tui.ui.screens.guard import MOST_SCREENS, GuardedScreen
from moa_tui.ui.screens.help_screen import HelpScreen
from moa_tui.ui.terminal.textual_private import DeafScreen
from tests.helpers import wait_until
from tests.ui.chat_app import ALONE, chat_app

MODULES = sorted(module.name for module in pkgutil.walk_packages(moa_tui.ui.__path__, "moa_tui.ui."))
SCREENS = sorted(
    {
        cls
        for name in MODULES
        for cls in vars(importlib.import_module(name)).values()
        if isinstance(cls, type) and issubclass(cls, Screen) and cls.__module__.startswith("moa_tui.")
    },
    key=lambda cls: cls.__name__,
)
GOES_ROUND = {"push_screen", "pop_screen", "switch_screen", "push_screen_wait", "is_deaf"}
"""What only the guard, the app and the chat's view may call or set."""


@pytest.mark.parametrize("screen", SCREENS, ids=lambda cls: cls.__name__)
def test_a_screen_is_guarded_and_is_left_by_the_guards_method_alone(screen: type[Screen[object]]) -> None:
    if screen in (ChatScreen, DeafScreen):
        return
    assert issubclass(screen, GuardedScreen)
    assert screen.dismiss is GuardedScreen.dismiss


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("moa_tui.ui.screens.")])
def test_no_screen_opens_or_closes_one_past_the_guard(name: str) -> None:
    module = importlib.import_module(name)
    if module is guard:
        return
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not names & GOES_ROUND


def test_many_screens_are_looked_at() -> None:
    assert len(SCREENS) > 20


async def test_the_first_result_is_given_and_workers_end_before_the_widgets_do() -> None:
    async with chat_app(ALONE) as bench:
        results: list[int | None] = []
        screen = GuardedScreen[int]()
        await bench.app.push_screen(screen, results.append)
        worker = screen.run_worker(bench.pilot.pause(60))
        await bench.settle()
        assert not screen.has_left
        await screen.dismiss(1)
        screen.dismiss(2)
        assert screen.has_left
        assert worker.is_cancelled
        await bench.settle()
        assert results == [1]
        assert bench.app.screen_stack == [bench.screen]


async def test_what_a_left_screen_wanted_after_its_next_drawing_is_not_called() -> None:
    async with chat_app(ALONE) as bench:
        called: list[int] = []
        screen = GuardedScreen[int]()
        await bench.app.push_screen(screen)
        screen.call_after_refresh(called.append, 1)
        await wait_until(lambda: called)
        screen.call_after_refresh(called.append, 2)
        screen.dismiss()
        await bench.settle()
        assert called == [1]


async def test_no_more_screens_lie_above_one_another_than_can_be_drawn() -> None:
    async with chat_app(ALONE) as bench:
        for _ in range(3 * MOST_SCREENS):
            await bench.app.push_screen(HelpScreen([]))
            await bench.settle()
        assert len(bench.app.screen_stack) == MOST_SCREENS
        assert any("too many screens" in notice.message for notice in bench.app.notices)
