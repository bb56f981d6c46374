"""The win rate that answers would have at equal length, since judges prefer the longer one.

The method is that of "Length-Controlled AlpacaEval" (Y. Dubois and others, arXiv 2404.04475): a logistic
regression explains each judgement by the answers' quality and by how much longer one is, and the rate is
what it says where the lengths are equal. It is their regression with these two terms alone,

    P(win) = sigmoid(quality + length * tanh((own length - other length) / spread of these differences)),

the one that their program calls `length_controlled_minimal`. It has no term for how difficult an instruction
is: they fit that one on the judgements of all models of their leaderboard, for their 805 instructions and
their judge, so it exists for no other input. Figures of the two are alike, and not the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, sqrt, tanh
from operator import mul
from typing import TYPE_CHECKING

from moa_tui.evaluation.bootstrap import Estimate, draws_for, ends, weighted_samples

if TYPE_CHECKING:
    from collections.abc import Sequence

METHOD = (
    "length-controlled: a logistic regression on the difference of the lengths, taken at equal lengths "
    "(arXiv 2404.04475, without its difficulty of instructions)"
)
"""The method in words, for the note under a table."""

_DRAWS = 1000
# The coefficients have normal priors with standard deviations of 100 and 10: weak, but where every answer
# wins, or every longer one, they would be infinite without one.
_QUALITY_RIDGE, _EFFECT_RIDGE = 1e-4, 1e-2
_MOST_STEPS = 200
_LONGEST_FIRST_STEP = 4.0
# A step that leads so far beyond the maximum, as a share of the slope that it set out with, is taken back.
_MOST_BEYOND = 0.5
_CLOSE_ENOUGH = 1e-7


@dataclass(frozen=True, slots=True)
class LengthControlled:
    """A win rate at equal length.

    `length_effect` is what the judge gives for length, in logits: at 1, an answer that is longer by the
    spread of all differences wins 68 % against one as good. `is_extrapolated` is true where all of the
    answers are longer than the others', or all shorter: what would be at equal length is a guess then.
    """

    estimate: Estimate
    length_effect: float
    is_extrapolated: bool


def length_controlled(
    scores: Sequence[float], lengths: Sequence[int], other_lengths: Sequence[int], *, draws: int = _DRAWS
) -> LengthControlled | None:
    """The win rate at equal length, with its interval; None where there is no prompt.

    For each prompt `scores` has a score from 0 to 1, where .5 is a tie and counts as half a win; `lengths`
    and `other_lengths` are those of the answer and of what it was compared with, in characters. Raises
    ValueError where their numbers differ.
    """
    differences = [float(own - other) for own, other in zip(lengths, other_lengths, strict=True)]
    if len(scores) != len(differences):
        raise ValueError("each score needs the lengths of the two answers")
    if not scores:
        return None
    prompts = len(scores)
    spread = _spread(differences)
    places = [tanh(difference / spread) if spread else 0.0 for difference in differences]
    quality, effect = _fit(scores, places, [1.0] * prompts, (0.0, 0.0))
    # A prompt that nobody has seen is won or lost at equal length.
    seen_scores, seen_places = [*scores, 1.0, 0.0], [*places, 0.0, 0.0]
    drawn = []
    for weights in weighted_samples(prompts, draws_for(prompts, draws)):
        drawn.append(_sigmoid(_fit(seen_scores, seen_places, weights, (quality, effect))[0]))
    rate = _sigmoid(quality)
    low, high = ends(drawn)
    is_extrapolated = min(differences) > 0 or max(differences) < 0
    return LengthControlled(Estimate(rate, min(rate, low), max(rate, high), prompts), effect, is_extrapolated)


def _spread(differences: Sequence[float]) -> float:
    """The standard deviation of the differences; 0 where all are the same."""
    mean = sum(differences) / len(differences)
    squares = sum((difference - mean) ** 2 for difference in differences)
    return sqrt(squares / (len(differences) - 1)) if squares else 0.0


def _fit(
    scores: Sequence[float], places: Sequence[float], weights: Sequence[float], start: tuple[float, float]
) -> tuple[float, float]:
    """The two coefficients of the most likely logistic curve, by Newton's method from `start`.

    The likelihood is concave, so the slope along a step tells whether the step led beyond the maximum: then
    it is taken back and a shorter one made, and otherwise the next one may be longer. Without that, data that
    lengths separate lead to steps to and fro that never end.
    """
    point = start
    weighted_places = list(map(mul, weights, places))
    square_places = list(map(mul, weighted_places, places))
    # What the scores add to the slopes is the same in every step.
    own = sum(map(mul, weights, scores))
    own_places = sum(map(mul, weighted_places, scores))
    before, step, rise = point, (0.0, 0.0), 0.0
    longest = _LONGEST_FIRST_STEP
    for _ in range(_MOST_STEPS):
        quality, effect = point
        chances = [_sigmoid(quality + effect * place) for place in places]
        slope = own - sum(map(mul, weights, chances)) - _QUALITY_RIDGE * quality
        place_slope = own_places - sum(map(mul, weighted_places, chances)) - _EFFECT_RIDGE * effect
        if slope * step[0] + place_slope * step[1] < -_MOST_BEYOND * rise:
            longest = max(map(abs, step)) / 4
            step, rise = (step[0] / 4, step[1] / 4), rise / 4
            point = before[0] + step[0], before[1] + step[1]
            continue
        spreads = [chance * (1.0 - chance) for chance in chances]
        bend = sum(map(mul, weights, spreads)) + _QUALITY_RIDGE
        mixed = sum(map(mul, weighted_places, spreads))
        place_bend = sum(map(mul, square_places, spreads)) + _EFFECT_RIDGE
        scale = bend * place_bend - mixed * mixed
        step = (
            (place_bend * slope - mixed * place_slope) / scale,
            (bend * place_slope - mixed * slope) / scale,
        )
        length = max(map(abs, step))
        if length > longest:
            step = step[0] * longest / length, step[1] * longest / length
            longest *= 2
        rise = slope * step[0] + place_slope * step[1]
        before, point = point, (quality + step[0], effect + step[1])
        if length < _CLOSE_ENOUGH * (1 + max(map(abs, point))):
            break
    return point


def _sigmoid(logit: float) -> float:
    """The chance that a logit stands for."""
    return 1.0 / (1.0 + exp(-logit)) if logit >= 0 else 1.0 - 1.0 / (1.0 + exp(logit))
