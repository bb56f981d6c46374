"""What answers left out, on the screen: the line below an answer, the list, and the answer written anew."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from moa_tui.conversation import Conversation
from moa_tui.engine import left_out
from moa_tui.engine.left_out import LeftOutPoint
from moa_tui.engine.values import CallId
from moa_tui.errors import ModelError
from moa_tui.ui.screens.inspect.inspector_screen import InspectorScreen
from moa_tui.ui.screens.left_out_screen import LeftOutScreen
from moa_tui.ui.widgets.live_text import LiveText
from tests.helpers import recipe, wait_until
from tests.ui.chat_app import DUO, FORBIDDEN, HOSTILE, Bench, chat_app, past_turn
from tests.ui.given import command, key

if TYPE_CHECKING:
    from moa_tui.conversation import Turn
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import Outcome

BIRD = "The moa was a flightless bird of New Zealand."
EGGS = "Its eggs weighed **four kilograms** each."
HUNTED = "Hunters killed the last of them before 1450."
SAID: dict[str, Any] = {
    "one": [[f"{BIRD} {EGGS}"]],
    "two": [[f"{BIRD} {HUNTED}"]],
    "judge": [[BIRD], ["Now with its eggs."]],
}
LINE = "left out: 2 points (one 1, two 1)"


async def opened(bench: Bench) -> LeftOutScreen:
    """The list, once it is open."""
    await wait_until(lambda: isinstance(bench.app.screen, LeftOutScreen))
    await bench.settle()
    screen = bench.app.screen
    assert isinstance(screen, LeftOutScreen)
    return screen


async def listed(bench: Bench) -> LeftOutScreen:
    """The list of the last turn's points, opened by the command."""
    await bench.submit("/left")
    return await opened(bench)


@command("left")
@key("turn.left_out", "left_out.close")
@pytest.mark.parametrize("size", [(60, 20), (80, 24), (220, 60)])
async def test_a_line_below_the_answer_counts_the_points_and_a_key_lists_them(size: tuple[int, int]) -> None:
    async with chat_app(DUO, size=size, **SAID) as bench:
        await bench.ask()
        await bench.until_shown(LINE)
        await bench.press("l")
        assert bench.prompt.text == "l", "in the prompt it is a letter"
        bench.prompt.text = ""
        await bench.press("ctrl+up", "l")
        await opened(bench)
        await bench.until_shown("[ ] one", "four kilograms", "[ ] two", "Hunters killed the last of them")
        await bench.until_shown("other answers not found in this one")
        await bench.press("escape")
        await listed(bench)


async def test_where_nothing_was_left_out_no_line_speaks_of_it() -> None:
    async with chat_app(DUO, one=[[BIRD]], two=[[BIRD]], judge=[[BIRD]]) as bench:
        await bench.ask()
        await wait_until(lambda: bench.run.left_out is not None)
        await bench.settle()
        assert "left out" not in bench.shown()
        await bench.submit("/left")
        await bench.until_told("this answer left out no point of the others")


@key("left_out.mark", "left_out.write")
async def test_marked_points_are_written_into_a_new_version_by_one_call() -> None:
    async with chat_app(DUO, **SAID) as bench:
        await bench.ask()
        await listed(bench)
        await bench.until_shown("0 marked. Enter writes the answer again: one call of judge, $0")
        await bench.press("enter")
        await bench.until_told("no point is marked: Space marks one")
        await bench.press("down", "space")
        await bench.until_shown("[x] two", "1 marked")
        await bench.press("enter")
        await bench.until_idle()
        await bench.until_shown("‹2/2›", "Now with its eggs.")
        assert {name: len(calls) for name, calls in bench.models.asked.items()} == {
            "one": 1,
            "two": 1,
            "judge": 2,
        }
        assert f"keep:\n- {HUNTED}\n" in bench.models.asked["judge"][-1][-1]["content"]


@key("left_out.all", "left_out.copy")
async def test_all_or_none_are_marked_by_a_key_and_copied_with_names() -> None:
    async with chat_app(DUO, **SAID) as bench:
        await bench.ask()
        await listed(bench)
        await bench.press("a")
        await bench.until_shown("[x] one", "[x] two", "2 marked")
        await bench.press("a", "space")
        await bench.until_shown("[x] one", "[ ] two", "1 marked")
        await bench.press("y")
        await wait_until(lambda: bench.copied)
        assert bench.copied == [f"- {EGGS} (one)"]


@key("left_out.place")
@pytest.mark.parametrize("pressed", ["o", "right"])
async def test_a_point_is_shown_marked_in_its_answer_and_the_list_is_behind_it(pressed: str) -> None:
    long = "\n\n".join(["This paragraph is only here to be scrolled."] * 60)
    said: dict[str, Any] = {
        **SAID,
        "one": [[f"{BIRD}\n\n{long}\n\n{EGGS}\n\n{long}"]],
        "judge": [[f"{BIRD}\n\n{long}"]],
    }
    async with chat_app(DUO, **said) as bench:
        await bench.ask()
        await listed(bench)
        await bench.press("space", pressed)
        await wait_until(lambda: isinstance(bench.app.screen, InspectorScreen))
        await bench.until_shown("Its eggs weighed four kilograms each.")
        body = bench.app.screen.query_one(LiveText)
        await wait_until(lambda: body.found)
        ((row, ((start, end),)),) = body.found.items()
        assert body.rows[row].content.plain[start:end] == "Its eggs weighed four kilograms each."
        await bench.press("escape")
        await opened(bench)
        await bench.until_shown("[x] one")


