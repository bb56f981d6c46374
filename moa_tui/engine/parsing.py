"""What rankers, judges and moderators reply, read strictly: what is not in the form asked for is None. Pure.

A reply may come from a model that was talked into mischief, so nothing in it is guessed at.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

# A form is short; a reply beyond this is searched at its beginning and its end only.
_LONGEST = 50_000
# Each wrong beginning of an object costs a pass over the text, so not every brace is tried.
_MOST_TRIES = 20

_NAMED_LINE = re.compile(
    r"^[ \t*_#>`-]*(?:final )?(?:ranking|best)[ \t*_`]*:[ \t]*\n?(.*)$", re.IGNORECASE | re.MULTILINE
)
_FILLER = re.compile(r"references?|answers?|numbers?|no\.|[\s*_`#\[\]()]|\.(?!\d)", re.IGNORECASE)
_ORDER = re.compile(r"\d{1,4}(?:[>,;]+\d{1,4})*")

_CONFIDENCE = re.compile(
    r"(?:^|\n)[ \t*_#>`-]*confidence[ \t*_`]*:[ \t*_`]*(\d{1,3}(?:\.\d+)?)[ \t]*%?[ \t*_`.]*\Z", re.IGNORECASE
)

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


def parse_confidence(reply: str) -> tuple[str, float | None]:
    """An answer without its last line, and how sure that line says it is, from 0 to 1.

    The whole reply and None where its last line is not of the form asked for, or is all there is.
    """
    text = reply.rstrip()
    line = _CONFIDENCE.search(text, max(0, len(text) - 200))
    if line is None or float(line[1]) > 100 or not (answer := text[: line.start()].rstrip()):
        return reply, None
    return answer, float(line[1]) / 100


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
