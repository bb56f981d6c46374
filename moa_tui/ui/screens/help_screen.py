"""The help: the keys that work on the current screen with the current focus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from rich.console import Group
from rich.table import Table
from rich.text import Text
from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static, TextArea

from moa_tui.ui.screens.guard import GuardedDialog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.screen import Screen

Section = tuple[str, list[tuple[str, str]]]
"""A title, and under it keys with what they do."""

_MOVING_ABOUT = "Writing"


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


def _words(binding: Binding) -> str:
    """What the binding does, and its id in the config."""
    return f"{binding.description}  ({binding.id})" if binding.id else binding.description


class _Filter(Input):
    """A text field that does not consume `q` while it is empty, so that `q` can close the screen."""

    def check_consume_key(self, key: str, character: str | None) -> bool:
        return not (key == "q" and not self.value) and super().check_consume_key(key, character)


class HelpScreen(GuardedDialog[None]):
    """Lists keys and what they do, by section, and filters the list while the user types."""

    HELP_TITLE = "Help"
    CSS_PATH = "help_screen.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f1", "close", "Close the help", id="help.close"),
        # This works only while the filter is empty; after that the letter belongs to the filter.
        Binding("q", "close", "Close the help", priority=True, id="help.quit"),
        Binding("up", "scroll(-1)", "Scroll up", show=False, id="help.up"),
        Binding("down", "scroll(1)", "Scroll down", show=False, id="help.down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="help.page_up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="help.page_down"),
    ]

    def __init__(self, sections: Sequence[tuple[str, Sequence[tuple[str, str]]]]) -> None:
        super().__init__()
        self._sections = sections

    def compose(self) -> ComposeResult:
        with Vertical(id="help-dialog") as dialog:
            dialog.border_title = Content("Keys")
            dialog.border_subtitle = Content("↑ ↓ scroll · esc closes")
            yield _Filter(placeholder="Type to find a key or what it does", compact=True, id="help-filter")
            with VerticalScroll(can_focus=False, id="help-keys"):
                yield Static(id="help-text", markup=False)

    def on_mount(self) -> None:
        self._show("")

    @on(Input.Changed)
    def _filtered(self, event: Input.Changed) -> None:
        event.stop()
        self._show(event.value)
        self.query_one("#help-keys").scroll_home(animate=False)

    def action_close(self) -> None:
        self.dismiss(None)

    def action_scroll(self, rows: int) -> None:
        self.query_one("#help-keys").scroll_relative(y=rows, animate=False)

    def action_page(self, pages: int) -> None:
        keys = self.query_one("#help-keys")
        keys.scroll_relative(y=pages * max(1, keys.size.height - 1), animate=False)

    def _show(self, typed: str) -> None:
        """Show the rows that have every word of `typed` in the key, the description or the title."""
        words = typed.casefold().split()
        parts: list[Text | Table] = []
        width = min(24, max((len(keys) for _, rows in self._sections for keys, _ in rows), default=0))
        for title, rows in self._sections:
            matches = [
                (keys, does)
                for keys, does in rows
                if all(
                    word in f"{title} {keys} {keys.replace('^', 'ctrl+')} {does}".casefold() for word in words
                )
            ]
            if matches:
                table = Table.grid(padding=(0, 2, 0, 0), expand=True)
                table.add_column(width=width + 2)
                table.add_column(ratio=1)
                for keys, does in matches:
                    table.add_row(Text(f"  {keys}", "bold"), Text(does))
                parts += [Text(title, "bold underline"), table, Text()]
        self.query_one("#help-text", Static).update(
            Group(*parts[:-1]) if parts else Text(f'No key and no description holds "{typed.strip()}".')
        )
