"""Choosing among answers without asking a model: which agree, which stand for all, which stand apart. Pure.

Texts are likened by their words (TF-IDF cosine), so what is said differently but means the same counts as
different, and a falsehood in the words of the others counts as alike.
"""

from __future__ import annotations

import re
import statistics
from collections import Counter
from itertools import combinations
from typing import TYPE_CHECKING

from moa_tui.engine.metrics import cosine, tfidf, words

if TYPE_CHECKING:
    from collections.abc import Sequence

# An answer stands apart where it is less than this share as like the others as answers there usually are.
_APART = 0.6
# Of the terms of the shorter of two short answers, how many the other must hold to be the same answer.
_SHARED_TERMS = 0.6
# How many terms an answer may have that a majority can be counted for.
_MOST_TERMS = 8
_SHORT_WORDS, _SHORT_CHARACTERS = 6, 60
# What is looked at for a last line such as "Answer: 42".
_END_CHARACTERS = 2_000

_BOXED = re.compile(r"\\boxed\{([^{}\n]{1,60})\}")
_STATED = re.compile(r"\banswer[\s*_]*(?:\bis\b|[:=])[\s:*_]*([^\n]{1,80})$", re.IGNORECASE)
_LEADING = re.compile(r"^(?:(?:the|an?|it is|it's|the answer is)\s+)+")
_TERM = re.compile(r"\d+(?:[./:]\d+)*|[^\W\d_]+")
_ZEROS = re.compile(r"(?<=\d)[.:]0+$")
_FILLERS = {"the", "a", "an", "is", "it", "on", "of", "and", "in", "at", "answer", "option"}
_THOUSANDS = re.compile(r"(?<=\d)[,\u202f\u00a0](?=\d{3}\b)")


def short_form(text: str) -> str | None:
    """What `text` answers, spelled the same for the same answer; None where it is more than a few words."""
    boxed = _BOXED.findall(text[-_END_CHARACTERS:])
    lines = text[-_END_CHARACTERS:].strip().rsplit("\n", 1)
    stated = _STATED.search(lines[-1].strip(" *_`."))
    if boxed:
        answer = boxed[-1]
    elif stated is not None:
        answer = stated[1]
    elif len(text) <= 4 * _SHORT_CHARACTERS:
        answer = text
    else:
        return None
    plain = _THOUSANDS.sub("", " ".join(answer.casefold().split())).strip(" .,;:!?*_`'\"()[]$")
    plain = _LEADING.sub("", plain)
    if (
        plain in ("", "answer", "final answer")
        or len(plain) > _SHORT_CHARACTERS
        or len(plain.split()) > _SHORT_WORDS
    ):
        return None
    return plain


def similarities(texts: Sequence[str]) -> list[list[float]]:
    """How alike each text is to each, from 0 to 1; 1 where both give the same short answer."""
    vectors = tfidf([words(text) for text in texts])
    forms = [short_form(text) for text in texts]
    matrix = [[1.0] * len(texts) for _ in texts]
    for one, other in combinations(range(len(texts)), 2):
        same = forms[one] is not None and forms[one] == forms[other]
        matrix[one][other] = matrix[other][one] = 1.0 if same else cosine(vectors[one], vectors[other])
    return matrix


def medoid(texts: Sequence[str]) -> int:
    """The place of the text that is most like all others, the first of equals."""
    sums = [sum(row) for row in similarities(texts)]
    return max(range(len(texts)), key=lambda place: sums[place])


def majority(texts: Sequence[str]) -> int | None:
    """The place of the first text that gives the short answer most texts give.

    None where fewer than half of the texts have a short form, where no two agree, or where two answers tie.
    """
    forms = [short_form(text) for text in texts]
    counts = Counter(form for form in forms if form is not None)
    if 2 * counts.total() < len(texts):
        return None
    (best, held), *others = [*counts.most_common(2), ("", 0)]
    if held < 2 or held == others[0][1]:
        return None
    return forms.index(best)


