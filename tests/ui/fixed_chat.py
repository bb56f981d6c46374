"""The chat with everything fixed, for pictures: nobody is asked, no clock goes, no machine shows."""

from __future__ import annotations

import queue
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from textual.widgets import Input, OptionList, TextArea

from moa_tui.chat.backend import Backend
from moa_tui.chat.chat import Chat
from moa_tui.chat.library import Library
from moa_tui.chat.session import ChatSession
from moa_tui.engine.events import CallEnded, CallRetried, CallStarted, Delta, RunEnded
from moa_tui.engine.metrics import measure
from moa_tui.engine.values import CallId, Failure, Outcome, Reply, Usage
from moa_tui.gateway.catalog import Catalog, ModelInfo
from moa_tui.gateway.gateway import Gateway
from moa_tui.recipes import files
from moa_tui.recipes.catalog import RecipeCatalog
from moa_tui.recipes.models import ModelCatalog
from moa_tui.settings.config import Settings
from moa_tui.ui.app import MoaApp
from moa_tui.ui.chat.screen import ChatScreen
from moa_tui.ui.run.run_view import RunView
from tests.helpers import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from textual.pilot import Pilot

    from moa_tui.engine.events import Event
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import Message
    from moa_tui.gateway.discovery import LocalServer
    from moa_tui.ui.run.run_view import RunView

QUESTION = "Why did the moa, a bird without enemies for millions of years, die out so fast?"
KEY = {"OPENAI_API_KEY": "no-key"}

DRAFTS = {
    "terse": "People came, and hunted it. **Nine species in about a century**, says the radiocarbon.\n",
    "thorough": (
        "## What happened\n\n"
        "The first settlers reached New Zealand around **1280**. Within some four generations "
        "every moa was gone:\n\n"
        "1. *Hunting* took adults faster than they could be replaced.\n"
        "2. *Fire* took the forest they lived in.\n"
        "3. *Dogs and rats* took eggs and chicks.\n\n"
        "| cause | evidence | weight |\n|---|---|---|\n| hunting | butchery sites | strong |\n"
        "| fire | charcoal in lake mud | middling |\n| rats | gnawed seeds | weak |\n"
    ),
    "sceptic": (
        '"Without enemies" is not true: **Haast\'s eagle** hunted moa. What was new is an enemy that '
        "hunts the adults, in numbers, all year round.\n"
    ),
    "coder": (
        "A population that breeds slowly cannot carry even a small extra loss:\n\n"
        "```python\nbirds = 58_000\nfor year in range(150):\n    birds *= 1.02  # births less deaths\n"
        "    birds -= 2_000  # hunted\n```\n\n[Holdaway and Jacomb]"
        "(https://doi.org/10.1126/science.287.5461.2250) did the sum in 2000.\n"
    ),
}
ANSWER = (
    "The moa died out **within about 150 years of people's arrival**, around 1280, because it could not "
    "replace the adults that were hunted.\n\n"
    "- It bred slowly: one or two eggs a year, and years to maturity.\n"
    "- Its only hunter before, Haast's eagle, never took many.\n"
    "- Fire and rats made it worse; they alone would hardly have sufficed.\n\n"
    "```python\nbirds = birds * 1.02 - hunted  # a few per cent too many, each year\n```\n\n"
    "The drafts disagree on how much the fires weighed; the [dates of the bones]"
    "(https://doi.org/10.1126/science.287.5461.2250) speak for hunting.\n"
)


