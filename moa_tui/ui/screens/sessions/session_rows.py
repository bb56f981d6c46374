"""How a kept conversation, and a place that a search found, look in a list."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from textual.content import Content
from textual.visual import Visual

from moa_tui.conversation import Summary
from moa_tui.text.cells import cell_len, fit, shorten, shorten_start
from moa_tui.text.safe import without_controls
from moa_tui.text.wording import money
from moa_tui.ui.rows.text_rows import MUTED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.css.styles import RulesMap
    from textual.strip import Strip
    from textual.style import Style
    from textual.visual import RenderOptions

    from moa_tui.conversation import Conversation, Hit

Kind = Literal["in use", "archived", "deleted"]

_EMPTY: dict[Kind, str] = {
    "in use": "No conversation is kept yet. What you ask in the chat will be here.",
    "archived": "Nothing is archived. F6 puts a conversation here, away from those in use.",
    "deleted": "Nothing was deleted of late.",
}
# What is drawn of a title, a context or a preview at most, in characters: it may be of any length.
_LONGEST_LINE = 400
_LONGEST_PREVIEW = 3_000

_OPEN = "▸"
_PINNED = "★"
_GAP = "  "


class Fitted(Visual):
    """Lines that are made when they are drawn, for the width they are drawn at.

    So a list of thousands costs no more than what is in view, and is right after every change of size.
    """

    def __init__(self, draw: Callable[[int], Content], lines: int = 1) -> None:
        self._draw = draw
        self._lines = lines

    def render_strips(
        self, width: int, height: int | None, style: Style, options: RenderOptions
    ) -> list[Strip]:
        return self._draw(width).render_strips(width, height, style, options)

    def get_optimal_width(self, rules: RulesMap, container_width: int) -> int:
        return container_width

    def get_height(self, rules: RulesMap, width: int) -> int:
        return self._lines


# Heading, cells, whether the text stands at the right, and the least width of a row that has room for it.
_COLUMNS = (
    ("last use", 10, True, 0),
    ("turns", 5, True, 0),
    ("recipe", 12, False, 64),
    ("cost", 8, True, 64),
    ("tags", 22, False, 104),
    ("begun", 10, True, 128),
)


def _cells(texts: Sequence[str], width: int) -> str:
    """The columns of a row that is `width` cells wide."""
    return "".join(
        _GAP + fit(text, cells, right=right)
        for text, (_, cells, right, least) in zip(texts, _COLUMNS, strict=True)
        if width >= least
    )


def heads(kind: Kind, width: int) -> Content:
    first, *rest = (head for head, *_ in _COLUMNS)
    cells = _cells(["deleted" if kind == "deleted" else first, *rest], width)
    return Content(fit("    title", width - len(cells)) + cells)


def summary_row(one: Summary, current: str | None, width: int) -> Content:
    now = datetime.now().astimezone()
    tags = " ".join(f"#{line(tag)}" for tag in one.tags)
    begun, used = when(one.created, now), when(one.deleted or one.used, now)
    cells = _cells([used, str(one.turns), line(one.recipe), money(one.cost), tags, begun], width)
    in_column = any(head == "tags" and width >= least for head, *_, least in _COLUMNS)
    return _named(one, current, "" if in_column else tags, width - cell_len(cells)) + Content(cells)


def hit_row(hit: Hit, current: str | None, width: int) -> Content:
    one = hit.summary
    where = line(hit.agent) if hit.where == "proposer" else hit.where
    cells = _GAP + fit(where, 14) + _GAP + fit(when(one.used, datetime.now().astimezone()), 10, right=True)
    name = _named(one, current, "archived" if one.archived else "", width - cell_len(cells))
    return name + Content(f"{cells}\n    ") + _context(hit, width - 4)


def _named(one: Summary, current: str | None, note: str, width: int) -> Content:
    """Its marks and title, and as much of the note as leaves the title most of the room."""
    is_open = one.id == current
    marks = f"{_OPEN if is_open else ' '} {_PINNED if one.pinned else ' '} "
    note = _GAP.join(filter(None, ["open" if is_open else "", note]))
    title, room = line(one.name) or "(no title)", width - len(marks)
    note_cells = min(cell_len(note), max(room - cell_len(title) - 2, 9, room // 3)) if note else 0
    title_cells = min(cell_len(title), room - (note_cells + 2 if note else 0))
    shown = marks + fit(title, title_cells) + (_GAP if note else "")
    rest = " " * (width - cell_len(shown) - note_cells)
    return Content.assemble(shown, (fit(note, note_cells), MUTED), rest)


def _context(hit: Hit, width: int) -> Content:
    """The words around what was found, on one line, with the first find in view."""
    parts: list[tuple[str, str]] = []
    at = 0
    for start, end in sorted(hit.marks):
        if at <= start < end:
            parts += [(hit.context[at:start], MUTED), (hit.context[start:end], "bold underline")]
            at = end
    parts.append((hit.context[at:], MUTED))
    # What goes before the first find counts from its end.
    parts[0] = (parts[0][0][-_LONGEST_LINE:], parts[0][1])
    clean = [(_clean(text[:_LONGEST_LINE]), style) for text, style in parts]
    before, style = clean[0]
    clean[0] = (shorten_start(before, width // 2), style)
    return Content.assemble(*clean).truncate(width, ellipsis=True)


def preview_of(row: Summary | Hit, conversation: Conversation) -> Content:
    """How a conversation begins and ends; of a place that was found, its prompt and answer."""
    if not conversation.turns:
        return Content("Nothing was asked yet.")
    first, last = conversation.turns[0], conversation.active or conversation.turns[-1]
    if not isinstance(row, Summary):
        first = last = next((turn for turn in conversation.turns if turn.id == row.turn), last)
    answer = last.outcome.answer if last.outcome is not None else ""
    return Content.assemble(
        ("You\n", "bold"), _lines(first.prompt), ("\n\nAnswer\n", "bold"), _lines(answer or "There is none.")
    )


def summary_of(row: Summary | Hit) -> Summary:
    return row if isinstance(row, Summary) else row.summary


def nothing_found(kind: Kind, wanted: str) -> str:
    if not wanted:
        return _EMPTY[kind]
    if kind == "deleted":
        return f'No deleted conversation has "{line(wanted)}" in its title or tags.'
    return f'Nothing found for "{line(wanted)}". All its words must be in one text.'


def when(seconds: float, now: datetime) -> str:
    """A time in Unix seconds as a short word: the time of this day, the day of this year, else the date."""
    try:
        moment = datetime.fromtimestamp(seconds, UTC).astimezone(now.tzinfo)
    except (OverflowError, OSError, ValueError):
        return "?"
    if moment.date() == now.date():
        return f"{moment:%H:%M}"
    return f"{moment.day} {moment:%b}" if moment.year == now.year else f"{moment:%Y-%m-%d}"


def line(text: str) -> str:
    """The beginning of a text as one harmless line."""
    return _clean(text[:_LONGEST_LINE]).strip()


def _clean(text: str) -> str:
    return without_controls(re.sub(r"\s+", " ", text))


def _lines(text: str) -> str:
    """The beginning of a text as harmless lines."""
    more = "…" if len(text) > _LONGEST_PREVIEW else ""
    return "\n".join(without_controls(line) for line in text[:_LONGEST_PREVIEW].splitlines()) + more


def short(one: Summary) -> str:
    """Its title for a sentence."""
    return f'"{shorten(line(one.name), 40)}"'
