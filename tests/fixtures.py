"""Fixtures of several packages: a chat without a screen, and a server of models.

The chat is a real one, on a real engine thread and a real database, over models of the test's own; the server
is asked over real HTTP. A test module that needs another recipe, other models or another store overrides that
one fixture.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, cast

import pytest

from moa_tui.chat.backend import Backend
from moa_tui.chat.chat import Chat
from moa_tui.chat.session import ChatSession
from moa_tui.engine import limits
from moa_tui.gateway.thread import load_litellm_stream
from moa_tui.store import Store
from tests.fakes import FakeEngine, FakeGateway, FakeModels
from tests.helpers import recipe
from tests.model_server import ModelServer
from tests.warm import WarmStart

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from moa_tui.engine.recipe import Recipe
    from moa_tui.gateway.gateway import Gateway
    from moa_tui.gateway.thread import EngineThread


@pytest.fixture(scope="session")
def running_server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture
def server(running_server: ModelServer) -> ModelServer:
    """The one server of models, as new."""
    running_server.reset()
    return running_server


@pytest.fixture(scope="session")
def warm() -> Iterator[WarmStart | None]:
    """Starts the command without loading litellm anew; None where no process can fork."""
    if sys.platform == "win32":
        yield None
    else:
        with WarmStart() as start:
            yield start


@pytest.fixture(scope="session")
def litellm_is_loaded() -> None:
    """Loading it takes seconds, which no limit of a call is for."""
    load_litellm_stream()


@pytest.fixture
def engine() -> Iterator[EngineThread]:
    with FakeEngine() as thread:
        yield thread


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> FakeModels:
    """Models that answer with their names; retries hardly wait."""
    monkeypatch.setattr(limits, "_FIRST_WAIT_SECONDS", 0.001)
    return FakeModels()


@pytest.fixture
def gateway(models: FakeModels) -> FakeGateway:
    return FakeGateway(models)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "moa-tui.db") as store:
        yield store


@pytest.fixture
def backend(gateway: FakeGateway, engine: EngineThread, store: Store) -> Backend:
    return Backend(cast("Gateway", gateway), engine, store)


@pytest.fixture
def chat_recipe() -> Recipe:
    """The recipe that `chat` begins with: agents a and b, and judge, who writes the answer."""
    return recipe(["a", "b"], ["judge"])


@pytest.fixture
def chat(backend: Backend, chat_recipe: Recipe) -> Chat:
    return Chat(backend, chat_recipe)


@pytest.fixture
def session(chat: Chat) -> ChatSession:
    return ChatSession(chat)
