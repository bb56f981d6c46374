"""Marks of tests: which keys they press and which slash commands they give.

A marked test fails where it does not do so. test_given.py compares all marks below tests/ui with all that
there is.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from textual.app import App

import tests.ui
from moa_tui.ui import keymap
from moa_tui.ui.chat.commands import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from textual.dom import DOMNode

    from moa_tui.chat.prompt_text import PromptText
    from moa_tui.ui.chat.commands import Command
    from moa_tui.ui.chat.controllers import Controllers

    Test = Callable[..., Awaitable[None]]
    RunAction = Callable[..., Awaitable[bool]]

commands_tested: set[str] = set()
"""The commands that have a test, of the test modules imported so far."""
keys_tested: set[str] = set()
"""The ids of the bindings that have a test, of the test modules imported so far."""


def import_all_tests() -> None:
    """Import every test module of the user interface, so that all marks are known."""
    for module in pkgutil.walk_packages(tests.ui.__path__, "tests.ui."):
        importlib.import_module(module.name)


def command(*names: str) -> Callable[[Test], Test]:
    """Mark an asynchronous test of these commands: it fails unless the chat carries out each of them."""
    commands_tested.update(names)

    def marked(test: Test) -> Test:
        @functools.wraps(test)
        async def watched(*arguments: Any, **keywords: Any) -> None:
            given: set[str] = set()
            with pytest.MonkeyPatch.context() as patch:
                for name in names:
                    patch.setitem(COMMANDS, name, _noting(COMMANDS[name], name, given))
                await test(*arguments, **keywords)
            assert given == set(names), "the test does not give the commands that it is marked with"

        return watched

    return marked


def _noting(original: Command, name: str, given: set[str]) -> Command:
    """`original`, which puts its name into `given` when it is carried out."""

    def action(controllers: Controllers, argument: PromptText) -> Awaitable[None] | None:
        given.add(name)
        return original.action(controllers, argument)

    return replace(original, action=action)


def key(*ids: str) -> Callable[[Test], Test]:
    """Mark an asynchronous test of the bindings of these ids: it fails unless each of them is run.

    A binding has been run when its action was carried out for the widget, screen or app that binds it. An
    action that is skipped, or not allowed at the moment, does not count.
    """
    keys_tested.update(ids)

    def marked(test: Test) -> Test:
        @functools.wraps(test)
        async def watched(*arguments: Any, **keywords: Any) -> None:
            pressed: set[str] = set()
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(App, "run_action", _noting_bindings(App.run_action, pressed))
                await test(*arguments, **keywords)
            unpressed = set(ids) - pressed
            assert not unpressed, f"the test runs no binding of {sorted(unpressed)}"

        return watched

    return marked


def _noting_bindings(original: RunAction, run: set[str]) -> RunAction:
    """`App.run_action`, which puts the ids of the bindings that it runs into `run`."""

    async def run_action(
        app: App[object], action: str, default_namespace: DOMNode | None = None, *more: Any, **others: Any
    ) -> bool:
        # For a key, Textual names the node whose binding it is.
        ids = _ids_of(default_namespace, action)
        was_run = await original(app, action, default_namespace, *more, **others)
        if was_run:
            run.update(ids)
        return was_run

    return run_action


def _ids_of(node: DOMNode | None, action: str) -> set[str]:
    """The ids of the bindings of `node` that run `action`."""
    classes = [each for each in type(node).__mro__ if "BINDINGS" in vars(each)] if node is not None else []
    return {name for name, binding in keymap.bindings_of(classes).items() if binding.action == action}