class Clock:
    """Seconds of a run, as a test sets them."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class HeldRun:
    """A run to which nothing happens by itself; in the place of `chat.RunHandle`."""

    def __init__(self, turn: object) -> None:
        self.turn = turn
        self.events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self.ended: object = None

    def stop(self) -> None:
        """Nothing runs."""

    def stop_call(self, call: CallId) -> None:
        """Nothing runs."""

    def proceed(self) -> None:
        """Nothing runs."""

    def withdraw(self) -> None:
        """Nothing of it is on disk."""

    def result(self) -> object:
        """The turn as it ended."""
        return self.ended


class HeldChat(Chat):
    """A conversation whose runs stand still."""

    is_kept = True

    def warm_up(self) -> None:
        """Nothing will be needed."""

    def _start(self, turn: object, *_: object, **__: object) -> HeldRun:  # type: ignore[override]
        return HeldRun(turn)


class FixedCatalog(Catalog):
    """One price for every model, since the real ones change."""

    def provider(self, model: str) -> str | None:
        prefix, slash, _ = model.partition("/")
        return prefix if slash else "anthropic" if model.startswith("claude") else "openai"

    def find(self, model: str) -> ModelInfo | None:
        return ModelInfo(model, model.partition("/")[0], 128_000, 1e-6, 4e-6)


class FixedModels(ModelCatalog):
    """No local server, whatever runs on the machine."""

    def local_servers(self) -> tuple[LocalServer, ...]:
        return ()


def held_app(theme: str = "moa-dark", environ: Mapping[str, str] | None = None) -> MoaApp:
    """The chat with the demo recipe and `environ` for its keys, none where not given."""
    settings = Settings(theme=theme, reduced_motion=True)
    gateway = Gateway({}, environ or {}, FixedCatalog(Path("none")))
    models = FixedModels(settings, gateway, environ or {})
    catalog = RecipeCatalog(settings, gateway, Path("none"), models.local_servers)
    recipe = files.load("demo", Path("none"))
    session = ChatSession(HeldChat(Backend(gateway, None), recipe))  # type: ignore[arg-type]
    library = Library(None, Path("none"))
    why = "no key was found, so these answers are simulated"
    app = MoaApp(session, catalog, models, library, settings, why=why)
    app.get_default_screen().state.clock = Clock()  # type: ignore[attr-defined]
    return app


def chat_screen(app: MoaApp) -> ChatScreen:
    """The app's first screen."""
    screen = app.screen_stack[0]
    assert isinstance(screen, ChatScreen)
    return screen


async def at_rest(pilot: Pilot[None]) -> None:
    """Wait until everything is laid out and drawn, and no cursor blinks."""
    app = pilot.app
    for _ in range(2):
        for field in app.screen.query("Input, TextArea"):
            assert isinstance(field, Input | TextArea)
            field.cursor_blink = False
        await wait_until(lambda: all(worker.is_finished for worker in app.workers))
        await pilot.pause()
        await pilot.wait_for_scheduled_animations()
    await wait_until(lambda: all(lst.option_count for lst in app.screen.query(OptionList) if lst.display))
    await pilot.pause()


async def ask(pilot: Pilot[None]) -> RunView:
    """Send the question; the run then stands at its beginning."""
    app = pilot.app
    assert isinstance(app, MoaApp)
    screen = chat_screen(app)
    await at_rest(pilot)
    screen.view.box.prompt.insert(QUESTION)
    await pilot.press("enter")
    await wait_until(lambda: screen.session.is_running and screen.state.is_shown)
    assert screen.state.run_view is not None
    return screen.state.run_view


async def happen(pilot: Pilot[None], script: Iterable[tuple[float, Event]]) -> None:
    """Let a run come as far as `script` goes: seconds and events. Ends it where the last event does."""
    app = pilot.app
    assert isinstance(app, MoaApp)
    screen = chat_screen(app)
    clock, running = screen.state.clock, screen.session.run
    assert isinstance(clock, Clock)
    assert isinstance(running, HeldRun)
    for seconds, events in groupby(script, key=lambda each: each[0]):
        clock.seconds = seconds
        for _, event in events:
            if isinstance(event, RunEnded):
                running.ended = replace(running.turn, outcome=event.outcome)  # type: ignore[type-var]
            running.events.put(event)
        await wait_until(running.events.empty)
    if running.ended is not None:
        running.events.put(None)
        await wait_until(lambda: screen.session.run is None)
    for _ in range(12):  # Every pane has its turn within so many ticks.
        await chat_screen(app).controllers.following.tick()
        chat_screen(app).controllers.checklist.attend()
    await at_rest(pilot)


