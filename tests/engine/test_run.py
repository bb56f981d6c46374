"""The layer loop, on scripted models: who is asked what, what is passed on, and how a run ends."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

import pytest

from moa_tui.engine import limits
from moa_tui.engine.control import RunControl
from moa_tui.engine.events import CallEnded, CallRetried, CallStarted, Delta, Event, Restated, RunEnded
from moa_tui.engine.plan import ModelFacts, facts_unknown
from moa_tui.engine.run import NO_REPLIES, RunContext, run
from moa_tui.engine.tasks import SHORTENED
from moa_tui.engine.token_estimate import estimate_tokens
from moa_tui.engine.values import CallId, Chunk, Failure, Finish, Message, Moved, Outcome, Reply, Usage
from moa_tui.errors import ModelError
from tests.fakes import DONE, FakeModels
from tests.helpers import recipe, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.recipe import Recipe

E = TypeVar("E")
pytestmark = pytest.mark.usefixtures("no_backoff")

ASK: list[Message] = [{"role": "user", "content": "What is a moa?"}]


class Recorder:
    """Runs recipes and keeps every event."""

    def __init__(self, models: FakeModels) -> None:
        self.models = models
        self.events: list[Event] = []
        self.control = RunControl()

    async def run(
        self,
        the_recipe: Recipe,
        *,
        facts: Callable[[Agent], ModelFacts] = facts_unknown,
        reused: Mapping[CallId, Reply] = NO_REPLIES,
    ) -> Outcome:
        return await run(
            the_recipe,
            ASK,
            self.models,
            self.events.append,
            reused=reused,
            control=self.control,
            context=RunContext(facts=facts),
        )

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]


async def until_handled() -> None:
    """Return once the loop has handled all that was asked of a run's control before."""
    handled = asyncio.Event()
    asyncio.get_running_loop().call_soon_threadsafe(handled.set)
    await handled.wait()
    # A call that was ended takes another turn of the loop to be over.
    await asyncio.sleep(0)


def sent(models: FakeModels, model: str, number: int = 0) -> str:
    return "\n".join(message["content"] for message in models.asked[model][number])


async def test_every_agent_reads_all_answers_of_the_layer_before_and_none_older() -> None:
    models = FakeModels(a=[["a-first"], ["a-second"]], b=[["b-first"], ["b-second"]], judge=[["the answer"]])
    outcome = await Recorder(models).run(recipe(["a", "b"], ["a", "b"], ["judge"]))

    assert outcome.status == "done"
    assert outcome.answer == "the answer"
    for model in ("a", "b"):
        assert "-first" not in sent(models, model, 0)
        assert "a-first" in sent(models, model, 1)
        assert "b-first" in sent(models, model, 1)
    final = sent(models, "judge")
    assert "a-second" in final
    assert "b-second" in final
    assert "-first" not in final
    (only,) = models.asked["judge"][0]
    assert only["content"].startswith(ASK[0]["content"] + "\n\n")


async def test_the_agents_of_a_layer_run_at_once() -> None:
    gate = asyncio.Event()
    models = FakeModels(a=[[gate, "a"]], b=[[gate, "b"]], c=[[gate, "c"]])
    task = asyncio.create_task(Recorder(models).run(recipe(["a", "b", "c"], ["judge"])))
    await wait_until(lambda: models.open == 3)
    gate.set()
    assert (await task).status == "done"


async def test_one_agent_alone_is_a_plain_chat() -> None:
    models = FakeModels(a=[["hi"]])
    outcome = await Recorder(models).run(recipe(["a"]))
    assert outcome.answer == "hi"
    assert models.asked["a"] == [tuple(ASK)]


async def test_events_tell_the_run_in_order_and_the_end_event_carries_the_whole() -> None:
    recorder = Recorder(FakeModels(a=[[Chunk("reasoning", "hm"), "one ", "two"]]))
    outcome = await recorder.run(recipe(["a"]))
    call = CallId(1, 1)
    kinds = [type(event) for event in recorder.events]
    assert kinds == [CallStarted, Delta, Delta, Delta, CallEnded, RunEnded]
    assert [event.text for event in recorder.of(Delta)] == ["hm", "one ", "two"]
    reply = recorder.of(CallEnded)[0].reply
    assert (reply.text, reply.reasoning, reply.status) == ("one two", "hm", "done")
    assert reply.messages == tuple(ASK)
    assert reply.usage == Usage(10, 5, estimated=False)
    assert recorder.of(RunEnded)[0].outcome is outcome
    assert outcome.replies == {call: reply}
    assert reply.first_token is not None
    assert 0 <= reply.queued <= reply.first_token <= reply.ended


