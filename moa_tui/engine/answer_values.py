"""What a short answer is worth: a date, a time of day, or a number with its unit. Pure functions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

from moa_tui.engine.answer_words import MONTHS, NEGATIONS, NUMBER_WORDS, SCALES, UNIT_WORDS, UNITS

if TYPE_CHECKING:
    from collections.abc import Sequence

# Words and marks that stand in no unit.
_NO_UNIT = NEGATIONS | {"or", "and", "to", "through", "am", "pm", "st", "nd", "rd", "th", *",(:-<>≤≥≠~≈±=!#+"}
_NO_UNIT |= {*NUMBER_WORDS, "out", "more", "less", "fewer", "above", "below", "ago", "bc", "bce"}
_DECADE = re.compile(r"\d{3}0s")
_NUMBER = r"[+-]?(?:\d+ \d+/\d+|\d+/\d+|\d+(?:\.\d+)?|\.\d+)"
_QUANTITY = re.compile(
    rf"(?P<before>[^\w\s.+-]|us\$|usd|eur)?\s*(?P<number>{_NUMBER})"
    rf"(?:(?:e|\s*\*\s*10\^)(?P<power>[+-]?\d{{1,3}})|\^(?P<exponent>\d{{1,2}}))?\s*(?P<unit>\D.*)?"
)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number in the unit that `dimension` names; None where no unit stands with it."""

    value: Fraction
    dimension: str | None


def date_of(form: str) -> tuple[int | None, int, int] | None:
    """Year, month and day where the answer is a date; the year is None where it is not said."""
    if match := re.fullmatch(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})", form):
        return int(match[1]), int(match[2]), int(match[3])
    if match := re.fullmatch(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", form):
        return int(match[3]), int(match[2]), int(match[1])
    words = re.findall(r"\d+|[^\W\d_]+", form)
    words = [word for word in words if word not in ("st", "nd", "rd", "th", "of", "the", "on", "de", "le")]
    months = [MONTHS[word] for word in words if word in MONTHS]
    numbers = [int(word) for word in words if word.isdigit()]
    if len(months) != 1 or len(words) != len(numbers) + 1 or not 1 <= len(numbers) <= 2:
        return None
    days = [number for number in numbers if 1 <= number <= 31]
    years = [number for number in numbers if number > 31]
    return (years[0] if years else None, months[0], days[0]) if len(days) == 1 else None


def time_of(form: str) -> tuple[int, int, str | None] | None:
    """Hour, minute and half of the day where the answer is a time; the half is None where it is not said."""
    match = re.fullmatch(r"(\d{1,2})(?:[:.](\d{2}))?(?::\d{2})? ?(am|pm)?", form)
    if match is None or not (match[3] or (match[2] and ":" in form)):
        return None
    hour = int(match[1])
    half = match[3] or (None if 1 <= hour <= 12 else "pm" if hour > 12 else "am")
    return hour % 12, int(match[2] or 0), half


def quantity_of(form: str) -> Quantity | None:
    """The number with its unit that an answer is; None where it is something else."""
    words = re.split("[ -]", form)
    if words[0] in NUMBER_WORDS:
        value, rest = _number_in_words(words)
        return _in_unit(value, " ".join(rest))
    if _DECADE.fullmatch(form):
        return None
    match = _QUANTITY.fullmatch(form)
    if match is None:
        return None
    try:
        value = sum((Fraction(part) for part in match["number"].split()), Fraction(0))
    except ZeroDivisionError:
        return None
    if match["power"] is not None:
        value *= Fraction(10) ** int(match["power"])
    elif match["exponent"] is not None:
        if abs(value) > 1_000:
            return None
        value **= int(match["exponent"])
    return _in_unit(value, f"{match['before'] or ''} {match['unit'] or ''}".strip(" .,"))


def _number_in_words(words: Sequence[str]) -> tuple[Fraction, Sequence[str]]:
    """The number that English words begin with, and the words behind it."""
    total = part = 0
    for place, word in enumerate(words):
        number = NUMBER_WORDS.get(word)
        if word == "and" and part % 100 == 0 and words[place + 1 : place + 2] != []:
            number = 0 if words[place + 1] in NUMBER_WORDS else None
        if number is None:
            return Fraction(total + part), words[place:]
        if number > 100:
            total, part = total + (part if place else 1) * number, 0
        elif number == 100 and 0 < part < 100:
            part *= number
        elif place == 0 or _may_follow(number, part):
            part += number
        else:
            return Fraction(total + part), words[place:]
    return Fraction(total + part), []


def _may_follow(number: int, part: int) -> bool:
    """Whether the words of `part` may go on with `number`, as twenty with one, and a hundred with any."""
    return (part % 100 >= 20 and part % 10 == 0 and number < 10) or (part % 100 == 0 and number < 100)


def _in_unit(value: Fraction, unit: str) -> Quantity | None:
    """`value` in the unit that is written behind it; None where that is more than a unit."""
    words = [UNIT_WORDS.get(word, word) for word in re.findall(r"[^\W\d_]+|\d+|[^\w\s]", unit)]
    for scale in (word for word in words if word in SCALES):
        value *= SCALES[scale]
    words = [word for word in words if word not in SCALES]
    name = "".join(words)
    if not name:
        return Quantity(value, None)
    if name in UNITS:
        dimension, factor = UNITS[name]
        return Quantity(value * factor, dimension)
    has_number = any(word.isdigit() and before != "^" for before, word in pairwise(["", *words]))
    if len(words) > 4 or (len(name) == 1 and name.isalpha()) or has_number or not _NO_UNIT.isdisjoint(words):
        return None
    return Quantity(value, name.rstrip("s") if len(name) > 2 else name)


def same_quantity(quantity: Quantity, other: Quantity) -> bool:
    """Whether two quantities are equal; where one has no unit, its number is taken in the other's."""
    if quantity.dimension == other.dimension or "%" in (quantity.dimension, other.dimension):
        return quantity.value == other.value and {quantity.dimension, other.dimension} <= {
            quantity.dimension,
            "%",
            None,
        }
    if None not in (quantity.dimension, other.dimension):
        return False
    bare, measured = (quantity, other) if quantity.dimension is None else (other, quantity)
    factors = {factor for dimension, factor in UNITS.values() if dimension == measured.dimension} or {1}
    return any(bare.value * factor == measured.value for factor in factors)
