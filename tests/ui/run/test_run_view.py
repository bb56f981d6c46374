"""A run as a screen shows it: engine events in, states, numbers and words out."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from moa_tui.conversation import Turn
from moa_tui.engine.events import CallEnded, CallRetried, CallStarted, Delta, ReplyChanged, RunEnded
from moa_tui.engine.run import run
from moa_tui.engine.values import CallId, Failure, Metrics, Outcome, Reply, Usage
from moa_tui.text.wording import GLYPHS
from moa_tui.ui.run.run_view import RunView
from tests.fakes import FakeModels
from tests.helpers import recipe

if TYPE_CHECKING:
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import Kind, Message, Status

ASK: list[Message] = [{"role": "user", "content": "?"}]
A, B, JUDGE = CallId(1, 1), CallId(1, 2), CallId(2, 1)
BUSY = Failure("rate_limit", "too many requests", 429)


class Clock:
    """Shows the time it was set to; the run begins at 1,000."""

    def __init__(self) -> None:
        self.time = 1_000.0

    def __call__(self) -> float:
        return self.time

    def at(self, seconds: float) -> None:
        """So many seconds of the run."""
        self.time = 1_000.0 + seconds


class Bench:
    """A run of two agents and a judge, and what a test lets happen to it."""

    def __init__(self) -> None:
        self.recipe = recipe(["a", "b"], ["judge"])
        self.clock = Clock()
        self.state = RunView(self.recipe, self.clock)

    def start(self, call: CallId, at: float = 0.0) -> None:
        self.clock.at(at)
        agent = self.recipe.lineup[call.layer - 1][call.index - 1]
        self.state.take(CallStarted(call, agent, tuple(ASK), at))

    def say(self, call: CallId, text: str, at: float, kind: Kind = "text") -> None:
        self.clock.at(at)
        self.state.take(Delta(call, kind, text))

    def end(self, call: CallId, at: float, status: Status = "done", text: str = "text") -> Reply:
        self.clock.at(at)
        name = self.state.view(call).agent.name
        reply = Reply(
            name,
            name,
            status,
            text=text,
            usage=Usage(10, 40, estimated=False),
            cost=0.002,
            started=0.0,
            first_token=2.0,
            ended=at,
            attempts=1,
        )
        self.state.take(CallEnded(call, reply))
        return reply

    def finish(self, at: float) -> Outcome:
        replies = {view.call: view.reply for view in self.state.views if view.reply}
        outcome = Outcome("done", "text", replies, Metrics(), seconds=at)
        self.clock.at(at)
        self.state.take(RunEnded(outcome))
        return outcome


@pytest.fixture
def bench() -> Bench:
    return Bench()


def states(state: RunView) -> list[str]:
    return [view.state for view in state.views]


# --- events -----------------------------------------------------------------------------------------


def test_before_anything_happens_every_call_waits(bench: Bench) -> None:
    state = bench.state
    assert states(state) == ["waiting"] * 3
    assert [view.label for view in state.views] == ["1 a", "2 b", "1 judge"]
    assert [view.numbers(0.0) for view in state.views] == [[], [], []]
    assert (state.layer, state.over, state.final.call) == (1, False, JUDGE)


def test_a_call_that_started_knows_what_it_was_sent_and_when(bench: Bench) -> None:
    bench.start(A, at=3.0)
    view = bench.state.view(A)
    assert (view.state, view.messages, view.started) == ("writing", tuple(ASK), 3.0)
    assert view.state_words == "● writing"
    assert states(bench.state) == ["writing", "waiting", "waiting"]


def test_pieces_are_kept_apart_by_kind_and_come_together(bench: Bench) -> None:
    bench.start(A)
    for text, kind in (("hm ", "reasoning"), ("one ", "text"), ("hm", "reasoning"), ("two", "text")):
        bench.say(A, text, 1.0, kind)  # type: ignore[arg-type]
    view = bench.state.view(A)
    assert (view.written("text"), view.written("reasoning")) == ("one two", "hm hm")
    assert view.characters == 12
    assert not view.over


def test_the_first_token_is_the_first_piece_of_either_kind(bench: Bench) -> None:
    bench.start(A)
    bench.say(A, "hm", 2.0, "reasoning")
    bench.say(A, "text", 4.0)
    assert bench.state.view(A).first_token == 2.0


def test_a_retry_drops_what_was_written_and_says_who_is_asked_next(bench: Bench) -> None:
    bench.start(A)
    bench.say(A, "hm", 1.0, "reasoning")
    view = bench.state.view(A)
    other = view.agent.model_copy(update={"name": "other"})
    bench.state.take(CallRetried(A, other, 1, 5.0, BUSY, 2.0))
    assert (view.state, view.written("reasoning"), view.characters) == ("retrying", "", 0)
    assert (view.retry_at, view.failure, view.generation) == (7.0, BUSY, 1)
    assert (view.first_token, view.label) == (None, "1 other")
    bench.start(A, at=7.0)
    assert view.state == "writing"
    assert view.started == 0.0  # The call's time counts its retries.
    bench.say(A, "now", 8.0)
    assert (view.written("text"), view.first_token) == ("now", 8.0)


def test_what_is_said_of_an_answer_stands_first_in_its_figures(bench: Bench) -> None:
    bench.start(A)
    reply = bench.end(A, 3.0, "done", text="the whole")
    for note, said in (
        ("not passed on: layer 1: stands apart", "not passed on: layer 1: s…"),
        ("L1.1 a: left out by hand", "left out by hand"),
        ("a: references shortened to 50% to fit its context window", "references shortened to 5…"),
    ):
        changed = replace(reply, notes=(note,))
        bench.state.take(ReplyChanged(A, changed))
        assert bench.state.view(A).numbers(4.0)[0] == said
        assert bench.state.view(A).reply is changed


@pytest.mark.parametrize("status", ["done", "partial", "failed", "stopped", "excluded"])
def test_a_call_that_ended_shows_its_reply_whole(bench: Bench, status: Status) -> None:
    bench.start(A)
    bench.say(A, "half", 1.0)
    reply = bench.end(A, 3.0, status, text="the whole")
    view = bench.state.view(A)
    assert (view.state, view.reply, view.over) == (status, reply, True)
    assert view.written("text") == "the whole"
    assert view.parts == {"text": [], "reasoning": []}
    assert view.state_words == f"{GLYPHS[status]} {'left out' if status == 'excluded' else status}"


def test_a_reply_without_messages_leaves_those_the_call_was_sent(bench: Bench) -> None:
    bench.start(A)
    bench.end(A, 1.0)
    assert bench.state.view(A).messages == tuple(ASK)


def test_a_reply_of_another_agent_gives_the_call_its_name_on_one_line(bench: Bench) -> None:
    bench.state.take(CallEnded(A, Reply("the\nother", "m", "done")))
    assert bench.state.view(A).label == "1 the other"


def test_a_run_that_ended_stands_still(bench: Bench) -> None:
    bench.start(A)
    outcome = bench.finish(9.0)
    bench.clock.at(100.0)
    assert (bench.state.outcome, bench.state.over, bench.state.now) == (outcome, True, 9.0)


def test_the_time_is_that_of_the_run_since_the_engine_said_when_a_call_began(bench: Bench) -> None:
    bench.clock.at(5.0)
    bench.state.take(CallStarted(A, bench.recipe.lineup[0][0], tuple(ASK), 1.0))
    bench.clock.at(8.0)
    assert bench.state.now == 4.0


# --- numbers ----------------------------------------------------------------------------------------


def test_a_call_without_a_token_counts_the_seconds(bench: Bench) -> None:
    bench.start(A, at=1.0)
    assert bench.state.view(A).numbers(5.2) == ["no token yet · 4 s"]


def test_a_call_that_writes_counts_tokens_and_its_rate(bench: Bench) -> None:
    bench.start(A)
    bench.say(A, "x" * 200, 2.0)
    view = bench.state.view(A)
    assert view.numbers(2.2) == ["~50 tok", "2 s"]  # Too early for a rate.
    assert view.numbers(4.0) == ["~50 tok", "25 tok/s", "4 s"]


def test_a_call_that_only_reasons_says_so(bench: Bench) -> None:
    bench.start(A)
    bench.say(A, "x" * 10, 1.0, "reasoning")
    assert bench.state.view(A).numbers(2.0) == ["reasoning ~3 tok", "3 tok/s", "2 s"]
    bench.say(A, "text", 2.0)
    assert bench.state.view(A).numbers(2.0)[0] == "~4 tok"


def test_a_call_to_be_tried_again_says_why_and_when(bench: Bench) -> None:
    bench.start(A)
    view = bench.state.view(A)
    bench.state.take(CallRetried(A, view.agent, 1, 5.0, BUSY, 2.0))
    assert view.numbers(3.0) == ["429, again in 4 s"]
    assert view.numbers(60.0) == ["429, again in 0 s"]
    bench.state.take(CallRetried(A, view.agent, 2, 5.0, Failure("connection", "refused"), 2.0))
    assert view.numbers(3.0) == ["connection, again in 4 s"]


def test_a_reply_counts_its_tokens_rate_price_and_time(bench: Bench) -> None:
    bench.start(A)
    bench.end(A, 4.0)
    assert bench.state.view(A).numbers(99.0) == ["40 tok", "20 tok/s", "$0.0020", "4.0 s"]


def test_a_reply_says_what_is_estimated_unknown_kept_or_never_asked(bench: Bench) -> None:
    reply = Reply("a", "a", "done", text="x", usage=Usage(1, 7), started=0.0, first_token=0.0, ended=2.0)
    view = bench.state.view(A)
    bench.state.take(CallEnded(A, reply))
    assert view.numbers(0.0) == ["~7 tok", "4 tok/s", "price ?", "2.0 s"]
    bench.state.take(CallEnded(A, replace(reply, reused=True)))
    assert view.numbers(0.0) == ["kept", "~7 tok", "2.0 s"]
    bench.state.take(CallEnded(A, Reply("a", "a", "excluded")))
    assert view.numbers(0.0) == ["0.0 s"]


# --- layers -----------------------------------------------------------------------------------------


def test_the_layer_at_work_is_the_last_that_has_begun(bench: Bench) -> None:
    bench.start(A)
    assert bench.state.layer == 1
    bench.end(A, 1.0)
    bench.end(B, 1.0)
    assert bench.state.layer == 1
    bench.start(JUDGE, 1.0)
    assert bench.state.layer == 2


def test_the_strip_has_a_glyph_for_each_call_and_the_time_of_what_is_over(bench: Bench) -> None:
    assert bench.state.strip() == ["L1 ··", "Final ·"]
    bench.start(A)
    bench.start(B)
    assert bench.state.strip() == ["L1 ●●", "Final ·"]
    bench.end(A, 3.0)
    bench.end(B, 4.5, "failed")
    assert bench.state.strip() == ["L1 ✓✗ 4.5 s", "Final ·"]
    bench.start(JUDGE, 4.5)
    assert bench.state.strip()[1] == "Final ● no token yet · 0 s"
    bench.say(JUDGE, "x" * 40, 5.0)
    bench.clock.at(7.0)
    assert bench.state.strip()[1] == "Final ● ~10 tok · 5 tok/s"
    bench.end(JUDGE, 8.0)
    assert bench.state.strip()[1] == "Final ✓ 8.0 s"


def test_a_layers_time_begins_when_its_first_call_could_have(bench: Bench) -> None:
    for call, queued, ended in ((A, 1.0, 6.0), (B, 3.0, 9.0)):
        bench.state.take(CallEnded(call, Reply("a", "a", "done", queued=queued, started=5.0, ended=ended)))
    assert bench.state.layer_words(1) == "L1 ✓✓ 8.0 s"


def test_a_run_of_one_layer_has_no_final_one() -> None:
    state = RunView(recipe(["a"]))
    assert (state.layer_name(1), state.final.call) == ("L1", A)


def test_the_stage_says_how_long_a_refused_call_waits(bench: Bench) -> None:
    bench.start(A)
    bench.start(B)
    agent = bench.state.view(A).agent
    bench.state.take(CallRetried(A, agent, 2, 3.0, BUSY, 0.0))
    assert bench.state.stage() == "● layer 1 of 2: 0 of 2 answers", "three seconds are not worth a word"
    bench.state.take(CallRetried(A, agent, 3, 30.0, BUSY, 0.0))
    assert bench.state.stage() == "↻ layer 1 of 2: 0 of 2 answers; 429, again in 30 s"
    bench.clock.at(12.0)
    assert bench.state.stage().endswith("429, again in 18 s")
    bench.end(B, 13.0)
    bench.start(A, at=30.0)
    assert bench.state.stage() == "● layer 1 of 2: 1 of 2 answers"


def test_the_stage_follows_the_run(bench: Bench) -> None:
    assert bench.state.stage() == "· getting ready"
    bench.start(A)
    bench.start(B)
    assert bench.state.stage() == "● layer 1 of 2: 0 of 2 answers"
    bench.end(A, 1.0)
    assert bench.state.stage() == "● layer 1 of 2: 1 of 2 answers"
    bench.end(B, 2.0)
    assert bench.state.stage() == "● layer 1 of 2: 2 of 2 answers"
    bench.start(JUDGE, 2.0)
    assert bench.state.stage() == "● writing the answer"


# --- a turn that is over ----------------------------------------------------------------------------


async def test_a_turn_that_is_over_looks_as_its_run_did_at_the_end() -> None:
    wanted = recipe(["a", "b"], ["judge"])
    live = RunView(wanted)
    outcome = await run(wanted, ASK, FakeModels(), live.take)
    state = RunView.of(Turn("?", wanted, outcome))
    assert state.over
    assert states(state) == states(live) == ["done"] * 3
    assert state.strip() == live.strip()
    assert state.now == live.now == outcome.seconds
    assert state.final.written("text") == outcome.answer == "judge says 1"
    assert [view.messages for view in state.views] == [view.messages for view in live.views]
    assert [view.numbers(0.0) for view in state.views] == [view.numbers(0.0) for view in live.views]


def test_a_turn_without_an_outcome_waits() -> None:
    state = RunView.of(Turn("?", recipe(["a"], ["judge"])))
    assert not state.over
    assert states(state) == ["waiting"] * 2


async def test_a_stopped_turn_shows_what_was_never_asked() -> None:
    wanted = recipe(["a"], ["judge"])
    events: list[object] = []
    task = asyncio.create_task(run(wanted, ASK, FakeModels(a=[["half", asyncio.Event()]]), events.append))
    while not any(isinstance(event, Delta) for event in events):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    state = RunView(wanted)
    for event in events:
        state.take(event)  # type: ignore[arg-type]
    assert state.view(A).written("text") == "half"
    assert state.final.state == "waiting"


async def played(this: Recipe, models: FakeModels) -> RunView:
    """A run that is over, as its events told it."""
    state = RunView(this)
    await run(this, ASK, models, state.take)
    return state


RANK = recipe(["a", "b"], {"agents": ["judge"], "task": "rank"})


async def test_a_ranker_is_shown_but_its_text_is_not_the_answer() -> None:
    state = RunView(RANK)
    for event in (
        CallStarted(JUDGE, RANK.lineup[1][0], tuple(ASK), 0.0),
        Delta(JUDGE, "text", "RANKING: 2"),
    ):
        state.take(event)
    assert state.writer is None
    assert not state.answering
    assert state.stage().endswith("choosing the answer")
    assert state.view(JUDGE).written("text") == "RANKING: 2"


async def test_the_answer_of_a_ranked_run_is_the_call_that_was_chosen() -> None:
    state = await played(RANK, FakeModels(a=[["first"]], b=[["second"]], judge=[["RANKING: 1 > 2"]]))
    assert state.outcome is not None
    assert state.final.call == (A if state.outcome.answer == "first" else B)
    assert state.answering


async def test_a_vote_has_no_calls_and_no_layer_of_its_own() -> None:
    this = recipe(["a", "b"], {"task": "vote"})
    state = RunView(this)
    assert (len(state.layers), state.writer, state.final.call) == (1, None, B)
    assert state.layer_name(1) == "L1"
    assert "writing the answer" not in state.stage()
    state = await played(this, FakeModels(a=[["42"]], b=[["42"]]))
    assert state.final.written("text") == "42"
    assert len(state.strip()) == 1


async def test_a_run_that_ends_before_its_last_layer_has_its_answer_where_it_was_written() -> None:
    this = recipe({"agents": ["a", "b"], "enough": 0.9}, ["judge"])
    state = await played(this, FakeModels(a=[["42"]], b=[["42."]]))
    assert state.final.call == A
    assert state.view(JUDGE).state_words.endswith("not asked")


def test_the_last_of_the_calls_that_read_piece_by_piece_writes_the_answer() -> None:
    this = recipe(["a", "b", "c"], {"agents": ["judge"], "window": {"size": 2, "repeat": 1}})
    state = RunView(this)
    assert state.writer is not None
    assert state.writer.call == CallId(2, 2)
