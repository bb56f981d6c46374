"""The chat as the command opens it, with a heartbeat on its loop: what `screen` measures from inside.

Run as `python -m tests.benchmarks.screen_child CASE RESULT [RECIPE]`; writes RESULT as JSON when it is done.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from moa_tui.chat.backend import Backend
from moa_tui.chat.chat import Chat
from moa_tui.chat.library import Library
from moa_tui.chat.prompt_text import PromptText
from moa_tui.chat.session import ChatSession
from moa_tui.conversation import Turn
from moa_tui.engine.values import CallId, Metrics, Outcome, Reply
from moa_tui.gateway.gateway import Gateway
from moa_tui.gateway.thread import EngineThread
from moa_tui.recipes.catalog import RecipeCatalog
from moa_tui.recipes.models import ModelCatalog
from moa_tui.settings import config, paths
from moa_tui.store import Store
from moa_tui.ui.app import MoaApp
from moa_tui.ui.chat.screen import ChatScreen
from moa_tui.ui.terminal.thin_output import ThinOutput
from tests.benchmarks.figures import percentile

if TYPE_CHECKING:
    from moa_tui.engine.recipe import Recipe

BEAT_SECONDS = 0.005
TURNS = 1000


class _Output:
    """Counts the characters that Textual has drawn, and those of them that were sent to the terminal."""

    drawn = sent = 0

    @classmethod
    def count(cls) -> None:
        thin = ThinOutput.thin

        def counted(output: ThinOutput, data: str) -> str:
            thinned = thin(output, data)
            cls.drawn, cls.sent = cls.drawn + len(data.encode()), cls.sent + len(thinned.encode())
            return thinned

        ThinOutput.thin = counted  # type: ignore[method-assign]


class Watched(MoaApp):
    """Measures itself while a run streams its first layer."""

    case = ""
    result = Path()

    def on_ready(self) -> None:
        work = {"stream": self.watch_stream, "open": self.open_long, "turns": self.run_turns}[self.case]
        self.run_worker(work())

    @property
    def chat_screen(self) -> ChatScreen:
        assert isinstance(self.screen, ChatScreen)
        return self.screen

    def report(self, **figures: float) -> None:
        self.result.write_text(json.dumps(figures))

    async def watch_stream(self) -> None:
        state = self.chat_screen.state
        while state.run_view is None or all(view.first_token is None for view in state.run_view.layers[0]):
            await asyncio.sleep(0.01)
        run, late = state.run_view, []
        layouts: list[object] = []
        self.chat_screen.screen_layout_refresh_signal.subscribe(self, layouts.append, immediate=True)
        begin, cpu = time.monotonic(), time.process_time()
        drawn, sent, keys = _Output.drawn, _Output.sent, len(self.chat_screen.view.box.prompt.text)
        while not all(view.over for view in run.layers[0]):
            before = time.perf_counter()
            await asyncio.sleep(BEAT_SECONDS)
            late.append((time.perf_counter() - before - BEAT_SECONDS) * 1000)
        seconds = time.monotonic() - begin
        share = (time.process_time() - cpu) / seconds
        drawn, sent = _Output.drawn - drawn, _Output.sent - sent
        keys = len(self.chat_screen.view.box.prompt.text) - keys
        laid_out = len(layouts)
        while not run.over:
            await asyncio.sleep(0.001)
        over = asyncio.Event()
        self.chat_screen.call_after_refresh(over.set)
        await over.wait()
        assert run.outcome is not None
        self.report(
            cpu=share * 100, p50=percentile(late, 0.5), p99=percentile(late, 0.99), max=max(late),
            seconds=run.outcome.seconds, over=time.monotonic(), layouts=laid_out, keys=max(1, keys),
            drawn=drawn / seconds / 1000, sent=sent / seconds / 1000,
        )  # fmt: skip

    async def open_long(self) -> None:
        """A conversation of TURNS turns, from the call to the first paint with its last turn in it."""
        recipe = self.chat_screen.session.chat.recipe
        answer = " ".join(["Some **words** of an answer with `code`, as models write them."] * 30)
        reply = Reply("a", "demo/terse", "done", text=answer)
        turn, turns = None, []
        for number in range(TURNS):
            outcome = Outcome("done", answer, {CallId(1, 1): reply}, Metrics())
            turn = Turn(f"question {number}", recipe, outcome, turn)
            turns.append(turn)
        painted = asyncio.Event()
        screen = self.chat_screen
        screen.remove_class("-empty")
        begin = time.perf_counter()
        await screen.view.transcript.open(turns)
        screen.call_after_refresh(painted.set)
        await painted.wait()
        self.report(seconds=time.perf_counter() - begin, mounted=len(screen.view.transcript.views))

    async def run_turns(self) -> None:
        """A hundred turns, one after another."""
        screen = self.chat_screen
        memory = [resident_megabytes()]
        for number in range(100):
            await screen.controllers.asking.submit(PromptText(f"question {number}"))
            while screen.session.is_running:
                await asyncio.sleep(0.01)
            if number == 9:
                memory.append(resident_megabytes())
        self.report(start=memory[0], ten=memory[1], end=resident_megabytes())


def resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main(kind: type[Watched] = Watched, database: str = "result.db") -> None:
    """Open the chat; `kind` is the app that measures itself, `database` the file beside the result."""
    case, result, *rest = sys.argv[1:]
    _Output.count()
    settings = config.load(paths.config_file())
    gateway = Gateway(settings.endpoints, os.environ)
    models = ModelCatalog(settings, gateway, os.environ)
    catalog = RecipeCatalog(settings, gateway, paths.recipes_dir(), models.local_servers)
    recipe: Recipe = catalog.load(rest[0] if rest else "demo")
    with EngineThread() as engine:
        store = Store(Path(result).with_name(database))
        chat = Chat(Backend(gateway, engine, store), recipe)
        app = kind(ChatSession(chat), catalog, models, Library(store, Path(result).parent), settings)
        app.case, app.result = case, Path(result)
        app.run()
    os._exit(0)


if __name__ == "__main__":
    main()
