"""The guide in the program: found as it is typed, read, and left again, all by keyboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from textual.widgets import Input, OptionList

from moa_tui import guide
from moa_tui.settings.config import Settings
from moa_tui.ui.rows.text_rows import extract
from moa_tui.ui.screens.guide_hits import all_topics, hits_of
from moa_tui.ui.screens.guide_screen import GuideScreen
from moa_tui.ui.screens.help_screen import HelpScreen
from moa_tui.ui.screens.recipes.recipe_screen import RecipeScreen
from moa_tui.ui.screens.sessions.sessions_screen import SessionsScreen
from moa_tui.ui.screens.theme_screen import ThemeScreen
from moa_tui.ui.widgets.live_text import LiveText
from tests.helpers import wait_until
from tests.ui.chat_app import ALONE, chat_app
from tests.ui.given import command, key

if TYPE_CHECKING:
    from tests.ui.chat_app import Bench

ERROR = 'no recipe is called "fusoin"; known are: attention-moa, cascade'


async def help_opened(bench: Bench) -> HelpScreen:
    await bench.press("f1")
    await wait_until(lambda: isinstance(bench.app.screen, HelpScreen) and bench.app.screen.is_mounted)
    await bench.settle()
    screen = bench.app.screen
    assert isinstance(screen, HelpScreen)
    return screen


async def reading(bench: Bench, topic: str) -> LiveText:
    """Wait until that page is shown, and return its text."""

    def is_shown() -> bool:
        screen = bench.app.screen
        return isinstance(screen, GuideScreen) and screen._page.topic == topic and bool(screen._width)

    await wait_until(is_shown)
    await bench.settle()
    return bench.app.screen.query_one(LiveText)


def highlighted(bench: Bench) -> str:
    options = bench.app.screen.query_one(OptionList)
    assert options.highlighted_option is not None
    return str(options.highlighted_option.prompt)


async def type_in(bench: Bench, text: str) -> None:
    await bench.press(*({" ": "space"}.get(character, character) for character in text))
    await wait_until(lambda: bench.app.screen.query_one(Input).value == text)
    await bench.settle()


async def test_the_keys_in_force_stand_above_the_topics_of_the_guide() -> None:
    async with chat_app(ALONE) as bench:
        await help_opened(bench)
        shown = bench.shown()
        assert shown.index("The chat") < shown.index("The guide") < shown.index("steering")
        assert "Recipes  (chat.recipes)" in shown


async def test_a_key_of_ones_own_stands_there() -> None:
    async with chat_app(ALONE, settings=Settings(keys={"chat.recipes": "f12"})) as bench:
        await help_opened(bench)
        await type_in(bench, "f12")
        await bench.until_shown("Recipes  (chat.recipes)")


@key("help.down", "help.up", "guide.back")
async def test_a_topic_is_opened_by_arrows_and_enter_and_left_by_escape() -> None:
    async with chat_app(ALONE) as bench:
        await help_opened(bench)
        assert highlighted(bench).startswith("chat ")
        await bench.press("down", "down", "up", "enter")
        await reading(bench, "keys")
        await bench.until_shown("Keys and commands", "sends the message")
        await bench.press("escape")
        await wait_until(lambda: isinstance(bench.app.screen, HelpScreen))
        await bench.press("escape")
        await wait_until(lambda: bench.app.screen is bench.screen)


async def test_what_is_typed_is_found_from_the_first_letters_on() -> None:
    async with chat_app(ALONE) as bench:
        await help_opened(bench)
        await type_in(bench, "expo")
        assert highlighted(bench).startswith("export ")
        await bench.press("enter")
        await reading(bench, "export")


async def test_a_pasted_error_leads_to_its_row() -> None:
    async with chat_app(ALONE) as bench:
        await help_opened(bench)
        bench.app.screen.query_one(Input).value = ERROR
        await bench.settle()
        assert highlighted(bench).startswith("troubleshooting ")
        assert "no recipe is called" in highlighted(bench)
        await bench.press("enter")
        body = await reading(bench, "troubleshooting")
        await bench.until_shown('no recipe is called "…"', "moa-tui recipes list")
        [row] = body.found
        assert "no recipe is called" in body.rows[row].content.plain


async def test_a_section_is_opened_at_its_heading() -> None:
    async with chat_app(ALONE) as bench:
        await help_opened(bench)
        await type_in(bench, "exit codes")
        await bench.press("enter")
        body = await reading(bench, "shell")
        assert body.rows[round(body.scroll_y)].content.plain == "## Exit codes"


@key("guide.search")
async def test_back_from_a_page_the_search_is_as_it_was() -> None:
    async with chat_app(ALONE) as bench:
        await help_opened(bench)
        await type_in(bench, "proxy certificates")
        await bench.press("down", "enter")
        await wait_until(lambda: isinstance(bench.app.screen, GuideScreen))
        await bench.press("slash")
        await wait_until(lambda: isinstance(bench.app.screen, HelpScreen))
        assert bench.app.screen.query_one(Input).value == "proxy certificates"
        assert bench.app.screen.query_one(OptionList).highlighted == 1


@key("guide.next_link", "guide.previous_link", "guide.follow", "guide.back")
async def test_links_are_followed_and_come_back_from_by_keyboard() -> None:
    async with chat_app(ALONE) as bench:
        await bench.submit("/help keys")
        body = await reading(bench, "keys")
        await bench.press("tab", "tab", "shift+tab", "enter")
        await reading(bench, "config")
        await bench.press("escape")
        body = await reading(bench, "keys")
        assert body.scroll_y == 0
        await bench.press("end", "tab")
        [row] = body.found
        assert "see steering" in body.rows[row].content.plain
        place = body.scroll_y
        assert place
        await bench.press("enter")
        await reading(bench, "steering")
        await bench.press("backspace")
        body = await reading(bench, "keys")
        assert body.scroll_y == place, "the place is kept"


async def test_a_link_that_is_out_of_view_is_brought_into_it() -> None:
    async with chat_app(ALONE) as bench:
        await bench.submit("/help how-it-works")
        body = await reading(bench, "how-it-works")
        seen = set()
        for _ in range(40):
            await bench.press("tab")
            row = min(body.found)
            assert body.scroll_y <= row < body.scroll_y + body.size.height
            seen.add(row)
        assert len(seen) > 3


async def test_a_link_to_the_web_is_asked_about_first() -> None:
    async with chat_app(ALONE) as bench:
        await bench.submit("/help how-it-works")
        await reading(bench, "how-it-works")
        screen = bench.app.screen
        assert isinstance(screen, GuideScreen)
        addresses = [target.meta.get("link", "") for target in screen._targets]
        first_web = next(number for number, address in enumerate(addresses) if address.startswith("https:"))
        await bench.press(*["tab"] * (first_web + 1), "enter")
        await bench.until_shown("Open this link?", "arxiv.org")
        assert bench.app.opened == []


async def test_code_is_copied_by_keyboard() -> None:
    async with chat_app(ALONE) as bench:
        await bench.submit("/help themes")
        await reading(bench, "themes")
        screen = bench.app.screen
        assert isinstance(screen, GuideScreen)
        stops = [number for number, target in enumerate(screen._targets) if "code" in target.meta]
        await bench.press(*["tab"] * (stops[0] + 1), "enter")
        await wait_until(lambda: bench.copied)
        assert bench.copied[0].startswith('name = "mine"')


@key("guide.next_page", "guide.previous_page")
async def test_pages_are_turned_in_reading_order() -> None:
    async with chat_app(ALONE) as bench:
        await bench.submit("/help start")
        await reading(bench, "start")
        await bench.press("left", "right")
        await reading(bench, "chat")
        await bench.press("left")
        await reading(bench, "start")


@pytest.mark.parametrize("size", [(80, 24), (60, 20), (220, 60)])
async def test_every_page_is_shown_whole_at_every_size(size: tuple[int, int]) -> None:
    async with chat_app(ALONE, size=size) as bench:
        await bench.submit("/help start")
        for number, page in enumerate(guide.pages()):
            body = await reading(bench, page.topic)
            texts = extract(body.rows, None, None)
            assert all(f"# {section.heading.replace('`', '')}" in texts for section in page.sections)
            assert_nothing_is_cut(body)
            if number + 1 < len(guide.ORDER):
                await bench.press("right")


async def test_the_place_is_kept_when_the_window_changes() -> None:
    async with chat_app(ALONE, size=(120, 30)) as bench:
        await bench.submit("/help recipes")
        body = await reading(bench, "recipes")
        body.scroll_to(y=len(body.rows) // 2, animate=False)
        await bench.settle()
        share, width = body.scroll_y / len(body.rows), body.size.width
        await bench.pilot.resize_terminal(70, 24)
        await wait_until(lambda: body.size.width < width and len(body.rows) * share - body.scroll_y < 1)
        assert_nothing_is_cut(body)


def assert_nothing_is_cut(body: LiveText) -> None:
    """No row is wider than its place, but those that are scrolled sideways."""
    wide = [row for row in body.rows if row.content.cell_length > body.size.width]
    assert all(row.block is not None for row in wide)


@command("help")
async def test_help_with_a_topic_opens_its_page_and_with_words_searches_for_them() -> None:
    async with chat_app(ALONE) as bench:
        await bench.submit("/help trouble")
        await reading(bench, "troubleshooting")
        await bench.press("f1")
        await wait_until(lambda: bench.app.screen is bench.screen)
        await bench.submit("/help rate limit 429")
        await wait_until(lambda: isinstance(bench.app.screen, HelpScreen))
        await wait_until(lambda: bench.app.screen.query_one(Input).value == "rate limit 429")
        assert len(bench.app.screen_stack) == 2


async def test_the_topic_is_completed_behind_the_command() -> None:
    async with chat_app(ALONE) as bench:
        bench.prompt.focus()
        await bench.press(*"/help", "space", "t", "h")
        await bench.until_shown("themes", "How to choose the colours")
        await bench.press("tab")
        assert bench.prompt.text == "/help themes"
        await bench.press("enter")
        await reading(bench, "themes")


@pytest.mark.parametrize(
    ("kind", "topic"),
    [(RecipeScreen, "strategies"), (SessionsScreen, "conversations"), (ThemeScreen, "themes")],
)
async def test_the_help_begins_at_the_topic_of_the_screen_below(kind: type, topic: str) -> None:
    async with chat_app(ALONE) as bench:
        if kind is RecipeScreen:
            await bench.press("f2")
        elif kind is SessionsScreen:
            await bench.press("ctrl+s")
        else:
            bench.app.choose_theme()
        await wait_until(lambda: isinstance(bench.app.screen, kind) and bench.app.screen.is_mounted)
        await bench.settle()
        await help_opened(bench)
        assert highlighted(bench).startswith(topic)
        await bench.press("enter")
        await reading(bench, topic)
        await bench.press("f1")
        await wait_until(lambda: isinstance(bench.app.screen, kind))


def test_every_topic_that_a_screen_names_exists() -> None:
    from tests.ui.test_given import classes_with_bindings

    topics = {topic for each in classes_with_bindings() if (topic := getattr(each, "HELP_TOPIC", ""))}
    assert len(topics) > 5
    assert topics <= set(guide.ORDER)


@pytest.mark.parametrize(
    "text",
    ["[bold]loud[/]", "x" * 100_000, "\x1b[31mred\u202e", "words " * 20_000, "字" * 5_000, "`" * 9_000],
)
async def test_anything_can_be_looked_for(text: str) -> None:
    async with chat_app(ALONE) as bench:
        await help_opened(bench)
        bench.app.screen.query_one(Input).value = text
        await bench.settle()
        await bench.press("enter", "escape", "escape")
        await bench.settle()
        assert not bench.app.faults
        assert "\x1b" not in bench.shown()
        assert "\u202e" not in bench.shown()


def test_a_hit_shows_the_line_that_it_is_about_without_marks() -> None:
    first = hits_of("no recipe is called")[0].row.plain
    assert first.startswith("troubleshooting  Nothing can be asked — no recipe is called")
    assert not [hit.row.plain for hit in hits_of("recipe layer model key") if set("`*|") & set(hit.row.plain)]


def test_the_list_of_topics_is_the_guide() -> None:
    assert [hit.topic for hit in all_topics()] == list(guide.ORDER)
