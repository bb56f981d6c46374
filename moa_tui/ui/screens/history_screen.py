"""Earlier prompts, found by a few of their letters."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.fuzzy import FuzzySearch
from textual.screen import ModalScreen
from textual.widgets import Input, Label, OptionList

from moa_tui.text.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    # Index of a prompt, and the columns of its row that match.
    Hit = tuple[int, Sequence[int]]

# More rows than anybody reads; the search looks at all prompts.
_MOST_ROWS = 200
# A match further behind would not be seen in the row.
_MOST_SEARCHED_CHARACTERS = 1_000


class HistoryScreen(ModalScreen[str | None]):
    """Gives back the prompt that was taken, None where none was."""

    CSS_PATH = "history_screen.tcss"
    AUTO_FOCUS = "Input"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Close", id="history.close"),
        Binding("up", "move('cursor_up')", "Up", id="history.up"),
        Binding("down", "move('cursor_down')", "Down", id="history.down"),
        Binding("pageup", "move('page_up')", "Page up", id="history.page_up", show=False),
        Binding("pagedown", "move('page_down')", "Page down", id="history.page_down", show=False),
    ]

    def __init__(self, prompts: Sequence[str]) -> None:
        """`prompts`, the newest last, as the prompt's own history is."""
        super().__init__()
        self._prompts = list(dict.fromkeys(reversed(prompts)))
        self._rows = [_row(prompt) for prompt in self._prompts]
        self._hits: list[Hit] = []

    def compose(self) -> ComposeResult:
        """What is looked for, what was found, and how much."""
        with Vertical() as dialog:
            dialog.border_title = "Earlier prompts"
            yield Input(placeholder="Letters of an earlier prompt")
            yield OptionList(markup=False)
            yield Label(markup=False, classes="history--count")

    def on_mount(self) -> None:
        """Show all of them."""
        self._search("")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Look for what is typed."""
        event.stop()
        self._search(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the highlighted prompt."""
        event.stop()
        highlighted = self.query_one(OptionList).highlighted
        if highlighted is not None:
            self.dismiss(self._prompts[self._hits[highlighted][0]])

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take what was clicked."""
        event.stop()
        self.dismiss(self._prompts[self._hits[event.option_index][0]])

    def action_move(self, movement: str) -> None:
        """Move the highlight, while the keys go on to the input."""
        getattr(self.query_one(OptionList), f"action_{movement}")()

    def _search(self, typed: str) -> None:
        self._show(typed)

    @work(exclusive=True)
    async def _show(self, typed: str) -> None:
        hits = await asyncio.to_thread(search, typed, self._rows)
        self._hits = hits[:_MOST_ROWS]
        found = self.query_one(OptionList)
        found.set_options(_highlighted(self._rows[index], columns) for index, columns in self._hits)
        found.highlighted = 0 if self._hits else None
        self.query_one(".history--count", Label).update(_count(len(hits), len(self._hits)))


def search(typed: str, rows: Sequence[str]) -> list[Hit]:
    """The rows in which the letters of `typed` stand in this order, the best first, else as they came.

    Textual's matcher weighs every way in which the letters fit, of which a long row has millions; its score
    is taken, but only for the one way that `_columns` finds.
    """
    typed = typed.strip().lower()
    if not typed:
        return [(index, ()) for index in range(len(rows))]
    weigh = FuzzySearch().score
    scored = []
    for index, row in enumerate(rows):
        if columns := _columns(typed, row.lower()):
            scored.append((weigh(row, columns), index, columns))
    scored.sort(key=lambda hit: (-hit[0], hit[1]))
    return [(index, columns) for _, index, columns in scored]


def _columns(typed: str, row: str) -> Sequence[int]:
    """Where the letters stand: together if they can, else near each other, before their first end."""
    if (start := row.find(typed)) >= 0:
        return range(start, start + len(typed))
    letters = typed.replace(" ", "")
    end = -1
    for letter in letters:
        end = row.find(letter, end + 1)
        if end < 0:
            return ()
    columns = []
    for letter in reversed(letters):
        end = row.rfind(letter, 0, end + 1)
        columns.append(end)
        end -= 1
    return columns[::-1]


def _row(prompt: str) -> str:
    lines = (" ".join(line.split()) for line in prompt[:_MOST_SEARCHED_CHARACTERS].splitlines())
    return " ⏎ ".join(line for line in lines if line)


def _highlighted(row: str, columns: Sequence[int]) -> Content:
    content = Content(row)
    for column in columns:
        content = content.stylize("bold underline $text-accent", column, column + 1)
    return content


def _count(found: int, shown: int) -> str:
    if not found:
        return "no earlier prompt has these letters in this order"
    return counted(found, "prompt") + (f", the first {shown} shown" if shown < found else "")
