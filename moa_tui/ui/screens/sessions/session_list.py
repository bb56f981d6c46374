"""The list of the kept conversations, or of the places where a search found its words."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static

from moa_tui.conversation import Summary
from moa_tui.text.wording import counted
from moa_tui.ui.screens.sessions.session_rows import Fitted, heading_row, hit_row, summary_of, summary_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.app import ComposeResult

    from moa_tui.chat.library import Library
    from moa_tui.conversation import Hit
    from moa_tui.ui.screens.sessions.session_rows import Folder

# More places than anybody reads through; another word in the search finds the right one sooner.
MOST_HITS = 50


@dataclass(frozen=True, slots=True)
class Query:
    """What the list is asked to show: a folder, or what a search for `text` finds.

    In the folder of deleted conversations the text is looked for in titles and tags, else in everything
    that was written, archived or not.
    """

    folder: Folder
    text: str = ""

    @property
    def searches_texts(self) -> bool:
        """True if the answer is places in texts, False if it is whole conversations."""
        return bool(self.text) and self.folder != "deleted"


def find(library: Library, query: Query) -> Sequence[Summary | Hit]:
    """Answer a query from the disk. Raises what the library raises for a bad search or a broken database."""
    if query.searches_texts:
        return library.search(query.text, MOST_HITS)
    summaries = library.summaries(archived=query.folder == "archived", deleted=query.folder == "deleted")
    words = query.text.casefold().split()
    return [
        summary
        for summary in summaries
        if all(word in f"{summary.name} {summary.tags}".casefold() for word in words)
    ]


def amount(rows: Sequence[Summary | Hit], query: Query) -> str:
    """How much a query found, for the title."""
    if not query.searches_texts:
        return f"{len(rows):,} {query.folder}"
    places = f"the first {MOST_HITS} places" if len(rows) >= MOST_HITS else counted(len(rows), "place")
    return f"{places} found"


class SessionList(Vertical):
    """Shows the rows that answer a query under a heading, or in words why there are none."""

    def __init__(self, current: str | None) -> None:
        """`current` is the id of the conversation in the chat, whose row is marked."""
        super().__init__()
        self._current = current
        self._rows: Sequence[Summary | Hit] = ()
        self.answered: Query | None = None
        """The query that the rows answer; None before there was an answer."""

    def compose(self) -> ComposeResult:
        yield Static(id="columns", markup=False)
        yield ClickableRows(id="rows", markup=False, compact=True)
        yield Static("Looking…", id="nothing", markup=False)

    def on_mount(self) -> None:
        self._options.display = False

    @property
    def _options(self) -> ClickableRows:
        return self.query_one(ClickableRows)

    @property
    def highlighted(self) -> Summary | Hit | None:
        """The highlighted row; None where there is none."""
        index = self._options.highlighted
        return None if index is None else self._rows[index]

    def move(self, movement: str) -> None:
        """Move the highlight by a movement that an OptionList knows, such as `cursor_down` or `page_up`."""
        getattr(self._options, f"action_{movement}")()

    def show(
        self, rows: Sequence[Summary | Hit], query: Query, nothing: str, highlight: str | None = None
    ) -> None:
        """Show the rows that answer `query`, or the words `nothing` where there are none.

        The conversation with the id `highlight` is highlighted; without an id, the highlight stays where it
        was in the answer to the same query.
        """
        index = self._index_to_highlight(rows, query, highlight)
        self._rows, self.answered = rows, query
        options = self._options
        options.set_options(self._drawn(row) for row in rows)
        options.display = bool(rows)
        options.highlighted = index if rows else None
        self.query_one("#nothing", Static).update(Content(nothing))
        self.query_one("#nothing").display = not rows
        heading = (
            Content("Texts that hold all the words")
            if query.searches_texts
            else Fitted(partial(heading_row, query.folder))
        )
        self.query_one("#columns", Static).update(heading)
        self.query_one("#columns").display = bool(rows)

    def _drawn(self, row: Summary | Hit) -> Fitted:
        if isinstance(row, Summary):
            return Fitted(partial(summary_row, row, self._current))
        return Fitted(partial(hit_row, row, self._current), 2)

    def _index_to_highlight(self, rows: Sequence[Summary | Hit], query: Query, highlight: str | None) -> int:
        index = 0
        previous = self._options.highlighted
        if query == self.answered and previous is not None:
            index = previous
            highlight = highlight or summary_of(self._rows[index]).id
        elif not query.text:
            highlight = highlight or self._current
        if index < len(rows) and summary_of(rows[index]).id == highlight:
            return index
        ids = [summary_of(row).id for row in rows]
        return ids.index(highlight) if highlight in ids else min(index, len(rows) - 1)


class ClickableRows(OptionList, can_focus=False):
    """A list whose rows are highlighted by one click and selected by the next."""

    async def on_click(self, event: events.Click) -> None:
        event.prevent_default()
        clicked: int | None = event.style.meta.get("option")
        if clicked is not None and clicked == self.highlighted:
            self.action_select()
        elif clicked is not None:
            self.highlighted = clicked
