"""Every key and every command has a test, and a test that is marked with one really runs it."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

import pytest
from textual.dom import DOMNode

import moa_tui.ui
from moa_tui.ui import keymap
from moa_tui.ui.chat.commands import COMMANDS
from tests.ui import given
from tests.ui.chat_app import ALONE, chat_app


def test_every_command_has_a_test() -> None:
    given.import_all_tests()
    _compare(given.commands_tested, set(COMMANDS), "@command")


def test_every_binding_has_a_test() -> None:
    given.import_all_tests()
    _compare(given.keys_tested, bindings_of_the_whole_interface(), "@key")


def _compare(marked: set[str], existing: set[str], mark: str) -> None:
    missing, unknown = sorted(existing - marked), sorted(marked - existing)
    assert not missing, f"no test is marked {mark}(...) with {missing}; see tests/ui/given.py"
    assert not unknown, f"a test is marked {mark}(...) with {unknown}, which does not exist"


def bindings_of_the_whole_interface() -> set[str]:
    """The ids of all bindings in moa_tui.ui."""
    return set(keymap.bindings_of(classes_with_bindings()))


@cache
def classes_with_bindings() -> frozenset[type[DOMNode]]:
    """Every screen, widget and app in moa_tui.ui."""
    modules = [
        importlib.import_module(module.name)
        for module in pkgutil.walk_packages(moa_tui.ui.__path__, "moa_tui.ui.")
    ]
    return frozenset(
        each
        for module in modules
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, DOMNode) and each.__module__.startswith("moa_tui.")
    )


@pytest.fixture
def unmarked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the marks of this test's own examples."""
    monkeypatch.setattr(given, "keys_tested", set(given.keys_tested))
    monkeypatch.setattr(given, "commands_tested", set(given.commands_tested))


@pytest.mark.usefixtures("unmarked")
async def test_a_test_that_does_not_run_its_binding_fails() -> None:
    @given.key("app.help", "run.stop")
    async def presses_only_one_of_them() -> None:
        async with chat_app(ALONE) as bench:
            # Nothing runs that could be stopped: escape does something else here.
            await bench.press("escape", "f1")

    with pytest.raises(AssertionError, match=r"runs no binding of \['run.stop'\]"):
        await presses_only_one_of_them()


@pytest.mark.usefixtures("unmarked")
async def test_a_test_that_does_not_give_its_command_fails() -> None:
    @given.command("help")
    async def sends_a_prompt() -> None:
        async with chat_app(ALONE) as bench:
            await bench.ask("help")

    with pytest.raises(AssertionError, match="does not give the commands"):
        await sends_a_prompt()
