"""Markdown as models write it and readers expect to see it: CommonMark, and what it would spoil kept. Pure.

- Formulas in the marks of TeX stay as they were written; CommonMark would take their backslashes away. One
  between single dollars is told from two prices as Pandoc does (its manual, "Extension: tex_math_dollars"):
  neither dollar has a space on the inside, and no digit follows the second. Nothing is put in the place of a
  command: few have a character that means the same, and what is copied from the screen would be no LaTeX.
- Emphasis may end between characters of scripts that put no space between words, as in `**注意：**这里`. The
  rule is that of github.com/tats-u/markdown-cjk-friendly, for every such script.
- `<br>` is a line break; in a table nothing else can be one.
- A row of a table keeps all its text: a `|` in code or in a formula parts no cells where there would be too
  many, and what is left over stays in the last cell. GFM drops it, as in a table of operators.
- A line that looks like the definition of a link is shown: it may be one of a list of sources, or no link.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from unicodedata import east_asian_width

from markdown_it.rules_block.reference import reference
from markdown_it.rules_block.table import table
from markdown_it.rules_inline.state_inline import StateInline

from moa_tui.text.markdown import CountedInline, CountedParser

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_inline.state_inline import Scanned
    from markdown_it.token import Token
    from markdown_it.utils import EnvType

_MOST_FORMULA_LINES = 200
_CLOSING_MARKS = {"\\(": "\\)", "\\[": "\\]", "$$": "$$"}
# Marks in a paragraph of their own belong to a formula with blank lines in it.
_LONE_MARKS = {*_CLOSING_MARKS, *_CLOSING_MARKS.values()}
_OPEN_LINES = ("\\[", "$$")
_LONGEST_INDENT = 20  # characters around a mark that stands alone on its line
# What may be a link, a box to tick or the number of a source between escaped brackets.
_NO_FORMULA = " xX0123456789,"
_ESCAPED_PIPE = "\\|"
_ENVIRONMENT = re.compile(r"\\begin\{([A-Za-z]{1,20}\*?)\}")
_LINE_BREAK = re.compile(r"<br[ \t]{0,8}/?>", re.IGNORECASE)
# A footnote, `[^1]: ...`, is none of them.
_ADDRESS = re.compile(
    r"\[(?!\^)[^\]]{1,999}\]:\s{0,99}<?(?:[a-z][a-z0-9+.-]{1,20}:|www\.|[/#.])", re.IGNORECASE
)
_PIPE = re.compile(r"(?<!\\)\|")
_NO_PIPE = "\udc7c"  # What stands for one that parts no cells while a table is read: no text can hold it.
_ONE_PIECE = re.compile(
    r"(?<![`\\])(?P<ticks>`{1,2})(?!`)[^`]{1,200}(?P=ticks)(?!`)"
    r"|(?P<formula>\\\(.{1,200}?\\\)"
    r"|\$\$[^$]{1,200}\$\$"
    r"|(?<![\\$])\$(?![\s$])[^$]{1,200}(?<![\s\\])\$(?![\w$]))"
)
# Thai, Lao and Tibetan; Burmese; Khmer. Chinese, Japanese and Korean are told by the width of a character.
_SPACELESS = ((0x0E00, 0x0FFF), (0x1000, 0x109F), (0x1780, 0x17FF))


class ShownMarkdown(CountedParser):
    """A parser of what is shown to a reader. HTML other than `<br>` stays as it is written."""

    def __init__(self, rules: Sequence[str] = ()) -> None:
        """`rules` are markdown-it's names of rules that CommonMark does not have."""
        super().__init__(rules, html=False, inline=_Inline())
        self.inline.ruler.before("escape", "formula", _formula)
        self.inline.ruler.before("autolink", "line_break", _line_break)
        chains = {"alt": ["paragraph", "reference", "blockquote", "list"]}
        chains_of_tables = {"alt": ["paragraph", "reference"]}
        self.block.ruler.before("table", "formula", _formula_block, chains)  # type: ignore[arg-type]
        self.block.ruler.at("table", _whole_table, chains_of_tables)  # type: ignore[arg-type]
        self.block.ruler.at("reference", _shown_reference)


