"""One prompt answered without a screen: the answer on one stream, everything else on another."""

from __future__ import annotations

import asyncio
import json
import os
import queue
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TextIO

from moa_tui.chat.conversations import Conversations
from moa_tui.chat.full_synthesis import late_answers, offer_words
from moa_tui.chat.ledger import CapWarnings, cap_words
from moa_tui.chat.prompt_text import PromptText
from moa_tui.cli.progress import LinesProgress, NoProgress, TableProgress
from moa_tui.cli.signals import StopOnSignal
from moa_tui.conversation import Turn, history
from moa_tui.engine.events import CallEnded, Delta, Restated, RunChanged, RunEnded
from moa_tui.engine.left_out import left_out
from moa_tui.errors import MoaTuiError, UsageError
from moa_tui.formats.json_writer import event_document, outcome_document
from moa_tui.text.safe import one_line, safe_text
from moa_tui.text.wording import left_out_line, left_out_source, left_out_text, summary

if TYPE_CHECKING:
    from moa_tui.chat.answer_check import AnswerCheck
    from moa_tui.chat.chat import Chat
    from moa_tui.chat.run_handle import RunHandle
    from moa_tui.chat.session import ChatSession
    from moa_tui.cli.progress import Progress
    from moa_tui.conversation import Conversation
    from moa_tui.engine.events import Event
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import Message, Outcome
    from moa_tui.formats.answer_schema import CheckedAnswer

Output = Literal["text", "json", "events"]

ANSWERED, FAILED = 0, 1
"""Exit codes of the program."""

_TICK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Request:
    """A prompt, the recipe that answers it, and what is written of the run."""

    prompt: str
    recipe: Recipe
    system: str | None = None
    output: Output = "text"
    show_proposers: bool = False
    left_out: bool = False
    check: AnswerCheck | None = None
    """Checks the answer, where that is to be JSON of a schema; None for one of any form."""
    stream: bool = True
    quiet: bool = False
    conversation: Conversation | None = None
    """The conversation to go on with; a new one where None."""

    @property
    def messages(self) -> list[Message]:
        """The messages that the agents of the first layer are sent."""
        last_turn = self.conversation.active if self.conversation is not None else None
        return history(Turn(self.prompt, self.recipe, parent=last_turn, system=self.system))


def answer(request: Request, session: ChatSession, out: TextIO, err: TextIO) -> int:
    """Run the request in a session, write what it asks for, and return the exit code.

    What is received is kept as the session keeps it. Its budgets hold, and a warning says when one is nearly
    used up. Ctrl+C, or a signal that ends a program, stops the run, and what was received is written all the
    same; a second one does not wait for that. Raises MissingKeyError before any call, and UsageError where
    the answer cannot be written.
    """
    _go_on(session, request)
    warnings = CapWarnings()
    if clock_warning := session.chat.backend.ledger.clock_warning():
        err.write(f"moa-tui: budget: {clock_warning}\n")
    _warn_of_budgets(session.chat, err, warnings)
    session.send(PromptText(request.prompt), None if request.check is None else request.check.amend)
    run = session.require_run()
    with StopOnSignal(session.stop) as signals:
        try:
            turn = _follow(request, run, out, err)
        except OSError as error:
            if isinstance(error, BrokenPipeError):
                return FAILED  # Whoever read the answer has read enough.
            raise UsageError(f"the answer cannot be written: {error.strerror or error}") from error
    _warn_of_budgets(session.chat, err, warnings)
    if turn is not None and not request.quiet:
        _tell_of_late_answers(session, turn, err)
    if signals.received is not None:
        return 128 + signals.received
    if turn is None or turn.outcome is None or turn.outcome.status != "done":
        return FAILED
    fits = request.check is None or request.check.check(turn.outcome.answer).misfit is None
    return ANSWERED if fits else FAILED


def _go_on(session: ChatSession, request: Request) -> None:
    """Let the session go on with the request's conversation, under its system prompt."""
    conversations, conversation = Conversations(session), request.conversation
    if conversation is not None:
        if session.chat.backend.store is not None:
            asyncio.run(conversations.open(conversation.id))
        else:
            asyncio.run(conversations.go_on_with(conversation))
    session.chat.system = request.system


def _warn_of_budgets(chat: Chat, err: TextIO, warnings: CapWarnings) -> None:
    """Write which budgets are nearly used up, each budget once."""
    for cap in warnings.due(chat.backend.ledger.caps(chat.conversation.id)):
        err.write(f"moa-tui: budget: {cap_words(cap)} is spent\n")


