"""The app: themes, keys, notices and the way out. Everything about a conversation is its screen's."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
import threading
import time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import SystemCommand
from textual.binding import Binding
from textual.events import DescendantFocus, Event, Key, Paste, Resize
from textual.widgets import Input, TextArea

from moa_tui import deferred
from moa_tui.errors import FileError, UsageError
from moa_tui.settings import config, paths
from moa_tui.settings.fault_log import record_bug
from moa_tui.ui import keymap, themes
from moa_tui.ui.chat.fault_net import FaultNet
from moa_tui.ui.chat.screen import ChatScreen
from moa_tui.ui.prompt import editor
from moa_tui.ui.prompt.prompt import Prompt
from moa_tui.ui.rows.line_filter import ControlFilter, StillFilter
from moa_tui.ui.screens import (
    checklist_screen,
    guide_screen,
    help_screen,
    left_out_screen,
    link_screen,
    palette,
    theme_screen,
    trust_screen,
)
from moa_tui.ui.screens.compare import compare_panes, compare_screen
from moa_tui.ui.screens.guard import GuardedScreen
from moa_tui.ui.screens.inspect import inspector_screen
from moa_tui.ui.screens.recipes import options_form, recipe_editor, recipe_screen
from moa_tui.ui.screens.sessions import fork_screen, session_dialogs, sessions_screen, stats_screen
from moa_tui.ui.terminal.clipboard import copy
from moa_tui.ui.terminal.daemon_threads import DaemonThreads
from moa_tui.ui.terminal.textual_private import DeafScreen, PrivateTracebackApp, write_to_terminal
from moa_tui.ui.widgets.agent_pane import AgentPane
from moa_tui.ui.widgets.choice_line import ChoiceLine
from moa_tui.ui.widgets.find_bar import FindBar
from moa_tui.ui.widgets.live_text import LiveText
from moa_tui.ui.widgets.reading_keys import ReadingKeys
from moa_tui.ui.widgets.run_panel import RunPanel
from moa_tui.ui.widgets.transcript import Transcript
from moa_tui.ui.widgets.turn_view import TurnView

if sys.platform != "win32":
    from textual.drivers.linux_driver import LinuxDriver

    from moa_tui.ui.terminal.paste_guard import GuardedDriver

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from textual.await_complete import AwaitComplete
    from textual.binding import BindingType
    from textual.dom import DOMNode
    from textual.driver import Driver
    from textual.filter import LineFilter
    from textual.screen import Screen
    from textual.worker import Worker

    from moa_tui.chat.library import Library
    from moa_tui.chat.session import ChatSession
    from moa_tui.errors import StoreError
    from moa_tui.recipes.catalog import RecipeCatalog
    from moa_tui.recipes.models import ModelCatalog
    from moa_tui.settings.config import Settings
    from moa_tui.ui.chat.requests import (
        AttentionRequested,
        FaultSeen,
        HelpRequested,
        LinkRequested,
        ThemeRequested,
    )
    from moa_tui.ui.rows.rows_widget import RowsWidget

# A thread that imports would hold up the keys that are typed as soon as the first frame is drawn.
_REST_AFTER_SECONDS = 0.3
_QUIT_WITHIN_SECONDS = 3.0
_DROP_WITHIN_SECONDS = 10.0
_KEYS_THAT_CLOSE = ("enter", "escape")
_VIM_STOP = "ctrl+c"


class MoaApp(PrivateTracebackApp):
    """The chat in a terminal. Everything it needs is handed in."""

    TITLE = "moa-tui"
    HELP_TITLE = "Everywhere"
    # Textual reads no CSS_PATH of an app's default screen, so it stands here.
    CSS_PATH = [  # noqa: RUF012 - as the library has it
        Path(__file__).with_name("app.tcss"),
        Path(__file__).parent / "chat" / "screen.tcss",
    ]
    BINDINGS: ClassVar[list[BindingType]] = [
        # Before a dialog, which lets no other key through to here.
        Binding("f1", "help", "Help", id="app.help", priority=True),
        Binding("ctrl+c", "stop_run", "Stop", id="run.interrupt", priority=True),
        Binding("ctrl+c", "copy_or_quit", "Copy, or quit", id="app.copy", show=False, priority=True),
        Binding("ctrl+q", "quit", "Quit", id="app.quit", show=False, priority=True),
        Binding("escape", "to_prompt", "To the prompt", id="app.prompt", show=False),
    ]

    def __init__(
        self,
        session: ChatSession,
        catalog: RecipeCatalog,
        models: ModelCatalog,
        library: Library,
        settings: Settings,
        *,
        why: str | None = None,
        problems: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self._chat_screen = ChatScreen(session, catalog, models, library, settings, why)
        self._settings = settings
        self._problems = list(problems)
        self._quit_until = self._may_drop_until = 0.0
        self._screen_left_at = 0.0
        """When a screen was left the last time, by the clock of Textual's events."""
        self._typed_ahead: list[Key | Paste] | None = []
        """What was typed before the first frame; None from then on."""
        self._filter = ControlFilter()
        self._net = FaultNet(self, self._chat_screen.view)
        if settings.reduced_motion:
            self.animation_level = "none"
        self._wear_configured_theme()

    def _wear_configured_theme(self) -> None:
        wanted = self._settings.theme
        # The other themes can wait until the first frame is drawn.
        theme = themes.load(themes.shipped_dir(), paths.themes_dir(), name=wanted)[0].get(wanted)
        if theme is not None:
            self.register_theme(theme)
            self.theme = wanted
        else:
            self._problems.append(
                f'{paths.config_file()}: theme: there is none called "{wanted}"; '
                f"known: {', '.join(self._themes)}"
            )

    @property
    def _has_vim_keys(self) -> bool:
        return self._settings.editing == "vim"

    @cached_property
    def _themes(self) -> list[str]:
        """The names of all themes; they are read and registered when this is first asked for."""
        found, problems = themes.load(themes.shipped_dir(), paths.themes_dir())
        self._problems += problems
        for theme in found.values():
            self.register_theme(theme)
        return list(found)

    def get_default_screen(self) -> Screen[None]:
        return self._chat_screen

    def on_load(self) -> None:
        asyncio.get_running_loop().set_default_executor(DaemonThreads())

    def on_mount(self) -> None:
        # Drawing makes thousands of short-lived objects a second; by default each of these seconds would hold
        # full collections of 50 ms. The second number bounds how much one of the middle ones looks at.
        gc.set_threshold(10_000, 4, 1000)
        if not gc.isenabled():  # The start has put it off; what was made by now lives as long as the program.
            gc.freeze()
            gc.enable()
        self._leave_on_signals()
        # Textual draws only what has changed since it was stopped, and a shell has drawn over it meanwhile.
        self.app_resume_signal.subscribe(self, lambda _: self.refresh(layout=True))
        self._problems += self._use_keys()
        self._tell_problems()
        self.call_after_refresh(self._after_first_paint)

    @property
    def _is_chat_covered(self) -> bool:
        """True where another screen is above the chat, and takes the keys."""
        screens = self.screen_stack
        return self._chat_screen in screens and screens[-1] is not self._chat_screen

    async def _after_first_paint(self) -> None:
        if self._chat_screen.focused is None:
            self._chat_screen.view.focus_prompt()
        typed_ahead, self._typed_ahead = self._typed_ahead or [], None
        for event in typed_ahead:
            await self.on_event(event)
        self.run_worker(editor.drop_left_behind, thread=True)
        _: Worker[None] = self.run_worker(self._load_rest)

    async def _load_rest(self) -> None:
        """Load what the first frame did without, before somebody asks for it, and then what a run needs."""
        await asyncio.sleep(_REST_AFTER_SECONDS)
        await asyncio.to_thread(deferred.load_rest)
        await asyncio.to_thread(lambda: self._themes)
        self._tell_problems()
        self._chat_screen.session.chat.warm_up()

    def _tell_problems(self) -> None:
        """Say what is not as configured, each thing once."""
        while self._problems:
            problem = self._problems.pop(0)
            self.notify(problem, title="Not as configured", severity="warning", timeout=12, markup=False)

    def _leave_on_signals(self) -> None:
        """Being told to end leaves as ctrl+q does, the terminal as it was; a second time ends at once."""
        if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
            return
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._leave_on, number)

    def _leave_on(self, number: int) -> None:
        asyncio.get_running_loop().remove_signal_handler(number)
        self.exit(return_code=128 + number)

    def _use_keys(self) -> list[str]:
        """Put the config's keys in force; what is wrong with them, in sentences."""
        if self._has_vim_keys:
            # Esc is pressed often there, and must not stop what is paid for. See `action_stop_run`.
            self.set_keymap({"run.stop": _VIM_STOP})
        if not self._settings.keys:
            return []
        known = keymap.bindings_of(_classes_with_keys())
        self.update_keymap({name: key for name, key in self._settings.keys.items() if name in known})
        writing = {binding.key: binding.description for binding in Binding.make_bindings(TextArea.BINDINGS)}
        found = keymap.problems(self._settings.keys, known, writing, has_vim_keys=self._has_vim_keys)
        return [f"{paths.config_file()}: {problem}" for problem in found]

    def on_bug(self, error: BaseException | None) -> None:
        if error is not None:
            record_bug(error)

    def survives(self, error: Exception) -> bool:
        return self._net.catch(error) or self.is_leaving

    def on_fault_seen(self, event: FaultSeen) -> None:
        self._net.catch(event.error)

    def on_resize(self, event: Resize) -> None:
        if self.screen_stack and event.size == self.screen.outer_size:
            # The window has been another size meanwhile, and a terminal keeps little of what it cuts off.
            # Textual lays out nothing anew at the size that it knows, and so would draw nothing.
            self.screen.refresh()

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        if self._settings.reduced_motion and isinstance(event.widget, Input | TextArea):
            event.widget.cursor_blink = False

    async def on_event(self, event: Event) -> None:
        # Two Enters in one read: the second was meant for the screen that the first has closed. It must not
        # send what is written below, nor must an Esc stop the run there.
        if isinstance(event, Key) and event.key in _KEYS_THAT_CLOSE and event.time <= self._screen_left_at:
            return
        if self._typed_ahead is not None and isinstance(event, Key | Paste) and not self._is_chat_covered:
            # The prompt has not the keys yet, and what comes to a screen without focus is lost.
            self._typed_ahead.append(event)
            return
        if isinstance(event, Key) and isinstance(screen := self.screen, DeafScreen):
            # A key that came in one read with the one that has opened the screen.
            await screen.wait_until_mounted()
        await super().on_event(event)

    def key_read(self) -> None:
        self._chat_screen.controllers.following.let_key_through()

    def pop_screen(self) -> AwaitComplete:
        self._screen_left_at = Event().time
        return super().pop_screen()

    def get_driver_class(self) -> type[Driver]:
        driver = super().get_driver_class()
        if sys.platform != "win32" and driver is LinuxDriver:
            return GuardedDriver
        return driver

    def get_line_filters(self) -> Sequence[LineFilter]:
        still = [StillFilter()] if self._settings.reduced_motion else []
        return [*super().get_line_filters(), self._filter, *still]

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        seen = set()
        for node, binding, enabled, _ in screen.active_bindings.values():
            named = binding.id and not binding.id.startswith("prompt.")
            if enabled and binding.description and named and binding.action not in seen:
                seen.add(binding.action)
                where = getattr(node, "HELP_TITLE", "here")
                words = f"{self.get_key_display(binding)}: {where}"
                yield SystemCommand(binding.description, words, self._runner(binding.action, node))
        if screen is self._chat_screen:
            for words, usage, run in self._chat_screen.commands_without_argument():
                yield SystemCommand(words, usage, run)
        yield SystemCommand("Theme", "Choose how it looks", self.choose_theme)

    def _runner(self, action: str, node: DOMNode) -> Callable[[], Awaitable[bool]]:
        return lambda: self.run_action(action, default_namespace=node)

    # What the chat screen leaves to the app

    def on_help_requested(self, event: HelpRequested) -> None:
        self.action_help(event.about)

    async def on_quit_requested(self) -> None:
        await self.action_quit()

    def on_theme_requested(self, event: ThemeRequested) -> None:
        if event.name:
            self.use_theme(event.name)
        else:
            self.choose_theme()

    def on_link_requested(self, event: LinkRequested) -> None:
        self.ask_to_open(event.address)

    def on_attention_requested(self, event: AttentionRequested) -> None:
        self.tell_elsewhere(event.words)

    def on_rows_widget_link_clicked(self, event: RowsWidget.LinkClicked) -> None:
        self.ask_to_open(event.address)

    def action_command_palette(self) -> None:
        if not isinstance(self.screen, palette.Palette):
            # Without an id: one palette may lie below another screen, or be about to be removed.
            self.push_screen(palette.Palette())

    def action_help(self, about: str = "") -> None:
        """Open the help of what has the focus, or leave it; `about` is a topic of the guide, or words."""
        screen = self.screen
        if isinstance(screen, help_screen.HelpScreen):
            screen.dismiss()
        elif isinstance(screen, guide_screen.GuideScreen):
            screen.dismiss(True)
        else:
            sections = help_screen.keys_in_force(screen)
            self.push_screen(help_screen.HelpScreen(sections, help_screen.topic_of(screen), about))

    def action_to_prompt(self) -> None:
        self.clear_notifications()
        if self.screen is self._chat_screen:
            self._chat_screen.view.focus_prompt()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action != "stop_run":
            return True
        # Without Vim's keys, Esc stops a run.
        is_chat = self._has_vim_keys and bool(self.screen_stack) and self.screen is self._chat_screen
        return is_chat and self._chat_screen.session.is_running and not self._selected_text

    def action_stop_run(self) -> None:
        self._chat_screen.action_stop()

    @property
    def _selected_text(self) -> str:
        focused = self.focused
        selected = focused.selected_text if isinstance(focused, Input | TextArea) else ""
        return selected or self.screen.get_selected_text() or ""

    async def action_copy_or_quit(self) -> None:
        """Copy what is selected; with nothing selected, a second press within moments quits."""
        if selected := self._selected_text:
            self.notify(await copy(self, selected), markup=False)
            return
        now = time.monotonic()
        if now < self._quit_until:
            await self.action_quit()
            return
        self._quit_until = now + _QUIT_WITHIN_SECONDS
        self.notify("Press ctrl+c again to quit", timeout=_QUIT_WITHIN_SECONDS, markup=False)

    async def action_quit(self) -> None:
        """Leave; where that would lose a conversation, only when it is asked once more."""
        try:
            await self._chat_screen.controllers.switching.require_may_end()
            self._chat_screen.controllers.drafting.require_may_leave()
            self._require_saved()
        except UsageError as error:
            self._chat_screen.view.complain(error)
            return
        except Exception as error:  # a fault of ours must not keep anybody in the program
            self.on_bug(error)
        self.exit()

    def _require_saved(self) -> None:
        """Raise UsageError, once, where leaving would lose what was changed on a screen above the chat."""
        unsaved = [screen.unsaved for screen in self.screen_stack if isinstance(screen, GuardedScreen)]
        words = next(filter(None, reversed(unsaved)), None)
        now = time.monotonic()
        if words is not None and now > self._may_drop_until:
            self._may_drop_until = now + _DROP_WITHIN_SECONDS
            raise UsageError(f"{words} The same once more leaves and drops it")

    def keep_unsent(self) -> str | None:
        """Write what was not sent to disk once the app is over; why that cannot be, or None."""
        return self._chat_screen.controllers.drafting.keep_last()

    def choose_theme(self) -> None:
        screen = theme_screen.ThemeScreen(self._themes)
        self.push_screen(screen, lambda name: self.use_theme(name) if name else None)

    def use_theme(self, name: str) -> None:
        """Look like this from now on, and after the next start too."""
        if name not in self._themes:
            self.notify(
                f'There is no theme called "{name}": {", ".join(self._themes)}',
                severity="error",
                markup=False,
            )
            return
        self.theme = name
        path = paths.config_file()
        try:
            text = path.read_text(encoding="utf-8-sig") if path.exists() else config.TEMPLATE
            paths.write_private(path, config.with_value(text, "theme", name))
        except (OSError, UnicodeDecodeError, FileError) as error:
            reason = paths.disk_words(error) if isinstance(error, OSError) else error
            self.notify(f"{path}: the theme could not be kept: {reason}", severity="warning", markup=False)

    def ask_to_open(self, address: str) -> None:
        """Show the whole address, and open it only where the person says so."""

        def open_it(yes: bool | None) -> None:
            if yes:
                self.open_url(address)

        self.push_screen(link_screen.LinkScreen(address), open_it)

    def tell_of_the_disk(self, problem: StoreError | None) -> None:
        """Conversations cannot be written, or, with None, can be again. May be called on any thread."""
        self.call_later(self._chat_screen.controllers.switching.disk_changed, problem)

    def tell_elsewhere(self, words: str) -> None:
        """Tell whoever is looking elsewhere, as the settings say; `words` are none of a model's."""
        if self.app_focus or self._settings.notify == "none":
            return
        self.bell()
        if self._settings.notify == "desktop":
            write_to_terminal(self, f"\x1b]9;moa-tui: {words}\x07")


def _classes_with_keys() -> tuple[type[DOMNode], ...]:
    """Everything whose bindings have ids: a person may give them keys of their own."""
    return (
        *(
            MoaApp,
            ChatScreen,
            Prompt,
            Transcript,
            TurnView,
            ReadingKeys,
            RunPanel,
            AgentPane,
            LiveText,
            FindBar,
            ChoiceLine,
        ),
        *(inspector_screen.InspectorScreen, recipe_screen.RecipeScreen, sessions_screen.SessionsScreen),
        *(session_dialogs.TextScreen, session_dialogs.FormatScreen, fork_screen.ForkScreen),
        *(stats_screen.StatsScreen, compare_screen.CompareScreen, compare_panes.ComparePanes),
        *(
            checklist_screen.ChecklistScreen,
            left_out_screen.LeftOutScreen,
            trust_screen.TrustScreen,
            recipe_editor.RecipeEditor,
        ),
        *(recipe_editor.Lineup, options_form.OptionsForm, options_form.OptionField, options_form.OptionLine),
    )
