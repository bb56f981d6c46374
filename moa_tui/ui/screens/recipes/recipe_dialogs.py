"""The dialogs of the recipe editor: a name to save under, unsaved changes, a trial of one agent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual import work
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static

from moa_tui.errors import MoaTuiError
from moa_tui.text.safe import one_line
from moa_tui.ui.screens.guard import GuardedDialog
from moa_tui.ui.widgets.key_bar import KeyBar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from moa_tui.engine.agent import Agent

# Characters of a trial's answer that are shown: its beginning says already whether the model works.
_LONGEST_ANSWER = 2_000


class SaveName(NamedTuple):
    """The name to save a recipe under, and whether the recipe of that name is replaced."""

    name: str
    replaces: bool


class NameScreen(GuardedDialog[SaveName | None]):
    """Asks for a recipe's name; gives None where the user went back."""

    HELP_TITLE = "Save the recipe"
    HELP_TOPIC = "recipes"
    CSS_PATH = "recipe_dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "accept", "Save", id="name.accept", priority=True),
        Binding("escape", "dismiss(None)", "Back", id="name.close"),
    ]

    def __init__(self, name: str, is_taken: Callable[[str], bool]) -> None:
        """`name` is suggested; `is_taken` is called on a thread and may raise MoaTuiError."""
        super().__init__()
        self._suggested = name
        self._is_taken = is_taken
        self._warned_of: str | None = None

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Static("Save the recipe as", id="title", markup=False)
            yield Input(self._suggested, id="name", compact=True)
            yield Static("Letters, digits, dot, dash and underscore.", id="note", markup=False)
            yield KeyBar()

    def action_accept(self) -> None:
        """Check the name, and give it if it is free or was entered a second time after the warning."""
        self._check(self.query_one(Input).value.strip())

    @work(exclusive=True)
    async def _check(self, name: str) -> None:
        try:
            replaces = await asyncio.to_thread(self._is_taken, name)
        except MoaTuiError as error:
            self._show_note(f"✗ {error}")
            return
        if replaces and self._warned_of != name:
            self._warned_of = name
            self._show_note(f"✗ You have a recipe {name} already. Enter once more replaces it.")
            return
        self.dismiss(SaveName(name, replaces))

    def _show_note(self, text: str) -> None:
        self.query_one("#note", Static).update(Content(text))


class DropScreen(GuardedDialog[bool]):
    """Asks whether to drop unsaved changes; gives True to drop them."""

    HELP_TITLE = "Unsaved changes"
    HELP_TOPIC = "recipes"
    CSS_PATH = "recipe_dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "dismiss(True)", "Drop the changes", id="drop.drop"),
        Binding("escape,enter", "dismiss(False)", "Go on editing", id="drop.keep"),
    ]

    def __init__(self, warning: str) -> None:
        """`warning` says in a sentence what would be lost."""
        super().__init__()
        self._warning = warning

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Static(self._warning, id="title", markup=False)
            yield KeyBar()


class TryScreen(GuardedDialog[None]):
    """Asks an agent one short question, and shows the beginning of its answer or the whole error."""

    HELP_TITLE = "Try once"
    HELP_TOPIC = "recipes"
    CSS_PATH = "recipe_dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter", "dismiss(None)", "Close", id="try.close")
    ]

    def __init__(self, agent: Agent, try_once: Callable[[Agent], Awaitable[str]]) -> None:
        super().__init__()
        self._agent = agent
        self._try_once = try_once

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Static(Content(one_line(f"{self._agent.name}: {self._agent.model}")), id="title")
            with VerticalScroll():
                yield Static("● asking…", id="note", markup=False)
            yield KeyBar()

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()
        self._ask()

    @work(exclusive=True)
    async def _ask(self) -> None:
        note = self.query_one("#note", Static)
        try:
            answer = await self._try_once(self._agent)
        except MoaTuiError as error:
            note.update(Content(f"✗ failed\n{error}"))
            return
        more = len(answer) - _LONGEST_ANSWER
        rest = f"\n… and {more:,} characters more" if more > 0 else ""
        note.update(Content(f"✓ answered\n{answer[:_LONGEST_ANSWER]}{rest}"))