async def test_what_turns_out_to_be_reasoning_is_moved_and_is_no_reference() -> None:
    models = FakeModels(
        a=[["Let me think.", Moved("reasoning", 13), "Paris.", Finish("stop", notes=("odd",))]]
    )
    recorder = Recorder(models)
    outcome = await recorder.run(recipe(["a", "b"], ["judge"]))
    reply = outcome.replies[CallId(1, 1)]
    assert (reply.text, reply.reasoning, reply.notes) == ("Paris.", "Let me think.", ("a: odd",))
    assert recorder.of(Restated) == [Restated(CallId(1, 1), "Let me think.", "")]
    assert "Paris." in sent(models, "judge")
    assert "Let me think." not in sent(models, "judge")


async def test_reasoning_that_was_never_closed_can_be_the_answer() -> None:
    models = FakeModels(a=[[Chunk("reasoning", "hm "), Chunk("reasoning", "Paris."), Moved("text", 6)]])
    reply = (await Recorder(models).run(recipe(["a"]))).replies[CallId(1, 1)]
    assert (reply.status, reply.text, reply.reasoning) == ("done", "Paris.", "hm ")


async def test_a_failed_answer_is_no_reference_and_the_outcome_says_so() -> None:
    models = FakeModels(bad=[[ModelError("auth", "wrong key", 401)]], empty=[["  \n"]])
    outcome = await Recorder(models).run(recipe(["good", "bad", "empty"], ["judge"]))
    assert outcome.status == "done"
    assert "layer 1: 1 of 3 used" in outcome.notes
    assert "wrong key" not in sent(models, "judge")
    assert sent(models, "judge").count("<reference number=") == 1
    assert outcome.replies[CallId(1, 2)].error == Failure("auth", "wrong key", 401)
    empty = outcome.replies[CallId(1, 3)]
    assert empty.status == "failed"
    assert empty.error is not None
    assert empty.error.kind == "empty"


async def test_without_any_reference_the_aggregator_is_not_called_and_each_error_is_told() -> None:
    models = FakeModels(
        a=[[ModelError("auth", "key of a is wrong", 401)]], b=[[ModelError("not_found", "no model b", 404)]]
    )
    outcome = await Recorder(models).run(recipe(["a", "b"], ["judge"]))
    assert outcome.status == "failed"
    assert outcome.answer == ""
    assert outcome.error is not None
    assert outcome.error.kind == "no_references"
    assert "key of a is wrong" in outcome.error.message
    assert "no model b" in outcome.error.message
    assert "judge" not in models.asked


async def test_text_before_a_fault_is_kept_but_used_only_where_the_recipe_says_so() -> None:
    cut = [["half an ans", ModelError("connection", "reset")]]
    layer = {"agents": ["cut", "good"]}
    models = FakeModels(cut=cut)
    outcome = await Recorder(models).run(recipe(layer, ["judge"]))
    reply = outcome.replies[CallId(1, 1)]
    assert (reply.status, reply.text) == ("partial", "half an ans")
    assert "half an ans" not in sent(models, "judge")
    assert len(models.asked["cut"]) == 1, "what has begun is not tried again"

    models = FakeModels(cut=cut)
    await Recorder(models).run(recipe({**layer, "use_partial": True}, ["judge"]))
    assert "half an ans" in sent(models, "judge")


@pytest.mark.parametrize(
    ("finish", "status", "kind"),
    [
        (Finish("stop"), "done", None),
        (Finish("length"), "partial", "length"),
        (Finish("content_filter"), "partial", "filtered"),
        (Finish(None), "partial", "cut_off"),
    ],
)
async def test_how_a_stream_ends_decides_the_status(finish: Finish, status: str, kind: str | None) -> None:
    outcome = await Recorder(FakeModels(a=[["text", finish]])).run(recipe(["a"]))
    assert outcome.status == status
    assert (outcome.error.kind if outcome.error else None) == kind
    assert outcome.answer == "text"


@pytest.mark.parametrize(
    ("max_tokens", "message"),
    [(7, "answer cut at max_tokens = 7"), (None, "answer cut at the model's own limit")],
)
async def test_an_answer_cut_at_its_token_limit_says_at_which(max_tokens: int | None, message: str) -> None:
    the_recipe = recipe([{"model": "a", "max_tokens": max_tokens}])
    outcome = await Recorder(FakeModels(a=[["text", Finish("length")]])).run(the_recipe)
    assert outcome.error == Failure("length", message)


