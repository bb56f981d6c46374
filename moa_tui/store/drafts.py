"""What was written and not sent: one small file for each window, so that it is there again at the next start.

The files stand beside the database and not in it: they are there where it is full, held or gone. A window is
alive as long as it holds the lock beside its file. All functions wait for the disk, on any thread.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import filelock

from moa_tui.errors import StoreError
from moa_tui.settings import paths
from moa_tui.text.safe import as_unicode

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MOST_BYTES = 32 * 1024 * 1024
"""The longest file of a draft that is written or read."""
_MOST_CHARACTERS = 16 * 1024 * 1024
_MOST_FILES = 100
_LONGEST_ID = 10_000
_UNREADABLE = ".unreadable"


@dataclass(frozen=True, slots=True)
class SentPrompt:
    """A prompt that was sent.

    `turns` are the ids of the turns that have it once they are on disk, in that `conversation`.
    """

    text: str
    turns: tuple[str, ...]
    conversation: str


@dataclass(frozen=True, slots=True)
class Draft:
    """What one window holds that no turn may have yet.

    `conversation` is the id of the conversation in view, `prompts` what is queued and what is being typed, in
    that order; `sent` was sent before them, oldest first. `instead_of` is the id of the turn whose place the
    next prompt takes, None for none.
    """

    conversation: str
    prompts: tuple[str, ...] = ()
    sent: tuple[SentPrompt, ...] = ()
    instead_of: str | None = None

    @property
    def is_empty(self) -> bool:
        """True where there is nothing to keep."""
        return not self.sent and not any(prompt.strip() for prompt in self.prompts)


class Drafts:
    """The draft of this window, and those that dead windows have left. May be used from any thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / f"{secrets.token_hex(8)}.json"
        self._own_lock: filelock.FileLock | None = None
        self._is_written = False
        self._left_behind: dict[Path, filelock.FileLock] = {}
        self._number = 0
        self._mutex = threading.Lock()

    def write(self, draft: Draft, number: int) -> None:
        """Write the draft of this window, or remove its file where the draft is empty.

        Of two drafts the one with the greater `number` stays, whichever comes last. Raises StoreError.
        """
        with self._mutex:
            if number < self._number:
                return
            try:
                if draft.is_empty:
                    self._is_written = False
                    with suppress(FileNotFoundError, NotADirectoryError):
                        self._path.unlink()
                else:
                    self._write(draft)
            except OSError as error:
                raise StoreError(
                    f"{self._path.parent}: what is typed cannot be kept there until it is sent: "
                    f"{error.strerror or error}; it is in memory only"
                ) from error
            self._number = number

    def _write(self, draft: Draft) -> None:
        length = sum(map(len, draft.prompts)) + sum(len(sent.text) for sent in draft.sent)
        if length > _MOST_CHARACTERS or len(text := json.dumps(asdict(draft))) > MOST_BYTES:
            raise StoreError(
                f"what is typed is too long to be kept on disk until it is sent: {length:,} characters; it "
                "is in memory only"
            )
        paths.make_private_dir(self._folder)
        # Held before the file is there: without it, another window could take the draft for a dead one's.
        if self._own_lock is not None and not _lock_file(self._path).exists():
            self._own_lock.release()  # On a file that is gone it keeps nobody away.
            self._own_lock = None
        if self._own_lock is None:
            self._own_lock = _locked(self._path)
        paths.write_private(self._path, text)
        self._is_written = True

    @property
    def is_gone(self) -> bool:
        """True where this window's draft was written and somebody else has removed its file or its lock."""
        return self._is_written and not (self._path.exists() and _lock_file(self._path).exists())

    def close(self) -> None:
        """Leave the draft, if there is one, to the next window."""
        with self._mutex:
            for path, lock in [*self._left_behind.items(), (self._path, self._own_lock)]:
                _unlock(path, lock)
            self._left_behind.clear()
            self._own_lock = None

    # What dead windows have left

    def left_behind(self) -> tuple[list[Draft], list[str]]:
        """Return the drafts of dead windows, oldest first, and notes on files that are none.

        No other window is offered them until `close`; `discard` removes them. A file that is no draft is
        moved aside.
        """
        drafts: list[Draft] = []
        notes: list[str] = []
        for path in self._files():
            with self._mutex:
                if path == self._path or path in self._left_behind or (lock := _locked(path)) is None:
                    continue
                self._left_behind[path] = lock
            try:
                drafts.append(_read(path))
            except FileNotFoundError:
                pass  # Another window has just taken it.
            except (OSError, ValueError, RecursionError) as error:
                words = error.strerror if isinstance(error, OSError) else str(error) or type(error).__name__
                notes.append(f"{path} is no draft of moa-tui's ({words}); {_moved_aside(path)}")
                self._forget(path)
        return drafts, notes

    def discard(self) -> None:
        """Remove the files of the drafts that `left_behind` returned: this window has them now."""
        for path in list(self._left_behind):
            with suppress(OSError):
                path.unlink()
            self._forget(path)

    def _forget(self, path: Path) -> None:
        with self._mutex:
            _unlock(path, self._left_behind.pop(path, None))

    def _files(self) -> list[Path]:
        """Return the newest files that may hold a draft, oldest first."""
        dated: list[tuple[float, Path]] = []
        for path in self._folder.glob("*.json"):
            with suppress(OSError):  # Another window has just taken it.
                dated.append((path.lstat().st_mtime, path))
        return [path for _, path in sorted(dated)[-_MOST_FILES:]]


