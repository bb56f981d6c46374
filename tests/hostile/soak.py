"""A long evening with the program: many turns and many stops against a server that breaks, nothing lost.

`python -m tests.hostile.soak --turns 60 --stops 50` drives the installed command in a terminal, with a fault
in every turn and a hostile reply in every third, and prints what the process held at the start and the end.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import sqlite3
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from moa_tui.store import Store
from tests.e2e.terminal import Terminal, write_recipe
from tests.model_server import ModelServer
from tests.surroundings import surroundings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from moa_tui.conversation import Turn
    from tests.model_server import Request

READY, RUNNING = "Ask anything", "esc stop"
FAULTS = (
    *("http500", "reset", "bad_json", "cut", "http429_bare", "non_utf8", "error_event", "no_done", "html"),
    *("hang", "leak", "empty", "control", "reasoning_only", "hang_connect", "http400ctx", "comments"),
)
HOSTILE = (
    "\x1b[2J\x1b]0;owned\x07\x1b]52;c;b3duZWQ=\x07\x9b2J\u202e[/][bold][@click=app.quit]x[/]",
    "**" * 400 + "a" + "**" * 400,
    "[" * 5_000 + "x" + "](" * 5_000,
    "> " * 2_000 + "deep",
    "# heading\n" * 5_000,
    "http://a." * 20_000,
    "| a | b |\n|---|---|\n" + "| cell | [/] |\n" * 5_000,
    "long" * 40_000,
    "e" + "\u0301" * 20_000,
    "```python\n" + "(" * 20_000 + "\n```",
    "-----BEGIN PRIVATE KEY-----" * 1_000,
    '{"error":' * 1_200,
)
_WARM_TURNS = 3
"""After so many turns everything that is loaded late is loaded, and what grows from then on is held."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a process holds: resident memory in MB, open descriptors and threads."""

    memory: float
    descriptors: int
    threads: int


@dataclass(frozen=True, slots=True)
class Soak:
    """The outcome: what the process held when warm and at the end, and prompts by what became of them."""

    warm: Held
    end: Held
    sent: tuple[str, ...]
    stopped: tuple[str, ...]
    turns: Mapping[str, Turn]
    """The turns on disk after the program has ended, by their prompts."""
    exit_code: int
    is_restored: bool
    seconds: float


def soak(folder: Path, turns: int, stops: int) -> Soak:
    """Run `turns` answered turns, of which the first `stops` are each followed by a stopped one."""
    (folder / "config").mkdir()
    environ = surroundings(os.environ, folder) | {"LAB_KEY": "sk-of-the-lab"}
    started = time.monotonic()
    with ModelServer() as server:
        config = f'[endpoints.lab]\nbase_url = "{server.url}"\nkey_env = "LAB_KEY"\n'
        (folder / "config" / "config.toml").write_text(config)
        _write_recipes(folder / "config" / "recipes")
        server.responder = _reply
        program = Path(sys.executable).with_name("moa-tui")
        with Terminal([str(program), "-r", "slow"], environ, (120, 40)) as terminal:
            terminal.wait_for(READY)
            evening = _Evening(terminal, server)
            warm = None
            for number in range(turns):
                evening.answered_turn(number)
                if number < stops:
                    evening.stopped_turn(number)
                if number == _WARM_TURNS:
                    warm = held(terminal.process.pid)
            end = held(terminal.process.pid)
            code = terminal.end(20)
            return Soak(
                warm or end,
                end,
                tuple(evening.sent),
                tuple(evening.stopped),
                kept_turns(folder / "data" / "moa-tui.db"),
                code,
                terminal.restored,
                time.monotonic() - started,
            )


def held(process: int) -> Held:
    """What a process holds now."""
    status = Path(f"/proc/{process}/status").read_text()
    kilobytes = int(status.partition("VmRSS:")[2].split()[0])
    descriptors, threads = (len(list(Path(f"/proc/{process}/{kind}").iterdir())) for kind in ("fd", "task"))
    return Held(kilobytes / 1024, descriptors, threads)


def kept_turns(database: Path) -> dict[str, Turn]:
    """Every turn of every conversation in a database, by its prompt; its integrity is checked first."""
    with sqlite3.connect(database) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    with Store(database) as store:
        conversations = [store.load(summary.id) for summary in store.summaries()]
    return {turn.prompt: turn for conversation in conversations for turn in conversation.turns}


