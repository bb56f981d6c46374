"""Changes of a layer with a window: each piece reads the one before, so those behind are asked anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from moa_tui.chat.changes import (
    AddAgent,
    AddAnswer,
    AggregateBy,
    EditAnswer,
    LeaveOut,
    Resume,
    Retry,
    SwapModel,
)
from moa_tui.chat.prompt_text import PromptText
from moa_tui.chat.session import Effect
from moa_tui.engine.agent import Agent
from moa_tui.engine.values import CallId
from moa_tui.errors import ModelError, UsageError
from tests.chat.helpers import Gate, ended, settled, until_asked
from tests.helpers import recipe

if TYPE_CHECKING:
    from moa_tui.chat.changes import Change
    from moa_tui.chat.chat import Chat
    from moa_tui.chat.session import ChatSession
    from moa_tui.conversation import Turn
    from moa_tui.engine.recipe import Recipe
    from tests.fakes import FakeModels

# The writer reads a and b, then its best answer and c, then its best answer and d.
WINDOW = {"agents": ["w"], "window": {"size": 2, "repeat": 1}}
LAST = recipe(["a", "b", "c", "d"], WINDOW)
MIDDLE = recipe(["a", "b", "c", "d"], WINDOW, ["judge"])
CASCADE = recipe(["a"], {"agents": ["x"], "task": "answer", "reads": ()}, {"agents": ["j"], "reads": "all"})
ONE, TWO, THREE = CallId(2, 1), CallId(2, 2), CallId(2, 3)


@pytest.fixture
def chat_recipe() -> Recipe:
    return LAST


def changed(chat: Chat, change: Change) -> Turn:
    assert chat.turn is not None
    return settled(chat, chat.rerun(chat.turn, change.of_turn(chat.turn)))


def answer(turn: Turn) -> str:
    assert turn.outcome is not None
    return turn.outcome.answer


def reused(turn: Turn, layer: int = 2) -> list[CallId]:
    assert turn.outcome is not None
    return [call for call, reply in turn.outcome.replies.items() if reply.reused and call.layer == layer]


def seen(models: FakeModels, model: str = "w") -> list[str]:
    return ["\n".join(message["content"] for message in messages) for messages in models.asked[model]]


def test_a_piece_asked_again_brings_the_pieces_behind_it_and_so_another_answer(
    chat: Chat, models: FakeModels
) -> None:
    assert answer(settled(chat, chat.send("?"))) == "w says 3"
    turn = changed(chat, Retry(TWO))
    assert (answer(turn), reused(turn)) == ("w says 5", [ONE])
    assert "w says 4" in seen(models)[-1]


def test_a_piece_left_out_is_read_by_no_later_one_and_said(chat: Chat, models: FakeModels) -> None:
    settled(chat, chat.send("?"))
    turn = changed(chat, LeaveOut(ONE))
    assert not any("w says 1" in text for text in seen(models)[3:])
    assert turn.outcome is not None
    assert (
        "L2.1 w 1: left out by hand, so the 2 answers that it alone read are left out" in turn.outcome.notes
    )
    back = changed(chat, LeaveOut(ONE))
    assert "w says 1" in seen(models)[-2]
    assert reused(back) == [ONE]


def test_a_piece_written_by_hand_is_what_the_next_one_reads(chat: Chat, models: FakeModels) -> None:
    settled(chat, chat.send("?"))
    turn = changed(chat, EditAnswer(TWO, "The moa had no wings."))
    assert "The moa had no wings." in seen(models)[-1]
    assert (answer(turn), reused(turn)) == ("w says 4", [ONE, TWO])


@pytest.mark.parametrize("change", [LeaveOut(THREE), EditAnswer(THREE, "mine")])
def test_only_the_last_piece_is_the_answer_itself(chat: Chat, change: Change) -> None:
    settled(chat, chat.send("?"))
    with pytest.raises(UsageError, match="wrote the answer"):
        changed(chat, change)


def test_another_model_reads_from_its_piece_on(chat: Chat, models: FakeModels) -> None:
    settled(chat, chat.send("?"))
    turn = changed(chat, SwapModel(TWO, {"model": "v"}))
    assert (answer(turn), reused(turn)) == ("v says 2", [ONE])
    assert [agent.name for agent in turn.recipe.lineup[1]] == ["w 1", "w 2", "w 3"]
    assert [agent.model for agent in turn.recipe.lineup[1]] == ["v", "v", "v"]
    assert "w says 1" in seen(models, "v")[0]


def test_what_is_resumed_goes_on_from_the_first_piece_that_failed(chat: Chat, models: FakeModels) -> None:
    models.scripts = {"w": [["one"], [ModelError("auth", "wrong key", 401)], ["three"], ["new"]]}
    settled(chat, chat.send("?"))
    turn = changed(chat, Resume())
    assert (answer(turn), reused(turn)) == ("new", [ONE])


@pytest.mark.parametrize(
    ("change", "asked"),
    [
        (Retry(ONE), 3),
        (LeaveOut(THREE), 0),
        (EditAnswer(TWO, "mine"), 1),
        (SwapModel(THREE, {"temperature": 0.2}), 1),
        (Retry(CallId(1, 4)), 3),
        (AddAgent(Agent(model="e")), 4),
        (AddAnswer("mine"), 4),
    ],
)
def test_in_a_middle_layer_the_pieces_behind_the_change_and_the_last_layer_are_asked(
    chat: Chat, models: FakeModels, change: Change, asked: int
) -> None:
    chat.use_recipe(MIDDLE)
    settled(chat, chat.send("?"))
    assert answer(changed(chat, change)) == "judge says 2"
    assert len(models.asked["w"]) == 3 + asked


def test_a_windows_layer_goes_into_another_recipe_with_its_agent_once(chat: Chat) -> None:
    settled(chat, chat.send("?"))
    turn = changed(chat, AggregateBy(recipe(["x"], {**WINDOW, "agents": ["v"]})))
    assert [agent.name for agent in turn.recipe.lineup[1]] == ["v 1", "v 2", "v 3"]


def test_an_aggregation_by_a_window_keeps_an_agent_that_joined(chat: Chat, models: FakeModels) -> None:
    settled(chat, chat.send("?"))
    changed(chat, AddAgent(Agent(model="e")))
    turn = settled(chat, chat.aggregate_again())
    assert [agent.name for agent in turn.recipe.lineup[1]] == ["w 1", "w 2", "w 3", "w 4"]
    assert len(models.asked["e"]) == 1


def test_a_layer_that_reads_nothing_is_not_paid_again(chat: Chat, models: FakeModels) -> None:
    chat.use_recipe(CASCADE)
    settled(chat, chat.send("?"))
    assert answer(changed(chat, Retry(CallId(1, 1)))) == "j says 2"
    assert (len(models.asked["a"]), len(models.asked["x"])) == (2, 1)


# While the run goes on


@pytest.mark.parametrize("layers", [LAST, MIDDLE], ids=["last", "middle"])
async def test_a_piece_that_the_one_at_work_was_shown_is_changed_by_stopping_the_run_first(
    session: ChatSession, models: FakeModels, layers: Recipe
) -> None:
    gate = Gate(session.chat.backend.engine)
    models.scripts = {"w": [["first-piece"], [gate.event, "two"], ["again two"], ["again three"]]}
    session.chat.use_recipe(layers)
    session.send(PromptText("?"))
    await until_asked(session, TWO)
    assert await session.change(LeaveOut(ONE)) is Effect.STOPPING
    stopped = await ended(session)
    assert stopped is not None
    assert session.follow_up(stopped) is not None
    turn = await ended(session)
    assert turn is not None
    assert not any("first-piece" in text for text in seen(models)[2:])


async def test_the_piece_at_work_is_left_out_at_once_where_others_follow(
    session: ChatSession, models: FakeModels
) -> None:
    gate = Gate(session.chat.backend.engine)
    models.scripts = {"w": [[gate.event, "one"], ["two"], ["three"]]}
    session.chat.use_recipe(MIDDLE)
    session.send(PromptText("?"))
    await until_asked(session, ONE)
    assert await session.change(LeaveOut(ONE)) is Effect.ALTERED
    turn = await ended(session)
    assert turn is not None
    assert turn.outcome is not None
    assert (turn.outcome.status, turn.outcome.replies[ONE].status) == ("done", "excluded")
