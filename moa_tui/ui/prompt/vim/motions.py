"""Motions: where a key takes the cursor, and what lies between for an operator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rich.cells import cell_len

from moa_tui.ui.prompt.vim import places

if TYPE_CHECKING:
    from collections.abc import Callable

Shape = Literal["exclusive", "inclusive", "lines"]

LINE_END = 10**9
"""The column that the cursor keeps to while it goes up and down behind `$`."""


@dataclass(frozen=True, slots=True)
class Move:
    """Where a motion ends. `start` is another place than the cursor's where the motion is a text object."""

    place: int
    shape: Shape = "exclusive"
    start: int | None = None
    column: int | None = None
    """The column to keep to while going up and down; None where it is that of `place`."""


@dataclass(frozen=True, slots=True)
class Request:
    """A motion to be made: its name, such as `w` or `gg`, and all that it depends on."""

    name: str
    count: int | None
    argument: str = ""
    """The character that f, t and their like look for, or the text that is searched for."""
    operator: str = ""
    """The operator that waits for the motion; empty where only the cursor moves, `v` where it selects."""
    column: int | None = None
    """The column that the cursor keeps to."""

    @property
    def times(self) -> int:
        return self.count or 1


def move(text: str, place: int, request: Request) -> Move | None:
    """Where a motion leads from `place`; None where it cannot be made."""
    return _MOTIONS[request.name](text, place, request)


# Within the line


def _left(text: str, place: int, request: Request) -> Move | None:
    start = places.line_start(text, place)
    if place == start:
        return Move(place) if request.operator else None
    for _ in range(min(request.times, place - start)):
        place = places.before(text, place)
        if place <= start:
            break
    return Move(max(place, start))


def _right(text: str, place: int, request: Request) -> Move | None:
    end = places.line_end(text, place)
    limit = end if request.operator else places.last_letter(text, place)
    if place >= limit:
        return Move(place) if request.operator else None
    for _ in range(min(request.times, limit - place)):
        place = places.after(text, place)
        if place >= limit:
            break
    return Move(min(place, limit))


def _line_start(text: str, place: int, request: Request) -> Move:
    return Move(places.line_start(text, place))


def _first_word(text: str, place: int, request: Request) -> Move:
    return Move(places.first_word(text, place))


def _line_last(text: str, place: int, request: Request) -> Move | None:
    """`$`: with a count, the end of a line further down."""
    down = _lines_down(text, place, request.times - 1)
    if down is None:
        return None
    at = places.line_end(text, down) if request.operator == "v" else places.last_letter(text, down)
    return Move(at, "inclusive", column=LINE_END)


def _find(text: str, place: int, request: Request) -> Move | None:
    """f, F, t and T."""
    start, end = places.line_start(text, place), places.line_end(text, place)
    is_back, is_till = request.name in "FT", request.name in "tT"
    # `;` and `,` ask for the next place where the cursor stands beside one already.
    found = place
    for _ in range(request.times):
        found = (
            text.rfind(request.argument, start, found)
            if is_back
            else text.find(request.argument, places.after(text, found), end)
        )
        if found < 0:
            return None
    if is_till:
        found = places.after(text, found) if is_back else places.before(text, found)
    return Move(found, "exclusive" if is_back else "inclusive")


# Words


def _word_forward(text: str, place: int, request: Request) -> Move:
    """`w` and `W`. For an operator, the last of the words ends with its line."""
    is_big = request.name == "W"
    for left in range(request.times - 1, -1, -1):
        may_end = request.operator not in ("", "v") and left == 0
        ended, place = _over_word(text, place, is_big, may_end)
        if ended:
            break
    return Move(place)


def _over_word(text: str, place: int, is_big: bool, may_end: bool) -> tuple[bool, int]:
    """Go to the next word; True where it ends here, at a line end or at the text's."""
    first = places.kind(text, place, is_big=is_big)
    step, at_end = places.forward(text, place)
    if step < 0:
        return True, place
    place = step
    if at_end and (may_end or place >= len(text)):
        return True, place
    while first and places.kind(text, place, is_big=is_big) == first:
        place, at_end = places.forward(text, place)
        if at_end and may_end:
            return True, place
    while place < len(text) and not places.kind(text, place) and not places.is_empty_line(text, place):
        place, _ = places.forward(text, place)
    return False, place


