"""Compares two texts word by word, and lays them out as rows: side by side, or in one column. Pure.

Words that only one text has are marked by signs as well as by colour: `[-only left-]`, `{+only right+}`.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from difflib import Match as LongestMatch
from difflib import SequenceMatcher
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, NamedTuple

from textual.content import Content, Span

from moa_tui.text.markdown import TooMuchWorkError, Work
from moa_tui.text.safe import with_replaced_controls
from moa_tui.ui.rows.text_rows import Row, cuts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

# Longer texts are compared by lines first, and then the changed lines in windows of so many words.
MAX_WORDS = 3_000
# Pairs of equal words to compare. Where there are more, the commonest words begin no match.
_MAX_PAIRS = 200_000
# Seconds of the processor for the search of equal words: texts that share few and common words take minutes.
_MOST_SECONDS = 0.8
_HAN = "\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef"
# A run without spaces, or one character of a script written without them.
_RUN = re.compile(rf"[{_HAN}][\ufe00-\ufe0f\U000e0100-\U000e01ef]*|[^\s{_HAN}]+")
_OPENING, _CLOSING = "([{\"'*_`#“‘„«", ".,;:!?…)]}\"'*_`”’»"

Side = Literal["left", "right"]
SIGNS: dict[Side, tuple[str, str]] = {"left": ("[-", "-]"), "right": ("{+", "+}")}
STYLES: dict[Side, str] = {"left": "$text-error", "right": "$text-success"}

Match = tuple[int, int, int]
"""The numbers of the first equal word on the left and on the right, and how many words are equal."""


class Piece(NamedTuple):
    """A part of both texts: the same words, whose spaces may differ, or words that only one of them has."""

    same: bool
    left: str
    right: str


@dataclass(frozen=True, slots=True)
class Diff:
    """Two texts in pieces; joined, each side is its whole text. The three counts are of words."""

    pieces: tuple[Piece, ...]
    same: int
    only_left: int
    only_right: int
    is_complete: bool = True
    """False where the search was given up: more of the words may be the same."""

    @property
    def share(self) -> float:
        """The share of both texts' words that is the same, from 0 to 1."""
        total = 2 * self.same + self.only_left + self.only_right
        return 2 * self.same / total if total else 1.0


def diff(left: str, right: str) -> Diff:
    """Compare two texts. Up to 20,000 words a side, that takes less than a second.

    What has not been found by then counts as different.
    """
    left_words, right_words = _Words(left), _Words(right)
    search = _Search()
    matches = list(_matches(left_words, right_words, search))
    same = sum(count for _, _, count in matches)
    pieces = []
    at_left = at_right = 0
    end = (len(left_words.keys), len(right_words.keys), 0)
    for i, j, count in [*_readable([*matches, end]), end]:
        if i > at_left or j > at_right:
            pieces.append(Piece(False, left_words.text(at_left, i), right_words.text(at_right, j)))
        if count:
            pieces.append(Piece(True, left_words.text(i, i + count), right_words.text(j, j + count)))
        at_left, at_right = i + count, j + count
    only_left, only_right = len(left_words.keys) - same, len(right_words.keys) - same
    return Diff(tuple(pieces), same, only_left, only_right, search.is_complete)


class _Words:
    """A text's words, each with the spaces behind it. Punctuation marks are words of their own."""

    def __init__(self, text: str) -> None:
        self.source = text
        self.keys: list[str] = []
        self._starts: list[int] = []
        for match in _RUN.finditer(text):
            run, at = match[0], match.start()
            core = run.rstrip(_CLOSING)
            head = len(core) - len(core.lstrip(_OPENING))
            # A mark may be a part of an emoji, so only marks beside letters and digits are split off.
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
        """The text from word `begin` up to word `end`, without it."""
        return self.source[self._starts[begin] : self._starts[end]]

    def lines(self) -> list[int]:
        """The numbers of the words that begin a line, and the number of words."""
        begins = [0] if self.keys else []
        begins += [
            number
            for number in range(1, len(self.keys))
            if "\n" in self.source[self._starts[number - 1] : self._starts[number]]
        ]
        return [*begins, len(self.keys)]


def _matches(left_words: _Words, right_words: _Words, search: _Search) -> Iterator[Match]:
    """The matches of both texts in order; those of long texts are searched line by line."""
    if max(len(left_words.keys), len(right_words.keys)) <= MAX_WORDS:
        yield from search.equal(left_words.keys, right_words.keys)
        return
    left, right = left_words.lines(), right_words.lines()
    at_left = at_right = 0
    for i, j, count in [
        *search.equal(
            [" ".join(left_words.keys[begin:end]) for begin, end in pairwise(left)],
            [" ".join(right_words.keys[begin:end]) for begin, end in pairwise(right)],
        ),
        (len(left) - 1, len(right) - 1, 0),
    ]:
        changed_left, changed_right = (at_left, left[i]), (at_right, right[j])
        yield from _in_windows(left_words.keys, right_words.keys, changed_left, changed_right, search)
        at_left, at_right = left[i + count], right[j + count]
        if count:
            yield left[i], right[j], at_left - left[i]


