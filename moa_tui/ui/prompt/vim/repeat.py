"""What `.` repeats: the last change, on as much text as then, with what was typed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from moa_tui.ui.prompt.vim import edits, places
from moa_tui.ui.prompt.vim.edits import Edit, Span

if TYPE_CHECKING:
    from moa_tui.ui.prompt.vim.edits import Result
    from moa_tui.ui.prompt.vim.grammar import Command

LONGEST_PUT = 200_000
"""Characters that a count may put into the text at once."""
TYPING = ("i", "a", "I", "A", "o", "O")
"""The commands whose count repeats what is typed."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change: its command, what it was done to, and the text that was typed behind it."""

    command: Command
    selected: Span | None = None
    """What was selected, in the text as it was."""
    lines: int = 0
    """How many lines the selection was in."""
    letters: int = 0
    """How many letters of the last of them were selected, a line end among them."""
    typed: str = ""


def of_selection(command: Command, text: str, span: Span) -> Change:
    """The change that a command of visual mode makes."""
    last = span.end if span.is_lines else max(span.start, span.end - 1)
    at, letters = max(places.line_start(text, last), span.start), 0
    while at < span.end:
        at, letters = places.after(text, at), letters + 1
    return Change(command, span, text.count("\n", span.start, last) + 1, letters)


def same_size(change: Change, text: str, cursor: int) -> Span:
    """As much from the cursor on as was selected when the change was made."""
    end = cursor
    for _ in range(change.lines - 1):
        line_end = places.line_end(text, end)
        if line_end == len(text):
            end = places.line_start(text, end)
            break
        end = line_end + 1
    if change.selected is not None and change.selected.is_lines:
        return edits.lines_of(text, cursor, end)
    limit = min(places.line_end(text, end) + 1, len(text))
    for _ in range(change.letters):
        if end >= limit:
            break
        end = places.after(text, end)
    return Span(cursor, max(cursor, end))


def typed_again(change: Change, result: Result, text: str) -> tuple[int, Edit]:
    """The cursor and the edit that make a change and type its text behind it, as one."""
    name = change.command.name
    times = change.command.times if name in TYPING else 1
    gap = "\n" if name in ("o", "O") else ""
    times = times if len(change.typed) * times <= LONGEST_PUT else 1
    typed = gap.join([change.typed] * times)
    edit = result.edit or Edit(result.cursor, result.cursor, "")
    lead = result.cursor - edit.start  # For o and O, what is typed goes behind or before the line end.
    edit = Edit(edit.start, edit.end, edit.text[:lead] + typed + edit.text[lead:])
    after = edit.apply(text)
    end = result.cursor + len(typed)
    cursor = places.before(after, end) if end > places.line_start(after, end) else end
    return places.clamp(after, cursor), edit


def is_change(edit: Edit, text: str) -> bool:
    """True where an edit leaves another text behind."""
    return text[edit.start : edit.end] != edit.text
