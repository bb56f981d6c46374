"""A run whose answer is written beside the answers it reads, through the real engine, on the screen."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from moa_tui.engine.values import CallId
from moa_tui.errors import ModelError
from moa_tui.ui.screens.inspect.inspector_screen import InspectorScreen
from tests.helpers import recipe, wait_until
from tests.ui.chat_app import chat_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.fakes import Step
    from tests.ui.chat_app import Bench

ONE, TWO, THREE, FINAL = CallId(1, 1), CallId(1, 2), CallId(1, 3), CallId(2, 1)
STAIRS = recipe(["one", "two", "three"], {"agents": ["judge"], "stairs": {"chunk": 16, "wait": 2}}, retries=0)
START = recipe(["one", "two", "three"], {"agents": ["judge"], "start": {"with": 2}}, retries=0)
MOA = (
    "The moa of New Zealand was a large bird that could not fly, and people hunted all of its nine species. "
)
KAURI = "Quicksort partitions an array around a pivot value and then sorts both of its halves recursively. "


class Held:
    """What a test lets go on: each proposer writes, waits, and ends; the judge waits in its second part."""

    def __init__(self) -> None:
        self.proposers, self.judge = asyncio.Event(), asyncio.Event()


@asynccontextmanager
async def both_write(
    this: object = STAIRS, size: tuple[int, int] = (120, 40), **scripts: Any
) -> AsyncIterator[tuple[Bench, Held]]:
    """The chat at the moment at which the first part of the answer stands and the proposers still write."""
    held = Held()
    ends: list[Step] = [MOA * 3, held.proposers, "That is all."]
    given = {
        "one": [[MOA, *ends]],
        "two": [[MOA, *ends]],
        "three": [["Three has hardly ", held.proposers, "begun."]],
        "judge": [["The moa was a bird. "], [held.judge, "It is extinct. "], ["People ate it."]],
        **scripts,
    }
    async with chat_app(this, size=size, **given) as bench:  # type: ignore[arg-type]
        await bench.submit("What is a moa?")
        await wait_until(lambda: bench.state.run_view is not None)
        await wait_until(lambda: "The moa was a bird." in bench.run.answer)
        await bench.settle()
        yield bench, held


async def end(bench: Bench, held: Held) -> None:
    bench.open(held.proposers, held.judge)
    await bench.until_idle()


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (220, 60)], ids=["80x24", "120x40", "220x60"])
async def test_the_answer_grows_while_the_panes_write_and_ends_with_all_of_them_read(
    size: tuple[int, int],
) -> None:
    async with both_write(size=size) as (bench, held):
        await bench.until_shown("The moa was a bird.", "0 of 3 answers; ", "L1 ●●● │ Final ●")
        assert bench.is_open
        await end(bench, held)
        await bench.until_shown("People ate it.", "part 1 was written from the beginnings of 2 of 3 answers")
        assert bench.turn.answer.startswith("The moa was a bird. ")
        assert len(bench.run.final.steps) >= 2
        assert len(bench.models.asked["judge"]) == len(bench.run.final.steps)
        bench.screen.controllers.looking.inspect(bench.run, FINAL)
        await wait_until(lambda: isinstance(bench.app.screen, InspectorScreen))
        await bench.press("6")
        await bench.until_shown("part 1 of", "2 of 3 beginnings")
        await bench.press("3")
        await bench.until_shown("sent for part 1: 2 of 3 beginnings")
        await bench.press("t")
        await bench.until_shown("waits for more to read", "L2.1 judge")


async def test_escape_stops_both_and_what_stands_of_the_answer_stays() -> None:
    async with both_write() as (bench, _):
        await bench.press("escape")
        await bench.until_idle()
        await bench.until_shown("The moa was a bird.", "■ stopped")
        assert [view.state for view in bench.run.views] == ["stopped"] * 4


async def test_s_in_a_pane_stops_one_and_the_answer_goes_on_without_the_rest_of_it() -> None:
    async with both_write() as (bench, held):
        bench.panes[0].focus()
        await bench.settle()
        await bench.press("s")
        await wait_until(lambda: bench.run.view(ONE).state == "stopped")
        assert bench.run.view(TWO).state == bench.run.final.state == "writing"
        await end(bench, held)
        assert bench.run.outcome is not None
        assert bench.run.outcome.status == "done"
        await bench.until_shown("People ate it.")


async def test_x_in_a_pane_leaves_one_out_while_both_layers_write() -> None:
    async with both_write() as (bench, held):
        bench.panes[1].focus()
        await bench.settle()
        await bench.press("x")
        await wait_until(lambda: bench.run.view(TWO).state == "excluded")
        assert bench.run.final.state == "writing"
        await end(bench, held)
        assert bench.run.outcome is not None
        assert bench.run.outcome.status == "done"
        await bench.until_shown("left out by hand")


async def test_r_in_a_pane_asks_a_failed_proposer_again_and_the_answer_reads_it() -> None:
    failing = [[ModelError("server", "no")], ["Three says it was hunted."]]
    async with both_write(three=failing) as (bench, held):
        await wait_until(lambda: bench.run.view(THREE).state == "failed")
        bench.panes[2].focus()
        await bench.settle()
        await bench.press("r")
        await wait_until(lambda: len(bench.models.asked["three"]) == 2)
        assert bench.run.final.state == "writing"
        await end(bench, held)
        assert bench.run.outcome is not None
        assert bench.run.outcome.status == "done"
        sent = "\n".join(message["content"] for message in bench.models.asked["judge"][-1])
        assert "Three says it was hunted." in sent


async def test_another_aggregator_writes_beside_the_stopped_answer_once_all_are_done() -> None:
    async with both_write() as (bench, held):
        first = bench.run
        await bench.submit("/swap L2.1 other")
        await bench.until_told("it is stopped, and written as changed")
        assert first.view(ONE).state == "writing", "what the proposers write is not lost"
        bench.open(held.proposers, held.judge)
        await wait_until(lambda: bench.state.run_view is not first)
        await bench.until_idle()
        await bench.until_shown("other says 1", "‹2/2›")
        assert [len(bench.models.asked[name]) for name in ("one", "two", "three", "other")] == [1, 1, 1, 1]


async def test_an_aggregator_that_has_not_begun_is_swapped_in_the_run() -> None:
    held = Held()
    scripts: dict[str, Any] = {
        name: [["Hardly ", held.proposers, "begun."]] for name in ("one", "two", "three")
    }
    async with chat_app(STAIRS, size=(120, 40), **scripts) as bench:
        await bench.submit("What is a moa?")
        await bench.until_writing("one", "two", "three")
        await bench.submit("/swap L2.1 other")
        await wait_until(lambda: bench.run.final.agent.model == "other")
        await end(bench, held)
        await bench.until_shown("other says 1")
        assert not bench.models.asked["judge"]


async def test_ctrl_g_goes_on_with_what_is_ready_and_the_answer_reads_no_more() -> None:
    async with both_write(one=[["One is done. " + MOA]]) as (bench, held):
        await wait_until(lambda: bench.run.view(ONE).state == "done")
        bench.open(held.judge)
        await bench.press("ctrl+g")
        await bench.until_idle()
        assert bench.run.view(TWO).state == bench.run.view(THREE).state == "stopped"
        assert bench.run.outcome is not None
        assert bench.run.outcome.status == "done"
        await bench.until_shown("People ate it.")


async def test_a_late_answer_that_differs_is_offered_by_f9() -> None:
    late = asyncio.Event()
    async with both_write(three=[["", late, KAURI * 3]]) as (bench, held):
        bench.open(late)
        await end(bench, held)
        await bench.until_shown("an answer that came late differs: F9 writes the answer again from all 3")
        await bench.press("f9")
        await bench.until_shown("‹2/2›")
        await bench.until_idle()
        assert [len(bench.models.asked[name]) for name in ("one", "two", "three")] == [1, 1, 1]


async def test_an_answer_begun_from_the_first_whole_ones_says_so() -> None:
    last, judge = asyncio.Event(), asyncio.Event()
    async with chat_app(
        START,
        size=(120, 40),
        one=[[MOA]],
        two=[[MOA]],
        three=[["Three ", last, "is late."]],
        judge=[["The moa ", judge, "was a bird."]],
    ) as bench:
        await bench.submit("What is a moa?")
        await bench.until_shown("2 of 3 answers; writing the answer, begun from 2 whole answers", "The moa")
        bench.open(judge)
        await wait_until(lambda: "was a bird." in bench.run.answer)
        bench.open(last)
        await bench.until_idle()
        await bench.until_shown("it was written from 2 of 3 answers")


async def test_an_answer_of_which_nothing_is_shown_is_begun_again_and_says_so() -> None:
    last, first_try = asyncio.Event(), asyncio.Event()
    async with chat_app(
        START,
        size=(120, 40),
        one=[[MOA]],
        two=[[MOA]],
        three=[["", last, KAURI * 2]],
        judge=[[first_try, "never shown"], ["Both are told."]],
    ) as bench:
        await bench.submit("What is a moa?")
        await bench.until_shown("begun from 2 whole answers")
        bench.open(last)
        await bench.until_idle()
        await bench.until_shown("Both are told.")
        assert "never shown" not in bench.turn.answer
        assert len(bench.models.asked["judge"]) == 2
