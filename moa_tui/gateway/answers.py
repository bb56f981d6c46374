"""What the person has answered about servers that recipes name, kept in a private file of its own.

Nothing that is imported or shared is ever read into it: no recipe, no config, no conversation.
"""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

import filelock

from moa_tui.errors import FileError
from moa_tui.settings import paths

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Answer = Literal["always", "once", "never"]
"""Whether prompts may go to a server: always, until the program ends, or never."""

_FORMAT = 1
_STRONGEST_FIRST: tuple[Answer, ...] = ("never", "always", "once")


# Another program holds the file for a moment only.
_LOCK_SECONDS = 2.0


class Answers:
    """The answers by the marks of destinations. Methods may be called on any thread.

    Programs that run at the same time share the file, and "never" in one of them holds in all.
    """

    def __init__(self, path: Path | None = None) -> None:
        """The file is read on first use, and when it has changed; without a path nothing is kept."""
        self.path = path
        self._lock = threading.Lock()
        self._own: dict[str, Answer] = {}
        """What was answered in this program and is not in the file."""
        self._entries: dict[str, dict[str, Any]] = {}
        self._version: tuple[int, ...] | None = None

    def get(self, mark: str) -> Answer | None:
        """The answer about a destination; None where there is none yet, or the file cannot be read."""
        with self._lock:
            self._refresh()
            answers: set[Answer | None] = {self._own.get(mark), self._entries.get(mark, {}).get("answer")}
            return next((answer for answer in _STRONGEST_FIRST if answer in answers), None)

    def give(self, servers: Mapping[str, str], answer: Answer) -> None:
        """Take an answer about destinations, given with their words by their marks.

        It holds in this program at once. Raises FileError where it should be kept and cannot be written.
        """
        with self._lock:
            self._own |= dict.fromkeys(servers, answer)
            if answer == "once" or self.path is None:
                return
            try:
                paths.make_private_dir(self.path.parent)
                with filelock.FileLock(f"{self.path}.lock", timeout=_LOCK_SECONDS, mode=0o600):
                    entries = self._read()
                    for mark, words in servers.items():
                        if entries.get(mark, {}).get("answer") != "never":
                            entries[mark] = {"answer": answer, "about": words}
                    paths.write_private(
                        self.path, json.dumps({"format": _FORMAT, "answers": entries}, indent=2) + "\n"
                    )
            except OSError as error:
                raise FileError(
                    f"{self.path}: the answer holds until the program ends, and cannot be kept: "
                    f"{error.strerror or error}"
                ) from error
            for mark in servers:
                del self._own[mark]

    def _refresh(self) -> None:
        """Read the file where it is not the one that was read last."""
        version = None
        if self.path is not None:
            with suppress(OSError):
                status = self.path.stat()
                version = (status.st_ino, status.st_size, status.st_mtime_ns)
        if version != self._version:
            self._version, self._entries = version, self._read()

    def _read(self) -> dict[str, dict[str, Any]]:
        """The entries of the file; none where it cannot be read, so that the person is asked again."""
        if self.path is None:
            return {}
        try:
            document = json.loads(self.path.read_text(encoding="utf-8"))
            entries = document["answers"] if document["format"] == _FORMAT else {}
            return {
                str(mark): entry
                for mark, entry in entries.items()
                if isinstance(entry, dict) and entry.get("answer") in ("always", "never")
            }
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return {}
