"""Two texts compared word by word, and laid out as rows: beside each other, or in one column. Pure.

What only one text has is marked by signs as well as by colour: `[-only left-]`, `{+only right+}`.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, NamedTuple

from textual.content import Content, Span

from moa_tui.text.safe import with_replaced_controls
from moa_tui.ui.rows.text_rows import Row, cuts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

# Texts of more words than this are compared by lines first, changed lines in windows of as many words.
MAX_WORDS = 3_000
# Pairs of equal words to look at. The commonest words beyond it only prolong a match, and begin none.
_MAX_PAIRS = 200_000
_HAN = "\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef"
# A run without spaces, or one character of a script written without them.
_RUN = re.compile(rf"[{_HAN}][\ufe00-\ufe0f\U000e0100-\U000e01ef]*|[^\s{_HAN}]+")
_OPENING, _CLOSING = "([{\"'*_`#“‘„«", ".,;:!?…)]}\"'*_`”’»"

Side = Literal["left", "right"]
SIGNS: dict[Side, tuple[str, str]] = {"left": ("[-", "-]"), "right": ("{+", "+}")}
STYLES: dict[Side, str] = {"left": "$text-error", "right": "$text-success"}

Match = tuple[int, int, int]
"""Where equal words begin on the left and on the right, and how many they are."""


class Piece(NamedTuple):
    """A stretch of both texts: the same words (spaces may differ), or words that only one of them has."""

    same: bool
    left: str
    right: str


@dataclass(frozen=True, slots=True)
class Diff:
    """Two texts in pieces; joined, each side is its whole text. The numbers count words."""

    pieces: tuple[Piece, ...]
    same: int
    only_left: int
    only_right: int

    @property
    def share(self) -> float:
        """Which part of both texts' words is the same, from 0 to 1."""
        every = 2 * self.same + self.only_left + self.only_right
        return 2 * self.same / every if every else 1.0


def diff(left: str, right: str) -> Diff:
    """Compare two texts; takes under a second up to 20,000 words a side."""
    a, b = _Words(left), _Words(right)
    matches = list(_matches(a, b))
    same = sum(count for _, _, count in matches)
    pieces = []
    at_left = at_right = 0
    end = (len(a.keys), len(b.keys), 0)
    for i, j, count in [*_readable([*matches, end]), end]:
        if i > at_left or j > at_right:
            pieces.append(Piece(False, a.text(at_left, i), b.text(at_right, j)))
        if count:
            pieces.append(Piece(True, a.text(i, i + count), b.text(j, j + count)))
        at_left, at_right = i + count, j + count
    return Diff(tuple(pieces), same, len(a.keys) - same, len(b.keys) - same)


class _Words:
    """A text's words, each with the spaces behind it; marks of punctuation are words of their own."""

    def __init__(self, text: str) -> None:
        self.source = text
        self.keys: list[str] = []
        self._starts: list[int] = []
        for found in _RUN.finditer(text):
            run, at = found[0], found.start()
            core = run.rstrip(_CLOSING)
            head = len(core) - len(core.lstrip(_OPENING))
            # A mark may be one half of an emoji: it is taken off letters and digits only.
            head = head if core[head : head + 1].isalnum() else 0
            for begin, end in pairwise((0, head, len(core), len(run))):
                if end > begin:
                    self.keys.append(run[begin:end])
                    self._starts.append(at + begin)
        if text and not self.keys:
            self.keys, self._starts = [""], [0]
        if self._starts:
            self._starts[0] = 0  # Space before the first word belongs to it.
        self._starts.append(len(text))

    def text(self, begin: int, end: int) -> str:
        """The text from word `begin` to before word `end`."""
        return self.source[self._starts[begin] : self._starts[end]]

    def lines(self) -> list[int]:
        """The numbers of the words that begin a line, and one for the end."""
        begins = [0] if self.keys else []
        begins += [
            number
            for number in range(1, len(self.keys))
            if "\n" in self.source[self._starts[number - 1] : self._starts[number]]
        ]
        return [*begins, len(self.keys)]


def _matches(a: _Words, b: _Words) -> Iterator[Match]:
    if max(len(a.keys), len(b.keys)) <= MAX_WORDS:
        yield from _equal(a.keys, b.keys)
        return
    left, right = a.lines(), b.lines()
    at_left = at_right = 0
    for i, j, count in [
        *_equal(
            [" ".join(a.keys[begin:end]) for begin, end in pairwise(left)],
            [" ".join(b.keys[begin:end]) for begin, end in pairwise(right)],
        ),
        (len(left) - 1, len(right) - 1, 0),
    ]:
        yield from _in_windows(a.keys, b.keys, (at_left, left[i]), (at_right, right[j]))
        at_left, at_right = left[i + count], right[j + count]
        if count:
            yield left[i], right[j], at_left - left[i]


