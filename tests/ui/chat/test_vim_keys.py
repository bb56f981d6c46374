"""Vim's keys in the chat: the prompt's modes, reading, and what becomes of Esc and ctrl+c."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from textual import events

from moa_tui.settings.config import Settings
from moa_tui.ui.widgets.turn_view import TurnView
from tests.helpers import wait_until
from tests.ui.chat_app import ALONE, DUO, Bench, chat_app
from tests.ui.given import key

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

VIM = Settings(editing="vim")
LONG_ANSWER = "\n\n".join(f"paragraph {number}" for number in range(60))


def vim_chat(**more: object) -> AbstractAsyncContextManager[Bench]:
    return chat_app(ALONE, settings=VIM, **more)  # type: ignore[arg-type]


def mode(bench: Bench) -> str:
    """The mode as the screen shows it."""
    return bench.shown().splitlines()[-2].split()[-1]


def burst(bench: Bench, keys: list[str]) -> None:
    for each in keys:
        bench.app.post_message(events.Key(each, each if len(each) == 1 else None))


async def with_turns(bench: Bench, count: int) -> None:
    for number in range(count):
        await bench.ask(f"question {number}")


async def test_the_modes_are_shown_and_a_word_is_changed_and_sent() -> None:
    async with vim_chat() as bench:
        await bench.press(*"hello world")
        await bench.until_shown("hello world", "INSERT")
        await bench.press("escape")
        await bench.until_shown("NORMAL")
        await bench.press("b", "c", "w", *"moa", "escape")
        assert bench.prompt.text == "hello moa"
        await bench.press("v")
        await bench.until_shown("VISUAL")
        await bench.press("V")
        await bench.until_shown("VISUAL LINE")
        await bench.press("escape", "2", "d")
        await bench.until_shown("NORMAL 2d")
        await bench.press("escape", "enter")
        await bench.until_idle()
        assert bench.chat.turn is not None
        assert bench.chat.turn.prompt == "hello moa"
        await bench.until_shown("INSERT")


async def test_without_the_setting_nothing_is_different() -> None:
    async with chat_app(ALONE) as bench:
        await bench.press(*"dd", "escape", *"x")
        assert bench.prompt.text == "ddx"
        assert "INSERT" not in bench.shown()
        await bench.ask()
        await bench.press("ctrl+up", "j")
        assert bench.prompt.text == "j"


async def test_a_burst_of_keys_is_taken_in_its_order() -> None:
    async with vim_chat() as bench:
        burst(bench, [*"one two", "escape", "b", "d", "w", "i", *"x ", "escape", "0", "i", "y"])
        await wait_until(lambda: bench.prompt.text == "yonex  ")


async def test_undo_and_redo_go_by_whole_changes() -> None:
    async with vim_chat() as bench:
        await bench.press(*"one two", "escape", "0", "c", "w", *"three", "escape", "w", "x")
        assert bench.prompt.text == "three wo"
        await bench.press("u")
        assert bench.prompt.text == "three two"
        await bench.press("u")
        assert bench.prompt.text == "one two"
        await bench.press("ctrl+r", "ctrl+r")
        assert bench.prompt.text == "three wo"
        await bench.press("u", "u", "u")
        assert bench.prompt.text == ""


async def test_a_paste_in_normal_mode_is_text_and_takes_the_place_of_a_selection() -> None:
    async with vim_chat() as bench:
        await bench.press(*"one two", "escape", "0")
        bench.app.post_message(events.Paste("dd"))
        await bench.settle()
        assert bench.prompt.text == "ddone two"
        await bench.press("v", "e")
        bench.app.post_message(events.Paste("X"))
        await bench.settle()
        assert bench.prompt.text == "ddX two"
        await bench.until_shown("NORMAL")


async def test_the_clipboard_is_a_register() -> None:
    async with vim_chat() as bench:
        await bench.press(*"one two", "escape", "0", *'"+yw')
        assert bench.app.clipboard == "one "
        await bench.press("$", *'"+p')
        assert bench.prompt.text == "one twoone "


async def test_a_selection_is_copied_with_its_last_letter() -> None:
    async with vim_chat() as bench:
        await bench.press(*"one two", "escape", "0", "v", "e", "ctrl+c")
        await wait_until(lambda: bench.copied == ["one"])


async def test_k_in_the_first_line_brings_back_earlier_prompts() -> None:
    async with vim_chat() as bench:
        await bench.ask("the first")
        await bench.press("escape", "k")
        assert bench.prompt.text == "the first"
        await bench.press("j")
        assert bench.prompt.text == ""


async def test_keys_of_the_chat_work_in_normal_mode() -> None:
    async with vim_chat() as bench:
        await bench.press("escape", "f1")
        assert bench.app.screen is not bench.screen
        await bench.press("f1", "i", "a")
        assert bench.prompt.text == "a"


@pytest.mark.parametrize("focus", ["prompt", "turn"])
@key("run.interrupt")
async def test_esc_stops_no_run_and_ctrl_c_does(focus: str) -> None:
    gate = asyncio.Event()
    async with vim_chat(alone=[["first"], ["some", gate, " more"]]) as bench:
        await bench.ask("one")
        await bench.submit("two")
        await bench.until_writing("alone")
        if focus == "turn":
            await bench.press("ctrl+up")
        await bench.press("escape", "escape", "escape")
        assert bench.session.is_running
        if focus == "prompt":
            await bench.until_told("Esc stops no run: ctrl+c does")
        await bench.until_shown("^c stop")
        await bench.press("ctrl+c")
        await bench.until_idle()
        assert "Press ctrl+c again" not in bench.notices
        bench.open(gate)


async def test_the_completion_list_is_closed_in_normal_mode() -> None:
    async with vim_chat() as bench:
        await bench.press("/", "h")
        await bench.until_shown("/help")
        await bench.press("escape")
        await wait_until(lambda: "/help" not in bench.shown())
        await bench.press("x", "p")
        assert "/help" not in bench.shown()


async def test_ctrl_d_in_normal_mode_scrolls_the_conversation() -> None:
    async with vim_chat(alone=[[LONG_ANSWER]]) as bench:
        await bench.ask()
        end = bench.transcript.scroll_y
        await bench.press("escape", "ctrl+b", "ctrl+u")
        await wait_until(lambda: bench.transcript.scroll_y < end)
        above = bench.transcript.scroll_y
        await bench.press("ctrl+d")
        await wait_until(lambda: bench.transcript.scroll_y > above)


# Reading


@key(
    "reading.down",
    "reading.up",
    "reading.half_down",
    "reading.half_up",
    "reading.page_down",
    "reading.page_up",
)
async def test_a_focused_turn_is_scrolled() -> None:
    async with vim_chat(alone=[[LONG_ANSWER]]) as bench:
        await bench.ask()
        await bench.press("ctrl+up")
        await bench.settle()
        start = bench.transcript.scroll_y
        page = bench.transcript.scrollable_content_region.height
        for there, back, rows in (("j", "k", 1), ("ctrl+d", "ctrl+u", page // 2), ("ctrl+f", "ctrl+b", page)):
            await bench.press(there)
            assert bench.transcript.scroll_y == start + rows
            await bench.press(back)
            assert bench.transcript.scroll_y == start
        assert bench.prompt.text == ""


@key("reading.first", "reading.last", "reading.before", "reading.after", "reading.write")
async def test_keys_go_from_turn_to_turn_and_back_to_the_prompt() -> None:
    async with vim_chat() as bench:
        await with_turns(bench, 3)
        await bench.press("escape", "ctrl+up", "g", "g")

        def focused() -> str:
            return bench.app.focused.turn.prompt if isinstance(bench.app.focused, TurnView) else ""

        await wait_until(lambda: focused() == "question 0")
        await bench.press("right_curly_bracket")
        await wait_until(lambda: focused() == "question 1")
        await bench.press("left_curly_bracket")
        await wait_until(lambda: focused() == "question 0")
        await bench.press("G")
        await wait_until(lambda: focused() == "question 2")
        await bench.press("q")  # A letter without a meaning is no letter of the prompt in normal mode.
        assert bench.prompt.text == ""
        await bench.press("i", "x")
        assert (bench.app.focused, bench.prompt.text) == (bench.prompt, "x")


@key("reading.top", "reading.middle", "reading.bottom")
async def test_the_turn_at_a_place_of_the_view_is_focused() -> None:
    async with vim_chat(size=(80, 50)) as bench:
        await with_turns(bench, 4)
        await bench.press("ctrl+up", "H")
        top = bench.app.focused
        await bench.press("M")
        middle = bench.app.focused
        await bench.press("L")
        views = bench.transcript.views
        assert [top, bench.app.focused] == [views[0], views[-1]]
        assert middle in views[1:-1]


@key("reading.find", "reading.older", "reading.newer")
async def test_a_text_is_found_again_from_the_turn() -> None:
    async with vim_chat() as bench:
        await with_turns(bench, 3)
        await bench.press("ctrl+up", "slash", *"question")
        await bench.until_shown("1 of 3")
        await bench.press("escape")
        await wait_until(lambda: isinstance(bench.app.focused, TurnView))
        await bench.press("n")
        await wait_until(lambda: bool(bench.transcript.views[1].found))
        await bench.press("N")
        await wait_until(lambda: bool(bench.transcript.views[2].found))


async def test_two_agents_take_no_key_from_it() -> None:
    async with chat_app(DUO, settings=VIM) as bench:
        await bench.ask()
        await bench.press("ctrl+up", "y")
        assert len(bench.copied) == 1
