"""What a grading comes to in figures: how everybody did, what the mixtures are worth, and models by role."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from moa_tui.evaluation.bootstrap import Estimate, mean_estimate
from moa_tui.evaluation.correlations import mean_correlation
from moa_tui.evaluation.judging.questions import Candidate, Given
from moa_tui.evaluation.judging.scores import SCALES, JudgeRecord, record_of
from moa_tui.evaluation.length_control import LengthControlled, length_controlled
from moa_tui.evaluation.likeness_measures import likenesses
from moa_tui.evaluation.worth import Standing, Worth, known_mean, standing, standing_of, worth_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from moa_tui.evaluation.grade import Grading
    from moa_tui.evaluation.judging.questions import Kind
    from moa_tui.evaluation.judging.scores import Score

MOST_MEASURED = 200
"""Likeness is measured on so many prompts: each takes some milliseconds, and more change little."""
MEASURES = ("bleu", "tfidf", "levenshtein")
"""The measures of likeness, as `likeness_measures.Likeness` names them."""
# A correlation within a prompt needs as many members.
_LEAST_MEMBERS = 3


@dataclass(frozen=True, slots=True)
class Row:
    """A candidate with all that is said of it; of several samples of one agent, all of them together.

    `samples` are those who gave the answers: the candidate itself, or each of the samples.
    """

    standing: Standing
    samples: tuple[Candidate, ...]
    scores: tuple[Score, ...]
    estimate: Estimate | None
    """The mean score on the scale of the form."""
    length_controlled: LengthControlled | None
    missing: int
    """The number of prompts without an answer of its own, or of the baseline's."""

    @property
    def name(self) -> str:
        """The name of the candidate."""
        return self.standing.candidate.name


