"""The manual page says what the commands are, and manual viewers can show it."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.cli.make_man_page import PAGE, man_page

ROOT = Path(__file__).parents[2]


def test_it_is_made_from_the_commands_as_they_are() -> None:
    assert PAGE.read_text(encoding="utf-8") == man_page(), "run python -m tests.cli.make_man_page"


def test_it_names_commands_options_variables_and_exit_codes() -> None:
    text = man_page().replace("\\-", "-")
    for words in (
        "moa-tui sessions export",
        "--dry-run",
        "MOA_TUI_CONFIG",
        "EXIT STATUS",
        "130",
        "config.toml",
    ):
        assert words in text


def test_a_wheel_puts_it_where_manual_pages_are_looked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    shared = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    assert shared == {"moa_tui/cli/moa-tui.1": "share/man/man1/moa-tui.1"}
    assert "moa_tui" in project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]


@pytest.mark.program
@pytest.mark.skipif(shutil.which("groff") is None, reason="needs groff")
def test_groff_has_nothing_to_say_about_it() -> None:
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-z", str(PAGE)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