async def test_in_another_width_the_points_are_broken_anew_and_stay_marked() -> None:
    long = (
        "Its eggs weighed four kilograms each, and no other bird laid any that were as heavy as those were."
    )
    async with chat_app(DUO, size=(120, 40), **{**SAID, "one": [[long]]}) as bench:
        await bench.ask()
        await listed(bench)
        await bench.press("space")
        await bench.until_shown(f"[x] one {long[:70]}")
        await bench.pilot.resize_terminal(60, 20)
        await bench.until_shown(
            "[x] one Its eggs weighed four kilograms each, and no", "│         other bird laid"
        )


async def test_a_hostile_point_is_shown_as_it_is() -> None:
    for text, readable in HOSTILE.items():
        async with chat_app(DUO, one=[[f"{BIRD} {text} nobody else says that."]], judge=[[BIRD]]) as bench:
            await bench.ask()
            await bench.submit("/left")
            if isinstance(bench.app.screen, LeftOutScreen):
                await bench.until_shown(readable[:20])
            assert not FORBIDDEN & set(bench.shown())


async def test_while_another_run_goes_the_list_opens_and_enter_says_to_wait() -> None:
    gate = asyncio.Event()
    said: dict[str, Any] = {**SAID, "one": [SAID["one"][0], [gate, "more"]]}
    async with chat_app(DUO, **said) as bench:
        await bench.ask()
        await bench.submit("And then?")
        await listed(bench)
        await bench.press("space", "enter")
        await bench.until_told("another answer is being written: press Enter again once it is done")
        bench.open(gate)
        await bench.until_idle()
        await bench.press("enter")
        await bench.until_idle()
        await bench.until_shown("‹2/2›")


async def test_where_the_writer_fails_the_new_version_says_why_and_the_old_one_is_a_key_away() -> None:
    said: dict[str, Any] = {**SAID, "judge": [[BIRD], [ModelError("not_found", "judge has gone", 404)]]}
    async with chat_app(DUO, **said) as bench:
        await bench.ask()
        await listed(bench)
        await bench.press("a", "enter")
        await bench.until_idle()
        await bench.until_shown("judge has gone", "‹2/2›")
        await bench.press("ctrl+up", "left")
        await bench.until_shown("‹1/2›", LINE)


class Measure:
    """Stands for the measure, and counts its uses."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.uses = 0
        patch.setattr(left_out, "left_out", self._measure)

    def _measure(self, outcome: Outcome, recipe: Recipe) -> tuple[LeftOutPoint, ...]:
        self.uses += 1
        return (LeftOutPoint("one says 1", (CallId(1, 1),), 0, 10),)


async def test_of_a_long_conversation_only_the_turns_in_view_are_measured_each_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    measure = Measure(monkeypatch)
    turns: list[Turn] = []
    for number in range(100):
        turns.append(await past_turn(f"prompt {number}", DUO, turns[-1] if turns else None))
    async with chat_app(DUO, conversation=Conversation(tuple(turns), turns[-1])) as bench:
        await bench.until_shown("left out: 1 point (one 1)")
        await wait_until(lambda: bench.transcript.views[-1].run.left_out is not None)
        await bench.settle()
        assert 1 <= measure.uses <= 4, "a turn takes seven lines and more"
        before = measure.uses
        await bench.press("pageup", "pageup", "pageup")
        await wait_until(lambda: measure.uses > before)
        await bench.settle()
        seen = measure.uses
        assert seen < 20
        await bench.press("pagedown", "pagedown", "pagedown", "ctrl+end")
        await bench.settle()
        assert measure.uses == seen


async def test_neither_the_end_of_a_run_nor_the_next_prompt_waits_for_the_measure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate = threading.Event()

    def slow(outcome: Outcome, recipe: Recipe) -> tuple[LeftOutPoint, ...]:
        assert gate.wait(timeout=30)
        return (LeftOutPoint("one says 1", (CallId(1, 1),), 0, 10),)

    monkeypatch.setattr(left_out, "left_out", slow)
    async with chat_app(DUO) as bench:
        try:
            await bench.ask()
            await bench.ask("And then?")
            await bench.until_shown("judge says 2")
            assert "left out" not in bench.shown()
        finally:
            gate.set()
        await bench.until_shown("left out: 1 point (one 1)")


async def test_a_measure_that_fails_takes_nothing_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(outcome: Outcome, recipe: Recipe) -> tuple[LeftOutPoint, ...]:
        raise RuntimeError("a fault")

    monkeypatch.setattr(left_out, "left_out", broken)
    async with chat_app(DUO) as bench:
        await bench.ask()
        await wait_until(lambda: bench.app.faults)
        bench.app.faults.clear()
        await bench.ask("And then?")
        await bench.until_shown("judge says 2")
        await wait_until(lambda: bench.app.faults)
        bench.app.faults.clear()


async def test_an_answer_that_was_voted_for_cannot_be_written_and_enter_says_why() -> None:
    async with chat_app(recipe(["one", "two"], {"task": "vote"}), **SAID) as bench:
        await bench.ask()
        await listed(bench)
        await bench.until_shown("ends with a vote: no model writes its answer")
        await bench.press("space", "enter")
        await bench.until_told("ends with a vote")
        assert isinstance(bench.app.screen, LeftOutScreen)
