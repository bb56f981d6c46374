"""How a kept conversation, and a place where a search found its words, look in a list and a preview."""

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

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.css.styles import RulesMap
    from textual.strip import Strip
    from textual.style import Style
    from textual.visual import RenderOptions

    from moa_tui.conversation import Conversation, Hit

Folder = Literal["in use", "archived", "deleted"]
"""The lists that the kept conversations are divided into."""

_EMPTY: dict[Folder, str] = {
    "in use": "No conversation is kept yet. What you ask in the chat will be here.",
    "archived": "Nothing is archived. F6 puts a conversation here, away from those in use.",
    "deleted": "Nothing was deleted of late.",
}
# Characters that are drawn of a title, a context or a preview at most; each may be of any length.
_LONGEST_LINE = 400
_LONGEST_PREVIEW = 3_000

_OPEN = "▸"
_PINNED = "★"
_GAP = "  "


class Fitted(Visual):
    """Lines that are made when they are drawn, for the width at which they are drawn.

    A list of thousands therefore costs no more than its rows in view, and fits after every change of size.
    """

    def __init__(self, draw: Callable[[int], Content], lines: int = 1) -> None:
        """`draw` makes the content for a width in cells; the content has `lines` lines."""
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


# A column: heading, width in cells, whether the text is aligned right, and the least width of a row with it.
_COLUMNS = (
    ("last use", 10, True, 0),
    ("turns", 5, True, 0),
    ("recipe", 12, False, 64),
    ("cost", 8, True, 64),
    ("tags", 22, False, 104),
    ("begun", 10, True, 128),
)


def _cells(texts: Sequence[str], width: int) -> str:
    """The texts in their columns, as many of them as a row of `width` cells has room for."""
    return "".join(
        _GAP + fit(text, cells, right=right)
        for text, (_, cells, right, least) in zip(texts, _COLUMNS, strict=True)
        if width >= least
    )


def heading_row(folder: Folder, width: int) -> Content:
    """The headings of the columns, for a list of `width` cells."""
    first, *rest = (head for head, *_ in _COLUMNS)
    cells = _cells(["deleted" if folder == "deleted" else first, *rest], width)
    return Content(fit("    title", width - len(cells)) + cells)


def summary_row(summary: Summary, current: str | None, width: int) -> Content:
    """The row of a conversation; `current` is the id of the one in the chat."""
    now = datetime.now().astimezone()
    tags = " ".join(f"#{single_line(tag)}" for tag in summary.tags)
    begun, used = when(summary.created, now), when(summary.deleted or summary.used, now)
    cells = _cells(
        [used, str(summary.turns), single_line(summary.recipe), money(summary.cost), tags, begun], width
    )
    in_column = any(head == "tags" and width >= least for head, *_, least in _COLUMNS)
    return _named(summary, current, "" if in_column else tags, width - cell_len(cells)) + Content(cells)


def hit_row(hit: Hit, current: str | None, width: int) -> Content:
    """The two lines of a place that was found: its conversation, and the words around it."""
    summary = hit.summary
    where = single_line(hit.agent) if hit.where == "proposer" else hit.where
    cells = (
        _GAP + fit(where, 14) + _GAP + fit(when(summary.used, datetime.now().astimezone()), 10, right=True)
    )
    name = _named(summary, current, "archived" if summary.archived else "", width - cell_len(cells))
    return name + Content(f"{cells}\n    ") + _context(hit, width - 4)


def _named(summary: Summary, current: str | None, note: str, width: int) -> Content:
    """The marks and the title of a conversation, and of the note what leaves the title most of the width."""
    is_open = summary.id == current
    marks = f"{_OPEN if is_open else ' '} {_PINNED if summary.pinned else ' '} "
    note = _GAP.join(filter(None, ["open" if is_open else "", note]))
    title, room = single_line(summary.name) or "(no title)", width - len(marks)
    note_cells = min(cell_len(note), max(room - cell_len(title) - 2, 9, room // 3)) if note else 0
    title_cells = min(cell_len(title), room - (note_cells + 2 if note else 0))
    shown = marks + fit(title, title_cells) + (_GAP if note else "")
    rest = " " * (width - cell_len(shown) - note_cells)
    # Without colours, which could not be read on the highlighted row; so are the words around what was found.
    return Content.assemble(shown, fit(note, note_cells), rest)


def _context(hit: Hit, width: int) -> Content:
    """The words around what was found, on one line in which the first found word is visible."""
    parts: list[tuple[str, str]] = []
    position = 0
    for start, end in sorted(hit.marks):
        if position <= start < end:
            parts += [(hit.context[position:start], ""), (hit.context[start:end], "bold underline")]
            position = end
    parts.append((hit.context[position:], ""))
    # The text before the first found word is cut at its beginning.
    parts[0] = (parts[0][0][-_LONGEST_LINE:], parts[0][1])
    clean = [(_clean(text[:_LONGEST_LINE]), style) for text, style in parts]
    before, style = clean[0]
    clean[0] = (shorten_start(before, width // 2), style)
    return Content.assemble(*clean).truncate(width, ellipsis=True)


def preview_of(row: Summary | Hit, conversation: Conversation) -> Content:
    """A conversation's first prompt and last answer; of a found place, the prompt and answer of its turn."""
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
    """The conversation that a row of the list belongs to."""
    return row if isinstance(row, Summary) else row.summary


def nothing_found(folder: Folder, text: str) -> str:
    """Why a list is empty: the folder is, or nothing in it has the searched `text`."""
    if not text:
        return _EMPTY[folder]
    if folder == "deleted":
        return f'No deleted conversation has "{single_line(text)}" in its title or tags.'
    return f'Nothing found for "{single_line(text)}". All its words must be in one text.'


def when(seconds: float, now: datetime) -> str:
    """Unix seconds as a short word: the time if that is today, the day if it is this year, else the date."""
    try:
        moment = datetime.fromtimestamp(seconds, UTC).astimezone(now.tzinfo)
    except (OverflowError, OSError, ValueError):
        return "?"
    if moment.date() == now.date():
        return f"{moment:%H:%M}"
    return f"{moment.day} {moment:%b}" if moment.year == now.year else f"{moment:%Y-%m-%d}"


def single_line(text: str) -> str:
    """The beginning of a text on one line, without control characters."""
    return _clean(text[:_LONGEST_LINE]).strip()


def _clean(text: str) -> str:
    return without_controls(re.sub(r"\s+", " ", text))


def _lines(text: str) -> str:
    """The beginning of a text line by line, without control characters."""
    more = "…" if len(text) > _LONGEST_PREVIEW else ""
    return "\n".join(without_controls(line) for line in text[:_LONGEST_PREVIEW].splitlines()) + more


def quoted_name(summary: Summary) -> str:
    """The conversation's title in quotes, cut to fit into a sentence."""
    return f'"{shorten(single_line(summary.name), 40)}"'
