"""BLEU, TF-IDF and Levenshtein against values worked out by hand or by the programs that others use."""

from __future__ import annotations

import random

import pytest

from moa_tui.engine.words import words
from moa_tui.evaluation.likeness_measures import (
    MOST_CHARACTERS,
    Likeness,
    bleu,
    distance,
    likeness,
    likenesses,
    similarity,
)


@pytest.mark.parametrize(
    ("first", "second", "steps"),
    [
        ("kitten", "sitting", 3),
        ("intention", "execution", 5),  # Jurafsky and Martin, "Speech and Language Processing", 2.5
        ("Saturday", "Sunday", 3),
        ("", "abc", 3),
        ("abc", "abc", 0),
        ("東京都", "京都", 1),
    ],
)
def test_the_distance_counts_changed_added_and_removed_characters(
    first: str, second: str, steps: int
) -> None:
    assert distance(first, second) == distance(second, first) == steps
    assert similarity(first, second) == pytest.approx(1 - steps / max(len(first), len(second)))


def test_the_distance_is_the_one_of_the_textbook_table() -> None:
    source = random.Random(1)
    for _ in range(60):
        first, second = ("".join(source.choices("abc", k=source.randrange(90))) for _ in range(2))
        assert distance(first, second) == _by_table(first, second)


def _by_table(first: str, second: str) -> int:
    row = list(range(len(first) + 1))
    for number, character in enumerate(second, 1):
        before, row[0] = row[0], number
        for place, other in enumerate(first, 1):
            before, row[place] = (
                row[place],
                min(row[place] + 1, row[place - 1] + 1, before + (character != other)),
            )
    return row[-1]


def test_no_text_at_all_is_like_no_text_at_all() -> None:
    assert likeness("", "") == likeness("!", "!") == Likeness(1.0, 1.0, 1.0)
    assert likeness("", "word").bleu == likeness("word", "").bleu == likeness("", "word").levenshtein == 0.0


@pytest.mark.parametrize(
    ("candidate", "reference", "score"),
    [
        # From sacrebleu 2.6.0: sentence_bleu(..., tokenize="none", use_effective_order=True), in hundredths.
        ("the cat sat on the mat", "the cat sat on the mat", 100.0),
        ("the cat sat on the mat", "the cat is on the mat", 37.99),
        ("the the the the the the the", "the cat is on the mat", 7.81),
        ("the cat", "the cat sat on the mat", 13.53),
        ("a b c", "x y z", 0.0),
    ],
)
def test_bleu_is_what_sacrebleu_says(candidate: str, reference: str, score: float) -> None:
    assert 100 * bleu(candidate.split(), reference.split()) == pytest.approx(score, abs=0.005)


def test_bleu_reads_scripts_without_spaces_by_character() -> None:
    alike = bleu(words("東京は日本の首都です"), words("東京は日本の首都である"))
    assert 0.5 < alike < 1.0
    assert bleu(words("東京は日本の首都です"), words("北京是中国的首都")) < 0.2


def test_the_same_text_in_two_spellings_is_the_same() -> None:
    composed, decomposed = "Caf\u00e9 cr\u00e8me", "Cafe\u0301 cre\u0300me"
    both = likeness(composed, decomposed)
    assert (both.bleu, both.levenshtein) == (1.0, 1.0)
    assert both.tfidf == pytest.approx(1.0)


def test_each_proposal_is_measured_by_its_name() -> None:
    measured = likenesses(
        "Rain falls on the town today.", {"near": "Rain falls on the town.", "far": "No idea."}
    )
    assert measured["near"].bleu > 0.7 > measured["far"].bleu
    assert measured["near"].tfidf > 0.8 > measured["far"].tfidf
    assert measured["near"].levenshtein > 0.7 > measured["far"].levenshtein


def test_of_a_runaway_text_the_beginning_is_read() -> None:
    start = "x" * MOST_CHARACTERS
    assert similarity(start + "a" * 1000, start + "b" * 50_000) == 1.0
    # A thousand marks on one letter take normalisation no square of their number: the text is cut first.
    assert 0.0 <= similarity("e" + "\u0301" * 200_000, "\u0327" * 200_000) <= 1.0
