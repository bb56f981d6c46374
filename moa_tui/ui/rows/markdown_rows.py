"""Lays Markdown out as rows of a width. Pure, so that it can run on any thread.

Code keeps its lines, and so does a table where its words would not fit into its columns: such rows are wider
than their place and are scrolled sideways.

HTML is shown as it is written. A link has its whole address in the meta of its style, and is never a link of
the terminal. A text that would cost too much work, or that a library fails on, is laid out as plain lines
below a note; no text makes `render` raise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from markdown_it.token import Token
from rich.control import strip_control_codes
from textual.content import Content, Span
from textual.style import Style

from moa_tui.settings.fault_log import record_bug
from moa_tui.text.cells import cut
from moa_tui.text.markdown import LIBRARY_FAULTS, TooMuchWorkError, Work
from moa_tui.ui.rows.code_colours import highlighted
from moa_tui.ui.rows.markdown_blocks import blocks, first_lines
from moa_tui.ui.rows.table_rows import table_rows
from moa_tui.ui.rows.text_rows import (
    HEADING,
    MUTED,
    PROSE,
    GrowingText,
    Row,
    beginning,
    hidden_row,
    lines_of,
    prefixed,
    wide_rows,
    wrap,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moa_tui.ui.rows.markdown_blocks import Block

# Cells of a nested block. A block that would be narrower is not indented.
_NARROWEST_BLOCK = 4
_BULLETS = ("•", "◦", "▪")
_INLINE_CODE = "$text-warning"
_INLINE_STYLES = {"strong_open": "bold", "em_open": "italic", "s_open": "strike"}
_IMAGE_CLOSE = Token("image_close", "", -1)

# Seconds of the processor for one text, and for what is done on the screen's own thread.
_MOST_SECONDS = 1.0
_MOST_SECONDS_AT_ONCE = 0.05


@dataclass
class Rendered:
    """Rows, and the code blocks and links in them, in order."""

    rows: list[Row] = field(default_factory=list)
    code: list[str] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    """The text and the address of each link."""


def render(source: str, width: int, first_code: int = 0, first_block: int = 0) -> Rendered:
    """Lay `source` out in rows of `width` cells at most, but for tables and code, which may be wider.

    Its code blocks are numbered from `first_code`, its tables and code blocks together from `first_block`. Of
    a very long text only the beginning is laid out, with a note behind it.
    """
    width = max(width, 4)
    shown, _ = beginning(source)
    try:
        rendered = _Layout(Work(_MOST_SECONDS, rests=True), first_code, first_block).rendered_blocks(
            shown, width
        )
        if len(shown) < len(source):
            rendered.rows += [Row(Content()), hidden_row(len(source) - len(shown))]
        return rendered
    except TooMuchWorkError:
        why = "Markdown that is too intricate to lay out"
    except LIBRARY_FAULTS as error:
        record_bug(error)
        why = "Markdown that could not be laid out"
    text = GrowingText(width)
    text.append(source)
    note = Content(f"{why}; this is the text as it was written.").stylize(MUTED)
    rows = [row if row.block is None else row._replace(block=first_block + row.block) for row in text.rows]
    return Rendered([*wrap(note, width), Row(Content()), *rows])


def render_at_once(source: str, width: int) -> Rendered | None:
    """Like `render`, for the screen's own thread; None where that would keep a key waiting."""
    try:
        return _Layout(Work(_MOST_SECONDS_AT_ONCE)).rendered_blocks(source, max(width, 4))
    except (TooMuchWorkError, *LIBRARY_FAULTS):
        return None