class GradeFigures:
    """The figures of a grading. `votes_unsettled` is by the recipe's name, `judge_cost` in dollars."""

    def __init__(
        self,
        grading: Grading,
        candidates: Sequence[Candidate],
        scores: Iterable[Score],
        votes_unsettled: Mapping[str, int],
        judge_cost: float | None,
    ) -> None:
        self.grading = grading
        self.votes_unsettled = votes_unsettled
        self.judge_cost = judge_cost
        by_name: dict[str, list[Score]] = {}
        for score in scores:
            by_name.setdefault(score.candidate, []).append(score)
        self._scores = by_name
        self.record: JudgeRecord = record_of(score for own in by_name.values() for score in own)
        together: dict[str, list[Candidate]] = {}
        for candidate in candidates:
            together.setdefault(candidate.samples_of or candidate.name, []).append(candidate)
        self.rows = [self._row(name, samples) for name, samples in together.items()]
        self.worths = list(filter(None, map(self._worth, candidates)))
        self.roles = self._roles()
        """The mean score, from 0 to 1, of each model `alone`, and of the mixtures in which it is `proposer`
        and `aggregator`; None where it has no such role."""
        self.likeness = self._likeness()
        """For each measure, how the final's likeness to a member goes with that member's score."""

    def _row(self, name: str, samples: Sequence[Candidate]) -> Row:
        """The row of a candidate, or of the samples of one agent."""
        least, most = SCALES[self.grading.form]
        candidate = samples[0] if len(samples) == 1 else _pooled(name, samples)
        scores = [score for sample in samples for score in self._scores.get(sample.name, ())]
        own = self._standing(candidate, scores)
        values = [least + value * (most - least) for value in own.by_prompt.values()]
        is_baseline = self.grading.baseline is not None and candidate.name == self.grading.baseline.name
        estimate = None if is_baseline else mean_estimate(values, least, most)
        judged = {score.prompt for score in scores}
        missing = 0 if is_baseline else len(self.grading.graded.prompts) - len(judged)
        controlled = None if is_baseline else self._length_controlled(own, samples)
        return Row(own, tuple(samples), tuple(scores), estimate, controlled, missing)

    def _standing(self, candidate: Candidate, scores: Sequence[Score], turn: int | None = None) -> Standing:
        """How a candidate did; a baseline ties with itself wherever anybody was compared with it."""
        baseline = self.grading.baseline
        if baseline is None or candidate.name != baseline.name:
            return standing(candidate, scores, self.grading.form, turn)
        compared = [score.prompt for own in self._scores.values() for score in own if score.value is not None]
        return standing_of(candidate, dict.fromkeys(compared, 0.5))

    def _length_controlled(self, own: Standing, samples: Sequence[Candidate]) -> LengthControlled | None:
        baseline = self.grading.baseline
        if baseline is None or not own.by_prompt:
            return None
        lengths, others = [], []
        for prompt in own.by_prompt:
            given = [sample.answers[prompt].turns for sample in samples if prompt in sample.answers]
            other = baseline.answers[prompt].turns
            # As many turns as were compared.
            turns = min(len(other), *map(len, given))
            lengths.append(round(sum(_length(answer[:turns]) for answer in given) / len(given)))
            others.append(_length(other[:turns]))
        return length_controlled(list(own.by_prompt.values()), lengths, others)

    def _worth(self, mixture: Candidate) -> Worth | None:
        if mixture.kind != "recipe":
            return None
        members = self.rows_of(mixture.name, "member")
        if not members:
            return None
        # Members have answers of their own to the first turn alone.
        turn = None if self.grading.form == "pairs" else 1
        first = {prompt: given.first or given for prompt, given in mixture.answers.items()}
        own = self._standing(replace(mixture, answers=first), self._scores.get(mixture.name, []), turn)
        samples = [
            self._standing(sample, self._scores.get(sample.name, []), turn)
            for row in members
            for sample in row.samples
        ]
        return worth_of(own, [row.standing for row in members], samples)

    def rows_of(self, recipe: str, kind: Kind) -> list[Row]:
        """The rows of the members of a recipe, or of a choice among their answers."""
        return [
            row
            for row in self.rows
            if row.standing.candidate.recipe == recipe and row.standing.candidate.kind == kind
        ]

    def _roles(self) -> dict[str, dict[str, float | None]]:
        """The mean score, from 0 to 1, of each model alone, of recipes it proposes in, and aggregates."""
        recipes = self.grading.graded.recipes
        means = {row.name: row.standing.mean for row in self.rows}
        models: dict[str, dict[str, list[float | None]]] = {}

        def add(model: str, role: str, mean: float | None) -> None:
            models.setdefault(model, {"alone": [], "proposer": [], "aggregator": []})[role].append(mean)

        for row in self.rows:
            if row.standing.candidate.kind == "member":
                add(row.standing.candidate.model, "alone", row.standing.mean)
        for name, recipe in recipes.items():
            if len(recipe.layers) == 1:
                add(recipe.lineup[0][0].model, "alone", means.get(name))
                continue
            for model in dict.fromkeys(agent.model for agent in recipe.lineup[0]):
                add(model, "proposer", means.get(name))
            if recipe.writer is not None:
                add(recipe.lineup[-1][0].model, "aggregator", means.get(name))
        return {
            model: {role: _mean_known(values) for role, values in roles.items()}
            for model, roles in models.items()
        }

    def _likeness(self) -> dict[str, Estimate | None]:
        """Within each prompt, how the final's likeness to a member goes with that member's score."""
        points: dict[str, list[tuple[list[float], list[float]]]] = {name: [] for name in MEASURES}
        turn = None if self.grading.form == "pairs" else 1
        for mixture in self.grading.graded.candidates:
            if mixture.kind != "recipe":
                continue
            members = [
                self._standing(sample, self._scores.get(sample.name, []), turn)
                for row in self.rows_of(mixture.name, "member")
                for sample in row.samples
            ]
            for prompt in list(mixture.answers)[:MOST_MEASURED]:
                scored = {
                    each.candidate.name: each.by_prompt[prompt]
                    for each in members
                    if prompt in each.by_prompt and prompt in each.candidate.answers
                }
                if len(scored) < _LEAST_MEMBERS:
                    continue
                texts = {
                    each.candidate.name: each.candidate.answers[prompt].turns[0]
                    for each in members
                    if each.candidate.name in scored
                }
                alike = likenesses(mixture.answers[prompt].turns[0], texts)
                for name in MEASURES:
                    measured = [float(getattr(alike[member], name)) for member in scored]
                    points[name].append((measured, list(scored.values())))
        return {name: mean_correlation(pairs) for name, pairs in points.items()}


def _pooled(name: str, samples: Sequence[Candidate]) -> Candidate:
    """One agent that was asked several times, with what an answer of it takes on average."""
    answers = {}
    for prompt in dict.fromkeys(prompt for sample in samples for prompt in sample.answers):
        given = [sample.answers[prompt] for sample in samples if prompt in sample.answers]
        costs, seconds = [each.cost for each in given], [each.seconds for each in given]
        answers[prompt] = Given(given[0].turns, known_mean(costs), known_mean(seconds))
    first = samples[0]
    return Candidate(name, first.kind, answers, first.recipe, first.model)


def _length(turns: Sequence[str]) -> int:
    return sum(map(len, turns))


def _mean_known(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
