"""Asks whether a recipe may send prompts to servers that the person has not set up."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from textual import on
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from moa_tui.text.safe import safe_text
from moa_tui.ui.screens.guard import GuardedDialog
from moa_tui.ui.widgets.key_bar import KeyBar

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

TrustAnswer: TypeAlias = Literal["once", "always", "never"]

# The first is highlighted: keys that were typed before the question came must not say yes.
_CHOICES: tuple[tuple[TrustAnswer | None, str], ...] = (
    (None, "Not now: nothing is sent"),
    ("once", "Yes, until this program ends"),
    ("always", "Yes, always"),
    ("never", "Never, and do not ask again"),
)


class TrustScreen(GuardedDialog[TrustAnswer | None]):
    """Shows where the prompts would go; gives "once", "always" or "never", None where the user went back."""

    HELP_TITLE = "Servers that are not set up"
    CSS_PATH = "trust_screen.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "Choose", id="trust.choose", priority=True),
        Binding("pagedown", "page(1)", "Read on", id="trust.page_down", priority=True, show=False),
        Binding("pageup", "page(-1)", "Back", id="trust.page_up", priority=True, show=False),
        Binding("escape", "dismiss(None)", "Not now", id="trust.close"),
    ]

    def __init__(self, reason: str) -> None:
        """`reason` names the recipe, the servers and the variables with the keys."""
        super().__init__()
        self._reason = safe_text(reason)

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            with VerticalScroll(id="reason", can_focus=False):
                yield Static(Content(self._reason), id="title")
            yield OptionList(
                *(Option(Content(words)) for _, words in _CHOICES),
                id="answers",
                markup=False,
                compact=True,
            )
            yield KeyBar()

    def on_mount(self) -> None:
        self.query_one(OptionList).highlighted = 0
        self.query_one(OptionList).focus()

    def action_page(self, by: int) -> None:
        """Scroll the servers by pages where there are many."""
        reason = self.query_one("#reason", VerticalScroll)
        reason.scroll_relative(y=by * max(1, reason.size.height - 1), animate=False)

    @on(OptionList.OptionSelected)
    def action_choose(self) -> None:
        """Give the highlighted answer."""
        index = self.query_one(OptionList).highlighted
        if index is not None:
            self.dismiss(_CHOICES[index][0])
