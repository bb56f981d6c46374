"""The tables and plots of a grading's report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moa_tui.evaluation import bootstrap, length_control
from moa_tui.evaluation.grade_figures import MOST_MEASURED
from moa_tui.evaluation.judging.scores import SCALES
from moa_tui.evaluation.report import Column, Plot, Point, Table
from moa_tui.evaluation.worth import PER_ANSWERS, points_in
from moa_tui.text.wording import counted, money

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moa_tui.evaluation.grade_figures import GradeFigures, Row
    from moa_tui.evaluation.report import Figure, Kind
    from moa_tui.evaluation.worth import Worth

_WHAT = {"recipe": "mixture", "member": "member", "vote": "vote", "rank": "ranker", "outputs": "file"}
_MEASURE_NAMES = {"bleu": "BLEU", "tfidf": "TF-IDF", "levenshtein": "Levenshtein"}
_NONE = "–"


def grade_sections(figures: GradeFigures) -> Iterator[Table | Plot]:
    """Everything below the sentence, in order."""
    tables = _Tables(figures)
    yield tables.standings()
    yield from tables.groups()
    if figures.worths:
        yield tables.worth()
    yield from tables.plots()
    if figures.roles:
        yield tables.roles()
    if any(estimate is not None for estimate in figures.likeness.values()):
        yield tables.likeness()
    yield tables.judge()


def grouped_scores(figures: GradeFigures) -> dict[str, dict[str, dict[str, float]]]:
    """The mean scores of each candidate by turn and category, or by skill, where the form has such groups."""
    form, prompts = figures.grading.form, figures.grading.graded.prompts
    categories = {prompt.id: str(prompt.row["category"]) for prompt in prompts if prompt.row.get("category")}
    groups: dict[str, dict[str, dict[str, list[float]]]] = {}

    def add(title: str, group: str, row: Row, value: float | None) -> None:
        if value is not None:
            groups.setdefault(title, {}).setdefault(group, {}).setdefault(row.name, []).append(value)

    has_turns = any(score.turn > 1 for row in figures.rows for score in row.scores)
    for row in figures.rows:
        for score in row.scores:
            for skill, value in score.skills.items():
                add("By skill", skill, row, value)
            if form == "ratings" and has_turns:
                add("By turn", f"turn {score.turn}", row, score.value)
            if form != "skills" and score.prompt in categories:
                add("By category", categories[score.prompt], row, score.value)
    return {
        title: {
            group: {name: sum(values) / len(values) for name, values in own[group].items()}
            for group in sorted(own)
        }
        for title, own in groups.items()
    }


class _Tables:
    """Makes the tables and plots of one grading."""

    def __init__(self, figures: GradeFigures) -> None:
        self._figures = figures
        self._form = figures.grading.form
        self._is_pairs = self._form == "pairs"
        self._score_kind: Kind = "share" if self._is_pairs else "number"
        self._score_name = "win rate" if self._is_pairs else f"mean of {SCALES[self._form][1]:g}"

    def _on_scale(self, value: float) -> float:
        """A score from 0 to 1 on the scale of the form."""
        least, most = SCALES[self._form]
        return least + value * (most - least)

    # How good the answers are

    def standings(self) -> Table:
        """Everybody, the best first."""
        columns: list[Column | str] = ["who", "what", Column(self._score_name, self._score_kind)]
        if self._is_pairs:
            columns.append(Column("at equal length", "share"))
        columns += [Column("prompts", "count"), Column("price an answer", "money"), Column("time", "seconds")]
        rows = []
        for row in sorted(self._figures.rows, key=lambda row: -(row.standing.mean or 0.0)):
            score: Figure = 0.5 if self._is_baseline(row) else row.estimate
            cells: list[Figure] = [row.name, self._what(row), score]
            if self._is_pairs:
                controlled = row.length_controlled
                cells.append(controlled.estimate if controlled is not None else score)
            cells += [len(row.standing.by_prompt), row.standing.cost, row.standing.seconds]
            rows.append(tuple(cells))
        note = " ".join(self._standing_notes())
        return Table("How good the answers are", tuple(columns), tuple(rows), note)

    def _what(self, row: Row) -> str:
        candidate = row.standing.candidate
        if self._is_baseline(row):
            return "baseline"
        if len(row.samples) > 1:
            return f"{_WHAT[candidate.kind]}, {len(row.samples)} samples"
        recipes = self._figures.grading.graded.recipes
        if candidate.kind == "recipe" and len(recipes[candidate.name].layers) == 1:
            return "model"
        return _WHAT[candidate.kind]

    def _is_baseline(self, row: Row) -> bool:
        baseline = self._figures.grading.baseline
        return baseline is not None and row.name == baseline.name

    def _standing_notes(self) -> Iterator[str]:
        rows, baseline = self._figures.rows, self._figures.grading.baseline
        if baseline is not None:
            yield f"Each answer was compared with {baseline.name}'s in both orders; a tie is half a win."
            yield f"At equal length: {length_control.METHOD}."
            controlled = [(row.name, row.length_controlled) for row in rows]
            guesses = [name for name, rate in controlled if rate is not None and rate.is_extrapolated]
            if guesses:
                yield (
                    f"Of {', '.join(guesses)} all answers are longer than the baseline's, or all shorter: "
                    "the rate at equal length is a guess."
                )
        yield f"{bootstrap.METHOD[:1].upper()}{bootstrap.METHOD[1:]}."
        if missing := [f"{row.name} {row.missing}" for row in rows if row.missing]:
            yield f"Prompts without two answers to compare, or one to judge: {', '.join(missing)}."

    def groups(self) -> Iterator[Table]:
        """The scores by turn, category or skill."""
        columns = tuple(Column(row.name, self._score_kind) for row in self._figures.rows)
        for title, groups in grouped_scores(self._figures).items():
            rows = tuple(
                (group, *(own.get(row.name, _NONE) for row in self._figures.rows))
                for group, own in groups.items()
            )
            yield Table(title, ("", *columns), rows)

    # Is it worth it?

    def worth(self) -> Table:
        """What each mixture gains over its best member."""
        columns: tuple[Column | str, ...] = (
            "mixture",
            "best member",
            Column("gain, points", "points" if self._is_pairs else "number"),
            Column("times its price", "number"),
            Column("per $1", "number"),
            Column("per second", "number"),
            Column("no member wins", "share"),
            Column("best choice", self._score_kind),
        )
        loses = "loses" if self._is_pairs else f"is below {self._on_scale(0.5):g}"
        notes = [
            f"Per $1: points for each dollar that {PER_ANSWERS:,} answers cost more than the best member's. "
            "Per second: for each second that an answer takes longer. "
            f"No member wins: the share of prompts on which every member {loses}; no choice among their "
            "answers can win there (arXiv 2606.27288). Best choice: always the best of their answers, as "
            "this judge saw them. The best member is the best on these very prompts, which favours it a "
            "little.",
            *(note for worth in self._figures.worths for note in self._worth_notes(worth)),
        ]
        rows = tuple(map(self._worth_row, self._figures.worths))
        return Table("Is it worth it?", columns, rows, " ".join(notes))

    def _worth_row(self, worth: Worth) -> tuple[Figure, ...]:
        points = points_in(self._form)
        mixture, best = worth.mixture, worth.best
        costs_nothing = mixture.cost == 0 == best.cost
        dollar, second = worth.per_dollar, worth.per_second
        extra_cost, extra_seconds = worth.extra_cost, worth.extra_seconds
        return (
            mixture.candidate.name,
            best.candidate.name.removeprefix(f"{mixture.candidate.name}/"),
            worth.gain.estimate.times(1.0 if self._is_pairs else points),
            "both $0" if costs_nothing else worth.price_ratio,
            dollar.value * points if dollar else None if extra_cost is None else _NONE,
            second.value * points if second else None if extra_seconds is None else _NONE,
            worth.none_wins or _NONE,
            _NONE if worth.best_choice is None else self._on_scale(worth.best_choice),
        )

    def _worth_notes(self, worth: Worth) -> Iterator[str]:
        name = worth.mixture.candidate.name
        if worth.filled_in:
            scores = counted(worth.filled_in, "score")
            verb = "counts" if worth.filled_in == 1 else "count"
            yield (
                f"{name}: {scores} that members do not have, for want of an answer or a verdict, {verb} as "
                "the member's own mean."
            )
        if worth.unsure:
            yield (
                f"{name}: {counted(worth.unsure, 'prompt')} on which a verdict on a member is missing "
                f"{'is' if worth.unsure == 1 else 'are'} left out of what no member wins and the best choice."
            )
        if worth.left_out:
            yield f"Not compared, for they have a score on too few prompts: {', '.join(worth.left_out)}."
        if unsettled := self._figures.votes_unsettled.get(name):
            yield (
                f"{name} (vote): on {counted(unsettled, 'prompt')} no short answer is given by most, so the "
                "one most like the others was taken."
            )
        if any(len(prompt.turns) > 1 for prompt in self._figures.grading.graded.prompts):
            yield "Members are judged on the first turn alone: their later ones follow the mixture's answers."

    # Plots

    def plots(self) -> Iterator[Plot]:
        """The scores against price and time."""
        title = f"{self._score_name[:1].upper()}{self._score_name[1:]}"
        prices, times = self._points("cost"), self._points("seconds")
        note = "As in arXiv 2406.04692, figure 5."
        if any(point.x is not None for point in prices):
            yield Plot(
                f"{title} against price",
                "price an answer",
                self._score_name,
                prices,
                log_x=True,
                note=note,
                front=True,
                x_kind="money",
                y_kind=self._score_kind,
            )
        if any(point.x is not None for point in times):
            yield Plot(
                f"{title} against time",
                "seconds an answer",
                self._score_name,
                times,
                front=True,
                x_kind="seconds",
                y_kind=self._score_kind,
            )

    def _points(self, x: str) -> tuple[Point, ...]:
        return tuple(
            Point(
                row.name,
                getattr(row.standing, x),
                self._on_scale(row.standing.mean),
                row.estimate.low if row.estimate is not None else None,
                row.estimate.high if row.estimate is not None else None,
            )
            for row in self._figures.rows
            if row.standing.mean is not None
        )

    # Models by role, likeness, and the judge

    def roles(self) -> Table:
        """How each model does alone, as proposer and as aggregator."""
        columns: tuple[Column | str, ...] = (
            "model",
            Column("alone", self._score_kind),
            Column("of mixtures it proposes in", self._score_kind),
            Column("of mixtures it aggregates", self._score_kind),
        )
        rows = tuple(
            (model, *(_NONE if value is None else self._on_scale(value) for value in roles.values()))
            for model, roles in self._figures.roles.items()
        )
        return Table("Each model as proposer and as aggregator", columns, rows)

    def likeness(self) -> Table:
        """Whether the final answers are most like those of the best members."""
        rows = tuple((_MEASURE_NAMES[name], estimate) for name, estimate in self._figures.likeness.items())
        return Table(
            "Is the answer most like its best member's?",
            ("likeness", Column("correlation with the member's score", "number")),
            rows,
            "Spearman's correlation within each prompt, over its members, and the mean of it over prompts "
            f"(arXiv 2406.04692, section 3.3), of the first {MOST_MEASURED} of a mixture.",
        )

    def judge(self) -> Table:
        """Who judged, and how well that went."""
        record, grading = self._figures.record, self._figures.grading
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
            same, first = record.consistent / record.compared, record.first / record.compared
            rows.append(("same verdict in both orders", f"{same:.1%} of {record.compared:,}"))
            rows.append(("for whoever stood first", f"{first:.1%}"))
        rows.append(("price of judging", money(self._figures.judge_cost)))
        return Table("The judge", ("", "what"), tuple(rows))
