"""A call that writes its answer in several requests: kept whole, and paid for as each of them ends."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from moa_tui.conversation import Conversation, Turn, history
from moa_tui.engine.events import CallEnded, Delta, StepEnded, StepStarted
from moa_tui.engine.values import CallId
from moa_tui.store import Store
from tests.conversations import a_conversation_in_steps, a_recipe, a_reply_in_steps
from tests.store.helpers import started

if TYPE_CHECKING:
    from pathlib import Path

    from moa_tui.engine.values import Reply

PROMPT = "What is a moa?"
FIRST, SECOND, WRITER = CallId(1, 1), CallId(1, 2), CallId(2, 1)


def reply_in(conversation: Conversation) -> Reply:
    outcome = conversation.turns[0].outcome
    assert outcome is not None
    return outcome.replies[WRITER]


def paid_in(store: Store) -> tuple[float, float]:
    """What is booked on turns, and on days."""
    assert store._writer.flush()
    with closing(sqlite3.connect(store.path)) as connection:
        (turns,) = connection.execute("SELECT total(paid) FROM turns").fetchone()
        (days,) = connection.execute("SELECT total(paid) FROM spending").fetchone()
        return turns, days


def test_the_requests_of_a_call_come_back_from_the_disk(path: Path) -> None:
    made = a_conversation_in_steps()
    with Store(path) as store:
        store.save(made)
    with Store(path) as store:
        kept = reply_in(store.load(made.id))
    expected = reply_in(made)
    assert kept.unread == (SECOND,)
    assert len(kept.steps) == 2
    for step, other in zip(kept.steps, expected.steps, strict=True):
        assert list(step.messages) == list(other.messages)
        assert (step.read, step.ended_replies, step.characters) == (
            other.read,
            other.ended_replies,
            other.characters,
        )
        assert (step.usage, step.cost) == (other.usage, other.cost)
        assert (step.started, step.first_token, step.ended) == (other.started, other.first_token, other.ended)


def test_a_text_that_all_requests_repeat_is_on_disk_once(store: Store) -> None:
    store.save(a_conversation_in_steps())
    assert store._writer.flush()
    with closing(sqlite3.connect(store.path)) as connection:
        (data,) = connection.execute("SELECT data FROM steps").fetchone()
    assert len(data) < 600


def test_each_request_is_booked_as_it_ends_and_never_twice(store: Store) -> None:
    turn, reply = Turn(PROMPT, a_recipe(2)), a_reply_in_steps()
    recording = store.record(Conversation(), turn)
    recording.take(started(turn, WRITER))
    first, second = reply.steps
    recording.take(StepEnded(WRITER, first))
    assert paid_in(store) == (0.25, 0.25)
    recording.take(StepEnded(WRITER, second))
    assert paid_in(store) == (0.75, 0.75)
    recording.take(CallEnded(WRITER, reply))
    assert paid_in(store) == (0.75, 0.75)


def test_a_call_that_was_cut_off_between_two_requests_loses_nothing_that_was_paid(path: Path) -> None:
    turn, reply = Turn(PROMPT, a_recipe(2)), a_reply_in_steps()
    conversation = Conversation()
    first = reply.steps[0]
    with Store(path) as store:
        recording = store.record(conversation, turn)
        recording.take(started(turn, WRITER))
        recording.take(Delta(WRITER, "text", "A moa is a bird."))
        recording.take(StepEnded(WRITER, first))
        nothing = (frozenset[CallId](), 2, 2.0)
        recording.take(StepStarted(WRITER, 2, tuple(history(turn)), {}, *nothing))
        assert store._writer.flush()
    with Store(path) as store:
        kept = reply_in(store.load(conversation.id))
        assert paid_in(store) == (0.25, 0.25)
        assert store.figures(None).total.cost == 0.25
    assert (kept.status, kept.text) == ("stopped", "A moa is a bird.")
    assert (kept.cost, kept.usage) == (0.25, first.usage)
    assert [list(step.messages) for step in kept.steps] == [list(first.messages)]


def test_of_a_call_that_was_cut_off_the_messages_of_its_last_request_are_kept(path: Path) -> None:
    turn, reply = Turn(PROMPT, a_recipe(2)), a_reply_in_steps()
    conversation = Conversation()
    with Store(path) as store:
        recording = store.record(conversation, turn)
        recording.take(started(turn, WRITER))
        for step in reply.steps:
            recording.take(StepEnded(WRITER, step))
        assert store._writer.flush()
    with Store(path) as store:
        kept = reply_in(store.load(conversation.id))
    assert list(kept.messages) == list(reply.messages)
    assert kept.attempts == 1, "another request is not another attempt"
