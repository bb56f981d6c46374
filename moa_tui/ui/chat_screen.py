"""The chat: the conversation, the panes of its run, and the prompt."""

from __future__ import annotations

import asyncio
import traceback
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.binding import Binding
from textual.containers import Container, Vertical
from textual.widgets import Static

from moa_tui.errors import MoaTuiError
from moa_tui.fault_log import record_bug
from moa_tui.ui import commands
from moa_tui.ui.agent_pane import AgentPane
from moa_tui.ui.budget_actions import BudgetActions
from moa_tui.ui.compare_actions import CompareActions
from moa_tui.ui.find_bar import FindBar
from moa_tui.ui.guided_actions import GuidedActions
from moa_tui.ui.prompt import Prompt
from moa_tui.ui.prompt_box import PromptBox
from moa_tui.ui.run_panel import RunPanel
from moa_tui.ui.session import Draft, Session
from moa_tui.ui.status_bar import StatusBar
from moa_tui.ui.title_bar import TitleBar
from moa_tui.ui.transcript import Transcript
from moa_tui.ui.turn_view import TurnView
from moa_tui.ui.welcome import Welcome

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from textual import events
    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.widget import Widget

    from moa_tui.chat import Chat
    from moa_tui.choices import Choices
    from moa_tui.config import Settings
    from moa_tui.library import Library
    from moa_tui.ui.run_state import RunState

# Each tick draws a third of the panes, or a sixth of many: 10 Hz for a pane, 5 Hz beyond eight.
_TICK_SECONDS = 1 / 30
_PANES_AT_FULL_RATE = 8
_SMALLEST = (60, 20)
_SIDE_BY_SIDE_WIDTH = 180


