"""What stands around the conversation and says how it is: title, welcome, estimate, queue and numbers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from textual.content import Content

from moa_tui.chat import full_synthesis, sentences
from moa_tui.chat.first_questions import first_questions
from moa_tui.chat.ledger import CapWarnings, cap_words, is_near
from moa_tui.conversation import name_from
from moa_tui.text.safe import one_line
from moa_tui.text.wording import counted, money

if TYPE_CHECKING:
    from moa_tui.chat.conversations import Conversations
    from moa_tui.engine.plan import Cap
    from moa_tui.recipes.models import Situation
    from moa_tui.ui.chat.state import ChatState
    from moa_tui.ui.chat.view import ChatView
    from moa_tui.ui.run.run_view import RunView

_SHOWN_PROMPT_CHARACTERS = 500


class Labels:
    """Brings the words around the conversation up to date."""

    def __init__(
        self, state: ChatState, view: ChatView, conversations: Conversations, recipe_reason: str | None
    ) -> None:
        """`recipe_reason` says why the chat began with its recipe; None where a person named it."""
        self._state = state
        self._chat = state.session.chat
        self._view = view
        self._conversations = conversations
        self._recipe_reason = recipe_reason
        self._first_recipe = self._chat.recipe
        self._situation: Situation | None = None
        self._caps: tuple[Cap, ...] = ()
        self._warnings = CapWarnings()
        self._told_warnings: set[str] = set()
        """What was said of the plans of runs, each once."""
        self._offering: RunView | None = None
        """The run whose turn shows an offer."""

    def renew(self) -> None:
        """Bring all of them up to date, after the conversation or its recipe has changed."""
        self.renew_title()
        self.renew_welcome()
        self.renew_numbers()
        self.renew_queue()
        self.renew_estimate()
        self.renew_offer()

    def renew_title(self) -> None:
        """Say what the conversation is about and which recipe is in force."""
        chat = self._chat
        recipe = chat.asked_recipe
        turns = self._view.transcript.turns
        title = chat.conversation.title or (name_from(turns[0].prompt) if turns else "moa-tui")
        if chat.private:
            title = f"private: {one_line(title)}"
        elif self._conversations.is_at_risk:
            title = f"NOT SAVED: {one_line(title)}"
        shape = [counted(len(recipe.layers), "layer"), counted(recipe.calls, "call")]
        guided = ["guided"] if recipe is not chat.recipe else []
        self._view.title.show(one_line(title), " · ".join([one_line(recipe.label), *guided, *shape]))

    def renew_welcome(self, situation: Situation | None = None) -> None:
        """Say what an empty conversation should know of the recipe in force.

        `situation` is what was found on this machine, once it was looked for.
        """
        self._situation = situation or self._situation
        reason = self._recipe_reason if self._chat.recipe is self._first_recipe else None
        questions = first_questions(self._chat)
        self._view.welcome.show_start(self._chat.asked_recipe, reason, self._situation, questions)
        self._view.box.prompt.offered = questions

    def renew_queue(self) -> None:
        """Show which prompts wait for the run to end."""
        waiting = self._state.session.queue
        lines = [f"waits: {one_line(prompt.written[:_SHOWN_PROMPT_CHARACTERS])}" for prompt in waiting]
        if lines:
            lines[-1] += "  (Esc takes it back)"
        self._view.queue.set_class(bool(lines), "-some")
        self._view.queue.update(Content("\n".join(lines)))

    # An answer that could be written again

    def renew_offer(self) -> None:
        """Say below the last answer that it can be written again, where an answer came late and differs."""
        self._show_offer(self._offering, "")
        self._offering = None
        if self._state.session.turn_with_late_answers is not None:
            self._view.start(self._offer, "offer")

    async def _offer(self) -> None:
        session = self._state.session
        turn = session.turn_with_late_answers
        if turn is None:
            return
        price = await session.price_of_full_synthesis(turn)
        run = self._view.transcript.last_run
        if turn is not session.turn_with_late_answers or run is None or not self._view.is_ready:
            return
        self._offering = run
        self._show_offer(run, full_synthesis.offer_words(turn, price, "F9"))

    def _show_offer(self, run: RunView | None, words: str) -> None:
        if run is None:
            return
        run.offer = words
        for turn_view in self._view.transcript.views:
            if turn_view.run is run:
                turn_view.tick()

    # Costs

    def renew_estimate(self) -> None:
        """Say beside the prompt what sending it would take."""
        self._view.start(self._estimate, "estimate")

    async def _estimate(self) -> None:
        session = self._state.session
        plan = await self._chat.plan(self._view.box.draft.sent, instead_of=session.instead_of)
        self._caps = await self._chat.caps()
        if not self._view.is_ready:
            return
        estimate = sentences.estimate_words(plan, self._caps)
        self._view.box.estimate = "\n".join([estimate, *sentences.server_lines(plan)])
        for words in plan.warnings:
            if words not in self._told_warnings:
                self._told_warnings.add(words)
                self._view.say(one_line(words), severity="warning", seconds=12)
        for cap in self._warnings.due(self._caps):
            self._view.say(sentences.budget_warning(cap), severity="warning")
        self.renew_numbers()

    async def tell_cost(self) -> None:
        """Tell what the conversation has taken so far, agent by agent, and what is left of the budgets."""
        caps = await self._chat.caps()
        lines = await asyncio.to_thread(sentences.cost_lines, tuple(self._chat.conversation.turns), caps)
        self._view.say("\n".join(lines))

    def renew_numbers(self) -> None:
        """Say at the bottom what the run and the conversation have taken."""
        self._view.status.show(self._numbers())

    def _numbers(self) -> list[str]:
        state = self._state
        run = state.run_view
        numbers = []
        if run is not None and state.session.is_running:
            numbers.append(run.stage())
            if run.choice is not None:
                return numbers  # The room is for the keys that end the wait.
            numbers += [f"{run.now:.0f} s", f"~{run.tokens:,} tok"]
            if run.cost:
                numbers.append(money(run.cost))
        if state.tokens:
            numbers.append(f"conversation {state.tokens:,} tok")
        if state.spent:
            numbers.append(money(state.spent))
        if near := [cap for cap in self._caps if is_near(cap)]:
            numbers.insert(0, cap_words(max(near, key=lambda cap: cap.spent / cap.total)))
        return numbers

    # Checklists

    def tell_if_unguided(self) -> None:
        """Say so where a checklist is wanted and the recipe can have none."""
        if words := sentences.why_unguided(self._chat):
            self._view.say(words)
