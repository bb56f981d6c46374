"""Copies text to the terminal's and the system's clipboard, and says which of them is known to have it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import pyperclip

from moa_tui.text.wording import counted

if TYPE_CHECKING:
    from textual.app import App

LIMIT_SECONDS = 1.0
"""How long the system's clipboard may take. On a display that does not answer, xclip waits for ever."""


async def copy(app: App[Any], text: str) -> str:
    """Copy `text`, and return the notice to show.

    The terminal gets the text as OSC 52, which it does not confirm, so the notice claims success only for the
    system's clipboard. Over SSH that clipboard belongs to the remote machine, and is not used.
    """
    text = text.encode("utf-8", "replace").decode("utf-8")
    app.copy_to_clipboard(text)
    is_remote = os.environ.get("SSH_CONNECTION") or os.environ.get("SSH_TTY")
    if is_remote or not await _copied_to_system(text):
        return "sent to the terminal's clipboard"
    lines = len(text.splitlines())
    return f"copied {counted(lines, 'line') if lines > 1 else counted(len(text), 'character')}"


async def _copied_to_system(text: str) -> bool:
    """Whether the system's clipboard has taken `text` within a second."""
    result: Future[None] = Future()
    # A future that runs cannot be cancelled by the timeout, and the thread can still set its result.
    result.set_running_or_notify_cancel()

    def work() -> None:
        try:
            pyperclip.copy(text)
        except Exception as error:
            result.set_exception(error)
        else:
            result.set_result(None)

    # Python waits at exit for the threads of an executor, which may hang, but not for a daemon thread.
    threading.Thread(target=work, name="clipboard", daemon=True).start()
    try:
        await asyncio.wait_for(asyncio.wrap_future(result), LIMIT_SECONDS)
    except (TimeoutError, RuntimeError, OSError, subprocess.SubprocessError):
        return False
    return True
