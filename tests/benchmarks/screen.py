"""The chat in a real pseudo-terminal: start, keys and CPU while panes stream, long conversations."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import tomli_w

from tests.benchmarks.figures import figure, percentile, remote_server
from tests.benchmarks.terminal import RARE, Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.benchmarks.figures import Figure, RemoteServer

START_ROUNDS = 10
STREAM_ROUNDS = 2
SECONDS = 15
RATE = 100
SIZES = ((120, 40), (200, 50))
FLOOR_SECONDS = 8
SMALLEST_APP = """
from textual.app import App
from textual.widgets import Static, TextArea

class Smallest(App):
    def compose(self):
        yield Static("Ask anything")
        yield TextArea()

Smallest().run()
"""


def measure() -> list[Figure]:
    """All of it."""
    with remote_server() as server, TemporaryDirectory() as folder:
        place = Place(Path(folder), server)
        figures = start(place)
        for size in SIZES:
            floor = floor_echoes(place, size)
            for panes in (1, 6, 12):
                figures += streaming(place, panes, size, floor)
        return [*figures, *long_conversations(place)]


class Place:
    """A config, a data directory and recipes of their own."""

    def __init__(self, folder: Path, server: RemoteServer) -> None:
        self.folder = folder
        self.server = server
        config = folder / "config.toml"
        config.write_text(f'[endpoints.lab]\nbase_url = "{server.url}"\n')
        own = {
            "MOA_TUI_CONFIG": str(config),
            "MOA_TUI_DATA_DIR": str(folder / "data"),
            "MOA_TUI_STATE_DIR": str(folder / "state"),
        }
        kept = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
        self.environ = {**kept, **own, "TERM": "xterm-256color", "COLORTERM": "truecolor"}

    def recipe(self, **table: Any) -> str:
        path = self.folder / "bench.toml"
        path.write_text(tomli_w.dumps({"name": "bench", **table}))
        return str(path)

    @contextmanager
    def child(
        self, case: str, *arguments: str, size: tuple[int, int] = (200, 50), module: str = "screen_child"
    ) -> Iterator[Terminal]:
        self.result.unlink(missing_ok=True)
        command = [sys.executable, "-m", f"tests.benchmarks.{module}", case, str(self.result), *arguments]
        with Terminal(command, self.environ, *size) as terminal:
            yield terminal

    @property
    def result(self) -> Path:
        return self.folder / "result.json"

    def wait_for_result(self, seconds: float) -> dict[str, float]:
        end = time.monotonic() + seconds
        while not self.result.exists():
            assert time.monotonic() < end, "the chat did not come to an end in time"
            time.sleep(0.05)
        time.sleep(0.1)
        figures: dict[str, float] = json.loads(self.result.read_text())
        return figures


def start(place: Place) -> list[Figure]:
    """From exec to the prompt on the screen, and to the first key drawn in it.

    Beside it, turn by turn, the bare import of Textual and a smallest app: a line of text and a text area.
    """
    # An installer compiles what it installs; a checkout on a machine that writes no bytecode would not be.
    environ = {name: value for name, value in place.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    commands = {
        "ours": [str(Path(sys.executable).with_name("moa-tui")), "-r", "demo"],
        "smallest": [sys.executable, "-c", SMALLEST_APP],
    }
    paints: dict[str, list[float]] = {name: [] for name in commands}
    keys: dict[str, list[float]] = {name: [] for name in commands}
    imports = []
    for number in range(START_ROUNDS + 1):
        for name, command in commands.items():
            with Terminal(command, environ, 120, 40) as terminal:
                # The first letter of the placeholder stands under the cursor, in a style of its own.
                paints[name].append(terminal.wait_for("sk anything") - terminal.started)
                terminal.echo_seconds(RARE[0])
                keys[name].append(time.monotonic() - terminal.started)
        begin = time.monotonic()
        subprocess.run([sys.executable, "-c", "import textual.app"], check=True, env=environ)
        imports.append(time.monotonic() - begin)
        if number == 0:  # the round that compiles and makes the database
            for figures in (*paints.values(), *keys.values(), imports):
                figures.clear()
    return [
        figure("exec to first paint, to python -c 'import textual.app'", "s", paints["ours"], imports),
        figure("exec to first key drawn, to the same", "s", keys["ours"], imports),
        figure("exec to first paint, to the smallest Textual app", "s", paints["ours"], paints["smallest"]),
        figure("exec to first key drawn, to the same", "s", keys["ours"], keys["smallest"]),
    ]


def streaming(place: Place, panes: int, size: tuple[int, int], floor: Sequence[float]) -> list[Figure]:
    """So many panes at RATE tokens a second for SECONDS, over HTTP and litellm, keys pressed meanwhile.

    `floor` are the echoes of the same keys in a program of Textual that does nothing else.
    """
    agent = {"model": f"lab/ok@n={SECONDS * RATE},tps={RATE},ttft=0.1"}
    layers = [{"agents": [{**agent, "count": panes}]}]
    if panes > 1:
        layers.append({"agents": [{"model": "lab/ok@n=100,tps=100", "count": 1}]})
    rounds = [_streaming_round(place, place.recipe(layers=layers), size) for _ in range(STREAM_ROUNDS)]
    calls = panes + (panes > 1)
    assert all(len(each.requests) == calls for each in rounds)
    inside = [each.inside for each in rounds]
    critical = [
        sum(
            max(request["ended"] - request["started"] for request in layer)
            for layer in (each.requests[:panes], each.requests[panes:])
            if layer
        )
        for each in rounds
    ]
    what = f"{panes} x {RATE} tok/s, {size[0]}x{size[1]}"
    p99 = [percentile(each.echoes, 0.99) for each in rounds]
    floor99 = [percentile(floor, 0.99)]
    return [
        figure(f"{what}: CPU of the process", "% of a core", [each["cpu"] for each in inside]),
        figure(f"{what}: loop lateness p50", "ms", [each["p50"] for each in inside]),
        figure(f"{what}: loop lateness p99", "ms", [each["p99"] for each in inside]),
        figure(f"{what}: key to echo p50", "ms", [median(each.echoes) for each in rounds], [median(floor)]),
        figure(f"{what}: key to echo p99", "ms", p99, floor99),
        figure(f"{what}: layouts per key", "", [each["layouts"] / each["keys"] for each in inside]),
        figure(
            f"{what}: to the terminal, to what Textual writes",
            "kB/s",
            [each["sent"] for each in inside],
            [each["drawn"] for each in inside],
        ),
        figure(f"{what}: run, to the critical path", "s", [each["seconds"] for each in inside], critical),
        figure(f"{what}: last token to the end drawn", "ms", [each.last_drawn for each in rounds]),
    ]


@dataclass
class _Round:
    """One run while keys were pressed: their echoes in ms, and what was measured from inside."""

    echoes: list[float]
    inside: dict[str, float]
    requests: list[dict[str, Any]]
    last_drawn: float


def _streaming_round(place: Place, recipe: str, size: tuple[int, int]) -> _Round:
    place.server.reset()
    with place.child("stream", recipe, size=size) as terminal:
        terminal.wait_for("sk anything")
        time.sleep(5)  # litellm is imported after the first paint; that has a figure of its own
        terminal.press("hello\r")
        while not place.server.requests():
            time.sleep(0.05)
        time.sleep(0.5)
        echoes = _echoes(terminal, SECONDS - 2)
        inside = place.wait_for_result(60)
        requests = sorted(place.server.requests(), key=lambda request: request["started"])
    last_drawn = (inside["over"] - max(request["ended"] for request in requests)) * 1000
    return _Round(echoes, inside, requests, last_drawn)


def _echoes(terminal: Terminal, seconds: float) -> list[float]:
    """The times from key to echo, in ms, of some seven keys a second."""
    echoes: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        echoes.append(terminal.echo_seconds(RARE[len(echoes) % len(RARE)]) * 1000)
        time.sleep(0.13)
    return echoes


def floor_echoes(place: Place, size: tuple[int, int]) -> list[float]:
    """The echoes of keys in the smallest app, which has nothing else to do."""
    with Terminal([sys.executable, "-c", SMALLEST_APP], place.environ, *size) as terminal:
        terminal.wait_for("sk anything")
        time.sleep(0.5)
        return _echoes(terminal, FLOOR_SECONDS)


def long_conversations(place: Place) -> list[Figure]:
    """Opening a thousand turns; what a hundred turns of thirteen calls leave in memory."""
    opened, mounted = [], 0.0
    for _ in range(5):
        with place.child("open", size=(120, 40)):
            inside = place.wait_for_result(60)
            opened.append(inside["seconds"] * 1000)
            mounted = inside["mounted"]
    fast = {"extra": {"tokens_per_second": 100000}}
    six = [{"model": "demo/thorough", "count": 6}]
    recipe = place.recipe(
        defaults=fast, layers=[{"agents": six}, {"agents": six}, {"agents": [{"model": "demo/thorough"}]}]
    )
    with place.child("turns", recipe, size=(120, 40)):
        memory = place.wait_for_result(600)
    return [
        figure(f"open a conversation of 1,000 turns ({mounted:.0f} mounted)", "ms", opened),
        figure(
            "memory after 100 turns of 13 calls, to that at the start",
            "MB",
            [memory["end"]],
            [memory["start"]],
        ),
        figure("memory after 100 turns, to that after 10", "MB", [memory["end"]], [memory["ten"]]),
    ]
