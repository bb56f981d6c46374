"""A text in the person's own editor."""

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
from moa_tui.text.safe import without_escapes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textual.app import App

_VARIABLES = ("VISUAL", "EDITOR")
# What most machines have, the easiest first; taken where neither variable is set.
_USUAL = ("nano", "vim", "vi")


def edit(app: App[object], text: str) -> str | None:
    """`text` as the person leaves it in $VISUAL or $EDITOR; None where it was not changed.

    The screen is theirs meanwhile, and nothing else happens on it. Raises UsageError where no editor can be
    run, it ends with an error, or what it leaves is no text.
    """
    name, command = _editor()
    # A folder of its own, since editors keep their backups beside the file.
    with tempfile.TemporaryDirectory(prefix="moa-tui-") as folder:
        path = Path(folder) / "prompt.md"
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
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
            edited = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{name}: what {command[0]} left cannot be read: {error}") from error
    if not text.endswith("\n"):
        edited = edited.removesuffix("\n")  # Most editors end the last line.
    return None if edited == text else without_escapes(edited)


def _editor() -> tuple[str, list[str]]:
    """The command, and how a message names where it came from."""
    for variable in _VARIABLES:
        if value := os.environ.get(variable, "").strip():
            try:
                return f"${variable}", shlex.split(value)
            except ValueError as error:
                raise UsageError(f"${variable} cannot be read: {error}") from error
    for program in _USUAL:
        if shutil.which(program):
            return "$EDITOR is not set", [program]
    raise UsageError("no editor is known: set $VISUAL or $EDITOR to the one you use")


def _run(command: list[str]) -> int:
    """The exit code. A ctrl+c that the editor leaves to the terminal is not meant for this program."""
    editor = subprocess.Popen(command)  # noqa: S603
    with _deaf_to_interrupts():
        return editor.wait()


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
