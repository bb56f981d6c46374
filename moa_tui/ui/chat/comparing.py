"""One prompt to several recipes, and going on with the answer that was chosen."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from moa_tui.chat import command_words
from moa_tui.chat.faults import fault_of
from moa_tui.ui.chat.requests import AttentionRequested
from moa_tui.ui.screens.compare import compare_screen

if TYPE_CHECKING:
    from moa_tui.chat.command_words import CompareWords
    from moa_tui.chat.comparison import Comparison
    from moa_tui.chat.prompt_text import PromptText
    from moa_tui.chat.session import NewTurn
    from moa_tui.engine.recipe import Recipe
    from moa_tui.recipes.catalog import RecipeCatalog
    from moa_tui.ui.chat.following import Following
    from moa_tui.ui.chat.state import ChatState
    from moa_tui.ui.chat.view import ChatView


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
        asked = command_words.compare_words(words, self._catalog.is_known)
        recipes = [self._catalog.load(name) for name in asked.names]
        # Two files may hold recipes of one name, by which the preferences are stored.
        command_words.refuse_repeated([recipe.name for recipe in recipes])
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
