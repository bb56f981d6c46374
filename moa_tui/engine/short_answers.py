"""Short answers: what a text gives as its answer in a few words, and whether two such answers say the same.

Two answers are the same where only their spelling differs. What counts as spelling is written down here, in
the tables of words and units, and shown by `SAME` and `DIFFERENT`, which the tests go through. Nothing is
looked up or guessed: a synonym, a translation or a rounded number is another answer. Pure functions, linear
in the length of what they read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from moa_tui.engine.answer_words import (
    FILLERS,
    KINDS,
    MONTHS,
    NEGATIONS,
    NO,
    NUMBER_WORDS,
    UNIT_WORDS,
    UNITS,
    YES,
)
from moa_tui.engine.plain_spelling import EDGES, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

SAME: tuple[tuple[str, ...], ...] = (
    # Case, emphasis, articles, full stops, lead-ins.
    ("Paris", "paris.", "**Paris**", "The answer is Paris.", "Answer: Paris", "It is Paris", "`Paris`"),
    ("Paris", "The capital of France is Paris.", "Réponse : **Paris**", "<answer>Paris</answer>"),
    ("東京", "回答：東京です。", "答案：東京"),
    ("USA", "U.S.A."),
    ("Yes", "yes.", "**Yes**", "Yes, it is.", "Answer: yes"),
    ("No", "No.", "No, that is not so", "**no**"),
    # The letter of a choice.
    ("B", "(B)", "B)", "b.", "option B", "Option B, forward", "B) forward", "**B**", "Answer: (B)"),
    # The kind of a thing beside its name, and what stands behind a comma or in brackets.
    ("Everest", "Mount Everest", "Mt. Everest"),
    ("Victoria", "Lake Victoria"),
    ("Einstein", "Dr. Einstein"),
    ("Paris", "Paris, France", "Paris (France)"),
    ("北京", "北京市", "北京。"),
    ("東京", "東京都"),
    # Numbers.
    ("1000", "1,000", "1 000", "1000.0", "1e3", "10^3", "1 \\times 10^{3}", "１０００", "one thousand"),
    ("12", "twelve", "12.", "+12", "١٢", "x = 12", "#### 12"),
    ("21", "twenty-one", "Twenty one"),
    ("1234.5", "1,234.50", "1.234,50"),
    ("1,500,000", "1.5 million", "1.5e6"),
    ("-3", "−3", "minus 3", "$-3$"),
    ("3/4", "0.75", "¾", "\\frac{3}{4}", "\\boxed{\\frac{3}{4}}", "$\\dfrac34$", "75 %"),
    ("1 3/4", "1.75", "1¾"),
    ("0.5", "50 %", "50%", "50 percent", "1/2", ".5", "0,5"),
    ("\\sqrt{2}", "√2", "sqrt(2)"),
    ("2\\pi", "2π", "2 pi"),
    # Units.
    ("12 km", "12 kilometers", "12 kilometres", "12km", "12", "12,000 m", "12 公里"),
    ("30 °C", "30 degrees Celsius", "30^\\circ C"),
    ("$5", "5 dollars", "5 USD", "US$5", "\\$5.00"),
    ("90 km/h", "90 kilometers per hour", "90 kph"),
    ("3 apples", "3"),
    # Dates and times.
    ("3:30 PM", "15:30", "3.30 pm"),
    ("15 July 2024", "July 15, 2024", "2024-07-15", "15th of July, 2024", "15.07.2024", "15 July"),
    ("3:00 pm", "3 p.m.", "3 PM"),
    # Unicode and accents.
    ("Zürich", "Zurich", "Zu\u0308rich"),
    ("[1, 2]", "[1,2]", "1, 2"),
)
"""Each line is spellings of one answer: the first one is the same as each of the others."""

DIFFERENT: tuple[tuple[str, ...], ...] = (
    ("Everest", "K2"),
    ("12 km", "12 miles", "12 m", "13 km"),
    ("5", "5.1", "6", "50", "-5"),
    ("guilty", "not guilty"),
    ("Yes", "No", "Not sure"),
    ("-3", "3"),
    ("1/2", "1/3", "2"),
    ("York", "New York"),
    ("Mexico", "Mexico City", "New Mexico"),
    ("North Korea", "South Korea"),
    ("World War I", "World War II"),
    ("A", "B", "a dog"),
    ("Lake Victoria", "Mount Victoria"),
    ("15 July 2024", "16 July 2024", "15 July 2023", "15 June 2024"),
    ("3 pm", "3 am"),
    ("吉林省", "吉林市"),
    ("Springfield, Ohio", "Springfield, Illinois"),
    ("1/3", "0.33"),
    ("$5", "€5"),
    ("possible", "impossible"),
    ("2^3", "23"),
    ("[1, 2]", "[2, 1]"),
    ("can", "cannot"),
    ("12", "12 or 13"),
    ("0.5", "50"),
    ("10 cm^2", "10 cm"),
    ("x > 5", "x < 5", "5"),
    ("x = 5", "y = 5"),
    ("5", "~5", "≥5", "5 to 7", "5-7", "5x"),
    ("C", "C++", "Vitamin C"),
    ("20 °C", "20 °F"),
    ("5 m", "5 min", "5 mi"),
    ("Niger", "Nigeria"),
    ("Charles I", "Charles II"),
    ("A and B", "A"),
)
"""In each line the first answer is another than each of the others."""

_SHORT_WORDS, _SHORT_CHARACTERS = 6, 60
# A text up to this length may be an answer in a few words with a farewell behind it.
_SHORT_TEXT = 240
# The end of a text in which its answer is searched for, and the last lines of it.
_END_CHARACTERS, _END_LINES = 2_000, 4
_LONGEST_BOX = 200

# "Answer" and "final answer" in the languages that models answer in most.
_LABEL = (
    r"(?:answer|antwort|lösung|ergebnis|réponse|reponse|respuesta|resposta|risposta|antwoord|svar|vastaus|"
    r"odpowiedź|odpověď|ответ|відповідь|απάντηση|cevap|yanıt|jawaban|đáp án|trả lời|"
    r"答案|回答|答え|解答|정답|답|الإجابة|الجواب|תשובה|उत्तर|जवाब|คำตอบ|উত্তর|பதில்)"
)
_STATED = re.compile(
    rf"{_LABEL}[\s*_\"]*(?:(?:\b(?:is|ist|est|es|è|é)\b|是|为|は)[\s*_]*[:：]?|[:：=])[\s:*_]*([^\n]{{1,160}})$",
    re.IGNORECASE,
)
_LABEL_ALONE = re.compile(rf"[\s*_#>]*(?:the |final |short )*{_LABEL}[\s*_]*[:：]?[\s*_]*", re.IGNORECASE)
_FAREWELL = re.compile(
    r"(?:i )?hope (?:this|that|it)|let me know|feel free|happy to|glad to|is there anything|"
    r"any (?:other|more|further)|do you (?:want|need)|would you like|good luck|have a |cheers|"
    r"you're welcome|thank|if you (?:have|need|want)|ich hoffe|viel (?:glück|erfolg|spaß)|wenn du|falls|"
    r"gerne|j'espère|n'hésite|bonne|espero|si (?:tienes|necesitas)|no dudes|spero|fammi sapere|"
    r"se (?:hai|precisar)|надеюсь|удачи|если|希望|如果|祝|還有|还有|お役に|ご質問|도움",
    re.IGNORECASE,
)
_LEADING = re.compile(
    r"^(?:(?:so|thus|therefore|hence|well|okay|ok|sure|the|an?|it is|it's|it was|they are|that is|that's|"
    r"this is|(?:final |correct |right |best )*(?:answer|option|choice|result) (?:is|would be)|es ist|es|"
    r"c'est)[\s,:$]+)+"
)
# A sentence such as "the capital of France is Paris"; what is denied is no answer.
_SENTENCE = re.compile(r"[^,;:()]{1,80}? (?:is|was|are|were) (?!not\b|no\b|never\b)([^,;:]{1,40})")
_VARIABLE = re.compile(r"[a-z]\w? ?= ?(?=\S)")
_POLAR = re.compile(r"([^\W\d_]+)(?=[\s]*(?:[,.;:!。，！、—–-]|$))(?!\s*\.?\s*\d)")
_CHOICE = re.compile(
    r"(?:option|choice|answer|antwort)\s+\(?([a-j])\)?(?![\w'])(?:[\s,.:)-]+(.*))?$|\(?([a-j])(?:[).:\]]|\)\.?)(?:\s+(.*))?$|([a-j])$"
)
# Words and marks that stand in no unit.
_NO_UNIT = NEGATIONS | {"or", "and", "to", "through", "am", "pm", *",(:-<>≤≥≠~≈±=!#"}
# Marks that change what is said.
_SYMBOLS = re.compile(r"[<>≤≥≠~≈±=#+&^_∞]")
_TERM = re.compile(r"-?\d+(?:[./:^]\d+)*|[^\W\d_]+(?:'[^\W\d_]+)?")
_PLACE_SUFFIXES = "市省县縣都府"
_NUMBER = r"[+-]?(?:\d+ \d+/\d+|\d+/\d+|\d+(?:\.\d+)?|\.\d+)"
_QUANTITY = re.compile(
    rf"(?P<before>[^\w\s.+-]|us\$|usd|eur)?\s*(?P<number>{_NUMBER})"
    rf"(?:(?:e|\s*\*\s*10\^)(?P<power>[+-]?\d{{1,3}})|\^(?P<exponent>\d{{1,2}}))?\s*(?P<unit>\D.*)?"
)


@dataclass(frozen=True, slots=True)
class _Quantity:
    """A number in the unit that `dimension` names; None where no unit stands with it."""

    value: Fraction
    dimension: str | None


def short_form(text: str) -> str | None:
    """The answer that `text` gives, in plain spelling; None where that is more than a few words.

    A box of LaTeX counts before a line such as "Answer: 42", and that before the text itself. A farewell
    behind the answer is left out.
    """
    end = text[-_END_CHARACTERS:]
    answer = _boxed(end) or _stated(end)
    if answer is None:
        if len(text) > _SHORT_TEXT:
            return None
        answer = _without_farewell(text)
    form = _LEADING.sub("", plain(answer)).strip()
    if (complement := _SENTENCE.fullmatch(form)) is not None and _polar(form) is None:
        form = _LEADING.sub("", complement[1])
    if form in ("", "answer", "final answer") or _is_long(form):
        polar = _polar(form) if len(text) <= _SHORT_TEXT else None
        return polar or (_choice(form) if len(text) <= _SHORT_TEXT else None)
    return form


def same_answer(answer: str, other: str) -> bool:
    """Whether two short answers, in whatever spelling, say the same.

    It holds where both are the same choice, yes or no, number with its unit, or date; else where their words
    are the same but for the kind of the thing named, or one has more behind a comma or in brackets.
    """
    forms = [_form(each) for each in (answer, other)]
    if not all(forms):
        return False
    if forms[0] == forms[1]:
        return True
    variables = [_VARIABLE.match(form) for form in forms]
    if bool(variables[0]) != bool(variables[1]):
        forms = [form[match.end() :] if match else form for form, match in zip(forms, variables, strict=True)]
    first, second = forms
    if first == second:
        return True
    for read in (_polar, _date, _time):
        values = (read(first), read(second))
        if values[0] is not None and values[1] is not None:
            return _agree(values[0], values[1])
        if read is _polar and (values[0] or values[1]):
            return False
    choices = _choice(first), _choice(second)
    if choices[0] and choices[1]:
        return choices[0] == choices[1]
    if choices[0] or choices[1]:
        return False
    quantities = _quantity(first), _quantity(second)
    if quantities[0] is not None and quantities[1] is not None:
        return _same_quantity(quantities[0], quantities[1])
    return _same_words(first, second)


def _is_long(form: str) -> bool:
    return len(form) > _SHORT_CHARACTERS or len(form.split()) > _SHORT_WORDS


def _form(answer: str) -> str:
    form = short_form(answer)
    return _LEADING.sub("", plain(answer))[: 4 * _SHORT_CHARACTERS] if form is None else form


def _agree(value: object, other: object) -> bool:
    if isinstance(value, tuple) and isinstance(other, tuple):
        return all(a is None or b is None or a == b for a, b in zip(value, other, strict=True))
    return value == other


# Where the answer stands


def _boxed(text: str) -> str | None:
    """What is in the last box of LaTeX, whose braces may be nested; None where none is short enough."""
    start = max(text.rfind("\\boxed{"), text.rfind("\\fbox{"))
    if start < 0:
        return None
    begin = text.index("{", start) + 1
    depth = 1
    for place in range(begin, min(len(text), begin + _LONGEST_BOX)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return text[begin:place].strip() or None
    return None


def _stated(text: str) -> str | None:
    """The answer of the last line that states one, where only a farewell comes behind it."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()][-_END_LINES:]
    for place in reversed(range(len(lines))):
        if place and _LABEL_ALONE.fullmatch(lines[place - 1]):
            return _without_farewell(lines[place])
        if (stated := _STATED.search(lines[place].strip(" *_`."))) is not None:
            return _without_farewell(stated[1])
        if any(map(str.isdigit, lines[place])) or not (place == 0 or _FAREWELL.search(lines[place])):
            return None
    return None


