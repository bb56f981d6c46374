"""The search for an earlier prompt by a few of its letters."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.fuzzy import FuzzySearch
from textual.widgets import Input, Label, OptionList

from moa_tui.text.wording import counted
from moa_tui.ui.screens.guard import GuardedDialog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    # The index of a prompt, and the columns of its row that match.
    Hit = tuple[int, Sequence[int]]

# More rows than anybody reads; the search looks at all prompts.
_MOST_ROWS = 200
# Characters of a prompt that are searched: a match after them would not be visible in the row.
_MOST_SEARCHED_CHARACTERS = 1_000


class HistoryScreen(GuardedDialog[str | None]):
    """Lists earlier prompts, and gives the one chosen; None where none was chosen."""

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
        """`prompts` has the newest last."""
        super().__init__()
        self._prompts = list(dict.fromkeys(reversed(prompts)))
        self._rows = [_row(prompt) for prompt in self._prompts]
        self._hits: list[Hit] = []

    def compose(self) -> ComposeResult:
        with Vertical() as dialog:
            dialog.border_title = "Earlier prompts"
            yield Input(placeholder="Letters of an earlier prompt")
            yield OptionList(markup=False)
            yield Label(markup=False, classes="history--count")

    def on_mount(self) -> None:
        self._show("")

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._show(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        highlighted = self.query_one(OptionList).highlighted
        if highlighted is not None:
            self.dismiss(self._prompts[self._hits[highlighted][0]])

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(self._prompts[self._hits[event.option_index][0]])

    def action_move(self, movement: str) -> None:
        """Move the highlight while letters go on to the text field."""
        getattr(self.query_one(OptionList), f"action_{movement}")()

    @work(exclusive=True)
    async def _show(self, typed: str) -> None:
        """Show the prompts that match; a thread searches them."""
        hits = await asyncio.to_thread(search, typed, self._rows)
        self._hits = hits[:_MOST_ROWS]
        options = self.query_one(OptionList)
        options.set_options(_highlighted(self._rows[index], columns) for index, columns in self._hits)
        options.highlighted = 0 if self._hits else None
        self.query_one(".history--count", Label).update(_count(len(hits), len(self._hits)))


def search(typed: str, rows: Sequence[str]) -> list[Hit]:
    """The rows that have the letters of `typed` in this order, the best first; all rows where it is blank.

    Textual's matcher scores every way in which the letters fit, and a long row has millions of them. Its
    score is therefore used for the single way that `_columns` finds.
    """
    typed = typed.strip().lower()
    if not typed:
        return [(index, ()) for index in range(len(rows))]
    score = FuzzySearch().score
    scored = []
    for index, row in enumerate(rows):
        if columns := _columns(typed, row.lower()):
            scored.append((score(row, columns), index, columns))
    scored.sort(key=lambda hit: (-hit[0], hit[1]))
    return [(index, columns) for _, index, columns in scored]


def _columns(typed: str, row: str) -> Sequence[int]:
    """The columns of the letters: side by side if possible, else near each other, up to their first end."""
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
    """The beginning of a prompt on one line."""
    lines = (" ".join(line.split()) for line in prompt[:_MOST_SEARCHED_CHARACTERS].splitlines())
    return " ⏎ ".join(line for line in lines if line)


def _highlighted(row: str, columns: Sequence[int]) -> Content:
    content = Content(row)
    for column in columns:
        content = content.stylize("bold underline $text-accent", column, column + 1)
    return content


def _count(matches: int, shown: int) -> str:
    """How many prompts match and are shown, in words."""
    if not matches:
        return "no earlier prompt has these letters in this order"
    return counted(matches, "prompt") + (f", the first {shown} shown" if shown < matches else "")
