"""The words of a text, in every script.

A combining mark belongs to the word it stands in (Unicode Standard, annex 29), though Python's `\\w` leaves
it out. Scripts that put no space between words are cut into characters, each with its marks.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# Longer texts are compared by their beginnings, so that the comparison of a runaway answer takes no time.
MAX_WORDS = 20_000
# A longer word is cut: it is no word but data, and putting marks in order takes the square of their number.
_LONGEST_WORD = 64

# Thai and Lao, Tibetan, Burmese, Khmer, Tai Le to Khmer symbols, Tai Tham, Balinese, kana and Han, Yi,
# Javanese and further Burmese, Tai Viet, halfwidth kana. Hangul has spaces.
_UNSPACED = (
    "\u0e00-\u0e4f\u0e80-\u0ecf\u0edc-\u0eff\u0f40-\u0fff\u1000-\u103f\u104c-\u109f\u1780-\u17df\u1950-\u19cf"
    "\u1a20-\u1a7f\u1b00-\u1b4f\u3005-\u3007\u3040-\u312f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\ua000-\ua48f\ua980-\ua9ff\uaa60-\uaadf\uf900-\ufaff\uff66-\uff9d\U00020000-\U0003ffff"
)
# Characters that are written inside a word without being part of it: soft hyphen, tatweel and the joiners.
_INSIDE = "\u00ad\u0640\u200c\u200d\u2060"
# Marks that are written or left out at will: Hebrew points and accents, Arabic vowels.
_OPTIONAL = dict.fromkeys(
    [*map(ord, _INSIDE), *range(0x0591, 0x05C8), *range(0x064B, 0x0653), *range(0x0656, 0x0660), 0x0670]
)


def words(text: str) -> list[str]:
    """The first MAX_WORDS words of `text` in one spelling; in scripts without spaces, its characters.

    Upper and lower case, composed and decomposed, full and half width are the same.
    """
    pattern = _word_ascii() if text.isascii() else _word()
    written = [match[0][:_LONGEST_WORD] for match in islice(pattern.finditer(text), MAX_WORDS)]
    spellings = {word: _spelling(word) for word in set(written)}
    return [spelling for word in written if (spelling := spellings[word])]


def is_unspaced(word: str) -> bool:
    """True for a word that is one character of a script without spaces."""
    return not word.isascii() and _unspaced().match(word) is not None


def terms(text_words: Iterable[str]) -> list[str]:
    """What texts have in common when they are about the same: words, and pairs of neighbouring characters.

    A lone character of a script without spaces says as little as a letter does elsewhere.
    """
    joined: list[str] = []
    before = ""
    is_paired = True
    for word in text_words:
        if not is_unspaced(word):
            if before and not is_paired:
                joined.append(before)
            joined.append(word)
            before, is_paired = "", True
            continue
        if before:
            joined.append(before + word)
        is_paired = bool(before)
        before = word
    if before and not is_paired:
        joined.append(before)
    return joined


def _spelling(word: str) -> str:
    """`word` in the one spelling in which words are compared; empty where nothing but marks is left of it."""
    if word.isascii():
        return word.lower()
    folded = unicodedata.normalize("NFKC", word).casefold().translate(_OPTIONAL)
    return unicodedata.normalize("NFC", folded)


@cache
def _word_ascii() -> re.Pattern[str]:
    return re.compile(r"\w+", re.ASCII)


@cache
def _unspaced() -> re.Pattern[str]:
    return re.compile(f"[{_UNSPACED}]")


@cache
def _word() -> re.Pattern[str]:
    """The pattern of a word, made when it is first needed: it takes some 20 ms to gather all marks."""
    # The two voicing marks of halfwidth kana count as letters in Unicode, yet stand behind their own.
    marks = "\uff9e\uff9f" + "".join(
        chr(code)
        for codes in (range(0x0300, 0x1E94B), range(0xE0100, 0xE01F0))
        for code in codes
        if unicodedata.category(chr(code))[0] == "M"
    )
    return re.compile(f"[{_UNSPACED}][{marks}]*+|(?:[^\\W{_UNSPACED}]++[{marks}{_INSIDE}]*+)++")
