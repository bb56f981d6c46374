"""The words of a text, in many scripts."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moa_tui.engine.words import MAX_WORDS, terms, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("恐鳥は Moa です", ["恐", "鳥", "は", "moa", "で", "す"]),
        ("Straße ÉTÉ", ["strasse", "été"]),
        ("नमस्ते दुनिया।", ["नमस्ते", "दुनिया"]),
        ("আমি ভালো আছি", ["আমি", "ভালো", "আছি"]),
        ("தமிழ் மொழி", ["தமிழ்", "மொழி"]),
        ("มีน้า", ["มี", "น้", "า"]),
        ("မြန်မာ", ["မြ", "န်", "မာ"]),
        ("ខ្មែរ", ["ខ្", "មែ", "រ"]),
        ("كِتَابٌ كتـــاب", ["كتاب", "كتاب"]),
        ("שָׁלוֹם שלום", ["שלום", "שלום"]),
        ("می‌خواهم", ["میخواهم"]),
        ("ሰላም፡ለዓለም።", ["ሰላም", "ለዓለም"]),
        ("Ελλάς ΕΛΛΆΣ", ["ελλάσ", "ελλάσ"]),
        ("თბილისი ᲗᲑᲘᲚᲘᲡᲘ", ["თბილისი", "თბილისი"]),
        ("１２ｋｍ ﾊﾟｿｺﾝ", ["12km", "パ", "ソ", "コ", "ン"]),
        ("ꯃꯤꯇꯩ ꯂꯣꯟ", ["ꯃꯤꯇꯩ", "ꯂꯣꯟ"]),
        ("𠮷野家", ["𠮷", "野", "家"]),
        ("don't snake_case", ["don", "t", "snake_case"]),
        ("\u0301\u0302 \u200d …", []),
    ],
)
def test_a_mark_belongs_to_its_word_and_scripts_without_spaces_are_characters(
    text: str, expected: list[str]
) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    "text", ["Tiếng Việt không khó", "한국어는 재미있다", "Ångström", "йод ёлка", "ガラス", "हिन्दी क़लम"]
)
def test_composed_and_decomposed_text_has_the_same_words(text: str) -> None:
    assert words(unicodedata.normalize("NFD", text)) == words(unicodedata.normalize("NFC", text))


def test_terms_are_words_and_pairs_of_neighbouring_characters() -> None:
    assert terms(words("恐鳥は Moa です")) == ["恐鳥", "鳥は", "moa", "です"]
    assert terms(words("A 水 b 火山")) == ["a", "水", "b", "火山"]
    assert terms(words("水")) == ["水"]
    assert terms([]) == []


def test_a_runaway_text_is_compared_by_its_beginning() -> None:
    assert len(words("word " * (MAX_WORDS + 5))) == MAX_WORDS
    assert len(words("水" * (MAX_WORDS + 5))) == MAX_WORDS


def test_a_hundred_thousand_marks_on_one_letter_are_one_short_word() -> None:
    # Putting the marks of one letter in order takes the square of their number.
    (word,) = words("a" + "\u0301\u0323" * 100_000)
    assert len(word) <= 64


@given(st.text(max_size=200))
def test_words_are_spelled_as_words(text: str) -> None:
    spelled = words(text)
    assert all(spelled)
    assert words(text.upper().casefold()) == words(text.upper())
