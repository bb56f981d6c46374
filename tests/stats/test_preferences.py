"""Choices added up: win rates with their intervals, and strengths only where they can be told."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from math import log

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from moa_tui.stats.preferences import (
    ELO_MEAN,
    LEAST_PAIRS,
    Preference,
    Preferences,
    Standing,
    bradley_terry,
    elo,
    preferences,
    wilson,
)

NAMES = ("duo", "moa", "lite", "vote")


def chosen(name: str | None, *recipes: str, blind: bool = False) -> Preference:
    return Preference(recipes, name, blind, 0.0)


def added_up(*choices: Preference) -> Preferences:
    result = preferences(choices)
    assert result is not None
    return result


def standing_of(result: Preferences, name: str) -> Standing:
    return next(standing for standing in result.standings if standing.recipe == name)


@st.composite
def choice_lists(draw: st.DrawFn) -> list[Preference]:
    choices = []
    for _ in range(draw(st.integers(0, 60))):
        recipes = draw(st.lists(st.sampled_from(NAMES), min_size=2, max_size=3, unique=True))
        choices.append(chosen(draw(st.sampled_from([None, *recipes])), *recipes, blind=draw(st.booleans())))
    return choices


# --- counting ---------------------------------------------------------------------------------------


def test_without_a_choice_there_is_no_table() -> None:
    assert preferences([]) is None
    assert preferences([chosen("duo", "duo")]) is None


def test_one_of_two_is_a_win_and_a_loss() -> None:
    result = added_up(chosen("duo", "duo", "moa"))
    duo, moa = standing_of(result, "duo"), standing_of(result, "moa")
    assert (duo.compared, duo.wins, duo.losses, duo.ties, duo.win_rate) == (1, 1, 0, 0, 1.0)
    assert (moa.compared, moa.wins, moa.losses, moa.ties, moa.win_rate) == (1, 0, 1, 0, 0.0)
    assert [standing.recipe for standing in result.standings] == ["duo", "moa"]


def test_one_of_three_has_beaten_both_others_who_have_not_met() -> None:
    result = added_up(chosen("moa", "duo", "moa", "lite"))
    assert standing_of(result, "moa").wins == 2
    assert [
        (standing.losses, standing.ties, standing.pairs)
        for standing in result.standings
        if standing.recipe != "moa"
    ] == [
        (1, 0, 1),
        (1, 0, 1),
    ]


def test_none_is_a_tie_of_each_pair_and_a_tie_is_half_a_win() -> None:
    result = added_up(chosen(None, "duo", "moa", "lite"))
    assert [(standing.ties, standing.win_rate) for standing in result.standings] == [(2, 0.5)] * 3


def test_blind_choices_are_counted_apart() -> None:
    result = added_up(chosen("duo", "duo", "moa", blind=True), chosen("moa", "duo", "moa"))
    assert (result.choices, result.blind) == (2, 1)


@given(choice_lists())
def test_every_pair_is_counted_once_for_each_of_its_two(choices: list[Preference]) -> None:
    result = preferences(choices)
    if result is None:
        assert not choices
        return
    assert sum(standing.wins for standing in result.standings) == sum(
        standing.losses for standing in result.standings
    )
    assert sum(standing.ties for standing in result.standings) % 2 == 0
    points = sum(standing.wins + standing.ties / 2 for standing in result.standings)
    assert points == sum(standing.pairs for standing in result.standings) / 2
    for standing in result.standings:
        assert 0 <= standing.low <= standing.win_rate <= standing.high <= 1


@given(choice_lists())
def test_the_order_of_the_choices_changes_nothing(choices: list[Preference]) -> None:
    result, other_way_round = preferences(choices), preferences(choices[::-1])
    if result is None or other_way_round is None:
        return
    assert result.without_strength == other_way_round.without_strength
    for standing, other in zip(result.standings, other_way_round.standings, strict=True):
        assert (standing.recipe, standing.wins, standing.group) == (other.recipe, other.wins, other.group)
        assert (standing.strength or 0) == pytest.approx(other.strength or 0, abs=0.01)


# --- the interval -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (8, 10, 0.4902, 0.9433),
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (50, 100, 0.4038, 0.5962),
        (1, 1, 0.2065, 1.0),
        (0, 0, 0.0, 1.0),
    ],
)
def test_the_interval_has_known_values(successes: int, trials: int, low: float, high: float) -> None:
    assert wilson(successes, trials) == pytest.approx((low, high), abs=1e-4)


@given(st.integers(1, 10_000), st.data())
def test_the_interval_holds_the_share_and_narrows_with_more_trials(trials: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, 2 * trials)) / 2
    low, high = wilson(successes, trials)
    assert 0 <= low <= successes / trials + 1e-12
    assert successes / trials - 1e-12 <= high <= 1
    narrower = wilson(4 * successes, 4 * trials)
    assert narrower[1] - narrower[0] < high - low
    assert wilson(trials - successes, trials) == pytest.approx((1 - high, 1 - low))


# --- strengths --------------------------------------------------------------------------------------


def test_of_two_the_strengths_are_as_their_wins() -> None:
    strengths = bradley_terry(["duo", "moa"], {("duo", "moa"): 15, ("moa", "duo"): 5})
    assert strengths["duo"] / strengths["moa"] == pytest.approx(3)
    on_scale = elo(strengths)
    assert on_scale["duo"] - on_scale["moa"] == pytest.approx(400 * 0.4771, abs=0.01)
    assert on_scale["duo"] + on_scale["moa"] == pytest.approx(2 * ELO_MEAN)


def test_strengths_have_the_values_of_a_known_example() -> None:
    # Wins that follow strengths 4 : 2 : 1 exactly, so that these are the likeliest.
    pairs = {
        **{("duo", "moa"): 40.0, ("moa", "duo"): 20.0},
        **{("moa", "lite"): 40.0, ("lite", "moa"): 20.0},
        **{("duo", "lite"): 48.0, ("lite", "duo"): 12.0},
    }
    strengths = bradley_terry(["duo", "moa", "lite"], pairs)
    assert strengths["duo"] / strengths["lite"] == pytest.approx(4)
    assert strengths["moa"] / strengths["lite"] == pytest.approx(2)


def likelihood(strengths: dict[str, float], pairs: dict[tuple[str, str], float]) -> float:
    return sum(
        n * log(strengths[winner] / (strengths[winner] + strengths[loser]))
        for (winner, loser), n in pairs.items()
    )


WINS = st.lists(st.integers(0, 12), min_size=12, max_size=12)


@given(WINS, st.sampled_from(NAMES), st.floats(0.7, 1.4))
def test_no_other_strengths_are_likelier(wins: list[int], name: str, factor: float) -> None:
    all_pairs = [(recipe, other) for recipe in NAMES for other in NAMES if recipe != other]
    pairs = {pair: n + 0.5 for pair, n in zip(all_pairs, wins, strict=True)}
    strengths = bradley_terry(NAMES, pairs)
    assert sum(strengths.values()) == pytest.approx(len(NAMES))
    assert (
        likelihood(strengths, pairs)
        >= likelihood({**strengths, name: strengths[name] * factor}, pairs) - 1e-6
    )
    # At the maximum everybody has won as often as the strengths say.
    for recipe in NAMES:
        expected = sum(
            (pairs[recipe, other] + pairs[other, recipe])
            * strengths[recipe]
            / (strengths[recipe] + strengths[other])
            for other in NAMES
            if other != recipe
        )
        won = sum(pairs[recipe, other] for other in NAMES if other != recipe)
        assert expected == pytest.approx(won, rel=1e-5)


def test_with_enough_pairs_there_are_strengths_the_strongest_first() -> None:
    won = [chosen("moa", "duo", "moa")] * 7 + [chosen("duo", "duo", "moa")] * 3
    result = added_up(*won)
    assert result.without_strength == ()
    assert [standing.recipe for standing in result.standings] == ["moa", "duo"]
    strengths = [standing.strength for standing in result.standings]
    assert strengths[0] is not None
    assert strengths[1] is not None
    assert strengths[0] - strengths[1] == pytest.approx(147.2, abs=0.1)


def test_a_tie_is_half_a_win_in_the_strengths_too() -> None:
    result = added_up(*[chosen(name, "duo", "moa") for name in ["duo"] * 6 + ["moa"] * 2 + [None] * 4])
    # Eight points to four: twice as strong.
    strengths = [standing.strength or 0 for standing in result.standings]
    assert strengths[0] - strengths[1] == pytest.approx(120.4, abs=0.1)


def test_with_one_pair_less_there_are_none_and_it_is_said_who_lacks_them() -> None:
    won = [chosen("moa", "duo", "moa")] * (LEAST_PAIRS - 4) + [chosen("duo", "duo", "moa")] * 3
    result = added_up(*won)
    assert [standing.strength for standing in result.standings] == [None, None]
    assert result.without_strength == (
        "duo and moa: each needs 10 pairs with the others, and duo and moa have fewer.",
    )


def test_who_never_lost_has_no_strength_that_could_be_told() -> None:
    result = added_up(*[chosen("moa", "duo", "moa")] * 20)
    assert [standing.strength for standing in result.standings] == [None, None]
    (why,) = result.without_strength
    assert why.startswith("duo and moa: moa has not once lost to or tied with the others")
    tied = added_up(*[chosen("moa", "duo", "moa")] * 20, chosen(None, "duo", "moa"))
    assert all(standing.strength is not None for standing in tied.standings)


def test_wins_that_lead_only_one_way_from_two_to_two_are_not_enough() -> None:
    among = [chosen(name, *pair) for pair in (("duo", "moa"), ("lite", "vote")) for name in pair] * 10
    one_way = [chosen("duo", "duo", "lite"), chosen("moa", "moa", "vote")]
    result = added_up(*among, *one_way)
    assert {standing.group for standing in result.standings} == {1}
    assert all(standing.strength is None for standing in result.standings)
    assert "duo and moa have not once lost to or tied with the others" in result.without_strength[0]
    back = added_up(*among, *one_way, chosen("vote", "duo", "vote"))
    assert all(standing.strength is not None for standing in back.standings)


def test_recipes_that_never_met_are_groups_of_their_own() -> None:
    known = [chosen(name, "duo", "moa") for name in ("duo", "moa")] * 5
    result = added_up(*known, chosen("lite", "lite", "vote"))
    assert (
        standing_of(result, "duo").group
        == standing_of(result, "moa").group
        != standing_of(result, "lite").group
    )
    assert standing_of(result, "duo").strength == pytest.approx(ELO_MEAN)
    assert standing_of(result, "lite").strength is None
    assert [standing.group for standing in result.standings] == [1, 1, 2, 2]
    assert len(result.without_strength) == 1


@given(choice_lists())
def test_a_strength_is_given_exactly_where_wins_lead_from_each_to_each(choices: list[Preference]) -> None:
    result = preferences(choices)
    assume(result is not None)
    assert result is not None
    beaten: defaultdict[str, set[str]] = defaultdict(set)
    for choice in choices:
        for winner in [choice.chosen] if choice.chosen else choice.recipes:
            beaten[winner] |= {*choice.recipes} - {winner}
    for _ in NAMES:
        for losers in beaten.values():
            losers |= {further for loser in [*losers] for further in beaten.get(loser, ())}
    for group in {standing.group for standing in result.standings}:
        members = [standing for standing in result.standings if standing.group == group]
        names = {standing.recipe for standing in members}
        enough = all(standing.pairs >= LEAST_PAIRS for standing in members)
        strong = all(names <= beaten.get(name, set()) | {name} for name in names)
        assert [standing.strength is not None for standing in members] == [enough and strong] * len(members)
        if enough and strong:
            strengths = [standing.strength or 0 for standing in members]
            assert all(before >= after for before, after in pairwise(strengths))
