"""What a person can change in a turn on the screen: one agent's part in it, or who writes the answer."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from moa_tui import steering, steering_live
from moa_tui.engine.agent import Agent
from moa_tui.engine.events import Outcome, Reply
from moa_tui.engine.metrics import Metrics
from moa_tui.errors import UsageError
from moa_tui.ui.chat_actions import ChatActions, call_named
from moa_tui.ui.model_screen import ModelScreen
from moa_tui.ui.session import Draft

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from moa_tui.choices import ModelChoice
    from moa_tui.conversation import Turn
    from moa_tui.engine.alteration import Alteration
    from moa_tui.engine.events import CallId
    from moa_tui.engine.recipe import Recipe
    from moa_tui.running import Running
    from moa_tui.ui.agent_pane import AgentPane
    from moa_tui.ui.run.run_view import RunView
    from moa_tui.ui.run_panel import RunPanel


class Steer(NamedTuple):
    """A change: of a run that goes, where it is not too far on for it, and of a turn that is over."""

    going: Callable[[Recipe], Alteration] | None
    over: Callable[[Turn], steering.Change]


class SteeringActions(ChatActions):
    """The actions that run part of a turn anew, everything upstream of the change kept."""

    async def on_agent_pane_steer(self, event: AgentPane.Steer) -> None:
        await self._quietly(self._steer_as_told(event.call, event.what))

    def on_run_panel_add_agent(self, event: RunPanel.AddAgent) -> None:
        self.app.push_screen(ModelScreen(self.choices), self._choice_taken(self._added))

    async def _steer_as_told(self, call: CallId, what: str) -> None:
        run = self.panel.run
        if run is None:
            return
        match what:
            case "retry":
                await self.change(run, _retry(call))
            case "leave out":
                await self.change(run, self._leave_out(run, call))
            case "use":
                await self._use(run, call)
            case "amend":
                self._turn_of(run)
                text = run.view(call).written("text")
                self.box.prompt.put_back(f"/amend {call} {text}")
                self.focus_prompt()
            case "model":
                self._turn_of(run)
                swapped = partial(self._swapped, run, call)
                self.app.push_screen(ModelScreen(self.choices), self._choice_taken(swapped))

    def _choice_taken(
        self, act: Callable[[dict[str, object]], Awaitable[None]]
    ) -> Callable[[ModelChoice | None], None]:
        def taken(choice: ModelChoice | None) -> None:
            if choice is not None:
                changes = _another(choice.name) | {"api_base": choice.api_base, "extra": dict(choice.extra)}
                self.run_worker(self._quietly(act(changes)), group="steer", exclusive=True)

        return taken

    async def _swapped(self, run: RunView, call: CallId, changes: dict[str, object]) -> None:
        await self.change(run, _swap(call, changes, run.layer))

    async def _added(self, changes: dict[str, object]) -> None:
        if (run := self.shown_run or self.transcript.last_run) is None:
            raise UsageError("there is no run yet that an agent could join")
        await self.change(run, _add(run, changes))

    # Doing it

    async def change(self, run: RunView, wanted: Steer) -> None:
        """Change the run while it goes, or run what a change of its turn leaves to be run.

        A run that goes and is too far on is stopped, and stays beside what comes of the change. Raises
        MoaTuiError.
        """
        running = self._running_of(run)
        if running is None:
            turn = self._turn_of(run)
            await self.steer(turn, wanted.over(turn))
            return
        alteration = None
        if wanted.going is not None:
            # What a layer cannot take while it is at work, such as a second judge, may still be done after.
            with suppress(UsageError):
                alteration = wanted.going(running.turn.recipe)
        if alteration is not None and await asyncio.wrap_future(running.alter(alteration)):
            return
        # Before anything is stopped: what cannot be done of the turn is said while it still goes.
        wanted.over(self._as_it_stands(running, run))

        async def branch(turn: Turn) -> None:
            await self.steer(turn, wanted.over(turn))

        self._after_stop(running, branch)

    async def _use(self, run: RunView, call: CallId) -> None:
        running = self._running_of(run)
        if running is None:
            await self.use_answer(call, self._turn_of(run))
        elif not run.view(call).over:
            raise UsageError(f"{call} is not over: wait for it, or stop it, and use what it has written")
        elif not run.view(call).written("text").strip():
            raise UsageError(f"{call} has no answer that could be used")
        else:
            self._after_stop(running, partial(self.use_answer, call))

    async def again(self, words: str = "") -> None:
        """Aggregate the last turn's answers again, as another recipe does it, or by other instructions."""
        kind, _, rest = words.partition(" ")
        if kind == "prompt":
            if not rest.strip():
                raise UsageError("instructions are needed, as in /again prompt Write it as a table.")
            await self._change_last(Steer(None, partial(steering.reword, prompt=rest)))
        elif words:
            by = await asyncio.to_thread(self.choices.load, words)
            await self._change_last(Steer(None, partial(steering.aggregate, by=by)))
        else:
            self._idle()
            turn = self.session.chat.turn
            running = self.session.chat.again()
            self.session.draft = Draft("", "")
            await self.follow(running, instead_of=turn)

    async def steer(self, turn: Turn, change: steering.Change) -> None:
        """Run what a change of `turn` leaves to be run. Raises MoaTuiError."""
        self._idle()
        running = self.session.chat.steer(turn, change)
        self.session.draft = Draft("", "")
        await self.follow(running, instead_of=turn)

    async def steer_last(self, what: str, words: str) -> None:
        """As the slash commands have it: an agent of the last turn, and what is said of it."""
        run = self._last_run
        if what == "propose":
            await self.change(run, _propose(words))
            return
        if what == "add":
            await self.change(run, _add(run, swap_words(words, "/add")))
            return
        name, _, rest = words.partition(" ")
        call = call_named(run, name if "." in name else f"{min(run.layer, run.proposing)}.{name}")
        match what:
            case "retry":
                await self.change(run, _retry(call))
            case "leave out":
                await self.change(run, self._leave_out(run, call))
            case "amend":
                await self.change(run, _amend(call, rest))
            case "swap":
                await self.change(run, _swap(call, swap_words(rest, "/swap N"), run.layer))
            case "use":
                await self._use(run, call)

    # What it is about

    async def _change_last(self, wanted: Steer) -> None:
        await self.change(self._last_run, wanted)

    @property
    def _last_run(self) -> RunView:
        run = self.session.run if self.session.running is not None else self.transcript.last_run
        if run is None:
            raise UsageError("there is no answer yet")
        return run

    def _running_of(self, run: RunView) -> Running | None:
        """The run itself, where it still goes. Raises UsageError where it has not really begun."""
        running = self.session.running
        if running is None or self.session.run is not run:
            return None
        if all(view.state == "waiting" for view in run.views):
            raise UsageError("the run is only getting ready: nobody has been asked yet")
        return running

    def _as_it_stands(self, running: Running, run: RunView) -> Turn:
        """The turn as if it were stopped now."""
        replies = {
            view.call: view.reply or Reply(view.agent.name, view.agent.model, "stopped")
            for view in run.views
            if view.state != "waiting"
        }
        turn = running.turn
        return replace(turn, outcome=Outcome("stopped", "", replies, Metrics()))

    def _after_stop(self, running: Running, then: Callable[[Turn], Awaitable[None]]) -> None:
        self.session.then = then
        self.say("the run was too far on for that: it is stopped, and goes on as changed, beside it")
        running.stop()

    def _turn_of(self, run: RunView) -> Turn:
        """The turn whose panes are open, running or over. Raises UsageError."""
        if (running := self._running_of(run)) is not None:
            return running.turn
        self._idle()
        turn = self.transcript.turn_of(run)
        found = next((one for one in self.session.chat.path if turn is not None and one.id == turn.id), None)
        if found is None:
            raise UsageError("these panes are of a turn that is not in the conversation any more")
        return found

    def _leave_out(self, run: RunView, call: CallId) -> Steer:
        live = steering_live.take_in if run.view(call).state == "excluded" else steering_live.leave_out
        return Steer(partial(live, call=call), partial(steering.leave_out, call=call))


