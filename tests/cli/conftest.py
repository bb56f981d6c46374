"""A shell for the tests that run the command over real HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.helpers import Shell

if TYPE_CHECKING:
    from pathlib import Path

    from tests.model_server import ModelServer


@pytest.fixture
def shell(tmp_path: Path, server: ModelServer) -> Shell:
    return Shell(tmp_path, server)
