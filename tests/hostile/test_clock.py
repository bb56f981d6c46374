"""A clock that jumps: ahead by a month, back by a year, to 1970, to 2038, to the end of all years."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from moa_tui.chat.ledger import Ledger
from moa_tui.settings.config import Budget
from moa_tui.store import Store
from moa_tui.store.purge import DAYS_IN_BIN
from tests.conversations import a_turn, conversation_of
from tests.store.helpers import replay

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 3, 14, 12)
WRONG = {
    "a month ahead": NOW + timedelta(days=30),
    "a year back": NOW - timedelta(days=365),
    "1970": datetime(1970, 1, 2),
    "2038": datetime(2038, 1, 20),
    "the last year": datetime(9999, 12, 30),
}


class Machine:
    """A database, and a clock that the test sets."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = path
        self.now = NOW
        monkeypatch.setattr(time, "time", lambda: self.now.timestamp())

    def open(self) -> Store:
        return Store(self.path, lambda: self.now.date().isoformat())

    def deleted(self) -> str:
        """Keep a conversation and throw it away; return its id."""
        conversation = conversation_of(("question", "answer"))
        with self.open() as store:
            store.save(conversation)
            store.change(conversation.id, deleted=time.time())
        return conversation.id

    def in_bin(self) -> list[str]:
        """Start once, and return the ids in the bin."""
        with self.open() as store:
            return [summary.id for summary in store.summaries(deleted=True)]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path / "moa-tui.db", monkeypatch)


def test_the_bin_is_emptied_after_seven_days_of_use(machine: Machine) -> None:
    gone = machine.deleted()
    for _ in range(DAYS_IN_BIN - 1):
        machine.now += timedelta(days=1)
        assert machine.in_bin() == [gone]
        assert machine.in_bin() == [gone], "a second start on one day counts no more than the first"
    machine.now += timedelta(days=1)
    assert machine.in_bin() == []


@pytest.mark.parametrize("wrong", WRONG)
def test_one_start_on_a_wrong_date_empties_nothing(machine: Machine, wrong: str) -> None:
    kept = machine.deleted()
    for moment in (WRONG[wrong], NOW + timedelta(days=1), WRONG[wrong], NOW + timedelta(days=2)):
        machine.now = moment
        assert machine.in_bin() == [kept]


def test_every_wrong_date_one_after_the_other_empties_nothing(machine: Machine) -> None:
    kept = machine.deleted()
    for moment in [*WRONG.values(), NOW, *reversed(WRONG.values()), NOW + timedelta(days=1)]:
        machine.now = moment
        assert machine.in_bin() == [kept]


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_deleted_on_a_wrong_date_has_its_week_and_goes_after_it(machine: Machine, wrong: str) -> None:
    # Days on which it was used long before must not count for a deletion that seems older than they are.
    other = machine.deleted()
    for _ in range(3):
        machine.now += timedelta(days=1)
        assert machine.in_bin() == [other]
    today = machine.now
    machine.now = WRONG[wrong]
    late = machine.deleted()
    machine.now = today
    starts = 0
    while late in machine.in_bin():
        starts += 1
        machine.now += timedelta(days=1)
        assert starts < 2 * DAYS_IN_BIN, "it goes in the end"
    assert starts >= DAYS_IN_BIN - 1


def test_what_was_restored_and_deleted_again_has_a_whole_week(machine: Machine) -> None:
    kept = machine.deleted()
    for _ in range(DAYS_IN_BIN - 1):
        machine.now += timedelta(days=1)
        assert machine.in_bin() == [kept]
    with machine.open() as store:
        store.change(kept, deleted=None)
        store.change(kept, deleted=time.time() + 1)
    for _ in range(DAYS_IN_BIN - 1):
        machine.now += timedelta(days=1)
        assert machine.in_bin() == [kept]
    machine.now += timedelta(days=1)
    assert machine.in_bin() == []


@pytest.mark.parametrize("wrong", WRONG)
def test_a_days_budget_goes_by_the_clock_and_a_clock_set_back_is_said(machine: Machine, wrong: str) -> None:
    conversation = conversation_of(("question", "answer"))
    with machine.open() as store:
        replay(store.record(conversation, turn := a_turn("more", parent=conversation.active)), turn)
        ledger = Ledger(Budget(day=1.0), store, lambda: machine.now.date().isoformat())
        paid = ledger.paid_today()
        assert paid > 0
        assert ledger.clock_warning() is None
        machine.now = WRONG[wrong]
        assert ledger.paid_today() == 0.0
        warning = ledger.clock_warning()
        assert (warning is not None) == (WRONG[wrong] < NOW)
        if warning is not None:
            assert f"calls were paid on {NOW:%Y-%m-%d}" in warning
        machine.now = NOW
        assert ledger.paid_today() == pytest.approx(paid)


def test_without_a_days_budget_nobody_is_told_of_the_clock(machine: Machine) -> None:
    with machine.open() as store:
        replay(store.record(conversation_of(("question", "answer")), turn := a_turn("more")), turn)
        machine.now = WRONG["1970"]
        assert Ledger(Budget(conversation=1.0), store, lambda: "1970-01-02").clock_warning() is None
