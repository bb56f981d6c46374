"""What a person can do on the chat screen, by key, by click or by command."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from pydantic import ValidationError
from textual.actions import SkipAction

from moa_tui.engine.events import CallId
from moa_tui.engine.recipe import Recipe
from moa_tui.errors import UsageError
from moa_tui.ui.chat_base import ChatBase
from moa_tui.ui.find_bar import FindBar
from moa_tui.ui.history_screen import HistoryScreen
from moa_tui.ui.inspector_screen import InspectorScreen
from moa_tui.ui.link_screen import LinkListScreen
from moa_tui.ui.markdown_rows import render
from moa_tui.ui.model_screen import ModelScreen
from moa_tui.ui.recipe_screen import RecipeScreen
from moa_tui.ui.run_state import RunState
from moa_tui.ui.session import Draft
from moa_tui.ui.terminal import clipboard
from moa_tui.ui.turn_view import TurnView
from moa_tui.wording import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from moa_tui.choices import ModelChoice
    from moa_tui.conversation import Turn
    from moa_tui.engine.agent import Agent
    from moa_tui.ui.agent_pane import AgentPane
    from moa_tui.ui.rows_widget import RowsWidget


# Short to answer, and an answer shows that the model understood.
_TRIAL = "In one short sentence: what are you good at?"


class ChatActions(ChatBase):
    """The actions of the chat screen; ChatScreen composes what they act on and follows the run."""

    # Asking again

    async def retry(self) -> None:
        """Ask the last prompt again."""
        self._idle()
        turn = self.session.chat.turn
        if turn is None:
            raise UsageError("there is nothing to ask again yet")
        self.session.instead_of = turn
        # Nothing to put back into the prompt: nobody has written it there.
        if not await self.send(Draft(turn.prompt, "")):
            self.session.instead_of = None

    async def use_answer(self, call: CallId, before: Turn | None = None) -> None:
        """Take one agent's answer as the last turn's, or as that of the turn `before`."""
        self._idle()
        before = before or self.session.chat.turn
        turn = self.session.chat.use(call, before)
        run = self.session.run = RunState.of(turn)
        await self.transcript.add(turn, run, instead_of=before, place=self._place_of(turn))
        self.panel.look_at(run)

    def edit(self, number: str) -> None:
        """Put the last prompt, or that of turn `number`, back to be changed and asked beside the old one."""
        self._idle()
        turns = self.session.chat.path
        if not turns:
            raise UsageError("there is no prompt yet to change")
        if number and not (number.isdecimal() and 1 <= int(number) <= len(turns)):
            raise UsageError(f"which prompt? 1 is the first, {len(turns)} the last: /edit {len(turns)}")
        self.ask_instead(turns[int(number) - 1 if number else -1])

    def ask_instead(self, turn: Turn) -> None:
        """Put the prompt of `turn` back to be changed; what is sent next is another branch from there."""
        session = self.session
        session.instead_of = turn
        # As it was written: the files it names are read again.
        is_last = turn is session.chat.turn and session.draft.text in (turn.prompt, "")
        self.box.prompt.put_back((is_last and session.written) or turn.prompt)
        last = (
            "the last turn's place" if turn is session.chat.turn else "that turn's place, as another branch"
        )
        self.say(f"what you send next takes {last}")
        self.focus_prompt()

    # Steering

    def stop_run(self) -> None:
        """Stop the run; what was received stays."""
        if self.session.running is None:
            raise UsageError("no run is going on")
        self.session.running.stop()

    def stop_call(self, call: CallId) -> None:
        """Stop one agent; the run goes on without it."""
        if self.session.running is None or self.session.run is None:
            raise UsageError("no run is going on")
        self.session.running.stop_call(call)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("stop", "proceed"):
            return self.session.running is not None
        if action in ("inspect", "panes", "reasoning"):
            return self.session.run is not None or bool(self.transcript.turns)
        return True

    def action_stop(self) -> None:
        """Take back the message that waits; where none does, stop the run."""
        text = self.session.take_back()
        if text is not None:
            self.box.prompt.put_back(text)
            self.show_queue()
            self.focus_prompt()
        else:
            self.stop_run()

    def action_proceed(self) -> None:
        if self.session.running is not None:
            self.session.running.proceed()

    # Looking

    def action_panes(self) -> None:
        run = self.panel.run or self.session.run
        run = run or self.transcript.last_run
        if run is None:
            return
        opening = not self.panel.has_class("-open")
        if opening:
            self.panel.look_at(run)
        self.open_panel(opening)
        if opening:
            self.call_after_refresh(self._focus_panes)

    def _focus_panes(self) -> None:
        if self.panel.panes:
            self.panel.panes[0].focus()

    def action_reasoning(self) -> None:
        self.panel.show_kind("text" if self.panel.kind == "reasoning" else "reasoning")

    def action_inspect(self) -> None:
        run = self.shown_run
        focused = self.focused
        if isinstance(focused, TurnView):
            run = focused.run
        if run is not None:
            call = self.panel.selected if self.panel.run is run and self.panel.has_class("-open") else None
            self.inspect(run, call or run.final.call)

    def inspect(self, run: RunState, call: CallId) -> None:
        """Show one agent alone."""
        self.app.push_screen(InspectorScreen(run, call, copy=self.copy, stop_call=self.stop_call_quietly))

    def stop_call_quietly(self, call: CallId) -> None:
        """As `stop_call`, where the run may just have ended."""
        try:
            self.stop_call(call)
        except UsageError as error:
            self.complain(error)

    async def action_turn(self, step: int) -> None:
        await self.transcript.focus_turn(step)

    async def action_newest(self) -> None:
        await self.transcript.action_newest()

    def action_scroll_page(self, step: int) -> None:
        """Page through the conversation while the prompt has the keys."""
        if self.focused is not None and self.focused is not self.box.prompt:
            raise SkipAction
        self.transcript.page(step)

    def action_find(self) -> None:
        self.query_one(FindBar).open()

    async def on_find_bar_step(self, event: FindBar.Step) -> None:
        number, total = await self.transcript.find(event.wanted, event.step)
        words = f"{number} of {total}" if total else "nowhere"
        self.query_one(FindBar).tell(words if event.wanted else "")

    async def on_find_bar_closed(self) -> None:
        await self.transcript.find("", 0)
        self.focus_prompt()

    # Taking along

    def copy(self, text: str) -> None:
        """To the clipboard, and say what became of it."""
        if text:
            self.run_worker(self._copy(text), group="copy")
        else:
            self.say("there is nothing to copy yet")

    async def _copy(self, text: str) -> None:
        self.say(await clipboard.copy(self.app, text))

    def copy_last(self, what: str) -> None:
        """The last answer, or its last code block."""
        turn = self.session.chat.turn
        if turn is None or turn.outcome is None:
            raise UsageError("there is no answer yet")
        if what == "code":
            self.copy_code(render(turn.outcome.answer, 80).code)
        elif what:
            raise UsageError(f'/copy copies the answer and /copy code its code, but no "{what}"')
        else:
            self.copy(turn.outcome.answer)

    def copy_code(self, blocks: Sequence[str]) -> None:
        """A turn's code blocks, all of them."""
        if not blocks:
            raise UsageError("there is no code in this answer")
        self.copy("\n\n".join(blocks))

    # Choosing

    def use_recipe(self, recipe: Recipe | None) -> None:
        """Answer with this recipe from now on."""
        if recipe is not None:
            self.session.chat.recipe = recipe
            self.session.chat.warm_up()
            self.renew_title()
            self.renew_estimate()
            self.renew_welcome()
            self.say(f"recipe {recipe.name} from now on")

    async def load_recipe(self, name: str) -> None:
        """The recipe of that name, from now on."""
        self.use_recipe(await asyncio.to_thread(self.choices.load, name))

    def action_recipes(self) -> None:
        current = self.session.chat.recipe
        self.app.push_screen(RecipeScreen(self.choices, current.name, self._try_agent), self.use_recipe)

    async def _try_agent(self, agent: Agent) -> str:
        return await self.session.chat.try_agent(agent, _TRIAL)

    def choose_aggregator(self) -> None:
        """Search a model for the aggregator."""
        self.app.push_screen(ModelScreen(self.choices), self._use_choice)

    def _use_choice(self, choice: ModelChoice | None) -> None:
        if choice is not None:
            try:
                self.use_aggregator(choice.name, api_base=choice.api_base, extra=choice.extra)
            except UsageError as error:
                self.complain(error)

    def use_aggregator(
        self, model: str, *, api_base: str | None = None, extra: Mapping[str, object] | None = None
    ) -> None:
        """Let another model write the answer from now on. Raises UsageError."""
        recipe = self.session.chat.recipe
        if not recipe.lineup[-1]:
            raise UsageError(f"recipe {recipe.name} ends with a vote: no model writes its answer")
        final = recipe.lineup[-1][0].model_copy(
            update={"model": model, "name": "", "fallback": (), "api_key_env": None}
            | {"api_base": api_base, "extra": dict(extra or {})}
        )
        layers = (*recipe.layers[:-1], recipe.layers[-1].model_copy(update={"agents": (final,)}))
        try:
            table = recipe.model_copy(update={"layers": layers}).model_dump(exclude_unset=True)
            changed = Recipe.model_validate(table)
        except ValidationError as error:
            why = "; ".join(each["msg"].removeprefix("Value error, ") for each in error.errors())
            raise UsageError(f'"{one_line(model)}" cannot be the aggregator: {why}') from error
        self.use_recipe(changed)

    def action_history(self) -> None:
        prompt = self.box.prompt

        def take(text: str | None) -> None:
            if text:
                # What was being written is one step back in the history.
                prompt.remember(prompt.expanded)
                prompt.fill(text)

        self.app.push_screen(HistoryScreen(prompt.earlier), take)

    def action_editor(self) -> None:
        self.box.edit_outside()

    # What widgets ask for

    def on_agent_pane_inspect(self, event: AgentPane.Inspect) -> None:
        if self.panel.run is not None:
            self.inspect(self.panel.run, event.call)

    def on_agent_pane_stop_call(self, event: AgentPane.StopCall) -> None:
        if self.panel.run is self.session.run:
            self.stop_call_quietly(event.call)

    def on_agent_pane_copy(self, event: AgentPane.Copy) -> None:
        self.copy(event.text)

    def on_turn_view_panes_wanted(self, event: TurnView.PanesWanted) -> None:
        same = self.panel.run is event.view.run and self.panel.has_class("-open")
        self.panel.look_at(event.view.run)
        self.open_panel(not same)

    def on_turn_view_copy_wanted(self, event: TurnView.CopyWanted) -> None:
        self.copy("\n\n".join(event.texts))

    def on_turn_view_links_wanted(self, event: TurnView.LinksWanted) -> None:
        if not event.links:
            self.say("there is no link in this answer")
            return
        self.app.push_screen(
            LinkListScreen(event.links), lambda address: self.wish("link", address) if address else None
        )

    def on_prompt_box_edited(self) -> None:
        if not self.box.whole.strip():
            self.session.instead_of = None
        self.renew_estimate()

    def on_rows_widget_code_clicked(self, event: RowsWidget.CodeClicked) -> None:
        self.copy(event.code)


def call_named(run: RunState | None, text: str) -> CallId:
    """The call that `3` (of the layer at work) or `L2.3` means. Raises UsageError."""
    match = re.fullmatch(r"(?:[Ll]?(\d+)\.)?(\d+)", text)
    if run is None or match is None:
        raise UsageError(
            f'"{text}" names no agent: give its number, as in 2, or layer and number, as in L1.2'
        )
    layer = int(match[1]) if match[1] else run.layer
    index = int(match[2])
    if not 1 <= layer <= len(run.layers) or not 1 <= index <= len(run.layers[layer - 1]):
        raise UsageError(f"there is no agent {index} in layer {layer}")
    return CallId(layer, index)
