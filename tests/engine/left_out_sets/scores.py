"""How well the statements that are listed as left out agree with the labels of the sets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from moa_tui.engine.left_out import missing_statements, points
from moa_tui.engine.statements import Statement
from moa_tui.engine.values import CallId

if TYPE_CHECKING:
    from tests.engine.left_out_sets import Answer, AnswerSet

# The most characters between the end of a statement and its mark: emphasis, or the end of a row.
_NEAR = 4


@dataclass(slots=True)
class Score:
    """Statements that were left out, listed and both; and the wrong ones in words, to look at."""

    labelled: int = 0
    listed: int = 0
    right: int = 0
    missed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def precision(self) -> float:
        """The share of what is listed that was left out."""
        return self.right / self.listed if self.listed else 1.0

    @property
    def recall(self) -> float:
        """The share of what was left out that is listed."""
        return self.right / self.labelled if self.labelled else 1.0


Listing = Callable[[str, Mapping[CallId, str]], Mapping[CallId, Sequence[Statement]]]
"""What lists the statements of each text that a final answer does not have."""


def listed(final: str, texts: Mapping[CallId, str]) -> dict[CallId, list[Statement]]:
    """The statements that the product lists."""
    return {
        call: [unit.statement for unit in units] for call, units in missing_statements(final, texts).items()
    }


def scores(sets: Sequence[AnswerSet], listing: Listing = listed) -> dict[str, Score]:
    """The scores of all sets, of each kind and language, and of statements that differ by one word."""
    by_name: dict[str, Score] = defaultdict(Score)
    for answer_set in sets:
        texts = {CallId(1, index): answer.text for index, answer in enumerate(answer_set.answers, 1)}
        missing = listing(answer_set.final, texts)
        for call, answer in zip(texts, answer_set.answers, strict=True):
            ends = [(statement.end, statement.text) for statement in missing[call]]
            _add(by_name, answer_set, answer, ends)
    return by_name


def _add(
    by_name: dict[str, Score], answer_set: AnswerSet, answer: Answer, listed: Sequence[tuple[int, str]]
) -> None:
    rest = dict(listed)
    names = ["all", f"kind: {answer_set.kind}", f"language: {answer_set.language}"]
    for label in answer.labels:
        end = next((end for end in range(label.place, label.place - _NEAR - 1, -1) if end in rest), None)
        text = rest.pop(end) if end is not None else answer.text[max(0, label.place - 90) : label.place]
        if label.is_left_out is None:
            continue
        for name in [*names, *([f"differs by a {label.differs_by}"] if label.differs_by else [])]:
            score = by_name[name]
            score.labelled += label.is_left_out
            score.listed += end is not None
            score.right += label.is_left_out and end is not None
            if label.is_left_out is not (end is not None):
                (score.missed if label.is_left_out else score.wrong).append(f"{answer_set.topic}: {text}")
    for text in rest.values():
        for name in names:
            by_name[name].listed += 1
            by_name[name].wrong.append(f"{answer_set.topic}: (no point) {text}")


def shared_points(sets: Sequence[AnswerSet]) -> tuple[int, int]:
    """How many points that two answers share are listed as one of both, and how many there are."""
    right = labelled = 0
    for answer_set in sets:
        texts = {CallId(1, index): answer.text for index, answer in enumerate(answer_set.answers, 1)}
        calls: dict[str, set[CallId]] = defaultdict(set)
        for call, answer in zip(texts, answer_set.answers, strict=True):
            for label in answer.labels:
                if label.shared:
                    calls[label.shared].add(call)
        together = [set(point.calls) for point in points(answer_set.final, texts)]
        labelled += len(calls)
        right += sum(shared in together for shared in calls.values())
    return right, labelled
