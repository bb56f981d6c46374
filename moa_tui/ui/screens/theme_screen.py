"""The choice of a theme: the app wears each theme while the highlight is on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.highlight import highlight
from textual.widgets import Button, Input, OptionList, Static
from textual.widgets.option_list import Option

from moa_tui.text.wording import GLYPHS
from moa_tui.ui.screens.guard import GuardedDialog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult


class ThemeSample(Vertical):
    """An example of each kind of text and border that a theme colours."""

    def compose(self) -> ComposeResult:
        yield Static("You", classes="-label")
        yield Static("What is a quorum?")
        yield Static("Answer", classes="-label")
        yield Static("The answers that suffice.")
        yield Static(highlight("ready = len(done) >= quorum", language="python"), classes="-code")
        for states in (("done", "retrying"), ("failed", "writing")):
            with Horizontal(classes="-states"):
                for state in states:
                    yield Static(f"{GLYPHS[state]} {state}", classes=f"-{state}")
        yield Static("380 tokens · $0.0012", classes="-muted")
        with Horizontal(classes="-borders"):
            yield Static("focus", classes="-focused")
            yield Static("no focus", classes="-blurred")


class ThemeScreen(GuardedDialog[str | None]):
    """Lists the app's themes, and gives the chosen one's name; None, with the former theme back, for none.

    The text field keeps the focus and the list follows its keys, so that typing always filters.
    """

    HELP_TITLE = "Themes"
    HELP_TOPIC = "themes"
    CSS_PATH = "theme_screen.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "restore", "Back to the former theme", id="themes.cancel"),
        Binding("up", "move('cursor_up')", "Theme above", show=False, id="themes.up"),
        Binding("down", "move('cursor_down')", "Theme below", show=False, id="themes.down"),
        Binding("pageup", "move('page_up')", "Page up", show=False, id="themes.page_up"),
        Binding("pagedown", "move('page_down')", "Page down", show=False, id="themes.page_down"),
    ]

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self._names = names
        self._former = ""

    def compose(self) -> ComposeResult:
        with Vertical(id="theme-dialog") as dialog:
            dialog.border_title = Content("Theme")
            dialog.border_subtitle = Content("↑ ↓ try on · enter keeps · esc goes back")
            yield Input(placeholder="Type to filter", compact=True, id="theme-filter")
            with Horizontal(id="theme-body"):
                with Vertical(id="theme-left"):
                    themes = OptionList(id="theme-list", markup=False, compact=True)
                    themes.can_focus = False
                    yield themes
                    yield Static("No theme is called that.", id="theme-none")
                yield ThemeSample(id="theme-sample")
            with Horizontal(id="theme-buttons"):
                yield Button("Keep", id="keep", compact=True, action="screen.keep")
                yield Button("Back", id="back", compact=True, action="screen.restore")

    def on_mount(self) -> None:
        self._former = self.app.theme
        self._list("")

    @on(Input.Changed)
    def _filtered(self, event: Input.Changed) -> None:
        event.stop()
        self._list(event.value.strip().casefold())

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_keep()

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        self._try_on(event.option_id)

    def action_move(self, how: str) -> None:
        getattr(self.query_one(OptionList), f"action_{how}")()

    def action_restore(self) -> None:
        self.app.theme = self._former
        self.dismiss(None)

    def action_keep(self) -> None:
        option = self.query_one(OptionList).highlighted_option
        if option is not None:
            self._try_on(option.id)
            self.dismiss(option.id)

    def _try_on(self, name: str | None) -> None:
        # A late message must not undo what Esc has put back.
        if name is not None and self.is_current:
            self.app.theme = name

    def _list(self, part: str) -> None:
        """List the themes whose names hold `part`, and highlight the current theme if it is among them."""
        matches = [name for name in self._names if part in name.casefold()]
        options = self.query_one(OptionList)
        options.set_options(Option(Content(name), id=name) for name in matches)
        options.display = bool(matches)
        self.query_one("#theme-none").display = not matches
        if matches:
            options.highlighted = matches.index(self.app.theme) if self.app.theme in matches else 0