def block_end(source: str, start: int) -> int:
    """The last place behind `start` up to which `source` is rendered the same, whatever is appended to it.

    That place is behind a blank line outside every code block, where the parser sees a new block begin. It is
    `start` where there is no such place, or where looking for it would keep a key waiting.
    """
    fence, at = "", start
    is_after_blank = False
    places: dict[int, int] = {}
    lines = source[start:].split("\n")
    for number, line in enumerate(lines):
        text = line.strip()
        if fence:
            if text.startswith(fence) and not text.strip(fence[0]):
                fence = ""
        else:
            if is_after_blank and text and not _may_continue(line):
                places[number] = at
            is_after_blank = not text
            if opening := _FENCE.match(line):
                fence = opening[1]
        at += len(line) + 1
    if not places:
        return start
    try:
        block_lines = first_lines("\n".join(lines), Work(_MOST_SECONDS_AT_ONCE))
    except (TooMuchWorkError, *LIBRARY_FAULTS):
        return start
    return max((place for number, place in places.items() if number in block_lines), default=start)


# A fence may stand behind the markers of a list.
_FENCE = re.compile(r"(?:\s*(?:[-*+]|\d{1,9}[.)])\s+)*\s*(`{3,}(?=[^`]*$)|~{3,})")


def _may_continue(line: str) -> bool:
    """Whether the line may continue a list that stands before a blank line."""
    return line[0] in " \t-*+" or line[0].isdigit() or len(line.strip()) < 3


