"""The numbers of a run, on texts and times small enough to check by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from moa_tui.engine.metrics import compare, measure
from moa_tui.engine.values import CallId, Reply, Step, Usage

ONE, TWO, FINAL = CallId(1, 1), CallId(1, 2), CallId(2, 1)


def reply(text: str, started: float, first: float, ended: float, *, reused: bool = False) -> Reply:
    return Reply(
        "a", "m", "done", text=text, started=started, first_token=first, ended=ended,
        queued=started, usage=Usage(1, 10), reused=reused,
    )  # fmt: skip


def test_the_critical_path_is_the_slowest_call_of_each_layer_and_names_it() -> None:
    replies = {ONE: reply("x", 0, 1, 4), TWO: reply("y", 0, 0.5, 9), FINAL: reply("z", 9, 10, 12)}
    numbers = measure(replies, {1: [ONE, TWO], 2: [FINAL]}, FINAL)
    assert [layer.slowest for layer in numbers.layers] == [TWO, FINAL]
    assert numbers.critical_path_seconds == 12
    assert numbers.parallel_saving_seconds == 4
    assert numbers.first_proposer_token_seconds == 0.5
    assert numbers.first_final_token_seconds == 10
    assert [(layer.asked, layer.used) for layer in numbers.layers] == [(2, 2), (1, 1)]


def test_all_calls_of_a_layer_that_were_made_in_turn_are_on_the_critical_path() -> None:
    replies = {ONE: reply("x", 0, 1, 4), TWO: reply("y", 4, 5, 13), FINAL: reply("z", 13, 14, 16)}
    numbers = measure(replies, {1: [ONE, TWO], 2: [FINAL]}, FINAL, in_turn={1, 2})
    assert numbers.critical_path_seconds == 16
    assert numbers.parallel_saving_seconds == 0
    assert [(layer.slowest, layer.seconds, layer.in_turn) for layer in numbers.layers] == [
        (TWO, 13, True),
        (FINAL, 3, True),
    ]


def test_of_a_call_that_began_beside_the_layer_before_only_what_is_behind_that_counts() -> None:
    steps = (
        Step((), {}, frozenset(), 1, started=2, ended=4),
        Step((), {}, frozenset(), 2, started=9, ended=12),
    )
    final = replace(reply("z", 2, 3, 12), steps=steps)
    replies = {ONE: reply("x", 0, 1, 4), TWO: reply("y", 0, 0.5, 9), FINAL: final}
    numbers = measure(replies, {1: [ONE, TWO], 2: [FINAL]}, FINAL, beside={2})
    assert [layer.seconds for layer in numbers.layers] == [9, 3]
    assert numbers.critical_path_seconds == 12, "the run took no longer than that"
    assert numbers.parallel_saving_seconds == 4 + 9 + (2 + 3) - 12
    assert numbers.first_final_token_seconds == 3
    # One that had ended before the others takes no time, and never less than none.
    replies[FINAL] = replace(final, ended=8)
    numbers = measure(replies, {1: [ONE, TWO], 2: [FINAL]}, FINAL, beside={2})
    assert [layer.seconds for layer in numbers.layers] == [9, 0]


def test_a_kept_reply_takes_no_time_among_calls_made_in_turn() -> None:
    replies = {ONE: reply("x", 0, 1, 400, reused=True), TWO: reply("y", 0, 1, 2), FINAL: reply("z", 2, 3, 5)}
    assert measure(replies, {}, None, in_turn={1}).critical_path_seconds == 5


def test_kept_replies_take_no_time() -> None:
    replies = {ONE: reply("x", 0, 1, 400, reused=True), FINAL: reply("z", 0, 1, 2)}
    numbers = measure(replies, {1: [ONE], 2: [FINAL]}, FINAL)
    assert numbers.critical_path_seconds == 2
    assert numbers.first_proposer_token_seconds is None


def test_a_run_that_came_to_nothing_has_numbers_too() -> None:
    assert measure({}, {}, None).critical_path_seconds == 0


def test_overlap_counts_shared_wording() -> None:
    final = "the moa was a large flightless bird of new zealand"
    overlap, diversity, novelty = compare(
        final, {ONE: final, TWO: "entirely different words stand here now"}, [ONE, TWO]
    )
    same, other = overlap
    assert (same.ngram_share, same.cosine) == (1.0, pytest.approx(1.0))
    assert (other.ngram_share, other.cosine) == (0.0, 0.0)
    assert diversity == pytest.approx(1.0)
    assert novelty == 0.0


def test_half_of_the_wording_is_half_of_the_overlap() -> None:
    overlap, _, novelty = compare("a b c d e f", {ONE: "a b c d"}, [ONE])
    # 3-grams: 2 of 4, 4-grams: 1 of 3, 5-grams: 0 of 2.
    assert overlap[0].ngram_share == pytest.approx(3 / 9)
    assert novelty == pytest.approx(6 / 9)


def test_equal_answers_have_no_diversity_and_a_single_one_none_to_tell() -> None:
    assert compare("x y z", {ONE: "a b c", TWO: "a b c"}, [ONE, TWO])[1] == pytest.approx(0.0)
    assert compare("x y z", {ONE: "a b c"}, [ONE])[1] is None


def test_texts_shorter_than_an_ngram_do_not_break_it() -> None:
    overlap, _, novelty = compare("yes", {ONE: "yes"}, [ONE])
    assert overlap[0].cosine == pytest.approx(1.0)
    assert overlap[0].ngram_share == 0.0
    assert novelty is None


def test_every_proposer_of_every_layer_is_compared_with_the_final_answer() -> None:
    early, late, final = CallId(1, 1), CallId(2, 1), CallId(3, 1)
    replies = {
        early: reply("one two three", 0, 1, 2),
        late: reply("x", 2, 3, 4),
        final: reply("one two three", 4, 5, 6),
    }
    numbers = measure(replies, {1: [early], 2: [late], 3: [final]}, final)
    assert [(overlap.call, overlap.ngram_share) for overlap in numbers.overlap] == [(early, 1.0), (late, 0.0)]
    assert numbers.novelty == 0.0
