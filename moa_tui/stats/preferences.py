"""Which recipes the user prefers: choices between answers to one prompt, added up. Pure.

The numbers have limits. The choices are one person's, often on few prompts that resemble each other, so they
say what that person liked there and little beyond that. A choice among three recipes counts as two pairs,
won or lost together; the intervals treat every pair as independent, which makes them too narrow.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from math import log10, sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

LEAST_PAIRS = 10
"""How many pairs each recipe of a group must have before strengths are computed."""
ELO_MEAN = 1500.0
_ELO_TENFOLD = 400.0
"""The points on Elo's scale that stand for ten times the strength."""
_Z95 = 1.959963984540054
"""The quantile of the normal distribution for a 95 % interval."""
_MOST_ROUNDS = 10_000
_CLOSE_ENOUGH = 1e-9
"""The relative change of a strength in one round below which the algorithm has converged."""

Pairs = dict[tuple[str, str], float]
"""(recipe, other) -> how often `recipe` won against `other`; a tie is half a win for both."""


@dataclass(frozen=True, slots=True)
class Preference:
    """One choice between the answers of several recipes to one prompt."""

    recipes: tuple[str, ...]
    """The names of the recipes whose answers were compared."""
    chosen: str | None
    """The recipe whose answer was preferred; None for a tie."""
    blind: bool
    """True where the names were hidden until the choice was made."""
    created: float
    """The time in Unix seconds."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How one recipe fared. `wins`, `losses` and `ties` count pairs, `compared` counts choices.

    `win_rate` is (wins + ties / 2) / pairs, `low` and `high` are its 95 % interval. `strength` is on Elo's
    scale, None where it cannot be computed; it compares only recipes of one `group`, which counts from 1.
    """

    recipe: str
    compared: int
    wins: int
    losses: int
    ties: int
    win_rate: float
    low: float
    high: float
    group: int
    strength: float | None

    @property
    def pairs(self) -> int:
        """The number of pairs of this recipe and another one."""
        return self.wins + self.losses + self.ties


@dataclass(frozen=True, slots=True)
class Preferences:
    """All choices added up: a standing for each recipe, group by group, the best first.

    `blind` is the number of the `choices` that were made with the names hidden. `without_strength` says why a
    group of recipes has no strengths, one sentence for each such group.
    """

    choices: int
    blind: int
    standings: tuple[Standing, ...]
    without_strength: tuple[str, ...]


@dataclass(slots=True)
class _Tally:
    """The choices counted for each recipe, and for each pair of recipes."""

    compared: Counter[str] = field(default_factory=Counter)
    won: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    tied: Counter[str] = field(default_factory=Counter)
    pairs: Pairs = field(default_factory=lambda: defaultdict(float))

    def add(self, choice: Preference) -> None:
        recipes = dict.fromkeys(choice.recipes)
        self.compared.update(recipes.keys())
        if choice.chosen in recipes:
            # The winner of three has beaten both others; the choice does not say which of those is better.
            for other in recipes:
                if other != choice.chosen:
                    self.won[choice.chosen] += 1
                    self.lost[other] += 1
                    self.pairs[choice.chosen, other] += 1
            return
        for recipe in recipes:
            for other in recipes:
                if recipe != other:
                    self.tied[recipe] += 1
                    self.pairs[recipe, other] += 0.5

    def pair_count(self, recipe: str) -> int:
        return self.won[recipe] + self.lost[recipe] + self.tied[recipe]

    def points(self, recipe: str) -> float:
        """The wins of the recipe, with a tie as half a win."""
        return self.won[recipe] + self.tied[recipe] / 2

    def standing(self, recipe: str, group: int, strength: float | None) -> Standing:
        points, pair_count = self.points(recipe), self.pair_count(recipe)
        low, high = wilson(points, pair_count)
        return Standing(
            recipe=recipe,
            compared=self.compared[recipe],
            wins=self.won[recipe],
            losses=self.lost[recipe],
            ties=self.tied[recipe],
            win_rate=points / pair_count,
            low=low,
            high=high,
            group=group,
            strength=strength,
        )


def preferences(choices: Iterable[Preference]) -> Preferences | None:
    """The choices added up; None where there are none between two recipes."""
    counted_choices = [choice for choice in choices if len(set(choice.recipes)) > 1]
    if not counted_choices:
        return None
    tally = _Tally()
    for choice in counted_choices:
        tally.add(choice)
    # The group with the most points comes first, since there is most to say about it.
    groups = sorted(_groups(tally.compared, tally.pairs), key=lambda group: -sum(map(tally.points, group)))
    standings: list[Standing] = []
    reasons: list[str] = []
    for number, group in enumerate(groups, 1):
        strengths: dict[str, float] = {}
        if (reason := _why_no_strength(group, tally)) is not None:
            reasons.append(reason)
        else:
            strengths = elo(bradley_terry(group, tally.pairs))
        standings += [tally.standing(recipe, number, strengths.get(recipe)) for recipe in group]
    standings.sort(
        key=lambda standing: (
            standing.group,
            -(standing.strength or 0.0),
            -standing.win_rate,
            standing.recipe,
        )
    )
    blind = sum(choice.blind for choice in counted_choices)
    return Preferences(len(counted_choices), blind, tuple(standings), tuple(reasons))


