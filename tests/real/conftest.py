"""A real model behind llama.cpp's own server, and runs against it.

The model is small, slow and often wrong: tests say what shape a reply has, never what it says.
"""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

from moa_tui.gateway import discovery
from moa_tui.gateway.discovery import LocalServer, find_servers
from moa_tui.gateway.thread import EngineThread
from tests.gateway.conftest import Bench
from tests.real import packages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SLOTS = 2
SLOT_TOKENS = 768
_START_SECONDS = 60


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All in one group, so that one worker runs them and there is one server."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.xdist_group("real"))
            item.add_marker(pytest.mark.real)
            item.add_marker(pytest.mark.terminal if "terminal" in item.name else pytest.mark.program)


class LlamaServer:
    """llama.cpp's server in a process of its own, on a port of its own; a context manager that ends it.

    It listens at once and loads its model then; `wait_until_loaded` waits for that. `url` is what the config
    of an endpoint takes.
    """

    def __init__(self, model_file: Path, log: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self._log = log
        command = [sys.executable, str(Path(__file__).with_name("llama_server.py"))]
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [*command, str(model_file), str(self.port), str(SLOTS), str(SLOT_TOKENS)],
                env={"PYTHONPATH": str(packages.folder())},
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    @property
    def candidate(self) -> LocalServer:
        """The server as one that is looked for."""
        return LocalServer("llama.cpp", self.url, "openai")

    def get(self, path: str) -> tuple[int, Any]:
        """The status and the JSON at `path`; status 0 where nothing listens yet."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        except OSError:
            return 0, None
        finally:
            connection.close()

    def wait_until_loaded(self) -> None:
        """Wait until the model answers requests."""
        self._wait(lambda: self.get("/health")[0] == 200, _START_SECONDS)

    def busy_slots(self) -> int:
        """The number of requests that the server is working on now."""
        return sum(slot["is_processing"] for slot in self.get("/slots")[1])

    def wait_for_busy_slots(self, number: int, seconds: float = 20) -> float:
        """Wait until the server works on that many requests; the seconds that it took."""
        return self._wait(lambda: self.busy_slots() == number, seconds)

    def _wait(self, condition: Callable[[], bool], seconds: float) -> float:
        start = time.monotonic()
        while not condition():
            waited = time.monotonic() - start
            assert waited < seconds, f"not within {seconds:g} s; the server's log: {self._log.read_text()}"
            assert self.process.poll() is None, f"the server is gone: {self._log.read_text()}"
            time.sleep(0.01)
        return time.monotonic() - start


@pytest.fixture(scope="session")
def model_file() -> Path:
    """The file of the model."""
    file = packages.model_file()
    if file is None:
        pytest.skip(f"no model in {packages.folder()}; `python -m tests.real.packages` fetches it")
    return file


@pytest.fixture(scope="session")
def llama(model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaServer]:
    """The one server of all tests here, with its model loaded."""
    with LlamaServer(model_file, tmp_path_factory.mktemp("llama") / "log") as server:
        server.wait_until_loaded()
        yield server


@pytest.fixture(scope="session")
def engine() -> Iterator[EngineThread]:
    with EngineThread() as thread:
        yield thread


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time for the server to say what it has, however busy the machine is."""
    monkeypatch.setattr(discovery, "PROBE_SECONDS", 10)


@pytest.fixture
def bench(llama: LlamaServer, engine: EngineThread) -> Bench:
    """Runs against the server; its model is written `lab/ANYTHING`, since it has but one."""
    return Bench(llama, engine)


@pytest.fixture
def found(llama: LlamaServer, bench: Bench) -> tuple[LocalServer, ...]:
    """The server as discovery finds it; the gateway of `bench` knows what it says of its model."""
    servers = find_servers([llama.candidate])
    bench.gateway.learn(servers)
    return servers
