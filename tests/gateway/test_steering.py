"""Steering over real HTTP: the server's log says which requests a change sends, and what they carry."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from moa_tui.chat.backend import Backend
from moa_tui.chat.changes import (
    AddAgent,
    AddAnswer,
    AggregateBy,
    EditAnswer,
    LeaveOut,
    Retry,
    Reword,
    SwapModel,
)
from moa_tui.chat.chat import Chat
from moa_tui.engine.agent import Agent
from moa_tui.engine.recipe import Recipe
from moa_tui.engine.values import CallId
from tests.gateway.helpers import sent_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from moa_tui.chat.changes import Rerun
    from moa_tui.chat.run_handle import RunHandle
    from moa_tui.conversation import Turn
    from tests.gateway.conftest import Bench
    from tests.model_server import Request

A, B, D, JUDGE = CallId(1, 1), CallId(1, 2), CallId(2, 1), CallId(3, 1)


def model(key: str) -> str:
    return f"lab/told@key={key}"


def layers(*keys: str, **more: object) -> dict[str, object]:
    return {"agents": [{"name": key, "model": model(key)} for key in keys], **more}


THREE = Recipe.model_validate({"name": "three", "layers": [layers(*"abc"), layers(*"de"), layers("w")]})
CRITIQUE = Recipe.model_validate(
    {"name": "other", "layers": [layers("n"), layers("x", task="critique"), layers("y", reads="all")]}
)


def says(request: Request) -> str:
    return f"Answer of {request.key}."


def read_by(request: Request) -> str:
    """Whose answers a request carries."""
    return "".join(re.findall(r"Answer of (\w)\.", sent_text(request)))


def ended(chat: Chat, running: RunHandle) -> Turn:
    while running.events.get(timeout=30) is not None:
        pass
    turn = chat.settle(running)
    assert turn is not None
    return turn


@pytest.fixture
def chat(bench: Bench) -> Chat:
    bench.server.responder = says
    return Chat(Backend(bench.gateway, bench.engine), THREE)


def without_b(turn: Turn) -> Rerun:
    return LeaveOut(B).of_turn(turn)


@pytest.mark.parametrize(
    ("change", "sent"),
    [
        (lambda turn: Retry(B).of_turn(turn), {"b": "", "d": "abc", "e": "abc", "w": "de"}),
        (lambda turn: Retry(D).of_turn(turn), {"d": "abc", "w": "de"}),
        (lambda turn: Retry(JUDGE).of_turn(turn), {"w": "de"}),
        (without_b, {"d": "ac", "e": "ac", "w": "de"}),
        (lambda turn: LeaveOut(D).of_turn(turn), {"w": "e"}),
        (lambda turn: EditAnswer(A, "By hand.").of_turn(turn), {"d": "bc", "e": "bc", "w": "de"}),
        (lambda turn: AddAnswer("Answer of me.").of_turn(turn), {"w": "de"}),
        (lambda turn: AddAgent(Agent(model=model("z"))).of_turn(turn), {"z": "abc", "w": "dez"}),
        (
            lambda turn: SwapModel(B, {"model": model("z"), "name": ""}).of_turn(turn),
            {"z": "", "d": "azc", "e": "azc", "w": "de"},
        ),
        (lambda turn: SwapModel(D, {"temperature": 0.25}).of_turn(turn), {"d": "abc", "w": "de"}),
        (lambda turn: AggregateBy(CRITIQUE).of_turn(turn), {"x": "de", "y": "dex"}),
        (lambda turn: Reword("Make it a table.").of_turn(turn), {"w": "de"}),
    ],
)
def test_only_what_is_downstream_of_a_change_is_asked_and_carries_it(
    bench: Bench, chat: Chat, change: Callable[[Turn], Rerun], sent: dict[str, str]
) -> None:
    first = ended(chat, chat.send("hello"))
    before = len(bench.server.requests)
    assert before == 6
    turn = ended(chat, chat.rerun(first, change(first)))
    after = bench.server.requests[before:]
    assert {request.key: read_by(request) for request in after} == sent
    assert len(after) == len(sent)
    assert turn.outcome is not None
    assert turn.outcome.status == "done"
    fresh = [reply for reply in turn.outcome.replies.values() if not reply.reused]
    assert len(fresh) <= len(after), "what was kept is not counted again"


def test_an_answer_taken_back_in_is_carried_again(bench: Bench, chat: Chat) -> None:
    turn = ended(chat, chat.send("hello"))
    turn = ended(chat, chat.rerun(turn, without_b(turn)))
    before = len(bench.server.requests)
    ended(chat, chat.rerun(turn, LeaveOut(B).of_turn(turn)))
    assert {request.key: read_by(request) for request in bench.server.requests[before:]} == {
        "d": "abc",
        "e": "abc",
        "w": "de",
    }


def test_what_is_written_by_hand_reaches_the_next_layer_word_for_word(bench: Bench, chat: Chat) -> None:
    turn = ended(chat, chat.send("hello"))
    ended(chat, chat.rerun(turn, EditAnswer(A, "The moa, by hand.").of_turn(turn)))
    asked = [request for request in bench.server.requests if request.key == "d"]
    assert "The moa, by hand." in sent_text(asked[-1])
    ended(chat, chat.rerun(turn, AddAnswer("Mine too.").of_turn(turn)))
    assert "Mine too." in sent_text(bench.server.requests[-1])


def test_an_answer_used_as_the_answer_asks_nobody(bench: Bench, chat: Chat) -> None:
    ended(chat, chat.send("hello"))
    before = len(bench.server.requests)
    used = chat.use_answer(B)
    assert used.outcome is not None
    assert used.outcome.answer == "Answer of b."
    assert len(bench.server.requests) == before


def test_a_new_temperature_is_what_is_sent(bench: Bench, chat: Chat) -> None:
    turn = ended(chat, chat.send("hello"))
    ended(chat, chat.rerun(turn, SwapModel(D, {"temperature": 0.25}).of_turn(turn)))
    asked = [request for request in bench.server.requests if request.key == "d"]
    assert [request.body.get("temperature") for request in asked] == [None, 0.25]
