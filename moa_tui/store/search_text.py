"""Searching: how a text is indexed, how a question to the index is put, and what is shown of a hit."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

# Scripts written without spaces: each character is a word, and a word a row of them.
_UNSPACED = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    r"\uff66-\uff9f\U00020000-\U0003ffff"
)
# Emoji too; but the index takes no such character for a word, so they are spelled out for it.
_EMOJI = r"\u2600-\u27bf\U0001f000-\U0001faff"
_LETTER = rf"[^\W_{_UNSPACED}]"
_ACCENT = r"[\u0300-\u036f]"
_UNSPACED_ONE = re.compile(f"([{_UNSPACED}])")
_EMOJI_ONE = re.compile(f"[{_EMOJI}]")
_WORD = re.compile(f"[{_UNSPACED}{_EMOJI}]|{_LETTER}(?:{_LETTER}|{_ACCENT})*")
_QUOTED = re.compile(r'"([^"]*)"?|([^\s"]+)')
# So many words are looked for at most; the rest of a pasted page would not narrow it down further.
_MOST_WORDS = 50
_BEFORE = 40
_AFTER = 120


def indexed(text: str) -> str:
    """A text as the index takes it."""
    clean = text.encode("utf-8", "replace").decode()
    return _EMOJI_ONE.sub(_spelled, _UNSPACED_ONE.sub(r" \1 ", clean))


def _spelled(emoji: re.Match[str]) -> str:
    return f" u{ord(emoji[0]):x} "


class SearchQuery:
    """What is looked for: all words, and phrases in quotation marks; the last of them perhaps only begun.

    `question` is how the index is asked for it, empty where nothing is.
    """

    def __init__(self, wanted: str) -> None:
        found = [match[1] if match[1] is not None else match[2] for match in _QUOTED.finditer(wanted)]
        phrases = [words for phrase in found if (words := _WORD.findall(phrase))][:_MOST_WORDS]
        begun = not wanted.endswith(('"', " "))
        quoted = ['"{}"'.format(" ".join(indexed(" ".join(words)).split())) for words in phrases]
        self.match_expression = " AND ".join(quoted) + ("*" if begun and quoted else "")
        self._patterns = [_pattern(words) for words in phrases[:-1]]
        self._patterns += [_pattern(words, begun=begun) for words in phrases[-1:]]

    def is_in(self, text: str) -> bool:
        """Whether all of it stands in a text that is in no index."""
        folded = folded_evenly(text)
        return bool(self._patterns) and all(pattern.search(folded) for pattern in self._patterns)

    def context(self, text: str) -> tuple[str, tuple[tuple[int, int], ...]]:
        """The surroundings of the first place of something wanted, on one line, and what to mark there."""
        folded = folded_evenly(text)
        first = min((match.start() for each in self._patterns if (match := each.search(folded))), default=0)
        start = max(0, first - _BEFORE)
        if start and (space := text.find(" ", start, first)) >= 0:
            start = space + 1
        end = min(len(text), first + _AFTER)
        lead, tail = "…" if start else "", "…" if end < len(text) else ""
        shown = lead + re.sub(r"\s", " ", text[start:end]) + tail
        offset = len(lead) - start
        marks = {
            (match.start() + offset, match.end() + offset)
            for each in self._patterns
            for match in each.finditer(folded, start, end)
        }
        return shown, tuple(sorted(marks))


def _pattern(words: list[str], *, begun: bool = False) -> re.Pattern[str]:
    """Where these words stand one after another; the last may be only `begun`."""
    found = ""
    spaced_before = False
    for at, word in enumerate(words):
        spaced = re.match(_LETTER, word) is not None
        if at:
            found += r"[\W_]+" if spaced and spaced_before else r"[\W_]*"
        letters = [re.escape(one) for one in folded_evenly(word) if not unicodedata.combining(one)]
        found += letters[0]
        if spaced and not at:
            # Looked at behind the letter, since a letter is found faster than a boundary.
            found += f"(?<!{_LETTER}{letters[0]})"
        if spaced:
            found += "".join(f"{_ACCENT}*{one}" for one in letters[1:]) + f"{_ACCENT}*"
        spaced_before = spaced
    return re.compile(found if begun or not spaced_before else f"{found}(?!{_LETTER})")


def folded_evenly(text: str) -> str:
    """`text` without case and accents, of the same length."""
    return text.lower() if text.isascii() else text.translate(_Folding())


class _Folding(dict[int, str]):
    """Each character in lower case and without its marks, one for one, so that places stay places."""

    def __missing__(self, code: int) -> str:
        self[code] = _folded(code)
        return self[code]


@cache
def _folded(code: int) -> str:
    low = chr(code).lower()[0]
    parts = unicodedata.normalize("NFD", low)
    return parts[0] if all(map(unicodedata.combining, parts[1:])) else low
