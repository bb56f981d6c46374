"""Markdown as a tree of blocks, read within the bound of its `Work`. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from moa_tui.text.shown_markdown import ShownMarkdown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it.token import Token

    from moa_tui.text.markdown import Work

_parser = ShownMarkdown(["table", "strikethrough", "linkify"])


@dataclass(slots=True)
class Block:
    """A block with the blocks in it. `type` is markdown-it's, without `_open`."""

    type: str
    token: Token
    children: list[Block] = field(default_factory=list)

    @property
    def inline_tokens(self) -> Sequence[Token]:
        """The tokens of the block's text, in order: one for each piece, opening and closing mark."""
        return [token for child in self.children for token in child.token.children or ()]


def blocks(source: str, work: Work) -> list[Block]:
    """The blocks of a text. Raises `TooMuchWorkError`."""
    outermost: list[Block] = []
    siblings = [outermost]
    for token in _parser.counted(source, work):
        if token.nesting < 0:
            siblings.pop()
            continue
        block = Block(token.type.removesuffix("_open"), token)
        siblings[-1].append(block)
        if token.nesting > 0:
            siblings.append(block.children)
    return outermost


def first_lines(source: str, work: Work) -> set[int]:
    """The numbers of the lines, from 0, in which the outermost blocks begin. Raises `TooMuchWorkError`."""
    tokens = _parser.counted_blocks(source, work)
    return {token.map[0] for token in tokens if token.level == 0 and token.map}
