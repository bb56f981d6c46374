"""What a chat screen knows of its conversation, over a real chat and an engine thread."""

from __future__ import annotations

import asyncio
import itertools
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from moa_tui.chat import Chat
from moa_tui.engine import limits
from moa_tui.engine.events import CallId
from moa_tui.errors import MissingKeyError, ModelError
from moa_tui.gateway.thread import EngineThread
from moa_tui.ui.session import Draft, Session
from tests.fakes import FakeGateway, FakeModels
from tests.helpers import recipe, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moa_tui.engine.events import Event

RECIPE = recipe(["a", "b"], ["judge"])


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
def session(gateway: FakeGateway, engine: EngineThread) -> Session:
    return Session(Chat(gateway, engine, RECIPE))  # type: ignore[arg-type]


def begin(session: Session, prompt: str = "?") -> None:
    session.begin(session.chat.send(prompt, instead_of=session.instead_of))
    session.shown = True


async def drained(session: Session) -> bool:
    """Take in events until the run has ended; whether the answer began anew on the way."""
    anew = []

    def over() -> bool:
        ended, again = session.drain()
        anew.append(again)
        return ended

    await wait_until(over)
    return any(anew)


async def answer(session: Session, prompt: str = "?") -> None:
    begin(session, prompt)
    await drained(session)
    session.end()


async def test_a_run_is_followed_from_its_beginning_to_its_end(session: Session) -> None:
    begin(session)
    assert session.run is not None
    assert session.run.final.state == "waiting"
    await drained(session)
    assert session.run.over
    turn = session.end()
    assert turn is not None
    assert turn.outcome is not None
    assert turn.outcome.answer == "judge says 1"
    assert session.chat.turn is turn
    assert session.running is None


async def test_without_a_run_there_is_nothing_to_take_in_or_to_end(session: Session) -> None:
    assert session.drain() == (False, False)
    assert session.end() is None


async def test_no_event_is_taken_in_before_there_is_something_to_show_it(session: Session) -> None:
    begin(session)
    assert session.running is not None
    session.shown = False
    await wait_until(lambda: not session.running or session.running.events.qsize() > 5)
    assert session.drain() == (False, False)
    assert session.run is not None
    assert session.run.final.state == "waiting"
    session.shown = True
    await drained(session)
    assert session.run.over


async def test_what_comes_in_a_burst_is_taken_in_over_several_ticks(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A clock on which taking in an event lasts a second, of the two and a half that a tick has for it.
    seconds = itertools.count()
    monkeypatch.setattr("moa_tui.ui.session.time", SimpleNamespace(monotonic=lambda: next(seconds)))
    monkeypatch.setattr("moa_tui.ui.session._LONGEST_DRAIN_SECONDS", 2.5)
    begin(session)
    assert session.running is not None
    events = session.running.events
    said: list[Event | None] = []

    def has_ended() -> bool:
        while not events.empty():
            said.append(events.get())
        return None in said

    await wait_until(has_ended)
    for event in said:
        events.put(event)
    waiting = len(said)
    assert waiting > 5
    assert session.drain() == (False, False)
    assert events.qsize() == waiting - 2
    assert session.drain() == (False, False)
    assert events.qsize() == waiting - 4
    await drained(session)
    assert session.run is not None
    assert session.run.final.state == "done"


async def test_an_answer_that_begins_anew_is_told(session: Session, models: FakeModels) -> None:
    models.scripts = {"judge": [[ModelError("connection", "refused")], ["better"]]}
    begin(session)
    assert await drained(session)
    models.scripts = {"a": [[ModelError("connection", "refused")], ["better"]]}
    models.asked.clear()
    session.end()
    begin(session)
    assert not await drained(session)


async def test_tokens_and_prices_of_every_run_are_added_up(session: Session) -> None:
    await answer(session)
    assert (session.tokens, session.spent) == (45, pytest.approx(0.003))
    await answer(session, "and then?")
    assert (session.tokens, session.spent) == (90, pytest.approx(0.006))


async def test_what_was_kept_from_an_earlier_run_is_not_added_again(session: Session) -> None:
    await answer(session)
    session.begin(session.chat.again())
    session.shown = True
    await drained(session)
    session.end()
    assert (session.tokens, session.spent) == (60, pytest.approx(0.004))


async def test_a_message_that_takes_anothers_place_does_so_once(session: Session) -> None:
    await answer(session, "first")
    session.instead_of = session.chat.turn
    await answer(session, "second")
    assert session.instead_of is None
    assert session.chat.turn is not None
    assert (session.chat.turn.prompt, session.chat.turn.parent) == ("second", None)
    await answer(session, "third")
    assert session.chat.turn.parent is not None
    assert session.chat.turn.parent.prompt == "second"


async def test_a_run_that_cannot_begin_leaves_everything_as_it_was(
    session: Session, gateway: FakeGateway
) -> None:
    await answer(session, "first")
    before = (session.run, session.chat.turn)
    session.instead_of = session.chat.turn
    gateway.fails = MissingKeyError("LAB_KEY is not set")
    begin(session, "second")
    await drained(session)
    with pytest.raises(MissingKeyError, match="LAB_KEY"):
        session.end()
    assert (session.run, session.chat.turn) == before
    assert session.instead_of is session.chat.turn
    assert session.running is None


async def test_a_run_that_was_stopped_is_a_turn_with_what_it_had(
    session: Session, models: FakeModels
) -> None:
    never = asyncio.Event()
    models.scripts = {"a": [["half", never]], "b": [["other", never]]}
    begin(session)
    await wait_until(lambda: (session.drain(), session.run and session.run.view(CallId(1, 2)).characters)[1])
    assert session.running is not None
    session.running.stop()
    await drained(session)
    turn = session.end()
    assert turn is not None
    assert turn.outcome is not None
    assert turn.outcome.status == "stopped"
    assert turn.outcome.replies[CallId(1, 1)].text == "half"


def test_the_newest_message_that_waits_is_taken_back_as_it_was_written(session: Session) -> None:
    session.waiting += [Draft("one", "one"), Draft("two\n\nfile", "two @file")]
    assert session.take_back() == "two @file"
    assert session.take_back() == "one"
    assert session.take_back() is None


async def test_another_conversation_begins_with_nothing_of_the_former(session: Session) -> None:
    await answer(session)
    session.waiting.append(Draft("x", "x"))
    session.instead_of = session.chat.turn
    session.chat.new()
    session.start_over()
    assert (session.run, session.instead_of, session.waiting) == (None, None, [])
    assert (session.tokens, session.spent, session.chat.turn) == (0, 0.0, None)