def _in_windows(
    left_keys: Sequence[str],
    right_keys: Sequence[str],
    left: tuple[int, int],
    right: tuple[int, int],
    search: _Search,
) -> Iterator[Match]:
    """Compare changed lines in windows of at most `MAX_WORDS`, cut at the same shares of both sides."""
    sizes = left[1] - left[0], right[1] - right[0]
    windows = -(-max(sizes) // MAX_WORDS)
    for number in range(windows):
        i, i_end = (left[0] + sizes[0] * step // windows for step in (number, number + 1))
        j, j_end = (right[0] + sizes[1] * step // windows for step in (number, number + 1))
        for at, to, count in search.equal(left_keys[i:i_end], right_keys[j:j_end]):
            yield i + at, j + to, count


class _Search:
    """Looks for equal words until its time is over; `is_complete` is False from then on."""

    def __init__(self) -> None:
        self.is_complete = True
        self._work = Work(_MOST_SECONDS, rests=True)

    def equal(self, a: Sequence[str], b: Sequence[str]) -> list[Match]:
        """The runs of equal words of `a` and `b`, in order."""
        in_a, in_b = Counter(a), Counter(b)
        pairs = {word: count * in_b[word] for word, count in in_a.items() if word in in_b}
        common: set[str] = set()
        pairs_left = sum(pairs.values())
        for word in sorted(pairs, key=lambda word: pairs[word], reverse=True):
            if pairs_left <= _MAX_PAIRS:
                break
            pairs_left -= pairs[word]
            common.add(word)
        matcher = _Matcher(common.__contains__, a, b, autojunk=False)
        matcher.search = self
        return [(block.a, block.b, block.size) for block in matcher.get_matching_blocks() if block.size]

    def may_go_on(self, words: int) -> bool:
        """Count a search through so many words; False once the time is over."""
        if self.is_complete:
            try:
                self._work.step(words)
            except TooMuchWorkError:
                self.is_complete = False
        return self.is_complete


class _Matcher(SequenceMatcher[str]):
    """Finds no more matches once its search is over."""

    search: _Search

    def find_longest_match(
        self, alo: int = 0, ahi: int | None = None, blo: int = 0, bhi: int | None = None
    ) -> LongestMatch:
        if not self.search.may_go_on((ahi or 0) - alo):
            return LongestMatch(alo, blo, 0)
        return super().find_longest_match(alo, ahi, blo, bhi)


def _readable(matches: Sequence[Match]) -> list[Match]:
    """The matches without the last, which is the end, and without lone words between longer changes."""
    readable: list[Match] = []
    for (i, j, count), (next_i, next_j, _) in pairwise(matches):
        before_i, before_j, before_count = readable[-1] if readable else (0, 0, 0)
        before = max(i - before_i, j - before_j) - before_count
        after = max(next_i - i, next_j - j) - count
        if count < 3 and 2 * count < min(before, after):
            continue
        readable.append((i, j, count))
    return readable


# Rows


def unified(pieces: Iterable[Piece], width: int) -> list[Row]:
    """Both texts in one column of `width` cells; words of the left side stand before those of the right."""
    lines = _Lines(width)
    for same, left, right in pieces:
        if same:
            lines.add(right)
        else:
            lines.add(left, "left")
            lines.add(right, "right")
    return lines.rows()


def side_by_side(pieces: Iterable[Piece], width: int) -> tuple[list[Row], list[Row]]:
    """Each text in a column of `width` cells at most; both have as many rows, and equal lines stand level."""
    columns: dict[Side, list[Row]] = {"left": [], "right": []}
    left_lines, right_lines = _Lines(width), _Lines(width)

    def level_columns() -> None:
        left, right = left_lines.rows(), right_lines.rows()
        # A row that fills a column up joins with nothing, so that a copy across it has no additional line.
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
                level_columns()
    level_columns()
    return columns["left"], columns["right"]


class _Lines:
    """Puts lines together from pieces, some of which are marked, and lays them out as rows."""

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
        """Append `text`, marked as standing on one side only where `side` is given."""
        first, *others = text.split("\n")
        self._add(first, side)
        for line in others:
            self._end_line()
            self._add(line, side)

    def rows(self) -> list[Row]:
        """The rows of what was added since the last call. An unfinished line is ended."""
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
        """Lay out the line that was put together, with the marks that stand in each of its rows."""
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
    """The lines of `text`, each but the last with its line end."""
    *lines, last = text.split("\n")
    return [*(f"{line}\n" for line in lines), last]


def as_shown(text: str) -> str:
    """`text` with a visible sign for each control or invisible character, and four spaces for a tab."""
    return with_replaced_controls(text.replace("\t", "    "))
