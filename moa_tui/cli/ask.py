"""`moa-tui ask`: one prompt through a recipe, the answer on stdout, everything else on stderr."""

from __future__ import annotations

import asyncio
import io
import json
import os
import queue
import signal
import stat
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self, TextIO, cast

from moa_tui.chat.attachments import attach
from moa_tui.chat.backend import Backend
from moa_tui.chat.chat import Chat
from moa_tui.chat.conversations import Conversations
from moa_tui.chat.ledger import CapWarnings, Ledger, cap_words
from moa_tui.chat.prompt_text import PromptText
from moa_tui.chat.session import ChatSession
from moa_tui.cli.progress import LinesProgress, NoProgress, TableProgress
from moa_tui.conversation import Turn, history
from moa_tui.engine.events import CallEnded, Delta, RunEnded
from moa_tui.errors import UsageError
from moa_tui.formats.json_writer import event_document, outcome_document
from moa_tui.gateway.thread import EngineThread
from moa_tui.settings.config import Budget
from moa_tui.text.wording import summary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from moa_tui.chat.run_handle import RunHandle
    from moa_tui.cli.progress import Progress
    from moa_tui.conversation import Conversation
    from moa_tui.engine.events import Event
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import Message, Outcome
    from moa_tui.gateway.gateway import Gateway
    from moa_tui.store import Store

Output = Literal["text", "json", "events"]

ANSWERED, FAILED = 0, 1

_TICK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Request:
    """What `ask` was asked to do."""

    prompt: str
    recipe: Recipe
    system: str | None = None
    output: Output = "text"
    show_proposers: bool = False
    stream: bool = True
    quiet: bool = False
    conversation: Conversation | None = None
    """The one to go on with; a new one where None."""

    @property
    def messages(self) -> list[Message]:
        """What the agents of the first layer are sent."""
        before = self.conversation.active if self.conversation is not None else None
        return history(Turn(self.prompt, self.recipe, parent=before, system=self.system))


def assemble_prompt(prompt: str, piped: str, files: Iterable[Path]) -> str:
    """Prompt, standard input and files as one text. Raises UsageError where there is nothing to ask."""
    # What the shell passes as bytes of another encoding, no model's server would take.
    prompt = prompt.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    parts = [part for part in (prompt, piped.rstrip("\n")) if part.strip()]
    attached = [attach(path) for path in files]
    if not parts and not attached:
        raise UsageError('nothing to ask: give a prompt, as in moa-tui ask "why is the sky blue?"')
    return "\n\n".join(["\n".join(parts), *attached] if parts else attached)


def ask(
    request: Request,
    gateway: Gateway,
    out: TextIO,
    err: TextIO,
    store: Store | None = None,
    ledger: Ledger | None = None,
) -> int:
    """Run the request, write as it asks, return the exit code. Raises MissingKeyError before any call.

    With a store, the turn is kept, unless that cannot be done: the answer comes all the same. The budgets of
    the ledger hold, and are warned of.

    Ctrl+C, or being told to end, stops the run: what was received is written all the same. A second time does
    not wait. Raises UsageError where the answer cannot be written.
    """
    with EngineThread() as engine:
        backend = Backend(gateway, engine, store, ledger or Ledger(Budget(), None))
        session = ChatSession(Chat(backend, request.recipe))
        conversations, conversation = Conversations(session), request.conversation
        if conversation is not None:
            opening = conversations.open(conversation.id) if store else conversations.go_on_with(conversation)
            asyncio.run(opening)
        session.chat.system = request.system
        warnings = CapWarnings()
        _warn_of_budgets(session.chat, err, warnings)
        session.send(PromptText(request.prompt))
        run = session.require_run()
        with _Signals(session.stop) as signals:
            try:
                turn = _follow(request, run, out, err)
            except OSError as error:
                if isinstance(error, BrokenPipeError):
                    return FAILED  # Whoever read the answer has read enough.
                raise UsageError(f"the answer cannot be written: {error.strerror or error}") from error
        _warn_of_budgets(session.chat, err, warnings)
    if signals.received is not None:
        return 128 + signals.received
    return ANSWERED if turn is not None and turn.outcome and turn.outcome.status == "done" else FAILED


def _warn_of_budgets(chat: Chat, err: TextIO, warnings: CapWarnings) -> None:
    """Say which budgets are nearly used up, each once."""
    for cap in warnings.due(chat.backend.ledger.caps(chat.conversation.id)):
        err.write(f"moa-tui: budget: {cap_words(cap)} is spent\n")


def _follow(request: Request, running: RunHandle, out: TextIO, err: TextIO) -> Turn | None:
    """Write each event as it comes, until the run has ended; the turn it made, if it came to one."""
    progress = _progress(request, out, err)
    writer = _Writer(request, out, err, progress)
    with progress:
        while (event := _next(running)) is not None:
            if event == "nothing":
                progress.tick()
                continue
            writer.take(event)
            progress.take(event)
    turn = running.result()
    if turn is not None and turn.outcome is not None:
        writer.end(turn.outcome)
    return turn


def _next(running: RunHandle) -> Event | Literal["nothing"] | None:
    """The next event, "nothing" where none came within a moment, None at the end."""
    try:
        return running.events.get(timeout=_TICK_SECONDS)
    except queue.Empty:
        return "nothing"


