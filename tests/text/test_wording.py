"""How states, prices, calls and runs are put into words."""

from __future__ import annotations

from typing import get_args

import pytest

from moa_tui.engine.left_out import LeftOutPoint
from moa_tui.engine.values import (
    CallId,
    Failure,
    LayerMetrics,
    Metrics,
    Outcome,
    Overlap,
    Reply,
    Status,
    Usage,
)
from moa_tui.text.safe import one_line
from moa_tui.text.wording import (
    GLYPHS,
    calls_words,
    counted,
    describe,
    left_out_text,
    money,
    read_words,
    step_words,
    summary,
)
from tests.conversations import a_reply_in_steps
from tests.helpers import recipe

RECIPE = recipe(["a", "b"], ["judge"])
EXACT = Usage(100, 40, estimated=False)


def reply(status: Status = "done", **changes: object) -> Reply:
    values: dict[str, object] = {
        "text": "some text",
        "usage": EXACT,
        "cost": 0.002,
        "started": 1.0,
        "ended": 3.5,
    }
    return Reply("a", "a", status, **{**values, **changes})  # type: ignore[arg-type]


def outcome(metrics: Metrics | None = None, **changes: object) -> Outcome:
    replies = {CallId(1, 1): reply(), CallId(1, 2): reply("failed"), CallId(2, 1): reply()}
    values: dict[str, object] = {"replies": replies, "cost": 0.02, "seconds": 14.24, **changes}
    return Outcome("done", "text", metrics=metrics or Metrics(), **values)  # type: ignore[arg-type]


def test_every_state_has_a_glyph_of_its_own() -> None:
    assert {"waiting", "writing", "retrying", "your turn", *get_args(Status)} == set(GLYPHS)
    assert len(set(GLYPHS.values())) == len(GLYPHS)
    assert all(len(glyph) == 1 for glyph in GLYPHS.values())


@pytest.mark.parametrize(("number", "words"), [(0, "0 calls"), (1, "1 call"), (2, "2 calls")])
def test_one_thing_is_not_several(number: int, words: str) -> None:
    assert counted(number, "call") == words


@pytest.mark.parametrize(
    ("dollars", "words"),
    [
        (None, "price unknown"),
        (0, "$0"),
        (0.00001, "$0.0000"),
        (0.00123, "$0.0012"),
        (0.0999, "$0.0999"),
        (0.1, "$0.10"),
        (12.3, "$12.30"),
    ],
)
def test_a_price_is_as_exact_as_it_is_small(dollars: float | None, words: str) -> None:
    assert money(dollars) == words


def test_a_reply_is_described_in_a_line() -> None:
    assert describe(reply()) == "done, 40 tokens, 2.5 s, $0.0020"


def test_what_is_not_known_of_a_reply_is_said_to_be_so() -> None:
    assert describe(reply(usage=Usage(1, 40), cost=None)) == "done, about 40 tokens, 2.5 s, price unknown"
    assert describe(reply(usage=Usage(), text="word " * 9)) == "done, about 10 tokens, 2.5 s, $0.0020"


def test_a_reply_in_steps_says_in_how_many() -> None:
    assert describe(a_reply_in_steps()) == "done, about 50 tokens, 2 steps, 2.5 s, $0.75"


def test_a_reply_kept_from_before_says_so() -> None:
    assert describe(reply(reused=True)).startswith("done, kept from before, 40 tokens")


def test_what_a_server_on_this_machine_wrote_is_local() -> None:
    assert describe(reply(cost=0.0, local=True)) == "done, 40 tokens, 2.5 s, local"
    assert describe(reply(cost=0.0)) == "done, 40 tokens, 2.5 s, $0"
    # One that says that it charged is believed.
    assert describe(reply(cost=0.5, local=True)) == "done, 40 tokens, 2.5 s, $0.50"


def test_a_failed_call_says_why_on_the_same_line() -> None:
    failed = reply("failed", text="", error=Failure("server", "it said:\n  no\n"))
    assert describe(failed) == "failed, 2.5 s: it said: no"


def test_a_call_that_never_started_took_no_time() -> None:
    assert describe(reply("stopped", text="", started=None)) == "stopped, 0.0 s"


