"""The waterfall of a run's calls: its rows, and the screen that shows them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from rich.cells import cell_len
from textual.app import App

from moa_tui.engine.events import CallEnded, CallRetried, CallStarted, Delta
from moa_tui.engine.run import run
from moa_tui.engine.values import CallId, Failure, Reply
from moa_tui.errors import ModelError
from moa_tui.ui.run.run_view import RunView
from moa_tui.ui.run.timeline import (
    ASKED,
    LEGEND,
    QUEUED,
    SLOWEST,
    TRIED_AGAIN,
    WRITING,
    call_span,
    critical_path,
    timeline,
    why_no_bar,
)
from moa_tui.ui.screens.inspect.run_screens import TimelineScreen
from moa_tui.ui.widgets.live_text import LiveText
from tests.fakes import FakeModels
from tests.helpers import recipe, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from moa_tui.engine.values import Message, Status

ASK: list[Message] = [{"role": "user", "content": "?"}]
LONG_NAME = "日本語のとても長い名前のエージェント"


def reply(
    name: str,
    queued: float,
    started: float | None,
    first_token: float | None,
    ended: float,
    status: Status = "done",
    attempts: int = 1,
    reused: bool = False,
) -> Reply:
    return Reply(
        name,
        name,
        status,
        text="text",
        queued=queued,
        started=started,
        first_token=first_token,
        ended=ended,
        attempts=attempts,
        reused=reused,
    )


def clock_at(seconds: float) -> Callable[[], float]:
    """A clock that shows 0 once, at the run's start, and `seconds` from then on."""
    times = [seconds, 0.0]
    return lambda: times.pop() if len(times) > 1 else times[0]


def two_layers() -> RunView:
    """Two agents and a judge at second 40; only the two are over."""
    state = RunView(recipe(["a", "b"], ["judge"]), clock_at(40.0))
    state.take(CallEnded(CallId(1, 1), reply("a", 0, 5, 10, 20)))
    state.take(CallEnded(CallId(1, 2), reply("b", 0, 0, 20, 30, attempts=3)))
    return state


def bars(state: RunView, width: int = 80) -> list[str]:
    return [row.content.plain for row in timeline(state, width).calls]


def test_the_three_ways_to_spend_time_are_told_apart_by_character() -> None:
    first, second, _ = bars(two_layers())
    assert first.count(QUEUED) > 0
    assert first.index(QUEUED) < first.index(ASKED) < first.index(WRITING)
    assert QUEUED not in second
    assert abs(first.count(WRITING) - 2 * first.count(QUEUED)) <= 1
    assert second.count(ASKED) > second.count(WRITING)


def test_a_bar_ends_with_the_glyph_of_its_call() -> None:
    state = RunView(recipe(["a", "b", "c"], ["judge"]))
    for index, status in enumerate(("done", "failed", "stopped"), 1):
        state.take(CallEnded(CallId(1, index), reply("x", 0, 0, 1, 2, status)))  # type: ignore[arg-type]
    assert [glyph in row for glyph, row in zip("✓✗■", bars(state), strict=False)] == [True] * 3


def test_retries_are_marked_and_counted() -> None:
    first, second, _ = bars(two_layers())
    assert TRIED_AGAIN not in first
    assert f"{TRIED_AGAIN}2" in second


def test_retries_of_a_running_call_are_marked() -> None:
    state = RunView(recipe(["a"], ["judge"]))
    agent = state.recipe.lineup[0][0]
    state.take(CallStarted(CallId(1, 1), agent, (), 0.0))
    state.take(CallRetried(CallId(1, 1), agent, 2, 9.0, Failure("server", "no"), 1.0))
    assert f"{TRIED_AGAIN}1" in bars(state)[0]


def test_the_slowest_call_of_each_layer_that_is_over_is_the_critical_path() -> None:
    state = two_layers()
    assert critical_path(state) == {CallId(1, 2)}
    assert [row.startswith(SLOWEST) for row in bars(state)] == [False, True, False]
    half = RunView(recipe(["a", "b"], ["judge"]))
    half.take(CallEnded(CallId(1, 1), reply("a", 0, 5, 10, 20)))
    assert critical_path(half) == set()


def test_a_call_made_in_turn_begins_where_the_one_before_it_ended() -> None:
    state = RunView(recipe(["a", "b", "c"], ["judge"], one_model_at_a_time=True))
    state.take(CallEnded(CallId(1, 1), reply("a", 0, 0, 10, 20)))
    state.take(CallStarted(CallId(1, 2), state.recipe.lineup[0][1], (), 21.0))
    second = call_span(state, state.view(CallId(1, 2)))
    assert second is not None
    assert (second.queued, second.started) == (20, 21.0)
    assert call_span(state, state.view(CallId(1, 3))) is None
    assert why_no_bar(state, state.view(CallId(1, 3))) == "waits for its turn"
    assert why_no_bar(state, state.view(CallId(2, 1))) == "waits for layer 1"
    state.take(CallEnded(CallId(1, 2), reply("b", 20, 21, 22, 25)))
    state.take(CallEnded(CallId(1, 3), reply("c", 25, 25, 26, 27)))
    assert critical_path(state) == {CallId(1, 1), CallId(1, 2), CallId(1, 3)}