class _Evening:
    """The person at the keyboard."""

    def __init__(self, terminal: Terminal, server: ModelServer) -> None:
        self._terminal = terminal
        self._server = server
        self.sent: list[str] = []
        self.stopped: list[str] = []

    def answered_turn(self, number: int) -> None:
        """Ask the recipe whose fault is due, and wait for the end of its run."""
        prompt = f"Question {number} of the evening"
        self._ask(f"fault-{FAULTS[number % len(FAULTS)]}", prompt)
        self._wait_for_server(lambda requests: any(_has_ended(request, prompt) for request in requests))
        self._wait_for_the_end()
        self.sent.append(prompt)

    def stopped_turn(self, number: int) -> None:
        """Ask the recipe that never ends, and stop it in the middle."""
        prompt = f"Question {number} that is stopped"
        self._ask("slow", prompt)
        self._terminal.wait_for(RUNNING)
        self._wait_for_server(
            lambda requests: [r.sent_chunks > 3 for r in requests if asks(r, prompt)] == [True, True]
        )
        self._terminal.send("\x1b")
        self._wait_for_the_end()
        self.stopped.append(prompt)

    def _ask(self, recipe: str, prompt: str) -> None:
        self._terminal.send(f"/recipe {recipe}\r")
        self._terminal.wait_for(lambda text: f"{recipe} ·" in text.splitlines()[0])
        self._terminal.send(f"{prompt}\r")
        self._terminal.wait_for(lambda text: prompt in text and READY in text)

    def _wait_for_server(self, condition: Callable[[list[Request]], object]) -> None:
        try:
            self._server.wait_for(condition, 90)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self._terminal.text}") from error

    def _wait_for_the_end(self) -> None:
        self._terminal.wait_for(lambda text: READY in text and RUNNING not in text, 90)


def asks(request: Request, prompt: str) -> bool:
    """True where a request is one of the run that answers `prompt`."""
    return any(prompt in str(message.get("content")) for message in request.body["messages"][-1:])


def _has_ended(request: Request, prompt: str) -> bool:
    return request.key == "final" and request.ended is not None and asks(request, prompt)


def _reply(request: Request) -> str:
    """An ordinary answer; in every third turn the proposers' and the aggregator's are hostile."""
    content = str(request.body["messages"][-1]["content"])
    number = int(content.partition("Question ")[2].split()[0])
    ordinary = f"Answer {number} by {request.key}. " + "It says what tides are and why they come. " * 20
    return f"{ordinary}\n\n{HOSTILE[number // 3 % len(HOSTILE)]}" if number % 3 == 2 else ordinary


def _write_recipes(folder: Path) -> None:
    folder.mkdir()
    proposers = ["lab/told@key=a", "lab/told@key=b"]
    for fault in FAULTS:
        path = folder / f"fault-{fault}.toml"
        write_recipe(path, [*proposers, f"lab/{fault}"], ["lab/told@key=final"], pace=None)
        # The hostile replies are rows of marks, which are to be read to their end.
        limits = "idle_seconds = 2\nfirst_token_seconds = 5\nretries = 2\nloop_guard = false\n"
        path.write_text(f"{path.read_text()}[limits]\n{limits}")
    write_recipe(folder / "slow.toml", ["lab/endless@key=a", "lab/endless@key=b"], ["lab/ok"], pace=None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=60)
    parser.add_argument("--stops", type=int, default=50)
    arguments = parser.parse_args()
    logging.getLogger("aiohttp.server").disabled = True  # The server tells of each reply that was stopped.
    folder = Path(tempfile.mkdtemp(prefix="moa-tui-"))
    try:
        outcome = soak(folder, arguments.turns, arguments.stops)
    finally:
        shutil.rmtree(folder)
    lost = [prompt for prompt in (*outcome.sent, *outcome.stopped) if prompt not in outcome.turns]
    asked = f"{len(outcome.sent)} turns and {len(outcome.stopped)} stops in {outcome.seconds:.0f} s"
    print(f"{asked}; lost: {lost or 'none'}")
    print(f"exit code {outcome.exit_code}, terminal restored: {outcome.is_restored}")
    for name, state in (("warm", outcome.warm), ("end", outcome.end)):
        print(f"{name:>5}: {state.memory:.0f} MB, {state.descriptors} descriptors, {state.threads} threads")


if __name__ == "__main__":
    main()
