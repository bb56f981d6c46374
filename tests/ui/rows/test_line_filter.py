"""The second wall: what reaches the terminal is text and colour, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.app import App
from textual.color import Color
from textual.content import Content
from textual.widgets import Static

from moa_tui.ui.rows.line_filter import ControlFilter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.filter import LineFilter

BACKGROUND = Color(0, 0, 0)
HARMLESS = ["", "plain", "日本語", "👩‍🚀", "e\u0301", "می\u200cخواهم", "⚠\ufe0f", "│─●"]
HARMFUL = [
    *("\x1b]52;c;aGk=\x07", "\x1b[31m", "\x9b2J", "\x00", "\x7f", "\r", "\t", "\n"),
    *("\u202e", "\u2066", "\u200e", "\u200f", "\u061c", "\u200b", "\ufeff", "\u2028", "\u2060", "\ufff9"),
    *("\ud800", "\udcff", "\U000e0001"),
]
CONTROLS = {*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0))}


def filtered(*segments: Segment) -> list[Segment]:
    return ControlFilter().apply(list(segments), BACKGROUND)


@pytest.mark.parametrize("text", HARMLESS)
def test_what_steers_nothing_stays_as_it_is(text: str) -> None:
    segment = Segment(text, Style(bold=True))
    assert filtered(segment) == [segment]


@pytest.mark.parametrize("text", HARMFUL)
def test_what_a_terminal_would_obey_is_taken_out(text: str) -> None:
    (segment,) = filtered(Segment(f"a{text}b"))
    assert segment.text.isprintable()
    assert segment.text.startswith("a")
    assert segment.text.endswith("b")


@given(st.text(st.characters(exclude_categories=()) | st.sampled_from(sorted(CONTROLS))))
def test_no_control_character_passes_whatever_the_text(text: str) -> None:
    (segment,) = filtered(Segment(text))
    assert not CONTROLS & set(segment.text)
    assert len(segment.text) == len(text)


def test_one_cell_stands_for_one_character_so_that_columns_hold() -> None:
    (segment,) = filtered(Segment("a\x1b\u202eb"))
    assert segment.text == "a  b"
    assert cell_len(segment.text) == 4


def test_a_terminal_link_is_taken_out_and_the_rest_of_the_style_stays() -> None:
    style = Style(bold=True, color="red", link="https://evil.example", meta={"link": "kept for clicks"})
    (segment,) = filtered(Segment("text", style))
    assert segment.style is not None
    assert segment.style.link is None
    assert segment.style.bold
    assert segment.style.meta == {"link": "kept for clicks"}


def test_every_segment_of_a_line_is_looked_at() -> None:
    texts = [segment.text for segment in filtered(Segment("a"), Segment("\x1b"), Segment("b\x07"))]
    assert texts == ["a", " ", "b "]


async def test_in_an_app_nothing_harmful_is_drawn() -> None:
    class Host(App[None]):
        def get_line_filters(self) -> Sequence[LineFilter]:
            return [*super().get_line_filters(), ControlFilter()]

        def compose(self) -> ComposeResult:
            yield Static(Content("a\u202eb\x9bc \u2066d", strip_control_codes=False))

    app = Host()
    async with app.run_test(size=(40, 5)):
        drawn = "".join(segment.text for strip in app.screen._compositor.render_strips() for segment in strip)
        assert "\u202e" not in drawn
        assert "a b" in drawn
