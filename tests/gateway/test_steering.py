"""Steering over real HTTP: the server's log says which requests a change sends, and what they carry."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from moa_tui import steering
from moa_tui.chat import Chat
from moa_tui.engine.agent import Agent
from moa_tui.engine.events import CallId
from moa_tui.engine.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Callable

    from moa_tui.conversation import Turn
    from moa_tui.running import Running
    from moa_tui.steering import Change
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


def text(request: Request) -> str:
    return "\n".join(message["content"] for message in request.body["messages"])


def read_by(request: Request) -> str:
    """Whose answers a request carries."""
    return "".join(re.findall(r"Answer of (\w)\.", text(request)))


def ended(chat: Chat, running: Running) -> Turn:
    while running.events.get(timeout=30) is not None:
        pass
    turn = chat.settle(running)
    assert turn is not None
    return turn


@pytest.fixture
def chat(bench: Bench) -> Chat:
    bench.server.responder = says
    return Chat(bench.gateway, bench.engine, THREE)


def without_b(turn: Turn) -> Change:
    return steering.leave_out(turn, B)


@pytest.mark.parametrize(
    ("change", "sent"),
    [
        (lambda turn: steering.retry(turn, B), {"b": "", "d": "abc", "e": "abc", "w": "de"}),
        (lambda turn: steering.retry(turn, D), {"d": "abc", "w": "de"}),
        (lambda turn: steering.retry(turn, JUDGE), {"w": "de"}),
        (without_b, {"d": "ac", "e": "ac", "w": "de"}),
        (lambda turn: steering.leave_out(turn, D), {"w": "e"}),
        (lambda turn: steering.amend(turn, A, "By hand."), {"d": "bc", "e": "bc", "w": "de"}),
        (lambda turn: steering.propose(turn, "Answer of me."), {"w": "de"}),
        (lambda turn: steering.add(turn, Agent(model=model("z"))), {"z": "abc", "w": "dez"}),
        (
            lambda turn: steering.swap(turn, B, {"model": model("z"), "name": ""}),
            {"z": "", "d": "azc", "e": "azc", "w": "de"},
        ),
        (lambda turn: steering.swap(turn, D, {"temperature": 0.25}), {"d": "abc", "w": "de"}),
        (lambda turn: steering.aggregate(turn, CRITIQUE), {"x": "de", "y": "dex"}),
        (lambda turn: steering.reword(turn, "Make it a table."), {"w": "de"}),
    ],
)
def test_only_what_is_downstream_of_a_change_is_asked_and_carries_it(
    bench: Bench, chat: Chat, change: Callable[[Turn], Change], sent: dict[str, str]
) -> None:
    first = ended(chat, chat.send("hello"))
    before = len(bench.server.requests)
    assert before == 6
    turn = ended(chat, chat.steer(first, change(first)))
    after = bench.server.requests[before:]
    assert {one.key: read_by(one) for one in after} == sent
    assert len(after) == len(sent)
    assert turn.outcome is not None
    assert turn.outcome.status == "done"
    fresh = [reply for reply in turn.outcome.replies.values() if not reply.reused]
    assert len(fresh) <= len(after), "what was kept is not counted again"


def test_an_answer_taken_back_in_is_carried_again(bench: Bench, chat: Chat) -> None:
    turn = ended(chat, chat.send("hello"))
    turn = ended(chat, chat.steer(turn, without_b(turn)))
    before = len(bench.server.requests)
    ended(chat, chat.steer(turn, steering.leave_out(turn, B)))
    assert {one.key: read_by(one) for one in bench.server.requests[before:]} == {
        "d": "abc",
        "e": "abc",
        "w": "de",
    }


def test_what_is_written_by_hand_reaches_the_next_layer_word_for_word(bench: Bench, chat: Chat) -> None:
    turn = ended(chat, chat.send("hello"))
    ended(chat, chat.steer(turn, steering.amend(turn, A, "The moa, by hand.")))
    asked = [one for one in bench.server.requests if one.key == "d"]
    assert "The moa, by hand." in text(asked[-1])
    ended(chat, chat.steer(turn, steering.propose(turn, "Mine too.")))
    assert "Mine too." in text(bench.server.requests[-1])


def test_an_answer_used_as_the_answer_asks_nobody(bench: Bench, chat: Chat) -> None:
    ended(chat, chat.send("hello"))
    before = len(bench.server.requests)
    used = chat.use(B)
    assert used.outcome is not None
    assert used.outcome.answer == "Answer of b."
    assert len(bench.server.requests) == before


def test_a_new_temperature_is_what_is_sent(bench: Bench, chat: Chat) -> None:
    turn = ended(chat, chat.send("hello"))
    ended(chat, chat.steer(turn, steering.swap(turn, D, {"temperature": 0.25})))
    asked = [one for one in bench.server.requests if one.key == "d"]
    assert [one.body.get("temperature") for one in asked] == [None, 0.25]
