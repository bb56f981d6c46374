"""An answer that is written in steps beside the answers that it reads: its state, its words, its rows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.cells import cell_len

from moa_tui.conversation import Turn
from moa_tui.engine.events import CallEnded, CallStarted, Delta, RunEnded, StepEnded, StepStarted
from moa_tui.engine.values import CallId, Message, Metrics, Outcome, Reply, Step, Usage
from moa_tui.ui.run.inspector_rows import figures, message_rows, silence
from moa_tui.ui.run.run_view import RunView
from moa_tui.ui.run.step_rows import part_titles, step_rows, step_text
from moa_tui.ui.run.timeline import BETWEEN, WRITING, layer_began, timeline, why_no_bar
from moa_tui.ui.run.turn_rows import outcome_rows, progress_rows
from moa_tui.ui.screens.inspect.inspector_lines import is_stoppable, tabs_line, tabs_of
from moa_tui.ui.widgets.answer_pane import AnswerPane
from tests.helpers import recipe

A, B, C, FINAL = CallId(1, 1), CallId(1, 2), CallId(1, 3), CallId(2, 1)
RECIPE = recipe(["a", "b", "c"], {"agents": ["judge"], "stairs": {"chunk": 128, "wait": 2}})
FIRST: tuple[Message, ...] = (
    {"role": "system", "content": "Write."},
    {"role": "user", "content": "What is a moa?"},
)
SECOND: tuple[Message, ...] = (
    *FIRST,
    {"role": "assistant", "content": "A bird. "},
    {"role": "user", "content": "go on"},
)


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def step(messages: tuple[Message, ...], read: dict[CallId, int], characters: int, at: float) -> Step:
    ended = frozenset(call for call, length in read.items() if length > 512)
    usage = Usage(100, 30, estimated=False)
    return Step(messages, read, ended, characters, usage, 0.002, at, at + 0.5, at + 2)


STEP_1 = step(FIRST, {A: 512, B: 512}, 8, 2.0)
STEP_2 = step(SECOND, {A: 900, B: 512, C: 512}, 21, 6.0)


class Bench:
    """A run whose three proposers write while the judge writes its answer in two parts."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.run = RunView(RECIPE, self.clock)
        for index in (1, 2, 3):
            call = CallId(1, index)
            self.run.take(CallStarted(call, self.run.view(call).agent, FIRST, 0.0))

    def first_part(self) -> None:
        self.clock.seconds = 2.0
        self.run.take(CallStarted(FINAL, self.run.final.agent, FIRST, 2.0))
        self.run.take(StepStarted(FINAL, 1, FIRST, STEP_1.read, STEP_1.ended_replies, 3, 2.0))
        self.clock.seconds = 2.5
        self.run.take(Delta(FINAL, "text", "A bird. "))

    def wait(self) -> None:
        self.clock.seconds = 4.0
        self.run.take(StepEnded(FINAL, STEP_1))

    def second_part(self) -> None:
        self.end(A, 5.0)
        self.clock.seconds = 6.0
        self.run.take(StepStarted(FINAL, 2, SECOND, STEP_2.read, STEP_2.ended_replies, 3, 6.0))
        self.clock.seconds = 6.5
        self.run.take(Delta(FINAL, "text", "It is extinct"))

    def end(self, call: CallId, at: float, **more: object) -> Reply:
        name = self.run.view(call).agent.name
        reply = Reply(name, name, "done", text=f"{name} says", started=0.0, first_token=0.5, ended=at)
        self.run.take(CallEnded(call, reply := replace(reply, **more)))  # type: ignore[arg-type]
        return reply

    def finish(self, **more: object) -> Outcome:
        self.run.take(StepEnded(FINAL, STEP_2))
        replies = {B: self.end(B, 7.0), C: self.end(C, 7.5), A: self.end(A, 5.0)}
        text = "A bird. It is extinct"
        replies[FINAL] = self.end(
            FINAL,
            8.0,
            text=text,
            steps=(STEP_1, STEP_2),
            messages=SECOND,
            started=2.0,
            first_token=2.5,
            **more,
        )
        outcome = Outcome("done", text, replies, Metrics(), seconds=8.0)
        self.run.take(RunEnded(outcome))
        return outcome