def _tell_of_late_answers(session: ChatSession, turn: Turn, err: TextIO) -> None:
    """Say so where an answer came late and is unlike what the turn's answer was begun from."""
    late = late_answers(turn)
    if not late or turn.outcome is None:
        return
    if session.chat.is_kept:
        price = asyncio.run(session.price_of_full_synthesis(turn))
        words = offer_words(turn, price, "moa-tui --continue, then F9,")
    else:
        names = ", ".join(f"{call} {turn.outcome.replies[call].agent}" for call in late)
        words = f"came late and differs from what the answer was begun from: {names}"
    err.write(f"moa-tui: {one_line(safe_text(words))}\n")


def _follow(request: Request, run: RunHandle, out: TextIO, err: TextIO) -> Turn | None:
    """Write each event as it comes until the run has ended; return the turn that the run made, if any."""
    progress = _progress(request, out, err)
    writer = _Writer(request, out, err, progress)
    with progress:
        while (event := _next_event(run)) is not None:
            if event == "nothing":
                progress.tick()
                continue
            writer.write(event)
            progress.show(event)
    try:
        turn = run.result()
    except MoaTuiError:
        run.withdraw()
        raise
    if turn is not None and turn.outcome is not None:
        writer.end(turn.outcome)
    return turn


def _next_event(run: RunHandle) -> Event | Literal["nothing"] | None:
    """The next event; "nothing" where none came within a tick, None at the end of the run."""
    try:
        return run.events.get(timeout=_TICK_SECONDS)
    except queue.Empty:
        return "nothing"


class _Writer:
    """Writes a run's answer to `out` in the form asked for, and how the run went to `err`."""

    def __init__(self, request: Request, out: TextIO, err: TextIO, progress: Progress) -> None:
        self._request = request
        self._out = out
        self._err = err
        self._progress = progress
        self._recipe = request.recipe
        self._final = request.recipe.writer
        self._last_written = ""
        self._streamed: list[str] = []

    def write(self, event: Event) -> None:
        """Write what the request asks for of this event."""
        request = self._request
        if request.output == "events":
            self._follow(event)
            document = event_document(event, request.prompt, self._recipe, with_left_out=request.left_out)
            if isinstance(event, RunEnded):
                document |= self._checked_fields(event.outcome)
            self._write_line(document)
            return
        match event:
            case RunChanged():
                self._follow(event)
            case Delta(call, "text", text) if call == self._final and self._streams:
                self._progress.make_way()
                self._out.write(text)
                self._out.flush()
                self._last_written = text
                self._streamed.append(text)
            case Restated(call, _, text) if call == self._final and self._streams:
                # What stands on the output cannot be taken back; the answer begins on a line of its own.
                self._end_line()
                self._out.write(text)
                self._last_written, self._streamed = text, [text]
            case CallEnded(call, _) if call == self._final:
                self._end_line()
                self._progress.answer_ended()
            case CallEnded(call, reply) if call != self._final and request.show_proposers:
                title = f"── {call} {one_line(f'{reply.agent} ({reply.model})')}: {reply.status} "
                body = reply.text or (reply.error.message if reply.error else "")
                self._progress.note(f"{title:─<78}\n{body.rstrip()}\n")
            case RunEnded(outcome) if request.output == "json":
                document = outcome_document(
                    request.prompt, self._recipe, outcome, with_left_out=request.left_out
                )
                self._write_line(document | self._checked_fields(outcome))

    def _follow(self, event: Event) -> None:
        """Take the recipe from here on, and say why there is a call more, where the run was given one."""
        if not isinstance(event, RunChanged):
            return
        self._recipe, self._final = event.recipe, event.recipe.writer
        if self._request.check is not None and not self._request.quiet:
            again = one_line(event.recipe.lineup[-1][0].name)
            self._progress.note(
                f"the answer does not fit the schema: {self._request.check.misfit}\n"
                f"{self._final} {again} is asked once to repair it"
            )

    def _checked_fields(self, outcome: Outcome) -> dict[str, Any]:
        """What a document says of an answer that is to be JSON of a schema."""
        if self._request.check is None:
            return {}
        checked = self._request.check.check(outcome.answer)
        return {"data": checked.value, "misfit": checked.misfit}

    def _write_checked(self, check: AnswerCheck, outcome: Outcome) -> None:
        """Write the JSON in the answer where it fits; else the answer and what is wrong with it to stderr."""
        checked = check.check(outcome.answer)
        if checked.misfit is None:
            if self._request.output == "text":
                self._out.write(f"{checked.document}\n")
                self._out.flush()
        elif outcome.answer.strip():
            if self._request.output == "text":
                self._err.write(f"{safe_text(outcome.answer.strip())}\n")
            self._err.write(
                f"moa-tui: the answer does not fit the schema: {_misfit_words(checked, self._recipe)}\n"
            )

    def end(self, outcome: Outcome) -> None:
        """Write what was not streamed, then how the run went."""
        if self._request.check is not None:
            self._write_checked(self._request.check, outcome)
        elif self._request.output == "text":
            # An answer that was chosen by a vote or ranking, or that stands in for another, was not streamed.
            if outcome.answer != "".join(self._streamed):
                self._end_line()
                self._out.write(outcome.answer)
                self._last_written = outcome.answer
            self._end_line()
            if self._request.left_out and outcome.status == "done":
                self._write_left_out(outcome)
        if outcome.status != "done":
            self._err.write(f"moa-tui: {safe_text(_reason(outcome))}\n")
        if not self._request.quiet:
            self._err.write(f"{summary(self._recipe, outcome)}\n")
        self._err.flush()

    def _write_left_out(self, outcome: Outcome) -> None:
        """Write below the answer what it left out, a point a line, each with the agents that make it."""
        points = left_out(outcome, self._recipe)
        lines = [f"- {left_out_text(point)} ({left_out_source(point, outcome.replies)})" for point in points]
        text = "\n".join([f"L{left_out_line(points, outcome.replies)[1:]}", *lines])
        self._out.write(f"\n{safe_text(text)}\n")
        self._out.flush()

    def _end_line(self) -> None:
        if self._last_written and not self._last_written.endswith("\n"):
            self._out.write("\n")
            self._last_written = "\n"
        self._out.flush()

    @property
    def _streams(self) -> bool:
        request = self._request
        return request.output == "text" and request.stream and request.check is None

    def _write_line(self, document: object) -> None:
        self._progress.make_way()
        self._out.write(json.dumps(document) + "\n")
        self._out.flush()


