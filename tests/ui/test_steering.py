"""Changing one agent's part in a turn, from its pane and by command."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

import pytest

from moa_tui.errors import UsageError
from moa_tui.ui.model_screen import ModelScreen
from moa_tui.ui.steering_actions import swap_words
from tests.helpers import wait_until
from tests.ui.chat import DUO, chat_app

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.ui.chat import Bench

T = TypeVar("T")

commands_tested: set[str] = set()
keys_tested: set[str] = set()


def command(name: str) -> Callable[[T], T]:
    """Marks a test of this command."""
    commands_tested.add(name)
    return lambda test: test


def key(name: str) -> Callable[[T], T]:
    """Marks a test of this binding."""
    keys_tested.add(name)
    return lambda test: test


def asked(bench: Bench) -> list[int]:
    return [len(bench.models.asked[name]) for name in ("one", "two", "judge")]


async def in_pane(bench: Bench, number: int, press: str) -> None:
    """Press a key in a pane of layer 1, and wait until what it began is over."""
    if not bench.is_open:
        await bench.press("ctrl+l")
    bench.panel.pick(1)
    await bench.settle()
    bench.panes[number - 1].focus()
    await bench.settle()
    before = bench.session.run
    await bench.press(press)
    await wait_until(lambda: bench.session.run is not before)
    await bench.until_idle()


async def refused(bench: Bench, text: str, why: str) -> None:
    before = asked(bench)
    await bench.submit(text)
    await bench.until_told(why)
    assert asked(bench) == before
    bench.prompt.fill("")


@key("pane.retry")
async def test_r_in_a_pane_asks_that_agent_again_and_what_comes_after_it() -> None:
    async with chat_app(DUO, size=(120, 40)) as bench:
        await bench.ask()
        await in_pane(bench, 2, "r")
        assert asked(bench) == [1, 2, 2]
        await bench.until_shown("You  ‹2/2›", "judge says 2")


@key("pane.leave_out")
async def test_x_in_a_pane_leaves_that_answer_out_and_again_takes_it_back_in() -> None:
    async with chat_app(DUO, size=(120, 40)) as bench:
        await bench.ask()
        await in_pane(bench, 1, "x")
        assert asked(bench) == [1, 1, 2]
        await bench.until_shown("L1 –✓", "left out by hand")
        await in_pane(bench, 1, "x")
        assert asked(bench) == [1, 1, 3]
        await bench.until_shown("L1 ✓✓")
        assert "left out by hand" not in bench.shown()


@key("pane.use")
async def test_u_in_a_pane_makes_its_answer_the_turns() -> None:
    async with chat_app(DUO, size=(120, 40)) as bench:
        await bench.ask()
        await in_pane(bench, 2, "u")
        assert asked(bench) == [1, 1, 1]
        await bench.until_shown("taken by hand")
        assert bench.turn.answer == "two says 1"


@key("pane.model")
async def test_m_in_a_pane_asks_for_a_model_to_take_its_place() -> None:
    async with chat_app(DUO, size=(120, 40)) as bench:
        await bench.ask()
        await bench.press("ctrl+l")
        bench.panel.pick(1)
        await bench.settle()
        bench.panes[0].focus()
        await bench.settle()
        await bench.press("m")
        await wait_until(lambda: isinstance(bench.app.screen, ModelScreen))
        await bench.press(*"demo/terse")
        await bench.until_shown("demo/terse")
        before = bench.session.run
        await bench.press("enter")
        await wait_until(lambda: bench.session.run is not before)
        await bench.until_idle()
        assert asked(bench) == [1, 1, 2]
        assert len(bench.models.asked["demo/terse"]) == 1


async def test_nothing_is_changed_while_a_run_goes_on() -> None:
    gate = asyncio.Event()
    async with chat_app(DUO, size=(120, 40), judge=[["x", gate]]) as bench:
        await bench.submit("hi")
        await bench.until_writing("judge")
        for text in ("/retry 1", "/without 1", "/propose mine", "/swap 1 new", "/amend 1 text"):
            await refused(bench, text, "a run is going on")
        bench.open(gate)
        await bench.until_idle()


@command("without")
@command("amend")
@command("propose")
@command("swap")
async def test_every_change_has_a_command() -> None:
    async with chat_app(DUO, size=(120, 40)) as bench:
        await refused(bench, "/without 1", "no answer yet")
        await bench.ask()
        await bench.ask("/retry 1")
        assert asked(bench) == [2, 1, 2]
        await bench.ask("/without 2")
        assert asked(bench) == [2, 1, 3]
        await bench.ask("/amend L1.1 My own words.")
        assert asked(bench) == [2, 1, 4]
        assert "My own words." in bench.models.asked["judge"][-1][0]["content"]
        await bench.ask("/propose And mine.")
        assert asked(bench) == [2, 1, 5]
        assert "And mine." in bench.models.asked["judge"][-1][0]["content"]
        await bench.ask("/swap 1 new temperature=0.2")
        assert asked(bench) == [2, 1, 6]
        assert len(bench.models.asked["new"]) == 1
        await bench.until_shown("‹6/6›")
        await refused(bench, "/without 9", "no agent 9")
        await refused(bench, "/swap 1", "another model or temperature")
        await refused(bench, "/propose", "an answer is needed")


@pytest.mark.parametrize("words", ["", "a b", "top_p=1", "temperature=hot"])
def test_words_behind_swap_that_mean_nothing_are_refused(words: str) -> None:
    with pytest.raises(UsageError):
        swap_words(words)
