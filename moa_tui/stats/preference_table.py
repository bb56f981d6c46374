"""The table of recipes that choices between their answers add up to, as lines of a given width. Pure."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from moa_tui.stats.preferences import ELO_MEAN
from moa_tui.stats.tables import NO_NAME, Table
from moa_tui.text.cells import cell_len, fit
from moa_tui.text.safe import safe_line
from moa_tui.text.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from moa_tui.stats.preferences import Preferences, Standing
    from moa_tui.stats.tables import Line

HEADING = "preferred"

_GAP = "  "
_NAME_CELLS = 16
_LEAST_DRAWING, _LONGEST_DRAWING = 21, 41


def _share(value: float) -> str:
    return f"{value:.0%}".replace("%", " %")


# By heading, in the order of the columns.
_COLUMNS: dict[str, Callable[[Standing], str]] = {
    "pairs": lambda one: str(one.pairs),
    "won": lambda one: str(one.wins),
    "lost": lambda one: str(one.losses),
    "tied": lambda one: str(one.ties),
    "win rate": lambda one: _share(one.win_rate),
    "95 % interval": lambda one: f"{one.low * 100:.0f} to {_share(one.high)}",
    "strength": lambda one: "-" if one.strength is None else f"{one.strength:.0f}",
}
# Which columns go first where there is no room for all.
_FIRST = ("win rate", "95 % interval", "strength", "pairs", "won", "lost", "tied")


def preference_table(found: Preferences, width: int) -> Table:
    """A line for each recipe, the best first; where there is room, its interval drawn from 0 to 100 %."""
    names = [safe_line(one.recipe) or NO_NAME for one in found.standings]
    name_cells = min(max(map(cell_len, [HEADING, *names])), max(_NAME_CELLS, width // 4))
    cells = {
        name: max(len(name), *(len(written(one)) for one in found.standings)) + len(_GAP)
        for name, written in _COLUMNS.items()
    }
    room = width - name_cells
    chosen = set()
    for name in _FIRST:
        if cells[name] <= room:
            chosen.add(name)
            room -= cells[name]
    drawing = min(_LONGEST_DRAWING, room - len(_GAP))
    columns = [name for name in _COLUMNS if name in chosen]
    head: Line = [
        (fit(HEADING, name_cells), "head"),
        *((name.rjust(cells[name]), "head") for name in columns),
    ]
    rows: list[Line] = []
    for one, name in zip(found.standings, names, strict=True):
        row: Line = [(fit(name, name_cells), "name")]
        row += [(_COLUMNS[column](one).rjust(cells[column]), "figure") for column in columns]
        if drawing >= _LEAST_DRAWING:
            row.append((_GAP + interval(one.low, one.win_rate, one.high, drawing), "bar"))
        rows.append(row)
    if drawing >= _LEAST_DRAWING:
        head.append((_GAP + fit("0 %" + "100 %".rjust(drawing - 3), drawing), "head"))
    return Table(head, rows, tuple(name for name in _COLUMNS if name not in chosen))


def interval(low: float, middle: float, high: float, cells: int) -> str:
    """A stretch from `low` to `high`, both from 0 to 1, with a dot where `middle` is, in `cells`."""
    first, dot, last = (round(share * (cells - 1)) for share in (low, middle, high))
    return "".join("●" if at == dot else "─" if first <= at <= last else " " for at in range(cells))


def preference_notes(found: Preferences) -> list[str]:
    """What the table was made of, what its columns mean, and how little it may say."""
    blind = f", {found.blind} of them blind" if found.blind else ""
    notes = [
        f"From {counted(found.choices, 'choice')} made with /compare{blind}. A tie is half a win; one "
        "chosen of three has won twice.",
        "One person's choices on a few prompts say little about others; the pairs of a choice among three "
        "hang together, and the intervals are too narrow by that.",
    ]
    if any(one.strength is not None for one in found.standings):
        notes.append(
            f"strength: Bradley-Terry on Elo's scale, {ELO_MEAN:.0f} on average; 100 points more should win "
            "64 % of the time."
        )
        if len({one.group for one in found.standings}) > 1:
            notes.append("Strengths of recipes that never met, not even by way of others, do not compare.")
    return [*notes, *(f"No strength for {safe_line(why)}" for why in found.without_strength)]


def preference_lines(found: Preferences, width: int) -> str:
    """All of it as text for a terminal of that width, without colour."""
    width = max(width, 40)
    drawn = preference_table(found, width)
    lines = ["".join(text for text, _ in line).rstrip() for line in (drawn.head, *drawn.rows)]
    return "\n".join([*lines, "", *(textwrap.fill(note, width) for note in preference_notes(found))])
