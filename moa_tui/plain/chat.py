"""The plain chat without its loop: what commands and prompts need to ask, follow and tell.

All of it happens on the thread that runs the chat.
"""

from __future__ import annotations

import asyncio
import queue
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from moa_tui.chat import sentences
from moa_tui.chat.attachments import attachment, mentioned
from moa_tui.chat.conversations import Conversations
from moa_tui.chat.faults import fault_of
from moa_tui.chat.full_synthesis import offer_words
from moa_tui.chat.ledger import CapWarnings
from moa_tui.chat.prompt_text import PromptText
from moa_tui.chat.session import NewTurn, has_answer
from moa_tui.chat.unsent import UnsentTexts
from moa_tui.engine.events import PointsFound
from moa_tui.errors import MoaTuiError, StoreError, UntrustedServerError, UsageError
from moa_tui.plain.questions import Questions
from moa_tui.plain.reader import Reader
from moa_tui.plain.run_teller import RunTeller
from moa_tui.plain.signals import EndedBySignalError, Signals
from moa_tui.plain.voice import Voice
from moa_tui.text.safe import one_line
from moa_tui.text.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Iterator
    from typing import Any, TextIO

    from moa_tui.chat.library import Library
    from moa_tui.chat.run_handle import RunHandle
    from moa_tui.chat.session import ChatSession, Effect
    from moa_tui.conversation import Turn
    from moa_tui.engine.events import Event
    from moa_tui.recipes.catalog import RecipeCatalog
    from moa_tui.recipes.models import ModelCatalog
    from moa_tui.settings.config import Settings

Result = TypeVar("Result")

_TICK_SECONDS = 0.1


class LeavingError(Exception):
    """Raised to leave the chat at once."""


