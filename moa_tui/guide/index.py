"""Which words stand in which section of the guide, so that a search answers while its words are typed."""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from moa_tui.engine.likeness import vector
from moa_tui.engine.words import words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from moa_tui.guide import Section

# What a word in a heading, or in the name of the topic, adds to its frequency in the text; and how much the
# rarity of a word counts. With these, the first section found answers 49 of 52 questions of newcomers.
_HEADING_WEIGHT = 2.0
_RARITY_POWER = 1.5
# Words that are in nearly every question, whatever it is about.
_EMPTY_WORDS = frozenset(
    words(
        "a an and are can could do does for from have how i in is it me mean means my of on or should that "
        "the there this to want what when with work works you your"
    )
)
# The most words and characters that are searched for: a question has a dozen words, and a text that is pasted
# may have thousands.
_MOST_WORDS = 64
_MOST_CHARACTERS = 4_000
# In words; two words stand beside each other in many places.
_SHORTEST_PHRASE = 3
# A word is found by its beginning too: "server" in "servers". Shorter beginnings mean nothing.
_SHORTEST_BEGINNING = 4
_LONGEST_ENDING = 3
# What comes behind the last letter that a word may begin with.
_LAST = "\U0010ffff"
_CODE = re.compile(r"`([^`\n]+)`")


class SectionIndex:
    """The sections that some words are about, found by looking the words up instead of reading the pages."""

    def __init__(self, sections: Sequence[Section]) -> None:
        self._sections = sections
        self._counts: defaultdict[str, dict[int, int]] = defaultdict(dict)
        """For each word of the texts, how often it is in which section, by the section's number."""
        self._headings: defaultdict[str, set[int]] = defaultdict(set)
        """For each word of headings and topics, in the headings of which sections it is."""
        self._length_shares: list[float] = []
        """How much longer each section is than a short one, damped."""
        self._messages: list[tuple[tuple[str, ...], int]] = []
        """The parts of each text in code that is long enough to be a message, and its section's number."""
        for number, section in enumerate(sections):
            counts = Counter(words(section.text))
            self._length_shares.append(1 + math.log1p(counts.total() / 50))
            for word, count in counts.items():
                self._counts[word][number] = count
            for word in words(f"{section.topic} {section.heading}"):
                self._headings[word].add(number)
            self._messages += [(parts, number) for parts in _messages(section.text)]
        self._vocabulary = sorted({*self._counts, *self._headings})

    def search(self, query: str, *, is_typing: bool = False) -> list[Section]:
        """The sections about `query`, the best first; with `is_typing`, its last word may go on."""
        query = query[:_MOST_CHARACTERS]
        written = words(query)
        unfinished = written[-1] if is_typing and written else ""
        asked = [word for word in dict.fromkeys(written) if word not in _EMPTY_WORDS or word == unfinished]
        asked = asked[:_MOST_WORDS]
        rarity = vector(asked)
        scores = [0.0] * len(self._sections)
        hits = [0] * len(self._sections)
        for word in asked:
            frequencies = self._frequencies(self._forms(word, is_beginning=word == unfinished))
            weight = rarity.get(word, 1.0) * math.log(1 + len(self._sections) / max(1, len(frequencies)))
            for number, frequency in frequencies.items():
                hits[number] += 1
                scores[number] += frequency * weight**_RARITY_POWER
        found = [number for number, count in enumerate(hits) if count]
        quoting = self.quoting(query)
        found.sort(
            key=lambda number: (quoting.get(number, 0), scores[number] * math.sqrt(hits[number])),
            reverse=True,
        )
        return [self._sections[number] for number in found]

    def _forms(self, word: str, *, is_beginning: bool) -> list[str]:
        """The words of the guide that are forms of `word`: one begins with the other, and is little longer.

        With `is_beginning`, those of any length that begin with it.
        """
        start = bisect_left(self._vocabulary, word)
        longer = self._vocabulary[start : bisect_left(self._vocabulary, word + _LAST, start)]
        if is_beginning:
            forms = [form for form in longer if form not in _EMPTY_WORDS]
        elif len(word) >= _SHORTEST_BEGINNING:
            forms = [form for form in longer if len(form) <= len(word) + _LONGEST_ENDING]
        else:
            forms = longer[:1] if longer[:1] == [word] else []
        shortest = max(_SHORTEST_BEGINNING, len(word) - _LONGEST_ENDING)
        shorter = (word[:length] for length in range(shortest, len(word)))
        return forms + [form for form in shorter if form in self._counts or form in self._headings]

    def _frequencies(self, forms: Sequence[str]) -> dict[int, float]:
        """By section, how much a word occurs in it, damped and by the section's length."""
        counts: Counter[int] = Counter()
        headings: set[int] = set()
        for form in forms:
            counts.update(self._counts.get(form, {}))
            headings |= self._headings.get(form, set())
        return {
            number: math.log1p(counts[number]) / self._length_shares[number]
            + (_HEADING_WEIGHT if number in headings else 0.0)
            for number in {*counts, *headings}
        }

    def quoting(self, query: str) -> dict[int, int]:
        """The sections that hold `query` word for word, or a message that stands in it, and how much of it.

        In a message, an ellipsis stands for what differs.
        """
        phrase = " ".join(query[:_MOST_CHARACTERS].casefold().split())
        quoting: dict[int, int] = {}
        if phrase.count(" ") >= _SHORTEST_PHRASE - 1:
            for number, section in enumerate(self._sections):
                if phrase in section.running_text:
                    quoting[number] = len(phrase)
        for parts, number in self._messages:
            length = sum(map(len, parts))
            if length > quoting.get(number, 0) and _holds(phrase, parts):
                quoting[number] = length
        return quoting


def _messages(text: str) -> Iterator[tuple[str, ...]]:
    """What stands in code and has enough words to be a message, each cut at its ellipses."""
    for match in _CODE.finditer(text):
        message = " ".join(match[1].casefold().split())
        if message.replace("…", "").count(" ") >= _SHORTEST_PHRASE - 1:
            yield tuple(part.strip() for part in message.split("…") if part.strip())


def _holds(text: str, parts: Sequence[str]) -> bool:
    """True where all parts stand in `text`, one behind the other."""
    place = 0
    for part in parts:
        place = text.find(part, place)
        if place < 0:
            return False
        place += len(part)
    return True
