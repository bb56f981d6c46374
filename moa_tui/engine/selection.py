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
_SHORT_WORDS, _SHORT_CHARACTERS = 6, 60
# What is looked at for a last line such as "Answer: 42".
_END_CHARACTERS = 2_000

_BOXED = re.compile(r"\\boxed\{([^{}\n]{1,60})\}")
_STATED = re.compile(r"\banswer[\s*_]*(?:\bis\b|[:=])[\s:*_]*([^\n]{1,80})$", re.IGNORECASE)
_LEADING = re.compile(r"^(?:(?:the|an?|it is|it's|the answer is)\s+)+")
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


def outliers(texts: Sequence[str]) -> list[int]:
    """The places of the texts that stand apart from the majority, in order; never half of them or more.

    Where most give the same short answer, those who give another, or do not name it anywhere; else those
    much less like the others than is usual among them.
    """
    if len(texts) < 3:
        return []
    forms = [short_form(text) for text in texts]
    common, held = Counter(forms).most_common(1)[0]
    if common is not None and 2 * held > len(texts):
        return [
            place
            for place, form in enumerate(forms)
            if form != common and (form is not None or _spaced(common) not in _spaced(texts[place]))
        ]
    scores = [(sum(row) - 1.0) / (len(texts) - 1) for row in similarities(texts)]
    limit = _APART * statistics.median(scores)
    apart = sorted((score, place) for place, score in enumerate(scores) if score < limit)
    return sorted(place for _, place in apart[: (len(texts) - 1) // 2])


def _spaced(text: str) -> str:
    return f" {' '.join(words(text))} "
