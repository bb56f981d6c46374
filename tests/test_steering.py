"""A turn that is over, changed by hand: what is asked again, what is kept, and that nothing is paid twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from moa_tui import steering
from moa_tui.chat import Chat
from moa_tui.engine import limits
from moa_tui.engine.events import CallId
from moa_tui.errors import MissingKeyError, ModelError, UsageError
from moa_tui.gateway.thread import EngineThread
from tests.fakes import FakeGateway, FakeModels
from tests.helpers import recipe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moa_tui.conversation import Turn
    from moa_tui.gateway.models import Gateway

RECIPE = recipe(["a", "b", "c"], ["d", "e"], ["judge"])
A, B, D, E, JUDGE = CallId(1, 1), CallId(1, 2), CallId(2, 1), CallId(2, 2), CallId(3, 1)


@pytest.fixture
def engine() -> Iterator[EngineThread]:
    with EngineThread() as thread:
        yield thread


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> FakeModels:
    monkeypatch.setattr(limits, "_FIRST_WAIT_SECONDS", 0.001)
    return FakeModels()


@pytest.fixture
def gateway(models: FakeModels) -> FakeGateway:
    return FakeGateway(models)


@pytest.fixture
def chat(gateway: FakeGateway, engine: EngineThread) -> Chat:
    return Chat(cast("Gateway", gateway), engine, RECIPE)


def ended(chat: Chat, running: object) -> Turn:
    while running.events.get(timeout=15) is not None:  # type: ignore[attr-defined]
        pass
    turn = chat.settle(running)  # type: ignore[arg-type]
    assert turn is not None
    return turn


def asked(models: FakeModels) -> dict[str, int]:
    return {name: len(models.asked[name]) for name in ("a", "b", "c", "d", "e", "judge")}


def texts(turn: Turn) -> dict[CallId, str]:
    assert turn.outcome is not None
    return {call: reply.text for call, reply in turn.outcome.replies.items()}


def seen_by(models: FakeModels, model: str) -> str:
    """What a model was sent last."""
    return "\n".join(message["content"] for message in models.asked[model][-1])


ONCE = dict.fromkeys(("a", "b", "c", "d", "e", "judge"), 1)


def test_one_agent_asked_again_brings_everything_after_it_again_and_nothing_else(
    chat: Chat, models: FakeModels
) -> None:
    first = ended(chat, chat.send("?"))
    second = ended(chat, chat.steer(first, steering.retry(first, B)))
    assert asked(models) == {**ONCE, "b": 2, "d": 2, "e": 2, "judge": 2}
    assert texts(second)[B] == "b says 2"
    assert "b says 2" in seen_by(models, "d")
    assert second.outcome is not None
    # The price of the four calls that were made, each 0.001.
    assert second.outcome.cost == pytest.approx(0.004)
    assert [reply.reused for reply in second.outcome.replies.values()] == [True, False, True, *[False] * 3]
    assert chat.conversation.places()[second.id] == (2, 2)
    assert texts(first)[B] == "b says 1"


def test_an_agent_of_the_second_layer_leaves_the_first_alone(chat: Chat, models: FakeModels) -> None:
    first = ended(chat, chat.send("?"))
    ended(chat, chat.steer(first, steering.retry(first, E)))
    assert asked(models) == {**ONCE, "e": 2, "judge": 2}


def test_the_aggregator_asked_again_is_asked_alone(chat: Chat, models: FakeModels) -> None:
    first = ended(chat, chat.send("?"))
    ended(chat, chat.steer(first, steering.retry(first, JUDGE)))
    assert asked(models) == {**ONCE, "judge": 2}


def test_an_answer_left_out_reaches_nobody_and_can_be_taken_back_in(chat: Chat, models: FakeModels) -> None:
    first = ended(chat, chat.send("?"))
    second = ended(chat, chat.steer(first, steering.leave_out(first, B)))
    assert asked(models) == {**ONCE, "d": 2, "e": 2, "judge": 2}
    assert "b says" not in seen_by(models, "d")
    assert second.outcome is not None
    assert second.outcome.replies[B].status == "excluded"
    assert second.outcome.replies[B].text == "b says 1"
    assert "L1.2 b: left out by hand" in second.outcome.notes
    third = ended(chat, chat.steer(second, steering.leave_out(second, B)))
    assert asked(models) == {**ONCE, "d": 3, "e": 3, "judge": 3}
    assert "b says 1" in seen_by(models, "d")
    assert third.outcome is not None
    assert third.outcome.replies[B].status == "done"
    assert third.outcome.notes == ()


def test_what_was_left_out_stays_left_out_when_the_answer_is_written_again(
    chat: Chat, models: FakeModels
) -> None:
    first = ended(chat, chat.send("?"))
    ended(chat, chat.steer(first, steering.leave_out(first, D)))
    ended(chat, chat.again())
    assert asked(models) == {**ONCE, "judge": 3}
    assert "d says" not in seen_by(models, "judge")


def test_an_answer_changed_by_hand_is_what_the_next_layer_reads_and_is_marked(
    chat: Chat, models: FakeModels
) -> None:
    first = ended(chat, chat.send("?"))
    second = ended(chat, chat.steer(first, steering.amend(first, A, "The moa was a bird.")))
    assert asked(models) == {**ONCE, "d": 2, "e": 2, "judge": 2}
    assert "The moa was a bird." in seen_by(models, "e")
    assert "a says" not in seen_by(models, "e")
    assert second.outcome is not None
    assert "edited by hand" in second.outcome.replies[A].notes[-1]


def test_an_answer_of_ones_own_stands_beside_those_the_aggregator_reads(
    chat: Chat, models: FakeModels
) -> None:
    first = ended(chat, chat.send("?"))
    second = ended(chat, chat.steer(first, steering.propose(first, "Mine.")))
    assert asked(models) == {**ONCE, "judge": 2}
    assert "Mine." in seen_by(models, "judge")
    assert "d says 1" in seen_by(models, "judge")
    assert second.outcome is not None
    own = second.outcome.replies[CallId(2, 3)]
    assert (own.agent, own.model, own.cost) == ("you", steering.BY_HAND, 0.0)


def test_another_model_takes_an_agents_place(chat: Chat, models: FakeModels) -> None:
    first = ended(chat, chat.send("?"))
    second = ended(chat, chat.steer(first, steering.swap(first, D, {"model": "new", "name": ""})))
    assert asked(models) == {**ONCE, "judge": 2}
    assert len(models.asked["new"]) == 1
    assert texts(second)[D] == "new says 1"
    assert second.recipe.lineup[1][0].name == "new"
    # What is asked next is asked by the recipe in force.
    assert chat.recipe is RECIPE


def test_the_same_model_can_be_given_another_temperature(chat: Chat) -> None:
    first = ended(chat, chat.send("?"))
    second = ended(chat, chat.steer(first, steering.swap(first, A, {"temperature": 0.1})))
    assert [agent.temperature for agent in second.recipe.lineup[0]] == [0.1, None, None]


def test_a_turn_in_the_middle_is_changed_as_a_branch(chat: Chat) -> None:
    first = ended(chat, chat.send("one"))
    ended(chat, chat.send("two"))
    ended(chat, chat.steer(first, steering.retry(first, A)))
    assert [turn.prompt for turn in chat.path] == ["one"]
    assert len(chat.conversation.turns) == 3


def test_what_failed_stays_failed_until_it_is_asked_again(chat: Chat, models: FakeModels) -> None:
    models.scripts = {"b": [[ModelError("auth", "wrong key", 401)], ["b at last"]]}
    first = ended(chat, chat.send("?"))
    ended(chat, chat.steer(first, steering.retry(first, A)))
    assert asked(models)["b"] == 1
    second = chat.turn
    assert second is not None
    third = ended(chat, chat.steer(second, steering.retry(second, B)))
    assert texts(third)[B] == "b at last"


def test_what_cannot_be_done_is_refused_before_any_call(
    chat: Chat, models: FakeModels, gateway: FakeGateway
) -> None:
    models.scripts = {"b": [[ModelError("auth", "wrong key", 401)]]}
    turn = ended(chat, chat.send("?"))
    before = asked(models)
    for change in (
        lambda: steering.retry(turn, CallId(9, 9)),
        lambda: steering.leave_out(turn, JUDGE),
        lambda: steering.leave_out(turn, B),
        lambda: steering.amend(turn, JUDGE, "x"),
        lambda: steering.amend(turn, A, "  "),
        lambda: steering.propose(turn, ""),
        lambda: steering.swap(turn, A, {"temperature": 9.0}),
    ):
        with pytest.raises(UsageError):
            change()
    gateway.missing = {"new": "NEW_KEY"}
    with pytest.raises(MissingKeyError, match="NEW_KEY"):
        chat.steer(turn, steering.swap(turn, A, {"model": "new"}))
    assert asked(models) == before


def test_the_last_answer_of_a_layer_cannot_be_left_out(chat: Chat) -> None:
    chat.recipe = recipe(["a"], ["judge"])
    turn = ended(chat, chat.send("?"))
    with pytest.raises(UsageError, match="last answer of its layer"):
        steering.leave_out(turn, A)


def test_a_recipe_of_one_layer_has_no_place_for_an_answer_of_ones_own(chat: Chat) -> None:
    chat.recipe = recipe(["a"])
    turn = ended(chat, chat.send("?"))
    with pytest.raises(UsageError, match="one layer"):
        steering.propose(turn, "Mine.")
