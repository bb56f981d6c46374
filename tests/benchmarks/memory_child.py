"""The chat without a terminal, measuring its own memory stage by stage; what `memory` starts.

Run as `python -m tests.benchmarks.memory_child SERVER FOLDER`; prints JSON when it is done.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import os
import sys
from contextlib import suppress
from pathlib import Path

from moa_tui.chat.backend import Backend
from moa_tui.chat.chat import Chat
from moa_tui.chat.library import Library
from moa_tui.chat.session import ChatSession
from moa_tui.engine.agent import Agent
from moa_tui.gateway.gateway import Gateway
from moa_tui.gateway.thread import EngineThread, load_litellm_stream
from moa_tui.recipes.catalog import RecipeCatalog
from moa_tui.recipes.models import ModelCatalog
from moa_tui.settings.config import Endpoint, Settings
from moa_tui.store import Store
from moa_tui.ui.app import MoaApp

CALLS = 13
STAGES: dict[str, float] = {}


def resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def stage(name: str) -> None:
    STAGES[name] = resident_megabytes()


class Measured(MoaApp):
    """Loads litellm and makes calls once its first screen is painted, and leaves."""

    gateway: Gateway
    engine: EngineThread

    def on_ready(self) -> None:
        self.run_worker(self.go_through())

    async def go_through(self) -> None:
        stage("the chat painted")
        os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
        await asyncio.to_thread(__import__, "litellm")
        stage("litellm imported, bare")
        await asyncio.to_thread(load_litellm_stream)
        stage("our adapter loaded, a call rehearsed")
        for number in range(CALLS):
            await asyncio.wrap_future(self.engine.submit(self.call()))
            if number == 0:
                stage("one call made")
        stage(f"{CALLS} calls made")
        gc.collect()
        with suppress(AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
        stage("freed memory given back")
        self.exit()

    async def call(self) -> None:
        async for _ in self.gateway.stream(
            Agent(model="lab/ok@n=300"), [{"role": "user", "content": "What is a moa?"}]
        ):
            pass


def main() -> None:
    server, folder = sys.argv[1], Path(sys.argv[2])
    settings = Settings()
    gateway = Gateway({"lab": Endpoint(base_url=server)}, {})
    models = ModelCatalog(settings, gateway, {})
    catalog = RecipeCatalog(settings, gateway, folder, models.local_servers)
    with EngineThread() as engine:
        store = Store(folder / "chat.db")
        chat = Chat(Backend(gateway, engine, store), catalog.load("demo"))
        app = Measured(ChatSession(chat), catalog, models, Library(store, folder), settings)
        app.gateway, app.engine = gateway, engine
        app.run(headless=True, size=(120, 40))
    names = ("litellm", "openai")
    modules = {name: sum(module.split(".")[0] == name for module in list(sys.modules)) for name in names}
    print(json.dumps({"stages": STAGES, "modules": modules}))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