async def test_a_cut_answer_says_what_room_its_thinking_had() -> None:
    the_recipe = recipe([{"model": "a", "max_tokens": 7}])
    recorder = Recorder(FakeModels(a=[["text", Finish("length")]]))
    outcome = await recorder.run(the_recipe, facts=lambda _: ModelFacts("x", thinking_tokens=4096))
    assert outcome.status == "partial"
    assert outcome.error is not None
    assert outcome.error.message.endswith(
        "answer cut at max_tokens = 7 and 4,096 tokens of room for thinking"
    )


async def test_thinking_up_to_the_limit_says_how_to_come_to_an_answer() -> None:
    models = FakeModels(a=[[Chunk("reasoning", "hmm"), Finish("length")]])
    outcome = await Recorder(models).run(recipe(["a"]))
    assert outcome.error is not None
    assert outcome.error.message.endswith("raise max_tokens or lower reasoning_effort")


async def test_the_history_leaves_room_for_thinking() -> None:
    talk: list[Message] = []
    for number in range(20):
        talk.append({"role": "user", "content": f"question {number} " + "word " * 80})
        talk.append({"role": "assistant", "content": f"answer {number} " + "word " * 80})
    talk.append({"role": "user", "content": "the last question"})
    sizes = []
    for room in (0, 2_000):
        models = FakeModels()
        facts = ModelFacts("x", context_tokens=4_000, thinking_tokens=room)
        context = RunContext(facts=lambda _, facts=facts: facts)
        await run(recipe(["a"]), talk, models, lambda _: None, context=context)
        sizes.append(len(models.asked["a"][0]))
    assert sizes[0] > sizes[1] + 10
    assert sizes[1] > 1


async def test_reasoning_alone_is_no_answer_and_never_a_reference() -> None:
    models = FakeModels(thinker=[[Chunk("reasoning", "secret thoughts")]])
    outcome = await Recorder(models).run(recipe(["thinker", "good"], ["judge"]))
    reply = outcome.replies[CallId(1, 1)]
    assert (reply.status, reply.reasoning) == ("failed", "secret thoughts")
    assert reply.error is not None
    assert "reasoned but wrote no answer" in reply.error.message
    assert "secret thoughts" not in sent(models, "judge")


async def test_a_passing_error_is_tried_again_and_told() -> None:
    busy = ModelError("rate_limit", "slow down", 429, retry_after=0.01)
    models = FakeModels(a=[[busy], [ModelError("server", "oops", 503)], ["here"]])
    recorder = Recorder(models)
    outcome = await recorder.run(recipe(["a"]))
    assert outcome.answer == "here"
    assert outcome.replies[CallId(1, 1)].attempts == 3
    first, second = recorder.of(CallRetried)
    assert (first.attempt, first.failure.kind) == (2, "rate_limit")
    assert 0.01 <= first.wait_seconds <= 0.0125
    assert second.attempt == 3


async def test_tries_are_counted_and_the_last_error_stands() -> None:
    models = FakeModels(a=[[ModelError("server", "down", 500)]])
    outcome = await Recorder(models).run(recipe(["a"], retries=2))
    assert outcome.status == "failed"
    assert outcome.error == Failure("server", "down", 500)
    assert len(models.asked["a"]) == 3


async def test_an_overloaded_server_is_asked_five_times_where_the_recipe_does_not_say() -> None:
    models = FakeModels(
        a=[[ModelError("server", "loading model", 503)]], b=[[ModelError("server", "x", 500)]]
    )
    await Recorder(models).run(recipe(["a", "b"], ["judge"], retries=None))
    assert (len(models.asked["a"]), len(models.asked["b"])) == (5, 3)


async def test_waits_of_our_own_leave_time_for_the_next_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_FIRST_WAIT_SECONDS", 60.0)
    models = FakeModels(a=[[ModelError("server", "busy", 503)], ["here"]])
    outcome = await Recorder(models).run(recipe(["a"], total_seconds=0.2))
    assert outcome.answer == "here"


@pytest.mark.parametrize(
    "error",
    [
        ModelError("auth", "x", 401),
        ModelError("payment", "x", 402),
        ModelError("forbidden", "x", 403),
        ModelError("not_found", "x", 404),
        ModelError("bad_request", "x", 400),
        ModelError("bad_request", "x", 422),
        ModelError("quota", "x", 429),
        ModelError("malformed", "x"),
    ],
    ids=lambda error: f"{error.kind}-{error.status_code}",
)
async def test_what_cannot_succeed_is_not_tried_again(error: ModelError) -> None:
    models = FakeModels(a=[[error]])
    await Recorder(models).run(recipe(["a"]))
    assert len(models.asked["a"]) == 1


