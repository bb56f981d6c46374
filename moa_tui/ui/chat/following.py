"""How a run gets to the screen, and what happens there when it ends."""

from __future__ import annotations

import time
from gc import collect
from typing import TYPE_CHECKING

from moa_tui.chat.faults import fault_of
from moa_tui.chat.session import NewTurn, has_answer
from moa_tui.errors import MoaTuiError, UntrustedServerError
from moa_tui.settings import paths
from moa_tui.text.safe import one_line
from moa_tui.ui.chat.requests import AttentionRequested, FaultSeen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from moa_tui.chat.prompt_text import PromptText
    from moa_tui.conversation import Turn
    from moa_tui.settings.config import Settings
    from moa_tui.ui.chat.labels import Labels
    from moa_tui.ui.chat.state import ChatState
    from moa_tui.ui.chat.view import ChatView
    from moa_tui.ui.run.run_view import RunView
    from moa_tui.ui.widgets.turn_view import TurnView

# Ticks within which each pane is drawn once. A tick draws one pane where that is often enough, because a key
# that comes meanwhile has to wait.
_FEWEST_TICKS, _MOST_TICKS = 3, 6
_KEY_FIRST_SECONDS = 0.045


class Following:
    """Shows new turns and keeps the widgets of a running one up to date, tick by tick."""

    def __init__(
        self,
        state: ChatState,
        view: ChatView,
        labels: Labels,
        settings: Settings,
        name_conversation: Callable[[str], Awaitable[object]],
    ) -> None:
        """`name_conversation` has a model, named by its argument, find a title."""
        self._state = state
        self._session = state.session
        self._view = view
        self._labels = labels
        self._settings = settings
        self._name_conversation = name_conversation
        self._ticks = self._drawn_ticks = 0
        self._key_first_until = 0.0
        self._has_told_of_title = False

    async def show(self, new: NewTurn, *, jump: bool = True) -> None:
        """Show a new turn, whether it is being answered or is complete; `jump` scrolls to it."""
        self._view.set_empty(False)
        state, transcript = self._state, self._view.transcript
        run_view = state.begin(new.run) if new.run is not None else state.show_ended(new)
        await transcript.add(
            new.turn, run_view, instead_of=new.instead_of, place=self._place_of(new.turn), follow=jump
        )
        self._view.panel.show_run(run_view)
        if new.run is not None:
            state.is_shown = True
            self._view.set_ticking(True)
            has_several = len(run_view.layers) > 1 or len(run_view.layers[0]) > 1
            self._view.open_panel(has_several and self._view.body.mode != "chat")
        else:
            self._labels.renew_numbers()
            self._labels.renew_estimate()
        self._labels.renew_title()
        self._labels.renew_offer()
        self._view.keys_changed()

    def _place_of(self, turn: Turn) -> tuple[int, int]:
        """Which of how many alternatives a turn is, or is going to be."""
        return self._session.chat.conversation.with_turn(turn).places()[turn.id]

    def put_back(self, prompts: Sequence[PromptText]) -> None:
        """Put prompts that were not sent back where they were written, before what is being typed."""
        if written := [prompt.written for prompt in prompts if prompt.written]:
            self._view.box.prompt.put_back("\n".join(written))
        self._labels.renew_queue()

    # While it goes

    def let_key_through(self) -> None:
        """Leave the screen to a key that was pressed: the next tick is left out, if it comes right behind.

        May be called on any thread.
        """
        self._key_first_until = time.monotonic() + _KEY_FIRST_SECONDS

    async def tick(self) -> None:
        """Take in what the engine has said since, and draw the part of it whose turn it is."""
        self._ticks += 1
        # Where keys come one after another, each second tick is left out, and the one behind it does both.
        if time.monotonic() < self._key_first_until and self._ticks - self._drawn_ticks == 1:
            return
        turns = range(self._drawn_ticks + 1, self._ticks + 1)
        self._drawn_ticks = self._ticks
        run_view = self._state.run_view
        if self._session.is_running and run_view is not None:
            was_proposing = run_view.proposes
            has_ended = self._state.advance()
            turn_view = self._turn_view_of(run_view)
            if turn_view is not None and (has_ended or any(turn % 3 == 0 for turn in turns)):
                self._draw(turn_view.tick)
                self._draw(self._view.body.divide)
            if was_proposing and not run_view.proposes and not self._settings.keep_panes_open:
                self._fold_panes(run_view)
            if has_ended:
                await self._end(run_view)
        panel = self._view.panel
        every = min(max(_FEWEST_TICKS, len(panel.panes)), _MOST_TICKS)
        for turn in turns:
            self._draw(panel.tick, turn % every, every)
        self._labels.renew_numbers()
        if not self._session.is_running:
            # Nothing moves any more: an idle chat should take no time at all.
            self._draw(panel.tick)
            self._view.set_ticking(False)
            if time.monotonic() >= self._key_first_until:
                # While a run goes, the oldest objects are never looked through: that would hold up keys.
                collect()

    def tick_all(self) -> None:
        """Draw everything of the run at once, before the clock rests."""
        run_view = self._state.run_view
        if run_view is not None and (turn_view := self._turn_view_of(run_view)) is not None:
            self._draw(turn_view.tick)
        self._draw(self._view.panel.tick)

    def _draw(self, draw: Callable[..., object], *arguments: object) -> None:
        """Call a method that draws a part of the run. A fault in it must not keep the run from ending."""
        try:
            draw(*arguments)
        except Exception as error:
            self._view.post(FaultSeen(error))

    def _turn_view_of(self, run_view: RunView) -> TurnView | None:
        return next((view for view in self._view.transcript.views if view.run is run_view), None)

    def _fold_panes(self, run_view: RunView) -> None:
        """Give the answer the room of the panes that are written, unless the person is in them."""
        panel = self._view.panel
        if panel.run is run_view and not panel.has_focus_within and not self._view.is_side_by_side:
            self._view.open_panel(False)

    # When it is over

    async def _end(self, run_view: RunView) -> None:
        turn = self._settle()
        if turn is None:
            await self._take_away(run_view)
        else:
            self._view.transcript.settle(run_view, turn)
            if self._view.is_side_by_side:
                # Beside the answer, what it was made from says more than itself once more.
                self._draw(self._view.panel.show_run, run_view)
            self._draw(self._view.panel.tick)
        self._view.keys_changed()
        self._view.post(AttentionRequested("the run has ended"))
        self._labels.renew_estimate()
        self._labels.renew_offer()
        if has_answer(turn) and (model := self._settings.title_model) is not None:
            self._view.start(lambda: self._find_title(model), "title")
        if turn is not None:
            await self._view.attempt(self._follow_up(turn))
        await self._view.attempt(self._advance_queue(turn))
        self._labels.renew_queue()

    async def _find_title(self, model: str) -> None:
        """Have `model` find a title. Where it may not be asked, a notice says so, and no question comes."""
        try:
            await self._name_conversation(model)
        except UntrustedServerError:
            if not self._has_told_of_title:
                self._has_told_of_title = True
                self._view.say(
                    f'no title was asked for: title_model is "{one_line(model)}", which goes to a server '
                    f"that is not set up. Name another in {paths.config_file()}, or give a title by /rename",
                    severity="warning",
                    seconds=12,
                )

    def _settle(self) -> Turn | None:
        try:
            return self._state.settle()
        except MoaTuiError as error:
            self._view.complain(error)
        except Exception as error:  # a fault of ours must not take the conversation with it
            self._view.complain(fault_of(error))
        return None

    async def _take_away(self, run_view: RunView) -> None:
        """Remove a turn that never began, and put back what was typed for it."""
        # First all that must not wait: while the turn is taken away, the next may be begun.
        self._view.panel.run = None
        self._view.open_panel(False)
        unsent = self._session.take_back_unsent()
        self.put_back([*([] if unsent is None else [unsent]), *self._session.take_back_all()])
        await self._view.transcript.drop(run_view)
        self._view.set_empty(not self._view.transcript.turns)
        self._labels.renew_title()

    async def _follow_up(self, turn: Turn) -> None:
        new = self._session.follow_up(turn)
        if new is not None:
            await self.show(new)

    async def _advance_queue(self, turn: Turn | None) -> None:
        try:
            next_turn = self._session.advance_queue(turn)
        except MoaTuiError:
            self.put_back(self._session.take_back_all())
            raise
        if isinstance(next_turn, NewTurn):
            await self.show(next_turn, jump=False)
        elif next_turn:
            self.put_back(next_turn)
            self._view.say("what waited is back in the prompt, since the run came to no answer")