def purge_drafts(folder: Path, conversation_id: str) -> None:
    """Delete what dead windows have left of a conversation that is gone for good. Raises nothing."""
    paths.drop_left_behind(folder)
    for path in folder.glob(f"*{_UNREADABLE}"):
        # Where it could not be understood, it may still name the conversation.
        with suppress(OSError, ValueError):
            if conversation_id.encode("utf-8", "replace") in _bytes_of(path):
                path.unlink()
    for path in folder.glob("*.json"):
        if (lock := _locked(path)) is None:
            continue  # A window that is open shows it, and still has it.
        with suppress(OSError, ValueError, RecursionError):
            if _read(path).conversation == conversation_id:
                path.unlink()
        _unlock(path, lock)


def _lock_file(path: Path) -> Path:
    return path.with_suffix(".lock")


def _locked(path: Path) -> filelock.FileLock | None:
    """Return the lock of a draft's file, held; None where another window holds it, or locks do not work."""
    lock = filelock.FileLock(_lock_file(path), timeout=0, mode=0o600, thread_local=False)
    try:
        lock.acquire()
    except (filelock.Timeout, OSError, NotImplementedError):
        return None
    return lock


def _unlock(path: Path, lock: filelock.FileLock | None) -> None:
    if lock is not None:
        # Deleted while it is locked, so that nobody who waits for it gets a lock on a deleted file.
        with suppress(OSError):
            _lock_file(path).unlink()
        lock.release()


def _read(path: Path) -> Draft:
    """Return the draft in a file. Raises OSError and ValueError for what is none, or RecursionError."""
    return _draft_from(json.loads(_bytes_of(path)))


def _bytes_of(path: Path) -> bytes:
    """Return what is in a file of a draft's size. Raises OSError, and ValueError for what is none."""
    # Neither a pipe, which would be waited for, nor a link to somewhere else.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is no regular file")
        if status.st_size > MOST_BYTES:
            raise ValueError(f"it has {status.st_size:,} bytes")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(MOST_BYTES)
    finally:
        os.close(descriptor)


def _draft_from(document: object) -> Draft:
    match document:
        case {"conversation": str(conversation), "prompts": list(prompts), **rest} if _are_texts(prompts):
            sent = rest.get("sent") or []
            if isinstance(sent, list):
                instead_of = _text_or_none(rest, "instead_of")
                return Draft(_id(conversation), tuple(prompts), tuple(map(_sent_from, sent)), instead_of)
    raise ValueError("its fields are others")


def _sent_from(document: object) -> SentPrompt:
    match document:
        case {"text": str(text), "turns": list(turns), "conversation": str(conversation)}:
            return SentPrompt(text, _ids(turns), _id(conversation))
    raise ValueError("its fields are others")


def _text_or_none(fields: Mapping[object, object], name: str) -> str | None:
    value = fields.get(name)
    return value if isinstance(value, str) else None


def _id(value: object) -> str:
    """Return the id of something in the database. Raises ValueError for what can be none."""
    # SQLite takes no lone surrogate, and nobody an id of megabytes.
    if not isinstance(value, str) or len(value) > _LONGEST_ID or as_unicode(value) != value:
        raise ValueError("an id in it is none")
    return value


def _ids(values: list[object]) -> tuple[str, ...]:
    return tuple(map(_id, values))


def _are_texts(values: list[object]) -> bool:
    return all(isinstance(value, str) for value in values)


def _moved_aside(path: Path) -> str:
    aside = path.with_name(path.name + _UNREADABLE)
    try:
        path.replace(aside)
    except OSError as error:
        return f"it could not be moved aside: {error.strerror}"
    return f"it was moved aside, to {aside.name}"
