"""What can be done to a turn whose answer is begun while its references are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from moa_tui.chat.changes import LeaveOut, Retry, SwapModel
from moa_tui.chat.prompt_text import PromptText
from moa_tui.chat.session import Effect, NewTurn
from moa_tui.engine.events import StepEnded
from moa_tui.engine.values import CallId, Finish, Usage
from tests.chat.helpers import Gate, answered, ended
from tests.helpers import recipe, wait_until

if TYPE_CHECKING:
    from moa_tui.chat.session import ChatSession
    from moa_tui.conversation import Turn
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import Reply
    from moa_tui.gateway.thread import EngineThread
    from tests.fakes import FakeModels

A, B, WRITER = CallId(1, 1), CallId(1, 2), CallId(2, 1)
CHUNK = "The moa was a large bird that could not fly and lived in the forests of New Zealand. " * 3
CUT = Finish("length", Usage(100, 20, estimated=False), 0.01)


@pytest.fixture
def chat_recipe() -> Recipe:
    return recipe(["a", "b"], {"agents": ["judge"], "stairs": {"chunk": 32, "wait": 2}})


@pytest.fixture
def gate(engine: EngineThread) -> Gate:
    return Gate(engine)


@pytest.fixture
def writing(models: FakeModels, gate: Gate) -> FakeModels:
    """Models of which the writer has begun while both others wait at the gate."""
    models.scripts = {
        "a": [[CHUNK, gate.event, "A ends."]],
        "b": [[CHUNK, gate.event, "B ends."]],
        "judge": [["A moa is a bird. It", CUT], ["It is extinct."]],
        "other": [["It was a bird."]],
    }
    return models


async def begun(session: ChatSession) -> None:
    """Send a prompt, and wait until the first part of its answer is there."""
    session.send(PromptText("?"))
    run = session.require_run()
    seen: list[object] = []

    def has_part() -> bool:
        while not run.events.empty():
            seen.append(run.events.get())
        return any(isinstance(event, StepEnded) for event in seen)

    await wait_until(has_part)


def reply_of(turn: Turn | None, call: CallId = WRITER) -> Reply:
    assert turn is not None
    assert turn.outcome is not None
    return turn.outcome.replies[call]


@pytest.mark.usefixtures("writing")
async def test_an_answer_that_was_read_can_be_left_out_while_the_run_goes(
    session: ChatSession, gate: Gate
) -> None:
    await begun(session)
    assert await session.change(LeaveOut(B)) is Effect.ALTERED
    gate.open()
    turn = await ended(session)
    assert reply_of(turn).text == "A moa is a bird. It is extinct."
    assert reply_of(turn, B).status == "excluded"
    assert any("dropped out: L1.2 b" in note for note in reply_of(turn).notes)


@pytest.mark.parametrize("is_swap", [True, False])
async def test_another_writer_or_the_same_again_begins_a_call_of_its_own(
    session: ChatSession, writing: FakeModels, gate: Gate, is_swap: bool
) -> None:
    await begun(session)
    change = SwapModel(WRITER, {"model": "other"}) if is_swap else Retry(WRITER)
    assert await session.change(change) is Effect.STOPPING_ANSWER
    gate.open()
    stopped = await ended(session)
    assert reply_of(stopped).text == "A moa is a bird.", "what was shown stands in the turn that was stopped"
    assert stopped is not None
    assert stopped.outcome is not None
    assert (stopped.outcome.status, stopped.outcome.answer) == ("stopped", "A moa is a bird.")
    assert isinstance(session.follow_up(stopped), NewTurn)
    again = await ended(session)
    assert reply_of(again).text == ("It was a bird." if is_swap else "It is extinct.")
    assert [len(writing.asked[name]) for name in ("a", "b")] == [1, 1], "what they wrote is kept"


async def test_the_writer_that_is_asked_again_after_the_run_reads_all_at_once(
    session: ChatSession, writing: FakeModels, gate: Gate
) -> None:
    await begun(session)
    gate.open()
    turn = await ended(session)
    assert len(reply_of(turn).steps) == 2
    assert turn is not None
    await session.change(Retry(WRITER), turn)
    again = await ended(session)
    assert reply_of(again).steps == ()
    assert reply_of(again, A).reused
    assert len(writing.asked["judge"]) == 3


async def test_a_question_whose_answers_come_at_once_is_answered_in_one_call(
    session: ChatSession, models: FakeModels
) -> None:
    assert reply_of(await answered(session)).steps == ()
    assert len(models.asked["judge"]) == 1