def _misfit_words(checked: CheckedAnswer, recipe: Recipe) -> str:
    """Why an answer does not fit, and what to do where no answer of its model's could."""
    if recipe.lineup[-1][0].model.startswith("demo/"):
        return f"{checked.misfit}; simulated models write no JSON: choose a recipe of real ones with -r"
    return str(checked.misfit)


def _progress(request: Request, out: TextIO, err: TextIO) -> Progress:
    if request.quiet:
        return NoProgress(err, shares_screen=_is_same_place(out, err))
    if err.isatty() and request.output != "events":
        return TableProgress(request.recipe, err, shares_screen=_may_share_screen(out))
    return LinesProgress(request.recipe, err, shares_screen=_is_same_place(out, err))


def _is_same_place(out: TextIO, err: TextIO) -> bool:
    """True where both go to one file, pipe or terminal, as behind `2>&1`."""
    try:
        return os.path.sameopenfile(out.fileno(), err.fileno())
    except (OSError, ValueError):
        return False


def _may_share_screen(out: TextIO) -> bool:
    """True where what is written to `out` may appear on the terminal of the table: pipes often end there."""
    try:
        kind = os.fstat(out.fileno()).st_mode
    except (OSError, ValueError):
        return False
    return out.isatty() or not (stat.S_ISREG(kind) or stat.S_ISCHR(kind))


def _reason(outcome: Outcome) -> str:
    """Why there is no whole answer, in words."""
    reason = outcome.error.message if outcome.error else "no reason known"
    last_call = max(outcome.replies, default=None)
    if last_call is not None and outcome.status != "stopped":
        reply = outcome.replies[last_call]
        if reply.error == outcome.error:
            reason = f"{last_call} {one_line(f'{reply.agent} ({reply.model})')}: {reason}"
    if outcome.error is not None and outcome.error.kind == "budget":
        reason = f"{reason}; --over-budget passes it this once"
    match outcome.status:
        case "partial":
            return f"the answer is cut off: {reason}"
        case "failed":
            return f"no answer: {reason}"
        case _:
            return reason
