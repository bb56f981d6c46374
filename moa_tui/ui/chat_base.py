"""What the chat screen is made of, and how a message becomes a run."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from textual import work
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from moa_tui.budget import cap_words, is_near
from moa_tui.conversation import name_from
from moa_tui.engine.plan import total_cost
from moa_tui.errors import MoaTuiError, UsageError
from moa_tui.ui.prompt_box import PromptBox
from moa_tui.ui.run_panel import RunPanel
from moa_tui.ui.status_bar import StatusBar
from moa_tui.ui.title_bar import TitleBar
from moa_tui.ui.transcript import Transcript
from moa_tui.ui.welcome import Welcome
from moa_tui.wording import counted, money, one_line

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from textual.timer import Timer

    from moa_tui.choices import Choices, Situation
    from moa_tui.conversation import Turn
    from moa_tui.engine.plan import Cap
    from moa_tui.errors import StoreError
    from moa_tui.running import Running
    from moa_tui.ui.run.run_view import RunView
    from moa_tui.ui.session import Draft, Session


class ChatBase(Screen[None]):
    """A screen with a conversation, panes and a prompt, and how a message becomes a run."""

    class Wish(Message):
        """What is not this screen's to do: help, theme, quit, a link to open, a run's end to tell."""

        def __init__(self, what: str, argument: str = "") -> None:
            self.what = what
            self.argument = argument
            super().__init__()

    ticker: Timer
    """Goes while a run does."""

    def __init__(self, session: Session, choices: Choices, why: str | None) -> None:
        super().__init__()
        self.session = session
        self.choices = choices
        self.situation: Situation | None = None
        """What was found on this machine; None until it was looked for."""
        self.disk_problem: StoreError | None = None
        """Why conversations cannot be written just now."""
        self.switching = False
        """Whether another conversation or branch is on its way to the screen: nothing is asked meanwhile."""
        self.caps: tuple[Cap, ...] = ()
        """The budgets, as they stood when it was last looked."""
        self._told_caps: set[str] = set()
        self._why = why
        self._first_recipe = session.chat.recipe

    @property
    def box(self) -> PromptBox:
        """Where the person writes."""
        return self.query_one(PromptBox)

    @property
    def panel(self) -> RunPanel:
        """Where the agents write."""
        return self.query_one(RunPanel)

    @property
    def transcript(self) -> Transcript:
        """The conversation."""
        return self.query_one(Transcript)

    @property
    def shown_run(self) -> RunView | None:
        """The run whose panes are open, else the newest."""
        return self.panel.run if self.panel.has_class("-open") else self.session.run

    def say(self, text: str) -> None:
        """Tell the person something in passing."""
        self.notify(text, markup=False)

    def complain(self, error: MoaTuiError) -> None:
        """Tell the person what went wrong, for long enough to read it."""
        self.notify(str(error), title="That did not work", severity="error", timeout=15, markup=False)

    async def _quietly(self, doing: Awaitable[None]) -> None:
        """Do it, and tell what went wrong where nobody waits for it."""
        try:
            await doing
        except MoaTuiError as error:
            self.complain(error)

    def wish(self, what: str, argument: str = "") -> None:
        """Ask the app for what is not this screen's to do."""
        self.post_message(self.Wish(what, argument))

    def focus_prompt(self) -> None:
        """Take keys for the prompt, from the next one on."""
        self.set_focus(self.box.prompt)

    # Sending

    async def send(self, draft: Draft, *, waited: bool = False) -> bool:
        """Ask it now; whether a run began. Where none did, the text is back in the prompt."""
        instead_of = self.session.instead_of
        try:
            if self.switching:
                raise UsageError("another conversation is just being opened; send it once it is there")
            running = self.session.chat.send(draft.text, instead_of=instead_of)
        except MoaTuiError as error:
            self.put_back_waiting(draft)
            self.complain(error)
            return False
        self.session.draft = draft
        self.session.written = draft.shown or self.session.written
        await self.follow(running, instead_of=instead_of, jump=not waited)
        return True

    def put_back_waiting(self, *first: Draft) -> None:
        """Put everything that waits back into the prompt, in its order, before what is being typed."""
        texts = [draft.shown for draft in (*first, *self.session.waiting) if draft.shown]
        self.session.waiting.clear()
        if texts:
            self.box.prompt.put_back("\n".join(texts))
        self.show_queue()

    async def follow(self, running: Running, *, instead_of: Turn | None = None, jump: bool = True) -> None:
        """Show a run that has just been started; `jump` takes the reader there.

        `instead_of` is the turn whose place it takes.
        """
        run = self.session.begin(running)
        self.remove_class("-empty")
        place = self._place_of(running.turn)
        await self.transcript.add(running.turn, run, instead_of=instead_of, place=place, follow=jump)
        self.session.shown = True
        self.ticker.resume()
        self.panel.look_at(run)
        self.open_panel(len(run.layers) > 1 or len(run.layers[0]) > 1)
        self.renew_title()
        self.refresh_bindings()

    def _place_of(self, turn: Turn) -> tuple[int, int]:
        """Which of how many alternatives a turn is, or is going to be."""
        return self.session.chat.conversation.with_turn(turn).places()[turn.id]

    def _idle(self) -> None:
        if self.session.running is not None:
            raise UsageError("a run is going on: wait for it, or stop it with Esc")
        if self.switching:
            raise UsageError("another conversation is just being opened")

    def renew_title(self) -> None:
        """Say what the conversation is about and which recipe is in force."""
        recipe = self.session.chat.asked_recipe
        chat = self.session.chat
        turns = self.transcript.turns
        title = chat.conversation.title or (name_from(turns[0].prompt) if turns else "moa-tui")
        if chat.private:
            title = f"private: {one_line(title)}"
        elif self.disk_problem is not None or not chat.is_kept:
            title = f"NOT SAVED: {one_line(title)}"
        shape = [counted(len(recipe.layers), "layer"), counted(recipe.calls, "call")]
        guided = ["guided"] if recipe is not chat.recipe else []
        self.query_one(TitleBar).show(one_line(title), " · ".join([recipe.name, *guided, *shape]))

    def renew_estimate(self) -> None:
        """Say beside the prompt what sending it would take."""
        self._estimate()

    @work(group="estimate", exclusive=True)
    async def _estimate(self) -> None:
        chat = self.session.chat
        plan = await asyncio.to_thread(chat.plan, self.box.whole, instead_of=self.session.instead_of)
        cost = total_cost(call.cost for call in plan.calls)
        price = "price unknown" if cost is None else money(cost) if cost == 0 else f"at most {money(cost)}"
        self.caps = await asyncio.to_thread(chat.caps)
        if not self.query(StatusBar):
            return  # The program was left meanwhile.
        passes = plan.known_cost > min((cap.left for cap in self.caps), default=math.inf)
        warning = " · over budget" if passes else ""
        self.box.estimate = f"{counted(len(plan.calls), 'call')} · {price}{warning}"
        self._tell_caps()
        self.renew_numbers()

    def _tell_caps(self) -> None:
        """Say once of each budget that it is nearly used up; and anew once it had room again."""
        near = {cap.name: cap for cap in self.caps if is_near(cap)}
        for name in near.keys() - self._told_caps:
            self.notify(f"Budget: {cap_words(near[name])} is spent", severity="warning", markup=False)
        self._told_caps = set(near)

    def open_panel(self, open_: bool) -> None:
        """Show or hide the panes."""
        self.panel.set_class(open_, "-open")
        self.set_class(not open_, "-panel-closed")
        if not open_ and self.panel.has_focus_within:
            self.focus_prompt()
        if open_:
            self.call_after_refresh(self.panel.tick)

    def renew_welcome(self) -> None:
        """Say what an empty conversation should know of the recipe in force."""
        recipe = self.session.chat.recipe
        why = self._why if recipe is self._first_recipe else None
        self.query_one(Welcome).tell(self.session.chat.asked_recipe, why, self.situation)

    def renew_numbers(self) -> None:
        """Say at the bottom what the run and the conversation have taken."""
        self.query_one(StatusBar).show(self._numbers())

    def _numbers(self) -> list[str]:
        """What the run on screen, and the conversation, have taken."""
        session = self.session
        run = session.run
        parts = []
        if run is not None and session.running is not None:
            parts.append(run.stage())
            if run.choice is not None:
                return parts  # The room is for the keys that end the wait.
            parts.append(f"{run.now:.0f} s")
            parts.append(f"~{run.tokens:,} tok")
            if run.cost:
                parts.append(money(run.cost))
        if session.tokens:
            parts.append(f"conversation {session.tokens:,} tok")
        if session.spent:
            parts.append(money(session.spent))
        if near := [cap for cap in self.caps if is_near(cap)]:
            parts.insert(0, cap_words(max(near, key=lambda cap: cap.spent / cap.total)))
        return parts

    def show_queue(self) -> None:
        """Show which messages wait for the run to end."""
        queue = self.query_one("#queue", Static)
        queue.set_class(bool(self.session.waiting), "-some")
        lines = [f"waits: {one_line(draft.shown[:500])}" for draft in self.session.waiting]
        if lines:
            lines[-1] += "  (Esc takes it back)"
        queue.update(Content("\n".join(lines)))
