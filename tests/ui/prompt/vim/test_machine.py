"""What the machine does beyond the table: modes, the clipboard, undo, and whatever keys come."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moa_tui.ui.prompt.vim import places
from moa_tui.ui.prompt.vim.machine import Machine
from tests.ui.prompt.vim.typing_at import Typist


def test_letters_are_typed_until_esc() -> None:
    typist = Typist(mode="insert").press("dw")
    assert (typist.text, typist.machine.mode) == ("dw", "insert")
    typist.press("\x1b")
    assert (typist.text, typist.cursor, typist.machine.mode) == ("dw", 1, "normal")


def test_keys_that_type_nothing_and_mean_nothing_are_left_to_others() -> None:
    machine = Machine()
    machine.mode = "normal"
    for key in ("f1", "ctrl+x", "ctrl+v", "enter", "tab", "pageup", "ctrl+up", "delete"):
        assert machine.press(key, "text", 0) is None
    assert machine.press("é", "text", 0) is not None


def test_enter_ends_a_search_and_gives_up_what_else_has_begun() -> None:
    typist = Typist("one two").press("/tw\n")
    assert typist.cursor == 4
    typist = Typist("one two").press("d\n")
    assert (typist.text, typist.machine.pending) == ("one two", [])


def test_the_pending_keys_can_be_shown() -> None:
    assert Typist("text").press('"a2d').machine.pending == [*'"a2d']
    assert Typist("text").press('"a2d\x1b').machine.pending == []


def test_the_clipboard_is_a_register() -> None:
    typist = Typist("one two")
    typist.press('"+yw')
    assert typist.clipboard == "one "
    typist.clipboard = "else"
    typist.press('$"+p')
    assert typist.text == "one twoelse"


def test_whole_lines_on_the_clipboard_stay_whole_lines() -> None:
    assert Typist("one\ntwo").press('"+yyj"+p').text == "one\ntwo\none"


def test_undo_and_redo_take_whole_changes() -> None:
    typist = Typist("one two").press("cwthree\x1bwx")
    assert typist.text == "three wo"
    assert typist.press("u").text == "three two"
    assert typist.press("u").text == "one two"
    assert typist.press("\x12").text == "three two"


@pytest.mark.parametrize(("keys", "after", "cursor"), [("gUU", " ONE\ntwo", 1), ("2gUU", " ONE\nTWO", 3)])
def test_the_case_of_several_lines_leaves_the_cursor_where_it_is(keys: str, after: str, cursor: int) -> None:
    # As Vim 9.0 does: of one line it goes to the first word.
    typist = Typist(" one\ntwo", 3).press(keys)
    assert (typist.text, typist.cursor) == (after, cursor)


def test_up_and_down_beyond_the_text_are_wishes() -> None:
    assert Typist("one\ntwo").press("k").wishes == ["up"]
    assert Typist("one\ntwo", 4).press("j").wishes == ["down"]
    assert Typist("one\ntwo", 4).press("dj").wishes == []


def test_a_search_in_an_empty_prompt_is_one_in_the_conversation() -> None:
    assert Typist("").press("/").wishes == ["find"]


def test_a_selection_has_the_letter_under_the_cursor() -> None:
    typist = Typist("one two").press("ve")
    span = typist.machine.selection(typist.text, typist.cursor)
    assert span is not None
    assert typist.text[span.start : span.end] == "one"


@pytest.mark.parametrize(
    ("text", "keys", "after"),
    [
        ("👩‍👩‍👧 x", "x", " x"),  # A family of three is one letter.
        ("🇩🇪🇫🇷x", "x", "🇫🇷x"),
        ("🇩🇪🇫🇷x", "lx", "🇩🇪x"),
        ("e\u0301te", "x", "te"),
        ("日本 語", "dw", "語"),
        ("👍🏽 ok", "rx", "x ok"),
    ],
)
def test_letters_of_several_characters_are_one(text: str, keys: str, after: str) -> None:
    assert Typist(text).press(keys).text == after


KEYS = st.text(
    alphabet="hjklwWbBeE0^$fFtT;,gG{}%dcyxXDCYsSrpPJ~u.oOiIaAvVnN/?123\"+'`([<>pRU_-\x1b\n\x12\u00e9",
    max_size=30,
)
LETTERS = [
    *"ab_. \n\t(){}\"'",
    "\u00e9",
    "e\u0301",
    "\u65e5",
    "\U0001f469\u200d\U0001f467",
    "\U0001f1e9\U0001f1ea",
]
TEXTS = st.lists(st.sampled_from(LETTERS), max_size=30).map("".join)


@pytest.mark.hypothesis
@settings(deadline=None)
@given(TEXTS, KEYS, st.integers(0, 30))
def test_whatever_is_typed_the_cursor_stays_in_the_text_and_undo_restores_it(
    text: str, keys: str, at: int
) -> None:
    typist = Typist(text, places.clamp(text, min(at, len(text))))
    for key in keys:
        typist.press(key)
        assert 0 <= typist.cursor <= len(typist.text)
    typist.press("\x1b\x1b")
    assert typist.cursor == places.clamp(typist.text, typist.cursor)
    for _ in keys:
        typist.press("u")
    assert typist.text == text


@pytest.mark.parametrize(
    "keys", ["9999w", "9999dw", "999999x", "9999p", "9999>>", "9999J", "9999ifoo\x1b", "9999~"]
)
def test_large_counts_make_no_endless_text(keys: str) -> None:
    typist = Typist("word (word) [word]\n" * 500)
    typist.press("yy" + keys)
    assert len(typist.text) < 1_000_000
