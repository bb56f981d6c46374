"""The panes: they follow the run until the person picks a layer, and say how each agent stands."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from moa_tui.engine import limits
from moa_tui.engine.values import CallId
from moa_tui.errors import ModelError
from moa_tui.settings.config import Settings
from moa_tui.ui.widgets import run_panel
from tests.helpers import recipe, wait_until
from tests.ui import room_pictures
from tests.ui.chat_app import ALONE, FORBIDDEN, HOSTILE, TRIO, chat_app
from tests.ui.fixed_chat import QUESTION, held_app
from tests.ui.given import key

if TYPE_CHECKING:
    from tests.ui.chat_app import Bench

WIDE = (120, 40)
STAY = Settings(keep_panes_open=True)
SIX = recipe(["a", "b", "c", "d", "e", "f"], ["judge"])
FOUR = recipe(["a", "b", "c", "d"], ["judge"])


@pytest.fixture
def no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_FIRST_WAIT_SECONDS", 0.001)


def names(bench: Bench) -> list[str]:
    return [pane.view.agent.name for pane in bench.panes if pane.view is not None]


# What can be read


@pytest.mark.parametrize(
    ("size", "agents", "shown", "lines"),
    [((80, 24), 4, 1, 10), ((120, 40), 2, 2, 20), ((120, 40), 4, 4, 10), ((120, 40), 6, 6, 10)],
)
async def test_the_panes_have_the_room_and_the_chat_keeps_the_question_and_the_state(
    size: tuple[int, int], agents: int, shown: int, lines: int
) -> None:
    app = held_app()
    async with app.run_test(size=size) as pilot:
        await room_pictures.at_work(pilot, agents)
        sight = room_pictures.sight(app)
        assert len(sight.lines) == shown
        assert min(sight.lines) >= lines
        strips = app.screen._compositor.render_strips()
        screen = "\n".join("".join(segment.text for segment in strip) for strip in strips)
        assert all(word in screen for word in QUESTION.split())
        assert f"layer 1 of 2: 0 of {agents} answers" in screen
        assert "Ask anything" in screen


async def test_panes_that_write_lay_nothing_out_anew() -> None:
    gates = [asyncio.Event() for _ in range(4)]
    pieces: list[Any] = ["a line\n" * 30]
    for gate in gates:
        pieces += [gate, "another line\n" * 5]
    async with chat_app(FOUR, size=WIDE, **{name: [pieces] for name in "abcd"}) as bench:
        await bench.submit("hi")
        await bench.until_writing(*"abcd")
        await wait_until(lambda: all(len(pane.rows) > 30 for pane in bench.panes))
        await bench.settle()
        regions = [pane.region for pane in bench.panes]
        layouts: list[object] = []
        bench.screen.screen_layout_refresh_signal.subscribe(bench.screen, layouts.append, immediate=True)
        for number, gate in enumerate(gates[:3], 1):
            bench.open(gate)
            await wait_until(lambda n=number: all(len(pane.rows) > 30 + 5 * n for pane in bench.panes))
        assert [pane.region for pane in bench.panes] == regions
        assert not layouts
        bench.open(gates[3])
        await bench.until_idle()


# Following


async def test_the_panes_follow_the_run_from_layer_to_layer() -> None:
    gates = [asyncio.Event() for _ in range(3)]
    scripts: dict[str, Any] = {
        "one": [["from one", gates[0]]],
        "three": [["from three", gates[1]]],
        "judge": [["from judge", gates[2]]],
    }
    async with chat_app(TRIO, size=WIDE, settings=STAY, **scripts) as bench:
        await bench.submit("hi")
        await bench.until_shown("from one", "two says 1")
        assert names(bench) == ["one", "two"]
        bench.open(gates[0])
        await bench.until_shown("from three", "four says 1")
        assert names(bench) == ["three", "four"]
        bench.open(gates[1])
        await bench.until_shown("from judge")
        await wait_until(lambda: names(bench) == ["judge"])
        bench.open(gates[2])
        await bench.until_idle()
        assert names(bench) == ["judge"]


async def test_a_layer_once_picked_stays_and_the_tabs_say_where_the_run_is() -> None:
    gates = [asyncio.Event(), asyncio.Event()]
    scripts: dict[str, Any] = {"one": [["from one", gates[0]]], "judge": [["from judge", gates[1]]]}
    async with chat_app(TRIO, size=WIDE, settings=STAY, **scripts) as bench:
        await bench.submit("hi")
        await bench.until_shown("from one")
        bench.panes[0].focus()
        await bench.press("right", "left")
        bench.open(gates[0])
        await bench.until_writing("judge")
        await bench.until_shown("from one", "Final is at work, f follows")
        assert names(bench) == ["one", "two"]
        bench.open(gates[1])
        await bench.until_idle()
        assert names(bench) == ["one", "two"]
        await wait_until(lambda: "f follows" not in bench.tabs)


async def test_the_next_run_is_followed_again() -> None:
    gate = asyncio.Event()
    async with chat_app(TRIO, size=WIDE, settings=STAY, three=[["x"], ["x", gate]]) as bench:
        await bench.ask("first")
        bench.panel.pick(1)
        await bench.submit("second")
        await bench.until_writing("three")
        await wait_until(lambda: names(bench) == ["three", "four"])
        bench.open(gate)
        await bench.until_idle()


async def test_a_click_on_a_tab_picks_its_layer_and_one_on_an_arrow_turns_the_page() -> None:
    async with chat_app(SIX, size=(120, 30), settings=STAY) as bench:
        await bench.ask()
        tabs = bench.panel.query_one("#tabs")
        left = tabs.content_region.x - tabs.region.x
        await bench.pilot.click(tabs, offset=(left + bench.tabs.index("L1") + 1, 0))
        await wait_until(lambda: names(bench) == ["a", "b", "c"] and "1-3 of 6" in bench.tabs)
        await bench.settle()
        await bench.pilot.click(tabs, offset=(left + bench.tabs.index("›"), 0))
        await wait_until(lambda: names(bench) == ["d", "e", "f"] and "4-6 of 6" in bench.tabs)
        await bench.settle()
        await bench.pilot.click(tabs, offset=(left + bench.tabs.index("‹"), 0))
        await wait_until(lambda: names(bench) == ["a", "b", "c"] and "1-3 of 6" in bench.tabs)
        await bench.settle()
        await bench.pilot.click(tabs, offset=(left + bench.tabs.index("Final"), 0))
        await wait_until(lambda: names(bench) == ["judge"])


# Room


@pytest.mark.parametrize(
    ("size", "columns"), [((60, 20), 1), ((80, 24), 1), ((120, 30), 3), ((160, 40), 4), ((220, 60), 3)]
)
async def test_a_column_is_never_narrower_than_prose_needs(size: tuple[int, int], columns: int) -> None:
    async with chat_app(SIX, size=size, settings=STAY) as bench:
        await bench.ask()
        bench.panel.pick(1)
        await bench.settle()
        assert len({pane.region.x for pane in bench.panes}) <= columns
        assert all(pane.region.width >= 38 for pane in bench.panes)
        assert all(pane.region.height >= 6 for pane in bench.panes)
        seen = set(names(bench))
        for _ in range(6):
            bench.panel.action_page(1)
            await bench.settle()
            seen |= set(names(bench))
        assert seen == set("abcdef")


async def test_panes_keep_their_text_and_their_page_is_kept_in_range_when_the_terminal_grows() -> None:
    gate = asyncio.Event()
    async with chat_app(SIX, settings=STAY, f=[["from f", gate]]) as bench:
        await bench.submit("hi")
        await bench.until_writing("f")
        bench.panes[0].focus()
        await bench.press(*"]]]]]")
        await bench.until_shown("from f", "6 of 6")
        await bench.pilot.resize_terminal(220, 60)
        await bench.until_shown("from f", "a says 1")
        assert set(names(bench)) == set("abcdef")
        await bench.pilot.resize_terminal(60, 20)
        await bench.until_shown("from f", "6 of 6")
        assert names(bench) == ["f"], "the pane that has the focus stays in sight"
        await bench.pilot.resize_terminal(120, 30)
        await bench.until_shown("from f", "d says 1")
        bench.open(gate)
        await bench.until_idle()


async def test_panes_opened_after_a_resize_fit_the_new_size() -> None:
    async with chat_app(SIX, size=(160, 40), settings=STAY) as bench:
        await bench.ask()
        bench.screen.view.open_panel(False)
        await bench.pilot.resize_terminal(80, 24)
        await bench.settle()
        await bench.press("ctrl+l")
        bench.panel.pick(1)
        await bench.until_shown("a says 1", "1 of 6")
        assert [pane.region.right for pane in bench.panes] == [80]


# Folding all


async def test_the_panes_fold_when_the_answer_begins() -> None:
    gates = [asyncio.Event(), asyncio.Event()]
    async with chat_app(one=[["x", gates[0]]], judge=[["the answer", gates[1]]]) as bench:
        await bench.submit("hi")
        await bench.until_writing("one")
        assert bench.is_open
        bench.open(gates[0])
        await bench.until_shown("the answer")
        assert not bench.is_open
        await bench.until_shown("L1 ✓✓", "Final ●")
        bench.open(gates[1])
        await bench.until_idle()
        assert not bench.is_open


async def test_the_panes_fold_when_the_answer_comes_all_at_once() -> None:
    async with chat_app() as bench:
        await bench.ask()
        assert not bench.is_open


async def test_the_panes_stay_where_the_setting_says_so() -> None:
    async with chat_app(settings=STAY) as bench:
        await bench.ask()
        assert bench.is_open


async def test_the_panes_stay_while_the_person_is_in_them() -> None:
    gate = asyncio.Event()
    async with chat_app(one=[["x", gate]]) as bench:
        await bench.submit("hi")
        await bench.until_writing("one")
        bench.panes[0].focus()
        await wait_until(lambda: bench.panel.has_focus_within)
        bench.open(gate)
        await bench.until_idle()
        assert bench.is_open
        assert bench.panel.has_focus_within


async def test_escape_closes_the_panes_that_were_opened_after_the_run_and_the_next_run_opens_them() -> None:
    gate = asyncio.Event()
    async with chat_app(size=WIDE, one=[["x"], ["x", gate]]) as bench:
        await bench.ask()
        await bench.press("ctrl+l")
        await wait_until(lambda: bench.panel.has_focus_within)
        await bench.press("escape")
        assert not bench.is_open
        assert bench.prompt.has_focus
        assert bench.screen.query_one("#chat").region.height == bench.screen.view.body.region.height
        await bench.submit("again")
        await bench.until_writing("one")
        assert bench.is_open
        bench.open(gate)
        await bench.until_idle()


async def test_panes_opened_again_while_the_answer_is_written_stay_open() -> None:
    gate, last = asyncio.Event(), asyncio.Event()
    retried = [[gate, ModelError("server", "busy", 503, retry_after=0.0)], ["the answer", last]]
    async with chat_app(judge=retried) as bench:
        await bench.submit("hi")
        await wait_until(lambda: not bench.is_open and bench.run.final.state == "writing")
        bench.screen.view.open_panel(True)
        bench.open(gate)
        await bench.until_writing("judge")
        assert bench.is_open
        bench.open(last)
        await bench.until_idle()
        assert bench.is_open


async def test_beside_a_wide_chat_the_panes_stay() -> None:
    async with chat_app(size=(220, 60)) as bench:
        await bench.ask()
        assert bench.is_open
        await bench.until_shown("judge says 1")
        assert bench.panel.region.x == 88


async def test_one_agent_alone_needs_no_panes() -> None:
    async with chat_app(ALONE) as bench:
        await bench.ask()
        assert not bench.is_open
        await bench.press("ctrl+l")
        await bench.until_shown("1 alone ✓ done")


# Past turns


async def test_a_past_turns_panes_open_as_they_ended() -> None:
    gate = asyncio.Event()
    scripts: dict[str, Any] = {
        "one": [["first one"], ["second one", gate]],
        "two": [["half a thought", ModelError("cut_off", "the line broke", None)], ["second two"]],
        "judge": [["first answer"], ["second answer"]],
    }
    async with chat_app(size=WIDE, **scripts) as bench:
        await bench.ask("first")
        await bench.submit("second")
        await bench.until_shown("second one")
        bench.transcript.views[0].focus()
        await bench.press("enter")
        bench.panel.pick(1)
        await bench.until_shown("first one", "half a thought", "✓ done", "◐ partial", "L1 ✓◐")
        assert "second one" not in bench.shown()
        bench.open(gate)
        await bench.until_idle()
        await bench.until_shown("first one", "half a thought")
        assert bench.panel.run is bench.transcript.views[0].run


# How agents stand


@pytest.mark.usefixtures("no_backoff")
async def test_a_retry_clears_the_text_and_counts_down() -> None:
    gate = asyncio.Event()
    busy = ModelError("rate_limit", "too many requests", 429, retry_after=30.0)
    async with chat_app(size=WIDE, one=[[busy]], two=[["x", gate]]) as bench:
        await bench.submit("hi")
        await bench.until_shown(
            "↻ retrying", "429, again in", "failed, and is tried again: too many requests"
        )
        view = bench.run.view(CallId(1, 1))
        assert view.numbers(view.retry_at - 12.0) == ["429, again in 12 s"]
        assert view.numbers(view.retry_at + 1.0) == ["429, again in 0 s"]
        await bench.press("escape")
        await bench.until_idle()


async def test_what_a_call_had_reasoned_before_it_was_tried_again_is_gone() -> None:
    again = asyncio.Event()
    fails = ModelError("context", "too long", 400)
    scripts: dict[str, Any] = {"judge": [[fails], ["the whole answer", again]]}
    async with chat_app(size=WIDE, settings=STAY, **scripts) as bench:
        await bench.submit("hi")
        await bench.until_shown("the whole answer")
        assert bench.run.final.generation == 1
        assert "too long" not in bench.shown()
        bench.open(again)
        await bench.until_idle()


async def test_a_failed_agent_shows_its_error_as_an_error_and_never_as_an_answer() -> None:
    gate = asyncio.Event()
    error = ModelError("auth", "401: the key is wrong, says the provider", 401)
    async with chat_app(size=WIDE, one=[[error]], two=[["fine", gate]]) as bench:
        await bench.submit("hi")
        await bench.until_shown("✗ failed: 401: the key is wrong", "1 one ✗ failed", "fine")
        failed = bench.panes[0]
        assert failed.has_class("-failed", "-notice")
        failed.focus()
        await bench.press("y")
        await bench.until_told("there is nothing to copy yet")
        assert bench.copied == []
        bench.open(gate)
        await bench.until_idle()
        sent = "".join(message["content"] for message in bench.models.asked["judge"][0])
        assert "the key is wrong" not in sent
        await bench.until_shown("1 of 2 used")


async def test_when_every_agent_fails_the_turn_says_why_and_has_no_answer() -> None:
    error = ModelError("connection", "nobody listens at port 1", None)
    stopped = recipe(["one", "two"], ["judge"], retries=0)
    async with chat_app(stopped, size=WIDE, one=[[error]], two=[[error]]) as bench:
        await bench.ask()
        await bench.until_shown("✗ no answer", "no answer of layer 1 can be used", "nobody listens at port 1")
        bench.turn.focus()
        await bench.press("y")
        await bench.until_told("there is nothing to copy yet")
        assert bench.turn.answer == ""


async def test_waiting_agents_say_what_they_wait_for() -> None:
    gate = asyncio.Event()
    async with chat_app(TRIO, size=WIDE, one=[[gate, "x"]], two=[["x", gate]]) as bench:
        await bench.submit("hi")
        await bench.until_shown("asked; no text yet", "no token yet")
        bench.panel.pick(2)
        await bench.until_shown("waits for the answers before it", "· waiting")
        bench.open(gate)
        await bench.until_idle()


@pytest.mark.parametrize(("text", "readable"), HOSTILE.items())
async def test_hostile_names_and_texts_stay_inside_their_pane(text: str, readable: str) -> None:
    name = "".join(c for c in text if c.isprintable()) or "x"
    agents = {"one": {"model": "one", "name": name}, "bad": {"model": "bad", "name": name}}
    gate = asyncio.Event()
    scripts: dict[str, Any] = {"one": [[text, "\n", text, gate]], "bad": [[ModelError("server", text, None)]]}
    async with chat_app(recipe(["one", "bad"], ["judge"], agents=agents), size=WIDE, **scripts) as bench:
        await bench.submit("hi")
        await bench.until_shown(f"1 {name.split()[0]}", readable, "✗ failed", "● writing")
        for pane in bench.panes:
            assert pane.region.width == 60
        assert not set(bench.shown()) & FORBIDDEN
        bench.open(gate)
        await bench.until_idle()


async def test_double_width_text_does_not_break_the_frames() -> None:
    texts = ["日本語のテキスト " * 30, "👩‍🚀 👍🏽 ⚠️ 🇩🇪 " * 30, "e\u0301 שלום عربي " * 30]
    gate = asyncio.Event()
    scripts: dict[str, Any] = {name: [[text, gate]] for name, text in zip("abc", texts, strict=True)}
    async with chat_app(recipe(["a", "b", "c"], ["judge"]), size=WIDE, **scripts) as bench:
        await bench.submit("hi")
        await bench.until_writing(*"abc")
        await bench.until_shown("日本語", "שלום")
        strips = bench.app.screen._compositor.render_strips()
        assert {strip.cell_length for strip in strips} == {120}
        bench.open(gate)
        await bench.until_idle()


# Zoom


LONG = "\n\n".join(
    f"Paragraph {number} of a text that is read, with words enough for some lines of a pane, "
    f"whatever its width is at the moment."
    for number in range(60)
)


@key("panel.zoom", "panel.back")
async def test_a_zoomed_pane_has_all_the_room_and_keeps_the_readers_place() -> None:
    gate = asyncio.Event()
    async with chat_app(FOUR, size=WIDE, b=[[LONG, gate]], a=[["x", gate]]) as bench:
        await bench.submit("hi")
        await bench.until_writing("b")
        pane = next(pane for pane in bench.panes if pane.view.agent.name == "b")
        pane.focus()
        await bench.until_shown("Paragraph 59")
        await bench.press("home", *["pagedown"] * 3)
        await bench.settle()
        place, first_words = pane.scroll_y, pane.rows[int(pane.scroll_y)].content.plain
        await bench.press("z")
        await wait_until(lambda: pane.region.size == bench.screen.view.body.query_one("#grid").region.size)
        await bench.settle()
        assert bench.panes == [pane]
        assert pane.region.width == 120
        assert pane.region.height > 30
        assert not bench.screen.query_one("#chat").display
        assert first_words[:20] in pane.rows[int(pane.scroll_y)].content.plain
        await bench.until_shown("z shows the others")
        await bench.press("z")
        await wait_until(lambda: len(bench.panes) == 4 and pane.region.width == 60)
        await bench.settle()
        assert pane.scroll_y == place
        assert bench.screen.query_one("#chat").display
        await bench.press("z")
        await wait_until(lambda: bench.panes == [pane])
        await bench.press("escape")
        await wait_until(lambda: len(bench.panes) == 4)
        assert bench.session.is_running, "the run was not stopped"
        bench.open(gate)
        await bench.until_idle()


async def test_a_zoomed_pane_stays_while_the_run_goes_on_and_the_answer_is_not_hidden_by_it() -> None:
    gates = [asyncio.Event(), asyncio.Event()]
    scripts: dict[str, Any] = {"one": [["from one", gates[0]]], "three": [["from three", gates[1]]]}
    async with chat_app(TRIO, size=WIDE, **scripts) as bench:
        await bench.submit("hi")
        await bench.until_shown("from one")
        bench.panes[0].focus()
        await bench.press("z")
        bench.open(gates[0])
        await bench.until_writing("three")
        await bench.until_shown("from one", "L2 is at work, f follows")
        bench.prompt.focus()
        bench.open(gates[1])
        await bench.until_idle()
        await bench.until_shown("judge says 1")


# Folding one pane


async def test_a_pane_that_ended_early_is_a_line_until_it_has_the_focus_or_all_are_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate = asyncio.Event()
    error = ModelError("auth", "the key is wrong", 401)
    scripts: dict[str, Any] = {"a": [["short"]], "b": [[error]], "c": [["x", gate]], "d": [["x", gate]]}
    async with chat_app(FOUR, size=WIDE, settings=STAY, **scripts) as bench:
        monkeypatch.setattr(run_panel, "_FOLDED_AFTER_SECONDS", 0.0)
        await bench.submit("hi")
        await wait_until(lambda: names(bench) == ["c", "d"])
        await bench.until_shown("▸ 1 a ✓ done", "▸ 2 b ✗ failed: the key is wrong")
        assert {pane.region.width for pane in bench.panes} == {60}
        heights = [pane.region.height for pane in bench.panes]
        assert min(heights) > 20, "those that write have the room"
        bench.panes[1].focus()
        await bench.press("tab")
        await wait_until(lambda: names(bench) == ["a", "c", "d"])
        assert bench.panes[0].has_focus
        await bench.until_shown("short", "▸ 2 b ✗ failed")
        await bench.press("tab", "tab", "tab")
        await wait_until(lambda: names(bench) == ["a", "b", "c", "d"])
        assert bench.panes[1].has_focus
        for _ in range(3):
            await bench.press("tab")
        assert not bench.panel.has_focus_within, "Tab gets out of the panes"
        await wait_until(lambda: names(bench) == ["c", "d"])
        bench.prompt.focus()
        bench.open(gate)
        await bench.until_idle()
        bench.panel.pick(1)
        await wait_until(lambda: names(bench) == ["a", "b", "c", "d"])
        assert "▸" not in bench.shown()


async def test_an_opened_pane_says_as_its_folded_line_does_why_its_text_was_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate = asyncio.Event()
    scripts: dict[str, Any] = {"a": [["half", ModelError("refused", "it [b]hung[/b]\nup")]]}
    async with chat_app(FOUR, size=(80, 24), **scripts, b=[["x", gate]], c=[["x", gate]]) as bench:
        monkeypatch.setattr(run_panel, "_FOLDED_AFTER_SECONDS", 0.0)
        await bench.submit("hi")
        await bench.until_shown("▸ 1 a ◐ partial: it [b]hung[/b] up")
        bench.panel.query(run_panel.PaneTitle).first().focus()
        await bench.until_shown("half", "━ 1 a ◐ partial: it [b]hung[/b] up ━")
        bench.open(gate)
        await bench.until_idle()


async def test_a_text_that_is_scrolled_by_its_reader_is_not_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    gate, end = asyncio.Event(), asyncio.Event()
    async with chat_app(FOUR, size=WIDE, a=[[LONG, end]], b=[["x", gate]]) as bench:
        monkeypatch.setattr(run_panel, "_FOLDED_AFTER_SECONDS", 0.0)
        await bench.submit("hi")
        await bench.until_shown("Paragraph 59")
        pane = next(pane for pane in bench.panes if pane.view.agent.name == "a")
        pane.scroll_to(y=20, animate=False)
        await wait_until(lambda: pane.is_read_back)
        bench.open(end)
        await wait_until(lambda: names(bench) == ["a", "b"])
        assert bench.panes[0] is pane
        bench.open(gate)
        await bench.until_idle()


# Two layers


async def test_the_layer_that_is_read_stands_beside_the_one_that_writes_where_there_is_room() -> None:
    gate = asyncio.Event()
    async with chat_app(TRIO, size=(200, 50), three=[["from three", gate]]) as bench:
        await bench.submit("hi")
        await bench.until_shown("from three", "one says 1", "two says 1", "L1.1 one ✓ done", "L2.1 three")
        assert names(bench) == ["one", "two", "three", "four"]
        read, writes = bench.panes[:2], bench.panes[2:]
        assert max(pane.region.right for pane in read) <= min(pane.region.x for pane in writes)
        await bench.pilot.resize_terminal(190, 50)
        await wait_until(lambda: names(bench) == ["three", "four"])
        await bench.pilot.resize_terminal(200, 50)
        await wait_until(lambda: names(bench) == ["one", "two", "three", "four"])
        bench.panes[3].focus()
        await bench.press("left")
        await wait_until(lambda: names(bench) == ["one", "two"])
        bench.open(gate)
        await bench.until_idle()


async def test_beside_the_answer_stands_the_layer_that_it_is_made_from() -> None:
    gate = asyncio.Event()
    async with chat_app(TRIO, size=(220, 60), judge=[["the answer grows", gate]]) as bench:
        await bench.submit("hi")
        await bench.until_shown("the answer grows")
        await wait_until(lambda: names(bench) == ["three", "four"])
        assert bench.shown().count("the answer grows") == 1
        bench.open(gate)
        await bench.until_idle()
        assert names(bench) == ["three", "four"]
