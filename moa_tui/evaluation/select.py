"""A selection: what it takes, what its trials and the judge come to, and the recipe that is proposed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from moa_tui.engine.layer import Layer
from moa_tui.engine.likeness import cosine, vector
from moa_tui.engine.plan import ASSUMED_ANSWER_TOKENS, longest_answer, plan
from moa_tui.engine.recipe import Recipe
from moa_tui.engine.token_estimate import estimate_tokens
from moa_tui.engine.values import Reply
from moa_tui.engine.words import words
from moa_tui.errors import UsageError
from moa_tui.evaluation.grade import GRADES, Expected, Grading, expected_of, judge_jobs, opened
from moa_tui.evaluation.graded import Graded, outputs_candidate, reference_of
from moa_tui.evaluation.judging.prompts import pair_prompt
from moa_tui.evaluation.judging.scores import by_prompt, record_of
from moa_tui.evaluation.select_choice import DEFAULT_WEIGHT, Budget, Criteria, Option
from moa_tui.evaluation.select_trials import ROLES, candidate_name, candidates_of
from moa_tui.evaluation.win_rates import win_rate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.plan import ModelFacts
    from moa_tui.evaluation.bootstrap import Estimate
    from moa_tui.evaluation.judging.questions import Candidate
    from moa_tui.evaluation.judging.scores import JudgeRecord, Score
    from moa_tui.evaluation.select_choice import Choice
    from moa_tui.evaluation.select_trials import Answers, Contender, Role, Trials
    from moa_tui.evaluation.values import BulkPrompt

# Who answered fewer of the prompts is not chosen: what it does on the others is not known.
_LEAST_ANSWERED = 0.5


@dataclass(frozen=True)
class Selection:
    """Who is tried, who judges, against what, and what one answer of the recipe may take.

    `baseline` is what all answers are compared with: a candidate of the judge's, or the name of a contender,
    whose own answers are meant. `root` is the folder of all runs.
    """

    trials: Trials
    judge: Recipe
    baseline: Candidate | str
    root: Path
    input_sha256: str
    format: str
    budget: Budget = field(default_factory=Budget)
    weight: float = DEFAULT_WEIGHT

    def folder(self, role: Role) -> Path:
        """The run folder of a role."""
        return self.root / self.trials.folder_name(role, self.input_sha256)

    def grading(self, candidates: Mapping[Role, Sequence[Candidate]]) -> Grading:
        """The judge's part, with the answers in each role that there are."""
        everybody = [candidate for role in ROLES for candidate in candidates.get(role, ())]
        graded = Graded(self.trials.prompts, tuple(everybody), None, {}, {}, self.format)
        baseline = self.baseline
        if isinstance(baseline, str):
            baseline = next(each for each in candidates["alone"] if each.name == baseline)
        return Grading(graded, "pairs", self.judge, baseline, self.root / GRADES)

    @property
    def baseline_name(self) -> str:
        """The name of what answers are compared with."""
        return self.baseline if isinstance(self.baseline, str) else self.baseline.name


def baseline_of(trials: Trials, format: str, named: str | None) -> Candidate | str:
    """What answers are compared with: the candidate or the file of outputs that is named.

    Without a name the answers that an input of AlpacaEval brings along, else those of the first candidate.
    Raises UsageError, and FileError for a file that cannot be read.
    """
    names = [contender.name for contender in trials.contenders]
    if named is None:
        reference = reference_of(trials.prompts) if format == "alpaca-eval" else None
        return names[0] if reference is None else reference
    if named in names:
        return named
    if not Path(named).is_file():
        raise UsageError(f'there is no baseline "{named}": give a file of outputs, or one of {listed(names)}')
    candidate = outputs_candidate(Path(named), trials.prompts)
    if not candidate.answers:
        raise UsageError(
            f"{named} has an answer to none of these prompts, so nothing can be compared with it"
        )
    return candidate


def check_prices(selection: Selection, facts: Callable[[Agent], ModelFacts]) -> None:
    """Raise UsageError where a price is a budget and that of a candidate is not known."""
    if selection.budget.price is None:
        return
    unknown = [
        contender.name
        for contender in selection.trials.contenders
        if not (known := facts(contender.agent)).is_local
        and (known.prompt_price is None or known.completion_price is None)
    ]
    if unknown:
        raise UsageError(
            f"--price needs the price of every candidate, and that of {listed(unknown)} is not known: "
            "leave them out, or give a budget of calls with --calls"
        )


# What it takes


