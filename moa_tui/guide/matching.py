"""Which sections a question is about, by the statistics of words (BM25F: Robertson and Zaragoza, 2009).

A word counts for more the rarer it is, in the manual and in texts in general. It counts for more in a
heading than in the text, and where words of the question stand together in one sentence or row they count
again. The figures below were found with the questions of tests/guide/questions.py, by trying many.
"""

from __future__ import annotations

import difflib
import math
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moa_tui.engine.words import words
from moa_tui.guide import pieces, wording

if TYPE_CHECKING:
    from collections.abc import Iterable

# What a word adds in the heading, in the name of the page, and as the name that a row of a table explains.
_HEADING_WEIGHT, _TOPIC_WEIGHT, _DEFINED_WEIGHT = 1.2, 0.4, 0.2
# The first heading of a page is its title, which is about all of it.
_TITLE_SHARE = 0.3
# How much of a heading's weight depends on how many of its words are asked for.
_WHOLE_HEADING_SHARE = 0.5
_LIKE_HEADING_WEIGHT = 0.6
# BM25's: how soon more of the same word counts no further, and how much a long section has to have more.
_SATURATION, _LENGTH_SHARE = 1.5, 0.75
_TOGETHER_WEIGHT = 0.3
_COVERAGE_POWER = 0.8
_COMMONNESS_POWER = 0.6
# What the manual calls otherwise, a word begun, and a word misspelled: each may be something else.
_OTHER_NAME_SHARE, _BEGINNING_SHARE, _TYPO_SHARE = 0.8, 0.7, 0.8
_SHORTEST_BEGINNING, _SHORTEST_TYPO, _TYPO_LIKENESS = 4, 5, 0.8
# A word that only code has is rarely what its section is about.
_CODE_SHARE = 0.5
# Of the words of an earlier question that this one goes on from.
_EARLIER_SHARE = 0.4
# A rare word that the manual does not have says that the question is about something else.
_STRANGE_SHARE = 1.5
# Lists that one looks things up in: an explanation elsewhere is the better answer where there is one.
_PRIORS = {"troubleshooting": 0.8, "errors": 0.8, "screen-keys": 0.7, "keys": 0.9, "vim": 0.7}
# In characters: a shorter section leads to others and says little itself.
_SHORTEST_TEXT, _STUB_PRIOR = 120, 0.6
# A section answers with so much of the question, or with less where that is said in many ways; everyday words
# alone ask for nothing.
_COVERED, _PARTLY_COVERED, _SURE_SCORE, _LEAST_SCORE = 0.55, 0.4, 7.0, 3.0
_EXAMPLE = re.compile(r'"[^"\n]* [^"\n]*"')
# In characters; no heading is longer.
_LONGEST_HEADING = 500


@dataclass(frozen=True)
class Match:
    """How well a section answers a question.

    `section` is its number. `coverage` is the share of what the question is about that the section has, from
    0 to 1. `pieces` has the worth of each of its pieces that has a word of the question, by its place.
    """

    section: int
    score: float
    coverage: float
    pieces: dict[int, float]

    @property
    def is_answer(self) -> bool:
        """True where the section is about enough of the question to answer it."""
        is_sure = self.score >= _SURE_SCORE and self.coverage >= _PARTLY_COVERED
        return is_sure or (self.coverage >= _COVERED and self.score >= _LEAST_SCORE)


@dataclass(frozen=True)
class _Fields:
    """The words of a section, by where they stand."""

    text: Counter[str]
    heading: frozenset[str]
    topic: frozenset[str]
    defined: frozenset[str]
    spelled_heading: frozenset[str]
    code: frozenset[int]
    is_opening: bool
    prior: float


@dataclass(frozen=True)
class _Worth:
    """What a section has of one word: what it adds to the score, how sure it is meant, and the pieces."""

    score: float
    in_heading: float
    likeness: float
    places: dict[int, float]


