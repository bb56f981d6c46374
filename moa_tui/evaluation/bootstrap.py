"""Intervals by the Bayesian bootstrap, which hold for few prompts and for rates of 0 and 100 % too.

An ordinary bootstrap draws prompts with replacement. Of twenty prompts that were all won it draws twenty wins
each time, and calls the rate 100 to 100 %. The Bayesian bootstrap (D. B. Rubin, "The Bayesian Bootstrap",
Annals of Statistics 9, 1981) gives each prompt a random weight instead, and has a place for what was not
seen: half a win and half a loss are added to the prompts. Where every prompt is won or lost, the interval
of a rate is then the one of Jeffreys' prior, which L. D. Brown, T. T. Cai and A. DasGupta recommend for few
trials ("Interval Estimation for a Binomial Proportion", Statistical Science 16, 2001); their rule that it
ends at 0 or 1 where no or every prompt was won is kept. Ties make it narrower, as they should.

The random numbers have a fixed seed: the same data give the same interval.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from math import log
from operator import mul
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CONFIDENCE = 0.95
"""How often an interval is to hold what it is meant to."""
UNSEEN = 0.5
"""The weight, in prompts, of the best and of the worst result that are added to those seen (Jeffreys)."""
METHOD = "95 % intervals by the Bayesian bootstrap over prompts, with half a win and half a loss added"
"""The method in words, for the note under a table."""

_SEED = 20_240_607
_DRAWS = 4000
_LEAST_DRAWS = 400
# Random numbers for one interval, about: an interval of very many different values has fewer draws.
_MOST_NUMBERS = 2_000_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval, and the number of prompts that it is from."""

    value: float
    low: float
    high: float
    prompts: int

    def times(self, factor: float) -> Estimate:
        """The estimate in another unit; a negative factor turns its interval round."""
        ends = sorted((self.low * factor, self.high * factor))
        return Estimate(self.value * factor, ends[0], ends[1], self.prompts)


def seeded() -> random.Random:
    """A source of random numbers that gives the same ones each time."""
    return random.Random(_SEED)


def weights(source: random.Random, prompts: int) -> list[float]:
    """A random weight for each prompt, 1 on average."""
    uniform = source.random
    return [-log(1.0 - uniform()) for _ in range(prompts)]


def weighted_samples(prompts: int, draws: int) -> Iterator[list[float]]:
    """`draws` times a random weight for each prompt, and one for the best and the worst unseen result each.

    The two weights of the unseen results stand last in each list, that of the best before that of the worst.
    """
    source = seeded()
    for _ in range(draws):
        unseen = [source.gammavariate(UNSEEN, 1.0), source.gammavariate(UNSEEN, 1.0)]
        yield weights(source, prompts) + unseen


def draws_for(numbers: int, draws: int = _DRAWS) -> int:
    """How many draws to make where each needs so many random numbers."""
    return max(min(draws, _LEAST_DRAWS), min(draws, _MOST_NUMBERS // max(1, numbers)))


def mean_estimate(
    values: Sequence[float], lowest: float, highest: float, *, draws: int = _DRAWS
) -> Estimate | None:
    """The mean of a value for each prompt, all from `lowest` to `highest`; None where there is no prompt."""
    if not values:
        return None
    prompts = len(values)
    mean = min(highest, max(lowest, sum(values) / prompts))
    counts = Counter(values)
    # In the order of the values, so that the order of the prompts does not matter.
    places = sorted({lowest, highest, *counts})
    shapes = [counts[place] + (UNSEEN if place in (lowest, highest) else 0.0) for place in places]
    source = seeded()
    drawn = []
    for _ in range(draws_for(len(places), draws)):
        # The weights of equal values add up to one from a gamma distribution.
        sizes = [source.gammavariate(shape, 1.0) for shape in shapes]
        drawn.append(sum(map(mul, sizes, places)) / sum(sizes))
    low, high = ends(drawn)
    return Estimate(mean, min(mean, low), max(mean, high), prompts)


def ends(drawn: Sequence[float]) -> tuple[float, float]:
    """The quantiles between which the middle 95 % of the drawn figures lie."""
    ordered = sorted(drawn)
    return _quantile(ordered, (1 - CONFIDENCE) / 2), _quantile(ordered, (1 + CONFIDENCE) / 2)


def _quantile(ordered: Sequence[float], share: float) -> float:
    """The quantile between the two nearest of the ordered figures."""
    place = share * (len(ordered) - 1)
    before = int(place)
    behind = min(before + 1, len(ordered) - 1)
    return ordered[before] + (ordered[behind] - ordered[before]) * (place - before)
