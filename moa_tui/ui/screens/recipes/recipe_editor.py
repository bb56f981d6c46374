"""The recipe editor: the layers of a recipe and their agents, checked at every key."""

from __future__ import annotations

import asyncio
import re
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from textual import on, work
from textual.binding import Binding
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import OptionList, Static

from moa_tui.engine.layer import Layer
from moa_tui.engine.recipe import Recipe
from moa_tui.errors import MoaTuiError, UsageError
from moa_tui.recipes.catalog import missing_words
from moa_tui.text.cells import fit
from moa_tui.text.safe import one_line
from moa_tui.text.wording import calls_words, counted, short_prompt_price
from moa_tui.ui.screens.guard import GuardedScreen
from moa_tui.ui.screens.recipes.agent_form import AgentForm
from moa_tui.ui.screens.recipes.model_screen import ModelScreen
from moa_tui.ui.screens.recipes.option_sets import LayerOptions, LimitOptions, implied_task
from moa_tui.ui.screens.recipes.options_form import OptionsForm
from moa_tui.ui.screens.recipes.recipe_dialogs import DropScreen, NameScreen, TryScreen
from moa_tui.ui.screens.recipes.recipe_draft import (
    FIELDS,
    AgentDraft,
    Place,
    Problem,
    RecipeDraft,
    applicable,
)
from moa_tui.ui.screens.recipes.recipe_options import TASKS, in_short, options_set, text_of
from moa_tui.ui.widgets.key_bar import KeyBar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from textual import events
    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.worker import Worker

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.plan import Plan
    from moa_tui.recipes.catalog import RecipeCatalog
    from moa_tui.recipes.models import ModelCatalog, ModelChoice
    from moa_tui.ui.screens.recipes.recipe_dialogs import SaveName


