"""The report of a grading: one plain sentence first, then tables and plots, and all of it for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moa_tui.evaluation.grade_tables import grade_sections, grouped_scores
from moa_tui.evaluation.judging.scores import SCALES, record_of
from moa_tui.evaluation.report import Report
from moa_tui.evaluation.worth import few_words, judged_words, points_in, worth_sentence
from moa_tui.text.wording import counted

if TYPE_CHECKING:
    from moa_tui.evaluation.bootstrap import Estimate
    from moa_tui.evaluation.grade_figures import GradeFigures, Row
    from moa_tui.evaluation.worth import Worth

SCHEMA = 1
"""The number of the report's form for programs; it rises with a change in the names of fields."""
_TIE = 0.5


def grade_report(figures: GradeFigures) -> Report:
    """The report of a grading."""
    grading = figures.grading
    title = f"{counted(len(grading.graded.prompts), 'prompt')}, judged by {grading.judge.name}"
    return Report(title, _sentence(figures), tuple(grade_sections(figures)), _data(figures))


def _sentence(figures: GradeFigures) -> str:
    """The one plain sentence that comes first."""
    form = figures.grading.form
    rated = [(row, row.estimate) for row in figures.rows if row.estimate is not None]
    if figures.worths:
        best_worth = max(figures.worths, key=lambda worth: worth.gain.mixture_rate)
        sentence = worth_sentence(best_worth, form, len(figures.grading.graded.prompts))
    elif rated:
        sentence = _standing_sentence(figures, *max(rated, key=lambda pair: pair[1].value))
    else:
        sentence = _nothing_judged(figures)
    return f"{sentence[:1].upper()}{sentence[1:]}."


def _standing_sentence(figures: GradeFigures, row: Row, estimate: Estimate) -> str:
    form, baseline = figures.grading.form, figures.grading.baseline
    prompts = judged_words(estimate.prompts, len(figures.grading.graded.prompts))
    if baseline is not None:
        interval = f"({estimate.low * 100:.1f} to {estimate.high * 100:.1f})"
        told = "" if estimate.low > _TIE or estimate.high < _TIE else ", so no difference can be told"
        won = f"{row.name} won {estimate.value * 100:.1f} % {interval} against {baseline.name}"
        return f"{prompts} {won}{told}{few_words(estimate.prompts)}"
    interval = f"({estimate.low:.2f} to {estimate.high:.2f})"
    given = f"{row.name} was given {estimate.value:.2f} {interval} of {SCALES[form][1]:g}"
    return f"{prompts} {given}{few_words(estimate.prompts)}"


def _nothing_judged(figures: GradeFigures) -> str:
    record, judge = figures.record, figures.grading.judge.name
    if record.unreadable:
        return (
            f"nothing could be judged: {counted(record.unreadable, 'verdict')} of {judge} cannot be read, "
            "and none was guessed; choose another judge"
        )
    if record.failures:
        return f"nothing could be judged: {judge} {next(iter(record.failures))}"
    return "nothing was judged yet"


def _data(figures: GradeFigures) -> dict[str, Any]:
    """The report for programs: costs in US dollars, times in seconds, scores on the scale of the form."""
    grading = figures.grading
    return {
        "schema": SCHEMA,
        **grading.about(),
        "scale": list(SCALES[grading.form]),
        "prompts": len(grading.graded.prompts),
        "judge_cost": figures.judge_cost,
        "judgements": figures.record,
        "candidates": [_row_data(row) for row in figures.rows],
        "groups": grouped_scores(figures),
        "worth": [_worth_data(figures, worth) for worth in figures.worths],
        "roles": figures.roles,
        "likeness": figures.likeness,
        "notes": list(grading.graded.notes),
    }


def _row_data(row: Row) -> dict[str, Any]:
    candidate, record = row.standing.candidate, record_of(row.scores)
    return {
        "name": candidate.name,
        "kind": candidate.kind,
        "recipe": candidate.recipe or None,
        "model": candidate.model or None,
        "samples": len(row.samples),
        "score": row.estimate,
        "length_controlled": row.length_controlled,
        "judged": record.judged,
        "unreadable": record.unreadable,
        "missing": row.missing,
        "consistent": record.consistent,
        "compared": record.compared,
        "cost": row.standing.cost,
        "seconds": row.standing.seconds,
    }


def _worth_data(figures: GradeFigures, worth: Worth) -> dict[str, Any]:
    """What one mixture is worth; rates are from 0 to 1, gains in the points of the form."""
    form, recipe = figures.grading.form, worth.mixture.candidate.name
    points = points_in(form)
    dollar, second = worth.per_dollar, worth.per_second
    return {
        "sentence": worth_sentence(worth, form, len(figures.grading.graded.prompts)),
        "mixture": recipe,
        "best_member": worth.best.candidate.name,
        "gain": worth.gain.estimate.times(points),
        "mixture_rate": worth.gain.mixture_rate,
        "best_rate": worth.gain.best_rate,
        "vote_rate": next((row.standing.mean for row in figures.rows_of(recipe, "vote")), None),
        "rank_rate": next((row.standing.mean for row in figures.rows_of(recipe, "rank")), None),
        "price_ratio": worth.price_ratio,
        "gain_per_dollar_of_1000_answers": dollar.times(points) if dollar is not None else None,
        "gain_per_second": second.times(points) if second is not None else None,
        "no_member_wins": worth.none_wins,
        "best_choice": worth.best_choice,
        "filled_in": worth.filled_in,
        "unsure": worth.unsure,
        "left_out": list(worth.left_out),
        "votes_unsettled": figures.votes_unsettled.get(recipe, 0),
    }
