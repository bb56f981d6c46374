"""A batch on a Ray cluster of two workers, over real HTTP: what comes back, and what a lost worker costs.

CI runs these in an environment of their own, with `moa-tui[ray]`.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.shell import CANARY, Shell
from tests.evaluation.ray_cluster import SETTINGS, RayCluster
from tests.surroundings import surroundings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.model_server import ModelServer, Request

pytestmark = [
    pytest.mark.program,
    pytest.mark.xdist_group("ray"),
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs pip install 'moa-tui[ray]'"),
    pytest.mark.skipif(sys.platform != "linux", reason="workers are found in /proc"),
]
_LONG = 120


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayCluster]:
    """A cluster whose workers have the key LAB_KEY, and no other."""
    environ = surroundings(os.environ, tmp_path_factory.mktemp("cluster")) | {"LAB_KEY": CANARY}
    with RayCluster(environ) as cluster:
        yield cluster
    shutil.rmtree(cluster.folder, ignore_errors=True)


@pytest.fixture
def shell(tmp_path: Path, server: ModelServer) -> Shell:
    """Runs the command without the key, which the workers alone have."""
    shell = Shell(tmp_path, server, None)
    shell.environ |= SETTINGS
    del shell.environ["LAB_KEY"]
    return shell


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    path.write_text("".join(f'{{"prompt": "question {place} of many"}}\n' for place in range(1, 25)))
    return path


def asked(requests: list[Request]) -> Counter[tuple[str, str]]:
    """How often each prompt was put to each model, by the prompt's number."""
    return Counter(
        (request.key, str(request.body["messages"]).partition("question ")[2].partition(" ")[0])
        for request in requests
    )


def kept(folder: Path) -> list[tuple[str, str]]:
    """The calls in a folder: the key of the model, and the number of the prompt."""
    lines = (folder / "calls.jsonl").read_text().splitlines()
    calls = [json.loads(line) for line in lines]
    return [(call["model"].partition("key=")[2].partition(",")[0], call["prompt"]) for call in calls]


def outputs(folder: Path) -> bytes:
    return (folder / "outputs" / "test.jsonl").read_bytes()


