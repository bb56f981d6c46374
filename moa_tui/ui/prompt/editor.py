"""Edits a text in the user's own editor."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import SuspendNotSupported

from moa_tui.errors import UsageError
from moa_tui.settings import leftovers, paths
from moa_tui.text.safe import without_escapes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textual.app import App

_PREFIX = "moa-tui-editor-"
_VARIABLES = ("VISUAL", "EDITOR")
# Editors that most machines have, the easiest first; used where neither variable is set.
_USUAL_EDITORS = ("nano", "vim", "vi")


def edit(app: App[object], text: str) -> str | None:
    """Open `text` in $VISUAL or $EDITOR, and return the edited text; None where it was not changed.

    The app is suspended until the editor ends. Raises UsageError where no editor can be run, where it ends
    with an error, or where its file is not text or cannot be written.
    """
    name, command = _editor()
    with _folder() as folder:
        path = folder / "prompt.md"
        try:
            paths.write_private(path, text)
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {paths.disk_words(error)}") from error
        try:
            with app.suspend():
                code = _run([*command, str(path)])
        except SuspendNotSupported as error:
            raise UsageError("an editor cannot be opened in this terminal") from error
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            raise UsageError(f"{name}: {command[0]} cannot be run: {reason or error}") from error
        if code:
            how = f"exit code {code}" if code > 0 else f"signal {-code}"
            raise UsageError(f"{name}: {command[0]} ended with {how}; the prompt is as it was")
        try:
            edited = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{name}: what {command[0]} left cannot be read: {error}") from error
    if not text.endswith("\n"):
        edited = edited.removesuffix("\n")  # Most editors end the last line.
    return None if edited == text else without_escapes(edited)


def drop_left_behind() -> None:
    """Delete the texts that were in an editor when moa-tui was killed. Raises nothing."""
    for place in _places():
        leftovers.drop(place, _PREFIX)


def _places() -> list[Path]:
    """Return the folders that a text may wait in while it is edited, the best first.

    What is in the first ones is in memory, and never on a disk.
    """
    named = [os.environ.get("XDG_RUNTIME_DIR", ""), "/dev/shm", tempfile.gettempdir()]  # noqa: S108
    places = [Path(name) for name in named if name]
    return [place for place in places if place.is_absolute() and os.access(place, os.W_OK | os.X_OK)]


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder of the text's own, since editors keep their backups beside the file. It goes at the end."""
    folder = None
    for place in _places():
        try:
            folder = place / leftovers.name(_PREFIX)
            folder.mkdir(mode=0o700)
            break
        except OSError:
            folder = None  # It is full, or takes nothing.
    if folder is None:
        raise UsageError("no folder takes a file for the editor: make room in the folder for temporary files")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _editor() -> tuple[str, list[str]]:
    """The words by which an error names the source of the command, and the command itself."""
    for variable in _VARIABLES:
        if value := os.environ.get(variable, "").strip():
            try:
                return f"${variable}", shlex.split(value)
            except ValueError as error:
                raise UsageError(f"${variable} cannot be read: {error}") from error
    for program in _USUAL_EDITORS:
        if shutil.which(program):
            return "$EDITOR is not set", [program]
    raise UsageError("no editor is known: set $VISUAL or $EDITOR to the one you use")


def _run(command: list[str]) -> int:
    """Run the editor, and return its exit code. A ctrl+c in the editor does not interrupt this program."""
    editor = subprocess.Popen(command)  # noqa: S603
    with _interrupts_ignored():
        return editor.wait()


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    previous_handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous_handler)
