"""The choice of proposers and an aggregator from how each candidate did in trials. Pure.

The paper names two criteria for who sits in a layer (arXiv 2406.04692, section 2.2): how well a model does,
as its win rate, and how much its answers differ from the others'. Proposers are chosen one after another:
always the one with the highest win rate as a proposer, plus a weight times its diversity, the mean
unlikeness to those chosen before. The aggregator is the one with the highest win rate as an aggregator that
leaves room for proposers in the budget.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from moa_tui.errors import UsageError
from moa_tui.evaluation.win_rates import gain
from moa_tui.text.wording import counted, money

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from moa_tui.evaluation.bootstrap import Estimate

DEFAULT_WEIGHT = 0.5
"""The weight of diversity where nothing else is said: wholly other words are worth 50 points of win rate.

Below 1, since a mixture depends more on how good its answers are than on how much they differ (arXiv
2502.00674).
"""
DEFAULT_CALLS = 4
"""The calls of an answer where no budget is given: three proposers and the aggregator."""
LEAST_CALLS = 2
"""A proposer and the aggregator."""

# Below two proposers nothing is mixed; one is chosen only where the budget has no room for more.
_LEAST_PROPOSERS = 2
# Scores that differ by less are equal; sums of shares are not exact.
_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Option:
    """A candidate: its win rates, from 0 to 1, in the two roles; None in one that it cannot have."""

    name: str
    as_proposer: float | None
    as_aggregator: float | None


@dataclass(frozen=True, slots=True)
class Budget:
    """What one answer may take: so many calls, and so many US dollars; None is no limit."""

    calls: int | None = DEFAULT_CALLS
    price: float | None = None

    @property
    def words(self) -> str:
        """The budget as a clause."""
        parts = [] if self.calls is None else [counted(self.calls, "call")]
        parts += [] if self.price is None else [money(self.price)]
        return f"{' and '.join(parts) or 'any price'} an answer"


@dataclass(frozen=True, slots=True)
class ChosenProposer:
    """A proposer with what spoke for it.

    `diversity` is its mean unlikeness to those chosen before, None for the first; `score` is the win rate
    plus the weighted diversity.
    """

    name: str
    win_rate: float
    diversity: float | None
    score: float


@dataclass(frozen=True, slots=True)
class Choice:
    """Who is proposed for which role. `price` is that of an answer in US dollars, None where unknown."""

    aggregator: str
    aggregator_rate: float
    proposers: tuple[ChosenProposer, ...]
    price: float | None

    @property
    def calls(self) -> int:
        """The calls of an answer."""
        return len(self.proposers) + 1

    @property
    def proposer_names(self) -> tuple[str, ...]:
        """The names of the proposers, in the order in which they were chosen."""
        return tuple(proposer.name for proposer in self.proposers)


@dataclass(frozen=True, slots=True)
class Criteria:
    """What decides besides win rates.

    `unlikeness` is that of each pair of names, in either order, from 0 to 1; a pair that was never compared
    counts as alike. `price_of` gives what an answer of these proposers and this aggregator costs in US
    dollars, None where that is unknown.
    """

    unlikeness: Mapping[tuple[str, str], float]
    price_of: Callable[[Sequence[str], str], float | None]
    budget: Budget = Budget()
    weight: float = DEFAULT_WEIGHT

    def difference(self, name: str, other: str) -> float:
        """How unlike the answers of two candidates are."""
        pair = (name, other)
        return self.unlikeness.get(pair, self.unlikeness.get((other, name), 0.0))

    def fits(self, proposers: Sequence[str], aggregator: str) -> bool:
        """True where the budget has room for these; what has no known price fits no price."""
        budget = self.budget
        if budget.calls is not None and len(proposers) + 1 > budget.calls:
            return False
        if budget.price is None:
            return True
        price = self.price_of(proposers, aggregator)
        return price is not None and round(price - budget.price, _DIGITS + 3) <= 0


def choose(options: Sequence[Option], criteria: Criteria) -> Choice:
    """The proposers and the aggregator. Candidates that are equal are taken cheapest first, then in order.

    Raises UsageError where nobody can have one of the roles, or the budget is too small for any two.
    """
    proposers = [option for option in options if option.as_proposer is not None]
    aggregators = [option for option in options if option.as_aggregator is not None]
    if not proposers or not aggregators:
        role = "proposer" if not proposers else "aggregator"
        raise UsageError(f"nobody can be chosen: no candidate has a win rate as {role}")
    by_rate = sorted(
        aggregators,
        key=lambda option: (
            -round(option.as_aggregator or 0.0, _DIGITS),
            _or_inf(criteria.price_of((), option.name)),
        ),
    )
    for least in range(min(_LEAST_PROPOSERS, len(proposers)), 0, -1):
        for aggregator in by_rate:
            if criteria.fits(_cheapest(least, (), proposers, aggregator.name, criteria), aggregator.name):
                chosen = _proposers(proposers, aggregator.name, least, criteria)
                names = [each.name for each in chosen]
                price = criteria.price_of(names, aggregator.name)
                return Choice(aggregator.name, aggregator.as_aggregator or 0.0, tuple(chosen), price)
    raise UsageError(_too_small(proposers, aggregators, criteria))


def _proposers(
    options: Sequence[Option], aggregator: str, least: int, criteria: Criteria
) -> list[ChosenProposer]:
    """The proposers, as many as there is room for; at least `least`, for which there is."""
    chosen: list[ChosenProposer] = []
    waiting = list(options)
    while waiting:
        names = [each.name for each in chosen]
        fitting = []
        for option in waiting:
            others = [other for other in waiting if other is not option]
            taken = (*names, option.name)
            # A dear one must not take the room of those that are needed beside it.
            needed = max(0, least - len(taken))
            if criteria.fits(_cheapest(needed, taken, others, aggregator, criteria), aggregator):
                fitting.append((_scored(option, names, criteria), option))
        if not fitting:
            break
        best, option = min(
            fitting,
            key=lambda pair: (
                -round(pair[0].score, _DIGITS),
                _or_inf(criteria.price_of((pair[0].name,), aggregator)),
            ),
        )
        chosen.append(best)
        waiting.remove(option)
    return chosen


def _scored(option: Option, chosen: Sequence[str], criteria: Criteria) -> ChosenProposer:
    rate = option.as_proposer or 0.0
    if not chosen:
        return ChosenProposer(option.name, rate, None, rate)
    diversity = sum(criteria.difference(option.name, name) for name in chosen) / len(chosen)
    return ChosenProposer(option.name, rate, diversity, rate + criteria.weight * diversity)


def _cheapest(
    number: int, taken: Sequence[str], options: Iterable[Option], aggregator: str, criteria: Criteria
) -> list[str]:
    """Those taken, and the `number` cheapest of the options beside them."""
    names = [option.name for option in options]
    names.sort(key=lambda name: _or_inf(criteria.price_of((name,), aggregator)))
    return [*taken, *names[:number]]


def _too_small(proposers: Sequence[Option], aggregators: Sequence[Option], criteria: Criteria) -> str:
    pairs = [
        (price, proposer.name, aggregator.name)
        for aggregator in aggregators
        for proposer in proposers
        if (price := criteria.price_of((proposer.name,), aggregator.name)) is not None
    ]
    if not pairs:
        return (
            f"no recipe fits {criteria.budget.words}: no price is known; give --calls in the place of --price"
        )
    price, proposer, aggregator = min(pairs)
    return (
        f"no recipe fits {criteria.budget.words}: the cheapest, {proposer} with {aggregator} as aggregator, "
        f"takes about {money(price)}"
    )


def _or_inf(price: float | None) -> float:
    return inf if price is None else price


# What the prompts can tell


def difference(first: Mapping[str, float], second: Mapping[str, float]) -> Estimate | None:
    """How much the first scores more than the second on the prompts that both have; None where none is."""
    prompts = [prompt for prompt in first if prompt in second]
    compared = gain([first[prompt] for prompt in prompts], {"": [second[prompt] for prompt in prompts]})
    return None if compared is None else compared.estimate


def not_told_apart(name: str, others: Iterable[str], scores: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Those of `others` that may be as good as `name`: the interval of the difference is not all above 0."""
    alike = []
    for other in others:
        estimate = difference(scores[name], scores[other])
        if estimate is None or estimate.low <= 0:
            alike.append(other)
    return alike
