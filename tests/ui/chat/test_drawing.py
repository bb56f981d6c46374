"""What is laid out and drawn while panes stream and keys are pressed: no more than what has changed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from textual import events

from moa_tui.settings.config import Settings
from moa_tui.ui.chat import following
from moa_tui.ui.prompt import prompt_box
from moa_tui.ui.widgets.run_panel import RunPanel
from tests.helpers import recipe, wait_until
from tests.ui.chat_app import ALONE, chat_app

if TYPE_CHECKING:
    from tests.ui.chat_app import Bench

SIX = recipe(["a", "b", "c", "d", "e", "f"], ["judge"])
WIDE = (200, 50)
STAY = Settings(keep_panes_open=True)


async def at_rest(bench: Bench) -> None:
    """Wait until all that the chat does at its start is done and laid out."""
    await wait_until(lambda: bench.screen.view.box.estimate != "")
    await wait_until(lambda: not any(worker.is_running for worker in bench.app.workers))
    await until_painted(bench)


async def until_painted(bench: Bench) -> None:
    """Wait until all that was to be laid out and painted is."""
    for _ in range(2):  # What is laid out may make others ask for a layout.
        painted = asyncio.Event()
        bench.screen.call_after_refresh(painted.set)
        await asyncio.wait_for(painted.wait(), 10)
        await bench.settle()


def count_layouts(bench: Bench) -> list[object]:
    """A list that grows by one at each layout of the chat from now on."""
    layouts: list[object] = []
    bench.screen.screen_layout_refresh_signal.subscribe(bench.screen, layouts.append, immediate=True)
    return layouts


async def test_a_typed_key_lays_nothing_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt_box, "_EDITED_AFTER_SECONDS", 60)
    async with chat_app(size=WIDE) as bench:
        await bench.press("a")
        await at_rest(bench)
        layouts = count_layouts(bench)
        await bench.press(*"bcdefgh")
        await until_painted(bench)
        assert bench.prompt.text == "abcdefgh"
        assert not layouts


async def test_an_estimate_that_stays_as_it_is_lays_nothing_out() -> None:
    async with chat_app(ALONE) as bench:
        await at_rest(bench)
        layouts = count_layouts(bench)
        bench.screen.view.box.estimate = bench.screen.view.box.estimate
        await until_painted(bench)
        assert not layouts


async def test_keys_in_a_burst_while_panes_stream_are_all_in_the_prompt_in_order() -> None:
    gate = asyncio.Event()
    typed = "the quick brown fox jumps over the lazy dog 0123456789"
    async with chat_app(SIX, size=WIDE, **{name: [["words ", gate, "more"]] for name in "abcdef"}) as bench:
        await bench.submit("What is a moa?")
        await bench.until_writing(*"abcdef")
        for letter in typed:
            pressed = events.Key("space" if letter == " " else letter, letter)
            pressed.set_sender(bench.app)
            bench.app.post_message(pressed)
        bench.open(gate)
        await wait_until(lambda: bench.prompt.text == typed)
        await bench.until_idle()


async def test_the_tick_behind_a_key_is_left_out_and_the_next_one_draws_its_panes_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate = asyncio.Event()
    drawn: list[tuple[int, int]] = []
    async with chat_app(SIX, size=WIDE, **{name: [["words ", gate]] for name in "abcdef"}) as bench:
        await bench.submit("What is a moa?")
        await bench.until_writing(*"abcdef")
        assert bench.screen.view.ticker is not None
        bench.screen.view.ticker.pause()
        ticking = bench.screen.controllers.following
        monkeypatch.setattr(following, "_KEY_FIRST_SECONDS", 60)
        monkeypatch.setattr(RunPanel, "tick", lambda _, turn=0, every=1: drawn.append((turn, every)))
        await ticking.tick()
        drawn.clear()
        bench.app.key_read()
        for _ in range(6):
            await ticking.tick()
        turns = [turn for turn, _ in drawn]
        assert turns == [(turns[0] + number) % 6 for number in range(6)], "none is left out for good"
        drawn.clear()
        await ticking.tick()
        assert not drawn
        bench.open(gate)
        bench.screen.view.ticker.resume()
        await bench.until_idle()


async def test_the_panes_drawn_in_one_tick_are_neighbours_and_each_has_its_turn() -> None:
    async with chat_app(SIX, size=WIDE, settings=STAY) as bench:
        await bench.ask()
        ticked: list[int] = []
        panes = bench.panes
        assert len(panes) == 6
        for number, pane in enumerate(panes):
            pane.tick = lambda now, number=number: ticked.append(number)  # type: ignore[method-assign]
        for turn in range(3):
            bench.panel.tick(turn, 3)
        assert ticked == [0, 1, 2, 3, 4, 5]
        ticked.clear()
        bench.panel.tick()
        assert ticked == [0, 1, 2, 3, 4, 5]


async def test_a_pane_that_grows_draws_the_changed_lines_and_no_more() -> None:
    gate, end = asyncio.Event(), asyncio.Event()
    first = "".join(f"line {number}\n" for number in range(4))
    async with chat_app(
        recipe(["a", "b"], ["judge"]), size=(120, 40), a=[[first, gate, "new words", end]], b=[["x", end]]
    ) as bench:
        await bench.submit("What is a moa?")
        await bench.until_writing("a", "b")
        await bench.until_shown("line 3")
        pane = bench.panes[0]
        drawn: list[int] = []
        paint = pane.paint

        def recorded(y: int, width: int) -> object:
            drawn.append(y)
            return paint(y, width)

        pane.paint = recorded  # type: ignore[method-assign,assignment]
        bench.open(gate)
        await bench.until_shown("new words")
        assert drawn
        assert min(drawn) == 4, "the lines above it were drawn before"
        bench.open(end)
        await bench.until_idle()


@pytest.mark.program
def test_a_key_is_painted_within_milliseconds_of_the_frame_before() -> None:
    code = "import moa_tui.ui; from textual import constants; print(constants.MAX_FPS)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(run.stdout) >= 250
