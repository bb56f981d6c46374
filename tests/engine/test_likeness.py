"""How alike texts are by their words, in twenty scripts and languages; the texts were written for this."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moa_tui.engine.likeness import COMMON_WORDS, cosine, vector
from moa_tui.engine.words import words

TEXTS: dict[str, dict[str, str]] = json.loads(
    Path(__file__).with_name("scripts.json").read_text(encoding="utf-8")
)


def alike(text: str, other: str) -> float:
    return cosine(vector(words(text)), vector(words(other)))


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("language", TEXTS)
def test_texts_about_one_thing_are_alike_and_others_are_not(language: str, form: str) -> None:
    texts = {name: unicodedata.normalize(form, text) for name, text in TEXTS[language].items()}
    assert alike(texts["rain"], texts["rain again"]) > 0.4
    assert alike(texts["rain"], texts["bread"]) < 0.13
    assert alike(texts["rain again"], texts["bread"]) < 0.13


def test_vowels_and_points_may_be_left_out() -> None:
    for language in ("Arabic with vowels", "Hebrew with points"):
        text = TEXTS[language]["rain"]
        bare = "".join(character for character in text if unicodedata.category(character) != "Mn")
        assert bare != text
        assert alike(text, bare) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("text", "other", "least", "most"),
    [
        ("", "", 0, 0),
        ("the moa", "", 0, 0),
        ("to be or not to be", "to be or not to be", 1, 1),
        # Words of everyday use say nothing.
        (
            "It is one of the things that you can do with it.",
            "You can see that it is of use to the one.",
            0,
            0.3,
        ),
        # The numbers of a list are no common ground, years are.
        ("1. Sugar 2. Tea 3. Milk", "1. Copper 2. Zinc 3. Tin", 0, 0.15),
        ("founded 1867", "built 1867", 0.4, 0.8),
    ],
)
def test_what_counts_is_what_is_rare(text: str, other: str, least: float, most: float) -> None:
    assert least - 1e-9 <= alike(text, other) <= most + 1e-9


def test_a_text_and_its_denial_are_alike() -> None:
    """So likeness must never decide that two texts agree."""
    text = "Yes, water does boil at a lower temperature on a mountain, as the air presses less on it there."
    assert alike(text, text.replace("Yes", "No").replace("does", "does not")) > 0.9


def test_the_list_is_small_and_says_where_it_is_from() -> None:
    content = COMMON_WORDS.read_text(encoding="utf-8")
    assert len(content.encode()) < 64_000
    assert "creativecommons.org/licenses/by/3.0" in content
    assert "Google Books" in content


@given(st.text(max_size=80), st.text(max_size=80))
def test_likeness_is_from_nothing_to_one(text: str, other: str) -> None:
    assert 0.0 <= alike(text, other) <= 1.0
    assert alike(text, other) == pytest.approx(alike(other, text))
    assert alike(text, text) == pytest.approx(1.0 if words(text) else 0.0)
