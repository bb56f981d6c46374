"""The figures over the stored conversations as tables, as bars, and as JSON. Pure."""

from __future__ import annotations

import textwrap
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from moa_tui.stats.figures import GROUP_KINDS, SCHEMA, Figures, Group, GroupKind
from moa_tui.text.cells import cell_len, fit
from moa_tui.text.safe import safe_line
from moa_tui.text.wording import counted, price

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence

Role = Literal["head", "chosen", "name", "figure", "bar", "muted"]
Line = list[tuple[str, Role]]
"""A line as pieces of text, each with its role, by which a screen gives it a style."""

NO_NAME = "(no name)"
_GAP = "  "
_NAME_CELLS = 16
_LEAST_BAR_CELLS, _MOST_BAR_CELLS = 8, 30
_EIGHTHS = " ▏▎▍▌▋▊▉"


@dataclass(frozen=True, slots=True)
class Measure:
    """A column of the tables."""

    value: Callable[[Group], float | None]
    """The value of a group, by which rows are sorted and bars drawn; None where it is unknown."""
    written: Callable[[Group], str]
    """The same value as text."""
    meaning: str = ""
    """What the heading stands for; empty where the heading says it."""


def _count(number: float) -> str:
    """`number` as text, shortened to three digits and a letter from 10,000 on: `950`, `12.3k`, `4.56M`."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if number >= size:
            unit = 1e3 if letter == "k" else size
            digits = 2 if number < 10 * unit else 1 if number < 100 * unit else 0
            return f"{number / unit:.{digits}f}{letter}"
    return f"{number:.0f}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s" if value < 100 else f"{value:.0f} s"


def percent(share: float | None) -> str:
    """A share from 0 to 1 as text like `75 %`; a dash for None."""
    return "-" if share is None else f"{share:.0%}".replace("%", " %")


def _price(group: Group) -> str:
    """The sum of the known prices; a `+` marks that the prices of some calls are unknown."""
    if not group.calls:
        return "-"
    if group.unpriced == group.calls:
        return "unknown"
    is_local = 0 < group.local == group.calls - group.unfinished
    return price(group.cost, is_local=is_local) + ("+" if group.unpriced else "")


def _cost(group: Group) -> float | None:
    return None if group.unpriced == group.calls else group.cost


def _used_share(group: Group) -> float | None:
    return group.used / group.proposed if group.proposed else None


def _cached_share(group: Group) -> float | None:
    return group.cached_tokens / group.prompt_tokens if group.prompt_tokens else None


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
    "used": Measure(
        _used_share, lambda group: percent(_used_share(group)), "proposed answers that the next layer read"
    ),
    "left out": Measure(lambda group: group.left_out, lambda group: _count(group.left_out), "by hand"),
    "taken": Measure(lambda group: group.taken, lambda group: _count(group.taken), "by hand as the answer"),
    "overlap": Measure(
        lambda group: group.overlap,
        lambda group: percent(group.overlap),
        "wording that the final answer shares, on average",
    ),
    "cached": Measure(_cached_share, lambda group: percent(_cached_share(group))),
}
# The columns in the order in which they get a place where there is no room for all.
_PRIORITY: tuple[str, ...] = (
    "calls", "price", "time", "failed", "used", "overlap", "first", "out", "in", "cached", "turns",
    "left out", "taken", "partial", "stopped",
)  # fmt: skip
_KINDS_OF_TURNS = frozenset({"recipes", "months"})
"""The kinds of which each turn belongs to one group alone, so that a count of turns says something."""


@dataclass(frozen=True, slots=True)
class Table:
    """Lines of one width: the headings, and a row for each group."""

    head: Line
    rows: list[Line]
    hidden: tuple[str, ...]
    """The columns for which there was no room."""

    def text_lines(self) -> list[str]:
        """The head and the rows as plain text, without spaces at their ends."""
        return ["".join(text for text, _ in line).rstrip() for line in (self.head, *self.rows)]


def table(kind: GroupKind, groups: Sequence[Group], width: int, by: str = "name") -> Table:
    """The table of the groups in `width` cells, sorted by "name" or by a key of MEASURES, the highest first.

    Bars are drawn from zero to the highest value: for the column that is sorted by, or where that is the name
    for turns (calls for models and agents) and price. Months sorted by name are in their order, with a line
    where there are months without a turn between two of them.
    """
    if by in MEASURES:
        ordered = sorted(groups, key=lambda group: (-_value(by, group, -1.0), group.name))
        barred = [by]
    else:
        ordered = sorted(groups, key=lambda group: group.name)
        barred = ["turns" if kind in _KINDS_OF_TURNS else "calls", "price"]
    highest = {column: max((_value(column, group) for group in ordered), default=0.0) for column in barred}
    # A bar says something beside other bars only.
    barred = [column for column in barred if len(ordered) > 1 and highest[column] > 0]
    names = [safe_line(group.name) or NO_NAME for group in ordered]
    longest = max(map(cell_len, [_heading(kind), *names]))
    name_cells = min(longest, max(_NAME_CELLS, width // 4))
    cells = {
        column: max(map(len, [column, *map(measure.written, ordered)])) + len(_GAP)
        for column, measure in MEASURES.items()
    }
    columns = _columns(kind, by, barred, cells, width - name_cells)
    barred = [column for column in barred if column in columns]
    room = width - name_cells - sum(cells[column] for column in columns)
    bar_cells = max(0, min(_MOST_BAR_CELLS, room // len(barred) - 1)) if barred else 0

    head: Line = [(fit(_heading(kind), name_cells), "head" if by in MEASURES else "chosen")]
    for column in columns:
        role: Role = "chosen" if column == by else "head"
        head += [(" " * (cells[column] - len(column)), "head"), (column, role)]
        if column in barred:
            head.append((" " * (bar_cells + 1), "head"))
    rows: list[Line] = []
    previous_month = ""
    for group, name in zip(ordered, names, strict=True):
        if kind == "months" and by not in MEASURES and (gap := _months_between(previous_month, group.name)):
            rows.append([(fit(f"({counted(gap, 'month')} without a turn)", width), "muted")])
        previous_month = group.name
        row: Line = [(fit(name, name_cells), "name")]
        for column in columns:
            row.append((MEASURES[column].written(group).rjust(cells[column]), "figure"))
            if column in barred:
                part = _value(column, group) / highest[column]
                row.append((" " + fit(bar(part, bar_cells), bar_cells), "bar"))
        rows.append(row)
    return Table(head, rows, tuple(column for column in MEASURES if column not in columns))


def _heading(kind: GroupKind) -> str:
    return kind.removesuffix("s")


def _value(column: str, group: Group, unknown: float = 0.0) -> float:
    value = MEASURES[column].value(group)
    return unknown if value is None else value


def _columns(kind: GroupKind, by: str, barred: Sequence[str], cells: dict[str, int], room: int) -> list[str]:
    """The columns that fit into `room` cells, in their order.

    The column that is sorted by is always among them, or without one the first of `barred`.
    """
    priority = ("turns", *_PRIORITY) if kind in _KINDS_OF_TURNS else _PRIORITY
    chosen: list[str] = []
    for column in dict.fromkeys([*([by] if by in MEASURES else []), *barred, *priority]):
        needed = cells[column] + (_LEAST_BAR_CELLS + 1 if column in barred else 0)
        if needed <= room or not chosen:
            chosen.append(column)
            room -= needed
    return [column for column in MEASURES if column in chosen]


def _months_between(earlier: str, later: str) -> int:
    """The number of months between two that are named like `2025-06`; 0 where a name is no month."""
    try:
        (year, month), (other_year, other_month) = (map(int, name.split("-")) for name in (earlier, later))
    except ValueError:
        return 0
    return max(0, (other_year - year) * 12 + other_month - month - 1)


def bar(part: float, cells: int) -> str:
    """A bar that fills `part`, from 0 to 1, of `cells` cells; any part above 0 shows at least an eighth."""
    eighths = round(max(0.0, min(1.0, part)) * cells * 8)
    if part > 0:
        eighths = max(1, eighths)
    full, rest = divmod(eighths, 8)
    return "█" * full + (_EIGHTHS[rest] if rest else "")


def headline(figures: Figures) -> str:
    """The totals in one line."""
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
    """The reason, in a sentence, why the figures count no turn; None where they count some."""
    if figures.total.turns:
        return None
    if figures.since is not None:
        return f"No turn that is kept was sent since {_date(figures.since)}."
    return "No conversation is kept yet, so there is nothing to count."


def notes(figures: Figures, hidden: Container[str] = ()) -> list[str]:
    """Notes on what the signs and columns mean and what the numbers leave out; none on `hidden` columns."""
    total = figures.total
    meanings = {
        column: measure.meaning
        for column, measure in MEASURES.items()
        if column not in hidden and measure.meaning
    }
    lines = [
        "; ".join(f"{column}: {meaning}" for column, meaning in meanings.items())
        + ". Times are of calls for models and agents, of whole turns for recipes and months."
    ]
    if total.estimated:
        lines.append(f"~ the provider did not count the tokens of {counted(total.estimated, 'call')}.")
    if total.unpriced:
        lines.append(f"+ the price of {counted(total.unpriced, 'call')} is not known and not in the sum.")
    if total.unfinished:
        lines.append(
            f"{counted(total.unfinished, 'call')} without an end (written now, or moa-tui was ended before): "
            "not in the tokens, prices and times."
        )
    return lines


def stats_lines(figures: Figures, width: int) -> str:
    """The figures as text for a terminal of `width` cells, without colour."""
    if (reason := why_nothing(figures)) is not None:
        return reason
    width = max(width, 40)
    lines = [headline(figures)]
    times_hidden = dict.fromkeys(MEASURES, 0)
    for kind in GROUP_KINDS:
        drawn = table(kind, figures.groups(kind), width, "name" if kind == "months" else "calls")
        for column in drawn.hidden:
            times_hidden[column] += 1
        lines += ["", *drawn.text_lines()]
    lines.append("")
    if hidden := [column for column, times in times_hidden.items() if times]:
        lines.append(f"There is room in a wider terminal, and in --json, for: {', '.join(hidden)}.")
    lines += notes(figures, [column for column, times in times_hidden.items() if times == len(GROUP_KINDS)])
    return "\n".join(
        line if line.rstrip() != line or cell_len(line) <= width else textwrap.fill(line, width)
        for line in lines
    )


def stats_document(figures: Figures) -> dict[str, Any]:
    """The figures as plain JSON values; costs are in US dollars, times in seconds, and null is unknown."""
    return {"schema": SCHEMA, **asdict(figures)}


def _date(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d}"
