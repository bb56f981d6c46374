"""What a person can do in a conversation: over models of the test's own, on a real engine thread."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from moa_tui.chat.conversations import Conversations
from moa_tui.chat.session import ChatSession
from moa_tui.engine.agent import Agent
from moa_tui.engine.events import CallEnded, CallStarted, RunEnded
from moa_tui.engine.values import CallId, Finish
from moa_tui.errors import MissingKeyError, ModelError, UsageError
from tests.chat.helpers import events_of, settled, wait_for_text
from tests.helpers import recipe

if TYPE_CHECKING:
    from moa_tui.chat.chat import Chat
    from moa_tui.conversation import Turn
    from moa_tui.engine.recipe import Recipe
    from tests.fakes import FakeGateway, FakeModels

RECIPE = recipe(["a", "b"], ["judge"])
A, B, JUDGE = CallId(1, 1), CallId(1, 2), CallId(2, 1)


@pytest.fixture
def gateway(gateway: FakeGateway) -> FakeGateway:
    gateway.price = 1e-6
    return gateway


@pytest.fixture
def chat_recipe() -> Recipe:
    return RECIPE


def answered(chat: Chat, prompt: str = "?", *, instead: bool = False) -> Turn:
    return settled(chat, chat.send(prompt, instead_of=chat.turn if instead else None))


def answer_of(turn: Turn) -> str:
    assert turn.outcome is not None
    return turn.outcome.answer


def asked(models: FakeModels, model: str) -> list[tuple[str, str]]:
    """Role and text of what a model was sent last."""
    return [(message["role"], message["content"]) for message in models.asked[model][-1]]


# --- send -------------------------------------------------------------------------------------------


def test_a_question_goes_to_every_agent_and_comes_back_as_a_turn(chat: Chat, models: FakeModels) -> None:
    running = chat.send("What is a moa?")
    events = events_of(running)
    turn = chat.settle(running)
    assert turn is not None
    assert chat.turn is turn
    assert (turn.prompt, turn.recipe, turn.parent) == ("What is a moa?", RECIPE, None)
    assert answer_of(turn) == "judge says 1"
    assert [sum(isinstance(event, kind) for event in events) for kind in (CallStarted, CallEnded)] == [3, 3]
    assert isinstance(events[-1], RunEnded)
    assert {name: len(calls) for name, calls in models.asked.items()} == {"a": 1, "b": 1, "judge": 1}


def test_the_next_question_is_asked_behind_the_answer_before(chat: Chat, models: FakeModels) -> None:
    first = answered(chat, "one")
    second = answered(chat, "two")
    assert second.parent is first
    assert asked(models, "a") == [("user", "one"), ("assistant", "judge says 1"), ("user", "two")]


def test_a_system_prompt_comes_before_everything(chat: Chat, models: FakeModels) -> None:
    chat.system = "Be brief."
    answered(chat)
    assert asked(models, "a")[0] == ("system", "Be brief.")


def test_a_question_instead_of_the_last_takes_its_place(chat: Chat, models: FakeModels) -> None:
    first = answered(chat, "one")
    second = answered(chat, "two")
    third = answered(chat, "two, better", instead=True)
    assert third.parent is second.parent is first
    assert [text for _, text in asked(models, "a")] == ["one", "judge says 1", "two, better"]


def test_instead_of_nothing_is_the_first(chat: Chat) -> None:
    assert answered(chat, "one", instead=True).parent is None


def test_without_a_key_nothing_is_asked(chat: Chat, gateway: FakeGateway, models: FakeModels) -> None:
    gateway.missing = {"judge": "LAB_KEY"}
    with pytest.raises(MissingKeyError, match="LAB_KEY"):
        chat.send("?")
    assert not models.asked
    assert chat.turn is None


def test_a_key_found_missing_later_ends_the_run_before_any_call(
    chat: Chat, gateway: FakeGateway, models: FakeModels
) -> None:
    first = answered(chat)
    gateway.fails = MissingKeyError("LATE_KEY is not set")
    running = chat.send("?")
    assert events_of(running) == []
    with pytest.raises(MissingKeyError, match="LATE_KEY"):
        chat.settle(running)
    assert chat.turn is first
    assert len(models.asked["a"]) == 1


def test_the_recipe_in_force_when_it_is_sent_answers(chat: Chat, models: FakeModels) -> None:
    chat.recipe = recipe(["c"])
    turn = answered(chat)
    assert (turn.recipe, answer_of(turn)) == (chat.recipe, "c says 1")
    assert set(models.asked) == {"c"}


# --- steering ---------------------------------------------------------------------------------------


def test_a_run_that_is_stopped_keeps_its_text(chat: Chat, models: FakeModels) -> None:
    never = asyncio.Event()
    models.scripts = {"a": [["half", never]], "b": [["more", never]]}
    running = chat.send("?")
    wait_for_text(running, A, B)
    running.stop()
    turn = settled(chat, running)
    assert turn.outcome is not None
    assert turn.outcome.status == "stopped"
    assert {reply.text for reply in turn.outcome.replies.values()} >= {"half", "more"}
    assert chat.turn is turn


def test_a_run_stopped_before_it_began_leaves_no_turn(chat: Chat, gateway: FakeGateway) -> None:
    never = asyncio.Event()

    async def prepare(recipe: Recipe) -> None:
        await never.wait()

    gateway.prepare = prepare  # type: ignore[method-assign]
    running = chat.send("?")
    running.stop()
    assert events_of(running) == []
    assert chat.settle(running) is None
    assert chat.turn is None


def test_one_call_can_be_stopped_and_the_others_go_on(chat: Chat, models: FakeModels) -> None:
    models.scripts = {"a": [["half", asyncio.Event()]]}
    running = chat.send("?")
    wait_for_text(running, A)
    running.stop_call(A)
    turn = settled(chat, running)
    assert turn.outcome is not None
    assert [turn.outcome.replies[call].status for call in (A, B, JUDGE)] == ["stopped", "done", "done"]
    assert answer_of(turn) == "judge says 1"


def test_a_run_can_go_on_with_the_answers_that_are_ready(chat: Chat, models: FakeModels) -> None:
    models.scripts = {"a": [["half", asyncio.Event()]]}
    running = chat.send("?")
    wait_for_text(running, A)
    while not isinstance(event := running.events.get(timeout=5), CallEnded):
        assert event is not None
    running.proceed()
    turn = settled(chat, running)
    assert answer_of(turn) == "judge says 1"
    assert "b says 1" in str(models.asked["judge"])


# --- again ------------------------------------------------------------------------------------------


def test_aggregating_again_keeps_the_proposers_and_pays_them_not_again(
    chat: Chat, models: FakeModels
) -> None:
    first = answered(chat)
    second = settled(chat, chat.aggregate_again())
    assert first.outcome is not None
    assert second.outcome is not None
    assert (second.prompt, second.parent) == (first.prompt, first.parent)
    assert answer_of(second) == "judge says 2"
    assert {name: len(calls) for name, calls in models.asked.items()} == {"a": 1, "b": 1, "judge": 2}
    assert models.asked["judge"][0] == models.asked["judge"][1]
    assert [second.outcome.replies[call].reused for call in (A, B, JUDGE)] == [True, True, False]
    assert (first.outcome.cost, second.outcome.cost) == (pytest.approx(0.003), pytest.approx(0.001))


def test_another_aggregator_can_write_the_answer_again(chat: Chat, models: FakeModels) -> None:
    answered(chat)
    chat.recipe = recipe(["a", "b"], ["other"])
    assert answer_of(settled(chat, chat.aggregate_again())) == "other says 1"
    assert len(models.asked["a"]) == 1


def test_an_effort_is_that_of_all_agents_from_the_next_turn(chat: Chat) -> None:
    first = answered(chat)
    chat.use_effort("low")
    second = answered(chat)
    assert {agent.reasoning_effort for agent in first.recipe.every_agent()} == {None}
    assert {agent.reasoning_effort for agent in second.recipe.every_agent()} == {"low"}
    chat.use_effort("-")
    assert {agent.reasoning_effort for agent in chat.recipe.every_agent()} == {None}
    with pytest.raises(UsageError, match='"much" is no reasoning effort'):
        chat.use_effort("much")


def test_the_answer_can_be_written_again_with_another_effort(chat: Chat, models: FakeModels) -> None:
    first = answered(chat)
    chat.use_effort("high")
    second = settled(chat, chat.aggregate_again())
    assert answer_of(second) == "judge says 2"
    assert len(models.asked["a"]) == 1, "what was proposed before stays"
    assert second.recipe.lineup[0] == first.recipe.lineup[0]
    assert second.recipe.lineup[-1][0].reasoning_effort == "high"


def test_a_proposer_that_failed_is_asked_again(chat: Chat, models: FakeModels) -> None:
    models.scripts = {"a": [[ModelError("auth", "no")], ["late"]]}
    answered(chat)
    turn = settled(chat, chat.aggregate_again())
    assert turn.outcome is not None
    assert [turn.outcome.replies[call].reused for call in (A, B)] == [False, True]
    assert turn.outcome.replies[A].text == "late"


def test_a_proposer_that_its_layer_went_on_without_is_not_asked_again(chat: Chat, models: FakeModels) -> None:
    models.scripts = {"b": [["half of it", asyncio.Event()]]}
    chat.recipe = recipe({"agents": ["a", "b"], "quorum": 1, "grace_seconds": 0}, ["judge"])
    settled(chat, chat.send("?"))
    turn = settled(chat, chat.aggregate_again())
    assert turn.outcome is not None
    assert [turn.outcome.replies[call].reused for call in (A, B)] == [True, True]
    assert {name: len(calls) for name, calls in models.asked.items()} == {"a": 1, "b": 1, "judge": 2}


def test_without_an_answer_there_is_nothing_to_aggregate_again(chat: Chat) -> None:
    with pytest.raises(UsageError, match="no answer yet"):
        chat.aggregate_again()


def test_other_proposers_cannot_be_kept(chat: Chat) -> None:
    answered(chat)
    chat.recipe = recipe(["a", "c"], ["judge"])
    with pytest.raises(UsageError, match="other proposers"):
        chat.aggregate_again()


def test_where_every_proposer_failed_there_is_none_to_keep(chat: Chat, models: FakeModels) -> None:
    broken = [[ModelError("auth", "no")]]
    models.scripts = {"a": broken, "b": broken}
    answered(chat)
    with pytest.raises(UsageError, match="no proposer's answer could be kept"):
        chat.aggregate_again()


def test_a_recipe_of_one_layer_has_no_proposers_to_keep(chat: Chat) -> None:
    chat.recipe = recipe(["a"])
    answered(chat)
    with pytest.raises(UsageError, match="no proposer's answer could be kept"):
        chat.aggregate_again()


# --- use, new ---------------------------------------------------------------------------------------


def test_one_agents_answer_can_be_taken_as_the_turns_and_is_what_later_turns_see(
    chat: Chat, models: FakeModels
) -> None:
    before = answered(chat, "one")
    turn = chat.use_answer(A)
    assert answer_of(turn) == "a says 1"
    assert turn.outcome is not None
    assert turn.outcome.notes[-1] == "the answer is L1.1 a's, taken by hand"
    assert chat.turn is turn
    assert answer_of(before) == "judge says 1"  # A turn that is over never changes.
    answered(chat, "two")
    assert asked(models, "a") == [("user", "one"), ("assistant", "a says 1"), ("user", "two")]


def test_an_answer_taken_by_hand_mends_a_run_that_failed(chat: Chat, models: FakeModels) -> None:
    models.scripts = {"judge": [[ModelError("auth", "no")]]}
    failed = answered(chat)
    assert failed.outcome is not None
    assert failed.outcome.status == "failed"
    turn = chat.use_answer(B)
    assert turn.outcome is not None
    assert (turn.outcome.status, turn.outcome.error, turn.outcome.answer) == ("done", None, "b says 1")


@pytest.mark.parametrize("call", [CallId(1, 9), CallId(9, 1), A])
def test_an_answer_that_is_not_there_cannot_be_taken(chat: Chat, models: FakeModels, call: CallId) -> None:
    with pytest.raises(UsageError, match="no answer"):
        chat.use_answer(call)
    models.scripts = {"a": [[ModelError("auth", "no")]]}
    turn = answered(chat)
    with pytest.raises(UsageError, match="no answer"):
        chat.use_answer(call)
    assert chat.turn is turn


async def test_another_conversation_knows_nothing_of_the_former(chat: Chat, models: FakeModels) -> None:
    chat.system = "Be brief."
    answered(chat, "one")
    await Conversations(ChatSession(chat)).new()
    assert chat.turn is None
    assert answered(chat, "two").parent is None
    assert asked(models, "a") == [("system", "Be brief."), ("user", "two")]
    assert chat.recipe is RECIPE


# --- plan, try_agent --------------------------------------------------------------------------------


async def test_a_plan_has_every_call_and_its_costs_and_asks_nobody(chat: Chat, models: FakeModels) -> None:
    plan = await chat.plan("?")
    assert len(plan.calls) == 3
    assert plan.cost is not None
    assert plan.cost > 0
    assert not models.asked


async def test_a_plan_counts_the_conversation_before_it(chat: Chat) -> None:
    alone = (await chat.plan("two")).cost
    answered(chat, "one " * 500)
    behind, instead = (await chat.plan("two")).cost, (await chat.plan("two", instead_of=chat.turn)).cost
    assert alone is not None
    assert behind is not None
    assert instead == alone
    assert behind > alone


async def test_an_agent_can_be_tried_outside_the_conversation(chat: Chat, models: FakeModels) -> None:
    assert await chat.try_agent(Agent(model="new", count=3), "Who are you?") == "new says 1"
    assert asked(models, "new") == [("user", "Who are you?")]
    assert len(models.asked["new"]) == 1
    assert chat.turn is None


async def test_trying_an_agent_that_fails_says_why(chat: Chat, models: FakeModels) -> None:
    models.scripts = {"new": [[ModelError("auth", "the key is wrong", 401)]]}
    with pytest.raises(ModelError, match="the key is wrong") as caught:
        await chat.try_agent(Agent(model="new"), "?")
    assert (caught.value.kind, caught.value.status_code) == ("auth", 401)


async def test_trying_an_agent_without_its_key_says_so(chat: Chat, gateway: FakeGateway) -> None:
    gateway.fails = MissingKeyError("LAB_KEY is not set")
    with pytest.raises(MissingKeyError, match="LAB_KEY"):
        await chat.try_agent(Agent(model="new"), "?")


def test_a_cut_answer_that_is_taken_by_hand_is_still_called_cut_off(chat: Chat, models: FakeModels) -> None:
    models.scripts = {"a": [["half an", Finish("length")]]}
    settled(chat, chat.send("?"))
    assert chat.turn is not None
    assert chat.turn.outcome is not None
    cut = next(call for call, reply in chat.turn.outcome.replies.items() if reply.status == "partial")
    taken = chat.use_answer(cut).outcome
    assert taken is not None
    assert (taken.status, taken.answer, taken.error and taken.error.kind) == ("partial", "half an", "length")
