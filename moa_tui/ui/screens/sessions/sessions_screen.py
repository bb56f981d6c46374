"""The conversations that are kept: listed by last use, found by any word in them, and put in order."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import events, on, work
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static

from moa_tui.conversation import Summary
from moa_tui.errors import MoaTuiError
from moa_tui.text.wording import counted
from moa_tui.ui.screens.sessions.session_dialogs import FormatScreen, TextScreen
from moa_tui.ui.screens.sessions.session_rows import (
    Fitted,
    heads,
    hit_row,
    line,
    nothing_found,
    preview_of,
    short,
    summary_of,
    summary_row,
)
from moa_tui.ui.widgets.key_bar import KeyBar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from moa_tui.chat.library import Library
    from moa_tui.conversation import Conversation, Hit
    from moa_tui.ui.screens.sessions.session_rows import Kind

# From one to the next by a key.
_NEXT: dict[Kind, Kind] = {"in use": "archived", "archived": "deleted", "deleted": "in use"}
# A key pressed within this time makes the search for the text before it needless.
_PAUSE_SECONDS = 0.12
# More than anybody reads through; another word finds it sooner.
_MOST_HITS = 50


class SessionsScreen(ModalScreen[tuple[str, str] | None]):
    """Gives the id of the conversation to open, and of the turn to show, or ""; None where none is.

    The text field keeps the focus and the list follows its keys, so that typing always searches.
    """

    HELP_TITLE = "Conversations"
    CSS_PATH = "sessions_screen.tcss"
    AUTO_FOCUS = "#wanted"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (160, "-wide")]  # noqa: RUF012 - so typed in the base
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move('cursor_up')", "Up", id="sessions.up", show=False),
        Binding("down", "move('cursor_down')", "Down", id="sessions.down", show=False),
        Binding("pageup", "move('page_up')", "Page up", id="sessions.page_up", show=False),
        Binding("pagedown", "move('page_down')", "Page down", id="sessions.page_down", show=False),
        Binding("ctrl+home", "move('first')", "First", id="sessions.first", show=False),
        Binding("ctrl+end", "move('last')", "Last", id="sessions.last", show=False),
        # Before what the text field does at the same key.
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
        # A modal screen hides the app's own key for it.
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

        `load` gives a whole conversation, for its preview and its export; the library's own without it.
        """
        super().__init__()
        self._library = library
        self._current = current
        self._load = load or self._load_kept
        self._kind: Kind = "in use"
        self._rows: Sequence[Summary | Hit] = ()
        self._shown: tuple[Kind, str] | None = None
        """The list and the search that the rows are of; another than asked for while that is looked up."""
        self._open_when_found = False
        self._thrown_away: list[Summary] = []
        # Changes reach the disk in the order in which they were made.
        self._one_by_one = asyncio.Lock()

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Static("Conversations", id="title", markup=False)
            yield Input(placeholder="Search everything you and the agents wrote", id="wanted", compact=True)
            with Horizontal(id="body"):
                with Vertical(id="found"):
                    yield Static(id="columns", markup=False)
                    yield _Rows(id="rows", markup=False, compact=True)
                    yield Static("Looking…", id="nothing", markup=False)
                with VerticalScroll(id="preview", can_focus=False):
                    yield Static(markup=False)
            yield KeyBar()

    def on_mount(self) -> None:
        """Look them up while the screen is up."""
        self.query_one(_Rows).display = False
        self._look()

    # Looking

    @property
    def _is_up(self) -> bool:
        """Whether there is something to show things on: the screen may have been left meanwhile."""
        return self in self.app.screen_stack and bool(self.query(_Rows))

    @property
    def _wanted(self) -> str:
        return self.query_one(Input).value.strip()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._open_when_found = False
        self._look(pause=_PAUSE_SECONDS if self._wanted else 0.0)

    def _look(self, keep: str | None = None, pause: float = 0.0) -> None:
        """Show what is asked for, with the highlight on the conversation `keep`.

        A newer look ends this one wherever it is, so that what is found late replaces nothing newer.
        """
        self._look_up((self._kind, self._wanted), keep, pause)

    @work(group="look", exclusive=True)
    async def _look_up(self, asked: tuple[Kind, str], keep: str | None, pause: float) -> None:
        await asyncio.sleep(pause)
        nothing = nothing_found(*asked)
        rows: Sequence[Summary | Hit] = ()
        try:
            rows = await asyncio.to_thread(self._find, *asked)
        except MoaTuiError as error:
            nothing = f"✗ {error}"
        if self._is_up:
            self._show(rows, nothing, asked, keep)

    def _find(self, kind: Kind, wanted: str) -> Sequence[Summary | Hit]:
        if wanted and kind != "deleted":
            return self._library.search(wanted, _MOST_HITS)
        kept = self._library.summaries(archived=kind == "archived", deleted=kind == "deleted")
        words = wanted.casefold().split()
        return [one for one in kept if all(word in f"{one.name} {one.tags}".casefold() for word in words)]

    def _show(
        self, rows: Sequence[Summary | Hit], nothing: str, asked: tuple[Kind, str], keep: str | None
    ) -> None:
        listed = self.query_one(_Rows)
        kind, wanted = asked
        at = 0
        if asked == self._shown and listed.highlighted is not None:
            at = listed.highlighted
            keep = keep or summary_of(self._rows[at]).id
        elif not wanted:
            keep = keep or self._current
        if at >= len(rows) or summary_of(rows[at]).id != keep:
            at = next((i for i, row in enumerate(rows) if summary_of(row).id == keep), min(at, len(rows) - 1))
        self._rows, self._shown = rows, asked
        drawn = (
            Fitted(partial(summary_row, row, self._current))
            if isinstance(row, Summary)
            else Fitted(partial(hit_row, row, self._current), 2)
            for row in rows
        )
        listed.set_options(drawn)
        listed.display = bool(rows)
        listed.highlighted = at if rows else None
        self.query_one("#nothing", Static).update(Content(nothing))
        self.query_one("#nothing").display = not rows
        searched = bool(wanted) and kind != "deleted"
        self.query_one("#columns", Static).update(
            Content("Texts that hold all the words") if searched else Fitted(partial(heads, kind))
        )
        self.query_one("#columns").display = bool(rows)
        places = f"the first {_MOST_HITS} places" if len(rows) >= _MOST_HITS else counted(len(rows), "place")
        amount = f"{places} found" if searched else f"{len(rows):,} {kind}"
        self.query_one("#title", Static).update(Content(f"Conversations: {amount}"))
        # It was measured before it had a width, with a line for each key.
        self.query_one(KeyBar).refresh(layout=True)
        if not rows:
            self._preview()
        if self._open_when_found and self.is_current:
            self.action_open()

    @property
    def _chosen_row(self) -> Summary | Hit | None:
        """The highlighted row; None while other rows than those in view are being looked up."""
        at = self.query_one(_Rows).highlighted
        return None if at is None or self._shown != (self._kind, self._wanted) else self._rows[at]

    @property
    def _chosen(self) -> Summary | None:
        return None if (row := self._chosen_row) is None else summary_of(row)

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        self._preview()

    def on_resize(self, _: events.Resize) -> None:
        """There may be room for a preview now."""
        self.call_after_refresh(self._preview)

    def _preview(self) -> None:
        """Show the beginning and the end of the highlighted conversation, where there is room."""
        at = self.query_one(_Rows).highlighted
        if at is None:
            self.query_one("#preview Static", Static).update("")
        elif self.has_class("-wide"):
            self._show_preview(self._rows[at])

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

    def action_move(self, movement: str) -> None:
        """Move the highlight, while letters go on to the text field."""
        getattr(self.query_one(_Rows), f"action_{movement}")()

    def action_other_list(self) -> None:
        """From those in use to the archived, then the deleted ones."""
        self._kind = _NEXT[self._kind]
        self._open_when_found = False
        with self.prevent(Input.Changed):
            self.query_one(Input).value = ""
        self.query_one(Input).placeholder = (
            "Search the titles and tags of deleted conversations"
            if self._kind == "deleted"
            else "Search everything you and the agents wrote"
        )
        self.refresh_bindings()
        self._look()

    # Acting

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A deleted conversation can be restored, and nothing else."""
        match action:
            case "restore":
                return self._kind == "deleted"
            case "unarchive":
                return self._kind == "archived"
            case "archive":
                return self._kind == "in use"
            case "undo":
                return self._kind != "deleted" and bool(self._thrown_away)
            case "open" | "rename" | "tags" | "pin" | "export" | "delete":
                return self._kind != "deleted"
        return True

    @on(OptionList.OptionSelected)
    def _clicked_again(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if self._kind == "deleted":
            self.action_restore()
        else:
            self.action_open()

    def action_open(self) -> None:
        """Give the highlighted conversation; the first one found, where the search still goes on."""
        if self._shown != (self._kind, self._wanted):
            self._open_when_found = True
        elif (row := self._chosen_row) is not None:
            self.dismiss((summary_of(row).id, "" if isinstance(row, Summary) else row.turn))

    def action_rename(self) -> None:
        """Ask for another title."""
        if (one := self._chosen) is None:
            return
        name = line(one.name)

        def rename(title: str | None) -> None:
            if title is not None and title != name:
                self._change(partial(self._library.rename, one.id, title), one)

        note = "Without a title it is called by the first line of its first prompt."
        self.app.push_screen(TextScreen("Title", name, note), rename)

    def action_tags(self) -> None:
        """Ask for the tags."""
        if (one := self._chosen) is None:
            return

        def tag(text: str | None) -> None:
            if text is not None:
                tags = [name.strip().lstrip("#").strip() for name in text.split(",")]
                self._change(partial(self._library.tag, one.id, [name for name in tags if name]), one)

        before = ", ".join(line(tag) for tag in one.tags)
        self.app.push_screen(TextScreen(f"Tags of {short(one)}", before, "Commas between them."), tag)

    def action_pin(self) -> None:
        """Keep it at the top, or no longer."""
        if (one := self._chosen) is not None:
            self._change(partial(self._library.pin, one.id, not one.pinned), one)

    def action_archive(self) -> None:
        """Put it away from those in use, or back where it was found among the archived."""
        if (one := self._chosen) is not None:
            said = "is back among those in use" if one.archived else "is archived; F7 shows what is"
            self._change(partial(self._library.archive, one.id, not one.archived), one, said)

    def action_unarchive(self) -> None:
        """Take it back out of the archive."""
        self.action_archive()

    def action_delete(self) -> None:
        """Throw it away at once: it can be had back."""
        one = self._chosen
        if one is None or one in self._thrown_away:
            return
        if one.id == self._current:
            said = "This conversation is open in the chat: begin or open another, then delete it."
            self.notify(said, severity="warning", markup=False)
            return
        self._thrown_away.append(one)
        self._change(
            partial(self._library.delete, one.id),
            one,
            "is deleted; ctrl+z brings it back",
            failed=partial(self._thrown_away.remove, one),
        )

    def action_undo(self) -> None:
        """Bring back what was deleted last."""
        one = self._thrown_away.pop()
        restore = partial(self._library.restore, one.id)
        self._change(restore, one, "is back", failed=partial(self._thrown_away.append, one))

    def action_restore(self) -> None:
        """Take the highlighted conversation back out of the bin."""
        if (one := self._chosen) is not None:
            self._thrown_away = [other for other in self._thrown_away if other.id != one.id]
            self._change(partial(self._library.restore, one.id), one, "is back among those in use")

    def action_export(self) -> None:
        """Ask what kind of file, and write it."""
        if (one := self._chosen) is None:
            return

        def export(format: str | None) -> None:
            if format is not None:
                self._go(partial(self._export, one, format))

        self.app.push_screen(FormatScreen(short(one)), export)

    async def _load_kept(self, conversation_id: str) -> Conversation:
        return await asyncio.to_thread(self._library.load, conversation_id)

    async def _export(self, one: Summary, format: str) -> None:
        conversation = await self._load(one.id)
        path = await asyncio.to_thread(self._library.export, conversation, format)
        self.app.notify(f"{short(one)} is exported to {path}", timeout=15, markup=False)

    def _change(
        self, act: Callable[[], None], one: Summary, said: str = "", failed: Callable[[], None] | None = None
    ) -> None:
        self.refresh_bindings()
        self._go(partial(self._carry_out, act, one, said), failed)

    async def _carry_out(self, act: Callable[[], None], one: Summary, said: str) -> None:
        async with self._one_by_one:
            await asyncio.to_thread(act)
        if said:
            self.app.notify(f"{short(one)} {said}", markup=False)
        if self._is_up:
            self._look(keep=one.id)

    def _go(self, do: Callable[[], Awaitable[None]], failed: Callable[[], None] | None = None) -> None:
        """Do it to its end, even if the screen is left meanwhile; tell what keeps it from being done."""

        async def go() -> None:
            try:
                await do()
            except MoaTuiError as error:
                if failed is not None:
                    failed()
                if self._is_up:
                    self.refresh_bindings()
                self.app.notify(
                    str(error), title="That did not work", severity="error", timeout=15, markup=False
                )

        self.app.run_worker(go(), group="sessions")


class _Rows(OptionList, can_focus=False):
    """A list whose rows are selected by one click and opened by the next."""

    async def on_click(self, event: events.Click) -> None:
        event.prevent_default()
        clicked: int | None = event.style.meta.get("option")
        if clicked is not None and clicked == self.highlighted:
            self.action_select()
        elif clicked is not None:
            self.highlighted = clicked
