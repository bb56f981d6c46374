"""The chat in a terminal, with a real model behind it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.terminal import Terminal, squeezed

if TYPE_CHECKING:
    from tests.real.conftest import LlamaServer

if sys.platform == "win32":
    pytest.skip("there is no pseudo-terminal on Windows", allow_module_level=True)

READY = "Ask anything"
SECONDS = 60
_RECIPE = """
name = "three"
[defaults]
max_tokens = {tokens}
[limits]
concurrency = 2
[[layers]]
use_partial = true
agents = [{{ model = "lab/smollm2", name = "sampler", count = 3 }}]
[[layers]]
agents = [{{ model = "lab/smollm2", name = "writer" }}]
"""


def started(llama: LlamaServer, folder: Path, tokens: int, size: tuple[int, int]) -> Terminal:
    """The installed command in a terminal of this size: three samples at two places, and a writer."""
    command = Path(sys.executable).with_name("moa-tui")
    if not command.exists():
        pytest.skip(f"the command is not installed: there is no {command}")
    config = folder / "config" / "config.toml"
    config.parent.mkdir()
    config.write_text(f'[endpoints.lab]\nbase_url = "{llama.url}"\n')
    recipe = folder / "three.toml"
    recipe.write_text(_RECIPE.format(tokens=tokens))
    return Terminal([str(command), "-r", str(recipe)], os.environ, size=size, folder=folder)


def is_over(screen: str) -> bool:
    """True where no run goes: nothing can be stopped."""
    return READY in screen and "esc stop" not in screen


def test_a_question_is_answered_in_a_terminal(llama: LlamaServer, tmp_path: Path) -> None:
    with started(llama, tmp_path, 16, (80, 24)) as terminal:
        terminal.wait_for(READY, SECONDS)
        terminal.send("Name three fruits.\r")
        terminal.wait_for("esc stop", SECONDS)
        terminal.wait_for(lambda screen: is_over(screen) and "4 of 4 calls" in screen, SECONDS)
        assert llama.busy_slots() == 0
        terminal.resize(120, 40)
        terminal.wait_for("Name three fruits.")
        assert terminal.end() == 0
        assert terminal.restored
        assert "has a fault" not in squeezed(terminal.written)
        assert "Traceback" not in terminal.written


def test_a_stop_in_a_terminal_frees_every_slot(llama: LlamaServer, tmp_path: Path) -> None:
    with started(llama, tmp_path, 600, (120, 40)) as terminal:
        terminal.wait_for(READY, SECONDS)
        terminal.send("Count from one to one thousand.\r")
        # Of three calls two are worked on, and one waits for its turn.
        terminal.wait_for("esc stop", SECONDS)
        llama.wait_for_busy_slots(2)
        terminal.send("\x1b")
        terminal.wait_for(is_over, SECONDS)
        llama.wait_for_busy_slots(0)
        assert "has a fault" not in squeezed(terminal.text)
        assert terminal.end() == 0
