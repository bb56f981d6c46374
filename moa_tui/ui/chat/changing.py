"""What a person changes in a turn: an agent's part in it, or who writes its answer."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from moa_tui.chat import changes, command_words, sentences
from moa_tui.chat.session import NewTurn
from moa_tui.engine import recipe_edit
from moa_tui.errors import UsageError
from moa_tui.ui.screens.recipes import model_screen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from moa_tui.chat.changes import Change
    from moa_tui.chat.session import Effect
    from moa_tui.conversation import Turn
    from moa_tui.engine.values import CallId
    from moa_tui.recipes.catalog import RecipeCatalog
    from moa_tui.recipes.models import ModelCatalog, ModelChoice
    from moa_tui.ui.chat.following import Following
    from moa_tui.ui.chat.state import ChatState
    from moa_tui.ui.chat.view import ChatView
    from moa_tui.ui.run.run_view import RunView


class Changing:
    """Changes the turn whose panes are open, or the last one. Methods raise MoaTuiError."""

    def __init__(
        self,
        state: ChatState,
        view: ChatView,
        catalog: RecipeCatalog,
        models: ModelCatalog,
        following: Following,
    ) -> None:
        self._state = state
        self._session = state.session
        self._view = view
        self._catalog = catalog
        self._models = models
        self._following = following

    # From the panes

    async def change_shown(self, change: Change) -> None:
        """Change the turn whose panes are open."""
        await self._show(await self._session.change(change, self._shown_turn()))

    async def use_shown(self, call: CallId) -> None:
        """Take an agent's answer as that of the turn whose panes are open."""
        await self._show(self._session.use_answer(call, self._shown_turn()))

    async def edit_shown(self, call: CallId) -> None:
        """Put an agent's answer into the prompt, as a command that puts the edited text in its place."""
        self._session.require_changeable(self._shown_turn())
        run = self._view.panel.run
        if run is not None:
            self._view.box.prompt.put_back(f"/amend {call} {run.view(call).written('text')}")
            self._view.focus_prompt()

    async def swap_shown(self, call: CallId) -> None:
        """Search a model to ask in an agent's place."""
        turn = self._shown_turn()
        self._session.require_changeable(turn)

        async def swap(settings: dict[str, object]) -> None:
            await self._show(await self._session.change(changes.SwapModel(call, settings), turn))

        self._search_model(swap)

    async def add_to_shown(self) -> None:
        """Search a model that joins the turn whose panes are open."""
        turn = self._shown_turn()
        self._session.require_changeable(turn)

        async def add(settings: dict[str, object]) -> None:
            await self._show(
                await self._session.change(changes.AddAgent(recipe_edit.agent_of(settings)), turn)
            )

        self._search_model(add)

    def _search_model(self, act: Callable[[dict[str, object]], Awaitable[None]]) -> None:
        def chosen(choice: ModelChoice | None) -> None:
            if choice is not None:
                settings = changes.model_settings(choice.name, choice.api_base, choice.extra)
                self._view.start(partial(act, settings), "change")

        self._view.show_dialog(model_screen.ModelScreen(self._models), chosen)

    def _shown_turn(self) -> Turn:
        """The turn whose panes are open, else the last one, going or over."""
        run = self._view.panel.run or self._view.transcript.last_run
        turn = None if run is None else self._turn_of(run)
        if turn is None:
            raise UsageError("there is no run yet that an agent could join")
        return turn

    def _turn_of(self, run: RunView) -> Turn | None:
        if run is self._state.run_view and self._session.run is not None:
            return self._session.run.turn
        return self._view.transcript.turn_of(run)

    # By command, about the run that goes or the last turn

    async def retry(self, words: str) -> None:
        """`N` or `L.N`: ask that agent again."""
        await self._change(changes.Retry(self._call(words)))

    async def leave_out(self, words: str) -> None:
        """`N` or `L.N`: leave that agent's answer out, or take it back in."""
        await self._change(changes.LeaveOut(self._call(words)))

    async def edit_answer(self, words: str) -> None:
        """`N TEXT`: put a text in the place of that agent's answer."""
        name, _, text = words.partition(" ")
        await self._change(changes.EditAnswer(self._call(name), text))

    async def add_answer(self, text: str) -> None:
        """Add an answer of one's own."""
        await self._change(changes.AddAnswer(text))

    async def add_agent(self, words: str) -> None:
        """`MODEL`, and perhaps `temperature=0.3`: ask one more agent."""
        settings = command_words.agent_settings(words, "/add")
        if "model" not in settings:
            raise UsageError("a model is needed, as in /add gpt-6-luna")
        await self._change(changes.AddAgent(recipe_edit.agent_of(settings)))

    async def swap_model(self, words: str) -> None:
        """`N MODEL`, `N temperature=0.3`, or both: ask another model in an agent's place."""
        name, _, rest = words.partition(" ")
        await self._change(changes.SwapModel(self._call(name), command_words.agent_settings(rest, "/swap N")))

    async def use(self, words: str) -> None:
        """`N` or `L.N`: take that agent's answer as the turn's."""
        await self._show(self._session.use_answer(self._call(words)))

    async def aggregate_again(self, words: str) -> None:
        """`RECIPE`, `prompt TEXT` or nothing: write the last answer anew by it, or by the recipe in force."""
        name, prompt = command_words.rewriting(words)
        if prompt:
            result = await self._session.aggregate_again(prompt=prompt)
        elif name:
            recipe = await asyncio.to_thread(self._catalog.load, name)
            result = await self._session.aggregate_again(by=recipe)
        else:
            result = await self._session.aggregate_again()
        await self._show(result)

    def stop(self, words: str) -> None:
        """`N` or `L.N`: stop that agent; nothing: stop the run."""
        if words and self._session.is_running:
            self._session.stop_call(call_named(self._state.run_view, words))
        else:
            self._session.stop()

    async def go_on_over_budget(self) -> None:
        """Go on with the turn that a budget has stopped: this once, whatever it costs."""
        await self._show(self._session.go_on_over_budget())

    async def write_from_all(self) -> None:
        """Write the last answer again from all answers, where it was begun before they were there."""
        await self._show(self._session.full_synthesis())

    async def take_offer(self, what: str) -> None:
        """Do what the last turn offers: go on over the `budget`, or write from `all` answers."""
        await (self.go_on_over_budget() if what == "budget" else self.write_from_all())

    def offers(self, what: str) -> bool:
        """True where the last turn offers that."""
        turn = self._session.turn_over_budget if what == "budget" else self._session.turn_with_late_answers
        return turn is not None

    async def _change(self, change: Change) -> None:
        await self._show(await self._session.change(change))

    def _call(self, name: str) -> CallId:
        """The call that `2` (of the layer whose answers the last one reads) or `L1.2` names."""
        run = self._state.run_view if self._session.is_running else self._view.transcript.last_run
        if run is None:
            raise UsageError("there is no answer yet")
        return call_named(run, name if "." in name else f"{min(run.layer, run.proposing)}.{name}")

    async def _show(self, result: NewTurn | Effect) -> None:
        if isinstance(result, NewTurn):
            await self._following.show(result)
        elif words := sentences.effect_words(result):
            self._view.say(words)


def call_named(run: RunView | None, text: str) -> CallId:
    """The call that `3` (of the layer at work) or `L2.3` means. Raises UsageError."""
    if run is None:
        raise UsageError(command_words.no_agent_words(text))
    return command_words.call_named(text, run.recipe, run.layer)
