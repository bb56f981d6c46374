"""Starts the command as a process of its own without loading litellm each time, which takes three seconds.

A first process loads it once and forks for each start. The new process has arguments, variables, folder and
standard streams of its own, runs `python -m moa_tui` from its first line and ends as any other does. What
Python reads before that (how streams are encoded and buffered) is as in the first process, and nothing is
seen of the time before litellm is there: what is tested of these starts an interpreter.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MOST_BYTES = 200_000
"""More than the arguments and variables of a command take; a socket takes a little more at once."""
_START_SECONDS = 60.0
_LOADED = ("cli.main", "cli.headless", "ui.app", "gateway.litellm_stream")


class WarmProcess:
    """One command that was started; of the methods of `subprocess.Popen` those that tests use."""

    def __init__(self, heard: socket.socket) -> None:
        self._heard = heard
        self._lock = threading.Lock()
        self.returncode: int | None = None
        heard.settimeout(_START_SECONDS)
        self.pid = int(heard.recv(100))

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._end(0.0)

    def wait(self, timeout: float) -> int:
        """Wait for its end; the exit code. Raises TimeoutExpired."""
        code = self._end(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"the command with the id {self.pid}", timeout)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal to it, unless it is over."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def _end(self, seconds: float) -> int | None:
        with self._lock:
            if self.returncode is None:
                self._heard.settimeout(seconds)
                try:
                    said = self._heard.recv(100)
                except (BlockingIOError, TimeoutError):
                    return None
                assert said, "what waits for the command is gone"
                self.returncode = os.waitstatus_to_exitcode(int(said))
                self._heard.close()
            return self.returncode


class WarmStart:
    """The first process; a context manager that ends it. Any thread may start a command."""

    def __init__(self) -> None:
        self._told, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.warm", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                cwd=Path(__file__).parents[1],
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._told.close()
        self._process.wait(timeout=30)

    def run(
        self, arguments: Sequence[str], piped: str, environ: Mapping[str, str], seconds: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """What `subprocess.run` returns for `moa-tui` with these arguments and that text piped into it.

        Raises TimeoutExpired where it has not come to its end after `seconds`; it is killed then.
        """
        inner, outer = zip(os.pipe(), *(os.pipe()[::-1] for _ in range(2)), strict=True)
        process = self._start(arguments, environ, None, inner)
        texts: dict[int, bytes] = {}
        threads = [threading.Thread(target=_feed, args=(outer[0], piped.encode()))]
        threads += [threading.Thread(target=_read, args=(each, texts)) for each in outer[1:]]
        for thread in threads:
            thread.start()
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait(seconds)
            raise
        finally:
            for thread in threads:
                thread.join()
        out, err = (texts[each].decode("utf-8").replace("\r\n", "\n") for each in outer[1:])
        return subprocess.CompletedProcess(list(arguments), code, out, err)

    def on_terminal(
        self, arguments: Sequence[str], environ: Mapping[str, str], terminal: str, folder: Path | None = None
    ) -> WarmProcess:
        """Start `moa-tui` as the leader of a session of its own on the terminal with that path."""
        return self._start(arguments, environ, folder, (), terminal)

    def _start(
        self,
        arguments: Sequence[str],
        environ: Mapping[str, str],
        folder: Path | None,
        streams: Sequence[int],
        terminal: str | None = None,
    ) -> WarmProcess:
        """`streams` are the three standard ones, and closed here; without them the terminal is all three."""
        start = {
            "arguments": list(arguments),
            "environ": dict(environ),
            "folder": str(folder or os.getcwd()),  # noqa: PTH109
            "terminal": terminal,
        }
        heard, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            socket.send_fds(self._told, [json.dumps(start).encode()], [theirs.fileno(), *streams])
        for descriptor in streams:
            os.close(descriptor)
        return WarmProcess(heard)


def _feed(descriptor: int, data: bytes) -> None:
    try:
        with open(descriptor, "wb") as pipe:
            pipe.write(data)
    except BrokenPipeError:
        return  # It has not read all of it, of which `subprocess` too thinks nothing.


def _read(descriptor: int, texts: dict[int, bytes]) -> None:
    with open(descriptor, "rb") as pipe:
        texts[descriptor] = pipe.read()


def _next_start(told: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """In a new process: what it is to run, and on which streams. In the first one None, once nobody asks."""
    while True:
        data, descriptors, _, _ = socket.recv_fds(told, _MOST_BYTES, 4)
        if not data:
            return None
        if os.fork() == 0:
            told.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            with socket.socket(fileno=descriptors.pop(0)) as heard:
                _fork_and_tell(heard)
            return json.loads(data), descriptors
        for descriptor in descriptors:
            os.close(descriptor)


def _fork_and_tell(heard: socket.socket) -> None:
    """Return in a new process; in this one say the new one's id and how it ended, and end too."""
    pid = os.fork()
    if pid == 0:
        return
    for descriptor in range(3):
        os.close(descriptor)
    heard.send(str(pid).encode())
    status = os.waitpid(pid, 0)[1]
    with suppress(BrokenPipeError):  # Nobody waits for it any more.
        heard.send(str(status).encode())
    os._exit(0)


def _become(start: Mapping[str, Any], descriptors: list[int]) -> None:
    """Run the command as a new interpreter would."""
    if start["terminal"] is not None:
        # A session's leader that opens a terminal takes it as its own.
        os.setsid()
        descriptors = [os.open(start["terminal"], os.O_RDWR) for _ in range(3)]
    for place, descriptor in enumerate(descriptors):
        os.dup2(descriptor, place)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(start["environ"])
    time.tzset()
    os.chdir(start["folder"])
    sys.argv = ["moa_tui", *start["arguments"]]
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        first = getattr(sys, name)
        by_line = 1 if name == "stderr" or os.isatty(first.fileno()) else -1
        stream = open(  # noqa: SIM115, PTH123 - open until the process ends
            first.fileno(), mode, buffering=by_line, encoding=first.encoding, errors=first.errors
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    runpy.run_module("moa_tui", run_name="__main__", alter_sys=True)


def _load() -> None:
    """Import what takes long. Threads do not survive a fork, so nothing may have started one."""
    for name in _LOADED:
        importlib.import_module(f"moa_tui.{name}")
    assert threading.active_count() == 1, threading.enumerate()
    gc.collect()
    gc.freeze()


def _reap(*_: object) -> None:
    """Take note of each process that has ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue
    except ChildProcessError:
        return


def main() -> None:
    """Load, and start a command for each word on the socket whose descriptor is the argument."""
    with socket.socket(fileno=int(sys.argv[1])) as told:
        _load()
        signal.signal(signal.SIGCHLD, _reap)
        start = _next_start(told)
    if start is not None:
        _become(*start)


if __name__ == "__main__":
    main()
