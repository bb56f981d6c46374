"""What calls cost: booked once, as a call ends, onto its turn and its day; what is read derives from it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from moa_tui.conversation import Conversation, Turn
from moa_tui.engine.events import CallEnded
from moa_tui.engine.values import CallId
from moa_tui.store import Store
from tests.conversations import a_conversation, a_recipe, a_reply
from tests.store.helpers import started

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from moa_tui.engine.values import Reply

ONE, TWO = CallId(1, 1), CallId(1, 2)


class Calendar:
    def __init__(self) -> None:
        self.day = "2026-03-14"

    def __call__(self) -> str:
        return self.day


@pytest.fixture
def calendar() -> Calendar:
    return Calendar()


@pytest.fixture
def store(path: Path, calendar: Calendar) -> Iterator[Store]:
    with Store(path, today=calendar) as store:
        yield store


def booked(store: Store) -> tuple[float, dict[str, float]]:
    """The sum of the turns, and that of each day."""
    assert store._writer.flush()
    with closing(sqlite3.connect(store.path)) as connection:
        (turns,) = connection.execute("SELECT total(paid) FROM turns").fetchone()
        return turns, dict(connection.execute("SELECT day, paid FROM spending").fetchall())


def record(store: Store, *replies: Reply) -> None:
    turn = Turn("prompt", a_recipe(len(replies)))
    recording = store.record(Conversation(), turn)
    for index, reply in enumerate(replies, 1):
        recording.take(started(turn, CallId(1, index)))
        recording.take(CallEnded(CallId(1, index), reply))


def test_a_call_is_booked_on_its_turn_and_on_the_day_it_ended(store: Store, calendar: Calendar) -> None:
    turn = Turn("prompt", a_recipe())
    recording = store.record(Conversation(), turn)
    recording.take(started(turn, ONE))
    recording.take(CallEnded(ONE, a_reply(cost=0.25)))
    calendar.day = "2026-03-15"
    recording.take(started(turn, TWO))
    recording.take(CallEnded(TWO, a_reply(cost=0.5)))
    assert booked(store) == (0.75, {"2026-03-14": 0.25, "2026-03-15": 0.5})
    assert (store.paid_on("2026-03-14"), store.paid_on("2026-03-16")) == (0.25, 0.0)
    assert [summary.cost for summary in store.summaries()] == [0.75]
    assert store.figures(None).total.cost == 0.75


def test_what_is_reused_free_or_of_unknown_cost_is_not_booked(store: Store) -> None:
    record(store, a_reply(cost=0.25, reused=True), a_reply(cost=None), a_reply(cost=0.0))
    assert booked(store) == (0.0, {})


def test_a_conversation_made_elsewhere_costs_its_turns_and_no_day(store: Store) -> None:
    store.save(a_conversation(1))
    total, days = booked(store)
    assert (total, days) == (pytest.approx(0.006), {})


def test_a_cost_that_cannot_be_booked_on_its_day_is_on_no_turn_either(store: Store) -> None:
    """They are one change, with the call itself."""

    def no_days(connection: sqlite3.Connection) -> None:
        connection.execute("DROP TABLE spending")

    store._writer.call(no_days)
    record(store, a_reply(cost=0.25))
    assert store._writer.flush()
    with closing(sqlite3.connect(store.path)) as connection:
        assert connection.execute("SELECT total(paid) FROM turns").fetchone() == (0.0,)
        assert connection.execute("SELECT status FROM calls").fetchall() == [(None,)]
