"""Changing one agent's part in a turn, from its pane and by command."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from moa_tui.chat.command_words import agent_settings
from moa_tui.engine.values import CallId
from moa_tui.errors import ModelError, UsageError
from moa_tui.ui.screens.recipes.model_screen import ModelScreen
from tests.helpers import recipe, wait_until
from tests.ui.chat_app import DUO, chat_app
from tests.ui.given import command, key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.ui.chat_app import Bench


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
    before = bench.state.run_view
    await bench.press(press)
    await wait_until(lambda: bench.state.run_view is not before)
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
        before = bench.state.run_view
        await bench.press("enter")
        await wait_until(lambda: bench.state.run_view is not before)
        await bench.until_idle()
        assert asked(bench) == [1, 1, 2]
        assert len(bench.models.asked["demo/terse"]) == 1


@key("pane.amend")
async def test_e_in_a_pane_puts_the_answer_into_the_prompt_to_be_changed() -> None:
    async with chat_app(DUO, size=(120, 40)) as bench:
        await bench.ask()
        await bench.press("ctrl+l")
        bench.panel.pick(1)
        await bench.settle()
        bench.panes[1].focus()
        await bench.press("e")
        assert bench.prompt.text == "/amend L1.2 two says 1"
        await bench.press(*" and more", "enter")
        await wait_until(lambda: len(bench.models.asked["judge"]) == 2)
        await bench.until_idle()
        assert "two says 1 and more" in bench.models.asked["judge"][-1][0]["content"]


@key("panel.add")
async def test_a_in_the_panes_asks_one_more_model() -> None:
    async with chat_app(DUO, size=(120, 40)) as bench:
        await bench.ask()
        await bench.press("ctrl+l", "a")
        await wait_until(lambda: isinstance(bench.app.screen, ModelScreen))
        await bench.press(*"demo/terse")
        await bench.until_shown("demo/terse")
        before = bench.state.run_view
        await bench.press("enter")
        await wait_until(lambda: bench.state.run_view is not before)
        await bench.until_idle()
        assert asked(bench) == [1, 1, 2]
        assert "demo/terse says 1" in bench.models.asked["judge"][-1][0]["content"]


# --- while it goes ----------------------------------------------------------------------------------------


@asynccontextmanager
async def half_way(**scripts: Any) -> AsyncIterator[tuple[Bench, asyncio.Event]]:
    """A run whose first agent has answered and whose second is writing, until the gate is opened."""
    gate = asyncio.Event()
    async with chat_app(DUO, size=(120, 40), **{"two": [["two begins", gate], ["two"]], **scripts}) as bench:
        await bench.submit("hi")
        await bench.until_writing("two")
        await wait_until(lambda: bench.run.view(CallId(1, 1)).over)
        yield bench, gate


async def test_while_a_layer_writes_an_agent_joins_it_in_a_pane_of_its_own() -> None:
    async with half_way() as (bench, gate):
        run = bench.run
        await bench.submit("/add new temperature=0.2")
        await bench.until_shown("3 new", "new says 1")
        bench.open(gate)
        await bench.until_idle()
        assert bench.state.run_view is run
        assert asked(bench) == [1, 1, 1]
        assert "new says 1" in bench.models.asked["judge"][0][0]["content"]
        await bench.until_shown("L1 ✓✓✓")
        kept = bench.library.load(bench.chat.conversation.id).turns[-1]
        assert [agent.name for agent in kept.recipe.lineup[0]] == ["one", "two", "new"]
        assert kept.recipe.lineup[0][2].temperature == 0.2
        assert kept.outcome is not None
        assert kept.outcome.replies[CallId(1, 3)].text == "new says 1"


async def test_while_a_layer_writes_answers_are_left_out_taken_back_asked_again_and_changed() -> None:
    async with half_way() as (bench, gate):
        await bench.submit("/without 1")
        await bench.until_shown("L1 –●")
        await bench.submit("/without 1")
        await bench.until_shown("L1 ✓●")
        await bench.submit("/retry 1")
        await bench.until_shown("L1 –●✓")
        await bench.submit("/amend 3 What I say.")
        await bench.until_shown("L1 –●–✓")
        bench.panes[1].focus()
        await bench.press("x")
        await bench.until_idle()
        assert asked(bench) == [2, 1, 1]
        sent = bench.models.asked["judge"][0][0]["content"]
        assert "What I say." in sent
        assert not any(text in sent for text in ("one says 1", "one says 2", "two begins"))
        kept = bench.library.load(bench.chat.conversation.id).turns[-1]
        assert kept.outcome is not None
        replies = kept.outcome.replies
        assert [replies[CallId(1, n)].status for n in (1, 2, 3, 4)] == ["excluded"] * 3 + ["done"]
        assert [replies[CallId(1, n)].text for n in (1, 2)] == ["one says 1", "two begins"]
        bench.open(gate)


async def test_an_agent_that_is_still_to_come_is_swapped_before_it_is_asked() -> None:
    async with half_way() as (bench, gate):
        await bench.submit("/swap 2.1 new")
        await wait_until(lambda: bench.run.view(CallId(2, 1)).agent.model == "new")
        bench.open(gate)
        await bench.until_idle()
        assert asked(bench) == [1, 1, 0]
        assert bench.turn.answer == "new says 1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/without 1", [1, 1, 2]),
        ("/retry 1", [2, 1, 2]),
        ("/amend 2 My words.", [1, 1, 2]),
        ("/propose My words.", [1, 1, 2]),
        ("/add new", [1, 1, 2]),
        ("/swap 1 new", [1, 1, 2]),
        ("/retry 2.1", [1, 1, 2]),
        ("/swap 2.1 new", [1, 1, 1]),
        ("/use 2", [1, 1, 1]),
        ("/again prompt As a table.", [1, 1, 2]),
    ],
)
async def test_a_run_that_is_too_far_on_is_stopped_and_stays_beside_what_comes_of_the_change(
    text: str, expected: list[int]
) -> None:
    gate = asyncio.Event()
    async with chat_app(DUO, size=(120, 40), judge=[["judge begins", gate], ["judge"]]) as bench:
        await bench.submit("hi")
        await bench.until_writing("judge")
        await bench.submit(text)
        await bench.until_shown("‹2/2›")
        await bench.until_idle()
        assert asked(bench) == expected
        first, second = bench.chat.conversation.turns
        assert first.outcome is not None
        assert (first.outcome.status, first.outcome.answer) == ("stopped", "judge begins")
        assert second.outcome is not None
        assert second.outcome.status == "done"
        assert bench.chat.turn is second
        bench.open(gate)


async def test_a_lone_agent_of_a_layer_is_asked_again_by_stopping_what_it_writes() -> None:
    gate = asyncio.Event()
    judge = {"agents": ["three"], "task": "judge"}
    judged = recipe(["one", "two"], judge, {"agents": ["judge"], "reads": "all"})
    async with chat_app(judged, size=(120, 40), three=[["{", gate], ["{}"]]) as bench:
        await bench.submit("hi")
        await bench.until_writing("three")
        await bench.submit("/retry 2.1")
        await bench.until_shown("‹2/2›")
        await bench.until_idle()
        assert [len(bench.models.asked[name]) for name in ("one", "two", "three", "judge")] == [1, 1, 2, 1]
        bench.open(gate)


async def test_what_cannot_be_done_stops_nothing() -> None:
    gate = asyncio.Event()
    async with chat_app(
        DUO, size=(120, 40), two=[[ModelError("auth", "no", 401)]], judge=[["x", gate]]
    ) as bench:
        await bench.submit("hi")
        await bench.until_writing("judge")
        await refused(bench, "/without 1", "last answer of its layer")
        await refused(bench, "/without 9", "no agent 9")
        await refused(bench, "/use 2", "has no answer that could be used")
        await refused(bench, "/add", "a model or a temperature is needed")
        await refused(bench, "/again", "a run is going on")
        assert bench.session.run is not None
        bench.open(gate)
        await bench.until_idle()
        assert asked(bench) == [1, 1, 1]


async def test_what_waits_goes_on_waiting_while_a_stopped_run_goes_on_as_changed() -> None:
    gate = asyncio.Event()
    async with chat_app(DUO, size=(120, 40), judge=[["x", gate], ["judge"]]) as bench:
        await bench.submit("hi")
        await bench.until_writing("judge")
        await bench.submit("and then?")
        await bench.submit("/without 1")
        await bench.until_idle()
        assert [turn.prompt for turn in bench.chat.path] == ["hi", "and then?"]
        assert asked(bench) == [2, 2, 3]
        bench.open(gate)


# --- who writes the answer --------------------------------------------------------------------------------


@command("again")
async def test_again_takes_other_instructions_or_another_recipes_layers() -> None:
    async with chat_app(DUO, size=(120, 40)) as bench:
        await bench.ask()
        await bench.ask("/again prompt Write it as a table.")
        assert asked(bench) == [1, 1, 2]
        assert "Write it as a table." in bench.models.asked["judge"][-1][0]["content"]
        assert "one says 1" in bench.models.asked["judge"][-1][0]["content"]
        await bench.ask("/again critique")
        assert asked(bench) == [1, 1, 2]
        assert bench.chat.turn is not None
        assert bench.chat.turn.recipe.name == "test + critique"
        critic = bench.chat.turn.recipe.lineup[1][0].model
        assert "two says 1" in bench.models.asked[critic][0][0]["content"]
        await refused(bench, "/again nothing-of-that-name", "no recipe is called")
        await refused(bench, "/again prompt", "instructions are needed")


@command("without")
@command("amend")
@command("propose")
@command("swap")
@command("add")
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
        await bench.ask("/add more")
        assert asked(bench) == [2, 1, 7]
        assert "more says 1" in bench.models.asked["judge"][-1][0]["content"]
        await bench.until_shown("‹7/7›")
        await refused(bench, "/without 9", "no agent 9")
        await refused(bench, "/swap 1", "a model or a temperature is needed")
        await refused(bench, "/propose", "an answer is needed")


@pytest.mark.parametrize("words", ["", "a b", "top_p=1", "temperature=hot"])
def test_words_behind_swap_that_mean_nothing_are_refused(words: str) -> None:
    with pytest.raises(UsageError):
        agent_settings(words)


def test_a_models_name_may_hold_an_equals_sign() -> None:
    assert agent_settings("lab/model@n=1 temperature=0.5")["model"] == "lab/model@n=1"
