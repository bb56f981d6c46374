"""A program in a pseudo-terminal of its own, its output read as it comes, its keys timed."""

from __future__ import annotations

import os
import pty
import select
import struct
import threading
import time
from contextlib import suppress
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Letters that stand in no text a model writes here, so that seeing one on the screen means it was typed.
RARE = "ЖЩЮЯДЛФЦЧШЭЫ"


class Terminal:
    """Runs a command in a pty of this size; `seen` holds every byte it wrote."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], columns: int, lines: int) -> None:
        self.started = time.monotonic()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], list(command), dict(environ))
        ioctl(self._fd, TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.seen = bytearray()
        self._closed = False
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while not self._closed:
            if not select.select([self._fd], [], [], 0.2)[0]:
                continue
            try:
                data = os.read(self._fd, 65536)
            except OSError:
                data = b""
            with self._news:
                if not data:
                    self._closed = True
                self.seen += data
                self._news.notify_all()

    def wait_for(self, text: str, seconds: float = 60.0, since: int = 0) -> float:
        """The moment `text` was first seen behind byte `since`, on the monotonic clock."""
        wanted = text.encode()
        end = time.monotonic() + seconds
        with self._news:
            while self.seen.find(wanted, max(0, since)) < 0:
                left = end - time.monotonic()
                if left <= 0 or self._closed:
                    raise TimeoutError(f"{text!r} was not seen; the last bytes: {bytes(self.seen[-2000:])!r}")
                self._news.wait(left)
        return time.monotonic()

    def press(self, keys: str) -> None:
        """Type this."""
        os.write(self._fd, keys.encode())

    def echo_seconds(self, key: str) -> float:
        """From a key to its being drawn."""
        since = len(self.seen)
        begin = time.monotonic()
        self.press(key)
        return self.wait_for(key, 30, since) - begin

    def cpu_seconds(self) -> float:
        """CPU time the process has taken, all its threads together."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_megabytes(self) -> float:
        """Memory it holds."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._closed = True
        with suppress(ProcessLookupError):
            os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)
        self._reader.join(1)
        os.close(self._fd)
