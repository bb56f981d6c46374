"""Following a run without a terminal: its events taken in, and what is new of each text told once."""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING

import pytest

from moa_tui.engine.events import (
    CallEnded,
    CallRetried,
    CallStarted,
    Delta,
    ReplyChanged,
    Restated,
    RunEnded,
)
from moa_tui.engine.values import CallId, Failure, Metrics, Outcome, Reply
from moa_tui.ui.run.follower import (
    AnswerCursor,
    Appended,
    Begun,
    Nothing,
    RunFollower,
    TextCursor,
    Whole,
)
from moa_tui.ui.run.run_view import RunView
from tests.helpers import recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from moa_tui.engine.events import Event
    from moa_tui.engine.values import Kind

A, JUDGE = CallId(1, 1), CallId(2, 1)
GOING_ON, ENDED = False, True


class FakeRun:
    """A run whose events are those given to it."""

    def __init__(self, *events: Event | None) -> None:
        self.events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        for event in events:
            self.events.put(event)


@pytest.fixture
def run() -> RunView:
    return RunView(recipe(["a", "b"], ["judge"]))


def clock_with_steps_of(seconds: float) -> Callable[[], float]:
    """A clock that goes on by so much at every look."""

    def times() -> Iterator[float]:
        now = 0.0
        while True:
            yield now
            now += seconds

    ticking = times()
    return lambda: next(ticking)


def write(run: RunView, call: CallId, *pieces: str, kind: Kind = "text") -> None:
    for piece in pieces:
        run.take(Delta(call, kind, piece))


def retry(run: RunView, call: CallId) -> CallRetried:
    return CallRetried(call, run.view(call).agent, 2, 0.0, Failure("server", "no"), 1.0)


def end(run: RunView, text: str = "answer", status: str = "done") -> Outcome:
    outcome = Outcome(status, text, {}, Metrics())  # type: ignore[arg-type]
    run.take(RunEnded(outcome))
    return outcome


# The events of a run


def test_all_that_waits_is_taken_in_at_once(run: RunView) -> None:
    running = FakeRun(CallStarted(A, run.view(A).agent, (), 0.0), *[Delta(A, "text", "x")] * 500)
    follower = RunFollower(running, run, clock_with_steps_of(0.0))
    assert follower.advance() == GOING_ON
    assert run.view(A).written("text") == "x" * 500
    assert follower.advance() == GOING_ON


def test_a_burst_is_taken_in_over_several_steps_of_20_ms_in_order(run: RunView) -> None:
    running = FakeRun(*(Delta(A, "text", f"{number} ") for number in range(10)), None)
    follower = RunFollower(running, run, clock_with_steps_of(0.006))
    assert follower.advance() == GOING_ON
    assert run.view(A).written("text") == "0 1 2 3 "
    assert follower.advance() == GOING_ON
    assert follower.advance() == ENDED
    assert run.view(A).written("text") == "0 1 2 3 4 5 6 7 8 9 "


def test_a_step_takes_in_something_however_slow_the_machine(run: RunView) -> None:
    follower = RunFollower(FakeRun(Delta(A, "text", "x"), None), run, clock_with_steps_of(9.0))
    assert follower.advance() == GOING_ON
    assert run.view(A).characters == 1
    assert follower.advance() == ENDED


def test_the_end_is_told_in_the_step_that_took_it_in(run: RunView) -> None:
    outcome = Outcome("done", "answer", {}, Metrics())
    follower = RunFollower(FakeRun(RunEnded(outcome), None), run)
    assert follower.advance() == ENDED
    assert run.outcome is outcome
    assert follower.advance() == GOING_ON


def test_a_run_that_never_began_ends_without_an_outcome(run: RunView) -> None:
    assert RunFollower(FakeRun(None), run).advance() == ENDED
    assert not run.over
    assert AnswerCursor(run).news() == Nothing()


def test_only_the_writer_of_the_answer_restarts_it(run: RunView) -> None:
    cursor = AnswerCursor(run)
    RunFollower(FakeRun(Delta(JUDGE, "text", "x")), run).advance()
    assert cursor.news() == Begun("x")
    RunFollower(FakeRun(retry(run, A)), run).advance()
    assert cursor.news() == Nothing()
    RunFollower(FakeRun(retry(run, JUDGE)), run).advance()
    assert cursor.news() == Begun("")


# The text of a call


def test_each_piece_is_told_once_the_first_in_place_of_what_was_shown(run: RunView) -> None:
    cursor = TextCursor(run.view(A), "text")
    assert (cursor.news(), cursor.has_text) == (Nothing(), False)
    write(run, A, "one ", "two ")
    assert (cursor.news(), cursor.has_text) == (Begun("one two "), True)
    assert cursor.news() == Nothing()
    write(run, A, "three ")
    write(run, A, "four")
    assert cursor.news() == Appended("three four")
    assert cursor.news() == Nothing()


def test_two_views_of_one_call_are_told_independently(run: RunView) -> None:
    early, late = TextCursor(run.view(A), "text"), TextCursor(run.view(A), "text")
    write(run, A, "one ")
    assert early.news() == Begun("one ")
    write(run, A, "two")
    assert early.news() == Appended("two")
    assert late.news() == Begun("one two")


def test_a_call_asked_anew_in_mid_text_begins_from_nothing(run: RunView) -> None:
    cursor = TextCursor(run.view(A), "text")
    write(run, A, "half of it")
    cursor.news()
    run.take(retry(run, A))
    assert (cursor.news(), cursor.has_text) == (Begun(""), False)
    assert cursor.news() == Nothing()
    write(run, A, "better")
    assert (cursor.news(), cursor.has_text) == (Begun("better"), True)


