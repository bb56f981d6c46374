"""The report of a selection: what is proposed, how sure that is, and how each candidate did in each role."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moa_tui.evaluation.report import Column, Plot, Point, Report, Table, written
from moa_tui.evaluation.select import listed
from moa_tui.evaluation.select_choice import not_told_apart
from moa_tui.evaluation.select_trials import ROLES
from moa_tui.text.wording import counted, money

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moa_tui.evaluation.report import Figure
    from moa_tui.evaluation.select import Row, SelectFigures
    from moa_tui.evaluation.select_choice import Choice
    from moa_tui.evaluation.select_trials import Role

SCHEMA = 1
"""The number of the report's form for programs; it rises with a change in the names of fields."""

# A rate so near to the end of the scale tells candidates apart no more.
_NEAR_END = 0.95


def select_report(figures: SelectFigures, choice: Choice) -> Report:
    """The report of a selection."""
    selection = figures.selection
    prompts = len(selection.trials.prompts)
    title = (
        f"{counted(len(figures.rows), 'candidate')} on {counted(prompts, 'prompt')}, "
        f"judged by {selection.judge.name} against {selection.baseline_name}"
    )
    alike = Alike(figures, choice)
    notes = _notes(figures)
    sections: list[Table | Plot] = [_candidates(figures, notes), _choice(figures, choice), _roles(figures)]
    if len(figures.rows) > 2:
        sections.append(_unlikeness(figures))
    sentence = " ".join([_sentence(figures, choice), *alike.sentences])
    return Report(title, sentence, tuple(sections), _data(figures, choice, notes, alike))


def _sentence(figures: SelectFigures, choice: Choice) -> str:
    """The one plain sentence that comes first."""
    prompts = len(figures.selection.trials.prompts)
    if choice.price is None:
        price = "at a price that is unknown"
    else:
        price = f"for about {money(choice.price)} an answer" if choice.price else "that cost nothing"
    seconds = figures.seconds_of(choice)
    time = "" if seconds is None else f", in about {written(seconds, 'seconds')}"
    return (
        f"Proposed from {'this prompt' if prompts == 1 else f'these {prompts} prompts'}: "
        f"{listed(choice.proposer_names)} as {'proposer' if len(choice.proposers) == 1 else 'proposers'} and "
        f"{choice.aggregator} as aggregator, {choice.calls} calls {price}{time}."
    )


class Alike:
    """Who cannot be told apart from those that were chosen."""

    def __init__(self, figures: SelectFigures, choice: Choice) -> None:
        options = figures.options()
        by_role = {role: {row.name: row.scores[role] for row in figures.rows} for role in ROLES}
        writers = [each.name for each in options if each.as_aggregator is not None]
        self.aggregators = not_told_apart(
            choice.aggregator,
            [name for name in writers if name != choice.aggregator],
            by_role["as aggregator"],
        )
        left_out = [
            each.name
            for each in options
            if each.as_proposer is not None and each.name not in choice.proposer_names
        ]
        # One that was left out belongs here where it may be as good as any of those that were chosen.
        close = {
            name
            for chosen in choice.proposer_names
            for name in not_told_apart(chosen, left_out, by_role["as proposer"])
        }
        self.proposers = [name for name in left_out if name in close]
        self._choice = choice
        self._prompts = len(figures.selection.trials.prompts)

    @property
    def sentences(self) -> list[str]:
        """What of the choice may be chance, in sentences."""
        number = self._prompts
        prompts = "on this one prompt" if number == 1 else f"on these {number} prompts"
        said = []
        if self.aggregators:
            said.append(
                f"As aggregator {self._choice.aggregator} cannot be told apart from "
                f"{listed(self.aggregators)} {prompts}."
            )
        if self.proposers:
            number = len(self._choice.proposers)
            chosen = "the one that was chosen" if number == 1 else "one or more that were chosen"
            said.append(f"As proposer {listed(self.proposers)} cannot be told apart from {chosen} {prompts}.")
        return said


def _notes(figures: SelectFigures) -> list[str]:
    """What is to be known of the figures, in sentences."""
    selection = figures.selection
    total = len(selection.trials.prompts)
    notes = []
    for row in figures.rows:
        if row.answered < total:
            notes.append(
                f"{row.name} answered {row.answered} of {total} prompts: its figures are from those."
            )
    models = {agent.model for agent in selection.judge.every_agent()}
    if judges := [row.name for row in figures.rows if row.contender.agent.model in models]:
        verb = "is" if len(judges) == 1 else "are"
        notes.append(
            f"{listed(judges)} {verb} judged by the same model: models tend to prefer their own answers "
            "(arXiv 2404.13076), so these rates may be too high."
        )
    if figures.record.unreadable:
        verdicts = counted(figures.record.unreadable, "verdict")
        notes.append(
            f"{verdicts} could not be read and {'was' if verdicts[:2] == '1 ' else 'were'} not guessed."
        )
    for role in ROLES[1:]:
        rates = [
            sum(row.scores[role].values()) / len(row.scores[role]) for row in figures.rows if row.scores[role]
        ]
        if rates and min(rates) >= _NEAR_END:
            notes.append(f"Nearly all won {role}: a stronger --baseline would tell them apart.")
        elif rates and max(rates) <= 1 - _NEAR_END:
            notes.append(f"Nearly all lost {role}: a weaker --baseline would tell them apart.")
    return notes