class _Layout:
    """Lays out the blocks of one text, and collects its code blocks and links in `rendered`."""

    def __init__(self, work: Work, first_code: int = 0, first_block: int = 0) -> None:
        self.rendered = Rendered()
        self._first_code = first_code
        self._next_block = first_block
        self._work = work

    def rendered_blocks(self, source: str, width: int) -> Rendered:
        """The whole text. Raises `TooMuchWorkError`, and what the libraries raise."""
        self.rendered.rows = self._blocks(blocks(source, self._work), width)
        return self.rendered

    def _blocks(
        self, children: Sequence[Block], width: int, *, tight: bool = False, lists: int = 0
    ) -> list[Row]:
        """The rows of several blocks, which stand in so many `lists`.

        A blank row stands between them unless they are `tight`.
        """
        rows: list[Row] = []
        for child in children:
            block = self._block(child, width, lists)
            # Each of these rows may be copied once more, for a mark in front of it.
            self._work.step(1 + len(block))
            if rows and block and not tight:
                rows.append(Row(Content()))
            rows += block
        return rows

    def _block(self, block: Block, width: int, lists: int) -> list[Row]:
        match block.type:
            case "heading":
                title = self._inline(block.inline_tokens).stylize(HEADING)
                mark = Content("#" * int(block.token.tag[1:]) + " ").stylize(MUTED)
                return prefixed(lines_of(title, max(2, width - len(mark))), mark)
            case "paragraph":
                return lines_of(self._inline(block.inline_tokens), width)
            case "bullet_list" | "ordered_list":
                return self._list(block, width, lists)
            case "blockquote":
                bar = Content("▎ ").stylize(MUTED)
                if width - len(bar) < _NARROWEST_BLOCK:
                    return self._blocks(block.children, width, lists=lists)
                return prefixed(self._blocks(block.children, width - len(bar), lists=lists), bar, bar)
            case "fence" | "code_block":
                return self._code(block.token, width)
            case "hr":
                return [Row(Content("─" * width).stylize(MUTED))]
            case "table":
                return self._table(block, width)
            case _:
                return lines_of(Content(block.token.content), width)

    def _list(self, block: Block, width: int, lists: int) -> list[Row]:
        first = int(block.token.attrs.get("start", 1))
        marks = [
            f"{number}. " if block.type == "ordered_list" else f"{_BULLETS[lists % len(_BULLETS)]} "
            for number in range(first, first + len(block.children))
        ]
        size = max(map(len, marks), default=0)
        tight = all(
            child.token.hidden
            for item in block.children
            for child in item.children
            if child.type == "paragraph"
        )
        rows: list[Row] = []
        for mark, item in zip(marks, block.children, strict=True):
            if rows and not tight:
                rows.append(Row(Content()))
            is_indented = width - size >= _NARROWEST_BLOCK
            room = width - size if is_indented else width
            inside = self._blocks(item.children, room, tight=tight, lists=lists + 1)
            if is_indented:
                inside = prefixed(inside or [Row(Content())], Content(mark.rjust(size)).stylize(MUTED))
            rows += inside
        return rows

    def _code(self, token: Token, width: int) -> list[Row]:
        code = token.content.rstrip("\n").expandtabs(4)
        number = self._first_code + len(self.rendered.code)
        self.rendered.code.append(token.content.rstrip("\n"))
        language = (token.info.split() or [""])[0] if token.type == "fence" else ""
        # Without a name the lexer would be guessed, in time that grows with the square of the length.
        text = highlighted(code, language, self._work)
        title = cut(language, width - 10)
        button = Content("copy").stylize(Style(underline=True) + Style.from_meta({"code": number}))
        head = Content.assemble((f"┌ {title}{' ' if title else ''}", MUTED), button.stylize_before(MUTED))
        bar = Content("│ ").stylize(MUTED)
        body: list[Row] = []
        for line in text.split("\n", allow_blank=True):
            self._work.step()
            room = max(2, width - len(bar))
            body += wrap(line, room) if language in PROSE else wide_rows(line, room, self._next_block)
        self._next_block += 1
        return [Row(head), *prefixed(body, bar, bar), Row(Content("└").stylize(MUTED))]

    def _table(self, block: Block, width: int) -> list[Row]:
        lines = []
        for part in block.children:
            for row in part.children:
                self._work.step(1 + len(row.children))
                lines.append([self._inline(cell.inline_tokens) for cell in row.children])
        rows = table_rows(lines, width, self._next_block, self._work)
        self._next_block += 1
        return rows

    def _inline(self, tokens: Sequence[Token]) -> Content:
        """A text with its styles. Marks may stand in one another as deep as they like."""
        text = _StyledText()
        opened: list[tuple[Token, int, int]] = []
        waiting = list(reversed(tokens))
        while waiting:
            self._work.step()
            token = waiting.pop()
            if token.nesting > 0:
                opened.append((token, text.length, len(text.parts)))
            elif token.nesting < 0:
                self._close(text, *opened.pop())
            elif token.type == "image":
                start = text.length
                text.add("image: ")
                opened.append((token, start, len(text.parts)))
                waiting += [_IMAGE_CLOSE, *reversed(token.children or ())]
            elif token.type == "softbreak":
                text.add(" ")
            elif token.type == "hardbreak":
                text.add("\n")
            else:
                text.add(token.content, _INLINE_CODE if token.type == "code_inline" else "")
        return text.content

    def _close(self, text: _StyledText, opening: Token, start: int, first_part: int) -> None:
        """Style the text since `opening`, which stands at character `start` and before `first_part`."""
        address = opening.attrs.get("href") if opening.type == "link_open" else opening.attrs.get("src")
        if address is None:
            text.stylize(start, _INLINE_STYLES.get(opening.type, ""))
            return
        if not any(text.parts[first_part:]):
            text.add(str(address))
        self.rendered.links.append(("".join(text.parts[first_part:]), str(address)))
        text.stylize(start, Style(underline=True) + Style.from_meta({"link": str(address)}))


class _StyledText:
    """A text that is put together from pieces, some of which have a style."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.length = 0
        self._spans: list[Span] = []

    def add(self, text: str, style: str = "") -> None:
        """Append `text`. Content would leave out control characters, which must not shift the styles."""
        text = strip_control_codes(text.expandtabs(4))
        self.parts.append(text)
        self.length += len(text)
        if style:
            self.stylize(self.length - len(text), style)

    def stylize(self, start: int, style: str | Style) -> None:
        """Give the text from character `start` on a style, over those that it has."""
        if style and start < self.length:
            self._spans.append(Span(start, self.length, style))

    @property
    def content(self) -> Content:
        """The text with its styles."""
        return Content("".join(self.parts), self._spans)