def test_a_run_is_summed_up_in_a_line() -> None:
    layers = (LayerMetrics(1, 2, 1, CallId(1, 1), 3.0), LayerMetrics(2, 1, 1, CallId(2, 1), 2.0))
    assert summary(RECIPE, outcome(Metrics(layers))) == "test: 1 of 2 used · 3 of 3 calls · 14.2 s · $0.0200"


def test_the_answers_counted_are_those_that_were_read_last_whatever_stands_between() -> None:
    layers = (
        LayerMetrics(1, 4, 3, CallId(1, 1), 3.0),
        LayerMetrics(2, 1, 1, CallId(2, 1), 2.0),
        LayerMetrics(3, 1, 1, CallId(3, 1), 2.0),
    )
    ranked = recipe(["a", "b"], {"agents": ["judge"], "task": "rank"}, ["writer"])
    assert summary(ranked, outcome(Metrics(layers))).startswith("test: 3 of 4 used")
    voted = recipe(["a", "b"], {"task": "vote"})
    assert summary(voted, outcome(Metrics(layers[:1]))).startswith("test: 3 of 4 used")
    assert "used" not in summary(voted, outcome(Metrics((LayerMetrics(9, 1, 1, None, 0.0),))))


def test_calls_that_were_kept_or_never_made_are_not_counted() -> None:
    replies = {CallId(1, 1): reply(reused=True), CallId(1, 2): reply(started=None), CallId(2, 1): reply()}
    assert summary(RECIPE, outcome(replies=replies)).startswith("test: 1 of 3 calls")


def test_overlap_of_wording_is_not_spoken_of() -> None:
    overlap = (Overlap(CallId(1, 1), 0.25, 0.5),)
    assert summary(RECIPE, outcome(Metrics(overlap=overlap))) == summary(RECIPE, outcome())


def test_each_note_has_a_line() -> None:
    words = summary(RECIPE, outcome(notes=("one", "two")))
    assert words.split("\n")[1:] == ["  note: one", "  note: two"]


def test_white_space_of_every_kind_becomes_one_space() -> None:
    assert one_line("  a\n\tb \u2028 c\r") == "a b c"


def test_what_a_part_was_written_from_is_said_with_how_much_of_it() -> None:
    a, b, c = CallId(1, 1), CallId(1, 2), CallId(1, 3)
    for read, whole, words in (
        ({a: 512, b: 512}, set(), "2 of 6 beginnings, 512 characters each"),
        ({a: 512}, set(), "1 of 6 beginnings, 512 characters"),
        ({a: 400, b: 2_000}, set(), "2 of 6 beginnings, 400 to 2,000 characters"),
        ({a: 900, b: 512, c: 512}, {a}, "3 of 6 answers: 1 whole, 2 beginnings of 512 characters"),
        ({a: 900, b: 512}, {a, b}, "2 of 6 answers, whole"),
    ):
        assert read_words(read, whole, 6) == words
    assert step_words(2, {a: 9}, {a}, 6, is_again=False) == "part 2 from 1 of 6 answers, whole"
    assert step_words(1, {a: 9}, {a}, 6, is_again=True) == "begun again from 1 of 6 answers, whole"
    assert step_words(2, {a: 9}, set(), 6, is_again=True).startswith("part 2, begun again, from 1 of 6 beg")


def test_requests_are_counted_where_they_are_more_than_the_calls() -> None:
    assert calls_words(7, 7) == "7 calls"
    assert calls_words(7, 23) == "7 calls, 23 requests at most"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("**Water**: use `chlorine-free` water", "Water: use chlorine-free water"),
        ("这是**重点**内容", "这是重点内容"),
        ("There are 2**10 bytes, and 2 ** 3 is 8", "There are 2**10 bytes, and 2 ** 3 is 8"),
        ("Pass `**kwargs` to __init__", "Pass **kwargs to __init__"),
    ],
)
def test_a_point_loses_no_more_than_the_marks_of_bold_text_and_code(written: str, shown: str) -> None:
    point = LeftOutPoint(written, (CallId(1, 1),), 0, len(written))
    assert left_out_text(point) == shown
