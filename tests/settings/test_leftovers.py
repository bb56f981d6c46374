"""What killed processes leave behind, and what is still in use."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from moa_tui.settings import leftovers

if TYPE_CHECKING:
    from pathlib import Path

NAME = "import sys; from moa_tui.settings import leftovers; print(leftovers.name('x-'), end='')"


@pytest.mark.program
@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be asked for there")
def test_what_a_dead_process_left_goes_and_what_a_living_one_has_stays(tmp_path: Path) -> None:
    dead = subprocess.run([sys.executable, "-c", NAME], capture_output=True, text=True, check=True).stdout
    (tmp_path / dead).write_text("a secret")
    folder = tmp_path / f"{dead}-folder"
    folder.mkdir()
    (folder / "prompt.md").write_text("a secret")
    living = tmp_path / leftovers.name("x-")
    living.touch()
    elsewhere = tmp_path / f"x-00000000-{dead.split('-')[2]}-y"
    elsewhere.touch()
    (tmp_path / "x-of-somebody").touch()
    (tmp_path / "other").touch()
    leftovers.drop(tmp_path, "x-")
    left = {living.name, elsewhere.name, "x-of-somebody", "other"}
    assert {path.name for path in tmp_path.iterdir()} == left
    for path in tmp_path.iterdir():
        os.utime(path, (0, 0))
    leftovers.drop(tmp_path, "x-")
    assert {path.name for path in tmp_path.iterdir()} == {"other"}, "after a day nothing is in use any more"


def test_a_folder_that_is_not_there_has_none(tmp_path: Path) -> None:
    leftovers.drop(tmp_path / "gone", "x-")
