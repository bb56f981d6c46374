"""What each change asks of a run that goes: an alteration by its progress, or nothing until it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from moa_tui.chat.changes import (
    BY_HAND,
    AddAgent,
    AddAnswer,
    AggregateBy,
    EditAnswer,
    LeaveOut,
    Resume,
    Retry,
    Reword,
    SwapModel,
)
from moa_tui.chat.run_handle import RunProgress
from moa_tui.conversation import Turn
from moa_tui.engine.agent import Agent
from moa_tui.engine.values import CallId
from moa_tui.errors import UsageError
from tests.conversations import a_reply
from tests.helpers import recipe

if TYPE_CHECKING:
    from moa_tui.chat.changes import Change
    from moa_tui.engine.live_change import Alteration
    from moa_tui.engine.recipe import Recipe

RECIPE = recipe(["a", "b"], ["judge"])
A, B, JUDGE = CallId(1, 1), CallId(1, 2), CallId(2, 1)


def progress(**replies: str) -> RunProgress:
    """A run of RECIPE in its first layer, where the agents with a status have ended and the others write."""
    calls = {"a": A, "b": B}
    ended = {calls[name]: a_reply(f"{name}'s", status, agent=name) for name, status in replies.items()}  # type: ignore[arg-type]
    asked = {call: RECIPE.lineup[0][call.index - 1] for call in calls.values() if call not in ended}
    return RunProgress(Turn("?", RECIPE), ended, asked)


def altered(change: Change, of: RunProgress) -> Alteration:
    alteration = change.of_run(of)
    assert alteration is not None
    return alteration


def first_layer(recipe: Recipe) -> list[str]:
    return [agent.name for agent in recipe.lineup[0]]


def test_an_agent_that_is_asked_again_joins_beside_its_answer_which_is_left_out() -> None:
    alteration = altered(Retry(A), progress(a="done"))
    assert alteration.leave_out == {A}
    assert first_layer(alteration.recipe) == ["a", "b", "a (2)"]
    assert alteration.given == {}


def test_the_one_who_writes_the_answer_is_not_joined_by_another() -> None:
    alteration = altered(Retry(JUDGE), progress(a="done", b="done"))
    assert (alteration.recipe, alteration.leave_out) == (RECIPE, {JUDGE})


@pytest.mark.parametrize("replies", [{}, {"a": "done"}])
def test_an_answer_is_left_out_whether_it_is_there_or_being_written(replies: dict[str, str]) -> None:
    alteration = altered(LeaveOut(A), progress(**replies))
    assert (alteration.leave_out, alteration.take_in) == ({A}, frozenset())
    assert alteration.recipe is RECIPE


def test_an_answer_that_was_left_out_is_taken_back_in() -> None:
    alteration = altered(LeaveOut(A), progress(a="excluded"))
    assert (alteration.leave_out, alteration.take_in) == (frozenset(), {A})


def test_an_edited_answer_joins_beside_the_one_it_replaces() -> None:
    alteration = altered(EditAnswer(A, "Mine."), progress(a="done"))
    assert alteration.leave_out == {A}
    assert first_layer(alteration.recipe) == ["a", "b", "a, edited"]
    (reply,) = alteration.given.values()
    assert (reply.text, reply.model, reply.cost) == ("Mine.", BY_HAND, 0.0)
    assert reply.notes == ("L1.3 a, edited: edited by hand",)


def test_an_answer_of_ones_own_joins_and_nobody_is_left_out() -> None:
    alteration = altered(AddAnswer("Mine."), progress())
    assert alteration.leave_out == frozenset()
    assert first_layer(alteration.recipe) == ["a", "b", "you"]
    assert {call: reply.text for call, reply in alteration.given.items()} == {CallId(1, 3): "Mine."}


@pytest.mark.parametrize("change", [EditAnswer(A, " \n"), AddAnswer("")])
def test_an_answer_without_a_word_is_refused(change: Change) -> None:
    with pytest.raises(UsageError):
        change.of_run(progress(a="done"))


def test_one_more_agent_joins_with_the_recipes_defaults() -> None:
    defaults = RECIPE.defaults.model_copy(update={"temperature": 0.3})
    own = RECIPE.model_copy(update={"defaults": defaults})
    alteration = altered(AddAgent(Agent(model="new")), RunProgress(Turn("?", own), {}, {}))
    joined = alteration.recipe.lineup[0][-1]
    assert (joined.name, joined.temperature) == ("new", 0.3)
    assert (alteration.leave_out, alteration.given) == (frozenset(), {})


def test_another_model_joins_the_layer_at_work_beside_the_one_it_replaces() -> None:
    alteration = altered(SwapModel(A, {"model": "new", "name": ""}), progress(a="done"))
    assert alteration.leave_out == {A}
    assert [agent.model for agent in alteration.recipe.lineup[0]] == ["a", "b", "new"]


def test_another_model_takes_the_seat_of_one_that_is_still_to_be_asked() -> None:
    alteration = altered(SwapModel(JUDGE, {"model": "new", "name": ""}), progress())
    assert alteration.leave_out == frozenset()
    assert [agent.model for agent in alteration.recipe.lineup[1]] == ["new"]


@pytest.mark.parametrize("change", [AggregateBy(recipe(["x"], ["y"])), Reword("Write a table."), Resume()])
def test_who_writes_the_answer_is_changed_only_of_a_turn_that_is_over(change: Change) -> None:
    assert change.of_run(progress()) is None


def test_a_run_as_it_would_be_stopped_has_a_reply_of_everyone_asked() -> None:
    of = progress(a="done")
    assert of.layer == 1
    outcome = of.as_stopped().outcome
    assert outcome is not None
    assert [(call, reply.status) for call, reply in outcome.replies.items()] == [(A, "done"), (B, "stopped")]
    assert RunProgress(Turn("?", RECIPE), {}, {}).layer == 0
