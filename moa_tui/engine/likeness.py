"""How alike the words of two texts are: the cosine of their TF-IDF vectors (Salton and Buckley, 1988).

How rare a word is comes from a list that is shipped with the package, and not from the few texts compared:
those are all about one prompt, and among two or three of them a word of everyday use looks as rare as a name.
Likeness says that two texts are about the same, in the same words. It does not say that they agree: a text
and its denial have nearly all their words in common.
"""

from __future__ import annotations

import math
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from moa_tui.engine.words import is_unspaced, terms

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

COMMON_WORDS = Path(__file__).with_name("common_words.txt")
"""The list of common words; its heading says where it comes from and under which licence."""

# The inverse document frequency of a word that the list does not have. Short words are common in all
# languages (Zipf's law of abbreviation), and most languages have few words in the list.
_RAREST = 7.5
_PER_CHARACTER = 1.5
_PER_DIGIT = 1.5

Vector = dict[str, float]


def vector(text_words: Iterable[str]) -> Vector:
    """The TF-IDF vector of a text, given as its words, at unit length; empty for a text without words."""
    weights = {term: count * rarity(term) for term, count in Counter(terms(text_words)).items()}
    length = math.sqrt(sum(weight * weight for weight in weights.values()))
    return {term: weight / length for term, weight in weights.items()} if length else {}


def cosine(first: Mapping[str, float], second: Mapping[str, float]) -> float:
    """The cosine of two vectors of unit length, from 0 to 1."""
    shorter, longer = sorted((first, second), key=len)
    return min(1.0, sum(weight * longer[term] for term, weight in shorter.items() if term in longer))


def common_words() -> Mapping[str, float]:
    """The inverse document frequencies of the words that the list has."""
    return _common_words()


def rarity(term: str) -> float:
    """The inverse document frequency of a term; of one that the list does not have, by its length."""
    listed = _common_words().get(term)
    return rarity_by_length(term) if listed is None else listed


def rarity_by_length(term: str) -> float:
    """The inverse document frequency that a term has which the list does not have."""
    if term.isdecimal():
        return min(_RAREST, _PER_DIGIT * len(term))
    return _RAREST if is_unspaced(term) and len(term) > 1 else min(_RAREST, _PER_CHARACTER * len(term))


@cache
def _common_words() -> dict[str, float]:
    """The inverse document frequencies of common words, read when texts are first compared."""
    rarity: dict[str, float] = {}
    for line in COMMON_WORDS.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            value, *words = line.split()
            rarity |= dict.fromkeys(words, float(value))
    return rarity