def _in_windows(
    a: Sequence[str], b: Sequence[str], left: tuple[int, int], right: tuple[int, int]
) -> Iterator[Match]:
    """Compare changed lines, in as many windows as keep each small, cut at the same shares of both."""
    sizes = left[1] - left[0], right[1] - right[0]
    windows = -(-max(sizes) // MAX_WORDS)
    for number in range(windows):
        i, i_end = (left[0] + sizes[0] * step // windows for step in (number, number + 1))
        j, j_end = (right[0] + sizes[1] * step // windows for step in (number, number + 1))
        for at, to, count in _equal(a[i:i_end], b[j:j_end]):
            yield i + at, j + to, count


def _equal(a: Sequence[str], b: Sequence[str]) -> list[Match]:
    """The runs that both have, in order."""
    in_a, in_b = Counter(a), Counter(b)
    pairs = {word: count * in_b[word] for word, count in in_a.items() if word in in_b}
    common: set[str] = set()
    every = sum(pairs.values())
    for word in sorted(pairs, key=lambda word: pairs[word], reverse=True):
        if every <= _MAX_PAIRS:
            break
        every -= pairs[word]
        common.add(word)
    matcher = SequenceMatcher(common.__contains__, a, b, autojunk=False)
    return [(block.a, block.b, block.size) for block in matcher.get_matching_blocks() if block.size]


def _readable(matches: Sequence[Match]) -> list[Match]:
    """Without the lone words that stand by chance between longer changes, and without the end, the last."""
    kept: list[Match] = []
    for (i, j, count), (next_i, next_j, _) in pairwise(matches):
        before_i, before_j, before_count = kept[-1] if kept else (0, 0, 0)
        before = max(i - before_i, j - before_j) - before_count
        after = max(next_i - i, next_j - j) - count
        if count < 3 and 2 * count < min(before, after):
            continue
        kept.append((i, j, count))
    return kept


# --- rows ---------------------------------------------------------------------------------------------------


def unified(pieces: Iterable[Piece], width: int) -> list[Row]:
    """Both texts in one column."""
    lines = _Lines(width)
    for same, left, right in pieces:
        if same:
            lines.add(right)
        else:
            lines.add(left, "left")
            lines.add(right, "right")
    return lines.rows()


def side_by_side(pieces: Iterable[Piece], width: int) -> tuple[list[Row], list[Row]]:
    """Each text in a column `width` cells wide; as many rows in both, lines that agree at the same height."""
    columns: dict[Side, list[Row]] = {"left": [], "right": []}
    left_lines, right_lines = _Lines(width), _Lines(width)

    def level() -> None:
        left, right = left_lines.rows(), right_lines.rows()
        # A row that fills up joins on with nothing, so that what is copied across it has no line too many.
        columns["left"] += left + [Row(Content(), "")] * (len(right) - len(left))
        columns["right"] += right + [Row(Content(), "")] * (len(left) - len(right))

    for same, left, right in pieces:
        parts = [(left, right)]
        if same and left.count("\n") == right.count("\n"):
            parts = list(zip(_by_line(left), _by_line(right), strict=True))
        for left_part, right_part in parts:
            left_lines.add(left_part, None if same else "left")
            right_lines.add(right_part, None if same else "right")
            if left_lines.at_start and right_lines.at_start:
                level()
    level()
    return columns["left"], columns["right"]


class _Lines:
    """Lines as they come together from pieces, some of them marked."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._rows: list[Row] = []
        self._parts: list[str] = []
        self._spans: list[Span] = []
        self._length = 0

    @property
    def at_start(self) -> bool:
        """Whether the next text begins a line."""
        return not self._parts

    def add(self, text: str, side: Side | None = None) -> None:
        """Go on with `text`, marked as standing on one side only."""
        first, *others = text.split("\n")
        self._add(first, side)
        for line in others:
            self._end_line()
            self._add(line, side)

    def rows(self) -> list[Row]:
        """What has come together since the last call."""
        if self._parts:
            self._end_line()
        rows, self._rows = self._rows, []
        return rows

    def _add(self, text: str, side: Side | None) -> None:
        text = as_shown(text)
        words = text.strip()
        if side is not None and words:
            before, after = SIGNS[side]
            lead = len(text) - len(text.lstrip())
            behind = text[lead + len(words) :]
            text = f"{text[:lead]}{before}{words}{after}{behind}"
            begin = self._length + lead
            end = self._length + len(text) - len(behind)
            self._spans.append(Span(begin, end, STYLES[side]))
        if text:
            self._parts.append(text)
            self._length += len(text)

    def _end_line(self) -> None:
        text, spans = "".join(self._parts), self._spans
        self._parts, self._spans, self._length = [], [], 0
        first = 0
        for start, end, join in cuts(text, self._width):
            while first < len(spans) and spans[first].end <= start:
                first += 1
            inside = []
            for span in spans[first:]:
                if span.start >= end:
                    break
                inside.append(Span(max(span.start, start) - start, min(span.end, end) - start, span.style))
            self._rows.append(Row(Content(text[start:end], inside), join))


def _by_line(text: str) -> list[str]:
    *lines, last = text.split("\n")
    return [*(f"{line}\n" for line in lines), last]


def as_shown(text: str) -> str:
    """`text` with one cell for what a terminal would obey or nobody could see, and tabs as spaces."""
    return with_replaced_controls(text.replace("\t", "    "))
