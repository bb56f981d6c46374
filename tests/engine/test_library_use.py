"""The engine used as a library: the example in its docstring, and the modules that it names as its way in."""

from __future__ import annotations

import doctest
import subprocess
import sys
from importlib import import_module

import pytest

import moa_tui.engine


def test_the_example_in_the_docstring_runs_as_it_is_written() -> None:
    result = doctest.testmod(moa_tui.engine)
    assert result.attempted > 5
    assert result.failed == 0


@pytest.mark.program
def test_every_module_of_the_way_in_can_be_imported() -> None:
    for name in moa_tui.engine.__all__:
        assert import_module(f"moa_tui.engine.{name}").__doc__


@pytest.mark.program
def test_whoever_needs_only_the_values_does_not_wait_for_the_rest() -> None:
    script = "import sys, moa_tui.engine.values; print(*sys.modules)"
    completed = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert not {"pydantic", "asyncio", "moa_tui.engine.recipe"} & set(completed.stdout.split())
