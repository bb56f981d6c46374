"""A run changed while it goes: only what is changed is asked anew, everything beside it goes on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from moa_tui.chat.changes import AddAgent, AddAnswer, EditAnswer, LeaveOut, Retry, SwapModel
from moa_tui.chat.run_handle import RunProgress
from moa_tui.conversation import Turn
from moa_tui.engine.agent import Agent
from moa_tui.engine.control import RunControl
from moa_tui.engine.events import CallEnded, CallStarted, Delta, Event, ReplyChanged, RunChanged, RunEnded
from moa_tui.engine.run import run
from moa_tui.engine.values import CallId, Message, Outcome, Reply
from moa_tui.errors import ModelError, UsageError
from tests.fakes import FakeModels
from tests.helpers import recipe, wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moa_tui.chat.changes import Change
    from moa_tui.engine.live_change import Alteration
    from moa_tui.engine.recipe import Recipe

ASK: list[Message] = [{"role": "user", "content": "What is a moa?"}]
A, B, C, D = (CallId(1, index) for index in (1, 2, 3, 4))
NEW = Agent(model="new")


def altered(change: Change, recipe: Recipe, *, layer: int = 1, left_out: CallId | None = None) -> Alteration:
    """The change of a run whose layer `layer` is at work, `left_out` being an answer left out before."""
    replies = {} if left_out is None else {left_out: Reply("", "", "excluded")}
    progress = RunProgress(Turn("?", recipe), replies, {CallId(layer, 1): recipe.lineup[layer - 1][0]})
    alteration = change.of_run(progress)
    assert alteration is not None
    return alteration


class Going:
    """A run that waits in its first layer: `b` writes a little and then waits for `go`."""

    def __init__(self, the_recipe: Recipe | None = None, **scripts: Sequence[Sequence[Any]]) -> None:
        self.go = asyncio.Event()
        self.recipe = the_recipe or recipe(["a", "b", "c"], ["d", "e"], ["w"])
        self.models = FakeModels(**{"b": [["b begins ", self.go, "and ends"]], **scripts})
        self.control = RunControl()
        self.events: list[Event] = []

    async def __aenter__(self) -> Going:
        self.task = asyncio.create_task(
            run(self.recipe, ASK, self.models, self.events.append, control=self.control)
        )
        await wait_until(lambda: self.count(Delta, B) and self.count(CallEnded) >= 2)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    def count(self, kind: type, call: CallId | None = None) -> int:
        return sum(
            isinstance(event, kind) and call in (None, event.call)  # type: ignore[attr-defined]
            for event in self.events
        )

    def alter(self, alteration: Alteration) -> bool:
        is_changed = self.control.alter(alteration)
        if is_changed:
            self.recipe = alteration.recipe
        return is_changed

    async def end(self) -> Outcome:
        self.go.set()
        return await self.task

    @property
    def asked(self) -> dict[str, int]:
        return {name: len(calls) for name, calls in sorted(self.models.asked.items()) if calls}

    def sent(self, model: str) -> str:
        return "\n".join(message["content"] for message in self.models.asked[model][-1])


EACH_ONCE = dict.fromkeys("abcdew", 1)


async def test_one_more_proposer_joins_the_layer_at_work_and_is_read() -> None:
    async with Going(recipe(["a", "b", "c"], ["w"])) as going:
        assert going.alter(altered(AddAgent(NEW), going.recipe))
        outcome = await going.end()
    assert outcome.status == "done"
    assert outcome.replies[D].text == "new says 1"
    assert going.asked == {"a": 1, "b": 1, "c": 1, "new": 1, "w": 1}
    assert "new says 1" in going.sent("w")
    assert outcome.replies[B].text == "b begins and ends", "what was being written went on"
    changed = next(event for event in going.events if isinstance(event, RunChanged))
    assert [agent.name for agent in changed.recipe.lineup[0]] == ["a", "b", "c", "new"]


async def test_an_answer_that_came_is_left_out_and_taken_back_in_while_others_write() -> None:
    async with Going() as going:
        assert going.alter(altered(LeaveOut(A), going.recipe))
        assert going.events[-1] == ReplyChanged(A, going.events[-1].reply)  # type: ignore[union-attr]
        assert going.alter(altered(LeaveOut(C), going.recipe))
        assert going.alter(altered(LeaveOut(C), going.recipe, left_out=C))
        outcome = await going.end()
    assert [outcome.replies[call].status for call in (A, B, C)] == ["excluded", "done", "done"]
    assert "a says 1" not in going.sent("d")
    assert "c says 1" in going.sent("d")
    assert "L1.1 a: left out by hand" in outcome.notes
    assert not any("L1.3 c: left out" in note for note in outcome.notes)
    assert going.asked == EACH_ONCE


async def test_an_answer_being_written_is_stopped_and_left_out_what_came_stays_to_be_seen() -> None:
    async with Going() as going:
        assert going.alter(altered(LeaveOut(B), going.recipe))
        outcome = await asyncio.wait_for(going.task, 5)
    reply = outcome.replies[B]
    assert (reply.status, reply.text) == ("excluded", "b begins ")
    assert "b begins" not in going.sent("d")
    assert "L1.2 b: left out by hand" in outcome.notes
    assert going.models.open == 0


async def test_what_was_stopped_in_the_middle_cannot_be_taken_back_in() -> None:
    async with Going(recipe(["a", "b", "c", "slow"], ["w"]), slow=[[asyncio.Event()]]) as going:
        going.alter(altered(LeaveOut(B), going.recipe))
        await wait_until(lambda: going.count(CallEnded, B))
        with pytest.raises(UsageError, match="ask it again"):
            going.alter(altered(LeaveOut(B), going.recipe, left_out=B))


async def test_one_that_has_answered_is_asked_again_and_its_first_answer_stays_to_be_seen() -> None:
    async with Going() as going:
        assert going.alter(altered(Retry(A), going.recipe))
        await wait_until(lambda: going.count(CallEnded, D))
        outcome = await going.end()
    assert [outcome.replies[call].text for call in (A, D)] == ["a says 1", "a says 2"]
    assert [outcome.replies[call].agent for call in (A, D)] == ["a", "a (2)"]
    assert outcome.replies[A].status == "excluded"
    assert "a says 1" not in going.sent("d")
    assert "a says 2" in going.sent("d")
    assert going.asked == EACH_ONCE | {"a": 2}


async def test_another_model_takes_the_place_of_one_that_is_writing() -> None:
    async with Going() as going:
        assert going.alter(altered(SwapModel(B, {"model": "new", "name": ""}), going.recipe, layer=1))
        outcome = await asyncio.wait_for(going.task, 5)
    assert [outcome.replies[call].status for call in (A, B, C, D)] == ["done", "excluded", "done", "done"]
    assert outcome.replies[D].model == "new"
    assert going.asked == EACH_ONCE | {"new": 1}


async def test_a_later_layers_agent_is_swapped_before_it_is_asked() -> None:
    async with Going() as going:
        assert going.alter(
            altered(SwapModel(CallId(3, 1), {"model": "new", "name": ""}), going.recipe, layer=1)
        )
        outcome = await going.end()
    assert outcome.answer == "new says 1"
    assert going.asked == {**dict.fromkeys("abcde", 1), "new": 1}


async def test_an_answer_changed_by_hand_is_read_instead_and_marked() -> None:
    async with Going() as going:
        assert going.alter(altered(EditAnswer(A, "a, but right"), going.recipe))
        outcome = await going.end()
    assert "a, but right" in going.sent("d")
    assert "a says 1" not in going.sent("d")
    assert outcome.replies[A].text == "a says 1"
    assert "L1.4 a, edited: edited by hand" in outcome.notes
    assert going.asked == EACH_ONCE


async def test_an_answer_of_ones_own_waits_for_the_layer_it_is_for() -> None:
    async with Going() as going:
        assert going.alter(altered(AddAnswer("my own view"), going.recipe))
        outcome = await going.end()
    assert outcome.replies[CallId(2, 3)].text == "my own view"
    assert "my own view" in going.sent("w")
    assert "my own view" not in going.sent("d")
    assert going.asked == EACH_ONCE


async def test_what_is_further_on_than_the_change_is_refused_and_nothing_is_touched() -> None:
    never = asyncio.Event()
    async with Going(recipe(["a", "b"], ["w"]), b=[["b"]], w=[["w begins", never]]) as going:
        await wait_until(lambda: going.count(CallStarted, CallId(2, 1)))
        before = list(going.events)
        for alteration in (
            altered(LeaveOut(A), going.recipe),
            altered(Retry(A), going.recipe),
            altered(AddAgent(NEW), going.recipe),
            altered(AddAnswer("mine"), going.recipe),
            altered(Retry(CallId(2, 1)), going.recipe),
            altered(SwapModel(CallId(2, 1), {"model": "new"}), going.recipe, layer=2),
        ):
            assert not going.alter(alteration)
        assert going.events == before
        assert going.asked == {"a": 1, "b": 1, "w": 1}


async def test_what_makes_no_sense_is_said() -> None:
    async with Going() as going:
        with pytest.raises(UsageError, match=r"L2\.1 has not been asked yet"):
            going.alter(altered(LeaveOut(CallId(2, 1)), going.recipe))
    async with Going(recipe(["a", "b", "c"], ["w"]), a=[[ModelError("auth", "no", 401)]]) as going:
        going.alter(altered(LeaveOut(C), going.recipe))
        with pytest.raises(UsageError, match="last answer"):
            going.alter(altered(LeaveOut(B), going.recipe))


async def test_a_recipe_that_is_not_the_runs_own_is_refused() -> None:
    async with Going() as going:
        assert not going.alter(altered(AddAgent(NEW), recipe(["a", "b", "c"], ["w"])))
        assert not going.alter(altered(AddAgent(NEW), recipe(["a", "x", "c"], ["d", "e"], ["w"])))


async def test_a_run_that_is_over_or_stopped_is_not_changed() -> None:
    async with Going() as going:
        await going.end()
        assert not going.alter(altered(AddAgent(NEW), going.recipe))
    async with Going() as going:
        going.control.stop()
        await asyncio.sleep(0)
        assert not going.alter(altered(AddAgent(NEW), going.recipe))
        assert (await going.task).status == "stopped"


async def test_one_that_joins_is_not_left_behind_with_the_stragglers() -> None:
    waits = asyncio.Event()
    grace_seconds = 0.2
    the_recipe = recipe({"agents": ["a", "b", "c"], "quorum": 2, "grace_seconds": grace_seconds}, ["w"])
    async with Going(the_recipe, new=[[waits, "new at last"]]) as going:
        assert going.alter(altered(AddAgent(NEW), going.recipe))
        await wait_until(lambda: going.count(CallStarted, D))
        # A timer that is set later for the same time fires later: by then the stragglers' time is over.
        grace_is_over = asyncio.Event()
        asyncio.get_running_loop().call_later(grace_seconds, grace_is_over.set)
        await wait_until(grace_is_over.is_set)
        for _ in range(5):
            await asyncio.sleep(0)  # The turns of the loop in which a call that was ended would end.
        assert not going.count(CallEnded, D)
        waits.set()
        await wait_until(lambda: going.count(CallEnded, D))
        outcome = await going.end()
    assert "new at last" in going.sent("w")
    assert outcome.status == "done"


async def test_with_one_model_at_a_time_it_joins_the_queue_and_what_waits_can_be_left_out() -> None:
    the_recipe = recipe(["b", "a", "c"], ["w"], one_model_at_a_time=True)
    first, third = CallId(1, 1), CallId(1, 3)
    going = Going(the_recipe)
    going.task = asyncio.create_task(
        run(the_recipe, ASK, going.models, going.events.append, control=going.control)
    )
    await wait_until(lambda: going.count(Delta, first))
    assert going.alter(altered(AddAgent(NEW), going.recipe))
    assert going.alter(altered(LeaveOut(third), going.recipe))
    outcome = await going.end()
    started = [event.call for event in going.events if isinstance(event, CallStarted)]
    assert started == [first, CallId(1, 2), CallId(1, 4), CallId(2, 1)]
    assert outcome.replies[third].status == "excluded"
    assert going.asked == {"a": 1, "b": 1, "new": 1, "w": 1}


async def test_the_events_tell_the_run_in_its_order() -> None:
    async with Going() as going:
        going.alter(altered(Retry(A), going.recipe))
        await going.end()
    kinds = [type(event) for event in going.events]
    assert kinds.index(RunChanged) < kinds.index(ReplyChanged)
    assert kinds[-1] is RunEnded
    joined = next(
        at for at, event in enumerate(going.events) if isinstance(event, CallStarted) and event.call == D
    )
    assert kinds.index(RunChanged) < joined


async def test_where_calls_are_made_in_turn_the_one_at_work_is_left_out_as_others_are_to_come() -> None:
    in_turn = recipe(["b", "c"], ["w"], one_model_at_a_time=True)
    models = FakeModels(b=[["b begins", asyncio.Event()]])
    control, events = RunControl(), list[Event]()
    running = asyncio.create_task(run(in_turn, ASK, models, events.append, control=control))
    await wait_until(lambda: any(isinstance(event, Delta) for event in events))
    assert control.alter(altered(LeaveOut(A), in_turn))
    with pytest.raises(UsageError, match="the last answer of its layer"):
        control.alter(altered(LeaveOut(B), in_turn))
    outcome = await running
    assert (outcome.status, outcome.replies[A].status) == ("done", "excluded")
    assert "c says 1" in "".join(message["content"] for message in models.asked["w"][-1])