class _State(StateInline):
    """Emphasis that may stand beside characters of scripts without spaces, and what is known of formulas."""

    def __init__(self, src: str, md: MarkdownIt, env: EnvType, tokens: list[Token]) -> None:
        super().__init__(src, md, env, tokens)
        self._last_places: dict[str, int] = {}

    def scanDelims(self, start: int, canSplitWord: bool) -> Scanned:
        scanned = super().scanDelims(start, canSplitWord)
        if not canSplitWord:
            return scanned
        end = start + scanned.length
        before = self.src[start - 1 : start] or " "
        after = self.src[end : end + 1] or " "
        if _is_spaceless(before) or _is_spaceless(after):
            scanned = scanned._replace(
                can_open=scanned.can_open or not after.isspace(),
                can_close=scanned.can_close or not before.isspace(),
            )
        return scanned

    def find(self, mark: str, start: int) -> int:
        """The first place of `mark` from `start` on, or -1 without a search where it comes no more."""
        if mark not in self._last_places:
            self._last_places[mark] = self.src.rfind(mark)
        return self.src.find(mark, start, self.posMax) if self._last_places[mark] >= start else -1


class _Inline(CountedInline):
    def parse(self, src: str, md: MarkdownIt, env: EnvType, tokens: list[Token]) -> list[Token]:
        state = _State(src, md, env, tokens)
        self.tokenize(state)
        for rule in self.ruler2.getRules(""):
            rule(state)
        return state.tokens


def _is_spaceless(character: str) -> bool:
    """True for a character of a script that puts no space between words, its punctuation included."""
    code = ord(character)
    if code < _SPACELESS[0][0]:
        return False
    return east_asian_width(character) in "WF" or any(first <= code <= last for first, last in _SPACELESS)


def _formula(state: StateInline, silent: bool) -> bool:
    """A formula, or a mark of one that is a paragraph of its own, as a text that stays as it is."""
    source, start = state.src, state.pos
    if source[start] not in "\\$" or not isinstance(state, _State):
        return False
    end = _formula_end(state, start)
    if end < 0:
        return False
    if not silent:
        state.push("text", "", 0).content = source[start:end]
    state.pos = end
    return True


def _formula_end(state: _State, start: int) -> int:
    """The place behind the formula that begins at `start`; -1 where none does."""
    source = state.src
    if source.startswith("$", start) and not source.startswith("$$", start):
        return _dollar_end(state, start)
    behind_mark = start + 2
    closing = _closing_mark(source, start)
    close = state.find(closing, behind_mark) if closing else -1
    if close < 0:
        # One that is still being written, or was cut off.
        if start == 0 and source.partition("\n")[0].strip() in _OPEN_LINES and "\n" in source:
            return len(source)
        return behind_mark if _stands_alone(source, start) else -1
    end = close + len(closing)
    is_text = not source[behind_mark:close].strip(_NO_FORMULA) or source[end : end + 1] in ("(", "[")
    return -1 if closing == "\\]" and is_text else end


def _stands_alone(source: str, start: int) -> bool:
    """Whether the two characters from `start` on are a mark of a formula, alone on their line."""
    before = source[max(0, start - _LONGEST_INDENT) : start].rpartition("\n")[2]
    behind = source[start + 2 : start + _LONGEST_INDENT].partition("\n")[0]
    return source[start : start + 2] in _LONE_MARKS and not before.strip() and not behind.strip()


def _closing_mark(source: str, start: int) -> str:
    """What ends the formula whose opening mark stands at `start`; nothing where none stands there."""
    mark = source[start : start + 2]
    if mark in _CLOSING_MARKS:
        return _CLOSING_MARKS[mark]
    if environment := _ENVIRONMENT.match(source, start):
        return f"\\end{{{environment[1]}}}"
    return ""


def _dollar_end(state: _State, start: int) -> int:
    """As `_formula_end`, for one between single dollar signs, by Pandoc's rule; most of those are prices."""
    source = state.src
    close = state.find("$", start + 1)
    while close > 0 and source[close - 1] == "\\":
        close = state.find("$", close + 1)
    if close < 0:
        return -1
    inside, behind = source[start + 1 : close], source[close + 1 : close + 2]
    is_before_word = behind.isalnum() and behind.isascii()  # `$a$的` is a formula.
    is_formula = inside.strip() == inside != "" and not is_before_word and behind != "$"
    return close + 1 if is_formula and not any(mark in inside for mark in ("**", "`", "](", "\n")) else -1


def _line_break(state: StateInline, silent: bool) -> bool:
    """The one tag of HTML that is more than its text."""
    if state.src[state.pos] != "<":
        return False
    tag = _LINE_BREAK.match(state.src, state.pos)
    if tag is None:
        return False
    if not silent:
        state.push("hardbreak", "br", 0)
    state.pos = tag.end()
    return True


