"""One prompt to several recipes, and going on with the answer that was chosen."""

from __future__ import annotations

import asyncio
import re
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from moa_tui.errors import UsageError
from moa_tui.ui.chat.faults import fault_of
from moa_tui.ui.chat.requests import AttentionRequested
from moa_tui.ui.screens.compare import compare_screen

if TYPE_CHECKING:
    from collections.abc import Callable

    from moa_tui.chat.comparison import Comparison
    from moa_tui.chat.prompt_text import PromptText
    from moa_tui.chat.session import NewTurn
    from moa_tui.engine.recipe import Recipe
    from moa_tui.recipes.catalog import RecipeCatalog
    from moa_tui.ui.chat.following import Following
    from moa_tui.ui.chat.state import ChatState
    from moa_tui.ui.chat.view import ChatView

_USAGE = "/compare [blind] A B [C] [PROMPT]"
_MOST_RECIPES = 3


class CompareWords(NamedTuple):
    """What the words behind /compare ask for; an empty prompt is the last turn's."""

    is_blind: bool
    names: tuple[str, ...]
    prompt: str


class Comparing:
    """Shows a comparison and takes its turns into the conversation. Methods raise MoaTuiError."""

    def __init__(
        self, state: ChatState, view: ChatView, catalog: RecipeCatalog, following: Following
    ) -> None:
        self._state = state
        self._session = state.session
        self._view = view
        self._catalog = catalog
        self._following = following

    async def compare(self, command: PromptText) -> None:
        """Ask as the words of the command say, with the files that go along, and show all answers."""
        self._session.require_idle()
        words, recipes = await asyncio.to_thread(self._recipes, command.written)
        prompt = command.with_words(words.prompt) if words.prompt else None
        command_words = f"/compare {command.written.removesuffix(words.prompt)}"
        comparison = self._session.compare(prompt, recipes, blind=words.is_blind, command=command_words)
        screen = compare_screen.CompareScreen(
            comparison,
            self._session.written(comparison.runs[0].turn).written,
            copy=self._view.copy,
            on_end=lambda: self._view.post(AttentionRequested("the run has ended")),
        )
        self._view.show_dialog(screen, partial(self._over, comparison, command))

    def _recipes(self, words: str) -> tuple[CompareWords, list[Recipe]]:
        """What the words ask for, and its recipes. Looks at files."""
        asked = compare_words(words, self._catalog.is_known)
        recipes = [self._catalog.load(name) for name in asked.names]
        # Two files may hold recipes of one name, by which the preferences are stored.
        _refuse_repeated([recipe.name for recipe in recipes])
        return asked, recipes

    def _over(self, comparison: Comparison, command: PromptText, _: None) -> None:
        """The screen of the comparison was left, all its runs over: go on with what came of it."""
        new, turns = self._session.settle_comparison(comparison)
        for fault in comparison.faults():
            self._view.complain(fault_of(fault))
        if new is None:
            self._following.put_back([command.with_words(f"/compare {command.written}")])
            return
        self._state.count(turns)
        self._view.start(partial(self._show, new, len(turns)), "open")

    async def _show(self, new: NewTurn, count: int) -> None:
        await self._following.show(new)
        if count > 1:
            self._view.say("the other answers are beside this one: ← and → on the turn")


def compare_words(words: str, is_recipe: Callable[[str], bool]) -> CompareWords:
    """`[blind] A B [C] [PROMPT]`: a third word is a recipe where `is_recipe` says so of its name.

    `--` before the prompt says that its first word is none. Raises UsageError.
    """
    word, rest = _first_word(words)
    is_blind = word.lower() == "blind"
    if not is_blind:
        rest = words
    names: list[str] = []
    while len(names) < _MOST_RECIPES:
        word, after = _first_word(rest)
        if not word or word == "--" or (len(names) == 2 and not is_recipe(word)):
            break
        names.append(word)
        rest = after
    word, after = _first_word(rest)
    if word == "--":
        rest = after
    if len(names) < 2:
        raise UsageError(f"at least two recipes are needed: {_USAGE}")
    _refuse_repeated(names)
    return CompareWords(is_blind, tuple(names), rest.strip())


def _first_word(text: str) -> tuple[str, str]:
    match = re.match(r"\s*(\S*)\s*(.*)\Z", text, re.DOTALL)
    return (match[1], match[2]) if match else ("", "")


def _refuse_repeated(names: list[str]) -> None:
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise UsageError(f'"{repeated}" is named twice: a recipe is compared with others')
