"""The figures over the kept conversations as tables, as bars, and as JSON. Pure."""

from __future__ import annotations

import textwrap
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from moa_tui.stats.figures import KINDS, SCHEMA, Figures, Group, Kind
from moa_tui.text.cells import cell_len, fit
from moa_tui.text.safe import safe_line
from moa_tui.text.wording import counted, money

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence


Role = Literal["head", "chosen", "name", "figure", "bar", "muted"]
Line = list[tuple[str, Role]]
"""A line in pieces, each with what it is, so that a screen can tell them apart."""

NO_NAME = "(no name)"
_GAP = "  "
_NAME_CELLS = 16
_BAR_CELLS, _LONGEST_BAR = 8, 30
_EIGHTHS = " ▏▎▍▌▋▊▉"


@dataclass(frozen=True, slots=True)
class Measure:
    """A column: its value in a group (None: nothing known), how that is written, and what it means."""

    value: Callable[[Group], float | None]
    written: Callable[[Group], str]
    meaning: str = ""


def _count(number: float) -> str:
    """`950`, `12.3k`, `4.56M`."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if number >= size:
            unit = 1e3 if letter == "k" else size
            digits = 2 if number < 10 * unit else 1 if number < 100 * unit else 0
            return f"{number / unit:.{digits}f}{letter}"
    return f"{number:.0f}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s" if value < 100 else f"{value:.0f} s"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}".replace("%", " %")


def _price(group: Group) -> str:
    """The sum of the known prices; a `+` where there are unknown ones beside them."""
    if not group.calls:
        return "-"
    if group.unpriced == group.calls:
        return "unknown"
    return money(group.cost) + ("+" if group.unpriced else "")


def _cost(group: Group) -> float | None:
    return None if group.unpriced == group.calls else group.cost


def _used(group: Group) -> float | None:
    return group.used / group.proposed if group.proposed else None


def _tokens(number: int, group: Group) -> str:
    return ("~" if group.estimated and number else "") + _count(number)


# By heading, in the order of the columns.
MEASURES: dict[str, Measure] = {
    "turns": Measure(lambda group: group.turns, lambda group: _count(group.turns)),
    "calls": Measure(lambda group: group.calls, lambda group: _count(group.calls)),
    "in": Measure(
        lambda group: group.prompt_tokens, lambda group: _tokens(group.prompt_tokens, group), "tokens sent"
    ),
    "out": Measure(
        lambda group: group.completion_tokens,
        lambda group: _tokens(group.completion_tokens, group),
        "tokens received",
    ),
    "price": Measure(_cost, _price),
    "failed": Measure(lambda group: group.failed, lambda group: _count(group.failed)),
    "partial": Measure(lambda group: group.partial, lambda group: _count(group.partial)),
    "stopped": Measure(lambda group: group.stopped, lambda group: _count(group.stopped)),
    "first": Measure(
        lambda group: group.first_token_seconds,
        lambda group: _seconds(group.first_token_seconds),
        "median time to the first token",
    ),
    "time": Measure(lambda group: group.seconds, lambda group: _seconds(group.seconds), "median time"),
    "used": Measure(_used, lambda group: _share(_used(group)), "proposed answers that the next layer read"),
    "left out": Measure(lambda group: group.left_out, lambda group: _count(group.left_out), "by hand"),
    "taken": Measure(lambda group: group.taken, lambda group: _count(group.taken), "by hand as the answer"),
    "overlap": Measure(
        lambda group: group.overlap,
        lambda group: _share(group.overlap),
        "wording that the final answer shares, on average",
    ),
}
# Which columns go first where there is no room for all.
_FIRST: tuple[str, ...] = (
    "calls", "price", "time", "failed", "used", "overlap", "first", "out", "in", "turns", "left out", "taken",
    "partial", "stopped",
)  # fmt: skip
_SENT = frozenset({"recipes", "months"})
"""Kinds that a turn belongs to as a whole."""


@dataclass(frozen=True, slots=True)
class Table:
    """Lines of one width: the headings, the groups, and the columns there was no room for."""

    head: Line
    rows: list[Line]
    hidden: tuple[str, ...]


def table(kind: Kind, groups: Sequence[Group], width: int, by: str = "name") -> Table:
    """The groups in `width` cells, sorted by a key of MEASURES, the highest first, or by "name".

    The bars are of that column, else of turns (calls for models and agents) and price, from zero to the
    highest of them all. Months by name are in their order, with a line where some had no turn.
    """
    if by in MEASURES:
        ordered = sorted(groups, key=lambda group: (-_value(by, group, -1.0), group.name))
        barred = [by]
    else:
        ordered = sorted(groups, key=lambda group: group.name)
        barred = ["turns" if kind in _SENT else "calls", "price"]
    highest = {one: max((_value(one, group) for group in ordered), default=0.0) for one in barred}
    # A bar beside no other says nothing.
    barred = [one for one in barred if len(ordered) > 1 and highest[one] > 0]
    names = [safe_line(group.name) or NO_NAME for group in ordered]
    longest = max(map(cell_len, [_heading(kind), *names]))
    name_cells = min(longest, max(_NAME_CELLS, width // 4))
    cells = {
        one: max(map(len, [one, *map(column.written, ordered)])) + len(_GAP)
        for one, column in MEASURES.items()
    }
    columns = _columns(kind, by, barred, cells, width - name_cells)
    barred = [one for one in barred if one in columns]
    room = width - name_cells - sum(cells[one] for one in columns)
    bar_cells = max(0, min(_LONGEST_BAR, room // len(barred) - 1)) if barred else 0

    head: Line = [(fit(_heading(kind), name_cells), "head" if by in MEASURES else "chosen")]
    for one in columns:
        head += [(" " * (cells[one] - len(one)), "head"), (one, "chosen" if one == by else "head")]
        if one in barred:
            head.append((" " * (bar_cells + 1), "head"))
    rows: list[Line] = []
    before = ""
    for group, name in zip(ordered, names, strict=True):
        if kind == "months" and by not in MEASURES and (gap := _months_between(before, group.name)):
            rows.append([(fit(f"({counted(gap, 'month')} without a turn)", width), "muted")])
        before = group.name
        row: Line = [(fit(name, name_cells), "name")]
        for one in columns:
            row.append((MEASURES[one].written(group).rjust(cells[one]), "figure"))
            if one in barred:
                part = _value(one, group) / highest[one]
                row.append((" " + fit(bar(part, bar_cells), bar_cells), "bar"))
        rows.append(row)
    return Table(head, rows, tuple(one for one in MEASURES if one not in columns))


def _heading(kind: Kind) -> str:
    return kind.removesuffix("s")


def _value(measure: str, group: Group, unknown: float = 0.0) -> float:
    value = MEASURES[measure].value(group)
    return unknown if value is None else value


def _columns(kind: Kind, by: str, barred: Sequence[str], cells: dict[str, int], room: int) -> list[str]:
    """The columns that `room` has place for, in their order; that sorted by, and the first bar's, always."""
    first = ("turns", *_FIRST) if kind in _SENT else _FIRST
    chosen: list[str] = []
    for one in dict.fromkeys([*([by] if by in MEASURES else []), *barred, *first]):
        needed = cells[one] + (_BAR_CELLS + 1 if one in barred else 0)
        if needed <= room or not chosen:
            chosen.append(one)
            room -= needed
    return [one for one in MEASURES if one in chosen]