def test_a_call_that_waits_for_its_endpoint_is_drawn_so_once_its_layer_can_begin() -> None:
    judge = bars(two_layers())[2]
    assert QUEUED in judge
    assert "10.0 s" in judge


def test_a_layer_that_cannot_begin_yet_says_what_it_waits_for() -> None:
    state = RunView(recipe(["a", "b"], ["judge"]))
    state.take(CallEnded(CallId(1, 1), reply("a", 0, 0, 1, 2)))
    assert "waits for layer 1" in bars(state)[2]


def test_a_kept_reply_has_no_times_in_this_run() -> None:
    state = RunView(recipe(["a"], ["judge"]))
    state.take(CallEnded(CallId(1, 1), reply("a", 0, 1, 100, 200, reused=True)))
    assert "kept from before" in bars(state)[0]
    assert "200" not in bars(state)[0]


@pytest.mark.parametrize("width", [56, 76, 116, 216])
def test_rows_axis_and_notes_fit_the_width(width: int) -> None:
    state = RunView(recipe([LONG_NAME, "[/]🦤", "plain"], ["judge"]))
    state.take(CallEnded(CallId(1, 1), reply(LONG_NAME, 0, 1, 2, 1000.5, attempts=9)))
    state.take(CallEnded(CallId(1, 2), reply("[/]🦤", 0, 0.001, None, 0.002, "failed")))
    shown = timeline(state, width)
    for row in [*shown.axis, *shown.calls, *shown.notes]:
        assert cell_len(row.content.plain) <= width
    notes = "\n".join(row.content.plain for row in shown.notes)
    assert all(meaning in notes for meaning in LEGEND)
    sizes = {cell_len(row.content.plain) for row in shown.calls}
    assert len(sizes) == 1


def test_the_axis_has_its_ticks_over_the_bars() -> None:
    state = two_layers()
    shown = timeline(state, 80)
    labels, rule = (row.content.plain for row in shown.axis)
    assert labels.split("0 s")[0] == rule.split("┬")[0]
    assert "10 s" in labels
    ten = labels.index("10 s")
    assert rule[ten] == "┬"
    first_token = shown.calls[0].content.plain.index(WRITING)
    assert abs(first_token - ten) <= 1


def test_a_run_without_any_time_is_drawn_without_a_fault() -> None:
    state = RunView(recipe(["a"], ["judge"]), clock=lambda: 0.0)
    assert len(bars(state)) == 2


class TimelineApp(App[None]):
    def __init__(self, state: RunView) -> None:
        super().__init__()
        self.state = state

    def on_mount(self) -> None:
        self.push_screen(TimelineScreen(self.state))

    @property
    def text(self) -> str:
        return "\n".join(row.content.plain for row in self.screen.query_one(LiveText).rows)


async def test_the_screen_follows_a_run_and_sums_it_up_at_its_end() -> None:
    gate = asyncio.Event()
    state = RunView(recipe(["a", "b"], ["judge"]))
    models = FakeModels(b=[[ModelError("auth", "no [/]", 401)]], judge=[["the ", gate, "answer"]])
    app = TimelineApp(state)
    async with app.run_test(size=(60, 20)) as pilot:
        running = asyncio.create_task(run(state.recipe, ASK, models, state.take))
        await wait_until(lambda: "●" in app.text)
        assert "✗" in app.text
        gate.set()
        outcome = await running
        await wait_until(lambda: app.text.count("✓") == 2)
        assert outcome.status == "done"
        foot = str(app.screen.query_one("#run-foot").render())
        assert "critical path" in foot
        assert isinstance(app.focused, LiveText)
        await pilot.press("escape")
        await wait_until(lambda: not isinstance(app.screen, TimelineScreen))


async def test_more_calls_than_rows_are_scrolled_through_and_their_place_is_kept() -> None:
    state = RunView(recipe([f"agent{number}" for number in range(40)], ["judge"]))
    app = TimelineApp(state)
    async with app.run_test(size=(60, 20)) as pilot:
        await wait_until(lambda: "L1.40" in app.text)
        rows = app.screen.query_one(LiveText)
        await pilot.press("pagedown")
        await wait_until(lambda: rows.scroll_y > 0 and not app.animator.is_being_animated(rows, "scroll_y"))
        place = rows.scroll_y
        state.take(CallStarted(CallId(1, 1), state.recipe.lineup[0][0], (), 0.0))
        state.take(Delta(CallId(1, 1), "text", "hi"))
        await wait_until(lambda: "●" in app.text)
        assert rows.scroll_y == place


async def test_a_new_width_is_drawn_anew_even_when_the_run_is_over() -> None:
    state = RunView(recipe(["a"], ["judge"]))
    await run(state.recipe, ASK, FakeModels(), state.take)
    app = TimelineApp(state)
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_until(lambda: "L1.1" in app.text)
        wide = max(map(cell_len, app.text.split("\n")))
        await pilot.resize_terminal(60, 20)
        await wait_until(lambda: "L1.1" in app.text and max(map(cell_len, app.text.split("\n"))) < wide)
        assert max(map(cell_len, app.text.split("\n"))) <= 56
