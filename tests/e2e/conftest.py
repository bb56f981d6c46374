"""What the tests start the program with: its command, its config, and surroundings of their own."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.model_server import ModelServer

if sys.platform == "win32":
    collect_ignore_glob = ["test_*.py"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One after another: each starts programs that are waited for, and most would wait longer together."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.xdist_group("e2e"))
            item.add_marker(pytest.mark.terminal)


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder of the test's own with a short name: it stands in messages, and a small screen cuts them."""
    folder = Path(tempfile.mkdtemp(prefix="moa-tui-"))
    yield folder
    end = time.monotonic() + 15
    while folder.exists():
        # A program whose terminal is gone may still write down what was not sent.
        shutil.rmtree(folder, ignore_errors=time.monotonic() < end)
        time.sleep(0.01)


@pytest.fixture(scope="session")
def program() -> str:
    """The installed command."""
    command = Path(sys.executable).with_name("moa-tui")
    if not command.exists():
        pytest.skip(f"the command is not installed: there is no {command}")
    return str(command)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """The surroundings of the program, with the folder of the test as its home."""
    return {**os.environ, "HOME": str(tmp_path), "LAB_KEY": "sk-of-the-lab"}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Where the program looks for its config file; the file is not there yet."""
    folder = tmp_path / "config"
    folder.mkdir()
    return folder / "config.toml"


@pytest.fixture
def lab(server: ModelServer, config: Path) -> ModelServer:
    """The server, as the endpoint `lab` of the config."""
    config.write_text(f'[endpoints.lab]\nbase_url = "{server.url}"\nkey_env = "LAB_KEY"\n')
    return server
