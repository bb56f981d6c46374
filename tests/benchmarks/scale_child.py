"""What `scale` measures from inside the chat, run as `screen_child` is."""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import gc
import os
import signal
import struct
import sys
import termios
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from moa_tui.chat.prompt_text import PromptText
from moa_tui.conversation import Conversation
from moa_tui.engine.events import CallStarted, Delta
from moa_tui.ui.run.run_view import RunView
from tests.benchmarks import screen_child
from tests.benchmarks.screen_child import BEAT_SECONDS, Watched, resident_megabytes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from textual.events import Ready

PIECE = "some words of **an answer**, "
LINE = PIECE * 6 + "\n\n"


class Scaled(Watched):
    """Measures itself over many turns, long texts and long conversations."""

    def on_ready(self, event: Ready) -> None:
        event.prevent_default()  # Textual would run that of `Watched` too.
        work = {"turns": self.many_turns, "panes": self.long_panes, "long": self.long_conversation}[self.case]
        self.run_worker(work())

    async def many_turns(self) -> None:
        """A hundred turns; then what holds their memory is let go, one thing after another."""
        screen, memory = self.chat_screen, {"start": resident_megabytes()}
        for number in range(100):
            await screen.controllers.asking.submit(PromptText(f"question {number}"))
            while screen.session.is_running:
                await asyncio.sleep(0.01)
            if number == 49:
                half = trimmed_megabytes()
        memory["end"] = resident_megabytes()
        memory["trimmed"] = trimmed_megabytes()
        memory["per_turn"] = (memory["trimmed"] - half) / 50
        await screen.view.transcript.open(())
        screen.state.run_view = screen.view.panel.run = None
        await asyncio.sleep(0.5)
        memory["unmounted"] = trimmed_megabytes()
        screen.session.chat.conversation = Conversation()
        await asyncio.sleep(0.5)
        memory["dropped"] = trimmed_megabytes()
        self.report(**memory)

    async def long_panes(self) -> None:
        """All panes of the first layer grow to 100,000 characters, a piece of each at every tick."""
        screen = self.chat_screen
        panel = screen.view.panel
        run = RunView(screen.session.chat.recipe)
        screen.view.set_empty(False)
        screen.view.open_panel(True)
        panel.show_run(run)
        await asyncio.sleep(0.5)
        for view in run.layers[0]:
            run.take(CallStarted(view.call, view.agent, (), 0.0))
        before, blocks = trimmed_megabytes(), sys.getallocatedblocks()

        async def cpu_of_ticks(count: int) -> float:
            """Milliseconds of CPU of one tick with all it draws; each pane gets one piece for each."""
            begin = time.process_time()
            for _ in range(count):
                for view in run.layers[0]:
                    run.take(Delta(view.call, "text", PIECE))
                panel.tick()
                await asyncio.sleep(0.03)
            return (time.process_time() - begin) * 1000 / count

        for view in run.layers[0]:
            run.take(Delta(view.call, "text", LINE * (2_000 // len(LINE))))
        await cpu_of_ticks(20)
        early = await cpu_of_ticks(60)
        length = sum(view.characters for view in run.layers[0])
        for _ in range(100_000 // len(LINE) // 10):
            for view in run.layers[0]:
                run.take(Delta(view.call, "text", LINE * 10))
            panel.tick()
            await asyncio.sleep(0.01)
        late = await cpu_of_ticks(60)
        length = sum(view.characters for view in run.layers[0])
        grown, made = trimmed_megabytes(), sys.getallocatedblocks() - blocks
        panel.show_run(RunView(screen.session.chat.recipe))
        await asyncio.sleep(0.5)
        run.layers.clear()
        del view
        after, left = trimmed_megabytes(), sys.getallocatedblocks() - blocks
        each = (grown - before) * 1e6 / length
        self.report(early=early, late=late, bytes=each, before=before, after=after, left=left, made=made)

    async def long_conversation(self) -> None:
        """One of many turns is opened, searched, scrolled from end to start, resized and exported."""
        screen = self.chat_screen
        figures: dict[str, float] = {}
        transcript, switching = screen.view.transcript, screen.controllers.switching
        before = trimmed_megabytes()
        painted = asyncio.Event()
        async with self.lateness("opening", figures):
            begin = time.perf_counter()
            await switching.open(f"scale{sys.argv[4]}")
            screen.call_after_refresh(painted.set)
            await painted.wait()
            figures["paint"] = (time.perf_counter() - begin) * 1000
            await asyncio.sleep(0.5)
        figures["memory"] = trimmed_megabytes() - before
        async with self.lateness("finding", figures):
            for text in ("p", "pr", "proposer", "proposer moa layer answer", "question 3"):
                await screen.controllers.looking.find(text, 0)
                await asyncio.sleep(0.2)
            await screen.controllers.looking.end_find()
        await transcript.action_newest()
        await asyncio.sleep(0.3)
        async with self.lateness("scrolling", figures):
            for _ in range(150):
                transcript.page(-1)
                await asyncio.sleep(0.02)
        async with self.lateness("resizing", figures):
            for columns in (100, 80, 120):
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
                os.kill(os.getpid(), signal.SIGWINCH)
                await asyncio.sleep(0.5)
        async with self.lateness("exporting", figures):
            for format_ in ("markdown", "html"):
                await switching.export(f"{format_} {self.result.with_suffix('.' + format_)} !")
        self.report(**figures)

    @asynccontextmanager
    async def lateness(self, name: str, figures: dict[str, float]) -> AsyncIterator[None]:
        """Add to `figures` how late the loop was at most meanwhile, in ms."""
        latest = 0.0

        async def beat() -> None:
            nonlocal latest
            while True:
                begin = time.perf_counter()
                await asyncio.sleep(BEAT_SECONDS)
                latest = max(latest, (time.perf_counter() - begin - BEAT_SECONDS) * 1000)

        beating = asyncio.create_task(beat())
        await asyncio.sleep(0.05)
        latest = 0.0
        yield
        await asyncio.sleep(0.1)
        beating.cancel()
        figures[f"late_{name}"] = latest


def trimmed_megabytes() -> float:
    """Memory without garbage, once what is free was given back."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return resident_megabytes()


if __name__ == "__main__":
    screen_child.main(Scaled, "scale.db")
