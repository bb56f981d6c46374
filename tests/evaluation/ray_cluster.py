"""A Ray cluster of two workers on this machine, in a process of its own that listens on loopback alone.

    python -m tests.evaluation.ray_cluster

It writes its address to standard output and ends when its standard input does.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Without it Ray takes the machine's own address in the place of loopback, and listens there.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    # Newer versions ask for a token, which else lies in the home directory.
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": "5f" * 32,
}
_WORKERS = 2
_MOST_SECONDS = 30


class RayCluster:
    """The cluster; a context manager that ends it. `folder` is where Ray writes."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        # Ray's sockets lie below it, and the path of a socket is short.
        self.folder = Path(tempfile.mkdtemp(prefix="ray-"))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.evaluation.ray_cluster", str(self.folder)],
            env={**environ, **SETTINGS},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().strip()
        assert self.address, "Ray did not start"

    def workers_at_work(self) -> list[int]:
        """The process ids of the workers that have a task of a batch."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                title = (process / "cmdline").read_bytes()
                parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
                is_ours = str(self.folder).encode() in (process.parent / str(parent) / "cmdline").read_bytes()
            except (OSError, ValueError):
                continue  # It has ended.
            if is_ours and title.startswith(b"ray::moa-tui batch"):
                found.append(int(process.name))
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.communicate(timeout=_MOST_SECONDS)  # Ends its standard input.


def main(folder: str) -> None:
    """Run the cluster until standard input ends."""
    os.environ.update(SETTINGS)
    ray = importlib.import_module("ray")
    context = ray.init(
        address="local",
        num_cpus=_WORKERS,
        include_dashboard=False,
        _node_ip_address="127.0.0.1",
        logging_level="ERROR",
        log_to_driver=False,
        object_store_memory=100 * 2**20,
        _temp_dir=folder,
    )
    print(context.address_info["address"], flush=True)
    sys.stdin.read()
    ray.shutdown()


if __name__ == "__main__":
    main(sys.argv[1])
