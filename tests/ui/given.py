"""Marks of tests: which slash commands they give. A test that does not give its command fails."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from moa_tui.ui.chat.commands import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from moa_tui.chat.prompt_text import PromptText
    from moa_tui.ui.chat.commands import Command
    from moa_tui.ui.chat.controllers import Controllers

    Test = Callable[..., Awaitable[None]]

commands_tested: set[str] = set()
"""The commands that have a test, of the test modules imported so far."""


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