def first_layer(recipe: Recipe) -> list[tuple[float, Event]]:
    """Layer 1 at second 9.4: one agent is done, one writes, one reasons, one is tried again."""
    terse, coder = recipe.lineup[0][0], recipe.lineup[0][3]
    calls = [CallId(1, index) for index in range(1, 5)]
    asked = _messages(QUESTION)
    words = DRAFTS["thorough"].partition("\n\n|")[0]
    return [
        *(
            (0.0, CallStarted(call, agent, asked, 0.0))
            for call, agent in zip(calls, recipe.lineup[0], strict=True)
        ),
        (0.4, Delta(calls[0], "text", DRAFTS["terse"])),
        (1.2, CallEnded(calls[0], _reply(terse.name, DRAFTS["terse"], 0.0, 0.4, 1.2))),
        (0.9, Delta(calls[1], "text", words)),
        (2.0, Delta(calls[2], "reasoning", "Is it true that it had no enemies? There was an eagle.")),
        (3.0, CallRetried(calls[3], coder, 2, 8.0, Failure("rate_limit", "too many requests", 429), 3.0)),
        (9.4, Delta(calls[1], "text", "\n")),
        (9.4, Delta(calls[2], "reasoning", " Then the question is half wrong.")),
    ]


def whole_run(recipe: Recipe) -> list[tuple[float, Event]]:
    """All three layers, and the end."""
    script: list[tuple[float, Event]] = []
    replies: dict[CallId, Reply] = {}
    begin = 0.0
    for number, agents in enumerate(recipe.lineup, 1):
        ends = []
        for index, agent in enumerate(agents, 1):
            call = CallId(number, index)
            text = ANSWER if number == len(recipe.lineup) else DRAFTS[agent.name]
            first, end = begin + 0.2 * index, begin + 1.5 * index + len(text) / 200
            failed = (number, agent.name) == (2, "coder")
            reply = _reply(agent.name, "" if failed else text, begin, first, end)
            if failed:
                error = Failure("timeout", "no text for 60 seconds; the recipe's limit is 60", None)
                reply = replace(reply, status="failed", error=error, first_token=None, usage=Usage())
            replies[call] = reply
            ends.append(end)
            script.append((begin, CallStarted(call, agent, reply.messages, begin)))
            script.append((end, CallEnded(call, reply)))
        begin = max(ends)
    used = {
        number: [call for call, reply in replies.items() if call.layer == number and reply.status == "done"]
        for number in range(1, len(recipe.lineup) + 1)
    }
    final = CallId(len(recipe.lineup), 1)
    outcome = Outcome(
        "done",
        ANSWER,
        replies,
        measure(replies, used, final),
        usage=sum((reply.usage for reply in replies.values()), Usage(estimated=False)),
        cost=sum(reply.cost or 0.0 for reply in replies.values()),
        seconds=begin,
        notes=("L2.4 coder was left out: no text for 60 seconds",),
    )
    # Replies bring their own times, so the clock may stand at the end all the while.
    ordered = [event for _, event in sorted(script, key=lambda each: each[0])]
    return [(begin, event) for event in (*ordered, RunEnded(outcome))]


def _messages(*texts: str) -> tuple[Message, ...]:
    return tuple({"role": "user", "content": text} for text in texts)


def _reply(name: str, text: str, started: float, first_token: float, ended: float) -> Reply:
    return Reply(
        name,
        f"demo/{name}",
        "done",
        messages=_messages(QUESTION),
        text=text,
        finish_reason="stop",
        usage=Usage(120, len(text) // 4, estimated=False),
        cost=len(text) * 2e-6,
        queued=started,
        started=started,
        first_token=first_token,
        ended=ended,
        attempts=1,
    )
