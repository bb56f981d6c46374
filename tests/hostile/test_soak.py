"""A short evening in CI; `python -m tests.hostile.soak` runs a long one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.hostile.soak import HOSTILE, soak

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.terminal, pytest.mark.xdist_group("e2e")]


def test_faults_hostile_replies_and_stops_lose_no_turn(tmp_path: Path) -> None:
    outcome = soak(tmp_path, turns=9, stops=4)

    assert (outcome.exit_code, outcome.is_restored) == (0, True)
    assert set(outcome.turns) == {*outcome.sent, *outcome.stopped}
    outcomes = {prompt: turn.outcome for prompt, turn in outcome.turns.items()}
    statuses = {prompt: result.status for prompt, result in outcomes.items() if result is not None}
    assert {statuses[prompt] for prompt in outcome.stopped} == {"stopped"}
    assert {statuses[prompt] for prompt in outcome.sent} == {"done"}
    for number, prompt in enumerate(outcome.sent):
        assert (result := outcomes[prompt]) is not None
        assert f"Answer {number} by final" in result.answer
        if number == 5:
            assert HOSTILE[1] in result.answer
    assert outcome.end.descriptors <= outcome.warm.descriptors + 5
    assert outcome.end.threads <= outcome.warm.threads + 5
