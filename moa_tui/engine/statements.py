"""A text cut into what it states: sentences, list items, rows of tables; with the place of each. Pure.

Works in every script: signs that end a sentence in scripts without blanks need none behind them, and Thai and
Lao, which have no such sign, are cut at their blanks. Headings, lines that lead in to a list, questions to
the reader, blocks of code and of formulas state no point. Every step takes time that grows with the length of
the text alone, since a model may write anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

Kind = Literal["sentence", "item", "row", "other"]
"""What a statement is; `other` states no point: a heading, a lead-in, a question, a block."""

# Longer pieces without the end of a sentence are cut at a blank: they are data, or hostile.
LONGEST_STATEMENT = 600
# Pieces of Thai or Lao are joined up to this many characters: a blank there may also end a phrase.
_SHORTEST_UNSPACED = 28

_SENTENCE_END = re.compile(
    r"(?<![.!?…؟۔।։])[.!?…؟۔।։]++[\"'”’»)\]*_`]*+(?=\s)"
    r"|(?<![。！？｡।॥།။።；])[。！？｡।॥།။።；]++[」』）】”’\"'*_`]*+(?=.)"
    r"|(?<=[\u0e00-\u0eff])(?=[ ][\u0e00-\u0eff])",
    re.DOTALL,
)
_LAST_WORD = re.compile(r"(\w+)\Z")
_ABBREVIATIONS = re.compile(
    r"(?:etc|vs|fig|nos|dr|mr|mrs|ms|st|inc|ltd|prof|sen|gen|rev|hon|vol|approx|min|max|abs|resp"
    r"|pp|ca|cf|op|al|bzw|usw|ggf|evtl|inkl|art|bsp|vgl|т|д|п|г|руб|см|ст)",
    re.IGNORECASE,
)
_ITEM = re.compile(
    r"[ \t]*(?:>[ \t]*)*(?:(?:[-*+•‣◦–·]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)])[ \t]+(?:\[[ xX]\][ \t]+)?"
    r"|[①-⑳•・][ \t]*|\d{1,3}[、．）][ \t]*|[一二三四五六七八九十]{1,3}、[ \t]*)(?=\S)"
)
_QUOTE = re.compile(r"[ \t]*(?:>[ \t]*)+")
_HEADING = re.compile(r"[ \t]*#{1,6}(?:[ \t]|$)")
_RULE = re.compile(r"[ \t]*(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,}|={3,}[ \t]*)$")
_TABLE_RULE = re.compile(r"[ \t]*\|?[ \t:]*-{2,}[-:| \t]*$")
_FENCE = re.compile(r"[ \t]*+(?:(?:>|[-*+•]|\d{1,6}[.)])[ \t]++){0,6}+(`{3,}+(?![^`]*`)|~{3,})")
_FORMULA = re.compile(r"[ \t]*(?:\$\$|\\\[|\\begin\{)")
_FORMULA_END = re.compile(r"(?:\$\$|\\\]|\\end\{[^}]{0,40}\})[ \t.,;]*$")
_BOLD_LINE = re.compile(r"[ \t]*(\*\*|__)(?!\s)[^*_\n]{1,120}(?<![.!。！])\1[ \t]*:?[ \t]*$")
_EMPHASIS = ("***", "___", "**", "__", "*", "_")
_QUESTION_ENDS = ("?", "？", "؟", "\u037e", "՞")
_LEAD_IN_ENDS = (":", "：", "︰")
_CLOSERS = "\"'”’»)]*_`」』）】 \t"


@dataclass(frozen=True, slots=True)
class Statement:
    """A piece of a text: what it says on one line, what it is, and where it stands in characters."""

    text: str
    kind: Kind
    start: int
    end: int


def statements(text: str, *, with_blocks: bool = False) -> list[Statement]:
    """The statements of `text` in order, those that state no point among them.

    The lines of blocks of code and of formulas are among these `with_blocks`, and else left aside.
    """
    return [statement for block in _blocks(text, with_blocks) for statement in _cut(text, block)]


@dataclass(frozen=True, slots=True)
class _Block:
    """A stretch of a text: a paragraph, a list item with its further lines, a row, a heading."""

    kind: Kind
    start: int
    end: int


def _blocks(text: str, with_blocks: bool) -> Iterator[_Block]:
    """The blocks of `text` in order; lines that belong together are one."""
    open_block: _Block | None = None
    is_table = False
    lines = _lines(text, with_blocks)
    for index, (start, end) in enumerate(lines):
        line = text[start:end]
        following = text[slice(*lines[index + 1])] if index + 1 < len(lines) else ""
        # The rows of a table need no bar at their ends.
        is_table = "|" in line and (is_table or _is_table_rule(following))
        kind, begin = _kind_of_line(line, start, following, is_row=is_table)
        if kind is not None and begin is None:
            # A further line of the paragraph or item before it.
            if open_block is not None and open_block.kind in ("sentence", "item"):
                open_block = _Block(open_block.kind, open_block.start, end)
                continue
            begin = start
        if open_block is not None:
            yield open_block
        open_block = None
        if kind is not None and begin is not None:
            open_block = _Block(kind, begin, end)
    if open_block is not None:
        yield open_block


def _is_table_rule(line: str) -> bool:
    return "|" in line and _TABLE_RULE.match(line) is not None


def _kind_of_line(line: str, start: int, following: str, *, is_row: bool) -> tuple[Kind | None, int | None]:
    """What a line is, and where what it states begins; None for that where it may go on with the line before.

    A blank line, a rule and the line under a table's heading are nothing at all.
    """
    if not line.strip() or _RULE.match(line) or (_TABLE_RULE.match(line) and "-" in line):
        return None, None
    if _HEADING.match(line) or _BOLD_LINE.match(line):
        return "other", start
    if is_row or line.lstrip().startswith("|"):
        is_head = _TABLE_RULE.match(following) is not None
        return ("other" if is_head else "row"), start + len(line) - len(line.lstrip("| \t"))
    if item := _ITEM.match(line):
        return "item", start + item.end()
    if quote := _QUOTE.match(line):
        return "sentence", start + quote.end()
    return "sentence", None


def _lines(text: str, with_blocks: bool) -> list[tuple[int, int]]:
    """Where the lines of `text` begin and end; a block of code is one blank line, or its lines."""
    lines: list[tuple[int, int]] = []
    fence = ""
    is_formula = False
    start = 0
    while start <= len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        line = text[start:end]
        if with_blocks and (fence or is_formula):
            lines.append((start, end))
        if fence:
            content = line.strip().lstrip("> \t")
            if len(content) >= len(fence) and not content.strip(fence[0]):
                fence = ""
        elif is_formula:
            is_formula = _FORMULA_END.search(line[-80:]) is None and bool(line.strip())
        elif opening := _FENCE.match(line):
            fence = opening[1]
            lines.append((start, start))
        elif _FORMULA.match(line):
            is_formula = len(line.strip()) < 3 or _FORMULA_END.search(line[-80:]) is None
            lines.append((start, end if with_blocks else start))
        else:
            lines.append((start, end))
        start = end + 1
    return lines


def _cut(text: str, block: _Block) -> Iterator[Statement]:
    """The statements of a block: of a row or heading one, of a paragraph or item one for each sentence."""
    if block.kind in ("row", "other"):
        yield from _statement(text, block.kind, block.start, block.end)
        return
    start = block.start
    for end in _sentence_ends(text, block.start, block.end):
        while end - start > LONGEST_STATEMENT:
            blank = text.rfind(" ", start + LONGEST_STATEMENT // 2, start + LONGEST_STATEMENT)
            cut = blank if blank > 0 else start + LONGEST_STATEMENT
            yield from _statement(text, block.kind, start, cut)
            start = cut
        yield from _statement(text, block.kind, start, end)
        start = end


def _sentence_ends(text: str, start: int, end: int) -> Iterator[int]:
    """Where the sentences between two places end; the last one ends with the block."""
    last = start
    for found in _SENTENCE_END.finditer(text, start, end):
        if found[0] == "" and found.end() - last < _SHORTEST_UNSPACED:
            continue
        if found[0].startswith(".") and not found[0].startswith(".."):
            word = _LAST_WORD.search(text, max(last, found.start() - 40), found.start())
            if word is not None and _is_short(word[1], text[word.start() - 1]):
                continue
        if found[0].startswith((".", "…")) and text[found.end() : found.end() + 3].lstrip()[:1].islower():
            continue
        last = found.end()
        yield last
    if last < end:
        yield end


def _is_short(word: str, before: str) -> bool:
    """True for a letter or an abbreviation, behind which a full stop ends no sentence."""
    if word.isdecimal() or before in "'\u2019":  # As in "isn't".
        return False
    return len(word) < 2 or _ABBREVIATIONS.fullmatch(word) is not None


def _statement(text: str, kind: Kind, start: int, end: int) -> Iterator[Statement]:
    """The statement between two places, without blanks and emphasis at its ends; none where there is none."""
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    end -= len(piece) - len(piece.rstrip(" \t\r\n|" if kind == "row" else None))
    for mark in _EMPHASIS:
        inner = text[start + len(mark) : end - len(mark)]
        if text.startswith(mark, start) and text.endswith(mark, start, end) and inner and mark not in inner:
            start, end = start + len(mark), end - len(mark)
            break
    said = " ".join(text[start:end].split())
    if not any(character.isalnum() for character in said[:LONGEST_STATEMENT]):
        return
    bare = said.rstrip(_CLOSERS)
    if bare.endswith(_LEAD_IN_ENDS) or (kind == "sentence" and bare.endswith(_QUESTION_ENDS)):
        kind = "other"
    yield Statement(said, kind, start, end)
