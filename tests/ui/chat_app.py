"""The chat as tests run it: the real app, chat and engine over models that say what a test tells them to."""

from __future__ import annotations

import math
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import pytest
from textual.widgets import Static

from moa_tui.chat.backend import Backend
from moa_tui.chat.chat import Chat
from moa_tui.chat.conversations import Conversations
from moa_tui.chat.ledger import Ledger
from moa_tui.chat.library import Library
from moa_tui.chat.session import ChatSession
from moa_tui.conversation import Turn
from moa_tui.engine.run import run
from moa_tui.errors import UsageError
from moa_tui.gateway import discovery
from moa_tui.gateway.gateway import Gateway
from moa_tui.recipes.catalog import RecipeCatalog
from moa_tui.recipes.models import ModelCatalog
from moa_tui.settings import paths
from moa_tui.settings.config import Settings
from moa_tui.store import Store
from moa_tui.store.drafts import Drafts
from moa_tui.ui.app import MoaApp
from moa_tui.ui.chat import screen as chat_screen
from moa_tui.ui.terminal import clipboard
from moa_tui.ui.widgets import run_panel
from tests.fakes import FakeEngine, FakeGateway, FakeModels
from tests.helpers import recipe, wait_until
from tests.ui import quick

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Iterator, Sequence

    from textual.pilot import Pilot

    from moa_tui.conversation import Conversation
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import Message
    from moa_tui.gateway.thread import EngineThread
    from moa_tui.ui.chat.screen import ChatScreen
    from moa_tui.ui.chat.state import ChatState
    from moa_tui.ui.prompt.prompt import Prompt
    from moa_tui.ui.run.run_view import RunView
    from moa_tui.ui.widgets.agent_pane import AgentPane
    from moa_tui.ui.widgets.run_panel import RunPanel
    from moa_tui.ui.widgets.transcript import Transcript
    from moa_tui.ui.widgets.turn_view import TurnView
    from tests.fakes import Step

DUO = recipe(["one", "two"], ["judge"])
TRIO = recipe(["one", "two"], ["three", "four"], ["judge"])
ALONE = recipe(["alone"])

HOSTILE = {
    "[/] [/bold] [bold]loud[/bold] [@click=app.quit]leave[/]": "[bold]loud[/bold]",
    "\x1b]52;c;aGk=\x07\x1b[31mred\x1b[0m \x9b2J \x07": "red",
    "שלום \u202eevil\u202c \u2066world\u2069": "evil",
    "$text-error [not-a-style] {markup} `code` **strong**": "$text-error [not-a-style] {markup}",
}
"""Texts that must be shown as they are, whatever a terminal or a markup parser would make of them, and what
can be read of each."""
FORBIDDEN = set("\x1b\x07\x9b\u202e\u202c\u2066\u2069")
"""What must not reach a terminal."""


class Notice(NamedTuple):
    """A notification, as it was given."""

    message: str
    severity: str
    markup: bool


class WatchedApp(MoaApp):
    """Keeps every notice, every fault, and every address it would have opened."""

    def __init__(self, *args: Any, **more: Any) -> None:
        self.notices: list[Notice] = []
        self.opened: list[str] = []
        self.faults: list[BaseException | None] = []
        """What nobody caught. A test that means to cause a fault takes it out."""
        super().__init__(*args, **more)

    def notify(self, message: str, **more: Any) -> None:  # type: ignore[override]
        self.notices.append(Notice(message, more.get("severity", "information"), more.get("markup", True)))
        super().notify(message, **more)

    def on_bug(self, error: BaseException | None) -> None:
        self.faults.append(error)
        super().on_bug(error)

    def open_url(self, url: str, *, new_tab: bool = True) -> None:
        self.opened.append(url)

    @contextmanager
    def suspend(self) -> Iterator[None]:
        yield  # The terminal of a test cannot be given away.


