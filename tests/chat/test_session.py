"""What a person can do with a chat without any screen: queue, edit, change, compare, open and fork."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from moa_tui.chat.attachments import Attachment
from moa_tui.chat.changes import AddAgent, LeaveOut, Retry
from moa_tui.chat.prompt_text import PromptText
from moa_tui.chat.session import ChatSession, Effect, NewTurn
from moa_tui.engine.agent import Agent
from moa_tui.engine.values import CallId
from moa_tui.errors import MissingKeyError, UsageError
from tests.chat.helpers import Gate, answered, ended, until_asked, written
from tests.helpers import recipe

if TYPE_CHECKING:
    from pathlib import Path

    from moa_tui.engine.recipe import Recipe
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


# Comparing


async def test_a_comparison_keeps_everything_else_waiting_and_is_settled_once(session: ChatSession) -> None:
    first = await answered(session, "first")
    comparison = session.compare(None, [RECIPE, OTHER], blind=False)
    with pytest.raises(UsageError, match="a comparison is going on"):
        session.send(PromptText("meanwhile"))
    for run in comparison.runs:
        while await asyncio.to_thread(run.events.get, timeout=15) is not None:
            pass
    comparison.choose(comparison.runs[1], comparison.runs)
    new, turns = session.settle_comparison(comparison)
    assert new is not None
    assert new.instead_of is first
    assert [turn.recipe.name for turn in turns] == ["test", "other"]
    assert session.chat.turn is not None
    assert session.chat.turn.recipe.name == "other"
    assert session.chat.turn.prompt == "first"