def _without_farewell(text: str) -> str:
    """`text` without the sentences at its end that only say good-bye."""
    sentences = re.split(r"(?<=[.!?。！？])\s+|\n+|(?<=[。！？])", text.strip())
    for place in range(1, len(sentences)):
        if _FAREWELL.match(sentences[place].lstrip(" *_")):
            return " ".join(sentences[:place])
    return text


# What an answer is


def _polar(form: str) -> str | None:
    """Yes or no, as "yes" or "no", where the answer is one of them, alone or with more behind it."""
    match = _POLAR.match(form)
    word = match[1] if match is not None else ""
    return "yes" if word in YES else "no" if word in NO else None


def _choice(form: str) -> str | None:
    """The letter of a choice such as (B), "option B" or "B) forward"."""
    match = _CHOICE.match(form)
    return next((letter for letter in (match[1], match[3], match[5]) if letter), None) if match else None


def _date(form: str) -> tuple[int | None, int, int] | None:
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


def _time(form: str) -> tuple[int, int, str | None] | None:
    """Hour, minute and half of the day where the answer is a time; the half is None where it is not said."""
    match = re.fullmatch(r"(\d{1,2})(?:[:.](\d{2}))?(?::\d{2})? ?(am|pm)?", form)
    if match is None or not (match[3] or (match[2] and ":" in form)):
        return None
    hour = int(match[1])
    half = match[3] or (None if 1 <= hour <= 12 else "pm" if hour > 12 else "am")
    return hour % 12, int(match[2] or 0), half


