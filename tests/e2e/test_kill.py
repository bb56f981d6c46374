"""The installed command killed in the middle of its work: what is older than a second is on disk."""

from __future__ import annotations

import os
import random
import re
import signal
import sqlite3
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest

from moa_tui.store import Store
from tests.e2e.terminal import Terminal

if TYPE_CHECKING:
    from pathlib import Path

    from moa_tui.conversation import Turn
    from tests.warm import WarmStart

if sys.platform == "win32":
    pytest.skip("there is no SIGKILL on Windows", allow_module_level=True)

ROUNDS, AT_ONCE = 5, 6
_TOKENS = re.compile(r"~([1-9][\d,]*) tok")
# What is on the screen was drawn a moment ago, and six programs share the machine.
_A_SECOND_AND_A_LITTLE = 1.25


def killed(program: str, environ: dict[str, str], warm: WarmStart | None, prompt: str, after: float) -> int:
    """Ask, look after so many seconds, kill a second later; how many tokens had been there to see."""
    with Terminal([program, "-r", "demo"], environ, (100, 30), warm=warm) as terminal:
        terminal.wait_for("Ask anything", 30)
        terminal.send(prompt)
        terminal.wait_for(prompt)
        terminal.send("\r")
        terminal.wait_for(_TOKENS.search, 20)
        time.sleep(after)
        seen = max(int(number.replace(",", "")) for number in _TOKENS.findall(terminal.text))
        time.sleep(_A_SECOND_AND_A_LITTLE)
        os.killpg(terminal.process.pid, signal.SIGKILL)
        terminal.process.wait(timeout=5)
    return seen


def tokens(turn: Turn) -> int:
    """About how many tokens of a turn's run are kept, counted as the screen counts them."""
    assert turn.outcome is not None
    return sum(
        reply.usage.completion_tokens
        if reply.status == "done"
        else (len(reply.text) + len(reply.reasoning) + 3) // 4
        for reply in turn.outcome.replies.values()
    )


def test_nothing_older_than_a_second_is_lost_whenever_it_is_killed(
    program: str, environ: dict[str, str], config: Path, tmp_path: Path, warm: WarmStart | None
) -> None:
    environ["MOA_TUI_DATA_DIR"] = str(tmp_path / "kept")
    moments = random.Random(20)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for number in range(ROUNDS):
            # All of a round write to one database at the same time.
            asked = {f"question {number} {other}": moments.uniform(0.0, 3.5) for other in range(AT_ONCE)}
            seen = dict(
                zip(
                    asked,
                    pool.map(lambda one: killed(program, environ, warm, *one), asked.items()),
                    strict=True,
                )
            )
            with closing(sqlite3.connect(tmp_path / "kept" / "moa-tui.db")) as database:
                assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            with Store(tmp_path / "kept" / "moa-tui.db") as store:
                kept = {one.name: store.load(one.id) for one in store.summaries()}
            for prompt, there in seen.items():
                (turn,) = kept[prompt].turns
                assert turn.outcome is not None
                assert turn.outcome.status == "stopped"
                assert turn.outcome.error is not None
                assert turn.outcome.error.kind == "interrupted"
                # The screen rounds what it counts of each reply by itself.
                assert tokens(turn) + len(turn.outcome.replies) >= there > 0
    assert len(kept) == ROUNDS * AT_ONCE


def test_the_next_start_shows_what_was_interrupted_and_goes_on_from_there(
    program: str, environ: dict[str, str], config: Path, tmp_path: Path, warm: WarmStart | None
) -> None:
    environ["MOA_TUI_DATA_DIR"] = str(tmp_path / "kept")
    with ExitStack() as open_:
        first = open_.enter_context(Terminal([program, "-r", "demo"], environ, (100, 40), warm=warm))
        first.wait_for("Ask anything", 30)
        first.send("why moa?\r")
        # The second layer is at work: the first is whole.
        first.wait_for("layer 2 of 3", 30)
        os.killpg(first.process.pid, signal.SIGKILL)
    with Terminal([program, "-c"], environ, (100, 40)) as second:
        second.wait_for("this turn has no end", 30)
        second.send("/again\r")
        text = second.wait_for(lambda text: "‹2/2›" in text and " of 9 calls" in text, 40)
        # The whole first layer was kept, and not asked again.
        made = re.search(r"(\d) of 9 calls", text)
        assert made is not None
        assert 1 <= int(made[1]) <= 5
        assert second.end() == 0
