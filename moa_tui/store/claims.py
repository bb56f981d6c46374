"""Which conversations are open in which program: a lock for each beside the database. On any thread."""

from __future__ import annotations

import hashlib
import threading
from contextlib import suppress
from pathlib import Path

import filelock

from moa_tui.settings import paths


class Claims:
    """The conversations that this program has open, so that no other goes on with one or deletes it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._locks: dict[str, filelock.FileLock] = {}
        self._mutex = threading.Lock()

    def __contains__(self, conversation_id: str) -> bool:
        with self._mutex:
            return conversation_id in self._locks

    def hold(self, conversation_id: str) -> bool:
        """Claim a conversation for this program; return False where another has it open."""
        # An id may come from a file of anybody's, and be no name for a file.
        name = hashlib.blake2b(conversation_id.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
        with self._mutex:
            if conversation_id in self._locks:
                return True
            try:
                paths.make_private_dir(self._folder)
                # It may be claimed on one thread and given up on another.
                lock = filelock.FileLock(
                    self._folder / f"{name}.lock", timeout=0, mode=0o600, thread_local=False
                )
                lock.acquire()
            except filelock.Timeout:
                return False
            except OSError:
                return True  # Where nothing can be written nobody else can go on with it either.
            self._locks[conversation_id] = lock
            return True

    def is_open_elsewhere(self, conversation_id: str) -> bool:
        """True where another program has claimed the conversation."""
        if conversation_id in self:
            return False
        if not self.hold(conversation_id):
            return True
        self.let_go(conversation_id)
        return False

    def hold_again(self) -> None:
        """Claim anew what was claimed by files that are gone, with the whole folder."""
        with self._mutex:
            gone = {name: lock for name, lock in self._locks.items() if not Path(lock.lock_file).exists()}
            for conversation_id, lock in gone.items():
                del self._locks[conversation_id]
                lock.release()
        for conversation_id in gone:
            self.hold(conversation_id)

    def let_go(self, conversation_id: str) -> None:
        """Give up the claim to a conversation."""
        with self._mutex:
            if lock := self._locks.pop(conversation_id, None):
                # Deleted while it is locked, so that nobody who waits for it gets a lock on a deleted file.
                with suppress(OSError):
                    Path(lock.lock_file).unlink()
                lock.release()

    def let_all_go(self) -> None:
        """Give up all claims."""
        for conversation_id in list(self._locks):
            self.let_go(conversation_id)
