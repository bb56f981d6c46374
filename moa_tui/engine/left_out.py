"""What the final answer left out: the sentences and list items of other answers whose content it lacks. Pure.

How it is measured. Each answer is cut into statements (`statements`). A statement is in the final answer
where its words are: each word counts by how rare it is in the language (the list behind `likeness`) and
among the statements of this run, inflections of a word are the same word, and the words may be spread over
up to three neighbouring statements of the final answer. A statement with a number that the final answer does
not have there, or that nearly repeats a statement of it but for a negation, is not in it. What two answers
say alike is one point of both.

What it is not. Words are compared, not meanings: the same said in other words is listed as left out, and a
statement whose words the final answer uses to say something else is not. That something is left out is no
error of the answer: it may be wrong, or beside the question. Code and formulas are not compared, but what is
said around them is; the final answer's own code counts as its words.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from functools import lru_cache
from heapq import nlargest
from operator import itemgetter
from typing import TYPE_CHECKING

from moa_tui.engine.boilerplate import is_boilerplate
from moa_tui.engine.claims import is_negative, numbers_of, other_words
from moa_tui.engine.likeness import rarity
from moa_tui.engine.statements import statements
from moa_tui.engine.words import is_unspaced, terms, words

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.statements import Statement
    from moa_tui.engine.values import CallId, Outcome, Reply

# The most of an answer that is looked at, in characters, where few answers have a tenth of it; of a longer
# final answer it is not known what it lacks.
MOST_CHARACTERS = 60_000
MOST_FINAL_CHARACTERS = 200_000
MOST_POINTS = 500

# The number of neighbouring statements of the final answer that a statement's words may be spread over.
_NEIGHBOURS = 3
# Words that are more common say nothing by themselves, and none counts for more than the rarest.
_LEAST_RARITY, _MOST_RARITY = 1.2, 5.0
_PER_DIGIT = 1.5
# How much less a word counts that stands in every statement compared, as those of the prompt often do.
_LOCAL = 0.9
# The letters that stand for a word without its ending.
_STEM = 6
# The shares of a statement's words, by weight, that make it contained: in one statement, in neighbours.
_IN_ONE, _IN_NEIGHBOURS = 0.36, 0.5
# Where neighbours have so many times more of its words than one of them, its numbers may be in any of them.
_SPREAD = 1.1
# From this share on, the word "not" in one of two statements alone makes them two.
_NEARLY_ALL = 0.75
# The mean share of their words that two statements of different answers have in common that say the same, and
# how many others a statement is compared with.
_SAME, _MOST_TRIES = 0.42, 3
# A word in more statements than that counts as standing in all of them, so that the work stays bounded.
_MOST_PLACES = 60
# A point has that many letters and digits at least.
_SHORTEST_POINT = 3
_ENDING = re.compile(r"(?:ingly|ings?|edly|ed|ies|es|s|ly|e|y)\Z")
_HANGUL = re.compile("[\uac00-\ud7a3]{2,}")
_CUT = ("partial", "stopped")


@dataclass(frozen=True, slots=True)
class LeftOutPoint:
    """A sentence, list item or row of an answer whose content the final answer does not have."""

    text: str
    """What it says, on one line, as it was written but for the mark of a list and emphasis around it."""
    calls: tuple[CallId, ...]
    """The calls whose answers say it; the words are those of the first."""
    start: int
    """Where it begins in the text of the first call's reply, in characters."""
    end: int
    """Where it ends there."""


def left_out(outcome: Outcome, recipe: Recipe) -> tuple[LeftOutPoint, ...]:
    """What the answers of a run say and its final answer does not, in the order of the answers and texts.

    There are such points where the answer is whole: of one that was cut, nobody knows what it would have
    said. Where it was chosen among the answers, they are what the others say that it does not. `recipe`, the
    run's, tells which layers write answers: critiques and rankings have no points of their own.
    """
    if outcome.status != "done" or not outcome.answer.strip():
        return ()
    texts = {call: outcome.replies[call].text for call in compared_calls(outcome, recipe)}
    cut = [call for call in texts if outcome.replies[call].status in _CUT]
    return points(outcome.answer, texts, cut)


def compared_calls(outcome: Outcome, recipe: Recipe) -> list[CallId]:
    """The calls whose answers are compared with the final answer, in order.

    These are the answers of the layers before the one that wrote it, those among them that were cut or not
    passed on; where it was chosen among the answers, the others. One that was left out by hand is none.
    """
    replies = outcome.replies
    last = max((call.layer for call in replies), default=0)
    final = next((call for call in sorted(replies, reverse=True) if _is_final(replies[call], outcome)), None)
    layer = last if final is None else final.layer
    is_chosen = layer < len(recipe.layers)
    return [
        call
        for call, reply in sorted(replies.items())
        if (call.layer < layer or (is_chosen and call.layer == layer and call != final))
        and reply.status not in ("failed", "excluded")
        and reply.text.strip()
        # What a file says of a run need not fit its recipe.
        and 1 <= call.layer <= len(recipe.layers)
        and recipe.writes(call.layer)
    ]


