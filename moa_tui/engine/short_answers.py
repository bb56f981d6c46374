"""Short answers: what a text gives as its answer in a few words, and whether two such answers say the same.

Two answers are the same where only their spelling differs. What counts as spelling is written down here, in
the tables of words and units, and shown by the pairs in tests/engine/answer_pairs.py. Nothing is guessed: a
synonym, a translation or a rounded number is another answer, and so is a list that has the other one's word.
In doubt two answers are different, since a false majority is worse than none. Pure functions, linear in the
length of what they read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from moa_tui.engine.answer_values import date_of, quantity_of, same_quantity, time_of
from moa_tui.engine.answer_words import (
    COUNTRIES,
    FILLERS,
    KINDS,
    MONTHS,
    NEGATIONS,
    NO,
    OTHER_NAMES,
    YES,
)
from moa_tui.engine.plain_spelling import LISTED, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHORT_WORDS, _SHORT_CHARACTERS = 6, 60
# A text up to this length may be an answer in a few words with a farewell behind it.
_SHORT_TEXT = 240
# The end of a text in which its answer is searched for, and the last lines of it.
_END_CHARACTERS, _END_LINES = 2_000, 4
_LONGEST_BOX = 200

# "Answer" and "final answer" in the languages that models answer in most, and what a judge gives.
_LABEL = (
    r"(?:answer|verdict|rating|antwort|lösung|ergebnis|réponse|reponse|respuesta|resposta|risposta|antwoord|"
    r"svar|vastaus|odpowiedź|odpověď|ответ|відповідь|απάντηση|cevap|yanıt|jawaban|đáp án|trả lời|"
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
    r"^(?:(?:so|thus|therefore|hence|well|okay|ok|sure|the|an?(?= (?!(?:is|and|or)\b|[&+=/]))|"
    r"it is|it's|it was|they are|that is|that's|"
    r"this is|(?:final |correct |right |best )*(?:answer|option|choice|result)(?: (?:is|would be)|(?=:))|"
    r"es ist|es|c'est)[\s,:$]+)+"
)
# A sentence such as "the capital of France is Paris"; what is denied is no answer.
_SENTENCE = re.compile(r"[^,;:()]{1,80}? (?:is|was|are|were) (?!not\b|no\b|never\b)([^,;:]{1,40})")
# The choice that a sentence is about, and the beginning of a name or number behind a verb.
_SUBJECT = re.compile(
    r"(.{1,40}?) (?:is|would be) (?:the )?(?:correct|right|best|true)(?: (?:answer|option|choice|one))?"
)
_VERB = re.compile(r"\b(?:is|was|are|were)\b")
_NAMED = re.compile(r"\b(?:is|was|are|were)\W+(?:(?:the|an?)\W+)?(?![a-zß-ÿ])\w")
_ASIDE = re.compile(
    r"(?P<name>[^,;()]+?)(?:(?: |(?<=[^\x00-\x7f]))\((?P<inner>[^()]+)\)?|(?:,| [-–—]) ?(?P<tail>[^;()]+))"
)
_REASON = re.compile(r"(?:not|because|since|as|which|who|where|weil|denn|da|da[sß]|nicht|pas|car|porque)\b")
_JOINED = re.compile(r"(?:and|or|und|oder|et|ou|y|o|e|plus|with)\b|[&+/,]")
_VARIABLE = re.compile(r"[a-z]\w? ?[=∈] ?(?=\S)")
_BRACKETED = re.compile(r"[(\[{]([^()\[\]{}]*)[)\]}]")
_POLAR = re.compile(r"([^\W\d_]+)(?=[\s]*(?:[,.;:!。，！、—–-]|$))(?!\s*\.?\s*\d)")
# The letter of one choice; "A and C" is none.
_MORE = r"(?!\W*(?:and|or|und|oder|[&/+]|[a-j]\b))"
_CHOICE = re.compile(
    rf"(?:option|choice|answer|antwort)[\s:]+\(?([a-j])\)?(?![\w'])(?:{_MORE}[\s,.:)-]+.*)?$|"
    rf"\(?([a-j])(?:[).:\]]|\)\.?)(?:{_MORE}[\s,]+.*)?$|([a-j])$"
)
# Marks that change what is said.
_SYMBOLS = re.compile(
    r"[<>≤≥≠~≈±=#&^∞|!/∪∩]|[+-]\w{1,4}\)|\+|(?<![a-z][a-z])-(?=\d|[a-z](?![a-z]))|(?<=[a-z])'(?=\()|_(?!\d)"
)
_TERM = re.compile(r"-?\d+(?:[./:^]\d+)*|[^\W\d_]+(?:'[^\W\d_]+)?")
_PLACE_SUFFIXES = "市省县縣都府"


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
    if (subject := _SUBJECT.fullmatch(form)) is not None:
        form = subject[1]
    elif _NAMED.search(answer):
        form = _complement(form) or form
    if form in ("", "answer", "final answer") or _is_long(form):
        polar = _polar(form) if len(text) <= _SHORT_TEXT else None
        return polar or (_choice(form) if len(text) <= _SHORT_TEXT else None)
    return form


def same_answer(answer: str, other: str) -> bool:
    """Whether two short answers, in whatever spelling, say the same.

    It holds where both are the same choice, yes or no, number with its unit, or date; else where their words
    are the same but for the kind of the thing named, or one has more behind a comma or in brackets.
    """
    first, second = _framed(answer, other)
    if not first or not second:
        return False
    decided = _by_value(first, second)
    if decided is not None:
        return decided
    is_of_words = not any(_polar(form) or _choice(form) for form in (first, second))
    return first == second or (is_of_words and _same_words(first, second))


def are_opposed(answer: str, other: str) -> bool:
    """Whether two short answers are both a choice, a number or the like, and another one each.

    Two answers that neither are opposed nor say the same may be one in other words.
    """
    return _by_value(*_framed(answer, other)) is False


def _framed(answer: str, other: str) -> tuple[str, str]:
    """The forms of two answers, each without what the other lacks around it."""
    first, second = _form(answer), _form(other)
    brackets, other_brackets = LISTED.findall(first), LISTED.findall(second)
    if brackets and other_brackets and brackets != other_brackets:
        return first, second
    return _without_frame(first, second), _without_frame(second, first)


def _by_value(form: str, other: str) -> bool | None:
    """Whether two answers of the same kind have the same value; None where they are of no such kind."""
    brackets, other_brackets = LISTED.findall(form), LISTED.findall(other)
    if brackets and other_brackets and brackets != other_brackets:
        return False
    for read in (_polar, date_of, time_of, _choice):
        value, other_value = read(form), read(other)
        if value is not None and other_value is not None:
            return _agree(value, other_value)
    quantity, other_quantity = quantity_of(form), quantity_of(other)
    if quantity is None or other_quantity is None:
        return None
    return same_quantity(quantity, other_quantity)


def _without_frame(form: str, other: str) -> str:
    """`form` without what the other lacks: its variable, the beginning of a sentence, outer brackets."""
    variable = _VARIABLE.match(form)
    if variable is not None and _VARIABLE.match(other) is None:
        form = form[variable.end() :]
    complement = _complement(form)
    if complement is not None and _complement(other) is None:
        form = complement
    if (inner := _BRACKETED.fullmatch(form)) is not None:
        form = inner[1].strip()
    return OTHER_NAMES.get(form, form)


def _complement(form: str) -> str | None:
    """The end of a sentence such as "the capital of France is Paris"; None where the answer is none."""
    sentence = _SENTENCE.fullmatch(form)
    if (
        sentence is None
        or len(_VERB.findall(form)) > 1
        or _polar(form) is not None
        or not NEGATIONS.isdisjoint(form.split())
    ):
        return None
    return _LEADING.sub("", sentence[1])


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
    return next(filter(None, match.groups()), None) if match else None


def _same_words(form: str, other: str) -> bool:
    """Whether the words of two answers are the same, but for what is no part of the answer itself."""
    signs, other_signs = (sorted(_SYMBOLS.findall(each.replace(" ", ""))) for each in (form, other))
    if signs != other_signs:
        return False
    if _bare_place(form) == other or form == _bare_place(other):
        return True
    return (
        _equal_terms(form, other)
        or any(_equal_terms(part, other) for part in _without_aside(form))
        or any(_equal_terms(form, part) for part in _without_aside(other))
    )


def _without_aside(form: str) -> list[str]:
    """What the answer is where what stands behind its name only explains it, or is another name for it."""
    match = _ASIDE.fullmatch(form)
    if match is None or match["name"] in COUNTRIES:
        return []
    name, inner, tail = match["name"], match["inner"], match["tail"]
    if inner is not None:
        return [] if _JOINED.match(inner) else [name] if inner in COUNTRIES else [name, inner]
    return [name] if tail in COUNTRIES or _REASON.match(tail) else []


def _bare_place(form: str) -> str:
    return form[:-1] if len(form) > 2 and form[-1] in _PLACE_SUFFIXES else form


def _equal_terms(form: str, other: str) -> bool:
    terms, others = _terms(form), _terms(other)
    if not terms or not others:
        return False
    if sum(term in NEGATIONS for term in terms) % 2 != sum(term in NEGATIONS for term in others) % 2:
        return False
    if not MONTHS.keys().isdisjoint(terms):
        terms, others = sorted(terms), sorted(others)  # The order counts, but in a date with its time.
    names, other_names = ([term for term in each if term not in KINDS] for each in (terms, others))
    return terms in (others, other_names) or names == others


def _terms(form: str) -> Sequence[str]:
    """The words and numbers of an answer in their order, with numbers in one spelling."""
    terms = [
        re.sub(r"(?<=\d)[.:]0+$", "", term) for term in _TERM.findall(re.sub(r"(?<=\w) - (?=\d)", "-", form))
    ]
    if all(len(term) == 1 or term in FILLERS for term in terms):
        return [term for term in terms if len(term) == 1] or terms  # Letters of choices, among them "a".
    return [term for term in terms if term not in FILLERS] or terms
