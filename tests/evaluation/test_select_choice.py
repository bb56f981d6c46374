"""The choice of proposers and an aggregator from win rates and unlikeness made by hand."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import pytest

from moa_tui.errors import UsageError
from moa_tui.evaluation.select_choice import (
    DEFAULT_WEIGHT,
    Budget,
    Choice,
    Criteria,
    Option,
    choose,
    difference,
    not_told_apart,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def chosen(
    known: Mapping[str, tuple[float | None, float | None, float | None]],
    unlike: Mapping[tuple[str, str], float] | float = 0.5,
    weight: float = DEFAULT_WEIGHT,
    **budget: Any,
) -> Choice:
    """The choice among these, each a win rate as proposer and as aggregator, and what a call costs."""
    pairs = dict.fromkeys(combinations(known, 2), unlike) if isinstance(unlike, float) else unlike

    def price_of(proposers: Sequence[str], aggregator: str) -> float | None:
        prices = [known[name][2] for name in (*proposers, aggregator)]
        return None if None in prices else sum(price or 0.0 for price in prices)

    options = [Option(name, rates[0], rates[1]) for name, rates in known.items()]
    return choose(options, Criteria(pairs, price_of, Budget(**budget), weight))


PLAIN = {"a": (0.6, 0.4, 1.0), "b": (0.5, 0.7, 1.0), "c": (0.4, 0.5, 1.0), "d": (0.3, 0.6, 1.0)}


def test_the_best_by_win_rate_are_taken_where_all_differ_alike() -> None:
    choice = chosen(PLAIN, calls=3)
    assert choice.proposer_names == ("a", "b")
    assert (choice.aggregator, choice.aggregator_rate) == ("b", 0.7)
    assert (choice.calls, choice.price) == (3, 3.0)


def test_a_copy_of_the_best_is_not_taken_before_one_that_differs() -> None:
    known = {"a": (0.6, 0.6, 1.0), "copy": (0.6, 0.6, 1.0), "other": (0.5, 0.5, 1.0)}
    unlike = {("a", "copy"): 0.0, ("a", "other"): 0.4, ("other", "copy"): 0.4}
    choice = chosen(known, unlike, calls=3)
    assert choice.proposer_names == ("a", "other")
    first, second = choice.proposers
    assert first.diversity is None
    assert second.diversity == 0.4
    assert second.score == pytest.approx(0.7)
    assert chosen(known, unlike, weight=0.0, calls=3).proposer_names == ("a", "copy")


def test_diversity_is_the_mean_to_all_that_were_chosen_before() -> None:
    known = dict.fromkeys("abcd", (0.5, 0.5, 1.0))
    unlike = {("a", "b"): 0.9, ("a", "c"): 0.8, ("b", "c"): 0.1, ("a", "d"): 0.5, ("b", "d"): 0.6}
    assert chosen(known, unlike, calls=4).proposer_names == ("a", "b", "d")


def test_equal_ones_are_taken_cheapest_first_and_then_in_order() -> None:
    known = {"dear": (0.5, 0.5, 3.0), "one": (0.5, 0.5, 1.0), "two": (0.5, 0.5, 1.0)}
    choice = chosen(known, calls=3)
    assert choice.proposer_names == ("one", "two")
    assert choice.aggregator == "one"
    known_last = {"unknown": (0.5, 0.5, None), "known": (0.5, 0.5, 9.0)}
    assert chosen(known_last, calls=2).proposer_names == ("known",)


def test_sums_that_are_equal_but_for_rounding_are_a_tie() -> None:
    known = {"a": (0.1 + 0.2, 0.1 + 0.2, 2.0), "b": (0.3, 0.3, 1.0)}
    assert chosen(known, calls=2).proposer_names == ("b",)


@pytest.mark.parametrize("calls, proposers", [(2, 1), (3, 2), (4, 3), (5, 4), (99, 4), (None, 4)])
def test_as_many_proposers_are_taken_as_calls_allow(calls: int | None, proposers: int) -> None:
    choice = chosen(PLAIN, calls=calls)
    assert len(choice.proposers) == proposers
    assert choice.calls == proposers + 1


PRICED = {"a": (0.9, 0.1, 4.0), "b": (0.5, 0.9, 1.0), "c": (0.4, 0.8, 2.0)}


def test_a_price_is_reached_and_never_passed() -> None:
    # b aggregates for 1.0; a and b as proposers come to 6.0 with it.
    assert chosen(PRICED, calls=None, price=6.0).proposer_names == ("a", "b")
    assert chosen(PRICED, calls=None, price=5.99).proposer_names == ("b", "c")
    assert chosen(PRICED, calls=None, price=8.0).proposer_names == ("a", "b", "c")


def test_a_cheaper_one_further_down_still_fits() -> None:
    known = {"a": (0.9, 0.1, 1.0), "b": (0.5, 0.9, 1.0), "dear": (0.49, 0.1, 5.0), "c": (0.4, 0.1, 1.0)}
    assert chosen(known, calls=None, price=4.0).proposer_names == ("a", "b", "c")


def test_a_dear_proposer_does_not_take_the_room_of_a_second_one() -> None:
    # With a alone beside the aggregator 5.0 would be spent, and nothing would be mixed.
    assert chosen(PRICED, calls=None, price=5.0).proposer_names == ("b", "c")


def test_an_aggregator_that_leaves_no_room_for_two_is_passed_over() -> None:
    known = {"best": (0.5, 0.9, 4.0), "b": (0.5, 0.8, 1.0), "c": (0.4, 0.1, 1.0)}
    assert chosen(known, calls=None, price=5.5).aggregator == "b"
    assert chosen(known, calls=None, price=6.0).aggregator == "best"


def test_one_proposer_is_better_than_none() -> None:
    assert chosen(PRICED, calls=None, price=2.0).proposer_names == ("b",)


def test_a_budget_for_nobody_is_refused_with_the_cheapest_price() -> None:
    with pytest.raises(UsageError, match=r"the cheapest, b with b as aggregator, takes about \$2\.00"):
        chosen(PRICED, calls=None, price=1.99)
    unknown = {"a": (0.5, 0.5, None), "b": (0.5, 0.5, None)}
    with pytest.raises(UsageError, match="no price is known; give --calls"):
        chosen(unknown, calls=None, price=1.0)


def test_one_without_a_price_fits_no_price_but_any_number_of_calls() -> None:
    known = {"unknown": (0.9, 0.9, None), "b": (0.5, 0.5, 1.0), "c": (0.4, 0.4, 1.0)}
    assert chosen(known, calls=None, price=10.0).proposer_names == ("b", "c")
    choice = chosen(known, calls=3)
    assert choice.proposer_names == ("unknown", "b")
    assert choice.price is None


def test_both_budgets_hold_at_once() -> None:
    assert chosen(PRICED, calls=3, price=8.0).calls == 3
    assert chosen(PRICED, calls=4, price=6.0).proposer_names == ("a", "b")


def test_one_that_failed_in_a_role_is_not_chosen_for_it() -> None:
    known = {"mute": (None, None, 0.0), "a": (0.2, None, 1.0), "b": (0.1, 0.1, 1.0)}
    choice = chosen(known, calls=4)
    assert choice.proposer_names == ("a", "b")
    assert choice.aggregator == "b"
    with pytest.raises(UsageError, match="no candidate has a win rate as aggregator"):
        chosen({"a": (0.2, None, 1.0)})


def test_few_prompts_tell_nobody_apart_and_many_do() -> None:
    few = {"a": {"1": 1.0, "2": 1.0, "3": 0.5}, "b": {"1": 0.5, "2": 1.0, "3": 0.0}}
    assert not_told_apart("a", ["b"], few) == ["b"]
    many = {"a": {str(n): float(n % 5 > 0) for n in range(100)}, "b": {str(n): 0.0 for n in range(100)}}
    assert not_told_apart("a", ["b"], many) == []
    # The better one is not told apart from the worse one where that is what is asked for.
    assert not_told_apart("b", ["a"], many) == ["a"]


def test_only_prompts_that_both_have_are_compared() -> None:
    estimate = difference({"1": 1.0, "2": 1.0, "9": 0.0}, {"1": 0.0, "2": 1.0, "8": 1.0})
    assert estimate is not None
    assert (estimate.value, estimate.prompts) == (0.5, 2)
    assert difference({"1": 1.0}, {"2": 1.0}) is None
    assert not_told_apart("a", ["b"], {"a": {"1": 1.0}, "b": {}}) == ["b"]


def test_the_budget_is_said_in_words() -> None:
    assert Budget().words == "4 calls an answer"
    assert Budget(3, 0.01).words == "3 calls and $0.0100 an answer"
    assert Budget(None, None).words == "any price an answer"
