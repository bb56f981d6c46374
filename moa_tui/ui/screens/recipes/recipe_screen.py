"""The list of recipes, each with its purpose, its agents, its price and the keys that it lacks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.binding import Binding
from textual.containers import Container, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input, OptionList, Static

from moa_tui.engine.recipe import Recipe
from moa_tui.errors import MoaTuiError
from moa_tui.recipes.catalog import missing_words
from moa_tui.text.cells import fit
from moa_tui.text.safe import one_line
from moa_tui.text.wording import counted, price, short_prompt_price
from moa_tui.ui.screens.guard import GuardedDialog
from moa_tui.ui.screens.recipes.recipe_editor import RecipeEditor
from moa_tui.ui.widgets.key_bar import KeyBar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from textual import events
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from moa_tui.engine.agent import Agent
    from moa_tui.recipes.catalog import RecipeCatalog, RecipeChoice
    from moa_tui.recipes.models import ModelCatalog


class RecipeScreen(GuardedDialog[Recipe | None]):
    """Lists the recipes, and gives the chosen or edited one; None where none was chosen."""

    HELP_TITLE = "Recipes"
    HELP_TOPIC = "strategies"
    CSS_PATH = "recipe_screen.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012 - so typed in the base
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "Up", id="recipes.up", show=False),
        Binding("down", "move(1)", "Down", id="recipes.down", show=False),
        # These go before what the filter does at the same keys: ctrl+e is End there.
        Binding("enter", "choose", "Choose", id="recipes.choose", priority=True),
        Binding("ctrl+e", "edit", "Edit a copy", id="recipes.edit", priority=True),
        Binding("pagedown", "scroll_details(1)", "Read on", id="recipes.details_down", priority=True),
        Binding("pageup", "scroll_details(-1)", "Back", id="recipes.details_up", priority=True, show=False),
        Binding("escape", "close", "Close", id="recipes.close"),
    ]

    def __init__(
        self,
        catalog: RecipeCatalog,
        models: ModelCatalog,
        current: str,
        try_once: Callable[[Agent], Awaitable[str]],
    ) -> None:
        super().__init__()
        self._catalog = catalog
        self._models = models
        self._current = current
        self._try_once = try_once
        self._recipes: Sequence[RecipeChoice] = ()
        self._found: list[RecipeChoice] = []

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Static("Choose a recipe", id="title", markup=False)
            yield Input(placeholder="type to filter", id="filter", compact=True)
            with Container(id="body"):
                yield OptionList(id="recipes", markup=False, compact=True)
                with VerticalScroll(id="details"):
                    yield Static("Looking for recipes and local servers…", id="about", markup=False)
            yield Static(id="refusal", markup=False)
            yield KeyBar()

    def on_mount(self) -> None:
        self.query_one(Input).focus()
        self._list_recipes(self._current)

    @work(exclusive=True)
    async def _list_recipes(self, name: str) -> None:
        try:
            self._recipes = await asyncio.to_thread(self._catalog.recipes)
        except MoaTuiError as error:
            self._show_details(f"✗ {error}")
            return
        except Exception as error:
            words = f"✗ the recipes could not be listed: a fault of moa-tui's ({type(error).__name__})"
            self._show_details(words)
            raise
        # The rows are made for the list's width, which is known only after a refresh.
        self.call_after_refresh(self._show, name)

    @on(Input.Changed)
    def _narrow(self) -> None:
        if self._recipes:
            self._show(self._highlighted_name())

    def on_resize(self, _: events.Resize) -> None:
        if self._recipes:
            self.call_after_refresh(lambda: self._show(self._highlighted_name()))

    def _show(self, name: str) -> None:
        words = self.query_one(Input).value.casefold().split()
        self._found = [choice for choice in self._recipes if all(word in _searched(choice) for word in words)]
        options = self.query_one(OptionList)
        width = options.size.width - 2  # the scrollbar
        options.set_options(Content(_row(choice, self._current, width)) for choice in self._found)
        names = [choice.name for choice in self._found]
        options.highlighted = (names.index(name) if name in names else 0) if names else None
        if self._recipes and not names:
            self._show_details("No recipe matches.")

    @on(OptionList.OptionHighlighted)
    def _describe(self, event: OptionList.OptionHighlighted) -> None:
        if event.option_index < len(self._found):
            choice = self._found[event.option_index]
            self._show_details(_about(choice))
            self._refuse("")

    def action_move(self, by: int) -> None:
        """Move the highlight up or down while the keys typed go on to the filter."""
        options = self.query_one(OptionList)
        if options.highlighted is not None:
            options.highlighted = max(0, min(options.highlighted + by, options.option_count - 1))

    def action_scroll_details(self, by: int) -> None:
        """Scroll the description of the highlighted recipe by pages."""
        details = self.query_one("#details", VerticalScroll)
        details.scroll_relative(y=by * max(1, details.size.height - 1), animate=False)

    @on(OptionList.OptionSelected)
    def action_choose(self) -> None:
        """Give the highlighted recipe if it can run here; else say why not."""
        choice = self._highlighted()
        if choice is None:
            return
        if choice.recipe is None or choice.problem is not None:
            self._refuse(f"{choice.name} cannot be used: {choice.problem}")
        elif choice.missing:
            self._refuse(
                f"{choice.name} cannot run here: {missing_words(choice.missing)}. Set it in the environment "
                "and start again, or choose another; the demo needs no key."
            )
        else:
            self.dismiss(choice.recipe)

    def action_edit(self) -> None:
        """Open a copy of the highlighted recipe in the editor."""
        choice = self._highlighted()
        if choice is None:
            return
        if choice.recipe is None:
            self._refuse(f"{choice.name} cannot be edited here: {choice.problem}")
            return
        name = choice.name if choice.origin == "yours" and choice.problem is None else f"{choice.name}-copy"
        self.open(
            RecipeEditor(choice.recipe, self._catalog, self._models, self._try_once, name), self._edited
        )

    def _edited(self, recipe: Recipe | None) -> None:
        if recipe is not None:
            self.dismiss(recipe)
        else:
            self._list_recipes(self._highlighted_name())

    def action_close(self) -> None:
        """Leave without a recipe."""
        self.dismiss(None)

    def _highlighted(self) -> RecipeChoice | None:
        index = self.query_one(OptionList).highlighted
        return None if index is None else self._found[index]

    def _highlighted_name(self) -> str:
        choice = self._highlighted()
        return choice.name if choice is not None else self._current

    def _show_details(self, text: str | Content) -> None:
        self.query_one("#about", Static).update(Content(text) if isinstance(text, str) else text)
        self.query_one("#details").scroll_home(animate=False)

    def _refuse(self, text: str) -> None:
        refusal = self.query_one("#refusal", Static)
        refusal.update(Content(f"✗ {text}" if text else ""))
        refusal.set_class(bool(text), "-shown")


def _searched(choice: RecipeChoice) -> str:
    """The text that the filter's words are looked for in."""
    models = [agent.model for agent in choice.recipe.every_agent()] if choice.recipe else []
    description = choice.recipe.description if choice.recipe else ""
    return " ".join([choice.name, choice.origin, description, *models]).casefold()


