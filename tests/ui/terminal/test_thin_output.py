"""What is left out changes nothing: a terminal shows the same after what was thinned as after all of it."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from moa_tui.ui.terminal.thin_output import ThinOutput
from tests.ui.terminal.grid import Grid

RED, BLUE, BOLD = "38;2;200;0;0;48;2;10;10;10", "38;5;21", "1;38;2;200;0;0;48;2;10;10;10"
BEGIN, END = "\x1b[?2026h", "\x1b[?2026l"
WIDE = "漢字🦤"


def at(row: int, column: int, *texts: tuple[str, str]) -> str:
    """Texts with their styles, from a place on, as Textual writes them."""
    return f"\x1b[{row};{column}H" + "".join(
        f"\x1b[{style}m{text}\x1b[0m" if style else text for style, text in texts
    )


def piece() -> st.SearchStrategy[str]:
    text = st.text("ab  ─é" + WIDE, min_size=1, max_size=8)
    styled = st.tuples(st.sampled_from(["", RED, BLUE, BOLD, "7", "31;44", "1;3"]), text)
    place = st.tuples(st.integers(1, 3), st.integers(1, 12))
    return st.builds(
        lambda place, texts, end: at(*place, *texts) + end,
        place,
        st.lists(styled, max_size=4),
        st.sampled_from(["", "", "\n"]),
    )


def frame() -> st.SearchStrategy[str]:
    cursor = at(1, 1)
    drawn = st.lists(piece(), min_size=1, max_size=6).map("".join).map(lambda data: data + cursor)
    whole = st.lists(st.text("ab ", min_size=4, max_size=9), min_size=3, max_size=3).map(
        lambda rows: "\n".join(at(row, 1, (RED, text)) for row, text in enumerate(rows, 1)) + cursor
    )
    other = st.sampled_from([BEGIN, END, "\x07", "\x1b]2;title\x07", "\x1b[?25l"])
    return st.one_of(drawn, drawn, whole, other)


@given(st.lists(frame(), max_size=12))
@example([at(1, 1, (RED, "漢字")), at(1, 2, (BLUE, "ab")), at(1, 1, (RED, "漢字"))])
@example([at(1, 1, (BOLD, "ab")) + at(1, 5, (RED, "ab")) + at(1, 9, ("", "ab"))])
def test_a_terminal_shows_the_same_as_after_all_of_it(frames: list[str]) -> None:
    # Terminals do not agree on how wide some characters are.
    for wide in (WIDE, ""):
        thin, whole, thinned = ThinOutput(), Grid(wide), Grid(wide)
        for data in frames:
            whole.feed(data)
            thinned.feed(thin.thin(data))
            assert thinned.cells == whole.cells
            assert thinned.place == whole.place


def test_what_is_shown_already_is_not_sent_again() -> None:
    thin = ThinOutput()
    row = at(2, 3, (RED, "│"), (BLUE, " some text     "), (RED, "│"))
    assert thin.thin(row)
    assert thin.thin(row) == ""


def test_only_the_cells_that_differ_are_sent_with_what_is_new_of_their_style() -> None:
    thin = ThinOutput()
    thin.thin(at(2, 3, (RED, "│"), (BLUE, "a row of words that is long     "), (RED, "│")))
    sent = thin.thin(at(2, 3, (RED, "│"), (BLUE, "a row of words that is longer   "), (RED, "│")))
    assert sent == f"\x1b[2;31H\x1b[{BLUE}mer\x1b[0m"
    sent = thin.thin(at(5, 1, (RED, "one"), (BOLD, "two"), (RED, "three")))
    assert sent == f"\x1b[5;1H\x1b[{RED}mone\x1b[1mtwo\x1b[0;{RED}mthree\x1b[0m"


def test_a_frame_that_changes_nothing_has_no_marks_either() -> None:
    thin = ThinOutput()
    row = at(1, 1, (RED, "text"))
    assert [thin.thin(data) for data in (BEGIN, row, END)] == ["", BEGIN + thin_of(row), END]
    assert [thin.thin(data) for data in (BEGIN, row + at(1, 5), END)] == ["", "", ""]


def thin_of(data: str) -> str:
    return ThinOutput().thin(data)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param("\x1b[?1049h", id="another screen"),
        pytest.param("\x1b[2J", id="an empty screen"),
        pytest.param("plain text", id="text from elsewhere"),
        pytest.param("\x1b[1;1Habc\x1b[K", id="a frame with a sequence that is not known"),
        pytest.param(at(1, 1, (RED, "rows")) + "\n" + at(2, 1, (RED, "rows")), id="a whole screen"),
    ],
)
def test_after_what_may_change_any_cell_all_is_sent_again(other: str) -> None:
    thin = ThinOutput()
    row = at(3, 1, (RED, "text"))
    thin.thin(row)
    assert thin.thin(other)
    assert thin.thin(row) == thin_of(row)


@pytest.mark.parametrize("other", ["\x07", "\x1b]9;words\x07", "\x1b]52;c;aGk=\x07", "\x1b]2;title\x1b\\"])
def test_titles_the_clipboard_and_the_bell_pass_and_leave_the_screen_known(other: str) -> None:
    thin = ThinOutput()
    row = at(3, 1, (RED, "text"))
    thin.thin(row)
    assert thin.thin(other) == other
    assert thin.thin(row) == ""


def test_very_many_styles_are_forgotten_and_the_screen_with_them() -> None:
    thin = ThinOutput()
    row = at(3, 1, (RED, "text"))
    thin.thin(row)
    many = "".join(at(1, 1, (f"38;2;{number % 256};{number // 256};0", "a")) for number in range(5000))
    assert thin.thin(many)
    assert thin.thin(row) == thin_of(row)