def _months_between(earlier: str, later: str) -> int:
    """How many months lie between two that are named `2025-06`; 0 where a name is no month."""
    try:
        (year, month), (other_year, other_month) = (map(int, name.split("-")) for name in (earlier, later))
    except ValueError:
        return 0
    return max(0, (other_year - year) * 12 + other_month - month - 1)


def bar(part: float, cells: int) -> str:
    """A bar that fills `part` of `cells`, from 0 to 1; whatever is more than nothing can be seen."""
    eighths = round(max(0.0, min(1.0, part)) * cells * 8)
    if part > 0:
        eighths = max(1, eighths)
    full, rest = divmod(eighths, 8)
    return "█" * full + (_EIGHTHS[rest] if rest else "")


def headline(figures: Figures) -> str:
    """All of it in a line."""
    total = figures.total
    parts = [
        f"{total.turns:,} {'turn' if total.turns == 1 else 'turns'}",
        f"{total.calls:,} {'call' if total.calls == 1 else 'calls'}",
        f"{_tokens(total.prompt_tokens, total)} tokens in, {_tokens(total.completion_tokens, total)} out",
    ]
    if total.calls:
        parts.append("price unknown" if _cost(total) is None else _price(total))
    if figures.since is not None:
        parts.append(f"since {_date(figures.since)}")
    return " · ".join(parts)


def why_nothing(figures: Figures) -> str | None:
    """Why there is nothing to count, in a sentence; None if there is."""
    if figures.total.turns:
        return None
    if figures.since is not None:
        return f"No turn that is kept was sent since {_date(figures.since)}."
    return "No conversation is kept yet, so there is nothing to count."


def notes(figures: Figures, hidden: Container[str] = ()) -> list[str]:
    """What the signs and columns mean, and what the numbers leave out; nothing of `hidden` columns."""
    total = figures.total
    columns = {
        one: column.meaning for one, column in MEASURES.items() if one not in hidden and column.meaning
    }
    found = [
        "; ".join(f"{one}: {meaning}" for one, meaning in columns.items())
        + ". Times are of calls for models and agents, of whole turns for recipes and months."
    ]
    if total.estimated:
        found.append(f"~ the provider did not count the tokens of {counted(total.estimated, 'call')}.")
    if total.unpriced:
        found.append(f"+ the price of {counted(total.unpriced, 'call')} is not known and not in the sum.")
    if total.unfinished:
        found.append(
            f"{counted(total.unfinished, 'call')} without an end (written now, or moa-tui was ended before): "
            "not in the tokens, prices and times."
        )
    return found


def stats_lines(figures: Figures, width: int) -> str:
    """All of it as text for a terminal of that width, without colour."""
    if (why := why_nothing(figures)) is not None:
        return why
    width = max(width, 40)
    lines = [headline(figures)]
    hidden = dict.fromkeys(MEASURES, 0)
    for kind in KINDS:
        drawn = table(kind, figures.groups(kind), width, "name" if kind == "months" else "calls")
        for one in drawn.hidden:
            hidden[one] += 1
        lines += ["", *("".join(text for text, _ in line).rstrip() for line in (drawn.head, *drawn.rows))]
    lines.append("")
    if left := [one for one, times in hidden.items() if times]:
        lines.append(f"There is room in a wider terminal, and in --json, for: {', '.join(left)}.")
    lines += notes(figures, [one for one, times in hidden.items() if times == len(KINDS)])
    return "\n".join(
        line if line.rstrip() != line or cell_len(line) <= width else textwrap.fill(line, width)
        for line in lines
    )


def stats_document(figures: Figures) -> dict[str, Any]:
    """All of it as plain JSON values, costs in US dollars, times in seconds; null is unknown."""
    return {"schema": SCHEMA, **asdict(figures)}


def _date(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d}"