class AssumedAnswers:
    """The answers that are there, and in the place of the others some that are as long as they may be."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def reply(self, contender: Contender, prompt: BulkPrompt) -> Reply | None:
        """The answer of a candidate."""
        known = self._answers.reply(contender, prompt)
        return (
            known if known is not None else _assumed_reply(contender.agent.model, contender.agent.max_tokens)
        )

    def elsewhere(self, contender: Contender, prompt: BulkPrompt) -> Reply | None:
        """The answer of a candidate in another run folder; None where there is none."""
        return self._answers.elsewhere(contender, prompt)


def expected_stages(
    selection: Selection, answers: Answers, facts: Callable[[Agent], ModelFacts]
) -> dict[str, Expected]:
    """What is still to be asked, by what it is for, with every answer as long as it may be."""
    stages: dict[str, Expected] = {}
    known: dict[Role, list[Candidate]] = {}
    for role in ROLES:
        folder = opened(selection.folder(role))
        jobs = selection.trials.jobs(role, AssumedAnswers(answers))
        stages[role] = expected_of(jobs, folder, facts)
        if folder is not None:
            known[role] = candidates_of(selection.trials, role, folder, answers)
            folder.close()
    stages["judge"] = _expected_of_judge(selection, known, facts)
    return stages


def total_of(stages: Iterable[Expected]) -> Expected:
    """What all stages take together."""
    listed = [stage for stage in stages if stage.calls]
    costs = [stage.cost for stage in listed]
    known = [cost for cost in costs if cost is not None]
    cost = sum(known) if len(known) == len(costs) else None
    return Expected(
        sum(stage.calls for stage in listed), cost, bool(listed) and all(stage.is_local for stage in listed)
    )


def _expected_of_judge(
    selection: Selection, known: Mapping[Role, Sequence[Candidate]], facts: Callable[[Agent], ModelFacts]
) -> Expected:
    """The questions about answers that are there, and those about answers that are still to be made."""
    trials = selection.trials
    there = Expected(0, 0.0, is_local=False)
    compared: Counter[str] = Counter()
    if "alone" in known or not isinstance(selection.baseline, str):
        grading = selection.grading(known)
        folder = opened(grading.folder)
        there = expected_of(judge_jobs(grading, grading.graded.candidates), folder, facts)
        compared.update(each.prompt for each in grading.judgements(grading.graded.candidates))
    pairs = len(ROLES) * len(trials.contenders) - isinstance(selection.baseline, str)
    calls, costs, is_local = 0, [there.cost] if there.calls else [], True
    longest = max(longest_answer(contender.agent) for contender in trials.contenders)
    assumed = (_assumed_text(longest),)
    for prompt in trials.prompts:
        if missing := max(0, pairs - compared[prompt.id]):
            question = pair_prompt(prompt.turns, assumed, assumed)
            expected = plan(selection.judge, [{"role": "user", "content": question}], facts)
            calls += 2 * missing * expected.requests
            costs.append(None if expected.cost is None else 2 * missing * expected.cost)
            is_local = is_local and expected.is_local
    known_costs = [cost for cost in costs if cost is not None]
    is_local = is_local and (there.is_local or not there.calls)
    cost = sum(known_costs) if len(known_costs) == len(costs) else None
    return Expected(calls + there.calls, cost, is_local and calls + there.calls > 0)


@cache
def _assumed_reply(model: str, max_tokens: int | None) -> Reply:
    return Reply(model, model, "done", text=_assumed_text(max_tokens or ASSUMED_ANSWER_TOKENS), cost=0.0)


@cache
def _assumed_text(tokens: int) -> str:
    """A text of about so many tokens, of four characters each."""
    return "word " * (tokens * 4 // 5)


# What came of it


@dataclass(frozen=True)
class Row:
    """What the trials of a candidate came to.

    `scores` are by role and by the prompt's id, from 0 to 1; `prices` and `seconds` those of its call in a
    role on average, in US dollars, None where unknown. `tokens` is the length of its answers, on average.
    `answered` counts the prompts that it answered, `diversity` is its mean unlikeness to the others.
    """

    contender: Contender
    scores: Mapping[Role, Mapping[str, float]]
    prices: Mapping[Role, float | None]
    seconds: Mapping[Role, float | None]
    tokens: float
    answered: int
    diversity: float | None
    is_baseline: bool

    @property
    def name(self) -> str:
        """The name of the candidate."""
        return self.contender.name

    def rate(self, role: Role) -> Estimate | None:
        """The win rate in a role with its interval; None where nothing was judged."""
        return win_rate(list(self.scores[role].values()))


class SelectFigures:
    """The figures of a selection, from the answers in each role and the judge's scores."""

    def __init__(
        self,
        selection: Selection,
        candidates: Mapping[Role, Sequence[Candidate]],
        scores: Iterable[Score],
        facts: Callable[[Agent], ModelFacts],
    ) -> None:
        self.selection = selection
        self._facts = facts
        given = list(scores)
        self.record: JudgeRecord = record_of(given)
        by_name: dict[str, list[Score]] = {}
        for score in given:
            by_name.setdefault(score.candidate, []).append(score)
        alone = {each.name: each for each in candidates["alone"]}
        self.unlikeness = unlikeness_of(selection.trials.contenders, alone)
        self.rows = [
            self._row(contender, candidates, by_name, alone[contender.name])
            for contender in selection.trials.contenders
        ]

    def _row(
        self,
        contender: Contender,
        candidates: Mapping[Role, Sequence[Candidate]],
        scores: Mapping[str, list[Score]],
        own: Candidate,
    ) -> Row:
        name = contender.name
        in_role = {
            role: next(each for each in candidates[role] if each.name == candidate_name(name, role))
            for role in ROLES
        }
        others = [value for pair, value in self.unlikeness.items() if name in pair]
        lengths = [estimate_tokens(given.turns[0]) for given in own.answers.values()]
        return Row(
            contender,
            {role: by_prompt(scores.get(each.name, [])) for role, each in in_role.items()},
            {role: _mean([given.cost for given in each.answers.values()]) for role, each in in_role.items()},
            {
                role: _mean([given.seconds for given in each.answers.values()])
                for role, each in in_role.items()
            },
            sum(lengths) / len(lengths) if lengths else 0.0,
            len(own.answers),
            sum(others) / len(others) if others else None,
            self.selection.baseline == name,
        )

    def row(self, name: str) -> Row:
        """The row of a candidate."""
        return next(row for row in self.rows if row.name == name)

    def options(self) -> list[Option]:
        """The candidates, with a win rate in each role in which they answered half of the prompts or more."""
        return [
            Option(row.name, self._eligible(row, "as proposer"), self._eligible(row, "as aggregator"))
            for row in self.rows
        ]

    @property
    def undecided(self) -> str | None:
        """Why nobody can be chosen, in a clause; None where somebody can."""
        options = self.options()
        if not self.record.judged:
            return "nothing could be judged"
        if all(option.as_proposer is None for option in options):
            return "no candidate could be judged as proposer"
        if all(option.as_aggregator is None for option in options):
            return "no candidate could be judged as aggregator"
        return None

    def _eligible(self, row: Row, role: Role) -> float | None:
        judged = max((len(each.scores[role]) for each in self.rows), default=0)
        scores = row.scores[role]
        if not scores or len(scores) < _LEAST_ANSWERED * judged:
            return None
        return sum(scores.values()) / len(scores)

    def criteria(self) -> Criteria:
        """What decides besides the win rates."""
        return Criteria(self.unlikeness, self.price_of, self.selection.budget, self.selection.weight)

    def price_of(self, proposers: Sequence[str], aggregator: str) -> float | None:
        """What an answer of these should cost, in US dollars; None where that is unknown.

        It is what their calls cost in the trials; the aggregator is counted without the answers that it read
        there and would not read here.
        """
        writer = self.row(aggregator)
        prices = [self.row(name).prices["alone"] for name in proposers]
        price = writer.prices["as aggregator"]
        if price is None or None in prices:
            return None
        unread = sum(row.tokens for row in self.rows if row.name not in proposers)
        saved = unread * (self._facts(writer.contender.agent).prompt_price or 0.0)
        return max(0.0, price - saved) + sum(known for known in prices if known is not None)

    def seconds_of(self, choice: Choice) -> float | None:
        """How long an answer should take: the slowest proposer, and then the aggregator."""
        waits = [self.row(name).seconds["alone"] for name in choice.proposer_names]
        writing = self.row(choice.aggregator).seconds["as aggregator"]
        if writing is None or None in waits:
            return None
        return max(wait for wait in waits if wait is not None) + writing