def _quantity(form: str) -> _Quantity | None:
    """The number with its unit that an answer is; None where it is something else."""
    words = re.split("[ -]", form)
    if words[0] in NUMBER_WORDS:
        value = Fraction(NUMBER_WORDS[words[0]])
        rest = words[1:]
        if rest and value >= 20 and NUMBER_WORDS.get(rest[0], 10) < 10:
            value += NUMBER_WORDS[rest.pop(0)]
        while rest and rest[0] in ("hundred", "thousand", "million", "billion"):
            value *= NUMBER_WORDS[rest.pop(0)]
        return _in_unit(value, " ".join(rest))
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


def _in_unit(value: Fraction, unit: str) -> _Quantity | None:
    """`value` in the unit that is written behind it; None where that is more than a unit."""
    if not unit:
        return _Quantity(value, None)
    words = [UNIT_WORDS.get(word, word) for word in re.findall(r"[^\W\d_]+|\d+|[^\w\s]", unit)]
    name = "".join(words)
    if name in UNITS:
        dimension, factor = UNITS[name]
        return _Quantity(value * factor, dimension)
    if name in ("thousand", "million", "billion"):
        return _Quantity(value * NUMBER_WORDS[name], None)
    if len(words) > 4 or (len(name) == 1 and name.isalpha()) or any(word in _NO_UNIT for word in words):
        return None
    return _Quantity(value, name.rstrip("s") if len(name) > 2 else name)


