"""Where a person writes: grows with the text, keeps long pastes folded, walks the history, completes."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.content import Content
from textual.message import Message
from textual.widgets import TextArea
from textual.widgets.text_area import Selection

from moa_tui.chat.attachments import Pastes, is_binary, is_long, paste_label
from moa_tui.text.safe import without_escapes
from moa_tui.ui.terminal.message import frozen_message

if TYPE_CHECKING:
    from textual import events
    from textual.binding import BindingType
    from textual.widgets.text_area import Edit, EditResult, Location

    from moa_tui.ui.prompt.completion import Choice, CompletionList

# Up to here a text can be edited without a pause at each key.
_MOST_SHOWN_CHARACTERS = 200_000


class Prompt(TextArea):
    """The text to send. A long paste is one token in it, which the cursor steps over like a letter."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "send", "Send", id="prompt.send"),
        Binding("ctrl+j,shift+enter", "newline", "New line", id="prompt.newline", show=False),
        Binding("tab", "complete", "Complete", id="prompt.complete"),
        Binding("escape", "close_completions", "Close list", id="prompt.close_completions"),
        Binding("f5", "open_paste", "Open paste", id="prompt.open_paste"),
    ]

    DEFAULT_CSS = """
    Prompt, Prompt:focus {
        height: auto;
        min-height: 1;
        max-height: 10;
        padding: 0 1;
        border: none;
        background: $background;
        scrollbar-size-vertical: 1;
    }
    Prompt { border-left: solid $border-blurred; }
    Prompt:focus { border-left: heavy $border; }
    """

    @frozen_message
    class Submitted(Message):
        """`text`, pastes and all, is to be sent; the prompt keeps it until `reset`."""

        text: str

    def __init__(self, completions: CompletionList) -> None:
        self.pastes = Pastes()  # Looked at as soon as there is a cursor.
        super().__init__(
            placeholder=Content("Ask anything, @file to attach, / for commands"),
            highlight_cursor_line=False,
        )
        # Looking for the partner of a bracket reads all of a long text at each key.
        self.match_cursor_bracket = False
        self.earlier: list[str] = []
        """Prompts sent before, newest last."""
        self._completions = completions
        self._steps_back = 0
        self._left_behind: dict[int, str] = {}

    @property
    def expanded(self) -> str:
        """The text with every token replaced by its paste."""
        return self.pastes.expand(self.text)

    @property
    def selected_text(self) -> str:
        """The selection as it is copied: with the pastes, since a token means nothing elsewhere."""
        return self.pastes.expand(super().selected_text)

    # Text in and out

    def fill(self, text: str) -> None:
        """Put `text` in the place of all that is there, the cursor behind it."""
        self.load_text(self._foldable(without_escapes(text)))
        self.move_cursor(self.document.end)
        self._dismiss()

    def put_back(self, text: str) -> None:
        """Put `text` in front of what is being typed, on lines of its own; the cursor stays where it is."""
        is_empty = not self.text
        text = without_escapes(text)
        self.insert((self._folded(text) if is_long(text) else text) + ("" if is_empty else "\n"), (0, 0))
        if is_empty:
            self.move_cursor(self.document.end)
        self._dismiss()

    def reset(self) -> None:
        """Begin anew: no text, no pastes, at the end of the history."""
        self.load_text("")
        self.pastes.clear()
        self._steps_back = 0
        self._left_behind.clear()

    def remember(self, text: str) -> None:
        """Add a prompt to the history, unless it was the last one too."""
        if text.strip() and self.earlier[-1:] != [text]:
            self.earlier.append(text)
        self._steps_back = 0
        self._left_behind.clear()

    def take_paste(self, text: str) -> None:
        """Put a pasted text in the place of the selection: cleaned, and as a token where it is long."""
        if is_binary(text):
            message = "What was pasted is no text; nothing of it was taken. Attach files with @."
            self.notify(message, severity="warning", markup=False)
            return
        text = without_escapes(text)
        if is_long(text):
            text = self._folded(text)
        if text:
            self.replace(text, *self.selection, maintain_selection_offset=False)

    def open_paste(self, token: str) -> None:
        """Put a paste's text in the place of its token."""
        text = self.pastes.text(token)
        if len(text) > _MOST_SHOWN_CHARACTERS:
            message = f"{paste_label(token)}: too long to be edited here. It is sent whole."
            self.notify(message, severity="warning", markup=False)
            return
        for row, line in enumerate(self.text.split("\n")):
            for start, end in self.pastes.spans(line):
                if line[start:end] == token:
                    self.replace(text, (row, start), (row, end), maintain_selection_offset=False)
                    return

    def _foldable(self, text: str) -> str:
        return self._folded(text) if len(text) > _MOST_SHOWN_CHARACTERS else text

    def _folded(self, text: str) -> str:
        self.call_after_refresh(self.refresh_bindings)
        return self.pastes.add(text)

    # Keys

    def action_send(self) -> None:
        """Send, or take the choice that is not yet written out."""
        if choice := self._completions.due:
            self.complete(choice)
        elif self.text.strip():
            self._dismiss()
            self.post_message(self.Submitted(self.expanded))

    def action_newline(self) -> None:
        """Begin a new line."""
        self.replace("\n", *self.selection, maintain_selection_offset=False)

    def action_cursor_up(self, select: bool = False) -> None:
        """The choice above, the prompt before this one, or the line above."""
        if self._completions.is_open and not select:
            self._completions.move(-1)
        elif select or not (self.navigator.is_first_wrapped_line(self.cursor_location) and self._walk(1)):
            super().action_cursor_up(select)

    def action_cursor_down(self, select: bool = False) -> None:
        """The choice below, the prompt after this one, or the line below."""
        if self._completions.is_open and not select:
            self._completions.move(1)
        elif select or not (self.navigator.is_last_wrapped_line(self.cursor_location) and self._walk(-1)):
            super().action_cursor_down(select)

    def action_paste(self) -> None:
        """Paste what was last cut or copied here."""
        self.take_paste(self.app.clipboard)

    def action_cut(self) -> None:
        """Cut the selection, or the line; pastes are copied as their text."""
        super().action_cut()
        if (whole := self.pastes.expand(self.app.clipboard)) != self.app.clipboard:
            self.app.copy_to_clipboard(whole)

    def action_complete(self) -> None:
        """Take the highlighted choice."""
        if choice := self._completions.chosen:
            self.complete(choice)

    def action_close_completions(self) -> None:
        """Close the list until another word is begun."""
        self._dismiss()

    def action_open_paste(self) -> None:
        """Open the paste at the cursor, else the last one before it, else the first."""
        tokens = [
            ((row, start), line[start:end])
            for row, line in enumerate(self.text.split("\n"))
            for start, end in self.pastes.spans(line)
        ]
        before = [token for at, token in tokens if at <= self.cursor_location]
        self.open_paste(before[-1] if before else tokens[0][1])

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave tab and escape to others while no list is open, and say nothing of pastes without any."""
        match action:
            case "complete" | "close_completions":
                return self._completions.is_open
            case "open_paste":
                return bool(self.pastes and self.pastes.tokens(self.text))
            case _:
                return True

    async def on_key(self, event: events.Key) -> None:
        """Run what a key is bound to at once.

        Left to itself the app runs it after the letters that were typed behind it, where keys come in a
        burst: an Enter would send words of the next prompt, a backspace remove the wrong letter.
        """
        if event.is_printable:
            return
        self._completions.look(*self._cursor_in_line)  # As of the last letter, for tab and Enter.
        # xterm's shift+enter comes under a name that no binding can be written for.
        key = "shift+enter" if event.key == "shift+\r" else event.key
        active = self.screen.active_bindings.get(key)
        if active and active.node is self and await self.app.run_action(active.binding.action, self):
            event.prevent_default()
            event.stop()

    async def on_paste(self, event: events.Paste) -> None:
        """Take a paste in as `take_paste` does."""
        event.prevent_default()  # Else the text area puts it in once more.
        event.stop()
        self.take_paste(event.text)

    def on_click(self, event: events.Click) -> None:
        """Open the paste whose token was clicked."""
        row, column = self.get_target_document_location(event)
        line = self.document.get_line(row)
        for start, end in self.pastes.spans(line):
            if start <= column < end and self.selection.is_empty:
                self.open_paste(line[start:end])

    # A text that gets shorter is measured while the cursor still stands where it was, which may be behind its
    # end: so it waits at the beginning.

    def undo(self) -> None:
        """Take back the last edit; an opened paste is folded again."""
        if self.history.undo_stack:
            self.selection = Selection.cursor((0, 0))
        super().undo()

    def redo(self) -> None:
        """Do again what was taken back."""
        if self.history.redo_stack:
            self.selection = Selection.cursor((0, 0))
        super().redo()

    # History

    def _walk(self, steps: int) -> bool:
        """Show the prompt so many steps further back; what stands here is kept for the way forth."""
        back = self._steps_back + steps
        if not 0 <= back <= len(self.earlier):
            return False
        self._left_behind[self._steps_back] = self.text
        self._steps_back = back
        self.fill(self._left_behind[back] if back in self._left_behind else self.earlier[-back])
        if steps > 0:  # So that the next step up goes on from here.
            self.move_cursor((0, len(self.document.get_line(0))))
        return True

    # Tokens are stepped over and removed as a whole

    def edit(self, edit: Edit) -> EditResult:
        """Widen an edit that would cut a token in two: the rest of it would mean nothing."""
        top, bottom = edit.top, edit.bottom
        if top != bottom:
            if span := self._token_around(top):
                top = (top[0], span[0])
            if span := self._token_around(bottom):
                bottom = (bottom[0], span[1])
            edit = dataclasses.replace(edit, from_location=top, to_location=bottom)
        return super().edit(edit)

    def watch_selection(self, before: Selection, after: Selection) -> None:
        """Take a cursor that came to stand inside a token to its other side, or to the nearer one."""
        if span := self._token_around(after.end):
            row, column = after.end
            start, end = span
            from_end = before.end == (row, end)
            to_start = from_end or (before.end != (row, start) and column - start < end - column)
            edge = (row, start if to_start else end)
            self.selection = Selection(edge if after.is_empty else after.start, edge)

    def _token_around(self, location: Location) -> tuple[int, int] | None:
        row, column = location
        if not self.pastes or row >= self.document.line_count:
            return None
        spans = self.pastes.spans(self.document.get_line(row))
        return next(((start, end) for start, end in spans if start < column < end), None)

    # Completion

    def complete(self, choice: Choice) -> None:
        """Put `choice` in the place of the word that is being typed."""
        row, column = self.cursor_location
        followed = self.document.get_line(row)[column:].startswith(" ")
        # A space that is there already is not put in once more.
        text = choice.text.rstrip() if followed else choice.text
        start = (row, self._completions.start)
        self.replace(text, start, (row, column), maintain_selection_offset=False)

    def on_text_area_changed(self) -> None:
        """Renew the list."""
        self._completions.look(*self._cursor_in_line)

    def on_text_area_selection_changed(self) -> None:
        """Renew the list, or close it where the cursor left the word."""
        self._completions.look(*self._cursor_in_line)

    def on_blur(self) -> None:
        """Close the list."""
        self._dismiss()

    def _dismiss(self) -> None:
        self._completions.dismiss(*self._cursor_in_line)

    @property
    def _cursor_in_line(self) -> tuple[int, int, str]:
        row, column = self.cursor_location
        return row, column, self.document.get_line(row)