class Index:
    """The words of the sections, each given by its topic, its heading and its text."""

    def __init__(self, sections: Iterable[tuple[str, str, str]]) -> None:
        self._fields: list[_Fields] = []
        self._places: defaultdict[str, dict[int, list[int]]] = defaultdict(dict)
        """By stem and section, the pieces that have it; a section that has it in a head alone has none."""
        self._spellings: dict[str, str] = {}
        """The words with and without their endings, each with its stem: both are misspelled."""
        last_topic = ""
        for number, (topic, heading, text) in enumerate(sections):
            fields = self._read(number, topic, heading, text, topic != last_topic)
            for stem in fields.heading | fields.topic:
                self._places[stem].setdefault(number, [])
            self._fields.append(fields)
            for word in words(f"{heading} {text}"):
                self._spellings[word] = self._spellings[wording.stem(word)] = wording.stem(word)
            last_topic = topic
        self._mean_length = sum(fields.text.total() for fields in self._fields) / max(1, len(self._fields))

    def _read(self, number: int, topic: str, heading: str, text: str, is_opening: bool) -> _Fields:
        counts: Counter[str] = Counter()
        defined: set[str] = set()
        code: set[int] = set()
        for place, piece in enumerate(pieces.read(text)):
            stems = wording.stems(_indexed(piece))
            counts.update(stems)
            for stem in set(stems):
                self._places[stem].setdefault(number, []).append(place)
            if piece.kind == "code":
                code.add(place)
            if piece.kind == "row":
                defined.update(wording.stems(pieces.cells(piece.text)[0]))
        return _Fields(
            counts,
            frozenset(wording.stems(heading)),
            frozenset(wording.stems(topic.replace("-", " "))),
            frozenset(defined),
            frozenset(words(heading)),
            frozenset(code),
            is_opening,
            _PRIORS.get(topic, 1.0) * (_STUB_PRIOR if len(text) < _SHORTEST_TEXT else 1.0),
        )

    def matches(self, question: str, earlier: str = "") -> list[Match]:
        """The sections that have a word of `question`, the best first.

        Where the question goes on from one before, that is `earlier`, whose words count for less.
        """
        shares = dict.fromkeys(wording.question_stems(question), 1.0)
        for stem in wording.question_stems(earlier):
            shares.setdefault(stem, _EARLIER_SHARE)
        total = sum(self._meaning(stem) * share for stem, share in shares.items())
        worths: defaultdict[int, list[tuple[str, float, _Worth]]] = defaultdict(list)
        for stem, share in shares.items():
            for number, worth in self._worths(stem).items():
                worths[number].append((stem, share, worth))
        spelled = frozenset(words(question[:_LONGEST_HEADING]))
        matches = [self._match(number, total, spelled, found) for number, found in worths.items()]
        return sorted(matches, key=lambda match: (-match.score, match.section))

    def _match(
        self, number: int, total: float, spelled: frozenset[str], found: list[tuple[str, float, _Worth]]
    ) -> Match:
        fields = self._fields[number]
        places: defaultdict[int, float] = defaultdict(float)
        for _, share, worth in found:
            for place, value in worth.places.items():
                places[place] += value * share
        in_heading = [worth.in_heading * share for _, share, worth in found if worth.in_heading]
        whole = len(in_heading) / max(1, len(fields.heading))
        score = sum(worth.score * share for _, share, worth in found)
        score += sum(in_heading) * (1 - _WHOLE_HEADING_SHARE * (1 - whole))
        score += _TOGETHER_WEIGHT * max(places.values(), default=0.0)
        covered = sum(wording.rarity(stem) * share * worth.likeness for stem, share, worth in found)
        coverage = min(1.0, covered / total)
        alike = len(spelled & fields.spelled_heading) / max(2, len(fields.spelled_heading))
        score *= fields.prior * coverage**_COVERAGE_POWER * (1 + _LIKE_HEADING_WEIGHT * alike)
        return Match(number, score, coverage, dict(places))

    def _worths(self, stem: str) -> dict[int, _Worth]:
        """What each section has of a word of a question, in the spelling in which it has most."""
        best: dict[int, _Worth] = {}
        for form, share in self._forms(stem).items():
            rarity = self._rarity(form) * share
            for number, places in self._places[form].items():
                fields = self._fields[number]
                length = 1 - _LENGTH_SHARE + _LENGTH_SHARE * fields.text.total() / self._mean_length
                count = fields.text[form] / length
                extra = _TOPIC_WEIGHT * (form in fields.topic) + _DEFINED_WEIGHT * (form in fields.defined)
                score = rarity * (count / (_SATURATION + count) + extra)
                title_share = _TITLE_SHARE if fields.is_opening else 1.0
                in_heading = rarity * _HEADING_WEIGHT * title_share * (form in fields.heading)
                if number not in best or score + in_heading > best[number].score + best[number].in_heading:
                    is_code = bool(places) and not in_heading and fields.code.issuperset(places)
                    likeness = share * (_CODE_SHARE if is_code else 1.0)
                    best[number] = _Worth(score, in_heading, likeness, dict.fromkeys(places, rarity))
        return best

    def _forms(self, stem: str) -> dict[str, float]:
        """The stems of the manual that may be meant, with how likely each is."""
        names = [name for name in wording.other_names(stem) if name in self._places]
        forms = dict.fromkeys(names, _OTHER_NAME_SHARE)
        if stem in self._places:
            return {**forms, stem: 1.0}
        if forms or wording.is_common(stem) or wording.is_empty(stem):
            return forms
        if len(stem) >= _SHORTEST_BEGINNING:
            forms = dict.fromkeys((form for form in self._places if form.startswith(stem)), _BEGINNING_SHARE)
        if not forms and len(stem) >= _SHORTEST_TYPO and stem.isalpha():
            near = [word for word in self._spellings if word[0] == stem[0] and abs(len(word) - len(stem)) < 2]
            meant = difflib.get_close_matches(stem, near, 1, _TYPO_LIKENESS)
            forms = {self._spellings[word]: _TYPO_SHARE for word in meant}
        return forms

    def _meaning(self, stem: str) -> float:
        """How much of a question a word is."""
        forms = self._forms(stem)
        if not forms and wording.is_empty(stem):
            return 0.0
        is_strange = not (forms or wording.is_common(stem))
        return wording.rarity(stem) * (_STRANGE_SHARE if is_strange else 1.0)

    def _rarity(self, form: str) -> float:
        """How much it says that a section has this stem."""
        holding = len(self._places[form])
        in_manual = math.log(1 + len(self._fields) / (holding + 0.5))
        return in_manual * math.pow(wording.rarity(form), _COMMONNESS_POWER)


def _indexed(piece: pieces.Piece) -> str:
    """The text of a piece without what an example in code asks: the manual does not answer that."""
    if piece.kind != "code":
        return piece.text
    return _EXAMPLE.sub(" ", piece.text) if piece.head else ""
