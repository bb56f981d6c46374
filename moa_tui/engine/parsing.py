"""What rankers, judges and moderators reply, and checklists, read strictly: another form is None. Pure.

A reply may come from a model that was talked into mischief, so nothing in it is guessed at.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Collection

ClosingLine = Literal["in short", "confidence"]

# A form is short; a reply beyond this is searched at its beginning and its end only.
_LONGEST = 50_000
# Each wrong beginning of an object costs a pass over the text, so not every brace is tried.
_MOST_TRIES = 20

_NAMED_LINE = re.compile(
    r"^[ \t*_#>`-]*(?:final )?(?:ranking|best)[ \t*_`]*:[ \t]*\n?(.*)$", re.IGNORECASE | re.MULTILINE
)
_FILLER = re.compile(r"references?|answers?|numbers?|no\.|[\s*_`#\[\]()]|\.(?!\d)", re.IGNORECASE)
_ORDER = re.compile(r"\d{1,4}(?:[>,;]+\d{1,4})*")

_CLOSING = re.compile(r"(?:^|\n)[ \t*_#>`-]*(confidence|in short)[ \t*_`]*:([^\n]*)\Z", re.IGNORECASE)
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d+)?)[ \t]*%?\.?")
_LONGEST_CLOSING_LINE = 300
# More points than a person goes through, and longer ones than a line of a list can be.
MOST_POINTS = 30
LONGEST_POINT = 300
_POINT = re.compile(r"[ \t]*(?:[-*+]|\d{1,3}[.)])[ \t]+\[([ xX])\][ \t]+(.*)")

JUDGEMENT_KEYS = (
    "consensus",
    "contradictions",
    "partial_coverage",
    "unique_insights",
    "blind_spots",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Selection:
    """What a moderator decided: the numbers to keep, and whether what is there is enough to answer."""

    keep: tuple[int, ...]
    enough: bool


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a checklist: a line of text, and whether its box is ticked."""

    text: str
    ticked: bool


def parse_ranking(reply: str, count: int) -> list[int] | None:
    """The reference numbers of a reply, best first, each from 1 to `count`; None where it is unreadable.

    The last line of the form asked for counts, or the whole reply where it is nothing else. A number that
    stands twice or names no reference makes the reply unreadable.
    """
    lines = [match[1] for match in _NAMED_LINE.finditer(reply[-_LONGEST:])]
    wanted = lines[-1] if lines else reply
    if len(wanted) > 1_000:
        return None
    bare = " ".join(_FILLER.sub(" ", wanted).split())
    bare = re.sub(r"(?<=\d) (?=\d)", ",", bare).replace(" ", "").strip(",;>")
    if _ORDER.fullmatch(bare) is None:
        return None
    return _valid([int(number) for number in re.findall(r"\d+", bare)], count)


def parse_judgement(reply: str) -> dict[str, list[str]] | None:
    """A judge's findings by key, each a list of texts; None where the reply holds no such JSON object."""
    found = None
    for table in _json_objects(reply):
        findings = {key: texts for key in JUDGEMENT_KEYS if (texts := _texts(table.get(key))) is not None}
        found = findings or found
    return found


def parse_selection(reply: str, count: int, most: int | None = None) -> Selection | None:
    """A moderator's decision; None where the reply holds no such JSON object or names unknown references.

    Where more than `most` are kept, the first of them count.
    """
    found = None
    for table in _json_objects(reply):
        keep, enough = table.get("keep"), table.get("enough", False)
        if not isinstance(keep, list) or not all(type(number) is int for number in keep):
            continue
        if isinstance(enough, bool) and (numbers := _valid(keep, count)):
            found = Selection(tuple(numbers[:most]), enough)
    return found


@dataclass(frozen=True, slots=True)
class Closing:
    """A reply parted into its answer and the lines that were asked for behind it, None where they are not.

    `confidence` is from 0 to 1.
    """

    answer: str
    short: str | None = None
    confidence: float | None = None


def parse_closing(reply: str, wanted: Collection[ClosingLine]) -> Closing:
    """The answer without those of the `wanted` lines that stand at its very end and can be read."""
    closing = Closing(reply)
    for _ in wanted:
        text = closing.answer.rstrip()
        line = _CLOSING.search(text, max(0, len(text) - _LONGEST_CLOSING_LINE))
        # An answer of nothing but such lines is one that forgot the rest: it stays as it is.
        if line is None or not (answer := text[: line.start()].rstrip()):
            break
        value = line[2].strip(" \t*_`")
        percent = _PERCENT.fullmatch(value)
        kind = line[1].lower()
        if kind == "in short" and kind in wanted and closing.short is None and value:
            closing = replace(closing, answer=answer, short=value)
        elif kind == "confidence" and kind in wanted and percent is not None and float(percent[1]) <= 100:
            closing = replace(closing, answer=answer, confidence=float(percent[1]) / 100)
        else:
            break
    return closing


def parse_points(reply: str) -> tuple[Point, ...] | None:
    """The points of a Markdown task list, each once; None where the reply holds none.

    Of more than MOST_POINTS the first count, and a longer text than LONGEST_POINT is cut.
    """
    found: dict[str, Point] = {}
    for line in reply[:_LONGEST].splitlines():
        if len(found) == MOST_POINTS:
            break
        if (match := _POINT.match(line)) is not None and (text := _plain_line(match[2])):
            found.setdefault(text.casefold(), Point(text, match[1] != " "))
    return tuple(found.values()) or None


def _plain_line(text: str) -> str:
    """`text` on one line, as short as a point may be, without what a terminal might act on."""
    # The joiners are part of words in some scripts, and of emoji.
    printable = "".join(
        character if character.isprintable() or character in "\u200c\u200d" else " " for character in text
    )
    line = " ".join(printable.split())
    return line if len(line) <= LONGEST_POINT else line[: LONGEST_POINT - 1].rstrip() + "…"


def _valid(numbers: list[int], count: int) -> list[int] | None:
    distinct = len(set(numbers)) == len(numbers) > 0
    return numbers if distinct and all(1 <= number <= count for number in numbers) else None


def _json_objects(reply: str) -> list[dict[str, Any]]:
    """The JSON objects that stand in `reply`, in order, whatever stands around them."""
    text = reply if len(reply) <= 2 * _LONGEST else f"{reply[:_LONGEST]}\n{reply[-_LONGEST:]}"
    decoder = json.JSONDecoder()
    found: list[dict[str, Any]] = []
    at = text.find("{")
    for _ in range(_MOST_TRIES):
        if at < 0:
            break
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            found.append(value)
        at = text.find("{", end)
    return found


def _texts(value: object) -> list[str] | None:
    if isinstance(value, str):
        return [value] if value.strip() else []
    if not isinstance(value, list):
        return None
    return [one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in value]
