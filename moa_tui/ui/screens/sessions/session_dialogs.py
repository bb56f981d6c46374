"""The questions of the sessions screen: a line of text, and the kind of file to write."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from moa_tui.formats.export import FORMATS
from moa_tui.ui.screens.guard import GuardedDialog
from moa_tui.ui.widgets.key_bar import KeyBar

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType


class TextScreen(GuardedDialog[str | None]):
    """Asks for a line of text and gives the line as it was typed; None where the user went back."""

    HELP_TITLE = "A line of text"
    HELP_TOPIC = "conversations"
    CSS_PATH = "session_dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "accept", "Keep", id="text.accept", priority=True),
        Binding("escape", "dismiss(None)", "Back", id="text.close"),
    ]

    def __init__(self, title: str, text: str, note: str) -> None:
        """`text` is the line to begin with; `note` says what may be typed."""
        super().__init__()
        self._title = title
        self._text = text
        self._note = note

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Static(Content(self._title), id="title")
            yield Input(self._text, id="text", compact=True, select_on_focus=False)
            yield Static(Content(self._note), id="note")
            yield KeyBar()

    @property
    def unsaved(self) -> str | None:
        """See `GuardedScreen`."""
        is_changed = self.query_one(Input).value != self._text
        return f"{self._title}: what was typed is not kept yet." if is_changed else None

    def action_accept(self) -> None:
        """Give the line as it is typed."""
        self.dismiss(self.query_one(Input).value)


class FormatScreen(GuardedDialog[str | None]):
    """Asks for the format of an exported file; gives the format's name, None where the user went back."""

    HELP_TITLE = "Export"
    HELP_TOPIC = "export"
    CSS_PATH = "session_dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "Export", id="export.choose", priority=True),
        Binding("escape", "dismiss(None)", "Back", id="export.close"),
    ]

    def __init__(self, name: str) -> None:
        """`name` is the conversation's name, on one line."""
        super().__init__()
        self._name_words = name

    def compose(self) -> ComposeResult:
        width = max(len(name) for name in FORMATS)
        with Vertical(id="box"):
            yield Static(Content(f"Export {self._name_words} as"), id="title")
            yield OptionList(
                *(
                    Option(Content(f"{name:{width}}  {format.description}"), id=name)
                    for name, format in FORMATS.items()
                ),
                id="formats",
                markup=False,
                compact=True,
            )
            yield KeyBar()

    @on(OptionList.OptionSelected)
    def action_choose(self) -> None:
        """Give the highlighted format."""
        option = self.query_one(OptionList).highlighted_option
        if option is not None:
            self.dismiss(option.id)
