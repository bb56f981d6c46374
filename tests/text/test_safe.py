"""Text made safe to show or to send: nothing that steers a terminal or deceives a reader comes through."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moa_tui.text.safe import (
    as_json_unicode,
    as_unicode,
    safe_line,
    safe_text,
    spelled_out,
    with_blanked_controls,
    with_replaced_controls,
    without_controls,
    without_escapes,
)

if TYPE_CHECKING:
    from collections.abc import Callable

C0, C1 = {*map(chr, range(0x20)), "\x7f"}, set(map(chr, range(0x80, 0xA0)))
# Unicode's property Bidi_Control.
DIRECTION = {"\u061c", "\u200e", "\u200f", *"\u202a\u202b\u202c\u202d\u202e", *"\u2066\u2067\u2068\u2069"}
CONTROLS = C0 | C1 | DIRECTION
HARMLESS = ["", "plain", "日本語", "👩‍🚀", "e\u0301", "می\u200cخواهم", "⚠\ufe0f", "│─●", "[/] [bold]x[/bold]"]
HARMFUL = [
    *("\x1b]52;c;aGk=\x07", "\x1b[31m", "\x9b2J", "\x00", "\x7f", "\r", "\x08", "\x85"),
    *("\u202e", "\u2066", "\u200e", "\u200f", "\u061c", "\u200b", "\ufeff", "\u2028", "\u2060", "\ufff9"),
    *("\ud800", "\udcff", "\U000e0001"),
]
TEXTS = st.text(
    st.characters(exclude_categories=()) | st.sampled_from(sorted(CONTROLS)) | st.sampled_from("\ud83d\ude00")
)

ON_ONE_LINE = [without_controls, with_blanked_controls, safe_line, spelled_out]
ON_LINES = [with_replaced_controls, safe_text]


@pytest.mark.parametrize("make_safe", [*ON_ONE_LINE, *ON_LINES])
@given(text=TEXTS)
def test_no_control_comes_through_whatever_the_text(make_safe: Callable[[str], str], text: str) -> None:
    allowed = {with_replaced_controls: {"\n"}, safe_text: {"\n", "\t"}}.get(make_safe, set())
    safe = make_safe(text)
    assert not (CONTROLS - allowed) & set(safe)
    assert not any(unicodedata.category(character) == "Cs" for character in safe)


@pytest.mark.parametrize("text", HARMLESS)
def test_what_steers_nothing_stays_as_it_is(text: str) -> None:
    for make_safe in (without_controls, with_blanked_controls, *ON_LINES, without_escapes, as_unicode):
        assert make_safe(text) == text
    if text.isprintable():
        assert safe_line(text) == spelled_out(text) == text


@pytest.mark.parametrize("text", HARMFUL)
def test_the_words_around_it_stay(text: str) -> None:
    for make_safe in (*ON_ONE_LINE, *ON_LINES):
        safe = make_safe(f"a{text}b")
        assert (safe[0], safe[-1]) == ("a", "b")


def test_each_way_has_its_own_mark() -> None:
    text = "a\x1b\tb\n\u202ec\x7f\x9b"
    assert without_controls(text) == "abc"
    assert with_blanked_controls(text) == "a  b  c  "
    assert with_replaced_controls(text) == "a��b\n�c��"
    assert safe_line(text) == "a� b �c��"
    assert safe_text(text) == "a␛\tb\n�c␡�"
    assert spelled_out(text) == "a<U+001B><U+0009>b<U+000A><U+202E>c<U+007F><U+009B>"


@given(TEXTS)
def test_blanked_and_replaced_controls_take_the_place_of_one_character(text: str) -> None:
    assert len(with_blanked_controls(text)) == len(with_replaced_controls(text)) == len(text)


@given(TEXTS)
def test_a_safe_line_has_no_white_space_to_spare(text: str) -> None:
    assert safe_line(text) == " ".join(safe_line(text).split())


def test_every_line_end_becomes_a_newline_and_direction_marks_go() -> None:
    assert safe_text("a\r\nb\rc\x85d\u2028e\u2029f\n") == "a\nb\nc\nd\ne\nf\n"
    assert safe_text("שלום\u200f!\u200e\u061c") == "שלום!"


def test_what_is_sent_has_no_escape_sequence_and_one_kind_of_line_end() -> None:
    assert without_escapes("a\r\nb\rc\u2028d") == "a\nb\nc\nd"
    assert without_escapes("\x1b[31mred\x1b[0m \x1b]52;c;aGk=\x07x\0\x9by\x1b\tz\ud800") == "red xy\tz"
    assert without_escapes("\x1b]never ended\ntext") == "]never ended\ntext"


def test_surrogates_are_joined_and_lone_ones_replaced_or_escaped() -> None:
    assert as_unicode("\ud83d\ude00 \ud83d \ude00") == "😀 � �"
    assert as_json_unicode("\ud83d\ude00 \ud83d") == "😀 \\ud83d"


@given(TEXTS)
def test_as_unicode_can_be_written_as_utf_8(text: str) -> None:
    assert as_unicode(text).encode().decode() == as_unicode(text)
