"""Correlations against published and computed values, and what their intervals hold."""

from __future__ import annotations

import random
from math import sqrt

import pytest

from moa_tui.evaluation.correlations import correlation, mean_correlation

# Anscombe's quartet (1973), the first set: Pearson's correlation is .816.
ANSCOMBE_X = [10.0, 8.0, 13.0, 9.0, 11.0, 14.0, 6.0, 4.0, 12.0, 7.0, 5.0]
ANSCOMBE_Y = [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68]
# Intelligence and hours of television, the worked example of the English Wikipedia on Spearman's rank
# correlation: -29/165.
INTELLIGENCE = [106.0, 100.0, 86.0, 101.0, 99.0, 103.0, 97.0, 113.0, 112.0, 110.0]
TELEVISION = [7.0, 27.0, 2.0, 50.0, 28.0, 29.0, 20.0, 12.0, 6.0, 17.0]


def test_the_correlations_are_the_published_ones() -> None:
    pearson = correlation(ANSCOMBE_X, ANSCOMBE_Y, "pearson", draws=60)
    spearman = correlation(INTELLIGENCE, TELEVISION, draws=60)
    assert pearson is not None
    assert spearman is not None
    assert pearson.value == pytest.approx(0.81642, abs=1e-5)
    assert spearman.value == pytest.approx(-29 / 165)


def test_equal_values_share_the_mean_of_their_ranks() -> None:
    """scipy 1.17: spearmanr of these."""
    tied = correlation([1.0, 2.0, 2.0, 3.0, 4.0, 4.0], [1.0, 3.0, 2.0, 2.0, 5.0, 6.0], draws=60)
    assert tied is not None
    assert tied.value == pytest.approx(0.85084, abs=1e-5)


def test_ranks_do_not_mind_how_far_apart_values_are() -> None:
    values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    growing = [value**9 for value in values]
    by_rank, by_value = correlation(values, growing), correlation(values, growing, "pearson")
    assert by_rank is not None
    assert by_value is not None
    assert by_rank.value == pytest.approx(1.0)
    assert by_value.value < 0.9
    assert by_rank.low < 0.9  # six points do not show that it is always so


def test_a_correlation_that_is_not_defined_is_none() -> None:
    assert correlation([1.0] * 6, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]) is None
    assert correlation([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0]) is None
    assert mean_correlation([([1.0, 1.0], [0.0, 1.0]), ([], [])]) is None
    with pytest.raises(ValueError, match="as many values"):
        correlation([1.0], [])
    with pytest.raises(ValueError, match="as many values"):
        mean_correlation([([1.0], [])])


def test_within_prompts_what_differs_between_them_does_not_count() -> None:
    """Both figures rise together on each prompt, though one grows and one shrinks from prompt to prompt."""
    source = random.Random(1)
    prompts = []
    for number in range(40):
        scores = [source.random() for _ in range(6)]
        prompts.append(([score + number for score in scores], [score - number for score in scores]))
    within = mean_correlation(prompts)
    pooled = correlation(
        [value for first, _ in prompts for value in first],
        [value for _, second in prompts for value in second],
    )
    assert within is not None
    assert pooled is not None
    assert within.value == pytest.approx(1.0)
    assert within.prompts == 40
    assert within.low > 0.8
    assert pooled.value < -0.9


@pytest.mark.parametrize("kind", ["pearson", "spearman"])
def test_the_interval_holds_the_true_correlation(kind: str) -> None:
    source = random.Random(3)
    true = 0.5 if kind == "pearson" else 0.4826  # 6 / pi * asin(.5 / 2)
    held = 0
    for _ in range(80):
        first = [source.gauss(0, 1) for _ in range(30)]
        second = [0.5 * value + sqrt(0.75) * source.gauss(0, 1) for value in first]
        estimate = correlation(first, second, "pearson" if kind == "pearson" else "spearman", draws=60)
        assert estimate is not None
        held += estimate.low <= true <= estimate.high
    assert 71 <= held <= 80