def _word_end(text: str, place: int, request: Request) -> Move:
    """`e` and `E`; `cw` comes here too, and stays in a word whose end the cursor is on."""
    is_big = request.name.isupper()
    may_stay = request.name in "wW"
    for number in range(request.times):
        first = places.kind(text, place, is_big=is_big)
        step, _ = places.forward(text, place)
        if step < 0:
            break
        at = step
        if not (first and places.kind(text, at, is_big=is_big) == first):
            if may_stay and number == 0 and first:
                continue
            while at < len(text) and not places.kind(text, at):
                at += 1
            if at == len(text):
                return Move(at, "inclusive")
        here = places.kind(text, at, is_big=is_big)
        while at < len(text) and places.kind(text, at, is_big=is_big) == here:
            at = places.after(text, at)
        place = places.before(text, at) if at > place + 1 or here else at
    return Move(place, "inclusive")


def _word_back(text: str, place: int, request: Request) -> Move | None:
    """`b` and `B`."""
    is_big = request.name == "B"
    if place == 0:
        return None
    for _ in range(request.times):
        if place == 0:
            break
        place = places.back(text, place)
        while place > 0 and not places.kind(text, place) and not places.is_empty_line(text, place):
            place = places.back(text, place)
        here = places.kind(text, place, is_big=is_big)
        while here and place > 0:
            step = places.back(text, place)
            if places.kind(text, step, is_big=is_big) != here:
                break
            place = step
    return Move(place)


def _word_end_back(text: str, place: int, request: Request) -> Move | None:
    """`ge` and `gE`."""
    is_big = request.name == "gE"
    if place == 0:
        return None
    for _ in range(request.times):
        here = places.kind(text, place, is_big=is_big)
        step = places.back(text, place)
        if step < 0:
            break
        place = step
        while here and place > 0 and places.kind(text, place, is_big=is_big) == here:
            place = places.back(text, place)
        while place > 0 and not places.kind(text, place) and not places.is_empty_line(text, place):
            place = places.back(text, place)
    return Move(place, "inclusive")


# Lines


def _lines_down(text: str, place: int, count: int) -> int | None:
    """A place in the line that is `count` lines below, or in the last; None in the last, for one below."""
    for number in range(count):
        end = places.line_end(text, place)
        if end == len(text):
            return None if number == 0 else place
        place = end + 1
    return place


def _lines_up(text: str, place: int, count: int) -> int | None:
    for number in range(count):
        start = places.line_start(text, place)
        if start == 0:
            return None if number == 0 else place
        place = start - 1
    return place


def column_of(text: str, place: int) -> int:
    """The cells before `place` in its line."""
    return cell_len(text[places.line_start(text, place) : place])


def at_column(text: str, place: int, column: int, *, to_end: bool = False) -> int:
    """The place of the letter that covers cell `column` of the line, or of its last letter.

    `to_end` allows the line end for one.
    """
    at = places.line_start(text, place)
    last = places.line_end(text, place) if to_end else places.last_letter(text, place)
    if column >= LINE_END:
        return last
    while at < last and (column := column - cell_len(text[at : places.after(text, at)])) >= 0:
        at = places.after(text, at)
    return min(at, last)


def _vertical(text: str, place: int, request: Request) -> Move | None:
    """`j` and `k`, in the column that the cursor keeps to."""
    column = request.column if request.column is not None else column_of(text, place)
    go = _lines_down if request.name == "j" else _lines_up
    line = go(text, place, request.times)
    if line is None:
        return None
    return Move(at_column(text, line, column, to_end=request.operator == "v"), "lines", column=column)


def _line_below(text: str, place: int, request: Request) -> Move | None:
    """`+` and, one line less, `_`."""
    line = _lines_down(text, place, request.times - (request.name == "_"))
    if line == place and request.operator:
        return Move(place, "lines")
    return None if line is None else Move(places.first_word(text, line), "lines")