def _candidates(figures: SelectFigures, notes: Sequence[str]) -> Table:
    columns = (
        "model",
        Column("alone", "share"),
        Column("as proposer", "share"),
        Column("as aggregator", "share"),
        Column("diversity", "number"),
        Column("price", "money"),
        Column("time", "seconds"),
    )
    rows = tuple(_candidate_cells(figures, row) for row in figures.rows)
    method = (
        f"Win rates against {figures.selection.baseline_name} with 95 % intervals, each pair judged in both "
        f"orders; as proposer with {figures.selection.trials.aggregator.name} writing the answer, as "
        "aggregator with the answers of all. Diversity: mean unlikeness to the others. Price and time of an "
        "answer of its own."
    )
    return Table("Candidates", columns, rows, " ".join([method, *notes]))


def _candidate_cells(figures: SelectFigures, row: Row) -> tuple[Figure, ...]:
    rates: list[Figure] = [row.rate(role) for role in ROLES]
    if row.is_baseline:
        rates[0] = "baseline"
    diversity = None if row.diversity is None else round(row.diversity, 2)
    return (row.name, *rates, diversity, row.prices["alone"], row.seconds["alone"])


def _choice(figures: SelectFigures, choice: Choice) -> Table:
    rows: list[tuple[Figure, ...]] = [
        (
            proposer.name,
            "proposer",
            proposer.win_rate,
            "first" if proposer.diversity is None else f"{proposer.diversity:.2f}",
            f"{proposer.score:.3f}",
        )
        for proposer in choice.proposers
    ]
    rows.append((choice.aggregator, "aggregator", choice.aggregator_rate, "", ""))
    selection = figures.selection
    note = (
        f"Within {selection.budget.words}. Score: win rate as proposer plus {selection.weight:g} times the "
        "mean unlikeness to the proposers above it. The recipe itself was not tried: batch and grade do that."
    )
    columns = ("model", "role", Column("win rate", "share"), "diversity", "score")
    return Table("Proposed recipe", columns, tuple(rows), note)


def _roles(figures: SelectFigures) -> Plot:
    points = []
    for row in figures.rows:
        proposer, aggregator = row.rate("as proposer"), row.rate("as aggregator")
        points.append(
            Point(
                row.name,
                None if proposer is None else proposer.value,
                None if aggregator is None else aggregator.value,
                None if aggregator is None else aggregator.low,
                None if aggregator is None else aggregator.high,
            )
        )
    return Plot(
        "Roles",
        "win rate as proposer",
        "win rate as aggregator",
        tuple(points),
        note="Models may be good in one role and not in the other (arXiv 2406.04692, table 4).",
        x_kind="share",
        y_kind="share",
    )


def _unlikeness(figures: SelectFigures) -> Table:
    names = [row.name for row in figures.rows]
    criteria = figures.criteria()
    rows = tuple(
        (name, *("" if name == other else f"{criteria.difference(name, other):.2f}" for other in names))
        for name in names
    )
    return Table(
        "Unlikeness",
        ("", *names),
        rows,
        "1 less the cosine of the TF-IDF vectors of two answers, on average: 0 is the same words.",
    )


def _data(figures: SelectFigures, choice: Choice, notes: Sequence[str], alike: Alike) -> dict[str, Any]:
    """The report for programs: shares from 0 to 1, costs in US dollars, times in seconds."""
    selection = figures.selection
    return {
        "schema": SCHEMA,
        "judge": selection.judge.name,
        "baseline": selection.baseline_name,
        "prompts": len(selection.trials.prompts),
        "trial_aggregator": selection.trials.aggregator.name,
        "weight": selection.weight,
        "budget": selection.budget,
        "choice": {
            "proposers": choice.proposers,
            "aggregator": choice.aggregator,
            "aggregator_rate": choice.aggregator_rate,
            "calls": choice.calls,
            "price": choice.price,
            "seconds": figures.seconds_of(choice),
        },
        "not_told_apart": {"proposers": alike.proposers, "aggregators": alike.aggregators},
        "candidates": [_row_data(row) for row in figures.rows],
        "unlikeness": [
            {"models": list(pair), "unlikeness": value} for pair, value in figures.unlikeness.items()
        ],
        "judgements": figures.record,
        "notes": [*notes, *alike.sentences],
    }


def _row_data(row: Row) -> dict[str, Any]:
    rates: dict[Role, Any] = {role: row.rate(role) for role in ROLES}
    return {
        "name": row.name,
        "model": row.contender.agent.model,
        "is_baseline": row.is_baseline,
        "answered": row.answered,
        **{role.replace(" ", "_"): rate for role, rate in rates.items()},
        "diversity": row.diversity,
        "prices": {role.replace(" ", "_"): row.prices[role] for role in ROLES},
        "seconds": {role.replace(" ", "_"): row.seconds[role] for role in ROLES},
    }
