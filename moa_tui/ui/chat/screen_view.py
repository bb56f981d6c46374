"""The chat screen as its controllers see it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

from textual.widgets import Static

from moa_tui.errors import MoaTuiError, UntrustedServerError
from moa_tui.ui.prompt.prompt_box import PromptBox
from moa_tui.ui.screens import trust_screen
from moa_tui.ui.terminal import clipboard
from moa_tui.ui.widgets.chat_body import ChatBody
from moa_tui.ui.widgets.find_bar import FindBar
from moa_tui.ui.widgets.run_panel import RunPanel
from moa_tui.ui.widgets.status_bar import StatusBar
from moa_tui.ui.widgets.title_bar import TitleBar
from moa_tui.ui.widgets.transcript import Transcript
from moa_tui.ui.widgets.welcome import Welcome

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from textual.message import Message
    from textual.notifications import SeverityLevel
    from textual.screen import Screen
    from textual.timer import Timer
    from textual.widget import Widget
    from textual.worker import Worker

    from moa_tui.chat.trust_words import TrustAnswer

Result = TypeVar("Result")


class ScreenView:
    """A `view.ChatView` over the widgets of one screen."""

    def __init__(
        self, screen: Screen[None], answer: Callable[[Mapping[str, str], TrustAnswer], None]
    ) -> None:
        """`answer` takes what the person said about servers, which are given with their words."""
        self._screen = screen
        self._answer = answer
        self.ticker: Timer | None = None
        """Follows a run; set once the screen is mounted."""

    @property
    def box(self) -> PromptBox:
        return self._screen.query_one(PromptBox)

    @property
    def panel(self) -> RunPanel:
        return self._screen.query_one(RunPanel)

    @property
    def body(self) -> ChatBody:
        return self._screen.query_one(ChatBody)

    @property
    def transcript(self) -> Transcript:
        return self._screen.query_one(Transcript)

    @property
    def title(self) -> TitleBar:
        return self._screen.query_one(TitleBar)

    @property
    def welcome(self) -> Welcome:
        return self._screen.query_one(Welcome)

    @property
    def queue(self) -> Static:
        return self._screen.query_one("#queue", Static)

    @property
    def status(self) -> StatusBar:
        return self._screen.query_one(StatusBar)

    @property
    def find_bar(self) -> FindBar:
        return self._screen.query_one(FindBar)

    @property
    def is_ready(self) -> bool:
        return self.ticker is not None and bool(self._screen.query(StatusBar))

    @property
    def is_in_front(self) -> bool:
        return self._screen.app.screen is self._screen

    @property
    def is_side_by_side(self) -> bool:
        return self._screen.has_class("-side") and self.body.mode != "panes"

    def say(
        self, text: str, *, title: str = "", severity: SeverityLevel = "information", seconds: float = 5
    ) -> None:
        self._screen.notify(text, title=title, severity=severity, timeout=seconds, markup=False)

    def complain(self, error: MoaTuiError) -> None:
        if isinstance(error, UntrustedServerError) and error.servers:
            self._ask_to_trust(error, lambda: self.say("that may be sent now: send it again"))
        else:
            self.say(str(error), title="That did not work", severity="error", seconds=15)

    async def attempt(self, action: Awaitable[object] | Callable[[], Awaitable[object]]) -> bool:
        try:
            await (action() if callable(action) else action)
        except UntrustedServerError as error:
            if callable(action) and error.servers:
                self._ask_to_trust(error, partial(self.start, action, "trusted"))
            else:
                self.complain(error)
            return False
        except MoaTuiError as error:
            self.complain(error)
            return False
        return True

    def _ask_to_trust(self, error: UntrustedServerError, go_on: Callable[[], None]) -> None:
        """Ask whether prompts may go to the servers that `error` names; `go_on` is called where they may."""

        def answered(answer: TrustAnswer | None) -> None:
            if answer is None:
                return
            try:
                self._answer(error.servers, answer)
            except MoaTuiError as problem:
                self.complain(problem)
            if answer != "never":
                go_on()

        prompt = self.box.prompt
        self.show_dialog(trust_screen.TrustScreen(error, prompt.line_writer()), answered)

    def start(self, action: Callable[[], Awaitable[object]], group: str) -> None:
        # Called by the worker: a coroutine made here would be left unawaited if the program was left at once.
        async def work() -> None:
            await self.attempt(action)

        _: Worker[None] = self._screen.run_worker(work, group=group, exclusive=True)

    def show_dialog(
        self, dialog: Screen[Result], on_result: Callable[[Result | None], None] | None = None
    ) -> None:
        self._screen.app.push_screen(dialog, on_result)

    def post(self, message: Message) -> None:
        self._screen.post_message(message)

    def copy(self, text: str) -> None:
        if text:
            _: Worker[None] = self._screen.run_worker(partial(self._copy, text), group="copy")
        else:
            self.say("there is nothing to copy yet")

    async def _copy(self, text: str) -> None:
        self.say(await clipboard.copy(self._screen.app, text))

    def focus_prompt(self) -> None:
        self._screen.set_focus(self.box.prompt)

    def focus_again(self, before: Widget | None) -> None:
        """Give the focus back to what had it while there was room, else to the prompt."""
        # A pane may have no place in the new size.
        self._screen.set_focus(before if before in self._screen.focus_chain else self.box.prompt)

    def open_panel(self, is_open: bool) -> None:
        self.panel.set_class(is_open, "-open")
        self.body.divide(anew=True)
        if not is_open and self.panel.has_focus_within:
            self.focus_prompt()
        if is_open:
            self._screen.call_after_refresh(self.panel.tick)

    def set_empty(self, is_empty: bool) -> None:
        self._screen.set_class(is_empty, "-empty")
        self.box.prompt.is_offering = is_empty

    def keys_changed(self) -> None:
        self._screen.refresh_bindings()

    def set_ticking(self, is_ticking: bool) -> None:
        if self.ticker is not None:
            (self.ticker.resume if is_ticking else self.ticker.pause)()
