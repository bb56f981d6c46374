"""The command as a shell runs it: in a process of its own, with recipes written in a line."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.model_server import ModelServer

CANARY = "sk-canary-2b8e44"
"""The key of the endpoint `lab`."""


class Shell:
    """Runs the command with a config that knows the endpoint `lab`, and recipes written in a line."""

    def __init__(self, folder: Path, server: ModelServer) -> None:
        self.folder = folder
        self.server = server
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
        return [sys.executable, "-m", "moa_tui", *arguments]

    def __call__(self, *arguments: str, piped: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            input=piped, capture_output=True, encoding="utf-8", env=self.environ, timeout=60, check=False,
        )  # fmt: skip

    def last_prompt(self) -> str:
        return str(self.server.requests[-1].body["messages"][-1]["content"])
