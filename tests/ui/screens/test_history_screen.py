"""The search in earlier prompts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from textual.app import App
from textual.content import Content
from textual.widgets import Label, OptionList

from moa_tui.ui.screens.history_screen import HistoryScreen, search
from tests.helpers import wait_until
from tests.ui.given import key

if TYPE_CHECKING:
    from collections.abc import Sequence

PROMPTS = ["why is the sky blue", "write a haiku\n\n  about [/] frogs", "sky and sea", "why is the sky blue"]


class Host(App[None]):
    def __init__(self, prompts: Sequence[str] = PROMPTS) -> None:
        super().__init__()
        self.screen_asked = HistoryScreen(prompts)
        self.taken: list[str | None] = []

    def on_mount(self) -> None:
        self.push_screen(self.screen_asked, self.taken.append)

    def rows(self) -> list[str]:
        return [str(option.prompt) for option in self.screen_asked.query_one(OptionList).options]

    def marked(self) -> list[tuple[int, int]]:
        rows = [option.prompt for option in self.screen_asked.query_one(OptionList).options]
        return [(span.start, span.end) for row in rows if isinstance(row, Content) for span in row.spans]

    def count(self) -> str:
        return str(self.screen_asked.query_one(Label).content)


async def test_all_prompts_are_there_newest_first_each_once_on_one_line() -> None:
    app = Host()
    async with app.run_test(size=(80, 24)):
        await wait_until(app.rows)
        assert app.rows() == ["why is the sky blue", "sky and sea", "write a haiku ⏎ about [/] frogs"]
        assert app.count() == "3 prompts"


async def test_enter_takes_the_best_hit_as_it_was_written() -> None:
    app = Host()
    async with app.run_test() as pilot:
        await wait_until(app.rows)
        await pilot.press(*"hkufrg")
        await wait_until(lambda: len(app.rows()) == 1)
        await pilot.press("enter")
        await wait_until(lambda: app.taken == ["write a haiku\n\n  about [/] frogs"])


@key("history.up", "history.down")
async def test_up_and_down_choose_while_typing_goes_on() -> None:
    app = Host()
    async with app.run_test() as pilot:
        await wait_until(app.rows)
        await pilot.press(*"sky")
        await wait_until(lambda: len(app.rows()) == 2)
        await pilot.press("down", "up", "down", "enter")
        await wait_until(lambda: app.taken == ["sky and sea"])


@key("history.page_up", "history.page_down")
async def test_page_keys_go_to_the_ends_of_what_is_in_view() -> None:
    for keys, prompt in ((["pagedown"], PROMPTS[1]), (["pagedown", "pageup"], PROMPTS[0])):
        app = Host()
        async with app.run_test(size=(80, 24)) as pilot:
            await wait_until(app.rows)
            await pilot.pause()
            await pilot.press(*keys, "enter")
            await wait_until(lambda app=app: app.taken)
            assert app.taken == [prompt]


async def test_a_click_takes_a_prompt() -> None:
    app = Host()
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_until(app.rows)
        await pilot.pause()
        await pilot.click(OptionList, offset=(3, 1))
        await wait_until(lambda: app.taken == ["sky and sea"])


@key("history.close")
async def test_escape_takes_nothing() -> None:
    app = Host()
    async with app.run_test() as pilot:
        await wait_until(app.rows)
        await pilot.press("escape")
        await wait_until(lambda: app.taken == [None])


async def test_enter_without_a_hit_does_nothing_and_the_screen_says_so() -> None:
    app = Host()
    async with app.run_test() as pilot:
        await pilot.press(*"qqq")
        await wait_until(lambda: app.count().startswith("no earlier prompt"))
        await pilot.press("enter")
        assert app.taken == []


async def test_the_letters_that_match_are_set_apart() -> None:
    app = Host(["abc"])
    async with app.run_test() as pilot:
        await wait_until(app.rows)
        await pilot.press("a", "c")
        await wait_until(lambda: app.marked() == [(0, 1), (2, 3)])


async def test_of_very_many_prompts_only_the_first_are_drawn() -> None:
    app = Host([f"prompt {number}" for number in range(10_000)])
    async with app.run_test() as pilot:
        await wait_until(app.rows)
        assert app.count() == "10000 prompts, the first 200 shown"
        await pilot.press(*"7123")
        await wait_until(lambda: app.rows() == ["prompt 7123"])


@pytest.mark.parametrize("typed", ["aaaaaaaaaaaaaaaa", "eioaeioaeioaeio b", "zz", "ea" * 40])
def test_ten_thousand_long_prompts_are_searched_in_a_moment(typed: str) -> None:
    rows = [f"{number} " + "a queue of aeiou letters here " * 8 for number in range(10_000)]
    before = time.thread_time()
    search(typed, rows)
    assert time.thread_time() - before < 5, "seconds of this thread's work"


def test_letters_that_stand_together_come_before_scattered_ones() -> None:
    rows = ["s then k then y", "the sky", "sky"]
    assert [index for index, _ in search("SKY", rows)] == [1, 2, 0]


def test_where_letters_are_scattered_the_nearest_way_is_marked() -> None:
    assert search("abc", ["a a b xc"]) == [(0, [2, 4, 7])]
    assert search("ab cd", ["ab to cd"]) == [(0, [0, 1, 6, 7])]
    assert search("ba", ["ab"]) == []
