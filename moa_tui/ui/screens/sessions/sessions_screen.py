"""The screen of the kept conversations: listed by last use, searched by any word, opened and put in order."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual import events, on, work
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input, OptionList, Static

from moa_tui.conversation import Summary
from moa_tui.errors import MoaTuiError
from moa_tui.ui.screens.guard import GuardedDialog
from moa_tui.ui.screens.sessions.session_changes import SessionChanges
from moa_tui.ui.screens.sessions.session_dialogs import FormatScreen, TextScreen
from moa_tui.ui.screens.sessions.session_list import Query, SessionList, amount, find
from moa_tui.ui.screens.sessions.session_rows import (
    nothing_found,
    preview_of,
    quoted_name,
    single_line,
    summary_of,
)
from moa_tui.ui.widgets.key_bar import KeyBar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from moa_tui.chat.library import Library
    from moa_tui.conversation import Conversation, Hit
    from moa_tui.ui.screens.sessions.session_rows import Folder

# The folder that F7 shows after each.
_NEXT_FOLDER: dict[Folder, Folder] = {"in use": "archived", "archived": "deleted", "deleted": "in use"}
# A search waits so long for the next key, which would make it needless.
_PAUSE_SECONDS = 0.12
_SEARCH_EVERYTHING = "Search everything you and the agents wrote"
_SEARCH_DELETED = "Search the titles and tags of deleted conversations"


class PlaceToOpen(NamedTuple):
    """The conversation that the user chose, and the id of the turn to show; "" for no certain turn."""

    conversation_id: str
    turn_id: str


class SessionsScreen(GuardedDialog[PlaceToOpen | None]):
    """Lists the kept conversations; gives the one to open, None where none was chosen.

    The text field keeps the focus and the list follows its keys, so that typing always searches.
    """

    HELP_TITLE = "Conversations"
    HELP_TOPIC = "conversations"
    CSS_PATH = "sessions_screen.tcss"
    AUTO_FOCUS = "#search"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (160, "-wide")]  # noqa: RUF012 - so typed in the base
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move('cursor_up')", "Up", id="sessions.up", show=False),
        Binding("down", "move('cursor_down')", "Down", id="sessions.down", show=False),
        Binding("pageup", "move('page_up')", "Page up", id="sessions.page_up", show=False),
        Binding("pagedown", "move('page_down')", "Page down", id="sessions.page_down", show=False),
        Binding("ctrl+home", "move('first')", "First", id="sessions.first", show=False),
        Binding("ctrl+end", "move('last')", "Last", id="sessions.last", show=False),
        # These two go before what the text field does at the same keys.
        Binding("enter", "open", "Open", id="sessions.open", priority=True),
        Binding("enter,ctrl+z", "restore", "Restore", id="sessions.restore", priority=True),
        Binding("f2", "rename", "Rename", id="sessions.rename"),
        Binding("f3", "tags", "Tags", id="sessions.tags"),
        Binding("f4", "pin", "Pin", id="sessions.pin"),
        Binding("f5", "export", "Export", id="sessions.export"),
        Binding("f6", "archive", "Archive", id="sessions.archive"),
        Binding("f6", "unarchive", "Back to those in use", id="sessions.unarchive"),
        Binding("f7", "other_list", "Other lists", id="sessions.lists"),
        Binding("f8", "delete", "Delete", id="sessions.delete"),
        Binding("ctrl+z", "undo", "Bring back", id="sessions.undo"),
        # The app has this key too, but a modal screen hides the app's keys.
        Binding("f1", "app.help", "Help", id="sessions.help", show=False),
        Binding("escape", "dismiss(None)", "Close", id="sessions.close"),
    ]

    def __init__(
        self,
        library: Library,
        current: str | None,
        load: Callable[[str], Awaitable[Conversation]] | None = None,
    ) -> None:
        """`current` is the id of the conversation in the chat.

        `load` gives a whole conversation for its preview and its export; by default the library's is used.
        """
        super().__init__()
        self._library = library
        self._load = load or self._load_from_library
        self._folder: Folder = "in use"
        self._list = SessionList(current)
        self._opens_first_hit = False
        """True once the user asked to open what a search finds, before the search was over."""
        self._changes = SessionChanges(library, current, self._load, self)

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Static("Conversations", id="title", markup=False)
            yield Input(placeholder=_SEARCH_EVERYTHING, id="search", compact=True)
            with Horizontal(id="body"):
                yield self._list
                with VerticalScroll(id="preview", can_focus=False):
                    yield Static(markup=False)
            yield KeyBar()

    def on_mount(self) -> None:
        self._fill()

    async def _load_from_library(self, conversation_id: str) -> Conversation:
        return await asyncio.to_thread(self._library.load, conversation_id)

    # The list

    @property
    def _is_up(self) -> bool:
        """True while the screen has widgets to show things on; workers may end after it was left."""
        return self in self.app.screen_stack and bool(self.query(SessionList))

    @property
    def _asked(self) -> Query:
        """The query that the folder and the text field make."""
        return Query(self._folder, self.query_one(Input).value.strip())

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._opens_first_hit = False
        self._fill(pause=_PAUSE_SECONDS if self._asked.text else 0.0)

    def _fill(self, highlight: str | None = None, pause: float = 0.0) -> None:
        """Answer the query after `pause` seconds, with the conversation of the id `highlight` highlighted.

        A later call ends an earlier one, so that a late answer never replaces that to a newer query.
        """
        self._answer(self._asked, highlight, pause)

    @work(group="look", exclusive=True)
    async def _answer(self, query: Query, highlight: str | None, pause: float) -> None:
        await asyncio.sleep(pause)
        nothing = nothing_found(query.folder, query.text)
        rows: Sequence[Summary | Hit] = ()
        try:
            rows = await asyncio.to_thread(find, self._library, query)
        except MoaTuiError as error:
            nothing = f"✗ {error}"
        if self._is_up:
            self._list.show(rows, query, nothing, highlight)
            self._show_around(rows, query)

    def _show_around(self, rows: Sequence[Summary | Hit], query: Query) -> None:
        """Fit the title, the keys and the preview to new rows, and open one where that was asked for."""
        self.query_one("#title", Static).update(Content(f"Conversations: {amount(rows, query)}"))
        # The bar was measured before it had a width, with a line for each key.
        self.query_one(KeyBar).refresh(layout=True)
        if not rows:
            self._preview()
        if self._opens_first_hit and self.is_current:
            self.action_open()

    @property
    def _chosen_row(self) -> Summary | Hit | None:
        """The highlighted row; None while the rows in view do not answer the query yet."""
        return self._list.highlighted if self._list.answered == self._asked else None

    @property
    def _chosen(self) -> Summary | None:
        """The conversation of the highlighted row."""
        return None if (row := self._chosen_row) is None else summary_of(row)

    def action_move(self, movement: str) -> None:
        """Move the highlight, while letters go on to the text field."""
        self._list.move(movement)

    def action_other_list(self) -> None:
        """Show the next folder: in use, archived, deleted."""
        self._folder = _NEXT_FOLDER[self._folder]
        self._opens_first_hit = False
        search = self.query_one(Input)
        with self.prevent(Input.Changed):
            search.value = ""
        search.placeholder = _SEARCH_DELETED if self._folder == "deleted" else _SEARCH_EVERYTHING
        self.refresh_bindings()
        self._fill()

    # The preview

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        self._preview()

    def on_resize(self, _: events.Resize) -> None:
        # There may be room for a preview now.
        self.call_after_refresh(self._preview)

    def _preview(self) -> None:
        """Show the beginning and the end of the highlighted conversation, where there is room."""
        row = self._list.highlighted
        if row is None:
            self.query_one("#preview Static", Static).update("")
        elif self.has_class("-wide"):
            self._show_preview(row)

    @work(group="preview", exclusive=True)
    async def _show_preview(self, row: Summary | Hit) -> None:
        await asyncio.sleep(_PAUSE_SECONDS)
        try:
            text = preview_of(row, await self._load(summary_of(row).id))
        except MoaTuiError as error:
            text = Content(f"✗ {error}")
        if self._is_up:
            self.query_one("#preview Static", Static).update(text)
            self.query_one("#preview").scroll_home(animate=False)

    # Opening and changing

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Allow no other change of a deleted conversation than to restore it."""
        match action:
            case "restore":
                return self._folder == "deleted"
            case "unarchive":
                return self._folder == "archived"
            case "archive":
                return self._folder == "in use"
            case "undo":
                return self._folder != "deleted" and self._changes.can_undo
            case "open" | "rename" | "tags" | "pin" | "export" | "delete":
                return self._folder != "deleted"
        return True

    def show_changed(self, conversation_id: str) -> None:
        """Read the list again and highlight that conversation; do nothing once the screen is left."""
        if self._is_up:
            self._fill(highlight=conversation_id)

    def refresh_keys(self) -> None:
        """Show anew which keys work; do nothing once the screen is left."""
        if self._is_up:
            self.refresh_bindings()

    @on(OptionList.OptionSelected)
    def _clicked_twice(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if self._folder == "deleted":
            self.action_restore()
        else:
            self.action_open()

    def action_open(self) -> None:
        """Give the highlighted conversation; while a search goes on, the first one that it finds."""
        if self._list.answered != self._asked:
            self._opens_first_hit = True
        elif (row := self._chosen_row) is not None:
            self.dismiss(PlaceToOpen(summary_of(row).id, "" if isinstance(row, Summary) else row.turn))

    def action_rename(self) -> None:
        """Ask for another title."""
        if (summary := self._chosen) is None:
            return
        name = single_line(summary.name)

        def rename(title: str | None) -> None:
            if title is not None and title != name:
                self._changes.rename(summary, title)

        note = "Without a title it is called by the first line of its first prompt."
        self.open(TextScreen("Title", name, note), rename)

    def action_tags(self) -> None:
        """Ask for the tags."""
        if (summary := self._chosen) is None:
            return

        def tag(text: str | None) -> None:
            if text is not None:
                self._changes.tag(summary, text)

        tags = ", ".join(single_line(tag) for tag in summary.tags)
        self.open(TextScreen(f"Tags of {quoted_name(summary)}", tags, "Commas between them."), tag)

    def action_pin(self) -> None:
        """Pin or unpin the highlighted conversation."""
        if (summary := self._chosen) is not None:
            self._changes.toggle_pinned(summary)

    def action_archive(self) -> None:
        """Archive the highlighted conversation, or bring an archived one back that a search found."""
        if (summary := self._chosen) is not None:
            self._changes.toggle_archived(summary)

    def action_unarchive(self) -> None:
        """Bring the highlighted conversation back from the archive."""
        self.action_archive()

    def action_delete(self) -> None:
        """Delete the highlighted conversation."""
        if (summary := self._chosen) is not None:
            self._changes.delete(summary)

    def action_undo(self) -> None:
        """Bring back the conversation that was deleted last."""
        self._changes.undo_delete()

    def action_restore(self) -> None:
        """Bring back the highlighted conversation, which is deleted."""
        if (summary := self._chosen) is not None:
            self._changes.restore(summary)

    def action_export(self) -> None:
        """Ask what kind of file to write the highlighted conversation to."""
        if (summary := self._chosen) is None:
            return

        def export(format: str | None) -> None:
            if format is not None:
                self._changes.export(summary, format)

        self.open(FormatScreen(quoted_name(summary)), export)
