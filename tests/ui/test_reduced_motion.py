"""With `reduced_motion` nothing blinks, glides or turns: what is at rest stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.color import Color
from textual.widgets import Input, OptionList, TextArea

from moa_tui.settings.config import Settings
from moa_tui.ui.rows.line_filter import StillFilter
from tests.helpers import wait_until
from tests.ui.chat_app import ALONE, DUO, chat_app
from tests.ui.screens_at_rest import SCREENS, at_rest, press

if TYPE_CHECKING:
    from textual.geometry import Region
    from textual.timer import Timer

    from tests.ui.chat_app import Bench


def active_timers(bench: Bench) -> list[Timer]:
    """Every timer of the app, its screens and their widgets that is neither stopped nor paused."""
    nodes: list[Any] = [bench.app]
    for screen in bench.app.screen_stack:
        nodes += screen.walk_children(with_self=True)
    return [
        timer
        for node in nodes
        for timer in node._timers
        if timer._task is not None and not timer._task.done() and timer._active.is_set()
    ]


def drawn(bench: Bench) -> list[list[Segment]]:
    """Every cell on the screen with its style."""
    return [list(strip) for strip in bench.app.screen._compositor.render_strips()]


def styles_in(bench: Bench, region: Region) -> set[Style | None]:
    """The styles of all cells of a region of the screen."""
    strips = bench.app.screen._compositor.render_strips()[region.y : region.bottom]
    return {segment.style for strip in strips for segment in strip.crop(region.x, region.right)}


async def shake(bench: Bench) -> None:
    """Have every timer fire, as if the time of each had come."""
    for timer in active_timers(bench):
        if timer._callback is not None:
            await timer._tick(next_timer=0.0, count=1)
        else:
            timer.target.post_message(events.Timer(timer, 0.0, 1))
    await bench.settle()


def blinking(bench: Bench) -> list[object]:
    """The text fields whose cursor blinks."""
    fields = bench.app.screen.query("Input, TextArea").results()
    timers = {
        field: field._blink_timer if isinstance(field, Input) else field.blink_timer
        for field in fields
        if isinstance(field, Input | TextArea)
    }
    return [field for field, timer in timers.items() if timer is not None and timer._active.is_set()]


# A notice goes when its time has come, and that is all that it does.
@pytest.mark.parametrize("name", [name for name in SCREENS if name != "notices"])
async def test_what_is_at_rest_stays_as_it_is(name: str) -> None:
    async with chat_app(DUO, size=(120, 40), settings=Settings(reduced_motion=True)) as bench:
        await bench.ask("a question")
        await SCREENS[name](bench)
        await at_rest(bench)
        before = drawn(bench)
        for _ in range(3):
            assert blinking(bench) == []
            await shake(bench)
            assert drawn(bench) == before
        assert not bench.app.animator._animations


async def test_a_cursor_blinks_where_motion_is_not_reduced() -> None:
    """So the test above would see one that does."""
    async with chat_app(ALONE) as bench:
        await at_rest(bench)
        assert blinking(bench) == [bench.prompt]
        before = drawn(bench)
        await shake(bench)
        assert drawn(bench) != before


@pytest.mark.parametrize("keys", ["x", "left", "backspace", "ctrl+up escape", "f1 escape", "f3 m escape"])
async def test_the_cursor_stands_still_whatever_is_typed_and_is_seen(keys: str) -> None:
    async with chat_app(ALONE, settings=Settings(reduced_motion=True)) as bench:
        await bench.ask("a question")
        await press(bench, *keys.split())
        assert bench.app.focused is bench.prompt
        assert blinking(bench) == []
        assert len(styles_in(bench, bench.prompt.region)) > 1, "the cursor has a style of its own"


async def test_the_cursor_of_a_text_field_is_seen() -> None:
    async with chat_app(ALONE, settings=Settings(reduced_motion=True)) as bench:
        await press(bench, "f1", "e")
        field = bench.app.screen.query_one(Input)
        assert field.has_focus
        assert len(styles_in(bench, field.region)) > 1


async def test_nothing_is_scrolled_bit_by_bit() -> None:
    async with chat_app(ALONE, settings=Settings(reduced_motion=True)) as bench:
        assert bench.app.animation_level == "none"
        await press(bench, "ctrl+r")
        options = bench.app.screen.query_one(OptionList)
        options.add_options(str(number) for number in range(200))
        await bench.settle()
        places: list[float] = []
        options.watch(options, "scroll_y", lambda place: places.append(place), init=False)
        options.scroll_end()
        await wait_until(lambda: options.scroll_y == options.max_scroll_y)
        assert places == [options.max_scroll_y]


@pytest.mark.parametrize("name", ["blink", "blink2"])
def test_text_that_a_theme_makes_blink_stands_still(name: str) -> None:
    style = Style(bold=True, **{name: True})
    [segment] = StillFilter().apply([Segment("text", style)], Color.parse("black"))
    assert segment.text == "text"
    assert segment.style is not None
    assert not segment.style.blink
    assert not segment.style.blink2
    assert segment.style.bold


@pytest.mark.parametrize("is_reduced", [True, False])
async def test_blinking_text_is_drawn_only_where_motion_is_not_reduced(is_reduced: bool) -> None:
    async with chat_app(ALONE, settings=Settings(reduced_motion=is_reduced)) as bench:
        filters = [type(each) for each in bench.app.get_line_filters()]
        assert (StillFilter in filters) == is_reduced