class _Signals:
    """Turns the signals that end a program into a clean stop; a second one ends it at once.

    A flag instead of an exception: KeyboardInterrupt could come while an event is being written and lose it.
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        self.received: int | None = None
        self._stop = stop
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            if hasattr(signal, name) and threading.current_thread() is threading.main_thread():
                number = getattr(signal, name)
                self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _take(self, number: int, frame: object) -> None:
        if self.received is not None:
            raise KeyboardInterrupt
        self.received = number
        self._stop()


class _Writer:
    """Writes a run's answer to `out` in the form asked for, and what a person should know to `err`."""

    def __init__(self, request: Request, out: TextIO, err: TextIO, progress: Progress) -> None:
        self._request = request
        self._out = out
        self._err = err
        self._progress = progress
        self._final = request.recipe.writer
        self._written = ""
        self._streamed: list[str] = []

    def take(self, event: Event) -> None:
        request = self._request
        if request.output == "events":
            self._line(event_document(event, request.prompt, request.recipe))
            return
        match event:
            case Delta(call, "text", text) if call == self._final and self._streams:
                self._progress.make_way()
                self._out.write(text)
                self._out.flush()
                self._written = text
                self._streamed.append(text)
            case CallEnded(call, _) if call == self._final:
                self._end_line()
            case CallEnded(call, reply) if call != self._final and request.show_proposers:
                title = f"── {call} {reply.agent} ({reply.model}): {reply.status} "
                body = reply.text or (reply.error.message if reply.error else "")
                self._progress.note(f"{title:─<78}\n{body.rstrip()}\n")
            case RunEnded(outcome) if request.output == "json":
                self._line(outcome_document(request.prompt, request.recipe, outcome))

    def end(self, outcome: Outcome) -> None:
        """Write what was not streamed, then how the run went."""
        if self._request.output == "text":
            # An answer that was chosen, or that another had to stand in for, did not come piece by piece.
            if outcome.answer != "".join(self._streamed):
                self._end_line()
                self._out.write(outcome.answer)
                self._written = outcome.answer
            self._end_line()
        if outcome.status != "done":
            self._err.write(f"moa-tui: {_why(outcome)}\n")
        if not self._request.quiet:
            self._err.write(f"{summary(self._request.recipe, outcome)}\n")
        self._err.flush()

    def _end_line(self) -> None:
        if self._written and not self._written.endswith("\n"):
            self._out.write("\n")
            self._written = "\n"
        self._out.flush()

    @property
    def _streams(self) -> bool:
        return self._request.output == "text" and self._request.stream

    def _line(self, document: object) -> None:
        self._progress.make_way()
        self._out.write(json.dumps(document) + "\n")
        self._out.flush()


def _progress(request: Request, out: TextIO, err: TextIO) -> Progress:
    if request.quiet:
        return NoProgress(err)
    if err.isatty() and request.output != "events":
        return TableProgress(request.recipe, err, shares_screen=_may_share_screen(out))
    return LinesProgress(request.recipe, err)


def _may_share_screen(out: TextIO) -> bool:
    """Whether what is written to `out` may come to stand where the table does: pipes often end there."""
    try:
        kind = os.fstat(out.fileno()).st_mode
    except (OSError, ValueError):
        return False
    return out.isatty() or not (stat.S_ISREG(kind) or stat.S_ISCHR(kind))


def _why(outcome: Outcome) -> str:
    reason = outcome.error.message if outcome.error else "no reason known"
    last = max(outcome.replies, default=None)
    if last is not None and outcome.replies[last].error is outcome.error and outcome.status != "stopped":
        reason = f"{last} {outcome.replies[last].agent} ({outcome.replies[last].model}): {reason}"
    match outcome.status:
        case "partial":
            return f"the answer is cut off: {reason}"
        case "failed":
            return f"no answer: {reason}"
        case "stopped" if outcome.error is not None and outcome.error.kind == "budget":
            return f"{reason}; --over-budget passes it this once"
        case _:
            return reason


def best_effort(stream: TextIO | None) -> TextIO:
    """`stream`, or nothing where it is closed or full: stderr must never cost anybody the answer."""
    return cast("TextIO", _BestEffort(stream))


class _BestEffort(io.TextIOBase):
    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        if self._stream is not None:
            with suppress(OSError):
                self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        if self._stream is not None:
            with suppress(OSError):
                self._stream.flush()

    def isatty(self) -> bool:
        return self._stream is not None and self._stream.isatty()

    def fileno(self) -> int:
        if self._stream is None:
            raise OSError("standard error is closed")
        return self._stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return getattr(self._stream, "encoding", None) or "utf-8"


def read_piped(stdin: TextIO | None) -> str:
    """What was piped in; nothing where standard input is a terminal or closed."""
    if stdin is None or stdin.closed or stdin.isatty():
        return ""
    buffer = getattr(stdin, "buffer", None)
    return buffer.read().decode("utf-8", "replace") if buffer is not None else stdin.read()


def make_tolerant(*streams: TextIO | None) -> None:
    """Let a terminal that cannot show a character show a question mark instead of ending the program."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
