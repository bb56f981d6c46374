"""How well what the final answer left out is listed, and how much of the processor's time that takes.

Precision and recall are of two halves of labelled answers, of which one was never tuned on. Their baseline
lists the sentences of which fewer than half of the words stand anywhere in the final answer.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from moa_tui.engine.left_out import points
from moa_tui.engine.statements import statements
from moa_tui.engine.values import CallId
from moa_tui.engine.words import terms, words
from tests.benchmarks.figures import Figure, percentile
from tests.engine.left_out_sets import HALVES, answer_sets
from tests.engine.left_out_sets.scores import scores, shared_points

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moa_tui.engine.statements import Statement
    from tests.engine.left_out_sets import AnswerSet

_ROUNDS = 15
# Four characters of English are about a token.
_ANSWERS, _CHARACTERS = 6, 4_000


def measure() -> list[Figure]:
    """Precision and recall of both halves, by kind and language, and the milliseconds of one list."""
    figures = []
    for half in HALVES:
        sets = answer_sets(half)
        plain = scores(sets, _plain_listing)
        for name, score in sorted(scores(sets).items()):
            label = f"{half}, {name}"
            figures.append(
                _share(f"{label}: precision of {score.listed}", score.precision, plain[name].precision)
            )
            figures.append(_share(f"{label}: recall of {score.labelled}", score.recall, plain[name].recall))
        joined, shared = shared_points(sets)
        figures.append(_share(f"{half}: points of two answers listed as one, of {shared}", joined / shared))
    sets = [each for half in HALVES for each in answer_sets(half) if each.language == "English"]
    figures.append(_milliseconds("six answers of 1,000 tokens", *long_answers(sets)))
    figures.append(_milliseconds("six answers of 60,000 characters", *long_answers(sets, 60_000)))
    line = "the same words again and again " * 32_000
    figures.append(_milliseconds("one line of 1 MB", line[:200_000], {CallId(1, 1): line}))
    return figures


def long_answers(sets: list[AnswerSet], characters: int = _CHARACTERS) -> tuple[str, dict[CallId, str]]:
    """A final answer and six others of about so many characters each, put together from the sets."""
    final = "\n\n".join(each.final for each in sets)
    parts = [answer.text for each in sets for answer in each.answers]
    texts = {}
    for index in range(_ANSWERS):
        text = "\n\n".join(parts[index::_ANSWERS])
        texts[CallId(1, index + 1)] = (text * (1 + characters // len(text)))[:characters]
    return (final * (1 + characters // len(final)))[:characters], texts


def _plain_listing(final: str, texts: Mapping[CallId, str]) -> dict[CallId, list[Statement]]:
    """The statements of which fewer than half of the words stand in the final answer."""
    there = set(terms(words(final)))
    return {
        call: [
            statement
            for statement in statements(text)
            if statement.kind != "other"
            and (own := set(terms(words(statement.text))))
            and len(own & there) < len(own) / 2
        ]
        for call, text in texts.items()
    }


def _share(name: str, value: float, baseline: float | None = None) -> Figure:
    return Figure(name, value, "share", value, value, baseline)


def _milliseconds(name: str, final: str, texts: dict[CallId, str]) -> Figure:
    times = []
    for _ in range(_ROUNDS):
        begin = time.process_time()
        points(final, texts)
        times.append(1000 * (time.process_time() - begin))
    return Figure(name, percentile(times, 0.5), "ms", percentile(times, 0.05), percentile(times, 0.95))
