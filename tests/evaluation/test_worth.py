"""What a mixture is worth beside its members: the sentence that comes first, and what it rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from moa_tui.evaluation.judging.questions import Candidate, Given
from moa_tui.evaluation.worth import Standing, standing_of, worth_of, worth_sentence

if TYPE_CHECKING:
    from collections.abc import Sequence


def standing(
    name: str, scores: Sequence[float | None], cost: float | None = 0.01, seconds: float = 2.0
) -> Standing:
    """A candidate with these scores on prompts 0, 1, 2 ...; None where it gave no answer."""
    values = {str(at): score for at, score in enumerate(scores) if score is not None}
    answers = {prompt: Given(("an answer",), cost, seconds) for prompt in values}
    kind = "member" if "/" in name else "recipe"
    return standing_of(Candidate(name, kind, answers, "mix"), values)  # type: ignore[arg-type]


def sentence(
    own: Sequence[float | None],
    best: Sequence[float | None],
    own_cost: float | None = 0.068,
    best_cost: float | None = 0.01,
    form: str = "pairs",
) -> str:
    worth = worth_of(standing("mix", own, own_cost), [standing("mix/qwen", best, best_cost)])
    assert worth is not None
    return worth_sentence(worth, form)  # type: ignore[arg-type]


def test_a_gain_is_said_with_its_interval_and_price() -> None:
    said = sentence([0.5] * 200, [0.5] * 150 + [0.0] * 50)
    assert said.startswith("on these 200 prompts mix beat its best member, qwen, by 12.5 points (")
    assert said.endswith(") at 6.8 times the price")


def test_a_loss_is_said_as_one() -> None:
    said = sentence([0.5] * 150 + [0.0] * 50, [0.5] * 200)
    assert said.startswith("on these 200 prompts mix fell behind its best member, qwen, by 12.5 points (")


def test_where_the_interval_holds_zero_no_difference_is_claimed() -> None:
    said = sentence([1.0, 0.0] * 50, [0.0, 1.0] * 49 + [1.0, 0.0])
    assert "no difference can be told between mix and its best member, qwen: " in said
    assert "beat" not in said


@pytest.mark.parametrize(
    ("own_cost", "best_cost", "words"),
    [
        (0.0, 0.0, "; neither costs anything"),
        (0.02, 0.0, ", at $0.0200 an answer where that member costs nothing"),
        (None, 0.01, "; what an answer of the mixture costs is unknown"),
        (0.02, None, "; what an answer of the member costs is unknown"),
        (None, None, "; what an answer of both costs is unknown"),
        (0.01, 0.01, " at the same price"),
        (2.0, 0.01, " at 200 times the price"),
        (0.003, 0.01, " at 0.3 times the price"),
        (0.0003, 0.01, " at 0.03 times the price"),
    ],
)
def test_the_price_is_said_as_far_as_it_is_known(
    own_cost: float | None, best_cost: float | None, words: str
) -> None:
    assert sentence([1.0] * 40, [0.0] * 40, own_cost, best_cost).endswith(words)


def test_few_prompts_are_said_to_be_few() -> None:
    assert sentence([1.0] * 29, [0.0] * 29).endswith("; fewer than 30 prompts say little")
    assert "this prompt" in sentence([1.0], [0.0])
    assert "say little" not in sentence([1.0] * 30, [0.0] * 30)


def test_ratings_are_said_in_points_of_their_scale() -> None:
    said = sentence([0.6] * 100, [0.4] * 50 + [0.5] * 50, form="ratings")
    assert "by 1.35 points (" in said
    assert "on a scale to 10 at 6.8 times" in said


def test_a_member_without_an_answer_counts_with_its_own_mean() -> None:
    """A quorum leaves another member behind on each prompt: there may be no prompt that all have answered."""
    mixture = standing("mix", [0.5] * 4)
    members = [standing("mix/a", [1.0, None, 1.0, 0.0]), standing("mix/b", [None, 0.0, 0.0, 0.0])]
    worth = worth_of(mixture, members)
    assert worth is not None
    assert (worth.best.candidate.name, worth.filled_in) == ("mix/a", 2)
    assert worth.gain.best_rate == pytest.approx(2 / 3)
    # On the second and the fourth prompt every member that answered lost.
    assert worth.none_wins is not None
    assert worth.none_wins.value == 0.5
    assert worth.best_choice == 0.5


def test_a_member_that_answered_hardly_ever_is_not_compared() -> None:
    members = [standing("mix/a", [0.4] * 10), standing("mix/b", [1.0, *[None] * 9])]
    worth = worth_of(standing("mix", [0.5] * 10), members)
    assert worth is not None
    assert (worth.best.candidate.name, worth.left_out) == ("mix/a", ("mix/b",))
    assert worth_of(standing("mix", [0.5] * 10), members[1:]) is None
    assert worth_of(standing("mix", []), members) is None


def test_the_luckiest_of_several_samples_is_not_the_best_member() -> None:
    """But a choice among all samples could take it."""
    samples = [standing(f"mix/a {at}", [float(at == other) for other in range(4)]) for at in range(4)]
    together = standing("mix/a", [0.25] * 4)
    worth = worth_of(standing("mix", [0.5] * 4), [together], samples)
    assert worth is not None
    assert worth.gain.estimate.value == 0.25
    assert worth.best_choice == 1
    assert worth.none_wins is not None
    assert worth.none_wins.value == 0


def test_a_gain_is_set_against_what_it_costs_more() -> None:
    worth = worth_of(
        standing("mix", [0.8] * 50, 0.03, seconds=6.0), [standing("mix/a", [0.5] * 50, 0.01, seconds=2.0)]
    )
    assert worth is not None
    assert worth.per_dollar is not None
    # 30 points for the $20 that 1,000 answers cost more, and for four seconds.
    assert worth.per_dollar.value == pytest.approx(0.3 / 20)
    assert worth.per_second is not None
    assert worth.per_second.value == pytest.approx(0.3 / 4)
    cheaper = worth_of(standing("mix", [0.8] * 50, 0.005), [standing("mix/a", [0.5] * 50, 0.01)])
    assert cheaper is not None
    assert cheaper.per_dollar is None


def test_an_answer_whose_verdict_is_missing_has_not_lost() -> None:
    """No verdict is guessed: such a prompt says nothing of what a choice among the answers could reach."""
    given = {str(at): Given(("an answer",), 0.01, 2.0) for at in range(4)}
    unread = standing_of(Candidate("mix/b", "member", given, "mix"), {"0": 0.0, "1": 1.0})
    worth = worth_of(standing("mix", [0.5] * 4), [standing("mix/a", [0.0] * 4), unread])
    assert worth is not None
    assert worth.none_wins is not None
    assert (worth.none_wins.value, worth.none_wins.prompts, worth.unsure) == (0.5, 2, 2)
    assert worth.best_choice == 0.5
    never_sure = standing_of(Candidate("mix/c", "member", given, "mix"), {})
    worth = worth_of(standing("mix", [0.5] * 4), [standing("mix/a", [0.0] * 4), never_sure])
    assert worth is not None
    assert (worth.none_wins, worth.best_choice, worth.unsure) == (None, None, 4)


def test_of_a_conversation_each_answer_has_its_share_of_the_price() -> None:
    mixture = Candidate("mix", "recipe", {"0": Given(("one", "two"), 0.06, 8.0)}, "mix")
    assert (standing_of(mixture, {"0": 1.0}).cost, standing_of(mixture, {"0": 1.0}).seconds) == (0.03, 4.0)


def test_prompts_that_could_not_be_judged_are_said_first() -> None:
    worth = worth_of(standing("mix", [1.0] * 40), [standing("mix/a", [0.0] * 40)])
    assert worth is not None
    assert worth_sentence(worth, "pairs", 200).startswith("on 40 of 200 prompts mix beat")
    assert worth_sentence(worth, "pairs", 40).startswith("on these 40 prompts mix beat")
