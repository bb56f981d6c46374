"""How long the thread of a screen is held up by what the engine's thread does."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from moa_tui.engine.run import run
from moa_tui.gateway.gateway import Gateway
from moa_tui.gateway.thread import EngineThread, load_litellm, load_litellm_stream
from moa_tui.settings.config import Endpoint
from tests.benchmarks.figures import figure, percentile, remote_server
from tests.helpers import recipe

if TYPE_CHECKING:
    from concurrent.futures import Future

    from tests.benchmarks.figures import Figure

ROUNDS = 3
BEAT_SECONDS = 0.005


def measure() -> list[Figure]:
    """Lateness of a 5 ms heartbeat on a loop of its own: idle, during the import, while 12 streams end."""
    idle = [lateness_of("idle") for _ in range(ROUNDS)]
    loading = [lateness_of("import") for _ in range(ROUNDS)]
    ending = [lateness_of("ending") for _ in range(ROUNDS)]
    figures = []
    for name, rounds in (("while litellm is imported", loading), ("while 12 streams end together", ending)):
        for part in ("p99", "max"):
            values, base = ([one[part] for one in these] for these in (rounds, idle))
            figures.append(figure(f"lateness of the screen's loop {name}, {part}", "ms", values, base))
    return figures


def lateness_of(case: str) -> dict[str, float]:
    """The figures of one case, in a process that has not imported litellm yet."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.stall", case], capture_output=True, text=True, check=True
    )
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


async def beats_until(done: Future[object]) -> dict[str, float]:
    """Lateness in ms of each beat until `done`."""
    late = []
    while not done.done():
        begin = time.perf_counter()
        await asyncio.sleep(BEAT_SECONDS)
        late.append((time.perf_counter() - begin - BEAT_SECONDS) * 1000)
    done.result()
    return {"p50": percentile(late, 0.5), "p99": percentile(late, 0.99), "max": max(late)}


def main(case: str) -> None:
    with remote_server() as server, EngineThread() as engine:
        if case == "idle":
            work = engine.submit(asyncio.sleep(3))
        elif case == "import":
            work = engine.submit(load_litellm())
        else:
            load_litellm_stream()
            gateway = Gateway({"lab": Endpoint(base_url=server.url)}, {})
            agent = {"model": "lab/ok@n=200,tps=100"}
            together = recipe([{**agent, "count": 12}], [{"model": "lab/ok"}])
            work = engine.submit(
                run(together, [{"role": "user", "content": "hi"}], gateway.stream, lambda _: None)
            )
        print(json.dumps(asyncio.run(beats_until(work))))


if __name__ == "__main__":
    main(sys.argv[1])
