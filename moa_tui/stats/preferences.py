"""Which recipes a person prefers: choices between answers to one prompt, added up. Pure.

Read the numbers for what they are. The choices are one person's, often on few prompts and on prompts much
alike; they say what that person liked there, and little of anything else. A choice among three recipes
counts as two pairs, won or lost together: the intervals take every pair for an independent one, and are too
narrow by as much.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from math import log10, sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

LEAST_PAIRS = 10
"""How many pairs each recipe of a group must have before strengths are worked out."""
ELO_MEAN = 1500.0
_ELO_TENFOLD = 400.0
_Z95 = 1.959963984540054
_MOST_ROUNDS = 10_000
_CLOSE_ENOUGH = 1e-9

Pairs = dict[tuple[str, str], float]
"""(one, other) -> how often one won against the other, a tie as half a win for both."""


@dataclass(frozen=True, slots=True)
class Preference:
    """One choice: the recipes whose answers were compared, and the one preferred; None for none of them.

    `blind` is whether the names were hidden until then, `created` the time in Unix seconds.
    """

    recipes: tuple[str, ...]
    chosen: str | None
    blind: bool
    created: float


@dataclass(frozen=True, slots=True)
class Standing:
    """How one recipe fared. `wins`, `losses` and `ties` are of pairs, `compared` of choices.

    `win_rate` is (wins + ties / 2) / pairs, `low` and `high` its 95 % interval. `strength` is on Elo's scale,
    None where it cannot be told; it compares only recipes of the same `group`, which counts from 1.
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
        """How often it stood against another."""
        return self.wins + self.losses + self.ties


@dataclass(frozen=True, slots=True)
class Preferences:
    """All choices added up: a standing for each recipe, group by group, the best first.

    `blind` is how many of the `choices` were made without the names. `without_strength` says why a group of
    recipes has no strengths, a sentence each.
    """

    choices: int
    blind: int
    standings: tuple[Standing, ...]
    without_strength: tuple[str, ...]


def preferences(found: Iterable[Preference]) -> Preferences | None:
    """The choices added up; None where there are none between two recipes."""
    made = [one for one in found if len(set(one.recipes)) > 1]
    if not made:
        return None
    compared: Counter[str] = Counter()
    wins: Counter[tuple[str, str]] = Counter()
    ties: Counter[tuple[str, str]] = Counter()
    for choice in made:
        recipes = dict.fromkeys(choice.recipes)
        compared.update(recipes.keys())
        # The winner of three has beaten both others; which of these is the better nobody has said.
        if choice.chosen in recipes:
            wins.update((choice.chosen, other) for other in recipes if other != choice.chosen)
        else:
            ties.update((one, other) for one in recipes for other in recipes if one != other)
    won: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    tied: Counter[str] = Counter()
    pairs: Pairs = defaultdict(float)
    for (one, other), times in wins.items():
        won[one] += times
        lost[other] += times
        pairs[one, other] += times
    for (one, other), times in ties.items():
        tied[one] += times
        pairs[one, other] += times / 2
    strengths: dict[str, float] = {}
    groups: dict[str, int] = {}
    why_not = []
    # Those with the most to go by first.
    in_order = sorted(
        _groups(compared, pairs), key=lambda group: -sum(won[one] + tied[one] / 2 for one in group)
    )
    for number, group in enumerate(in_order, 1):
        groups |= dict.fromkeys(group, number)
        few = [one for one in group if won[one] + lost[one] + tied[one] < LEAST_PAIRS]
        if few:
            why_not.append(
                f"{_and(group)}: each needs {LEAST_PAIRS} pairs with the others, "
                f"and {_and(few)} {'has' if len(few) == 1 else 'have'} fewer."
            )
        elif (split := _unbeaten(group, pairs)) is not None:
            why_not.append(
                f"{_and(group)}: {_and(split)} {'has' if len(split) == 1 else 'have'} not once lost to or "
                "tied with the others, so nobody can tell how much better that is."
            )
        else:
            strengths |= elo(bradley_terry(group, pairs))
    standings = []
    for recipe in compared:
        total = won[recipe] + lost[recipe] + tied[recipe]
        points = won[recipe] + tied[recipe] / 2
        standings.append(
            Standing(
                recipe,
                compared[recipe],
                won[recipe],
                lost[recipe],
                tied[recipe],
                points / total,
                *wilson(points, total),
                groups[recipe],
                strengths.get(recipe),
            )
        )
    standings.sort(key=lambda one: (one.group, -(one.strength or 0.0), -one.win_rate, one.recipe))
    return Preferences(len(made), sum(one.blind for one in made), tuple(standings), tuple(why_not))