def _is_final(reply: Reply, outcome: Outcome) -> bool:
    """True for the reply that is the final answer, maybe with closing lines that are not part of that."""
    return bool(reply.text) and reply.text.startswith(outcome.answer)


def points(final: str, texts: Mapping[CallId, str], cut: Collection[CallId] = ()) -> tuple[LeftOutPoint, ...]:
    """What `texts` say and `final` does not, what two of them say alike once; the first MOST_POINTS.

    The last statement of a text in `cut` does not count, since its end is missing.
    """
    missing, weights = _missing(final, texts, cut)
    merged = _merged([(call, unit) for call, units in missing.items() for unit in units], weights)
    return tuple(merged[:MOST_POINTS])


def missing_statements(
    final: str, texts: Mapping[CallId, str], cut: Collection[CallId] = ()
) -> dict[CallId, list[Unit]]:
    """The statements of each text that are not in `final`; none where that is too long to be read whole."""
    return _missing(final, texts, cut)[0]


def _missing(
    final: str, texts: Mapping[CallId, str], cut: Collection[CallId]
) -> tuple[dict[CallId, list[Unit]], _Weights]:
    if len(final) > MOST_FINAL_CHARACTERS:
        return {call: [] for call in texts}, _Weights([])
    final_units = [Unit.of(statement) for statement in statements(final, with_blocks=True)]
    final_words = _spaced(words(final))
    units_by_call: dict[CallId, list[Unit]] = {}
    for call, text in texts.items():
        units = [Unit.of(statement) for statement in statements(text[:MOST_CHARACTERS])]
        is_cut = call in cut or len(text) > MOST_CHARACTERS
        if len(units) == 1 and not is_cut:
            units = [_whole_answer(units[0], final_words)]
        units_by_call[call] = units[:-1] if is_cut else units
    weights = _Weights([final_units, *units_by_call.values()])
    index = _Index(final_units, weights)
    missing = {
        call: [unit for unit in units if unit.is_point and not index.contains(unit)]
        for call, units in units_by_call.items()
    }
    return missing, weights


def _whole_answer(unit: Unit, final_words: str) -> Unit:
    """The only statement of an answer, which is a point even where it is a word, a letter or a number.

    Such a short one is in the final answer where its words stand there, one behind the other.
    """
    if unit.is_point or unit.statement.kind == "other" or is_boilerplate(unit.statement.text):
        return unit
    text_words = words(unit.statement.text)
    if _spaced(text_words) in final_words:
        return unit
    return replace(unit, rarity=unit.rarity or dict.fromkeys(text_words, _MOST_RARITY), is_point=True)


def _spaced(text_words: Iterable[str]) -> str:
    return f" {' '.join(text_words)} "


@dataclass(frozen=True, slots=True)
class Unit:
    """A statement with what it is compared by."""

    statement: Statement
    rarity: Mapping[str, float]
    """Its words without their endings, each with how rare it is."""
    numbers: frozenset[str]
    is_negative: bool
    is_point: bool
    """True where the statement says something of its own."""

    @classmethod
    def of(cls, statement: Statement) -> Unit:
        """The unit of a statement."""
        text = statement.text
        stems: dict[str, float] = {}
        text_words = words(text)
        # Whether it denies is compared by itself, and so is a number, as of "8th" or "5kg".
        for word in terms(other_words(text, text_words) or text_words):
            if word[0].isdecimal():
                continue
            how_rare = min(_MOST_RARITY, rarity(word))
            if how_rare >= _LEAST_RARITY:
                for stem in _stems(word):
                    stems[stem] = how_rare
        letters = sum(map(_letters, text[:80]))
        numbers = numbers_of(text, text_words)
        is_said = bool(stems)
        stems |= {f"#{number}": min(_MOST_RARITY, _PER_DIGIT * len(number)) for number in numbers}
        is_point = (
            statement.kind != "other" and letters >= _SHORTEST_POINT and is_said and not is_boilerplate(text)
        )
        return cls(statement, stems, numbers, is_negative(text, text_words), is_point)


def _letters(character: str) -> int:
    """What a character counts for in a point; a word in Han, kana or Hangul may be one alone."""
    if not character.isalnum():
        return 0
    return _SHORTEST_POINT if unicodedata.east_asian_width(character) == "W" else 1


