"""Markdown as rows: what a model wrote, laid out at a width. Pure, so that it can run on another thread.

HTML is shown as it is written. A link keeps its whole address in the style's meta, never as a terminal link.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode
from textual.content import Content
from textual.highlight import HighlightTheme, highlight
from textual.style import Style

from moa_tui.text.cells import cut
from moa_tui.ui.rows.text_rows import CODE, HEADING, MUTED, Row, prefixed, wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

# Beyond this a lexer may take seconds; the code is shown all the same, in one colour.
_LONGEST_HIGHLIGHTED = 20_000
# A table whose columns would get less than this is written as one line for each cell.
_NARROWEST_COLUMN = 5
# What is nested so deep that less is left than this is no longer indented.
_NARROWEST = 4
_BULLETS = ("•", "◦", "▪")
_INLINE_CODE = "$text-warning"

_parser = MarkdownIt("commonmark", {"html": False, "linkify": True, "maxNesting": 100}).enable(
    ["table", "strikethrough", "linkify"]
)


@dataclass
class Rendered:
    """Rows, and the code blocks and links they hold, in order."""

    rows: list[Row] = field(default_factory=list)
    code: list[str] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    """Text and address of each."""


def render(source: str, width: int, first_code: int = 0) -> Rendered:
    """`source` as rows of `width` cells at most; its code blocks count from `first_code`."""
    layout = _Layout(first_code)
    tree = SyntaxTreeNode(_parser.parse(source))
    layout.out.rows = layout.blocks(tree.children, max(width, 4))
    return layout.out


def block_end(source: str, start: int) -> int:
    """Where `source` may be cut behind `start` so that what stands before is rendered as it will stay.

    That is behind a blank line outside every fence, where the parser too sees a block of its own begin.
    """
    fence, at = "", start
    blank = False
    places: dict[int, int] = {}
    lines = source[start:].split("\n")
    for number, line in enumerate(lines):
        text = line.strip()
        if fence:
            if text.startswith(fence) and not text.strip(fence[0]):
                fence = ""
        else:
            if blank and text and not _may_continue(line):
                places[number] = at
            blank = not text
            if opening := _FENCE.match(line):
                fence = opening[1]
        at += len(line) + 1
    if not places:
        return start
    tokens = _parser.parse("\n".join(lines))
    blocks = {token.map[0] for token in tokens if token.level == 0 and token.map}
    return max((place for number, place in places.items() if number in blocks), default=start)


# A fence may begin behind the markers of the list it stands in.
_FENCE = re.compile(r"(?:\s*(?:[-*+]|\d{1,9}[.)])\s+)*\s*(`{3,}(?=[^`]*$)|~{3,})")


def _may_continue(line: str) -> bool:
    """Whether the line may belong to a list that a blank line seemed to end."""
    return line[0] in " \t-*+" or line[0].isdigit() or len(line.strip()) < 3


class _Layout:
    def __init__(self, first_code: int) -> None:
        self.out = Rendered()
        self._first_code = first_code

    def blocks(self, nodes: Sequence[SyntaxTreeNode], width: int, *, tight: bool = False) -> list[Row]:
        rows: list[Row] = []
        for node in nodes:
            block = self._block(node, width)
            if rows and block and not tight:
                rows.append(Row(Content()))
            rows += block
        return rows

    def _block(self, node: SyntaxTreeNode, width: int) -> list[Row]:
        match node.type:
            case "heading":
                title = self._inline(node).stylize(HEADING)
                mark = Content("#" * int(node.tag[1:]) + " ").stylize(MUTED)
                return prefixed(self._lines(title, max(2, width - len(mark))), mark)
            case "paragraph" | "inline" | "th" | "td":
                return self._lines(self._inline(node), width)
            case "bullet_list" | "ordered_list":
                return self._list(node, width)
            case "blockquote":
                bar = Content("▎ ").stylize(MUTED)
                if width - len(bar) < _NARROWEST:
                    return self.blocks(node.children, width)
                return prefixed(self.blocks(node.children, width - len(bar)), bar, bar)
            case "fence" | "code_block":
                return self._code(node, width)
            case "hr":
                return [Row(Content("─" * width).stylize(MUTED))]
            case "table":
                return self._table(node, width)
            case _:
                return self._lines(Content(node.content), width)

    def _lines(self, content: Content, width: int) -> list[Row]:
        return [row for line in content.split("\n", allow_blank=True) for row in wrap(line, width)]

    def _list(self, node: SyntaxTreeNode, width: int) -> list[Row]:
        depth = _depth(node)
        number = int(node.attrs.get("start", 1)) if node.type == "ordered_list" else 0
        marks = [
            f"{number + index}. " if node.type == "ordered_list" else f"{_BULLETS[depth % len(_BULLETS)]} "
            for index in range(len(node.children))
        ]
        size = max(map(len, marks), default=0)
        tight = all(
            child.hidden for item in node.children for child in item.children if child.type == "paragraph"
        )
        rows: list[Row] = []
        for mark, item in zip(marks, node.children, strict=True):
            if rows and not tight:
                rows.append(Row(Content()))
            if width - size < _NARROWEST:
                rows += self.blocks(item.children, width, tight=tight)
                continue
            inside = self.blocks(item.children, width - size, tight=tight)
            rows += prefixed(inside or [Row(Content())], Content(mark.rjust(size)).stylize(MUTED))
        return rows

    def _code(self, node: SyntaxTreeNode, width: int) -> list[Row]:
        code = node.content.rstrip("\n").expandtabs(4)
        number = self._first_code + len(self.out.code)
        self.out.code.append(node.content.rstrip("\n"))
        language = (node.info.split() or [""])[0] if node.type == "fence" else ""
        # Without a name the library would guess, in time that grows with the square of the length.
        known = language if language and len(code) <= _LONGEST_HIGHLIGHTED else "text"
        text = _highlighted(code, known) if known != "text" else Content(code).stylize(CODE)
        title = cut(language, width - 10)
        button = Content("copy").stylize(Style(underline=True) + Style.from_meta({"code": number}))
        head = Content.assemble((f"┌ {title}{' ' if title else ''}", MUTED), button.stylize_before(MUTED))
        bar = Content("│ ").stylize(MUTED)
        body = [
            row
            for line in text.split("\n", allow_blank=True)
            for row in wrap(line, max(2, width - 2), words=False)
        ]
        return [Row(head), *prefixed(body, bar, bar), Row(Content("└").stylize(MUTED))]

    def _table(self, node: SyntaxTreeNode, width: int) -> list[Row]:
        lines = [
            [self._inline(cell) for cell in row.children] for part in node.children for row in part.children
        ]
        head, *body = lines
        natural = [max(cell.cell_length for cell in column) for column in zip(*lines, strict=True)]
        room = width - 3 * (len(natural) - 1)
        if room < min(_NARROWEST_COLUMN, max(natural)) * len(natural) and sum(natural) > room:
            return self._records(head, body, width)
        sizes = _column_sizes(natural, room)
        rows = _table_line([cell.stylize("bold") for cell in head], sizes)
        rows.append(Row(Content("─┼─".join("─" * size for size in sizes)).stylize(MUTED)))
        for line in body:
            rows += _table_line(line, sizes)
        return rows

    def _records(self, head: list[Content], body: list[list[Content]], width: int) -> list[Row]:
        """A table too wide for its room: each cell a line, behind its column's name."""
        rows: list[Row] = []
        for line in body:
            if rows:
                rows.append(Row(Content()))
            for name, cell in zip(head, line, strict=True):
                rows += wrap(Content.assemble(name.stylize("bold"), ": ", cell), width)
        return rows

    def _inline(self, node: SyntaxTreeNode) -> Content:
        if node.type == "text":
            return Content(node.content.expandtabs(4))
        inside = Content("").join([self._inline(child) for child in node.children])
        match node.type:
            case "softbreak":
                return Content(" ")
            case "hardbreak":
                return Content("\n")
            case "code_inline":
                return Content(node.content.expandtabs(4)).stylize(_INLINE_CODE)
            case "strong":
                return inside.stylize("bold")
            case "em":
                return inside.stylize("italic")
            case "s":
                return inside.stylize("strike")
            case "link" | "image":
                return self._link(node, inside)
            case _:
                return inside if node.children else Content(node.content if node.type != "td" else "")

    def _link(self, node: SyntaxTreeNode, inside: Content) -> Content:
        address = str(node.attrs.get("href") or node.attrs.get("src") or "")
        text = inside.plain or node.content or address
        self.out.links.append((text, address))
        shown = inside if inside.plain else Content(text)
        if node.type == "image":
            shown = Content("image: ") + shown
        return shown.stylize(Style(underline=True) + Style.from_meta({"link": address}))


