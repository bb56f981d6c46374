"""Copies text to the terminal's and the system's clipboard, and says which is known to have it."""

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
"""How long the system's clipboard may take; xclip can wait for ever on a display that does not answer."""


async def copy(app: App[Any], text: str) -> str:
    """Copy `text`, and return the notice to show.

    The terminal gets it as OSC 52, which nothing answers, so success is claimed only for the system's
    clipboard. Over SSH that would be the remote machine's, so it is left alone.
    """
    text = text.encode("utf-8", "replace").decode("utf-8")
    app.copy_to_clipboard(text)
    remote = os.environ.get("SSH_CONNECTION") or os.environ.get("SSH_TTY")
    if remote or not await _system_took(text):
        return "sent to the terminal's clipboard"
    lines = len(text.splitlines())
    return f"copied {counted(lines, 'line') if lines > 1 else counted(len(text), 'character')}"


async def _system_took(text: str) -> bool:
    done: Future[None] = Future()
    # Giving up must not cancel what the thread will still report to.
    done.set_running_or_notify_cancel()

    def work() -> None:
        try:
            pyperclip.copy(text)
        except Exception as error:
            done.set_exception(error)
        else:
            done.set_result(None)

    # A thread of an executor that hangs would be waited for at exit; a daemon is not.
    threading.Thread(target=work, name="clipboard", daemon=True).start()
    try:
        await asyncio.wait_for(asyncio.wrap_future(done), LIMIT_SECONDS)
    except (TimeoutError, RuntimeError, OSError, subprocess.SubprocessError):
        return False
    return True
