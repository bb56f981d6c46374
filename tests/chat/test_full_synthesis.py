"""An answer that was begun before all answers were there, written again from all of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from moa_tui.chat.full_synthesis import FullSynthesis, late_answers, offer_words
from moa_tui.chat.prompt_text import PromptText
from moa_tui.engine.values import CallId, Failure
from moa_tui.errors import UsageError
from tests.chat.helpers import events_of
from tests.helpers import recipe

if TYPE_CHECKING:
    from moa_tui.chat.session import ChatSession
    from moa_tui.conversation import Turn
    from moa_tui.engine.recipe import Recipe
    from tests.fakes import FakeGateway, FakeModels

EARLY = recipe(["a", "b", "c"], {"agents": ["judge"], "stairs": {"wait": 1}})
C, JUDGE = CallId(1, 3), CallId(2, 1)


@pytest.fixture
def chat_recipe() -> Recipe:
    return EARLY


def answered(session: ChatSession, *unread: CallId, failed: CallId | None = None) -> Turn:
    """The session's last turn, whose answer was begun without `unread`; the call `failed` has failed."""
    run = session.send(PromptText("What is a moa?")).run
    assert run is not None
    events_of(run)
    turn = session.settle_run()
    assert turn is not None
    assert turn.outcome is not None
    replies = dict(turn.outcome.replies)
    replies[JUDGE] = replace(replies[JUDGE], unread=unread)
    if failed is not None:
        error = Failure("server", "no")
        replies[failed] = replace(replies[failed], status="failed", error=error, text="")
    changed = replace(turn, outcome=replace(turn.outcome, replies=replies))
    session.chat.conversation = session.chat.conversation.with_turn(changed)
    return changed


def asked(models: FakeModels) -> list[int]:
    return [len(models.asked[name]) for name in ("a", "b", "c", "judge")]


def test_only_the_aggregator_is_asked_and_the_turn_stands_beside_the_first(
    session: ChatSession, models: FakeModels
) -> None:
    first = answered(session, C, failed=CallId(1, 2))
    assert session.turn_with_late_answers == first
    before = asked(models)
    new = session.full_synthesis()
    assert new.run is not None
    assert new.instead_of == first
    events_of(new.run)
    second = session.settle_run()
    assert second is not None
    assert second.outcome is not None
    assert asked(models) == [*before[:3], before[3] + 1], "not even the one that failed is asked again"
    assert second.outcome.replies[C].reused
    assert not any(layer.begins_early for layer in second.recipe.layers)
    assert second.outcome.cost == pytest.approx(0.001)
    assert session.chat.conversation.places()[second.id] == (2, 2)
    assert session.turn_with_late_answers is None, "the answer that is shown was written from all"


def test_it_is_not_offered_twice(session: ChatSession) -> None:
    first = answered(session, C)
    new = session.full_synthesis()
    assert new.run is not None
    assert session.turn_with_late_answers is None, "a run goes on"
    events_of(new.run)
    session.settle_run()
    session.chat.choose(first)
    assert session.chat.turn == first
    assert session.turn_with_late_answers is None


def test_without_late_answers_nothing_is_offered_but_it_can_be_asked_for(session: ChatSession) -> None:
    answered(session)
    assert session.turn_with_late_answers is None
    assert session.full_synthesis().run is not None


async def test_its_price_is_that_of_the_one_call_on_the_answers_as_they_are(
    session: ChatSession, gateway: FakeGateway
) -> None:
    first = answered(session, C)
    gateway.price = 0.000_001
    price = await session.price_of_full_synthesis(first)
    assert price is not None
    # The longest answer of one agent and the instructions, and hardly more: the answers are a line each.
    assert 0.0024 < price < 0.0026
    gateway.price = None
    assert await session.price_of_full_synthesis(first) is None
    assert late_answers(first) == (C,)


def test_the_offer_says_what_came_late_how_and_for_how_much(session: ChatSession) -> None:
    one, two = answered(session, C), answered(session, CallId(1, 2), C, failed=CallId(1, 1))
    assert offer_words(one, 0.012, "F9") == (
        "an answer that came late differs: F9 writes the answer again from all 3 ($0.0120 at most)"
    )
    assert offer_words(two, None, "F9") == (
        "2 answers that came late differ: F9 writes the answer again from all 2 (price unknown)"
    )
    assert offer_words(one, 0.0, "F9").endswith("from all 3 ($0)")


def test_an_answer_that_was_not_begun_early_cannot_be_written_again_so(session: ChatSession) -> None:
    session.chat.use_recipe(recipe(["a", "b", "c"], ["judge"]))
    answered(session)
    with pytest.raises(UsageError, match="not begun early"):
        session.full_synthesis()


def test_without_a_whole_answer_it_is_refused(session: ChatSession) -> None:
    turn = answered(session, C)
    assert turn.outcome is not None
    replies = {call: replace(reply, status="stopped") for call, reply in turn.outcome.replies.items()}
    stopped = replace(turn, outcome=replace(turn.outcome, replies=replies))
    with pytest.raises(UsageError, match="no proposer's answer is whole"):
        FullSynthesis().of_turn(stopped)


@pytest.mark.parametrize("is_early", [True, False])
def test_what_cannot_be_written_again_is_not_offered(session: ChatSession, is_early: bool) -> None:
    if not is_early:  # As in a file that was written by hand.
        session.chat.use_recipe(recipe(["a", "b", "c"], ["judge"]))
    turn = answered(session, C)
    assert turn.outcome is not None
    cut = {call: replace(reply, status="partial") for call, reply in turn.outcome.replies.items()}
    turn = replace(turn, outcome=replace(turn.outcome, replies=cut if is_early else turn.outcome.replies))
    session.chat.conversation = session.chat.conversation.with_turn(turn)
    assert session.turn_with_late_answers is None
    assert late_answers(turn) == ()