def _line_above(text: str, place: int, request: Request) -> Move | None:
    line = _lines_up(text, place, request.times)
    return None if line is None else Move(places.first_word(text, line), "lines")


def _to_line(text: str, place: int, request: Request) -> Move:
    """`gg` and `G`: the first or last line, or the one of the count."""
    number = request.count if request.count is not None else 1 if request.name == "gg" else LINE_END
    line = _lines_down(text, 0, min(number - 1, text.count("\n")))
    return Move(places.first_word(text, line or 0), "lines")


def _paragraph(text: str, place: int, request: Request) -> Move | None:
    """`{` and `}`: the next empty line behind or before a paragraph, or the text's end."""
    is_down = request.name == "}"
    lines = text.split("\n")
    at, last = places.line_number(text, place), len(lines) - 1
    for left in range(request.times - 1, -1, -1):
        was_in_text = bool(lines[at])
        while True:
            following = at + (1 if is_down else -1)
            if not 0 <= following <= last:
                if left:
                    return None
                break
            at = following
            if not lines[at] and was_in_text:
                break
            was_in_text = was_in_text or bool(lines[at])
    start = sum(len(line) + 1 for line in lines[:at])
    if is_down and at == last and lines[at]:
        return Move(places.last_letter(text, start), "inclusive")
    return Move(start)


# Elsewhere

_PAIRS = {"(": ")", "[": "]", "{": "}"}


def _bracket(text: str, place: int, request: Request) -> Move | None:
    """`%`: the bracket that belongs to the next one in the line."""
    end = places.line_end(text, place)
    start = next((at for at in range(place, end) if text[at] in "()[]{}"), None)
    if start is None:
        return None
    partner = matching(text, start)
    return None if partner is None else Move(partner, "inclusive")


def matching(text: str, place: int) -> int | None:
    """The place of the bracket that belongs to the one at `place`."""
    bracket = text[place]
    is_opening = bracket in _PAIRS
    other = _PAIRS[bracket] if is_opening else next(o for o, c in _PAIRS.items() if c == bracket)
    depth = 0
    for at in range(place, len(text)) if is_opening else range(place, -1, -1):
        if text[at] == bracket:
            depth += 1
        elif text[at] == other:
            depth -= 1
            if depth == 0:
                return at
    return None


def _search(text: str, place: int, request: Request) -> Move | None:
    """`/` and `?`: the next place of a text, over the end if need be. Capitals count where there are any."""
    sought = request.argument
    within = text if sought != sought.lower() else _lower(text)
    is_back = request.name == "?"
    for _ in range(min(request.times, 1_000)):
        if is_back:
            found = within.rfind(sought, 0, max(0, place + len(sought) - 1))
            found = within.rfind(sought) if found < 0 else found
        else:
            found = within.find(sought, place + 1)
            found = within.find(sought) if found < 0 else found
        if found < 0 or not sought:
            return None
        place = found
    return Move(place)


def _lower(text: str) -> str:
    """Lower case in which every character keeps its place."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


_MOTIONS: dict[str, Callable[[str, int, Request], Move | None]] = {
    **{"h": _left, "l": _right, "0": _line_start, "^": _first_word, "$": _line_last},
    **dict.fromkeys("fFtT", _find),
    **{"w": _word_forward, "W": _word_forward, "e": _word_end, "E": _word_end},
    **{"b": _word_back, "B": _word_back, "ge": _word_end_back, "gE": _word_end_back},
    **{"j": _vertical, "k": _vertical, "+": _line_below, "_": _line_below, "-": _line_above},
    **{"gg": _to_line, "G": _to_line, "{": _paragraph, "}": _paragraph, "%": _bracket},
    **{"/": _search, "?": _search},
}


def changed_word(text: str, place: int, request: Request) -> Move:
    """`cw` on a word: to its end, so that the blank behind it stays."""
    return _word_end(text, place, request)
