"""What operators and single keys do to a text: each makes one edit, and says where the cursor goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from moa_tui.ui.prompt.vim import places

if TYPE_CHECKING:
    from moa_tui.ui.prompt.vim.motions import Move

INDENT = "    "


@dataclass(frozen=True, slots=True)
class Edit:
    """The text from `start` to `end` is replaced by `text`."""

    start: int
    end: int
    text: str

    def apply(self, text: str) -> str:
        return text[: self.start] + self.text + text[self.end :]


@dataclass(frozen=True, slots=True)
class Register:
    """A text that was deleted or copied; `is_lines` where it was whole lines, whose last has no line end."""

    text: str
    is_lines: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """What an operator works on: from `start` to `end`, which for lines is the end of the last."""

    start: int
    end: int
    is_lines: bool = False

    def register(self, text: str) -> Register:
        return Register(text[self.start : self.end], self.is_lines)


@dataclass(frozen=True, slots=True)
class Result:
    """An edit, or None, and where the cursor goes; `inserts` where insert mode begins there."""

    edit: Edit | None
    cursor: int
    inserts: bool = False


def lines_of(text: str, start: int, end: int) -> Span:
    """The lines from that of one place to that of another."""
    return Span(places.line_start(text, start), places.line_end(text, end), True)


def span_of(text: str, place: int, move: Move, operator: str) -> Span:
    """What lies between `place` and where a motion leads, by Vim's rules for motions that end with a line."""
    origin = place if move.start is None else move.start
    start, end = sorted((origin, move.place))
    if move.shape == "lines":
        return lines_of(text, start, end)
    if move.shape == "inclusive":
        end = end if text[end : end + 1] in ("", "\n") else places.after(text, end)
    elif end > start and end == places.line_start(text, end):
        # An exclusive motion to the beginning of a line ends with the line before, or takes whole lines.
        if start <= _indent_end(text, start):
            return lines_of(text, start, end - 1)
        end -= 1
    is_several = "\n" in text[start:end]
    is_blank_behind = not text[end : places.line_end(text, end)].strip(" \t")
    if operator == "d" and is_several and is_blank_behind and start <= _indent_end(text, start):
        return lines_of(text, start, end)
    return Span(start, end)


def _indent_end(text: str, place: int) -> int:
    start, end = places.line_start(text, place), places.line_end(text, place)
    return end - len(text[start:end].lstrip(" \t"))


# Operators


def delete(text: str, span: Span) -> Result:
    if not span.is_lines:
        edit = Edit(span.start, span.end, "")
        return Result(edit, places.clamp(edit.apply(text), span.start))
    if span.end < len(text):
        edit = Edit(span.start, span.end + 1, "")
    else:
        edit = Edit(max(0, span.start - 1), span.end, "")
    rest = edit.apply(text)
    return Result(edit, places.first_word(rest, min(span.start, len(rest))))


def change(text: str, span: Span) -> Result:
    return Result(Edit(span.start, span.end, ""), span.start, inserts=True)


def indent(text: str, span: Span, count: int, *, is_left: bool) -> Result:
    start, end = places.line_start(text, span.start), places.line_end(text, span.end)
    lines = text[start:end].split("\n")
    shifted = "\n".join(_shifted(line, -count if is_left else count) for line in lines)
    edit = Edit(start, end, shifted)
    return Result(edit, places.first_word(edit.apply(text), start))


def _shifted(line: str, steps: int) -> str:
    words = line.lstrip(" \t")
    blanks = len(line[: len(line) - len(words)].expandtabs(8))
    # Empty lines stay empty.
    return " " * max(0, blanks + steps * len(INDENT)) + words if line else line


def with_case(text: str, span: Span, how: str) -> Result:
    """`u` for small letters, `U` for capitals, `~` for the other case; characters that would grow stay."""
    changed = "".join(_cased(character, how) for character in text[span.start : span.end])
    return Result(Edit(span.start, span.end, changed), span.start)


def _cased(character: str, how: str) -> str:
    other = {"u": character.lower(), "U": character.upper(), "~": character.swapcase()}[how]
    return other if len(other) == 1 else character


# Single keys


def replace(text: str, place: int, count: int, character: str) -> Result | None:
    """`r`: None where the line has fewer letters than `count`."""
    at, end = place, places.line_end(text, place)
    for _ in range(min(count, end - place + 1)):
        if at >= end:
            return None
        at = places.after(text, at)
    return Result(Edit(place, at, character * count), place + len(character) * (count - 1))


def replace_all(text: str, span: Span, character: str) -> Result:
    """`r` on a selection: every letter but line ends."""
    letters, at = [], span.start
    while at < span.end:
        letters.append("\n" if text[at] == "\n" else character)
        at = places.after(text, at)
    return Result(Edit(span.start, span.end, "".join(letters)), span.start)


def toggle(text: str, place: int, count: int) -> Result | None:
    """`~`: the other case, and on to the letter behind."""
    end = place
    limit = places.line_end(text, place)
    for _ in range(min(count, limit - place)):
        end = min(places.after(text, end), limit)
    if end == place:
        return None
    edit = with_case(text, Span(place, end), "~").edit
    return Result(edit, places.clamp(text, end))


def join(text: str, first: int, count: int) -> Result | None:
    """`J`: `count` lines, from that of `first` on, on one line."""
    start, end = places.line_start(text, first), places.line_end(text, first)
    if end == len(text):
        return None
    joined, cursor = text[start:end], start
    for _ in range(max(1, count - 1)):
        if end == len(text):
            break
        following = text[end + 1 : (end := places.line_end(text, end + 1))].lstrip(" \t")
        cursor = start + len(joined)
        if following:
            gap = "" if not joined or joined.endswith((" ", "\t")) or following.startswith(")") else " "
            joined += gap + following
        else:
            cursor = start + max(0, len(joined) - 1)
    edit = Edit(start, end, joined)
    return Result(edit, places.clamp(edit.apply(text), cursor))


def put(text: str, place: int, register: Register, count: int, *, is_before: bool) -> Result:
    """`p` and `P`."""
    if register.is_lines:
        words = "\n".join([register.text] * count)
        if is_before:
            at = places.line_start(text, place)
            edit, cursor = Edit(at, at, f"{words}\n"), at
        else:
            at = places.line_end(text, place)
            edit, cursor = Edit(at, at, f"\n{words}"), at + 1
        return Result(edit, places.first_word(edit.apply(text), cursor))
    words = register.text * count
    is_empty = text[place : place + 1] in ("", "\n")
    at = place if is_before or is_empty else places.after(text, place)
    edit = Edit(at, at, words)
    after = edit.apply(text)
    cursor = at if "\n" in words else places.before(after, at + len(words))
    return Result(edit, places.clamp(after, max(at, cursor) if words else place))


def put_over(text: str, span: Span, register: Register, count: int) -> Result:
    """`p` on a selection, whose place the register takes."""
    words = "\n".join([register.text] * count) if register.is_lines else register.text * count
    if register.is_lines and not span.is_lines:
        edit = Edit(span.start, span.end, f"\n{words}\n")
        return Result(edit, places.first_word(edit.apply(text), span.start + 1))
    edit = Edit(span.start, span.end, words)
    after = edit.apply(text)
    if span.is_lines:
        return Result(edit, places.first_word(after, span.start))
    cursor = span.start if "\n" in words or not words else places.before(after, span.start + len(words))
    return Result(edit, places.clamp(after, cursor))
