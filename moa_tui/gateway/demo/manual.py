"""What the simulated models find in the manual: the sections that answer, or the topics that come near.

All that they know is in `moa_tui.guide`. They choose by the statistics of words and by nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from moa_tui import guide
from moa_tui.engine.words import words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from moa_tui.guide import Section
    from moa_tui.guide.pieces import Piece

_NEAREST = 3
# A question that is so short, in words, may go on from the one before.
_SHORT_QUESTION = 7
_GOING_ON = frozenset(["and", "or", "but", "also", "then", "else", "same", "instead", "what's"])
_POINTING = frozenset(["it", "that", "this", "them", "those", "these", "one", "there"])
# Sections that are about the question too, though less than the best one.
_MOST_SECTIONS, _NEAR_ENOUGH = 3, 0.5
# A sentence that begins so needs the one before it.
_DEPENDENT = re.compile(
    r"(?:It|Its|They|Their|Them|That|This|These|Those|Both|Then|So|Else|There|Each|One)\b"
)
_LONGEST_LIST = 10


@dataclass(frozen=True)
class Answer:
    """The sections that answer a question, the best first, and how much each piece of them is about it.

    `sections` is empty where the manual does not cover the question. `worths` is by section and place.
    `nearest` are topics in any case, and `coverage` the share of the question that the first section has.
    """

    sections: tuple[Section, ...]
    related: tuple[Section, ...]
    worths: Mapping[Section, Mapping[int, float]]
    nearest: tuple[str, ...]
    coverage: float


@dataclass(frozen=True)
class Place:
    """Where a piece stands in the manual."""

    section: Section
    number: int


def look_up(question: str, earlier: str = "") -> Answer:
    """What the manual says to `question`, which may go on from `earlier`, the prompt before it."""
    spelled = words(question[:500])
    is_short = 0 < len(spelled) <= _SHORT_QUESTION
    goes_on = is_short and (spelled[0] in _GOING_ON or not _POINTING.isdisjoint(spelled))
    found = guide.answers(question, earlier if goes_on else "")
    if is_short and earlier and not (found and found[0].match.is_answer):
        found = guide.answers(question, earlier)
    topics = dict.fromkeys(each.section.topic for each in found[: 2 * _NEAREST])
    answering: list[Section] = []
    if found and found[0].match.is_answer:
        least = found[0].match.score * _NEAR_ENOUGH
        near = [_telling_section(each.section) for each in found if each.match.score >= least]
        answering = list(dict.fromkeys(near))[:_MOST_SECTIONS]
    return Answer(
        tuple(answering),
        tuple(each.section for each in found[: 4 * _MOST_SECTIONS]),
        {each.section: each.match.pieces for each in found},
        tuple(topics)[:_NEAREST],
        found[0].match.coverage if found else 0.0,
    )


def places_of(piece: Piece) -> tuple[Place, ...]:
    """Where the manual says that, word for word; empty where it does not. A command stands in many places."""
    return _places().get(piece.key, ())


def with_context(section: Section, chosen: Iterable[int]) -> list[int]:
    """The chosen pieces of a section in order, with those that they cannot be understood without."""
    pieces = section.pieces
    waiting, numbers = list(chosen), set[int]()
    while waiting:
        number = waiting.pop()
        if number in numbers:
            continue
        numbers.add(number)
        piece = pieces[number]
        before = pieces[number - 1] if number else None
        if piece.kind == "sentence" and before is not None and before.kind == "sentence":
            is_dependent = _DEPENDENT.match(piece.text) or piece.text[0].islower()
            if is_dependent and before.block == piece.block:
                waiting.append(number - 1)
        if piece.kind in ("code", "item"):
            begin = _begin(pieces, number)
            if begin and pieces[begin - 1].is_lead:
                waiting += [begin - 1] if piece.kind == "code" else [begin - 1, *_block(pieces, number)]
        if piece.is_lead and number + 1 < len(pieces) and pieces[number + 1].kind in ("code", "item"):
            waiting += _block(pieces, number + 1)
    return sorted(numbers)


@cache
def _places() -> dict[str, tuple[Place, ...]]:
    """Every piece of the manual, by its words."""
    places: dict[str, tuple[Place, ...]] = {}
    for page in guide.pages():
        for section in page.sections:
            for number, piece in enumerate(section.pieces):
                places[piece.key] = (*places.get(piece.key, ()), Place(section, number))
    return places


def _telling_section(section: Section) -> Section:
    """The section, or the one behind it where it holds nothing but what its page is for."""
    page = guide.page(section.topic)
    is_stub = section is page.sections[0] and " ".join(section.text.split()) == page.summary
    return page.sections[1] if is_stub and len(page.sections) > 1 else section


def _begin(pieces: Sequence[Piece], number: int) -> int:
    """The number of the first piece of the block in which piece `number` stands."""
    while (
        number
        and pieces[number - 1].kind == pieces[number].kind
        and pieces[number - 1].block == pieces[number].block
    ):
        number -= 1
    return number


def _block(pieces: Sequence[Piece], number: int) -> list[int]:
    """The numbers of the pieces of a block, at most so many as an answer can hold."""
    begin = _begin(pieces, number)
    same = (each for each in range(begin, len(pieces)) if pieces[each].block == pieces[begin].block)
    return [each for each in same if pieces[each].kind == pieces[begin].kind][:_LONGEST_LIST]
