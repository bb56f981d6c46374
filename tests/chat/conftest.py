"""What the tests of the chat are given beside the fixtures of tests/fixtures.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.chat.helpers import Gate

if TYPE_CHECKING:
    from moa_tui.gateway.thread import EngineThread


@pytest.fixture
def gate(engine: EngineThread) -> Gate:
    return Gate(engine)
