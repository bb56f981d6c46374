"""Lays Markdown out as rows of a width. Pure, so that it can run on any thread.

HTML is shown as it is written. A link has its whole address in the meta of its style, and is never a link of
the terminal.
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

# Characters of a code block. For a longer one a lexer may take seconds, so it is shown in one colour.
_LONGEST_HIGHLIGHTED = 20_000
# Cells of a column. A table whose columns would be narrower is written with one line for each cell.
_NARROWEST_COLUMN = 5
# Cells of a nested block. A block that would be narrower is not indented.
_NARROWEST_BLOCK = 4
_BULLETS = ("•", "◦", "▪")
_INLINE_CODE = "$text-warning"

_parser = MarkdownIt("commonmark", {"html": False, "linkify": True, "maxNesting": 100}).enable(
    ["table", "strikethrough", "linkify"]
)


@dataclass
class Rendered:
    """Rows, and the code blocks and links in them, in order."""

    rows: list[Row] = field(default_factory=list)
    code: list[str] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    """The text and the address of each link."""


def render(source: str, width: int, first_code: int = 0) -> Rendered:
    """Lay `source` out in rows of `width` cells at most. Its code blocks are numbered from `first_code`."""
    layout = _Layout(first_code)
    tree = SyntaxTreeNode(_parser.parse(source))
    layout.rendered.rows = layout.blocks(tree.children, max(width, 4))
    return layout.rendered


def block_end(source: str, start: int) -> int:
    """The last place behind `start` up to which `source` is rendered the same, whatever is appended to it.

    That place is behind a blank line outside every code block, where the parser sees a new block begin. It is
    `start` where there is no such place.
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
    tokens = _parser.parse("\n".join(lines))
    block_lines = {token.map[0] for token in tokens if token.level == 0 and token.map}
    return max((place for number, place in places.items() if number in block_lines), default=start)


# A fence may stand behind the markers of a list.
_FENCE = re.compile(r"(?:\s*(?:[-*+]|\d{1,9}[.)])\s+)*\s*(`{3,}(?=[^`]*$)|~{3,})")


def _may_continue(line: str) -> bool:
    """Whether the line may continue a list that stands before a blank line."""
    return line[0] in " \t-*+" or line[0].isdigit() or len(line.strip()) < 3


class _Layout:
    """Lays out the nodes of one text, and collects its code blocks and links in `rendered`."""

    def __init__(self, first_code: int) -> None:
        self.rendered = Rendered()
        self._first_code = first_code

    def blocks(self, nodes: Sequence[SyntaxTreeNode], width: int, *, tight: bool = False) -> list[Row]:
        """The rows of several blocks; a blank row stands between them unless they are `tight`."""
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
                if width - len(bar) < _NARROWEST_BLOCK:
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
            if width - size < _NARROWEST_BLOCK:
                rows += self.blocks(item.children, width, tight=tight)
                continue
            inside = self.blocks(item.children, width - size, tight=tight)
            rows += prefixed(inside or [Row(Content())], Content(mark.rjust(size)).stylize(MUTED))
        return rows

    def _code(self, node: SyntaxTreeNode, width: int) -> list[Row]:
        code = node.content.rstrip("\n").expandtabs(4)
        number = self._first_code + len(self.rendered.code)
        self.rendered.code.append(node.content.rstrip("\n"))
        language = (node.info.split() or [""])[0] if node.type == "fence" else ""
        # Without a name the lexer would be guessed, in time that grows with the square of the length.
        lexer_name = language if language and len(code) <= _LONGEST_HIGHLIGHTED else "text"
        text = _highlighted(code, lexer_name) if lexer_name != "text" else Content(code).stylize(CODE)
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
        """The rows of a table that is too wide: a line for each cell, behind its column's name."""
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
        self.rendered.links.append((text, address))
        shown = inside if inside.plain else Content(text)
        if node.type == "image":
            shown = Content("image: ") + shown
        return shown.stylize(Style(underline=True) + Style.from_meta({"link": address}))


class _CodeColours(HighlightTheme):
    """Textual's colours, with the theme's foreground in place of a colour computed from the background."""

    STYLES = {  # noqa: RUF012 - as the library has it
        token: style.replace("$text ", "$foreground ") for token, style in HighlightTheme.STYLES.items()
    }


def _highlighted(code: str, language: str) -> Content:
    text = highlight(code, language=language, theme=_CodeColours)
    return Content(text.plain, [span for span in text.spans if span.style != "$text"])


def _depth(node: SyntaxTreeNode) -> int:
    """The number of lists that `node` stands in."""
    depth, ancestor = 0, node.parent
    while ancestor is not None:
        depth += ancestor.type in ("bullet_list", "ordered_list")
        ancestor = ancestor.parent
    return depth


def _column_sizes(natural: Sequence[int], room: int) -> list[int]:
    """The cells of each column: narrow ones get what they need, wide ones share the rest evenly."""
    sizes = [max(1, size) for size in natural]
    cells_left, open_columns = max(room, len(sizes)), sorted(range(len(sizes)), key=lambda at: sizes[at])
    while open_columns:
        share = cells_left // len(open_columns)
        column = open_columns.pop(0)
        sizes[column] = max(1, min(sizes[column], share))
        cells_left -= sizes[column]
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