async def test_a_wait_longer_than_the_call_may_take_is_not_begun() -> None:
    models = FakeModels(a=[[ModelError("rate_limit", "slow down", 429, retry_after=3600)]])
    outcome = await Recorder(models).run(recipe(["a"], total_seconds=60))
    assert outcome.error is not None
    assert "3600 s" in outcome.error.message
    assert len(models.asked["a"]) == 1


async def test_silence_ends_a_call_before_and_within_its_answer() -> None:
    never = asyncio.Event()
    models = FakeModels(mute=[[never]], stuck=[["begun", never]])
    outcome = await Recorder(models).run(
        recipe(["mute", "stuck", "good"], ["judge"], first_token_seconds=0.05, idle_seconds=0.05)
    )
    mute, stuck = outcome.replies[CallId(1, 1)], outcome.replies[CallId(1, 2)]
    assert outcome.status == "done"
    assert (mute.status, stuck.status, stuck.text) == ("failed", "partial", "begun")
    assert mute.error is not None
    assert "first_token_seconds" in mute.error.message
    assert stuck.error is not None
    assert "idle_seconds" in stuck.error.message
    assert models.open == 0


async def test_an_answer_without_end_ends_at_its_total_limit() -> None:
    models = FakeModels(a=[["more more", asyncio.Event()]])
    outcome = await Recorder(models).run(recipe(["a"], total_seconds=0.2))
    assert outcome.status == "partial"
    assert outcome.error is not None
    assert "total_seconds" in outcome.error.message
    assert outcome.answer == "more more"


async def test_an_answer_beyond_any_use_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moa_tui.engine.call_in_progress.MAX_REPLY_CHARACTERS", 100)
    outcome = await Recorder(FakeModels(a=[["x" * 60, "y" * 60]])).run(recipe(["a"]))
    assert outcome.error is not None
    assert outcome.error.kind == "too_long"


async def test_waiting_for_a_place_does_not_count_as_working() -> None:
    slow = asyncio.Event()
    models = FakeModels(a=[[slow, "a"]], b=[["b"]])
    the_recipe = recipe(["a", "b"], ["judge"], concurrency=1)
    recorder = Recorder(models)

    def one_endpoint(agent: Agent) -> ModelFacts:
        return ModelFacts("one")

    task = asyncio.create_task(recorder.run(the_recipe, facts=one_endpoint))
    await wait_until(lambda: models.open == 1)
    assert "b" not in models.asked, "one call at a time"
    slow.set()
    outcome = await task
    first, waited = (outcome.replies[CallId(1, index)] for index in (1, 2))
    assert first.started is not None
    assert waited.started is not None
    assert waited.queued < first.ended <= waited.started, "the second waited for the end of the first"
    assert waited.seconds < waited.ended - waited.queued


async def test_calls_to_one_endpoint_go_in_the_order_of_the_layer() -> None:
    recorder = Recorder(FakeModels())
    the_recipe = recipe(["a", "b", "c", "d"], ["judge"], concurrency=1)
    await recorder.run(the_recipe, facts=lambda _: ModelFacts("one"))
    order = [event.call.index for event in recorder.of(CallStarted) if event.call.layer == 1]
    assert order == [1, 2, 3, 4]


async def test_stragglers_are_left_behind_once_the_quorum_has_answered() -> None:
    never = asyncio.Event()
    models = FakeModels(slow=[["begun", never]])
    layer = {"agents": ["a", "slow", "b"], "quorum": 2, "grace_seconds": 0.01}
    outcome = await Recorder(models).run(recipe(layer, ["judge"]))
    straggler = outcome.replies[CallId(1, 2)]
    assert outcome.status == "done"
    assert (straggler.status, straggler.text) == ("stopped", "begun")
    assert straggler.error is not None
    assert straggler.error.kind == "left_behind"
    assert "begun" not in sent(models, "judge")
    assert models.open == 0