def test_a_restart_between_two_looks_loses_the_old_text_and_keeps_the_new(run: RunView) -> None:
    cursor = TextCursor(run.view(A), "text")
    write(run, A, "old", "er")
    cursor.news()
    run.take(retry(run, A))
    # As many pieces as before: their number alone does not tell that they are others.
    write(run, A, "new", "er")
    assert cursor.news() == Begun("newer")
    assert cursor.news() == Nothing()


def test_a_cursor_that_begins_after_a_restart_is_told_of_none(run: RunView) -> None:
    run.take(retry(run, A))
    assert TextCursor(run.view(A), "text").news() == Nothing()


def test_a_call_that_ends_between_two_looks_is_told_whole_and_once(run: RunView) -> None:
    cursor = TextCursor(run.view(A), "text")
    write(run, A, "one ")
    cursor.news()
    write(run, A, "two ")
    run.take(CallEnded(A, Reply("a", "m", "done", text="one two three")))
    assert (cursor.news(), cursor.has_text) == (Whole("one two three"), True)
    assert cursor.news() == Nothing()


def test_a_call_that_ends_without_a_text_leaves_none_to_show(run: RunView) -> None:
    cursor = TextCursor(run.view(A), "text")
    write(run, A, "half")
    cursor.news()
    run.take(CallEnded(A, Reply("a", "m", "failed", text=" \n")))
    assert (cursor.news(), cursor.has_text) == (Whole(" \n"), False)


def test_a_reply_that_is_left_out_and_taken_back_in_is_told_each_time(run: RunView) -> None:
    cursor = TextCursor(run.view(A), "text")
    reply = Reply("a", "m", "done", text="it flew")
    run.take(CallEnded(A, reply))
    assert cursor.news() == Whole("it flew")
    run.take(ReplyChanged(A, Reply("a", "m", "excluded", text="it flew")))
    assert cursor.news() == Whole("it flew")
    assert cursor.news() == Nothing()
    run.take(ReplyChanged(A, reply))
    assert cursor.news() == Whole("it flew")
    run.take(ReplyChanged(A, Reply("a", "m", "done", text="edited")))
    assert cursor.news() == Whole("edited")


def test_text_and_reasoning_are_told_apart(run: RunView) -> None:
    text = TextCursor(run.view(A), "text")
    write(run, A, "thinking", kind="reasoning")
    assert (text.news(), text.has_text) == (Nothing(), False)
    reasoning = TextCursor(run.view(A), "reasoning")
    assert reasoning.news() == Begun("thinking")
    write(run, A, "it flew")
    assert reasoning.news() == Nothing()
    assert text.news() == Begun("it flew")
    # Back to the reasoning: a view that switches begins from nothing.
    assert TextCursor(run.view(A), "reasoning").news() == Begun("thinking")
    run.take(CallEnded(A, Reply("a", "m", "done", text="it flew", reasoning="thinking")))
    assert text.news() == Whole("it flew")
    assert reasoning.news() == Whole("thinking")


# The answer of a run


def test_the_answer_grows_with_its_writer_and_is_told_whole_at_the_end(run: RunView) -> None:
    cursor = AnswerCursor(run)
    write(run, A, "a proposer's text")
    assert (cursor.news(), cursor.has_text) == (Nothing(), False)
    write(run, JUDGE, "the ")
    assert (cursor.news(), cursor.has_text) == (Begun("the "), True)
    write(run, JUDGE, "answer")
    assert cursor.news() == Appended("answer")
    end(run, "the answer, as chosen")
    assert cursor.news() == Whole("the answer, as chosen")
    assert cursor.news() == Nothing()


def test_the_writers_reply_is_not_told_in_the_answers_place(run: RunView) -> None:
    cursor = AnswerCursor(run)
    write(run, JUDGE, "raw")
    cursor.news()
    run.take(CallEnded(JUDGE, Reply("judge", "m", "done", text="raw text")))
    assert (cursor.news(), cursor.has_text) == (Nothing(), True)
    end(run, "text")
    assert cursor.news() == Whole("text")


def test_an_answer_written_anew_begins_from_nothing(run: RunView) -> None:
    cursor = AnswerCursor(run)
    write(run, JUDGE, "half")
    cursor.news()
    run.take(retry(run, JUDGE))
    assert (cursor.news(), cursor.has_text) == (Begun(""), False)
    write(run, JUDGE, "better")
    assert cursor.news() == Begun("better")


def test_a_run_that_came_to_no_answer_leaves_none_to_show(run: RunView) -> None:
    cursor = AnswerCursor(run)
    write(run, JUDGE, "half")
    cursor.news()
    end(run, "", "failed")
    assert (cursor.news(), cursor.has_text) == (Whole(""), False)


def test_a_run_whose_answer_is_chosen_tells_nothing_before_its_end() -> None:
    run = RunView(recipe(["a", "b"], {"agents": ["judge"], "task": "rank"}))
    assert run.writer is None
    cursor = AnswerCursor(run)
    write(run, JUDGE, "2 is better")
    assert cursor.news() == Nothing()
    end(run, "b's answer")
    assert cursor.news() == Whole("b's answer")


def test_a_text_that_was_reasoning_is_taken_off_the_screen_and_what_follows_is_shown(run: RunView) -> None:
    text, reasoning = TextCursor(run.view(A), "text"), TextCursor(run.view(A), "reasoning")
    run.take(Delta(A, "text", "Let me think."))
    assert text.news() == Begun("Let me think.")
    run.take(Restated(A, "Let me think.", ""))
    assert text.news() == Begun("")
    assert not text.has_text
    assert reasoning.news() == Begun("Let me think.")
    run.take(Delta(A, "text", "Paris."))
    assert text.news() == Begun("Paris.")
    assert run.view(A).written("reasoning") == "Let me think."
