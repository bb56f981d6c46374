"""Vim's keys in the prompt: hands keys to the machine, and does to the text area what comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from textual.widgets.text_area import Selection

from moa_tui.ui.prompt.vim import places
from moa_tui.ui.prompt.vim.machine import Machine

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual import events
    from textual.widgets.text_area import Location

    from moa_tui.ui.prompt.prompt import Prompt
    from moa_tui.ui.prompt.vim.machine import Step

_PAGES = {"ctrl+d": 0.5, "ctrl+u": -0.5, "ctrl+f": 1.0, "ctrl+b": -1.0}
# The widest words for a mode, and room for a few keys of a command that is not whole yet.
MODE_CELLS = 14


class Reader(Protocol):
    """Who has what is around the prompt."""

    def scroll(self, pages: float) -> None:
        """Scroll the conversation by so many pages, up where it is negative."""

    def open_find(self) -> None:
        """Ask for a text to find in the conversation."""

    def tell_what_stops(self) -> None:
        """Esc was pressed where Vim has no use for it; say what stops a run."""


class Tokens:
    """Has Vim take the token of a paste for a letter: each is one character of those that have no meaning."""

    _FIRST = 0x10_0000
    _MOST = 0xFFFD

    def __init__(self, prompt: Prompt) -> None:
        self._prompt = prompt
        self._characters: dict[str, str] = {}
        """By the text of a paste; one that was copied by Vim may be put into another prompt."""

    def folded(self, text: str) -> str:
        """`text` with a character in the place of each token."""
        pastes = self._prompt.pastes
        parts, at = [], 0
        for start, end in pastes.spans(text):
            paste = pastes.text(text[start:end])
            number = self._FIRST + len(self._characters) % self._MOST
            parts += [text[at:start], self._characters.setdefault(paste, chr(number))]
            at = end
        return "".join([*parts, text[at:]])

    def unfolded(self, text: str) -> str:
        """`text` with its tokens; a paste that the prompt has no more is one of it again."""
        if not self._characters or text.isascii():
            return text
        for paste, character in self._characters.items():
            if character in text:
                text = text.replace(character, self._prompt.pastes.token(paste))
        return text


class VimKeys:
    """Joins a prompt with the machine. The text, the cursor and the undo history are the text area's."""

    def __init__(self, prompt: Prompt, reader: Reader, show: Callable[[str], None]) -> None:
        """`show` is called with the words for the mode, whenever they have changed."""
        self._prompt = prompt
        self._reader = reader
        self._show = show
        self._machine = Machine()
        self._tokens = Tokens(prompt)
        self._cursor = 0
        """The place of the cursor while something is selected; the text area's is at the selection's end."""
        self._selected: Selection | None = None
        """What visual mode has selected in the text area."""
        self._changes: list[int] = []
        """The lengths of the undo history at which changes began, the newest last."""
        self._undone: list[int] = []
        """The lengths that the undo history had before changes were undone."""
        self._show_mode()

    @property
    def is_insert(self) -> bool:
        """True while letters are typed, as without Vim's keys."""
        return self._machine.mode == "insert"

    @property
    def selected_text(self) -> str | None:
        """What is selected in visual mode, the letter under the cursor too; None in other modes."""
        text = self._text
        span = self._machine.selection(text, min(self._cursor, len(text)))
        return None if span is None else self._tokens.unfolded(text[span.start : span.end])

    def begin_insert(self) -> None:
        """Go to insert mode."""
        self._machine.begin_insert()
        self._show_mode()

    def select_for_paste(self) -> None:
        """Have a paste take the place of what is selected in visual mode, which then ends."""
        span = self._machine.selection(self._text, self._cursor)
        if span is not None:
            self._prompt.selection = Selection(self._location(span.start), self._location(span.end))
            self._machine.press("escape", self._text, span.start)
            self._show_mode()

    def take(self, event: events.Key) -> bool:
        """Do what a key says; False for a key that is none of Vim's in this mode."""
        prompt, machine = self._prompt, self._machine
        key = event.character if event.is_printable and event.character else event.key
        if (self.is_insert and key != "escape") or (key == "escape" and prompt.is_asked_to_attach):
            return False
        if not self.is_insert and key in _PAGES:
            self._reader.scroll(_PAGES[key])
            return True
        self._take_in_selection()
        text, was_visual = self._text, machine.is_visual
        # A paste, a click and the keys of other modes may leave the cursor behind the line's last letter.
        cursor = self._cursor if was_visual else self._place(prompt.selection.end)
        if machine.mode == "normal":
            cursor = places.clamp(text, cursor)
        was_idle = machine.mode == "normal" and not machine.pending
        depth = len(prompt.history.undo_stack)
        if not self._changes or self._changes[-1] > depth:  # Another text has come into the prompt.
            self._changes = [0]
        step = machine.press(key, text, cursor, prompt.app.clipboard)
        if step is None:
            self._show_mode()
            return False
        self._do(step, text, depth)
        if key == "escape" and was_idle:
            self._reader.tell_what_stops()
        self._show_mode()
        return True

    def _take_in_selection(self) -> None:
        """Go to visual mode where something was selected with the mouse or with shift and the arrows.

        What was selected in visual mode is no more where a click or another key has changed it.
        """
        selection = self._prompt.selection
        if self._machine.is_visual and selection != self._selected:
            self._machine.press("escape", self._text, self._place(selection.end))
        if self._machine.mode != "normal" or selection.is_empty:
            return
        text = self._text
        start, end = self._place(selection.start), self._place(selection.end)
        # There the letter at the end is selected too.
        anchor, self._cursor = (
            (start, places.before(text, end)) if start < end else (places.before(text, start), end)
        )
        self._machine.begin_visual(anchor)

    def _do(self, step: Step, text: str, depth: int) -> None:
        prompt = self._prompt
        if step.is_change:
            prompt.history.checkpoint()
            self._changes.append(depth)
            self._undone.clear()
        if step.edit is not None:
            start, end = self._location(step.edit.start), self._location(step.edit.end)
            written = self._tokens.unfolded(step.edit.text)
            prompt.replace(written, start, end, maintain_selection_offset=False)
        if step.copied is not None:
            prompt.app.copy_to_clipboard(prompt.pastes.expand(self._tokens.unfolded(step.copied)))
        if step.wish in ("undo", "redo"):
            self._undo() if step.wish == "undo" else self._redo()
        else:
            self._move_to(step.cursor)
        if step.wish in ("up", "down"):
            self._go_beyond(step.wish == "up")
        elif step.wish == "find":
            self._reader.open_find()

    def _go_beyond(self, is_up: bool) -> None:
        """Go up in the first line or down in the last: to another row of it, or to another prompt."""
        prompt, text, selection = self._prompt, self._prompt.text, self._prompt.selection
        is_edge = (
            prompt.navigator.is_first_wrapped_line if is_up else prompt.navigator.is_last_wrapped_line
        )(selection.end)
        (prompt.action_cursor_up if is_up else prompt.action_cursor_down)()
        if is_edge and prompt.text == text:  # There is no other prompt, and Vim's cursor stays.
            prompt.selection = selection
        self._clamp()

    def _move_to(self, cursor: int) -> None:
        text = self._text
        self._cursor = min(cursor, len(text))
        span = self._machine.selection(text, self._cursor)
        if span is None:
            location = self._location(self._cursor)
            self._prompt.move_cursor(location, record_width=False)
        elif span.is_lines:
            is_down = span.start < places.line_start(text, self._cursor)
            edges = (span.start, span.end) if is_down else (span.end, span.start)
            self._prompt.selection = Selection(*map(self._location, edges))
        else:
            # The letter under the cursor is drawn by the cursor itself.
            is_back = self._cursor == span.start and span.end > places.after(f"{text}\n", span.start)
            edges = (span.end if is_back else span.start, self._cursor)
            self._prompt.selection = Selection(*map(self._location, edges))
        self._selected = self._prompt.selection

    # One change is one step of undo, though the text area may have taken it in several

    def _undo(self) -> None:
        history = self._prompt.history
        before = len(history.undo_stack)
        while self._changes and self._changes[-1] >= before:
            self._changes.pop()
        target = self._changes.pop() if self._changes else before - 1
        while len(history.undo_stack) > max(0, target):
            self._prompt.undo()
        if before:
            self._undone.append(before)
        self._clamp()

    def _redo(self) -> None:
        history = self._prompt.history
        target = self._undone.pop() if self._undone else len(history.undo_stack) + 1
        self._changes.append(len(history.undo_stack))
        while history.redo_stack and len(history.undo_stack) < target:
            self._prompt.redo()
        self._clamp()

    def _clamp(self) -> None:
        text = self._text
        self._move_to(places.clamp(text, self._place(self._prompt.selection.end)))

    # Places and locations

    @property
    def _text(self) -> str:
        return "\n".join(self._lines)

    @property
    def _lines(self) -> list[str]:
        lines = self._prompt.document.lines
        return [self._tokens.folded(line) for line in lines] if self._prompt.pastes else lines

    def _place(self, location: Location) -> int:
        row, column = location
        line = self._tokens.folded(self._prompt.document.lines[row][:column])
        return sum(len(line) + 1 for line in self._lines[:row]) + len(line)

    def _location(self, place: int) -> Location:
        before = self._text[:place]
        line = before[before.rfind("\n") + 1 :]
        return before.count("\n"), len(self._tokens.unfolded(line))

    def _show_mode(self) -> None:
        pending = "".join(key if len(key) == 1 else "" for key in self._machine.pending)
        words = f"{self._machine.mode.upper()} {pending}".rstrip()
        self._show(words[:MODE_CELLS])
