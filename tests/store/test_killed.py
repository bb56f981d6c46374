"""Runs whose program was killed: what is kept of them, and what the next start makes of that."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from moa_tui.conversation import Conversation
from moa_tui.engine.agent import Agent
from moa_tui.engine.events import CallStarted, Delta
from moa_tui.engine.values import CallId
from moa_tui.store import Store
from tests.conversations import a_recipe, a_turn

_RUNS = """
import asyncio, sys
from pathlib import Path
from moa_tui.conversation import Conversation, Turn, history
from moa_tui.engine.events import CallEnded, Delta
from moa_tui.engine.values import Chunk, Finish
from moa_tui.engine.run import run
from moa_tui.store import Store
from tests.helpers import recipe

async def stream(agent, messages):
    for number in range(20 if agent.model == "quick" else 100_000):
        await asyncio.sleep(0.005)
        yield Chunk("reasoning" if number < 5 else "text", f"{agent.model} {number} ")
    yield Finish("stop")

async def main():
    store = Store(Path(sys.argv[1]))
    turn = Turn("prompt", recipe(["quick", "slow", "slower"], ["judge"]))
    recording = store.record(Conversation(id="killed"), turn)
    loop = asyncio.get_running_loop()

    def take(event):
        recording.take(event)
        match event:
            case Delta(call, kind, text):
                print("said", loop.time(), call.index, kind, text, flush=True)
            case CallEnded(call, reply):
                print("ended", loop.time(), call.index, reply.status, flush=True)

    await run(turn.recipe, history(turn), stream, take)

asyncio.run(main())
"""


@pytest.mark.program
@pytest.mark.parametrize("seed", range(6))
def test_killed_at_any_moment_it_loses_the_last_second_at_most(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "moa-tui.db"
    moment = random.Random(seed).uniform(0.05, 2.5)
    with subprocess.Popen(
        [sys.executable, "-c", _RUNS, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline().split(" ", 4)]
        while float(lines[-1][1]) < float(lines[0][1]) + moment:
            lines.append(child.stdout.readline().split(" ", 4))
        os.kill(child.pid, signal.SIGKILL)
        lines += [line.split(" ", 4) for line in child.stdout.read().splitlines(keepends=True)]
    # The last line may be half of one.
    lines = [line for line in lines if line[-1].endswith("\n")]
    killed = float(lines[-1][1])
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with Store(path) as store:
        (turn,) = store.load("killed").turns
        assert turn.outcome is not None
        assert turn.outcome.error is not None
        assert (turn.outcome.status, turn.outcome.error.kind) == ("stopped", "interrupted")
        assert {hit.where for hit in store.search("prompt", 5)} == {"prompt"}
    for index in (1, 2, 3):
        own = [line for line in lines if line[2] == str(index)]
        written = turn.outcome.replies.get(CallId(1, index))
        # Half a second is for the machine, which may be busy with other things.
        old = [line for line in own if float(line[1]) < killed - 1.5]
        ended = any(line[0] == "ended" for line in old)
        for kind in ("text", "reasoning"):
            sure = "".join(line[4][:-1] for line in old if line[0] == "said" and line[3] == kind)
            all_of_it = "".join(line[4][:-1] for line in own if line[0] == "said" and line[3] == kind)
            kept = getattr(written, kind, "")
            assert kept.startswith(sure), f"{len(kept)} of {len(sure)} characters that are sure"
            assert all_of_it.startswith(kept) or kept.startswith(all_of_it)
        if ended:
            assert written is not None
            assert (written.status, written.error) == ("done", None)


def test_what_a_cut_off_run_had_written_is_found_after_the_next_start(tmp_path: Path) -> None:
    agent = Agent(model="lab/one", name="one")
    turn = a_turn(recipe=a_recipe())
    asked = replace(turn, outcome=None)
    call = CallId(1, 1)
    with Store(tmp_path / "moa-tui.db") as store:
        recording = store.record(Conversation(), asked)
        recording.take(CallStarted(call, agent, ({"role": "user", "content": asked.prompt},), 0.5))
        recording.take(Delta(call, "text", "A platypus is "))
    with Store(tmp_path / "moa-tui.db") as store:
        (hit,) = store.search("platypus", 5)
        assert (hit.where, hit.agent) == ("proposer", "one")
        (found,) = store.load(hit.summary.id).turns
        assert found.outcome is not None
        assert found.outcome.error is not None
        assert found.outcome.error.kind == "interrupted"
        reply = found.outcome.replies[call]
        assert (reply.text, reply.status) == ("A platypus is ", "stopped")
        assert list(reply.messages) == [{"role": "user", "content": asked.prompt}]


def test_a_run_that_goes_on_elsewhere_is_left_alone(tmp_path: Path) -> None:
    conversation = Conversation()
    asked = replace(a_turn(recipe=a_recipe()), outcome=None)
    call = CallId(1, 1)
    with Store(tmp_path / "moa-tui.db") as store:
        assert store.hold(conversation.id)
        recording = store.record(conversation, asked)
        recording.take(CallStarted(call, Agent(model="lab/one", name="one"), (), 0.5))
        recording.take(Delta(call, "text", "A platypus is "))
        store.summaries()
        with Store(tmp_path / "moa-tui.db") as other:
            assert other.search("platypus", 5) == []
        recording.take(Delta(call, "text", "a mammal."))
        store.summaries()
        (found,) = store.load(conversation.id).turns
        assert found.outcome is not None
        assert found.outcome.replies[call].text == "A platypus is a mammal."
