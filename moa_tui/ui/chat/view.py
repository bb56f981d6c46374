"""What the controllers of the chat ask of the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from textual.message import Message
    from textual.notifications import SeverityLevel
    from textual.screen import Screen
    from textual.widgets import Static

    from moa_tui.errors import MoaTuiError
    from moa_tui.ui.prompt.prompt_box import PromptBox
    from moa_tui.ui.widgets.chat_body import ChatBody
    from moa_tui.ui.widgets.find_bar import FindBar
    from moa_tui.ui.widgets.run_panel import RunPanel
    from moa_tui.ui.widgets.status_bar import StatusBar
    from moa_tui.ui.widgets.title_bar import TitleBar
    from moa_tui.ui.widgets.transcript import Transcript
    from moa_tui.ui.widgets.welcome import Welcome

Result = TypeVar("Result")


class ChatView(Protocol):
    """The widgets of the chat, and what is done around them. Every method is called on the screen's loop."""

    @property
    def box(self) -> PromptBox:
        """Where the person writes."""

    @property
    def panel(self) -> RunPanel:
        """Where the agents write."""

    @property
    def body(self) -> ChatBody:
        """What divides the room between the conversation and the panes."""

    @property
    def transcript(self) -> Transcript:
        """The conversation."""

    @property
    def title(self) -> TitleBar:
        """The line above everything."""

    @property
    def welcome(self) -> Welcome:
        """What stands in an empty conversation."""

    @property
    def queue(self) -> Static:
        """The prompts that wait."""

    @property
    def status(self) -> StatusBar:
        """The line below everything."""

    @property
    def find_bar(self) -> FindBar:
        """Where a text is searched for."""

    @property
    def is_ready(self) -> bool:
        """True from the first layout on until the program is left."""

    @property
    def is_in_front(self) -> bool:
        """True while no other screen lies over the chat."""

    @property
    def is_side_by_side(self) -> bool:
        """True where the panes stand beside the conversation, not below it."""

    def say(
        self, text: str, *, title: str = "", severity: SeverityLevel = "information", seconds: float = 5
    ) -> None:
        """Tell the person something in passing."""

    def complain(self, error: MoaTuiError) -> None:
        """Tell the person what went wrong, for long enough to read it."""

    async def attempt(self, action: Awaitable[object] | Callable[[], Awaitable[object]]) -> bool:
        """Wait for an action and complain of a MoaTuiError; True where there was none.

        A callable that makes the action is called again where a server had to be confirmed first, and was.
        """

    def start(self, action: Callable[[], Awaitable[object]], group: str) -> None:
        """Call an action as a task and `attempt` it; ends what was started before in that group."""

    def show_dialog(
        self, dialog: Screen[Result], on_result: Callable[[Result | None], None] | None = None
    ) -> None:
        """Put a screen over the chat; `on_result` is called with what it ended with."""

    def post(self, message: Message) -> None:
        """Send a message to whoever is around the chat."""

    def copy(self, text: str) -> None:
        """Put a text on the clipboard, and say what became of it."""

    def focus_prompt(self) -> None:
        """Take keys for the prompt, from the next one on."""

    def open_panel(self, is_open: bool) -> None:
        """Show or hide the panes."""

    def set_empty(self, is_empty: bool) -> None:
        """Show the welcome, or the conversation."""

    def keys_changed(self) -> None:
        """Show anew which keys can be used."""

    def set_ticking(self, is_ticking: bool) -> None:
        """Let the clock go that follows a run, or rest."""
