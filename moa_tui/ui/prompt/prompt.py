"""The text area for prompts: it folds long pastes, goes through the history, and completes words."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar, Literal

from textual.binding import Binding
from textual.content import Content
from textual.message import Message
from textual.widgets import TextArea
from textual.widgets.text_area import Selection

from moa_tui.chat.attachments import Pastes, is_binary, is_long, paste_label
from moa_tui.text.safe import without_escapes
from moa_tui.ui.terminal.message import frozen_message

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual import events
    from textual.binding import BindingType
    from textual.widgets.text_area import Edit, EditResult, Location

    from moa_tui.ui.prompt.completion import Choice, CompletionList
    from moa_tui.ui.prompt.modal_keys import ModalKeys

# In a longer text each key would be followed by a pause.
_MOST_EDITABLE_CHARACTERS = 200_000
_MOST_UNDONE = 1_000


class Prompt(TextArea):
    """The text to send, which grows to ten lines.

    A long paste is folded into one token, which the cursor steps over like a letter.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "send", "Send", id="prompt.send"),
        Binding("ctrl+j,shift+enter", "newline", "New line", id="prompt.newline", show=False),
        Binding("tab", "complete", "Complete", id="prompt.complete"),
        Binding("shift+tab", "attach_always", "Attach always", id="prompt.attach_always"),
        Binding("escape", "close_completions", "Close list", id="prompt.close_completions"),
        Binding("f5", "open_paste", "Open paste", id="prompt.open_paste"),
        Binding("f5", "send_offered(0)", "Ask the first question", id="prompt.ask_1", show=False),
        Binding("f6", "send_offered(1)", "Ask the second question", id="prompt.ask_2", show=False),
        Binding("f7", "send_offered(2)", "Ask the third question", id="prompt.ask_3", show=False),
        # The text area's own, which the two before would replace.
        Binding("f6", "select_line", "Select line", show=False),
        Binding("f7", "select_all", "Select all", show=False),
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
        """The user wants to send `text`, its pastes unfolded. The prompt keeps it until `reset`."""

        text: str

    @frozen_message
    class Pasted(Message):
        """`text` was pasted by the terminal, and has been inserted as it stands here."""

        text: str

    @frozen_message
    class AttachAnswered(Message):
        """The user has answered whether the files whose paths were pasted are attached."""

        answer: Literal["yes", "no", "always"]

    def __init__(self, completions: CompletionList) -> None:
        # The base class sets the cursor, and `watch_selection` reads the pastes then.
        self.pastes = Pastes()
        super().__init__(
            placeholder=Content("Ask anything, @file to attach, / for commands"),
            highlight_cursor_line=False,
            max_checkpoints=_MOST_UNDONE,
        )
        self.vim: ModalKeys | None = None
        """Vim's keys, where the settings ask for them."""
        # The search for a matching bracket reads all of a long text at each key.
        self.match_cursor_bracket = False
        self.earlier: list[str] = []
        """Prompts that were sent before, the newest last."""
        self.is_asked_to_attach = False
        """True while Tab and Esc answer whether the files whose paths were pasted are attached."""
        self.offered: Sequence[str] = ()
        """Questions of which a key sends one while nothing is written."""
        self.is_offering = True
        """False while the questions are not on the screen."""
        self._completions = completions
        self._steps_back = 0
        self._texts_by_step: dict[int, str] = {}

    @property
    def expanded(self) -> str:
        """The text with every token replaced by the paste that it stands for."""
        return self.pastes.expand(self.text)

    @property
    def unsent(self) -> list[str]:
        """The texts that are being written: what is shown, and what was left to look at an earlier prompt."""
        if not self._steps_back:
            return [self.expanded]
        left = self.pastes.expand(self._texts_by_step.get(0, ""))
        # An earlier prompt as it was sent is no text of anybody's; one that was changed is.
        return [left, self.expanded] if self.expanded != self.earlier[-self._steps_back] else [left]

    @property
    def selected_text(self) -> str:
        """The selection as it is copied: with its pastes unfolded, since a token means nothing elsewhere."""
        by_vim = self.vim.selected_text if self.vim is not None else None
        return self.pastes.expand(super().selected_text if by_vim is None else by_vim)

    # Text in and out

    def fill(self, text: str) -> None:
        """Replace the whole text by `text`, and move the cursor to its end."""
        text = without_escapes(text)
        self.load_text(self._fold(text) if len(text) > _MOST_EDITABLE_CHARACTERS else text)
        self.move_cursor(self.document.end)
        self._dismiss()

    def put_back(self, text: str) -> None:
        """Insert `text` before the text, on lines of its own. The cursor stays at its place in the text."""
        is_empty = not self.text
        text = without_escapes(text)
        self.insert((self._fold(text) if is_long(text) else text) + ("" if is_empty else "\n"), (0, 0))
        if is_empty:
            self.move_cursor(self.document.end)
        self._dismiss()

    def take_back(self, text: str) -> None:
        """Remove `text` where it was put back; what was written behind it since then stays."""
        written = self.expanded
        if written == text:
            self.reset()
        elif written.startswith(f"{text}\n"):
            self.reset()
            self.fill(written.removeprefix(f"{text}\n"))

    def line_writer(self) -> Callable[[str], None]:
        """A function that adds text behind all that is written; its first one begins a line of its own."""
        gap = "\n"

        def write(text: str) -> None:
            nonlocal gap
            start = gap if self.text else ""
            gap = ""
            self.move_cursor(self.document.end)
            self.insert_paste(start + text)

        return write

    def reset(self) -> None:
        """Remove the text and its pastes, and go to the end of the history."""
        self.load_text("")
        self.pastes.clear()
        self._steps_back = 0
        self._texts_by_step.clear()

    def remember(self, text: str) -> None:
        """Add a prompt to the history, unless it is empty or the same as the last one."""
        if text.strip() and self.earlier[-1:] != [text]:
            self.earlier.append(text)
        self._steps_back = 0
        self._texts_by_step.clear()

    def insert_paste(self, text: str) -> None:
        """Replace the selection by a pasted text: cleaned, and folded into a token where it is long.

        A binary text is refused with a notice.
        """
        if is_binary(text):
            message = "What was pasted is no text; nothing of it was taken. Attach files with @."
            self.notify(message, severity="warning", markup=False)
            return
        text = without_escapes(text)
        if is_long(text):
            text = self._fold(text)
        if text:
            self.replace(text, *self.selection, maintain_selection_offset=False)

    def open_paste(self, token: str) -> None:
        """Replace a token by its paste. A paste too long to be edited stays folded, with a notice."""
        text = self.pastes.text(token)
        if len(text) > _MOST_EDITABLE_CHARACTERS:
            message = f"{paste_label(token)}: too long to be edited here. It is sent whole."
            self.notify(message, severity="warning", markup=False)
            return
        for row, line in enumerate(self.text.split("\n")):
            for start, end in self.pastes.spans(line):
                if line[start:end] == token:
                    self.replace(text, (row, start), (row, end), maintain_selection_offset=False)
                    return

    def _fold(self, text: str) -> str:
        """Keep `text` as a paste, and return the token that stands for it."""
        self.call_after_refresh(self.refresh_bindings)
        return self.pastes.add(text)

    # Keys

    def action_send(self) -> None:
        """Send the text; where a highlighted choice is not yet written out, complete it instead."""
        if choice := self._completions.unwritten_choice:
            self.complete(choice)
        elif self.text.strip():
            self._dismiss()
            if self.vim is not None:
                self.vim.begin_insert()
            self.post_message(self.Submitted(self.expanded))

    def action_newline(self) -> None:
        """Insert a line end."""
        self.replace("\n", *self.selection, maintain_selection_offset=False)

    def action_cursor_up(self, select: bool = False) -> None:
        """Go to the choice or line above; from the first line, to the prompt sent before this one."""
        if self._completions.is_open and not select:
            self._completions.move(-1)
        elif select or not (self.navigator.is_first_wrapped_line(self.cursor_location) and self._go_back(1)):
            super().action_cursor_up(select)

    def action_cursor_down(self, select: bool = False) -> None:
        """Go to the choice or line below; from the last line, to the prompt sent after this one."""
        if self._completions.is_open and not select:
            self._completions.move(1)
        elif select or not (self.navigator.is_last_wrapped_line(self.cursor_location) and self._go_back(-1)):
            super().action_cursor_down(select)

    def action_paste(self) -> None:
        """Paste the text that was last cut or copied in this program."""
        if self.app.clipboard:
            self.insert_paste(self.app.clipboard)
        else:
            self._tell_nothing_to_paste()

    def _tell_nothing_to_paste(self) -> None:
        """Say what to do where a paste is empty, as it is when the clipboard holds a picture."""
        self.notify(
            "Nothing here to paste. Text from other programs is pasted with the terminal's own key: "
            "ctrl+shift+v, or cmd+v on a Mac. Pictures cannot be sent; a text file is attached with @ and "
            "its path.",
            severity="warning",
            markup=False,
        )

    def action_cut(self) -> None:
        """Cut the selection, or the line without one. Pastes are copied unfolded."""
        super().action_cut()
        if (unfolded := self.pastes.expand(self.app.clipboard)) != self.app.clipboard:
            self.app.copy_to_clipboard(unfolded)

    def action_complete(self) -> None:
        """Complete the word with the highlighted choice; else attach the files whose paths were pasted."""
        if choice := self._completions.highlighted_choice:
            self.complete(choice)
        elif self.is_asked_to_attach:
            self.post_message(self.AttachAnswered("yes"))

    def action_attach_always(self) -> None:
        """Attach the files whose paths were pasted, now and at every such paste from now on."""
        self.post_message(self.AttachAnswered("always"))

    def action_close_completions(self) -> None:
        """Close the list until another word is begun; else leave a pasted path as it is."""
        if self._completions.is_open or not self.is_asked_to_attach:
            self._dismiss()
        else:
            self.post_message(self.AttachAnswered("no"))

    def action_open_paste(self) -> None:
        """Open the paste at the cursor, else the last one before it, else the first."""
        tokens = [
            ((row, start), line[start:end])
            for row, line in enumerate(self.text.split("\n"))
            for start, end in self.pastes.spans(line)
        ]
        before = [token for at, token in tokens if at <= self.cursor_location]
        self.open_paste(before[-1] if before else tokens[0][1])

    def action_send_offered(self, number: int) -> None:
        """Send one of the offered questions as if it had been written."""
        self.fill(self.offered[number])
        self.post_message(self.Submitted(self.expanded))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave tab and escape to others while there is nothing to choose, and F5 while there is no paste."""
        match action:
            case "complete" | "close_completions":
                return self._completions.is_open or self.is_asked_to_attach
            case "attach_always":
                return self.is_asked_to_attach
            case "open_paste":
                return bool(self.pastes and self.pastes.tokens(self.text))
            case "select_line" | "select_all":
                return bool(self.text)  # In an empty prompt their keys, F6 and F7, send a question.
            case "send_offered":
                return self.is_offering and not self.text and len(self.offered) > int(str(parameters[0]))
            case _:
                return True

    async def on_key(self, event: events.Key) -> None:
        """Run the action of a key immediately.

        Where keys come in a burst, the app would run it after the letters that were typed behind it: an Enter
        would send words of the next prompt, and a backspace would remove the wrong letter.
        """
        if self.take_by_vim(event) or event.is_printable:
            return
        # Tab and Enter must find the choices for the last letter that was typed.
        self._completions.update_choices(*self._cursor_in_line)
        active = self.screen.active_bindings.get(event.key)
        if active and active.node is self and await self.app.run_action(active.binding.action, self):
            event.prevent_default()
            event.stop()

    def take_by_vim(self, event: events.Key) -> bool:
        """Do what a key says where the prompt has Vim's keys, and the key is one of them in this mode."""
        if self.vim is None or not self.vim.take(event):
            return False
        event.prevent_default()
        event.stop()
        if not self.vim.is_insert:
            self._dismiss()
        return True

    async def on_paste(self, event: events.Paste) -> None:
        """Insert a paste as `insert_paste` does."""
        event.prevent_default()  # Else the text area would insert it once more.
        event.stop()
        if not event.text:  # Some terminals send this where the clipboard holds a picture.
            self._tell_nothing_to_paste()
            return
        if self.vim is not None:
            self.vim.select_for_paste()
        self.insert_paste(event.text)
        self.post_message(self.Pasted(without_escapes(event.text)))

    def on_click(self, event: events.Click) -> None:
        """Open the paste whose token was clicked."""
        row, column = self.get_target_document_location(event)
        line = self.document.get_line(row)
        for start, end in self.pastes.spans(line):
            if start <= column < end and self.selection.is_empty:
                self.open_paste(line[start:end])

    # Undo and redo. The text area measures a text that gets shorter while the cursor still has its old place,
    # which may be behind the new end; so the cursor is moved to the beginning first.

    def undo(self) -> None:
        """Undo the last edit; a paste that it opened is folded again."""
        if self.history.undo_stack:
            self.selection = Selection.cursor((0, 0))
        super().undo()

    def redo(self) -> None:
        """Redo the edit that was undone last."""
        if self.history.redo_stack:
            self.selection = Selection.cursor((0, 0))
        super().redo()

    # History

    def _go_back(self, steps: int) -> bool:
        """Show the prompt that is so many steps further back, and keep the present text for the way forward.

        Returns whether there is such a prompt.
        """
        back = self._steps_back + steps
        if not 0 <= back <= len(self.earlier):
            return False
        self._texts_by_step[self._steps_back] = self.text
        self._steps_back = back
        self.fill(self._texts_by_step[back] if back in self._texts_by_step else self.earlier[-back])
        if steps > 0:  # The cursor has to be in the first line for the next step back.
            self.move_cursor((0, len(self.document.get_line(0))))
        return True

    # Tokens: the cursor steps over them, and they are removed as a whole

    def edit(self, edit: Edit) -> EditResult:
        """Widen an edit that would cut a token in two, because half a token means nothing."""
        top, bottom = edit.top, edit.bottom
        if top != bottom:
            if span := self._token_span_around(top):
                top = (top[0], span[0])
            if span := self._token_span_around(bottom):
                bottom = (bottom[0], span[1])
            edit = dataclasses.replace(edit, from_location=top, to_location=bottom)
        return super().edit(edit)

    def watch_selection(self, before: Selection, after: Selection) -> None:
        """Move a cursor that came to stand inside a token to its other side, or to its nearer one."""
        if span := self._token_span_around(after.end):
            row, column = after.end
            start, end = span
            from_end = before.end == (row, end)
            to_start = from_end or (before.end != (row, start) and column - start < end - column)
            edge = (row, start if to_start else end)
            self.selection = Selection(edge if after.is_empty else after.start, edge)

    def _token_span_around(self, location: Location) -> tuple[int, int] | None:
        """The first and last column of the token that `location` stands inside; None where there is none."""
        row, column = location
        if not self.pastes or row >= self.document.line_count:
            return None
        spans = self.pastes.spans(self.document.get_line(row))
        return next(((start, end) for start, end in spans if start < column < end), None)

    # Completion

    def complete(self, choice: Choice) -> None:
        """Replace the word that is being typed by `choice`."""
        row, column = self.cursor_location
        is_before_space = self.document.get_line(row)[column:].startswith(" ")
        # A space that is there already is not inserted once more.
        text = choice.text.rstrip() if is_before_space else choice.text
        start = (row, self._completions.word_start)
        self.replace(text, start, (row, column), maintain_selection_offset=False)

    def on_text_area_changed(self) -> None:
        """Update the list of choices."""
        self._update_choices()

    def on_text_area_selection_changed(self) -> None:
        """Update the list of choices, or close it where the cursor has left the word."""
        self._update_choices()

    def _update_choices(self) -> None:
        if self.vim is None or self.vim.is_insert:
            self._completions.update_choices(*self._cursor_in_line)

    def on_blur(self) -> None:
        """Close the list of choices."""
        self._dismiss()

    def _dismiss(self) -> None:
        self._completions.dismiss(*self._cursor_in_line)

    @property
    def _cursor_in_line(self) -> tuple[int, int, str]:
        """The cursor's row and column, and the text of its line."""
        row, column = self.cursor_location
        return row, column, self.document.get_line(row)
