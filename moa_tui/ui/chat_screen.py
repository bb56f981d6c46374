"""The chat: the conversation, the panes of its run, and the prompt."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Container, Vertical
from textual.content import Content
from textual.widgets import Static

from moa_tui.errors import MoaTuiError
from moa_tui.ui import commands
from moa_tui.ui.chat_actions import ChatActions
from moa_tui.ui.find_bar import FindBar
from moa_tui.ui.prompt_box import PromptBox
from moa_tui.ui.run_panel import RunPanel
from moa_tui.ui.session import Session
from moa_tui.ui.status_bar import StatusBar
from moa_tui.ui.title_bar import TitleBar
from moa_tui.ui.transcript import Transcript
from moa_tui.ui.welcome import Welcome
from moa_tui.wording import money, one_line

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from moa_tui.chat import Chat
    from moa_tui.choices import Choices
    from moa_tui.config import Settings
    from moa_tui.ui.run_state import RunState
    from moa_tui.ui.turn_view import TurnView

_TICK_SECONDS = 0.05
_PANES_AT_FULL_RATE = 8
_SMALLEST = (60, 20)
_SIDE_BY_SIDE_WIDTH = 180


class ChatScreen(ChatActions):
    """Sends what is typed, follows the run, and keeps every widget told of it."""

    HELP_TITLE = "The chat"
    AUTO_FOCUS = "Prompt"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "stop", "Stop", id="run.stop"),
        Binding("ctrl+g", "proceed", "Go on now", id="run.proceed"),
        Binding("ctrl+o", "inspect", "Inspect", id="run.inspect"),
        Binding("ctrl+l", "panes", "Panes", id="run.panes"),
        Binding("ctrl+t", "reasoning", "Reasoning", id="run.reasoning", show=False),
        Binding("f2", "recipes", "Recipes", id="chat.recipes"),
        Binding("f3", "find", "Find", id="chat.find", show=False),
        Binding("f4", "editor", "Editor", id="chat.editor", show=False),
        Binding("ctrl+r", "history", "History", id="chat.history", show=False),
        Binding("ctrl+n", "new", "New", id="chat.new", show=False),
        Binding("ctrl+up", "turn(-1)", "Turn before", id="chat.turn_before", show=False),
        Binding("ctrl+down", "turn(1)", "Turn after", id="chat.turn_after", show=False),
        Binding("pageup", "scroll_page(-1)", "Page up", id="chat.page_up", show=False, priority=True),
        Binding("pagedown", "scroll_page(1)", "Page down", id="chat.page_down", show=False, priority=True),
        Binding("ctrl+end", "newest", "To the newest", id="chat.newest", show=False),
    ]

    def __init__(self, chat: Chat, choices: Choices, settings: Settings, why: str | None = None) -> None:
        super().__init__(Session(chat), choices)
        self._settings = settings
        self._why = why
        self._ticks = 0

    def compose(self) -> ComposeResult:
        yield TitleBar(id="title")
        with Container(id="body"):
            with Vertical(id="chat"):
                yield Welcome(id="welcome")
                yield Transcript(id="transcript")
            yield RunPanel(id="panel")
        yield FindBar()
        yield Static(id="queue", markup=False)
        yield PromptBox([command.hint for command in commands.COMMANDS.values()], id="prompt-box")
        yield StatusBar(id="status")
        yield Static("The terminal is too small: 60 columns and 20 lines are needed.", id="too-small")

    def on_mount(self) -> None:
        self.add_class("-empty", "-panel-closed")
        self.renew_title()
        self.query_one(Welcome).tell(self.session.chat.recipe, self._why, None)
        self.set_interval(_TICK_SECONDS, self._tick)
        self.box.prompt.cursor_blink = not self._settings.reduced_motion
        self.call_after_refresh(self._after_first_paint)

    def _after_first_paint(self) -> None:
        self.session.chat.warm_up()
        self.run_worker(self._look_around())
        self.renew_estimate()

    async def _look_around(self) -> None:
        situation = await asyncio.to_thread(self.choices.situation)
        self.query_one(Welcome).tell(self.session.chat.recipe, self._why, situation)

    # What is typed

    async def on_prompt_box_submitted(self, event: PromptBox.Submitted) -> None:
        event.stop()
        command = commands.parse(event.shown)
        self.box.clear()
        self.box.prompt.remember(event.shown)
        if command is not None:
            await self._obey(*command)
        elif self.session.running is not None:
            self.session.waiting.append(event.text)
            self.show_queue()
        else:
            await self.send(event.text)

    async def _obey(self, command: commands.Command, argument: str) -> None:
        try:
            done = command.act(self, argument)
            if done is not None:
                await done
        except MoaTuiError as error:
            self.complain(error)

    # The run

    async def _tick(self) -> None:
        self._ticks += 1
        session = self.session
        if session.running is not None and session.run is not None:
            run = session.run
            waited = run.final.state == "waiting"
            ended, again = session.drain()
            view = self._view_of(run)
            if view is not None and again:
                view.restart()
            if view is not None and (ended or self._ticks % 2):
                view.tick()
            if waited and run.final.state != "waiting" and not self._settings.keep_panes_open:
                self._fold(run)
            if ended:
                await self._end_run(run)
        # A few panes at each tick: drawing all at once would keep a key waiting for as long.
        every = 2 if len(self.panel.panes) <= _PANES_AT_FULL_RATE else 4
        self.panel.tick(self._ticks % every, every)
        self.query_one(StatusBar).show(self._numbers())

    def _fold(self, run: RunState) -> None:
        """The final answer begins: give it the room the panes had, unless the person is in them."""
        if self.panel.run is run and not self.panel.has_focus_within and not self.has_class("-side"):
            self.open_panel(False)

    async def _end_run(self, run: RunState) -> None:
        session = self.session
        prompt = session.running.turn.prompt if session.running else ""
        try:
            turn = session.end()
        except MoaTuiError as error:
            turn = None
            self.complain(error)
        if turn is None:
            await self.query_one(Transcript).drop_last()
            self.set_class(not self.query_one(Transcript).turns, "-empty")
            self.open_panel(False)
            self.box.prompt.put_back(prompt)
        else:
            self.panel.tick()
        self.refresh_bindings()
        self.post_message(self.Wish("ended"))
        self.renew_estimate()
        answered = (
            turn is not None and turn.outcome is not None and turn.outcome.status in ("done", "partial")
        )
        if session.waiting and answered:
            await self.send(session.waiting.pop(0))
        elif session.waiting:
            while (text := session.take_back()) is not None:
                self.box.prompt.put_back(text)
            self.say("the message that waited is back in the prompt, since the run came to no answer")
        self.show_queue()

    def _numbers(self) -> str:
        """What the run on screen, and the conversation, have taken."""
        session = self.session
        run = session.run
        parts = []
        if run is not None and session.running is not None:
            parts.append(run.stage())
            parts.append(f"{run.now:.0f} s")
        if session.tokens:
            parts.append(f"{session.tokens:,} tokens")
        if session.spent:
            parts.append(money(session.spent))
        return " · ".join(parts)

    def show_queue(self) -> None:
        queue = self.query_one("#queue", Static)
        queue.set_class(bool(self.session.waiting), "-some")
        lines = [f"waits: {one_line(text[:500])}" for text in self.session.waiting]
        if lines:
            lines[-1] += "  (Esc takes it back)"
        queue.update(Content("\n".join(lines)))

    def _view_of(self, run: RunState) -> TurnView | None:
        return next((view for view in self.query_one(Transcript).views if view.run is run), None)

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width >= _SIDE_BY_SIDE_WIDTH, "-side")
        self.panel.set_class(event.size.width >= _SIDE_BY_SIDE_WIDTH, "-side")
        small = event.size.width < _SMALLEST[0] or event.size.height < _SMALLEST[1]
        self.set_class(small, "-too-small")
