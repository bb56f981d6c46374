"""Asks a raw server as the program asks any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from moa_tui.engine.agent import Agent
from moa_tui.engine.recipe import Recipe
from moa_tui.engine.values import Finish
from moa_tui.errors import ModelError
from moa_tui.gateway.gateway import Gateway
from moa_tui.settings.config import Endpoint

if TYPE_CHECKING:
    from concurrent.futures import Future

    from moa_tui.gateway.thread import EngineThread
    from tests.hostile.raw_server import RawServer


class Client:
    """Asks a server as the program does, on the engine's thread."""

    def __init__(self, engine: EngineThread, server: RawServer, **environ: str) -> None:
        self._engine = engine
        self.gateway = Gateway({"lab": Endpoint(base_url=f"{server.root}/v1")}, environ)

    def start(self, **agent: Any) -> Future[str]:
        return self._engine.submit(self._text(Agent(**{"model": "lab/x", **agent})))

    def text(self, **agent: Any) -> str:
        return self.start(**agent).result(timeout=20)

    def failure(self, **agent: Any) -> ModelError:
        with pytest.raises(ModelError) as caught:
            self.text(**agent)
        return caught.value

    async def _text(self, agent: Agent) -> str:
        recipe = Recipe.model_validate({"name": "x", "layers": [{"agents": [agent.model_dump()]}]})
        self.gateway.allow_once(recipe)
        self.gateway.check_keys(recipe)
        texts = []
        async for piece in self.gateway.stream(agent, [{"role": "user", "content": "my secret"}]):
            if not isinstance(piece, Finish):
                texts.append(piece.text)
        return "".join(texts)
