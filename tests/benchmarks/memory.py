"""How much memory the program holds at each stage of a start, until its first calls have been made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tests.benchmarks.figures import figure, remote_server

if TYPE_CHECKING:
    from tests.benchmarks.figures import Figure

ROUNDS = 3


def measure() -> list[Figure]:
    """The resident memory of one process after each stage, in its order; Linux only."""
    if not sys.platform.startswith("linux"):
        return []
    with remote_server() as server:
        rounds = [stages_of_one_process(server.url) for _ in range(ROUNDS)]
    python = [bare_python() for _ in range(ROUNDS)]
    stages = [
        figure(f"memory: {stage}", "MB", [one["stages"][stage] for one in rounds])
        for stage in rounds[0]["stages"]
    ]
    modules = [
        figure(f"modules of {name} loaded", "modules", [one["modules"][name] for one in rounds])
        for name in rounds[0]["modules"]
    ]
    return [figure("memory: python alone", "MB", python), *stages, *modules]


def bare_python() -> float:
    """What an interpreter holds that has done nothing."""
    command = [sys.executable, "-c", "print(open('/proc/self/statm').read())"]
    pages = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def stages_of_one_process(url: str) -> dict[str, Any]:
    """What `memory_child` prints."""
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.benchmarks.memory_child", url, folder]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured
