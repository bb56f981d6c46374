"""What a person can do with the kept conversations as a whole: list, search, mark, delete, export, import.

Every method reads or writes the disk and waits for it: on a screen, call it on a worker thread.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from moa_tui.errors import ConversationExistsError, StoreError, UsageError
from moa_tui.formats import export, importer
from moa_tui.stats import preferences
from moa_tui.text.safe import one_line
from moa_tui.text.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from moa_tui.conversation import Conversation, Hit, Summary
    from moa_tui.stats.figures import Figures
    from moa_tui.store import Store

# How many earlier prompts are worth stepping back to; one with whole files in it is not.
_PROMPTS, _LONGEST_PROMPT = 300, 4_000
# Of conversations that an import finds there already, so many are named.
_NAMED = 5
_LONGEST_TAG = 60
# By so much, in seconds, a conversation of a run folder is listed as older than the one before it.
_LIST_STEP = 0.001


def clean_tag(name: str) -> str:
    """A name as a tag: short, on one line, without what separates tags; empty where nothing is left."""
    return one_line(one_line(name).replace(",", " ").lstrip("#"))[:_LONGEST_TAG].strip()


class Library:
    """The kept conversations. Every method raises StoreError where the database cannot be used."""

    def __init__(self, store: Store | None, exports_dir: Path) -> None:
        """`store` is None where no database could be opened: then only `export` can be used."""
        self._kept_in = store
        self._exports_dir = exports_dir

    @property
    def keeps(self) -> bool:
        """True where there is a database that keeps conversations."""
        return self._kept_in is not None

    @property
    def _store(self) -> Store:
        if self._kept_in is None:
            raise StoreError("no conversations are kept: the database could not be opened at the start")
        return self._kept_in

    def summaries(self, *, archived: bool = False, deleted: bool = False) -> list[Summary]:
        """The conversations in use, or the archived or the deleted ones; pinned first, then by last use."""
        return self._store.summaries(archived=archived, deleted=deleted)

    def search(self, words: str, limit: int = 50) -> list[Hit]:
        """The places where all `words` stand: titles, prompts, answers and proposers' answers; newest first.

        The last word may be the beginning of one. Deleted conversations are left out.
        """
        return self._store.search(words, limit)

    def prompts(self) -> list[str]:
        """The latest prompts of all conversations, the newest at the end; very long ones are left out."""
        return self._store.prompts(_PROMPTS, _LONGEST_PROMPT)

    def load(self, conversation_id: str) -> Conversation:
        """A conversation with all its turns. Raises UsageError where there is none of that id."""
        return self._store.load(conversation_id)

    def find(self, name: str, *, deleted: bool = False, whole: bool = False) -> Summary:
        """The conversation of that id, beginning of an id, title, or part of a title.

        `deleted` searches among the deleted ones too; with `whole` the id or title has to be all of it, for
        what cannot be undone. Raises UsageError where none or several fit.
        """
        everything = [*self.summaries(), *self.summaries(archived=True)]
        if deleted:
            everything += self.summaries(deleted=True)
        for is_part, matches in (
            (False, [summary for summary in everything if summary.id == name]),
            (False, [summary for summary in everything if summary.name == name]),
            (True, [summary for summary in everything if len(name) >= 4 and summary.id.startswith(name)]),
            (True, [each for each in everything if name and name.casefold() in each.name.casefold()]),
        ):
            lines = "\n".join(f"  {summary.id}  {summary.name[:60]}" for summary in matches[:10])
            if matches and whole and is_part:
                raise UsageError(f'"{name}" is only a part of it; give the whole id or title:\n{lines}')
            if len(matches) == 1:
                return matches[0]
            if matches:
                raise UsageError(f'"{name}" could mean {len(matches)} conversations; give an id:\n{lines}')
        raise UsageError(f'there is no conversation "{name}"; moa-tui sessions lists them')

    def last(self) -> Summary:
        """The conversation that was last asked something here; else the last imported one.

        Raises UsageError where there is none.
        """
        newest = max(self.summaries(), key=lambda summary: (not summary.imported, summary.used), default=None)
        if newest is None:
            raise UsageError("there is no conversation yet to go on with")
        return newest

    def rename(self, conversation_id: str, title: str) -> None:
        """Give a conversation a title; an empty one takes its title away."""
        self._store.change(conversation_id, title=one_line(title))

    def tag(self, conversation_id: str, tags: Sequence[str]) -> None:
        """Replace the tags of a conversation."""
        self._store.change(conversation_id, tags=tuple(dict.fromkeys(filter(None, map(one_line, tags)))))

    def pin(self, conversation_id: str, pinned: bool) -> None:
        """Pin or unpin a conversation in the list."""
        self._store.change(conversation_id, pinned=pinned)

    def archive(self, conversation_id: str, archived: bool) -> None:
        """Move a conversation to the archive, or back."""
        self._store.change(conversation_id, archived=archived)

    def delete(self, conversation_id: str) -> None:
        """Delete a conversation; for some days it can be restored."""
        self._store.change(conversation_id, deleted=time.time())

    def restore(self, conversation_id: str) -> None:
        """Restore a deleted conversation."""
        self._store.change(conversation_id, deleted=None)

    def purge(self, conversation_id: str) -> StoreError | None:
        """Erase a conversation for good; return why words of it may still be on the disk, None where not."""
        return self._store.purge(conversation_id)

    def export(
        self, conversation: Conversation, format: str, path: Path | None = None, *, replace: bool = False
    ) -> Path:
        """Write a conversation to a file of that format and return the file's full path.

        Without a path the file goes to the exports folder, under a name of its own. Raises UsageError for an
        unknown format, or for a file that exists where `replace` is False; FileError where writing fails.
        """
        return export.write([conversation], format, path, self._exports_dir, replace=replace)

    def export_all(
        self,
        conversations: Sequence[Conversation],
        format: str,
        path: Path | None,
        *,
        replace: bool = False,
    ) -> list[Path]:
        """Write several conversations and return the files' full paths. Raises as `export` does.

        They go into one file where the format holds several, else into a file each; then `path` is a folder.
        """
        together = format in export.FORMATS and export.FORMATS[format].holds_several
        groups = [list(conversations)] if together else [[each] for each in conversations]
        if len(groups) > 1 and path is not None and not path.is_dir():
            raise UsageError(f"{path} is no folder; {format} needs a file for each conversation")
        written: list[Path] = []
        for group in groups:
            written.append(
                export.write(group, format, path, self._exports_dir, replace=replace, taken=written)
            )
        return written

    def figures(self, since: float | None = None) -> Figures:
        """What was asked, answered, paid and preferred since a time in Unix seconds, or ever."""
        return replace(
            self._store.figures(since), preferences=preferences.preferences(self._store.preferences(since))
        )

    def read_in(self, path: Path, tag: str = "") -> list[str]:
        """Import the conversations of a file; return sentences on what was imported and what was not.

        Each conversation is kept as soon as it is read, with `tag` beside its own tags. Raises FileError for
        a file without any.
        """
        reading = importer.Reading(path)
        tags = tuple(filter(None, (clean_tag(tag),)))
        tagged = (replace(each, tags=tuple(dict.fromkeys((*each.tags, *tags)))) for each in reading)
        return [*self.take_in(tagged), *reading.notes()]

    def take_in(self, conversations: Iterable[Conversation], *, of_one_run: bool = False) -> list[str]:
        """Keep conversations that were made elsewhere, each as soon as it comes; return what was kept.

        Of those that are there already nothing is changed. With `of_one_run`, where all come from one run
        folder, they are given the turns that they do not have yet, and the first of all is listed first.
        """
        began = time.time()
        taken = turns = already_there = added_to = added_turns = 0
        refused: list[str] = []
        for place, conversation in enumerate(conversations):
            try:
                self._store.save(conversation, began - place * _LIST_STEP if of_one_run else None)
            except ConversationExistsError as error:
                if of_one_run and (added := self._store.add_turns(conversation)):
                    added_to, added_turns = added_to + 1, added_turns + added
                    continue
                already_there += 1
                refused += [str(error)] if already_there <= _NAMED else []
            else:
                taken += 1
                turns += len(conversation.turns)
        sentences = [f"{counted(taken, 'conversation')}, {counted(turns, 'turn')} taken"]
        if added_to:
            more = f"{counted(added_turns, 'turn')} added to {counted(added_to, 'conversation')}"
            sentences.append(f"{more} that had come before")
        if already_there > _NAMED:
            refused.append(f"{counted(already_there - _NAMED, 'more conversation')} like these")
        return [*sentences, *refused]
