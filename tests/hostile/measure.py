"""How long a hostile reply holds the interpreter, how much memory it takes, and whether its limit ends it.

`python -m tests.hostile.measure` measures every place, content and size on every protocol and prints what
came of each, the worst, and a JSON document of all; `--sizes 1000,1000000`, `--wires openai`,
`--places error,event` and `--contents pem,pairs` choose some. A heartbeat of 5 ms on this thread, which is
there in the place of the screen's, tells how late a key would be while the engine reads the reply.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from contextlib import aclosing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from moa_tui.engine.agent import Agent
from moa_tui.engine.values import Finish
from moa_tui.errors import ModelError
from moa_tui.gateway.gateway import Gateway
from moa_tui.gateway.thread import EngineThread, load_litellm_stream
from moa_tui.settings.config import Endpoint
from tests.hostile.client import confirm
from tests.hostile.replies import CONTENTS, PLACES, hostile_server

if TYPE_CHECKING:
    from concurrent.futures import Future

BEAT_SECONDS = 0.005
LIMIT_SECONDS = 2.0
SIZES = (1_000, 8_000, 25_000, 260_000, 1_000_000, 100_000_000)
WIRES = ("openai", "ollama", "anthropic")
# A machine that does something else makes a beat late too: such a case is measured again.
LATE_SECONDS = 0.1
ROUNDS = 3


@dataclass(frozen=True)
class Outcome:
    """What a hostile reply came to; times in seconds, memory in bytes over that of the start."""

    case: str
    latest: float
    seconds: float
    memory: int
    end: str


class Victim:
    """Asks the hostile server as the program asks any, on the engine's own thread."""

    def __init__(self, root: str, engine: EngineThread) -> None:
        self.root = root
        self._engine = engine
        self._gateway = Gateway({"openai_wire": Endpoint(base_url=f"{root}/v1")}, {})
        load_litellm_stream()

    def agent(self, wire: str, model: str) -> Agent:
        if wire == "openai":
            return Agent(model=f"openai_wire/{model}")
        provider = "ollama_chat" if wire == "ollama" else wire
        return Agent(model=f"{provider}/{model}", api_base=self.root)

    async def read(self, agent: Agent, limit: float) -> str:
        """Read the whole reply; how it ended."""
        characters = 0
        confirm(self._gateway, agent)
        try:
            async with (
                asyncio.timeout(limit),
                aclosing(self._gateway.stream(agent, [{"role": "user", "content": "hello"}])) as pieces,
            ):
                async for piece in pieces:
                    characters += 0 if isinstance(piece, Finish) else len(piece.text)
        except ModelError as error:
            return f"{error.kind}: {error.message[:80]!r}"
        except TimeoutError:
            return "ended by its limit"
        return f"{characters} characters"

    def measure(self, wire: str, model: str, limit: float = LIMIT_SECONDS) -> Outcome:
        """One reply, on the calling thread's heartbeat; the best of some rounds, where a beat was late."""
        outcomes = []
        for _ in range(ROUNDS):
            work = self._engine.submit(self.read(self.agent(wire, model), limit))
            latest, seconds, memory = asyncio.run(beats_until(work))
            outcomes.append(Outcome(f"{wire} {model}", latest, seconds, memory, work.result()))
            if latest < LATE_SECONDS:
                break
        return min(outcomes, key=lambda outcome: outcome.latest)


async def beats_until(done: Future[str]) -> tuple[float, float, int]:
    """The latest beat, the seconds until `done`, and the memory that came to be used, over that at first."""
    began = time.perf_counter()
    first = memory = resident()
    latest = 0.0
    while not done.done():
        begin = time.perf_counter()
        await asyncio.sleep(BEAT_SECONDS)
        latest = max(latest, time.perf_counter() - begin - BEAT_SECONDS)
        memory = max(memory, resident())
    return latest, time.perf_counter() - began, memory - first


def resident() -> int:
    """Bytes of memory that this process holds; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
    except OSError:
        return 0


def models(places: list[str], contents: list[str], sizes: list[int]) -> list[str]:
    """The names of all replies to measure: each content as it is, and compressed where it is long."""
    names = []
    for place in places:
        for content in contents:
            for size in sizes:
                names.append(f"{place}.{content}.{size}")
                if size >= 250_000 and content in ("zeros", "spaces", "pem", "events", "letters"):
                    names += [f"{place}.{content}.{size}.gzip", f"{place}.{content}.{size}.deflate"]
    return names


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what hostile replies do to the screen's thread.")
    parser.add_argument("--wires", default=",".join(WIRES))
    parser.add_argument("--places", default=",".join(PLACES))
    parser.add_argument("--contents", default=",".join(CONTENTS))
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--json", type=Path, help="where to write all outcomes")
    options = parser.parse_args()
    names = models(
        options.places.split(","), options.contents.split(","), [*map(int, options.sizes.split(","))]
    )
    outcomes = []
    with hostile_server() as root, EngineThread() as engine:
        victim = Victim(root, engine)
        victim.measure("openai", "text.words.1000")
        for wire in options.wires.split(","):
            for name in names:
                outcomes.append(outcome := victim.measure(wire, name))
                if outcome.latest > LATE_SECONDS or outcome.seconds > LIMIT_SECONDS + 0.5:
                    print("!", end=" ")
                print(
                    f"{outcome.case:<46} late {outcome.latest * 1e3:7.1f} ms  took {outcome.seconds:6.2f} s  "
                    f"memory {outcome.memory / 1e6:6.1f} MB  {outcome.end}",
                    flush=True,
                )
    for key in ("latest", "seconds", "memory"):
        worst = max(outcomes, key=lambda outcome: getattr(outcome, key))
        print(f"worst {key}: {worst}")
    document = json.dumps([asdict(outcome) for outcome in outcomes])
    if options.json:
        options.json.write_text(document)
    else:
        print(document)


if __name__ == "__main__":
    main()
