"""`ask` with an answer that is written beside the answers it reads: what is written where, and when."""

from __future__ import annotations

import asyncio
import io
import json
import threading
from typing import TYPE_CHECKING, Literal

import pytest

from moa_tui.cli.headless import ANSWERED, Request, answer
from tests.chat.helpers import Gate
from tests.helpers import recipe

if TYPE_CHECKING:
    from moa_tui.chat.session import ChatSession
    from moa_tui.engine.recipe import Recipe
    from moa_tui.gateway.thread import EngineThread
    from tests.fakes import FakeModels

STAIRS = recipe(["one", "two"], {"agents": ["judge"], "stairs": {"chunk": 16, "wait": 1}}, retries=0)
MOA = "The moa of New Zealand was a large bird that could not fly, and people hunted all of its species. "
SORTING = "Quicksort partitions an array around a pivot value and then sorts both of its halves recursively. "


@pytest.fixture
def chat_recipe() -> Recipe:
    return STAIRS


class Watched(io.StringIO):
    """An output that calls `on_text` once `words` have been written to it."""

    def __init__(self, words: str, on_text: threading.Event) -> None:
        super().__init__()
        self._words, self._on_text = words, on_text

    def write(self, text: str) -> int:
        count = super().write(text)
        if self._words in self.getvalue():
            self._on_text.set()
        return count


class OpensThen(asyncio.Event):
    """A step of a script that waits for nothing, and lets go on what waits for `other`."""

    def __init__(self, other: asyncio.Event) -> None:
        super().__init__()
        self._other = other

    async def wait(self) -> Literal[True]:
        self._other.set()
        return True


@pytest.fixture
def gate(engine: EngineThread, models: FakeModels) -> Gate:
    """What both proposers wait for in the middle of their answers; the second of them differs."""
    gate = Gate(engine)
    models.scripts = {
        "one": [[MOA * 3, gate.event, "That is all."]],
        "two": [[gate.event, SORTING * 3]],
        "judge": [["The moa was a bird. "], ["It is extinct."]],
    }
    return gate


def test_the_answer_is_written_while_others_write_and_stderr_says_both(
    session: ChatSession, gate: Gate
) -> None:
    begun = threading.Event()
    out, err = Watched("The moa was a bird.", begun), io.StringIO()

    def open_when_begun() -> None:
        assert begun.wait(15), "nothing of the answer is written before its references are finished"
        gate.open()

    opener = threading.Thread(target=open_when_begun)
    opener.start()
    code = answer(Request("What is a moa?", STAIRS), session, out, err)
    opener.join()
    assert code == ANSWERED
    assert out.getvalue().startswith("The moa was a bird. It is extinct.")
    assert out.getvalue().count("a bird") == 1, "what was shown is not written again"
    told = err.getvalue().splitlines()
    first = next(at for at, line in enumerate(told) if "L2.1 judge: part 1 from 1 of 2 beginnings" in line)
    ended = next(at for at, line in enumerate(told) if line.startswith("L1.1 one: done"))
    assert first < ended
    assert any(line.startswith("L2.1 judge: part 2 from ") for line in told)
    assert any("note: part 1 was written from the beginnings of 1 of 2 answers" in line for line in told)
    offer = (
        "an answer that came late differs: moa-tui --continue, then F9, writes the answer again from all 2"
    )
    assert f"moa-tui: {offer} ($0)" in told


def test_json_has_the_steps_with_what_was_read(session: ChatSession, models: FakeModels) -> None:
    held = asyncio.Event()
    models.scripts = {
        "one": [[MOA * 3, held, "That is all."]],
        "two": [[MOA * 2]],
        "judge": [[OpensThen(held), "The moa was a bird. "], ["It is extinct."]],
    }
    out = io.StringIO()
    answer(Request("What is a moa?", STAIRS, output="json", quiet=True), session, out, io.StringIO())
    document = json.loads(out.getvalue())
    steps = document["layers"][1]["calls"][0]["steps"]
    assert (steps[0]["characters"], steps[-1]["characters"]) == (19, len(document["answer"]))
    assert {call["index"] for call in steps[-1]["read"] if call["ended"]} == {1, 2}


def test_of_a_private_answer_only_who_came_late_is_told(session: ChatSession, gate: Gate) -> None:
    session.chat.private = True
    begun = threading.Event()
    opener = threading.Thread(target=lambda: begun.wait(15) and gate.open())
    opener.start()
    err = io.StringIO()
    answer(Request("What is a moa?", STAIRS), session, Watched("bird", begun), err)
    opener.join()
    assert "came late and differs from what the answer was begun from: L1.2 two" in err.getvalue()
