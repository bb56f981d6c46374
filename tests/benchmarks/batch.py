"""What `moa-tui batch` takes: wall time to what its calls take, memory, CPU, and what a kill costs.

Every run is the command in a process of its own, and so is the server. A wall time counts from the first
request to the end of the last, on the server's clock: the program's start is a figure of its own. All of it
takes some fifteen minutes; `python -m tests.benchmarks.batch places memory` measures some of the PARTS.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from moa_tui.gateway.gateway import Gateway
from moa_tui.gateway.thread import EngineThread, load_litellm_stream
from moa_tui.settings.config import Endpoint
from tests.benchmarks.batch_server import question
from tests.benchmarks.engine import CHUNKS, cpu_per_thousand_chunks
from tests.benchmarks.figures import Figure, figure, remote_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.benchmarks.figures import RemoteServer

SERVER = "tests.benchmarks.batch_server"
AT_ONCE = 64
KILLS = 20
REQUESTS_A_SECOND = 5
LOAD_SECONDS = 2
LARGEST_MEGABYTES = 400.0


@dataclass(frozen=True)
class Ended:
    """How one command ended: seconds of wall and CPU, and the most memory that it held, in megabytes."""

    code: int
    seconds: float
    cpu: float
    megabytes: float


class Lab:
    """A folder with a config that knows the server, and the command in it."""

    def __init__(self, folder: Path, server: RemoteServer) -> None:
        self.folder = folder
        self.server = server
        config = folder / "config.toml"
        config.write_text(f'[endpoints.lab]\nbase_url = "{server.url}"\n')
        data = {"MOA_TUI_DATA_DIR": str(folder / "data"), "MOA_TUI_STATE_DIR": str(folder / "state")}
        self._environ = {**os.environ, **data, "MOA_TUI_CONFIG": str(config), "MOA_TUI_LOCAL_SERVERS": "none"}

    def prompts(self, number: int) -> Path:
        """An input of so many prompts."""
        path = self.folder / f"prompts{number}.jsonl"
        lines = (json.dumps({"prompt": f"question {place}"}) for place in range(number))
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    def recipe(self, *layers: Sequence[str]) -> Path:
        """A recipe of these models in layers."""
        path = self.folder / "recipe.toml"
        tables = []
        for models in layers:
            agents = ", ".join(f'{{ model = "lab/{model}" }}' for model in models)
            tables.append(f"[[layers]]\nagents = [{agents}]\n")
        path.write_text('name = "lite"\n' + "".join(tables))
        return path

    def start(self, prompts: Path, recipe: Path, out: str, *options: str) -> subprocess.Popen[bytes]:
        """Start a batch into the folder `out`."""
        command = [sys.executable, "-m", "moa_tui", "batch", str(prompts), "-r", str(recipe)]
        command += ["-o", str(self.folder / out), "-q", *options]
        return subprocess.Popen(command, env=self._environ, stderr=subprocess.DEVNULL)

    def batch(self, prompts: Path, recipe: Path, out: str, *options: str) -> Ended:
        """A batch from its start to its end."""
        begin = time.monotonic()
        process = self.start(prompts, recipe, out, *options)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        return Ended(
            process.returncode,
            time.monotonic() - begin,
            used.ru_utime + used.ru_stime,
            used.ru_maxrss * 1024 / 1e6,
        )

    def answers(self, out: str) -> list[Any]:
        """The rows that a batch wrote."""
        (path,) = (self.folder / out / "outputs").iterdir()
        return [json.loads(line) for line in path.read_text().splitlines()]

    def requests(self) -> list[dict[str, Any]]:
        """What the server was asked, in the order of arrival."""
        return sorted(self.server.requests(), key=lambda request: request["number"])


@contextmanager
def lab() -> Iterator[Lab]:
    """A server that has seen no request, and a folder that is gone afterwards."""
    with remote_server(SERVER) as server, TemporaryDirectory() as folder:
        yield Lab(Path(folder), server)


def seats(mode: str, options: str = "", proposers: int = 6) -> tuple[list[str], list[str]]:
    """The models of moa-lite's shape: the proposers, and the aggregator."""
    names = [f"{mode}@key={place}{options}" for place in range(proposers + 1)]
    return names[:-1], names[-1:]


def span(requests: Sequence[dict[str, Any]]) -> float:
    """Seconds from the first request to the end of the last."""
    return float(
        max(request["ended"] for request in requests) - min(request["started"] for request in requests)
    )