def _why_no_strength(group: Sequence[str], tally: _Tally) -> str | None:
    """The reason, in a sentence, why a group's strengths cannot be computed; None where they can."""
    with_few_pairs = [recipe for recipe in group if tally.pair_count(recipe) < LEAST_PAIRS]
    if with_few_pairs:
        return (
            f"{_and(group)}: each needs {LEAST_PAIRS} pairs with the others, "
            f"and {_and(with_few_pairs)} {'has' if len(with_few_pairs) == 1 else 'have'} fewer."
        )
    unbeaten = _unbeaten(group, tally.pairs)
    if unbeaten is not None:
        return (
            f"{_and(group)}: {_and(unbeaten)} {'has' if len(unbeaten) == 1 else 'have'} not once lost to or "
            "tied with the others, so nobody can tell how much better that is."
        )
    return None


def wilson(successes: float, trials: int) -> tuple[float, float]:
    """The 95 % score interval of a share, which stays within 0 and 1 and holds for few trials too.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22
    (1927). `successes` may have a half, as ties give; without a trial the interval is (0, 1).
    """
    if trials <= 0:
        return 0.0, 1.0
    share, z = successes / trials, _Z95
    middle = share + z * z / (2 * trials)
    half_width = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    # At a share of 0 or 1 one end is the share itself, which rounding may miss.
    low, high = max(0.0, (middle - half_width) / scale), min(1.0, (middle + half_width) / scale)
    return min(share, low), max(share, high)


def bradley_terry(recipes: Sequence[str], pairs: Mapping[tuple[str, str], float]) -> dict[str, float]:
    """The most likely strengths p, where a recipe beats another with the chance p / (p + the other's p).

    Their mean is 1. The likelihood must have a maximum: however the recipes are divided into two parts, each
    part has won against the other (Ford 1957), which `preferences` ensures. The strengths are found by the MM
    algorithm: D. R. Hunter, "MM algorithms for generalized Bradley-Terry models", Annals of Statistics 32
    (2004), equation 3. A tie is half a win for both.
    """
    won = {
        recipe: sum(pairs.get((recipe, other), 0.0) for other in recipes if other != recipe)
        for recipe in recipes
    }
    met = {
        recipe: [
            (other, times) for other in recipes if other != recipe and (times := _met(pairs, recipe, other))
        ]
        for recipe in recipes
    }
    strength = dict.fromkeys(recipes, 1.0)
    for _ in range(_MOST_ROUNDS):
        largest_change = 0.0
        for recipe in recipes:
            # Each strength is computed from the newest of the others, which converges sooner.
            new = won[recipe] / sum(
                times / (strength[recipe] + strength[other]) for other, times in met[recipe]
            )
            largest_change = max(largest_change, abs(new - strength[recipe]) / strength[recipe])
            strength[recipe] = new
        mean = sum(strength.values()) / len(strength)
        strength = {recipe: value / mean for recipe, value in strength.items()}
        if largest_change < _CLOSE_ENOUGH:
            break
    return strength


def elo(strengths: Mapping[str, float]) -> dict[str, float]:
    """Strengths on Elo's scale: ten times as strong is 400 points more, and the group's mean is 1500."""
    logs = {recipe: log10(value) for recipe, value in strengths.items()}
    mean = sum(logs.values()) / len(logs)
    return {recipe: ELO_MEAN + _ELO_TENFOLD * (value - mean) for recipe, value in logs.items()}


def _met(pairs: Mapping[tuple[str, str], float], recipe: str, other: str) -> float:
    return pairs.get((recipe, other), 0.0) + pairs.get((other, recipe), 0.0)


def _groups(recipes: Iterable[str], pairs: Mapping[tuple[str, str], float]) -> list[list[str]]:
    """The recipes in groups of those that met, directly or through others, sorted by name."""
    either_way = {*pairs, *((other, recipe) for recipe, other in pairs)}
    ungrouped = sorted(recipes)
    groups = []
    while ungrouped:
        group = _reached(ungrouped[0], ungrouped, either_way)
        groups.append(group)
        ungrouped = [recipe for recipe in ungrouped if recipe not in group]
    return groups


def _unbeaten(group: Sequence[str], pairs: Mapping[tuple[str, str], float]) -> list[str] | None:
    """Recipes of a group that never lost to the rest of it or tied with it; None where there are none.

    With such recipes the most likely strengths are infinite. There are none where the steps from a winner to
    a loser lead from every recipe to every other.
    """
    wins = {pair for pair, times in pairs.items() if times > 0}
    for recipe in group:
        beaten = _reached(recipe, group, wins)
        if len(beaten) < len(group):
            return [other for other in group if other not in beaten]
    return None


def _reached(start: str, recipes: Sequence[str], steps: Iterable[tuple[str, str]]) -> list[str]:
    """Those of `recipes` that steps lead to from `start`, which is among them, in the order of `recipes`."""
    successors: defaultdict[str, list[str]] = defaultdict(list)
    for recipe, other in steps:
        successors[recipe].append(other)
    seen, waiting = {start}, [start]
    while waiting:
        for other in successors[waiting.pop()]:
            if other not in seen:
                seen.add(other)
                waiting.append(other)
    return [recipe for recipe in recipes if recipe in seen]


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
