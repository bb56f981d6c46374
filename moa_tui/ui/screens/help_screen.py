"""The help: the keys that work on the current screen with the current focus, and the way into the guide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from rich.console import Group
from rich.table import Table
from rich.text import Text
from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input, OptionList, Static, TextArea

from moa_tui import guide
from moa_tui.errors import UsageError
from moa_tui.text.cells import cut
from moa_tui.text.safe import one_line
from moa_tui.ui.screens import guide_screen
from moa_tui.ui.screens.guard import GuardedDialog
from moa_tui.ui.screens.guide_hits import Hit, all_topics, hits_of, prepare

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.app import ComposeResult
    from textual.screen import Screen

Section = tuple[str, list[tuple[str, str]]]
"""A title, and under it keys with what they do."""

_MOVING_ABOUT = "Writing"
# The most characters of the beginning and of the end of a pasted text that are searched for.
_LONGEST_END = 1_500
# Cells of what was typed, where it is said that nothing is found.
_LONGEST_ECHO = 60


def keys_in_force(screen: Screen[Any]) -> list[Section]:
    """What each key does on `screen`, with its current focus and the keymap applied.

    There is a section for each widget, screen or app that has keys, from the focused widget outwards, titled
    with its `HELP_TITLE` or its class. Call this before the help is pushed, since a modal screen hides the
    keys of the screen below.
    """
    keys_of: dict[str, dict[tuple[str, str], list[str]]] = {}
    for node, binding, enabled, _ in screen.active_bindings.values():
        if enabled and binding.description:
            own = binding.id or not isinstance(node, Input | TextArea)
            title = getattr(node, "HELP_TITLE", type(node).__name__) if own else _MOVING_ABOUT
            rows = keys_of.setdefault(title, {})
            rows.setdefault((binding.action, _words(binding)), []).append(screen.app.get_key_display(binding))
    # The many keys of a text field are the same in every program, so they come last.
    return [
        (title, [(", ".join(dict.fromkeys(keys)), does) for (_, does), keys in rows.items()])
        for title, rows in sorted(keys_of.items(), key=lambda section: section[0] == _MOVING_ABOUT)
    ]


def topic_of(screen: Screen[Any]) -> str:
    """The topic of the guide that is about what has the focus on `screen`, by its `HELP_TOPIC`."""
    nodes = (screen.focused or screen).ancestors_with_self
    return next((topic for node in nodes if (topic := getattr(node, "HELP_TOPIC", ""))), "start")


def _words(binding: Binding) -> str:
    """What the binding does, and its id in the config."""
    return f"{binding.description}  ({binding.id})" if binding.id else binding.description


def _searchable(text: str) -> str:
    """`text` on one line; of a long one its beginning and its end, since either may name the error."""
    if len(text) > 2 * _LONGEST_END:
        text = f"{text[:_LONGEST_END]} {text[-_LONGEST_END:]}"
    return one_line(text)


class _Filter(Input):
    """A text field that does not consume `q` while it is empty, so that `q` can close the screen.

    Of a pasted text it takes all lines, for the last line of a traceback says most.
    """

    def on_paste(self, event: events.Paste) -> None:
        event.prevent_default()  # Else the first line alone is taken.
        event.stop()
        if pasted := _searchable(event.text):
            self.replace(pasted, *self.selection)

    def check_consume_key(self, key: str, character: str | None) -> bool:
        return not (key == "q" and not self.value) and super().check_consume_key(key, character)


class HelpScreen(GuardedDialog[None]):
    """Lists the keys in force and the topics of the guide, and while the user types what fits of both.

    The text field keeps the focus. Its keys move in the list of the guide, and scroll the keys above.
    """

    HELP_TITLE = "Help"
    CSS_PATH = "help_screen.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f1", "close", "Close the help", id="help.close"),
        # This works only while the filter is empty; after that the letter belongs to the filter.
        Binding("q", "close", "Close the help", priority=True, id="help.quit"),
        Binding("up", "move('cursor_up')", "Topic above", show=False, id="help.up"),
        Binding("down", "move('cursor_down')", "Topic below", show=False, id="help.down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="help.page_up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="help.page_down"),
    ]

    def __init__(
        self,
        sections: Sequence[tuple[str, Sequence[tuple[str, str]]]],
        topic: str = "start",
        about: str = "",
    ) -> None:
        """`topic` is highlighted at first. `about` is a topic to open at once, or words to search for."""
        super().__init__()
        self._sections = sections
        self._topic = topic
        self._about = _searchable(about)
        self._hits: Sequence[Hit] = ()

    def compose(self) -> ComposeResult:
        with Vertical(id="help-dialog") as dialog:
            dialog.border_title = Content("Help")
            dialog.border_subtitle = Content("pgup pgdn keys · ↑ ↓ enter guide · esc closes")
            yield _Filter(
                placeholder="Type to find keys, pages of the guide, or what an error means",
                compact=True,
                id="help-filter",
            )
            with VerticalScroll(can_focus=False, id="help-keys"):
                yield Static(id="help-text", markup=False)
            yield Static("The guide", id="help-guide-title", markup=False)
            topics = OptionList(id="help-guide", markup=False)
            topics.can_focus = False
            yield topics

    def on_mount(self) -> None:
        self._show("")
        self.run_worker(prepare, thread=True)
        if self._about:
            try:
                self._open(Hit(guide.page(self._about).topic))
            except UsageError:
                self.query_one(Input).value = self._about

    @on(Input.Changed)
    def _filtered(self, event: Input.Changed) -> None:
        event.stop()
        self._show(event.value)
        self.query_one("#help-keys").scroll_home(animate=False)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        highlighted = self.query_one(OptionList).highlighted
        if highlighted is not None:
            self._open(self._hits[highlighted], event.value)

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self._open(self._hits[event.option_index], self.query_one(Input).value)

    def action_close(self) -> None:
        self.dismiss(None)

    def action_move(self, how: str) -> None:
        getattr(self.query_one(OptionList), f"action_{how}")()

    def action_page(self, pages: int) -> None:
        keys = self.query_one("#help-keys")
        keys.scroll_relative(y=pages * max(1, keys.size.height - 1), animate=False)

    def _open(self, hit: Hit, query: str = "") -> None:
        def close_too(is_over: bool | None) -> None:
            if is_over:
                self.dismiss(None)

        if self.app.screen is self:  # Several Enters in one read open one page.
            self.open(guide_screen.GuideScreen(hit.topic, hit.heading, query), close_too)

    def _show(self, typed: str) -> None:
        """Show the keys and what of the guide fits `typed`; all keys and topics where that is blank."""
        is_searching = bool(typed.strip())
        self.set_class(is_searching, "-searching")
        keys = _keys_that_fit(self._sections, typed)
        nothing = f'No key and no description holds "{cut(one_line(typed.strip()), _LONGEST_ECHO)}".'
        self.query_one("#help-text", Static).update(keys if keys else Text(nothing))
        self._hits = hits_of(typed) if is_searching else all_topics()
        topics = self.query_one(OptionList)
        topics.set_options(hit.row for hit in self._hits)
        topics.display = bool(self._hits)
        title = "The guide" if self._hits else "The guide has nothing about these words."
        self.query_one("#help-guide-title", Static).update(title)
        if self._hits:
            names = [hit.topic for hit in self._hits]
            topics.highlighted = 0 if is_searching or self._topic not in names else names.index(self._topic)


def _keys_that_fit(sections: Sequence[tuple[str, Sequence[tuple[str, str]]]], typed: str) -> Group | None:
    """The rows that have every word of `typed` in the key, the description or the title; None without any."""
    words = typed.casefold().split()
    parts: list[Text | Table] = []
    width = min(24, max((len(keys) for _, rows in sections for keys, _ in rows), default=0))
    for title, rows in sections:
        matches = [
            (keys, does)
            for keys, does in rows
            if all(word in f"{title} {keys} {keys.replace('^', 'ctrl+')} {does}".casefold() for word in words)
        ]
        if matches:
            table = Table.grid(padding=(0, 2, 0, 0), expand=True)
            table.add_column(width=width + 2)
            table.add_column(ratio=1)
            for keys, does in matches:
                table.add_row(Text(f"  {keys}", "bold"), Text(does))
            parts += [Text(title, "bold underline"), table, Text()]
    return Group(*parts[:-1]) if parts else None
