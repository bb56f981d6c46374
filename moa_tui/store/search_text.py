"""Full-text search: how a text is indexed, how a query is put to the index, what is shown of a hit. Pure."""

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
# Characters of a query, of which more would hold no more of those words.
_LONGEST_QUERY = 2_000
_BEFORE = 40
_AFTER = 120


def indexed(text: str) -> str:
    """Return a text as it is given to the index, whose tokens are words, single CJK characters and emoji.

    The index removes a text only when it is given the same again, so this must not change for texts that are
    stored.
    """
    clean = text.encode("utf-8", "replace").decode()
    return _EMOJI_ONE.sub(_spelled, _UNSPACED_ONE.sub(r" \1 ", clean))


def _spelled(emoji: re.Match[str]) -> str:
    return f" u{ord(emoji[0]):x} "


class SearchQuery:
    """A query as a person writes it: words, and phrases in quotation marks, all of which a text must hold.

    The last word may be only the beginning of one, unless a space or a quotation mark follows.
    `match_expression` is the query in the syntax of FTS5, empty where it asks for nothing.
    """

    def __init__(self, query: str) -> None:
        query = query[:_LONGEST_QUERY]
        quoted_or_not = [m[1] if m[1] is not None else m[2] for m in _QUOTED.finditer(query)]
        phrases = [words for phrase in quoted_or_not if (words := _WORD.findall(phrase))][:_MOST_WORDS]
        begun = not query.endswith(('"', " "))
        quoted = ['"{}"'.format(" ".join(indexed(" ".join(words)).split())) for words in phrases]
        self.match_expression = " AND ".join(quoted) + ("*" if begun and quoted else "")
        self._patterns = [_pattern(words) for words in phrases[:-1]]
        self._patterns += [_pattern(words, begun=begun) for words in phrases[-1:]]

    def is_in(self, text: str) -> bool:
        """Return whether a text that is in no index holds all that the query asks for."""
        folded = folded_evenly(text)
        return bool(self._patterns) and all(pattern.search(folded) for pattern in self._patterns)

    def context(self, text: str) -> tuple[str, tuple[tuple[int, int], ...]]:
        """Return the surroundings of the first match on one line, and the matches in it.

        Each match is `(start, end)`, in characters of the line that is returned.
        """
        folded = folded_evenly(text)
        matches = (pattern.search(folded) for pattern in self._patterns)
        first = min((match.start() for match in matches if match), default=0)
        start = max(0, first - _BEFORE)
        if start and (space := text.find(" ", start, first)) >= 0:
            start = space + 1
        end = min(len(text), first + _AFTER)
        lead, tail = "…" if start else "", "…" if end < len(text) else ""
        shown = lead + re.sub(r"\s", " ", text[start:end]) + tail
        offset = len(lead) - start
        marks = {
            (match.start() + offset, match.end() + offset)
            for pattern in self._patterns
            for match in pattern.finditer(folded, start, end)
        }
        return shown, tuple(sorted(marks))


def _pattern(words: list[str], *, begun: bool = False) -> re.Pattern[str]:
    """Return a pattern of these words one after another; with `begun`, the last may go on."""
    pattern = ""
    spaced_before = False
    for at, word in enumerate(words):
        spaced = re.match(_LETTER, word) is not None
        if at:
            pattern += r"[\W_]+" if spaced and spaced_before else r"[\W_]*"
        letters = [re.escape(char) for char in folded_evenly(word) if not unicodedata.combining(char)]
        pattern += letters[0]
        if spaced and not at:
            # The boundary is checked behind the letter, since a letter is found faster than a boundary.
            pattern += f"(?<!{_LETTER}{letters[0]})"
        if spaced:
            pattern += "".join(f"{_ACCENT}*{letter}" for letter in letters[1:]) + f"{_ACCENT}*"
        spaced_before = spaced
    return re.compile(pattern if begun or not spaced_before else f"{pattern}(?!{_LETTER})")


def folded_evenly(text: str) -> str:
    """Return `text` without case and accents, of the same length."""
    return text.lower() if text.isascii() else text.translate(_Folding())


class _Folding(dict[int, str]):
    """Maps each character to one without case and marks, so that positions in a text stay the same."""

    def __missing__(self, code: int) -> str:
        self[code] = _folded(code)
        return self[code]


@cache
def _folded(code: int) -> str:
    low = chr(code).lower()[0]
    parts = unicodedata.normalize("NFD", low)
    return parts[0] if all(map(unicodedata.combining, parts[1:])) else low
