"""Starts the command as a process of its own without loading litellm each time, which takes three seconds.

A first process loads it once and forks for each start. The new process has arguments, variables, folder and
standard streams of its own, runs `python -m moa_tui` from its first line and ends as any other does. What
Python reads before that (how streams are encoded and buffered) is as in the first process, and so is what is
shown of a terminal: who tests these starts the command itself.
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
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MOST_BYTES = 200_000
"""More than the arguments and variables of a command take; a socket takes a little more at once."""


class WarmStart:
    """The first process; a context manager that ends it. One command at a time."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.warm", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ours.close()
        self._process.wait(timeout=30)

    def run(
        self, arguments: Sequence[str], piped: str, environ: Mapping[str, str], seconds: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """What `subprocess.run` returns for `moa-tui` with these arguments and that text piped into it.

        Raises TimeoutExpired where it has not come to its end after `seconds`; it is killed then.
        """
        inner, outer = zip(os.pipe(), *(os.pipe()[::-1] for _ in range(2)), strict=True)
        start = {"arguments": list(arguments), "environ": dict(environ), "folder": os.getcwd()}  # noqa: PTH109
        try:
            socket.send_fds(self._ours, [json.dumps(start).encode()], inner)
        finally:
            for descriptor in inner:
                os.close(descriptor)
        pid = self._heard(seconds)
        texts: dict[int, bytes] = {}
        threads = [threading.Thread(target=_feed, args=(outer[0], piped.encode()))]
        threads += [threading.Thread(target=_read, args=(each, texts)) for each in outer[1:]]
        for thread in threads:
            thread.start()
        try:
            code = os.waitstatus_to_exitcode(self._heard(seconds))
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            self._heard(seconds)
            raise subprocess.TimeoutExpired(list(arguments), seconds) from None
        finally:
            for thread in threads:
                thread.join()
        out, err = (texts[each].decode("utf-8").replace("\r\n", "\n") for each in outer[1:])
        return subprocess.CompletedProcess(list(arguments), code, out, err)

    def _heard(self, seconds: float) -> int:
        self._ours.settimeout(seconds)
        said = self._ours.recv(_MOST_BYTES)
        assert said, "the process that starts the command is gone"
        return int(said)


def _feed(descriptor: int, data: bytes) -> None:
    try:
        with open(descriptor, "wb") as pipe:
            pipe.write(data)
    except BrokenPipeError:
        return  # It has not read all of it, as `subprocess` too thinks nothing of.


def _read(descriptor: int, texts: dict[int, bytes]) -> None:
    with open(descriptor, "rb") as pipe:
        texts[descriptor] = pipe.read()


def _next_start(told: socket.socket) -> dict[str, Any] | None:
    """In a new process: what it is to run. In the first one None, once nobody asks for more."""
    while True:
        data, descriptors, _, _ = socket.recv_fds(told, _MOST_BYTES, 3)
        if not data:
            return None
        pid = os.fork()
        if pid == 0:
            told.close()
            for place, descriptor in enumerate(descriptors):
                os.dup2(descriptor, place)
                os.close(descriptor)
            start: dict[str, Any] = json.loads(data)
            return start
        for descriptor in descriptors:
            os.close(descriptor)
        told.send(str(pid).encode())
        told.send(str(os.waitpid(pid, 0)[1]).encode())


def _become(start: Mapping[str, Any]) -> None:
    """Run the command as a new interpreter would."""
    os.environ.clear()
    os.environ.update(start["environ"])
    time.tzset()
    os.chdir(start["folder"])
    sys.argv = ["moa_tui", *start["arguments"]]
    for name, mode, line_by_line in (("stdin", "r", False), ("stdout", "w", False), ("stderr", "w", True)):
        first = getattr(sys, name)
        stream = open(  # noqa: SIM115, PTH123 - open until the process ends
            first.fileno(),
            mode,
            buffering=1 if line_by_line else -1,
            encoding=first.encoding,
            errors=first.errors,
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    runpy.run_module("moa_tui", run_name="__main__", alter_sys=True)


def _load() -> None:
    """Import what takes long; threads do not survive a fork, so nothing may have started one."""
    for name in ("cli.main", "cli.headless", "gateway.litellm_stream"):
        importlib.import_module(f"moa_tui.{name}")
    assert threading.active_count() == 1, threading.enumerate()
    gc.collect()
    gc.freeze()


def main() -> None:
    """Load, and start a command for each word on the socket whose descriptor is the argument."""
    with socket.socket(fileno=int(sys.argv[1])) as told:
        _load()
        start = _next_start(told)
    if start is not None:
        _become(start)


if __name__ == "__main__":
    main()