class Lineup(OptionList):
    """The list of layers and agents, with the keys that change their order and number."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "screen.add_agent", "Add agent", id="editor.add_agent"),
        Binding("c", "screen.copy_agent", "Copy agent", id="editor.copy_agent"),
        Binding("l", "screen.add_layer", "Add layer", id="editor.add_layer"),
        Binding("o", "screen.options", "Layer options", id="editor.options"),
        Binding("r", "screen.limits", "Run limits", id="editor.limits"),
        Binding("d,delete", "screen.remove", "Remove", id="editor.remove"),
        Binding("shift+up,K", "screen.move(-1)", "Move up", id="editor.move_up"),
        Binding("shift+down,J", "screen.move(1)", "Move down", id="editor.move_down"),
    ]


class RecipeEditor(GuardedScreen[Recipe | None]):
    """Edits a copy of a recipe, and gives the copy to be used; None if it was only saved, or dropped.

    `try_once` asks an agent one short question; it returns the answer or raises MoaTuiError.
    """

    HELP_TITLE = "Recipe editor"
    HELP_TOPIC = "recipes"
    CSS_PATH = "recipe_editor.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (76, "-middle"), (100, "-wide")]  # noqa: RUF012 - so typed in the base
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f3", "models", "Find model", id="editor.models"),
        Binding("ctrl+t", "try_once", "Try once", id="editor.try_once"),
        Binding("ctrl+s", "save", "Save as", id="editor.save"),
        Binding("ctrl+g", "use", "Use", id="editor.use"),
        Binding("escape", "close", "Close", id="editor.close"),
    ]

    def __init__(
        self,
        recipe: Recipe,
        catalog: RecipeCatalog,
        models: ModelCatalog,
        try_once: Callable[[Agent], Awaitable[str]],
        save_name: str | None = None,
    ) -> None:
        super().__init__()
        self._catalog = catalog
        self._models = models
        self._try_once = try_once
        self._draft = RecipeDraft(recipe)
        self._save_name = save_name or f"{recipe.name}-copy"
        self._recipe: Recipe | None = recipe
        self._problems: Sequence[Problem] = ()
        self._place = Place(0, 0)

    def compose(self) -> ComposeResult:
        yield Static(id="title", markup=False)
        with Horizontal(id="body"):
            yield Lineup(id="lineup", markup=False, compact=True)
            yield AgentForm(id="agent")
            with VerticalScroll(id="layer", can_focus=False):
                yield Static(id="layer-words", markup=False)
        yield Static(id="status", markup=False)
        yield KeyBar()

    def on_mount(self) -> None:
        self.query_one(Lineup).focus()
        self._show_lineup(self._place)

    def on_resize(self, _: events.Resize) -> None:
        self.call_after_refresh(self._show_rows)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Allow to save and use a valid recipe only, and the actions on an agent only where one is chosen."""
        if action in ("save", "use") and self._recipe is None:
            return None
        if action in ("models", "try_once", "copy_agent") and self._place.agent is None:
            return None
        return True

    # Keys

    @on(AgentForm.Edited)
    def _edited(self) -> None:
        self._recheck()

    @on(OptionList.OptionHighlighted)
    def _highlighted(self) -> None:
        index = self.query_one(Lineup).highlighted
        places = self._draft.places()
        if index is not None and index < len(places) and places[index] != self._place:
            self._open(places[index])

    @on(OptionList.OptionSelected)
    def _selected(self) -> None:
        if self._place.agent is not None:
            self.query_one("#model").focus()
        else:
            self.action_options()

    def action_add_agent(self) -> None:
        """Search for a model, and add an agent of that model after the highlighted one."""
        place = self._place

        def add(choice: ModelChoice | None) -> None:
            if choice is not None:
                agent = AgentDraft(dict.fromkeys(FIELDS, ""), {})
                agent.set_model(choice.name, choice.api_base, choice.extra)
                self._show_lineup(self._draft.add(place, agent))

        self.open(ModelScreen(self._models), add)

    def action_copy_agent(self) -> None:
        """Add a copy of the highlighted agent after it."""
        if (agent := self._draft.seat(self._place)) is not None:
            self._show_lineup(self._draft.add(self._place, agent.copy()))

    def action_add_layer(self) -> None:
        """Add a layer after the highlighted one."""
        self._show_lineup(self._draft.add_layer(self._place))

    def action_options(self) -> None:
        """Edit the task and the options of the layer."""
        layer = self._draft.layers[self._place.layer]

        def keep(options: dict[str, Any] | None) -> None:
            if options is not None:
                layer.settings = options
                self._show_lineup(self._place)

        self.open(OptionsForm(LayerOptions(self._draft, self._place.layer)), keep)

    def action_limits(self) -> None:
        """Edit the limits of a run."""

        def keep(limits: dict[str, Any] | None) -> None:
            if limits is not None:
                self._draft.limits = limits
                self._show_lineup(self._place)

        self.open(OptionsForm(LimitOptions(self._draft.limits)), keep)

    def action_remove(self) -> None:
        """Remove the highlighted agent or layer."""
        if self._place.agent is None and len(self._draft.layers) == 1:
            self._show_toast("A recipe has at least one layer: this one stays.", "warning")
            return
        self._show_lineup(self._draft.remove(self._place))

    def action_move(self, by: int) -> None:
        """Swap the highlighted agent or layer with its neighbour."""
        self._show_lineup(self._draft.move(self._place, by))

    def action_models(self) -> None:
        """Search for another model for the highlighted agent."""
        agent = self._draft.seat(self._place)
        if agent is None:
            return

        def ask(choice: ModelChoice | None) -> None:
            if choice is not None:
                agent.set_model(choice.name, choice.api_base, choice.extra)
                self._show_lineup(self._place)

        self.open(ModelScreen(self._models, agent.texts["model"].strip()), ask)

    def action_try_once(self) -> None:
        """Ask the highlighted agent one short question."""
        try:
            agent = self._draft.agent(self._place)
        except UsageError as error:
            self._show_toast(f"This agent cannot be asked: {error}", "error")
            return
        self.open(TryScreen(agent, self._try_once))

    def action_save(self) -> None:
        """Ask for a name and save."""
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", self._save_name).strip("-._")[:64]

        def save(answer: SaveName | None) -> None:
            if answer is not None and self._recipe is not None:
                # Of the app, since what is to be saved is saved even where the editor is left meanwhile.
                work = partial(self._save, answer.name, self._recipe, replace=answer.replaces)
                _: Worker[None] = self.app.run_worker(work)

        self.open(NameScreen(name, self._catalog.has_own), save)

    def action_use(self) -> None:
        """Give the recipe, to be used for the next prompt."""
        if self._recipe is not None:
            self._use(self._recipe)

    @property
    def unsaved(self) -> str | None:
        """See `GuardedScreen`."""
        return "The recipe was changed and is not saved." if self._draft.is_changed else None

    def action_close(self) -> None:
        """Leave the editor; ask first if changes would be lost."""

        def leave(drop: bool | None) -> None:
            if drop:
                self.dismiss(None)

        if (words := self.unsaved) is not None:
            self.open(DropScreen(words), leave)
        else:
            self.dismiss(None)

    async def _save(self, name: str, recipe: Recipe, *, replace: bool) -> None:
        try:
            path = await asyncio.to_thread(self._catalog.save, name, recipe, replace=replace)
        except MoaTuiError as error:
            self._show_toast(str(error), "error")
            return
        self._draft.mark_saved(name)
        self._save_name = name
        if not self.has_left:
            self._recheck()
        self._show_toast(f"Saved to {path}", "information")

    @work(exclusive=True, group="use")
    async def _use(self, recipe: Recipe) -> None:
        missing = await asyncio.to_thread(self._catalog.missing_keys, recipe)
        if missing:
            self._show_toast(f"It cannot run here: {missing_words(missing)}. It can be saved.", "error")
        else:
            self.dismiss(recipe)

    # The lineup and its status

    def _show_lineup(self, place: Place) -> None:
        """Show the changed lineup, with `place` highlighted and its form open."""
        self._place = place
        self._recheck()
        self._open(place)

    def _open(self, place: Place) -> None:
        self._place = place
        agent = self._draft.seat(place)
        form = self.query_one(AgentForm)
        form.display = agent is not None
        self.query_one("#layer").display = agent is None
        if agent is not None:
            form.show(agent, self._draft.defaults)
        else:
            self.query_one("#layer-words", Static).update(Content(self._layer_words(place.layer)))
        self._mark()
        self.refresh_bindings()

    def _recheck(self) -> None:
        self._recipe, self._problems = self._draft.check()
        self._show_rows()
        self._mark()
        changed = ", changed" if self._draft.is_changed else ""
        self.query_one("#title", Static).update(Content(f"Recipe {one_line(self._draft.name)}{changed}"))
        if self._recipe is None:
            rest = f" (and {len(self._problems) - 1} more)" if len(self._problems) > 1 else ""
            advice = self._draft.remedy(self._problems[0])
            self._show_status(
                f"✗ {self._problems[0].text}{f'; {advice}' if advice else ''}{rest}", wrong=True
            )
        else:
            self._show_validity(self._recipe)
        self.refresh_bindings()

    @work(exclusive=True, group="weigh")
    async def _show_validity(self, recipe: Recipe) -> None:
        """Show that the recipe is valid, with its calls, price and missing keys.

        A thread finds out the price, since litellm's map of prices may have to be read from the disk.
        """

        def known() -> tuple[Plan, dict[str, list[str]]]:
            return self._catalog.plan(recipe), self._catalog.missing_keys(recipe)

        plan, missing = await asyncio.to_thread(known)
        # The editor may have been closed meanwhile.
        if recipe is self._recipe and self.query("#status"):
            price = short_prompt_price(plan.cost, is_local=plan.is_local)
            calls = calls_words(recipe.calls, plan.requests)
            words = f"✓ valid: {counted(len(recipe.layers), 'layer')}, {calls}, {price}"
            keys = f"\n✗ {missing_words(missing)}" if missing else ""
            self._show_status("\n".join([words + keys, *map(one_line, plan.warnings)]))

    def _show_rows(self) -> None:
        """Draw the rows of the lineup, with a mark where something is wrong, and highlight the open place."""
        lineup = self.query_one(Lineup)
        wrong = {problem.place for problem in self._problems}
        places = self._draft.places()
        rows = [Content(fit(self._row(place, place in wrong), lineup.size.width - 1)) for place in places]
        if lineup.option_count == len(rows):
            for index, row in enumerate(rows):
                if lineup.get_option_at_index(index).prompt != row:
                    lineup.replace_option_prompt_at_index(index, row)
        else:
            lineup.set_options(rows)
        lineup.highlighted = places.index(self._place)

    def _row(self, place: Place, wrong: bool) -> str:
        mark = "✗ " if wrong else ""
        agent = self._draft.seat(place)
        if agent is None:
            layer = self._layer(place.layer)
            final = ["final"] if 0 < place.layer == len(self._draft.layers) - 1 else []
            head = f"{mark}L{place.layer + 1} {layer.task or implied_task(place.layer)}"
            return " · ".join([head, *in_short(layer), *final])
        count = agent.texts["count"].strip()
        return f"  {mark}{one_line(agent.title)}{f' ×{count}' if count not in ('', '1') else ''}"

    def _layer_words(self, index: int) -> str:
        layer, agents = self._layer(index), len(self._draft.layers[index].agents)
        task = layer.task or implied_task(index)
        lines = [f"Layer {index + 1}: {task}, {counted(agents, 'agent') if agents else 'no agents'}"]
        lines += [TASKS[task]] if task in TASKS else []
        if (recipe := self._recipe) is not None:
            layers_read = [f"L{number}" for number in recipe.read_layers(index + 1, range(1, index + 1))]
            most = counted(recipe.most_read(index + 1), "reference")
            each = " each" if agents > 1 else ""
            lines.append(
                f"Reads {', '.join(layers_read)}: {most}{each}" if layers_read else "Reads the prompt alone"
            )
        if index and index == len(self._draft.layers) - 1:
            lines.append("Comes last: it gives the answer in the chat")
        options = [f"{option.label}: {text_of(value)}" for option, value in options_set(layer)]
        lines += ["", *options] if options else []
        return "\n".join([*lines, "", "Enter changes its task and options."])

    def _layer(self, index: int) -> Layer:
        """The options of a layer as they stand, without its agents."""
        draft = self._draft.layers[index]
        return Layer.model_validate(applicable(draft.settings, index + 1, draft.size))

    def _mark(self) -> None:
        wrong = {problem.field for problem in self._problems if problem.place == self._place}
        self.query_one(AgentForm).mark({field for field in wrong if field})

    def _show_status(self, text: str, *, wrong: bool = False) -> None:
        status = self.query_one("#status", Static)
        status.set_class(wrong, "-wrong")
        status.update(Content(text))

    def _show_toast(self, text: str, severity: Literal["information", "warning", "error"]) -> None:
        self.notify(text, severity=severity, markup=False, timeout=10 if severity == "error" else 5)