@pytest.fixture
def begin(shell: Shell, cluster: RayCluster, questions: Path) -> Callable[..., subprocess.Popen[str]]:
    """Starts a batch on the cluster."""

    def start(recipe: str, folder: Path, *options: str) -> subprocess.Popen[str]:
        where = ["batch", str(questions), "-r", recipe, "-o", str(folder), "--ray", cluster.address]
        return subprocess.Popen(
            shell.command(*where, *options),
            env=shell.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def wait_for(what: Callable[[], object]) -> None:
    end = time.monotonic() + _LONG
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def test_a_lost_worker_loses_nothing_and_costs_its_open_calls_alone(
    shell: Shell,
    begin: Callable[..., subprocess.Popen[str]],
    cluster: RayCluster,
    questions: Path,
    tmp_path: Path,
) -> None:
    recipe = shell.recipe(["echo@ttft=0.1,key=a", "echo@ttft=0.2,key=b"], ["echo@ttft=0.1,key=final"])
    folder = tmp_path / "run"
    running = begin(recipe, folder, "--concurrency", "4")
    wait_for(lambda: (folder / "calls.jsonl").exists() and len(kept(folder)) >= 10)
    workers = cluster.workers_at_work()
    assert len(workers) == 2
    had_come = kept(folder)
    os.kill(workers[0], signal.SIGKILL)
    said = running.communicate(timeout=_LONG)
    assert running.returncode == 0, said
    assert said[0] == "" and "24 prompts answered, 72 calls" in said[1]
    # Nothing is lost, and what had come is not asked again; two times four calls may have been open.
    times = asked(shell.server.requests)
    assert len(times) == 72 and times.total() <= 72 + 8
    assert all(times[call] == 1 for call in had_come)
    assert sorted(kept(folder)) == sorted(times)
    # Nor can the answers be told from those of one process.
    shell.environ["LAB_KEY"] = CANARY
    alone = shell("batch", str(questions), "-r", recipe, "-o", str(tmp_path / "alone"))
    assert alone.returncode == 0 and outputs(folder) == outputs(tmp_path / "alone")
    # The key went to the server, and into no file of Ray's.
    assert {request.headers["authorization"] for request in shell.server.requests} == {f"Bearer {CANARY}"}
    for file in cluster.folder.rglob("*"):
        if file.is_file() and not file.is_symlink():
            assert CANARY.encode() not in file.read_bytes(), file


def test_a_batch_that_was_interrupted_goes_on_elsewhere(
    shell: Shell,
    begin: Callable[..., subprocess.Popen[str]],
    cluster: RayCluster,
    questions: Path,
    tmp_path: Path,
) -> None:
    shell.environ["RAY_ADDRESS"] = cluster.address
    recipe, folder = shell.recipe(["echo@ttft=0.2,key=a"], ["echo@ttft=0.2,key=final"]), tmp_path / "run"
    running = begin(recipe, folder, "--concurrency", "2", "--ray", "auto")
    wait_for(lambda: (folder / "calls.jsonl").exists() and len(kept(folder)) >= 6)
    running.send_signal(signal.SIGINT)
    said = running.communicate(timeout=_LONG)
    assert running.returncode == 130 and "not reached: stopped by hand" in said[1]
    shell.server.wait_for(lambda requests: all(request.ended for request in requests))
    had_come, before = kept(folder), len(shell.server.requests)
    assert 6 <= len(had_come) < 48
    shell.environ["LAB_KEY"] = CANARY
    done = shell("batch", str(questions), "-r", recipe, "-o", str(folder))
    assert done.returncode == 0, done.stderr
    assert not set(had_come) & set(asked(shell.server.requests[before:]))
    assert len(set(kept(folder))) == len(kept(folder)) == 48


def test_a_worker_without_a_key_is_named_before_any_call(
    shell: Shell, begin: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    config = Path(shell.environ["MOA_TUI_CONFIG"])
    config.write_text(config.read_text().replace("LAB_KEY", "OTHER_KEY"))
    shell.environ["OTHER_KEY"] = CANARY
    running = begin(shell.recipe(["echo"]), tmp_path / "run")
    _, said = running.communicate(timeout=_LONG)
    assert running.returncode == 2
    assert f"the Ray worker on {socket.gethostname()}: " in said and "OTHER_KEY" in said
    assert "Traceback" not in said and not shell.server.requests


def test_a_worker_of_another_version_is_named_before_any_call(
    shell: Shell, cluster: RayCluster, questions: Path, tmp_path: Path
) -> None:
    start = "import moa_tui; moa_tui.__version__ = '0.0'; from moa_tui.cli import main; main()"
    where = ["batch", str(questions), "-r", shell.recipe(["echo"]), "-o", str(tmp_path / "run")]
    done = subprocess.run(
        [sys.executable, "-c", start, *where, "--ray", cluster.address],
        env=shell.environ, capture_output=True, text=True, timeout=_LONG, check=False,
    )  # fmt: skip
    assert done.returncode == 2 and "and this is 0.0: install the same there" in done.stderr
    assert f"the Ray worker on {socket.gethostname()} has moa-tui" in done.stderr
    assert not shell.server.requests


def test_a_cluster_that_does_not_answer_is_said_before_anything_is_written(
    shell: Shell, questions: Path, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    recipe = shell.recipe(["echo"])
    done = shell(
        "batch", str(questions), "-r", recipe, "-o", str(tmp_path / "run"), "--ray", f"127.0.0.1:{port}"
    )
    assert done.returncode == 2
    assert f'no Ray cluster answers at "127.0.0.1:{port}": ' in done.stderr
    assert not (tmp_path / "run").exists()
