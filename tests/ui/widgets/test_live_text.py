"""A pane's text: it follows its end, keeps the reader's place, and becomes Markdown when it is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from textual.app import App
from textual.content import Content
from textual.geometry import Offset
from textual.selection import Selection
from textual.style import Style

from moa_tui.ui.rows.text_rows import Row
from moa_tui.ui.widgets.live_text import LiveText
from tests.helpers import wait_until

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.pilot import Pilot

LINES = "".join(f"line {number}\n" for number in range(1, 101))
WIDTH, HEIGHT = 40, 10


class Host(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.animation_level = "none"
        self.text = LiveText()
        self.links: list[str] = []
        self.codes: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.text

    def on_rows_widget_link_clicked(self, event: LiveText.LinkClicked) -> None:
        self.links.append(event.address)

    def on_rows_widget_copy_requested(self, event: LiveText.CopyRequested) -> None:
        self.codes.append(event.text)


def drawn(text: LiveText) -> list[str]:
    """What is on the screen, row by row."""
    return [text.render_line(y).text.rstrip() for y in range(text.size.height)]


def plain(text: LiveText) -> list[str]:
    return [row.content.plain for row in text.rows]


async def settled(pilot: Pilot[Any], text: LiveText, first: str) -> None:
    """Wait until the first row is that."""
    await wait_until(lambda: plain(text)[:1] == [first])
    await pilot.pause()


@pytest.fixture
def app() -> Host:
    return Host()


async def test_it_follows_its_end_while_it_grows(app: Host) -> None:
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        app.text.append("one\n")
        await pilot.pause()
        assert drawn(app.text)[:2] == ["one", ""]
        app.text.append(LINES)
        await pilot.pause()
        assert drawn(app.text)[-2:] == ["line 100", ""]
        app.text.append("the last")
        await pilot.pause()
        assert drawn(app.text)[-1] == "the last"


async def test_a_piece_that_goes_on_with_a_line_changes_just_that(app: Host) -> None:
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        for piece in ("al", "pha be", "ta\ngam", "ma"):
            app.text.append(piece)
            await pilot.pause()
        assert drawn(app.text)[:2] == ["alpha beta", "gamma"]
        assert app.text.source == "alpha beta\ngamma"


@pytest.mark.parametrize("key", ["up", "pageup", "home"])
async def test_a_reader_who_scrolled_up_stays_where_he_is_until_he_is_back_at_the_end(
    app: Host, key: str
) -> None:
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        app.text.append(LINES)
        await pilot.pause()
        app.text.focus()
        await pilot.press(key)
        await pilot.pause()
        before = drawn(app.text)
        app.text.append(LINES * 3)
        await pilot.pause()
        assert drawn(app.text) == before
        await pilot.press("end")
        await pilot.pause()
        app.text.append("the last")
        await pilot.pause()
        assert drawn(app.text)[-1] == "the last"


@pytest.mark.parametrize(("key", "rows"), [("up", 1), ("pageup", HEIGHT - 1), ("home", 200)])
async def test_keys_move_it_while_it_is_being_written(app: Host, key: str, rows: int) -> None:
    app.animation_level = "full"
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        app.text.append(LINES * 3)
        app.text.focus()
        await pilot.pause()
        begin = app.text.scroll_y
        await pilot.press(key)
        for _ in range(3):
            app.text.append("more\n")
            await pilot.pause()
        assert app.text.scroll_y <= begin - rows


async def test_the_wheel_scrolls_it_and_lets_go_of_the_end(app: Host) -> None:
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        app.text.append(LINES)
        await pilot.pause()
        at_end = app.text.scroll_y
        app.text.scroll_up(animate=False)
        await pilot.pause()
        app.text.append(LINES)
        await pilot.pause()
        assert app.text.scroll_y < at_end


async def test_every_key_moves_it(app: Host) -> None:
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        app.text.append(LINES)
        app.text.focus()
        await pilot.press("home")
        await pilot.pause()
        places = [app.text.scroll_y]
        for key in ("down", "pagedown", "up", "pageup", "end"):
            await pilot.press(key)
            await pilot.pause()
            places.append(app.text.scroll_y)
        assert places[:2] == [0, 1]
        assert places[2] > places[3] > places[4] >= 0
        assert places[5] == len(app.text.rows) - HEIGHT


async def test_a_scrollbar_shows_only_where_there_is_more(app: Host) -> None:
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        app.text.append("one")
        await pilot.pause()
        assert not app.text.show_vertical_scrollbar
        app.text.append(LINES)
        await pilot.pause()
        assert app.text.show_vertical_scrollbar


async def test_when_it_is_whole_it_is_laid_out_as_markdown_in_its_place(app: Host) -> None:
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        source = "- a\n- **b**\n"
        app.text.append(source)
        await pilot.pause()
        assert plain(app.text)[0] == "- a"
        app.text.finish(source)
        await settled(pilot, app.text, "• a")
        assert plain(app.text) == ["• a", "• b"]
        assert app.text.source == source
        assert drawn(app.text)[:3] == ["• a", "• b", ""]


async def test_a_reader_who_scrolled_up_keeps_his_place_when_it_is_laid_out(app: Host) -> None:
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        source = LINES.replace("\n", "\n\n")
        app.text.append(source)
        app.text.focus()
        await pilot.press("home", "pagedown")
        await pilot.pause()
        place = app.text.scroll_y
        assert place > 0
        app.text.finish("# t\n\n" + source)
        await settled(pilot, app.text, "# t")
        assert app.text.scroll_y == place


async def test_what_the_end_says_goes_before_what_was_pieced_together(app: Host) -> None:
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        app.text.append("half of")
        app.text.finish("the *whole*")
        await settled(pilot, app.text, "the whole")
        assert app.text.source == "the *whole*"


async def test_another_width_lays_it_out_again(app: Host) -> None:
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        app.text.finish("- alpha beta gamma delta")
        await settled(pilot, app.text, "• alpha beta gamma delta")
        await pilot.resize_terminal(16, HEIGHT)
        await wait_until(lambda: plain(app.text) == ["• alpha beta", "  gamma delta"])
        await pilot.resize_terminal(WIDTH, HEIGHT)
        await settled(pilot, app.text, "• alpha beta gamma delta")


async def test_another_width_wraps_a_growing_text_anew(app: Host) -> None:
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        app.text.append("alpha beta gamma")
        await pilot.resize_terminal(13, HEIGHT)
        await pilot.pause()
        assert drawn(app.text)[:2] == ["alpha beta", "gamma"]
        app.text.append(" delta")
        await pilot.pause()
        assert drawn(app.text)[:2] == ["alpha beta", "gamma delta"]


async def test_what_is_laid_out_too_late_is_not_shown(app: Host) -> None:
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        app.text.finish("*first*")
        app.text.finish("*second*")
        await settled(pilot, app.text, "second")
        app.text.finish("*third*")
        app.text.show("plain *now*")
        await wait_until(lambda: all(worker.is_finished for worker in app.workers))
        await pilot.pause()
        assert plain(app.text) == ["plain *now*"]


async def test_showing_another_text_begins_at_its_top(app: Host) -> None:
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        app.text.append(LINES)
        await pilot.pause()
        app.text.show("# [b]other[/b]\n" + LINES)
        await pilot.pause()
        assert drawn(app.text)[:2] == ["# [b]other[/b]", "line 1"]
        app.text.append("more")
        await pilot.pause()
        assert drawn(app.text)[0] == "# [b]other[/b]"


async def test_showing_a_text_as_markdown_or_from_its_end(app: Host) -> None:
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        app.text.show("*x*", markdown=True)
        await settled(pilot, app.text, "x")
        app.text.show(LINES + "end", follow=True)
        await pilot.pause()
        assert drawn(app.text)[-1] == "end"


async def test_rows_laid_out_elsewhere_are_shown_as_they_are_at_any_width(app: Host) -> None:
    rows = [Row(Content(f"row {number}").pad_right(30)) for number in range(30)]
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        app.text.append(LINES)
        app.text.focus()
        await pilot.press("home", "down", "down")
        await pilot.pause()
        app.text.show_rows(rows)
        await pilot.pause()
        assert drawn(app.text)[:2] == ["row 2", "row 3"]  # The reader's place is kept.
        await pilot.resize_terminal(20, HEIGHT)
        await pilot.pause()
        assert list(app.text.rows) == rows
        app.text.show_rows(rows[:1])
        await pilot.pause()
        assert drawn(app.text)[:2] == ["row 0", ""]


async def test_what_is_selected_is_copied_as_the_text_it_came_from(app: Host) -> None:
    async with app.run_test(size=(16, HEIGHT)) as pilot:
        app.text.show("alpha beta gamma\ndelta")
        await pilot.pause()
        assert drawn(app.text)[:3] == ["alpha beta", "gamma", "delta"]
        app.screen.selections = {app.text: Selection(Offset(6, 0), Offset(3, 2))}
        await pilot.pause()
        assert app.screen.get_selected_text() == "beta gamma\ndel"
        app.screen.selections = {app.text: Selection(None, None)}
        assert app.screen.get_selected_text() == "alpha beta gamma\ndelta"


async def test_text_is_selected_with_the_mouse_where_it_was_scrolled_to(app: Host) -> None:
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        app.text.append(LINES)
        await pilot.pause()
        await pilot.mouse_down(app.text, offset=(0, 0))
        await pilot.hover(app.text, offset=(4, 1))
        await pilot.mouse_up(app.text, offset=(4, 1))
        await pilot.pause()
        assert app.screen.get_selected_text() in ("line 92\nline", "line 92\nline ")
        assert "line 92" in drawn(app.text)[0]


async def test_a_selection_is_drawn(app: Host) -> None:
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        app.text.show("alpha")
        await pilot.pause()
        before = [segment.style for segment in app.text.render_line(0)]
        app.screen.selections = {app.text: Selection(Offset(0, 0), Offset(3, 0))}
        await pilot.pause()
        after = app.text.render_line(0)
        assert next(iter(after)).text == "alp"
        assert next(iter(after)).style != before[0]


async def test_a_click_on_a_link_says_where_it_leads_and_opens_nothing(app: Host) -> None:
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        app.text.finish("see [this](https://example.org/a?b=c)")
        await settled(pilot, app.text, "see this")
        await pilot.click(app.text, offset=(5, 0))
        await pilot.pause()
        assert app.links == ["https://example.org/a?b=c"]
        await pilot.click(app.text, offset=(0, 0))
        assert len(app.links) == 1


async def test_a_click_on_a_copy_mark_gives_that_code(app: Host) -> None:
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        app.text.finish("```py\na\n```\n\n```\nb\n\tc\n```")
        await settled(pilot, app.text, "┌ py copy")
        await pilot.click(app.text, offset=(3, 4))
        await pilot.pause()
        assert app.codes == ["b\n\tc"]
        await pilot.click(app.text, offset=(6, 0))
        await pilot.pause()
        assert app.codes == ["b\n\tc", "a"]


async def test_a_copy_mark_of_rows_laid_out_elsewhere_gives_their_code(app: Host) -> None:
    mark = Content("copy").stylize(Style.from_meta({"code": 0}))
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        app.text.show_rows([Row(mark)], ["the code"])
        await pilot.pause()
        await pilot.click(app.text, offset=(1, 0))
        await pilot.pause()
        assert app.codes == ["the code"]


@pytest.mark.parametrize(
    "hostile",
    ["[/] [@click=app.quit]x[/]", "\x1b]52;c;aGk=\x07", "\u202eevil", "x" * 200_000, "日本語👩‍🚀" * 99],
)
async def test_whatever_it_is_given_it_draws_rows_of_its_width(app: Host, hostile: str) -> None:
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        for show in (app.text.append, app.text.finish, app.text.show):
            show(hostile)
            await wait_until(lambda: all(worker.is_finished for worker in app.workers))
            await pilot.pause()
            strips = [app.text.render_line(y) for y in range(app.text.size.height)]
            assert {strip.cell_length for strip in strips} == {app.text.size.width}


async def test_scrolling_through_a_long_text_keeps_few_of_its_drawn_rows(app: Host) -> None:
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        app.text.append("".join(f"line {number}\n" for number in range(1, 2_001)))
        await pilot.pause()
        for y in range(0, 2_000, HEIGHT):
            app.text.scroll_to(y=y, animate=False, immediate=True)
            assert drawn(app.text)[0] == f"line {y + 1}"
        assert len(app.text._strips) <= 120


@pytest.mark.parametrize("is_markdown", [False, True])
async def test_the_readers_place_is_kept_when_the_width_changes_and_changes_back(is_markdown: bool) -> None:
    text = "\n\n".join(f"Paragraph {number} {'with some words ' * 12}." for number in range(50))
    app = Host()
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        app.text.show(text, markdown=is_markdown)
        await settled(pilot, app.text, plain(app.text)[0])
        row = next(at for at, words in enumerate(plain(app.text)) if words.startswith("Paragraph 30"))
        app.text.scroll_to(y=row, animate=False)
        await wait_until(lambda: drawn(app.text)[0].startswith("Paragraph 30"))
        for width in (90, WIDTH, 33, WIDTH):
            await pilot.resize_terminal(width, HEIGHT)
            await wait_until(lambda: drawn(app.text)[0].startswith("Paragraph 30"))
        await wait_until(lambda: app.text.scroll_y == row)
        assert app.text.is_read_back


async def test_a_marked_passage_of_a_wide_line_is_scrolled_into_view(app: Host) -> None:
    source = f"```\n{'x ' * 100}needle {'y ' * 100}\n```\n"
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        app.text.show(source, markdown=True)
        await wait_until(lambda: plain(app.text)[:1] == ["┌ copy"])
        app.text.mark(source.index("needle"), source.index("needle") + 6)
        await pilot.pause()
        assert "needle" in drawn(app.text)[1]
