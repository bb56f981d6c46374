"""Drafts put together into one answer that has every part of them once.

The parts are sentences, items, rows and pieces of code (`guide.pieces`). Those of the manual are put in the
manual's own order, so that a sentence stands again before the code that it leads to. What a draft has from
elsewhere, as a real model's answer has, is quoted below, without Markdown of its own.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from moa_tui.gateway.demo import templates
from moa_tui.gateway.demo.manual import places_of, with_context
from moa_tui.gateway.demo.words import inert, shorten_to
from moa_tui.guide.pieces import read, spoken, write

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from moa_tui.engine.tasks import Reference
    from moa_tui.gateway.demo.manual import Place
    from moa_tui.guide import Section
    from moa_tui.guide.pieces import Piece

REFERENCE_SIZE = 20_000
"""Characters of a draft that are read: a huge text must not hold up the loop."""
_MOST_FOREIGN, _FOREIGN_SIZE = 24, 300
# A section of which drafts have so many pieces, or code, is a part of the answer by itself. Only the thorough
# model writes down all of it.
_OWN_PART = 4
_TERSE_PIECES, _TERSE_CAUTIONS = 4, 1


@dataclass
class Parts:
    """What drafts have of the manual, in how many drafts, and what else they have, each once."""

    places: dict[Section, Counter[int]] = field(default_factory=dict)
    foreign: dict[str, None] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return sum(map(len, self.places.values()))

    @property
    def shared(self) -> int:
        return sum(number > 1 for counts in self.places.values() for number in counts.values())


def collect(references: Sequence[Reference], left_out: Iterable[str] = ()) -> Parts:
    """The parts of the drafts, without those that the user has left out, given as `point` writes them."""
    parts, unwanted = Parts(), set(left_out)
    drafts: list[dict[tuple[Place, ...], None]] = []
    for reference in references:
        drafts.append({})
        for piece in read(reference.text[:REFERENCE_SIZE]):
            if piece.kind == "heading" or is_own_line(piece) or point(piece) in unwanted:
                continue
            if places := places_of(piece):
                drafts[-1][places] = None
            elif len(parts.foreign) < _MOST_FOREIGN and (words := _foreign(piece)) and not _is_torn(words):
                parts.foreign[words] = None
    sizes = Counter(places[0].section for draft in drafts for places in draft if len(places) == 1)
    for draft in drafts:
        for places in draft:
            # What stands in several sections belongs to the one of which the drafts have most.
            place = max(places, key=lambda each: sizes[each.section])
            parts.places.setdefault(place.section, Counter())[place.number] += 1
    return parts


def merge(parts: Parts, manner: str) -> str:
    """One answer from the parts, as `manner`, a model's name, puts it; empty where there are none."""
    sections = sorted(parts.places, key=lambda section: -parts.places[section].total())
    blocks: list[str] = []
    cautions: list[Piece] = []
    for rank, section in enumerate(sections):
        counts = parts.places[section]
        pieces = [section.pieces[number] for number in sorted(counts)]
        if rank and len(pieces) < _OWN_PART and all(piece.kind != "code" for piece in pieces):
            cautions += pieces
        elif manner == "demo/thorough":
            blocks.append(f"## {section.heading}\n\n{write(pieces)}")
        elif not rank:
            blocks.append(
                _code_first(section, counts) if manner == "demo/coder" else _shortest(section, counts)
            )
    said = [spoken(piece) if piece.kind == "row" else piece.text for piece in cautions]
    if manner == "demo/terse":
        said = said[:_TERSE_CAUTIONS]
    listed = "\n".join(f"- {text}" for text in said)
    if listed and manner == "demo/sceptic":
        blocks.insert(0, f"{templates.SCEPTIC_LEAD}\n\n{listed}")
    elif listed:
        blocks.append(f"### {templates.WATCH_OUT}\n\n{listed}")
    if parts.foreign:
        blocks.append("\n".join([templates.FOREIGN, "", *(f"- {text}" for text in parts.foreign)]))
    if topics := dict.fromkeys(section.topic for section in sections):
        blocks.append(templates.SOURCE.format(", ".join(f"`moa-tui guide {topic}`" for topic in topics)))
    return "\n\n".join(blocks)


def point(piece: Piece) -> str:
    """A piece as a point of a checklist."""
    return shorten_to(inert(spoken(piece) if piece.kind == "row" else piece.text), _FOREIGN_SIZE)


def is_own_line(piece: Piece) -> bool:
    """True for what a simulated model says of itself, and not from the manual."""
    beginnings = (templates.NOTE_BEGINNING, templates.SOURCE_BEGINNING, templates.NOT_COVERED)
    return piece.text in templates.OWN_LINES or piece.text.startswith(beginnings)


def _is_torn(words: str) -> bool:
    """True for a part of an own line, as a draft has at the ends of what was read of it so far."""
    whole = (*templates.OWN_LINES, templates.NOT_COVERED, templates.NOTE)
    return any(words in line for line in whole) or any(end in words for end in templates.OWN_ENDS)


def _foreign(piece: Piece) -> str:
    """What is not from the manual, short and without Markdown."""
    return point(piece).strip(" .:;-*#>=_")


def _shortest(section: Section, counts: Counter[int]) -> str:
    """The pieces that most drafts have, in their order, and the code that they lead to."""
    ranked = sorted(counts, key=lambda number: (-counts[number], number))[:_TERSE_PIECES]
    return write(section.pieces[number] for number in with_context(section, ranked) if number in counts)


def _code_first(section: Section, counts: Counter[int]) -> str:
    """The code with what leads to it, and then what most drafts have."""
    code = [number for number in counts if section.pieces[number].kind == "code"]
    leading = [number for number in with_context(section, code) if number in counts]
    others = Counter({number: count for number, count in counts.items() if number not in leading})
    first = write(section.pieces[number] for number in leading)
    return "\n\n".join(part for part in (first, _shortest(section, others)) if part)