def places() -> list[Figure]:
    """200 prompts of seven calls with recorded latencies, 64 calls at once."""
    with lab() as here:
        ended = here.batch(
            here.prompts(200), here.recipe(*seats("recorded")), "out", f"--concurrency={AT_ONCE}"
        )
        requests = here.requests()
    assert ended.code == 0 and len(requests) == 1400
    wall = span(requests)
    ideal = sum(request["ended"] - request["started"] for request in requests) / AT_ONCE
    chunks = sum(request["sent_chunks"] for request in requests)
    cpu = ended.cpu * 1e6 / chunks
    return [
        figure(f"batch: 200 prompts of 7 calls, to call seconds / {AT_ONCE}", "s", [wall], [ideal]),
        figure(
            "batch: the same, prompt by prompt with no place ever empty",
            "s",
            [list_schedule(requests)],
            [ideal],
        ),
        figure("batch: CPU with 64 streams at once", "ms/1000 chunks", [cpu]),
        figure("batch: start and end of the program", "s", [ended.seconds - wall]),
    ]


def list_schedule(requests: Sequence[dict[str, Any]]) -> float:
    """Seconds that these calls take at AT_ONCE places which are never empty while a call could be made.

    Prompts begin in order; a run's last call begins behind its others, and before those of later prompts.
    """
    seconds: dict[int, dict[int, float]] = {}
    for request in requests:
        calls = seconds.setdefault(question(request["body"]), {})
        calls[int(request["key"])] = request["ended"] - request["started"]
    waiting = [(prompt, seat) for prompt in sorted(seconds) for seat in range(6)]
    open_until: list[tuple[float, int, int]] = []
    left = dict.fromkeys(seconds, 6)
    now = 0.0
    while waiting or open_until:
        while waiting and len(open_until) < AT_ONCE:
            prompt, seat = waiting.pop(0)
            open_until.append((now + seconds[prompt][seat], prompt, seat))
        first = min(open_until)
        open_until.remove(first)
        now, prompt, seat = first
        if seat < 6:
            left[prompt] -= 1
            if not left[prompt]:
                waiting = sorted([*waiting, (prompt, 6)])
    return now


def memory() -> list[Figure]:
    """The most memory that a batch of many short answers holds, and of a tenth of them."""
    peaks = []
    for number in (1_000, 10_000):
        with lab() as here:
            ended = here.batch(
                here.prompts(number), here.recipe(["said@n=5"]), "out", f"--concurrency={AT_ONCE}"
            )
            assert ended.code == 0
            peaks.append(ended.megabytes)
            seconds = ended.seconds
    return [
        figure("batch: memory with 10,000 prompts, to the target", "MB", [peaks[1]], [LARGEST_MEGABYTES]),
        figure("batch: memory with 10,000 prompts, to that with 1,000", "MB", [peaks[1]], [peaks[0]]),
        figure("batch: 10,000 prompts of one call that takes no time", "s", [seconds]),
    ]


def cpu() -> list[Figure]:
    """CPU of a batch, of the engine with one stream at a time, and of bare litellm."""
    unit = "ms/1000 chunks"
    load_litellm_stream()
    with lab() as here, EngineThread() as engine:
        gateway = Gateway({"lab": Endpoint(base_url=here.server.url)}, {})
        _ = gateway.catalog.chat_models
        alone = engine.submit(cpu_per_thousand_chunks(gateway, here.server)).result()
        one, many = here.prompts(1), here.prompts(60)
        start = [here.batch(one, here.recipe(["said@n=1"]), f"one{place}").cpu for place in range(3)]
        batch = {
            words: [
                (here.batch(many, here.recipe([f"said@n={words}"]), f"{words}-{place}").cpu - min(start))
                * 1e6
                / (60 * words)
                for place in range(3)
            ]
            for words in (CHUNKS, 300)
        }
    return [
        figure(
            f"batch: CPU, answers of {CHUNKS} chunks, to bare litellm", unit, batch[CHUNKS], alone["bare"]
        ),
        figure(
            "batch: CPU, the same, to the engine with one stream at a time",
            unit,
            batch[CHUNKS],
            alone["engine"],
        ),
        figure(
            "batch: CPU, answers of 300 chunks, to bare litellm with 3000", unit, batch[300], alone["bare"]
        ),
        figure("batch: CPU of a start with one short call", "s", start),
    ]


