"""What the default local servers of the machine list, as a test says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from moa_tui.gateway import discovery

if TYPE_CHECKING:
    from collections.abc import Callable

    from moa_tui.gateway.discovery import LocalModel, LocalServer


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[LocalModel, ...]]:
    """What the default local servers list: nothing until a test puts something in."""
    listed: dict[str, tuple[LocalModel, ...]] = {}

    def ask(server: LocalServer, tell: Callable[[LocalServer], None]) -> None:
        tell(replace(server, models=listed.get(server.name, ())))

    monkeypatch.setattr(discovery, "_ask", ask)
    return listed
