"""The layout of a run over time: spans, ticks, marks."""

from __future__ import annotations

import pytest

from moa_tui.engine.metrics import measure
from moa_tui.engine.values import CallId, Reply
from moa_tui.formats.export.waterfall import (
    Span,
    Tick,
    TimedCall,
    critical_path,
    lay_out,
    path_meaning,
    reply_span,
)

A, B, JUDGE = CallId(1, 1), CallId(1, 2), CallId(2, 1)


def call(number: int, end: float) -> TimedCall:
    return TimedCall(CallId(1, number), f"agent {number}", Span(0, 0, 0, end), 0)


def test_a_call_goes_through_its_phases_without_a_gap() -> None:
    span = Span(1, 2, 4, 8)
    assert list(span.phases()) == [("queued", 1, 2), ("asked", 2, 4), ("writing", 4, 8)]
    assert [span.phase_at(at) for at in (1, 2, 3.9, 4, 8)] == [
        "queued", "asked", "asked", "writing", "writing",
    ]  # fmt: skip
    assert span.seconds == 7


def test_a_phase_that_a_call_did_not_come_to_has_no_length() -> None:
    assert list(Span(1, None, None, 8).phases()) == [("queued", 1, 8), ("asked", 8, 8), ("writing", 8, 8)]
    assert Span(1, None, None, 8).phase_at(8) == "queued"
    assert list(Span(1, 2, None, 8).phases()) == [("queued", 1, 2), ("asked", 2, 8), ("writing", 8, 8)]
    assert Span(1, 2, None, 8).phase_at(8) == "asked"


@pytest.mark.parametrize(
    ("seconds", "most", "labels"),
    [
        (6, 8, ["0 s", "1 s", "2 s", "3 s", "4 s", "5 s", "6 s"]),
        (100, 8, ["0 s", "20 s", "40 s", "60 s", "80 s", "100 s"]),
        (0.3, 4, ["0.0 s", "0.1 s", "0.2 s", "0.3 s"]),
        (0, 2, ["0.00 s", "0.05 s", "0.10 s"]),
    ],
)
def test_ticks_are_round_numbers_and_no_more_than_there_is_room_for(
    seconds: float, most: int, labels: list[str]
) -> None:
    assert [tick.label for tick in lay_out([], seconds, (), most_ticks=most).ticks] == labels


def test_the_axis_reaches_the_last_end_and_of_a_growing_run_the_next_tick() -> None:
    assert lay_out([call(1, 3), call(2, 9.5)], 7, (), most_ticks=8).seconds == 9.5
    growing = lay_out([call(1, 3)], 6.1, (), most_ticks=4, whole_ticks=True)
    assert growing.seconds == 8
    assert growing.ticks[-1] == Tick(8, "8 s")


def test_every_call_has_a_bar_in_order_and_the_slowest_is_marked() -> None:
    bars = lay_out([call(1, 3), call(2, 9)], 9, {CallId(1, 2)}, most_ticks=8).bars
    assert [(bar.label, bar.is_slowest) for bar in bars] == [("L1.1 agent 1", False), ("L1.2 agent 2", True)]


def test_a_reply_kept_from_an_earlier_run_has_no_times_in_this_one() -> None:
    replies = {
        A: Reply("a", "m", "done", queued=0, started=1, first_token=2, ended=3),
        B: Reply("b", "m", "done", queued=0, started=1, first_token=2, ended=90, reused=True),
        JUDGE: Reply("judge", "m", "done", queued=3, started=3, first_token=4, ended=5),
    }
    assert reply_span(replies[A]) == Span(0, 1, 2, 3)
    assert reply_span(replies[B]) is None
    assert critical_path(measure(replies, {}, None), replies) == {A, JUDGE}


def test_calls_made_in_turn_are_all_on_the_critical_path_and_the_legend_says_so() -> None:
    replies = {
        A: Reply("a", "m", "done", queued=0, started=0, first_token=2, ended=9),
        B: Reply("b", "m", "done", queued=9, started=9, first_token=10, ended=11),
        JUDGE: Reply("judge", "m", "stopped", queued=11, ended=12),
    }
    assert critical_path(measure(replies, {}, None, in_turn={1}), replies) == {A, B}
    assert critical_path(measure(replies, {}, None), replies) == {A}
    assert "in turn" in path_meaning(in_turn=True)
    assert "in turn" not in path_meaning(in_turn=False)
