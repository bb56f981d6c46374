"""The manual: short Markdown pages, one a topic, which the program, its demo models and the web show.

Way in: `pages` lists them in reading order, `page` returns one by its name or the beginning of it, `search`
returns the sections that are about some words. Each page is a file in this folder, named after its topic: the
first line is its title, and the paragraph below says what it is for. Pages link each other as
`[topic](topic.md)`. This package imports the engine's words and the errors, nothing else of the program.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from moa_tui.errors import UsageError
from moa_tui.guide.index import SectionIndex
from moa_tui.guide.matching import Index, Match
from moa_tui.guide.pieces import Piece, read

FOLDER = Path(__file__).parent
ORDER = (
    *("start", "chat", "keys", "screen-keys", "vim", "plain", "steering"),
    *("recipes", "layers", "strategies", "speed"),
    *("conversations", "export", "local-models", "servers", "budgets"),
    *("config", "themes", "safety", "troubleshooting", "errors", "shell", "json"),
    *("bulk", "machines", "grade", "select", "benchmarks", "how-it-works"),
)
"""The topics in the order in which they are best read."""

_HEADING = re.compile(r"(#{1,4}) +(.+)")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_LINK = re.compile(r"\[([a-z-]+)\]\(\1\.md\)")


@dataclass(frozen=True)
class Section:
    """A part of a page: its heading, and the Markdown below it up to the next heading of any level.

    `line` is the number of the heading's line in the page, from 0 on.
    """

    topic: str
    heading: str
    text: str
    line: int = 0

    @cached_property
    def pieces(self) -> tuple[Piece, ...]:
        """The text in pieces; a link to a page is the command that prints it."""
        return read(_LINK.sub(r"`moa-tui guide \1`", self.text))

    @cached_property
    def running_text(self) -> str:
        """Heading and text in small letters, with one space for whatever stands between two words."""
        return " ".join(f"{self.heading} {self.text}".casefold().split())


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
        heading, lines, fence, first = self.title, list[str](), "", 0
        for number, line in enumerate(self.text.splitlines()[1:], 1):
            mark = _FENCE.match(line)
            if mark is not None:
                fence = "" if fence and mark[1].startswith(fence) else fence or mark[1]
            if not fence and (found := _HEADING.fullmatch(line)) is not None:
                sections.append(Section(self.topic, heading, "\n".join(lines).strip(), first))
                heading, lines, first = found[2], [], number
            else:
                lines.append(line)
        sections.append(Section(self.topic, heading, "\n".join(lines).strip(), first))
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


def search(query: str, *, is_typing: bool = False) -> list[Section]:
    """The sections that have any word of `query` that is no everyday word, the best first.

    A section is better the more of the words it has, the rarer these are in general and in the guide, and if
    they stand in its heading. Those that hold `query` word for word, or a message that stands in it, come
    first. With `is_typing`, the last word is only the beginning of one.
    """
    if is_typing:
        return _section_index().search(query, is_typing=True)
    return [found.section for found in answers(query)]


@dataclass(frozen=True)
class Found:
    """A section that is about a question, and how well it answers it."""

    section: Section
    match: Match


def answers(question: str, earlier: str = "") -> list[Found]:
    """The sections that `search` finds, with how well each answers. `earlier` is what it may go on from."""
    sections, quoting = _sections(), _section_index().quoting(question)
    matches = {match.section: match for match in _matching().matches(question, earlier)}
    quoted = [
        matches.get(number, Match(number, 0.0, 0.0, {}))
        for number in sorted(quoting, key=lambda number: -quoting[number])
    ]
    others = (match for number, match in matches.items() if number not in quoting)
    return [Found(sections[match.section], match) for match in (*quoted, *others)]


@cache
def _sections() -> tuple[Section, ...]:
    return tuple(section for each in pages() for section in each.sections)


@cache
def _matching() -> Index:
    return Index((section.topic, section.heading, section.text) for section in _sections())


@cache
def _section_index() -> SectionIndex:
    return SectionIndex(_sections())


def _read(topic: str) -> Page:
    text = (FOLDER / f"{topic}.md").read_text(encoding="utf-8")
    title, _, rest = text.partition("\n")
    summary = " ".join(rest.strip().split("\n\n", 1)[0].split())
    return Page(topic, title.removeprefix("# "), summary, text)