def _formula_block(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    """A formula on lines of its own, without a blank one: none is a list, heading or quotation."""
    if state.is_code_block(start_line):
        return False
    begin = state.bMarks[start_line] + state.tShift[start_line]
    first = state.src[begin : state.eMarks[start_line]]
    closing = _closing_mark(first, 0)
    if not closing:
        return False
    line = start_line + 1
    if closing in first[2:]:
        inside = first.rstrip()[2:-2]
        is_whole = first[:2] in _OPEN_LINES and first.rstrip()[2:] == inside + closing
        if not is_whole or closing in inside or not inside.strip(_NO_FORMULA):
            return False
        if not silent:
            _push_paragraph(state, start_line, line)
            state.line = line
        return True
    while line < min(end_line, start_line + _MOST_FORMULA_LINES):
        if state.isEmpty(line) or state.sCount[line] < state.blkIndent:
            return False
        line += 1
        if closing in state.src[state.bMarks[line - 1] : state.eMarks[line - 1]]:
            break
    else:
        # Where the text ends first, it is still being written, or was cut off.
        if line < state.lineMax or first.strip() not in _OPEN_LINES:
            return False
    if silent:
        return True
    _push_paragraph(state, start_line, line)
    state.line = line
    return True


def _push_paragraph(state: StateBlock, start_line: int, end_line: int) -> None:
    state.push("paragraph_open", "p", 1).map = [start_line, end_line]
    inline = state.push("inline", "", 0)
    inline.content = state.getLines(start_line, end_line, state.blkIndent, False).strip()
    inline.map, inline.children = [start_line, end_line], []
    state.push("paragraph_close", "p", -1)


def _shown_reference(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    """The definition of a link, which is shown as well; what leads to no address is a paragraph."""
    begin = state.bMarks[start_line] + state.tShift[start_line]
    if not _ADDRESS.match(state.src[begin : begin + 1_200]) or not reference(
        state, start_line, end_line, silent
    ):
        return False
    if not silent:
        _push_paragraph(state, start_line, state.line)
    return True


def _whole_table(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    """A table as markdown-it reads it, with rows that keep their text."""
    columns = _columns(_line(state, start_line + 1)) if start_line + 2 <= end_line else 0
    if not columns or "|" not in _line(state, start_line):
        return False
    source, first_token = state.src, len(state.tokens)
    pieces, end, line = [], 0, start_line
    while line < (start_line + 2 if silent else end_line) and not state.isEmpty(line):
        begin = state.bMarks[line] + state.tShift[line]
        pieces += [source[end:begin], _whole_row(_line(state, line), columns, is_header=line == start_line)]
        end, line = state.eMarks[line], line + 1
    pieces.append(source[end:])
    state.src = "".join(pieces)
    try:
        return table(state, start_line, end_line, silent)
    finally:
        state.src = source
        for token in state.tokens[first_token:]:
            token.content = token.content.replace(_NO_PIPE, "|")


def _line(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]


def _columns(line: str) -> int:
    """How many columns the line below a table's header gives it; 0 where it is no such line."""
    if line[:1] not in ("|", "-", ":"):
        return 0
    cells = line.strip().removeprefix("|").removesuffix("|").split("|")
    return len(cells) if all(cell.strip() and not cell.strip().strip(":-") for cell in cells) else 0


def _whole_row(row: str, columns: int, *, is_header: bool) -> str:
    """A row, as long as it was, with `_NO_PIPE` for each pipe that would part too many cells."""
    # GFM takes the backslash of `\|` away, which is the mark of a norm in a formula.
    row = _ONE_PIECE.sub(
        lambda piece: piece[0].replace(_ESCAPED_PIPE, "\\" + _NO_PIPE) if piece["formula"] else piece[0], row
    )
    if len(_partings(row)) < columns:
        return row
    row = _ONE_PIECE.sub(lambda piece: _PIPE.sub(_NO_PIPE, piece[0]), row)
    surplus = _partings(row)[columns - 1 :]
    if is_header or not surplus or not row[surplus[0] :].strip("| \t"):
        return row
    end = surplus[-1] + 1
    return row[: surplus[0]] + _PIPE.sub(_NO_PIPE, row[surplus[0] : end]) + row[end:]


def _partings(row: str) -> list[int]:
    """The places of the pipes between two cells."""
    places = [match.start() for match in _PIPE.finditer(row)]
    text = row.strip()
    if text.startswith("|"):
        del places[0]
    if places and text.endswith("|") and places[-1] == len(row.rstrip()) - 1:
        del places[-1]
    return places