async def test_a_straggler_within_its_grace_is_used() -> None:
    gate = asyncio.Event()
    models = FakeModels(slow=[[gate, "late but here"]])
    layer = {"agents": ["a", "slow"], "quorum": 1, "grace_seconds": 60}
    recorder = Recorder(models)
    task = asyncio.create_task(recorder.run(recipe(layer, ["judge"])))
    await wait_until(lambda: recorder.of(CallEnded))
    gate.set()
    assert (await task).status == "done"
    assert "late but here" in sent(models, "judge")


async def test_failures_do_not_count_towards_the_quorum() -> None:
    gate = asyncio.Event()
    models = FakeModels(bad=[[ModelError("auth", "no", 401)]], slow=[[gate, "slow answer"]])
    layer = {"agents": ["bad", "slow"], "quorum": 1, "grace_seconds": 0}
    recorder = Recorder(models)
    task = asyncio.create_task(recorder.run(recipe(layer, ["judge"])))
    await wait_until(lambda: recorder.of(CallEnded))
    gate.set()
    assert (await task).status == "done"
    assert "slow answer" in sent(models, "judge")


async def test_the_grace_is_given_in_every_layer_and_begins_when_the_quorum_is_reached() -> None:
    never = asyncio.Event()
    models = FakeModels(slow=[[never]])
    layer = {"agents": ["a", "slow", "b"], "quorum": 1, "grace_seconds": 0.05}
    outcome = await Recorder(models).run(recipe(layer, layer, ["judge"]))
    assert outcome.status == "done"
    assert [outcome.replies[CallId(number, 2)].status for number in (1, 2)] == ["stopped", "stopped"]
    assert "layer 2: 2 of 3 used" in outcome.notes


async def test_the_time_of_all_tries_and_the_waits_between_them_is_limited() -> None:
    busy = ModelError("rate_limit", "busy", 429, retry_after=0.15)
    models = FakeModels(a=[[busy]])
    outcome = await Recorder(models).run(recipe(["a"], total_seconds=0.4, retries=10))
    assert outcome.error is not None
    assert "total_seconds" in outcome.error.message
    assert 2 <= len(models.asked["a"]) <= 3


async def test_fallbacks_stand_in_for_the_aggregator_in_turn() -> None:
    models = FakeModels(
        judge=[[ModelError("auth", "judge is out", 401)]],
        second=[[ModelError("not_found", "second is gone", 404)]],
        third=[["saved"]],
    )
    agents = {
        "judge": {"model": "judge", "fallback": ["second", "third"]},
        "second": {"model": "second"},
        "third": {"model": "third"},
    }
    recorder = Recorder(models)
    outcome = await recorder.run(recipe(["a"], ["judge"], agents=agents))
    assert outcome.status == "done"
    assert outcome.answer == "saved"
    assert outcome.replies[CallId(2, 1)].agent == "third"
    assert any("judge is out" in note and "second" in note for note in outcome.notes)
    assert [event.agent.name for event in recorder.of(CallRetried)] == ["second", "third"]


async def test_what_failed_before_a_fallback_is_counted_and_paid_all_the_same() -> None:
    empty = Finish("length", Usage(100, 2048, estimated=False), 5.0)
    models = FakeModels(
        judge=[[ModelError("server", "x", 503)], [Chunk("reasoning", "hm"), empty]], spare=[["saved"]]
    )
    agents = {"judge": {"model": "judge", "fallback": ["spare"]}, "spare": {"model": "spare"}}
    recorder = Recorder(models)
    outcome = await recorder.run(recipe(["judge"], agents=agents))
    reply = outcome.replies[CallId(1, 1)]
    assert outcome.answer == "saved"
    assert reply.cost == outcome.cost == pytest.approx(5.001)
    assert reply.usage == Usage(110, 2053, estimated=False)
    assert reply.attempts == 3
    assert [event.attempt for event in recorder.of(CallRetried)] == [2, 3]


async def test_an_answer_that_has_begun_is_not_replaced_by_a_fallbacks() -> None:
    models = FakeModels(judge=[["half", ModelError("connection", "reset")]])
    agents = {"judge": {"model": "judge", "fallback": ["spare"]}, "spare": {"model": "spare"}}
    outcome = await Recorder(models).run(recipe(["a"], ["judge"], agents=agents))
    assert (outcome.status, outcome.answer) == ("partial", "half")
    assert "spare" not in models.asked


async def test_when_all_fallbacks_fail_the_proposers_texts_are_still_there() -> None:
    gone = [[ModelError("auth", "out", 401)]]
    agents = {"judge": {"model": "judge", "fallback": ["spare"]}, "spare": {"model": "spare"}}
    outcome = await Recorder(FakeModels(judge=gone, spare=gone)).run(
        recipe(["a", "b"], ["judge"], agents=agents)
    )
    assert outcome.status == "failed"
    assert outcome.answer == ""
    assert [outcome.replies[CallId(1, index)].text for index in (1, 2)] == ["a says 1", "b says 1"]


