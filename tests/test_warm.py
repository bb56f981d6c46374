"""Whether a command that is started warm is what a person's is: its streams, its exit, its end in time."""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from moa_tui import __version__

if TYPE_CHECKING:
    from pathlib import Path

    from tests.warm import WarmStart

pytestmark = pytest.mark.program


@pytest.fixture
def warm(warm: WarmStart | None) -> WarmStart:
    if warm is None:
        pytest.skip("no process can fork here")
    return warm


def test_it_has_arguments_streams_and_an_exit_code_of_its_own(warm: WarmStart) -> None:
    done = warm.run(["--version"], "", os.environ)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"moa-tui {__version__}\n", "")
    wrong = warm.run(["ask", "-r", "no-such-recipe", "hi"], "", os.environ)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "no recipe is called" in wrong.stderr


def test_it_has_variables_of_its_own(warm: WarmStart, tmp_path: Path) -> None:
    config = tmp_path / "broken.toml"
    config.write_text("theme = [")
    wrong = warm.run(["ask", "hi"], "", {**os.environ, "MOA_TUI_CONFIG": str(config)})
    assert (wrong.returncode, "broken.toml" in wrong.stderr) == (2, True)
    assert warm.run(["recipes", "list"], "", os.environ).returncode == 0


def test_one_that_does_not_end_is_killed(warm: WarmStart) -> None:
    warm.run(["--version"], "", os.environ)
    began = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired):
        warm.run(["ask", "-r", "demo", "hi"], "", os.environ, seconds=1)
    assert time.monotonic() - began < 15, "it writes for longer than that"
    assert warm.run(["--version"], "", os.environ).returncode == 0
