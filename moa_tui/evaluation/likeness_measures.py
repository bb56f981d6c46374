"""How alike a final answer and a proposer's are: BLEU, the cosine of TF-IDF vectors, and Levenshtein.

The three that the paper on Mixture-of-Agents takes (arXiv 2406.04692, section 3.3), each from 0 to 1. BLEU
and TF-IDF read the words of `engine.words`, so that scripts without spaces and accents in two spellings count
as they should; of a long text all three read the beginning, which bounds their time.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import exp, log
from typing import TYPE_CHECKING
from unicodedata import normalize

from moa_tui.engine.likeness import cosine, vector
from moa_tui.engine.words import words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_CHARACTERS = 20_000
"""The characters of a text that `similarity` reads; two such texts take it some 0.15 s."""

_LONGEST_RUN = 4


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike an answer and a proposer's are, by each of the three measures."""

    bleu: float
    tfidf: float
    levenshtein: float


def likeness(answer: str, proposal: str) -> Likeness:
    """How alike `answer` is to `proposal`; BLEU takes the proposal as the reference."""
    return likenesses(answer, {"": proposal})[""]


def likenesses(answer: str, proposals: Mapping[str, str]) -> dict[str, Likeness]:
    """How alike `answer` is to each proposal, by its name; the answer is read once for all."""
    answer_words = words(answer)
    answer_vector = vector(answer_words)
    measured = {}
    for name, proposal in proposals.items():
        proposal_words = words(proposal)
        measured[name] = Likeness(
            bleu(answer_words, proposal_words),
            _cosine(answer_vector, vector(proposal_words)),
            similarity(answer, proposal),
        )
    return measured


def _cosine(first: Mapping[str, float], second: Mapping[str, float]) -> float:
    """The cosine of two vectors; two texts without words are alike, as they are to the other measures."""
    return cosine(first, second) if first or second else 1.0


def bleu(candidate: Sequence[str], reference: Sequence[str]) -> float:
    """BLEU-4 of one text against one reference, given as words, from 0 to 1.

    K. Papineni and others, "BLEU: a Method for Automatic Evaluation of Machine Translation", ACL 2002: the
    geometric mean of the shares of runs of one to four words that the reference has too, times a penalty
    where the candidate is shorter. Runs of a length of which none is found count 1/2, 1/4 and so on (B. Chen
    and C. Cherry, "A Systematic Comparison of Smoothing Techniques for Sentence-Level BLEU", WMT 2014, method
    3, as the program sacrebleu does); a candidate shorter than four words is measured by the runs it has.
    """
    if not candidate or not reference:
        return float(not candidate and not reference)
    logs, smoothing = [], 1.0
    for length in range(1, min(_LONGEST_RUN, len(candidate)) + 1):
        runs, others = _runs(candidate, length), _runs(reference, length)
        total = len(candidate) - length + 1
        shared = float(sum(min(count, others[run]) for run, count in runs.items() if run in others))
        if not shared:
            if length == 1:
                return 0.0
            smoothing *= 2
            shared = 1 / smoothing
        logs.append(log(shared / total))
    brevity = min(0.0, 1 - len(reference) / len(candidate))
    return exp(brevity + sum(logs) / len(logs))


def _runs(text_words: Sequence[str], length: int) -> Counter[tuple[str, ...]]:
    """How often each run of so many words stands in a text."""
    return Counter(zip(*(text_words[start:] for start in range(length)), strict=False))


def similarity(first: str, second: str) -> float:
    """1 less the share of characters that must be changed, added or left out to make one text of the other.

    That is 1 - Levenshtein's distance / the longer length, of the first MOST_CHARACTERS characters. Composed
    and decomposed characters are the same.
    """
    one, two = (normalize("NFC", text[:MOST_CHARACTERS])[:MOST_CHARACTERS] for text in (first, second))
    longest = max(len(one), len(two))
    return 1 - distance(one, two) / longest if longest else 1.0


def distance(first: str, second: str) -> int:
    """The least number of characters to change, add or leave out to make one text of the other.

    V. I. Levenshtein (1966), computed for a whole column at once in the bits of an integer: G. Myers, "A Fast
    Bit-Vector Algorithm for Approximate String Matching", JACM 46 (1999), as H. Hyyrö (2003) has it.
    """
    if len(first) > len(second):
        first, second = second, first
    if not first:
        return len(second)
    places: dict[str, int] = {}
    for place, character in enumerate(first):
        places[character] = places.get(character, 0) | 1 << place
    mask, last = (1 << len(first)) - 1, 1 << (len(first) - 1)
    up, down, distance = mask, 0, len(first)
    for character in second:
        equal = places.get(character, 0)
        diagonal = (((equal & up) + up) ^ up) | equal | down
        added = down | (~(diagonal | up) & mask)
        removed = up & diagonal
        if added & last:
            distance += 1
        elif removed & last:
            distance -= 1
        added = ((added << 1) | 1) & mask
        removed = (removed << 1) & mask
        up = removed | (~(diagonal | added) & mask)
        down = added & diagonal
    return distance