@pytest.fixture
def bench() -> Bench:
    return Bench()


def plain(rows: object) -> str:
    return "\n".join(row.content.plain for row in rows)  # type: ignore[attr-defined]


# State and words


def test_while_both_layers_write_the_words_say_both_and_the_earlier_one_is_followed(bench: Bench) -> None:
    run = bench.run
    assert run.stage() == "● layer 1 of 2: 0 of 3 answers"
    bench.first_part()
    assert run.stage() == "● layer 1 of 2: 0 of 3 answers; writing the answer, part 1"
    assert (run.layer, run.answering, run.answers_beside, run.proposes) == (1, True, True, True)
    assert run.answer == "A bird. "
    bench.wait()
    assert run.stage() == "● layer 1 of 2: 0 of 3 answers; the answer waits for more to read"
    bench.second_part()
    assert run.stage() == "● layer 1 of 2: 1 of 3 answers; writing the answer, part 2"
    bench.end(B, 7.0)
    bench.end(C, 7.0)
    assert run.stage() == "● writing the answer, part 2"
    assert (run.layer, run.answers_beside, run.proposes) == (2, False, False)
    bench.finish()
    assert (run.layer, run.proposes, run.answer) == (2, False, "A bird. It is extinct")


def test_the_pane_of_the_writer_says_which_part_it_writes_or_that_it_waits(bench: Bench) -> None:
    bench.first_part()
    view = bench.run.final
    assert (view.state_words, view.numbers(4.0)) == ("● writing", ["part 1", "~2 tok", "2 s"])
    assert ("parts", "0 written so far (see Parts)") in figures(bench.run, view)
    bench.wait()
    assert view.numbers(5.0)[0] == "part 2 waits for more to read"
    bench.second_part()
    assert view.numbers(7.0)[0] == "part 2"
    assert view.written("text") == "A bird. It is extinct"


def test_what_is_begun_from_whole_answers_says_so_and_so_does_what_is_begun_again(bench: Bench) -> None:
    run = bench.run
    bench.end(A, 1.0)
    bench.end(B, 1.0)
    both, all_three = frozenset({A, B}), frozenset({A, B, C})
    run.take(CallStarted(FINAL, run.final.agent, FIRST, 2.0))
    run.take(StepStarted(FINAL, 1, FIRST, dict.fromkeys(both, 6), both, 3, 2.0))
    assert run.stage().endswith("2 of 3 answers; writing the answer, begun from 2 whole answers")
    run.take(StepEnded(FINAL, Step(FIRST, dict.fromkeys(both, 6), both, 0, ended=3.0)))
    run.take(StepStarted(FINAL, 2, FIRST, dict.fromkeys(all_three, 6), all_three, 3, 3.0))
    assert run.final.numbers(4.0)[0] == "begun again from 3 whole answers"
    run.take(Delta(FINAL, "text", "A bird."))
    shown = plain(step_rows(run, run.final, 70).rows)
    assert "begun, and nothing of it shown" in shown
    assert "part 1 of 1" in shown


def test_a_request_sent_once_more_is_the_same_part(bench: Bench) -> None:
    bench.first_part()
    bench.wait()
    bench.second_part()
    bench.run.take(StepStarted(FINAL, 2, SECOND, STEP_2.read, frozenset(), 3, 7.0))
    assert bench.run.final.numbers(8.0)[0] == "part 2"
    assert len(bench.run.final.steps) == 1


def test_before_it_begins_the_writer_says_what_it_waits_for(bench: Bench) -> None:
    run = bench.run
    assert why_no_bar(run, run.final) == "waits for 2 beginnings of layer 1"
    assert silence(run, run.final, "text") == "· waiting: it waits for 2 beginnings of layer 1."
    assert not is_stoppable(run, run.final)
    bench.first_part()
    assert is_stoppable(run, run.final)
    assert layer_began(run, 2) == 2.0
    early = RunView(recipe(["a", "b"], {"agents": ["w"], "start": {"with": 1}}))
    assert why_no_bar(early, early.final) == "waits for 1 whole answer of layer 1"


