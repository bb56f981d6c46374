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
        self._sent: SentPrompt | None = None

    def draft(self, typed: Sequence[str]) -> Draft:
        """Everything that would be lost with the program now, `typed` being the texts that are written on."""
        session, chat = self._session, self._session.chat
        queued = [prompt.written for prompt in session.queue]
        unsent, instead_of = session.unsent, session.instead_of
        if unsent is not None:
            self._sent = SentPrompt(unsent.command + unsent.prompt.written, unsent.turns)
            instead_of = instead_of or unsent.instead_of
        elif chat.backend.store is None or chat.backend.store.problem is None:
            self._sent = None  # What became of the prompt is on disk.
        prompts = tuple(text for text in [*queued, *typed] if text.strip())
        return Draft(
            chat.conversation.id, prompts, self._sent, instead_of.id if instead_of is not None else None
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
        draft = self.draft(typed) if chat.is_kept else Draft(chat.conversation.id)
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
            turn_ids = await asyncio.to_thread(store.turn_ids, draft.conversation)
            if draft.sent is not None and turn_ids.isdisjoint(draft.sent.turns):
                prompts.append(draft.sent.text)
            prompts += draft.prompts
            instead_of = turns.get(draft.instead_of or "", instead_of)
            is_from_elsewhere |= bool(turn_ids) and draft.conversation != chat.conversation.id
        return Restored(tuple(prompts), instead_of, is_from_elsewhere, tuple(notes))

    async def discard_restored(self) -> None:
        """Remove what `restore` returned from where it was."""
        if self._drafts is not None:
            await asyncio.to_thread(self._drafts.discard)
