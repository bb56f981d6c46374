"""Is the mixture worth it? What it gains over its best member, at which price, and what a choice could reach.

Scores are on a scale from 0 to 1 here, on which .5 is a tie or the middle. A member that gave no answer to a
prompt, as one that a quorum did not wait for, counts there with its own mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from moa_tui.evaluation.judging.scores import SCALES, by_prompt, scaled
from moa_tui.evaluation.win_rates import gain, none_wins
from moa_tui.text.wording import money

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from moa_tui.evaluation.bootstrap import Estimate
    from moa_tui.evaluation.judging.prompts import Form
    from moa_tui.evaluation.judging.questions import Candidate, Given
    from moa_tui.evaluation.judging.scores import Score
    from moa_tui.evaluation.win_rates import Gain

FEW_PROMPTS = 30
"""Below this number of prompts a report says that they are few."""
PER_ANSWERS = 1_000
"""The number of answers whose additional price a gain is set against."""
# A member that answered fewer of the prompts is not compared: its mean would stand for most of its scores.
_LEAST_ANSWERED = 0.5
_SAME_PRICE = (0.95, 1.05)
_SMALL_RATIO = 0.1


@dataclass(frozen=True, slots=True)
class Standing:
    """How a candidate did: its score on each prompt, from 0 to 1, and what an answer takes on average.

    `cost` is in US dollars, None where the price of an answer is unknown; `seconds` is None where nobody
    measured.
    """

    candidate: Candidate
    by_prompt: Mapping[str, float]
    cost: float | None
    seconds: float | None

    @property
    def mean(self) -> float | None:
        """The mean score; None where there is none."""
        return sum(self.by_prompt.values()) / len(self.by_prompt) if self.by_prompt else None


def standing(candidate: Candidate, scores: Sequence[Score], form: Form, turn: int | None = None) -> Standing:
    """How a candidate did by its scores; on one turn alone where one is named."""
    values = {prompt: scaled(value, form) for prompt, value in by_prompt(scores, turn).items()}
    return standing_of(candidate, values)


def standing_of(candidate: Candidate, values: Mapping[str, float]) -> Standing:
    """How a candidate did by its score on each prompt, from 0 to 1."""
    given = [candidate.answers[prompt] for prompt in values if prompt in candidate.answers]
    return Standing(
        candidate,
        values,
        known_mean([_each_turn(answer.cost, answer) for answer in given]),
        known_mean([_each_turn(answer.seconds, answer) for answer in given]),
    )


def _each_turn(value: float | None, given: Given) -> float | None:
    """What one answer takes of what all turns of a conversation take, on average."""
    return None if value is None else value / max(1, len(given.turns))


def known_mean(values: Sequence[float | None]) -> float | None:
    """The mean of values that are all known; None where one is not, or there is none."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


@dataclass(frozen=True, slots=True)
class Worth:
    """What a mixture is worth beside its members.

    `none_wins` is the share of prompts on which every member loses, or is below the middle of the scale: no
    choice among their answers can win there (arXiv 2606.27288). `best_choice` is the mean score of a choice
    that always took the best of them. Both are from the prompts on which every answer of a member has a
    score, and None where there is no such prompt; `unsure` counts the others. `filled_in` counts the scores
    that members do not have, for want of an answer or of a verdict.
    """

    mixture: Standing
    best: Standing
    gain: Gain
    none_wins: Estimate | None
    best_choice: float | None
    compared: tuple[Standing, ...]
    left_out: tuple[str, ...]
    """Members that answered too few of the prompts to be compared."""
    filled_in: int
    unsure: int

    @property
    def prompts(self) -> int:
        """The number of prompts."""
        return self.gain.estimate.prompts

    @property
    def price_ratio(self) -> float | None:
        """How many times the price of the best member's answer the mixture's has; None where unknown."""
        if self.mixture.cost is None or not self.best.cost:
            return None
        return self.mixture.cost / self.best.cost

    @property
    def extra_cost(self) -> float | None:
        """What an answer of the mixture costs more than one of its best member, in US dollars."""
        return _difference(self.mixture.cost, self.best.cost)

    @property
    def extra_seconds(self) -> float | None:
        """How many seconds more an answer of the mixture takes than one of its best member."""
        return _difference(self.mixture.seconds, self.best.seconds)

    @property
    def per_dollar(self) -> Estimate | None:
        """The gain for each further dollar that a thousand answers cost; None where they cost no more."""
        extra = self.extra_cost
        return self.gain.per(None if extra is None else extra * PER_ANSWERS)

    @property
    def per_second(self) -> Estimate | None:
        """The gain for each further second of an answer; None where it takes no more."""
        return self.gain.per(self.extra_seconds)


def _difference(value: float | None, other: float | None) -> float | None:
    return None if value is None or other is None else value - other


