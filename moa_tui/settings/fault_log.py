"""The log of faults: our own bugs and failed calls, in a rotating file that holds nothing of what was said.

No exception's message is ever written: it may hold a prompt, a model's answer, a provider's reply or a key.
What is written of an exception is its type, the exceptions that led to it, and the frames of their
tracebacks, without the values of variables.
"""

from __future__ import annotations

import asyncio
import linecache
import logging
import os
import re
import stat
import sys
import sysconfig
import threading
import time
import traceback
from contextlib import aclosing, contextmanager, suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO
from weakref import WeakKeyDictionary

import filelock

import moa_tui
from moa_tui import __version__
from moa_tui.engine import events
from moa_tui.errors import ModelError
from moa_tui.settings import paths

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Sequence

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.events import Event, Stream
    from moa_tui.engine.values import CallId, Chunk, Finish, Message, Moved, Reply

_LOGGER = logging.getLogger("moa_tui")

MAX_BYTES = 512 * 1024
"""The size at which a new file is begun."""
OLDER_FILES = 2
"""How many full files are kept beside the newest."""

_LOCK_SECONDS = 1.0
# A recursion without end has a thousand frames, all alike.
_FIRST_FRAMES, _LAST_FRAMES = 15, 40
_MAX_EXCEPTIONS = 12
_MAX_NAME_CHARACTERS = 200
_TAIL_BYTES = 64 * 1024

_PACKAGE = Path(moa_tui.__file__).resolve().parent
_STANDARD_LIBRARY = Path(sysconfig.get_path("stdlib")).resolve()
_NAME = re.compile(r"[\w.<>]+")
_HEADING = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} .*")
_RECORDED = "__moa_tui_recorded__"


# Opening and writing


@contextmanager
def opened() -> Iterator[None]:
    """Keep the log open: faults are written to the file that `paths` names while the block runs.

    No file is made before the first fault. An exception that ends a thread is written too, before whatever
    handled it so far is called. Never raises: where the file cannot be written, `record_bug` says so.
    """
    handler = _Handler(paths.fault_log_file())
    propagate, previous_hook = _LOGGER.propagate, threading.excepthook

    def record_end_of_thread(arguments: threading.ExceptHookArgs) -> None:
        if arguments.exc_value is not None and not isinstance(arguments.exc_value, SystemExit):
            record_bug(arguments.exc_value)
        previous_hook(arguments)

    _LOGGER.addHandler(handler)
    _LOGGER.propagate = False  # The root logger's handlers would print over the screen.
    threading.excepthook = record_end_of_thread
    try:
        yield
    finally:
        threading.excepthook = previous_hook
        _LOGGER.propagate = propagate
        _LOGGER.removeHandler(handler)
        handler.close()


def record_bug(error: BaseException) -> str:
    """Write a bug to the log, once however often it is recorded; return where it went, as a phrase.

    The phrase is "written to PATH", or says why it was not written.
    """
    handler = _handler()
    if handler is None:
        return "not written to a log"
    if getattr(error, _RECORDED, False):
        return f"written to {handler.baseFilename}"
    _LOGGER.error("bug %s, moa-tui %s\n%s", _type_name(error), __version__, describe(error))
    if handler.problem is not None:
        return f"not written to {handler.baseFilename}: {handler.problem}"
    with suppress(AttributeError):  # Only a class with slots has no room for the mark.
        setattr(error, _RECORDED, True)
    return f"written to {handler.baseFilename}"


class CallFaults:
    """Writes each failed call of one run to the log, with the exceptions that its stream raised.

    The engine's failures carry no exceptions, so this stands between the engine and the models: the engine is
    given `stream` in the place of the models' own and its events are given to `record`, all on one loop.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        # Of the newest exception of each call's task; the exception itself would keep texts alive.
        self._descriptions: WeakKeyDictionary[asyncio.Task[Any], str] = WeakKeyDictionary()

    async def stream(
        self, agent: Agent, messages: Sequence[Message]
    ) -> AsyncGenerator[Chunk | Moved | Finish, None]:
        """The models' own stream. Raises ModelError as that does."""
        try:
            async with aclosing(self._stream(agent, messages)) as pieces:
                async for piece in pieces:
                    yield piece
        except ModelError as error:
            if (task := asyncio.current_task()) is not None and _handler() is not None:
                self._descriptions[task] = describe(error)
            raise

    def record(self, event: Event) -> None:
        """Write the call that `event` ends, if it failed; called in the task that made the call."""
        if not isinstance(event, events.CallStarted | events.CallEnded) or _handler() is None:
            return
        task = asyncio.current_task()
        # The start of another try leaves what an earlier one raised behind.
        description = self._descriptions.pop(task, "") if task is not None else ""
        if not isinstance(event, events.CallEnded) or event.reply.status not in ("failed", "partial"):
            return
        # An answer that fills its max_tokens is cut by the user's own setting: nothing has failed.
        if event.reply.error is None or event.reply.error.kind != "length":
            _record_call(event.call, event.reply, description)


def _record_call(call: CallId, reply: Reply, description: str) -> None:
    facts = [f"model {_one_line_name(reply.model)}", f"{reply.attempts} attempts", f"{reply.seconds:.1f} s"]
    if reply.error is not None:
        facts.insert(1, f"kind {reply.error.kind}")
        if reply.error.status_code is not None:
            facts.insert(2, f"HTTP {reply.error.status_code:d}")
    _LOGGER.error(
        "call %s %s: %s%s", call, reply.status, ", ".join(facts), description and f"\n{description}"
    )


def _handler() -> _Handler | None:
    """The handler of the open log; None while no log is open."""
    return next((handler for handler in _LOGGER.handlers if isinstance(handler, _Handler)), None)


