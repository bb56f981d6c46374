"""Text objects: the word, the quoted text, the brackets or the paragraph that the cursor is in."""

from __future__ import annotations

from moa_tui.ui.prompt.vim import places
from moa_tui.ui.prompt.vim.motions import Move, matching

_BRACKETS = {
    **dict.fromkeys("()b", "("),
    **dict.fromkeys("[]", "["),
    **dict.fromkeys("{}B", "{"),
}
NAMES = ("w", "W", '"', "'", "`", *_BRACKETS, "p")
"""What may stand behind i or a."""


def text_object(text: str, place: int, name: str, count: int) -> Move | None:
    """The text object `name`, such as `iw` or `a(`; None where there is none at `place`."""
    is_around, what = name[0] == "a", name[1]
    if what in "wW":
        return _words(text, place, is_around=is_around, is_big=what == "W", count=count)
    if what == "p":
        return _paragraphs(text, place, is_around=is_around, count=count)
    if what in _BRACKETS:
        return _block(text, place, _BRACKETS[what], is_around=is_around, count=count)
    return _quoted(text, place, what, is_around=is_around)


def _words(text: str, place: int, *, is_around: bool, is_big: bool, count: int) -> Move | None:
    line, end = places.line_start(text, place), places.line_end(text, place)
    if line == end:
        return Move(place, "exclusive", place)
    pieces = _pieces(text, line, end, is_big)
    at = next((number for number, (_, stop) in enumerate(pieces) if place < stop), len(pieces) - 1)
    blanks = [not places.kind(text, start) for start, _ in pieces]
    first, last = at, at + count - 1
    if is_around:
        first, last = _with_blanks(blanks, at, count)
    if last >= len(pieces):
        return None
    return Move(places.before(text, pieces[last][1]), "inclusive", pieces[first][0])


def _with_blanks(blanks: list[bool], at: int, count: int) -> tuple[int, int]:
    """The first and last of the pieces that are `count` words, each with the blank beside it."""
    first = at
    for _ in range(count):
        begins_blank = at < len(blanks) and blanks[at]
        ends_blank = at + 1 < len(blanks) and blanks[at + 1] and not blanks[first]
        at += 2 if begins_blank or ends_blank else 1
    # The blank before the words is taken where there is none behind them, unless it is the indent.
    is_bare = not blanks[first] and at - 1 < len(blanks) and not blanks[at - 1]
    return (first - 1 if is_bare and first > 1 and blanks[first - 1] else first), at - 1


def _pieces(text: str, start: int, end: int, is_big: bool) -> list[tuple[int, int]]:
    """The line from `start` to `end` in pieces of one class."""
    pieces: list[tuple[int, int]] = []
    at = start
    while at < end:
        here, begin = places.kind(text, at, is_big=is_big), at
        while at < end and places.kind(text, at, is_big=is_big) == here:
            at = min(places.after(text, at), end)
        pieces.append((begin, at))
    return pieces


def _quoted(text: str, place: int, quote: str, *, is_around: bool) -> Move | None:
    line, end = places.line_start(text, place), places.line_end(text, place)
    quotes = [at for at in range(line, end) if text[at] == quote and not _is_escaped(text, line, at)]
    pair = _pair_around(quotes, place)
    if pair is None:
        return None
    start, stop = pair
    if not is_around:
        return Move(stop, "exclusive", start + 1)
    behind = stop + 1
    while behind < end and text[behind] in " \t":
        behind += 1
    if behind == stop + 1:
        while start > line and text[start - 1] in " \t":
            start -= 1
    return Move(behind, "exclusive", start)


def _pair_around(quotes: list[int], place: int) -> tuple[int, int] | None:
    if place in quotes:  # Quotes are paired from the line's beginning.
        first = quotes.index(place) // 2 * 2
    else:
        before = [number for number, at in enumerate(quotes) if at < place]
        first = before[-1] if before else 0
    return (quotes[first], quotes[first + 1]) if first + 1 < len(quotes) else None


def _is_escaped(text: str, line: int, at: int) -> bool:
    slashes = at
    while slashes > line and text[slashes - 1] == "\\":
        slashes -= 1
    return (at - slashes) % 2 == 1


def _block(text: str, place: int, bracket: str, *, is_around: bool, count: int) -> Move | None:
    opening = _opening_around(text, place, bracket, count)
    if opening is None and count == 1:  # The next one, as with quotes.
        following = text.find(bracket, place)
        opening = following if following >= 0 else None
    closing = matching(text, opening) if opening is not None else None
    if opening is None or closing is None:
        return None
    if is_around:
        return Move(closing, "inclusive", opening)
    start = opening + 1
    if text[start : start + 1] == "\n":
        start += 1
    line = places.line_start(text, closing)
    if not text[line:closing].strip(" \t") and line > opening:  # The closing one stands in a line of its own.
        return Move(max(line, start), "exclusive", start)
    return Move(closing, "exclusive", min(start, closing))


def _opening_around(text: str, place: int, bracket: str, count: int) -> int | None:
    close = {"(": ")", "[": "]", "{": "}"}[bracket]
    depth = count
    if text[place : place + 1] == bracket:
        depth -= 1
        if depth == 0:
            return place
    for at in range(place - 1, -1, -1):
        if text[at] == close:
            depth += 1
        elif text[at] == bracket:
            depth -= 1
            if depth == 0:
                return at
    return None


def _paragraphs(text: str, place: int, *, is_around: bool, count: int) -> Move | None:
    lines = text.split("\n")
    is_blank = [not line.strip(" \t") for line in lines]
    first = last = places.line_number(text, place)
    while first > 0 and is_blank[first - 1] == is_blank[first]:
        first -= 1
    last = _run_end(is_blank, first)
    for _ in range(count * (2 if is_around else 1) - 1):
        if last + 1 >= len(lines):
            # The empty lines before the paragraph are taken where there are none behind it.
            if not is_around or is_blank[last] or count > 1:
                return None
            while first > 0 and is_blank[first - 1]:
                first -= 1
            break
        last = _run_end(is_blank, last + 1)
    return _lines(lines, first, last)


def _run_end(is_blank: list[bool], first: int) -> int:
    last = first
    while last + 1 < len(is_blank) and is_blank[last + 1] == is_blank[first]:
        last += 1
    return last


def _lines(lines: list[str], first: int, last: int) -> Move:
    start = sum(len(line) + 1 for line in lines[:first])
    end = sum(len(line) + 1 for line in lines[:last])
    return Move(end, "lines", start)