def worth_of(
    mixture: Standing, members: Sequence[Standing], samples: Sequence[Standing] = ()
) -> Worth | None:
    """What a mixture is worth; None where none of its members can be compared with it.

    An agent that was asked several times is one member: the best of its samples would be the luckiest.
    `samples` has each of them, for what a choice among them could reach; the members where none are given.
    """
    prompts = list(mixture.by_prompt)
    compared, left_out = [], []
    for member in members:
        answered = sum(prompt in member.by_prompt for prompt in prompts)
        if prompts and answered >= _LEAST_ANSWERED * len(prompts):
            compared.append(member)
        else:
            left_out.append(member.candidate.name)
    if not compared:
        return None
    columns: dict[str, list[float]] = {}
    filled_in = 0
    for member in compared:
        own_mean = member.mean or 0.0
        columns[member.candidate.name] = [member.by_prompt.get(prompt, own_mean) for prompt in prompts]
        filled_in += sum(prompt not in member.by_prompt for prompt in prompts)
    gained = gain([mixture.by_prompt[prompt] for prompt in prompts], columns)
    if gained is None:
        return None
    best = next(member for member in compared if member.candidate.name == gained.best)
    ceiling = _ceiling(samples or members, prompts)
    return Worth(
        mixture,
        best,
        gained,
        none_wins(ceiling),
        _best_choice(ceiling),
        tuple(compared),
        tuple(left_out),
        filled_in,
        len(prompts) - len(next(iter(ceiling.values()))),
    )


def _ceiling(members: Sequence[Standing], prompts: Sequence[str]) -> dict[str, list[float]]:
    """The scores of each member on the prompts on which all answers that were given have one.

    Who gave no answer cannot have given a winning one, and has 0 there; but an answer whose verdict is
    missing may have won.
    """
    sure = [
        prompt
        for prompt in prompts
        if all(prompt in each.by_prompt or prompt not in each.candidate.answers for each in members)
    ]
    return {each.candidate.name: [each.by_prompt.get(prompt, 0.0) for prompt in sure] for each in members}


def _best_choice(members: Mapping[str, Sequence[float]]) -> float | None:
    """The mean score of a choice that always took the best of the members; None where there is no prompt."""
    best = [max(row) for row in zip(*members.values(), strict=True)]
    return sum(best) / len(best) if best else None


# In words


def points_words(value: float, form: Form, *, signed: bool = False) -> str:
    """A difference of two scores in the points of a form: percentage points, or points of its scale."""
    points = value * points_in(form)
    text = f"{points:+.{_digits(form)}f}" if signed else f"{points:.{_digits(form)}f}"
    return text if float(text) else text.lstrip("+-")


def points_in(form: Form) -> float:
    """How many points the whole scale of a form has."""
    least, most = SCALES[form]
    return 100.0 if form == "pairs" else most - least


def _digits(form: Form) -> int:
    return 1 if form == "pairs" else 2


def worth_sentence(worth: Worth, form: Form, prompts: int | None = None) -> str:
    """The one plain sentence: whether the mixture beat its best member, by how much, and at which price.

    `prompts` is how many were meant to be judged, None where all of them were.
    """
    mixture, best = worth.mixture.candidate.name, worth.best.candidate.name
    member = f"its best member, {best.removeprefix(f'{mixture}/')},"
    estimate = worth.gain.estimate
    interval = f"({points_words(estimate.low, form)} to {points_words(estimate.high, form)})"
    scale = "" if form == "pairs" else f" on a scale to {SCALES[form][1]:g}"
    judged = judged_words(worth.prompts, prompts)
    if estimate.low > 0:
        verb = f"{mixture} beat {member} by {points_words(estimate.value, form)} points {interval}"
    elif estimate.high < 0:
        verb = f"{mixture} fell behind {member} by {points_words(-estimate.value, form)} points "
        verb += f"({points_words(-estimate.high, form)} to {points_words(-estimate.low, form)})"
    else:
        gained = points_words(estimate.value, form, signed=True)
        verb = f"no difference can be told between {mixture} and {member.removesuffix(',')}: "
        verb += f"{gained} points {interval}"
    return f"{judged} {verb}{scale}{_price_words(worth)}{few_words(worth.prompts)}"


def judged_words(judged: int, prompts: int | None = None) -> str:
    """On which prompts a sentence rests: on all that were meant, or on so many of them."""
    if prompts is not None and judged < prompts:
        return f"on {judged} of {prompts} prompts"
    return f"on {'this prompt' if judged == 1 else f'these {judged} prompts'}"


def few_words(prompts: int) -> str:
    """What is added to a sentence that rests on few prompts."""
    return f"; fewer than {FEW_PROMPTS} prompts say little" if prompts < FEW_PROMPTS else ""


def _price_words(worth: Worth) -> str:
    own, best = worth.mixture.cost, worth.best.cost
    if own is None or best is None:
        whose = "both" if own is None and best is None else "the mixture" if own is None else "the member"
        return f"; what an answer of {whose} costs is unknown"
    if not own and not best:
        return "; neither costs anything"
    if not best:
        return f", at {money(own)} an answer where that member costs nothing"
    ratio = own / best
    if _SAME_PRICE[0] < ratio < _SAME_PRICE[1]:
        return " at the same price"
    number = f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.1f}" if ratio >= _SMALL_RATIO else f"{ratio:.1g}"
    return f" at {number} times the price"
