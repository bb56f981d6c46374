"""What a chat screen knows of its session, over a real chat and an engine thread."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from moa_tui.chat.prompt_text import PromptText
from moa_tui.engine.values import CallId
from moa_tui.errors import MissingKeyError
from moa_tui.ui.chat.state import ChatState
from tests.helpers import wait_until

if TYPE_CHECKING:
    from moa_tui.chat.session import ChatSession
    from moa_tui.conversation import Turn
    from tests.fakes import FakeGateway, FakeModels


@pytest.fixture
def state(session: ChatSession) -> ChatState:
    return ChatState(session)


def begin(state: ChatState, prompt: str = "?") -> None:
    run = state.session.send(PromptText(prompt)).run
    assert run is not None
    state.begin(run)
    state.is_shown = True


async def followed(state: ChatState) -> None:
    """Take in events until the run has ended."""
    await wait_until(state.advance)


async def answered(state: ChatState, prompt: str = "?") -> Turn:
    begin(state, prompt)
    await followed(state)
    turn = state.settle()
    assert turn is not None
    return turn


async def test_a_run_is_followed_from_its_beginning_to_its_end(state: ChatState) -> None:
    begin(state)
    assert state.run_view is not None
    assert state.run_view.final.state == "waiting"
    await followed(state)
    assert state.run_view.over
    turn = state.settle()
    assert turn is not None
    assert turn.outcome is not None
    assert turn.outcome.answer == "judge says 1"
    assert state.session.chat.turn is turn
    assert not state.session.is_running


async def test_without_a_run_there_is_nothing_to_take_in_or_to_end(state: ChatState) -> None:
    assert not state.advance()
    assert state.settle() is None


async def test_no_event_is_taken_in_before_there_is_something_to_show_it(state: ChatState) -> None:
    begin(state)
    run = state.session.require_run()
    state.is_shown = False
    await wait_until(lambda: run.events.qsize() > 5)
    assert not state.advance()
    assert state.run_view is not None
    assert state.run_view.final.state == "waiting"
    state.is_shown = True
    await followed(state)
    assert state.run_view.over


async def test_tokens_and_prices_of_every_run_are_added_up(state: ChatState) -> None:
    await answered(state)
    assert (state.tokens, state.spent) == (45, pytest.approx(0.003))
    await answered(state, "and then?")
    assert (state.tokens, state.spent) == (90, pytest.approx(0.006))


async def test_what_was_kept_from_an_earlier_run_is_not_added_again(state: ChatState) -> None:
    await answered(state)
    result = await state.session.aggregate_again()
    assert not isinstance(result, type(None))
    state.begin(state.session.require_run())
    state.is_shown = True
    await followed(state)
    state.settle()
    assert (state.tokens, state.spent) == (60, pytest.approx(0.004))


async def test_a_run_that_cannot_begin_leaves_everything_as_it_was(
    state: ChatState, gateway: FakeGateway
) -> None:
    turn = await answered(state, "first")
    view = state.run_view
    state.session.edit(turn)
    gateway.fails = MissingKeyError("LAB_KEY is not set")
    begin(state, "second")
    await followed(state)
    with pytest.raises(MissingKeyError, match="LAB_KEY"):
        state.settle()
    assert (state.run_view, state.session.chat.turn) == (view, turn)
    assert state.session.take_back_unsent() == PromptText("second")
    assert state.session.instead_of is turn
    assert not state.session.is_running


async def test_a_run_that_was_stopped_is_a_turn_with_what_it_had(
    state: ChatState, models: FakeModels
) -> None:
    never = asyncio.Event()
    models.scripts = {"a": [["half", never]], "b": [["other", never]]}
    begin(state)

    def other_has_text() -> bool:
        state.advance()
        return state.run_view is not None and bool(state.run_view.view(CallId(1, 2)).characters)

    await wait_until(other_has_text)
    state.session.stop()
    await followed(state)
    turn = state.settle()
    assert turn is not None
    assert turn.outcome is not None
    assert turn.outcome.status == "stopped"
    assert turn.outcome.replies[CallId(1, 1)].text == "half"


async def test_another_conversation_begins_with_nothing_of_the_former(state: ChatState) -> None:
    await answered(state)
    state.session.chat.conversation = type(state.session.chat.conversation)()
    state.start_over()
    assert (state.run_view, state.tokens, state.spent) == (None, 0, 0.0)
