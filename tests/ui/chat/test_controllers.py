"""Controllers are plain objects: with a session and a view that is no screen they work without an app."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from moa_tui.chat.prompt_text import PromptText
from moa_tui.chat.session import NewTurn
from moa_tui.engine.values import CallId
from moa_tui.errors import MissingKeyError, UsageError
from moa_tui.recipes.models import ModelChoice
from moa_tui.ui.chat.asking import Asking
from moa_tui.ui.chat.changing import Changing
from moa_tui.ui.chat.looking import Looking
from moa_tui.ui.chat.state import ChatState
from moa_tui.ui.run.run_view import RunView
from moa_tui.ui.screens.recipes.model_screen import ModelScreen
from tests.chat.helpers import Gate, answered, ended, until_asked
from tests.ui.chat.fake_view import FakeFollowing, FakeLabels, FakeView

if TYPE_CHECKING:
    from typing import Any

    from moa_tui.chat.session import ChatSession
    from moa_tui.conversation import Turn
    from moa_tui.gateway.thread import EngineThread
    from tests.fakes import FakeGateway, FakeModels

A, B, JUDGE = CallId(1, 1), CallId(1, 2), CallId(2, 1)


@pytest.fixture
def state(session: ChatSession) -> ChatState:
    return ChatState(session)


@pytest.fixture
def view() -> FakeView:
    return FakeView()


@pytest.fixture
def following() -> FakeFollowing:
    return FakeFollowing()


@pytest.fixture
def labels() -> FakeLabels:
    return FakeLabels()


@pytest.fixture
def asking(state: ChatState, view: FakeView, labels: FakeLabels, following: FakeFollowing) -> Asking:
    return Asking(state, cast("Any", view), cast("Any", labels), cast("Any", following))


@pytest.fixture
def changing(state: ChatState, view: FakeView, following: FakeFollowing) -> Changing:
    return Changing(state, cast("Any", view), cast("Any", None), cast("Any", None), cast("Any", following))


@pytest.fixture
def gate(engine: EngineThread) -> Gate:
    return Gate(engine)


async def shown_turn(session: ChatSession, view: FakeView, prompt: str = "?") -> Turn:
    """A turn that is over and in the transcript."""
    turn = await answered(session, prompt)
    view.transcript.ended.append((RunView.of(turn), turn))
    return turn


# Asking


async def test_a_prompt_is_sent_and_shown(
    asking: Asking, session: ChatSession, following: FakeFollowing
) -> None:
    await asking.submit(PromptText("one"))
    assert [new.turn.prompt for new in following.shown] == ["one"]
    await ended(session)


async def test_a_prompt_that_waits_is_shown_in_the_queue_and_taken_back_before_the_run_is_stopped(
    asking: Asking,
    session: ChatSession,
    models: FakeModels,
    gate: Gate,
    labels: FakeLabels,
    following: FakeFollowing,
    view: FakeView,
) -> None:
    models.scripts = {"a": [["half", gate.event]]}
    await asking.submit(PromptText("one"))
    await asking.submit(PromptText("two"))
    assert labels.renewed == ["queue"]
    assert len(following.shown) == 1
    await until_asked(session, A)
    asking.stop()
    assert following.returned == [PromptText("two")]
    assert view.is_prompt_focused
    asking.stop()
    turn = await ended(session)
    assert turn is not None
    assert turn.outcome is not None
    assert turn.outcome.status == "stopped"


async def test_a_prompt_that_cannot_be_sent_is_put_back_with_all_that_waits(
    asking: Asking, session: ChatSession, gateway: FakeGateway, following: FakeFollowing
) -> None:
    session.queue.append(PromptText("waiting"))
    gateway.missing = {"judge": "LAB_KEY"}
    with pytest.raises(MissingKeyError, match="LAB_KEY"):
        await asking.submit(PromptText("one"))
    assert following.returned == [PromptText("one"), PromptText("waiting")]
    assert session.queue == []


@pytest.mark.parametrize(("number", "prompt"), [("", "two"), ("1", "one"), ("2", "two")])
async def test_a_prompt_is_put_back_by_its_number(
    asking: Asking, session: ChatSession, view: FakeView, number: str, prompt: str
) -> None:
    await answered(session, "one")
    await answered(session, "two")
    await asking.edit(number)
    assert view.box.prompt.text == prompt
    assert session.instead_of is not None
    assert session.instead_of.prompt == prompt
    assert ("as another branch" in view.said[-1]) == (prompt == "one")


async def test_a_number_that_no_prompt_has_is_refused(asking: Asking, session: ChatSession) -> None:
    with pytest.raises(UsageError, match="no prompt yet"):
        await asking.edit("")
    await answered(session, "one")
    for number in ("0", "2", "two", "-1"):
        with pytest.raises(UsageError, match="which prompt"):
            await asking.edit(number)
    assert session.instead_of is None


async def test_an_emptied_prompt_takes_no_turns_place(
    asking: Asking, session: ChatSession, view: FakeView, labels: FakeLabels
) -> None:
    session.edit(await answered(session, "one"))
    view.box.draft = PromptText("two")
    asking.prompt_edited()
    assert session.instead_of is not None
    view.box.draft = PromptText(" \n")
    asking.prompt_edited()
    assert session.instead_of is None
    assert labels.renewed == ["estimate", "estimate"]


def test_the_system_prompt_is_set_shown_and_dropped(
    asking: Asking, session: ChatSession, view: FakeView
) -> None:
    asking.set_system_prompt("")
    asking.set_system_prompt("Be brief.")
    assert session.chat.system == "Be brief."
    asking.set_system_prompt("")
    asking.set_system_prompt("-")
    assert session.chat.system is None
    assert [words.split()[0] for words in view.said] == ["no", "the", "system", "no"]
    assert "Be brief." in view.said[2]


# Changing


async def test_a_change_by_command_is_of_the_layer_whose_answers_are_read(
    changing: Changing,
    session: ChatSession,
    view: FakeView,
    models: FakeModels,
    following: FakeFollowing,
) -> None:
    with pytest.raises(UsageError, match="no answer yet"):
        await changing.leave_out("1")
    turn = await shown_turn(session, view)
    await changing.retry("2")
    assert [new.instead_of for new in following.shown] == [turn]
    await ended(session)
    assert {name: len(calls) for name, calls in models.asked.items()} == {"a": 1, "b": 2, "judge": 2}


async def test_the_turn_whose_panes_are_open_is_changed_not_the_last(
    changing: Changing, session: ChatSession, view: FakeView, following: FakeFollowing
) -> None:
    first = await shown_turn(session, view, "one")
    await shown_turn(session, view, "two")
    view.panel.run = view.transcript.ended[0][0]
    await changing.use_shown(B)
    (new,) = following.shown
    assert (new.instead_of, new.run) == (first, None)
    assert new.turn.outcome is not None
    assert new.turn.outcome.answer == "b says 1"


async def test_an_agents_answer_is_put_into_the_prompt_to_be_changed(
    changing: Changing, session: ChatSession, view: FakeView
) -> None:
    await shown_turn(session, view)
    view.panel.run = view.transcript.last_run
    await changing.edit_shown(B)
    assert view.box.prompt.text == "/amend L1.2 b says 1"
    assert view.is_prompt_focused


async def test_a_model_is_searched_before_another_is_asked_and_none_changes_nothing(
    changing: Changing, session: ChatSession, view: FakeView, models: FakeModels, following: FakeFollowing
) -> None:
    await shown_turn(session, view)
    await changing.swap_shown(A)
    ((dialog, on_result),) = view.dialogs
    assert isinstance(dialog, ModelScreen)
    assert on_result is not None
    on_result(None)
    assert view.started == []
    on_result(ModelChoice("new", "lab"))
    (action,) = view.started
    await action()
    assert isinstance(following.shown[0], NewTurn)
    await ended(session)
    assert len(models.asked["new"]) == 1


async def test_a_run_that_has_to_be_stopped_is_said_to_go_on_as_changed(
    changing: Changing,
    state: ChatState,
    session: ChatSession,
    models: FakeModels,
    gate: Gate,
    view: FakeView,
    following: FakeFollowing,
) -> None:
    models.scripts = {"judge": [[gate.event, "never"], ["without a"]]}
    run = session.send(PromptText("?")).run
    assert run is not None
    state.begin(run)
    await until_asked(session, JUDGE)
    await changing.leave_out("L1.1")
    assert "too far on" in view.said[-1]
    assert following.shown == []
    stopped = await ended(session)
    assert stopped is not None
    assert session.follow_up(stopped) is not None
    await ended(session)


# Looking


async def test_what_is_copied_is_the_answer_or_its_code(
    state: ChatState,
    session: ChatSession,
    models: FakeModels,
    view: FakeView,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copied: list[str] = []
    monkeypatch.setattr(view, "copy", copied.append, raising=False)
    looking = Looking(state, cast("Any", view))
    with pytest.raises(UsageError, match="no answer yet"):
        looking.copy_last("")
    models.scripts = {"judge": [["So:\n\n```python\nprint(1)\n```\n"], ["No code."]]}
    await answered(session)
    looking.copy_last("code")
    assert [text.strip() for text in copied] == ["print(1)"]
    await answered(session)
    looking.copy_last("")
    assert copied[-1] == "No code."
    with pytest.raises(UsageError, match="no code"):
        looking.copy_last("code")
    with pytest.raises(UsageError, match='no "all"'):
        looking.copy_last("all")