class PlainChat:
    """One session in lines. Everything it needs is handed in."""

    def __init__(
        self,
        session: ChatSession,
        catalog: RecipeCatalog,
        models: ModelCatalog,
        library: Library,
        settings: Settings,
        streams: tuple[TextIO, TextIO],
        command_names: Collection[str],
    ) -> None:
        """`streams` are those to read and to write; `command_names` are completed."""
        self.session = session
        self.chat = session.chat
        self.catalog = catalog
        self.models = models
        self.library = library
        self.conversations = Conversations(session)
        self.unsent = UnsentTexts(session)
        self.has_failed = False
        """True once a prompt came to no answer."""
        self.listed: list[str] = []
        """The ids of the conversations that /sessions has listed, in that order."""
        stdin, stdout = streams
        self.signals = Signals()
        self.voice = Voice(stdout)
        self.reader = Reader(
            self.voice,
            self.signals,
            stdin,
            is_attended=stdin.isatty() and stdout.isatty(),
            commands=command_names,
            editing="vi" if settings.editing == "vim" else "emacs",
        )
        self.signals.on_look = self._keep_typed
        self.questions = Questions(self.voice, self.reader)
        self.runner: asyncio.Runner | None = None
        """Runs what waits for the disk; there while the chat goes."""
        self._title_model = settings.title_model
        self._draft_problem: str | None = None
        self._warnings = CapWarnings()
        self._told_of_plans: set[str] = set()
        self._naming: asyncio.Task[bool] | None = None
        self._may_leave_anyway = False

    def wait_for(self, action: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine to its end."""
        if self.runner is None:
            raise RuntimeError("the chat does not go")
        return self.runner.run(action)

    # Trouble

    def attempt(self, action: Callable[[], object], typed: PromptText | None = None) -> bool:
        """Do something and say what went wrong with it; True where nothing did.

        Where a server has to be confirmed first and is, it is done again. `typed` is put back into the line
        where it was not sent.
        """
        try:
            action()
        except UntrustedServerError as error:
            if self._may_trust(error):
                return self.attempt(action, typed)
        except MoaTuiError as error:
            self.voice.say(str(error))
        except (LeavingError, EndedBySignalError, OSError):
            raise
        except Exception as error:  # A fault of ours must not take the conversation with it.
            self.voice.say(str(fault_of(error)))
        else:
            return True
        self.has_failed = True
        if typed is not None:
            self.put_back(typed.written)
        return False

    def _may_trust(self, error: UntrustedServerError) -> bool:
        if not error.servers or not self.reader.is_attended:
            self.voice.say(str(error))
            return False
        answer = self.questions.trust(error)
        if answer is None:
            self.voice.say("Nothing was sent.")
            return False
        try:
            self.chat.answer_about_servers(error.servers, answer)
        except MoaTuiError as problem:
            self.voice.say(str(problem))
        return answer != "never"

    def require_may_leave(self, *, program: bool = True) -> None:
        """Raise UsageError, once, where leaving would lose what should be on disk.

        Without `program` another conversation is gone to, and nothing is waited for.
        """
        is_written = self.wait_for(self.conversations.catch_up()) if program else True
        is_lost = bool(self.chat.conversation.turns) and self.conversations.is_at_risk
        if (is_lost or not is_written) and not self._may_leave_anyway:
            self._may_leave_anyway = True
            raise UsageError(sentences.LEAVING_LOSES_CONVERSATION)

    def stay(self) -> None:
        """Take note that somebody goes on here: leaving what is not saved is asked about anew."""
        self._may_leave_anyway = False

    def restore(self) -> None:
        """Put what windows that are gone had not sent into the line that is written next."""
        restored = self.wait_for(self.unsent.restore())
        for note in restored.notes:
            self.voice.say(f"A draft cannot be read: {note}")
        if restored.prompts:
            self.voice.say(sentences.restored_words(restored))
            self.put_back("\n".join(restored.prompts))
            if restored.instead_of is not None:
                self.session.edit(restored.instead_of)
            self.keep_draft()
        if self._draft_problem is None:
            self.wait_for(self.unsent.discard_restored())

    def put_back(self, text: str) -> None:
        if self.reader.can_edit:
            self.reader.put_back(text)

    def keep_draft(self) -> None:
        """Have what was not sent written to disk where it has changed; a problem is told once."""
        change = self.unsent.change(self.reader.unsent)
        if change is None:
            return
        problem = None
        try:
            self.wait_for(self.unsent.write(change))
        except StoreError as error:
            problem = str(error)
            if problem != self._draft_problem:
                self.voice.say(f"Not written to disk: {problem}")
        self._draft_problem = problem

    def _keep_typed(self) -> None:
        """Have the line that is being written kept too; whatever is wrong with the disk is told later."""
        if self.reader.look() and (change := self.unsent.change(self.reader.unsent)) is not None:
            with suppress(StoreError):
                self.wait_for(self.unsent.write(change))

    # Runs

    def send(self, prompt: PromptText) -> None:
        """Ask the models, with the files that the prompt names. Raises MoaTuiError."""
        prompt = self.with_files(prompt)
        self._tell_plan(prompt)
        self.show(self.session.send(prompt))

    def with_files(self, prompt: PromptText) -> PromptText:
        """The prompt with the files that it names. Raises UsageError where one of them cannot be sent."""
        attached, errors = [], []
        for name in mentioned(prompt.written):
            try:
                attached.append(attachment(name, Path.cwd()))
            except UsageError as error:
                errors.append(str(error))
        for file in attached:
            self.voice.say(f"With file {one_line(file.path.name)}, about {file.tokens:,} tokens.")
        if errors:
            for words in errors:
                self.voice.say(words)
            # A word like @someone names no file.
            if not self.questions.confirm("Send it without?"):
                raise UsageError("Nothing was sent.")
        return PromptText(prompt.written, tuple(attached))

    def _tell_plan(self, prompt: PromptText) -> None:
        plan = self.wait_for(self.chat.plan(prompt.sent, instead_of=self.session.instead_of))
        caps = self.wait_for(self.chat.caps())
        words = ", ".join([sentences.estimate_words(plan, caps), *sentences.server_lines(plan)])
        self.voice.say(f"Asking {one_line(self.chat.asked_recipe.label)}: {words}.")
        for warning in plan.warnings:
            if warning not in self._told_of_plans:
                self._told_of_plans.add(warning)
                self.voice.say(one_line(warning))

    def show(self, result: NewTurn | Effect) -> None:
        """Follow a new turn to its end, and what comes of it. Raises MoaTuiError."""
        new: NewTurn | None = result if isinstance(result, NewTurn) else None
        while new is not None:
            if new.run is None:
                self.voice.say("Taken as the answer. /show answer reads it.")
                new = None
            else:
                turn = self._follow(new.run)
                new = self._next(turn) if turn is not None else None

    def _next(self, turn: Turn) -> NewTurn | None:
        """The turn that follows from one that is over; what is wrong with it does not undo the first."""
        try:
            return self._after(turn)
        except MoaTuiError as error:
            self.voice.say(str(error))
            return None

    def _follow(self, run: RunHandle) -> Turn | None:
        """Tell a run until it is over, and settle it; None where it never began. Raises MoaTuiError."""
        self.keep_draft()
        teller = RunTeller(run.turn.recipe, self.voice)
        with self.signals.running(run.stop):
            for event in self.events_of(run):
                if isinstance(event, PointsFound) and self.reader.is_attended:
                    self._decide(run, event)
                else:
                    self._tell(teller, event)
        try:
            turn = self.session.settle_run()
        except Exception:
            self.session.take_back_unsent()  # Whoever sent it has it still.
            raise
        if turn is None:
            self.voice.say("Stopped before anybody was asked.")
            if (unsent := self.session.take_back_unsent()) is not None:
                self.put_back(unsent.written)
        self.has_failed |= not has_answer(turn)
        self.keep_draft()
        return turn

    def _tell(self, teller: RunTeller, event: Event) -> None:
        """Have an event told. A fault in that must not keep the run from ending."""
        try:
            teller.take(event)
        except OSError:
            raise
        except Exception as error:
            self.voice.say(str(fault_of(error)))

    def events_of(self, run: RunHandle) -> Iterator[Event]:
        """Every event of a run as it comes. Raises LeavingError once the program was told to end."""
        while True:
            if self.signals.exit_code is not None:
                raise LeavingError
            try:
                event = run.events.get(timeout=_TICK_SECONDS)
            except queue.Empty:
                continue
            if event is None:
                return
            yield event

    def _decide(self, run: RunHandle, found: PointsFound) -> None:
        ticked = self.questions.points(found)
        if ticked is None:
            run.stop()
        else:
            run.decide(found.call, ticked)

    def _after(self, turn: Turn) -> NewTurn | None:
        """What is done once the run of `turn` is over; a turn that follows from it."""
        for cap in self._warnings.due(self.wait_for(self.chat.caps())):
            self.voice.say(sentences.budget_warning(cap))
        if (
            has_answer(turn)
            and self._title_model is not None
            and self._naming is None
            and self.runner is not None
        ):
            self._naming = self.runner.get_loop().create_task(self.conversations.name_by(self._title_model))
        if (new := self.session.follow_up(turn)) is not None:
            return new
        if self.session.turn_over_budget is not None and self.questions.confirm(
            "Go on over the budget, this once, whatever it costs?"
        ):
            return self.session.go_on_over_budget()
        if (late := self.session.turn_with_late_answers) is not None:
            price = self.wait_for(self.session.price_of_full_synthesis(late))
            self.voice.say(offer_words(late, price, "/full"))
        return None

    def _find_title(self) -> None:
        """Have a model find a title, where the config names one; `tell_title` takes it in."""
        if self._title_model is not None and self._naming is None and self.runner is not None:
            finding = self.conversations.name_by(self._title_model)
            self._naming = self.runner.get_loop().create_task(finding)

    def tell_title(self) -> None:
        """Say the title that a model has found meanwhile, if so. Raises MoaTuiError."""
        if self._naming is None:
            return
        self.wait_for(asyncio.sleep(0))
        if self._naming.done():
            naming, self._naming = self._naming, None
            if naming.result():
                self.voice.say(f"Title: {one_line(self.chat.conversation.title)}")

    # Reading what is there

    def tell_conversation(self) -> None:
        """Say what conversation is open, with its last turn, where it has any."""
        turns = self.chat.path
        if not turns:
            return
        name = one_line(self.chat.conversation.name)
        self.voice.say(f"Conversation: {name}")
        self.voice.say(f"It has {counted(len(turns), 'turn')}; /show all reads them. The last:")
        self.tell_turn(turns[-1])

    def tell_turn(self, turn: Turn) -> None:
        """Read a turn: its prompt and its answer."""
        self.voice.write_text(f"You: {turn.prompt}")
        answer = turn.outcome.answer if turn.outcome is not None else ""
        self.voice.write_text(f"Answer: {answer}" if answer.strip() else "Not answered.")
