"""The border: what must not come through does not, however it is cut, and everything else does."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moa_tui.gateway.sanitize import Sanitizer, sanitize

REMOVED = {
    "colour": ("a\x1b[31mred\x1b[0mb", "aredb"),
    "clear screen": ("a\x1b[2Jb", "ab"),
    "title": ("a\x1b]0;title\x07b", "ab"),
    "clipboard": ("a\x1b]52;c;aGFja2Vk\x1b\\b", "ab"),
    "link": ("a\x1b]8;;http://evil\x1b\\text\x1b]8;;\x1b\\b", "atextb"),
    "device control": ("a\x1bPq#0;2;0;0;0\x1b\\b", "ab"),
    "application command": ("a\x1b_Gf=100;AAAA\x1b\\b", "ab"),
    "privacy message": ("a\x1b^secret\x1b\\b", "ab"),
    "start of string": ("a\x1bXsecret\x1b\\b", "ab"),
    "short escape": ("a\x1bcb\x1b(Bc\x1b7d", "abcd"),
    "8-bit csi": ("a\x9b2Jb", "ab"),
    "8-bit osc": ("a\x9d52;c;aGFja2Vk\x9cb", "ab"),
    "8-bit dcs": ("a\x90q\x9cb", "ab"),
    "unfinished csi": ("a\x1b[31", "a"),
    "unfinished osc keeps the text": ("a\x1b]no end\nb", "ano end\nb"),
    "lone escape": ("a\x1b", "a"),
    "control characters": ("a\x00\x07\x08\x0b\x0cb\x7fc", "abc"),
    "c1": ("a\x80\x8f\x9fb", "ab"),
    "bidi override": ("a\u202etxt.exe\u202cb", "atxt.exeb"),
    "bidi isolate": ("a\u2066b\u2069c\u200ed\u061ce", "abcde"),
    "zero width": ("a\u200bb\u200cc\u200dd\u2060e\ufefff\u00adg", "abcdefg"),
    "variants of letters": ("h\ufe0fe\ufe0el\U000e0150", "hel"),
    "tags that spell a text behind a flag": (
        "🏴" + "".join(chr(0xE0000 + ord(c)) for c in "say hacked") + "\U000e007f!",
        "🏴!",
    ),
    "joiners between letters and lines": ("あ\u200dい│\u200d│", "あい││"),
    "joiner before what goes": ("©\u200d\u2060x", "©x"),
    "tags": ("a\U000e0068\U000e0069b", "ab"),
    "variants as carriers": ("a\ufe00\ufe01\U000e0100\U000e0101b葛\U000e0100\U000e0101", "ab葛\U000e0100"),
    "lone surrogates": ("a\ud83db\ude00c", "abc"),
    "interlinear": ("a\ufff9b\ufffbc", "abc"),
}

KEPT = {
    "plain": "Plain text, tabs\tand\nnewlines.",
    "family": "👩‍👩‍👧‍👦",
    "profession": "👩🏽‍🚀",
    "eye in bubble": "👁️‍🗨️",
    "rainbow flag": "🏳️‍🌈",
    "flag of england": "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "keycap": "1️⃣ ❤️ ☎️",
    "accents": "e\u0301 n\u0303",
    "persian": "می‌خواهم",
    "hindi": "क्‍ष",
    "hebrew and arabic": "שלום مرحبا",
    "cjk variant": "葛\U000e0100",
    "box drawing": "┌─┐│◐✓",
    "markup": "[bold]x[/bold] <b>&amp;</b>",
}


@pytest.mark.parametrize(("text", "clean"), REMOVED.values(), ids=REMOVED.keys())
def test_removed(text: str, clean: str) -> None:
    assert sanitize(text) == clean


@pytest.mark.parametrize("text", KEPT.values(), ids=KEPT.keys())
def test_kept(text: str) -> None:
    assert sanitize(text) == text


def test_every_kind_of_line_end_becomes_a_newline() -> None:
    assert sanitize("a\r\nb\rc\u2028d\u2029e\x85f") == "a\nb\nc\nd\ne\nf"


def test_halves_of_a_character_sent_apart_are_joined() -> None:
    border = Sanitizer()
    assert border.feed("a\ud83d") + border.feed("\ude00b") + border.flush() == "a😀b"


PARTS = [text for text, _ in REMOVED.values()] + list(KEPT.values()) + ["\r", "\n", "\x1b", "\x1b[", "x", " "]


@given(st.lists(st.one_of(st.sampled_from(PARTS), st.text(max_size=5)), max_size=8), st.data())
def test_where_a_text_is_cut_makes_no_difference(parts: list[str], data: st.DataObject) -> None:
    text = "".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    border = Sanitizer()
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert "".join(map(border.feed, pieces)) + border.flush() == sanitize(text)


@given(st.text(st.characters(codec=None)))
def test_nothing_that_steers_a_terminal_is_left(text: str) -> None:
    clean = sanitize(text)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", clean)
    assert sanitize(clean) == clean
    clean.encode("utf-8")


@given(st.text(st.characters(categories=("L", "N", "P", "S", "Zs", "Mc"))))
def test_ordinary_text_comes_through_unchanged(text: str) -> None:
    fillers = dict.fromkeys(map(ord, "\u115f\u1160\u3164\uffa0"))  # letters that show nothing
    ordinary = text.translate(fillers)
    assert sanitize(ordinary) == ordinary


@pytest.mark.parametrize("beginning", ["\x9d", "\x1b]", "\x9b", "\x90\x1b", "\x1bP0", "\U000e0041"])
def test_a_row_of_beginnings_leaves_nothing(beginning: str) -> None:
    # As long as this, work that grew with the square of the length would take minutes.
    assert sanitize("a" + beginning * 100_000 + "\nb").replace("0", "") == "a\nb"


def test_a_sequence_without_end_holds_nothing_back_for_ever() -> None:
    border = Sanitizer()
    out = border.feed("a\x1b]")
    for _ in range(1000):
        out += border.feed("0123456789")
    assert len(out) > 5000
    assert out + border.flush() == "a" + "0123456789" * 1000
