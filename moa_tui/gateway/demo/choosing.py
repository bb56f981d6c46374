"""What each simulated model picks from the manual's sections, in its manner. Nothing is made up.

Each function returns Markdown. Every sentence, row and piece of code in it stands so in the manual; what does
not is in `templates.OWN_LINES`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from moa_tui.gateway.demo import templates
from moa_tui.gateway.demo.manual import with_context
from moa_tui.guide.pieces import spoken, write

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from moa_tui.gateway.demo.manual import Answer
    from moa_tui.guide import Section

_TERSE_PIECES, _CAUTIONS, _ASIDES = 2, 3, 2
_LONGEST_SECTION = 1_400
"""Characters of a section; of a longer one what is about the question is kept."""
_MOST_ROWS = 9
_LONGEST_TERSE_CODE, _LONGEST_CODE = 3, 30
"""Lines."""
# A reader expects the answer in the first sentences. As a share of the best piece's worth.
_FIRST_SHARE, _SECOND_SHARE = 0.5, 0.2
_CAUTION = re.compile(
    r"(?i)\b(?:not|never|no|none|nothing|only|unless|without|cannot|refuse[sd]?|fail(?:s|ed)?|wrong|slow|else|but|"
    r"at most|limits?|cut|matters|however|costs?|lost|left out|damaged|erased|before you|mistakes?)\b"
)
_LONGEST_CAUTION = 240
_FIRST_BONUS = 0.3
# Of what the best piece has of the question; a warning with less is about something else.
_RELEVANT_SHARE = 0.65
_CAUTION_TOPICS = ("troubleshooting", "errors", "safety")


def terse(answer: Answer) -> str:
    """The two sentences that answer, with a command that they lead to."""
    section = answer.sections[0]
    worths = answer.worths[section]
    best = max(worths.values(), default=1.0)
    bonus = {0: _FIRST_SHARE * best, 1: _SECOND_SHARE * best}
    candidates = [number for number, piece in enumerate(section.pieces) if piece.kind != "code"]
    ranked = sorted(
        candidates, key=lambda number: -(_worth_with_code(answer, section, number) + bonus.get(number, 0))
    )
    chosen = [
        number
        for number in with_context(section, ranked[:_TERSE_PIECES])
        if section.pieces[number].kind != "code" or _lines(section, number) <= _LONGEST_TERSE_CODE
    ]
    if all(section.pieces[number].kind == "row" for number in chosen):
        return "\n".join(f"- {spoken(section.pieces[number])}" for number in chosen)
    return write(section.pieces[number] for number in chosen)


def thorough(answer: Answer) -> str:
    """The whole section under its heading, with its table; the next best of the page if both are short."""
    written: list[str] = []
    size = 0
    for section in _of_one_page(answer):
        size += sum(len(section.pieces[number].text) for number in _telling(answer, section))
        if written and size > _LONGEST_SECTION:
            break
        written.append(
            f"## {section.heading}\n\n{write(section.pieces[n] for n in _telling(answer, section))}"
        )
    return "\n\n".join(written)


def _telling(answer: Answer, section: Section) -> list[int]:
    """The pieces of a section; of a long one or a long table those that are about the question."""
    worths = answer.worths.get(section, {})
    numbers = list(range(len(section.pieces)))
    rows = [number for number in numbers if section.pieces[number].kind == "row"]
    if len(rows) > _MOST_ROWS:
        telling = [number for number in rows if worths.get(number)] or rows
        left_out = set(rows) - set(sorted(telling, key=lambda number: -worths.get(number, 0.0))[:_MOST_ROWS])
        numbers = [number for number in numbers if number not in left_out]
    if sum(len(section.pieces[number].text) for number in numbers) <= _LONGEST_SECTION:
        return numbers
    ranked = sorted(numbers, key=lambda number: -(worths.get(number, 0.0) + 1 / (1 + number)))
    chosen, size = [], 0
    for number in ranked:
        size += len(section.pieces[number].text)
        if size <= _LONGEST_SECTION:
            chosen.append(number)
    return with_context(section, chosen)


def sceptic(answer: Answer) -> str:
    """Limits, and what can go wrong: of the section, its page, and the pages about troubles."""
    found = sorted(_cautions(answer), key=lambda each: -each[0])
    lines = list(dict.fromkeys(line for _, line in found))[:_CAUTIONS]
    if not lines:
        return templates.NO_LIMITS
    return "\n".join([templates.SCEPTIC_LEAD, "", *(f"- {line}" for line in lines)])


def coder(answer: Answer) -> str:
    """The commands or the TOML; where there are none, the keys and names that the section has in code."""
    for section in _of_one_page(answer):
        code = [number for number, piece in enumerate(section.pieces) if piece.kind == "code"]
        short = [number for number in code if _lines(section, number) <= _LONGEST_CODE]
        if short:
            worths = answer.worths.get(section, {})
            best = sorted(short, key=lambda number: -worths.get(number, 0.0))[:_ASIDES]
            return write(section.pieces[number] for number in with_context(section, best))
    section = answer.sections[0]
    named = [
        number for number, piece in enumerate(section.pieces) if "`" in piece.text or piece.kind == "row"
    ]
    ranked = sorted(named, key=lambda number: -answer.worths[section].get(number, 0.0))[:_ASIDES]
    if ranked:
        return write(section.pieces[number] for number in with_context(section, ranked))
    return (
        f"{templates.NO_COMMAND}\n\n{write(section.pieces[number] for number in with_context(section, [0]))}"
    )


def _of_one_page(answer: Answer) -> Iterable[Section]:
    """The best section, and then others that answer, as far as they are of the same page."""
    topic = answer.sections[0].topic
    return [section for section in answer.sections if section.topic == topic]


def _cautions(answer: Answer) -> Iterable[tuple[float, str]]:
    """Sentences that warn, each with how much it is worth here."""
    first = answer.sections[0]
    best = max((max(worths.values(), default=0.0) for worths in answer.worths.values()), default=1.0) or 1.0
    for section in answer.related:
        is_near = section.topic == first.topic
        if not is_near and section.topic not in _CAUTION_TOPICS:
            continue
        is_first = section == first
        for number, worth in _all_worths(answer, section, is_whole=is_first):
            piece = section.pieces[number]
            marks = len(_CAUTION.findall(piece.text))
            is_warning = marks or (piece.kind == "row" and section.topic in _CAUTION_TOPICS)
            if not is_warning or piece.kind == "code" or len(piece.text) > _LONGEST_CAUTION:
                continue
            if not is_first and worth < _RELEVANT_SHARE * best:
                continue
            if piece.is_lead or with_context(section, [number]) != [number]:
                continue
            value = worth / best + _FIRST_BONUS * is_first + 0.1 * min(marks, 3)
            yield value, spoken(piece) if piece.kind == "row" else piece.text


def _all_worths(answer: Answer, section: Section, *, is_whole: bool) -> Iterable[tuple[int, float]]:
    """The pieces of a section that are about the question, or all of them, each with its worth."""
    worths = answer.worths.get(section, {})
    return (
        (number, worths.get(number, 0.0)) for number in (range(len(section.pieces)) if is_whole else worths)
    )


def _worth_with_code(answer: Answer, section: Section, number: int) -> float:
    """The worth of a piece, or of the code that it leads to."""
    worths = answer.worths[section]
    following: Sequence[int] = (number + 1,) if section.pieces[number].is_lead else ()
    return max([worths.get(number, 0.0), *(worths.get(each, 0.0) for each in following)])


def _lines(section: Section, number: int) -> int:
    return section.pieces[number].text.count("\n") + 1
