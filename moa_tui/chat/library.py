"""What a person can do with the conversations that are kept, on a screen or from a script.

Everything here reads or writes the disk: not for a screen's own thread.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from moa_tui.errors import ConversationExistsError, StoreError, UsageError
from moa_tui.formats import export, importer
from moa_tui.stats.preferences import preferences
from moa_tui.text.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from moa_tui.conversation import Conversation, Hit, Summary
    from moa_tui.stats.figures import Figures
    from moa_tui.store import Store

# How many earlier prompts are worth stepping back to; one with whole files in it is not.
_PROMPTS, _LONGEST_PROMPT = 300, 4_000


class Library:
    """The kept conversations. Every method raises StoreError where the database cannot be used."""

    def __init__(self, store: Store | None, exports_dir: Path) -> None:
        """Without a store nothing is kept, and only `export` can be used."""
        self._kept_in = store
        self._exports_dir = exports_dir

    @property
    def keeps(self) -> bool:
        """Whether there is a database to keep conversations in."""
        return self._kept_in is not None

    @property
    def _store(self) -> Store:
        if self._kept_in is None:
            raise StoreError("no conversations are kept: the database could not be opened at the start")
        return self._kept_in

    def summaries(self, *, archived: bool = False, deleted: bool = False) -> list[Summary]:
        """The conversations in use, or the archived or deleted ones: pinned first, then by last use."""
        return self._store.summaries(archived=archived, deleted=deleted)

    def search(self, wanted: str, limit: int = 50) -> list[Hit]:
        """Where all words of `wanted` stand in titles, prompts, answers and proposers' answers; best first.

        The last word may be the beginning of one. Deleted conversations are left out.
        """
        return self._store.search(wanted, limit)

    def prompts(self) -> list[str]:
        """What was asked last in all conversations, the newest at the end."""
        return self._store.prompts(_PROMPTS, _LONGEST_PROMPT)

    def load(self, conversation_id: str) -> Conversation:
        """A conversation with all its turns. Raises UsageError where there is none of that id."""
        return self._store.load(conversation_id)

    def find(self, name: str, *, deleted: bool = False) -> Summary:
        """The conversation of that id, beginning of an id, or title. Raises UsageError for none or several.

        `deleted` looks among those thrown away too.
        """
        everything = [*self.summaries(), *self.summaries(archived=True)]
        if deleted:
            everything += self.summaries(deleted=True)
        for found in (
            [one for one in everything if one.id == name],
            [one for one in everything if one.name == name],
            [one for one in everything if len(name) >= 4 and one.id.startswith(name)],
            [one for one in everything if name and name.casefold() in one.name.casefold()],
        ):
            if len(found) == 1:
                return found[0]
            if found:
                several = "\n".join(f"  {one.id}  {one.name[:60]}" for one in found[:10])
                raise UsageError(f'"{name}" could mean {len(found)} conversations; give an id:\n{several}')
        raise UsageError(f'there is no conversation "{name}"; moa-tui sessions lists them')

    def last(self) -> Summary:
        """The conversation used last. Raises UsageError where there is none."""
        used = max(self.summaries(), key=lambda one: one.used, default=None)
        if used is None:
            raise UsageError("there is no conversation yet to go on with")
        return used

    def rename(self, conversation_id: str, title: str) -> None:
        """Give it a title; an empty one takes the title away."""
        self._store.change(conversation_id, title=" ".join(title.split()))

    def tag(self, conversation_id: str, tags: Sequence[str]) -> None:
        """Give it these tags instead of those it has."""
        self._store.change(
            conversation_id, tags=tuple(dict.fromkeys(" ".join(t.split()) for t in tags if t.strip()))
        )

    def pin(self, conversation_id: str, pinned: bool) -> None:
        """Keep it at the top, or no longer."""
        self._store.change(conversation_id, pinned=pinned)

    def archive(self, conversation_id: str, archived: bool) -> None:
        """Put it away from the list, or back."""
        self._store.change(conversation_id, archived=archived)

    def delete(self, conversation_id: str) -> None:
        """Throw it away; for some days it can be restored."""
        self._store.change(conversation_id, deleted=time.time())

    def restore(self, conversation_id: str) -> None:
        """Take it back out of the bin."""
        self._store.change(conversation_id, deleted=None)

    def purge(self, conversation_id: str) -> None:
        """Take it off the disk, now and for good."""
        self._store.purge(conversation_id)

    def export(
        self, conversation: Conversation, format: str, path: Path | None = None, *, replace: bool = False
    ) -> Path:
        """Write `conversation` as a file of that format and say where, in full.

        Without a path the file goes to the exports folder, under a name of its own. Raises UsageError for
        an unknown format, or a file that is there where `replace` is False; FileError where it cannot be.
        """
        return export.write([conversation], format, path, self._exports_dir, replace=replace)

    def export_all(
        self, found: Sequence[Conversation], format: str, path: Path | None, *, replace: bool = False
    ) -> list[Path]:
        """As `export`, of several: to one file where the format takes several, else to a file each."""
        together = format in export.FORMATS and export.FORMATS[format].several
        groups = [list(found)] if together else [[one] for one in found]
        if len(groups) > 1 and path is not None and not path.is_dir():
            raise UsageError(f"{path} is no folder; {format} needs a file for each conversation")
        return [export.write(group, format, path, self._exports_dir, replace=replace) for group in groups]

    def figures(self, since: float | None = None) -> Figures:
        """What was asked, answered, paid and preferred since then (Unix seconds), or ever."""
        return replace(self._store.figures(since), preferences=preferences(self._store.preferences(since)))

    def read_in(self, path: Path) -> list[str]:
        """Keep the conversations of a file; what was taken and what was not, in sentences.

        Raises FileError for a file that is none of a known kind.
        """
        found = importer.read(path)
        taken = turns = 0
        notes = list(found.notes)
        for conversation in found.conversations:
            try:
                self._store.save(conversation)
            except ConversationExistsError as error:
                notes.append(str(error))
            else:
                taken += 1
                turns += len(conversation.turns)
        return [f"{counted(taken, 'conversation')}, {counted(turns, 'turn')} taken", *notes]
