"""What the default local servers of the machine list, as a test says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from moa_tui.gateway import discovery

if TYPE_CHECKING:
    from moa_tui.gateway.discovery import LocalModel


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[LocalModel, ...]]:
    """What the default local servers list: nothing until a test puts something in."""
    listed: dict[str, tuple[LocalModel, ...]] = {}
    monkeypatch.setattr(discovery, "_list_models", lambda server: listed.get(server.name, ()))
    return listed
