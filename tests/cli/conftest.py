"""What the tests of the commands share: a server of models, a shell, and a machine without local servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from moa_tui.gateway import discovery
from tests.cli.shell import Shell

if TYPE_CHECKING:
    from pathlib import Path

    from tests.model_server import ModelServer
    from tests.warm import WarmStart


@pytest.fixture
def shell(tmp_path: Path, server: ModelServer, warm: WarmStart | None) -> Shell:
    """Runs the command in a process of its own, with models of a server that has seen no request yet."""
    server.reset()
    return Shell(tmp_path, server, warm)


@pytest.fixture
def no_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """All local servers are looked for, and none answers."""
    monkeypatch.delenv("MOA_TUI_LOCAL_SERVERS")
    monkeypatch.setattr(discovery, "_ask", lambda server, tell: None)