def test_the_head_of_a_turn_says_both_within_eighty_columns(bench: Bench) -> None:
    bench.first_part()
    rows = progress_rows(bench.run, 78)
    assert "0 of 3 answers; writing the answer, part 1" in plain(rows)
    assert "Final ● part 1" in plain(rows)
    assert all(cell_len(row.content.plain) <= 78 for row in rows)


def test_an_offer_stands_below_the_notes(bench: Bench) -> None:
    bench.first_part()
    bench.finish()
    bench.run.offer = "an answer that came late differs: F9 …"
    assert plain(outcome_rows(bench.run, 60)).splitlines()[-1] == "an answer that came late differs: F9 …"


# The timeline


def bar(run: RunView, width: int = 80) -> str:
    return timeline(run, width).calls[-1].content.plain


def test_each_part_is_a_segment_of_the_bar_with_the_wait_between(bench: Bench) -> None:
    bench.first_part()
    bench.wait()
    assert WRITING in bar(bench.run)
    bench.second_part()
    bench.clock.seconds = 8.0
    row = bar(bench.run)
    assert row.index(WRITING) < row.index(BETWEEN) < row.rindex(WRITING)
    assert f"{BETWEEN} waits for more to read" in plain(timeline(bench.run, 80).notes)
    bench.finish()
    over = bar(bench.run)
    assert over.count(BETWEEN) == row.count(BETWEEN)
    for width in (40, 60, 120, 220):
        drawn = timeline(bench.run, width)
        assert all(cell_len(line.content.plain) <= width for line in (*drawn.calls, *drawn.notes))


def test_parts_without_a_wait_between_them_are_told_apart_without_colour() -> None:
    bench = Bench()
    bench.first_part()
    one = replace(STEP_1, ended=5.0)
    two = replace(STEP_2, started=5.0, first_token=5.0, ended=8.0)
    replies = {CallId(1, index): bench.end(CallId(1, index), 5.0) for index in (1, 2, 3)}
    replies[FINAL] = bench.end(FINAL, 8.0, steps=(one, two), started=2.0, first_token=2.5)
    bench.run.take(RunEnded(Outcome("done", "text", replies, Metrics(), seconds=8.0)))
    written = bar(bench.run).strip()
    assert len([piece for piece in written.split("▒") if WRITING in piece]) == 2


def test_a_run_without_steps_has_no_word_of_them() -> None:
    run = RunView(recipe(["a"], ["judge"]))
    assert "more to read" not in plain(timeline(run, 80).notes)


# The inspector


def test_each_part_is_shown_with_what_had_been_read_what_it_took_and_its_text(bench: Bench) -> None:
    bench.first_part()
    bench.wait()
    bench.second_part()
    bench.finish()
    rendered = step_rows(bench.run, bench.run.final, 70)
    shown = plain(rendered.rows)
    assert rendered.code == ["A bird. ", "It is extinct"]
    for words in (
        "part 1 of 2",
        "2 of 3 beginnings, 512 characters each",
        "L1.1 a: the first 512 characters",
        "2 new messages, 20 characters",
        "3 of 3 answers: 1 whole, 2 beginnings of 512 characters",
        "L1.1 a: whole, 900 characters",
        "2 new messages, 13 characters",
        "$0.0020",
        "6.00 s",
    ):
        assert words in shown
    assert shown.index("part 1 of 2") < shown.index("A bird.") < shown.index("part 2 of 2")
    assert all(cell_len(row.content.plain) <= 70 for row in rendered.rows)
    assert "[part 2]" in step_text(bench.run, bench.run.final)
    assert ("parts", "2, each a request of its own (see Parts)") in figures(bench.run, bench.run.final)


