"""What is said of a bulk run while it goes."""

from __future__ import annotations

from dataclasses import replace

from moa_tui.cli.bulk_view import progress_words
from moa_tui.evaluation.bulk_values import BulkProgress


def test_the_time_left_counts_the_calls_of_prompts_that_are_not_done() -> None:
    # A prompt of seven calls takes half a minute, with thirty at once.
    begun = BulkProgress(200, jobs=1, calls_a_job=7, calls=140, open_runs=30, seconds=20.0)
    assert "3 min left" in progress_words(begun, "prompts")
    last = BulkProgress(200, jobs=199, calls_a_job=7, calls=1399, open_runs=1, seconds=140.0)
    assert "1 s left" in progress_words(last, "prompts")
    assert "5 s left" in progress_words(replace(last, call_seconds=5.0), "prompts")
    assert not any("left" in words for words in progress_words(BulkProgress(200, open_runs=30), "prompts"))


def test_calls_that_are_not_needed_are_not_waited_for() -> None:
    # Nobody asked for the second half of the calls: the first answers agreed.
    early = BulkProgress(100, jobs=90, calls_a_job=8, calls=360, seconds=90.0)
    assert "20 s left" in progress_words(early, "prompts")


def test_what_was_there_before_says_nothing_of_the_pace() -> None:
    gone_on = BulkProgress(200, jobs=150, reused_jobs=140, calls_a_job=1, calls=10, seconds=60.0)
    words = progress_words(gone_on, "prompts")
    assert words[0] == "150 of 200 prompts" and "140 were there before" in words and "5 min left" in words


def test_a_run_that_is_stopped_or_asks_model_by_model_has_no_time_left() -> None:
    for progress in (
        BulkProgress(9, jobs=3, calls=3, seconds=9.0, stopped_by="stopped by hand"),
        BulkProgress(9, jobs=3, calls=3, seconds=9.0, phase="turn 1, layer 1: \x1b[31ma"),
    ):
        words = progress_words(progress, "prompts")
        assert not any("left" in part or "\x1b" in part for part in words)


def test_a_server_that_refuses_everything_is_seen() -> None:
    words = progress_words(BulkProgress(9, open_runs=9, seconds=60.0, refusals=1200), "prompts")
    assert "1,200 sent again (too many at once)" in words
    assert not any("sent again" in part for part in progress_words(BulkProgress(9), "prompts"))
