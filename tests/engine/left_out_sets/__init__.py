"""Answers to one prompt with the final that was made of them, each statement marked: in the final or not.

They were written for this, in the manner of several models, in two halves. The measure was tuned on one half;
the other was written before, and nothing was ever tuned on it.

In the files a mark follows each statement: `{+}` where the final has it, `{-}` where it was left out,
`{-#}` where it differs by a number, `{-!}` by a negation, `{?}` where either will do. A letter behind it
names a point that two answers share. What has no mark states no point and must not be listed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

MARK = re.compile(r"\{([-+?])([#!]?)([a-z]?)\}")
HALVES = ("held_out", "tuned_on")


@dataclass(frozen=True, slots=True)
class Label:
    """What is known of a statement that ends at `place` in its answer."""

    place: int
    is_left_out: bool | None
    """None where either will do."""
    differs_by: str
    """`number`, `negation` or nothing."""
    shared: str
    """The letter of a point that several answers share; empty for others."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer without its marks, and its labels in order."""

    agent: str
    text: str
    labels: tuple[Label, ...]


@dataclass(frozen=True, slots=True)
class AnswerSet:
    """A final answer and the answers that it was made of."""

    topic: str
    kind: str
    language: str
    final: str
    answers: tuple[Answer, ...]


def answer_sets(half: str) -> list[AnswerSet]:
    """The sets of one of the HALVES."""
    content = Path(__file__).with_name(f"{half}.txt").read_text(encoding="utf-8")
    return [_answer_set(part) for part in content.split("##### ")[1:]]


def _answer_set(part: str) -> AnswerSet:
    heading, _, rest = part.partition("\n")
    topic, kind, language = heading.split(" | ")
    sections = [section.partition("\n") for section in rest.split("=== ")[1:]]
    texts = {name: body.strip("\n") for name, _, body in sections}
    final = texts.pop("final")
    return AnswerSet(topic, kind, language, final, tuple(_answer(*entry) for entry in texts.items()))


def _answer(agent: str, marked: str) -> Answer:
    text, labels, last = "", [], 0
    for mark in MARK.finditer(marked):
        text += marked[last : mark.start()]
        last = mark.end()
        kind = {"#": "number", "!": "negation", "": ""}[mark[2]]
        labels.append(Label(len(text), {"-": True, "+": False, "?": None}[mark[1]], kind, mark[3]))
    return Answer(agent, text + marked[last:], tuple(labels))
