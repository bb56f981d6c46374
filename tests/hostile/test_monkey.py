"""A monkey plays 3,000 random things on the chat, from fixed seeds; see `monkey` on how to play on."""

from __future__ import annotations

import pytest

from tests.hostile.monkey import play


@pytest.mark.screen
@pytest.mark.parametrize("seed", range(1, 13))
async def test_nothing_that_is_done_at_random_ends_the_chat_or_loses_what_is_written(seed: int) -> None:
    screens = await play(seed, 250)
    assert len(screens) >= 5, f"the monkey has seen little: {screens}"


@pytest.mark.screen
async def test_a_failure_is_told_with_its_seed_and_what_was_done(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("tests.hostile.monkey.Monkey._check", fail)
    with pytest.raises(AssertionError, match=r"seed 7: ZeroDivisionError\(\) after\n1: "):
        await play(7, 3)
