"""Which recipe answers, which model writes, and whether a checklist comes before."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from moa_tui.chat import sentences
from moa_tui.errors import MoaTuiError
from moa_tui.ui.screens.recipes import model_screen, recipe_screen

if TYPE_CHECKING:
    from moa_tui.engine.agent import Agent
    from moa_tui.engine.recipe import Recipe
    from moa_tui.recipes.catalog import RecipeCatalog
    from moa_tui.recipes.models import ModelCatalog, ModelChoice
    from moa_tui.ui.chat.labels import Labels
    from moa_tui.ui.chat.state import ChatState
    from moa_tui.ui.chat.view import ChatView

# Short to answer, and an answer shows that the model understood.
_TRIAL = "In one short sentence: what are you good at?"


class Choosing:
    """Changes by what the next prompt is answered. Methods raise MoaTuiError."""

    def __init__(
        self, state: ChatState, view: ChatView, catalog: RecipeCatalog, models: ModelCatalog, labels: Labels
    ) -> None:
        self._chat = state.session.chat
        self._view = view
        self._catalog = catalog
        self._models = models
        self._labels = labels

    async def look_around(self) -> None:
        """Find the keys and local servers of this machine, for the welcome."""
        self._labels.renew_welcome(await asyncio.to_thread(self._models.situation))

    async def use_recipe(self, name: str) -> None:
        """Answer by the recipe of that name or path from now on; let the person choose where it is empty."""
        if not name:
            self.show_recipes()
            return
        self._chat.use_recipe(await asyncio.to_thread(self._catalog.load, name))
        self._tell_recipe()

    def show_recipes(self) -> None:
        """Let the person choose, edit and try recipes."""

        def chosen(recipe: Recipe | None) -> None:
            if recipe is not None:
                self._chat.use_recipe(recipe)
                self._tell_recipe()

        self._view.show_dialog(
            recipe_screen.RecipeScreen(self._catalog, self._models, self._chat.recipe.name, self._try), chosen
        )

    async def _try(self, agent: Agent) -> str:
        return await self._chat.try_agent(agent, _TRIAL)

    def use_aggregator(self, model: str) -> None:
        """Let another model write the answers; let the person choose one where `model` is empty."""
        if not model:
            self._view.show_dialog(model_screen.ModelScreen(self._models), self._model_chosen)
            return
        self._chat.use_aggregator(model)
        self._tell_recipe()

    def _model_chosen(self, choice: ModelChoice | None) -> None:
        if choice is None:
            return
        try:
            self._chat.use_aggregator(choice.name, api_base=choice.api_base, extra=choice.extra)
        except MoaTuiError as error:
            self._view.complain(error)
        else:
            self._tell_recipe()

    def _tell_recipe(self) -> None:
        self._renew()
        self._view.say(sentences.recipe_words(self._chat))
        self._labels.tell_if_unguided()

    def use_effort(self, word: str) -> None:
        """Have all agents think so much from now on; without a word, say what is in force."""
        words = sentences.use_effort(self._chat, word)
        if word:
            self._renew()
        self._view.say(words, seconds=5 if word else 12)

    def toggle_guided(self) -> None:
        """Have a checklist before the synthesis of what is asked next, or not."""
        words = sentences.toggle_guided(self._chat)
        self._renew()
        self._view.say(words)

    def _renew(self) -> None:
        self._labels.renew_title()
        self._labels.renew_estimate()
        self._labels.renew_welcome()