class ChatScreen(GuidedActions, CompareActions, BudgetActions):
    """Sends what is typed, follows the run, and keeps every widget told of it."""

    HELP_TITLE = "The chat"
    AUTO_FOCUS = "Prompt"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "stop", "Stop", id="run.stop"),
        Binding("f8", "points", "Tick points", id="run.points"),
        Binding("f9", "over_budget", "Go on over the budget", id="run.over_budget"),
        Binding("ctrl+g", "proceed", "Go on now", id="run.proceed"),
        Binding("ctrl+o", "inspect", "Inspect", id="run.inspect"),
        Binding("ctrl+l", "panes", "Panes", id="run.panes"),
        Binding("ctrl+t", "reasoning", "Reasoning or text", id="run.reasoning", show=False),
        Binding("f2", "recipes", "Recipes", id="chat.recipes"),
        Binding("f3", "find", "Find in the conversation", id="chat.find", show=False),
        Binding("f4", "editor", "Write in your editor", id="chat.editor", show=False),
        Binding("ctrl+r", "history", "Search earlier prompts", id="chat.history", show=False),
        Binding("ctrl+s", "sessions", "Sessions", id="chat.sessions", show=False),
        Binding("ctrl+n", "new", "New conversation", id="chat.new", show=False),
        Binding("ctrl+up", "turn(-1)", "Turn before", id="chat.turn_before", show=False),
        Binding("ctrl+down", "turn(1)", "Turn after", id="chat.turn_after", show=False),
        Binding("pageup", "scroll_page(-1)", "Page up", id="chat.page_up", show=False, priority=True),
        Binding("pagedown", "scroll_page(1)", "Page down", id="chat.page_down", show=False, priority=True),
        Binding("ctrl+end", "newest", "To the newest", id="chat.newest", show=False),
    ]

    def __init__(
        self, chat: Chat, choices: Choices, library: Library, settings: Settings, why: str | None = None
    ) -> None:
        super().__init__(Session(chat), choices, why)
        self.library = library
        self._settings = settings
        self._ticks = 0
        self._focused_before: Widget | None = None

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
        self.renew_welcome()
        self.ticker = self.set_interval(_TICK_SECONDS, self._tick, pause=True)
        self.box.prompt.cursor_blink = not self._settings.reduced_motion
        self.call_after_refresh(self._after_first_paint)

    async def _after_first_paint(self) -> None:
        if self.session.chat.turn is not None:
            await self.show_conversation()
        self.session.chat.warm_up()
        self.tell_if_unguided()
        self._look_around()
        self._recall()
        self.renew_estimate()

    # As decorated methods: handed over as coroutines, they would be left unawaited by a program left at once.

    @work(group="recall")
    async def _recall(self) -> None:
        await self._quietly(self.recall_prompts())

    @work(group="look around")
    async def _look_around(self) -> None:
        self.situation = await asyncio.to_thread(self.choices.situation)
        self.renew_welcome()

    # What is typed

    def on_key(self, event: events.Key) -> None:
        """A letter that nothing here has a use for is meant for the prompt."""
        # The prompt lets no letter through to here: one that came was typed before it had the keys.
        elsewhere = self.focused is None or isinstance(self.focused, TurnView | AgentPane | Prompt)
        # Bindings are looked at only after this.
        free = elsewhere and event.key not in self.active_bindings
        if free and event.is_printable and event.character:
            event.stop()
            self.focus_prompt()
            self.box.prompt.insert(event.character)

    async def on_prompt_box_submitted(self, event: PromptBox.Submitted) -> None:
        event.stop()
        self.box.clear()
        self.box.prompt.remember(event.shown)
        try:
            # With the files that it names, where the command takes a message for the models.
            command = commands.parse(event.text)
            self.given = Draft(event.text, event.shown)
        except MoaTuiError as error:
            self.complain(error)
            self.box.prompt.put_back(event.shown)
            return
        if command is not None:
            if not await self._obey(*command):
                self.box.prompt.put_back(event.shown)
        elif self.session.running is not None:
            self.session.waiting.append(Draft(event.text, event.shown))
            self.show_queue()
        else:
            await self.send(Draft(event.text, event.shown))

    async def _obey(self, command: commands.Command, argument: str) -> bool:
        """Do as the command says; whether it could be done."""
        try:
            done = command.act(self, argument)
            if done is not None:
                await done
        except MoaTuiError as error:
            self.complain(error)
            return False
        return True

    def commands_without_argument(self) -> Iterator[tuple[str, str, Callable[[], Awaitable[bool]]]]:
        """Every slash command that can go without a word behind it: what it does, its name, how to run it."""
        for command in commands.COMMANDS.values():
            if not command.hint.needs_argument:
                words = command.hint.description.capitalize()
                yield words, f"/{command.hint.name}", partial(self._obey, command, "")

    # The run

    async def _tick(self) -> None:
        self._ticks += 1
        session = self.session
        if session.running is not None and session.run is not None:
            run = session.run
            waited = not run.answering
            ended, again = session.drain()
            view = self._view_of(run)
            if view is not None and again:
                view.restart()
            if view is not None and (ended or self._ticks % 3 == 0):
                view.tick()
            if waited and run.answering and not self._settings.keep_panes_open:
                self._fold(run)
            if ended:
                await self._end_run(run)
        # A few panes at each tick: drawing all at once would keep a key waiting for as long.
        every = 3 if len(self.panel.panes) <= _PANES_AT_FULL_RATE else 6
        self.panel.tick(self._ticks % every, every)
        self.renew_numbers()
        if session.running is None:
            # Nothing moves any more: an idle chat should take no time at all.
            self.panel.tick()
            self.ticker.pause()
        self.attend()

    def _fold(self, run: RunState) -> None:
        """The final answer begins: give it the room the panes had, unless the person is in them."""
        if self.panel.run is run and not self.panel.has_focus_within and not self.has_class("-side"):
            self.open_panel(False)

    async def _end_run(self, run: RunState) -> None:
        session = self.session
        turn = None
        try:
            turn = session.end()
        except MoaTuiError as error:
            self.complain(error)
        except Exception as error:  # a fault of ours must not take the conversation with it
            where = f"{_place_of(error)}; {record_bug(error)}"
            self.complain(MoaTuiError(f"moa-tui has a fault, please report it: {where}"))
        if turn is None:
            # First all that must not wait: while the turn is taken away, the next may be begun.
            self.panel.run = None
            self.open_panel(False)
            if session.draft.shown:
                self.box.prompt.put_back(session.draft.shown)
            await self.transcript.drop(run)
            self.set_class(not self.transcript.turns, "-empty")
            self.renew_title()
        else:
            if self.has_class("-side"):
                # Beside the answer, what it was made from says more than itself once more.
                self.panel.look_at(run)
            self.panel.tick()
        self.refresh_bindings()
        self.post_message(self.Wish("ended"))
        self.renew_estimate()
        answered = (
            turn is not None and turn.outcome is not None and turn.outcome.status in ("done", "partial")
        )
        if answered and self._settings.title_model is not None:
            self.name_it(self._settings.title_model)
        then, session.then = session.then, None
        if then is not None and turn is not None:
            await self._quietly(then(turn))
        free = session.running is None
        if session.waiting and free and answered:
            await self.send(session.waiting.pop(0), waited=True)
        elif session.waiting and free:
            self.put_back_waiting()
            self.say("what waited is back in the prompt, since the run came to no answer")
        self.show_queue()

    def _view_of(self, run: RunState) -> TurnView | None:
        return next((view for view in self.query_one(Transcript).views if view.run is run), None)

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width >= _SIDE_BY_SIDE_WIDTH, "-side")
        self.panel.set_class(event.size.width >= _SIDE_BY_SIDE_WIDTH, "-side")
        small = event.size.width < _SMALLEST[0] or event.size.height < _SMALLEST[1]
        if small and not self.has_class("-too-small"):
            self._focused_before = self.focused
        elif self.has_class("-too-small") and not small:
            self.call_after_refresh((self._focused_before or self.box.prompt).focus)
        self.set_class(small, "-too-small")


def _place_of(error: Exception) -> str:
    """What was raised, and where. Not its words: nobody knows what they hold, and it might be a key."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"