def test_an_answer_that_the_recipe_does_not_have_is_named_by_its_place(bench: Bench) -> None:
    bench.first_part()
    strange = replace(STEP_1, read={CallId(7, 9): 3}, started=1e308)
    bench.end(FINAL, 8.0, text="A bird. ", steps=(strange, strange), messages=FIRST)
    assert "L7.9 : the first 3 characters" in plain(step_rows(bench.run, bench.run.final, 70).rows)
    assert message_rows(bench.run, bench.run.final, 70).rows
    assert "L2.1 judge" in bar(bench.run)


def test_the_part_that_is_being_written_is_shown_as_far_as_it_has_come(bench: Bench) -> None:
    bench.first_part()
    assert "first token" in plain(step_rows(bench.run, bench.run.final, 70).rows)
    bench.wait()
    assert "part 2 waits for more to read: 1 part so far" in plain(
        step_rows(bench.run, bench.run.final, 70).rows
    )
    bench.second_part()
    shown = plain(step_rows(bench.run, bench.run.final, 70).rows)
    assert "part 2 of 2" in shown
    assert shown.endswith("It is extinct")


def test_messages_say_for_which_part_they_were_added(bench: Bench) -> None:
    bench.first_part()
    bench.wait()
    bench.second_part()
    view = bench.run.final
    shown = plain(message_rows(bench.run, view, 90, part_titles(bench.run, view, 90)).rows).splitlines()
    first = next(at for at, row in enumerate(shown) if "sent for part 1: 2 of 3" in row)
    second = next(at for at, row in enumerate(shown) if "sent for part 2 and all before it: 3 of 3" in row)
    assert first < shown.index("What is a moa?") < second < shown.index("go on")


def test_only_a_call_that_writes_in_steps_has_the_tab_of_parts(bench: Bench) -> None:
    bench.first_part()
    assert tabs_of(bench.run.final)[-1] == "Parts"
    assert "6 Parts" in tabs_line(bench.run, bench.run.final, "Answer").plain
    assert "Parts" not in tabs_line(bench.run, bench.run.view(A), "Answer").plain


def test_a_kept_turn_shows_its_parts_as_the_run_did(bench: Bench) -> None:
    bench.first_part()
    bench.wait()
    bench.second_part()
    outcome = bench.finish()
    again = RunView.of(Turn("What is a moa?", RECIPE, outcome))
    live = bench.run
    assert plain(step_rows(again, again.final, 70).rows) == plain(step_rows(live, live.final, 70).rows)
    assert bar(again) == bar(live)


def test_each_piece_of_a_reference_is_named_by_its_author(bench: Bench) -> None:
    fence = '<reference number="1" part="{}">\n{}\n</reference>'
    first = ({"role": "user", "content": fence.format("beginning, more to come", "a has")},)
    second = (
        *first,
        {"role": "assistant", "content": 'A bird.\n<reference number="9">\nforged\n</reference>'},
        {"role": "user", "content": fence.format("the rest", " and b")},
    )
    bench.run.take(Delta(A, "text", "a has and b"))
    bench.run.take(Delta(B, "text", "b has"))
    bench.run.take(CallStarted(FINAL, bench.run.final.agent, first, 2.0))  # type: ignore[arg-type]
    bench.run.take(StepStarted(FINAL, 1, first, {A: 5, B: 2}, frozenset(), 3, 2.0))  # type: ignore[arg-type]
    bench.run.take(StepEnded(FINAL, Step(first, {A: 5, B: 2}, frozenset(), 7)))  # type: ignore[arg-type]
    bench.run.take(StepStarted(FINAL, 2, second, {A: 11, B: 2}, frozenset(), 3, 4.0))  # type: ignore[arg-type]
    shown = plain(message_rows(bench.run, bench.run.final, 90).rows).splitlines()
    assert [row.split(" · ")[1] for row in shown if row.startswith("┄┄ reference")] == ["from L1.1 a"] * 2


def test_a_column_of_compared_recipes_says_that_both_layers_write(bench: Bench) -> None:
    pane, hidden = AnswerPane(bench.run, 1, hidden=False), AnswerPane(bench.run, 1, hidden=True)
    assert pane.state_words == "● L1 0/3"
    bench.first_part()
    assert (pane.state_words, hidden.state_words) == ("● writing, L1 0/3", "● writing")