def _same_quantity(quantity: _Quantity, other: _Quantity) -> bool:
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


def _same_words(form: str, other: str) -> bool:
    """Whether the words of two answers are the same, but for what is no part of the answer itself."""
    if sorted(_SYMBOLS.findall(form)) != sorted(_SYMBOLS.findall(other)):
        return False
    if _bare_place(form) == other or form == _bare_place(other):
        return True
    for long, short in ((form, other), (other, form)):
        head = re.split(r"[,;(（]|\s[-–—]\s", long, maxsplit=1)[0].strip(EDGES)
        inner = re.search(r"\(([^()]+)", long)
        if head != long and short and not re.search(r"[,;(（]", short) and _equal_terms(head, short):
            return True
        if inner is not None and _equal_terms(inner[1], short):
            return True
    return _equal_terms(form, other)


def _bare_place(form: str) -> str:
    return form[:-1] if len(form) > 2 and form[-1] in _PLACE_SUFFIXES else form


def _equal_terms(form: str, other: str) -> bool:
    terms, others = _terms(form), _terms(other)
    if not terms or not others:
        return False
    if sum(term in NEGATIONS for term in terms) % 2 != sum(term in NEGATIONS for term in others) % 2:
        return False
    if terms == others:
        return True
    shorter, longer = sorted((terms, others), key=len)
    rest = list(longer)
    for term in shorter:
        if term not in rest:
            return False
        rest.remove(term)
    is_listing = all(term[-1].isdigit() for term in terms)
    return not is_listing and all(term in KINDS for term in rest)


def _terms(form: str) -> Sequence[str]:
    """The words and numbers of an answer in their order, with numbers in one spelling."""
    terms = [re.sub(r"(?<=\d)[.:]0+$", "", term) for term in _TERM.findall(form)]
    return [term for term in terms if term not in FILLERS] or terms
