"""One person's use of a chat: one run at a time, what waits behind it, and what follows when it is over."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from moa_tui.chat import changes, full_synthesis
from moa_tui.chat.prompt_text import PromptText
from moa_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from moa_tui.chat.changes import Change
    from moa_tui.chat.chat import Chat
    from moa_tui.chat.comparison import Comparison
    from moa_tui.chat.run_handle import RunHandle, RunProgress
    from moa_tui.conversation import Conversation, Turn
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.run import Amend
    from moa_tui.engine.values import CallId


@dataclass(frozen=True, slots=True)
class NewTurn:
    """A turn that was just begun, or added to the conversation complete.

    `run` answers it; None for a complete turn, for which nothing had to be asked. `instead_of` is the turn
    whose place it takes, None where it stands behind the last one.
    """

    turn: Turn
    run: RunHandle | None = None
    instead_of: Turn | None = None


@dataclass(frozen=True, slots=True)
class Unsent:
    """What was typed for runs that have not ended, the turns they answer, and the turn those replace."""

    prompt: PromptText
    conversation: str
    """The id of the conversation."""
    turns: tuple[str, ...]
    """The ids of the turns."""
    instead_of: Turn | None
    command: str = ""
    """The command before the prompt, as it was typed."""


class Effect(Enum):
    """What a change of a running turn has come to, where no new turn has begun."""

    ALTERED = auto()
    """The run goes on, changed."""
    STOPPING = auto()
    """The run was too far on: it is stopped, and `ChatSession.follow_up` begins what is left to run."""
    STOPPING_ANSWER = auto()
    """The same, but only the answer is stopped: the others write to their end first, since they are kept."""


class ChatSession:
    """What a person can do with a chat, and whether it can be done now.

    Every method that asks models raises UsageError while a run goes on, unless it says otherwise, and
    MissingKeyError before any call. Like its chat, a session belongs to one thread.
    """

    def __init__(self, chat: Chat) -> None:
        self.chat = chat
        self.run: RunHandle | None = None
        """The run that goes on."""
        self.queue: list[PromptText] = []
        """Prompts to send when the run is over, oldest first."""
        self.instead_of: Turn | None = None
        """The turn in whose place the next prompt is asked; behind the last one where None."""
        self.sent: list[Unsent] = []
        """What was sent and may not be on disk yet, oldest first; whoever writes drafts takes out what is."""
        self.unsent: Unsent | None = None
        """What was typed for the run or comparison that goes on; typed again, it is sent as before."""
        self._written: dict[str, PromptText] = {}
        """Prompts as they were typed, by the ids of their turns."""
        self._after_stop: tuple[str, Callable[[Turn], NewTurn]] | None = None
        """What a change wanted that had to stop a run first, with the id of that run's turn."""
        self._switches = 0
        self._is_comparing = False

    # Whether something can be done

    @property
    def is_running(self) -> bool:
        """True while a run goes on."""
        return self.run is not None

    @property
    def is_switching(self) -> bool:
        """True while another conversation or branch is on its way to whoever shows it."""
        return self._switches > 0

    def require_idle(self) -> None:
        """Raise UsageError while a run goes on or another conversation is being opened."""
        if self.run is not None:
            raise UsageError("a run is going on: wait for it, or stop it with Esc")
        self._require_settled()

    def _require_settled(self) -> None:
        if self._is_comparing:
            raise UsageError("a comparison is going on: finish it first")
        if self.is_switching:
            raise UsageError("another conversation is just being opened: try again once it is there")

    @contextmanager
    def switching(self) -> Iterator[None]:
        """Refuse everything while another conversation or branch is on its way to whoever shows it.

        What is sent meanwhile must not land in a conversation that the person does not see yet.
        """
        self._switches += 1
        try:
            yield
        finally:
            self._switches -= 1

    def require_run(self) -> RunHandle:
        """The run that goes on. Raises UsageError where none does."""
        if self.run is None:
            raise UsageError("no run is going on")
        return self.run

    def is_being_answered(self, turn: Turn) -> bool:
        """True where the run that goes on answers `turn`."""
        return self.run is not None and self.run.turn.id == turn.id

    # Sending

    def submit(self, prompt: PromptText) -> NewTurn | None:
        """Send a prompt, or put it at the end of the queue while a run goes on; None where it waits."""
        if self.run is not None:
            self.queue.append(prompt)
            return None
        return self.send(prompt)

    def send(self, prompt: PromptText, amend: Amend | None = None) -> NewTurn:
        """Ask a prompt now: behind the last turn, or in the place of the one that is being edited.

        `amend` may have the answer written once more.
        """
        self.require_idle()
        run = self.chat.send(prompt.sent, instead_of=self.instead_of, amend=amend)
        return self._begin(run, self.instead_of, prompt)

    def retry(self) -> NewTurn:
        """Ask the last prompt again, beside its turn."""
        self.require_idle()
        turn = self.chat.turn
        if turn is None:
            raise UsageError("there is nothing to ask again yet")
        return self._begin(self.chat.send(turn.prompt, instead_of=turn), turn)

    def edit(self, turn: Turn) -> PromptText:
        """Have the next prompt take the place of `turn`; that turn's prompt as it was written.

        The files it names are read again when it is sent.
        """
        self.require_idle()
        self.instead_of = turn
        return self.written(turn)

    def written(self, turn: Turn) -> PromptText:
        """The prompt of a turn as it was typed, as far as that is known, else as it was sent."""
        return self._written.get(turn.id) or PromptText(turn.prompt)

    def take_back(self) -> PromptText | None:
        """Remove and return the newest queued prompt."""
        return self.queue.pop() if self.queue else None

    def take_back_all(self) -> list[PromptText]:
        """Remove and return every queued prompt, oldest first."""
        prompts, self.queue = self.queue, []
        return prompts

    def _begin(self, run: RunHandle, instead_of: Turn | None, typed: PromptText | None = None) -> NewTurn:
        self.run = run
        self.instead_of, self._after_stop = None, None
        place = self.chat.conversation.id
        self._note_sent(None if typed is None else Unsent(typed, place, (run.turn.id,), instead_of))
        return self._joined(NewTurn(run.turn, run, instead_of), typed)

    def _note_sent(self, unsent: Unsent | None) -> None:
        self.unsent = unsent
        if unsent is not None and self.chat.is_kept:
            self.sent.append(unsent)

    def _joined(self, new: NewTurn, typed: PromptText | None = None) -> NewTurn:
        """`new`, its prompt remembered as it was typed, or as the prompt of the turn it replaces was."""
        if typed is None and new.instead_of is not None:
            typed = self._written.get(new.instead_of.id)
        if typed is not None:
            self._written[new.turn.id] = typed
        return new

    # While a run goes on

    def stop(self) -> None:
        """Stop the run; what was received stays. Raises UsageError where none goes on."""
        self.require_run().stop()

    def stop_call(self, call: CallId) -> None:
        """Stop one agent; the run goes on without it. Raises UsageError where no run goes on."""
        self.require_run().stop_call(call)

    # When a run is over

    def settle_run(self) -> Turn | None:
        """The turn that the ended run has made, which is the active one from now on.

        None where it never began: `take_back_unsent` gives what was typed for it. Raises MissingKeyError, or
        whatever bug ended the run.
        """
        run, self.run = self.run, None
        if run is None:
            return None
        turn = self.chat.settle(run)
        if turn is not None:
            self.unsent = None
        return turn

    def take_back_unsent(self) -> PromptText | None:
        """Remove and return what was typed for a run that never began; it can be sent as before."""
        unsent, self.unsent, self._after_stop = self.unsent, None, None
        if unsent is None:
            return None
        self.instead_of = unsent.instead_of
        return unsent.prompt

    def follow_up(self, turn: Turn) -> NewTurn | None:
        """Begin what a change wanted that had to stop the run of `turn` first. Raises MoaTuiError."""
        after_stop, self._after_stop = self._after_stop, None
        return after_stop[1](turn) if after_stop is not None and after_stop[0] == turn.id else None

    def advance_queue(self, turn: Turn | None) -> NewTurn | Sequence[PromptText]:
        """Send the next queued prompt, once the run of `turn` is over and came to an answer.

        Where it came to none, the whole queue is given back unsent. So it is empty where nothing waits or
        another run goes on already. Raises MoaTuiError where the prompt cannot be sent; it is still queued.
        """
        if self.run is not None or not self.queue:
            return ()
        if not has_answer(turn):
            return self.take_back_all()
        started = self.send(self.queue[0])
        del self.queue[0]
        return started

    # Changing a turn

    async def change(self, change: Change, turn: Turn | None = None) -> NewTurn | Effect:
        """Change a turn, by default the one that is being answered, else the last one.

        A run that goes is altered. Where it is too far on for that it is stopped, and stays beside what comes
        of the change; of a turn that is over only what stands downstream of the change is run again. Raises
        MoaTuiError.
        """
        run = self._run_of(turn)
        if run is None:
            return self._change_ended(change, self._ended(turn))
        progress = _begun(run)
        alteration = None
        # What a layer cannot take while it is at work, such as a second judge, may still be done after.
        with suppress(UsageError):
            alteration = change.of_run(progress)
        if alteration is not None and await asyncio.wrap_future(run.alter(alteration)):
            return Effect.ALTERED
        if self.run is not run:  # It ended while the engine was asked, and may be settled already.
            return self._change_ended(change, self._ended(run.turn))
        # Before anything is stopped: what cannot be done of the turn is said while it still goes.
        progress = run.progress()
        change.of_turn(progress.as_stopped())
        if isinstance(change, changes.Retry | changes.SwapModel) and progress.is_beside_others(change.call):
            self._after_stop = (run.turn.id, lambda stopped: self._change_ended(change, stopped))
            run.stop_call(change.call)
            return Effect.STOPPING_ANSWER
        return self._stop_first(run, lambda stopped: self._change_ended(change, stopped))

    async def aggregate_again(
        self, *, by: Recipe | None = None, prompt: str | None = None
    ) -> NewTurn | Effect:
        """Aggregate the last turn's answers again, as recipe `by` does it or by other instructions.

        Without either, by the recipe in force. Raises MoaTuiError.
        """
        if by is not None:
            return await self.change(changes.AggregateBy(by))
        if prompt is not None:
            return await self.change(changes.Reword(prompt))
        self.require_idle()
        turn = self.chat.turn
        return self._begin(self.chat.aggregate_again(), turn)

    def use_answer(self, call: CallId, turn: Turn | None = None) -> NewTurn | Effect:
        """Take one agent's answer as a turn's, by default of the one that is answered, else the last.

        A run that goes is stopped first. Raises UsageError where the agent has no answer, or has not ended.
        """
        run = self._run_of(turn)
        if run is None:
            return self._use_ended(call, self._ended(turn))
        reply = _begun(run).replies.get(call)
        if reply is None:
            raise UsageError(f"{call} is not over: wait for it, or stop it, and use what it has written")
        if not reply.text.strip():
            raise UsageError(f"{call} has no answer that could be used")
        return self._stop_first(run, lambda stopped: self._use_ended(call, stopped))

    def _change_ended(self, change: Change, turn: Turn, *, over_budget: bool = False) -> NewTurn:
        self.require_idle()
        return self._begin(self.chat.rerun(turn, change.of_turn(turn), over_budget=over_budget), turn)

    def _use_ended(self, call: CallId, turn: Turn) -> NewTurn:
        self.require_idle()
        self.instead_of = None
        return self._joined(NewTurn(self.chat.use_answer(call, turn), None, turn))

    def _stop_first(self, run: RunHandle, then: Callable[[Turn], NewTurn]) -> Effect:
        self._after_stop = (run.turn.id, then)
        run.stop()
        return Effect.STOPPING

    def require_changeable(self, turn: Turn) -> None:
        """Raise UsageError unless `turn` can be changed now: it is being answered, or over and in view."""
        run = self._run_of(turn)
        if run is None:
            self._ended(turn)
        else:
            _begun(run)

    def _run_of(self, turn: Turn | None) -> RunHandle | None:
        return self.run if turn is None or self.is_being_answered(turn) else None

    def _ended(self, turn: Turn | None) -> Turn:
        """A turn of the branch in view that is over, the last one by default. Raises UsageError."""
        self.require_idle()
        if turn is None:
            turn = self.chat.turn
            if turn is None:
                raise UsageError("there is no answer yet")
            return turn
        # As it is in the conversation now: whoever shows it may hold an earlier value of it.
        current = next((each for each in self.chat.path if each.id == turn.id), None)
        if current is None:
            raise UsageError("these panes are of a turn that is not in the conversation any more")
        return current

    # An answer that was begun before all answers were there

    @property
    def turn_with_late_answers(self) -> Turn | None:
        """The last turn, where an answer that came late is unlike what its answer was begun from.

        None where its answer was written again from all of them already, as another branch.
        """
        turn = self.chat.turn
        if turn is None or self.run is not None or not full_synthesis.late_answers(turn):
            return None
        full = full_synthesis.FullSynthesis().of_turn(turn).recipe
        siblings = self.chat.conversation.siblings(turn)
        return None if any(sibling.recipe == full for sibling in siblings) else turn

    def full_synthesis(self) -> NewTurn:
        """Write the last turn's answer again from all answers; none of them is asked or paid again.

        Raises UsageError where it was not begun before all of them were there.
        """
        return self._change_ended(full_synthesis.FullSynthesis(), self._ended(None))

    async def price_of_full_synthesis(self, turn: Turn) -> float | None:
        """The most that the full synthesis of `turn` should cost, in US dollars; None where that is unknown.

        Raises UsageError where its answer was not begun early.
        """
        return await self.chat.price_of(turn, full_synthesis.FullSynthesis().of_turn(turn))

    # Budgets

    @property
    def turn_over_budget(self) -> Turn | None:
        """The last turn, where a budget has stopped it."""
        turn = self.chat.turn
        error = turn.outcome.error if turn is not None and turn.outcome is not None else None
        return turn if error is not None and error.kind == "budget" and self.run is None else None

    def go_on_over_budget(self) -> NewTurn:
        """Go on with the turn that a budget has stopped: this once, whatever it costs."""
        turn = self.turn_over_budget
        if turn is None:
            raise UsageError("no budget has stopped the last turn")
        return self._change_ended(changes.Resume(), turn, over_budget=True)

    # Comparing

    def compare(
        self, prompt: PromptText | None, recipes: Sequence[Recipe], *, blind: bool, command: str = ""
    ) -> Comparison:
        """Ask a prompt of several recipes at once; None asks the last turn's again, beside it.

        `command` is what was typed before the prompt. Nothing else can be done until `settle_comparison`.
        """
        self.require_idle()
        instead_of = self.instead_of
        if prompt is None:
            instead_of = self.chat.turn
            if instead_of is None:
                raise UsageError("there is no prompt yet to compare by")
            prompt = self.written(instead_of)
            sent = instead_of.prompt
        else:
            sent = prompt.sent
        comparison = self.chat.compare(sent, recipes, blind=blind, instead_of=instead_of)
        for run in comparison.runs:
            self._written[run.turn.id] = prompt
        turn_ids = tuple(run.turn.id for run in comparison.runs)
        self._note_sent(Unsent(prompt, self.chat.conversation.id, turn_ids, instead_of, command))
        self.instead_of = None
        self._is_comparing = True
        return comparison

    def settle_comparison(self, comparison: Comparison) -> tuple[NewTurn | None, Sequence[Turn]]:
        """Once all its runs have ended: the turn the conversation goes on from, and all that were made.

        Where no run began there is none, and the next prompt takes the place that they were to have.
        """
        self._is_comparing = False
        unsent, self.unsent = self.unsent, None
        turns = self.chat.settle_comparison(comparison)
        instead_of = unsent.instead_of if unsent is not None else None
        if not turns or self.chat.turn is None:
            self.instead_of = instead_of
            return None, ()
        return NewTurn(self.chat.turn, None, instead_of), turns

    # Another conversation

    def with_running_turn(self) -> Conversation:
        """The conversation, with the turn that is being answered. Raises UsageError for an empty one."""
        conversation = self.chat.conversation
        if self.run is not None:
            conversation = conversation.with_turn(self.run.turn)
        if not conversation.turns:
            raise UsageError("there is nothing yet to export")
        return conversation

    def start_over(self) -> None:
        """Forget what belonged to the conversation or branch that was left."""
        self.instead_of, self.unsent, self._after_stop = None, None, None
        self.queue.clear()


def has_answer(turn: Turn | None) -> bool:
    """True where a run came to an answer, be it cut off."""
    return turn is not None and turn.outcome is not None and turn.outcome.status in ("done", "partial")


def _begun(run: RunHandle) -> RunProgress:
    """How far the run has come. Raises UsageError where it has not really begun."""
    progress = run.progress()
    if not progress.layer:
        raise UsageError("the run is only getting ready: nobody has been asked yet")
    return progress
