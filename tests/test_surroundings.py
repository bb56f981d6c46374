"""No test sees the keys, servers, proxies, config or locale of the machine; the check for that can fail."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from moa_tui.gateway.catalog import KEY_VARIABLES
from moa_tui.gateway.discovery import default_servers
from moa_tui.settings import paths
from tests import hostile_machine
from tests.hostile_machine import CANARY, WatchedServer, hostile_environ
from tests.surroundings import surroundings


def test_of_a_hostile_machine_nothing_is_taken_over_but_where_programs_are(tmp_path: Path) -> None:
    machine = hostile_environ(
        {"PATH": "/bin", "PYTHONIOENCODING": "ascii"}, tmp_path / "x", "http://127.0.0.1:9"
    )
    assert machine["OPENAI_API_KEY"] == machine["AZURE_API_KEY"] == CANARY
    own = surroundings(machine, tmp_path / "own")
    shared = {name for name in own if own[name] == machine.get(name)}
    assert shared == {"PATH"}
    suspect = [name for name in own if name.lower().endswith(("_key", "_token", "_proxy", "_base", "_url"))]
    assert suspect == ["OLLAMA_API_BASE"], "which is a fixed address where nothing listens"
    assert own["LC_ALL"] == "C.UTF-8"
    assert "COLUMNS" not in own


def test_every_known_key_variable_and_those_litellm_reads_hold_a_canary() -> None:
    names = hostile_machine.secret_names()
    assert {name for variables in KEY_VARIABLES.values() for name in variables} <= names
    assert {"AZURE_API_KEY", "OPENAI_API_BASE", "HUGGINGFACE_API_KEY"} <= names


def test_this_test_runs_in_surroundings_of_its_own(tmp_path: Path) -> None:
    assert default_servers(os.environ) == ()
    assert time.tzname[0] == "UTC"
    for path in (Path.home(), paths.config_file(), paths.data_dir()):
        assert path.is_relative_to(tmp_path)


ASK_DIRECTLY = """
import sys, urllib.request as r
r.build_opener(r.ProxyHandler({})).open(f"http://127.0.0.1:{sys.argv[1]}/v1/models").read()
"""
ASK_BY_PROXY = "import urllib.request; urllib.request.urlopen('http://example.invalid/').read()"


@pytest.mark.program
@pytest.mark.parametrize(
    ("program", "fault"),
    [
        ("pass", ""),
        (ASK_DIRECTLY, "llama.cpp on port"),
        (ASK_BY_PROXY, "the proxy on port"),
        ("import os; print(os.environ['GROQ_API_KEY'])", "a key of the machine is in the output"),
        ("from moa_tui.settings import paths; paths.config_file().unlink()", "config.toml"),
        ("import pathlib; pathlib.Path.home().joinpath('new').touch()", "home: new"),
    ],
)
def test_what_looks_at_the_machine_is_found_out(program: str, fault: str) -> None:
    with WatchedServer("free", 0) as server:
        port = server.port
    code, faults = hostile_machine.run([sys.executable, "-c", program, str(port)], {"llama.cpp": port})
    assert code == 0
    assert len(faults) == bool(fault)
    assert fault in "".join(faults)


@pytest.mark.program
def test_a_command_that_fails_fails_there_too() -> None:
    assert hostile_machine.run([sys.executable, "-c", "raise SystemExit(3)"], {})[0] == 3