class _Formatter(logging.Formatter):
    """The time and the message alone; what else a record may carry (exceptions, stacks) is left out."""

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(record.created))
        return f"{moment} {record.getMessage()}"


class _Handler(RotatingFileHandler):
    """A rotating file for its owner alone, which several processes may write to at once."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, maxBytes=MAX_BYTES, backupCount=OLDER_FILES, encoding="utf-8", delay=True)
        self.problem: str | None = None
        """Why the newest record could not be written; None where it was."""
        self.setFormatter(_Formatter())
        self.addFilter(logging.Filter(_LOGGER.name))

    def emit(self, record: logging.LogRecord) -> None:
        self.problem = None
        try:
            paths.make_private_dir(Path(self.baseFilename).parent)
            # Two processes that both rotate would throw away what the other has written.
            with filelock.FileLock(f"{self.baseFilename}.lock", timeout=_LOCK_SECONDS, mode=0o600):
                self._follow_rotation()
                super().emit(record)
        except OSError:
            self.handleError(record)

    def handleError(self, _: logging.LogRecord) -> None:
        """Keep why a record could not be written; logging's own would print the record to stderr."""
        error = sys.exception()
        strerror = error.strerror if isinstance(error, OSError) else None
        self.problem = strerror or type(error).__name__

    def _open(self) -> Any:
        return _open_private(self.baseFilename)

    def _follow_rotation(self) -> None:
        """Close a file that another process has renamed; the new one is opened by the next write."""
        if self.stream is None:
            return
        is_same = False
        with suppress(FileNotFoundError):
            is_same = os.path.samestat(os.stat(self.baseFilename), os.fstat(self.stream.fileno()))  # noqa: PTH116
        if not is_same:
            self.stream.close()
            self.stream = None


def _open_private(path: str) -> TextIO:
    """Open a file to append to, with mode 0600 whatever it was before."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    if hasattr(os, "fchmod") and stat.S_IMODE(os.fstat(descriptor).st_mode) != 0o600:
        os.fchmod(descriptor, 0o600)
    return os.fdopen(descriptor, "a", encoding="utf-8")


# What is written of an exception


def describe(error: BaseException) -> str:
    """An exception and those that led to it as lines of text: types and frames, no messages, no values."""
    lines: list[str] = []
    for link, linked in _chain(error):
        lines.append(f"  {link}{_type_name(linked)}")
        lines += _frames(linked)
    return "\n".join(lines)


def _chain(error: BaseException) -> Iterator[tuple[str, BaseException]]:
    """The exception and all that led to it, each once, after the words that say how it is linked.

    A context that was suppressed by `from None` counts too: the gateway hides the provider's exceptions so.
    """
    seen: list[BaseException] = []
    waiting: list[tuple[str, object]] = [("", error)]
    while waiting and len(seen) < _MAX_EXCEPTIONS:
        link, linked = waiting.pop(0)
        if not isinstance(linked, BaseException) or any(linked is other for other in seen):
            continue
        seen.append(linked)
        yield link, linked
        waiting += [("caused by ", linked.__cause__), ("raised while handling ", linked.__context__)]
        waiting.append(("wraps ", vars(linked).get("original_exception")))  # of litellm's
        if isinstance(linked, BaseExceptionGroup):
            waiting += [("in the group ", member) for member in linked.exceptions]


def _type_name(error: BaseException) -> str:
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return name if _NAME.fullmatch(name) else "an exception"


def _frames(error: BaseException) -> list[str]:
    frames = [
        f"    {_place(frame.f_code.co_filename, line)} in {frame.f_code.co_qualname}"
        f"{_source(frame.f_code.co_filename, line)}"
        for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    if (left_out := len(frames) - _FIRST_FRAMES - _LAST_FRAMES) > 0:
        frames[_FIRST_FRAMES:-_LAST_FRAMES] = [f"    … {left_out} frames left out"]
    return frames


def _place(file: str, line: int) -> str:
    """A file, relative to the package it belongs to, and the line in it; of another file the name alone."""
    path = Path(file)
    if "site-packages" in path.parts:
        within = len(path.parts) - path.parts[::-1].index("site-packages")
        shown = "/".join(path.parts[within:])
    elif path.is_relative_to(_PACKAGE):
        shown = f"{_PACKAGE.name}/{path.relative_to(_PACKAGE).as_posix()}"
    elif path.is_relative_to(_STANDARD_LIBRARY):
        shown = path.relative_to(_STANDARD_LIBRARY).as_posix()
    else:
        shown = path.name
    return f"{_one_line_name(shown)}:{line}"


def _source(file: str, line: int) -> str:
    """The line's own text, of files of this package alone."""
    text = linecache.getline(file, line).strip() if Path(file).is_relative_to(_PACKAGE) else ""
    return f": {text}" if text else ""


def _one_line_name(name: str) -> str:
    """A name on one line, cut to the length that a name can have."""
    name = name[:_MAX_NAME_CHARACTERS]
    return name if name.isprintable() else ascii(name)


# What `moa-tui doctor` says of the log


def state() -> tuple[str, str | None]:
    """What is in the log, in words; and why it cannot be read or written, None where it can."""
    path = paths.fault_log_file()
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            file.seek(max(0, size - _TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return "no fault so far", None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return f"cannot be read: {reason}", f"{path}: cannot be read: {reason}"
    newest = next((line for line in reversed(lines) if _HEADING.fullmatch(line)), None)
    words = f"{max(1, round(size / 1024))} KB; newest: {newest or 'none that can be read'}"
    if not os.access(path, os.W_OK):
        return f"{words}; cannot be written", f"{path}: cannot be written"
    return words, None
