"""The manual: short Markdown pages, one a topic, which the program, its demo models and the web show.

Way in: `pages` lists them in reading order, `page` returns one by its name or the beginning of it, `search`
returns the sections that are about some words. Each page is a file in this folder, named after its topic: the
first line is its title, and the paragraph below says what it is for. Pages link each other as
`[topic](topic.md)`. This package imports the engine's words and the errors, nothing else of the program.
"""

from __future__ import annotations

import difflib
import math
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from moa_tui.engine.likeness import vector
from moa_tui.engine.words import words
from moa_tui.errors import UsageError

FOLDER = Path(__file__).parent
ORDER = (
    *("start", "chat", "keys", "screen-keys", "vim", "steering"),
    *("recipes", "layers", "strategies", "speed"),
    *("conversations", "export", "local-models", "servers", "budgets"),
    *("config", "themes", "safety", "troubleshooting", "errors", "shell", "how-it-works"),
)
"""The topics in the order in which they are best read."""

_HEADING = re.compile(r"(#{1,4}) +(.+)")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
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
# The most words that are searched for: a question has a dozen, and a text that is pasted may have thousands.
_MOST_WORDS = 64
# In words; two words stand beside each other in many places.
_SHORTEST_PHRASE = 3
# A word is found by its beginning too: "server" in "servers". Shorter beginnings mean nothing.
_SHORTEST_BEGINNING = 4


@dataclass(frozen=True)
class Section:
    """A part of a page: its heading, and the Markdown below it up to the next heading of any level."""

    topic: str
    heading: str
    text: str

    @cached_property
    def _counts(self) -> Counter[str]:
        return Counter(words(self.text))

    @cached_property
    def _heading_words(self) -> frozenset[str]:
        return frozenset(words(f"{self.topic} {self.heading}"))

    @cached_property
    def running_text(self) -> str:
        """Heading and text in small letters, with one space for whatever stands between two words."""
        return " ".join(f"{self.heading} {self.text}".casefold().split())

    def frequency(self, word: str) -> float:
        """How much `word` occurs in the section, damped and by the section's length; 0 where it does not."""
        in_heading = any(_is_form(word, other) for other in self._heading_words)
        count = sum(number for other, number in self._counts.items() if _is_form(word, other))
        length = 1 + math.log1p(self._counts.total() / 50)
        return (math.log1p(count) / length) + (_HEADING_WEIGHT if in_heading else 0.0)


@dataclass(frozen=True)
class Page:
    """A page of the manual. `text` is its whole Markdown, `summary` the sentence that says what it is for."""

    topic: str
    title: str
    summary: str
    text: str

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """The page in sections, the first of them under the page's title."""
        sections: list[Section] = []
        heading, lines, fence = self.title, list[str](), ""
        for line in self.text.splitlines()[1:]:
            mark = _FENCE.match(line)
            if mark is not None:
                fence = "" if fence and mark[1].startswith(fence) else fence or mark[1]
            if not fence and (found := _HEADING.fullmatch(line)) is not None:
                sections.append(Section(self.topic, heading, "\n".join(lines).strip()))
                heading, lines = found[2], []
            else:
                lines.append(line)
        sections.append(Section(self.topic, heading, "\n".join(lines).strip()))
        return tuple(sections)


@cache
def pages() -> tuple[Page, ...]:
    """All pages in reading order."""
    return tuple(_read(topic) for topic in ORDER)


def page(name: str) -> Page:
    """The page whose topic is `name`, or begins with it where no other does. Spaces may stand for dashes.

    Raises UsageError, with the nearest topics, where there is no such page or there are several.
    """
    topic = "-".join(name.lower().removesuffix(".md").split())
    matching = [each for each in ORDER if each == topic] or [each for each in ORDER if each.startswith(topic)]
    if len(matching) == 1 and topic:
        return pages()[ORDER.index(matching[0])]
    if matching and topic:
        raise UsageError(f'"{name}" could be {", ".join(matching)}: write more of it')
    near = nearest_topics(name)
    hint = f"; the nearest are {', '.join(near)}" if near else ""
    raise UsageError(f'the guide has no page "{name}"{hint}. `moa-tui guide` lists them all')


def nearest_topics(name: str, most: int = 3) -> list[str]:
    """The topics that somebody may have meant who wrote `name`: spelled alike, else about the same."""
    alike = difflib.get_close_matches(name.lower(), ORDER, n=most, cutoff=0.6)
    about = [section.topic for section in search(name)]
    return list(dict.fromkeys([*alike, *about]))[:most]


def search(query: str) -> list[Section]:
    """The sections that have any word of `query` that is no everyday word, the best first.

    A section is better the more of the words it has, the rarer these are in general and in the guide, and if
    they stand in its heading. Those that hold `query` word for word, such as a message, come first.
    """
    asked = [word for word in dict.fromkeys(words(query)) if word not in _EMPTY_WORDS][:_MOST_WORDS]
    sections = [section for each in pages() for section in each.sections]
    rarity = vector(asked)
    scores = [0.0] * len(sections)
    hits = [0] * len(sections)
    for word in asked:
        frequencies = [section.frequency(word) for section in sections]
        holding = max(1, sum(frequency > 0 for frequency in frequencies))
        weight = (rarity.get(word, 1.0) * math.log(1 + len(sections) / holding)) ** _RARITY_POWER
        for index, frequency in enumerate(frequencies):
            if frequency:
                hits[index] += 1
                scores[index] += frequency * weight
    found = [index for index, number in enumerate(hits) if number]
    phrase = " ".join(query.casefold().split())
    is_phrase = phrase.count(" ") >= _SHORTEST_PHRASE - 1
    found.sort(
        key=lambda index: (
            is_phrase and phrase in sections[index].running_text,
            scores[index] * math.sqrt(hits[index]),
        ),
        reverse=True,
    )
    return [sections[index] for index in found]


def _is_form(word: str, other: str) -> bool:
    """True where the word of a text, `other`, is `word` or one of its forms: one begins with the other."""
    if word == other:
        return True
    shorter, longer = sorted((word, other), key=len)
    return (
        len(shorter) >= _SHORTEST_BEGINNING and longer.startswith(shorter) and len(longer) <= len(shorter) + 3
    )


def _read(topic: str) -> Page:
    text = (FOLDER / f"{topic}.md").read_text(encoding="utf-8")
    title, _, rest = text.partition("\n")
    summary = " ".join(rest.strip().split("\n\n", 1)[0].split())
    return Page(topic, title.removeprefix("# "), summary, text)
