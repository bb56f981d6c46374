"""The command as a shell starts it, and as click runs it in this process."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from click.testing import CliRunner, Result

from moa_tui.cli import main
from moa_tui.settings import paths
from moa_tui.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from moa_tui.conversation import Conversation
    from tests.model_server import ModelServer
    from tests.warm import WarmStart

CANARY = "sk-canary-2b8e44"


def call(*arguments: str, **environ: str) -> Result:
    """Run the command in this process, with these variables beside those of the environment."""
    return CliRunner(env=environ).invoke(main, list(arguments))


def kept(*conversations: Conversation) -> None:
    """Keep the conversations in the database of the test."""
    with Store(paths.database_file()) as store:
        for conversation in conversations:
            store.save(conversation)


class Shell:
    """Runs the command with a config that knows the endpoint `lab`, and recipes written in a line."""

    def __init__(self, folder: Path, server: ModelServer, warm: WarmStart | None) -> None:
        self.folder = folder
        self.server = server
        self._warm = warm
        config = folder / "config.toml"
        config.write_text(f'[endpoints.lab]\nbase_url = "{server.url}"\nkey_env = "LAB_KEY"\n')
        self.environ = {**os.environ, "MOA_TUI_CONFIG": str(config), "LAB_KEY": CANARY, "COLUMNS": "100"}

    def recipe(self, *layers: list[str], limits: str = "") -> str:
        """A recipe file of models of the fault server."""
        tables = []
        for models in layers:
            agents = ", ".join(f'{{ model = "lab/{model}" }}' for model in models)
            tables.append(f"[[layers]]\nagents = [{agents}]")
        path = self.folder / "test.toml"
        path.write_text('name = "test"\n' + "\n".join(tables) + f"\n[limits]\n{limits}\n")
        return str(path)

    def command(self, *arguments: str) -> list[str]:
        """What starts the command with an interpreter of its own."""
        return [sys.executable, "-m", "moa_tui", *arguments]

    def __call__(self, *arguments: str, piped: str = "") -> subprocess.CompletedProcess[str]:
        """Run the command in a process of its own, which need not load litellm where that can be."""
        if self._warm is not None and "PYTHONIOENCODING" not in self.environ:
            return self._warm.run(arguments, piped, self.environ)
        return subprocess.run(
            self.command(*arguments),
            input=piped, capture_output=True, encoding="utf-8", env=self.environ, timeout=60, check=False,
        )  # fmt: skip

    def last_prompt(self) -> str:
        return str(self.server.requests[-1].body["messages"][-1]["content"])
