"""The live table of `ask`: what a person sees at every size."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len

from moa_tui.cli.progress import LinesProgress, TableProgress, _Row, table_lines
from moa_tui.engine.agent import Agent
from moa_tui.engine.events import CallEnded, CallStarted, Delta, StepEnded, StepStarted
from moa_tui.engine.values import CallId, Reply, Step, Usage
from tests.helpers import recipe

DONE = Reply(
    "a", "m", "done", text="x", usage=Usage(5, 380, estimated=False), cost=0.0123, started=0, ended=8.2
)


def rows(names: list[str], states: dict[CallId, _Row] | None = None) -> dict[CallId, _Row]:
    table = {CallId(layer, index): _Row(name) for layer in (1, 2) for index, name in enumerate(names, 1)}
    return table | {CallId(3, 1): _Row("final")} | (states or {})


@pytest.mark.parametrize("width", [40, 79, 119, 219])
@pytest.mark.parametrize("name", ["qwen", "a-very-long-agent-name-" * 4, "恐鳥" * 30])
def test_no_line_is_wider_than_the_screen_and_numbers_are_never_cut(width: int, name: str) -> None:
    failed = _Row(name, "failed", "Incorrect API key\nprovided " * 10)
    table = rows([name] * 6, {CallId(1, 1): _Row(name, "done", reply=DONE), CallId(1, 2): failed})
    lines = table_lines(table, width, 60)
    assert len(lines) == 14
    assert all(cell_len(line) <= max(width, 50) and "\n" not in line for line in lines)
    assert lines[1].startswith("L1.1  ")
    assert all(part in lines[1] for part in ("✓ done", "380", "8.2", "$0.0123"))
    assert "✗ failed" in lines[2]
    if width >= 79:
        assert "Incorrect" in lines[2]


def test_a_refused_call_counts_down_to_its_next_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = {CallId(1, 1): _Row("a", "retrying", "429", began=100.0, again_at=130.0)}
    for now, said in ((100.0, "429, again in 30 s"), (112.0, "429, again in 18 s"), (131.0, "again in 0 s")):
        monkeypatch.setattr("moa_tui.cli.progress.time.monotonic", lambda now=now: now)
        assert said in table_lines(rows(["a"], waiting), 100, 60)[1]


def test_columns_stand_under_each_other_whatever_the_script() -> None:
    lines = table_lines(rows(["qwen", "恐鳥", "é"]), 100, 60)
    assert len({cell_len(line[: line.index("·")]) for line in lines[1:]}) == 1


def test_with_few_lines_what_runs_is_shown_and_the_rest_takes_a_line_a_layer() -> None:
    running = {CallId(2, index): _Row("b", "writing", began=0.0) for index in range(1, 7)}
    over = {CallId(1, index): _Row("a", "done", reply=DONE) for index in range(1, 7)}
    lines = table_lines(rows(["a"] * 6, running | over), 79, 10)
    assert len(lines) <= 10
    assert "✓ ✓ ✓ ✓ ✓ ✓" in lines[1]
    assert sum("● writing" in line for line in lines) == 6
    tiny = table_lines(rows(["a"] * 6, running | over), 79, 5)
    assert len(tiny) <= 5
    assert "more" in tiny[-1]


# While an answer is written before all that it reads is there

EARLY = recipe(["a", "b"], {"agents": ["judge"], "stairs": {"wait": 1}})
A, B, JUDGE = CallId(1, 1), CallId(1, 2), CallId(2, 1)
PART_1 = StepStarted(JUDGE, 1, (), {A: 512}, frozenset(), 2, 1.0)
PART_2 = StepStarted(JUDGE, 2, (), {A: 900, B: 512}, frozenset({A}), 2, 1.0)


def test_a_line_says_what_each_part_of_the_answer_is_written_from() -> None:
    err = io.StringIO()
    progress = LinesProgress(EARLY, err)
    part_1_ended = StepEnded(JUDGE, Step((), {A: 512}, frozenset(), 30))
    for event in (PART_1, part_1_ended, CallEnded(A, DONE), PART_2):
        progress.show(event)
    assert err.getvalue().splitlines() == [
        "L2.1 judge: part 1 from 1 of 2 beginnings, 512 characters",
        "L1.1 a: done, 380 tokens, 8.2 s, $0.0123",
        "L2.1 judge: part 2 from 2 of 2 answers: 1 whole, 1 beginning of 512 characters",
    ]


def test_a_line_says_that_the_answer_is_begun_from_whole_answers_or_begun_again() -> None:
    err = io.StringIO()
    progress = LinesProgress(EARLY, err)
    progress.show(StepStarted(JUDGE, 1, (), {A: 512}, frozenset({A}), 2, 1.0))
    progress.show(StepEnded(JUDGE, Step((), {A: 512}, frozenset({A}), 0)))
    progress.show(StepStarted(JUDGE, 2, (), {A: 512, B: 9}, frozenset({A, B}), 2, 1.0))
    assert err.getvalue().splitlines() == [
        "L2.1 judge: begun from 1 of 2 answers, whole",
        "L2.1 judge: begun again from 2 of 2 answers, whole",
    ]


@pytest.mark.parametrize("kind", ["lines", "table"])
def test_who_ends_in_the_middle_of_the_answer_is_told_behind_it(kind: str) -> None:
    screen = io.StringIO()
    progress = (
        LinesProgress(EARLY, screen, shares_screen=True)
        if kind == "lines"
        else TableProgress(EARLY, screen, shares_screen=True)
    )
    with progress:
        progress.show(CallStarted(A, EARLY.lineup[0][0], (), 0.0))
        progress.show(CallStarted(JUDGE, EARLY.lineup[1][0], (), 0.0))
        progress.show(PART_1)
        progress.make_way()
        progress.show(StepEnded(JUDGE, Step((), {A: 512}, frozenset(), 8)))
        screen.write("The moa ")
        progress.show(CallEnded(A, DONE))
        progress.show(PART_2)
        screen.write("is a bird.\n")
        assert "The moa is a bird.\n" in screen.getvalue()
        progress.answer_ended()
        progress.show(CallEnded(B, DONE))
    behind = screen.getvalue().partition("The moa is a bird.\n")[2]
    assert "L1.1 a: done" in behind
    assert "L1.2 a: done" in behind


def test_without_an_end_of_the_answer_nothing_is_kept_back_for_ever() -> None:
    screen = io.StringIO()
    with LinesProgress(EARLY, screen, shares_screen=True) as progress:
        progress.make_way()
        progress.show(CallEnded(A, DONE))
        assert screen.getvalue() == ""
    assert "L1.1 a: done" in screen.getvalue()


def test_the_table_says_which_part_is_written_and_when_it_waits() -> None:
    progress = TableProgress(EARLY, io.StringIO(), shares_screen=False)
    progress.show(CallStarted(JUDGE, EARLY.lineup[1][0], (), 0.0))
    progress.show(PART_2)
    progress.show(Delta(JUDGE, "text", "The moa"))
    assert "written from 2 of 2 answers" in table_lines(progress._rows, 100, 60)[-1]
    progress.show(StepEnded(JUDGE, Step((), {A: 1}, frozenset(), 7)))
    assert "waits for more to read" in table_lines(progress._rows, 100, 60)[-1]


def test_where_all_still_write_as_the_answer_begins_no_heading_is_left_alone() -> None:
    screen = io.StringIO()
    progress = TableProgress(EARLY, screen, shares_screen=True)
    with progress:
        for call, agent in ((A, "a"), (B, "b"), (JUDGE, "judge")):
            progress.show(CallStarted(call, Agent(name=agent, model="m"), (), 0.0))
        progress.make_way()
    assert not screen.getvalue().strip()
