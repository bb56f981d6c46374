"""A turn that is over, changed by hand: what is asked again, what is kept, and that nothing is paid twice."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from moa_tui.chat.changes import (
    BY_HAND,
    AddAgent,
    AddAnswer,
    AggregateBy,
    EditAnswer,
    LeaveOut,
    Retry,
    Reword,
    SwapModel,
)
from moa_tui.engine.agent import Agent
from moa_tui.engine.values import CallId, Finish
from moa_tui.errors import MissingKeyError, ModelError, UsageError
from tests.chat.helpers import settled, wait_for_text
from tests.helpers import recipe

if TYPE_CHECKING:
    from moa_tui.chat.chat import Chat
    from moa_tui.conversation import Turn
    from moa_tui.engine.recipe import Recipe
    from tests.chat.helpers import Gate
    from tests.fakes import FakeGateway, FakeModels

RECIPE = recipe(["a", "b", "c"], ["d", "e"], ["judge"])
A, B, D, E, JUDGE = CallId(1, 1), CallId(1, 2), CallId(2, 1), CallId(2, 2), CallId(3, 1)


@pytest.fixture
def chat_recipe() -> Recipe:
    return RECIPE


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
    first = settled(chat, chat.send("?"))
    second = settled(chat, chat.rerun(first, Retry(B).of_turn(first)))
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
    first = settled(chat, chat.send("?"))
    settled(chat, chat.rerun(first, Retry(E).of_turn(first)))
    assert asked(models) == {**ONCE, "e": 2, "judge": 2}


def test_the_aggregator_asked_again_is_asked_alone(chat: Chat, models: FakeModels) -> None:
    first = settled(chat, chat.send("?"))
    settled(chat, chat.rerun(first, Retry(JUDGE).of_turn(first)))
    assert asked(models) == {**ONCE, "judge": 2}


def test_an_answer_left_out_reaches_nobody_and_can_be_taken_back_in(chat: Chat, models: FakeModels) -> None:
    first = settled(chat, chat.send("?"))
    second = settled(chat, chat.rerun(first, LeaveOut(B).of_turn(first)))
    assert asked(models) == {**ONCE, "d": 2, "e": 2, "judge": 2}
    assert "b says" not in seen_by(models, "d")
    assert second.outcome is not None
    assert second.outcome.replies[B].status == "excluded"
    assert second.outcome.replies[B].text == "b says 1"
    assert "L1.2 b: left out by hand" in second.outcome.notes
    third = settled(chat, chat.rerun(second, LeaveOut(B).of_turn(second)))
    assert asked(models) == {**ONCE, "d": 3, "e": 3, "judge": 3}
    assert "b says 1" in seen_by(models, "d")
    assert third.outcome is not None
    assert third.outcome.replies[B].status == "done"
    assert third.outcome.notes == ()


@pytest.mark.parametrize(
    ("script", "status"),
    [(["half of b", Finish("length")], "partial"), (["half of b", asyncio.Event()], "stopped")],
)
def test_a_cut_answer_that_was_read_can_be_left_out_and_taken_back_in(
    chat: Chat, models: FakeModels, script: list[Any], status: str
) -> None:
    models.scripts = {"b": [script]}
    layer = {"agents": ["a", "b"], "use_partial": True, "quorum": 1, "grace_seconds": 0.05}
    chat.recipe = recipe(layer, ["judge"])
    settled(chat, chat.send("?"))
    for is_read in (False, True):
        assert chat.turn is not None
        turn = settled(chat, chat.rerun(chat.turn, LeaveOut(CallId(1, 2)).of_turn(chat.turn)))
        assert turn.outcome is not None
        assert turn.outcome.replies[CallId(1, 2)].status == (status if is_read else "excluded")
        read = "".join(message["content"] for message in models.asked["judge"][-1])
        assert ("half of b" in read) == is_read
    assert len(models.asked["b"]) == 1


def test_what_was_left_out_stays_left_out_when_the_answer_is_written_again(
    chat: Chat, models: FakeModels
) -> None:
    first = settled(chat, chat.send("?"))
    settled(chat, chat.rerun(first, LeaveOut(D).of_turn(first)))
    settled(chat, chat.aggregate_again())
    assert asked(models) == {**ONCE, "judge": 3}
    assert "d says" not in seen_by(models, "judge")


def test_an_answer_changed_by_hand_is_what_the_next_layer_reads_and_is_marked(
    chat: Chat, models: FakeModels
) -> None:
    first = settled(chat, chat.send("?"))
    second = settled(chat, chat.rerun(first, EditAnswer(A, "The moa was a bird.").of_turn(first)))
    assert asked(models) == {**ONCE, "d": 2, "e": 2, "judge": 2}
    assert "The moa was a bird." in seen_by(models, "e")
    assert "a says" not in seen_by(models, "e")
    assert second.outcome is not None
    assert "edited by hand" in second.outcome.replies[A].notes[-1]


def test_an_answer_of_ones_own_stands_beside_those_the_aggregator_reads(
    chat: Chat, models: FakeModels
) -> None:
    first = settled(chat, chat.send("?"))
    second = settled(chat, chat.rerun(first, AddAnswer("Mine.").of_turn(first)))
    assert asked(models) == {**ONCE, "judge": 2}
    assert "Mine." in seen_by(models, "judge")
    assert "d says 1" in seen_by(models, "judge")
    assert second.outcome is not None
    own = second.outcome.replies[CallId(2, 3)]
    assert (own.agent, own.model, own.cost) == ("you", BY_HAND, 0.0)


def test_another_model_takes_an_agents_place(chat: Chat, models: FakeModels) -> None:
    first = settled(chat, chat.send("?"))
    second = settled(chat, chat.rerun(first, SwapModel(D, {"model": "new", "name": ""}).of_turn(first)))
    assert asked(models) == {**ONCE, "judge": 2}
    assert len(models.asked["new"]) == 1
    assert texts(second)[D] == "new says 1"
    assert second.recipe.lineup[1][0].name == "new"
    # What is asked next is asked by the recipe in force.
    assert chat.recipe is RECIPE


def test_the_same_model_can_be_given_another_temperature(chat: Chat) -> None:
    first = settled(chat, chat.send("?"))
    second = settled(chat, chat.rerun(first, SwapModel(A, {"temperature": 0.1}).of_turn(first)))
    assert [agent.temperature for agent in second.recipe.lineup[0]] == [0.1, None, None]


def test_a_turn_in_the_middle_is_changed_as_a_branch(chat: Chat) -> None:
    first = settled(chat, chat.send("one"))
    settled(chat, chat.send("two"))
    settled(chat, chat.rerun(first, Retry(A).of_turn(first)))
    assert [turn.prompt for turn in chat.path] == ["one"]
    assert len(chat.conversation.turns) == 3


def test_what_failed_stays_failed_until_it_is_asked_again(chat: Chat, models: FakeModels) -> None:
    models.scripts = {"b": [[ModelError("auth", "wrong key", 401)], ["b at last"]]}
    first = settled(chat, chat.send("?"))
    settled(chat, chat.rerun(first, Retry(A).of_turn(first)))
    assert asked(models)["b"] == 1
    second = chat.turn
    assert second is not None
    third = settled(chat, chat.rerun(second, Retry(B).of_turn(second)))
    assert texts(third)[B] == "b at last"


def test_what_cannot_be_done_is_refused_before_any_call(
    chat: Chat, models: FakeModels, gateway: FakeGateway
) -> None:
    models.scripts = {"b": [[ModelError("auth", "wrong key", 401)]]}
    turn = settled(chat, chat.send("?"))
    before = asked(models)
    for change in (
        lambda: Retry(CallId(9, 9)).of_turn(turn),
        lambda: LeaveOut(JUDGE).of_turn(turn),
        lambda: LeaveOut(B).of_turn(turn),
        lambda: EditAnswer(JUDGE, "x").of_turn(turn),
        lambda: EditAnswer(A, "  ").of_turn(turn),
        lambda: AddAnswer("").of_turn(turn),
        lambda: SwapModel(A, {"temperature": 9.0}).of_turn(turn),
    ):
        with pytest.raises(UsageError):
            change()
    gateway.missing = {"new": "NEW_KEY"}
    with pytest.raises(MissingKeyError, match="NEW_KEY"):
        chat.rerun(turn, SwapModel(A, {"model": "new"}).of_turn(turn))
    assert asked(models) == before


def test_the_last_answer_of_a_layer_cannot_be_left_out(chat: Chat) -> None:
    chat.recipe = recipe(["a"], ["judge"])
    turn = settled(chat, chat.send("?"))
    with pytest.raises(UsageError, match="last answer of its layer"):
        LeaveOut(A).of_turn(turn)


def test_a_recipe_of_one_layer_has_no_place_for_an_answer_of_ones_own(chat: Chat) -> None:
    chat.recipe = recipe(["a"])
    turn = settled(chat, chat.send("?"))
    with pytest.raises(UsageError, match="one layer"):
        AddAnswer("Mine.").of_turn(turn)


def test_a_late_proposer_is_asked_and_nobody_before_it_again(chat: Chat, models: FakeModels) -> None:
    first = settled(chat, chat.send("?"))
    second = settled(chat, chat.rerun(first, AddAgent(Agent(model="lab/d", temperature=0.1)).of_turn(first)))
    assert asked(models) == {**ONCE, "judge": 2}
    assert len(models.asked["lab/d"]) == 1
    assert "a says 1" in seen_by(models, "lab/d")
    assert "lab/d says 1" in seen_by(models, "judge")
    assert [agent.name for agent in second.recipe.lineup[1]] == ["d", "e", "d (2)"]
    assert first.recipe is RECIPE


def test_who_was_steered_into_a_turn_stays_when_its_answer_is_written_again(
    chat: Chat, models: FakeModels
) -> None:
    first = settled(chat, chat.send("?"))
    settled(chat, chat.rerun(first, AddAgent(Agent(model="new")).of_turn(first)))
    chat.recipe = recipe(["a", "b", "c"], ["d", "e"], ["other"])
    again = settled(chat, chat.aggregate_again())
    assert asked(models) == {**ONCE, "judge": 2}
    assert len(models.asked["new"]) == 1
    assert "new says 1" in seen_by(models, "other"), "the aggregator of the recipe in force reads it"
    assert again.outcome is not None
    assert again.outcome.answer == "other says 1"


FINAL = ({"agents": ["x"], "task": "critique"}, {"agents": ["y"], "reads": "all"})
"""What follows the answers in another recipe: a critique, and an answer from both."""


def test_the_answers_that_are_there_are_aggregated_as_another_recipe_does_it(
    chat: Chat, models: FakeModels
) -> None:
    first = settled(chat, chat.send("?"))
    by = recipe(["nobody"], *FINAL, agents={"x": {"model": "x", "temperature": 0.0}, "y": {"model": "y"}})
    second = settled(chat, chat.rerun(first, AggregateBy(by).of_turn(first)))
    assert asked(models) == ONCE
    assert [len(models.asked[name]) for name in ("nobody", "x", "y")] == [0, 1, 1]
    assert "d says 1" in seen_by(models, "x")
    assert "a says 1" not in seen_by(models, "x"), "it reads what the answer was made from"
    assert all(text in seen_by(models, "y") for text in ("d says 1", "e says 1", "x says 1"))
    assert "a says 1" not in seen_by(models, "y")
    assert second.outcome is not None
    assert second.outcome.answer == "y says 1"
    assert second.recipe.name == "test + test"
    assert second.recipe.lineup[2][0].temperature == 0.0
    assert [reply.reused for reply in second.outcome.replies.values()] == [True] * 5 + [False] * 2
    # Once more, by a recipe that chooses and writes nothing.
    third = settled(chat, chat.rerun(second, AggregateBy(recipe(["n"], {"task": "vote"})).of_turn(second)))
    assert third.outcome is not None
    assert third.outcome.answer in ("d says 1", "e says 1")


def test_what_might_end_a_run_early_does_not_keep_it_from_what_it_is_to_do_now(
    chat: Chat, models: FakeModels
) -> None:
    models.scripts = {"a": [["Answer: 42"]], "b": [["42"]]}
    chat.recipe = recipe({"agents": ["a", "b"], "enough": 0.6}, ["judge"])
    first = settled(chat, chat.send("?"))
    assert asked(models)["judge"] == 0
    second = settled(chat, chat.rerun(first, AggregateBy(recipe(["n"], ["y"])).of_turn(first)))
    assert second.outcome is not None
    assert second.outcome.answer == "y says 1"
    assert len(models.asked["a"]) == 1


def test_the_last_layer_works_by_other_instructions_and_only_it(chat: Chat, models: FakeModels) -> None:
    first = settled(chat, chat.send("?"))
    settled(chat, chat.rerun(first, Reword("Write a table of {references} and no more.").of_turn(first)))
    assert asked(models) == {**ONCE, "judge": 2}
    assert "Write a table of <reference" in seen_by(models, "judge")


def test_what_cannot_be_aggregated_otherwise_is_refused(chat: Chat) -> None:
    turn = settled(chat, chat.send("?"))
    with pytest.raises(UsageError, match="one layer: nothing in it reads"):
        AggregateBy(recipe(["x"])).of_turn(turn)
    chat.recipe = recipe(["a", "b"], {"task": "vote"})
    voted = settled(chat, chat.send("?"))
    with pytest.raises(UsageError, match="no agent at its end"):
        Reword("x").of_turn(voted)
    chat.recipe = recipe(["a"])
    alone = settled(chat, chat.send("?"))
    for refused in (
        lambda: AggregateBy(RECIPE).of_turn(alone),
        lambda: Reword("x").of_turn(alone),
        lambda: AddAgent(Agent(model="new")).of_turn(alone),
    ):
        with pytest.raises(UsageError, match=r"one layer|no agent at its end"):
            refused()


# --- while it goes, without a screen ----------------------------------------------------------------------


def test_a_run_that_goes_is_changed_from_another_thread(chat: Chat, models: FakeModels, gate: Gate) -> None:
    models.scripts = {"b": [["b begins", gate.event]]}
    running = chat.send("?")
    wait_for_text(running, B)
    changed = AddAgent(Agent(model="new")).of_run(running.progress())
    assert running.alter(changed).result(15)
    assert [agent.name for agent in running.turn.recipe.lineup[1]] == ["d", "e", "new"]
    with pytest.raises(UsageError, match="not been asked"):
        running.alter(Retry(JUDGE).of_run(running.progress())).result(15)
    gate.open()
    turn = settled(chat, running)
    assert turn.outcome is not None
    assert turn.recipe.lineup[1][2].model == "new"
    assert "new says 1" in seen_by(models, "judge")
    assert asked(models) == ONCE
    assert not running.alter(changed).result(15), "it is over"


def test_an_agent_that_joins_without_its_key_changes_nothing(
    chat: Chat, models: FakeModels, gateway: FakeGateway, gate: Gate
) -> None:
    models.scripts = {"b": [["b begins", gate.event]]}
    running = chat.send("?")
    wait_for_text(running, B)
    gateway.missing = {"new": "NEW_KEY"}
    with pytest.raises(MissingKeyError, match="NEW_KEY"):
        running.alter(AddAgent(Agent(model="new")).of_run(running.progress())).result(15)
    running.stop()
    assert settled(chat, running).recipe is RECIPE


def test_a_judge_of_several_is_left_out_without_a_call_and_the_last_one_is_not(
    chat: Chat, models: FakeModels
) -> None:
    chat.use_recipe(recipe(["a", "b"], {"agents": ["d", "e"], "task": "rank"}))
    models.scripts = {"d": [["RANKING: 1 > 2"]], "e": [["RANKING: 1 > 2"]]}
    turn = settled(chat, chat.send("?"))
    left_out = settled(chat, chat.rerun(turn, LeaveOut(CallId(2, 1)).of_turn(turn)))
    assert left_out.outcome is not None
    assert left_out.outcome.status == "done"
    assert (len(models.asked["d"]), len(models.asked["e"])) == (1, 1)
    with pytest.raises(UsageError, match="is the last answer of its layer"):
        LeaveOut(CallId(2, 2)).of_turn(left_out)
