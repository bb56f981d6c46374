"""What the person has answered about servers that recipes name, kept in a private file of its own.

Nothing that is imported or shared is ever read into it: no recipe, no config, no conversation.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any, Literal

from moa_tui.errors import FileError
from moa_tui.settings import paths

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Answer = Literal["always", "once", "never"]
"""Whether prompts may go to a server: always, until the program ends, or never."""

_FORMAT = 1


class Answers:
    """The answers by the marks of destinations. Methods may be called on any thread."""

    def __init__(self, path: Path | None = None) -> None:
        """The file is read on first use; without a path nothing outlives the program."""
        self.path = path
        self._lock = threading.Lock()
        self._answers: dict[str, Answer] | None = None

    def get(self, mark: str) -> Answer | None:
        """The answer about a destination; None where there is none yet, or the file cannot be read."""
        with self._lock:
            if self._answers is None:
                self._answers = {mark: entry["answer"] for mark, entry in self._read().items()}
            return self._answers.get(mark)

    def give(self, servers: Mapping[str, str], answer: Answer) -> None:
        """Take an answer about destinations, given with their words by their marks.

        It holds in this program at once. Raises FileError where it should be kept and cannot be written.
        """
        for mark in servers:
            self.get(mark)
        with self._lock:
            self._answers = {**(self._answers or {}), **dict.fromkeys(servers, answer)}
            if answer == "once" or self.path is None:
                return
            entries = self._read() | {
                mark: {"answer": answer, "about": words} for mark, words in servers.items()
            }
            try:
                paths.write_private(
                    self.path, json.dumps({"format": _FORMAT, "answers": entries}, indent=2) + "\n"
                )
            except OSError as error:
                raise FileError(
                    f"{self.path}: the answer holds until the program ends, and cannot be kept: "
                    f"{error.strerror or error}"
                ) from error

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
