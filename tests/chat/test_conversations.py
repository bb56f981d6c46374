"""Which conversation a session is about: begun, opened, forked, named, kept or private; without a screen."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, cast

import pytest

from moa_tui.chat.backend import Backend
from moa_tui.chat.chat import Chat
from moa_tui.chat.conversations import Conversations, Resumed
from moa_tui.chat.prompt_text import PromptText
from moa_tui.chat.session import ChatSession
from moa_tui.errors import ModelError, OpenElsewhereError, StoreError, UsageError
from moa_tui.store import Store
from tests.chat.helpers import Gate, answered, ended
from tests.conversations import a_conversation, with_branches
from tests.helpers import recipe, wait_until

if TYPE_CHECKING:
    from moa_tui.engine.recipe import Recipe
    from moa_tui.gateway.gateway import Gateway
    from moa_tui.gateway.thread import EngineThread
    from moa_tui.recipes.catalog import RecipeCatalog
    from tests.fakes import FakeGateway, FakeModels

OTHER = recipe(["a", "b"], ["critic"]).model_copy(update={"name": "other"})


@pytest.fixture
def conversations(session: ChatSession) -> Conversations:
    return Conversations(session)


@pytest.fixture
def without_store(gateway: FakeGateway, engine: EngineThread) -> ChatSession:
    """A session in a program that could open no database."""
    return ChatSession(Chat(Backend(cast("Gateway", gateway), engine), OTHER))


def prompts(session: ChatSession) -> list[str]:
    return [turn.prompt for turn in session.chat.path]


# New, open


async def test_a_new_conversation_has_no_turns_and_leaves_the_former_to_others(
    session: ChatSession, conversations: Conversations, store: Store
) -> None:
    await answered(session, "one")
    former = session.chat.conversation.id
    session.edit(session.chat.path[0])
    session.queue.append(PromptText("waiting"))
    await conversations.new()
    assert session.chat.conversation.id != former
    assert prompts(session) == []
    assert session.chat.spent == 0
    assert (session.queue, session.instead_of) == ([], None)
    with Store(store.path) as elsewhere:
        assert elsewhere.hold(former)


async def test_a_kept_conversation_is_opened_and_counted_from_what_it_had_cost(
    session: ChatSession, conversations: Conversations
) -> None:
    await answered(session, "one")
    kept = session.chat.conversation.id
    await conversations.new()
    assert session.chat.spent == 0
    await conversations.open(kept)
    assert session.chat.spent == pytest.approx(0.003)
    assert prompts(session) == ["one"]


async def test_an_opened_conversation_brings_its_system_prompt(
    session: ChatSession, conversations: Conversations
) -> None:
    session.chat.system = "Be brief."
    await answered(session, "one")
    kept = session.chat.conversation.id
    await conversations.new()
    session.chat.system = "Be long."
    await conversations.open(kept)
    assert session.chat.system == "Be brief."


async def test_the_conversation_that_is_open_is_not_opened_again(
    session: ChatSession, conversations: Conversations
) -> None:
    await answered(session, "one")
    before = session.chat.conversation
    await conversations.open(before.id)
    assert session.chat.conversation is before


async def test_without_a_database_none_can_be_opened_and_another_can_be_begun(
    without_store: ChatSession,
) -> None:
    conversations = Conversations(without_store)
    await answered(without_store, "one")
    with pytest.raises(UsageError, match="no conversations are kept"):
        await conversations.open("abcdef")
    assert prompts(without_store) == ["one"]
    await conversations.new()
    assert prompts(without_store) == []


async def test_one_that_is_not_there_leaves_the_one_in_view(
    session: ChatSession, conversations: Conversations
) -> None:
    await answered(session, "one")
    with pytest.raises(StoreError, match="not there any more"):
        await conversations.open("abcdef")
    assert prompts(session) == ["one"]
    await answered(session, "and on")


async def test_a_conversation_that_cannot_be_read_is_held_by_nobody(
    session: ChatSession, conversations: Conversations, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = a_conversation(1)
    await asyncio.to_thread(store.save, kept)

    def damaged(conversation_id: str) -> None:
        raise StoreError("the file is damaged")

    with monkeypatch.context() as patch:
        patch.setattr(store, "load", damaged)
        with pytest.raises(StoreError, match="damaged"):
            await conversations.open(kept.id)
    with Store(store.path) as elsewhere:
        assert elsewhere.hold(kept.id)


async def test_while_a_run_goes_on_no_other_conversation_is_gone_to(
    session: ChatSession, conversations: Conversations, models: FakeModels, gate: Gate
) -> None:
    turn = await answered(session, "one")
    here = session.chat.conversation.id
    models.scripts = {"judge": [[gate.event, "late"]]}
    session.send(PromptText("two"))
    for change in (
        conversations.new(),
        conversations.open("abcdef"),
        conversations.go_on_with(a_conversation(1)),
        conversations.fork(),
        conversations.set_private(True),
    ):
        with pytest.raises(UsageError, match="a run is going on"):
            await change
    with pytest.raises(UsageError, match="a run is going on"):
        conversations.show_branch(turn, 1)
    with pytest.raises(UsageError, match="a run is going on"):
        conversations.show_turn(turn.id)
    gate.open()
    await ended(session)
    assert session.chat.conversation.id == here
    assert not session.chat.private


async def test_nothing_is_sent_while_a_conversation_is_on_its_way(session: ChatSession) -> None:
    with session.switching(), pytest.raises(UsageError, match="just being opened"):
        session.send(PromptText("for here"))
    assert not session.is_running
    await answered(session, "for here")


# Fork


async def test_a_conversation_that_is_open_elsewhere_can_be_forked(
    session: ChatSession, conversations: Conversations, store: Store
) -> None:
    await answered(session, "one")
    kept = session.chat.conversation.id
    await conversations.new()
    with Store(store.path) as elsewhere:
        assert elsewhere.hold(kept)
        with pytest.raises(OpenElsewhereError, match='"one" is open in another'):
            await conversations.open(kept)
        await conversations.fork(kept)
    assert session.chat.conversation.forked_from == kept
    assert prompts(session) == ["one"]


async def test_a_fork_holds_the_branch_up_to_a_turn_and_what_follows_is_its_own(
    session: ChatSession, conversations: Conversations, store: Store
) -> None:
    first = await answered(session, "one")
    await answered(session, "two")
    source = session.chat.conversation.id
    await conversations.fork(turn=first)
    assert prompts(session) == ["one"]
    assert session.chat.conversation.name == "one (fork)"
    await answered(session, "another")
    for conversation_id, expected in (
        (source, ["one", "two"]),
        (session.chat.conversation.id, ["one", "another"]),
    ):
        kept = await asyncio.to_thread(store.load, conversation_id)
        assert [turn.prompt for turn in kept.turns] == expected


async def test_a_fork_of_a_private_conversation_is_not_written(
    session: ChatSession, conversations: Conversations, store: Store
) -> None:
    await conversations.set_private(True)
    await answered(session, "one")
    await conversations.fork()
    assert prompts(session) == ["one"]
    assert store.summaries() == []


async def test_an_empty_conversation_cannot_be_forked(
    session: ChatSession, conversations: Conversations
) -> None:
    before = session.chat.conversation
    with pytest.raises(UsageError, match="nothing yet to fork"):
        await conversations.fork()
    assert session.chat.conversation is before


# Branches


async def test_the_turns_in_one_place_are_gone_through_in_a_circle(
    session: ChatSession, conversations: Conversations
) -> None:
    await conversations.go_on_with(with_branches())
    second = session.chat.path[1]
    assert second.outcome is not None
    shown = conversations.show_branch(second, 1)
    assert shown.prompt == "Second question?"
    assert prompts(session)[-1] == "Third question?"
    shown = conversations.show_branch(shown, -1)
    assert shown is second
    assert prompts(session)[-1] == "Third question of the other branch?"


async def test_the_branch_in_view_is_the_one_that_is_opened_next_time(
    session: ChatSession, conversations: Conversations, store: Store
) -> None:
    first = await answered(session, "one")
    session.retry()
    await ended(session)
    conversations.show_branch(first, 0)
    kept = await asyncio.to_thread(store.load, session.chat.conversation.id)
    assert kept.active is not None
    assert kept.active.id == first.id


async def test_a_turn_of_another_branch_is_brought_into_view(
    session: ChatSession, conversations: Conversations
) -> None:
    branched = with_branches()
    await conversations.go_on_with(branched)
    assert conversations.show_turn("no such turn") is None
    in_view = session.chat.turn
    assert conversations.show_turn(session.chat.path[0].id) is not None
    assert session.chat.turn is in_view, "the branch in view stays"
    session.queue.append(PromptText("waiting"))
    other = branched.turns[3]
    assert conversations.show_turn(other.id) is other
    assert session.chat.turn is other
    assert session.queue == []


# Names


async def test_a_title_is_kept_on_one_line_and_an_empty_one_is_refused(
    session: ChatSession, conversations: Conversations, store: Store
) -> None:
    await answered(session, "one")
    await conversations.rename("  About\n moas ")
    assert session.chat.conversation.title == "About moas"
    assert store.summaries()[0].name == "About moas"
    with pytest.raises(UsageError, match="a title is needed"):
        await conversations.rename(" \n ")
    assert session.chat.conversation.title == "About moas"


async def test_a_title_given_before_the_first_prompt_is_kept_with_it(
    session: ChatSession, conversations: Conversations, store: Store
) -> None:
    await conversations.rename("About moas")
    assert store.summaries() == []
    await answered(session, "one")
    assert store.summaries()[0].name == "About moas"


async def test_what_was_said_of_a_conversation_elsewhere_is_taken_over(
    session: ChatSession, conversations: Conversations, store: Store
) -> None:
    await conversations.reread_labels()
    assert session.chat.conversation.title == "", "nothing of it is on disk yet"
    await answered(session, "one")
    await asyncio.to_thread(
        lambda: store.change(session.chat.conversation.id, title="Birds", tags=("nz",), pinned=True)
    )
    await conversations.reread_labels()
    conversation = session.chat.conversation
    assert (conversation.title, conversation.tags, conversation.pinned) == ("Birds", ("nz",), True)
    assert prompts(session) == ["one"]


async def test_a_model_gives_a_conversation_its_title_once(
    session: ChatSession, conversations: Conversations, models: FakeModels, store: Store
) -> None:
    models.scripts = {"namer": [['"Flightless birds."']]}
    assert not await conversations.name_by("namer"), "there is no turn yet"
    await answered(session, "What is a moa?")
    assert await conversations.name_by("namer")
    assert store.summaries()[0].name == "Flightless birds"
    assert not await conversations.name_by("namer")
    assert len(models.asked["namer"]) == 1
    sent = models.asked["namer"][0][0]["content"]
    assert "What is a moa?" in sent
    assert "judge says 1" in sent


async def test_no_model_is_told_of_a_private_conversation_or_one_with_several_turns(
    session: ChatSession, conversations: Conversations, models: FakeModels
) -> None:
    await conversations.set_private(True)
    await answered(session, "secret")
    assert not await conversations.name_by("namer")
    await conversations.set_private(False)
    await answered(session, "another")
    assert not await conversations.name_by("namer")
    assert not models.asked["namer"]


async def test_a_title_that_comes_too_late_goes_nowhere(
    session: ChatSession, conversations: Conversations, models: FakeModels, gate: Gate
) -> None:
    models.scripts = {"namer": [[gate.event, "Late"]]}
    await answered(session, "one")
    naming = asyncio.create_task(conversations.name_by("namer"))
    await wait_until(lambda: models.asked["namer"])
    await conversations.rename("By hand")
    gate.open()
    assert not await naming
    assert session.chat.conversation.title == "By hand"


async def test_a_title_given_in_another_window_stays(
    session: ChatSession, conversations: Conversations, models: FakeModels, gate: Gate, store: Store
) -> None:
    models.scripts = {"namer": [[gate.event, "By a model"]]}
    await answered(session, "one")
    naming = asyncio.create_task(conversations.name_by("namer"))
    await wait_until(lambda: models.asked["namer"])
    with Store(store.path) as other:
        other.change(session.chat.conversation.id, title="By hand")
    gate.open()
    assert await naming, "it has another title now"
    assert session.chat.conversation.title == store.summaries()[0].name == "By hand"


async def test_a_title_never_lands_in_the_conversation_that_was_gone_to(
    session: ChatSession, conversations: Conversations, models: FakeModels, gate: Gate
) -> None:
    models.scripts = {"namer": [[gate.event, "Late"]]}
    await answered(session, "one")
    naming = asyncio.create_task(conversations.name_by("namer"))
    await wait_until(lambda: models.asked["namer"])
    await conversations.new()
    gate.open()
    assert not await naming
    assert session.chat.conversation.title == ""


async def test_a_model_that_finds_no_title_leaves_it_as_it_is(
    session: ChatSession, conversations: Conversations, models: FakeModels
) -> None:
    models.scripts = {"namer": [[" \n "], [ModelError("auth", "the key is wrong", 401)]]}
    await answered(session, "one")
    # An empty answer is an error of the engine's, as a refused call is.
    for _ in range(2):
        with pytest.raises(ModelError):
            await conversations.name_by("namer")
    assert session.chat.conversation.name == "one"


# Private, at risk


async def test_what_was_private_is_kept_whole_once_it_no_longer_is(
    session: ChatSession, conversations: Conversations, store: Store
) -> None:
    await conversations.set_private(True)
    await answered(session, "one")
    await conversations.new()
    assert session.chat.private, "a conversation begun from a private one is private too"
    await answered(session, "two")
    assert store.summaries() == []
    await conversations.set_private(False)
    await answered(session, "three")
    (kept,) = store.summaries()
    assert kept.id == session.chat.conversation.id
    assert [turn.prompt for turn in store.load(kept.id).turns] == ["two", "three"]


async def test_a_conversation_is_at_risk_where_it_should_be_on_disk_and_is_not(
    session: ChatSession, conversations: Conversations, without_store: ChatSession
) -> None:
    assert not conversations.is_at_risk
    conversations.disk_problem = StoreError("the disk is full")
    assert conversations.is_at_risk
    await conversations.set_private(True)
    assert not conversations.is_at_risk, "it is not meant to be on disk"
    assert Conversations(without_store).is_at_risk


# The recipe of what was opened


class Catalog:
    """A catalog in which every recipe is found as `current`; None where it was imported."""

    def __init__(self, current: Recipe | None) -> None:
        self.current = current

    def reload(self, recipe: Recipe) -> Recipe | None:
        return self.current


@pytest.mark.parametrize(
    ("in_force", "current", "expected", "answers"),
    [
        ("test", OTHER, Resumed.SAME, "test"),
        ("other", recipe(["c"]), Resumed.CHANGED, "test"),
        ("other", None, Resumed.IMPORTED, "other"),
    ],
)
async def test_an_opened_conversation_goes_on_with_the_recipe_that_answered_it(
    session: ChatSession,
    conversations: Conversations,
    in_force: str,
    current: Recipe | None,
    expected: Resumed,
    answers: str,
) -> None:
    await answered(session, "one")
    session.chat.recipe = session.chat.recipe.model_copy(update={"name": in_force})
    assert await conversations.resume_recipe(cast("RecipeCatalog", Catalog(current))) is expected
    assert session.chat.recipe.name == answers


async def test_an_empty_conversation_keeps_the_recipe_in_force(
    session: ChatSession, conversations: Conversations
) -> None:
    before = session.chat.recipe
    assert await conversations.resume_recipe(cast("RecipeCatalog", Catalog(OTHER))) is Resumed.SAME
    assert session.chat.recipe is before


async def test_an_opening_that_is_cancelled_at_its_end_holds_the_conversation_in_view(
    session: ChatSession, conversations: Conversations, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = a_conversation(2)
    await asyncio.to_thread(store.save, other)
    await answered(session, "mine")
    mine = session.chat.conversation.id
    reached, gate, let_go = threading.Event(), threading.Event(), store.let_go

    def slow(conversation_id: str) -> None:
        reached.set()
        gate.wait(5)
        let_go(conversation_id)

    monkeypatch.setattr(store, "let_go", slow)
    opening = asyncio.create_task(conversations.open(other.id))
    await wait_until(reached.is_set)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    gate.set()
    assert session.chat.conversation.id == other.id
    assert not session.is_switching
    with Store(store.path) as elsewhere:
        await wait_until(lambda: elsewhere.hold(mine))
        assert not elsewhere.hold(other.id)
