"""How long the quickest commands take, from exec to exit."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.figures import figure

if TYPE_CHECKING:
    from tests.benchmarks.figures import Figure

ROUNDS = 20


def measure() -> list[Figure]:
    """The installed command beside a bare import of click, turn by turn."""
    command = str(Path(sys.executable).with_name("moa-tui"))
    runs = {
        "click": [sys.executable, "-c", "import click"],
        "version": [command, "--version"],
        "help": [command, "--help"],
        "recipes": [command, "recipes", "list"],
    }
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    # An installer compiles what it installs; a checkout on a machine that writes no bytecode would not be.
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for number in range(ROUNDS + 1):
        for name, arguments in runs.items():
            begin = time.perf_counter()
            subprocess.run(arguments, stdout=subprocess.DEVNULL, check=True, env=environ)
            if number:  # the first round compiles
                seconds[name].append(time.perf_counter() - begin)
    return [
        figure("moa-tui --version, to python -c 'import click'", "s", seconds["version"], seconds["click"]),
        figure("moa-tui --help, to the same", "s", seconds["help"], seconds["click"]),
        figure("moa-tui recipes list, to the same", "s", seconds["recipes"], seconds["click"]),
    ]