def agreement(texts: Sequence[str]) -> float:
    """The mean similarity of all pairs; 0 where there is no pair."""
    matrix = similarities(texts)
    pairs = [matrix[one][other] for one, other in combinations(range(len(texts)), 2)]
    return sum(pairs) / len(pairs) if pairs else 0.0


def likeness(texts: Sequence[str], before: Sequence[str]) -> float:
    """How much `texts` repeats `before`: the mean over `texts` of the similarity to the nearest there."""
    if not texts or not before:
        return 0.0
    matrix = similarities([*texts, *before])
    return sum(max(row[len(texts) :]) for row in matrix[: len(texts)]) / len(texts)


def most_diverse(texts: Sequence[str], most: int) -> list[int]:
    """The places of `most` texts that differ, in order: the medoid, then ever the farthest."""
    if len(texts) <= most:
        return list(range(len(texts)))
    matrix = similarities(texts)
    chosen = [medoid(texts)]
    while len(chosen) < most:
        left = [place for place in range(len(texts)) if place not in chosen]
        chosen.append(min(left, key=lambda place: max(matrix[place][other] for other in chosen)))
    return sorted(chosen)


def outliers(texts: Sequence[str], shorts: Sequence[str | None] | None = None) -> list[int] | None:
    """The places of the texts that stand apart from the majority, in order; never half of them or more.

    `shorts` is what each gives as its answer in short, None where it gave none. Where most give the same,
    those stand apart who give another, or give none and do not name it anywhere. Where most give one and
    they differ, nobody can tell: None. Where most give none, those stand apart whose text is much less like
    the others than is usual among them.
    """
    if len(texts) < 3:
        return []
    asked = shorts if shorts is not None else [None] * len(texts)
    given = [short or short_form(text) or "" for text, short in zip(texts, asked, strict=True)]
    if (apart := _against_the_majority(texts, given)) is not None:
        return apart
    if 2 * sum(map(bool, given)) > len(texts):
        return None
    scores = [(sum(row) - 1.0) / (len(texts) - 1) for row in similarities(texts)]
    limit = _APART * statistics.median(scores)
    ranked = sorted((score, place) for place, score in enumerate(scores) if score < limit)
    return sorted(place for _, place in ranked[: (len(texts) - 1) // 2])


def _against_the_majority(texts: Sequence[str], given: Sequence[str]) -> list[int] | None:
    """The places of those who do not give the answer that most give; None where most give no such one."""
    terms = [_terms(one) for one in given]
    alike = [[_same_answer(one, other) for other in terms] for one in terms]
    # Of several that as many agree with, the one that says most tells best who does not.
    best = max(range(len(terms)), key=lambda place: (sum(alike[place]), len(terms[place])))
    if 2 * sum(alike[best]) <= len(texts) or len(terms[best]) > _MOST_TERMS:
        return None
    answers = {_spaced(one) for one, same in zip(given, alike[best], strict=True) if same}
    return [
        place
        for place, same in enumerate(alike[best])
        if not same and (terms[place] or not any(one in _spaced(texts[place]) for one in answers))
    ]


def _terms(answer: str) -> list[str]:
    """The words and numbers of a short answer in their order, numbers spelled the same."""
    plain = _THOUSANDS.sub("", answer.casefold().replace("a.m.", "am").replace("p.m.", "pm"))
    found = _TERM.findall(plain)
    return [_ZEROS.sub("", term) for term in found if term not in _FILLERS or len(found) == 1]


def _same_answer(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two short answers say the same: no other numbers, and most of the shorter one's terms."""
    if not one or not other:
        return False
    numbers, others = (Counter(term for term in each if term[0].isdigit()) for each in (one, other))
    if numbers - others and others - numbers:
        return False
    few, many = sorted((one, other), key=len)
    if len(few) == 1:
        # A no, or a letter, stands in many a sentence that does not give it.
        return few[0] == many[0] or (few[0][0].isdigit() and few[0] in many)
    return len({*few} & {*many}) >= _SHARED_TERMS * len({*few})


def _spaced(text: str) -> str:
    return f" {' '.join(words(text))} "
