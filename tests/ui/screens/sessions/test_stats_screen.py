"""The statistics screen: its tables, how they are sorted, and what it says where there is nothing."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from textual.app import App
from textual.widgets import Static

from moa_tui.errors import StoreError
from moa_tui.stats.figures import Figures
from moa_tui.stats.tables import MEASURES
from moa_tui.ui.screens.sessions.stats_screen import StatsScreen
from moa_tui.ui.widgets.live_text import LiveText
from tests.helpers import wait_until
from tests.stats.helpers import a_group, some_figures
from tests.ui.chat_app import FORBIDDEN, HOSTILE
from tests.ui.given import key

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.pilot import Pilot


class StatsApp(App[None]):
    """Opens the screen at once."""

    def __init__(self, load: Callable[[], Figures] = some_figures) -> None:
        super().__init__()
        self.load = load

    def on_mount(self) -> None:
        self.push_screen(StatsScreen(self.load))

    @property
    def shown(self) -> str:
        """All that is on the screen."""
        strips = self.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip) for strip in strips)

    @property
    def names(self) -> list[str]:
        """The first word of each row."""
        return [row.content.plain.split()[0] for row in self.screen.query_one(LiveText).rows]

    def part(self, name: str) -> str:
        return str(self.screen.query_one(f"#stats-{name}", Static).content)


async def counted(pilot: Pilot[None]) -> StatsApp:
    """Wait for the first table."""
    app = pilot.app
    assert isinstance(app, StatsApp)
    await wait_until(lambda: isinstance(app.screen, StatsScreen) and "recipe" in app.part("head"))
    await wait_until(lambda: "recipe" in app.shown)
    return app


async def test_it_counts_on_a_thread_and_says_so() -> None:
    go_on, threads = threading.Event(), []

    def load() -> Figures:
        threads.append(threading.current_thread())
        go_on.wait(5)
        return some_figures()

    async with StatsApp(load).run_test(size=(80, 24)) as pilot:
        app = pilot.app
        assert isinstance(app, StatsApp)
        await wait_until(lambda: "Counting" in app.shown)
        await pilot.press("right", "tab", "1")  # Nothing to sort yet.
        assert "Sort by" not in app.shown
        go_on.set()
        await counted(pilot)
        await wait_until(lambda: "Sort by" in app.shown)
        assert threads != [threading.main_thread()]


@key("stats.agents")
@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (220, 60)])
async def test_a_table_of_each_kind_fits_the_screen(size: tuple[int, int]) -> None:
    async with StatsApp().run_test(size=size) as pilot:
        app = await counted(pilot)
        for key, kind in zip("1234", ("recipe", "model", "agent", "month"), strict=True):
            await pilot.press(key)
            assert app.part("head").split()[0] == kind
            await wait_until(lambda: "█" in app.shown)
            width = app.screen.query_one(LiveText).scrollable_content_region.width
            assert len(app.part("head")) <= width
            assert all(row.content.cell_length <= width for row in app.screen.query_one(LiveText).rows)


async def test_a_wide_screen_shows_more_and_a_resize_lays_out_anew() -> None:
    async with StatsApp().run_test(size=(80, 24)) as pilot:
        app = await counted(pilot)
        assert "stopped" not in app.part("head")
        assert "No room for:" in app.part("notes")
        await pilot.resize_terminal(200, 24)
        await wait_until(lambda: "stopped" in app.part("head"))
        assert "No room for:" not in app.part("notes")


@key("stats.next_table", "stats.previous_table")
async def test_tab_goes_through_the_tables_and_a_click_chooses_one() -> None:
    async with StatsApp().run_test(size=(80, 24)) as pilot:
        app = await counted(pilot)
        await pilot.press("shift+tab")
        assert "[4 Months]" in app.part("tabs")
        await pilot.press("tab", "tab")
        assert "[2 Models]" in app.part("tabs")
        await pilot.click("#stats-tabs", offset=(app.part("tabs").index("Agents") + 2, 0))
        assert "[3 Agents]" in app.part("tabs")


def by_calls_and_price() -> Figures:
    groups = (a_group("many", 90, cost=0.1), a_group("pricey", 10, cost=3.0), a_group("few", 5, cost=1.0))
    return Figures(a_group("all", 105), groups, groups, groups, ())


@key("stats.next_column", "stats.previous_column")
async def test_a_key_sorts_by_the_next_column_and_another_by_the_one_before() -> None:
    async with StatsApp(by_calls_and_price).run_test(size=(120, 30)) as pilot:
        app = await counted(pilot)
        assert app.names == ["many", "pricey", "few"]
        await pilot.press("right", "right", "s")
        assert app.names == ["pricey", "few", "many"]
        await pilot.press("left", "left", "S")
        assert app.names == ["many", "pricey", "few"]


async def test_a_click_on_a_heading_sorts_by_it() -> None:
    async with StatsApp(by_calls_and_price).run_test(size=(120, 30)) as pilot:
        app = await counted(pilot)
        await pilot.click("#stats-head", offset=(app.part("head").index("price") + 3, 0))
        assert app.names == ["pricey", "few", "many"]
        await pilot.click("#stats-head", offset=(3, 0))
        assert app.names == ["few", "many", "pricey"]
        assert isinstance(app.screen, StatsScreen)
        assert app.screen.order == "name"


async def test_every_column_can_be_sorted_by_and_is_then_shown_at_80_columns() -> None:
    async with StatsApp().run_test(size=(80, 24)) as pilot:
        app = await counted(pilot)
        assert isinstance(app.screen, StatsScreen)
        seen = []
        for _ in range(len(MEASURES) + 1):
            seen.append(app.screen.order)
            assert app.screen.order == "name" or app.screen.order in app.part("head")
            await pilot.press("right")
        assert sorted(seen) == sorted(["name", *MEASURES])
        assert app.screen.order == seen[0]


@key("stats.models", "stats.recipes")
async def test_each_table_keeps_its_own_order() -> None:
    async with StatsApp(by_calls_and_price).run_test(size=(120, 30)) as pilot:
        app = await counted(pilot)
        await pilot.press("right", "right", "right", "2")
        assert app.names == ["many", "pricey", "few"]
        await pilot.press("1")
        assert app.names == ["pricey", "few", "many"]


async def test_many_rows_scroll() -> None:
    groups = tuple(a_group(f"model-{number:03}", 900 - number) for number in range(200))
    figures = Figures(a_group(), groups, groups, groups, groups)
    async with StatsApp(lambda: figures).run_test(size=(80, 24)) as pilot:
        app = await counted(pilot)
        assert "model-199" not in app.shown
        await pilot.press("end")
        await wait_until(lambda: "model-199" in app.shown)
        await pilot.press("2")
        await wait_until(lambda: "model-000" in app.shown)


async def test_hostile_names_are_harmless_under_the_mouse_too() -> None:
    groups = tuple(a_group(name, 10 * number) for number, name in enumerate([*HOSTILE, "[/]"], 1))
    figures = Figures(a_group(), groups, groups, groups, groups)
    async with StatsApp(lambda: figures).run_test(size=(220, 40)) as pilot:
        app = await counted(pilot)
        await wait_until(lambda: "[/]" in app.shown)
        for row in range(len(groups)):
            await pilot.hover("#stats-rows", offset=(4, row + 1))
        await pilot.click("#stats-rows", offset=(4, 1))
        assert not FORBIDDEN & set(app.shown)
        for readable in HOSTILE.values():
            assert readable in app.shown


@key("stats.months")
async def test_nothing_kept_is_said() -> None:
    nothing = Figures(a_group("all", 0, turns=0), (), (), (), ())
    async with StatsApp(lambda: nothing).run_test(size=(80, 24)) as pilot:
        app = pilot.app
        assert isinstance(app, StatsApp)
        await wait_until(lambda: "No conversation is kept yet" in app.shown)
        await pilot.press("right", "4", "escape")
        assert not isinstance(app.screen, StatsScreen)


async def test_what_keeps_it_from_counting_is_said() -> None:
    def load() -> Figures:
        raise StoreError("/kept/[/].db: the file is damaged: `moa-tui doctor` says how to repair it")

    async with StatsApp(load).run_test(size=(80, 24)) as pilot:
        app = pilot.app
        assert isinstance(app, StatsApp)
        await wait_until(lambda: "/kept/[/].db: the file is damaged" in app.shown)


@key("stats.close")
async def test_escape_leaves_even_while_it_counts() -> None:
    go_on = threading.Event()

    def load() -> Figures:
        go_on.wait(5)
        return some_figures()

    async with StatsApp(load).run_test(size=(80, 24)) as pilot:
        await wait_until(lambda: isinstance(pilot.app.screen, StatsScreen))
        await pilot.press("escape")
        await wait_until(lambda: not isinstance(pilot.app.screen, StatsScreen))
        go_on.set()
        await pilot.pause()


async def test_a_low_screen_keeps_its_rows() -> None:
    async with StatsApp().run_test(size=(60, 20)) as pilot:
        app = await counted(pilot)
        assert "median" not in app.part("notes")
        assert app.screen.query_one(LiveText).size.height >= 5