async def test_references_too_long_for_the_window_are_shortened_once() -> None:
    too_long = ModelError("context", "maximum context length is 8192 tokens", 400)
    models = FakeModels(
        a=[["first paragraph. " * 30 + "\n\n" + "second paragraph. " * 30]], judge=[[too_long], ["ok"]]
    )
    outcome = await Recorder(models).run(recipe(["a"], ["judge"]))
    assert outcome.answer == "ok"
    assert SHORTENED not in sent(models, "judge", 0)
    assert SHORTENED in sent(models, "judge", 1)
    assert len(sent(models, "judge", 1)) < len(sent(models, "judge", 0))
    assert any("shortened" in note for note in outcome.notes)

    models = FakeModels(judge=[[too_long]])
    outcome = await Recorder(models).run(recipe(["a"], ["judge"]))
    assert outcome.status == "failed"
    assert len(models.asked["judge"]) == 2, "one retry, not more"


async def test_stopping_the_run_keeps_all_text_and_closes_every_stream() -> None:
    never = asyncio.Event()
    models = FakeModels(a=[["half", never]], b=[[never]])
    recorder = Recorder(models)
    task = asyncio.create_task(recorder.run(recipe(["a", "b"], ["judge"])))
    await wait_until(lambda: recorder.of(Delta))
    recorder.control.stop()
    outcome = await task
    assert outcome.status == "stopped"
    assert outcome.replies[CallId(1, 1)].text == "half"
    assert {reply.status for reply in outcome.replies.values()} == {"stopped"}
    assert models.open == 0
    assert "judge" not in models.asked
    assert len(asyncio.all_tasks()) == 1


async def test_a_run_stopped_before_it_began_calls_nobody() -> None:
    recorder = Recorder(FakeModels())
    recorder.control.stop()
    outcome = await recorder.run(recipe(["a"], ["judge"]))
    assert outcome.status == "stopped"
    assert not recorder.models.asked


async def test_stopping_one_call_leaves_the_others_alone() -> None:
    never = asyncio.Event()
    models = FakeModels(a=[["half", never]])
    recorder = Recorder(models)
    task = asyncio.create_task(recorder.run(recipe(["a", "b"], ["judge"])))
    await wait_until(lambda: any(event.call == CallId(1, 1) for event in recorder.of(Delta)))
    recorder.control.stop_call(CallId(1, 1))
    outcome = await task
    assert outcome.status == "done"
    assert outcome.replies[CallId(1, 1)].status == "stopped"
    assert "half" not in sent(models, "judge")


async def test_a_call_waiting_to_be_tried_again_can_be_stopped() -> None:
    models = FakeModels(a=[[ModelError("rate_limit", "wait", 429, retry_after=600)]])
    recorder = Recorder(models)
    task = asyncio.create_task(recorder.run(recipe(["a"], total_seconds=10_000)))
    await wait_until(lambda: recorder.of(CallRetried))
    recorder.control.stop()
    assert (await task).status == "stopped"


async def test_going_on_with_what_is_ready() -> None:
    never = asyncio.Event()
    models = FakeModels(slow=[[never]])
    recorder = Recorder(models)
    task = asyncio.create_task(recorder.run(recipe(["a", "slow"], ["judge"])))
    await wait_until(lambda: recorder.of(CallEnded))
    recorder.control.proceed()
    outcome = await task
    assert outcome.status == "done"
    assert outcome.replies[CallId(1, 2)].status == "stopped"
    assert "layer 1: 1 of 2 used" in outcome.notes


async def test_going_on_with_nothing_ready_changes_nothing() -> None:
    gate = asyncio.Event()
    models = FakeModels(a=[[gate, "a"]])
    recorder = Recorder(models)
    task = asyncio.create_task(recorder.run(recipe(["a"], ["judge"])))
    await wait_until(lambda: models.open)
    recorder.control.proceed()
    await until_handled()
    assert not recorder.of(CallEnded)
    gate.set()
    outcome = await task
    assert outcome.status == "done"
    assert outcome.replies[CallId(1, 1)].status == "done"


