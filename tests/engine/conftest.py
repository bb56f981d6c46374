"""Fixtures for the tests of the engine."""

from __future__ import annotations

import pytest

from moa_tui.engine import limits


@pytest.fixture
def no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the waits between attempts so short that a test does not notice them."""
    monkeypatch.setattr(limits, "_FIRST_WAIT_SECONDS", 0.001)
