"""The choice among answers without a model: which agree, which represents the others, which stand apart.

Pure functions. Two answers agree where they give the same short answer: a choice, a number, a name, yes or
no. Likeness of words (`engine.likeness`) never decides that: a text is like its denial, and of 805 pairs of
real answers half are alike to 0.57, whether right or wrong. Likeness finds which answer represents the
others, which differ most, and which is about something else.
"""

from __future__ import annotations

import re
import statistics
from collections import Counter
from functools import lru_cache
from itertools import combinations
from typing import TYPE_CHECKING

from moa_tui.engine.answer_words import FILLERS, NEGATIONS
from moa_tui.engine.claims import claims
from moa_tui.engine.likeness import cosine, vector
from moa_tui.engine.short_answers import are_opposed, same_answer, short_form
from moa_tui.engine.words import words

if TYPE_CHECKING:
    from collections.abc import Sequence

# An answer stands apart where its mean similarity to the others is below this share of the median. Of 200
# sets of six real answers this leaves out 0.3 % of the answers, and 99 % of those to another prompt.
_APART = 0.3
# The most terms of a short answer for which a majority is counted.
_MOST_TERMS = 8
# The share of the shorter one's terms that two short answers must have in common not to stand apart.
_SHARED_TERMS = 0.6

_TERM = re.compile(r"\d+(?:[./:]\d+)*|[^\W\d_]+")
_ZEROS = re.compile(r"(?<=\d)[.:]0+$")
_THOUSANDS = re.compile(r"(?<=\d)[,\u202f\u00a0](?=\d{3}\b)")


def similarities(texts: Sequence[str]) -> list[list[float]]:
    """The similarity of each text to each, from 0 to 1; 1 where both give the same short answer."""
    vectors = [vector(words(text)) for text in texts]
    forms = [short_form(text) for text in texts]
    matrix = [[1.0] * len(texts) for _ in texts]
    for first, second in combinations(range(len(texts)), 2):
        is_same = _same(forms[first], forms[second])
        similarity = 1.0 if is_same else cosine(vectors[first], vectors[second])
        matrix[first][second] = matrix[second][first] = similarity
    return matrix


def medoid(texts: Sequence[str]) -> int:
    """The place of the text that is most similar to all others; of equals, the first."""
    sums = [sum(row) for row in similarities(texts)]
    return max(range(len(texts)), key=lambda place: sums[place])


def majority(texts: Sequence[str]) -> int | None:
    """The place of the first text that gives the short answer which most texts give.

    None where fewer than half of the texts have a short form, where no two agree, or where two answers tie.
    """
    forms = [short_form(text) for text in texts]
    if 2 * sum(form is not None for form in forms) < len(texts):
        return None
    groups = _groups(forms)
    best = max(groups, key=len, default=[])
    rivals = max((len(group) for group in groups if not set(group) & set(best)), default=0)
    return best[0] if len(best) > max(1, rivals) else None


def short_answers(texts: Sequence[str], stated: Sequence[str | None]) -> list[str | None]:
    """The short answer of each text: what it states in short, else its own short form; None where neither is.

    `stated` has what each text states in short, None where it states nothing.
    """
    return [
        (short_form(short) if short is not None else None) or short_form(text)
        for text, short in zip(texts, stated, strict=True)
    ]


def agreeing(answers: Sequence[str | None]) -> list[int]:
    """The places of the most short answers that all say the same, in order; empty where no two do."""
    best = max(_groups(answers), key=len, default=[])
    return best if len(best) > 1 else []


def _groups(forms: Sequence[str | None]) -> list[list[int]]:
    """For each short answer the places of those that say the same as it and as each other.

    "12" is the same as "12 km" and as "12 miles".
    """
    groups: list[list[int]] = []
    for first in range(len(forms)):
        group = [first] if forms[first] is not None else []
        for place, form in enumerate(forms):
            if group and place != first and all(_same(forms[member], form) for member in group):
                group.append(place)
        groups.append(sorted(group))
    return groups


def differ(answers: Sequence[str | None]) -> bool:
    """True where two short answers are different; what has none contradicts nobody."""
    given = [answer for answer in answers if answer is not None]
    return any(not _same(first, second) for first, second in combinations(given, 2))


def repetition(texts: Sequence[str], before: Sequence[str]) -> float:
    """How much `texts` repeat `before`, from 0 to 1: the mean over `texts` of the nearest in `before`.

    Two texts with short answers are the same or not. Others are as near as their words are alike, but not at
    all where their numbers or negations differ.
    """
    if not texts or not before:
        return 0.0
    earlier = list(map(_Comparable, before))
    return sum(max(text.nearness(other) for other in earlier) for text in map(_Comparable, texts)) / len(
        texts
    )