def wilson(successes: float, trials: int) -> tuple[float, float]:
    """The 95 % score interval of a share, which stays within 0 and 1 and holds for few trials too.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22
    (1927). `successes` may be half ones, as ties are; (0, 1) without a trial.
    """
    if trials <= 0:
        return 0.0, 1.0
    share, z = successes / trials, _Z95
    middle = share + z * z / (2 * trials)
    half = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    # At 0 and at 1 an end is the share itself, which rounding may miss.
    return min(share, max(0.0, (middle - half) / scale)), max(share, min(1.0, (middle + half) / scale))


def bradley_terry(recipes: Sequence[str], pairs: Mapping[tuple[str, str], float]) -> dict[str, float]:
    """Strengths p of which one's p / (p + other's p) is the likeliest chance to win; their mean is 1.

    The likelihood must have its maximum: each way of parting the recipes in two has wins in both directions
    (Ford 1957), as `preferences` makes sure. Found by the MM algorithm: D. R. Hunter, "MM algorithms for
    generalized Bradley-Terry models", Annals of Statistics 32 (2004), equation 3. Ties are half a win each.
    """
    won = {one: sum(pairs.get((one, other), 0.0) for other in recipes if other != one) for one in recipes}
    met = {
        one: [(other, n) for other in recipes if other != one and (n := _met(pairs, one, other))]
        for one in recipes
    }
    strength = dict.fromkeys(recipes, 1.0)
    for _ in range(_MOST_ROUNDS):
        # Each from the newest of the others, which comes to the same end sooner.
        furthest = 0.0
        for one in recipes:
            new = won[one] / sum(n / (strength[one] + strength[other]) for other, n in met[one])
            furthest = max(furthest, abs(new - strength[one]) / strength[one])
            strength[one] = new
        mean = sum(strength.values()) / len(strength)
        strength = {one: value / mean for one, value in strength.items()}
        if furthest < _CLOSE_ENOUGH:
            break
    return strength


def elo(strengths: Mapping[str, float]) -> dict[str, float]:
    """Strengths on Elo's scale: ten times as strong is 400 points more, and the group's mean is 1500."""
    logs = {one: log10(value) for one, value in strengths.items()}
    mean = sum(logs.values()) / len(logs)
    return {one: ELO_MEAN + _ELO_TENFOLD * (value - mean) for one, value in logs.items()}


def _met(pairs: Mapping[tuple[str, str], float], one: str, other: str) -> float:
    return pairs.get((one, other), 0.0) + pairs.get((other, one), 0.0)


def _groups(recipes: Iterable[str], pairs: Mapping[tuple[str, str], float]) -> list[list[str]]:
    """The recipes that met, be it through others, together; each group and all of them by name."""
    either = {*pairs, *((other, one) for one, other in pairs)}
    left = sorted(recipes)
    found = []
    while left:
        group = _reached(left[0], left, either)
        found.append(group)
        left = [one for one in left if one not in group]
    return found


def _unbeaten(group: Sequence[str], pairs: Mapping[tuple[str, str], float]) -> list[str] | None:
    """Some of a group who have lost nothing to the others, not even by a tie; None where there are none.

    Where there are, the likeliest strengths are without end. There are none where everybody is reached from
    everybody by way of wins.
    """
    for one in group:
        losers = _reached(one, group, {pair for pair, times in pairs.items() if times > 0})
        if len(losers) < len(group):
            return [other for other in group if other not in losers]
    return None


def _reached(start: str, among: Sequence[str], steps: Iterable[tuple[str, str]]) -> list[str]:
    """Those that steps lead to from `start`, itself among them, in the order of `among`."""
    after: defaultdict[str, list[str]] = defaultdict(list)
    for one, other in steps:
        after[one].append(other)
    seen, waiting = {start}, [start]
    while waiting:
        for other in after[waiting.pop()]:
            if other not in seen:
                seen.add(other)
                waiting.append(other)
    return [one for one in among if one in seen]


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
