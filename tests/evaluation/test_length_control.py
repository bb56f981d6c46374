"""The win rate at equal length: what length explains is taken out, and nothing else."""

from __future__ import annotations

import random
from operator import mul

import pytest

from moa_tui.evaluation.length_control import (
    _EFFECT_RIDGE,
    _QUALITY_RIDGE,
    _fit,
    _sigmoid,
    length_controlled,
)
from moa_tui.evaluation.win_rates import win_rate

OTHER = [1000] * 400


def lengths(source: random.Random, count: int, longer_by: float = 0.0) -> list[int]:
    return [max(1, round(1000 + source.gauss(longer_by, 300))) for _ in range(count)]


def test_where_only_length_differs_the_rate_is_half() -> None:
    """Answers that are longer on average win more often, by their length alone."""
    source = random.Random(1)
    own = lengths(source, 400, longer_by=150)
    scores = [0.5 if length == 1000 else float(length > 1000) for length in own]
    raw, controlled = win_rate(scores), length_controlled(scores, own, OTHER, draws=60)
    assert raw is not None
    assert controlled is not None
    assert raw.value > 0.65
    assert controlled.estimate.value == pytest.approx(0.5, abs=0.03)
    assert controlled.estimate.low < 0.5 < controlled.estimate.high
    assert controlled.length_effect > 3


def test_where_length_does_not_matter_the_rate_is_the_same() -> None:
    source = random.Random(2)
    own = lengths(source, 400)
    scores = [1.0, 1.0, 1.0, 0.0] * 100
    controlled = length_controlled(scores, own, OTHER, draws=60)
    assert controlled is not None
    assert controlled.estimate.value == pytest.approx(0.75, abs=0.01)
    assert abs(controlled.length_effect) < 0.5
    assert not controlled.is_extrapolated


def test_answers_that_lose_by_being_short_gain_and_swapped_sides_mirror() -> None:
    source = random.Random(3)
    own = lengths(source, 400, longer_by=-200)
    scores = [float(source.random() < (0.8 if length > 1000 else 0.3)) for length in own]
    controlled = length_controlled(scores, own, OTHER, draws=60)
    mirrored = length_controlled([1 - score for score in scores], OTHER, own, draws=60)
    raw = win_rate(scores)
    assert controlled is not None
    assert mirrored is not None
    assert raw is not None
    assert controlled.estimate.value > raw.value + 0.05
    assert mirrored.estimate.value == pytest.approx(1 - controlled.estimate.value, abs=1e-6)


def test_a_tie_is_half_a_win() -> None:
    own = [900, 1100] * 50
    controlled = length_controlled([0.5] * 100, own, [1000] * 100, draws=60)
    assert controlled is not None
    assert controlled.estimate.value == pytest.approx(0.5)
    assert controlled.length_effect == pytest.approx(0.0, abs=1e-6)
    # A tie with each of two answers is a win against one and a loss against the other.
    halves = length_controlled([1.0, 0.0] * 50, [900] * 50 + [1100] * 50, [1000] * 100, draws=60)
    assert halves is not None
    assert halves.estimate.value == pytest.approx(0.5)


def test_the_fit_is_the_one_of_other_programs() -> None:
    """statsmodels 0.14: Logit(scores, [1, tanh(difference / std)]).fit().params."""
    own = [820, 1210, 1040, 950, 1500, 700, 1130, 1020, 890, 1310]
    scores = [0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0]
    controlled = length_controlled(scores, own, [1000] * 10, draws=60)
    assert controlled is not None
    assert controlled.length_effect == pytest.approx(0.54698, rel=0.02)
    assert controlled.estimate.value == pytest.approx(0.48408, rel=0.002)


@pytest.mark.parametrize("prompts", [1, 2, 7])
def test_separable_data_and_few_prompts_give_finite_figures(prompts: int) -> None:
    controlled = length_controlled(
        [1.0] * prompts, list(range(1100, 1100 + prompts)), [1000] * prompts, draws=60
    )
    assert controlled is not None
    assert 0.0 <= controlled.estimate.low <= controlled.estimate.value <= controlled.estimate.high <= 1.0
    assert controlled.is_extrapolated  # no answer is as short as the other: equal length is a guess


def test_equal_lengths_change_nothing() -> None:
    scores = [1.0, 0.5, 0.0, 1.0, 1.0] * 20
    raw, controlled = win_rate(scores), length_controlled(scores, [1000] * 100, [1000] * 100, draws=400)
    assert raw is not None
    assert controlled is not None
    assert controlled.estimate.value == pytest.approx(raw.value, abs=1e-4)
    assert controlled.estimate.low == pytest.approx(raw.low, abs=0.02)
    assert controlled.estimate.high == pytest.approx(raw.high, abs=0.02)


def test_what_cannot_be_computed_is_none_or_an_error() -> None:
    assert length_controlled([], [], []) is None
    with pytest.raises(ValueError, match="lengths"):
        length_controlled([1.0], [], [])
    with pytest.raises(ValueError, match="argument"):
        length_controlled([1.0], [10], [])


def test_the_interval_holds_the_true_rate() -> None:
    """Of 60 trials of 60 prompts that are equally good at equal length, most intervals hold one half."""
    source = random.Random(4)
    held = 0
    for _ in range(60):
        own = lengths(source, 60, longer_by=100)
        scores = [float(source.random() < (0.75 if length > 1000 else 0.25)) for length in own]
        controlled = length_controlled(scores, own, [1000] * 60, draws=80)
        assert controlled is not None
        held += controlled.estimate.low <= 0.5 <= controlled.estimate.high
    assert held >= 52


@pytest.mark.parametrize("start", [(0.0, 0.0), (5.0, 1.0), (-20.0, 20.0), (50.0, -30.0)])
@pytest.mark.parametrize("weight", [1.0, 1e4])
def test_the_fit_ends_at_the_maximum_from_anywhere(start: tuple[float, float], weight: float) -> None:
    """Also where the lengths separate wins from losses, and nothing but the priors holds the curve."""
    places = [at / 100 for at in range(-60, 100)]
    for scores in (
        [float(place > 0) for place in places],
        [float(place < 0.2) for place in places],
        [1.0] * len(places),
        [0.5, 1.0] * (len(places) // 2),
    ):
        quality, effect = _fit(scores, places, [weight] * len(places), start)
        rests = [
            weight * (score - _sigmoid(quality + effect * place))
            for score, place in zip(scores, places, strict=True)
        ]
        over_places = sum(map(mul, rests, places))
        # Both slopes of the penalized likelihood are 0 there.
        assert sum(rests) - _QUALITY_RIDGE * quality == pytest.approx(0, abs=1e-3)
        assert over_places - _EFFECT_RIDGE * effect == pytest.approx(0, abs=1e-3)
