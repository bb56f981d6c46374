"""A terminal for a test: starts a program in a pseudo-terminal, keeps every byte, and knows the screen."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
import time
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Self, TypeAlias

from rich.cells import cell_len

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tests.warm import WarmProcess, WarmStart

_TOKEN = re.compile(
    r"(?P<csi>\x1b\[[0-?]*[ -/]*[@-~])"
    r"|(?P<string>\x1b[]PX^_].*?(?:\x07|\x1b\\))"
    r"|(?P<escape>\x1b[ -/]*[0-Z\\^-~]?)"
    r"|(?P<control>[\x00-\x1a\x1c-\x1f\x7f-\x9f])"
    r"|(?P<text>[^\x00-\x1f\x7f-\x9f]+)",
    re.DOTALL,
)
# What Textual writes: colours, cursor moves, modes on and off, two questions, the keyboard protocol and the
# mouse pointer's shape.
_MODES = "1000|1003|1004|1006|1015|1016|1049|2004|2026|2048|25|7"
_TEXTUALS_OWN = re.compile(
    rf"\x1b\[(?:[\d;]*m|\d+;\d+H|\?(?:{_MODES})[hl]|\?(?:2026|2048)\$p|>\d+u|<u)|\x1b\]22;[a-z-]+\x07"
)
_INVISIBLE = re.compile("[\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")

_SILENCE_SECONDS = 0.1  # A program that has drawn nothing for so long has drawn what it wanted to.


def tokens(output: str) -> Iterator[tuple[str, str]]:
    """What a terminal would read out of `output`: (kind, characters), kinds as `_TOKEN` names them."""
    for match in _TOKEN.finditer(output):
        yield str(match.lastgroup), match[0]


def offences(output: str) -> list[str]:
    """Everything in `output` that is neither text nor a sequence Textual writes by itself."""
    found = []
    for kind, characters in tokens(output):
        if kind == "text":
            found += _INVISIBLE.findall(characters)
        elif not _TEXTUALS_OWN.fullmatch(characters) and characters not in ("\r", "\n"):
            found.append(characters)
    return [ascii(each[:40]) for each in found]


class Screen:
    """What `feed` has put on a screen. Knows cursor moves and text, which is all that Textual draws with."""

    def __init__(self, columns: int, lines: int) -> None:
        self.columns, self.lines = columns, lines
        self._cells: dict[tuple[int, int], str] = {}
        self._row = self._column = 0
        self._rest = ""

    def feed(self, output: str) -> None:
        """Take in more output; a sequence that has not ended yet waits for its end."""
        output = self._rest + output
        begun = output.rfind("\x1b", max(0, len(output) - 40))
        cut = begun >= 0 and not re.match(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[^\[])", output[begun:])
        self._rest = output[begun:] if cut else ""
        for kind, characters in tokens(output[:begun] if cut else output):
            if kind == "text":
                self._write(characters)
            elif characters == "\r":
                self._column = 0
            elif characters == "\n":
                self._row += 1
            elif kind == "csi" and (place := re.fullmatch(r"\x1b\[(\d+);(\d+)H", characters)):
                self._row, self._column = int(place[1]) - 1, int(place[2]) - 1
            elif characters == "\x1b[?1049h":
                self._cells.clear()

    def _write(self, text: str) -> None:
        for character in text:
            width = cell_len(character)
            if not width:
                continue
            if self._column + width > self.columns:
                self._row, self._column = self._row + 1, 0
            self._cells[self._row, self._column] = character
            for behind in range(1, width):
                self._cells[self._row, self._column + behind] = ""
            self._column += width

    @property
    def text(self) -> str:
        """The screen's lines."""
        rows = range(self.lines)
        return "\n".join(
            "".join(self._cells.get((y, x), " ") for x in range(self.columns)).rstrip() for y in rows
        )


Condition: TypeAlias = "str | re.Pattern[str] | Callable[[str], object]"


def meets(text: str, condition: Condition) -> bool:
    """Whether a screen's text holds a text, matches a pattern, or is as a function wants it."""
    if isinstance(condition, str):
        return condition in text
    if isinstance(condition, re.Pattern):
        return condition.search(text) is not None
    return bool(condition(text))


def squeezed(screen: str) -> str:
    """A screen's text in one line, without frames: its lines are broken anywhere."""
    return " ".join(re.sub("[─-╿▀-▟]", " ", screen).split())