async def test_cancelling_the_task_itself_closes_every_stream() -> None:
    never = asyncio.Event()
    models = FakeModels(a=[["x", never]], b=[[never]])
    recorder = Recorder(models)
    task = asyncio.create_task(recorder.run(recipe(["a", "b"], ["judge"])))
    await wait_until(lambda: models.open == 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert models.open == 0
    assert len(asyncio.all_tasks()) == 1


async def test_a_bug_is_not_reported_as_a_models_failure() -> None:
    models = FakeModels(a=[["x", asyncio.Event()]], b=[[ZeroDivisionError()]])
    with pytest.raises(ExceptionGroup) as caught:
        await Recorder(models).run(recipe(["a", "b"], ["judge"]))
    assert caught.group_contains(ZeroDivisionError)
    assert models.open == 0


async def test_a_bug_in_the_receiver_of_events_is_not_reported_as_a_models_failure() -> None:
    def broken(event: Event) -> None:
        if isinstance(event, Delta):
            raise RuntimeError("a bug in the screen")

    models = FakeModels()
    with pytest.raises(ExceptionGroup) as caught:
        await run(recipe(["a"]), ASK, models, broken)
    assert caught.group_contains(RuntimeError, match="a bug in the screen")
    assert models.open == 0


async def test_kept_replies_are_used_instead_of_asking_again() -> None:
    first = await Recorder(FakeModels()).run(recipe(["a", "b"], ["judge"]))
    reused = {call: reply for call, reply in first.replies.items() if call.layer == 1}
    models = FakeModels(judge=[["another answer"]])
    recorder = Recorder(models)
    outcome = await recorder.run(recipe(["a", "b"], ["judge"]), reused=reused)
    assert set(models.asked) == {"judge"}
    assert "a says 1" in sent(models, "judge")
    assert outcome.answer == "another answer"
    assert outcome.replies[CallId(1, 1)].reused
    assert outcome.cost == pytest.approx(0.001), "kept replies are not paid again"
    assert len(recorder.of(CallEnded)) == 3


async def test_an_excluded_reply_is_no_reference() -> None:
    reused = {CallId(1, 1): Reply("a", "a", "excluded", text="leave me out")}
    models = FakeModels()
    outcome = await Recorder(models).run(recipe(["a", "b"], ["judge"]), reused=reused)
    assert outcome.status == "done"
    assert "leave me out" not in sent(models, "judge")
    assert "a" not in models.asked


async def test_the_cap_stops_the_run_before_the_layer_that_would_pass_it() -> None:
    def priced(agent: Agent) -> ModelFacts:
        return ModelFacts("x", prompt_price=0.0, completion_price=0.001)

    models = FakeModels()
    agents = [{"model": "a", "max_tokens": 1000}]
    outcome = await Recorder(models).run(
        recipe(agents, [{"model": "judge", "max_tokens": 2000}], max_cost=1.5), facts=priced
    )
    assert outcome.status == "stopped"
    assert outcome.error is not None
    assert outcome.error.kind == "max_cost"
    assert "layer 2" in outcome.error.message
    assert set(models.asked) == {"a"}
    assert outcome.replies[CallId(1, 1)].text == "a says 1"


async def test_what_was_spent_counts_towards_the_cap() -> None:
    def priced(agent: Agent) -> ModelFacts:
        return ModelFacts("x", prompt_price=0.0, completion_price=0.001)

    models = FakeModels(a=[["x", Finish("stop", Usage(1, 1, estimated=False), 0.9)]])
    layers = [[{"model": "a", "max_tokens": 100}], [{"model": "judge", "max_tokens": 500}]]
    outcome = await Recorder(models).run(recipe(*layers, max_cost=1.0), facts=priced)
    assert outcome.error is not None
    assert outcome.error.kind == "max_cost"
    reused = {CallId(1, 1): outcome.replies[CallId(1, 1)]}
    repeated = await Recorder(models).run(recipe(*layers, max_cost=1.0), facts=priced, reused=reused)
    assert repeated.status == "done", "what is kept is not paid again"


async def test_a_dear_fallback_counts_towards_the_cap() -> None:
    prices = {"cheap": 0.00001, "dear": 1.0, "a": 0.0}
    agents = {
        "cheap": {"model": "cheap", "fallback": ["dear"], "max_tokens": 10},
        "dear": {"model": "dear", "max_tokens": 10},
    }

    def facts(agent: Agent) -> ModelFacts:
        return ModelFacts("x", prompt_price=0.0, completion_price=prices[agent.model])

    models = FakeModels()
    outcome = await Recorder(models).run(recipe(["a"], ["cheap"], agents=agents, max_cost=5.0), facts=facts)
    assert outcome.status == "stopped"
    assert "cheap" not in models.asked


async def test_a_cost_nobody_told_is_said_not_to_count() -> None:
    never = asyncio.Event()
    models = FakeModels(mute=[[never]])
    outcome = await Recorder(models).run(
        recipe(["mute", "a"], ["a"], max_cost=5.0, first_token_seconds=0.05),
        facts=lambda _: ModelFacts("x", prompt_price=0.0001, completion_price=0.0001),
    )
    assert outcome.replies[CallId(1, 1)].cost is None
    assert outcome.cost is None
    assert "L1.1 mute: cost unknown, not counted against max_cost" in outcome.notes


async def test_a_price_that_is_not_known_is_said_not_to_count() -> None:
    outcome = await Recorder(FakeModels()).run(recipe(["a"], max_cost=1.0))
    assert outcome.status == "done"
    assert outcome.notes == ("price unknown, not counted against max_cost: a",)


async def test_missing_usage_is_estimated_and_marked_and_its_price_follows() -> None:
    models = FakeModels(a=[["word " * 90, Finish("stop")]])
    outcome = await Recorder(models).run(
        recipe(["a"]), facts=lambda _: ModelFacts("x", prompt_price=0.0, completion_price=0.01)
    )
    reply = outcome.replies[CallId(1, 1)]
    assert reply.usage.estimated
    assert reply.usage.completion_tokens == estimate_tokens("word " * 90)
    assert outcome.cost == pytest.approx(0.01 * reply.usage.completion_tokens)


@pytest.mark.parametrize("stated_cost", [None, 0.11])
async def test_a_count_from_the_beginning_of_an_answer_that_was_cut_off_is_made_up(
    stated_cost: float | None,
) -> None:
    """Anthropic counts one token of the answer before it begins, and the rest only at the end."""
    begun = Usage(100, 1, estimated=False, cached_tokens=60)
    models = FakeModels(a=[["word " * 90, Finish(None, begun, stated_cost)]])
    outcome = await Recorder(models).run(
        recipe(["a"]), facts=lambda _: ModelFacts("x", prompt_price=0.001, completion_price=0.01)
    )
    reply, written = outcome.replies[CallId(1, 1)], estimate_tokens("word " * 90)
    assert reply.usage == Usage(100, written, estimated=True, cached_tokens=60)
    assert reply.cost == pytest.approx(0.1 + 0.01 * written)


async def test_an_unknown_price_is_unknown_and_a_refused_call_is_free() -> None:
    models = FakeModels(a=[["x", Finish("stop", Usage(1, 1, estimated=False))]])
    assert (await Recorder(models).run(recipe(["a"]))).cost is None
    models = FakeModels(a=[[ModelError("auth", "no", 401)]], b=[["x", DONE]])
    outcome = await Recorder(models).run(recipe(["a", "b"], ["b"]))
    assert outcome.cost == pytest.approx(0.002)
    assert not outcome.usage.estimated, "nothing is estimated of a call that was refused"


async def test_the_history_is_fitted_to_each_agents_own_window() -> None:
    talk: list[Message] = [{"role": "system", "content": "Be brief."}]
    for number in range(20):
        talk.append({"role": "user", "content": f"question {number} " + "word " * 100})
        talk.append({"role": "assistant", "content": f"answer {number} " + "word " * 100})
    talk.append({"role": "user", "content": "the last question"})

    def facts(agent: Agent) -> ModelFacts:
        return ModelFacts("x", context_tokens=400 if agent.model == "small" else 1_000_000)

    models = FakeModels()
    outcome = await run(
        recipe(["small", "large"], ["large"]), talk, models, lambda _: None, context=RunContext(facts=facts)
    )
    small, large = models.asked["small"][0], models.asked["large"][0]
    assert len(large) == len(talk)
    assert len(small) < len(talk)
    assert small[0]["content"] == "Be brief."
    assert small[1]["role"] == "user"
    assert small[-1]["content"] == "the last question"
    assert "question 19" in small[1]["content"]
    assert any(note.startswith("small: ") and "oldest" in note for note in outcome.notes)
    roles = [message["role"] for message in small[1:]]
    assert all(role != following for role, following in pairwise(roles))


async def test_a_history_without_a_prompt_is_refused() -> None:
    with pytest.raises(ValueError, match="prompt"):
        await run(recipe(["a"]), [{"role": "assistant", "content": "hi"}], FakeModels(), lambda _: None)