class _Comparable:
    """A text with what it is compared by."""

    def __init__(self, text: str) -> None:
        self.short = short_form(text)
        self.claims = claims(text)
        self.vector = vector(words(text))

    def nearness(self, other: _Comparable) -> float:
        """How near the other is, from 0 to 1."""
        if self.short is not None and other.short is not None:
            return float(_same(self.short, other.short))
        return cosine(self.vector, other.vector) if self.claims == other.claims else 0.0


def most_diverse(texts: Sequence[str], most: int) -> list[int]:
    """The places of `most` texts that differ, in order.

    They are the medoid, and then one after another the text that is least similar to those chosen so far.
    """
    if len(texts) <= most:
        return list(range(len(texts)))
    matrix = similarities(texts)
    chosen = [medoid(texts)]
    while len(chosen) < most:
        unchosen = [place for place in range(len(texts)) if place not in chosen]
        chosen.append(min(unchosen, key=lambda place: max(matrix[place][other] for other in chosen)))
    return sorted(chosen)


def outliers(texts: Sequence[str], shorts: Sequence[str | None] | None = None) -> list[int] | None:
    """The places of the texts that stand apart from the majority, in order; never half of them or more.

    `shorts` has the short answer that each text states, None where it states none. Where most texts give the
    same short answer, those stand apart that give another, or that give none and do not contain it. Where
    most texts give a short answer but no majority gives the same, the result is None. Where most give none,
    those stand apart whose text is much less similar to the others than is usual among them.
    """
    if len(texts) < 3:
        return []
    stated = shorts if shorts is not None else [None] * len(texts)
    answers = [short_form(short or text) or short or "" for text, short in zip(texts, stated, strict=True)]
    if (apart := _apart_from_majority(texts, answers)) is not None:
        return apart
    if 2 * sum(map(bool, answers)) > len(texts):
        return None
    scores = [(sum(row) - 1.0) / (len(texts) - 1) for row in similarities(texts)]
    limit = _APART * statistics.median(scores)
    ranked = sorted((score, place) for place, score in enumerate(scores) if score < limit)
    return sorted(place for _, place in ranked[: (len(texts) - 1) // 2])


def _apart_from_majority(texts: Sequence[str], answers: Sequence[str]) -> list[int] | None:
    """The places of the texts that do not give the answer of the majority; None where there is no majority.

    `answers` has the short answer of each text, empty where it gives none.
    """
    terms = [_terms(answer) for answer in answers]
    agrees = [
        [
            _same(own, other) or (_share_terms(terms[place], terms[at]) and not are_opposed(own, other))
            for at, other in enumerate(answers)
        ]
        for place, own in enumerate(answers)
    ]
    # Of short answers with which equally many agree, the longest shows best which ones differ.
    best = max(
        range(len(terms)),
        key=lambda place: (sum(agrees[place]), len(terms[place]) <= _MOST_TERMS, len(terms[place])),
    )
    if 2 * sum(agrees[best]) <= len(texts) or len(terms[best]) > _MOST_TERMS:
        return None
    majority_answers = {
        _spaced(answer) for answer, is_same in zip(answers, agrees[best], strict=True) if is_same
    }
    return [
        place
        for place, is_same in enumerate(agrees[best])
        if not is_same
        and (terms[place] or not any(answer in _spaced(texts[place]) for answer in majority_answers))
    ]


def _terms(answer: str) -> list[str]:
    """The words and numbers of a short answer in their order, with numbers in normalised spelling."""
    plain = _THOUSANDS.sub("", answer.casefold().replace("a.m.", "am").replace("p.m.", "pm"))
    terms = _TERM.findall(plain)
    return [_ZEROS.sub("", term) for term in terms if term not in FILLERS or len(terms) == 1]


def _share_terms(terms: Sequence[str], other_terms: Sequence[str]) -> bool:
    """True where one of two short answers may say the other in other words, so that neither stands apart.

    It may where they deny the same, not each has a number that the other lacks, and most terms of the shorter
    one are in both.
    """
    if not terms or not other_terms:
        return False
    denials = [sum(term in NEGATIONS for term in each) for each in (terms, other_terms)]
    if denials[0] % 2 != denials[1] % 2:
        return False
    numbers, other_numbers = (
        Counter(term for term in each if term[0].isdigit()) for each in (terms, other_terms)
    )
    if numbers - other_numbers and other_numbers - numbers:
        return False
    shorter, longer = sorted((terms, other_terms), key=len)
    if len(shorter) == 1:
        # A lone word such as "no", or a letter, occurs in many sentences that do not give it as the answer.
        return shorter[0] == longer[0] or (shorter[0][0].isdigit() and shorter[0] in longer)
    return len({*shorter} & {*longer}) >= _SHARED_TERMS * len({*shorter})


@lru_cache(maxsize=4_096)
def _same(form: str | None, other: str | None) -> bool:
    """Whether both are short answers and say the same."""
    return bool(form and other) and same_answer(form or "", other or "")


def _spaced(text: str) -> str:
    """The words of `text` with a space around each, so that whole words can be searched for."""
    return f" {' '.join(words(text))} "
