"""What was written and not sent, on its way to the disk and back: nothing of it is lost with the program."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moa_tui.errors import StoreError
from moa_tui.store.drafts import Draft, SentPrompt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moa_tui.chat.session import ChatSession
    from moa_tui.conversation import Turn


# Not empty and no draft of anybody's, so that whatever comes next is a change.
_UNKNOWN = Draft("", ("?",))


@dataclass(frozen=True, slots=True)
class DraftChange:
    """A draft to be written, and its number among those of the window."""

    draft: Draft
    number: int


@dataclass(frozen=True, slots=True)
class Restored:
    """What dead windows have left: prompts, the turn whose place they take, and notes on what is wrong.

    `is_from_elsewhere`: some were written in another conversation.
    """

    prompts: tuple[str, ...] = ()
    instead_of: Turn | None = None
    is_from_elsewhere: bool = False
    notes: tuple[str, ...] = ()


class UnsentTexts:
    """Keeps what a session holds and what is being typed as a draft, unless the conversation is private.

    Methods belong to the session's thread; what waits for the disk is done on another, except in `keep_last`.
    """

    def __init__(self, session: ChatSession) -> None:
        self._session = session
        self._drafts = session.chat.backend.drafts
        self._number = 0
        self._newest = Draft(session.chat.conversation.id)

    def draft(self, typed: Sequence[str]) -> Draft:
        """Everything that would be lost with the program now, `typed` being the texts that are written on."""
        session, chat = self._session, self._session.chat
        queued = [prompt.written for prompt in session.queue]
        unsent, instead_of = session.unsent, session.instead_of
        if unsent is not None:
            instead_of = instead_of or unsent.instead_of
        prompts = tuple(text for text in [*queued, *typed] if text.strip())
        return Draft(
            chat.conversation.id, prompts, self._sent(), instead_of.id if instead_of is not None else None
        )

    def _sent(self) -> tuple[SentPrompt, ...]:
        """What was sent and is not on disk, oldest first; what may be withdrawn yet is among it."""
        session, store = self._session, self._session.chat.backend.store
        # A run that goes on may still never begin; then its turn is removed from the disk again.
        if session.sent and store is not None and store.problem is None:
            unwritten = store.unwritten_turns()
            session.sent = [
                each
                for each in session.sent
                if each is session.unsent or not unwritten.isdisjoint(each.turns)
            ]
        return tuple(
            SentPrompt(each.command + each.prompt.written, each.turns, each.conversation)
            for each in session.sent
        )

    def is_lost_with(self, typed: Sequence[str]) -> bool:
        """True where leaving the program would lose texts, because nothing of them may be written to disk."""
        is_kept = self._drafts is not None and self._session.chat.is_kept
        return not is_kept and bool(self.draft(typed).prompts)

    def change(self, typed: Sequence[str]) -> DraftChange | None:
        """The draft to write, where it is another than the last; None where nothing has changed."""
        chat = self._session.chat
        if self._drafts is None:
            return None
        draft = self.draft(typed)
        if not chat.is_kept:  # What was sent before is not private.
            draft = Draft(chat.conversation.id, sent=draft.sent)
        if self._drafts.is_gone:  # Perhaps with the whole folder.
            self._newest = _UNKNOWN
        if draft == self._newest or (draft.is_empty and self._newest.is_empty):
            return None
        self._newest = draft
        self._number += 1
        return DraftChange(draft, self._number)

    async def write(self, change: DraftChange) -> None:
        """Write a change. Raises StoreError where that cannot be; `change` gives it anew then."""
        if self._drafts is not None:
            try:
                await asyncio.to_thread(self._drafts.write, change.draft, change.number)
            except StoreError:
                self._newest = _UNKNOWN
                raise

    def keep_last(self, typed: Sequence[str]) -> None:
        """Write the draft and leave it to the next window; waits for the disk. Raises StoreError."""
        if self._drafts is None:
            return
        try:
            # Whatever was written last: its worker may have been cancelled.
            self._newest = _UNKNOWN
            if (change := self.change(typed)) is not None:
                self._drafts.write(change.draft, change.number)
        finally:
            self._drafts.close()

    # At the next start

    async def restore(self) -> Restored:
        """What dead windows have left. Nothing in a private conversation: it stays for another.

        `discard_restored` is to be called once it is in the draft of this window. Raises StoreError.
        """
        chat, store, drafts = self._session.chat, self._session.chat.backend.store, self._drafts
        if drafts is None or store is None or not chat.is_kept:
            return Restored()
        left_behind, notes = await asyncio.to_thread(drafts.left_behind)
        prompts: list[str] = []
        instead_of = None
        is_from_elsewhere = False
        turns = {turn.id: turn for turn in chat.conversation.turns}
        for draft in left_behind:
            places = {draft.conversation, *(sent.conversation for sent in draft.sent)}
            on_disk = {place: await asyncio.to_thread(store.turn_ids, place) for place in places}
            lost = [sent for sent in draft.sent if on_disk[sent.conversation].isdisjoint(sent.turns)]
            prompts += [*(sent.text for sent in lost), *draft.prompts]
            instead_of = turns.get(draft.instead_of or "", instead_of)
            places = {sent.conversation for sent in lost} | ({draft.conversation} if draft.prompts else set())
            is_from_elsewhere |= any(on_disk[place] for place in places - {chat.conversation.id})
        return Restored(tuple(prompts), instead_of, is_from_elsewhere, tuple(notes))

    async def discard_restored(self) -> None:
        """Remove what `restore` returned from where it was."""
        if self._drafts is not None:
            await asyncio.to_thread(self._drafts.discard)
