"""What of the guide fits some words, as rows of a list."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from textual.content import Content

from moa_tui import guide
from moa_tui.engine.words import words

if TYPE_CHECKING:
    from moa_tui.guide import Section

# More than anybody reads; the best stand first.
_MOST_HITS = 30
_LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")
_CELLS = re.compile(r"(?:\s+\|)+\s+")
_MARKS = re.compile(r"[`*]+|^\s*(?:[-#>|]+|\d+\.)\s+|\s*\|\s*$")


@dataclass(frozen=True)
class Hit:
    """A topic of the guide, the heading at which its page is opened, and its row in a list."""

    topic: str
    heading: str = ""
    row: Content = field(default_factory=Content)


def all_topics() -> list[Hit]:
    """Every topic in reading order, with the sentence that says what it is for."""
    return [Hit(page.topic, "", _row(page.topic, page.summary, "")) for page in guide.pages()]


def prepare() -> None:
    """Do what the first search takes longer for, so that the first letter typed is answered at once."""
    guide.search("")
    for page in guide.pages():
        for section in page.sections:
            _lines(section)


def hits_of(typed: str) -> list[Hit]:
    """The sections about what is typed, the best first, each with the line that has most of its words."""
    asked = set(words(typed[:1_000]))
    return [
        Hit(section.topic, section.heading, _row(section.topic, section.heading, _line(section, asked)))
        for section in guide.search(typed, is_typing=True)[:_MOST_HITS]
    ]


def _row(topic: str, title: str, line: str) -> Content:
    width = max(map(len, guide.ORDER)) + 2
    words_of_title = title.replace("`", "") + (f" — {line}" if line else "")
    # Without colours, which could not be read on the highlighted row.
    return Content.assemble((topic.ljust(width), "bold"), words_of_title)


def _line(section: Section, asked: set[str]) -> str:
    """The line of a section that has most of these words, without the marks of Markdown."""
    best = max(_lines(section), key=lambda line: len(asked & line[1]), default=("", frozenset()))[0]
    return " ".join(_CELLS.sub(" · ", _MARKS.sub("", _LINK.sub(r"\1", best))).split())


@cache
def _lines(section: Section) -> list[tuple[str, frozenset[str]]]:
    """The lines of a section's text, each with its words."""
    lines = section.text.splitlines()
    return [(line, frozenset(words(line))) for line in lines if line and not line.startswith(("```", "|-"))]