def _retry(call: CallId) -> Steer:
    return Steer(partial(steering_live.retry, call=call), partial(steering.retry, call=call))


def _amend(call: CallId, text: str) -> Steer:
    return Steer(
        partial(steering_live.amend, call=call, text=text), partial(steering.amend, call=call, text=text)
    )


def _propose(text: str) -> Steer:
    return Steer(partial(steering_live.propose, text=text), partial(steering.propose, text=text))


def _swap(call: CallId, changes: dict[str, object], at_work: int) -> Steer:
    return Steer(
        partial(steering_live.swap, call=call, changes=changes, at_work=at_work),
        partial(steering.swap, call=call, changes=changes),
    )


def _add(run: RunView, changes: dict[str, object]) -> Steer:
    """One more agent, with the recipe's defaults, as the others of its layer have them."""
    if "model" not in changes:
        raise UsageError("a model is needed, as in /add gpt-6-luna")
    agent = Agent.model_validate(changes).given_defaults(run.recipe.defaults)
    return Steer(partial(steering_live.add, agent=agent), partial(steering.add, agent=agent))


def _another(model: str) -> dict[str, object]:
    return {"model": model, "name": "", "fallback": (), "api_base": None, "api_key_env": None, "extra": {}}


def swap_words(words: str, command: str = "/swap N") -> dict[str, object]:
    """`MODEL`, `temperature=0.3`, or both: what to change of an agent. Raises UsageError."""
    changes: dict[str, object] = {}
    for word in words.split():
        if match := re.fullmatch(r"temperature=(\d+(?:\.\d+)?)", word):
            changes["temperature"] = float(match[1])
        elif re.match(r"\w+=", word) or "model" in changes:
            raise UsageError(f"{command} MODEL, {command} temperature=0.3, or both")
        else:
            changes |= _another(word)
    if not changes:
        example = command.replace("N", "2")
        raise UsageError(f"a model or a temperature is needed: {example} gpt-6-luna temperature=0.3")
    return changes