def kills() -> list[Figure]:
    """Killed at random moments, and gone on with: calls that were asked again, and what is written."""
    moments = random.Random(16)
    asked_again = not_open = 0
    with lab() as here:
        prompts, recipe = here.prompts(150), here.recipe(*seats("said", ",n=30,ttft=0.2", 3))
        assert here.batch(prompts, recipe, "whole").code == 0
        here.server.reset()
        seen: Counter[tuple[str, int]] = Counter()
        killed: list[float] = []
        for _ in range(KILLS):
            more, process = moments.randint(1, 25), here.start(prompts, recipe, "cut", "--concurrency=16")
            before = len(here.requests())
            while process.poll() is None and len(here.requests()) < before + more:
                time.sleep(0.002)
            time.sleep(moments.random() * 0.3)
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed.append(time.monotonic())
        assert here.batch(prompts, recipe, "cut").code == 0
        first: dict[tuple[str, int], dict[str, Any]] = {}
        for request in here.requests():
            call = request["key"], question(request["body"])
            seen[call] += 1
            if call in first:
                asked_again += 1
                kill = next(at for at in killed if at >= first[call]["started"])
                ended = first[call]["ended"]
                # What the server had sent in full a moment before may not have been read yet.
                not_open += ended is not None and ended < kill - 0.1
            first[call] = request
        differing = sum(a != b for a, b in zip(here.answers("whole"), here.answers("cut"), strict=True))
    assert len(seen) == 600
    return [
        figure(f"batch: calls asked again after {KILLS} kills, of 600", "calls", [asked_again]),
        figure("batch: those of them that had ended 0.1 s before the kill", "calls", [not_open]),
        figure("batch: rows unlike those of a run that was not killed, of 150", "rows", [differing]),
    ]


def storm() -> list[Figure]:
    """Servers that admit a few requests a second, and refuse all others."""
    figures = []
    for mode in ("bucket", "window"):
        with lab() as here:
            recipe = here.recipe(*seats(mode, f",n=5,ttft=0.3,tps={REQUESTS_A_SECOND}"))
            ended = here.batch(here.prompts(60), recipe, "out")
            requests = here.requests()
            rows = here.answers("out")
        answered = [request for request in requests if request["sent_chunks"]]
        assert ended.code == 0 and len(rows) == 60 and len(answered) == 420
        ideal = (len(answered) - REQUESTS_A_SECOND) / REQUESTS_A_SECOND
        words = f"batch: 420 calls, a {mode} of {REQUESTS_A_SECOND} a second"
        figures.append(figure(f"{words}, to the ideal", "s", [span(requests)], [ideal]))
        figures.append(figure(f"{words}: refused", "requests", [len(requests) - len(answered)]))
    return figures


def switches() -> list[Figure]:
    """A server that holds one model, asked prompt by prompt and model by model."""
    models = [f"one_card@key={name},n=10,ttft={LOAD_SECONDS}" for name in "abc"]
    layers = [*models, *models], models[:1]
    walls, counted = [], []
    for schedule in ("prompt", "model"):
        with lab() as here:
            ended = here.batch(here.prompts(10), here.recipe(*layers), "out", f"--schedule={schedule}")
            requests = here.requests()
        assert ended.code == 0 and len(requests) == 70
        walls.append(span(requests))
        # The first load is one too.
        counted.append(1 + sum(a["model"] != b["model"] for a, b in pairwise(requests)))
    return [
        figure(
            "batch: loads of a model, model by model, to one a layer and model", "loads", [counted[1]], [4]
        ),
        figure(
            "batch: loads of a model, prompt by prompt, to model by model",
            "loads",
            [counted[0]],
            [counted[1]],
        ),
        figure("batch: seconds, prompt by prompt, to model by model", "s", [walls[0]], [walls[1]]),
    ]


PARTS: dict[str, Callable[[], list[Figure]]] = {
    each.__name__: each for each in (places, memory, cpu, kills, storm, switches)
}


def measure() -> list[Figure]:
    """All parts."""
    return [figure for part in PARTS.values() for figure in part()]


if __name__ == "__main__":
    for name in sys.argv[1:] or PARTS:
        for each in PARTS[name]():
            print(each.name, f"{each.value:.4g} {each.unit}", each.baseline, each.ratio, flush=True)
