"""What a person can do with a chat without any screen: send, queue, edit, stop, change and compare."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from moa_tui.chat.attachments import Attachment
from moa_tui.chat.backend import Backend
from moa_tui.chat.changes import AddAgent, AddAnswer, EditAnswer, LeaveOut, Retry
from moa_tui.chat.chat import Chat
from moa_tui.chat.ledger import Ledger
from moa_tui.chat.prompt_text import PromptText
from moa_tui.chat.session import ChatSession, Effect, NewTurn, has_answer
from moa_tui.engine.agent import Agent
from moa_tui.engine.values import CallId
from moa_tui.errors import MissingKeyError, UsageError
from moa_tui.settings.config import Budget
from tests.chat.helpers import Gate, answered, ended, events_of, until_asked, written
from tests.conversations import a_conversation
from tests.helpers import recipe

if TYPE_CHECKING:
    from pathlib import Path

    from moa_tui.chat.comparison import Comparison
    from moa_tui.engine.recipe import Recipe
    from moa_tui.gateway.gateway import Gateway
    from moa_tui.gateway.thread import EngineThread
    from tests.fakes import FakeGateway, FakeModels


RECIPE = recipe(["a", "b"], ["judge"])
OTHER = recipe(["a", "b"], ["critic"]).model_copy(update={"name": "other"})
A, B, JUDGE = CallId(1, 1), CallId(1, 2), CallId(2, 1)


@pytest.fixture
def chat_recipe() -> Recipe:
    return RECIPE


# Sending and queueing


async def test_a_prompt_waits_while_a_run_goes_and_is_sent_after_it(
    session: ChatSession, models: FakeModels, gate: Gate
) -> None:
    models.scripts = {"judge": [[gate.event, "first"], ["second"]]}
    assert isinstance(session.submit(PromptText("one")), NewTurn)
    assert session.submit(PromptText("two")) is None
    gate.open()
    turn = await ended(session)
    following = session.advance_queue(turn)
    assert isinstance(following, NewTurn)
    assert following.turn.prompt == "two"
    assert following.turn.parent is turn
    assert session.queue == []
    await ended(session)


async def test_what_waits_comes_back_where_the_run_came_to_no_answer(
    session: ChatSession, models: FakeModels, gate: Gate
) -> None:
    models.scripts = {"a": [[gate.event]], "b": [[gate.event]]}
    session.submit(PromptText("one"))
    await until_asked(session, A, B)
    session.submit(PromptText("two"))
    session.submit(PromptText("three"))
    session.stop()
    returned = session.advance_queue(await ended(session))
    assert not isinstance(returned, NewTurn)
    assert written(returned) == ["two", "three"]
    assert session.queue == []


async def test_a_queued_prompt_that_cannot_be_sent_stays_queued(
    session: ChatSession, models: FakeModels, gate: Gate, gateway: FakeGateway
) -> None:
    models.scripts = {"judge": [[gate.event, "first"]]}
    session.submit(PromptText("one"))
    session.submit(PromptText("two"))
    gate.open()
    turn = await ended(session)
    gateway.missing = {"judge": "LAB_KEY"}
    with pytest.raises(MissingKeyError):
        session.advance_queue(turn)
    assert written(session.take_back_all()) == ["two"]


def test_the_newest_queued_prompt_is_taken_back_as_it_was_written(session: ChatSession) -> None:
    session.queue += [PromptText("one"), PromptText("two @file")]
    assert session.take_back() == PromptText("two @file")
    assert session.take_back() == PromptText("one")
    assert session.take_back() is None


async def test_files_go_to_the_models_and_the_words_come_back(
    session: ChatSession, models: FakeModels, tmp_path: Path
) -> None:
    prompt = PromptText("Sum up @notes", (Attachment(tmp_path / "notes", "File `notes`: moa", 4),))
    session.send(prompt)
    turn = await ended(session)
    assert turn is not None
    assert turn.prompt == "Sum up @notes\n\nFile `notes`: moa"
    assert session.edit(turn).written == "Sum up @notes"


async def test_an_edited_prompt_takes_the_place_of_its_turn_once(session: ChatSession) -> None:
    first = await answered(session, "first")
    session.edit(first)
    second = await answered(session, "second")
    assert (second.prompt, second.parent) == ("second", None)
    third = await answered(session, "third")
    assert third.parent is second


async def test_a_run_stopped_before_it_began_gives_its_prompt_back(
    session: ChatSession, gateway: FakeGateway, gate: Gate
) -> None:
    first = await answered(session, "first")
    session.edit(first)
    gateway.ready = gate.event
    session.send(PromptText("second"))
    session.stop()
    assert await ended(session) is None
    assert session.take_back_unsent() == PromptText("second")
    assert session.instead_of is first


async def test_the_last_prompt_is_asked_again_beside_its_turn_with_its_words(
    session: ChatSession, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="nothing to ask again"):
        session.retry()
    prompt = PromptText("Sum up @notes", (Attachment(tmp_path / "notes", "File `notes`: moa", 4),))
    session.send(prompt)
    first = await ended(session)
    assert first is not None
    assert session.retry().instead_of is first
    second = await ended(session)
    assert second is not None
    assert second.prompt == first.prompt
    assert session.chat.conversation.places()[second.id] == (2, 2)
    assert session.written(second) == prompt


async def test_what_cannot_be_sent_leaves_the_edited_turn_to_be_replaced(
    session: ChatSession, gateway: FakeGateway
) -> None:
    first = await answered(session, "first")
    session.edit(first)
    gateway.missing = {"judge": "LAB_KEY"}
    with pytest.raises(MissingKeyError):
        session.send(PromptText("second"))
    assert not session.is_running
    gateway.missing = {}
    second = await answered(session, "second")
    assert session.chat.conversation.places()[second.id] == (2, 2)


async def test_a_prompt_that_was_kept_by_an_earlier_program_is_edited_as_it_was_sent(
    session: ChatSession,
) -> None:
    session.chat.conversation = a_conversation(1)
    turn = session.chat.path[0]
    assert session.edit(turn) == PromptText("Question 1?")


async def test_only_one_run_goes_at_a_time(session: ChatSession, models: FakeModels, gate: Gate) -> None:
    models.scripts = {"judge": [[gate.event, "late"]]}
    new = session.send(PromptText("one"))
    assert session.is_running
    assert session.is_being_answered(new.turn)
    assert new.run is session.run
    with pytest.raises(UsageError, match="a run is going on"):
        session.send(PromptText("two"))
    with pytest.raises(UsageError, match="a run is going on"):
        session.edit(new.turn)
    with pytest.raises(UsageError, match="a run is going on"):
        session.compare(PromptText("two"), [RECIPE, OTHER], blind=False)
    gate.open()
    await ended(session)
    assert not session.is_running
    assert not session.is_being_answered(new.turn)


async def test_one_agent_is_stopped_and_the_run_goes_on(
    session: ChatSession, models: FakeModels, gate: Gate
) -> None:
    models.scripts = {"a": [["half", gate.event]]}
    session.send(PromptText("?"))
    await until_asked(session, A)
    session.stop_call(A)
    turn = await ended(session)
    assert turn is not None
    assert turn.outcome is not None
    assert (turn.outcome.status, turn.outcome.replies[A].status) == ("done", "stopped")


def test_where_nothing_runs_there_is_nothing_to_stop_or_to_settle(session: ChatSession) -> None:
    for stop in (session.stop, lambda: session.stop_call(A), session.require_run):
        with pytest.raises(UsageError, match="no run is going on"):
            stop()
    assert session.settle_run() is None
    assert session.take_back_unsent() is None


async def test_a_key_found_missing_as_the_run_begins_gives_the_prompt_back(
    session: ChatSession, gateway: FakeGateway
) -> None:
    gateway.fails = MissingKeyError("LATE_KEY is not set")
    session.send(PromptText("one"))
    with pytest.raises(MissingKeyError, match="LATE_KEY"):
        await ended(session)
    assert not session.is_running
    assert session.take_back_unsent() == PromptText("one")
    assert session.take_back_unsent() is None


async def test_a_partial_answer_is_enough_for_what_waits(session: ChatSession) -> None:
    turn = await answered(session)
    assert turn.outcome is not None
    for status, expected in (("done", True), ("partial", True), ("stopped", False), ("failed", False)):
        assert has_answer(replace(turn, outcome=replace(turn.outcome, status=status))) is expected
    assert not has_answer(replace(turn, outcome=None))
    assert not has_answer(None)


async def test_where_nothing_waits_or_a_run_goes_on_the_queue_does_not_advance(
    session: ChatSession, models: FakeModels, gate: Gate
) -> None:
    turn = await answered(session)
    assert session.advance_queue(turn) == ()
    models.scripts = {"judge": [[gate.event, "late"]]}
    session.submit(PromptText("one"))
    session.submit(PromptText("two"))
    assert session.advance_queue(turn) == ()
    assert written(session.queue) == ["two"]
    gate.open()
    await ended(session)


async def test_leaving_a_conversation_forgets_what_belonged_to_it(session: ChatSession) -> None:
    turn = await answered(session)
    session.edit(turn)
    session.queue.append(PromptText("waiting"))
    session.start_over()
    assert (session.queue, session.instead_of) == ([], None)


# Changing a turn


async def test_a_change_of_a_turn_that_is_over_asks_only_what_follows(
    session: ChatSession, models: FakeModels
) -> None:
    turn = await answered(session)
    result = await session.change(Retry(B), turn)
    assert isinstance(result, NewTurn)
    assert result.instead_of is turn
    await ended(session)
    assert {name: len(calls) for name, calls in models.asked.items()} == {"a": 1, "b": 2, "judge": 2}


async def test_a_change_of_the_layer_at_work_alters_the_run(
    session: ChatSession, models: FakeModels, gate: Gate
) -> None:
    models.scripts = {"a": [[gate.event, "late"]]}
    session.send(PromptText("?"))
    await until_asked(session, A)
    assert await session.change(AddAgent(Agent(model="new"))) is Effect.ALTERED
    gate.open()
    turn = await ended(session)
    assert turn is not None
    assert [agent.name for agent in turn.recipe.lineup[0]] == ["a", "b", "new"]


async def test_a_run_that_is_too_far_on_is_stopped_and_followed_by_the_change(
    session: ChatSession, models: FakeModels, gate: Gate
) -> None:
    models.scripts = {"judge": [[gate.event, "never"], ["without b"]]}
    session.send(PromptText("?"))
    await until_asked(session, JUDGE)
    assert await session.change(LeaveOut(B)) is Effect.STOPPING
    stopped = await ended(session)
    assert stopped is not None
    assert stopped.outcome is not None
    assert stopped.outcome.status == "stopped"
    following = session.follow_up(stopped)
    assert following is not None
    assert following.instead_of is stopped
    turn = await ended(session)
    assert turn is not None
    assert turn.outcome is not None
    assert turn.outcome.answer == "without b"
    assert turn.outcome.replies[B].status == "excluded"
    assert len(models.asked["a"]) == 1
    assert session.follow_up(turn) is None, "it is done once"


async def test_an_answer_used_while_the_run_goes_stops_the_run(
    session: ChatSession, models: FakeModels, gate: Gate
) -> None:
    models.scripts = {"judge": [[gate.event, "never"]]}
    session.send(PromptText("?"))
    await until_asked(session, JUDGE)
    with pytest.raises(UsageError, match="not over"):
        session.use_answer(JUDGE)
    assert session.use_answer(A) is Effect.STOPPING
    stopped = await ended(session)
    assert stopped is not None
    used = session.follow_up(stopped)
    assert used is not None
    assert used.run is None
    assert used.turn.outcome is not None
    assert used.turn.outcome.answer == "a says 1"
    assert not session.is_running


async def test_before_anybody_is_asked_nothing_can_be_changed(
    session: ChatSession, gateway: FakeGateway, gate: Gate
) -> None:
    gateway.ready = gate.event
    session.send(PromptText("?"))
    with pytest.raises(UsageError, match="only getting ready"):
        await session.change(Retry(A))
    session.stop()
    await ended(session)


async def test_while_a_run_goes_another_turn_cannot_be_changed(
    session: ChatSession, models: FakeModels, gate: Gate
) -> None:
    turn = await answered(session)
    models.scripts = {"a": [[gate.event, "late"]]}
    session.send(PromptText("more"))
    await until_asked(session, A)
    with pytest.raises(UsageError, match="a run is going on"):
        await session.change(Retry(A), turn)
    with pytest.raises(UsageError, match="a run is going on"):
        session.retry()
    gate.open()
    await ended(session)


async def test_a_turn_of_another_branch_cannot_be_changed(session: ChatSession) -> None:
    first = await answered(session)
    session.retry()
    await ended(session)
    with pytest.raises(UsageError, match="not in the conversation any more"):
        await session.change(Retry(A), first)


async def test_what_makes_no_sense_stops_nothing(
    session: ChatSession, models: FakeModels, gate: Gate
) -> None:
    models.scripts = {"judge": [[gate.event, "the answer"]]}
    session.send(PromptText("?"))
    await until_asked(session, JUDGE)
    for change, why in (
        (LeaveOut(JUDGE), "wrote the answer"),
        (EditAnswer(A, " "), "an empty answer"),
        (AddAnswer(""), "an answer is needed"),
    ):
        with pytest.raises(UsageError, match=why):
            await session.change(change)
    gate.open()
    turn = await ended(session)
    assert turn is not None
    assert turn.outcome is not None
    assert turn.outcome.answer == "the answer"


async def test_before_the_first_answer_nothing_can_be_changed_or_used(session: ChatSession) -> None:
    with pytest.raises(UsageError, match="no answer yet"):
        await session.change(Retry(A))
    with pytest.raises(UsageError, match="no answer yet"):
        session.use_answer(A)
    with pytest.raises(UsageError, match="no answer yet"):
        await session.aggregate_again()


async def test_an_earlier_turn_is_changed_as_a_branch(session: ChatSession) -> None:
    first = await answered(session, "one")
    await answered(session, "two")
    result = await session.change(Retry(JUDGE), first)
    assert isinstance(result, NewTurn)
    assert result.instead_of is first
    await ended(session)
    assert [turn.prompt for turn in session.chat.path] == ["one"]
    assert len(session.chat.conversation.turns) == 3


async def test_an_agents_answer_of_a_turn_that_is_over_is_used_without_a_run(session: ChatSession) -> None:
    turn = await answered(session)
    result = session.use_answer(B)
    assert isinstance(result, NewTurn)
    assert (result.run, result.instead_of) == (None, turn)
    assert session.chat.turn is result.turn
    assert result.turn.outcome is not None
    assert result.turn.outcome.answer == "b says 1"


@pytest.mark.parametrize(
    ("keywords", "asked_again", "answer"),
    [
        ({}, {"judge": 2}, "judge says 2"),
        ({"by": OTHER}, {"judge": 1, "critic": 1}, "critic says 1"),
        ({"prompt": "Write a table."}, {"judge": 2}, "judge says 2"),
    ],
    ids=["by the recipe in force", "by another recipe", "by other instructions"],
)
async def test_the_answers_are_aggregated_again_and_nobody_else_is_asked(
    session: ChatSession,
    models: FakeModels,
    keywords: dict[str, Any],
    asked_again: dict[str, int],
    answer: str,
) -> None:
    turn = await answered(session)
    result = await session.aggregate_again(**keywords)
    assert isinstance(result, NewTurn)
    assert result.instead_of is turn
    second = await ended(session)
    assert second is not None
    assert second.outcome is not None
    assert second.outcome.answer == answer
    assert {name: len(calls) for name, calls in models.asked.items()} == {"a": 1, "b": 1, **asked_again}
    if "prompt" in keywords:
        assert "Write a table." in models.asked["judge"][-1][0]["content"]


async def test_a_run_that_goes_is_stopped_to_be_aggregated_by_another_recipe(
    session: ChatSession, models: FakeModels, gate: Gate
) -> None:
    models.scripts = {"judge": [[gate.event, "never"]]}
    session.send(PromptText("?"))
    await until_asked(session, JUDGE)
    assert await session.aggregate_again(by=OTHER) is Effect.STOPPING
    stopped = await ended(session)
    assert stopped is not None
    assert session.follow_up(stopped) is not None
    turn = await ended(session)
    assert turn is not None
    assert turn.outcome is not None
    assert turn.outcome.answer == "critic says 1"


async def test_a_run_that_goes_is_aggregated_again_only_when_it_is_over(
    session: ChatSession, models: FakeModels, gate: Gate
) -> None:
    models.scripts = {"judge": [[gate.event, "late"]]}
    session.send(PromptText("?"))
    await until_asked(session, JUDGE)
    with pytest.raises(UsageError, match="a run is going on"):
        await session.aggregate_again()
    gate.open()
    await ended(session)


# Budgets


async def test_a_turn_that_a_budget_stopped_goes_on_once_whatever_it_costs(
    gateway: FakeGateway, engine: EngineThread, models: FakeModels
) -> None:
    gateway.price = 0.0001
    ledger = Ledger(Budget(day=0.0001), None)
    session = ChatSession(Chat(Backend(cast("Gateway", gateway), engine, None, ledger), RECIPE))
    with pytest.raises(UsageError, match="no budget has stopped"):
        session.go_on_over_budget()
    stopped = await answered(session)
    assert not models.asked
    assert session.turn_over_budget is stopped
    assert session.go_on_over_budget().instead_of is stopped
    assert session.turn_over_budget is None, "while it goes on, nothing is over budget"
    turn = await ended(session)
    assert turn is not None
    assert turn.outcome is not None
    assert turn.outcome.answer == "judge says 1"
    assert session.turn_over_budget is None
    await answered(session, "and?")
    assert session.turn_over_budget is not None


# Comparing


async def test_a_comparison_keeps_everything_else_waiting_and_is_settled_once(session: ChatSession) -> None:
    first = await answered(session, "first")
    comparison = session.compare(None, [RECIPE, OTHER], blind=False)
    with pytest.raises(UsageError, match="a comparison is going on"):
        session.send(PromptText("meanwhile"))
    await all_ended(comparison)
    comparison.choose(comparison.runs[1], comparison.runs)
    new, turns = session.settle_comparison(comparison)
    assert new is not None
    assert new.instead_of is first
    assert [turn.recipe.name for turn in turns] == ["test", "other"]
    assert session.chat.turn is not None
    assert session.chat.turn.recipe.name == "other"
    assert session.chat.turn.prompt == "first"


async def all_ended(comparison: Comparison) -> None:
    for run in comparison.runs:
        await asyncio.to_thread(events_of, run)


async def test_a_comparison_without_a_prompt_needs_a_turn(session: ChatSession) -> None:
    with pytest.raises(UsageError, match="no prompt yet to compare by"):
        session.compare(None, [RECIPE, OTHER], blind=False)
    await answered(session, "after it")


async def test_a_compared_prompt_takes_the_place_of_the_edited_turn_with_its_words(
    session: ChatSession, tmp_path: Path
) -> None:
    first = await answered(session, "first")
    session.edit(first)
    prompt = PromptText("Sum up @notes", (Attachment(tmp_path / "notes", "File `notes`: moa", 4),))
    comparison = session.compare(prompt, [RECIPE, OTHER], blind=False)
    await all_ended(comparison)
    new, turns = session.settle_comparison(comparison)
    assert new is not None
    assert new.instead_of is first
    assert [turn.parent for turn in turns] == [None, None]
    assert session.edit(turns[1]) == prompt
    session.start_over()
    third = await answered(session, "third")
    assert third.parent is new.turn


async def test_a_comparison_stopped_before_it_began_leaves_its_place_to_the_next_prompt(
    session: ChatSession, gateway: FakeGateway, gate: Gate
) -> None:
    first = await answered(session, "first")
    session.edit(first)
    gateway.ready = gate.event
    comparison = session.compare(PromptText("other"), [RECIPE, OTHER], blind=False)
    comparison.stop()
    await all_ended(comparison)
    assert session.settle_comparison(comparison) == (None, ())
    assert session.chat.turn is first
    assert session.instead_of is first
    session.require_idle()


async def test_a_comparison_that_cannot_begin_keeps_nothing_waiting(
    session: ChatSession, gateway: FakeGateway
) -> None:
    gateway.missing = {"critic": "LAB_KEY"}
    with pytest.raises(MissingKeyError):
        session.compare(PromptText("?"), [RECIPE, OTHER], blind=False)
    await answered(session)


# What follows what


async def test_a_used_answer_keeps_the_prompt_as_it_was_written(session: ChatSession, tmp_path: Path) -> None:
    session.send(PromptText("look @a", (Attachment(tmp_path / "a", "File `a`: moa", 4),)))
    turn = await ended(session)
    used = session.use_answer(A, turn)
    assert isinstance(used, NewTurn)
    assert session.edit(used.turn).written == "look @a"


async def test_a_turn_that_is_being_edited_is_forgotten_when_another_run_begins(session: ChatSession) -> None:
    first = await answered(session, "first")
    second = await answered(session, "second")
    session.edit(first)
    session.retry()
    await ended(session)
    third = await answered(session, "third")
    assert third.parent is not None
    assert third.parent.prompt == second.prompt


async def test_a_change_whose_run_ended_meanwhile_is_one_of_the_ended_turn(
    session: ChatSession, models: FakeModels, gateway: FakeGateway, gate: Gate
) -> None:
    held = asyncio.Event()
    models.scripts = {"judge": [[held, "first"], ["second"]]}
    session.send(PromptText("?"))
    await until_asked(session, JUDGE)
    gateway.ready = gate.event  # The engine is asked for the change, and does not answer yet.
    change = asyncio.create_task(session.change(AddAgent(Agent(model="new"))))
    await asyncio.sleep(0)
    await _set(session, held)
    first = await ended(session)
    gate.open()
    started = await change
    assert isinstance(started, NewTurn)
    assert started.instead_of is not None
    assert first is not None
    assert started.instead_of.id == first.id
    again = await ended(session)
    assert again is not None
    assert session.follow_up(again) is None, "nothing is left to be done to another turn"


async def _set(session: ChatSession, event: asyncio.Event) -> None:
    """Set an event that belongs to the engine's loop."""

    async def set_event() -> None:
        event.set()

    await asyncio.wrap_future(session.chat.backend.engine.submit(set_event()))


async def test_only_what_is_over_or_answered_can_be_changed(
    session: ChatSession, models: FakeModels, gate: Gate
) -> None:
    turn = await answered(session)
    session.require_changeable(turn)
    models.scripts = {"a": [[gate.event, "late"]]}
    session.send(PromptText("more"))
    await until_asked(session, A)
    with pytest.raises(UsageError, match="a run is going on"):
        session.require_changeable(turn)
    session.require_changeable(session.require_run().turn)
    gate.open()
    await ended(session)
