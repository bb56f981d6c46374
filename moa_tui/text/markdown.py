"""Markdown parsers that count their work, so that no text can keep one busy for long. Pure.

A text may be written so that a parser calls itself too deep, or so that the time grows with the square of its
length. Everything that is done for a text is counted by its `Work`, which raises `TooMuchWorkError` in time.
"""

from __future__ import annotations

import re
import time
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


LIBRARY_FAULTS = (
    RecursionError,
    RuntimeError,
    AssertionError,
    AttributeError,
    TypeError,
    ValueError,
    LookupError,
    ArithmeticError,
    re.error,
)
"""What libraries that read Markdown or code may raise on a text that they were not written for."""


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


# The rules of a parser find the `Work` of the text in the environment that each parsing has.

_WORK = "work"


class CountedInline(ParserInline):
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


class CountedParser(MarkdownIt):
    """A parser of CommonMark, whose `counted` raises `TooMuchWorkError` in time."""

    def __init__(
        self, rules: Sequence[str] = (), *, html: bool = True, inline: CountedInline | None = None
    ) -> None:
        """`rules` are markdown-it's names of rules that CommonMark lacks; `inline` reads in a line."""
        super().__init__()
        self.inline = inline or CountedInline()
        options = {"html": html, "linkify": "linkify" in rules, "maxNesting": _MOST_NESTED + 20}
        self.configure("commonmark", options)
        self.enable(list(rules))
        # In these chains a rule is also asked whether it ends a block that is being read.
        chains: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote", "list"]}
        self.block.ruler.before("table", "count", _count_block, chains)
        self.inline.ruler.before("text", "count", _count_inline)
        self.core.ruler.at("linkify", _bounded_linkify)

    def counted(self, source: str, work: Work) -> list[Token]:
        """The tokens of a text. Raises `TooMuchWorkError`, and what markdown-it raises."""
        return self.parse(source, {_WORK: work})

    def counted_blocks(self, source: str, work: Work) -> list[Token]:
        """The tokens of the blocks of a text, without those of what is in its lines. Raises as `counted`."""
        tokens: list[Token] = []
        lines = source.replace("\r\n", "\n").replace("\r", "\n")
        self.block.parse(lines, self, {_WORK: work}, tokens)
        return tokens
