"""Win rates, gains and their intervals, against what is known of them."""

from __future__ import annotations

import random
from math import comb

import pytest

from moa_tui.evaluation.bootstrap import Estimate, mean_estimate
from moa_tui.evaluation.win_rates import gain, none_wins, prompt_score, win_rate


def test_a_score_is_the_mean_of_both_orders_and_needs_both() -> None:
    assert prompt_score([1.0, 0.0]) == 0.5  # a judge that prefers the first position
    assert prompt_score([1.0, 0.5]) == 0.75
    assert prompt_score([1.0, None]) is None
    assert prompt_score([]) is None


def test_ties_are_half_wins() -> None:
    rate = win_rate([1.0, 0.5, 0.5, 0.0, 0.0])
    assert rate is not None
    assert rate.value == 0.4
    assert rate.prompts == 5
    assert win_rate([]) is None


@pytest.mark.parametrize(
    ("won", "prompts", "low", "high"),
    [
        # Brown, Cai and DasGupta (2001), table 5: Jeffreys intervals of 95 %.
        (0, 20, 0.0, 0.117),
        (1, 20, 0.005, 0.211),
        (5, 20, 0.102, 0.464),
        (10, 20, 0.293, 0.707),
    ],
)
def test_without_ties_the_interval_is_jeffreys(won: int, prompts: int, low: float, high: float) -> None:
    rate = win_rate([1.0] * won + [0.0] * (prompts - won))
    assert rate is not None
    assert (rate.low, rate.high) == (pytest.approx(low, abs=0.012), pytest.approx(high, abs=0.012))


def test_a_rate_of_all_or_nothing_is_not_certain() -> None:
    best, worst = win_rate([1.0] * 20), win_rate([0.0] * 20)
    assert best is not None
    assert worst is not None
    assert best.high == 1.0
    assert 0.85 < best.low < 0.92
    assert worst.low == 0.0
    assert 0.08 < worst.high < 0.15


def test_the_same_data_give_the_same_interval_in_any_order() -> None:
    scores = [1.0, 0.0, 0.5, 1.0, 0.75] * 20
    shuffled = random.Random(2).sample(scores, len(scores))
    assert win_rate(scores) == win_rate(shuffled) == win_rate(scores)


def test_ties_make_the_interval_narrower() -> None:
    decided, tied = win_rate([1.0, 0.0] * 100), win_rate([0.5] * 180 + [1.0, 0.0] * 10)
    assert decided is not None
    assert tied is not None
    assert decided.value == tied.value == 0.5
    assert tied.high - tied.low < (decided.high - decided.low) / 2


@pytest.mark.parametrize("chance", [0.05, 0.5, 0.9, 0.99])
def test_the_interval_holds_the_true_rate_as_often_as_it_says(chance: float) -> None:
    """Over all outcomes of 30 prompts, each with its probability, which no simulation has to guess."""
    held = 0.0
    for won in range(31):
        rate = win_rate([1.0] * won + [0.0] * (30 - won))
        assert rate is not None
        if rate.low <= chance <= rate.high:
            held += comb(30, won) * chance**won * (1 - chance) ** (30 - won)
    assert 0.92 <= held <= 0.995


@pytest.mark.parametrize(("chance", "tied"), [(0.5, 0.6), (0.9, 0.1)])
def test_with_ties_the_interval_holds_the_true_rate(chance: float, tied: float) -> None:
    source = random.Random(5)
    shares = (chance - tied / 2, tied, 1 - chance - tied / 2)
    held = 0
    for _ in range(150):
        rate = mean_estimate(source.choices((1.0, 0.5, 0.0), shares, k=200), 0.0, 1.0, draws=400)
        assert rate is not None
        held += rate.low <= chance <= rate.high
    assert 135 <= held <= 149


def test_the_best_member_is_the_one_with_the_highest_rate() -> None:
    members = {"weak": [0.0, 0.0, 0.5, 1.0], "strong": [1.0, 0.0, 1.0, 0.5]}
    gained = gain([1.0, 1.0, 1.0, 0.5], members)
    assert gained is not None
    assert (gained.best, gained.best_rate, gained.mixture_rate) == ("strong", 0.625, 0.875)
    assert gained.estimate.value == 0.25
    assert gained.estimate.low < 0.25 < gained.estimate.high
    assert gain([1.0], {}) is None
    assert gain([], {"a": []}) is None
    with pytest.raises(ValueError, match="same prompts"):
        gain([1.0, 0.0], {"a": [1.0]})


def test_a_mixture_that_is_its_best_member_gains_nothing_and_that_is_not_certain() -> None:
    member = [1.0] * 12
    gained = gain(member, {"a": member, "b": [0.0] * 12})
    assert gained is not None
    assert gained.estimate.value == 0.0
    assert -0.3 < gained.estimate.low < -0.02 < 0.02 < gained.estimate.high < 0.3


def test_the_gain_over_the_luckiest_of_equal_members_is_not_biased() -> None:
    """Six members with a rate of .5 and a mixture with .6: the gain is .1, though one member looks better."""
    source = random.Random(6)
    held = 0
    for _ in range(60):
        members = {str(number): [float(source.random() < 0.5) for _ in range(80)] for number in range(6)}
        gained = gain([float(source.random() < 0.6) for _ in range(80)], members, draws=100)
        assert gained is not None
        held += gained.estimate.low <= 0.1 <= gained.estimate.high
    assert held >= 53


def test_a_gain_has_a_price() -> None:
    gained = gain([1.0] * 8 + [0.0] * 2, {"a": [1.0, 0.0] * 5})
    assert gained is not None
    dearer = gained.per(0.02)
    assert dearer is not None
    assert dearer.value == pytest.approx(15.0)  # .3 for 2 cents
    assert dearer.low == pytest.approx(gained.estimate.low * 50)
    assert gained.per(None) is gained.per(0.0) is gained.per(-1.0) is None
    turned = Estimate(0.1, -0.1, 0.3, 5).times(-1)
    assert (turned.low, turned.high) == (-0.3, 0.1)


def test_the_share_of_prompts_that_no_member_wins() -> None:
    lost = none_wins({"a": [0.0, 1.0, 0.25, 0.5], "b": [0.0, 0.0, 0.0, 0.0]})
    assert lost is not None
    assert lost.value == 0.5
    assert none_wins({}) is None
    assert none_wins({"a": []}) is None
