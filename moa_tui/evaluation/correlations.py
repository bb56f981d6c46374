"""How two figures go together: correlations of values or of ranks, with intervals over prompts.

The distribution of a correlation is lopsided near -1 and 1, and few prompts vary too little in a bootstrap.
So the interval is taken on Fisher's scale, where it is even (R. A. Fisher, 1921): the spread there is that of
the Bayesian bootstrap (`evaluation.bootstrap`), at least the 1 / sqrt(n - 3) of independent normal figures,
and Student's quantile stands in the place of the normal one.
"""

from __future__ import annotations

from itertools import accumulate
from math import atanh, sqrt, tanh
from operator import mul
from typing import TYPE_CHECKING, Literal

from moa_tui.evaluation.bootstrap import Estimate, draws_for, mean_estimate, seeded, weights

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Kind = Literal["pearson", "spearman"]
"""Pearson's is of the values, Spearman's of their ranks, where equal values share the mean of theirs."""

_DRAWS = 1000
_LEAST_POINTS = 5
_Z95 = 1.959963984540054
"""The quantile of the normal distribution for a 95 % interval."""


def correlation(
    first: Sequence[float], second: Sequence[float], kind: Kind = "spearman", *, draws: int = _DRAWS
) -> Estimate | None:
    """The correlation of two figures, one of each for each prompt, from -1 to 1.

    None where there are fewer than five prompts, or where all values of one figure are the same. Raises
    ValueError where their numbers differ.
    """
    if len(first) != len(second):
        raise ValueError("a correlation needs as many values of one figure as of the other")
    points = len(first)
    even = [1.0] * points
    value = _correlation(first, second, even, kind) if points >= _LEAST_POINTS else None
    if value is None:
        return None
    source = seeded()
    middle = _on_fishers_scale(value, points)
    squares = 0.0
    drawn = draws_for(points, draws)
    for _ in range(drawn):
        other = _correlation(first, second, weights(source, points), kind)
        squares += 0.0 if other is None else (_on_fishers_scale(other, points) - middle) ** 2
    spread = max(sqrt(squares / drawn), 1 / sqrt(points - 3))
    reach = _students_quantile(points - 2) * spread
    return Estimate(value, min(value, tanh(middle - reach)), max(value, tanh(middle + reach)), points)


def _on_fishers_scale(value: float, points: int) -> float:
    """A correlation on Fisher's scale; so few points cannot show one closer to 1 than 1 / points²."""
    most = 1 - 1 / points**2
    return atanh(max(-most, min(most, value)))


def _students_quantile(freedom: int) -> float:
    """The quantile of Student's distribution for a 95 % interval (Cornish and Fisher's expansion)."""
    z = _Z95
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


def mean_correlation(
    prompts: Iterable[tuple[Sequence[float], Sequence[float]]], kind: Kind = "spearman"
) -> Estimate | None:
    """The mean of the correlations within each prompt, such as of likeness and score over its proposers.

    So does the paper on Mixture-of-Agents (arXiv 2406.04692, section 3.3): easy and hard prompts do not mix.
    A prompt within which the correlation is not defined is left out; None where that is so of all.
    """
    within = (_within(first, second, kind) for first, second in prompts)
    return mean_estimate([value for value in within if value is not None], -1.0, 1.0)


def _within(first: Sequence[float], second: Sequence[float], kind: Kind) -> float | None:
    if len(first) != len(second):
        raise ValueError("a correlation needs as many values of one figure as of the other")
    return _correlation(first, second, [1.0] * len(first), kind)


def _correlation(
    first: Sequence[float], second: Sequence[float], sizes: Sequence[float], kind: Kind
) -> float | None:
    """The correlation of points of different weight; None where one of the figures does not vary."""
    if kind == "spearman":
        first, second = _ranks(first, sizes), _ranks(second, sizes)
    total = sum(sizes)
    if not total:
        return None
    first_mean = sum(map(mul, sizes, first)) / total
    second_mean = sum(map(mul, sizes, second)) / total
    one = [value - first_mean for value in first]
    two = [value - second_mean for value in second]
    weighted = list(map(mul, sizes, one))
    product = sqrt(sum(map(mul, weighted, one))) * sqrt(
        sum(size * value * value for size, value in zip(sizes, two, strict=True))
    )
    if len(set(first)) < 2 or len(set(second)) < 2 or product <= 0:
        return None
    shared: float = sum(map(mul, weighted, two)) / product
    return max(-1.0, min(1.0, shared))


def _ranks(values: Sequence[float], sizes: Sequence[float]) -> list[float]:
    """The rank of each value among all, where equal ones share the middle of theirs; weights are sizes."""
    by_value: dict[float, float] = dict.fromkeys(sorted(values), 0.0)
    for value, size in zip(values, sizes, strict=True):
        by_value[value] += size
    middles = {
        value: end - size / 2
        for (value, size), end in zip(by_value.items(), accumulate(by_value.values()), strict=True)
    }
    return [middles[value] for value in values]