def unlikeness_of(
    contenders: Sequence[Contender], alone: Mapping[str, Candidate]
) -> dict[tuple[str, str], float]:
    """How unlike the answers of each two candidates are, on average over the prompts that both answered.

    That is 1 less the cosine of their TF-IDF vectors, whose idf comes from a list that is shipped, so that it
    means the same on every prompt.
    """
    sums: dict[tuple[str, str], float] = {}
    counts: Counter[tuple[str, str]] = Counter()
    names = [contender.name for contender in contenders]
    prompts = dict.fromkeys(prompt for name in names for prompt in alone[name].answers)
    for prompt in prompts:
        vectors = {
            name: vector(words(alone[name].answers[prompt].turns[0]))
            for name in names
            if prompt in alone[name].answers
        }
        for pair in combinations(vectors, 2):
            sums[pair] = sums.get(pair, 0.0) + 1.0 - cosine(vectors[pair[0]], vectors[pair[1]])
            counts[pair] += 1
    return {pair: total / counts[pair] for pair, total in sums.items()}


def recipe_of(selection: Selection, choice: Choice, name: str, prompts_name: str) -> Recipe:
    """The recipe that is proposed."""
    known = {contender.name: contender for contender in selection.trials.contenders}

    def seat(contender_name: str) -> Agent:
        agent = known[contender_name].agent
        return agent if contender_name == agent.model else agent.model_copy(update={"name": contender_name})

    number = len(selection.trials.prompts)
    return Recipe(
        name=name,
        description=(
            f"Chosen from {len(known)} models by their win rates and diversity on {number} prompts of "
            f"{prompts_name}, judged by {selection.judge.name} against {selection.baseline_name}."
        ),
        layers=(
            Layer(agents=tuple(map(seat, choice.proposer_names))),
            Layer(agents=(seat(choice.aggregator),)),
        ),
        limits=selection.trials.limits,
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
