"""One measured figure, and the fault server in a process of its own to measure against."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True)
class Figure:
    """A median over rounds, with its lowest and highest round, beside the median of its baseline."""

    name: str
    value: float
    unit: str
    low: float
    high: float
    baseline: float | None = None

    @property
    def ratio(self) -> float | None:
        """Of value to baseline."""
        return self.value / self.baseline if self.baseline else None


def figure(name: str, unit: str, rounds: Sequence[float], baseline: Sequence[float] = ()) -> Figure:
    """The figure of these rounds."""
    return Figure(
        name, median(rounds), unit, min(rounds), max(rounds), median(baseline) if baseline else None
    )


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


class RemoteServer:
    """The fault server in another process, so that its work is not counted as ours."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/v1"
        self._root = f"http://127.0.0.1:{port}"

    def requests(self) -> list[dict[str, Any]]:
        """What it was asked, with `started` and `ended` on the machine's monotonic clock."""
        with urllib.request.urlopen(f"{self._root}/_requests") as answer:
            requests: list[dict[str, Any]] = json.load(answer)
        return requests

    def reset(self) -> None:
        """Forget all requests."""
        urllib.request.urlopen(urllib.request.Request(f"{self._root}/_reset", method="POST")).close()


@contextmanager
def remote_server(module: str = "tests.model_server") -> Iterator[RemoteServer]:
    """Start it, or another module that serves models, and stop it afterwards."""
    with TemporaryDirectory() as folder:
        port_file = Path(folder) / "port"
        command = [sys.executable, "-m", module, "--port", "0", "--port-file", str(port_file)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            while not port_file.exists():
                time.sleep(0.02)
            yield RemoteServer(int(port_file.read_text()))
        finally:
            process.terminate()
            process.wait()
