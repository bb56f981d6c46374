"""Tables and code that are wider than their place: a window is drawn, and scrolled by wheel and keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from rich.cells import cell_len
from textual import events
from textual.app import App
from textual.geometry import Offset
from textual.selection import Selection

from moa_tui.ui.widgets.live_text import LiveText
from tests.helpers import wait_until
from tests.ui.given import key

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.pilot import Pilot

WIDTH, HEIGHT = 30, 14
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SOURCE = f"words\n\n```\n{LETTERS}\nshort\n```\n\n- item\n\n  ```\n  {LETTERS}\n  ```\n"
LINE, SHORT, NESTED = 3, 4, 10


class Host(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.animation_level = "none"
        self.text = LiveText()

    def compose(self) -> ComposeResult:
        yield self.text


@pytest.fixture
def app() -> Host:
    return Host()


def drawn(text: LiveText) -> list[str]:
    """What is on the screen, row by row, without the column of the scrollbar."""
    return [text.render_line(y).crop(0, text.size.width - 1).text.rstrip() for y in range(text.size.height)]


async def shown(pilot: Pilot[Any], text: LiveText, source: str = SOURCE) -> None:
    text.show(source, markdown=True)
    text.focus()
    await wait_until(lambda: any(row.block is not None for row in text.rows))
    await pilot.pause()


async def wheel(
    pilot: Pilot[Any], text: LiveText, y: int, kind: type[events.MouseEvent], *, shift: bool = False
) -> None:
    await pilot._post_mouse_events([kind], text, Offset(5, y), shift=shift)


@key("text.left", "text.right")
async def test_a_window_is_drawn_with_a_mark_where_there_is_more(app: Host) -> None:
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        await shown(pilot, app.text)
        assert drawn(app.text)[LINE] == f"│ {LETTERS[:26]}›"
        assert drawn(app.text)[SHORT] == "│ short"
        await pilot.press("greater_than_sign")
        assert drawn(app.text)[LINE] == f"│ ‹{LETTERS[15:40]}›"
        assert drawn(app.text)[SHORT] == "│ ‹"
        await pilot.press(*["greater_than_sign"] * 5)
        assert drawn(app.text)[LINE] == f"│ ‹{LETTERS[-26:]}"
        await pilot.press(*["less_than_sign"] * 5)
        assert drawn(app.text)[LINE] == f"│ {LETTERS[:26]}›"


async def test_the_keys_scroll_every_block_in_view_and_no_other(app: Host) -> None:
    async with app.run_test(size=(WIDTH, 6)) as pilot:
        await shown(pilot, app.text)
        await pilot.press("greater_than_sign", "end")
        await wait_until(lambda: drawn(app.text)[-2] == f"  │ {LETTERS[:24]}›")
        await pilot.press("greater_than_sign", "greater_than_sign", "home")
        await wait_until(lambda: drawn(app.text)[LINE] == f"│ ‹{LETTERS[15:40]}›")


@pytest.mark.parametrize(
    ("right", "left", "shift"),
    [
        (events.MouseScrollDown, events.MouseScrollUp, True),
        (events.MouseScrollRight, events.MouseScrollLeft, False),
    ],
)
async def test_the_wheel_scrolls_the_block_below_the_pointer(
    app: Host, right: type[events.MouseEvent], left: type[events.MouseEvent], shift: bool
) -> None:
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        await shown(pilot, app.text)
        await wheel(pilot, app.text, NESTED, right, shift=shift)
        assert drawn(app.text)[NESTED] == f"  │ ‹{LETTERS[7:30]}›"
        assert drawn(app.text)[LINE] == f"│ {LETTERS[:26]}›"
        await wheel(pilot, app.text, NESTED, left, shift=shift)
        assert drawn(app.text)[NESTED] == f"  │ {LETTERS[:24]}›"
        await wheel(pilot, app.text, 0, right, shift=shift)
        assert drawn(app.text)[LINE] == f"│ {LETTERS[:26]}›"


async def test_the_wheel_without_shift_scrolls_the_text(app: Host) -> None:
    async with app.run_test(size=(WIDTH, 6)) as pilot:
        await shown(pilot, app.text)
        await pilot.press("end")
        await wait_until(lambda: app.text.scroll_y == app.text.max_scroll_y)
        await wheel(pilot, app.text, 4, events.MouseScrollRight)
        assert drawn(app.text)[4] == f"  │ ‹{LETTERS[7:30]}›"
        await wheel(pilot, app.text, 4, events.MouseScrollLeft)
        await pilot.press("home")
        await wait_until(lambda: app.text.scroll_y == 0)
        await wheel(pilot, app.text, LINE, events.MouseScrollDown)
        await wait_until(lambda: app.text.scroll_y > 0)
        assert not any("‹" in row for row in drawn(app.text))


async def test_a_wider_screen_shows_the_end_without_a_gap(app: Host) -> None:
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        await shown(pilot, app.text)
        await pilot.press(*["greater_than_sign"] * 5)
        for width, line in ((40, f"│ ‹{LETTERS[-36:]}"), (80, f"│ {LETTERS}"), (30, f"│ ‹{LETTERS[-26:]}")):
            await pilot.resize_terminal(width, HEIGHT)
            await wait_until(lambda line=line: drawn(app.text)[LINE] == line)  # type: ignore[misc]


async def test_no_wide_character_is_cut_in_half(app: Host) -> None:
    line = "表👍🏽한글é" * 12
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        await shown(pilot, app.text, f"```\n{line}\n```")
        room = app.text.size.width - 1
        for _ in range(40):
            strip = app.text.render_line(1).crop(0, room)
            assert cell_len(strip.text) == room
            assert strip.text.strip("│ ‹›") in line
            await wheel(pilot, app.text, 1, events.MouseScrollRight)
            await wheel(pilot, app.text, 1, events.MouseScrollRight)
            await wheel(pilot, app.text, 1, events.MouseScrollLeft)
        await wheel(pilot, app.text, 1, events.MouseScrollRight)
        assert drawn(app.text)[1].endswith(line[-6:])


async def test_the_first_column_of_a_table_stays_where_it_is(app: Host) -> None:
    source = f"| n | b |\n|---|---|\n| 日本 | {LETTERS[:30]} |\n| cd | {LETTERS[26:56]} |"
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        await shown(pilot, app.text, source)
        assert drawn(app.text)[:3] == ["n    │ b", f"─────┼─{'─' * 21}›", f"日本 │ {LETTERS[:21]}›"]
        await pilot.press("greater_than_sign")
        assert drawn(app.text)[1:4] == [
            f"─────┼─‹{'─' * 21}",
            f"日本 │ ‹{LETTERS[9:30]}",
            f"cd   │ ‹{LETTERS[35:56]}",
        ]
        selected = app.text.get_selection(Selection(Offset(0, 2), Offset(4, 3)))
        assert selected == (f"日本 │ {LETTERS[:30]}\ncd", "\n")


async def test_what_is_selected_is_the_whole_line_and_a_place_is_the_place_in_it(app: Host) -> None:
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        await shown(pilot, app.text)
        await pilot.press("greater_than_sign")
        selected = app.text.get_selection(Selection(Offset(2, LINE), None))
        assert selected is not None
        assert selected[0].startswith(f"{LETTERS}\n")
        region = app.text.content_region
        _, place = app.screen.get_widget_and_offset_at(region.x + 4, region.y + LINE)
        assert place is not None
        assert app.text.rows[LINE].content.plain[place.x] == LETTERS[16]


async def test_code_that_is_still_written_is_scrolled_as_well(app: Host) -> None:
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        app.text.focus()
        app.text.show("```py\nshort\n", follow=True)
        await pilot.pause()
        assert drawn(app.text)[1] == "short"
        app.text.append(f"{LETTERS}\n")
        assert drawn(app.text)[2] == f"{LETTERS[:28]}›"
        app.text.show(f"```py\n{LETTERS}\n", follow=True)
        await pilot.press("greater_than_sign")
        assert drawn(app.text)[1] == f"‹{LETTERS[15:42]}›"
        app.text.append(f"{LETTERS}{LETTERS}")
        assert drawn(app.text)[1:3] == [f"‹{LETTERS[15:42]}›"] * 2
        app.text.append("\n")
        await pilot.press(*["greater_than_sign"] * 9)
        assert drawn(app.text)[2] == f"‹{LETTERS[-28:]}"
        app.text.finish(f"```py\n{LETTERS}\n{LETTERS}{LETTERS}\n```")
        # It stays where the reader has scrolled it: 95 cells are left of the window.
        await wait_until(lambda: drawn(app.text)[2] == f"│ ‹{(LETTERS * 2)[96:121]}›")


async def test_another_text_begins_at_its_left_edge(app: Host) -> None:
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        await shown(pilot, app.text)
        await pilot.press("greater_than_sign")
        await shown(pilot, app.text, SOURCE + "more")
        await wait_until(lambda: drawn(app.text)[LINE] == f"│ {LETTERS[:26]}›")


async def test_a_place_too_narrow_for_a_window_still_shows_something(app: Host) -> None:
    source = "> " * 6 + f"```\n{'> ' * 6}{LETTERS}\n{'> ' * 6}```"
    async with app.run_test(size=(8, HEIGHT)) as pilot:
        await shown(pilot, app.text, source)
        await pilot.press("greater_than_sign", "less_than_sign")
        assert any("a" in row for row in drawn(app.text))


async def test_keys_of_a_text_that_is_not_laid_out_yet_do_nothing(app: Host) -> None:
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        await shown(pilot, app.text)
        app.text.display = False
        await pilot.pause()
        app.text.action_sideways(1)
        app.text.display = True
        await pilot.pause()
        assert drawn(app.text)[LINE] == f"│ {LETTERS[:26]}›"