@dataclass
class Bench:
    """A running app, and what a test needs to drive it and to see what it did."""

    app: WatchedApp
    pilot: Pilot[None]
    engine: EngineThread
    models: FakeModels
    gateway: FakeGateway
    chat: Chat
    library: Library
    store: Store
    copied: list[str] = field(default_factory=list)
    """Every text that went to the clipboard."""

    @property
    def screen(self) -> ChatScreen:
        return self.app._chat_screen

    @property
    def session(self) -> ChatSession:
        return self.screen.session

    @property
    def state(self) -> ChatState:
        return self.screen.state

    @property
    def run(self) -> RunView:
        assert self.state.run_view is not None
        return self.state.run_view

    @property
    def panel(self) -> RunPanel:
        return self.screen.view.panel

    @property
    def panes(self) -> list[AgentPane]:
        return self.panel.panes

    @property
    def transcript(self) -> Transcript:
        return self.screen.view.transcript

    @property
    def turn(self) -> TurnView:
        """The newest turn that is mounted."""
        return self.transcript.views[-1]

    @property
    def prompt(self) -> Prompt:
        return self.screen.view.box.prompt

    @property
    def queue(self) -> str:
        return static_text(self.screen.query_one("#queue", Static))

    @property
    def tabs(self) -> str:
        return static_text(self.panel.query_one("#tabs", Static))

    @property
    def notices(self) -> str:
        """All notices so far, one below the other."""
        return "\n".join(notice.message for notice in self.app.notices)

    @property
    def is_open(self) -> bool:
        """Whether the panes are on screen."""
        return self.panel.has_class("-open") and self.panel.display

    @property
    def is_idle(self) -> bool:
        """True where nothing runs and no other conversation is on its way to the screen."""
        try:
            self.session.require_idle()
        except UsageError:
            return False
        return True

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def submit(self, text: str) -> None:
        """Send `text`, or give the command that it is. A word like @this is confirmed to name no file."""
        self.prompt.fill(text)
        self.prompt.focus()
        told = len(self.app.notices)
        await self.press("enter")
        if "@" in text and not text.startswith("/"):
            await wait_until(lambda: any("Enter again" in each.message for each in self.app.notices[told:]))
            await self.press("enter")
        await self.settle()

    async def ask(self, text: str = "What is a moa?") -> None:
        """Send `text` and wait until the run is over."""
        before = self.state.run_view
        await self.submit(text)
        await wait_until(lambda: self.state.run_view is not before)
        await self.until_idle()

    async def until_idle(self) -> None:
        """Wait until no run goes on, nothing waits, and all that came is on screen."""
        await wait_until(lambda: self.session.run is None and not self.session.queue)
        await self.settle()

    async def until_writing(self, *models: str) -> None:
        """Wait until a call of each of these models has written some text."""

        def has_text(model: str) -> bool:
            views = self.state.run_view.views if self.state.run_view else ()
            return any(view.agent.model == model and view.written("text") for view in views)

        await wait_until(lambda: all(map(has_text, models)))
        await self.settle()

    async def settle(self) -> None:
        """Let the app do what it has to do."""
        await self.pilot.pause()

    def open(self, *gates: asyncio.Event) -> None:
        """Let what waits for these events go on. They belong to the engine's loop, so it sets them."""

        async def set_all() -> None:
            for gate in gates:
                gate.set()

        self.engine.submit(set_all()).result(timeout=5)

    def shown(self) -> str:
        """What the terminal shows, line by line."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)

    async def until_shown(self, *texts: str) -> None:
        """Wait until all of `texts` can be read on the screen."""
        try:
            await wait_until(lambda: all(text in self.shown() for text in texts))
        except AssertionError:
            raise AssertionError(f"{texts} is not on the screen:\n{self.shown()}") from None

    async def until_told(self, *texts: str) -> None:
        """Wait until all of `texts` stand in the notices since the start, earlier ones too."""
        try:
            await wait_until(lambda: all(text in self.notices for text in texts))
        except AssertionError:
            raise AssertionError(f"{texts} was not told; told was:\n{self.notices}") from None


@asynccontextmanager
async def chat_app(
    this: Recipe = DUO,
    *,
    size: tuple[int, int] = (80, 24),
    settings: Settings | None = None,
    why: str | None = None,
    problems: Sequence[str] = (),
    missing: dict[str, str] | None = None,
    conversation: Conversation | None = None,
    kept: bool = True,
    private: bool = False,
    drafts: Drafts | None = None,
    **scripts: Sequence[Sequence[Step]],
) -> AsyncIterator[Bench]:
    """The app in a terminal of `size`. Nothing is looked for on this machine or sent anywhere.

    `conversation` is the one it begins with; `kept` is False where no database could be opened.
    """
    settings = settings or Settings()
    models = FakeModels(**scripts)
    gateway = FakeGateway(models)
    gateway.missing.update(missing or {})
    copied: list[str] = []

    async def copy(app: object, text: str) -> str:
        copied.append(text)
        return "copied it"

    with (
        FakeEngine() as engine,
        pytest.MonkeyPatch.context() as patch,
        TemporaryDirectory() as folder,
        Store(Path(folder) / "moa-tui.db") as store,
    ):
        patch.setattr(discovery, "default_servers", lambda environ: ())
        patch.setattr(chat_screen, "_TICK_SECONDS", 0.02)
        # A pane that is folded after a while would make tests depend on how fast they are.
        patch.setattr(run_panel, "_FOLDED_AFTER_SECONDS", math.inf)
        quick.make_quick(patch)
        patch.setattr(clipboard, "copy", copy)
        patch.setattr("moa_tui.ui.app.copy", copy)
        kept_in = store if kept else None
        ledger = Ledger(settings.budget, kept_in)
        drafts = drafts or Drafts(Path(folder) / "drafts")
        backend = Backend(cast("Gateway", gateway), engine, kept_in, ledger, drafts=drafts)
        chat = Chat(backend, this, private=private, attended=True, guided=settings.guided)
        session = ChatSession(chat)
        if conversation is not None:
            store.save(conversation)
            await Conversations(session).open(conversation.id)
        library = Library(store if kept else None, Path(folder) / "exports")
        models_at_hand = ModelCatalog(settings, Gateway({}, {}), {})
        catalog = RecipeCatalog(settings, Gateway({}, {}), paths.recipes_dir(), models_at_hand.local_servers)
        app = WatchedApp(session, catalog, models_at_hand, library, settings, why=why, problems=problems)
        store.on_problem(app.tell_of_the_disk)
        async with app.run_test(size=size, notifications=True) as pilot:
            yield Bench(app, pilot, engine, models, gateway, chat, library, store, copied)
        if app.faults and app.faults[0] is not None:
            raise app.faults[0]


async def past_turn(
    prompt: str, this: Recipe = ALONE, parent: Turn | None = None, **scripts: Sequence[Sequence[Step]]
) -> Turn:
    """A turn that is over."""
    history: list[Message] = [{"role": "user", "content": prompt}]
    outcome = await run(this, history, FakeModels(**scripts), lambda _: None)
    return Turn(prompt, this, outcome, parent)


def static_text(static: Static) -> str:
    """What a Static holds, without its styles."""
    return str(static.content)