def _row(choice: RecipeChoice, current: str, width: int) -> str:
    """A recipe's name, calls, price and state in columns of a row of `width` cells."""
    calls = counted(choice.recipe.calls, "call") if choice.recipe else ""
    cost = price(choice.cost, is_local=choice.is_local) if choice.recipe else ""
    numbers = f" {fit(calls, 8, right=True)} {fit(cost, 13, right=True)}  {fit(_state(choice), 13)}"
    mark = "▸ " if choice.name == current else "  "
    return mark + fit(choice.name, width - len(mark) - len(numbers)) + numbers


def _state(choice: RecipeChoice) -> str:
    if choice.problem is not None:
        return "✗ broken"
    return "✗ key missing" if choice.missing else "✓ ready"


def _about(choice: RecipeChoice) -> Content:
    """The description of a recipe with its problems, price, layers and agents."""
    parts = [Content.styled(one_line(f"{choice.name}, {choice.origin}"), "bold")]
    if choice.problem is not None:
        parts.append(Content.styled(f"✗ cannot be used: {choice.problem}", "$text-error"))
    if choice.missing:
        parts.append(Content.styled(f"✗ {missing_words(choice.missing)}", "$text-warning"))
    if (recipe := choice.recipe) is not None:
        calls = f"{counted(len(recipe.layers), 'layer')}, {counted(recipe.calls, 'call')}"
        cost = short_prompt_price(choice.cost, is_local=choice.is_local)
        parts.append(Content(f"{calls}, {cost}"))
        parts += [Content.styled(line, "$text-warning") for line in choice.servers]
        if recipe.description:
            parts.append(Content(recipe.description))
        for number, agents in enumerate(recipe.lineup, 1):
            lines = [f"Layer {number}: {recipe.task(number)}"]
            lines += [f"  {one_line(agent.name)}: {one_line(agent.model)}" for agent in agents]
            parts.append(Content("\n".join(lines)))
    return Content("\n").join(parts)