class _CodeColours(HighlightTheme):
    """The theme's own foreground for what the library takes from the background's contrast."""

    STYLES = {  # noqa: RUF012 - as the library has it
        token: style.replace("$text ", "$foreground ") for token, style in HighlightTheme.STYLES.items()
    }


def _highlighted(code: str, language: str) -> Content:
    text = highlight(code, language=language, theme=_CodeColours)
    return Content(text.plain, [span for span in text.spans if span.style != "$text"])


def _depth(node: SyntaxTreeNode) -> int:
    depth, above = 0, node.parent
    while above is not None:
        depth += above.type in ("bullet_list", "ordered_list")
        above = above.parent
    return depth


def _column_sizes(natural: Sequence[int], room: int) -> list[int]:
    """Each column's cells: what it needs where that fits, the rest shared evenly among the wide ones."""
    sizes = [max(1, size) for size in natural]
    left, open_columns = max(room, len(sizes)), sorted(range(len(sizes)), key=lambda at: sizes[at])
    while open_columns:
        share = left // len(open_columns)
        column = open_columns.pop(0)
        sizes[column] = max(1, min(sizes[column], share))
        left -= sizes[column]
    return sizes


def _table_line(cells: Sequence[Content], sizes: Sequence[int]) -> list[Row]:
    columns = [wrap(cell, size) for cell, size in zip(cells, sizes, strict=True)]
    rule = Content(" │ ").stylize(MUTED)
    rows = []
    for number in range(max(map(len, columns))):
        parts = [
            _padded(column[number].content if number < len(column) else Content(), size)
            for column, size in zip(columns, sizes, strict=True)
        ]
        rows.append(Row(rule.join(parts)))
    return rows


def _padded(content: Content, size: int) -> Content:
    return content + Content(" " * max(0, size - content.cell_length))