def _stems(word: str) -> Iterable[str]:
    """What stands for a word and its inflections: its beginning; for one in Hangul its pairs of syllables."""
    if is_unspaced(word):
        return (word,)
    if _HANGUL.fullmatch(word):
        return [word[place : place + 2] for place in range(len(word) - 1)]
    return (_stem(word),)


@lru_cache(maxsize=20_000)
def _stem(word: str) -> str:
    if len(word) > 3 and word.isascii():
        shorter = _ENDING.sub("", word)
        word = shorter if len(shorter) > 2 else word
    elif word.startswith("ال") and len(word) > 4:
        word = word[2:]
    return word[:_STEM]


class _Weights:
    """How much each word counts: by how rare it is in the language and among the statements compared."""

    def __init__(self, texts: Iterable[Sequence[Unit]]) -> None:
        units = [unit for text in texts for unit in text]
        counts = Counter(stem for unit in units for stem in unit.rarity)
        most = math.log1p(max(1, len(units)))
        self._factors = {stem: 1.0 - _LOCAL * math.log1p(count) / most for stem, count in counts.items()}

    def of(self, unit: Unit) -> dict[str, float]:
        """The weight of each word of a statement."""
        return {stem: how_rare * self._factors[stem] for stem, how_rare in unit.rarity.items()}


class _Index:
    """Statements by their words, in which the nearest to another statement is found."""

    def __init__(self, units: Sequence[Unit], weights: _Weights) -> None:
        self._units = units
        self._weights = weights
        self._places: dict[str, list[int]] = defaultdict(list)
        for place, unit in enumerate(units):
            for stem in unit.rarity:
                self._places[stem].append(place)

    def contains(self, unit: Unit) -> bool:
        """True where the statements, or neighbours among them, say what `unit` says."""
        of_one, of_neighbours, nearest, first = self.shares(unit)
        if of_one < _IN_ONE and of_neighbours < _IN_NEIGHBOURS:
            return False
        if of_one >= _NEARLY_ALL and self._units[nearest].is_negative is not unit.is_negative:
            return False
        near = self._units[nearest : nearest + 1]
        if of_neighbours >= _SPREAD * of_one:
            near = [*near, *self._units[max(0, first) : first + _NEIGHBOURS]]
        return all(any(number in other.numbers for other in near) for number in unit.numbers)

    def shares(self, unit: Unit) -> tuple[float, float, int, int]:
        """The largest share of a statement's words that one of the statements has, and that neighbours have.

        Behind these shares, from 0 to 1, stand the place of that one, and of the first of the neighbours.
        """
        weights = self._weights.of(unit)
        whole = sum(weights.values())
        single: dict[int, float] = defaultdict(float)
        joined: dict[int, float] = defaultdict(float)
        everywhere = 0.0
        for stem, weight in weights.items():
            places = self._places.get(stem, ())
            if len(places) > _MOST_PLACES:
                everywhere += weight
                continue
            starts: set[int] = set()
            for place in places:
                single[place] += weight
                starts.update(range(place - _NEIGHBOURS + 1, place + 1))
            for start in starts:
                joined[start] += weight
        nearest, of_one = max(single.items(), key=_second, default=(0, 0.0))
        first, of_neighbours = max(joined.items(), key=_second, default=(0, 0.0))
        return (of_one + everywhere) / whole, (of_neighbours + everywhere) / whole, nearest, first


_second = itemgetter(1)


def _merged(missing: Sequence[tuple[CallId, Unit]], weights: _Weights) -> list[LeftOutPoint]:
    """The points of statements that the final answer does not have; those that say the same are one."""
    merged: list[tuple[Unit, float, list[CallId]]] = []
    places: dict[str, list[int]] = defaultdict(list)
    for call, unit in missing:
        of_unit = weights.of(unit)
        whole = sum(of_unit.values())
        shared: dict[int, float] = defaultdict(float)
        for stem, weight in of_unit.items():
            for place in places[stem][-_MOST_PLACES:]:
                shared[place] += weight
        for place, share in nlargest(_MOST_TRIES, shared.items(), key=_second):
            other, other_whole, calls = merged[place]
            likeness = (share / whole + share / other_whole) / 2
            if likeness >= _SAME and _agree(unit, other, likeness):
                if call not in calls:
                    calls.append(call)
                break
        else:
            for stem in of_unit:
                places[stem].append(len(merged))
            merged.append((unit, whole, [call]))
    return [
        LeftOutPoint(unit.statement.text, tuple(calls), unit.statement.start, unit.statement.end)
        for unit, _, calls in merged
    ]


def _agree(unit: Unit, other: Unit, likeness: float) -> bool:
    """True where two statements that are alike differ by no number and no negation."""
    is_denied = likeness >= _NEARLY_ALL and unit.is_negative is not other.is_negative
    return not is_denied and (unit.numbers <= other.numbers or other.numbers <= unit.numbers)
