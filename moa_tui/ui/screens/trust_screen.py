"""Asks whether a recipe may send prompts to servers that the person has not set up."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from moa_tui.chat import trust_words
from moa_tui.chat.trust_words import TrustAnswer
from moa_tui.ui.screens.guard import GuardedDialog
from moa_tui.ui.widgets.key_bar import KeyBar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from moa_tui.errors import UntrustedServerError

_CHOICES: tuple[tuple[TrustAnswer | None, str], ...] = (
    (None, "Not now: nothing is sent"),
    ("once", "Yes, until this program ends"),
    ("always", "Yes, always"),
    ("never", "Never, and do not ask again"),
)
_YES: tuple[TrustAnswer, ...] = ("once", "always")

QUIET_SECONDS = 0.7
"""How long no key must have been pressed before one counts. Who types does not read."""

_WAIT = "Keys count after a short pause. Text goes to the prompt."
_READ_ON = "pagedown: see all servers before you can choose yes"
_TOO_SMALL = "Too small a terminal to choose yes: make it larger"
_HINT = "Your own server: set it up as [endpoints.NAME]"


class _Choices(OptionList, inherit_bindings=False):
    """The answers. The highlight stays at either end: no key leads past it to another answer."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "cursor_up", "Up", show=False),
        Binding("down", "cursor_down", "Down", show=False),
    ]

    def action_cursor_up(self) -> None:
        if self.highlighted:
            super().action_cursor_up()

    def action_cursor_down(self) -> None:
        if self.highlighted != self.option_count - 1:
            super().action_cursor_down()


class TrustScreen(GuardedDialog[TrustAnswer | None]):
    """Shows where the prompts would go; gives "once", "always" or "never", None where the user went back.

    The question may come while the person types. So keys count only after a pause, and text goes on to the
    prompt. A yes can be chosen once every server has been on the screen.
    """

    HELP_TITLE = "Servers that are not set up"
    HELP_TOPIC = "safety"
    CSS_PATH = "trust_screen.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "Choose", id="trust.choose"),
        Binding("pagedown", "page(1)", "Read on", id="trust.page_down"),
        Binding("pageup", "page(-1)", "Back", id="trust.page_up"),
        Binding("escape", "dismiss(None)", "Not now", id="trust.close"),
    ]

    def __init__(self, error: UntrustedServerError, on_text: Callable[[str], None]) -> None:
        """`error` says what is asked about; `on_text` is called with what is typed for the prompt."""
        super().__init__()
        self._places = list(dict.fromkeys(error.places))
        self._heading = _heading(error.recipe, self._places)
        self._on_text = on_text
        self._keys_count_from = float("inf")
        """The time from which on a key counts, by the clock of Textual's events."""
        self._is_fitted = False
        """True where the servers have all the room that the rest leaves, and the rest is whole."""
        self._was_read = False

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Static(self._heading, id="title")
            with VerticalScroll(id="places", can_focus=False):
                yield Static(Content("\n".join(_lines(self._places))))
            yield Static(_WAIT, id="note", markup=False)
            yield _Choices(
                *(Option(Content(words), disabled=answer in _YES) for answer, words in _CHOICES),
                id="answers",
                markup=False,
                compact=True,
            )
            yield KeyBar()

    def on_mount(self) -> None:
        choices = self.query_one(OptionList)
        choices.highlighted = 0
        choices.focus()
        self.watch(self.query_one("#places"), "scroll_y", self._renew, init=False)
        self.call_after_refresh(self._fit)
        self.call_after_refresh(self._wait_for_quiet)

    def on_resize(self) -> None:
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        """Give the servers the room that the rest of the question leaves."""
        box, places = self.query_one("#box"), self.query_one("#places")
        rest = sum(child.outer_size.height for child in box.children if child is not places)
        room = self.size.height - box.gutter.height - rest
        self._is_fitted = False
        places.styles.max_height = max(1, room)
        self.call_after_refresh(self._fitted, room > 0)

    def _fitted(self, is_whole: bool) -> None:
        self._is_fitted = is_whole
        self._renew()

    def _renew(self) -> None:
        """Say what can be done now, and offer a yes once all was read."""
        places = self.query_one("#places", VerticalScroll)
        if self._is_fitted and places.scroll_offset.y >= places.max_scroll_y:
            self._was_read = True
        may_say_yes = self._is_fitted and self._was_read
        choices = self.query_one(OptionList)
        for index, (answer, _) in enumerate(_CHOICES):
            if answer in _YES:
                (choices.enable_option_at_index if may_say_yes else choices.disable_option_at_index)(index)
                if choices.highlighted == index and not may_say_yes:
                    choices.highlighted = 0
        if not self._counts(events.Event()):
            note = _WAIT
        elif not self._is_fitted:
            note = _TOO_SMALL
        else:
            note = _HINT if may_say_yes else _READ_ON
        self.query_one("#note", Static).update(note)

    # Keys

    def _counts(self, event: events.Event) -> bool:
        return event.time >= self._keys_count_from

    def _wait_for_quiet(self) -> None:
        """Let nothing count until no key was pressed for a while."""
        self._keys_count_from = events.Event().time + QUIET_SECONDS
        # A little later, since a timer may be early by its clock.
        self.set_timer(QUIET_SECONDS + 0.02, self._renew)
        self._renew()

    def on_key(self, event: events.Key) -> None:
        """Keep a key from having an effect while the person types; pass text on to the prompt."""
        text = event.character if event.is_printable else None
        if self._counts(event) and text is None:
            return
        event.stop()
        event.prevent_default()
        self._pass_on(text or "")

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        self._pass_on(event.text)

    def _pass_on(self, text: str) -> None:
        if text:
            self._on_text(text)
        if self._keys_count_from != float("inf"):
            self._wait_for_quiet()

    def action_page(self, by: int) -> None:
        """Scroll the servers by pages where there are many."""
        places = self.query_one("#places", VerticalScroll)
        places.scroll_relative(y=by * max(1, places.size.height - 1), animate=False)

    @on(OptionList.OptionSelected)
    def action_choose(self) -> None:
        """Give the highlighted answer."""
        choices = self.query_one(OptionList)
        index = choices.highlighted
        # A click is no key, and may come as early as one.
        is_open = index is not None and not choices.get_option_at_index(index).disabled
        if index is not None and is_open and self._counts(events.Event()):
            self.dismiss(_CHOICES[index][0])


def _heading(recipe: str, places: Sequence[tuple[str, str | None]]) -> Content:
    return Content.assemble((trust_words.question(places), "bold"), "\n", trust_words.who_sends(recipe))


def _lines(places: Sequence[tuple[str, str | None]]) -> list[str]:
    return [trust_words.server_line(number, server, key) for number, (server, key) in enumerate(places, 1)]
