"""Parsers for the replies of rankers, judges, moderators and checklist agents. Pure.

They are strict, and return None for any other form: a reply may come from a model that was misled by what it
read, so nothing in it is guessed.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Collection

ClosingLine = Literal["in short", "confidence"]

# The expected forms are short; a longer reply is searched at its beginning and its end only.
_SEARCHED_CHARACTERS = 50_000
# Each brace that does not begin an object costs a pass over the text, so not every brace is tried.
_MOST_TRIES = 20

_NAMED_LINE = re.compile(
    r"^[ \t*_#>`-]*(?:final )?(?:ranking|best)[ \t*_`]*:[ \t]*\n?(.*)$", re.IGNORECASE | re.MULTILINE
)
_FILLER = re.compile(r"references?|answers?|numbers?|no\.|[\s*_`#\[\]()]|\.(?!\d)", re.IGNORECASE)
_LAST_NUMBER = re.compile(r"\d{1,9}\s{0,9}\Z")
_ORDER = re.compile(r"\d{1,4}(?:[>,;]+\d{1,4})*")

_CLOSING = re.compile(r"(?:^|\n)[ \t*_#>`-]*(confidence|in short)[ \t*_`]*:([^\n]*)\Z", re.IGNORECASE)
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d+)?)[ \t]*%?\.?")
_LONGEST_CLOSING_LINE = 300
# No user goes through more points, and a line of a list holds no longer ones.
MOST_POINTS = 30
LONGEST_POINT = 600
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
    """The decision of a moderator."""

    keep: tuple[int, ...]
    """The numbers of the references to keep, best first."""
    enough: bool
    """True where the final answer can be written from them, so that no other round is needed."""


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a checklist: a line of text, and True in `ticked` where its box is ticked."""

    text: str
    ticked: bool


def parse_ranking(reply: str, count: int, *, is_cut: bool = False) -> list[int] | None:
    """The reference numbers of a reply, best first, each from 1 to `count`; None where it is unreadable.

    The last line of the requested form counts, or the whole reply where it is nothing but a ranking. A number
    that is repeated or names no reference makes the reply unreadable. Of a reply that `is_cut` a number at
    the end does not count where digits may be missing; in a whole ranking its place is the only one left.
    """
    if is_cut and count > 9:
        reply = _LAST_NUMBER.sub("", reply[-_SEARCHED_CHARACTERS:])
    lines = [match[1] for match in _NAMED_LINE.finditer(reply[-_SEARCHED_CHARACTERS:])]
    ranking = lines[-1] if lines else reply
    if len(ranking) > 1_000:
        return None
    bare = " ".join(_FILLER.sub(" ", ranking).split())
    bare = re.sub(r"(?<=\d) (?=\d)", ",", bare).replace(" ", "").strip(",;>")
    if _ORDER.fullmatch(bare) is None:
        return None
    return _valid([int(number) for number in re.findall(r"\d+", bare)], count)


def parse_judgement(reply: str) -> dict[str, list[str]] | None:
    """A judge's findings by key, each a list of texts; None where the reply holds no such JSON object.

    Of several such objects the last one counts.
    """
    judgement = None
    for table in _json_objects(reply):
        findings = {key: texts for key in JUDGEMENT_KEYS if (texts := _texts(table.get(key))) is not None}
        judgement = findings or judgement
    return judgement


def parse_selection(reply: str, count: int, most: int | None = None) -> Selection | None:
    """A moderator's decision; None where the reply holds no such JSON object with known references.

    Of several such objects the last one counts, and of its references the first `most`.
    """
    selection = None
    for table in _json_objects(reply):
        keep, enough = table.get("keep"), table.get("enough", False)
        if not isinstance(keep, list) or not all(type(number) is int for number in keep):
            continue
        if isinstance(enough, bool) and (numbers := _valid(keep, count)):
            selection = Selection(tuple(numbers[:most]), enough)
    return selection


@dataclass(frozen=True, slots=True)
class Closing:
    """A reply divided into its answer and the values of its closing lines, None for a line that is missing.

    `short` is the answer in a few words, `confidence` is from 0 to 1.
    """

    answer: str
    short: str | None = None
    confidence: float | None = None


def parse_closing(reply: str, expected: Collection[ClosingLine]) -> Closing:
    """The answer of a reply, and the `expected` closing lines that stand at its very end and are readable."""
    closing = Closing(reply)
    for _ in expected:
        text = closing.answer.rstrip()
        line = _CLOSING.search(text, max(0, len(text) - _LONGEST_CLOSING_LINE))
        # A reply of closing lines alone has no answer to take them from, so it stays as it is.
        if line is None or not (answer := text[: line.start()].rstrip()):
            break
        value = line[2].strip(" \t*_`")
        percent = _PERCENT.fullmatch(value)
        kind = line[1].lower()
        if kind == "in short" and kind in expected and closing.short is None and value:
            closing = replace(closing, answer=answer, short=value)
        elif kind == "confidence" and kind in expected and percent is not None and float(percent[1]) <= 100:
            closing = replace(closing, answer=answer, confidence=float(percent[1]) / 100)
        else:
            break
    return closing


def parse_points(reply: str, *, is_cut: bool = False) -> tuple[Point, ...] | None:
    """The points of a Markdown task list, each once; None where the reply holds none.

    Only the first MOST_POINTS count, and a text longer than LONGEST_POINT characters is cut. The last line of
    a reply that `is_cut` may be unfinished, and does not count.
    """
    if is_cut:
        reply = reply[: reply.rfind("\n") + 1]
    points: dict[str, Point] = {}
    for line in reply[:_SEARCHED_CHARACTERS].splitlines():
        if len(points) == MOST_POINTS:
            break
        if (match := _POINT.match(line)) is not None and (text := _plain_line(match[2])):
            points.setdefault(text.casefold(), Point(text, match[1] != " "))
    return tuple(points.values()) or None


def _plain_line(text: str) -> str:
    """`text` on one line, cut to the longest point, without characters that a terminal might act on."""
    # The joiners are part of words in some scripts, and of emoji.
    printable = "".join(
        character if character.isprintable() or character in "\u200c\u200d" else " " for character in text
    )
    line = " ".join(printable.split())
    return line if len(line) <= LONGEST_POINT else line[: LONGEST_POINT - 1].rstrip() + "…"


def _valid(numbers: list[int], count: int) -> list[int] | None:
    """`numbers` where there are any and they are distinct and from 1 to `count`; else None."""
    are_distinct = len(set(numbers)) == len(numbers) > 0
    return numbers if are_distinct and all(1 <= number <= count for number in numbers) else None


def _json_objects(reply: str) -> list[dict[str, Any]]:
    """The JSON objects in `reply`, in order, whatever text is around them."""
    text = (
        reply
        if len(reply) <= 2 * _SEARCHED_CHARACTERS
        else f"{reply[:_SEARCHED_CHARACTERS]}\n{reply[-_SEARCHED_CHARACTERS:]}"
    )
    decoder = json.JSONDecoder()
    objects: list[dict[str, Any]] = []
    at = text.find("{")
    for _ in range(_MOST_TRIES):
        if at < 0:
            break
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            objects.append(value)
        at = text.find("{", end)
    return objects


def _texts(value: object) -> list[str] | None:
    """A finding as a list of texts, None where it is neither a text nor a list."""
    if isinstance(value, str):
        return [value] if value.strip() else []
    if not isinstance(value, list):
        return None
    return [item if isinstance(item, str) else json.dumps(item, ensure_ascii=False) for item in value]
