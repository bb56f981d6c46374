"""Reads Markdown as a tree of blocks, within a bound on the work that one text may cost. Pure.

A text may be written so that a parser calls itself too deep, or so that the time grows with the square of its
length. Everything that is done for a text is counted by its `Work`, which raises `TooMuchWorkError` in time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt
from markdown_it.parser_inline import ParserInline
from markdown_it.rules_core import linkify

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it.ruler import RuleOptionsType
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_core import StateCore
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

# Blocks in one another; a list counts twice. The parser and the layout call themselves for each.
_MOST_NESTED = 100
# Steps between two looks at the clock.
_STEPS_UNTIL_LOOK = 16
# A thread that computes makes the screen's thread wait for 5 ms each time, unless it rests of itself.
_SECONDS_UNTIL_REST = 0.003
_REST_SECONDS = 0.00005
# Addresses without marks are looked for in paragraphs of fewer characters and pieces: the search takes time
# that grows with the square of both, in steps that cannot be interrupted.
_LONGEST_SEARCHED = 4_000
_MOST_PIECES_SEARCHED = 2_000


class TooMuchWorkError(Exception):
    """A text would cost more work than a text may, or is nested too deep."""


class Work:
    """The work that one text may cost: `seconds` of the processor, counted on the thread that makes it."""

    def __init__(self, seconds: float, *, rests: bool = False) -> None:
        """`rests` lets other threads go first again and again, for work beside the screen's thread."""
        self._end = time.thread_time() + seconds
        self._rests = rests
        self._next_rest = 0.0
        self._steps = 0

    def step(self, count: int = 1) -> None:
        """Count `count` small steps; raise `TooMuchWorkError` when the time is over."""
        self._steps += count
        if self._steps < _STEPS_UNTIL_LOOK:
            return
        self._steps = 0
        now = time.thread_time()
        if now > self._end:
            raise TooMuchWorkError
        if self._rests and now >= self._next_rest:
            self._next_rest = now + _SECONDS_UNTIL_REST
            time.sleep(_REST_SECONDS)


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
    for token in _parser.parse(source, {_WORK: work}):
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
    tokens: list[Token] = []
    lines = source.replace("\r\n", "\n").replace("\r", "\n")
    _parser.block.parse(lines, _parser, {_WORK: work}, tokens)
    return {token.map[0] for token in tokens if token.level == 0 and token.map}


# The parser. Its rules find the `Work` of the text in the environment that each parsing has.

_WORK = "work"


class _CountedInline(ParserInline):
    """Counts each token that is skipped: the search for the end of a link skips the same ones again."""

    def skipToken(self, state: StateInline) -> None:
        state.env[_WORK].step()
        super().skipToken(state)


def _count_block(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    """A rule that matches no block."""
    if state.level >= _MOST_NESTED:
        raise TooMuchWorkError
    state.env[_WORK].step()
    return False


def _count_inline(state: StateInline, silent: bool) -> bool:
    """A rule that matches no inline token."""
    state.env[_WORK].step()
    return False


def _bounded_linkify(state: StateCore) -> None:
    """Make links of the addresses in all texts but very long ones."""
    tokens = state.tokens
    for token in tokens:
        pieces = token.children or ()
        state.env[_WORK].step()
        if len(pieces) <= _MOST_PIECES_SEARCHED and all(
            len(piece.content) <= _LONGEST_SEARCHED for piece in pieces
        ):
            state.tokens = [token]
            linkify(state)
    state.tokens = tokens


def _make_parser() -> MarkdownIt:
    parser = MarkdownIt()
    parser.inline = _CountedInline()
    parser.configure("commonmark", {"html": False, "linkify": True, "maxNesting": _MOST_NESTED + 20})
    parser.enable(["table", "strikethrough", "linkify"])
    # In these chains a rule is also asked whether it ends a block that is being read.
    chains: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote", "list"]}
    parser.block.ruler.before("table", "count", _count_block, chains)
    parser.inline.ruler.before("text", "count", _count_inline)
    parser.core.ruler.at("linkify", _bounded_linkify)
    return parser


_parser = _make_parser()
