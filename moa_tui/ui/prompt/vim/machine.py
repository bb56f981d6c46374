"""The state between keys: the mode, the keys of a command that is not whole yet, what is repeated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from moa_tui.ui.prompt.vim import edits, grammar, motions, places, repeat
from moa_tui.ui.prompt.vim.edits import Edit, Result, Span
from moa_tui.ui.prompt.vim.grammar import INCOMPLETE, Command
from moa_tui.ui.prompt.vim.motions import Move, Request
from moa_tui.ui.prompt.vim.registers import Registers
from moa_tui.ui.prompt.vim.repeat import Change
from moa_tui.ui.prompt.vim.text_objects import text_object

Mode = Literal["insert", "normal", "visual", "visual line"]
Wish = Literal["", "undo", "redo", "up", "down", "find"]

_REVERSED = {"f": "F", "F": "f", "t": "T", "T": "t", "/": "?", "?": "/"}
# What takes no part in `.`.
_NO_CHANGES = {"move", "y", "Y", "u", "ctrl+r", "v", "V", ".", "o"}
_KEYS_OF_LINES = {"D", "X", "Y", "R", "S", "C"}


@dataclass(frozen=True, slots=True)
class Step:
    """What a key comes to. Where `is_change` is True, a step of undo begins."""

    cursor: int
    edit: Edit | None = None
    wish: Wish = ""
    """What whoever has the text does about it: `up` and `down` go past its first and last line."""
    copied: str | None = None
    """A text for the clipboard."""
    is_change: bool = False


class Machine:
    """Takes keys and says what they do to a text, which it is handed with each of them.

    A key is the character that it types, or its name: `escape`, `enter`, `backspace`, `ctrl+r`, `left`.
    """

    def __init__(self) -> None:
        self.mode: Mode = "insert"
        self.pending: list[str] = []
        """The keys of a command that is not whole yet."""
        self._registers = Registers()
        self._column: int | None = None
        self._anchor = 0
        self._found = ("", "")
        """The last of f, F, t and T, with its character."""
        self._sought = ("", "")
        """The last of / and ?, with its text."""
        self._change: Change | None = None
        self._typing: tuple[str, str, Command, int] | None = None
        """While something is typed: the text before and behind it, by which command, and how often."""

    @property
    def is_visual(self) -> bool:
        return self.mode in ("visual", "visual line")

    def selection(self, text: str, cursor: int) -> Span | None:
        """What is selected, in visual mode."""
        if not self.is_visual:
            return None
        start, end = sorted((min(self._anchor, len(text)), cursor))
        if self.mode == "visual line":
            return edits.lines_of(text, start, end)
        return Span(start, end if end >= len(text) else places.after(text, end))

    def begin_visual(self, anchor: int) -> None:
        """Go to visual mode with the selection beginning at `anchor`, as where it was made with the mouse."""
        self.mode, self._anchor = "visual", anchor

    def begin_insert(self) -> None:
        """Go to insert mode, as where a text was put into the prompt by other means."""
        self.mode, self.pending, self._typing = "insert", [], None

    def press(self, key: str, text: str, cursor: int, clipboard: str = "") -> Step | None:
        """What a key does to `text` with the cursor at `cursor`; None where it is none of Vim's."""
        cursor = min(max(0, cursor), len(text))
        if self.mode == "insert":
            return self._leave_insert(text, cursor) if key == "escape" else None
        if key == "escape":
            self.pending = []
            self._anchor, self.mode = cursor, "normal"
            return Step(places.clamp(text, cursor))
        if not self._is_mine(key):
            self.pending = []
            return None
        self.pending.append(key)
        if not text and self.pending == ["/"]:  # There is nothing to find here, but around it.
            self.pending = []
            return Step(cursor, wish="find")
        command = grammar.parse(self.pending, is_visual=self.is_visual)
        if command == INCOMPLETE:
            return Step(cursor)
        self.pending = []
        if command is None:
            return Step(cursor)
        return self._run(command, text, cursor, clipboard)

    def _is_mine(self, key: str) -> bool:
        """True for what types a character, and for the few other keys that mean something here."""
        if key == "enter":
            return bool(self.pending)
        return len(key) == 1 or key in ("ctrl+r", "left", "right", "up", "down", "home", "end", "backspace")

    # Running a command

    def _run(self, command: Command, text: str, cursor: int, clipboard: str) -> Step:
        self._registers.see_clipboard(clipboard)
        if command.name == "move":
            return self._move(command, text, cursor)
        self._column = None
        if command.name in ("u", "ctrl+r") and not self.is_visual:
            return Step(cursor, wish="undo" if command.name == "u" else "redo")
        if command.name in ("v", "V"):
            return self._select(command, cursor)
        if self.is_visual:
            if command.name == "o":
                self._anchor, cursor = cursor, min(self._anchor, len(text))
                return Step(cursor)
            return self._change_selection(command, text, cursor)
        if command.name == ".":
            return self._repeat(command, text, cursor)
        result, copied = self._change_text(command, text, cursor)
        return self._finish(Change(command), result, copied, text, cursor)

    def _move(self, command: Command, text: str, cursor: int) -> Step:
        move = self._resolve(command, text, cursor)
        if move is None:
            is_out = command.target in ("j", "k") and not self.is_visual
            return Step(cursor, wish=("down" if command.target == "j" else "up") if is_out else "")
        self._column = move.column
        if self.is_visual:
            if move.start is not None:
                self._select_object(text, cursor, move)
            is_behind = move.start is not None and move.shape == "exclusive"
            return Step(places.before(text, move.place) if is_behind else min(move.place, len(text)))
        return Step(places.clamp(text, move.place))

    def _select_object(self, text: str, cursor: int, move: Move) -> None:
        if self._anchor == cursor and move.start is not None:
            self._anchor = move.start
        self.mode = "visual line" if move.shape == "lines" else "visual"

    def _select(self, command: Command, cursor: int) -> Step:
        wanted: Mode = "visual" if command.name == "v" else "visual line"
        if not self.is_visual:
            self._anchor = cursor
        self.mode = "normal" if self.mode == wanted else wanted
        return Step(cursor)

    def _resolve(self, command: Command, text: str, cursor: int) -> Move | None:
        """Where the motion or text object of a command leads."""
        name, argument = command.target, command.argument
        operator = ("v" if self.is_visual else "") if command.name == "move" else command.name
        at = cursor
        if len(name) == 2 and name[0] in "ia":
            return text_object(text, cursor, name, command.times)
        if name in ("f", "F", "t", "T"):
            self._found = (name, argument)
        elif name in (";", ","):
            name, argument = self._found
            if not name:
                return None
            name = _REVERSED[name] if command.target == "," else name
            at = self._past_neighbour(text, cursor, name, argument, command.times)
        elif name in ("/", "?"):
            self._sought = (name, argument or self._sought[1])
            argument = self._sought[1]
        elif name in ("n", "N"):
            name, argument = self._sought
            if not name:
                return None
            name = _REVERSED[name] if command.target == "N" else name
        request = Request(name, command.count, argument, operator, self._column)
        if operator == "c" and name in ("w", "W") and places.kind(text, cursor):
            return motions.changed_word(text, cursor, request)
        return motions.move(text, at, request)

    @staticmethod
    def _past_neighbour(text: str, cursor: int, name: str, argument: str, count: int) -> int:
        """Where the repetition of t or T begins: on the letter that it stands beside already."""
        if count > 1:
            return cursor
        if name == "t":
            following = places.after(text, cursor) if cursor < len(text) else cursor
            return following if text.startswith(argument, following) else cursor
        if name == "T":
            previous = places.before(text, cursor)
            return previous if text.startswith(argument, previous) and previous < cursor else cursor
        return cursor

    # Changes

    def _change_text(self, command: Command, text: str, cursor: int) -> tuple[Result | None, str | None]:
        """What a command does in normal mode, and the text that it copies to the clipboard."""
        times, end = command.times, places.line_end(text, cursor)
        match command.name:
            case "x" | "X" | "D" | "C" | "s" | "S" | "Y":
                longer = {"x": "dl", "X": "dh", "D": "d$", "C": "c$", "s": "cl", "S": "cc", "Y": "yy"}
                operator, target = longer[command.name][0], longer[command.name][1]
                target = "lines" if target == operator else target
                if command.name in "Cs" and places.is_empty_line(text, cursor):
                    return Result(None, cursor, inserts=True), None
                command = replace(command, name=operator, target=target)
                return self._operate(command, text, cursor)
            case "i":
                return Result(None, cursor, inserts=True), None
            case "a":
                is_empty = text[cursor : cursor + 1] in ("", "\n")
                return Result(None, cursor if is_empty else places.after(text, cursor), inserts=True), None
            case "I":
                indent = len(text[:end][places.line_start(text, cursor) :])
                words = text[places.line_start(text, cursor) : end].lstrip(" \t")
                return Result(None, places.line_start(text, cursor) + indent - len(words), inserts=True), None
            case "A":
                return Result(None, end, inserts=True), None
            case "o":
                return Result(Edit(end, end, "\n"), end + 1, inserts=True), None
            case "O":
                start = places.line_start(text, cursor)
                return Result(Edit(start, start, "\n"), start, inserts=True), None
            case "r":
                return edits.replace(text, cursor, times, command.argument), None
            case "~":
                return edits.toggle(text, cursor, times), None
            case "J":
                return edits.join(text, cursor, times), None
            case "p" | "P":
                register = self._registers.to_put(command.register, times)
                if register is None:
                    return None, None
                return edits.put(text, cursor, register, times, is_before=command.name == "P"), None
            case _:
                return self._operate(command, text, cursor)

    def _operate(self, command: Command, text: str, cursor: int) -> tuple[Result | None, str | None]:
        """An operator on a motion or text object."""
        start = cursor
        if command.target == "lines":
            last = motions.move(text, cursor, Request("_", command.count))
            if last is None:
                return None, None
            span = edits.lines_of(text, cursor, last.place)
        else:
            move = self._resolve(command, text, cursor)
            if move is None:
                return None, None
            span = edits.span_of(text, cursor, move, command.name)
            start = min(cursor if move.start is None else move.start, move.place)
        if span.start == span.end and not span.is_lines and command.name not in ("c", "y", ">", "<"):
            return None, None
        if command.name in (">", "<"):
            return edits.indent(text, span, 1, is_left=command.name == "<"), None
        if command.name in ("g~", "gu", "gU"):
            result = edits.with_case(text, span, command.name[1])
            # Of several lines, Vim stays where it is in the first.
            if command.target in ("lines", "_") and "\n" not in text[span.start : span.end]:
                start = min(cursor, places.first_word(text, cursor))
            return replace(result, cursor=start), None
        copied = self._registers.keep(command.register, span.register(text))
        if command.name == "y":
            return Result(None, places.clamp(text, start)), copied
        return (edits.delete if command.name == "d" else edits.change)(text, span), copied

    def _change_selection(self, command: Command, text: str, cursor: int) -> Step:
        """What a command does to the selection, after which normal mode is back."""
        span = self.selection(text, cursor) or Span(cursor, cursor)
        if command.name in _KEYS_OF_LINES and not span.is_lines:
            span = edits.lines_of(text, span.start, max(span.start, span.end - 1))
        change = repeat.of_selection(command, text, span)
        self.mode = "normal"
        result, copied = self._do_to(command, text, span)
        return self._finish(change, result, copied, text, span.start)

    def _do_to(self, command: Command, text: str, span: Span) -> tuple[Result | None, str | None]:
        """A command of visual mode on what was selected."""
        name = command.name
        if name in ("x", "X", "D"):
            name = "d"
        elif name in ("s", "S", "C", "R"):
            name = "c"
        match name:
            case "d" | "c":
                copied = self._registers.keep(command.register, span.register(text))
                return (edits.delete if name == "d" else edits.change)(text, span), copied
            case "y" | "Y":
                return Result(None, places.clamp(text, span.start)), self._registers.keep(
                    command.register, span.register(text)
                )
            case ">" | "<":
                end = max(span.start, span.end - (not span.is_lines))
                return edits.indent(text, Span(span.start, end), command.times, is_left=name == "<"), None
            case "~" | "u" | "U" | "g~" | "gu" | "gU":
                result = edits.with_case(text, span, name[-1])
                return replace(result, cursor=places.clamp(text, span.start)), None
            case "r":
                return edits.replace_all(text, span, command.argument), None
            case "J":
                return edits.join(text, span.start, text.count("\n", span.start, span.end - 1) + 1), None
            case _:
                register = self._registers.to_put(command.register, command.times)
                if register is None:
                    return None, None
                if name == "p":
                    self._registers.keep('"', span.register(text))
                return edits.put_over(text, span, register, command.times), None

    def _finish(
        self, change: Change, result: Result | None, copied: str | None, text: str, cursor: int
    ) -> Step:
        """The step of a change; where insert mode begins, what will be typed belongs to it."""
        if result is None:
            return Step(places.clamp(text, cursor))
        if change.command.name not in _NO_CHANGES or change.command.name == "o":
            self._change = change
        edit = result.edit if result.edit is not None and repeat.is_change(result.edit, text) else None
        after = text if edit is None else edit.apply(text)
        if result.inserts:
            self.mode = "insert"
            times = change.command.times if change.command.name in repeat.TYPING else 1
            self._typing = (after[: result.cursor], after[result.cursor :], change.command, times)
            return Step(result.cursor, edit, copied=copied, is_change=True)
        return Step(result.cursor, edit, copied=copied, is_change=edit is not None)

    def _leave_insert(self, text: str, cursor: int) -> Step:
        """Go to normal mode; what was typed is what `.` repeats, and is repeated by a count."""
        self.mode, self.pending, self._column = "normal", [], None
        typing, self._typing = self._typing, None
        edit = None
        if typing is not None:
            before, behind, command, times = typing
            is_whole = text.startswith(before) and text.endswith(behind)
            end = len(text) - len(behind)
            if is_whole and end >= len(before):
                typed = text[len(before) : end]
                if self._change is not None and self._change.command == command:
                    self._change = replace(self._change, typed=typed)
                gap = "\n" if command.name in ("o", "O") else ""
                if times > 1 and typed and len(typed) * times <= repeat.LONGEST_PUT:
                    edit = Edit(end, end, (gap + typed) * (times - 1))
                    cursor, text = end + len(edit.text), edit.apply(text)
        if cursor > places.line_start(text, cursor):
            cursor = places.before(text, cursor)
        return Step(places.clamp(text, cursor), edit)

    def _repeat(self, command: Command, text: str, cursor: int) -> Step:
        """`.`: the last change once more, with what was typed then."""
        change = self._change
        if change is None:
            return Step(cursor)
        if command.count is not None:
            again = replace(change.command, count=command.count)
            change = replace(change, command=again)
            self._change = change
        if change.selected is not None:
            span = repeat.same_size(change, text, cursor)
            result, copied = self._do_to(change.command, text, span)
        else:
            result, copied = self._change_text(change.command, text, cursor)
        if result is None:
            return Step(cursor, copied=copied)
        if not result.inserts:
            edit = result.edit if result.edit is not None and repeat.is_change(result.edit, text) else None
            return Step(result.cursor, edit, copied=copied, is_change=edit is not None)
        return Step(*repeat.typed_again(change, result, text), copied=copied, is_change=True)
