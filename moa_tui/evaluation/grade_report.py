"""The report of a grading: who did how well, whether the mixture is worth it, and how the judge did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moa_tui.evaluation import bootstrap, length_control
from moa_tui.evaluation.bootstrap import Estimate, mean_estimate
from moa_tui.evaluation.correlations import mean_correlation
from moa_tui.evaluation.judging.scores import SCALES, JudgeRecord, record_of
from moa_tui.evaluation.length_control import LengthControlled, length_controlled
from moa_tui.evaluation.likeness_measures import likenesses
from moa_tui.evaluation.report import Column, Plot, Point, Report, Table
from moa_tui.evaluation.worth import (
    PER_ANSWERS,
    Standing,
    Worth,
    points_in,
    points_words,
    standing,
    standing_of,
    worth_of,
    worth_sentence,
)
from moa_tui.text.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from moa_tui.evaluation.grade import Grading
    from moa_tui.evaluation.judging.questions import Candidate
    from moa_tui.evaluation.judging.scores import Score
    from moa_tui.evaluation.report import Figure

# Likeness is measured on so many prompts: each takes some milliseconds, and more change little.
_MOST_MEASURED = 300
# A correlation within a prompt needs as many members.
_LEAST_MEMBERS = 3
_KINDS = {"recipe": "mixture", "member": "member", "vote": "vote", "rank": "ranker", "outputs": "file"}
_MEASURES = ("bleu", "tfidf", "levenshtein")
_MEASURE_NAMES = {"bleu": "BLEU", "tfidf": "TF-IDF", "levenshtein": "Levenshtein"}


@dataclass(frozen=True, slots=True)
class Row:
    """A candidate with all that is said of it."""

    standing: Standing
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


class GradeReport:
    """Works out what a grading comes to, for `Report`. `votes_unsettled` is by the name of the recipe."""

    def __init__(
        self,
        grading: Grading,
        candidates: Sequence[Candidate],
        scores: Iterable[Score],
        votes_unsettled: Mapping[str, int],
        judge_cost: float | None,
    ) -> None:
        self._grading = grading
        self._form = grading.form
        self._votes_unsettled = votes_unsettled
        self._judge_cost = judge_cost
        by_name: dict[str, list[Score]] = {}
        for score in scores:
            by_name.setdefault(score.candidate, []).append(score)
        self._scores = by_name
        self.record: JudgeRecord = record_of(score for own in by_name.values() for score in own)
        self.rows = [self._row(candidate, by_name.get(candidate.name, [])) for candidate in candidates]
        self.worths = list(filter(None, map(self._worth, candidates)))

    def report(self) -> Report:
        """The report."""
        sections: list[Table | Plot] = [self._table()]
        sections += self._rating_tables()
        if self.worths:
            sections.append(self._worth_table())
        sections += self._plots()
        if roles := self._roles():
            sections.append(self._role_table(roles))
        likeness = self._likeness()
        if any(estimate is not None for estimate in likeness.values()):
            sections.append(self._likeness_table(likeness))
        sections.append(self._judge_table())
        judge = self._grading.judge.name
        title = f"{counted(len(self._grading.graded.prompts), 'prompt')}, judged by {judge}"
        return Report(title, self.sentence, tuple(sections), self._data(roles, likeness))

    # The sentence

    @property
    def sentence(self) -> str:
        """The one plain sentence that comes first."""
        if not self.record.judged:
            return self._nothing_judged()
        if self.worths:
            best = max(self.worths, key=lambda worth: worth.gain.mixture_rate)
            sentence = worth_sentence(best, self._form)
        else:
            rated = [row for row in self.rows if row.estimate is not None]
            best_row = max(rated, key=lambda row: row.standing.mean or 0.0)
            sentence = self._standing_sentence(best_row)
        return f"{sentence[:1].upper()}{sentence[1:]}."

    def _nothing_judged(self) -> str:
        record = self.record
        if record.not_reached == record.judgements:
            return "Nothing was judged yet."
        if record.unreadable:
            return (
                f"Nothing could be judged: none of the verdicts of {self._grading.judge.name} can be read "
                f"({record.unreadable} unreadable). Choose another judge; nothing was guessed."
            )
        why = next(iter(record.failures), "no answer of both sides to the same prompt")
        return f"Nothing could be judged: {why}."

    def _standing_sentence(self, row: Row) -> str:
        estimate = row.estimate
        assert estimate is not None  # noqa: S101 - chosen among those that have one
        prompts = f"on {'this prompt' if estimate.prompts == 1 else f'these {estimate.prompts} prompts'}"
        if self._form == "pairs":
            baseline = self._grading.baseline
            other = baseline.name if baseline is not None else "the baseline"
            interval = f"({estimate.low * 100:.1f} to {estimate.high * 100:.1f})"
            return f"{prompts} {row.name} won {estimate.value * 100:.1f} % {interval} against {other}"
        interval = f"({estimate.low:.2f} to {estimate.high:.2f})"
        most = SCALES[self._form][1]
        return f"{prompts} {row.name} was given {estimate.value:.2f} {interval} of {most:g}"

    # What is worked out

    def _row(self, candidate: Candidate, scores: list[Score]) -> Row:
        least, most = SCALES[self._form]
        own = self._standing(candidate, scores)
        values = [least + value * (most - least) for value in own.by_prompt.values()]
        is_baseline = self._grading.baseline is not None and candidate.name == self._grading.baseline.name
        estimate = None if is_baseline else mean_estimate(values, least, most)
        judged = {score.prompt for score in scores}
        missing = 0 if is_baseline else len(self._grading.graded.prompts) - len(judged)
        return Row(own, tuple(scores), estimate, self._length_controlled(own), missing)

    def _standing(self, candidate: Candidate, scores: Sequence[Score], turn: int | None = None) -> Standing:
        """How a candidate did; a baseline ties with itself wherever anybody was compared with it."""
        baseline = self._grading.baseline
        if baseline is None or candidate.name != baseline.name:
            return standing(candidate, scores, self._form, turn)
        compared = [score.prompt for own in self._scores.values() for score in own if score.value is not None]
        return standing_of(candidate, dict.fromkeys(compared, 0.5))

    def _length_controlled(self, own: Standing) -> LengthControlled | None:
        baseline = self._grading.baseline
        if baseline is None or own.candidate.name == baseline.name:
            return None
        pairs = [
            (score, _length(own.candidate, prompt), _length(baseline, prompt))
            for prompt, score in own.by_prompt.items()
        ]
        scores, lengths, others = zip(*pairs, strict=True) if pairs else ((), (), ())
        return length_controlled(scores, lengths, others)

    def _worth(self, mixture: Candidate) -> Worth | None:
        if mixture.kind != "recipe":
            return None
        members = [row for row in self.rows if row.standing.candidate.recipe == mixture.name]
        members = [row for row in members if row.standing.candidate.kind == "member"]
        if not members:
            return None
        # Members have answers of their own to the first turn alone.
        turn = None if self._form == "pairs" else 1
        own = self._standing(mixture, self._scores.get(mixture.name, []), turn)
        return worth_of(own, [row.standing for row in members])

    def _member_rows(self, recipe: str, kind: str) -> list[Row]:
        return [
            row
            for row in self.rows
            if row.standing.candidate.recipe == recipe and row.standing.candidate.kind == kind
        ]

    def _roles(self) -> dict[str, dict[str, float | None]]:
        """The mean score, from 0 to 1, of each model alone, of recipes it proposes in, and aggregates."""
        recipes = self._grading.graded.recipes
        means = {row.name: row.standing.mean for row in self.rows}
        models: dict[str, dict[str, list[float | None]]] = {}

        def add(model: str, role: str, mean: float | None) -> None:
            models.setdefault(model, {"alone": [], "proposer": [], "aggregator": []})[role].append(mean)

        for row in self.rows:
            if row.standing.candidate.kind == "member":
                add(row.standing.candidate.model, "alone", row.standing.mean)
        for name, recipe in recipes.items():
            if len(recipe.layers) < 2:
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
        points: dict[str, list[tuple[list[float], list[float]]]] = {name: [] for name in _MEASURES}
        for mixture in self._grading.graded.candidates:
            if mixture.kind != "recipe":
                continue
            members = [row.standing for row in self._member_rows(mixture.name, "member")]
            for prompt in list(mixture.answers)[:_MOST_MEASURED]:
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
                for name in _MEASURES:
                    measured = [float(getattr(alike[member], name)) for member in scored]
                    points[name].append((measured, list(scored.values())))
        return {name: mean_correlation(pairs) for name, pairs in points.items()}

    # Tables and plots

    def _table(self) -> Table:
        """Everybody, the best first."""
        is_pairs = self._form == "pairs"
        kind = "share" if is_pairs else "number"
        score = "win rate" if is_pairs else f"mean of {SCALES[self._form][1]:g}"
        columns: list[Column | str] = ["who", "what", Column(score, kind)]  # type: ignore[arg-type]
        if is_pairs:
            columns.append(Column("at equal length", "share"))
        columns += [Column("prompts", "count"), Column("price an answer", "money"), Column("time", "seconds")]
        rows = []
        for row in sorted(self.rows, key=lambda row: -(row.standing.mean or 0.0)):
            cells: list[Figure] = [row.name, self._what(row), row.estimate]
            if row.estimate is None and self._is_baseline(row):
                cells[2] = 0.5
            if is_pairs:
                controlled = row.length_controlled
                cells.append(controlled.estimate if controlled is not None else cells[2])
            cells += [len(row.standing.by_prompt), row.standing.cost, row.standing.seconds]
            rows.append(tuple(cells))
        return Table("How good the answers are", tuple(columns), tuple(rows), self._table_note())

    def _what(self, row: Row) -> str:
        candidate = row.standing.candidate
        if self._is_baseline(row):
            return "baseline"
        if candidate.kind == "recipe" and len(self._grading.graded.recipes[candidate.name].layers) == 1:
            return "model"
        return _KINDS[candidate.kind]

    def _is_baseline(self, row: Row) -> bool:
        return self._grading.baseline is not None and row.name == self._grading.baseline.name

    def _table_note(self) -> str:
        notes = []
        baseline = self._grading.baseline
        if baseline is not None:
            notes.append(
                f"Each answer was compared with that of {baseline.name} in both orders; a tie is half a win."
            )
            notes.append(f"At equal length: {length_control.METHOD}.")
            if guessed := [row.name for row in self.rows if _is_extrapolated(row)]:
                notes.append(
                    f"Of {', '.join(guessed)} all answers are longer than the baseline's, or all shorter: "
                    "the rate at equal length is a guess."
                )
        notes.append(f"{bootstrap.METHOD[:1].upper()}{bootstrap.METHOD[1:]}.")
        if missing := [f"{row.name} {row.missing}" for row in self.rows if row.missing]:
            notes.append(f"Prompts without an answer to judge: {', '.join(missing)}.")
        return " ".join(notes)

    def _rating_tables(self) -> Iterator[Table]:
        """The ratings by category and by turn; the scores by skill."""
        if self._form == "ratings":
            categories = {
                prompt.id: str(prompt.row["category"])
                for prompt in self._grading.graded.prompts
                if prompt.row.get("category")
            }
            turns = max((score.turn for row in self.rows for score in row.scores), default=1)
            if turns > 1:
                yield self._groups("By turn", lambda score: [(f"turn {score.turn}", score.value)])
            if categories:
                yield self._groups(
                    "By category", lambda score: [(categories.get(score.prompt, "none"), score.value)]
                )
        elif self._form == "skills":
            yield self._groups("By skill", lambda score: list(score.skills.items()))

    def _groups(self, title: str, grouped: Any) -> Table:
        """The mean score of every candidate in each group."""
        groups: dict[str, dict[str, list[float]]] = {}
        for row in self.rows:
            for score in row.scores:
                for group, value in grouped(score):
                    if value is not None:
                        groups.setdefault(group, {}).setdefault(row.name, []).append(value)
        columns: tuple[Column | str, ...] = ("", *(Column(row.name, "number") for row in self.rows))
        rows = tuple(
            (group, *(_mean_known(groups[group].get(row.name, [])) for row in self.rows))
            for group in sorted(groups)
        )
        return Table(title, columns, rows)

    def _worth_table(self) -> Table:
        form, unit = self._form, points_in(self._form)
        points_kind: Any = "points" if form == "pairs" else "number"
        factor = 1.0 if form == "pairs" else unit
        share: Any = "share" if form == "pairs" else "number"
        rows = []
        notes = [
            f"No member wins: the share of prompts on which every member {self._loses}; no choice among "
            "their answers can win there (arXiv 2606.27288). Best choice: always the best of their answers.",
            "The best member is the best on these very prompts, which favours it a little.",
        ]
        for worth in self.worths:
            name = worth.mixture.candidate.name
            dollar, second = worth.per_dollar, worth.per_second
            best_choice = worth.best_choice if form == "pairs" else self._on_scale(worth.best_choice)
            rows.append(
                (
                    name,
                    worth.best.candidate.name.removeprefix(f"{name}/"),
                    worth.gain.estimate.times(factor),
                    worth.price_ratio,
                    dollar.times(unit) if dollar is not None else None,
                    second.times(unit) if second is not None else None,
                    worth.none_wins,
                    best_choice,
                )
            )
            notes += self._worth_notes(worth)
        columns = (
            "mixture",
            "best member",
            Column("gain, points", points_kind),
            Column("times its price", "number"),
            Column(f"points for $1 on {PER_ANSWERS:,} answers", "number"),
            Column("points a second", "number"),
            Column("no member wins", "share"),
            Column("best choice", share),
        )
        return Table("Is it worth it?", columns, tuple(rows), " ".join(notes))

    @property
    def _loses(self) -> str:
        if self._form == "pairs":
            return "loses"
        return f"is below {self._on_scale(0.5):g}"

    def _on_scale(self, value: float) -> float:
        least, most = SCALES[self._form]
        return least + value * (most - least)

    def _worth_notes(self, worth: Worth) -> Iterator[str]:
        name = worth.mixture.candidate.name
        if worth.filled_in:
            yield (
                f"{name}: {counted(worth.filled_in, 'answer')} that members did not give count with "
                "the member's own mean."
            )
        if worth.left_out:
            yield f"Not compared, for they answered too few prompts: {', '.join(worth.left_out)}."
        if unsettled := self._votes_unsettled.get(name):
            yield (
                f"{name} (vote): on {counted(unsettled, 'prompt')} there is no short answer to count, so the "
                "answer most like the others was taken."
            )
        graded = self._grading.graded
        if any(len(prompt.turns) > 1 for prompt in graded.prompts):
            yield "Members are judged on the first turn alone: their later ones follow the mixture's answers."

    def _plots(self) -> Iterator[Plot]:
        rated = [row for row in self.rows if row.standing.mean is not None]
        is_pairs = self._form == "pairs"
        y_label = "win rate" if is_pairs else f"mean of {SCALES[self._form][1]:g}"
        y_kind: Any = "share" if is_pairs else "number"

        def points(place: str) -> tuple[Point, ...]:
            return tuple(
                Point(
                    row.name,
                    getattr(row.standing, place),
                    self._on_scale(row.standing.mean or 0.0),
                    row.estimate.low if row.estimate is not None else None,
                    row.estimate.high if row.estimate is not None else None,
                )
                for row in rated
            )

        note = "Marked are those that no other beats in both (arXiv 2406.04692, figure 5)."
        prices, times = points("cost"), points("seconds")
        if any(point.x is not None for point in prices):
            yield Plot(
                f"{y_label[:1].upper()}{y_label[1:]} against price", "price an answer", y_label, prices,
                log_x=True, note=note, front=True, x_kind="money", y_kind=y_kind,
            )  # fmt: skip
        if any(point.x is not None for point in times):
            yield Plot(
                f"{y_label[:1].upper()}{y_label[1:]} against time", "seconds an answer", y_label, times,
                front=True, x_kind="seconds", y_kind=y_kind,
            )  # fmt: skip

    def _role_table(self, roles: Mapping[str, Mapping[str, float | None]]) -> Table:
        kind: Any = "share" if self._form == "pairs" else "number"
        columns = (
            "model",
            Column("alone", kind),
            Column("of mixtures it proposes in", kind),
            Column("of mixtures it aggregates", kind),
        )
        rows = tuple(
            (
                model,
                *(
                    _dash(None if own[role] is None else self._on_scale(own[role] or 0.0), own[role])
                    for role in ("alone", "proposer", "aggregator")
                ),
            )
            for model, own in roles.items()
        )
        return Table("Each model as proposer and as aggregator", columns, rows)

    def _likeness_table(self, likeness: Mapping[str, Estimate | None]) -> Table:
        rows = tuple((_MEASURE_NAMES[name], estimate) for name, estimate in likeness.items())
        return Table(
            "Is the answer most like its best member's?",
            ("likeness", Column("correlation with the member's score", "number")),
            rows,
            "Spearman's correlation within each prompt, over its members, then the mean over prompts (arXiv "
            f"2406.04692, section 3.3), of at most {_MOST_MEASURED} prompts a mixture.",
        )

    def _judge_table(self) -> Table:
        record, grading = self.record, self._grading
        rows: list[tuple[Figure, ...]] = [
            ("judge", grading.judge.name),
            ("its recipe and prompt", grading.judge_hash[:12]),
            ("judged", f"{record.judged:,} of {record.judgements:,}"),
            ("unreadable verdicts", f"{record.unreadable:,}"),
        ]
        if record.failures:
            rows.append(("failed", f"{sum(record.failures.values()):,}: {next(iter(record.failures))}"))
        if record.not_reached:
            rows.append(("not reached", f"{record.not_reached:,}"))
        if record.compared:
            same = record.consistent / record.compared
            rows.append(("same verdict in both orders", f"{same:.1%} of {record.compared:,}"))
            rows.append(("whoever stood first", f"{record.first / record.compared:.1%}"))
        return Table("The judge", ("", "what"), tuple(rows))

    # For programs

    def _data(
        self, roles: Mapping[str, Mapping[str, float | None]], likeness: Mapping[str, Estimate | None]
    ) -> dict[str, Any]:
        grading = self._grading
        return {
            "schema": 1,
            **grading.about(),
            "prompts": len(grading.graded.prompts),
            "judge_cost": self._judge_cost,
            "judgements": self.record,
            "candidates": [self._row_data(row) for row in self.rows],
            "worth": [self._worth_data(worth) for worth in self.worths],
            "roles": roles,
            "likeness": likeness,
            "notes": list(grading.graded.notes),
        }

    def _row_data(self, row: Row) -> dict[str, Any]:
        candidate, record = row.standing.candidate, record_of(row.scores)
        return {
            "name": candidate.name,
            "kind": candidate.kind,
            "recipe": candidate.recipe or None,
            "model": candidate.model or None,
            "score": row.estimate,
            "length_controlled": row.length_controlled,
            "judged": record.judged,
            "unreadable": record.unreadable,
            "missing": row.missing,
            "cost": row.standing.cost,
            "seconds": row.standing.seconds,
        }

    def _worth_data(self, worth: Worth) -> dict[str, Any]:
        recipe = worth.mixture.candidate.name
        choices = {
            kind: next((row.standing.mean for row in self._member_rows(recipe, kind)), None)
            for kind in ("vote", "rank")
        }
        return {
            "sentence": worth_sentence(worth, self._form),
            "mixture": recipe,
            "best_member": worth.best.candidate.name,
            "gain": worth.gain.estimate.times(points_in(self._form)),
            "gain_words": points_words(worth.gain.estimate.value, self._form, signed=True),
            "mixture_rate": worth.gain.mixture_rate,
            "best_rate": worth.gain.best_rate,
            **choices,
            "price_ratio": worth.price_ratio,
            "gain_per_dollar": worth.per_dollar,
            "gain_per_second": worth.per_second,
            "no_member_wins": worth.none_wins,
            "best_choice": worth.best_choice,
            "filled_in": worth.filled_in,
            "left_out": list(worth.left_out),
            "votes_unsettled": self._votes_unsettled.get(recipe, 0),
        }


def _length(candidate: Candidate, prompt: str) -> int:
    return sum(map(len, candidate.answers[prompt].turns))


def _is_extrapolated(row: Row) -> bool:
    return row.length_controlled is not None and row.length_controlled.is_extrapolated


def _mean_known(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _dash(value: float | None, given: float | None) -> Figure:
    """A figure, or a dash where a model has no such role."""
    return "–" if given is None else value
