"""What a session holds that no turn has, and what the next window is given of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from moa_tui.chat.chat import Chat
from moa_tui.chat.prompt_text import PromptText
from moa_tui.chat.session import ChatSession
from moa_tui.chat.unsent import Restored, UnsentTexts
from moa_tui.errors import MissingKeyError
from moa_tui.store.drafts import Drafts
from tests.helpers import recipe, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from moa_tui.chat.backend import Backend
    from moa_tui.store import Store
    from tests.chat.helpers import Gate
    from tests.fakes import FakeGateway

TWO_RECIPES = [recipe(["a"]), recipe(["b"]).model_copy(update={"name": "b"})]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "drafts"


@pytest.fixture
def backend(backend: Backend, folder: Path) -> Backend:
    return replace(backend, drafts=Drafts(folder))


def leave(session: ChatSession, *typed: str) -> None:
    """The program ends: what is kept of the session is left to the next window."""
    UnsentTexts(session).keep_last(list(typed))


async def next_start(session: ChatSession, folder: Path) -> tuple[Restored, ChatSession]:
    """What another window of the same program restores in a new conversation."""
    backend = replace(session.chat.backend, drafts=Drafts(folder))
    window = ChatSession(Chat(backend, session.chat.recipe))
    return await UnsentTexts(window).restore(), window


async def test_queue_and_prompt_come_back_in_order(
    session: ChatSession, gateway: FakeGateway, gate: Gate, folder: Path
) -> None:
    gateway.ready = gate.event
    session.submit(PromptText("sent"))
    session.submit(PromptText("waits"))
    session.submit(PromptText("waits too"))
    leave(session, "on its way", "half a sent")
    restored, _ = await next_start(session, folder)
    # What was sent is a turn without an answer.
    assert restored.prompts == ("waits", "waits too", "on its way", "half a sent")


@pytest.mark.parametrize("count", [1, 2])
async def test_what_was_sent_while_the_engine_got_ready_is_a_turn_without_an_answer(
    count: int, session: ChatSession, gateway: FakeGateway, gate: Gate, store: Store
) -> None:
    gateway.ready = gate.event
    if count == 1:
        session.send(PromptText("sent"))
    else:
        session.compare(PromptText("sent"), TWO_RECIPES, blind=False)
    session.chat.backend.engine.close()
    conversation = store.load(session.chat.conversation.id)
    assert [turn.prompt for turn in conversation.turns] == ["sent"] * count
    assert [turn.outcome.status for turn in conversation.turns if turn.outcome] == ["stopped"] * count


async def test_what_was_given_back_is_no_turn_any_more(
    session: ChatSession, gateway: FakeGateway, gate: Gate, store: Store, folder: Path
) -> None:
    gateway.ready = gate.event
    session.send(PromptText("sent"))
    run = session.require_run()
    session.stop()
    await wait_until(run._future.done)
    assert session.settle_run() is None
    assert store.summaries() == []
    # Killed before it is back in the prompt, it is in the draft all the same.
    leave(session)
    restored, _ = await next_start(session, folder)
    assert restored.prompts == ("sent",)
    unsent = session.take_back_unsent()
    assert unsent is not None
    assert unsent.written == "sent"


async def test_a_prompt_whose_run_cannot_begin_is_in_the_draft(
    session: ChatSession, gateway: FakeGateway, store: Store, folder: Path
) -> None:
    gateway.fails = MissingKeyError("LATE_KEY is not set")
    session.send(PromptText("sent"))
    await wait_until(session.require_run()._future.done)
    with pytest.raises(MissingKeyError):
        session.settle_run()
    assert store.summaries() == []
    leave(session)
    assert (await next_start(session, folder))[0].prompts == ("sent",)


async def test_a_comparison_that_was_given_back_comes_with_its_command(
    session: ChatSession, gateway: FakeGateway, gate: Gate, store: Store, folder: Path
) -> None:
    gateway.ready = gate.event
    comparison = session.compare(PromptText("sent"), TWO_RECIPES, blind=False, command="/compare a b ")
    comparison.stop()
    for run in comparison.runs:
        await wait_until(run._future.done)
    leave(session)
    # Nobody has settled it: its turns are there, without answers.
    assert (await next_start(session, folder))[0].prompts == ()
    for run in comparison.runs:
        run.withdraw()
    leave(session)
    assert (await next_start(session, folder))[0].prompts == ("/compare a b sent",)
    assert store.summaries() == []


async def test_an_edited_turn_is_edited_again(session: ChatSession, folder: Path) -> None:
    session.send(PromptText("first"))
    await wait_until(session.require_run()._future.done)
    turn = session.settle_run()
    assert turn is not None
    session.edit(turn)
    leave(session, "changed")
    window = ChatSession(Chat(replace(session.chat.backend, drafts=Drafts(folder)), session.chat.recipe))
    window.chat.conversation = session.chat.conversation
    restored = await UnsentTexts(window).restore()
    assert restored.prompts == ("changed",)
    assert restored.instead_of is turn
    assert not restored.is_from_elsewhere


async def test_a_text_of_another_conversation_is_said_to_be(session: ChatSession, folder: Path) -> None:
    session.send(PromptText("first"))
    await wait_until(session.require_run()._future.done)
    session.settle_run()
    leave(session, "typed there")
    restored, _ = await next_start(session, folder)
    assert restored.prompts == ("typed there",)
    assert restored.is_from_elsewhere


@pytest.mark.parametrize("is_kept", [True, False])
async def test_nothing_private_is_written_and_leaving_loses_it(
    is_kept: bool, session: ChatSession, folder: Path
) -> None:
    unsent = UnsentTexts(session)
    change = unsent.change(["open"])
    assert change is not None
    await unsent.write(change)
    assert list(folder.glob("*.json"))
    if is_kept:
        session.chat.private = True
    else:
        session.chat.backend = replace(session.chat.backend, store=None)
    change = unsent.change(["secret"])
    assert change is not None
    assert change.draft.is_empty
    await unsent.write(change)
    assert not list(folder.glob("*.json")), "what was written before is removed"
    assert unsent.is_lost_with(["secret"])
    assert not unsent.is_lost_with(["  "])
    unsent.keep_last(["secret"])
    assert not list(folder.glob("*"))
    # And what others have left stays for a conversation that is kept.
    assert await unsent.restore() == Restored()


async def test_only_a_change_is_written(session: ChatSession) -> None:
    unsent = UnsentTexts(session)
    assert unsent.change([""]) is None
    assert unsent.change(["a"]) is not None
    assert unsent.change(["a"]) is None
    assert unsent.change([""]) is not None
    assert unsent.change([" "]) is None
