"""The table of the recipes that the user preferred, as lines of a given width. Pure."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from moa_tui.stats.preferences import ELO_MEAN
from moa_tui.stats.tables import NO_NAME, Table, percent
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
_LEAST_DRAWING_CELLS, _MOST_DRAWING_CELLS = 21, 41

# By heading, in the order of the columns.
_COLUMNS: dict[str, Callable[[Standing], str]] = {
    "pairs": lambda standing: str(standing.pairs),
    "won": lambda standing: str(standing.wins),
    "lost": lambda standing: str(standing.losses),
    "tied": lambda standing: str(standing.ties),
    "win rate": lambda standing: percent(standing.win_rate),
    "95 % interval": lambda standing: f"{standing.low * 100:.0f} to {percent(standing.high)}",
    "strength": lambda standing: "-" if standing.strength is None else f"{standing.strength:.0f}",
}
# The columns in the order in which they get a place where there is no room for all.
_PRIORITY = ("win rate", "95 % interval", "strength", "pairs", "won", "lost", "tied")


def preference_table(result: Preferences, width: int) -> Table:
    """A row for each recipe in `width` cells, the best first.

    Where there is room, the row ends with the interval of the win rate, drawn on a scale from 0 to 100 %.
    """
    names = [safe_line(standing.recipe) or NO_NAME for standing in result.standings]
    name_cells = min(max(map(cell_len, [HEADING, *names])), max(_NAME_CELLS, width // 4))
    cells = {
        name: max(len(name), *(len(written(standing)) for standing in result.standings)) + len(_GAP)
        for name, written in _COLUMNS.items()
    }
    room = width - name_cells
    chosen = set()
    for name in _PRIORITY:
        if cells[name] <= room:
            chosen.add(name)
            room -= cells[name]
    drawing_cells = min(_MOST_DRAWING_CELLS, room - len(_GAP))
    columns = [name for name in _COLUMNS if name in chosen]
    head: Line = [
        (fit(HEADING, name_cells), "head"),
        *((name.rjust(cells[name]), "head") for name in columns),
    ]
    rows: list[Line] = []
    for standing, name in zip(result.standings, names, strict=True):
        row: Line = [(fit(name, name_cells), "name")]
        row += [(_COLUMNS[column](standing).rjust(cells[column]), "figure") for column in columns]
        if drawing_cells >= _LEAST_DRAWING_CELLS:
            drawn = interval(standing.low, standing.win_rate, standing.high, drawing_cells)
            row.append((_GAP + drawn, "bar"))
        rows.append(row)
    if drawing_cells >= _LEAST_DRAWING_CELLS:
        head.append((_GAP + fit("0 %" + "100 %".rjust(drawing_cells - 3), drawing_cells), "head"))
    return Table(head, rows, tuple(name for name in _COLUMNS if name not in chosen))


def interval(low: float, middle: float, high: float, cells: int) -> str:
    """A line from `low` to `high` with a dot at `middle`, all from 0 to 1, on a scale of `cells` cells."""
    first, dot, last = (round(share * (cells - 1)) for share in (low, middle, high))
    return "".join("●" if at == dot else "─" if first <= at <= last else " " for at in range(cells))


def preference_notes(result: Preferences) -> list[str]:
    """The notes under the table: the choices behind it, the meaning of its columns, and its limits."""
    blind = f", {result.blind} of them blind" if result.blind else ""
    notes = [
        f"From {counted(result.choices, 'choice')} made with /compare{blind}. A tie is half a win; one "
        "chosen of three has won twice.",
        "One person's choices on a few prompts say little about others; the pairs of a choice among three "
        "hang together, and the intervals are too narrow by that.",
    ]
    if any(standing.strength is not None for standing in result.standings):
        notes.append(
            f"strength: Bradley-Terry on Elo's scale, {ELO_MEAN:.0f} on average; 100 points more should win "
            "64 % of the time."
        )
        if len({standing.group for standing in result.standings}) > 1:
            notes.append("Strengths of recipes that never met, not even by way of others, do not compare.")
    return [*notes, *(f"No strength for {safe_line(reason)}" for reason in result.without_strength)]


def preference_lines(result: Preferences, width: int) -> str:
    """The table and its notes as text for a terminal of `width` cells, without colour."""
    width = max(width, 40)
    lines = preference_table(result, width).text_lines()
    return "\n".join([*lines, "", *(textwrap.fill(note, width) for note in preference_notes(result))])
