"""Gives every test surroundings of its own, and decides how many tests run at once."""

from __future__ import annotations

import atexit
import gc
import inspect
import os
import platform
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from tests.surroundings import surroundings

pytest_plugins = ["tests.fixtures"]

# Nothing that is imported or collected is garbage; looking for it took a third of the time of collecting.
gc.disable()

# Libraries look at some variables when they are imported, which is before the first test begins.
_IMPORTS_FOLDER = Path(tempfile.mkdtemp(prefix="moa-tui-tests-"))
atexit.register(shutil.rmtree, _IMPORTS_FOLDER, ignore_errors=True)
_environ = surroundings(os.environ, _IMPORTS_FOLDER)
os.environ.clear()
os.environ.update(_environ)
if hasattr(time, "tzset"):
    time.tzset()
# Asks the program `uname` the first time: libraries do so in the middle of a test that starts none itself.
platform.processor()

_LONGEST_ID = 60


@pytest.fixture(autouse=True)
def own_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment with nothing of the machine's, whose config, data, state and home are the test's own."""
    environ = surroundings(os.environ, tmp_path)
    for name in os.environ.keys() - environ.keys():
        monkeypatch.delenv(name)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(autouse=True)
def only_marked_tests_start_programs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program started by a test that is marked neither `program` nor `terminal` fails that test."""
    if any(request.node.get_closest_marker(name) for name in ("program", "terminal")):
        return

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("this test starts a program, so mark it: @pytest.mark.program, or terminal")

    monkeypatch.setattr(subprocess.Popen, "__init__", refuse)
    monkeypatch.setattr(subprocess.Popen, "__del__", lambda _: None)
    for name in ("fork", "forkpty", "posix_spawn"):
        monkeypatch.setattr(os, name, refuse, raising=False)


@pytest.hookimpl(tryfirst=True)  # Before xdist looks at the options.
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Run whole folders on four workers unless `-n` says otherwise, and named files in this process.

    Half of their time they wait for a program or a screen, so twice as many as there are cores go at once.
    """
    options = config.option
    is_worker = hasattr(config, "workerinput")
    names_a_file = any(".py" in argument for argument in config.args)
    if is_worker or names_a_file or options.usepdb or getattr(options, "numprocesses", 0) is not None:
        return
    options.numprocesses = 4
    options.dist = "loadgroup"


def pytest_collection_finish() -> None:
    """Never look through what is there now for garbage: all of it lives as long as the process."""
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)
    gc.enable()


def pytest_make_parametrize_id(val: object) -> str | None:
    """A long text's name is its beginning: names go to each worker and back for every test."""
    if not isinstance(val, str | bytes) or len(val) <= _LONGEST_ID:
        return None
    start = val[:_LONGEST_ID]
    text = start if isinstance(start, str) else start.decode("latin-1")
    return text.encode("unicode_escape").decode("ascii") + "..."


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what runs the app: of the UI's tests those that are asynchronous or compare a picture."""
    folder = Path(__file__).parent / "ui"
    for item in items:
        if not isinstance(item, pytest.Function) or not item.path.is_relative_to(folder):
            continue
        if inspect.iscoroutinefunction(item.obj) or "snap_compare" in item.fixturenames:
            item.add_marker(pytest.mark.screen)