class Terminal:
    """Runs a command in a pseudo-terminal; a context manager that ends what still runs."""

    def __init__(
        self,
        command: Sequence[str],
        environ: Mapping[str, str],
        size: tuple[int, int] = (80, 24),
        folder: Path | None = None,
        warm: WarmStart | None = None,
    ) -> None:
        """With `warm` the command is `moa-tui`, whichever file `command` begins with."""
        self._master, slave = pty.openpty()
        self._set_size(*size)
        self.screen = Screen(*size)
        self.written = ""
        """All that reached the terminal."""
        self._changed = threading.Condition()
        surroundings = {name: value for name, value in environ.items() if name not in ("COLUMNS", "LINES")}
        # A session's leader that opens a terminal takes it as its own; opened by the parent it would not be.
        self.process: subprocess.Popen[bytes] | WarmProcess
        if warm is not None:
            self.process = warm.on_terminal(command[1:], surroundings, os.ttyname(slave), folder)
        else:
            self.process = subprocess.Popen(
                ["sh", "-c", 'exec "$@" <>"$0" >&0 2>&0', os.ttyname(slave), *command],
                env=surroundings,
                cwd=folder,
                start_new_session=True,
                stdin=subprocess.DEVNULL,
            )
        self._slave = slave
        self._reader = threading.Thread(target=self._read, name="terminal-reader", daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=5)
        self._close_slave()
        self._reader.join(timeout=5)
        os.close(self._master)

    def _read(self) -> None:
        pending = b""
        with suppress(OSError):  # Linux's way to say that the other side is closed
            while data := os.read(self._master, 65536):
                pending += data
                end = _whole_utf8(pending)
                text, pending = pending[:end].decode(errors="surrogateescape"), pending[end:]
                with self._changed:
                    self.written += text
                    self.screen.feed(text)
                    self._changed.notify_all()

    @property
    def text(self) -> str:
        """What is on the screen now."""
        with self._changed:
            return self.screen.text

    def wait_for(self, condition: Condition, seconds: float = 20) -> str:
        """Wait until the screen meets a condition; the screen as it then is."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while True:
                text = self.screen.text
                if meets(text, condition):
                    return text
                if self.process.poll() is not None:  # What it wrote at last is still on its way.
                    deadline = min(deadline, time.monotonic() + 0.5)
                left = deadline - time.monotonic()
                state = f"exit code {self.process.poll()}"
                assert left > 0, f"{condition!r} not within {seconds:g} s ({state}):\n{text}"
                self._changed.wait(min(left, 0.1))

    def wait_for_gone(self, unwanted: str, seconds: float = 20) -> str:
        """Wait until the screen does not show a text any more."""
        return self.wait_for(lambda text: unwanted not in text, seconds)

    def send(self, keys: str | bytes) -> None:
        """Type, as the bytes a terminal would send."""
        data = keys if isinstance(keys, bytes) else keys.encode()
        while data:
            data = data[os.write(self._master, data[:65536]) :]

    def resize(self, columns: int, lines: int, seconds: float = 15) -> None:
        """Make the window another size, and wait until the program has drawn in it."""
        with self._changed:
            self._wait_for_silence(seconds)  # Else what was drawn before would be taken for an answer.
            self.screen = Screen(columns, lines)
            before = len(self.written)
            self._set_size(columns, lines)
            assert self._changed.wait_for(lambda: len(self.written) > before, seconds), "nothing was drawn"
            self._wait_for_silence(seconds)

    def wait_for_quiet(self, seconds: float = 15) -> None:
        """Wait until the program has drawn all that it wanted to."""
        with self._changed:
            self._wait_for_silence(seconds)

    def _wait_for_silence(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._changed.wait(_SILENCE_SECONDS):
            assert time.monotonic() < deadline, "the program goes on drawing"

    def _set_size(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def wait_until_read(self, seconds: float = 15) -> None:
        """Wait until the program has taken in all that was sent."""
        deadline = time.monotonic() + seconds
        while struct.unpack("i", fcntl.ioctl(self._slave, termios.FIONREAD, b"\0" * 4))[0]:
            assert time.monotonic() < deadline, "the program reads no keys"
            time.sleep(0.005)

    def paste(self, text: str | bytes) -> None:
        """Paste, in brackets as every terminal of today sends it."""
        data = text if isinstance(text, bytes) else text.encode()
        self.send(b"\x1b[200~" + data + b"\x1b[201~")

    def end(self, seconds: float = 10) -> int:
        """Press ctrl+q and take in what comes until the program is over; its exit code."""
        self.send("\x11")
        code = self.process.wait(timeout=seconds)
        self._close_slave()  # The last one to hold it: the reader comes to the end.
        self._reader.join(timeout=seconds)
        return code

    def _close_slave(self) -> None:
        if self._slave >= 0:
            os.close(self._slave)
            self._slave = -1

    @property
    def restored(self) -> bool:
        """Whether the program, over now, has left the terminal as a shell needs it."""
        modes = dict(re.findall(r"\x1b\[\?(\d+)([hl])", self.written))
        is_off = all(modes.get(mode) == "l" for mode in ("1000", "1003", "1004", "1006", "1049", "2004"))
        is_on = all(modes.get(mode) == "h" for mode in ("25", "7"))  # The cursor, and lines that wrap.
        local = termios.tcgetattr(self._master)[3]
        needed = (termios.ECHO, termios.ICANON, termios.ISIG)
        return is_off and is_on and all(local & flag for flag in needed)


def _whole_utf8(data: bytes) -> int:
    """Where the last whole character of `data` ends."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte < 0x80:
            break
        if byte >= 0xC0:
            needed = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return len(data) - back if back < needed else len(data)
    return len(data)


def in_order(text: str, *wanted: str) -> bool:
    """Whether `wanted` stand in `text`, one behind the other."""
    places = [text.find(each) for each in wanted]
    return -1 not in places and all(first < second for first, second in pairwise(places))


def write_recipe(path: Path, *layers: Sequence[str], pace: float | None = 200, description: str = "") -> str:
    """A recipe file of layers of models, simulated ones at `pace` tokens a second."""
    extra = f"[defaults]\nextra = {{ tokens_per_second = {pace} }}\n" if pace else ""
    tables = []
    for models in layers:
        agents = ", ".join(f'{{ model = "{model}" }}' for model in models)
        tables.append(f"[[layers]]\nagents = [{agents}]\n")
    path.write_text(f'name = "{path.stem}"\ndescription = "{description}"\n{extra}{"".join(tables)}')
    return str(path)
