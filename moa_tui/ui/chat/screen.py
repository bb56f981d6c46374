"""The chat: the conversation, the panes of its run, and the prompt."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.actions import SkipAction
from textual.binding import Binding
from textual.screen import Screen
from textual.widgets import Static

from moa_tui.chat.prompt_text import PromptText
from moa_tui.errors import MoaTuiError
from moa_tui.ui.chat import commands
from moa_tui.ui.chat.controllers import Controllers
from moa_tui.ui.chat.screen_view import ScreenView
from moa_tui.ui.chat.state import ChatState
from moa_tui.ui.prompt.prompt import Prompt
from moa_tui.ui.prompt.prompt_box import PromptBox
from moa_tui.ui.run import room
from moa_tui.ui.widgets.agent_pane import AgentPane
from moa_tui.ui.widgets.chat_body import ChatBody
from moa_tui.ui.widgets.find_bar import FindBar
from moa_tui.ui.widgets.reading_keys import ReadingKeys
from moa_tui.ui.widgets.run_panel import RunPanel
from moa_tui.ui.widgets.status_bar import StatusBar
from moa_tui.ui.widgets.title_bar import TitleBar
from moa_tui.ui.widgets.transcript import Transcript
from moa_tui.ui.widgets.turn_view import TurnView
from moa_tui.ui.widgets.welcome import Welcome

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from textual import events
    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.widget import Widget

    from moa_tui.chat.library import Library
    from moa_tui.chat.session import ChatSession
    from moa_tui.recipes.catalog import RecipeCatalog
    from moa_tui.recipes.models import ModelCatalog
    from moa_tui.settings.config import Settings
    from moa_tui.ui.rows.rows_widget import RowsWidget

# Each tick draws one pane, or more where each would not be drawn within six ticks: 10 to 5 Hz for a pane.
_TICK_SECONDS = 1 / 30
# At most so much of what is typed is lost when the program is killed.
_DRAFT_SECONDS = 0.75
_SMALLEST = (60, 20)


class ChatScreen(Screen[None]):
    """Lays the chat out, and hands every key, click and command to the controller that it is for."""

    HELP_TITLE = "The chat"
    HELP_TOPIC = "chat"
    AUTO_FOCUS = "Prompt"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "stop", "Stop", id="run.stop"),
        Binding("f8", "points", "Tick points", id="run.points"),
        Binding("f9", "take_offer('budget')", "Go on over the budget", id="run.over_budget"),
        Binding("f9", "take_offer('all')", "Write from all answers", id="run.from_all"),
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
        self,
        session: ChatSession,
        catalog: RecipeCatalog,
        models: ModelCatalog,
        library: Library,
        settings: Settings,
        recipe_reason: str | None = None,
    ) -> None:
        """`recipe_reason` says why the chat begins with its recipe; None where a person named it."""
        super().__init__(classes="-empty")
        self.session = session
        self.view = ScreenView(self, session.chat.answer_about_servers)
        self.state = ChatState(session)
        self.controllers = Controllers(
            self.state, self.view, catalog, models, library, settings, recipe_reason
        )
        self._focused_before: Widget | None = None

    def compose(self) -> ComposeResult:
        # Who carries out Vim's keys; None without them.
        reader = self.controllers.reading if self.controllers.has_vim_keys else None
        yield TitleBar(id="title")
        with ChatBody(id="body"):
            leaving_out = self.controllers.leaving_out
            transcript = Transcript(
                on_end_seen=leaving_out.work_out, on_left_out=leaving_out.show_soon, id="transcript"
            )
            with ReadingKeys(transcript, reader, id="chat"):
                yield Welcome(id="welcome")
                yield transcript
            yield RunPanel(id="panel")
        yield FindBar()
        yield Static(id="queue", markup=False)
        hints = [command.hint for command in commands.COMMANDS.values()]
        yield PromptBox(hints, reader=reader, id="prompt-box")
        yield StatusBar(id="status")
        yield Static("The terminal is too small: 60 columns and 20 lines are needed.", id="too-small")

    def on_mount(self) -> None:
        self.controllers.labels.renew_title()
        self.controllers.labels.renew_welcome()
        self.view.ticker = self.set_interval(_TICK_SECONDS, self._tick, pause=True)
        self.controllers.drafting.begin()
        self.set_interval(_DRAFT_SECONDS, self.controllers.drafting.keep)
        self.call_after_refresh(self._after_first_paint)

    async def _after_first_paint(self) -> None:
        if self.session.chat.turn is not None:
            await self.controllers.switching.show_conversation()
        self.controllers.labels.tell_if_unguided()
        self.controllers.switching.tell_disk_problem()
        self.view.start(self.controllers.looking.restore_room, "room")
        self.view.start(self.controllers.choosing.look_around, "look around")
        self.view.start(self.controllers.switching.recall_prompts, "recall")
        self.controllers.drafting.restore()
        self.controllers.labels.renew_estimate()

    async def _tick(self) -> None:
        await self.controllers.following.tick()
        self.controllers.checklist.attend()

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width >= room.SIDE_BY_SIDE_WIDTH, "-side")
        is_small = event.size.width < _SMALLEST[0] or event.size.height < _SMALLEST[1]
        if is_small and not self.has_class("-too-small"):
            self._focused_before = self.focused
        elif self.has_class("-too-small") and not is_small:
            self.call_after_refresh(self.view.focus_again, self._focused_before)
        self.set_class(is_small, "-too-small")

    # What is typed

    def on_key(self, event: events.Key) -> None:
        """Write a letter that nothing here has a use for into the prompt."""
        # The prompt lets no letter through to here: one that came was typed before it had the keys.
        is_elsewhere = self.focused is None or isinstance(self.focused, TurnView | AgentPane | Prompt)
        # Bindings are looked at only after this.
        is_free = is_elsewhere and event.key not in self.active_bindings
        if is_free and event.is_printable and event.character:
            event.stop()
            prompt = self.view.box.prompt
            if prompt.vim is None or prompt.vim.is_insert:
                self.view.focus_prompt()
                prompt.insert(event.character)
            elif self.focused is None or self.focused is prompt:
                prompt.take_by_vim(event)

    async def on_prompt_box_submitted(self, event: PromptBox.Submitted) -> None:
        event.stop()
        self.view.box.prompt.remember(event.prompt.written)
        await self.view.attempt(partial(self._submit, event.prompt))
        self.controllers.drafting.keep()

    async def _submit(self, prompt: PromptText) -> None:
        """Send a prompt or obey a command; where that cannot be done, the text is back in the prompt.

        Raises MoaTuiError. The second time, after a question, it takes the text from there again.
        """
        box, command = self.view.box, commands.parse(prompt)
        box.prompt.take_back(prompt.written)
        if command is None:
            box.accept(prompt)
            await self.controllers.trying.submit(prompt)
            return
        try:
            await self._act(*command)
        except MoaTuiError:
            box.prompt.put_back(prompt.written)
            box.accept(prompt)
            raise
        box.accept(prompt)

    def on_prompt_box_edited(self) -> None:
        self.controllers.asking.prompt_edited()

    async def _obey(self, command: commands.Command, argument: PromptText) -> bool:
        """Do as the command says; True where it could be done."""
        return await self.view.attempt(partial(self._act, command, argument))

    async def _act(self, command: commands.Command, argument: PromptText) -> None:
        done = command.act(self.controllers, argument)
        if done is not None:
            await done

    def commands_without_argument(self) -> Iterator[tuple[str, str, Callable[[], Awaitable[bool]]]]:
        """Every slash command that can go without a word behind it: what it does, its name, how to run it."""
        for command in commands.COMMANDS.values():
            if not command.hint.needs_argument:
                words = command.hint.description.capitalize()
                yield words, f"/{command.hint.name}", partial(self._obey, command, PromptText(""))

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        match action:
            case "stop" | "proceed":
                return self.session.is_running
            case "points":
                return self.state.points is not None
            case "take_offer":
                return self.controllers.changing.offers(str(parameters[0]))
            case "inspect" | "panes" | "reasoning":
                return self.controllers.looking.has_run
            case _:
                return True

    def action_stop(self) -> None:
        self.controllers.asking.stop()

    def action_points(self) -> None:
        self.controllers.checklist.show()

    async def action_take_offer(self, what: str) -> None:
        await self.view.attempt(partial(self.controllers.changing.take_offer, what))

    def action_proceed(self) -> None:
        self.controllers.checklist.proceed()

    def action_inspect(self) -> None:
        focused = self.focused
        self.controllers.looking.inspect_shown(focused.run if isinstance(focused, TurnView) else None)

    def action_panes(self) -> None:
        self.controllers.looking.change_room()

    def action_reasoning(self) -> None:
        self.controllers.looking.toggle_reasoning()

    def action_recipes(self) -> None:
        self.controllers.choosing.show_recipes()

    def action_find(self) -> None:
        self.view.body.uncover()
        self.view.find_bar.open()

    def action_editor(self) -> None:
        self.view.box.edit_outside()

    def action_history(self) -> None:
        self.controllers.asking.search_history()

    def action_sessions(self) -> None:
        self.controllers.switching.show_list()

    async def action_new(self) -> None:
        await self.view.attempt(self.controllers.switching.begin())

    async def action_turn(self, step: int) -> None:
        await self.view.transcript.focus_turn(step)

    def action_scroll_page(self, step: int) -> None:
        """Page through the conversation while the prompt has the keys."""
        if not self.controllers.looking.may_page(self.focused):
            raise SkipAction
        self.view.transcript.page(step)

    async def action_newest(self) -> None:
        await self.view.transcript.action_newest()

    # What widgets ask for

    def on_agent_pane_inspect_requested(self, event: AgentPane.InspectRequested) -> None:
        self.controllers.looking.inspect_pane(event.call)

    def on_agent_pane_stop_requested(self, event: AgentPane.StopRequested) -> None:
        self.controllers.looking.stop_pane(event.call)

    async def on_agent_pane_change_requested(self, event: AgentPane.ChangeRequested) -> None:
        await self.view.attempt(partial(self.controllers.changing.change_shown, event.change))

    async def on_agent_pane_use_requested(self, event: AgentPane.UseRequested) -> None:
        await self.view.attempt(partial(self.controllers.changing.use_shown, event.call))

    async def on_agent_pane_edit_requested(self, event: AgentPane.EditRequested) -> None:
        await self.view.attempt(self.controllers.changing.edit_shown(event.call))

    async def on_agent_pane_swap_requested(self, event: AgentPane.SwapRequested) -> None:
        await self.view.attempt(self.controllers.changing.swap_shown(event.call))

    async def on_run_panel_agent_requested(self) -> None:
        await self.view.attempt(self.controllers.changing.add_to_shown())

    def on_turn_view_panes_requested(self, event: TurnView.PanesRequested) -> None:
        self.controllers.looking.toggle_panes_of(event.run)

    def on_turn_view_links_requested(self, event: TurnView.LinksRequested) -> None:
        self.controllers.looking.choose_link(event.links)

    def on_turn_view_alternative_requested(self, event: TurnView.AlternativeRequested) -> None:
        self.view.start(partial(self.controllers.switching.show_alternative, event.turn, event.step), "open")

    async def on_turn_view_branch_requested(self, event: TurnView.BranchRequested) -> None:
        await self.view.attempt(self.controllers.asking.edit_turn(event.turn))

    def on_turn_view_fork_requested(self, event: TurnView.ForkRequested) -> None:
        self.view.start(partial(self.controllers.switching.fork, event.turn), "open")

    async def on_find_bar_step(self, event: FindBar.Step) -> None:
        await self.controllers.looking.find(event.text, event.step)

    async def on_find_bar_closed(self) -> None:
        await self.controllers.reading.end_find()

    def on_rows_widget_copy_requested(self, event: RowsWidget.CopyRequested) -> None:
        self.view.copy(event.text)
