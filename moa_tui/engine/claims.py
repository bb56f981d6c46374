"""The numbers and negations of a text: what turns it into another claim while nearly all its words stay.

Numbers are found in every script that has decimal digits, with their minus, and as English words. Negations
are found in some forty languages; in the others two texts that differ in one alone are taken for the same, as
likeness takes them, and so are two in which numbers have changed places.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING

from moa_tui.engine.answer_words import NUMBER_WORDS
from moa_tui.engine.words import is_unspaced, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# The most characters of a text that are searched.
_SEARCHED_CHARACTERS = 200_000

# A hyphen behind a letter, a digit or another one is no minus.
_NUMBER = re.compile(r"(?:(?<![\w)\]-])[-\u2212])?\d+")
# "One" is left out, for it stands for a person or thing more often than for a number.
_NUMBER_WORDS = {word: str(number) for word, number in NUMBER_WORDS.items() if number != 1}
_CONTRACTION = re.compile(r"n['\u2019]t\b")
_CONTRACTED_WORD = re.compile(r"[a-z]{1,12}n['\u2019]t\b", re.IGNORECASE)
# Whole words, among them yes and no. "ne" is left out: Turkish "what" and Serbian "not" are one word.
_WORDS = (
    # English, German, Dutch, Danish, Norwegian, Swedish
    "yes no not never none nobody nothing neither nor without hardly true false cannot cant dont wont isnt "
    "arent wasnt werent doesnt didnt ja nein nicht nie niemals kein keine keinen keinem keiner keines nee "
    "niet nooit geen nej nei ikke aldrig aldri inte ingen intet inga "
    # French, Spanish, Portuguese, Italian, Romanian
    "oui non pas jamais aucun aucune rien sí nunca jamás tampoco ningún ninguno ninguna sim não nenhum "
    "nenhuma sì mai nessun nessuno nessuna nu niciodată "
    # Polish, Czech, Slovak, Croatian, Serbian, Finnish, Hungarian, Turkish, Indonesian, Vietnamese, Swahili
    "tak nie nigdy ano nikdy není áno nikada nije nisu kyllä ei eivät eikä igen nem soha evet hayır değil "
    "yok ya tidak bukan không chưa chẳng ndiyo hapana "
    # Russian, Ukrainian, Bulgarian, Greek, Georgian, Armenian
    "да нет не нельзя никогда ни ні так немає никак ναι όχι δεν μην δε μη κი არა არ ვერ ոչ այո "
    # Hebrew, Arabic, Persian, Urdu, without points
    "כן לא אין אינו אינה אל نعم لا ليس ليست لم لن بله نه نیست نہیں نہ "
    # Hindi, Bengali, Tamil, Korean, Amharic
    "हाँ नहीं न मत হ্যাঁ না নয় নেই নি ஆம் இல்லை அல்ல 네 아니요 아니오 아니다 안 못 አዎ አይደለም የለም"
)
# Parts of words where a script has no spaces, or the language joins its negation to the verb.
_PARTS = "不 没 沒 無 无 未 非 ない ません いいえ はい 是的 ไม่ มิใช่ ບໍ່ မဟုတ် ဘူး မရှိ មិន ពុំ គ្មាន 않 없 아닙 아닌 못하"

_AFFIRMATIONS = (
    "yes true ja oui sí sim tak ano áno kyllä igen evet ya ndiyo "
    "да так ναι κι კი այո כן نعم بله হ্যাঁ हाँ ஆம் 네 አዎ"
)
# Beside the words of negation, those that forbid.
_AVOIDING = (
    "avoid avoids avoiding refrain unlike instead vermeide vermeiden ohne statt éviter évitez évite sans "
    "evita evitar evite sin sem senza evitare избегайте избегать без unngå undvik unikaj bez kaçının تجنب"
)
_NO_NEGATION = re.compile(r"\bnot only\b|\bno matter\b|\bnot just\b|\bno doubt\b")
# A number with its decimals, and what groups the digits of a long one.
_WHOLE_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_SEPARATOR = re.compile(
    r"(?:(?<=\d)[,'\u00a0\u202f\u2009\u066c]|(?:(?<=\b\d)|(?<=\b\d\d)|(?<=\b\d{3}))[ ])(?=\d{3}(?!\d))"
)
_GROUPED_BY_POINTS = re.compile(r"[1-9]\d{0,2}(?:\.\d{3})+")


def claims(text: str) -> Counter[str]:
    """The numbers of `text` in plain digits, and its words of negation and affirmation, with their counts."""
    text = text[:_SEARCHED_CHARACTERS].casefold()
    text_words, negations = words(text), _negations()
    numbers = (number.replace("\u2212", "-") for number in _NUMBER.findall(text))
    plain = (str(int(number)) if len(number) < 19 else number for number in numbers)
    spelled = (_NUMBER_WORDS[word] for word in text_words if word in _NUMBER_WORDS)
    found = Counter([*plain, *spelled, *(word for word in text_words if word in negations)])
    found["not"] += len(_CONTRACTION.findall(text))
    if not text.isascii():
        found.update(_negation_part().findall("".join(text_words)))
    return +found


def numbers_of(text: str, text_words: Iterable[str]) -> frozenset[str]:
    """The numbers of `text`, which has these words, each once: in digits, with decimals behind a point."""
    text = text[:_SEARCHED_CHARACTERS]
    written = (_plain_number(match[0]) for match in _WHOLE_NUMBER.finditer(_SEPARATOR.sub("", text)))
    spelled = (_NUMBER_WORDS[word] for word in text_words if word in _NUMBER_WORDS)
    return frozenset([*written, *spelled])


def other_words(text: str, text_words: Sequence[str]) -> list[str]:
    """The words of `text`, which has these words, without those that only deny or affirm it."""
    bare = _CONTRACTED_WORD.sub(" ", text)
    text_words = text_words if bare == text else words(bare)
    return [word for word in text_words if word not in _particles()]


def is_negative(text: str, text_words: Sequence[str]) -> bool:
    """True where `text`, which has these words, denies or forbids something."""
    if _NO_NEGATION.search(text := text[:_SEARCHED_CHARACTERS].casefold()):
        text_words = words(text := _NO_NEGATION.sub(" ", text))
    if _CONTRACTION.search(text) or not _denials().isdisjoint(text_words):
        return True
    return not text.isascii() and _negation_part().search("".join(text_words)) is not None


def _plain_number(number: str) -> str:
    digits = "".join(str(int(digit)) if digit.isdecimal() else digit for digit in number)
    if _GROUPED_BY_POINTS.fullmatch(digits):
        return digits.replace(".", "")
    return digits.replace(",", ".").lstrip("0") or "0"


@cache
def _denials() -> frozenset[str]:
    """The words that deny or forbid."""
    return _negations() - frozenset(words(_AFFIRMATIONS)) | frozenset(words(_AVOIDING))


@cache
def _negations() -> frozenset[str]:
    """The words of negation and affirmation, in the spelling in which words are compared."""
    return frozenset(words(_WORDS))


@cache
def _particles() -> frozenset[str]:
    """The words that only deny or affirm, and what negates as one character of a script without spaces."""
    return _negations() - {"true", "false"} | {
        part for part in _PARTS.split() if len(part) == 1 and is_unspaced(part)
    }


@cache
def _negation_part() -> re.Pattern[str]:
    """Finds what negates inside longer runs of characters, in the same spelling."""
    return re.compile("|".join("".join(words(part)) for part in _PARTS.split()))
