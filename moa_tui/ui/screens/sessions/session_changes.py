"""The changes that a user makes to kept conversations in the list, carried out one after the other."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Protocol

from moa_tui.errors import MoaTuiError
from moa_tui.ui.screens.sessions.session_rows import quoted_name

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from textual.app import App

    from moa_tui.chat.library import Library
    from moa_tui.conversation import Conversation, Summary


class ChangesView(Protocol):
    """What the changes ask of the screen, which may have been left when a change is done."""

    @property
    def app(self) -> App[object]:
        """The app, whose workers and notices outlive the screen."""

    def show_changed(self, conversation_id: str) -> None:
        """Read the list again and highlight that conversation; do nothing once the screen is left."""

    def refresh_keys(self) -> None:
        """Show anew which keys work; do nothing once the screen is left."""


class SessionChanges:
    """Changes kept conversations on threads, in the order in which the user asked for them.

    A change goes on to its end when the screen is left meanwhile. What became of a change is said in a
    notice, and so is the error that kept it from being done.
    """

    def __init__(
        self,
        library: Library,
        current: str | None,
        load: Callable[[str], Awaitable[Conversation]],
        view: ChangesView,
    ) -> None:
        """`current` is the id of the conversation in the chat; `load` gives a whole one to export."""
        self._library = library
        self._current = current
        self._load = load
        self._view = view
        self._deleted: list[Summary] = []
        """The conversations deleted while the screen is up, the last one at the end."""
        self._order = asyncio.Lock()

    @property
    def can_undo(self) -> bool:
        """True if a conversation was deleted that `undo_delete` can bring back."""
        return bool(self._deleted)

    def rename(self, summary: Summary, title: str) -> None:
        """Give the conversation a title; an empty one removes its title."""
        self._change(summary, partial(self._library.rename, summary.id, title))

    def tag(self, summary: Summary, text: str) -> None:
        """Give the conversation the tags in `text`, which commas separate, in place of those it has."""
        tags = [name.strip().lstrip("#").strip() for name in text.split(",")]
        self._change(summary, partial(self._library.tag, summary.id, [tag for tag in tags if tag]))

    def toggle_pinned(self, summary: Summary) -> None:
        """Pin or unpin the conversation in the list."""
        self._change(summary, partial(self._library.pin, summary.id, not summary.pinned))

    def toggle_archived(self, summary: Summary) -> None:
        """Archive the conversation, or bring it back from the archive."""
        notice = "is back among those in use" if summary.archived else "is archived; F7 shows what is"
        self._change(summary, partial(self._library.archive, summary.id, not summary.archived), notice)

    def delete(self, summary: Summary) -> None:
        """Delete the conversation without asking, since it can be brought back; not the one in the chat."""
        if summary in self._deleted:
            return
        if summary.id == self._current:
            refusal = "This conversation is open in the chat: begin or open another, then delete it."
            self._view.app.notify(refusal, severity="warning", markup=False)
            return
        self._deleted.append(summary)
        self._change(
            summary,
            partial(self._library.delete, summary.id),
            "is deleted; ctrl+z brings it back",
            on_failure=partial(self._deleted.remove, summary),
        )

    def undo_delete(self) -> None:
        """Bring back the conversation that was deleted last. Raises IndexError where there is none."""
        summary = self._deleted.pop()
        restore = partial(self._library.restore, summary.id)
        self._change(summary, restore, "is back", on_failure=partial(self._deleted.append, summary))

    def restore(self, summary: Summary) -> None:
        """Bring back a deleted conversation, whenever it was deleted."""
        self._deleted = [deleted for deleted in self._deleted if deleted.id != summary.id]
        self._change(summary, partial(self._library.restore, summary.id), "is back among those in use")

    def export(self, summary: Summary, format: str) -> None:
        """Write the conversation to a file of that format in the exports folder."""

        async def export() -> None:
            conversation = await self._load(summary.id)
            path = await asyncio.to_thread(self._library.export, conversation, format)
            self._view.app.notify(f"{quoted_name(summary)} is exported to {path}", timeout=15, markup=False)

        self._start(export)

    def _change(
        self,
        summary: Summary,
        write: Callable[[], None],
        notice: str = "",
        on_failure: Callable[[], None] | None = None,
    ) -> None:
        """Start a change; `write` is called on a thread, `on_failure` if it raises a MoaTuiError."""

        async def change() -> None:
            async with self._order:
                await asyncio.to_thread(write)
            if notice:
                self._view.app.notify(f"{quoted_name(summary)} {notice}", markup=False)
            self._view.show_changed(summary.id)

        self._view.refresh_keys()
        self._start(change, on_failure)

    def _start(
        self, work: Callable[[], Awaitable[None]], on_failure: Callable[[], None] | None = None
    ) -> None:
        """Start a worker of the app, which reports a MoaTuiError to the user."""

        async def report_errors() -> None:
            try:
                await work()
            except MoaTuiError as error:
                if on_failure is not None:
                    on_failure()
                self._view.refresh_keys()
                self._view.app.notify(
                    str(error), title="That did not work", severity="error", timeout=15, markup=False
                )

        self._view.app.run_worker(report_errors(), group="sessions")
